"""The GPU engine without a GPU: Triton interprets its kernels on the CPU, and compiles them for cards it can't see.

Whether Triton interprets is settled when it is first imported, so each way needs a process of its own: a `test_*` here
starts one, which collects the functions of that way. To see one of them alone:
`TRITON_INTERPRET=1 pytest tests/engine/test_fused.py -o python_functions=interpreted_* -k ring`.
"""

import dataclasses
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import pytest
import torch
from helpers.rules import brink, rule
from hypothesis import given, settings
from hypothesis import strategies as st

from planaria.core.moment import Moment
from planaria.core.noise import fire
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import compiled, fused, run

needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


def in_a_process(functions: str, *options: str, **env: str) -> None:
    chosen = f"python_functions={functions}_*"
    command = [sys.executable, "-m", "pytest", __file__, "-p", "no:cacheprovider", "-o", chosen, *options]
    rest = {k: v for k, v in os.environ.items() if k not in ("PYTEST_ADDOPTS", "TRITON_INTERPRET")}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, cwd=root, env=rest | env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


@needs_triton
@pytest.mark.long
def test_kernels_interpreted():
    in_a_process("interpreted", TRITON_INTERPRET="1")


@needs_triton
@pytest.mark.long
def test_kernels_compile_for_real_cards():
    in_a_process("built")


@pytest.mark.long
def test_the_compiled_reference():
    in_a_process("traced", "-o", "addopts=-q --import-mode=importlib")  # type checkers can't be compiled


@pytest.fixture(autouse=True, scope="module")
def _brisk():
    """Without checks for integer overflow, which the hash wants, the interpreter takes half the time."""
    if os.environ.get("TRITON_INTERPRET") != "1":
        yield
        return
    from triton.runtime.interpreter import interpreter_builder

    options = dataclasses.replace(interpreter_builder.options, sanitize_overflow=False)
    with mock.patch.object(interpreter_builder, "options", options):
        yield


def rollout(r, x, steps, *, cond=None, precision="float32", **moment):
    return fused.rollout(r, x, steps, Moment(**moment), cond, precision=precision)


def reference(*args, **kw):
    return run(*args, engine="reference", **kw)


def outcome(rollout, r, x, steps, cond=None, **kw):
    """The end of a roll-out and the gradient of a random projection of it, to everything that has one."""
    x = x.clone().requires_grad_()
    cond = cond.clone().requires_grad_() if cond is not None else None
    y = rollout(r, x, steps, cond=cond, **kw)
    direction = torch.randn(y.shape, generator=torch.Generator().manual_seed(9), dtype=y.dtype)
    leaves = [x, *r.parameters(), *([] if cond is None else [cond])]
    grads = torch.autograd.grad((y * direction).sum(), leaves, allow_unused=True)
    return y, [torch.zeros_like(v) if g is None else g for v, g in zip(leaves, grads, strict=True)]


def agree(r, x, steps, *, rollout=rollout, **kw):
    y, grads = outcome(reference, r, x, steps, **kw)
    z, others = outcome(rollout, r, x, steps, **kw)
    torch.testing.assert_close(z, y, rtol=1e-10, atol=1e-10)
    for g, o in zip(grads, others, strict=True):
        scale = 1 + g.abs().max()
        torch.testing.assert_close(o / scale, g / scale, rtol=1e-10, atol=1e-10)


def told(b: int, k: int) -> torch.Tensor | None:
    return torch.randn(b, k, generator=torch.Generator().manual_seed(4), dtype=torch.double) if k else None


