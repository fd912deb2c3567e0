"""The compiled kernel alone; tests/engine/test_engines.py compares it with the reference together with the others."""

import os
import threading

import numpy as np
import pytest
import torch
from helpers.rules import brink, rule
from hypothesis import given, settings
from hypothesis import strategies as st

from planaria.core.moment import Moment
from planaria.core.rule import ACTIVATIONS, Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.engine import choose, native, run
from planaria.errors import UserError

pytestmark = pytest.mark.skipif("PLANARIA_PURE" in os.environ, reason="the kernel was left out on purpose")
ISAS = native.kernel.isas() if native.kernel is not None else []


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def rollout(r: Rule, x: torch.Tensor, steps: int, *, isa: str = "", **moment) -> torch.Tensor:
    return native.rollout(r, x, steps, Moment(**moment), None, isa=isa)


def small(**settings) -> Rule:
    """A float32 rule of the classic shape with weights large enough to grow and die."""
    r = Rule(RuleConfig(**settings))
    rng = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for p in r.parameters():
            p.add_(torch.randn(p.shape, generator=rng) * 0.03)
    return r


def test_the_kernel_was_built():
    assert native.kernel is not None
    assert ISAS[-1] == "plain"
    assert native.status().startswith(f"native kernel, {ISAS[0]}")


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"channels": 20, "filters": ("learned",), "hidden": (33, 17), "edge": "circular", "activation": "leaky_relu"},
        {"channels": 12, "filters": ("identity", "sobel", "laplacian"), "hidden": (96,), "life": "none", "frozen": 3},
        {"channels": 5, "life": "after", "hidden": (), "bias": "all"},
        {"channels": 37, "life": "before", "hidden": (130,), "edge": "circular", "fire_rate": 1.0},
        {
            "channels": 3,
            "filters": ("sobel@2", "mean", "laplacian@2"),
            "life": "none",
            "fire_rate": 1.0,
            "edge": "circular",
        },
        {"channels": 18, "filters": ("identity", "sobel@4", "sobel"), "life_threshold": 0.05},
        {"channels": 16, "filters": ("learned@2",), "edge": "circular", "frozen": 2},
        {"channels": 18, "hidden": (90, 90), "edge": "replicate", "life": "none", "fire_rate": 1.0, "bias": "all"},
        {"channels": 16, "edge": "replicate"},
        {"channels": 16, "edge": "circular", "life": "after", "life_edge": "zero"},
        {"channels": 7, "filters": ("identity", "sobel@2", "sobel"), "edge": "replicate", "frozen": 1},
        *({"filters": ("ring@2", "sobel", "ring@5", "mean@2", "ring"), "edge": edge} for edge in native.EDGES),
        {"channels": 1, "filters": ("identity", "ring@7"), "edge": "circular", "life": "none", "fire_rate": 1.0},
        {"channels": 37, "filters": ("ring@3",), "life": "after", "frozen": 4, "hidden": ()},
        {"channels": 16, "filters": ("ring@4", "identity"), "blurs": ("3@7",), "edge": "replicate", "life": "none"},
        *({"activation": name, "hidden": (33, 17), "bias": "all"} for name in ACTIVATIONS),
        *({"activation": "silu", "blurs": ("3@5", "0@15"), "edge": edge, "frozen": 1} for edge in native.EDGES),
        {"channels": 40, "blurs": ("3@3", "39@7", "20@3"), "life": "none", "edge": "circular", "dt": 0.3},
    ],
)
def test_every_instruction_set_agrees_with_the_reference(isa, settings):
    r = rule(0.05, **settings)
    x = brink(3, r.config.channels, 11, 9).requires_grad_()
    direction = torch.randn(x.shape, generator=torch.Generator().manual_seed(9), dtype=x.dtype)
    leaves = [x, *r.parameters()]
    want = run(r, x, 6, seed=4, engine="reference")
    got = rollout(r, x, 6, seed=4, isa=isa)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    for a, b in zip(*(torch.autograd.grad((y * direction).sum(), leaves) for y in (got, want)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


def test_every_activation_has_its_number_in_the_kernel():
    assert sorted(native.ACTIVATIONS) == sorted(ACTIVATIONS)
    assert sorted(native.ACTIVATIONS.values()) == list(range(len(ACTIVATIONS)))


@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_activations_and_their_slopes_are_torchs(isa, dtype, activation):
    """A frozen channel's activation is added to a channel of zeros; torch computes the same in float64.

    Every cell is a sample: beside one that isn't finite, the zeros of a filter would give no number.
    """
    near, wide = torch.linspace(-6, 6, 1501), torch.linspace(-120, 120, 997)
    special = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e30, -1e30, torch.inf, -torch.inf, torch.nan])
    v = torch.cat([near, 1e-4 * near, wide, special]).to(dtype)
    r = Rule(RuleConfig(
        channels=2, frozen=1, filters=("identity",), hidden=(1,), activation=activation, bias="none", life="none",
        fire_rate=1.0,
    )).to(dtype)  # fmt: skip
    with torch.no_grad():
        r.weights[0].copy_(torch.tensor([[0.0, 1.0]]))
        r.weights[1].fill_(1.0)
    x = torch.stack([torch.zeros_like(v), v], 1)[..., None, None].requires_grad_()
    got = rollout(r, x, 1, isa=isa)[:, 0, 0, 0]
    want = v.double().requires_grad_()
    bent = ACTIVATIONS[activation](want)
    single = dtype == torch.float32
    bounds = {"rtol": 1e-6 if single else 1e-14, "atol": 1e-7 if single else 1e-15, "equal_nan": True}
    torch.testing.assert_close(got.double(), bent.detach(), **bounds)
    finite = v.isfinite()
    (gx,), (slope,) = torch.autograd.grad(got[finite].sum(), x), torch.autograd.grad(bent[finite].sum(), want)
    bounds["atol"] *= 10
    torch.testing.assert_close(gx[:, 1, 0, 0].double()[finite], slope[finite], **bounds)


