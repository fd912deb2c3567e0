"""Between two steps: a look that changes nothing."""

import pytest
import torch
from helpers.rules import rule

from planaria.core.layout import Layout
from planaria.core.solve import METHODS, Solver
from planaria.errors import UserError
from planaria.world import World

LAYOUT = Layout(3, None, hidden=2, frozen=1)
FLOWING = {"life": "none", "fire_rate": 1.0}


def world(module: torch.nn.Module | None = None, **options) -> World:
    start = torch.rand(1, 6, 7, 9, generator=torch.Generator().manual_seed(2))
    module = module or rule(frozen=1, life_channel=0, **FLOWING).float()
    return World(module, LAYOUT, (7, 9), start=start, **options)


def test_a_look_changes_nothing():
    w = world(seed=3)
    w.tick(2)
    x = w.x
    for fraction in (0.0, 0.3, 1.0):
        w.peek(fraction)
        w.image(fraction=fraction)
    assert w.x is x
    assert w.t == 2
    assert not w.undo()
    assert not w.peek(0.5).requires_grad


@pytest.mark.parametrize("settings", [FLOWING, {"life": "none", "fire_rate": 0.5, "dt": 0.7}])
def test_it_is_the_polygon_of_euler(settings):
    r = rule(frozen=1, life_channel=0, **settings).float()
    w = world(r, seed=5)
    w.tick(3)
    x, peeked = w.x, [w.peek(k / 4) for k in range(5)]
    w.tick()
    assert torch.equal(peeked[0], x)
    assert torch.equal(peeked[4], w.x)  # the cells that act are those that will
    for k, y in enumerate(peeked):
        torch.testing.assert_close(y, x + k / 4 * (w.x - x))
        torch.testing.assert_close(y, r(x, 3, seed=5, dt=r.config.dt * k / 4))
        assert torch.equal(y[:, 5], x[:, 5])


def test_what_dies_in_a_step_fades():
    w = world(rule(0.0, frozen=1, life_channel=0, life="both", life_threshold=2.0).float())
    torch.testing.assert_close(w.peek(0.25)[:, :5], 0.75 * w.x[:, :5])
    assert torch.equal(w.peek(0.25)[:, 5], w.x[:, 5])


def test_anything_with_the_signature_of_a_rule_can_be_looked_between():
    class Half(torch.nn.Module):
        def forward(self, x, t=0, *, seed=0, cond=None, dt=None):
            return x / 2

    w = world(Half())
    torch.testing.assert_close(w.peek(0.5), 0.75 * w.x)


@pytest.mark.parametrize("method", METHODS)
def test_a_solver_is_asked_for_the_very_time(method):
    solver = Solver(rule(1.0, frozen=1, life_channel=0, activation="tanh", dt=0.5, **FLOWING).float(), method)
    w = world(solver)
    w.tick()
    for k in range(1, 4):
        want = solver(w.x, w.t, dt=0.5 * k / 4).detach()
        torch.testing.assert_close(w.peek(k / 4), want)  # the kernel's flows, and the reference's
        if method != "euler":  # a curve, not a line
            assert not torch.allclose(want, torch.lerp(w.x, w.peek(1.0), k / 4), atol=1e-4)
    ahead = w.peek(1.0)
    w.tick()
    assert torch.equal(ahead, w.x)


def test_it_is_seen_as_it_would_be():
    w = world()
    now, half = w.image(), w.image(fraction=0.5)
    assert not torch.equal(now, half)
    assert torch.equal(w.image(channel=4, fraction=0.0), w.image(channel=4))
    assert not torch.equal(w.image(channel=4, fraction=0.5), w.image(channel=4))
    w.x = w.peek(0.5)
    assert torch.equal(w.image(), half)


@pytest.mark.parametrize("fraction", [-0.1, 1.01, float("nan")])
def test_there_is_nothing_outside_a_step(fraction):
    with pytest.raises(UserError, match=r"a fraction of a step is 0\.\.1"):
        world().peek(fraction)
