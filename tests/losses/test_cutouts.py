"""Cutouts are parts of the picture, random by their seed alone, and give gradients to the pixels that they show."""

import pytest
import torch
from torch.testing import assert_close

from planaria.losses.cutouts import BEND, _between, augmented, cutouts


def ramp(h: int = 40, w: int = 60) -> torch.Tensor:
    """Red grows to the right, green downwards; blue is 0.5."""
    y, x = torch.meshgrid(torch.linspace(0, 1, h), torch.linspace(0, 1, w), indexing="ij")
    return torch.stack([x, y, torch.full_like(x, 0.5)])[None]


def test_plain_cutouts_are_parts_of_the_picture():
    cut = cutouts(ramp(), 6, 16, 3, strength=0)
    assert cut.shape == (1, 6, 3, 16, 16)
    first = cut[0, 0]
    assert_close(first[1, :, 0].max() - first[1, :, 0].min(), torch.tensor(15 / 16 * 40 / 39), atol=0.03, rtol=0)
    assert_close(first[0].mean(), torch.tensor(0.5), atol=0.01, rtol=0)
    heights = (cut[0, :, 1, -1] - cut[0, :, 1, 0]).mean(-1)
    assert (heights > 0.3).all()
    assert (heights <= heights[0] + 1e-3).all()
    assert heights.unique().numel() > 3
    assert (cut[0, :, 0].diff(dim=-1) > 0).all(), "not mirrored at strength 0"


def test_one_seed_one_chance():
    rgb = torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    first = cutouts(rgb, 4, 16, 3)
    assert torch.equal(first, cutouts(rgb, 4, 16, 3))
    assert not torch.allclose(first, cutouts(rgb, 4, 16, 4), atol=0.05)
    one = cutouts(rgb[:1].expand(2, -1, -1, -1), 4, 16, 3)
    assert not torch.allclose(one[0], one[1], atol=0.05), "each sample is bent in its own way"
    plain = cutouts(rgb[:1].expand(2, -1, -1, -1), 4, 16, 3, strength=0)
    assert torch.equal(plain[0], plain[1])


def test_every_pixel_has_a_gradient():
    rgb = torch.rand(1, 3, 24, 30, generator=torch.Generator().manual_seed(0)).requires_grad_()
    for seed in range(12):
        cutouts(rgb, 6, 16, seed).square().sum().backward()
    assert rgb.grad is not None
    assert (rgb.grad != 0).all()


def test_the_gradient_is_right():
    rgb = torch.rand(1, 3, 9, 8, dtype=torch.double, generator=torch.Generator().manual_seed(0)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: cutouts(v, 2, 5, 3), rgb)


def test_without_strength_nothing_is_changed():
    rgb = ramp(16, 16)
    flat = torch.tensor([[[-1.0, -1], [1, -1], [-1, 1], [1, 1]]])
    still = torch.nn.functional.grid_sample(rgb, _between(flat, 16), align_corners=False)
    assert_close(still, rgb)
    many = torch.cat([augmented(rgb, torch.Generator().manual_seed(k), 1e-6) for k in range(16)])
    kept = (many - rgb).abs().flatten(1).max(1).values < 1e-3
    mirrored = (many - rgb.flip(-1)).abs().flatten(1).max(1).values < 1e-3
    assert (kept ^ mirrored).all()
    assert 0 < kept.sum() < 16


def test_the_corners_are_looked_at():
    corners = torch.tensor([[[-0.9, -0.8], [0.95, -1.0], [-1.0, 0.7], [0.85, 0.9]]])
    seen = _between(corners, 400)
    ends = torch.stack([seen[0, 0, 0], seen[0, 0, -1], seen[0, -1, 0], seen[0, -1, -1]])
    assert_close(ends, corners[0], atol=0.01, rtol=0)
    straight = seen[0, 100]
    a, b = straight[-1] - straight[0], straight[200] - straight[0]
    assert abs(float(a[0] * b[1] - a[1] * b[0])) < 1e-5, "a straight line stays straight"


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_nothing_from_outside(strength):
    grey = torch.full((3, 3, 20, 33), 0.5)
    cut = cutouts(grey, 8, 12, 1, strength)
    assert cut.mean() == pytest.approx(0.5, abs=0.02 if strength else 1e-5)
    assert (cut - 0.5).abs().max() < 0.5
    assert 0 < BEND < 0.5
