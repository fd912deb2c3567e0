"""Continuous time: what a solver gives against exact answers, and against how fast its error should fall."""

import itertools
import math
import re
import sys

import pytest
import torch
from helpers.rules import rule

from planaria.commands import install
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import GRADIENTS, METHODS, Solver, trajectory
from planaria.engine import run
from planaria.errors import UserError
from planaria.world import World

ORDERS = {"euler": 1, "midpoint": 2, "rk4": 4}
FLOWING = {"life": "none", "fire_rate": 1.0}


def smooth(**settings) -> Rule:
    """A rule whose flow is smooth, and moves within a step."""
    return rule(0.5, **{"activation": "tanh", "edge": "circular", "bias": "all", **FLOWING, **settings})


def state(b: int = 1, c: int = 6, h: int = 6, w: int = 7) -> torch.Tensor:
    return torch.randn(b, c, h, w, generator=torch.Generator().manual_seed(5), dtype=torch.double)


def exact(method: str = "dopri5", **options) -> dict:
    """Settings that leave no error to speak of."""
    return {"method": method, "rtol": 1e-11, "atol": 1e-12, **options}


def diffusion(rate: float = 3.0, frozen: int = 0) -> Rule:
    """`dx/dt = rate * laplacian5(x)` on a torus, every channel alone."""
    r = Rule(RuleConfig(channels=4, filters=("laplacian5",), hidden=(), edge="circular", frozen=frozen, **FLOWING))
    with torch.no_grad():
        r.weights[0].copy_(rate * torch.eye(4)[: 4 - frozen])
    return r.double()


def diffused(x: torch.Tensor, time: float, rate: float = 3.0) -> torch.Tensor:
    """The exact answer: every wave of the torus decays at its own eigenvalue."""
    rows, columns = (2 * math.pi * torch.arange(n, dtype=torch.double) / n for n in x.shape[-2:])
    eigenvalues = (2 * rows.cos()[:, None] + 2 * columns.cos() - 4) / 8
    return torch.fft.ifft2(torch.fft.fft2(x) * (time * rate * eigenvalues).exp()).real


def slope(errors: list[float]) -> float:
    """How often the error halves when the step does, over all of them."""
    return math.log2(errors[0] / errors[-1]) / (len(errors) - 1)


@pytest.mark.parametrize(("method", "within"), [("euler", 0.05), ("midpoint", 5e-3), ("rk4", 1e-5), ("dopri5", 1e-10)])
def test_diffusion_is_the_exact_exponential(method, within):
    x = state(2, 4)
    solver, dt = Solver(diffusion(), **exact(method)), 0.1
    y = run(solver, x, 20, dt=dt)
    error = (y - diffused(x, 2.0)).abs().max()
    assert error < within
    assert error > within / 1000  # and the test can tell them apart
    torch.testing.assert_close(y.mean((2, 3)), x.mean((2, 3)))  # nothing is lost


@pytest.mark.parametrize("activation", ["tanh", "gelu"])
@pytest.mark.parametrize(("method", "order"), ORDERS.items())
def test_the_error_falls_by_the_order_of_the_method(method, order, activation):
    r, x = smooth(activation=activation), state()
    truth = Solver(r, "dopri5", rtol=1e-13, atol=1e-13)(x, dt=1.0)
    counts = [16, 32, 64, 128]
    errors = [float((run(Solver(r, method), x, n, dt=1 / n) - truth).detach().abs().max()) for n in counts]
    assert abs(slope(errors) - order) < 0.15, errors


@pytest.mark.parametrize("tolerance", [1e-3, 1e-5, 1e-7, 1e-9])
def test_dopri5_meets_its_tolerance(tolerance):
    r, x = smooth(), state()
    truth = Solver(r, "dopri5", rtol=1e-13, atol=1e-13)(x, dt=1.0)
    error = (Solver(r, "dopri5", rtol=0.0, atol=tolerance)(x, dt=1.0) - truth).abs().max()
    assert error < 10 * tolerance
    assert error > tolerance / 1e4  # no work that nobody asked for


def test_a_large_quiet_world_does_not_dilute_the_error():
    r = smooth(bias="none")
    x = torch.zeros(1, 6, 48, 48, dtype=torch.double)
    x[..., 20:26, 20:27] = state()
    truth = Solver(r, "dopri5", rtol=1e-13, atol=1e-13)(x, dt=1.0)
    assert (Solver(r, "dopri5", rtol=0.0, atol=1e-6)(x, dt=1.0) - truth).abs().max() < 1e-5


@pytest.mark.parametrize("settings", [{}, {"life": "both", "fire_rate": 0.5, "frozen": 2, "cond": 3, "dt": 0.7}])
def test_euler_is_the_rule_itself_to_the_bit(settings):
    r, x = smooth(**settings), state(2)
    cond = torch.randn(2, 3, dtype=torch.double) if r.config.cond else None
    for dt in (None, 0.3):
        for gradient in ("plain", "checkpoint"):
            y = Solver(r, "euler", gradient=gradient)(x, 7, seed=3, cond=cond, dt=dt, origin=(2, -5))
            assert torch.equal(y, r(x, 7, seed=3, cond=cond, dt=dt, origin=(2, -5)))