@settings(deadline=None, max_examples=60)
@given(
    edge=st.sampled_from(sorted(native.EDGES)),
    life=st.sampled_from(["none", "both"]),
    blurs=st.sampled_from([(), ("3@5",), ("0@15", "3@3")]),
    filters=st.sampled_from([("identity", "sobel"), ("ring@2", "identity", "ring@9")]),
    hidden=st.sampled_from([(9,), (20, 5)]),
    activation=st.sampled_from(sorted(ACTIVATIONS)),
    frozen=st.integers(0, 2),
    size=st.tuples(st.integers(1, 12), st.integers(1, 20)),
    seed=st.integers(0, 2**32 - 1),
)
def test_float32_gradients_are_close(size, seed, **config):
    r, x = rule(**config).float(), brink(2, 6, *size, seed=seed).float().requires_grad_()
    leaves = [x, *r.parameters()]
    want, got = run(r, x, 1, seed=seed, engine="reference"), rollout(r, x, 1, seed=seed)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), leaves) for y in (got, want)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_blurs_around_life_that_moves_over_the_seam():
    """A small living block in a large world: what is blurred reaches beyond the box of the living."""
    for edge in native.EDGES:
        r = rule(0.12, edge=edge, blurs=("3@15", "1@7"), activation="tanh")
        with torch.no_grad():
            r.biases[0].fill_(0.3)
            r.weights[1][3].fill_(0.2)
        x = torch.zeros(1, 6, 44, 43, dtype=torch.double)
        x[0, :, 18, 20] = 1
        with torch.no_grad():
            for k in range(20):
                y = run(r, x, 1, t=k, engine="reference")
                torch.testing.assert_close(rollout(r, x, 1, t=k), y, rtol=1e-10, atol=1e-10)
                x = y
                if k == 9:
                    alive = r.alive(x)
                    assert 50 < alive.sum() < 600, "it should live, and not everywhere"
        assert r.alive(x)[..., 0, :].any(), "it should have come to the edge"
        x.requires_grad_()
        grads = [torch.autograd.grad(y.square().sum(), [x, *r.parameters()]) for y in (
            rollout(r, x, 12), run(r, x, 12, engine="reference"))]  # fmt: skip
        for a, b in zip(*grads, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("isa", ISAS)
def test_one_float32_step_is_close_and_the_same_cells_fire(isa):
    r, x = small(), brink(2, 16, 30, 30).float()
    want, got = run(r, x, 1, seed=3, engine="reference"), rollout(r, x, 1, seed=3, isa=isa)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    assert torch.equal(got != x, want != x)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("edge", native.EDGES)
@pytest.mark.parametrize("life", ["both", "after", "none"])
@pytest.mark.parametrize(
    "more",
    [{}, {"activation": "gelu", "blurs": ("3@15", "5@3")}, {"filters": ("identity", "ring@3", "sobel")}],
    ids=["relu", "gelu, blurred", "rings"],
)
def test_the_bytes_do_not_depend_on_the_number_of_threads(threads, batch, edge, life, more):
    r, x = small(edge=edge, life=life, **more), brink(batch, 16, 40, 40).float().requires_grad_()
    found = []
    for n in (1, 2, 5):
        threads(n)
        with torch.no_grad():
            calm = rollout(r, x, 12, seed=8)
        y = rollout(r, x, 12, seed=8)
        assert torch.equal(calm, y)
        found.append([y, *torch.autograd.grad(y.square().sum(), [x, *r.parameters()])])
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_two_callers_do_not_disturb_each_other():
    r, x = small(), brink(1, 16, 50, 50).float()
    want = [rollout(r, x, 40, seed=s).detach() for s in range(4)]
    got: list[torch.Tensor] = [x] * 4

    def work(s: int) -> None:
        got[s] = rollout(r, x, 40, seed=s).detach()

    workers = [threading.Thread(target=work, args=(s,)) for s in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert all(torch.equal(a, b) for a, b in zip(want, got, strict=True))


def test_any_layout_of_memory_is_taken():
    r, x = small(), brink(2, 16, 12, 10).float()
    want = rollout(r, x, 3)
    assert torch.equal(rollout(r, x.to(memory_format=torch.channels_last), 3), want)
    assert torch.equal(rollout(r, torch.cat([x, x], 3)[..., :10], 3), want)


def test_life_reaches_every_border(threads):
    """A pattern that grows from a corner over a torus, and one that dies away, against the reference."""
    threads(2)
    for edge in native.EDGES:
        r = rule(0.12, edge=edge)
        with torch.no_grad():
            r.biases[0].fill_(0.3)
            r.weights[1][3].fill_(0.4)
        x = torch.zeros(1, 6, 14, 17, dtype=torch.double)
        x[0, :, 0, 0] = 1
        for k in range(30):
            y = run(r, x, 1, t=k, engine="reference")
            torch.testing.assert_close(rollout(r, x, 1, t=k), y, rtol=1e-10, atol=1e-10)
            x = y.detach()
        assert r.alive(x).any(2).all(), "the pattern should have filled the grid"
        with torch.no_grad():
            r.weights[1][3].fill_(-0.6)
        torch.testing.assert_close(rollout(r, x, 9), run(r, x, 9, engine="reference"), rtol=1e-10, atol=1e-10)


def test_a_roll_out_keeps_only_what_it_changed():
    def kept(x: torch.Tensor) -> int:
        r = small()
        weights = [w.detach().numpy() for w in r.weights]
        job = native._Walk(r, 50, Moment(), "").job()
        y, bias = torch.empty_like(x), np.zeros((len(x), 128), np.float32)
        taps = native._taps(r.config.filters, x.dtype)
        log = native.kernel.forward(job, x.numpy(), y.numpy(), *taps, bias, weights, [], [], [], keep=True, threads=1)
        return log.bytes

    empty = torch.zeros(1, 16, 64, 64)
    some = empty.clone()
    some[:, 3, 30:34, 30:34] = 1
    state = empty.numel() * 4
    assert kept(empty) < 1.3 * state
    assert kept(empty) < kept(some) < 12 * state, "50 dense states would be 50 times the state"


@pytest.mark.parametrize("method", ["midpoint", "rk4", "dopri5"])
@pytest.mark.parametrize("gradient", ["plain", "adjoint"])
@pytest.mark.parametrize(
    "settings",
    [
        {"edge": "circular", "frozen": 2, "cond": 3, "activation": "tanh"},
        {"edge": "zero", "blurs": ("3@5",), "activation": "gelu", "hidden": (9, 7), "bias": "all", "dt": 0.5},
        {"edge": "replicate", "channels": 1, "activation": "silu"},
    ],
)
def test_a_solvers_flows_are_the_references(method, gradient, settings):
    r = rule(life="none", fire_rate=1.0, **settings)
    solver = Solver(r, method, gradient=gradient)
    c, k = r.config.channels, r.config.cond
    rng = torch.Generator().manual_seed(5)
    x, direction = brink(2, c, 5, 9).requires_grad_(), torch.randn(2, c, 5, 9, generator=rng, dtype=torch.double)
    cond = torch.randn(2, k, generator=rng, dtype=torch.double, requires_grad=True) if k else None
    leaves = [x, *r.parameters(), *([] if cond is None else [cond])]
    want, got = (run(solver, x, 3, cond=cond, engine=name) for name in ("reference", "auto"))
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    assert not torch.equal(got, want), "another engine rounds in another way"
    for a, b in zip(*(torch.autograd.grad((y * direction).sum(), leaves) for y in (got, want)), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_gradients_of_a_flows_gradients_and_transforms_are_the_references():
    r, x = rule(life="none", fire_rate=1.0, activation="silu", frozen=1), brink(1).requires_grad_()
    solver = Solver(r, "rk4")
    found = []
    for name in ("reference", "auto"):
        (g,) = torch.autograd.grad(run(solver, x, 1, engine=name).square().sum(), x, create_graph=True)
        found.append(torch.autograd.grad(g.square().sum(), [x, *r.parameters()]))
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)
    whole = torch.func.grad(lambda v: run(solver, v, 1).square().sum())(x.detach())
    assert torch.equal(
        whole, torch.func.grad(lambda v: run(solver, v, 1, engine="reference").square().sum())(x.detach())
    )


def test_a_checkpointed_solver_keeps_a_state_a_step():
    r, x = rule(life="none", fire_rate=1.0, activation="tanh"), brink(2, 6, 16, 16)
    kept, found = {}, {}
    for gradient in ("plain", "checkpoint"):
        sizes: dict[int, int] = {}

        def keep(v, sizes=sizes):
            sizes[v.data_ptr()] = v.numel()
            return v

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda v: v):
            y = run(Solver(r, "rk4", gradient=gradient), x, 6)
            kept[gradient] = sum(sizes.values())
        found[gradient] = torch.autograd.grad(y.square().sum(), list(r.parameters()))
    assert all(torch.equal(a, b) for a, b in zip(*found.values(), strict=True))
    assert kept["checkpoint"] < kept["plain"] / 2


def test_a_solver_says_who_computes_its_flows():
    r, x = rule(life="none", fire_rate=1.0), brink(1)
    assert choose(Solver(r, "rk4"), x)[0] == "native"
    assert choose(Solver(r, "rk4"), x, "native")[0] == "native"
    assert choose(Solver(r, "euler", gradient="checkpoint"), x)[0] == "reference"
    assert choose(Solver(r, "rk4"), x.half())[0] == "reference"
    with pytest.raises(UserError, match="engine sparse can't run this"):
        run(Solver(r, "rk4"), x, 1, engine="sparse")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_sample_without_a_gradient_changes_no_byte_of_the_others(dtype):
    r = rule(hidden=(20, 9), bias="all", life="none", fire_rate=1.0).to(dtype)
    x, direction = brink(3).to(dtype), brink(3, seed=8).to(dtype)
    direction[1] = 0
    found = []
    for some in ([0, 1, 2], [0, 2]):
        v = x[some].requires_grad_()
        y = run(r, v, 4, engine="native")
        found.append(torch.autograd.grad((y * direction[some]).sum(), [v, *r.parameters()]))
    (whole, *ours), (part, *theirs) = found
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert torch.equal(whole[[0, 2]], part)
    assert not whole[1].any()


def test_where_a_state_is_no_number_a_gradient_of_zero_is_none():
    r = rule(life="none", fire_rate=1.0)
    x = brink(2)
    x[1, 0, 2, 2] = torch.nan
    weight = torch.tensor([1.0, 0.0], dtype=x.dtype)[:, None, None, None]
    for engine in ("reference", "native"):
        (g,) = torch.autograd.grad((run(r, x, 2, engine=engine) * weight).sum(), r.weights[0])
        assert g.isnan().any(), engine


def test_what_it_cannot_run_goes_to_the_next_engine():
    x = torch.zeros(1, 16, 8, 8)
    cases = [
        (Rule(RuleConfig(hidden=(8192,))), x, "wider than 4096"),
        (Rule(RuleConfig(life_threshold=-1.0)), x, "below zero"),
        (Rule(), x.double(), "the same for state and weights"),
        (Rule().half(), x.half(), "float32 or float64"),
        (torch.nn.Identity(), x, "Identity is not a plain Rule"),
    ]
    for r, state, why in cases:
        assert why in native.declines(r, state)
        with pytest.raises(UserError, match="engine native can't run this"):
            choose(r, state, "native")
        name, reason = choose(r, state)
        assert name != "native"
        assert name == "sparse" or why in reason


def test_a_missing_kernel_is_said(monkeypatch):
    monkeypatch.setattr(native, "kernel", None)
    assert "not built" in native.declines(Rule(), torch.zeros(1, 16, 8, 8))
    assert "the sparse engine takes its place" in native.status()
    assert choose(Rule(), torch.zeros(1, 16, 8, 8))[0] == "sparse"


def test_the_module_checks_what_it_is_given():
    r, x = Rule(), torch.zeros(1, 16, 8, 8).numpy()
    weights, taps = [w.detach().numpy() for w in r.weights], native._taps(r.config.filters, torch.float32)[0]
    bias = np.zeros((1, 128), np.float32)

    def call(
        x=x, taps=taps, reaches=r.reaches, wide=(), places=(), wide_taps=(), bias=bias, weights=weights, blurred=(),
        blurs=(), threads=1, isa="", **settings,
    ):  # fmt: skip
        job = native._Walk(r, 1, Moment(), "").job()
        for name, value in settings.items():
            setattr(job, name, value)
        y = np.empty_like(x)
        return native.kernel.forward(
            job, x, y, taps, reaches, wide, places, wide_taps, bias, weights, [], blurred, blurs,
            keep=False, threads=threads, isa=isa,
        )  # fmt: skip

    def blur(*line):
        return [np.array(line, np.float32)]

    def other(filters, *places, weights=1):
        return {"wide": filters, "places": list(places), "wide_taps": blur(*[0.5] * weights) * len(places)}

    assert call() is None
    assert call(blurred=[15], blurs=blur(0.25, 0.5, 0.25)) is None
    assert call(**other([0, 2], [-3, 4], [0, 0])) is None
    for wrong in (
        {"x": x[0]}, {"taps": taps[:1]}, {"bias": bias[:, :3]}, {"bias": np.zeros((2, 128), np.float32)},
        {"weights": weights[:1]}, {"weights": []}, {"own": 17}, {"steps": -1}, {"threads": 0}, {"life_channel": 16},
        {"isa": "avx1024"}, {"edge": 3}, {"edge": -1}, {"reaches": [1, 1]}, {"reaches": [1, 0, 1]},
        {"reaches": [1, 2**20, 1]}, {"activation": 6}, {"activation": -1}, {"flow": True},
        {"flow": True, "life": 0}, {"flow": True, "life": 0, "fire": 2**32, "steps": 2}, {"blurred": [1]},
        {"blurs": blur(0.25, 0.5, 0.25)}, {"blurred": [16], "blurs": blur(0.25, 0.5, 0.25)},
        {"blurred": [-1], "blurs": blur(1.0)}, {"blurred": [1], "blurs": blur(0.5, 0.5)},
        {"blurred": [1], "blurs": blur()}, {"blurred": [1], "blurs": blur(0.25, 0.5, 0.2)},
        {"blurred": [1], "blurs": blur(*[0.0] * 4097)}, {"wide": [1]}, other([1], [1, 2, 3, 4]), other([1], [1]),
        other([3], [1, 2]), other([-1], [1, 2]), other([1, 1], [1, 2], [1, 2]), other([2, 1], [1, 2], [1, 2]),
        other([1], [0, -(2**20)]), other([1], [2**20, 0]), other([1], [], weights=0),
    ):  # fmt: skip
        with pytest.raises(ValueError):
            call(**wrong)
    with pytest.raises(TypeError):
        call(x=x.astype(np.float64))
