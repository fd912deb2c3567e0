"""A turned rule lives as the rotated rule would."""

import math

import pytest
import torch
from helpers.rules import rule

from planaria.core.turn import pairs, turned
from planaria.engine import run
from planaria.errors import UserError

FILTERS = ("identity", "sobel", "ring@3", "scharr@2", "laplacian", "sobel@5")
SETTINGS = {"filters": FILTERS, "fire_rate": 1.0, "spread": 0.05, "cond": 2, "frozen": 1}


def soup(h: int = 12, w: int = 12) -> torch.Tensor:
    return torch.rand(2, 6, h, w, generator=torch.Generator().manual_seed(4), dtype=torch.double) - 0.3


@pytest.mark.parametrize("quarters", [1, 2, 3, -1, 5])
@pytest.mark.parametrize("edge", ["zero", "circular", "replicate"])
def test_by_right_angles_it_is_the_rotated_life(quarters, edge):
    r, x, cond = rule(**SETTINGS, edge=edge), soup(), torch.tensor([[0.3, -1.0], [0.0, 2.0]], dtype=torch.double)
    other = turned(r, 90 * quarters)
    want = torch.rot90(run(r, x, 8, cond=cond, engine="reference"), quarters, (2, 3))
    got = run(other, torch.rot90(x, quarters, (2, 3)), 8, cond=cond, engine="reference")
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)
    apart = (run(r, torch.rot90(x, quarters, (2, 3)), 8, cond=cond, engine="reference") - want).abs().max()
    assert apart > 0.01, "an unturned rule lives as well"


def test_what_went_to_the_right_goes_up():
    r = rule(filters=("identity", "sobel"), hidden=(), channels=1, fire_rate=1.0, edge="circular", life="none", dt=0.1)
    r = r.requires_grad_(False)
    r.weights[0][:] = torch.tensor([[0.0, -1.0, 0.0]])  # dx/dt = -slope across: everything moves to the right
    rows, columns = torch.meshgrid(torch.arange(21.0), torch.arange(21.0), indexing="ij")
    x = torch.exp(-((rows - 10) ** 2 + (columns - 10) ** 2) / 12)[None, None].double()

    def moved(degrees: float) -> tuple[float, float]:
        y = run(turned(r, degrees), x, 30, engine="reference")[0, 0].clamp(min=0)
        return float((y * columns).sum() / y.sum() - 10), float((y * rows).sum() / y.sum() - 10)

    for degrees in (30, 90, 200, 315):
        across, down = moved(degrees)
        assert math.hypot(across, down) == pytest.approx(3, abs=0.1)
        assert math.degrees(math.atan2(-down, across)) % 360 == pytest.approx(degrees, abs=1)


@pytest.mark.parametrize("degrees", [0, 360, -720.0])
def test_not_turned_it_is_a_copy_with_the_same_bytes(degrees):
    r = rule(**SETTINGS).float()
    other = turned(r, degrees)
    assert other is not r
    for a, b in zip(r.parameters(), other.parameters(), strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()
        assert a.data_ptr() != b.data_ptr()


def test_only_the_answers_of_slopes_are_turned():
    r = rule(**SETTINGS)
    other = turned(r, 37)
    assert torch.equal(torch.cat([p.flatten() for p in list(r.parameters())[1:]]),
                       torch.cat([p.flatten() for p in list(other.parameters())[1:]]))  # fmt: skip
    same = (r.weights[0] == other.weights[0]).all(0)
    assert pairs(FILTERS) == (1, 4, 7)
    kept = [i for i in range(6 * 9) if i % 9 not in (1, 2, 4, 5, 7, 8)] + [54, 55]
    assert same.nonzero().flatten().tolist() == kept


@pytest.mark.parametrize(
    ("filters", "why"),
    [(("identity", "laplacian", "ring@2"), "none knows a direction, as sobel does"),
     (("sobel", "learned@2"), "learned reads single cells")],
)  # fmt: skip
def test_others_are_refused_in_a_line(filters, why):
    with pytest.raises(UserError, match=why) as e:
        turned(rule(filters=filters), 10)
    assert "\n" not in str(e.value)
    assert ", ".join(filters) in str(e.value)
