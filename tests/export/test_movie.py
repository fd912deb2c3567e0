"""Films: what was lived is what is written."""

import base64
import io
import re
import sys

import numpy as np
import pytest
import torch
from helpers.rules import rule
from PIL import Image

from planaria.commands import install
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.export import movie
from planaria.export.movie import Film, check_suffix, film
from planaria.world import World

LAYOUT = Layout(4, 3, hidden=2)


def shot(**options) -> Film:
    return film(rule().float(), LAYOUT, **{"steps": 10, "size": (9, 12), "every": 4, "seed": 3, **options})


def sketch(n: int = 3, h: int = 10, w: int = 14, **options) -> Film:
    """A film of flat quarters, a codec's friend, that differ from frame to frame."""
    frames = np.zeros((n, h, w, 3), np.uint8)
    for k in range(n):
        frames[k, : h // 2, : w // 2] = (250, 20 * k, 30)
        frames[k, h // 2 :, w // 2 :] = (20, 60, 250 - 20 * k)
    return Film(frames, tuple(range(0, 2 * n, 2)), **options)


def seen(path) -> np.ndarray:
    """The frames of a file that Pillow reads, `(n, h, w, 3)`."""
    with Image.open(path) as image:
        frames = []
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGB")))
    return np.stack(frames)


def watched(path) -> tuple[np.ndarray, float]:
    """The frames of a video, and how many a second it shows."""
    av = pytest.importorskip("av")
    with av.open(str(path)) as box:
        stream = box.streams.video[0]
        frames = [f.to_ndarray(format="rgb24") for f in box.decode(stream)]
        return np.stack(frames), float(stream.average_rate)


def test_frames_are_the_life_of_a_world():
    shown = shot()
    assert shown.at == (0, 4, 8, 10)
    assert shown.frames.shape == (4, 9, 12, 3)
    assert shown.frames.dtype == np.uint8
    world = World(rule().float(), LAYOUT, (9, 12), seed=3)
    for frame, step in zip(shown.frames, shown.at, strict=True):
        world.tick(step - world.t)
        assert np.array_equal(frame, world.image().numpy())
    assert not np.array_equal(shown.frames[0], shown.frames[-1])


def test_its_options_reach_the_world():
    assert not np.array_equal(shot(seed=4).frames, shot().frames)
    assert np.array_equal(shot().frames, shot().frames)
    assert (shot(background=0.0).frames[0, 0, 0] == 0).all()
    assert (shot().frames[0, 0, 0] == 255).all()
    assert shot(size=5).frames.shape[1:3] == (5, 5)
    assert shot(steps=0).at == (0,)
    assert shot(every=1, steps=3).at == (0, 1, 2, 3)
    assert shot(every=99, steps=3).at == (0, 3)
    assert shot(fps=7).fps == 7
    with pytest.raises(UserError, match="unknown engine 'spares'"):
        shot(engine="spares")


def test_damage_is_shown_before_and_after():
    erase = {5: "left", 0: "noise(0.2)", 10: "top"}
    shown = shot(erase=erase)
    assert shown.at == (0, 0, 4, 5, 5, 8, 10, 10)
    assert list(shown.events.items()) == sorted(erase.items())
    world = World(rule().float(), LAYOUT, (9, 12), seed=3)
    for k, step in enumerate(shown.at):
        world.tick(step - world.t)
        if k in (1, 4, 7):
            world.erase(erase[step])
        assert np.array_equal(shown.frames[k], world.image().numpy()), k
    assert not np.array_equal(shown.frames[3], shown.frames[4])
    assert (shown.frames[4, :, :6] == 255).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"erase": {5: "lefft"}}, r"unknown damage 'lefft'.*Did you mean 'left'"),
        ({"erase": {5: "circle(1)"}}, "circle is a disc"),
        ({"erase": {11: "left"}}, "'left' at step 11: the animation has steps 0 to 10"),
        ({"erase": {-1: "left"}}, "at step -1"),
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"background": 1.5}, r"background must be in 0..1, got 1.5"),
        ({"fps": 0}, "fps must be at least 1, got 0"),
        ({"steps": -1}, "steps must be at least 0, got -1"),
        ({"size": 0}, "at least one sample and one cell"),
    ],
)
def test_films_that_cannot_be_made(options, says):
    with pytest.raises(UserError, match=says):
        shot(**options)


