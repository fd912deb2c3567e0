"""The documentation is run: every Python block, every planaria command, every recipe in it."""

import re
import runpy
import shlex
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from helpers.bodies import brief
from helpers.published import CHEST, TEXTURE, drawn, layers, textures
from helpers.tiny import WORDS
from helpers.tiny_clip import offline, trained
from PIL import Image, ImageDraw

import planaria
from planaria.cli import main
from planaria.config import pairs
from planaria.data import emoji, scenes, simulate
from planaria.data.frames import write_frames
from planaria.export.movie import Film
from planaria.recipes import find
from planaria.tasks import video

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
ENDLESS = ("play", "studio")
"""Commands that end when a person ends them: tests/view and tests/web run those."""
SMALL = [*WORDS[1:], "train.steps=2"]
FILM = [
    "size=16", "count=12", "clips=1", "context=2", "horizon=1,2", "rule.channels=4", "rule.hidden=8", "train.steps=2",
    "train.batch=2", "train.pool=4",
]  # fmt: skip
QUICK = ["size=32", "rule.hidden=8", "train.steps=2", "train.batch=2", "train.pool=4", "train.rollout=2,3"]
MOVING = ["size=16", "cells=16", "rule.channels=4", *(word for word in QUICK if word != "size=32")]
BRIEF = [word for word in QUICK if word.startswith("train.")]
PAINT = {
    "texture": ["scale=48", *QUICK],
    "style": ["scale=48", "photos=photo.jpg", *QUICK],
    "text": ["clip=tiny-clip", "cutouts=2", "photos=photo.jpg", *QUICK],
}


def blocks(page: Path, *languages: str) -> list[str]:
    return [code for kind, code in re.findall(r"```(\w*)\n(.*?)```", page.read_text(), re.DOTALL) if kind in languages]