@pytest.mark.parametrize(
    ("edge", "life", "rate", "filters", "bias", "frozen", "cond", "hidden", "shape"),
    [
        ("zero", "both", 0.5, ("identity", "sobel"), "hidden", 0, 0, 40, (1, 6, 10)),
        ("circular", "both", 0.5, ("identity", "sobel"), "hidden", 2, 3, 7, (2, 6, 7)),
        ("circular", "both", 1.0, ("learned",), "all", 2, 0, 7, (1, 6, 7)),
        ("zero", "after", 0.5, ("mean", "identity"), "none", 1, 2, 8, (1, 5, 6)),
        ("circular", "before", 0.5, ("scharr",), "all", 0, 1, 8, (1, 6, 7)),
        ("zero", "none", 0.5, ("identity", "sobel"), "none", 1, 3, 8, (2, 5, 6)),
        ("circular", "none", 0.0, ("laplacian5",), "all", 0, 0, 1, (1, 6, 6)),
        ("circular", "none", 1.0, ("identity", "sobel", "sobel@2"), "hidden", 0, 0, 8, (1, 6, 9)),
        ("zero", "both", 0.5, ("learned@2",), "hidden", 1, 0, 8, (1, 9, 7)),
        ("circular", "both", 0.5, ("laplacian@5", "scharr", "mean@5"), "all", 0, 1, 8, (2, 3, 7)),
        ("replicate", "both", 0.5, ("identity", "sobel"), "hidden", 1, 0, 8, (2, 6, 7)),
        ("replicate", "none", 1.0, ("identity", "sobel", "sobel@2"), "all", 0, 2, 8, (1, 9, 3)),
        ("replicate", "before", 0.5, ("learned@3",), "hidden", 0, 0, 8, (1, 1, 9)),
    ],
)
def interpreted_as_the_reference(edge, life, rate, filters, bias, frozen, cond, hidden, shape):
    b, h, w = shape
    r = rule(edge=edge, life=life, fire_rate=rate, filters=filters, bias=bias, frozen=frozen, cond=cond,
             hidden=(hidden,), dt=0.8)  # fmt: skip
    assert fused.declines(r, brink()) == ""
    agree(r, brink(b, 6, h, w), 2, cond=told(b, cond), seed=2**32 - 5, t=3)


@settings(deadline=None, max_examples=8)
@given(
    edge=st.sampled_from(list(fused.EDGES)),
    life=st.sampled_from(["none", "before", "after", "both"]),
    life_edge=st.sampled_from(["same", "zero"]),
    rate=st.sampled_from([0.0, 0.5, 1.0]),
    names=st.sampled_from([("identity", "sobel"), ("learned",), ("mean", "identity"), ("scharr@3", "mean@16")]),
    bias=st.sampled_from(["none", "hidden", "all"]),
    frozen=st.integers(0, 2),
    cond=st.integers(0, 3),
    shape=st.tuples(st.just(1), st.integers(1, 8), st.integers(1, 8)),
    seed=st.integers(0, 2**32 - 1),
)
def interpreted_at_random(edge, life, life_edge, rate, names, bias, frozen, cond, shape, seed):
    b, h, w = shape
    r = rule(edge=edge, life=life, life_edge=life_edge, fire_rate=rate, filters=names, bias=bias, frozen=frozen,
             cond=cond)  # fmt: skip
    agree(r, brink(b, 6, h, w, seed=seed), 1, cond=told(b, cond), seed=seed, t=seed % 1000)


@pytest.mark.parametrize(
    "x",
    [torch.zeros(1, 6, 5, 5), torch.ones(1, 6, 5, 5), torch.ones(1, 6, 1, 1)],
    ids=["empty", "full", "one cell"],
)
def interpreted_in_plain_worlds(x):
    for steps in (0, 2):
        agree(rule(edge="circular"), x.double(), steps)


def interpreted_life_that_ends_at_the_rim_of_a_torus():
    x = brink(1, 6, 6, 7)
    x[0, 3] = 0.0
    x[0, 3, 0, 4] = 1.0
    for life in ("before", "after", "both"):
        agree(rule(edge="circular", life=life, life_edge="zero"), x, 2, seed=5)


@pytest.mark.parametrize("edge", fused.EDGES)
def interpreted_where_life_touches_the_edge_and_whole_tiles_rest(edge):
    x = torch.zeros(1, 6, 9, 24, dtype=torch.double)
    x[..., :2, :1] = 1.0
    r = rule(0.4, edge=edge)
    torch.testing.assert_close(rollout(r, x, 2), reference(r, x, 2), rtol=1e-10, atol=1e-10)


