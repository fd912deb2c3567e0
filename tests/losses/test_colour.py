"""Colours are compared wherever they are, and smooth pictures vary little."""

import math

import pytest
import torch
from torch.testing import assert_close

from planaria.losses.colour import FALL_OFF, SHADE, colour_distance, histogram, total_variation


def noise(n: int = 2, h: int = 20, w: int = 30, seed: int = 0) -> torch.Tensor:
    return torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(seed), dtype=torch.double)


def plain(*colours: tuple[float, float, float], side: int = 8) -> torch.Tensor:
    return torch.tensor(colours, dtype=torch.double)[:, :, None, None].expand(-1, -1, side, side)


def slowly(rgb: torch.Tensor, bins: int) -> torch.Tensor:
    """The histogram as the paper writes it, pixel by pixel and bin by bin."""
    found = torch.zeros(3, bins, bins, dtype=torch.double)
    centres = [-3 + 6 * k / (bins - 1) for k in range(bins)]
    for pixel in rgb.flatten(1).T.tolist():
        bright = math.sqrt(sum(v * v for v in pixel) + 1e-6)
        for c in range(3):
            d, e = (k for k in range(3) if k != c)
            u, v = (math.log((pixel[c] + SHADE) / (pixel[k] + SHADE)) for k in (d, e))
            for i, centre in enumerate(centres):
                for j, other in enumerate(centres):
                    near = 1 / (1 + (abs(u - centre) / FALL_OFF) ** 2) / (1 + (abs(v - other) / FALL_OFF) ** 2)
                    found[c, i, j] += near * bright
    return found / found.sum()


def test_the_histogram_is_the_papers():
    x = noise(2, 4, 5)
    found = histogram(x, 9)
    for sample, rgb in zip(found, x, strict=True):
        assert_close(sample, slowly(rgb, 9))
    assert histogram(x).shape == (2, 3, 64, 64)
    assert_close(histogram(x).sum((1, 2, 3)), torch.ones(2, dtype=torch.double))


def test_colours_lie_where_their_ratios_are():
    grey, red = histogram(plain((0.5, 0.5, 0.5), (math.e * (0.2 + SHADE) - SHADE, 0.2, 0.2)), 61)
    middle = (30, 30)  # ratios of one
    for plane in grey:
        assert divmod(int(plane.argmax()), 61) == middle
    assert [divmod(int(plane.argmax()), 61) for plane in red] == [(40, 40), (20, 30), (20, 30)]  # bins are 0.1 apart


def test_only_what_colours_there_are_counts():
    x = noise(1)
    turned = x.flip(2).transpose(2, 3)
    mixed = x.flatten(2)[:, :, torch.randperm(600, generator=torch.Generator().manual_seed(1))].reshape(x.shape)
    for other in (turned, mixed):
        assert colour_distance(histogram(x), histogram(other)).item() < 1e-6
    swapped = x[:, [1, 2, 0]] * torch.tensor([1.0, 0.6, 0.2])[:, None, None]
    assert colour_distance(histogram(x), histogram(swapped)).item() > 0.2


def test_the_distance_is_hellingers():
    a = torch.zeros(3, 3, 2, 2)
    b = torch.zeros(1, 3, 2, 2)
    b[0, 0, 0, 0] = 1
    a[0, 0, 0, 0] = 1  # the same
    a[1, 2, 1, 1] = 1  # nothing in common
    a[2, 0, 0, 0] = a[2, 1, 0, 0] = 0.5
    wanted = torch.tensor([0, 1, math.sqrt(1 - math.sqrt(0.5))])
    assert_close(colour_distance(a, b), wanted)
    assert_close(colour_distance(b, a), wanted)
    red, green, alike = histogram(plain((0.8, 0.1, 0.1), (0.1, 0.8, 0.1), (0.8, 0.1, 0.1)))
    assert colour_distance(red[None], green[None]).item() > 0.9
    assert colour_distance(red[None], alike[None]).item() == 0


def test_colours_are_learned_from_it():
    wanted = histogram(plain((0.7, 0.3, 0.2), side=6) + 0.05 * noise(1, 6, 6))
    x = (0.4 + 0.2 * noise(1, 6, 6, seed=3)).requires_grad_()
    before = colour_distance(histogram(x), wanted).item()
    optimizer = torch.optim.Adam([x], 0.02)
    for _ in range(100):
        optimizer.zero_grad()
        colour_distance(histogram(x), wanted).sum().backward()
        optimizer.step()
    assert colour_distance(histogram(x), wanted).item() < 0.2 * before
    red, green, blue = x.detach().mean((0, 2, 3)).tolist()
    assert red > 1.5 * green > 1.5 * blue


@pytest.mark.parametrize(
    "x",
    [plain((0, 0, 0)), plain((1, 1, 1)), plain((1, 0, 0)), plain((0, 1e-7, 1e-3)), plain((-1, 2, 0.5)), noise(1)],
    ids=["black", "white", "red", "dark", "outside", "noise"],
)
def test_gradients_are_finite_for_any_picture(x):
    x = x.float().clone().requires_grad_()
    colour_distance(histogram(x), histogram(noise(1, seed=2).float())).sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()
    assert x.grad.abs().max() < 20
    same = histogram(x.detach()).requires_grad_()
    colour_distance(same, same.detach()).sum().backward()
    assert same.grad is not None
    assert same.grad.isfinite().all()


def test_large_pictures_are_made_small_by_area():
    x = noise(1, 64, 64)
    large = x.repeat_interleave(3, 2).repeat_interleave(2, 3)
    assert_close(histogram(large), histogram(x))
    assert histogram(noise(1, 7, 300)).isfinite().all()
    huge = torch.full((1, 3, 1000, 1500), 0.5).requires_grad_()
    histogram(huge).sum().backward()  # 1.5 million pixels in 64 bins would be gigabytes


def test_total_variation_by_hand():
    x = torch.tensor([[0.0, 1.0, 1.0], [0.5, 1.0, 0.0]]).expand(1, 3, 2, 3)
    across, down = (1 + 0 + 0.5 + 1) / 4, (0.5 + 0 + 1) / 3
    assert_close(total_variation(x), torch.tensor([across + down]))
    assert_close(total_variation(torch.cat([x, 2 * x, 0 * x])), torch.tensor([1.0, 2, 0]) * (across + down))
    assert_close(total_variation(x[:, :, :1]), torch.tensor([0.5]))
    assert total_variation(x[:, :, :1, :1]).tolist() == [0]


def test_noise_varies_more_than_a_ramp():
    ramp = torch.linspace(0, 1, 30, dtype=torch.double).expand(1, 3, 20, 30)
    assert total_variation(noise(1)).item() > 5 * total_variation(ramp).item()
