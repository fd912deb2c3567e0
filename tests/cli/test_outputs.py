"""Where commands write: endings in capitals are taken, and what can't be written is refused before the work."""

from pathlib import Path

import pytest
from helpers import films
from helpers.painters import painter, save, scene
from helpers.reels import gif
from PIL import Image

from planaria.cli import main
from planaria.files import unwritable
from planaria.repaint.files import picture_of


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a video model, a style, a photo and a short film, all named in capitals."""
    monkeypatch.chdir(tmp_path)
    films.save(tmp_path / "drift.safetensors", visible=3)
    save(Path("style.safetensors"), painter(spread=0.08))
    picture_of(scene(30, 40)).save("PHOTO.JPG", "JPEG")
    Path("CLIP.GIF").write_bytes(gif((24, 18), [{"colour": 1 + k % 3, "delay": 5} for k in range(4)]))
    return tmp_path


COMMANDS = {
    "run": ["run", "drift.safetensors", "--frames", "3", "-o", "X.GIF"],
    "run mp4": ["run", "drift.safetensors", "--frames", "3", "-o", "X.MP4"],
    "run webp": ["run", "drift.safetensors", "--frames", "3", "-o", "X.Webp"],
    "run strip": ["run", "drift.safetensors", "--frames", "3", "-o", "X.PNG"],
    "export": ["export", "drift.safetensors", "X.HTML"],
    "export film": ["export", "drift.safetensors", "X.GIF", "--frames", "3"],
    "frames": ["frames", "CLIP.GIF", "X.GIF"],
    "frames mp4": ["frames", "CLIP.GIF", "X.MP4"],
    "apply": ["apply", "style.safetensors", "PHOTO.JPG", "-o", "X.JPG", "--steps", "2"],
    "apply film": ["apply", "style.safetensors", "CLIP.GIF", "-o", "X.GIF", "--steps", "2"],
    "simulate": ["simulate", "life", "--size", "12", "--frames", "3", "-o", "X.GIF"],
}
KINDS = {".gif": "GIF", ".webp": "WEBP", ".png": "PNG", ".jpg": "JPEG"}


@pytest.mark.parametrize("name", COMMANDS)
def test_endings_in_capitals_are_taken(place, name):
    words = COMMANDS[name]
    wanted = next(word for word in words if word.startswith("X."))
    if wanted == "X.MP4":
        pytest.importorskip("av")
    before = set(place.iterdir())
    assert main(words) == 0
    assert set(place.iterdir()) - before == {place / wanted}
    if kind := KINDS.get(Path(wanted).suffix.lower()):
        with Image.open(wanted) as image:
            assert image.format == kind
    else:
        assert Path(wanted).stat().st_size > 100


PLACES = ("folder", "file")
REFUSED = [(name, where) for name in COMMANDS for where in PLACES if (name, where) != ("simulate", "folder")]
"""All but a folder for `simulate`, which is where its pictures go."""


@pytest.mark.parametrize(("name", "where"), REFUSED)
def test_what_cannot_be_written_is_refused_before_the_work(place, monkeypatch, capsys, name, where):
    def work(*_, **__):
        pytest.fail("worked")

    for what in (
        "planaria.world.World.tick",
        "planaria.data.frames.Frames.stream",
        "planaria.data.simulate.base.Simulator.film",
        "planaria.repaint.canvas.Canvas.step",
    ):
        monkeypatch.setattr(what, work)
    words = list(COMMANDS[name])
    at = next(k for k, word in enumerate(words) if word.startswith("X."))
    suffix = Path(words[at]).suffix
    Path(f"a folder/x{suffix}").mkdir(parents=True)
    words[at] = f"a folder/x{suffix}" if where == "folder" else f"CLIP.GIF/x{suffix}"
    capsys.readouterr()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ("is a folder" if where == "folder" else "CLIP.GIF is a file") in line


def test_why_a_path_cannot_be_written(tmp_path):
    assert unwritable(tmp_path / "new" / "folders" / "a.gif") == ""
    assert unwritable(tmp_path) == "is a folder"
    assert "can't be written" in unwritable(tmp_path / ("a" * 300 + ".gif"))
    assert "can't be written" in unwritable(tmp_path / "a\0.gif")
