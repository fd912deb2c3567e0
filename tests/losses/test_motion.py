"""The measures of motion are right on films whose motion is known."""

from itertools import pairwise

import pytest
import torch
from torch.testing import assert_close

from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.errors import UserError
from planaria.losses.motion import crossfade, flicker, shimmer, velocity
from planaria.world import World


def pictures(n: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, 6, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def faded(whole: torch.Tensor, factor: int, bend=lambda s: s) -> torch.Tensor:
    """A film of `factor` frames to each whole one, at `bend(s)` of the way between two."""
    parts = [bend(k / factor) for k in range(factor)]
    between = [torch.lerp(a, b, part) for a, b in pairwise(whole) for part in parts]
    return torch.stack([*between, whole[-1]])


def blurring(solver: str | None = None, rate: float = 2.0, frames: int = 5, factor: int = 4) -> torch.Tensor:
    """A film of noise that diffuses, a frame a step, with the fractions of a step between."""
    config = RuleConfig(
        channels=1, filters=("laplacian",), hidden=(), life="none", fire_rate=1.0, edge="circular", dt=rate
    )
    rule = Rule(config).double()
    torch.nn.init.constant_(rule.weights[0], 0.2)
    layout = Layout(1, None, hidden=0)
    start = torch.rand(1, 1, 12, 12, generator=torch.Generator().manual_seed(3), dtype=torch.double)
    world = World(rule if solver is None else Solver(rule, solver), layout, 12, start=start)
    shown = []
    for k in range(frames * factor + 1):
        world.tick(k // factor - world.t)
        shown.append(layout.picture(world.peek(k % factor / factor))[0])
    return torch.stack(shown)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_what_lies_on_the_line_is_found_there(factor):
    found = crossfade(faded(pictures(), factor), factor)
    want = torch.arange(factor + 1, dtype=torch.double) / factor
    assert_close(found.position, want.expand(3, -1))
    assert_close(found.off, torch.zeros(3, factor + 1, dtype=torch.double), rtol=0, atol=1e-12)
    assert_close(found.travelled, (pictures()[1:] - pictures()[:-1]).square().mean((1, 2, 3)).sqrt())
    assert found.monotone == 1
    assert found.stray < 1e-9


def test_uneven_ways_are_still_ways():
    found = crossfade(faded(pictures(), 4, lambda s: s**2), 4)
    assert_close(found.position[0], torch.tensor([0, 1, 4, 9, 16], dtype=torch.double) / 16)
    assert found.monotone == 1


def test_a_step_back_is_seen():
    film = faded(pictures(), 4)
    film[[5, 6]] = film[[6, 5]]  # in the second of three intervals
    found = crossfade(film, 4)
    assert found.monotone == pytest.approx(2 / 3)
    assert found.stray < 1e-9
    overshot = crossfade(faded(pictures(), 4, lambda s: 1.5 * s), 4)  # 1.125, then back to 1
    assert overshot.monotone == 0


def test_a_detour_is_measured():
    film = faded(pictures(), 4)
    aside = pictures(1, seed=9)[0]
    way = film[8] - film[4]
    aside = aside - (aside * way).sum() / way.square().sum() * way  # across the line
    film[6] += aside
    found = crossfade(film, 4)
    assert found.monotone == 1  # it goes forward, but beside the line
    assert_close(found.off[1, 2], aside.square().mean().sqrt())
    assert found.stray == pytest.approx(float(aside.square().mean().sqrt() / found.travelled[1]))
    assert found.off.flatten().topk(2).values[1] < 1e-12


@pytest.mark.parametrize("solver", [None, "euler", "rk4", "dopri5"])
def test_a_flow_goes_from_frame_to_frame_and_a_sabotaged_one_does_not(solver):
    film = blurring(solver)
    found = crossfade(film, 4)
    assert found.monotone == 1
    assert found.travelled.min() > 0.003
    assert found.stray < (1e-9 if solver in (None, "euler") else 0.2)
    assert flicker(film).max() < 1e-6
    late = film.clone()
    late[2::4] = film[0:-1:4]  # the middle frame shows the old whole one again
    assert crossfade(late, 4).monotone == 0
    noisy = film + 0.02 * torch.randn(film.shape, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    assert crossfade(noisy, 4).stray > 2 * max(found.stray, 0.1)


def test_a_film_that_stands_still_steps_nowhere():
    still = pictures(1).repeat(9, 1, 1, 1)
    found = crossfade(still, 4)
    assert found.position[:, 1:].isnan().all()
    assert (found.monotone, found.stray) == (1.0, 0.0)
    half = torch.cat([still, faded(pictures(2), 4)[1:]])
    assert crossfade(half, 4).monotone == 1
    half[10] = half[8]
    assert crossfade(half, 4).monotone == 0  # of the intervals in which anything moves


def test_what_follows_the_last_whole_frame_is_left_out():
    film = faded(pictures(), 4)
    assert_close(crossfade(film[:-1], 4).position, crossfade(film, 4).position[:2])
    for count, factor in ((1, 1), (4, 4), (3, 0)):
        with pytest.raises(UserError, match=f"{count} frames hold no two whole ones, {factor} apart"):
            crossfade(film[:count], factor)


def test_flicker_is_the_second_difference_of_brightness():
    ramp = torch.linspace(0, 1, 6, dtype=torch.double)[:, None, None, None].expand(6, 3, 4, 5)
    assert_close(flicker(ramp), torch.zeros(4, dtype=torch.double), rtol=0, atol=1e-12)
    turns = ramp + 0.1 * torch.tensor([1, -1] * 3)[:, None, None, None]
    assert_close(flicker(turns), torch.full((4,), 0.4, dtype=torch.double))
    shuffled = ramp.clone().flatten(1)
    shuffled = shuffled + torch.tensor([1.0, -1.0]).repeat(30) * torch.rand(6, 1)  # bright here, dark there
    assert_close(flicker(shuffled.reshape(6, 3, 4, 5)), torch.zeros(4, dtype=torch.double), rtol=0, atol=1e-12)


def grained(n: int = 1, seed: int = 0, side: int = 40) -> torch.Tensor:
    """Pictures `(n, 3, side, side)` of soft grain, in which every place looks like itself alone."""
    rng = torch.Generator().manual_seed(seed)
    v = torch.rand(n, 3, side + 2, side + 2, generator=rng, dtype=torch.double)
    return torch.nn.functional.avg_pool2d(v, 3, 1)


def noise(like: torch.Tensor, spread: float, seed: int = 5) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return spread * torch.randn(like.shape, generator=rng, dtype=torch.double)


def panned(n: int = 5, step: int = 2) -> torch.Tensor:
    """A film whose camera goes `step` cells to the right, and one down, in every frame."""
    wide = grained(side=80)[0]
    return torch.stack([wide[:, k : k + 40, step * k : step * k + 40] for k in range(n)])


def test_a_still_film_shimmers_by_its_noise():
    still = grained().expand(5, -1, -1, -1)
    assert_close(shimmer(1 - still, still), torch.zeros(3, dtype=torch.double), rtol=0, atol=1e-9)
    for spread in (0.02, 0.1):
        found = shimmer(1 - still + noise(still, spread), still)
        assert_close(found, torch.full((3,), spread, dtype=torch.double), rtol=0.1, atol=0)
    turns = 1 - still + 0.1 * torch.tensor([1, -1, 1, -1, 1])[:, None, None, None]
    assert_close(shimmer(turns, still), torch.full((3,), 0.4 / 6**0.5, dtype=torch.double))


def test_a_slow_change_is_no_shimmer():
    still = grained().expand(5, -1, -1, -1)
    fade = still * torch.linspace(1, 0, 5, dtype=torch.double)[:, None, None, None]
    assert_close(shimmer(fade, still), torch.zeros(3, dtype=torch.double), rtol=0, atol=1e-9)


def test_what_follows_the_motion_of_the_film_does_not_shimmer():
    film = panned()
    assert shimmer((3 * film).sin(), film).max() < 1e-9
    ground = grained(seed=1)[0]
    thing = grained(seed=2, side=12)[0]
    film = ground.expand(5, -1, -1, -1).clone()
    for k in range(5):
        film[k, :, 12:24, 10 + 3 * k : 22 + 3 * k] = thing
    assert shimmer(1 - film, film).max() < 0.01  # but for a few cells at its outline
    assert shimmer(1 - ground.expand(5, -1, -1, -1), film).max() > 0.02  # it stands, the thing moves through


def test_what_does_not_follow_it_does():
    film = panned()
    found = shimmer(1 - film + noise(film, 0.05), film)
    assert_close(found, torch.full((3,), 0.05, dtype=torch.double), rtol=0.1, atol=0)
    window = grained(seed=9).expand(5, -1, -1, -1)  # a pattern that sticks to the glass
    assert shimmer(window, film).min() > 0.05
    assert shimmer(window, grained().expand(5, -1, -1, -1)).max() < 1e-9


def test_noise_of_the_films_own_is_taken_off():
    film = grained().expand(5, -1, -1, -1)
    film = film + noise(film, 0.02)
    assert shimmer(film, film).max() < 1e-9
    found = shimmer(film + noise(film, 0.05, seed=8), film)
    assert_close(found, torch.full((3,), 0.05, dtype=torch.double), rtol=0.15, atol=0)


def test_cells_that_are_not_found_again_do_not_count():
    film = torch.cat([grained().expand(3, -1, -1, -1), grained(seed=4).expand(3, -1, -1, -1)])
    found = shimmer(1 - film, film)
    assert found.isnan().tolist() == [False, True, True, False]
    assert found[[0, 3]].max() < 1e-9
    far = panned(step=7)
    assert shimmer(1 - far, far, reach=4).isnan().all()
    assert shimmer(1 - far, far, reach=7).max() < 1e-9


def test_shimmer_of_what_does_not_match():
    film = panned()
    for painted in (film[:4], film[:, :, :39]):
        with pytest.raises(UserError, match="don't match a video"):
            shimmer(painted, film)
    for few in (film[:2], film[:, :, :16]):
        with pytest.raises(UserError, match="3 frames of 17 cells a side or more"):
            shimmer(few, few)
    assert len(shimmer(film[:, :1], film)) == 3  # colours may differ in number


def drifting(right: float, down: float, n: int = 5, size: int = 32) -> torch.Tensor:
    """Waves on a torus that drift so many cells a frame, `(n, 1, size, size)`."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    turns = torch.arange(n)[:, None, None]
    waves = [(1, 2, 0.3), (3, -1, 1.1), (2, 3, 2.0)]
    parts = [
        torch.cos(2 * torch.pi * (a * (x - right * turns) + b * (y - down * turns)) / size + c) for a, b, c in waves
    ]
    return (0.5 + 0.1 * sum(parts))[:, None]


@pytest.mark.parametrize(("right", "down"), [(0, 0), (2, 0), (0, -3), (-1, 2), (0.5, -0.7)])
def test_a_velocity_is_found_between_cells_too(right, down):
    near = 0.05 if right == int(right) else 0.2
    assert velocity(drifting(right, down)) == pytest.approx((right, down), abs=near)


def test_a_film_of_one_colour_has_no_velocity():
    assert velocity(torch.full((3, 1, 20, 20), 0.5)) == (0, 0)


def test_a_velocity_takes_two_frames_and_room():
    with pytest.raises(UserError, match="2 frames of 9 cells a side or more, not 1 of 32x32"):
        velocity(drifting(0, 0, n=1))
    with pytest.raises(UserError, match="not 5 of 8x8"):
        velocity(drifting(0, 0, size=8))
