"""A canvas in bands holds the very numbers of the whole grid, whatever the rule does at the rim and at random."""

import pytest
import torch
from helpers.painters import painter, scene, weaver
from torch.testing import assert_close

from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.engine import run
from planaria.errors import UserError
from planaria.repaint import canvas as canvases
from planaria.repaint.canvas import Canvas

PLAIN = ("identity", "sobel", "laplacian")
FAR = ("identity", "sobel", "laplacian@2", "mean@3")


def whole(rule, layout, photo, steps, seed=0) -> torch.Tensor:
    """What the reference makes of all cells at once."""
    x = layout.pose(photo.double()[None] / 255, seed=seed)
    return run(rule, x, steps, seed=seed, engine="reference")


def painted(rule, layout, photo, steps, cells, seed=0, **settings) -> Canvas:
    canvas = Canvas(rule, layout, tuple(photo.shape[1:]), seed=seed, cells=cells, **settings)
    canvas.begin(photo)
    canvas.step(steps)
    assert canvas.t == steps
    return canvas


@pytest.mark.parametrize("edge", ["zero", "circular", "replicate"])
@pytest.mark.parametrize("fire_rate", [1.0, 0.5])
@pytest.mark.parametrize("filters", [PLAIN, FAR], ids=["near", "far"])
@pytest.mark.parametrize("shifts", [(), (2, 5)], ids=["photo", "shifts"])
def test_bands_are_the_whole(edge, fire_rate, filters, shifts):
    rule, layout = painter(edge=edge, fire_rate=fire_rate, filters=filters, shifts=shifts)
    photo = scene(19, 23)
    want = whole(rule, layout, photo, 7, seed=4)
    assert want.abs().max() < 20
    for cells in (23 * 3, 23 * 7, 10_000):
        canvas = painted(rule, layout, photo, 7, cells, seed=4)
        assert (len(canvas._bands) == 1) == (cells == 10_000)
        assert_close(canvas.rgb()[None], layout.rgb(want), rtol=0, atol=1e-10)
        assert_close(canvas._x, want[:, : layout.channels - layout.frozen], rtol=0, atol=1e-10)


@pytest.mark.parametrize("size", [(19, 23), (20, 22), (5, 40), (7, 2), (1, 9), (9, 1), (2, 3)])
def test_any_shape(size):
    rule, layout = painter(filters=FAR, fire_rate=0.7, shifts=(3,))
    photo = scene(*size)
    want = whole(rule, layout, photo, 4)
    for cells in (1, 2 * size[1]):
        assert_close(painted(rule, layout, photo, 4, cells).rgb()[None], layout.rgb(want), rtol=0, atol=1e-10)


@pytest.mark.parametrize("engine", ["reference", "sparse", "native", "auto"])
def test_every_engine(engine):
    rule, layout = painter(fire_rate=0.5)
    photo = scene(21, 17)
    want = layout.rgb(whole(rule, layout, photo, 5))
    assert_close(painted(rule, layout, photo, 5, 60, engine=engine).rgb()[None], want, rtol=0, atol=1e-10)


def test_bands_of_a_rule_that_blurs():
    rule, layout = painter(edge="circular", blurs=("4@15", "5@3"))
    photo = scene(33, 12)
    want = whole(rule, layout, photo, 5)
    for cells in (1, 12 * 9):
        canvas = painted(rule, layout, photo, 5, cells)
        assert len(canvas._bands) > 1
        assert_close(canvas.rgb()[None], layout.rgb(want), rtol=0, atol=1e-10)


def test_no_band_is_shorter_than_the_rule_reaches():
    rule, layout = painter(filters=("identity", "sobel@6"))
    canvas = Canvas(rule, layout, (40, 5), cells=1)
    heights = [end - top for top, end in canvas._bands]
    assert min(heights) >= 6
    assert sum(heights) == 40
    assert len(Canvas(rule, layout, (11, 5), cells=1)._bands) == 1