@pytest.mark.parametrize("method", METHODS)
def test_copies_of_the_rim_flow_and_an_origin_means_nothing_to_a_flow(method):
    solver, x = Solver(smooth(edge="replicate"), method), state()
    y = solver(x)
    assert torch.equal(y, solver(x, origin=(9, 9)))
    assert not torch.allclose(y, Solver(smooth(), method)(x), atol=1e-3)


def test_only_euler_needs_no_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchdiffeq", None)
    assert Solver(smooth(), "euler")(state()).shape == (1, 6, 6, 7)
    for method in ORDERS.keys() - {"euler"} | {"dopri5"}:
        with pytest.raises(UserError, match=rf"solver {method} needs an optional.*{re.escape(install('ode'))}"):
            Solver(smooth(), method)(state())


def test_a_step_has_the_length_of_the_rule_unless_told():
    r, x = smooth(dt=0.25), state()
    for method in METHODS:
        solver = Solver(r, method)
        assert torch.equal(solver(x), solver(x, dt=0.25))
        assert not torch.allclose(solver(x), solver(x, dt=0.3), atol=1e-4)
        assert torch.equal(solver(x, dt=0.0), x)


@pytest.mark.parametrize(
    ("method", "gradient"), [(m, g) for m in METHODS for g in GRADIENTS if (m, g) != ("euler", "adjoint")]
)
def test_frozen_channels_stay_and_are_read_and_cond_is_told(method, gradient):
    solver, x = Solver(smooth(frozen=2, cond=3), **exact(method, gradient=gradient)), state(2)
    cond = torch.randn(2, 3, generator=torch.Generator().manual_seed(2), dtype=torch.double)
    y = solver(x, cond=cond)
    assert torch.equal(y[:, 4:], x[:, 4:])
    assert not torch.allclose(y[:, :4], x[:, :4], atol=0.01)
    other = torch.cat([x[:, :4], x[:, 4:] + 1], 1)
    assert not torch.allclose(y[:, :4], solver(other, cond=cond)[:, :4], atol=0.01)
    assert not torch.allclose(y, solver(x, cond=cond + 1), atol=0.01)
    assert not torch.allclose(y, solver(x), atol=0.01)


@pytest.mark.parametrize("frozen", [0, 2])
@pytest.mark.parametrize(
    ("method", "gradient", "count", "within"),
    [
        ("euler", "checkpoint", 3, 1e-12),
        ("midpoint", "checkpoint", 3, 1e-12),
        ("rk4", "checkpoint", 3, 1e-12),
        ("dopri5", "checkpoint", 3, 1e-12),
        ("dopri5", "adjoint", 3, 1e-8),
        ("rk4", "adjoint", 64, 1e-7),
    ],
)
def test_checkpointed_and_adjoint_gradients_are_the_plain_ones(method, gradient, count, within, frozen):
    r = smooth(frozen=frozen, cond=3)

    def gradients(how: str) -> list[torch.Tensor]:
        x, told = state(2).requires_grad_(), torch.ones(2, 3, dtype=torch.double).requires_grad_()
        solver = Solver(r, **exact(method, gradient=how))
        y = run(solver, x, count, cond=told * 0.3, dt=1 / count)
        loss = y.pow(2).sum() + y[:, 0, 2].sum()
        return list(torch.autograd.grad(loss, [x, told, *r.parameters()]))

    for want, got in zip(gradients("plain"), gradients(gradient), strict=True):
        torch.testing.assert_close(got, want, rtol=within, atol=within)
        assert want.abs().max() > 1e-3


def kept(gradient: str, method: str = "rk4", count: int = 4) -> int:
    """Bytes that a roll-out keeps for the way back, parameters apart."""
    r, seen = smooth(), {}
    weights = {p.data_ptr() for p in r.parameters()}

    def pack(v: torch.Tensor) -> torch.Tensor:
        if v.data_ptr() not in weights:
            seen[v.data_ptr()] = v  # held, so that no address comes twice
        return v

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda v: v):
        y = run(Solver(r, method, gradient=gradient), state().requires_grad_(), count)
        assert y.requires_grad
    return sum(v.nbytes for v in seen.values())


def test_less_is_kept_where_less_is_asked_for():
    plain, again, adjoint = kept("plain"), kept("checkpoint"), kept("adjoint")
    assert plain == pytest.approx(4 * again, rel=0.01)  # a state of each of four flows, not of each step
    assert plain > 1.9 * adjoint
    assert kept("checkpoint", "dopri5") == again


def test_without_gradients_nothing_is_kept_back():
    for gradient in GRADIENTS:
        with torch.no_grad():
            assert not Solver(smooth(), "rk4", gradient=gradient)(state()).requires_grad


