import pytest
import torch

from planaria.core.damage import DRAWN, KINDS, Damage, cuts, discs, holes, strokes
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


def test_strokes_lie_on_the_body():
    alive = torch.zeros(200, 40, 30, dtype=torch.bool)
    alive[:, 8:32, 6:24] = True
    u = torch.rand(200, DRAWN, generator=torch.Generator().manual_seed(0))
    gone = strokes(alive, u)[:, 0]
    assert gone.shape == alive.shape
    assert (gone & alive).flatten(1).any(1).all()
    assert gone[:, 20, 15].any(), "the middle too"
    near = torch.zeros_like(alive[0])
    near[4:36, 2:28] = True  # half of the largest width, a third of 24, beyond the body
    assert not (gone & ~near).any()
    share = (gone & alive).flatten(1).sum(1) / alive[0].sum()
    assert share.min() < 0.03
    assert share.max() > 0.7
    assert torch.equal(strokes(alive, u)[:, 0], gone)
    assert torch.equal(strokes(alive[3:4], u[3:4])[0, 0], gone[3]), "each body by its own numbers"


def test_the_numbers_of_a_stroke():
    alive = torch.zeros(1, 9, 9, dtype=torch.bool)
    alive[0, 2:8, 2:8] = True
    u = torch.zeros(1, DRAWN)
    assert strokes(alive, u)[0, 0].nonzero().tolist() == [[2, 2]]  # one stroke, one cell wide, from a cell to itself
    u[0, 11] = 0.99  # its last cell
    assert strokes(alive, u)[0, 0].nonzero().tolist() == [[k, k] for k in range(2, 8)]
    u[0, 1] = 0.9999  # two cells wide
    assert strokes(alive, u)[0, 0].nonzero().tolist() == [
        [k, m] for k in range(1, 9) for m in range(1, 9) if abs(k - m) <= 1 and 1 < k + m - 2 < 13 and (k, m) != (1, 1)
    ]
    u[0, 0] = 0.99  # five strokes: the other four are one cell at the corner
    assert strokes(alive, u).sum() >= 6
    assert not strokes(torch.zeros_like(alive), u).any()