def interpreted_with_many_samples():
    r, x = rule(life="none"), torch.rand(33, 6, 2, 2, dtype=torch.double)
    torch.testing.assert_close(rollout(r, x, 1, t=5), reference(r, x, 1, t=5), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("edge", fused.EDGES)
def interpreted_ring_a_cell_beyond_the_living_can_save_one(edge):
    """Every firing cell is born, except that a living one dies; so only births outside life save it."""
    r = rule(fire_rate=0.3, edge=edge)
    with torch.no_grad():
        for p in r.parameters():
            p.zero_()
        r.biases[0][0], r.weights[0][0, 3 * 3], r.weights[1][3, 0] = 1.0, -10.0, 0.5
        r.weights[0][1, 3 * 3], r.weights[1][3, 1] = 1.0, -1.0
    x = torch.zeros(1, 6, 22, 22, dtype=torch.double)
    x[:, 3, 3::8, 3::8], x[:, 5] = 0.2, 1.0
    want = r(x, 6)
    act = fire(0.3, 0, 6, (1, 22, 22)) & r.alive(x)  # without the ring
    assert not torch.equal(want, r.die(x, x + torch.where(act, r.flow(x), 0.0)))
    torch.testing.assert_close(rollout(r, x, 1, t=6), want)


@pytest.mark.parametrize(("life", "channel"), [("none", 1), ("before", 3), ("after", 3), ("both", 1)])
def interpreted_not_a_number(life, channel):
    x = brink(1)
    x[0, channel, 3, 3] = torch.nan
    r = rule(life=life, frozen=1, bias="all")
    torch.testing.assert_close(rollout(r, x, 1), reference(r, x, 1), equal_nan=True)


@pytest.mark.parametrize("origin", [(3, 5), (-2, 2**31 - 3), (2**32 - 1, -(2**40))])
def interpreted_as_a_part_of_a_larger_grid(origin):
    agree(rule(edge="replicate"), brink(1), 2, seed=5, t=2, origin=origin)


def interpreted_in_float32_to_the_same_bytes_twice():
    r, x = rule(channels=16, hidden=(128,)).float(), brink(1, 16, 8, 8).float()
    y, grads = outcome(rollout, r, x, 1, seed=3, t=8)
    z, others = outcome(rollout, r, x, 1, seed=3, t=8)
    assert torch.equal(y, z)
    assert all(torch.equal(g, o) for g, o in zip(grads, others, strict=True))
    torch.testing.assert_close(y, reference(r, x, 1, seed=3, t=8), rtol=1e-5, atol=1e-5)


def interpreted_in_tf32():
    """Which the interpreter takes exactly; bf16 it can't multiply."""
    r, x = rule().float(), brink(1).float()
    torch.testing.assert_close(rollout(r, x, 1, precision="tf32"), reference(r, x, 1), rtol=1e-5, atol=1e-5)


def interpreted_a_graph_can_be_walked_twice_and_in_part():
    r, x = rule(0.08), brink(1).requires_grad_()
    y = rollout(r, x, 2, dt=0.5).square().sum()
    first = torch.autograd.grad(y, x, retain_graph=True)[0]
    second, weight = torch.autograd.grad(y, [x, r.weights[0]])
    assert torch.equal(first, second)
    assert bool(weight.any())
    r.requires_grad_(False)
    x = x.detach().requires_grad_()
    assert torch.equal(first, torch.autograd.grad(rollout(r, x, 2, dt=0.5).square().sum(), x)[0])


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"hidden": ()}, "one hidden layer, not 0"),
        ({"hidden": (4, 4)}, "one hidden layer, not 2"),
        ({"blurs": ("4@3",)}, "it blurs no channels"),
        ({"activation": "gelu"}, "activation relu, not gelu"),
        ({"life_threshold": -0.1}, "negative life threshold"),
        ({"hidden": (2000,)}, "hidden 2000 wide"),
        ({"channels": 80}, "channels 80 wide"),
        ({"channels": 64, "filters": ("learned",)}, "perception 576 wide"),
    ],
)
def interpreted_what_it_cannot_do_is_said(settings, why):
    r = Rule(RuleConfig(**settings))
    assert why in fused.declines(r, torch.zeros(1, r.config.channels, 4, 4))


