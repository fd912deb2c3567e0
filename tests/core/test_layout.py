import pytest
import torch

from planaria.core.layout import Layout
from planaria.errors import UserError


def test_the_seed_is_one_living_cell():
    x = Layout(4, 3, 12, frozen=2).seed(3, (5, 8))
    assert x.shape == (3, 18, 5, 8)
    assert x.sum() == 3 * 13
    assert (x[:, 3:16, 2, 4] == 1).all()
    assert Layout(3, None, 9).seed(1, 6).abs().sum() == 0


def test_a_picture_goes_in_and_comes_out():
    p = torch.rand(4, 5, 6)
    layout = Layout(4, 3, 2, offset=0.5)
    x = layout.embed(p, 2)
    assert x.shape == (2, 6, 5, 6)
    torch.testing.assert_close(layout.picture(x)[1], p)
    assert x[:, 4:].abs().sum() == 0
    with pytest.raises(UserError, match="3 channels, the layout shows 4"):
        layout.embed(p[:3])


def test_what_a_person_sees():
    rgba = Layout(4, 3, 0)
    half_red = torch.tensor([0.5, 0.0, 0.0, 0.5])[None, :, None, None]
    assert rgba.rgb(half_red).flatten().tolist() == [1.0, 0.5, 0.5]
    assert rgba.rgb(half_red, background=0.0).flatten().tolist() == [0.5, 0.0, 0.0]
    assert Layout(3, None, 0, offset=0.5).rgb(torch.zeros(1, 3, 1, 1)).flatten().tolist() == [0.5] * 3
    assert Layout(1, None, 0).rgb(torch.full((1, 1, 1, 1), 7.0)).flatten().tolist() == [1.0] * 3
    assert rgba.rgb(torch.full((1, 4, 1, 1), torch.nan)).isfinite().all()


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"visible": 2}, "visible must be"),
        ({"alpha": 16}, "outside 0..15"),
        ({"hidden": -1}, "layout.hidden must be at least 0, got -1"),
    ],
)
def test_impossible_layouts(settings, says):
    with pytest.raises(UserError, match=says):
        Layout(**settings)


def test_what_memory_cannot_hold_is_refused_before_it_is_taken():
    with pytest.raises(UserError, match=r"1000000 worlds of 9999x9999 cells .* take 6,398,720 GB.*train.pool"):
        Layout().seed(1_000_000, 9999)


def test_a_world_has_a_cell():
    with pytest.raises(UserError, match="at least one sample and one cell"):
        Layout().seed(1, (0, 4))


def test_a_colour_is_what_the_cells_hold():
    colour = (255, 128, 0)
    for layout in (Layout(4, 3, 2), Layout(4, 3, 2, offset=0.5), Layout(3, None, 2, offset=0.5), Layout(3, None, 0)):
        values = layout.colour(colour)
        assert set(values) == set(range(layout.visible))
        x = torch.zeros(1, layout.channels, 1, 1)
        for channel, value in values.items():
            x[0, channel] = value
        for background in (0.0, 1.0):
            seen = (layout.rgb(x, background) * 255).round().flatten().tolist()
            assert seen == list(colour)
    grey = Layout(1, None, 0, offset=0.25)
    assert grey.colour((100, 100, 100)) == {0: pytest.approx(100 / 255 - 0.25)}
    assert grey.colour((255, 0, 0))[0] == pytest.approx(0.299 - 0.25)


def test_what_is_rubbed_out_becomes_the_ground_of_a_film():
    layout = Layout(3, None, 1, offset=0.5)
    navy, red = torch.tensor([0.04, 0.02, 0.3]), torch.tensor([0.9, 0.1, 0.1])
    picture = navy[:, None, None].repeat(1, 4, 5)
    picture[:, 1:3, 1:4] = red[:, None, None]
    picture[0, 0, 0] = 0.06
    x = layout.embed(picture)
    x[0, 3] = torch.where(picture[0] > 0.5, 7.0, 2.0)
    ground = layout.background(x)
    assert [ground[k] + 0.5 for k in range(3)] == pytest.approx([0.04 + 0.02 / 14, 0.02, 0.3])
    assert ground[3] == 2
    assert layout.background() == dict.fromkeys(range(4), 0.0)
    assert Layout().background(Layout().seed(1, 5)) == dict.fromkeys(range(16), 0.0)
    assert set(Layout(1, None, 2, frozen=1).background(torch.zeros(1, 4, 3, 3))) == {0, 1, 2}
