import pytest
import torch

from planaria.losses import backbones

CPU = torch.device("cpu")


def seen(name: str, rgb: torch.Tensor) -> list[torch.Tensor]:
    return backbones.load(name, device=CPU).features(rgb)


def gratings(count: int = 6) -> torch.Tensor:
    """Stripes of every direction, three to a filter's width."""
    rows, columns = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    angles = [torch.pi * k / count for k in range(count)]
    waves = [
        torch.cos(1.2 * (columns * torch.cos(torch.tensor(a)) + rows * torch.sin(torch.tensor(a)))) for a in angles
    ]
    return (0.5 + 0.4 * torch.stack(waves))[:, None].expand(-1, 3, -1, -1)


@pytest.mark.parametrize("name", ["filters", "random"])
def test_maps_are_the_same_everywhere_and_let_gradients_through(name):
    rgb = torch.rand(2, 3, 96, 70, generator=torch.Generator().manual_seed(1)).requires_grad_()
    maps = seen(name, rgb)
    assert all(m.ndim == 4 and len(m) == 2 for m in maps)
    sizes = [m.shape[2] * m.shape[3] for m in maps]
    assert sizes == sorted(sizes, reverse=True), "fine to coarse"
    assert all(torch.equal(a, b) for a, b in zip(maps, seen(name, rgb), strict=True))
    (gradient,) = torch.autograd.grad(sum(m.square().mean() for m in maps), rgb)
    assert gradient.abs().amax((1, 2, 3)).min() > 0
    assert not any(p.requires_grad for p in backbones.load(name).parameters())


def test_every_direction_has_a_filter_of_its_own():
    maps = seen("filters", gratings())[0]
    ridges = maps[:, 3:].mean((2, 3))[:, 1:12:2]  # rectified answers of the ridges of the finer spread
    assert ridges.argmax(1).tolist() == list(range(6))


def test_a_strand_is_no_row_of_dots():
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    strand = ((columns % 16) < 3).float()
    cut = torch.stack([strand, strand * ((rows % 12) < 6)])
    lines = seen("filters", cut[:, None].expand(-1, 3, -1, -1))[2]
    along = lines[:, 0] / lines[:, 3]  # how much stronger the strand's own direction is than the one across
    assert along[0].amax() > 3 * along[1].amax()


def test_the_finest_stripes_are_seen():
    rows, columns = torch.meshgrid(torch.arange(64), torch.arange(64), indexing="ij")
    board = 0.5 + 0.1 * ((rows + columns) % 2 * 2 - 1).float()
    finest = seen("filters", board.expand(1, 3, -1, -1))[0][:, -3]
    assert finest.abs().min() > 0.1


def test_a_grey_wall_excites_nothing_but_its_brightness():
    first, second, *_ = seen("filters", torch.full((1, 3, 64, 64), 0.7))
    assert first[:, 0].min() > 0.5
    assert first[:, 1:].abs().max() < 1e-5
    assert second.var((2, 3)).max() < 1e-8, "the same everywhere"


def test_content_is_light_not_colour():
    backbone = backbones.load("filters")
    rgb = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    luminance = (rgb * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1, keepdim=True).expand_as(rgb)
    for colour, grey in zip(backbone.content(rgb), backbone.content(luminance), strict=True):
        torch.testing.assert_close(colour, grey, atol=1e-5, rtol=1e-4)
    darker = backbone.content(0.5 * rgb)
    assert not torch.allclose(darker[0], backbone.content(rgb)[0])


def test_small_pictures_have_fewer_scales():
    assert len(seen("filters", torch.rand(1, 3, 24, 24))) < len(seen("filters", torch.rand(1, 3, 200, 200)))
    tiny = backbones.load("filters").content(torch.rand(1, 3, 16, 16))
    assert [tuple(m.shape) for m in tiny] == [(1, 26, 2, 2)]
