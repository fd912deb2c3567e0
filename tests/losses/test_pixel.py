import pytest
import torch

from planaria.errors import UserError
from planaria.losses.pixel import HINGE_MARGIN, LOSSES, MEANINGS, pixel_loss


def grads(name: str, shown: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    shown = shown.clone().requires_grad_()
    return torch.autograd.grad(pixel_loss(name)(shown, wanted).sum(), shown)[0]


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("l2", (0.0, 1.25 / 4)),
        ("l1", (0.0, 1.5 / 4)),
        ("manhattan", (0.0, 1.5)),
        ("rms", (0.0, (1.25 / 4) ** 0.5)),
        ("hinge", (0.0, 0.5 / 4)),
    ],
)
def test_known_values(name, want):
    wanted = torch.tensor([[[0.0, 1.0], [0.5, 0.25]]])
    off = wanted + torch.tensor([[1.0, 0.0], [0.0, -0.5]])  # one value off by 1, one by -1/2
    found = pixel_loss(name)(torch.stack([wanted, off]), wanted)
    assert found.tolist() == pytest.approx(want, abs=2e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_one_number_for_each_sample(name):
    rng = torch.Generator().manual_seed(0)
    shown, wanted = torch.rand(3, 4, 5, 6, generator=rng) * 3, torch.rand(4, 5, 6, generator=rng)
    found = pixel_loss(name)(shown, wanted)
    assert found.shape == (3,)
    assert len(set(found.tolist())) == 3
    for k in range(3):
        torch.testing.assert_close(found[k], pixel_loss(name)(shown[k : k + 1], wanted)[0])
    torch.testing.assert_close(found, pixel_loss(name)(-shown, -wanted))


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_right_is_still(name):
    x = torch.rand(1, 4, 3, 3)
    assert pixel_loss(name)(x, x[0]).tolist() == [0]
    assert (grads(name, x, x[0]) == 0).all()


def test_l2_pulls_in_proportion():
    off = torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(grads("l2", off, torch.zeros(4, 3, 5)), 2 * off / 60)


def test_rms_pulls_every_sample_alike():
    off = torch.randn(3, 4, 3, 5) * torch.tensor([1e-3, 1e-2, 1.0]).view(3, 1, 1, 1)
    lengths = grads("rms", off, torch.zeros(4, 3, 5)).flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths, torch.full((3,), 60**-0.5), rtol=1e-3, atol=0)


def test_l1_pulls_alike():
    off = torch.randn(2, 4, 3, 5)
    torch.testing.assert_close(grads("l1", off, torch.zeros(4, 3, 5)), off.sign() / 60)


def test_manhattan_is_l1_times_the_number_of_values():
    shown, wanted = torch.randn(2, 4, 3, 5), torch.randn(4, 3, 5)
    torch.testing.assert_close(pixel_loss("manhattan")(shown, wanted), 60 * pixel_loss("l1")(shown, wanted))
    torch.testing.assert_close(grads("manhattan", shown, wanted), 60 * grads("l1", shown, wanted))


def test_hinge_has_no_gradient_within_its_margin():
    off = torch.tensor([-0.9, -0.4, 0.0, 0.3, 0.49, 0.51, 2.0]).view(1, 1, 1, 7)
    assert (grads("hinge", off, torch.zeros(1, 1, 7)) * 7).flatten().tolist() == [-1, 0, 0, 0, 0, 1, 1]
    assert pixel_loss("hinge")(off, torch.zeros(1, 1, 7)).item() == pytest.approx((0.4 + 0.01 + 1.5) / 7)
    assert HINGE_MARGIN == 0.5


def test_every_loss_has_its_line():
    assert MEANINGS.keys() == LOSSES.keys()
    with pytest.raises(UserError, match="unknown loss 'l3'; have: hinge, l1, l2, manhattan"):
        pixel_loss("l3")
