"""Autograd around a roll-out: what every engine refuses or repeats as plain PyTorch does."""

import pytest
import torch
from helpers.rules import brink, rule
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx

from planaria.core.rule import Rule
from planaria.engine import _FAST, choose, run
from planaria.errors import UserError

ENGINES = ["reference", *(name for name, e in _FAST.items() if not e.declines(Rule(), torch.zeros(1, 16, 4, 4)))]
every_engine = pytest.mark.parametrize("engine", ENGINES)
FAST = ENGINES[1:]


def told(k: int = 2) -> torch.Tensor:
    return torch.randn(2, k, generator=torch.Generator().manual_seed(4), dtype=torch.double)


@every_engine
def test_a_second_way_back_wants_the_graph_kept(engine):
    y = run(rule(), brink(), 3, engine=engine).sum()
    y.backward(retain_graph=True)
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


@every_engine
@pytest.mark.parametrize("name", ["weights.0", "weights.1"])
def test_weights_that_were_changed_in_place_give_no_gradient(engine, name):
    r = rule()
    y = run(r, brink(), 3, engine=engine).sum()
    with torch.no_grad():
        dict(r.named_parameters())[name].add_(0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("name", ["state", "bias", "condition"])
def test_all_else_that_was_changed_is_said_too(engine, name):
    r, x, cond = rule(cond=2), brink(), told()
    y = run(r, x, 3, cond=cond, engine=engine).sum()
    with torch.no_grad():
        {"state": x, "bias": r.biases[0], "condition": cond}[name].add_(0.1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize("engine", FAST)
def test_what_the_way_back_needs_is_saved_and_not_copied(engine):
    saved = []
    r, x, cond = rule(cond=2), brink(), told()
    with torch.autograd.graph.saved_tensors_hooks(lambda v: saved.append(v.data_ptr()) or v, lambda v: v):
        run(r, x, 3, cond=cond, engine=engine)
    assert {v.data_ptr() for v in (x, cond, *r.parameters())} <= set(saved)


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("settings", [{}, {"cond": 2, "frozen": 1, "bias": "all", "life": "none"}, {"hidden": (5, 4)}])
def test_a_gradient_has_a_gradient(engine, settings):
    """A penalty on the slope of the loss, whose own gradient goes to everything there is."""
    found = []
    for name in ("reference", engine):
        r, x = rule(0.3, **settings), brink().requires_grad_()
        cond = told().requires_grad_() if r.config.cond else None
        leaves = [x, *r.parameters(), *([] if cond is None else [cond])]
        y = run(r, x, 2, seed=3, t=4, origin=(5, 6), cond=cond, engine=name)
        slopes = torch.autograd.grad(y.square().sum(), leaves, create_graph=True)
        loss = y.sum() + sum(g.square().sum() for g in slopes)
        found.append([*slopes, *torch.autograd.grad(loss, leaves, allow_unused=True)])
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)
    assert any(bool(g.any()) for g in found[0][len(found[0]) // 2 :])


@pytest.mark.parametrize("engine", FAST)
def test_a_gradient_without_a_penalty_is_the_engine_s_own(engine):
    r, x = rule(), brink().requires_grad_()
    y = run(r, x, 3, engine=engine).square().sum()
    first = torch.autograd.grad(y, x, retain_graph=True)[0]
    penalty = torch.autograd.grad(y, x, create_graph=True)[0]
    assert penalty.requires_grad
    torch.testing.assert_close(penalty.detach(), first, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch's own decompositions call it
def test_function_transforms_run_by_the_reference():
    r, x = rule().requires_grad_(False), brink()

    def loss(x):
        assert choose(r, x)[0] == "reference"
        return run(r, x, 2).square().sum()

    leaf = x.clone().requires_grad_()
    want = torch.autograd.grad(run(r, leaf, 2, engine="reference").square().sum(), leaf)[0]
    torch.testing.assert_close(torch.func.grad(loss)(x), want)
    each = torch.func.vmap(lambda v: run(r, v[None], 2)[0])(x[:1])
    torch.testing.assert_close(each, run(r, x[:1], 2, engine="reference"))
    v = torch.ones_like(x)
    along = torch.func.jvp(lambda x: run(r, x, 2).square().sum(), (x,), (v,))[1]
    torch.testing.assert_close(along, (want * v).sum())


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_forward_mode_runs_by_the_reference():
    r, x = rule().requires_grad_(False), brink()
    with forward_ad.dual_level(), torch.no_grad():
        dual = forward_ad.make_dual(x, torch.ones_like(x))
        got = forward_ad.unpack_dual(run(r, dual, 2)).tangent
        want = forward_ad.unpack_dual(run(r, dual, 2, engine="reference")).tangent
        with pytest.raises(UserError, match="engine sparse can't run this: .*reference"):
            run(r, dual, 2, engine="sparse")
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize("engine", FAST)
def test_an_engine_that_was_asked_for_says_that_it_takes_no_transforms(engine):
    r = rule().requires_grad_(False)
    with pytest.raises(UserError, match=f"engine {engine} can't run this: .*reference"):
        torch.func.grad(lambda x: run(r, x, 2, engine=engine).sum())(brink())


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("way", ["batched", "vmap"])
def test_many_gradients_may_go_back_at_once(engine, way):
    r, x, cond = rule(cond=2), brink().requires_grad_(), told().requires_grad_()
    leaves = [x, cond, *r.parameters()]
    many = torch.randn(3, *x.shape, generator=torch.Generator().manual_seed(5), dtype=torch.double)
    found = []
    for name in ("reference", engine):
        y = run(r, x, 2, seed=3, cond=cond, engine=name)
        if name == "reference":
            each = [torch.autograd.grad(y, leaves, v, retain_graph=True) for v in many]
            found.append([torch.stack(g) for g in zip(*each, strict=True)])
        elif way == "batched":
            found.append(torch.autograd.grad(y, leaves, many, is_grads_batched=True))
        else:
            found.append(torch.func.vmap(lambda v, y=y: torch.autograd.grad(y, leaves, v))(many))
    for want, got in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("way", ["fx", "export"])
def test_what_is_traced_keeps_its_steps_and_is_no_constant(way):
    class Steps(torch.nn.Module):
        def forward(self, x):
            return run(r, x, 2)

    r, x = rule().requires_grad_(False), brink()
    traced = {
        "fx": lambda: make_fx(Steps())(x),
        "export": lambda: torch.export.export(Steps(), (x,)).module(),
    }[way]()
    torch.testing.assert_close(traced(x * 0.5), run(r, x * 0.5, 2))


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("cond", [0, 2])
def test_autocast_keeps_the_state_as_it_is(engine, cond):
    r, x = rule(cond=cond).float(), brink().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = run(r, x, 2, cond=told().float() if cond else None, engine=engine)
    want = run(r, x, 2, cond=told().float() if cond else None, engine="reference")
    assert y.dtype == torch.float32
    torch.testing.assert_close(y, want, rtol=0.02, atol=0.02)
    y.sum().backward()


@every_engine
def test_a_view_that_negates_is_a_state(engine):
    r, x = rule(), brink()
    negated = torch.complex(x, x).conj().imag
    assert negated.is_neg()
    torch.testing.assert_close(run(r, negated, 2, engine=engine), run(r, -x, 2, engine="reference"))


@every_engine
def test_no_samples_give_no_samples(engine):
    x = brink()[:0].requires_grad_()
    y = run(rule(), x, 3, engine=engine)
    assert y.shape == x.shape
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.shape == x.shape