def test_damage_is_read_before_anything_runs():
    class Idle(torch.nn.Module):
        def forward(self, *args, **options):
            pytest.fail("ran")

    with pytest.raises(UserError, match="unknown damage"):
        film(Idle(), LAYOUT, steps=10, size=5, erase={10: "lefft"})


def test_it_may_start_anywhere(monkeypatch):
    monkeypatch.setattr(movie, "MOST_BYTES", 5_000)  # too few for 99x99 cells
    start = torch.rand(1, 6, 7, 8, generator=torch.Generator().manual_seed(0))
    shown = shot(start=start, size=99, steps=4, every=4)
    assert shown.frames.shape == (2, 7, 8, 3)
    world = World(rule().float(), LAYOUT, (7, 8), seed=3)
    world.x = start
    assert np.array_equal(shown.frames[0], world.image().numpy())
    world.tick(4)
    assert np.array_equal(shown.frames[1], world.image().numpy())


@pytest.mark.parametrize("scale", [1, 3])
def test_webp_keeps_every_pixel(tmp_path, scale):
    shown = shot(erase={4: "left"}, every=1)
    path = shown.save(tmp_path / "a.webp", scale=scale)
    assert path == tmp_path / "a.webp"
    found = seen(path)
    assert np.array_equal(found, shown.frames.repeat(scale, 1).repeat(scale, 2))


@pytest.mark.parametrize("scale", [1, 4])
def test_gif_is_near(tmp_path, scale):
    shown = sketch()
    found = seen(shown.save(str(tmp_path / "a.gif"), scale=scale))
    want = shown.frames.repeat(scale, 1).repeat(scale, 2)
    assert found.shape == want.shape
    assert np.abs(found.astype(int) - want).max() <= 2


def test_gif_of_many_colours(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (2, 40, 40, 3), np.uint8)
    found = seen(Film(noise, (0, 2)).save(tmp_path / "a.gif", scale=1))
    assert found.shape == noise.shape
    assert np.abs(found.astype(int) - noise).mean() < 20


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_pictures_that_stand_still_keep_their_time(tmp_path, suffix):
    """A writer may join equal frames, if it shows them for as long."""
    frames = np.zeros((6, 8, 8, 3), np.uint8)
    frames[3:] = 200
    path = Film(frames, tuple(range(6)), fps=10).save(tmp_path / f"a.{suffix}", scale=1)
    with Image.open(path) as image:
        times = []
        for k in range(image.n_frames):
            image.seek(k)
            image.load()
            times.append(image.info["duration"])
        assert sum(times) == 600
        assert image.info["loop"] == 0


@pytest.mark.parametrize(("h", "w", "scale"), [(64, 96, 1), (35, 51, 1), (35, 51, 3), (20, 20, 4)])
def test_mp4_is_near(tmp_path, h, w, scale):
    shown = sketch(5, h, w, fps=12)
    found, fps = watched(shown.save(tmp_path / "a.mp4", scale=scale))
    want = shown.frames.repeat(scale, 1).repeat(scale, 2)
    assert fps == 12
    assert found.shape == (5, h * scale + h * scale % 2, w * scale + w * scale % 2, 3)
    assert np.abs(found[:, : h * scale, : w * scale].astype(int) - want).mean() < 4
    if h * scale % 2:  # the added row is like its neighbour, not black
        assert np.abs(found[:, -1].astype(int) - found[:, -2]).mean() < 4


def test_mp4_without_its_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=f"writing .mp4 needs an optional dependency: {re.escape(install('video'))}"):
        sketch().save(tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("h", "w", "size"), [(10, 14, (294, 210)), (72, 72, (288, 288)), (300, 20, (20, 300)), (100, 99, (297, 300))]
)
def test_small_films_are_enlarged(tmp_path, h, w, size):
    with Image.open(sketch(2, h, w).save(tmp_path / "a.webp")) as image:
        assert image.size == size


def test_a_strip(tmp_path):
    shown = sketch(3, 10, 14)
    with Image.open(shown.save(tmp_path / "a.png", scale=2)) as image:
        found = np.asarray(image)
    assert found.shape == (20 + 24 + 16, 8 + 3 * (28 + 8), 3)
    for k in range(3):
        left = 8 + k * 36
        assert np.array_equal(found[8:28, left : left + 28], shown.frames[k].repeat(2, 0).repeat(2, 1))
    assert (found[:, :7] == 255).all()
    assert (found[30:] < 128).any()  # the steps are written
    assert max(sketch(3, 10, 14).strip().size) > max(found.shape)


