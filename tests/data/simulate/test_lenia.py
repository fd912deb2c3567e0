import math

import pytest
import torch

from planaria.data.simulate import load
from planaria.data.simulate.lenia import PRESETS, creature, scattered, shell
from planaria.engine import run
from planaria.errors import UserError
from planaria.world import World


def middle(x: torch.Tensor) -> complex:
    """The centre of mass on a torus, as row + column i."""
    h, w = x.shape
    turns = [torch.arange(n) * 2 * math.pi / n for n in (h, w)]
    sums = [(x * torch.exp(1j * turn).view(-1, *[1] * (1 - k))).sum() for k, turn in enumerate(turns)]
    return complex(*(float(s.angle()) * n / 2 / math.pi for s, n in zip(sums, (h, w), strict=True)))


def test_the_kernel_is_the_published_one():
    kernel = shell(13, (1.0,))
    assert kernel.shape == (27, 27)
    assert kernel.sum() == pytest.approx(1)
    assert torch.equal(kernel, kernel.flip(0))
    assert torch.equal(kernel, kernel.T)
    for row, column in ((13, 13), (13, 26), (0, 0)):
        assert kernel[row, column] < 1e-12
    bell = [math.exp(4 - 1 / (r * (1 - r))) for r in (k / 13 for k in range(1, 13))]
    assert kernel[13, 14:26].tolist() == pytest.approx([b / bell[5] * float(kernel[13, 19]) for b in bell])


def test_rings_have_their_heights():
    kernel = shell(40, (1.0, 0.25, 0.5))[40, 40:]
    peaks = [float(kernel[k : k + 13].max()) for k in (0, 14, 27)]
    assert [p / peaks[0] for p in peaks] == pytest.approx([1, 0.25, 0.5], abs=0.01)


