"""What runs of texture and style leave for people."""

import dataclasses
import re

import numpy as np
import pytest
import torch
from PIL import Image

from planaria import store
from planaria.cli import main
from planaria.config import TrainConfig
from planaria.data.photos import open_photos
from planaria.evaluate.stops import fitted
from planaria.report import readme, repainting, sheets
from planaria.tasks import style, texture
from planaria.training.dist import Ranks
from planaria.training.session import Session

ALONE = Ranks(0, 1, torch.device("cpu"))
TRAIN = TrainConfig(steps=2, batch=2, pool=4, rollout=(2, 3))


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    """Sheets of small pictures and short lives."""
    for name, value in (("SIDE", 32), ("CUT", 16), ("GROWN", (0, 5, 12)), ("LONGEST", 40), ("PAINTED", (3, 8))):
        monkeypatch.setattr(repainting, name, value)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for k in range(3):
        pixels = (rng.random((5, 6, 3)) * 255).astype(np.uint8)
        Image.fromarray(pixels).resize((60, 50)).save(tmp_path / "photos" / f"{k}.png")
    Image.fromarray((rng.random((30, 40, 3)) * 255).astype(np.uint8)).save(tmp_path / "style.png")
    return tmp_path


def finished(folder, kind: str):
    """A finished run in `folder`."""
    if kind == "style":
        rule = dataclasses.replace(style.Config().rule, hidden=(8,))
        config = style.Config(style="style.png", photos="photos", size=24, scale=24, rule=rule, train=TRAIN)
    else:
        rule = dataclasses.replace(texture.Config().rule, hidden=(8,))
        config = texture.Config(style="style.png", size=24, scale=24, rule=rule, train=TRAIN)
    session = Session(folder, kind, config, ALONE)
    for _ in session.run():
        pass
    session.finish()
    return folder


def size(path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


USUAL = {
    "README.md", "checkpoint.safetensors", "config.yaml", "film.webp", "loss.png", "metrics.jsonl",
    "model.safetensors", "organism.html", "status.json", "strip.png", "style.png",
}  # fmt: skip


def test_a_style_leaves_a_sheet_of_photos_and_a_film_of_one(place):
    folder = finished(place / "runs" / "gogh", "style")
    assert {p.name for p in folder.iterdir()} == USUAL | {"sheet.png"}
    with Image.open(folder / "sheet.png") as image:
        pixels = np.asarray(image.convert("RGB"))
        assert image.width >= 3 * 40
        assert image.height >= 3 * 33
    wanted = np.asarray(sheets.image(fitted(open_photos("photos", size=48)[0], 40)))
    top, left = sheets_origin()
    assert np.array_equal(pixels[top : top + 33, left : left + 40], wanted), "the photo itself comes first"
    with Image.open(folder / "film.webp") as film:
        assert (film.n_frames, film.size) == (30, (40, 33))
    assert size(folder / "style.png") == (32, 24)
    told = (folder / "README.md").read_text()
    assert "repaints photos in the style of style.png" in told
    assert "planaria apply runs/gogh photo.jpg -o out.png" in told
    assert "![sheet](sheet.png)" in told
    assert "| style at step 0 (filters) |" in told
    assert "organism.html` is one page that runs the model in any browser: drop a photo onto it." in told
    assert "erase" not in told
    assert "target.png" not in told


def sheets_origin() -> tuple[int, int]:
    """Where the first picture of a sheet is."""
    return sheets.HEAD + sheets.GAP, sheets.GAP


def test_a_texture_leaves_tiles_of_its_style_and_itself(place):
    folder = finished(place / "runs" / "weave", "texture")
    assert {p.name for p in folder.iterdir()} == USUAL | {"tiles.png"}
    style_size = size(folder / "style.png")
    assert style_size == (32, 24)
    with Image.open(folder / "tiles.png") as image:
        pixels = np.asarray(image.convert("RGB"))
    with Image.open(folder / "style.png") as image:
        wanted = np.asarray(image)
    top, left = sheets_origin()
    scale = 2 if max(style_size) <= 32 else 1
    assert np.array_equal(pixels[top : top + 24 * scale : scale, left : left + 32 * scale : scale], wanted)
    with Image.open(folder / "film.webp") as film:
        assert film.size == (32, 32)
        film.seek(0)
        first = np.asarray(film.convert("RGB"))
    assert np.abs(first.astype(int) - 128).max() <= 1, "it begins grey"
    told = (folder / "README.md").read_text()
    assert "grows an endless texture like that of style.png" in told
    assert "planaria apply runs/weave -o texture.png --size 1080" in told
    assert "![tiles](tiles.png)" in told


@pytest.mark.parametrize("kind", ["style", "texture"])
def test_show_says_what_it_was_trained_on(place, capsys, colours, kind):
    folder = finished(place / "runs" / "a", kind)
    assert main(["show", str(folder)]) == 0
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).split())
    assert f"task {kind} style.png" in said
    assert "steps 0, " in said
    assert "cell steps" not in said
    at = [said.index(f"style at step {k} (filters)") for k in (0, 60, 200, 1000)]
    assert at == sorted(at), "in the order of life"


def test_show_tells_the_prompts_of_a_text_model(place, capsys):
    folder = finished(place / "runs" / "a", "style")
    rule, layout = store.load(folder)
    card = store.card(folder)
    config = {k: v for k, v in card["config"].items() if k != "style"} | {"prompts": ["a pencil sketch", "mosaic:2"]}
    card = card.changed(task="text", config=config)
    store.save(place / "text.safetensors", rule, layout, card, store.start(folder))
    assert main(["show", "text.safetensors"]) == 0
    assert "text a pencil sketch, mosaic:2" in capsys.readouterr().out
    told = readme.card_text(card, rule.config)
    assert "repaints photos as “a pencil sketch” and “mosaic:2”" in told
    assert "style.png" not in told
