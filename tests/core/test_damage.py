import pytest
import torch

from planaria.core.damage import KINDS, Damage, cuts, discs, holes
from planaria.errors import UserError


def gone(text: str, size=(6, 8), **kw) -> torch.Tensor:
    return Damage.parse(text).mask(size, **kw)


def test_halves_are_halves_and_leave_the_rest():
    assert gone("left").sum(0).tolist() == [6] * 4 + [0] * 4
    assert gone("right").sum(0).tolist() == [0] * 4 + [6] * 4
    assert gone("top").sum(1).tolist() == [8] * 3 + [0] * 3
    assert gone("bottom").sum(1).tolist() == [0] * 3 + [8] * 3
    odd = gone("left", (5, 5)) | gone("right", (5, 5))
    assert odd.sum() == 20  # the middle column belongs to neither


def test_holes():
    assert gone("centre(2)").nonzero().tolist() == [[2, 3], [2, 4], [3, 3], [3, 4]]
    assert gone("centre", (72, 72)).sum() == 16 * 16
    assert gone("circle(1,2,1)").nonzero().tolist() == [[1, 1], [2, 0], [2, 1], [2, 2], [3, 1]]
    assert gone("speckle(0.25)", (200, 200)).float().mean() == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(gone("speckle", seed=1), gone("speckle", seed=2))


def test_erasing_takes_all_but_frozen_channels():
    x = torch.ones(2, 5, 6, 8)
    y = Damage.parse("left").apply(x, frozen=1)
    assert (y[:, :4, :, :4] == 0).all()
    assert (y[:, 4] == 1).all()
    assert (y[..., 4:] == 1).all()
    assert (x == 1).all()


def test_noise_falls_on_the_living_and_repeats():
    x = torch.zeros(1, 5, 40, 40)
    alive = torch.zeros(1, 1, 40, 40, dtype=torch.bool)
    alive[..., :20] = True
    noise = Damage.parse("noise(0.5)")
    y = noise.apply(x, seed=3, frozen=1, alive=alive)
    assert y[:, :4, :, :20].std() == pytest.approx(0.5, abs=0.02)
    assert y[..., 20:].abs().sum() == 0
    assert y[:, 4].abs().sum() == 0
    assert torch.equal(y, noise.apply(x, seed=3, frozen=1, alive=alive))
    assert not torch.equal(y, noise.apply(x, seed=4, frozen=1, alive=alive))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lefft", "unknown damage 'lefft'; have: .*Did you mean 'left'"),
        ("circle(1,2)", r"circle is a disc: circle\(X,Y,R\)"),
        ("circle", "circle is a disc"),
        ("left(3)", "left is the left half"),
        ("centre(a)", "can't be read"),
        ("centre(inf)", "centre is a square hole"),
        ("", "unknown damage"),
        ("centre(1", "unknown damage|centre is"),
    ],
)
def test_bad_damage_says_what_there_is(text, says):
    with pytest.raises(UserError, match=says):
        Damage.parse(text)


def test_every_listed_kind_works():
    for name in KINDS:
        text = "circle(2,2,1)" if name == "circle" else name
        assert Damage.parse(text).apply(torch.ones(1, 4, 6, 6)).shape == (1, 4, 6, 6)


def test_training_damage_varies_in_place_and_size():
    rng = torch.Generator().manual_seed(0)
    for make, least, most in ((discs, 0.003, 0.14), (cuts, 0.2, 0.8), (holes, 0.006, 0.13)):
        share = make(200, (72, 72), rng).float().mean((1, 2, 3))
        assert least <= share.min()
        assert share.max() <= most
        assert share.std() > 0.02
