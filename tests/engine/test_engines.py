import itertools

import pytest
import torch
from helpers.rules import brink, rule
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch.autograd.function import FunctionCtx

from planaria.core.noise import fire
from planaria.core.rule import ACTIVATIONS, Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.engine import _FAST, choose, device_of, native, run, unroll
from planaria.errors import UserError

OTHERS = [name for name, e in _FAST.items() if not e.declines(Rule(), torch.zeros(1, 16, 4, 4))]

EDGES = ["zero", "circular", "replicate"]
PLAIN = [("identity", "sobel"), ("learned",), ("mean", "identity", "laplacian"), ("scharr",)]
DILATED = [
    ("identity", "sobel", "sobel@2"),
    ("learned@2",),
    ("laplacian@3", "sobel", "scharr@3"),
    ("mean@16", "identity@2"),
]
RINGS = [("ring@2", "sobel", "ring@16"), ("identity", "ring", "ring@3"), ("ring@5",)]


def outcome(r, x, steps, engine, cond=None, **kw):
    """The end of a roll-out and the gradient of a random projection of it, to everything that has one."""
    x = x.clone().requires_grad_()
    cond = cond.clone().requires_grad_() if cond is not None else None
    y = run(r, x, steps, cond=cond, engine=engine, **kw)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(9), dtype=y.dtype)
    leaves = [x, *r.parameters(), *([] if cond is None else [cond])]
    grads = torch.autograd.grad((y * direction).sum(), leaves, allow_unused=True)
    return y, [torch.zeros_like(v) if g is None else g for v, g in zip(leaves, grads, strict=True)]


