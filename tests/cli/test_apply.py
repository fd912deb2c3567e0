"""`planaria apply`: photos, films and textures, typed as a person does; what it refuses; and an interrupt."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import films
from helpers.painters import follower, painter, save, scene, weaver
from helpers.reels import gif
from PIL import Image

from planaria.cli import main
from planaria.data.frames import open_frames, write_frames
from planaria.data.sources import NOTE
from planaria.repaint import repaint, repaint_film
from planaria.repaint.canvas import Canvas
from planaria.repaint.files import open_photo, picture_of

command = sys.modules["planaria.cli.apply"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with models made by hand, a photo, a short film and its frames."""
    monkeypatch.chdir(tmp_path)
    save(Path("style.safetensors"), painter(spread=0.08))
    save(Path("negative.safetensors"), follower())
    save(Path("grow.safetensors"), weaver(), "texture")
    picture_of(scene(30, 40)).save("photo.png")
    write_frames(walk(), "frames")
    Path("clip.gif").write_bytes(gif((24, 18), [{"colour": 1 + k % 3, "delay": 5} for k in range(4)]))
    return tmp_path


def walk(n: int = 5) -> list[torch.Tensor]:
    wide = scene(20, 40).float() / 255
    return [wide[:, :, k : k + 24] for k in range(n)]


def model(name: str):
    from planaria.living import find

    return find(f"{name}.safetensors")


def said(capsys, *words: object) -> str:
    capsys.readouterr()
    assert main(["apply", *map(str, words)]) == 0
    return capsys.readouterr().out.strip()


@pytest.fixture
def refused(place, capsys):
    def call(*words: object) -> str:
        before = sorted(place.rglob("*"))
        capsys.readouterr()
        assert main(["apply", *map(str, words)]) == 2
        assert sorted(place.rglob("*")) == before
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return call


def shown(path) -> np.ndarray:
    with Image.open(path) as image:
        frames = []
        for k in range(getattr(image, "n_frames", 1)):
            image.seek(k)
            frames.append(np.asarray(image.convert("RGB")))
    return np.stack(frames)


def levels(seen: torch.Tensor) -> np.ndarray:
    return seen.permute(1, 2, 0).numpy()


def test_a_photo(place, capsys):
    assert said(capsys, "style.safetensors", "photo.png", "-o", "out.png") == "out.png: 40x30 pixels, 60 steps"
    want = repaint(model("style"), open_photo("photo.png"), 60)
    assert np.array_equal(shown("out.png")[0], levels(want))
    for name in ("new/out.jpg", "out.webp", "out.JPEG"):
        said(capsys, "style.safetensors", "photo.png", "-o", name)
        assert np.abs(shown(name)[0].astype(int) - levels(want)).mean() < 8
    assert not list(place.rglob("*.part"))


def test_steps_size_seed_and_engine(place, capsys):
    words = ["style.safetensors", "photo.png", "--size", 20, "--steps", 3, "--seed", 5, "--engine", "reference"]
    assert said(capsys, *words, "-o", "a.png") == "a.png: 20x15 pixels, 3 steps"
    want = repaint(model("style"), open_photo("photo.png", 20), 3, seed=5, engine="reference")
    assert np.array_equal(shown("a.png")[0], levels(want))
    said(capsys, "style.safetensors", "photo.png", "--size", 20, "--steps", 3, "--seed", 6, "-o", "b.png")
    assert not np.array_equal(shown("a.png"), shown("b.png"))
    said(capsys, "style.safetensors", "lizard", "--steps", 0, "--size", 24, "-o", "c.png")
    assert shown("c.png").shape[2] == 24


def test_a_film_of_how_a_photo_is_painted(place, capsys):
    line = said(capsys, "negative.safetensors", "photo.png", "-o", "a.png", "--film", "how.gif", "--steps", 10)
    assert line == "a.png: 40x30 pixels, 10 steps; how.gif shows how"
    how = open_frames("how.gif")
    photo = open_photo("photo.png")
    assert abs(how[0].mean() * 255 - photo.float().mean()) < 4
    assert abs(how[-1].mean() * 255 - (255 - photo.float()).mean()) < 8
    means = [float(how[k].mean()) for k in range(len(how))]
    assert means == sorted(means) or means == sorted(means, reverse=True)
    with Image.open("how.gif") as image:  # its last frame stands: a GIF holds equal ones as one
        total = sum(image.seek(k) or image.info["duration"] for k in range(image.n_frames))
    assert total == 50 * (11 + 30)


