import subprocess
import sys

import numpy as np
import pytest

from planaria.cli import main
from planaria.data import images, scenes
from planaria.data.scenes.plate import Plate, chances, noise
from planaria.data.scenes.solids import Camera, Stage, Surface, ball, egg, limb, melt, turned, within
from planaria.errors import UserError

SMALL = (48, 72)


def shown(name: str, size: tuple[int, int] = SMALL, variant: int = 0) -> np.ndarray:
    return np.asarray(scenes.draw(name, size, variant)).astype(float)


def test_each_says_what_it_shows():
    assert len(scenes.SCENES) == len(set(scenes.SCENES)) == 10
    assert scenes.SCENES[:4] == ("face", "landscape", "cat", "street"), "whoever takes a few gets unlike ones"
    assert all(line.endswith(".") and 20 < len(line) < 100 for line in scenes.about().values())


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


def test_a_scene_is_the_same_in_another_process():
    code = "from planaria.data import scenes; print(sum(scenes.draw('sea', (24, 36)).tobytes()))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(told) == sum(scenes.draw("sea", (24, 36)).tobytes())


@pytest.mark.parametrize("name", scenes.SCENES)
def test_a_scene_looks_the_same_at_every_size(name):
    small, large = shown(name, (32, 48)), shown(name, (96, 144))
    assert np.abs(large.reshape(32, 3, 48, 3, 3).mean((1, 3)) - small).mean() < 14


@pytest.mark.parametrize("name", scenes.SCENES)
@pytest.mark.parametrize("size", [(16, 16), (37, 23), (21, 90)])
def test_any_shape_is_drawn(name, size):
    photo = shown(name, size, variant=5)
    assert photo.shape == (*size, 3)
    assert photo.std() > 10


def test_what_there_is_not():
    with pytest.raises(UserError, match="unknown scene 'lanscape'.*Did you mean 'landscape'"):
        scenes.draw("lanscape")
    with pytest.raises(UserError, match="16 to 2048 pixels a side, not 8x64"):
        scenes.draw("sea", (64, 8))
    with pytest.raises(UserError, match="variants 0 to 999, not 1000"):
        scenes.draw("sea", SMALL, 1000)
    for wrong in ("sea/", "sea/x", "sea/1/2", "sea/-1", "sea/1000"):
        with pytest.raises(UserError, match="scene:NAME/VARIANT"):
            images.open_image(f"scene:{wrong}")


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


def test_noise_is_smooth_and_fills_its_range():
    y, x = np.mgrid[:64, :64].astype(np.float32) / 8
    made = noise(x, y, 3)
    assert 0 <= made.min() < 0.35 < 0.65 < made.max() <= 1
    assert np.abs(np.diff(noise(x, y, 3, octaves=1), axis=0)).max() < 0.3
    assert not np.array_equal(made, noise(x, y, 4))
    assert np.array_equal(noise(x, y, 3)[8:, 8:], noise(x[8:, 8:], y[8:, 8:], 3))
    drawn = chances(5, 100_000)
    assert abs(drawn.mean() - 0.5) < 0.005
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.02


def test_distances_are_distances():
    p = np.array([[2, 0, 0.5], [0, 0, 0], [0, 0, 0]], np.float32)
    assert ball(p, (0, 0, 0), 1).tolist() == pytest.approx([1, -1, -0.5])
    assert egg(p[:, :1], (0, 0, 0), (1, 1, 1)).tolist() == pytest.approx([1])
    assert limb(p, (0, -1, 0), (0, 1, 0), 0.5).tolist() == pytest.approx([1.5, -0.5, 0])
    both = melt(np.array([0.3, 0.1], np.float32), np.array([0.3, 0.9], np.float32), 0.2)
    assert both.tolist() == pytest.approx([0.3 - 0.2 / 4, 0.1])
    far = within(p, (9, 0, 0), 1.0, lambda close: 0 * close[0])
    assert far.tolist() == pytest.approx([6, 8, 7.5])
    quarter = turned(np.array([[1], [0], [0]], np.float32), yaw=np.pi / 2)
    assert quarter.ravel().tolist() == pytest.approx([0, 0, 1], abs=1e-6)


def test_a_camera_places_what_its_rays_hit():
    plate = Plate((20, 30), 0)
    camera = Camera((1.0, 2.0, 6.0), (0.0, 0.5, 0.0), 0.25)
    rays = camera.rays(plate.x, plate.y)
    x, y = camera.place(np.array(camera.eye, np.float32)[:, None] + 3.7 * rays)
    assert np.abs(x - plate.x.ravel()).max() < 1e-4
    assert np.abs(y - plate.y.ravel()).max() < 1e-4
    stage = Stage(lambda p: [ball(p, (0, 0, 0), 1)], lambda p, n, part: Surface(p.T, n), (0, 0, 0), 1.0)
    enter, leave = stage.bounds(np.array([[0], [0], [5]], np.float32), np.array([[0, 1], [0, 0], [-1, 0]], np.float32))
    assert (enter[0], leave[0]) == pytest.approx((4, 6))
    assert leave[1] < 0
