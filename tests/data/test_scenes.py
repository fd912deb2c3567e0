import numpy as np
import pytest

from planaria.cli import main
from planaria.data import images, scenes
from planaria.data.builtin import PICTURES
from planaria.errors import UserError

SMALL = (48, 72)


def shown(name: str, size: tuple[int, int] = SMALL, variant: int = 0) -> np.ndarray:
    return np.asarray(scenes.load(name, size, variant)).astype(float)


def test_each_says_what_it_shows():
    assert len(scenes.SCENES) == len(set(scenes.SCENES)) == 10
    assert scenes.SCENES[:4] == ("face", "landscape", "cat", "street"), "whoever takes a few gets unlike ones"
    assert all(line.endswith(".") and 20 < len(line) < 100 for line in scenes.ABOUT.values())


@pytest.mark.parametrize("name", scenes.SCENES)
def test_a_scene_has_the_statistics_of_a_photo(name):
    photo = shown(name, (96, 144))
    grey = photo @ (0.299, 0.587, 0.114)
    assert photo.shape == (96, 144, 3)
    assert np.percentile(grey, 1) < 85, "darks"
    assert np.percentile(grey, 99) > 130, "and lights"
    assert 20 < grey.std() < 90
    assert (photo.min(2) >= 255).mean() < 0.08, "few places are burnt out"
    assert (photo.max(2) <= 8).mean() < 0.2
    assert np.ptp(photo, axis=2).mean() > 8, "it has colours"
    power = np.abs(np.fft.rfft2(grey - grey.mean())) ** 2
    radius = np.hypot(np.fft.fftfreq(96)[:, None], np.fft.rfftfreq(144))
    low, high = (power[(radius > a) & (radius < b)].mean() for a, b in ((0.02, 0.06), (0.2, 0.45)))
    assert 20 < low / high < 20_000, "power falls with frequency, as in photos"
    steps = np.abs(np.diff(grey, axis=1))
    assert np.percentile(steps, 50) < 9, "wide areas are smooth"
    assert steps.max() > 40, "and there are hard edges"


@pytest.mark.parametrize("name", scenes.SCENES)
def test_a_scene_is_the_same_every_time_and_other_variants_are_others(name):
    first, again, other = shown(name), shown(name), shown(name, variant=1)
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 5


def test_every_variant_is_there_and_those_of_odd_numbers_are_upright():
    for name in scenes.SCENES:
        shapes = [images.open_image(f"scene:{name}/{k}", 384).size for k in range(scenes.VARIANTS)]
        assert shapes == [(384, 256), (256, 384)] * (scenes.VARIANTS // 2)


def test_the_files_are_few_and_small():
    files = list(scenes.FOLDER.iterdir())
    assert len(files) == len(scenes.SCENES) * scenes.VARIANTS + 2 * len(PICTURES)
    assert sum(file.stat().st_size for file in files) < 4_000_000


@pytest.mark.parametrize("name", scenes.SCENES)
def test_a_scene_looks_the_same_at_every_size(name):
    small, large = shown(name, (32, 48)), shown(name, (96, 144))
    assert np.abs(large.reshape(32, 3, 48, 3, 3).mean((1, 3)) - small).mean() < 14


@pytest.mark.parametrize("name", scenes.SCENES)
@pytest.mark.parametrize("size", [(16, 16), (37, 23), (21, 90)])
def test_any_shape_is_had(name, size):
    photo = shown(name, size, variant=5)
    assert photo.shape == (*size, 3)
    assert photo.std() > 10


def test_what_there_is_not():
    with pytest.raises(UserError, match="unknown scene 'lanscape'.*Did you mean 'landscape'"):
        scenes.load("lanscape")
    with pytest.raises(UserError, match="16 to 2048 pixels a side, not 8x64"):
        scenes.load("sea", (64, 8))
    with pytest.raises(UserError, match="variants 0 to 5, not 1000"):
        scenes.load("sea", SMALL, 1000)
    for wrong in ("sea/", "sea/x", "sea/1/2", "sea/-1", "sea/1000"):
        with pytest.raises(UserError, match="scene:NAME/VARIANT"):
            images.open_image(f"scene:{wrong}")
    with pytest.raises(UserError, match="scenes have variants 0 to 5, not 6"):
        images.open_image("scene:sea/6")


def test_a_scene_is_a_picture_by_name():
    image = images.open_image("scene:sea/2", 60)
    assert (image.mode, image.size) == ("RGBA", (60, 40))
    assert np.array_equal(np.asarray(image)[..., :3], shown("sea", (40, 60), 2))
    assert images.picture("scene:sea", 30).shape == (4, 20, 30)
    assert images.name_of("scene:sea/2") == "sea-2"
    assert images.open_image("scene:sea", 4).size == (24, 16)


def test_scenes_are_listed(capsys):
    assert main(["list", "pictures"]) == 0
    told = capsys.readouterr().out
    assert "scene:landscape" in told
    assert "lizard" in told