def test_a_film_of_a_long_painting_is_short_and_small(place, capsys, monkeypatch):
    monkeypatch.setattr(command, "FILM_SIDE", 20)
    monkeypatch.setattr(command, "FILM_FRAMES", 10)
    pytest.importorskip("av")
    said(capsys, "grow.safetensors", "-o", "a.png", "--film", "how.mp4", "--steps", 23, "--size", "30x40")
    how = open_frames("how.mp4")
    assert how.size == (16, 20)  # of 15 x 20, as the codec wants even sides
    assert len(how) == 1 + 7 + 1 + 30 - 1
    assert how.fps == 20


def test_a_texture(place, capsys):
    assert said(capsys, "grow.safetensors", "-o", "a.png", "--size", 48, "--steps", 20) == (
        "a.png: 48x48 pixels, 20 steps"
    )
    assert shown("a.png").std() > 2
    assert said(capsys, "grow.safetensors", "-o", "b.png", "--size", "20x50") == "b.png: 50x20 pixels, 300 steps"
    said(capsys, "grow.safetensors", "-o", "c.png", "--size", 48, "--steps", 20, "--seed", 1)
    assert not np.array_equal(shown("a.png"), shown("c.png"))
    assert "512x512" in said(capsys, "grow.safetensors", "-o", "d.png", "--steps", 1)


def test_a_film_keeps_its_cells(place, capsys):
    line = said(capsys, "style.safetensors", "frames", "-o", "out", "--steps", 6, "--frame-steps", 2)
    assert line == "out: 5 frames of 24x20 pixels, 30 a second, 2 steps each, cells kept"
    frames = [(frame * 255).round().byte() for frame in walk()]
    want = repaint_film(model("style"), frames, steps=6, frame_steps=2)
    for k, seen in enumerate(want):
        assert np.array_equal(shown(f"out/{k:06d}.png")[0], levels(seen))
    line = said(capsys, "style.safetensors", "frames", "-o", "anew", "--steps", 6, "--restart")
    assert line.endswith("6 steps each")
    assert np.array_equal(shown("anew/000003.png")[0], levels(repaint(model("style"), frames[3], 6)))
    assert np.array_equal(shown("anew/000000.png"), shown("out/000000.png"))


def test_cells_stay_where_they_are_if_asked_to(place, capsys):
    said(capsys, "style.safetensors", "frames", "-o", "out", "--steps", 6, "--frame-steps", 2, "--no-follow")
    frames = [(frame * 255).round().byte() for frame in walk()]
    want = list(repaint_film(model("style"), frames, steps=6, frame_steps=2, follow=False))
    assert np.array_equal(shown("out/000004.png")[0], levels(want[4]))
    assert not torch.equal(want[4], list(repaint_film(model("style"), frames, steps=6, frame_steps=2))[4])


def test_frames_a_second_are_kept(place, capsys):
    said(capsys, "style.safetensors", "clip.gif", "-o", "a.gif", "--frame-steps", 1, "--steps", 2)
    assert open_frames("a.gif").fps == 20
    said(capsys, "style.safetensors", "clip.gif", "-o", "folder", "--frame-steps", 1, "--steps", 2)
    assert open_frames("folder").fps == 20
    assert sorted(p.name for p in Path("folder").iterdir())[0] == NOTE
    said(capsys, "style.safetensors", "folder", "-o", "b.webp", "--size", 12, "--steps", 1, "--frame-steps", 1)
    assert open_frames("b.webp").fps == 20
    assert open_frames("b.webp").size == (9, 12)
    assert not list(place.glob(".*.part"))


def test_an_mp4_in_and_out(place, capsys):
    pytest.importorskip("av")
    main(["frames", "frames", "in.mp4", "--fps", "12"])
    line = said(capsys, "style.safetensors", "in.mp4", "-o", "new/out.mp4", "--steps", 2, "--frame-steps", 1)
    assert line == "new/out.mp4: 5 frames of 24x20 pixels, 12 a second, 1 steps each, cells kept"
    assert (open_frames("new/out.mp4").fps, len(open_frames("new/out.mp4"))) == (12, 5)


def test_of_a_moving_picture_the_first_frame_may_be_a_photo(place, capsys):
    assert said(capsys, "style.safetensors", "clip.gif", "-o", "a.png", "--steps", 2) == "a.png: 24x18 pixels, 2 steps"
    said(capsys, "style.safetensors", "clip.gif#2", "-o", "b.webp", "--steps", 2)
    assert len(shown("b.webp")) == 1


