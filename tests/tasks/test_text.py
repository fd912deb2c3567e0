"""Text: cells learn from words what photos should look like, through a CLIP that this file's helper trains itself."""

import dataclasses
import shutil

import numpy as np
import pytest
import torch
from helpers import tiny_clip
from PIL import Image
from safetensors.torch import save_file
from torch.testing import assert_close

from planaria import store
from planaria.cli import main
from planaria.config import TrainConfig
from planaria.engine import run
from planaria.errors import UserError
from planaria.losses.clip import load_clip
from planaria.recipes import find, run_name
from planaria.tasks.restyle import PAINTER
from planaria.tasks.text import Config, Task
from planaria.training.dist import Ranks
from planaria.training.session import Session

ALONE = Ranks(0, 1, torch.device("cpu"))
LIVED = 16
"""Cell steps after which the models of these tests are looked at."""


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    with tiny_clip.offline():
        yield tiny_clip.trained(tmp_path_factory.getbasetemp())


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of clouds of all colours."""
    folder = tmp_path_factory.mktemp("photos")
    for k in range(8):
        save(folder / f"{k}.png", tiny_clip.ground(torch.Generator().manual_seed(100 + k), 64))
    return folder


def save(path, picture: torch.Tensor) -> None:
    Image.fromarray((picture * 255).byte().permute(1, 2, 0).numpy().astype(np.uint8)).save(path)


@pytest.fixture
def config(clip, photos):
    """A training of seconds, with other settings."""

    def made(train: dict | None = None, **settings) -> Config:
        how = TrainConfig(steps=90, batch=4, pool=12, rollout=(8, LIVED), lr=3e-3, lr_drops=(0.6,), seed=3)
        usual = {
            "prompts": ("red",), "clip": str(clip), "photos": str(photos), "size": 32, "cutouts": 4, "content": 0.1,
            "rule": dataclasses.replace(PAINTER, hidden=(32,)), "train": dataclasses.replace(how, **(train or {})),
        }  # fmt: skip
        return Config(**{**usual, **settings})

    return made


def trained(folder, config: Config, steps: int | None = None) -> Session:
    """A session in `folder` that has gone on to `steps`, or to its end."""
    session = Session(folder, "text", config, ALONE, resume=folder.exists())
    for _ in session.run(lambda: session.step == steps):
        pass
    return session


def painted(session: Session, photos: torch.Tensor) -> torch.Tensor:
    """What a model makes of photos `(n, 3, h, w)`."""
    layout = session.task.layout
    with torch.no_grad():
        return layout.picture(run(session.trainer.best_rule(), layout.pose(photos), LIVED)).clamp(0, 1)


@pytest.mark.long
@pytest.mark.parametrize("directional", [False, True])
def test_red_is_redder_than_blue(config, clip, tmp_path, directional):
    """By CLIP's own measure and by plain colour, on photos never seen."""
    unseen = torch.stack([tiny_clip.ground(torch.Generator().manual_seed(k), 32) for k in range(6)])
    judge, ends = load_clip(str(clip)), {}
    for colour in ("red", "blue"):
        session = trained(tmp_path / colour, config(prompts=(colour,), directional=directional))
        ends[colour] = painted(session, unseen)
    aims = judge.text(["red", "blue"])
    by_clip = {colour: judge.image(end) @ (aims[0] - aims[1]) for colour, end in ends.items()}
    plain = {colour: (end[:, 0] - end[:, 2]).mean((1, 2)) for colour, end in ends.items()}
    before = (unseen[:, 0] - unseen[:, 2]).mean((1, 2))
    assert (by_clip["red"] > by_clip["blue"] + 0.5).all()
    assert (plain["red"] > plain["blue"] + 0.2).all()
    assert (plain["red"] > before + 0.05).all()
    assert (plain["blue"] < before - 0.05).all()


@pytest.mark.long
def test_a_resumed_run_is_the_same_without_its_pictures(config, photos, tmp_path):
    """Embeddings, photos and head are kept in the checkpoint: their files may be gone."""
    there = shutil.copytree(photos, tmp_path / "photos")
    save(tmp_path / "blue.png", torch.tensor(tiny_clip.COLOURS["blue"])[:, None, None].expand(3, 40, 50))
    save_file({"weight": torch.randn(1, 32), "bias": torch.ones(1)}, tmp_path / "head.safetensors")
    own = config(
        {"steps": 6, "checkpoint": 2},
        prompts=("red disc:2", f"{tmp_path / 'blue.png'}:0.5", "green:-0.5"),
        photos=str(there),
        aesthetic=str(tmp_path / "head.safetensors"),
        directional=True,
    )
    whole = trained(tmp_path / "whole", own)
    trained(tmp_path / "parts", own, steps=3)
    for file in (tmp_path / "blue.png", tmp_path / "head.safetensors"):
        file.unlink()
    shutil.rmtree(there)
    parts = trained(tmp_path / "parts", own)
    assert parts.step == 6
    for mine, theirs in zip(parts.trainer.learned, whole.trainer.learned, strict=True):
        assert torch.equal(mine, theirs)
    assert {"aims", "origins", "head", "photos"} <= set(parts.task.tensors)