@pytest.mark.parametrize("method", METHODS)
def test_a_trajectory_is_the_steps_and_what_lies_between(method):
    solver, x = Solver(smooth(dt=0.5), **exact(method)), state(2)
    times = [0.0, 0.2, 0.5, 1.0, 1.25, 2.0]
    states = solver.trajectory(x, times)
    assert states.shape == (6, 2, 6, 6, 7)
    assert torch.equal(states[0], x)
    one, two, four = (run(solver, x, n, engine="reference") for n in (1, 2, 4))
    want = [x, solver(x, dt=0.2), one, two, solver(two, dt=0.25), four]
    for k, (a, b) in enumerate(zip(states, want, strict=True)):
        # dense output reads between its steps by a polynomial of order 4
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8 if method == "dopri5" else 0, msg=f"{method} at {times[k]}")
    assert torch.equal(solver.trajectory(x, times[2:]), states[2:]) or method == "dopri5"


def test_a_trajectory_begins_and_ends_where_it_is_asked_to():
    x = state()
    for method in METHODS:
        assert torch.equal(trajectory(smooth(), x, [0.0], method), x[None])
        assert len(trajectory(smooth(), x, [0.7], method)) == 1
    r, thirds = smooth(dt=0.1), [k * 0.1 for k in (1, 2, 3, 10, 30)]  # 0.1 * 3 is more than 0.3, in floating point
    states = trajectory(r, x, thirds, "euler")
    for k, y in zip((1, 2, 3, 10, 30), states, strict=True):
        assert torch.equal(y, run(r, x, k, engine="reference"))
    for times in ([], [-1.0], [1.0, 1.0], [2.0, 1.0], [math.nan], [1.0, math.inf]):
        with pytest.raises(UserError, match="the times of a trajectory begin at 0 or later, grow, and end"):
            trajectory(smooth(), x, times)


def test_a_dense_trajectory_costs_less_than_its_times():
    class Counted(Rule):
        flows = 0

        def flow(self, x, cond=None):
            Counted.flows += 1
            return super().flow(x, cond)

    r = Counted(smooth().config)
    r.load_state_dict(smooth().state_dict())
    times = [k / 40 for k in range(41)]
    with torch.no_grad():
        states = trajectory(r.double(), state(), times, "dopri5")
    assert len(states) == 41
    assert Counted.flows < 100  # a run of its own for each would take 240
    for y, time in zip(states[1::8], times[1::8], strict=True):
        torch.testing.assert_close(y, Solver(r, **exact())(state(), dt=time).detach(), rtol=0, atol=1e-3)


def test_losses_along_the_way_reach_the_weights():
    for method, gradient in itertools.product(("rk4", "dopri5"), GRADIENTS):
        r = smooth()
        states = trajectory(r, state(), [0.5, 1.5, 2.0], method, gradient=gradient, rtol=1e-9, atol=1e-9)
        gradients = [torch.autograd.grad(y.sum(), r.weights[0], retain_graph=True)[0] for y in states]
        assert all(g.abs().max() > 1e-3 for g in gradients)
        assert not torch.allclose(gradients[0], gradients[1])


def test_it_runs_in_a_world():
    solver, layout = Solver(smooth().float(), "rk4"), Layout(3, None, hidden=3)
    start = torch.rand(1, 6, 8, 8, generator=torch.Generator().manual_seed(0))
    world = World(solver, layout, 8, start=start, engine="reference")
    first = world.x
    world.tick(3)
    want = first
    for _ in range(3):
        want = solver(want)
    assert torch.equal(world.x, want.detach())
    assert world.dtype == torch.float32
    world.paint(2, 3, 1.5, {0: 1.0})
    world.tick()
    assert world.t == 4


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Solver(smooth(), "rk5"), r"unknown solver 'rk5'; have: dopri5, euler, midpoint, rk4. Did you mean"),
        (lambda: Solver(smooth(), gradient="adjoin"), "unknown gradient 'adjoin'.*Did you mean 'adjoint'"),
        (lambda: Solver(smooth(fire_rate=0.5)), "solver rk4 needs rule.fire_rate=1 and rule.life=none.*fire_rate=0.5"),
        (lambda: Solver(smooth(life="both")), "life=both: take solver euler, or train without"),
        (lambda: Solver(torch.nn.Identity()), "solver rk4 integrates the flow of a rule; Identity has none"),
        (lambda: Solver(smooth(dt=0.0)), "rule.dt must be more than 0"),
        (lambda: Solver(smooth(), "euler", gradient="adjoint"), "take checkpoint"),
        (lambda: Solver(smooth(), "dopri5", rtol=0.0, atol=0.0), "can't be negative, nor both 0"),
        (lambda: Solver(smooth(), "dopri5", rtol=-1.0), "can't be negative"),
        (lambda: Solver(smooth(), "dopri5", atol=math.nan), "can't be negative"),
    ],
)
def test_what_cannot_be_integrated_says_why(make, says):
    with pytest.raises(UserError, match=says):
        make()


def test_a_flow_that_cannot_be_followed_says_so(monkeypatch):
    with pytest.raises(UserError, match=r"dopri5 can't follow the flow \(non-finite.*take rk4, or larger tolerances"):
        Solver(smooth(), "dopri5")(state() * math.nan)
    monkeypatch.setattr("planaria.core.solve.MOST_STEPS", 3)
    with pytest.raises(UserError, match=r"can't follow the flow \(max_num_steps"):
        Solver(smooth(), **exact())(state())