@pytest.mark.parametrize("size", ["32", "31x50", "13x40", "40x17"])
@pytest.mark.parametrize("name", ["orbium,radius=10", "bubbles", "tissue,radius=13"])
def test_convolution_and_fourier_transform_agree(name, size):
    by_fft, by_hand = (load(f"lenia/{name},size={size},method={m}") for m in ("fft", "convolution"))
    x = torch.rand(2, 1, *by_fft.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(by_fft.potential(x), by_hand.potential(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(by_fft(x), by_hand(x), rtol=0, atol=1e-11)
    torch.testing.assert_close(by_fft(x.float()).double(), by_hand(x), rtol=0, atol=1e-4)


def test_a_step_is_the_formula_written_out():
    lenia = load("lenia,radius=3,mu=0.3,sigma=0.1,dt=0.2,size=8x9")
    x = torch.rand(1, 1, 8, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    kernel, y = shell(3, (1.0,)), torch.zeros(8, 9, dtype=torch.float64)
    for i in range(8):
        for j in range(9):
            felt = sum(
                float(kernel[a + 3, b + 3] * x[0, 0, (i + a) % 8, (j + b) % 9])
                for a in range(-3, 4)
                for b in range(-3, 4)
            )
            growth = 2 * math.exp(-((felt - 0.3) ** 2) / (2 * 0.1**2)) - 1
            y[i, j] = min(1.0, max(0.0, float(x[0, 0, i, j]) + 0.2 * growth))
    torch.testing.assert_close(lenia(x)[0, 0], y, rtol=0, atol=1e-12)


def test_a_kernel_larger_than_the_grid_wraps_round():
    x = torch.rand(1, 1, 9, 11, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    tiled = x.repeat(1, 1, 5, 5)
    small, large = load("lenia,size=9x11"), load("lenia,size=45x55")
    torch.testing.assert_close(small(x), large(tiled)[..., :9, :11], rtol=0, atol=1e-12)
    with pytest.raises(UserError, match="method=fft"):
        load("lenia,method=convolution")(x)


@pytest.mark.parametrize("seed", range(4))
def test_a_fleet_glides_on_for_a_thousand_steps(seed):
    lenia = load("lenia,size=64")
    x = lenia.start(seed=seed)
    settled = run(lenia, x, 100)
    later = run(lenia, settled, 900)
    assert float(later.sum()) == pytest.approx(float(settled.sum()), rel=0.02)
    assert float(later.sum()) / 13**2 == pytest.approx(0.42, abs=0.01)  # one orbium
    assert later.max() > 0.9
    ahead = run(lenia, later, 10)  # one unit of time: 0.47 radii
    gone = middle(ahead[0, 0]) - middle(later[0, 0])
    row, column = ((part + 32) % 64 - 32 for part in (gone.real, gone.imag))
    assert math.hypot(row, column) / 13 == pytest.approx(0.47, abs=0.04)


@pytest.mark.parametrize("size", ["96", "54x96"])
def test_the_usual_film_lives(size):
    lenia = load(f"lenia,size={size}")
    x = torch.cat([lenia.start(seed=seed) for seed in range(12)])
    before, after = x.sum((1, 2, 3)), run(lenia, x, 1000).sum((1, 2, 3))
    assert (after / before - 1).abs().max() < 0.05


def test_an_orbium_heads_where_it_is_turned_to():
    side = torch.arange(64) - 32.0
    y, x = torch.meshgrid(side / 13, side / 13, indexing="ij")
    for turn, wanted in ((0.0, 1j), (0.25, 1 + 0j), (0.625, -1 - 1j)):
        lenia = load("lenia,size=64")
        here = creature(y, x, turn)[None, None]
        settled = run(lenia, here, 40)
        gone = middle(run(lenia, settled, 40)[0, 0]) - middle(settled[0, 0])
        gone = complex((gone.real + 32) % 64 - 32, (gone.imag + 32) % 64 - 32)
        assert abs(gone / abs(gone) - wanted / abs(wanted)) < 0.15


@pytest.mark.parametrize("name", [name for name in PRESETS if name not in ("orbium", "crowd")])
def test_soups_never_rest_and_stay_bounded(name):
    lenia = load(f"lenia/{name},size=64")
    x = run(lenia, lenia.start(), 500)
    assert 0.02 < x.mean() < 0.6
    assert 0 <= x.min() < x.max() <= 1
    assert (run(lenia, x, 10) - x).abs().mean() > 0.02


def test_a_smaller_dt_converges():
    """Without the clip's corner the error of Euler's method falls with dt; halving dt halves it, about."""
    x = run(load("lenia,size=48"), load("lenia,size=48").start(), 50).double()
    lenia = load("lenia,size=48")

    def after(dt: float) -> torch.Tensor:
        y = x
        for t in range(round(0.4 / dt)):
            y = lenia(y, t, dt=dt)
        return y

    exact = after(0.4 / 256)
    errors = [float((after(0.4 / n) - exact).abs().mean()) for n in (4, 8, 16)]
    assert errors[0] > 1.6 * errors[1] > 1.6 * 1.6 * errors[2]
    assert torch.equal(lenia(x, dt=0.0), x)


def test_it_is_shift_equivariant_on_the_torus():
    lenia = load("lenia,size=48x40")
    x = lenia.start()
    moved = run(lenia, x.roll((9, -5), (2, 3)), 20)
    torch.testing.assert_close(moved, run(lenia, x, 20).roll((9, -5), (2, 3)), rtol=0, atol=1e-4)


def test_many_sizes_through_one_simulator():
    lenia = load("lenia,radius=5")
    for size in (20, (20, 31), 20):
        assert torch.equal(lenia(lenia.start(1, size)), load("lenia,radius=5")(lenia.start(1, size)))


def test_creatures_keep_their_distance():
    places = torch.tensor(scattered(4, 80, 90, seed=1))
    apart = (places[:, None] - places).abs()
    apart = torch.minimum(apart, torch.tensor([80.0, 90.0]) - apart).norm(dim=-1) + 1e3 * torch.eye(4)
    assert apart.min() > 25
    assert (places >= 0).all()
    assert (places < torch.tensor([80.0, 90.0])).all()


def test_counts_and_samples():
    lenia = load("lenia,count=2,size=96")
    x = lenia.start(3, seed=7)
    assert (run(lenia, x, 60).sum((1, 2, 3)) / 13**2 / 0.42).round().tolist() == [2, 2, 2]
    assert not torch.equal(x[0], x[1])
    assert torch.equal(lenia.start(2, seed=7), x[:2])


def test_hands_in_a_world():
    lenia = load("lenia,size=48")
    world = World(lenia, lenia.layout, 48, start=lenia.start())
    world.tick(5)
    before = world.x
    world.paint(20, 20, 6, {0: 1.0})
    world.erase("noise(0.5)")
    world.tick(3)
    assert 0 <= world.x.min() <= world.x.max() <= 1
    world.undo()
    world.undo()
    assert torch.equal(world.x, before)
    world.randomise()
    world.tick()
    assert world.x.isfinite().all()


@pytest.mark.parametrize(
    "wrong",
    [
        "radius=0", "radius=513", "mu=nan", "mu=inf", "sigma=0", "sigma=inf", "dt=0", "dt=2", "beta=0,0", "beta=-1",
        "beta=inf", "beta=1,nan", "count=-1", "begin=egg",
    ],
)  # fmt: skip
def test_what_is_out_of_range(wrong):
    with pytest.raises(UserError, match=wrong.split("=")[0] if "beta" not in wrong else "rings"):
        load(f"lenia,{wrong}")