def commands(page: Path) -> list[list[str]]:
    lines = [line for code in blocks(page, "sh", "") for line in code.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines if line.startswith("planaria ")]
    ours = [w for w in words if w[1] not in ENDLESS or "--help" in w]
    shut = ("://", "medmnist:", *(() if emoji.fonts() or emoji.artwork() else ("=🦎",)))  # what can't be had here
    return [w for w in ours if not any(part.endswith("NAME") or any(s in part for s in shut) for part in w)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder where the documentation's names exist: pictures, films, a recipe, runs."""
    folder = tmp_path_factory.mktemp("docs")
    for name in ("cat", "clipped"):
        Image.new("RGB", (20, 20), (200, 120, 40)).save(folder / f"{name}.png")
    drawing = Image.new("RGB", (40, 40), "white")
    ImageDraw.Draw(drawing).ellipse((8, 8, 31, 31), fill="red", outline="black", width=3)
    drawing.save(folder / "drawing.jpg")
    (folder / "recipe.yaml").write_text("task: grow\npicture: cat.png\n")
    (folder / "train_config.yaml").write_text("target_path: cat.png\niterations: 2\nimg_size: 8\nfilter: sobel\n")
    film = "model_path: runs/cat/model.safetensors\nani_path: cat.gif\niterations: 4\nimg_size: 40\n"
    (folder / "visualize_config.yaml").write_text(film)
    layers(folder / "ex3_lizard.json", [(48, 8), (8, 16)])
    torch.save(drawn(CHEST), folder / "chest.pt")
    copied = drawn({"fc0.weight": (20, 48), "fc0.bias": (20,), "fc1.weight": (16, 20)})
    torch.save({"model": copied, "ema": copied}, folder / "checkpoint.pth")
    textures(folder / "models.json", names=["a", "b", "c", "bubbly_0101", "d"])
    torch.save(drawn(TEXTURE), folder / "bubbles.pth")
    planaria.train(
        "grow", name="cat", runs=folder / "runs", picture=str(folder / "cat.png"), size=8, padding=32,
        train={"steps": 2, "pool": 8, "rollout": [4, 6]},
    )  # fmt: skip
    frames = simulate.frames("life,size=16", 44)
    write_frames(frames[:14], folder / "stills")
    (folder / "frame.png").write_bytes(sorted((folder / "stills").glob("*.png"))[0].read_bytes())
    pictures = (frames * 255).byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
    Film(pictures, tuple(range(44)), fps=20).save(folder / "clip.mp4", scale=2)
    shutil.copyfile(folder / "clip.mp4", folder / "fire.mp4")
    settings, _ = pairs(video.Config, FILM)
    for name in ("gogh.jpg", "pasta.jpg", "photo.jpg"):
        scenes.load("fruit", (48, 72)).save(folder / name)
    with offline():
        trained(folder)
    for task, name in (("texture", "pasta"), ("style", "gogh")):
        source = [f"style={folder / name}.jpg", "--name", name, "--runs", str(folder / "runs")]
        words = [f"photos={folder / 'photo.jpg'}" if word.startswith("photos=") else word for word in PAINT[task]]
        assert main(["train", task, *source, *words]) == 0
    for name, more in (("ladybird", []), ("clipped", ["spread=still"])):
        assert main(["train", "infect", *BRIEF, *more, "--name", f"{name}-virus", "--runs", str(folder / "runs")]) == 0
    fire = [f"frames={folder / 'fire.mp4'}", "--name=fire", f"--runs={folder / 'runs'}"]
    assert main(["train", "dynamic_texture", *fire, *MOVING]) == 0
    planaria.train("video", name="film", runs=folder / "runs", **{**settings, "frames": str(folder / "stills")})
    planaria.train("video", name="lenia", runs=folder / "runs", **{**settings, "frames": "sim:lenia"})
    return folder


def small(what: str, *, turned: bool = False) -> list[str]:
    """Settings that make a training short; `turned` if it is that of a film `--as texture`."""
    task = find(what).task
    if turned or task == "dynamic_texture":
        return MOVING
    if task == "infect":
        return BRIEF
    few = ["damage=2"] if what == "healer" else []  # of a batch of four
    return PAINT.get(task) or (FILM if task == "video" else [*SMALL, *few])


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_python_blocks_run(page, place, monkeypatch):
    monkeypatch.chdir(place)
    brief(monkeypatch)
    for code in blocks(page, "python"):
        exec(compile(code, page.name, "exec"), {"__name__": page.stem})


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda p: p.name)
def test_commands_run(page, place, monkeypatch):
    monkeypatch.chdir(place)
    brief(monkeypatch)
    for number, words in enumerate(commands(page)):
        if words[1] == "train" and "--help" not in words and "--resume" not in words:
            short = [word for word in words if not word.startswith("train.minutes=")]
            words = [*short, *small(words[2], turned="--as" in words), "--name", f"{page.stem}-{number}"]
        if words[1] == "bench":
            works = [] if len(words) > 2 and not words[2].startswith("-") else ["--works", "tick"]
            words = [*words, *works, "--engines", "sparse", "--scale", "0.1", "--repeats", "1", "--threads", "1"]
        assert main(words[1:]) == 0, words


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "yaml")], ids=lambda p: p.name)
def test_recipes_train(page, place, monkeypatch):
    monkeypatch.chdir(place)
    for number, text in enumerate(blocks(page, "yaml")):
        assert yaml.safe_load(text)["task"]
        recipe = place / f"{page.stem}-recipe-{number}.yaml"
        recipe.write_text(text)
        assert main(["train", str(recipe), *small(str(recipe))]) == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_examples_run(place, monkeypatch):
    monkeypatch.chdir(place)
    growing = runpy.run_path(str(ROOT / "examples" / "grow_a_picture.py"))
    assert growing["main"](place / "runs", steps=2).stat().st_size > 500
    live = runpy.run_path(str(ROOT / "examples" / "live_world.py"))
    assert 0 <= live["main"](str(place / "runs" / "cat")) <= 1
    assert {p.name for p in (ROOT / "examples").glob("*.py")} == {
        "grow_a_picture.py", "live_world.py",
        "notebook.py",  # tests/view/test_notebook_cells.py runs it
    }  # fmt: skip