@pytest.mark.parametrize(
    "words",
    [
        ["photo.png", "-o", "a.png"],
        ["photo.png", "-o", "a.png", "--film", "how.gif"],
        ["frames", "-o", "a.gif", "--frame-steps", 1, "--steps", 1],
        ["frames", "-o", "folder", "--frame-steps", 1, "--steps", 1],
        ["frames", "-o", "a.mp4", "--frame-steps", 1, "--steps", 1],
    ],
    ids=["photo", "how", "gif", "folder", "mp4"],
)
def test_an_interrupt_leaves_nothing(place, capsys, monkeypatch, words):
    if "a.mp4" in words:
        pytest.importorskip("av")
    before, step = sorted(place.rglob("*")), Canvas.step
    taken = []

    def until(canvas, n=1):
        taken.append(n)
        if len(taken) == 4:
            raise KeyboardInterrupt
        step(canvas, n)

    monkeypatch.setattr(Canvas, "step", until)
    assert main(["apply", "style.safetensors", *map(str, words)]) == 130
    assert capsys.readouterr().err.strip() == "planaria: interrupted"
    assert sorted(place.rglob("*")) == before


def test_what_was_there_stays_when_a_film_breaks(place, capsys, monkeypatch):
    Path("a.gif").write_bytes(b"before")
    monkeypatch.setattr(Canvas, "expose", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    assert main(["apply", "style.safetensors", "frames", "-o", "a.gif"]) == 130
    assert Path("a.gif").read_bytes() == b"before"


def test_mistakes_are_one_line(refused, place):
    style, photo = "style.safetensors", "photo.png"
    films.save(place / "drift.safetensors")
    assert "unknown picture format '.pgn'" in refused(style, photo, "-o", "a.pgn")
    assert "unknown picture format '.mp4'" in refused(style, photo, "-o", "a.mp4")
    assert "unknown video format '.png'" in refused(style, "frames", "-o", "a.png")
    assert "unknown video format '.png'" in refused(style, photo, "-o", "a.png", "--film", "b.png")
    assert "no picture 'nowhere.jpg'" in refused(style, "nowhere.jpg", "-o", "a.png")
    assert "no frames 'nowhere.mp4'" in refused(style, "nowhere.mp4", "-o", "a.mp4")
    assert "is no picture" in refused(style, "style.safetensors", "-o", "a.png")
    assert "name another file to write" in refused(style, photo, "-o", photo)
    assert "name another file to write" in refused(style, "clip.gif", "-o", "a.png", "--film", "clip.gif")
    assert "frames is there already" in refused(style, "clip.gif", "-o", "frames")
    assert "keeps its shape" in refused(style, photo, "-o", "a.png", "--size", "30x40")
    assert "write 72 or ROWSxCOLUMNS" in refused(style, photo, "-o", "a.png", "--size", "big")
    assert "--steps -1" in refused(style, photo, "-o", "a.png", "--steps", -1)
    assert "--frame-steps 0" in refused(style, "frames", "-o", "a.gif", "--frame-steps", 0)
    for word in ("--restart", "--no-follow"):
        assert "are for videos" in refused(style, photo, "-o", "a.png", word)
    assert "device 'warp' can't be used here" in refused(style, photo, "-o", "a.png", "--device", "warp")
    assert "shows how a photo is painted" in refused(style, "frames", "-o", "a.gif", "--film", "b.gif")
    assert "planaria apply MODEL PHOTO" in refused(style, "-o", "a.png")
    assert "leave out 'photo.png'" in refused("grow.safetensors", photo, "-o", "a.png")
    assert "leave out 'frames'" in refused("grow.safetensors", "frames", "-o", "a.gif")
    assert "million pixels; the limit is 50 million" in refused("grow.safetensors", "-o", "a.png", "--size", 8000)
    assert "planaria run lizard" in refused("lizard", photo, "-o", "a.png")
    assert "planaria run drift.safetensors" in refused("drift.safetensors", photo, "-o", "a.png")
    assert "unknown engine 'wasm'" in refused(style, photo, "-o", "a.png", "--engine", "wasm")
    assert "output" in refused(style, photo).lower()


def test_a_gif_that_would_take_too_much_memory(refused, monkeypatch):
    monkeypatch.setattr(command, "MOST_BYTES", 3000)
    assert "make it an .mp4" in refused("style.safetensors", "frames", "-o", "a.gif", "--steps", 1)
