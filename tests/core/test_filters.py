import pytest
import torch
import torch.nn.functional as F

from planaria.core.filters import FILTERS, MEANINGS, bank, caveats


def response(kernel: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
    return F.conv2d(picture[None, None], kernel[None, None])[0, 0]


RIGHTWARDS = torch.arange(5.0).expand(5, 5)


@pytest.mark.parametrize(("name", "slope"), [("sobel", 1.0), ("scharr", 2.0)])
def test_derivatives_know_a_ramp_and_its_direction(name, slope):
    right, down = bank((name,))
    assert torch.allclose(response(right, RIGHTWARDS), torch.tensor(slope))
    assert torch.allclose(response(right, RIGHTWARDS.T), torch.tensor(0.0))
    assert torch.allclose(response(down, RIGHTWARDS.T), torch.tensor(slope))
    assert torch.allclose(response(down, RIGHTWARDS), torch.tensor(0.0))


@pytest.mark.parametrize("name", ["gaussian", "mean", "identity"])
def test_averages_keep_a_constant(name):
    (kernel,) = bank((name,))
    assert kernel.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("name", "answer"), [("laplacian", 8 / 8), ("laplacian5", 2 / 8)])
def test_laplacians_ignore_ramps_and_answer_to_curvature(name, answer):
    """On column**2, whose second derivative is 2: 9-point rows count 1 + 2 + 1 times, the 5-point cross once."""
    (kernel,) = bank((name,))
    assert torch.allclose(response(kernel, RIGHTWARDS), torch.tensor(0.0))
    assert torch.allclose(response(kernel, RIGHTWARDS**2), torch.tensor(answer))


def test_learned_sees_all_nine_cells_apart():
    kernels = bank(("learned",)).reshape(9, 9)
    assert torch.equal(kernels, torch.eye(9))


def test_a_bank_keeps_order_and_counts():
    assert bank(("mean", "sobel", "identity")).shape == (4, 3, 3)
    assert torch.equal(bank(("mean", "identity"))[1], bank(("identity",))[0])


def test_every_filter_has_a_meaning():
    assert set(MEANINGS) == set(FILTERS)


@pytest.mark.parametrize("names", [("identity", "gaussian"), ("laplacian",), ("identity", "mean", "laplacian5")])
def test_symmetric_filters_are_warned_of(names):
    (said,) = caveats(names)
    assert "symmetric" in said
    assert "add sobel" in said


def test_seeing_only_oneself_is_warned_of():
    assert "see only themselves" in caveats(("identity",))[0]


@pytest.mark.parametrize("names", [("identity", "sobel"), ("scharr",), ("mean", "learned")])
def test_working_choices_are_not(names):
    assert caveats(names) == []