def agree(r, x, steps, engine, **kw):
    y, grads = outcome(r, x, steps, "reference", **kw)
    z, others = outcome(r, x, steps, engine, **kw)
    torch.testing.assert_close(z, y, rtol=1e-10, atol=1e-10)
    for g, o in zip(grads, others, strict=True):
        scale = 1 + g.abs().max()
        torch.testing.assert_close(o / scale, g / scale, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", OTHERS)
@settings(deadline=None, max_examples=120)
@given(
    edge=st.sampled_from(EDGES),
    life=st.sampled_from(["none", "before", "after", "both"]),
    life_edge=st.sampled_from(["same", "zero"]),
    blurs=st.sampled_from([(), (), (), ("3@5", "0@3")]),
    rate=st.sampled_from([0.0, 0.5, 1.0]),
    names=st.sampled_from([*PLAIN, *DILATED, *RINGS]),
    hidden=st.sampled_from([(), (7,), (5, 6)]),
    activation=st.sampled_from(["relu", *ACTIVATIONS]),
    bias=st.sampled_from(["none", "hidden", "all"]),
    frozen=st.integers(0, 2),
    told=st.integers(0, 3),
    dt=st.sampled_from([0.8, 1.0]),
    shape=st.tuples(st.sampled_from([1, 2, 5]), st.integers(1, 9), st.integers(1, 9)),
    steps=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
    t=st.integers(0, 1000),
    origin=st.sampled_from([(0, 0), (0, 0), (3, 8), (-1, 2**31 - 4), (2**32 - 2, -(2**31) - 5)]),
)
def test_engines_agree(
    engine, edge, life, life_edge, blurs, rate, names, hidden, activation, bias, frozen, told, dt, shape, steps, seed,
    t, origin,
):  # fmt: skip
    r = rule(
        edge=edge, life=life, life_edge=life_edge, blurs=blurs, fire_rate=rate, filters=names, hidden=hidden,
        activation=activation, bias=bias, frozen=frozen, cond=told, dt=dt,
    )  # fmt: skip
    b, h, w = shape
    declined = _FAST[engine].declines(r, brink())
    assume("it has no" not in declined)
    if declined:
        assert blurs or names in RINGS
        with pytest.raises(UserError, match="it blurs no channels|wider than 3x3"):
            run(r, brink(), steps, engine=engine)
        return
    cond = torch.randn(b, told, generator=torch.Generator().manual_seed(4), dtype=torch.double) if told else None
    agree(r, brink(b, 6, h, w, seed=seed), steps, engine, cond=cond, seed=seed, t=t, origin=origin)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_empty_and_full_worlds_and_many_samples(engine, fill):
    agree(rule(), torch.full((33, 6, 5, 5), fill, dtype=torch.double), 3, engine)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("life", ["none", "both"])
@pytest.mark.parametrize("reach", [2, 5, 16])
def test_dilated_filters_around_life_that_moves_from_edge_to_edge(engine, edge, life, reach):
    """A small living block in a large world: perception reaches beyond the box of the living, and over the torus."""
    r = rule(0.08, edge=edge, life=life, filters=("identity", f"sobel@{reach}", "laplacian"), frozen=1)
    x = torch.zeros(2, 6, 24, 27, dtype=torch.double)
    x[0, :, 4:8, 5:9] = x[1, :, 12:16, 20:24] = brink(1)[0, :, 1:5, 2:3]
    x[:, 5] = brink(2, 1, 24, 27)[:, 0]
    agree(r, x, 6, engine, seed=5)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("life", ["none", "before", "both"])
@pytest.mark.parametrize("reach", [2, 9])
def test_rings_around_life_that_moves_from_edge_to_edge(engine, edge, life, reach):
    """Two blocks in a world that is wider than a vector, one of them on the seam."""
    r = rule(0.08, edge=edge, life=life, filters=(f"ring@{reach}", "identity", "sobel", "ring@3"), frozen=1)
    if "wider than 3x3" in _FAST[engine].declines(r, brink()):
        pytest.skip("it runs no rings")
    x = torch.zeros(2, 6, 24, 41, dtype=torch.double)
    x[0, :, :4, :4] = x[1, :, 12:16, 20:24] = brink(1)[0, :, 1:5, 2:3]
    x[:, 5] = brink(2, 1, 24, 41)[:, 0]
    agree(r, x, 6, engine, seed=5)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize(
    "settings",
    [
        {"life": "none", "fire_rate": 1.0, "hidden": (9, 7), "bias": "all", "frozen": 1},
        {"life": "both", "fire_rate": 0.5},
        {"life": "before", "filters": ("identity", "sobel@2", "laplacian@7"), "frozen": 2},
        {"life": "none", "filters": ("identity", "sobel", "sobel@2"), "channels": 37},
    ],
)
@pytest.mark.parametrize("size", [(11, 9), (1, 1), (2, 13)])
def test_gradients_of_copies_go_to_the_rim(engine, settings, size):
    agree(rule(0.08, edge="replicate", **settings), brink(2, settings.get("channels", 6), *size), 5, engine, seed=5)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("life", ["before", "after", "both"])
@pytest.mark.parametrize("edge", EDGES)
def test_life_that_ends_at_the_rim_of_a_torus(engine, life, edge):
    x = brink(2, 6, 8, 9)
    x[0, 3] = x[1, 3] = 0.0
    x[0, 3, 0, 4] = x[1, 3, 7, 8] = 1.0
    open_, whole = (rule(0.08, edge=edge, life=life, life_edge=rim) for rim in ("zero", "same"))
    agree(open_, x, 5, engine, seed=5)
    apart = not torch.equal(run(open_, x, 1, engine=engine), run(whole, x, 1, engine=engine))
    assert apart == (edge == "circular")


@pytest.mark.parametrize("engine", ["sparse", "fused"])
def test_blurs_are_left_to_the_kernel_and_the_reference(engine, monkeypatch):
    """Of the machine, `fused` asks first: so here it is told that it has one."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    monkeypatch.setattr("planaria.engine.fused.find_spec", lambda name: name)
    assert _FAST[engine].declines(rule(), brink()) == ""
    assert _FAST[engine].declines(rule(blurs=("4@3",)), brink()) == "it blurs no channels"
    assert choose(rule(blurs=("4@3",)), brink())[0] == ("reference" if native.kernel is None else "native")


def test_tables_of_places_are_not_chosen_for_many_taps():
    assert _FAST["sparse"].slower(rule(filters=("identity", "sobel", "ring@5")), brink()) == ""
    assert "tables of 209 places" in _FAST["sparse"].slower(rule(filters=("ring@14", "identity", "ring@4")), brink())


@pytest.mark.parametrize("engine", OTHERS)
def test_a_rule_without_life_needs_no_channel_for_it(engine):
    agree(rule(channels=1, life="none", fire_rate=0.7), brink(c=1), 3, engine)


@pytest.mark.parametrize("engine", OTHERS)
def test_a_trajectory_of_16_steps(engine):
    agree(rule(0.08), brink(2, 6, 12, 13), 16, engine, seed=5)


@pytest.mark.parametrize("engine", OTHERS)
@pytest.mark.parametrize("edge", EDGES)
def test_a_cell_beyond_the_living_can_save_one(engine, edge):
    """The ring: every firing cell is born, except that a living one dies; so only births outside life save it."""
    r = rule(fire_rate=0.3, edge=edge)
    with torch.no_grad():
        for p in r.parameters():
            p.zero_()
        r.biases[0][0], r.weights[0][0, 3 * 3], r.weights[1][3, 0] = 1.0, -10.0, 0.5
        r.weights[0][1, 3 * 3], r.weights[1][3, 1] = 1.0, -1.0
    x = torch.zeros(200, 6, 9, 9, dtype=torch.double)
    x[:, 3, 4, 4], x[:, 5] = 0.2, 1.0
    want = r(x)
    act = fire(0.3, 0, 0, (200, 9, 9)) & r.alive(x)  # without the ring
    assert not torch.equal(want, r.die(x, x + torch.where(act, r.flow(x), 0.0)))
    torch.testing.assert_close(run(r, x, 1, engine=engine), want)


@pytest.mark.parametrize("engine", OTHERS)
def test_not_a_number_is_treated_alike(engine):
    for life, channel in itertools.product(("none", "before", "after", "both"), (1, 3)):
        x = brink()
        x[0, channel, 3, 3] = torch.nan
        r = rule(life=life)
        want, got = run(r, x, 3, engine="reference"), run(r, x, 3, engine=engine)
        torch.testing.assert_close(got, want, equal_nan=True)


@pytest.mark.parametrize("engine", ["reference", *OTHERS])
def test_a_run_can_be_cut_anywhere_and_unrolled(engine):
    r, x = rule(0.08).float(), brink(2, 6, 12, 13).float()
    whole = run(r, x, 10, t=3, seed=5, engine=engine)
    parts = run(r, run(r, x, 4, t=3, seed=5, engine=engine), 6, t=7, seed=5, engine=engine)
    assert torch.equal(whole, parts)
    assert torch.equal(whole, run(r, x, 10, t=3, seed=5, engine=engine))
    states = list(unroll(r, x, 10, every=5, t=3, seed=5, engine=engine))
    assert len(states) == 2
    assert torch.equal(states[-1], whole)


@pytest.mark.parametrize("engine", OTHERS)
def test_one_float32_step_is_close_and_the_same_cells_fire(engine):
    r, x = rule(0.08).float(), brink(2, 6, 30, 30).float()
    want, got = run(r, x, 1, seed=3, engine="reference"), run(r, x, 1, seed=3, engine=engine)
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)
    assert torch.equal(got != x, want != x)


@pytest.mark.parametrize("engine", ["reference", *OTHERS])
@pytest.mark.parametrize("life", ["none", "both"])
def test_a_part_of_a_larger_grid_lives_as_it_does_there(engine, life):
    """A window far enough from the rim that nothing comes in, in a grid that begins near the last row of 32 bits."""
    r, x = rule(0.08, life=life), brink(2, 6, 24, 26)
    first = (2**32 - 9, -7)
    whole = run(r, x, 3, t=2, seed=5, origin=first, engine=engine)
    window = x[..., 4:22, 3:23]
    *_, part = unroll(r, window, 3, t=2, seed=5, origin=(first[0] + 4, first[1] + 3), engine=engine)
    inner = (..., slice(6, -6), slice(6, -6))
    torch.testing.assert_close(part[inner], whole[..., 4:22, 3:23][inner], rtol=1e-12, atol=1e-12)
    assert not torch.equal(part, run(r, window, 3, t=2, seed=5, engine=engine))
    wrapped = run(r, x, 3, t=2, seed=5, origin=(-9, 2**32 - 7), engine=engine)
    assert torch.equal(wrapped, whole)


def test_an_origin_is_told_to_modules_that_take_it():
    r, x = rule(life="none"), brink()
    assert torch.equal(run(Solver(r, "euler"), x, 2, origin=(4, 5)), run(r, x, 2, origin=(4, 5), engine="reference"))

    class Still(torch.nn.Module):
        def forward(self, x, t=0, *, seed=0, cond=None, dt=None):
            return x

    assert torch.equal(run(Still(), x, 2, origin=(0, 0)), x)
    with pytest.raises(UserError, match="Still takes no origin: it can't be run as a part of a larger grid"):
        run(Still(), x, 2, origin=(0, 1))


@pytest.mark.parametrize("engine", OTHERS)
def test_losses_on_states_along_the_way(engine):
    r = rule(0.08)
    grads = []
    for name in ("reference", engine):
        x = brink().requires_grad_()
        loss = sum(y.square().sum() for y in unroll(r, x, 4, seed=2, engine=name))
        grads.append(torch.autograd.grad(loss, [x, *r.parameters()]))
    for g, o in zip(*grads, strict=True):
        torch.testing.assert_close(o, g, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("engine", OTHERS)
def test_without_gradients_nothing_is_kept(engine, monkeypatch):
    kept = []

    def note(self, name, value):
        kept.append(name)
        object.__setattr__(self, name, value)

    monkeypatch.setattr(FunctionCtx, "__setattr__", note, raising=False)
    with torch.no_grad():
        run(rule(0.08), brink(), 3, engine=engine)
    assert "rest" not in kept
    run(rule(0.08), brink(), 3, engine=engine)
    assert "rest" in kept


@pytest.mark.parametrize("engine", OTHERS)
def test_a_graph_can_be_walked_twice(engine):
    r, x = rule(0.08), brink().requires_grad_()
    y = run(r, x, 3, engine=engine).square().sum()
    first = torch.autograd.grad(y, x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(y, x)[0])


def test_auto_chooses_by_rule_and_device():
    x = torch.zeros(1, 16, 8, 8)
    assert choose(Rule(), x)[0] == ("sparse" if native.kernel is None else "native")
    dense = Rule(RuleConfig(life="none", fire_rate=1.0))
    assert choose(dense, x.double())[0] == "reference"
    name, why = choose(torch.nn.Identity(), x)
    assert name == "reference"
    assert "Identity is not a plain Rule" in why
    assert choose(Rule(), x, "reference")[0] == "reference"


def test_what_an_engine_cannot_do_is_said():
    with pytest.raises(UserError, match="unknown engine 'spares'; have: .*Did you mean 'sparse'"):
        run(Rule(), torch.zeros(1, 16, 8, 8), 1, engine="spares")
    with pytest.raises(UserError, match="engine sparse can't run this: Identity"):
        run(torch.nn.Identity(), torch.zeros(1, 16, 8, 8), 1, engine="sparse")
    with pytest.raises(UserError, match="negative"):
        run(Rule(), torch.zeros(1, 16, 8, 8), -1)
    with pytest.raises(UserError, match="device 'cudaa' can't be used here .no such device; they are called cpu, cuda"):
        device_of("cudaa")