def test_moments_are_spread_and_hold_all_damage():
    assert sketch(3).moments(8) == [0, 1, 2]
    assert sketch(1).moments(8) == [0]
    assert sketch(9).moments(5) == [0, 2, 4, 6, 8]
    shown = shot(steps=40, every=2, erase={10: "left", 12: "top"})
    picks = shown.moments(8)
    assert len(picks) == 8
    assert picks == sorted(set(picks))
    assert (picks[0], picks[-1]) == (0, len(shown.frames) - 1)
    for step in (10, 12):
        assert len(shown.frames) - 1 - shown.at[::-1].index(step) in picks  # after the damage, not before
    assert [shown.at[k] for k in shown.moments(4)] == [0, 10, 12, 40]
    assert shown.moments(4)[1:3] == [6, 8]  # the second frames of their steps
    many = shot(steps=40, every=2, erase=dict.fromkeys(range(5, 35), "left"))
    assert len(many.moments(8)) == 8


def test_damage_has_its_name_in_the_strip():
    shown = shot(steps=8, every=4, erase={4: "left"})
    red = [np.asarray(f.strip(scale=8)).astype(int) for f in (shown, shot(steps=8, every=4))]
    red = [((a[-26:, ..., 0] - a[-26:, ..., 1]) > 80).sum() for a in red]
    assert red[0] > 20
    assert red[1] == 0


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("a.gfi", r"unknown format '.gfi'; have: .gif, .mp4, .png, .webp. Did you mean '.gif'\?"),
        ("a.avi", "unknown format '.avi'"),
        ("film", "unknown format 'film'"),
        (".gif", "unknown format '.gif'"),
    ],
)
def test_unknown_formats(tmp_path, name, says):
    with pytest.raises(UserError, match=says):
        sketch().save(tmp_path / name)
    with pytest.raises(UserError, match="unknown format"):
        check_suffix(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ["gif", "webp", "mp4", "png"])
@pytest.mark.parametrize("scale", [0, -1, 100])
def test_scales_that_cannot_be(tmp_path, monkeypatch, suffix, scale):
    monkeypatch.setattr(movie, "MOST_BYTES", 1_000_000)
    with pytest.raises(UserError, match=rf"3 frames, 14x10 cells, can't be enlarged {scale} times"):
        sketch().save(tmp_path / f"a.{suffix}", scale=scale)
    assert list(tmp_path.iterdir()) == []


def test_large_films_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    monkeypatch.setattr(movie, "MOST_BYTES", 5_000)
    with pytest.raises(
        UserError, match=r"an animation of 4 frames at \(20, 20\) needs too much memory; take fewer, or write an .mp4"
    ):
        shot(size=20, steps=12)
    assert len(shot(size=20, steps=4).frames) == 2
    shown = sketch(2, 10, 14)
    assert shown.save(tmp_path / "a.gif", scale=2)
    with pytest.raises(UserError, match="can't be enlarged 3 times"):
        shown.save(tmp_path / "a.gif", scale=3)


def test_a_film_replaces_another_whole(tmp_path):
    path = tmp_path / "new" / "a.gif"
    sketch(2).save(path, scale=1)
    sketch(3).save(path, scale=1)
    assert len(seen(path)) == 3
    assert [p.name for p in path.parent.iterdir()] == ["a.gif"]
    with pytest.raises(UserError, match="can't be written"):
        sketch(2).save("/dev/null/a.gif")


def test_a_notebook_shows_it():
    shown = shot(erase={4: "left"})
    bundle = shown._repr_mimebundle_()
    assert bundle["text/plain"] == "Film of 5 frames, 12x9 cells, steps 0 to 10"
    data = re.search(r'<img alt="Film of 5 frames.*" src="data:image/webp;base64,(.*)">', bundle["text/html"])[1]
    with Image.open(io.BytesIO(base64.b64decode(data))) as image:
        assert image.format == "WEBP"
    assert np.array_equal(seen(io.BytesIO(base64.b64decode(data))), shown.frames.repeat(24, 1).repeat(24, 2))
