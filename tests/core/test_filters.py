import math

import pytest
import torch
import torch.nn.functional as F

from planaria.core.filters import FARTHEST, FILTERS, MEANINGS, RING, bank, caveats, reaches
from planaria.errors import UserError


def response(kernel: torch.Tensor, picture: torch.Tensor, reach: int = 1) -> torch.Tensor:
    return F.conv2d(picture[None, None], kernel[None, None], dilation=reach)[0, 0]


RIGHTWARDS = torch.arange(5.0).expand(5, 5)
WIDE = torch.arange(40.0).expand(40, 40)


@pytest.mark.parametrize(("name", "slope"), [("sobel", 1.0), ("scharr", 2.0)])
def test_derivatives_know_a_ramp_and_its_direction(name, slope):
    right, down = bank((name,))
    assert torch.allclose(response(right, RIGHTWARDS), torch.tensor(slope))
    assert torch.allclose(response(right, RIGHTWARDS.T), torch.tensor(0.0))
    assert torch.allclose(response(down, RIGHTWARDS.T), torch.tensor(slope))
    assert torch.allclose(response(down, RIGHTWARDS), torch.tensor(0.0))


@pytest.mark.parametrize("reach", [1, 2, 5, 16])
@pytest.mark.parametrize(("name", "slope"), [("sobel", 1.0), ("scharr", 2.0)])
def test_a_slope_is_the_same_from_afar(name, slope, reach):
    right, down = bank((f"{name}@{reach}",))
    assert torch.allclose(response(right, WIDE, reach), torch.tensor(slope))
    assert torch.allclose(response(down, WIDE.T, reach), torch.tensor(slope))


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - {"sobel", "scharr"}))
def test_other_filters_keep_their_numbers_when_dilated(name):
    assert all(map(torch.equal, bank((f"{name}@7",)), bank((name,))))


def test_every_kernel_has_a_reach():
    names = ("identity", "sobel@2", "learned@16", "mean@1", "ring", "identity@3", "ring@5")
    assert reaches(names) == (1, 2, 2, *[16] * 9, 1, 1, 3, 5)
    assert len(bank(names)) == len(reaches(names))


@pytest.mark.parametrize("name", ["sobel@0", "sobel@17", "sobel@99", "sobel@x", "sobel@", "sobel@-1", "sobel@2@3"])
@pytest.mark.parametrize("ask", [bank, reaches])
def test_a_reach_that_cannot_be_is_refused_with_the_cure(ask, name):
    with pytest.raises(UserError, match=f"filter '{name}': .* how many cells away .* 1 to 16, as in sobel@2"):
        ask(("identity", name))


@pytest.mark.parametrize("name", ["sobel@02", "sobel@ 2", "sobel@2.0", "sobel@²", "sobel@2\n"])
def test_a_reach_is_spelled_in_one_way(name):
    with pytest.raises(UserError, match="how many cells away"):
        bank((name,))


def test_an_unknown_filter_with_a_reach_is_still_unknown():
    with pytest.raises(UserError, match="unknown filter 'sobelx'; have: .* Did you mean 'sobel'"):
        bank(("sobelx@2",))


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


@pytest.mark.parametrize("reach", range(1, FARTHEST + 1))
def test_a_ring_fades_into_its_neighbours(reach):
    (kernel,) = bank((f"ring@{reach}",))
    assert kernel.shape == (2 * reach + 1, 2 * reach + 1)
    places = [(i - reach, j - reach) for i in range(2 * reach + 1) for j in range(2 * reach + 1)]
    wanted = torch.tensor([max(0.0, 1 - abs(math.hypot(*place) - reach)) if any(place) else 0.0 for place in places])
    assert torch.allclose(kernel, (wanted / wanted.sum()).view(kernel.shape))
    assert kernel.sum() == pytest.approx(1)


def test_rings_describe_any_round_kernel():
    """A weighted sum of rings is any function of distance that is linear from one whole number to the next."""
    far = 6
    kernels = bank(tuple(f"ring@{n}" for n in range(1, far + 1)))
    wide = torch.stack([F.pad(kernel, [far - len(kernel) // 2] * 4) for kernel in kernels])
    middle = wide[:, far, far + 1 :]  # weights along a row, from the middle on
    assert torch.equal(middle.nonzero()[:, 0], middle.nonzero()[:, 1])  # ring N alone at distance N
    heights = torch.rand(far, generator=torch.Generator().manual_seed(0))
    made = (heights[:, None, None] * wide / middle.diagonal()[:, None, None]).sum(0)
    for i in range(1, far):
        for j in range(far):
            if (distance := math.hypot(i, j)) <= far:
                low = int(distance)
                share = distance - low
                high = float(heights[low]) if low < far else 0.0
                wanted = (1 - share) * float(heights[low - 1]) + share * high
                assert float(made[far + i, far + j]) == pytest.approx(wanted, abs=1e-5)
    assert torch.equal(kernels[0], *bank(("ring",)))


def test_learned_sees_all_nine_cells_apart():
    kernels = torch.stack(bank(("learned",))).reshape(9, 9)
    assert torch.equal(kernels, torch.eye(9))


def test_a_bank_keeps_order_and_counts():
    assert [kernel.shape for kernel in bank(("mean", "sobel", "ring@2"))] == [(3, 3), (3, 3), (3, 3), (5, 5)]
    assert torch.equal(bank(("mean", "identity"))[1], bank(("identity",))[0])


def test_every_filter_has_a_meaning():
    assert set(MEANINGS) == {*FILTERS, RING}


@pytest.mark.parametrize(
    "names",
    [("identity", "gaussian"), ("laplacian",), ("identity", "mean@2", "laplacian5"), ("identity", "ring@1", "ring@4")],
)
def test_symmetric_filters_are_warned_of(names):
    (said,) = caveats(names)
    assert "symmetric" in said
    assert "add sobel" in said


@pytest.mark.parametrize("names", [("identity",), ("identity@3", "identity")])
def test_seeing_only_oneself_is_warned_of(names):
    assert "see only themselves" in caveats(names)[0]


@pytest.mark.parametrize(("names", "grids"), [(("identity", "sobel@2"), 4), (("sobel@6", "mean@9"), 9)])
def test_a_grid_that_falls_apart_is_warned_of(names, grids):
    assert f"falls apart into {grids} that know nothing of each other" in caveats(names)[0]


@pytest.mark.parametrize(
    "names",
    [
        ("identity", "sobel"),
        ("scharr",),
        ("mean", "learned"),
        ("sobel@2", "laplacian"),
        ("learned@2", "mean@3"),
        ("sobel@2", "ring@2"),
    ],
)
def test_working_choices_are_not(names):
    assert caveats(names) == []


def test_a_law_may_be_the_same_in_all_directions():
    assert "all symmetric" in caveats(("identity", "laplacian", "ring@3"))[0]
    assert caveats(("identity", "laplacian", "ring@3"), directed=False) == []
    assert "see only themselves" in caveats(("identity",), directed=False)[0]
