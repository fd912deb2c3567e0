import pytest
import torch
from scipy.stats import wasserstein_distance

from planaria.losses import backbones
from planaria.losses.style import Style, content_distance, directions, gram, sliced, style_distance, viewpoints


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def spots(seed: int, size: int = 64) -> torch.Tensor:
    """Blurred noise in orange and blue, `(3, size, size)`."""
    noise = torch.nn.functional.avg_pool2d(torch.rand(1, 1, size + 4, size + 4, generator=rng(seed)), 5, 1)[0]
    shade = (4 * (noise - 0.5) + 0.5).clamp(0, 1)
    orange, blue = torch.tensor([1.0, 0.6, 0.1]), torch.tensor([0.1, 0.3, 0.8])
    return orange[:, None, None] * shade + blue[:, None, None] * (1 - shade)


def stripes(size: int = 64) -> torch.Tensor:
    return (torch.arange(size) % 8 < 4).float().expand(3, size, size).clone()


def test_along_one_direction_it_is_the_distance_of_sorted_values():
    a, b = torch.randn(1, 50, 1, generator=rng(1)), 2 * torch.randn(1, 50, 1, generator=rng(2)) + 1
    shift = (a.flatten().sort().values - b.flatten().sort().values).abs().mean()
    assert float(shift) == pytest.approx(wasserstein_distance(a.flatten().numpy(), b.flatten().numpy()), rel=1e-5)
    squared = sliced(a, b, torch.ones(1, 1))
    assert float(squared) == pytest.approx(float((a.sort(1).values - b.sort(1).values).square().mean()), rel=1e-5)


def test_order_and_number_of_cells_dont_matter():
    cells, along = torch.randn(2, 60, 3, generator=rng()), directions(16, 3, 1)
    shuffled = cells[:, torch.randperm(60, generator=rng(3))]
    assert sliced(cells, shuffled, along).max() < 1e-10
    twice = torch.cat([cells, cells], 1)
    assert sliced(cells, twice, along).max() < 1e-10
    assert sliced(twice, cells, along).max() < 1e-10
    assert sliced(cells, cells + 1, along).min() > 0.1


def test_directions_are_unit_vectors_of_their_seed():
    a, b = directions(500, 3, 1), directions(500, 3, 2)
    torch.testing.assert_close(a.norm(dim=1), torch.ones(500))
    assert a.mean(0).abs().max() < 0.1
    assert not torch.equal(a, b)
    assert torch.equal(a, directions(500, 3, 1))


def test_channels_are_looked_at_alone_in_pairs_and_mixed():
    along = viewpoints(20, 30, 1)
    torch.testing.assert_close(along.norm(dim=1), torch.ones(60))
    held = (along.abs() > 1e-3).sum(1)
    assert held[:20].eq(1).all()
    assert held[20:40].le(2).all()
    assert (held[20:40] == 2).sum() > 15
    assert held[40:].gt(20).all()
    assert len(along[:20].argmax(1).unique()) > 8
    assert (along[20:40] < 0).any()


def test_a_rare_line_is_told_from_a_bell_of_the_same_spread():
    """In a mixture of many channels both look alike."""
    bell = torch.randn(1, 4000, 40, generator=rng(1))
    rare = torch.where(torch.rand(1, 4000, 40, generator=rng(2)) < 0.05, 1.0, 0.0) * torch.randn(
        1, 4000, 40, generator=rng(3)
    )
    rare = rare / rare.std()
    alone, pairs, mixed = viewpoints(16, 40, 5).chunk(3)
    assert sliced(bell, rare, alone) > 3 * sliced(bell, rare, mixed)
    assert sliced(bell, rare, pairs) > 1.5 * sliced(bell, rare, mixed)


def test_a_gram_matrix_tells_what_comes_together():
    cells = torch.tensor([[[1.0, 1.0], [0.0, 0.0], [2.0, 2.0], [1.0, -1.0]]])
    assert gram(cells)[0].tolist() == [[1.5, 1.0], [1.0, 1.5]]


@pytest.mark.parametrize("name", ["filters", "random"])
def test_the_same_stuff_elsewhere_is_alike_and_other_stuff_is_not(name):
    backbone = backbones.load(name)
    style, same, other = spots(1, 96), spots(2, 96), stripes(96)
    near, far = style_distance(backbone, torch.stack([same, other]), style).tolist()
    assert near < 0.1
    assert far > 10 * near
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert float(style_distance(backbone, grey, style)) > 5 * near


def test_what_is_everywhere_alike_drowns_nothing():
    """Lines are equally strong everywhere in stripes, so that their spread is next to nothing."""
    photo = torch.rand(1, 3, 64, 64, generator=rng(4))
    assert 1 < float(style_distance(backbones.load("filters"), photo, stripes())) < 60


@pytest.mark.parametrize("kind", ["transport", "gram"])
def test_a_picture_that_follows_the_gradient_becomes_alike(kind):
    style = Style(backbones.load("filters"), spots(1))
    shown = torch.full((1, 3, 48, 48), 0.5) + 0.01 * torch.randn(1, 3, 48, 48, generator=rng())
    shown.requires_grad_()
    adam, losses = torch.optim.Adam([shown], 0.03), []
    for k in range(25):
        maps = style.maps(shown)
        loss = (style.transport(maps, k) if kind == "transport" else style.gram(maps)).mean()
        losses.append(float(loss.detach()))
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert losses[-1] < 0.5 * losses[0]


def test_samples_are_judged_one_by_one():
    style = Style(backbones.load("filters"), spots(1))
    both = torch.stack([spots(2), stripes()])
    together = style.transport(style.maps(both), 3)
    alone = torch.cat([style.transport(style.maps(one[None]), 3) for one in both])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_content_is_near_for_another_paint_and_far_for_another_place():
    backbone = backbones.load("filters")
    photo = spots(1)[None]
    kept = backbone.content(photo)
    light = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    grey = (photo * light).sum(1, keepdim=True).expand_as(photo)
    assert float(content_distance(backbone.content(grey), kept)) < 1e-3
    moved = photo.roll(11, 3)
    assert float(content_distance(backbone.content(moved), kept)) > 0.5
