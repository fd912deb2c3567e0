import pytest
import torch

from planaria.data.simulate import load
from planaria.data.simulate.gray_scott import BRIGHT, PRESETS, laplacian
from planaria.engine import run
from planaria.errors import UserError
from planaria.world import World


def naive(u: list, v: list, feed: float, kill: float, du: float, dv: float, dt: float) -> tuple[list, list]:
    """One explicit step, cell by cell, as the equations are written."""
    h, w = len(u), len(u[0])

    def spread(a: list, i: int, j: int) -> float:
        beside = a[i - 1][j] + a[(i + 1) % h][j] + a[i][j - 1] + a[i][(j + 1) % w]
        corners = sum(a[(i + p) % h][(j + q) % w] for p in (-1, 1) for q in (-1, 1))
        return (4 * beside + corners - 20 * a[i][j]) / 6

    u2, v2 = [[0.0] * w for _ in u], [[0.0] * w for _ in v]
    for i in range(h):
        for j in range(w):
            made = u[i][j] * v[i][j] ** 2
            u2[i][j] = u[i][j] + dt * (du * spread(u, i, j) - made + feed * (1 - u[i][j]))
            v2[i][j] = v[i][j] + dt * (dv * spread(v, i, j) + made - (feed + kill) * v[i][j])
    return u2, v2


@pytest.mark.parametrize(("dt", "steps"), [(1.0, 1), (0.5, 1), (3.0, 3), (2.5, 3), (8.0, 8)])
def test_a_step_is_so_many_naive_steps(dt, steps):
    told = load("gray-scott/coral")
    rng = torch.Generator().manual_seed(0)
    u = torch.rand(7, 9, generator=rng, dtype=torch.float64)
    v = torch.rand(7, 9, generator=rng, dtype=torch.float64) * 0.3
    y = told(torch.stack([BRIGHT * v, 1 - u])[None], dt=dt)[0]
    a, b = u.tolist(), v.tolist()
    for _ in range(steps):
        a, b = naive(a, b, 0.0545, 0.062, 0.2097, 0.105, dt / steps)
    torch.testing.assert_close(y[0] / BRIGHT, torch.tensor(b, dtype=torch.float64), rtol=0, atol=1e-13)
    torch.testing.assert_close(1 - y[1], torch.tensor(a, dtype=torch.float64), rtol=0, atol=1e-13)


def test_the_laplacian_is_one():
    """It answers the sum of second derivatives: 4 on x^2 + y^2, 0 on a plane, away from the seam."""
    y, x = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    inner = (slice(None), slice(None), slice(1, -1), slice(1, -1))
    assert torch.allclose(laplacian((x * x + y * y)[None, None])[inner], torch.tensor(4.0), atol=1e-4)
    assert torch.allclose(laplacian((3 * x - y)[None, None])[inner], torch.tensor(0.0), atol=1e-5)


def test_the_medium_at_rest_is_zero_and_stays():
    told = load("gray-scott")
    assert torch.equal(run(told, torch.zeros(1, 2, 12, 12), 50), torch.zeros(1, 2, 12, 12))


@pytest.mark.parametrize("name", PRESETS)
def test_patterns_appear_and_stay_in_range(name):
    told = load(f"gray-scott/{name},size=64")
    x = told.start()
    for t in range(250):
        x = told(x, t)
        v, eaten = x[:, 0] / BRIGHT, x[:, 1]
        assert 0 <= v.min() <= v.max() <= 1
        assert 0 <= eaten.min() <= eaten.max() <= 1
    shown = told.layout.picture(x).clamp(0, 1)
    assert shown.std() > 0.1
    assert shown.max() > 0.4


def test_spots_divide():
    told = load("gray-scott/mitosis,patches=1,size=64")

    def spots(x: torch.Tensor) -> int:
        high = torch.nn.functional.max_pool2d(x[:, :1], 5, 1, 2)
        return int(((x[:, :1] == high) & (high > 0.5)).sum())

    early = run(told, told.start(), 40)
    late = run(told, early, 260)
    assert 1 <= spots(early) <= 2
    assert spots(late) >= 4


@pytest.mark.parametrize("name", ["chaos", "swarm"])
def test_some_never_rest(name):
    told = load(f"gray-scott/{name},size=64")
    x = run(told, told.start(), 600)
    assert (told(x) - x)[:, 0].abs().mean() > 2e-3


def test_it_is_shift_equivariant_to_the_bit():
    told = load("gray-scott/chaos,size=30x44")
    x = told.start()
    assert torch.equal(run(told, x.roll((11, -7), (2, 3)), 30), run(told, x, 30).roll((11, -7), (2, 3)))


def test_starts():
    told = load("gray-scott,patches=3,size=60x80")
    x = told.start(4, seed=3)
    assert x.shape == (4, 2, 60, 80)
    assert not torch.equal(x[0], x[1])
    assert torch.equal(told.start(2, seed=3), x[:2])
    there = x[:, 1] > 0
    assert (there.sum((1, 2)) >= 9).all()
    assert (there.sum((1, 2)) <= 3 * 36).all()
    assert torch.equal(there, x[:, 0] > 0)


def test_hands_in_a_world():
    told = load("gray-scott,size=48")
    world = World(told, told.layout, 48, start=told.start())
    world.tick(20)
    before = world.x
    world.erase("left")
    world.tick(5)
    assert world.x[..., 2:10].abs().max() < 0.05  # at rest where it was erased, away from the rims
    world.undo()
    assert torch.equal(world.x, before)
    world.clear()
    world.paint(24, 24, 2, told.layout.colour((255, 255, 255)))
    world.tick(60)
    assert world.x[:, 0].max() > 0.5  # what is painted takes root
    world.randomise()
    world.tick(3)
    assert world.x.isfinite().all()


@pytest.mark.parametrize("wrong", ["feed=2", "kill=-1", "du=0.5", "dv=0.4", "dt=0", "dt=2000", "patches=-1"])
def test_what_is_out_of_range(wrong):
    with pytest.raises(UserError, match=wrong.split("=")[0]):
        load(f"gray-scott,{wrong}")


def test_a_film_may_show_both_substances():
    told, both = load("gray-scott,size=40"), load("gray-scott,size=40,show=both")
    x, y = told.start(2, seed=3), both.start(2, seed=3)
    for _ in range(5):
        x, y = told(x), both(y)
    assert torch.allclose(BRIGHT * y[:, 0], x[:, 0], atol=1e-5)
    assert torch.allclose(y[:, 1], x[:, 1], atol=1e-5)
    assert not y[:, 2].any()
    frames = torch.stack(list(both.film(2)))
    assert frames.shape == (2, 3, 40, 40)
    assert frames[1, 1].any()
