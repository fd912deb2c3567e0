import numpy as np
import pytest
from PIL import ImageOps

from planaria.data.builtin import PICTURES, load
from planaria.errors import UserError


def test_the_names_are_sorted_and_none_is_twice():
    assert list(PICTURES) == sorted(set(PICTURES))
    classics = {"butterfly", "lizard", "planarian"}
    assert classics | {"fish", "flower", "heart", "ladybird", "mushroom", "octopus", "snail"} == set(PICTURES)


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.parametrize("pixels", [40, 513])
def test_a_picture_is_rgba_of_the_size_asked_for_and_fills_its_square(name, pixels):
    image = load(name, pixels)
    assert (image.mode, image.size) == ("RGBA", (pixels, pixels))
    alpha = np.asarray(image)[..., 3] / 255
    assert alpha[[0, 0, -1, -1], [0, -1, 0, -1]].max() < 0.1
    assert 0.15 < alpha.mean() < 0.75
    if name not in ("lizard", "planarian"):  # those two bend around their middle
        middle = slice(pixels // 2 - pixels // 40, pixels // 2 + pixels // 40)
        assert alpha[middle, middle].min() > 0.99, "opaque where the seed cell sits"
    rows, columns = (np.flatnonzero(alpha.max(axis) > 0.05) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) == pixels - 1
    assert min(np.ptp(rows), np.ptp(columns)) > 0.85 * (pixels - 1)
    assert abs(rows[0] + rows[-1] - (pixels - 1)) <= 2, "centred from top to bottom"
    assert abs(columns[0] + columns[-1] - (pixels - 1)) <= 2, "centred from left to right"


@pytest.mark.parametrize("name", PICTURES)
def test_at_forty_pixels_a_picture_still_has_darks_lights_and_colours(name):
    pixels = np.asarray(load(name, 40)).astype(float)
    inside = pixels[pixels[..., 3] > 250][:, :3]
    light = inside @ (0.299, 0.587, 0.114)
    assert light.min() < 60, "dark eyes survive"
    assert light.max() > 160, "and so do the lights"
    assert light.std() > 25
    assert len(np.unique(inside // 32, axis=0)) >= 25
    assert np.median(np.ptp(inside, axis=1)) > 60, "mostly colours, not greys"


@pytest.mark.parametrize("name", PICTURES)
def test_edges_are_smooth_and_carry_no_dark_fringe(name):
    pixels = np.asarray(load(name, 64)).astype(float)
    alpha = pixels[..., 3]
    partly = (alpha > 40) & (alpha < 215)
    assert partly.sum() > 60
    assert pixels[partly][:, :3].max(1).mean() > 80, "straight alpha: an edge is no darker for being thin"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_looks_the_same_at_every_size(name):
    small = np.asarray(load(name, 32).convert("RGBa")).astype(float)
    large = np.asarray(load(name, 320).convert("RGBa")).astype(float)
    assert np.abs(large.reshape(32, 10, 32, 10, 4).mean((1, 3)) - small).mean() < 6


@pytest.mark.parametrize("name", PICTURES)
def test_opening_twice_gives_the_same_bytes(name):
    assert load(name, 48).tobytes() == load(name, 48).tobytes()


def test_the_smallest_picture_opens():
    assert load("planarian", 8).size == (8, 8)


def test_the_pictures_differ():
    assert len({load(name, 16).tobytes() for name in PICTURES}) == len(PICTURES)


def test_the_butterfly_is_its_own_mirror_image():
    image = load("butterfly", 128).convert("RGBa")
    assert np.abs(np.asarray(image).astype(float) - np.asarray(ImageOps.mirror(image))).mean() < 1


def test_an_unknown_name_is_told_the_nearest_one():
    with pytest.raises(UserError, match=r"unknown built-in picture 'lizzard'.*Did you mean 'lizard'"):
        load("lizzard")


@pytest.mark.parametrize("pixels", [-40, 0, 7, 1025])
def test_a_size_out_of_bounds_is_an_error(pixels):
    with pytest.raises(UserError, match=rf"8 to 1024 pixels a side, not {pixels}"):
        load("lizard", pixels)