def interpreted_unfit_states_are_declined():
    x = torch.zeros(1, 16, 4, 4)
    assert fused.declines(Rule(), x) == ""
    assert "Identity is not a plain Rule" in fused.declines(torch.nn.Identity(), x)
    assert "not in float16" in fused.declines(Rule(), x.half())
    assert "another type" in fused.declines(Rule(), x.double())
    assert "empty" in fused.declines(Rule(), x[:0])
    assert "5 channels, the rule 16" in fused.declines(Rule(), x[:, :5])
    assert "32-bit" in fused.declines(Rule(), x[..., :1, :1].expand(-1, -1, 8192, 8192))


def test_without_a_gpu_both_decline():
    x = torch.zeros(1, 16, 4, 4)
    with mock.patch.dict(os.environ):
        os.environ.pop("TRITON_INTERPRET", None)
        assert "not on cpu" in fused.declines(Rule(), x)
    assert "not on cpu" in compiled.declines(Rule(), x)
    assert "Identity is not a plain Rule" in compiled.declines(torch.nn.Identity(), x)


def built_only_when_asked_for():
    assert "triton" not in sys.modules


class Launches:
    """Stands in for the kernels and notes what each was launched with."""

    def __init__(self):
        self.seen = {}

    def __getattr__(self, name):
        launcher = mock.MagicMock()
        launcher.__getitem__.return_value = lambda *args, **constants: self.seen.update({name: (args, constants)})
        return launcher


@pytest.mark.parametrize(
    ("names", "edge"), [(("identity", "sobel"), "zero"), (("identity", "sobel", "laplacian@2"), "replicate")]
)
@pytest.mark.parametrize(("capability", "precision"), [(90, "float32"), (80, "bf16")])
def built_for(capability, precision, names, edge):
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from planaria.engine import kernels

    launches = Launches()
    with mock.patch.object(fused, "_kernels", return_value=launches):
        r = Rule(RuleConfig(filters=names, edge=edge))
        rollout(r, torch.zeros(2, 16, 9, 9, requires_grad=True), 1, precision=precision).sum().backward()
    assert set(launches.seen) == {"step", "death", "back", "learn", "spread"}
    pointers = {torch.float32: "*fp32", torch.uint8: "*u8", torch.int32: "*i32"}
    for name, (args, constants) in launches.seen.items():
        kernel = getattr(kernels, name)
        options = {k: constants.pop(k) for k in ("num_warps", "num_stages") if k in constants}
        kinds = [pointers[a.dtype] if isinstance(a, torch.Tensor) else "i32" for a in args]
        signature = dict(zip(kernel.arg_names, kinds, strict=False)) | dict.fromkeys(constants, "constexpr")
        aligned = {(i,): [["tt.divisibility", 16]] for i, kind in enumerate(kinds) if kind != "i32"}
        source = ASTSource(kernel, signature, constants, aligned)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
        assert len(made.asm["cubin"]) > 1000
        assert made.metadata.shared <= 48 * 1024, f"{name} takes {made.metadata.shared} bytes of shared memory"


@pytest.mark.parametrize("edge", ["circular", "replicate"])
@pytest.mark.parametrize("names", [("identity", "sobel"), ("sobel", "learned@9", "laplacian")])
@pytest.mark.parametrize("more", [{}, {"blurs": ("4@5", "0@3")}, {"life_edge": "zero"}])
def traced_as_the_reference(more, names, edge):
    torch._dynamo.reset()  # which compiles one function for so many rules at most
    step = torch.compile(compiled._step, backend="aot_eager", fullgraph=True)
    count = []

    def rollout(r, x, steps, *, cond=None, **moment):
        count.append(steps)
        return compiled._rollout(step, r, x, steps, Moment(**moment), cond)

    r = rule(edge=edge, hidden=(8, 5), activation="gelu", cond=2, frozen=1, dt=0.8, filters=names,
             **more)  # fmt: skip
    agree(r, brink(), 3, rollout=rollout, cond=told(2, 2), seed=5, t=2, origin=(4, -3))
    assert count == [3]