def test_in_float32_by_the_default_engine():
    rule, layout = painter(hidden=(30,), spread=0.05)
    photo = scene(64, 48)
    want = layout.rgb(whole(rule, layout, photo, 30))
    canvas = painted(rule.float(), layout, photo, 30, 48 * 5)
    assert canvas.rgb().dtype == torch.float32
    assert_close(canvas.rgb()[None].double(), want, rtol=0, atol=2e-5)
    levels = canvas.picture()
    assert levels.dtype == torch.uint8
    assert_close(levels, canvas.rgb().mul(255).round().byte())


def test_a_texture_in_bands():
    rule, layout = weaver()
    canvas = Canvas(rule, layout, (30, 14), seed=2, cells=14 * 4)
    canvas.begin()
    canvas.step(9)
    want = run(rule, layout.seed(1, (30, 14)), 9, seed=2, engine="reference")
    assert want.std() > 0.02
    assert_close(canvas._x, want, rtol=0, atol=1e-6)
    canvas.begin()
    assert canvas.t == 0
    assert not canvas._x.any()


def test_steps_are_steps_however_they_are_taken():
    rule, layout = painter(fire_rate=0.5)
    photo = scene()
    at_once, one_by_one = painted(rule, layout, photo, 6, 50), painted(rule, layout, photo, 0, 50)
    for _ in range(6):
        one_by_one.step()
    assert torch.equal(at_once.rgb(), one_by_one.rgb())


def test_a_photo_in_numbers_and_in_bytes():
    rule, layout = painter()
    photo = scene()
    bytes_, numbers = painted(rule, layout, photo, 3, 50), painted(rule, layout, photo.double() / 255, 3, 50)
    assert_close(bytes_.rgb(), numbers.rgb(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("planes", [1, 3])
def test_a_photo_that_the_cells_cannot_show(planes):
    """A grey photo under cells in colour: they begin with nothing."""
    rule, layout = painter(photo=planes)
    photo = scene(planes=planes)
    want = whole(rule, layout, photo, 3)
    canvas = painted(rule, layout, photo, 0, 60)
    assert bool(canvas._x.any()) is (planes == 3)
    canvas.step(3)
    assert_close(canvas._x, want[:, :15], rtol=0, atol=1e-10)


def test_exposing_keeps_what_the_cells_hold():
    rule, layout = painter(fire_rate=0.5, shifts=(2,))
    photo, other = scene(), scene(seed=6)
    canvas = painted(rule, layout, photo, 4, 60)
    canvas.expose(other)
    canvas.step(3)
    x = whole(rule, layout, photo, 4)
    x = torch.cat([x[:, : -layout.frozen], layout.exposed(other.double()[None] / 255)], 1)
    want = run(rule, x, 3, t=4, engine="reference")
    assert_close(canvas.rgb()[None], layout.rgb(want), rtol=0, atol=1e-10)


def test_another_module_takes_all_at_once():
    pytest.importorskip("torchdiffeq")
    rule, layout = painter(activation="tanh")
    photo = scene()
    canvas = painted(Solver(rule, "rk4"), layout, photo, 2, 30)
    want = run(Solver(rule, "rk4"), layout.pose(photo.double()[None] / 255), 2)
    assert_close(canvas.rgb()[None], layout.rgb(want), rtol=0, atol=1e-10)


def test_mistakes(monkeypatch):
    rule, layout = painter()
    canvas = Canvas(rule, layout, (19, 23))
    with pytest.raises(UserError, match="no photo to repaint yet"):
        canvas.step()
    with pytest.raises(UserError, match=r"a photo of \(3, 18, 23\) doesn't fit"):
        canvas.begin(scene(18, 23))
    with pytest.raises(UserError, match="grow from a seed and repaint nothing"):
        Canvas(Rule(RuleConfig()), Layout(), (9, 9))
    monkeypatch.setattr(canvases.machine, "memory", lambda: 1_000_000)
    with pytest.raises(UserError, match=r"the cells of 400x300 pixels take 0.0 GB, .*--size"):
        Canvas(rule, layout, (300, 400))
