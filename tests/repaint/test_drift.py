"""Drift: what moves is found again, what stands isn't disturbed by noise, and cells go along."""

import pytest
import torch
from helpers.painters import painter

from planaria.data import scenes
from planaria.errors import UserError
from planaria.repaint import canvas_for, repaint, repaint_film
from planaria.repaint.drift import Drift
from planaria.repaint.files import planes_of

ROWS, COLUMNS = 100, 140


def draw(name: str, size: tuple[int, int]) -> torch.Tensor:
    """A scene, `(3, h, w)` in 0..1."""
    return planes_of(scenes.load(name, size)).float() / 255


STREET = draw("street", (160, 240))


def view(top: int, left: int, noise: float = 0.0, seed: int = 0) -> torch.Tensor:
    """What a camera sees of a street when it looks `top` rows and `left` columns farther."""
    whole = STREET[:, 20 + top : 20 + top + ROWS, 40 + left : 40 + left + COLUMNS]
    grain = torch.randn(whole.shape, generator=torch.Generator().manual_seed(seed))
    return (whole + noise * grain).clamp(0, 1)


def ways(*frames: torch.Tensor) -> torch.Tensor:
    """The way from each pixel of the last frame to where it was, in rows and columns: `(2, h, w)`."""
    drift = Drift()
    places = [drift.into(frame) for frame in frames][-1]
    h, w = frames[-1].shape[1:]
    here = torch.stack(torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij"))
    return torch.zeros_like(here) if places is None else places - here


@pytest.mark.parametrize("by", [(0, 2), (3, -1), (-7, 12)])
@pytest.mark.parametrize("kind", [torch.float32, torch.uint8])
def test_a_camera_that_turns(by, kind):
    frames = [view(0, 0, 0.02), view(*by, 0.02, seed=1)]
    if kind == torch.uint8:
        frames = [(frame * 255).byte() for frame in frames]
    seen = ways(*frames)[:, 14:-14, 14:-14]
    right = (seen == torch.tensor(by)[:, None, None]).all(0)
    assert right.float().mean() > 0.98, "the sky goes with the houses"


def test_a_standing_camera_moves_nothing():
    drift = Drift()
    frames = [view(0, 0, 0.03, seed=k) for k in range(3)]
    assert [drift.into(frame) for frame in frames] == [None] * 3


def test_what_moves_before_a_still_wall():
    wall, ball = view(0, 0), draw("fruit", (64, 64))[:, 8:40, 8:40]
    before, after = wall.clone(), wall.clone()
    before[:, 30:62, 40:72] = ball
    after[:, 30:62, 46:78] = ball
    seen = ways(before, after)
    assert (seen[:, 36:56, 52:72] == torch.tensor((0, -6))[:, None, None]).all(0).float().mean() > 0.8
    still = (seen == 0).all(0)
    assert still[:, 90:].float().mean() > 0.99
    assert still[75:].float().mean() > 0.98


def test_every_place_is_on_the_grid():
    drift = Drift()
    drift.into(view(0, 0))
    places = drift.into(view(9, -16))
    assert places is not None
    assert places.amin() >= 0
    assert places[0].max() < ROWS
    assert places[1].max() < COLUMNS
    tiny = Drift()
    for _ in range(2):
        assert (found := tiny.into(torch.rand(3, 1, 3))) is None or found.shape == (2, 1, 3)


def test_another_size_is_another_film():
    drift = Drift()
    drift.into(view(0, 0))
    assert drift.into(view(0, 5)[:, :90]) is None


def test_cells_go_to_where_what_they_painted_has_gone():
    made = painter(edge="replicate")
    canvas = canvas_for(made, (6, 5))
    canvas.begin(torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(1)))
    before = canvas._x.clone()
    rows, columns = torch.meshgrid(torch.arange(6), torch.arange(5), indexing="ij")
    canvas.carry(torch.stack([(rows + 1).clamp(max=5), (columns - 2).clamp(min=0)]))
    assert torch.equal(canvas._x[:, :, :5, 2:], before[:, :, 1:, :3])
    with pytest.raises(UserError, match="don't fit"):
        canvas.carry(torch.zeros(2, 5, 6, dtype=torch.long))


def test_a_film_of_a_turning_camera_is_one_picture_that_turns():
    made = painter(spread=0.06, edge="replicate")
    frames = [view(0, 3 * k).double() for k in range(4)]
    first = repaint(made, frames[0], 20)
    followed = list(repaint_film(made, frames, steps=20, frame_steps=1))[-1]
    left = list(repaint_film(made, frames, steps=20, frame_steps=1, follow=False))[-1]
    whole = first[:, 15:-15, 24:-15]
    off = [float((shown[:, 15:-15, 15:-24] - whole).abs().mean()) for shown in (followed, left)]
    assert off[0] < 0.5 * off[1]
