import torch

from planaria.losses.texture_distance import texture_distance


def pictures(seed: int = 0, **kind) -> torch.Tensor:
    rng = torch.Generator().manual_seed(seed)
    return torch.rand(2, 3, 16, 16, generator=rng)


def test_the_same_is_alike_and_so_is_the_same_elsewhere():
    now, before = pictures(0), pictures(1)
    film = torch.stack([before, now], 1)
    assert texture_distance(now, before, film, 3).max() < 1e-12
    turned = texture_distance(now.flip(-1).roll(5, -2), before.flip(-1).roll(5, -2), film, 3)
    assert turned.max() < 0.02


def test_other_colours_other_patches_and_other_motion_are_not():
    now, before = pictures(0), pictures(1)
    film = torch.stack([before, now], 1)
    alike = texture_distance(now.flip(-1), before.flip(-1), film, 3)
    assert (texture_distance(now * 0.7, before * 0.7, film, 3) > 4 * alike).all()
    smooth = torch.nn.functional.avg_pool2d(now, 3, 1, 1)
    assert (texture_distance(smooth, before, film, 3) > 4 * alike).all()
    assert (texture_distance(now, now, film, 3) > 4 * alike).all()


def test_it_is_the_same_for_the_same_seed_and_has_a_gradient():
    now, before = pictures(0).requires_grad_(), pictures(1)
    film = torch.stack([pictures(2), pictures(3)], 1) * 0.5
    first = texture_distance(now, before, film, 3)
    assert first.shape == (2,)
    assert torch.equal(first, texture_distance(now, before, film, 3))
    assert not torch.equal(first, texture_distance(now, before, film, 4))
    first.sum().backward()
    assert now.grad.abs().sum() > 0