@pytest.mark.long
def test_another_clip_is_refused_when_resumed(config, clip):
    task = Task(config(), ALONE.device)
    kept = {**task.tensors, "aims": torch.zeros(1, 7), "origins": torch.zeros(1, 7)}
    with pytest.raises(UserError, match="32 numbers an embedding: not the one of this run"):
        Task(config(), ALONE.device, kept)


@pytest.mark.long
def test_the_terms(config, tmp_path):
    save_file({"weight": torch.zeros(1, 32), "bias": torch.ones(1)}, tmp_path / "head.safetensors")
    told = {"colour": 0.3, "tv": 0.2, "text": 2.0, "directional": False}
    settings = {"aesthetic": str(tmp_path / "head.safetensors"), **told}
    task = Task(config(**settings), ALONE.device)
    batch = task.fresh(3, torch.Generator().manual_seed(1))
    terms = task.look(batch.x, batch, 5)
    assert set(terms) == {"text", "aesthetic", "colour", "content"}
    assert_close(terms["aesthetic"], torch.full((3,), 0.05 * 9))
    assert terms["colour"].max() < 1e-3, "a photo has its own colours"
    assert terms["content"].max() < 1e-3
    assert batch.target is not None
    assert_close(terms["text"], 2 * task.clip_loss(batch.target, batch.target, 5)["text"])
    assert torch.equal(terms["text"], task.look(batch.x, batch, 5)["text"])
    assert not torch.equal(terms["text"], task.look(batch.x, batch, 6)["text"])
    assert set(task.bounds(batch.x)) == {"variation", "overflow"}
    way = Task(config(directional=True), ALONE.device).look(batch.x, batch, 5)
    assert_close(way["text"], torch.ones(3), msg="from a photo that is one still there is no way yet")


@pytest.mark.long
def test_pictures_are_prompts_too(config, clip, tmp_path):
    save(tmp_path / "blue.png", torch.tensor(tiny_clip.COLOURS["blue"])[:, None, None].expand(3, 40, 50))
    task = Task(config(prompts=("red", str(tmp_path / "blue.png"), "image:heart:-1")), ALONE.device)
    aims, words = task.tensors["aims"], load_clip(str(clip)).text(["red", "blue", "green"])
    assert_close(aims[0], words[0])
    assert (aims[1] @ words.T).argmax() == 1
    origins = task.tensors["origins"]
    assert_close(origins.norm(dim=1), torch.ones(3))
    assert torch.equal(origins[1], origins[2])
    assert not torch.allclose(origins[0], origins[1], atol=0.05), "words set out from words, pictures from photos"
    with pytest.raises(UserError, match="no picture"):
        Task(config(prompts=("gone.png",)), ALONE.device)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"prompts": ()}, "above 0"), ({"prompts": ("mosaic:0",)}, "weight"), ({"cutouts": 0}, "cutouts must be"),
        ({"text": 0}, "text is 0"), ({"text": -1}, "text must be"), ({"augment": 9}, "augment must be"),
        ({"clip": " "}, "clip is empty"), ({"content": -1}, "content must be"), ({"shifts": (4,)}, "rule.frozen=3"),
        ({"aesthetic_goal": float("nan")}, "aesthetic_goal must be"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(settings, why):
    with pytest.raises(UserError, match=why):
        Config(**settings)


@pytest.mark.parametrize(
    ("prompts", "name"),
    [
        (("a pencil sketch", "mosaic:2"), "a-pencil-sketch"), (("mosaic:2",), "mosaic"),
        (("image:art/Gogh.jpg:3",), "gogh"), (("gogh.png",), "gogh"), (("half: done",), "half-done"),
    ],
)  # fmt: skip
def test_a_run_is_called_after_its_first_prompt(prompts, name):
    assert run_name("text", Config(prompts=prompts)) == name


@pytest.mark.long
def test_the_command_line_takes_prompts_as_words(clip, photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = [
        f"clip={clip}", f"photos={photos}", "size=32", "cutouts=2", "rule.hidden=8", "train.steps=2", "train.pool=4",
        "train.rollout=2,3", "train.batch=2",
    ]  # fmt: skip
    assert main(["train", "text", "a red, old disc", *small, "blue:-0.5", "--runs", "there"]) == 0
    card = store.read_header(tmp_path / "there" / "a-red-old-disc" / "model.safetensors")["card"]
    assert card["config"]["prompts"] == ["a red, old disc", "blue:-0.5"]
    assert card["figures"]["distance to the prompts at step 60"] > 0
    assert main(["train", "there/a-red-old-disc", "--resume"]) == 0
    assert main(["train", "--name", "second", "text", "green", *small]) == 0
    assert find("runs/second").settings["prompts"] == ["green"]
    assert main(["train", "--name", "third", "text", *small, "prompts=red,blue"]) == 0
    assert find("runs/third").settings["prompts"] == ["red", "blue"]
    capsys.readouterr()


def test_words_that_no_task_asked_for(capsys):
    for words in (["train", "grow", "a pencil sketch"], ["train", "--name", "x", "grow", "a pencil sketch"]):
        assert main(words) == 2
        assert (
            "'a pencil sketch' is not a setting; write key=value, as in 'picture=a pencil sketch'"
            in capsys.readouterr().err
        )
