"""What a video task shows of itself while it trains, and the verdict that it ends with."""

import dataclasses
import io

import numpy as np
import pytest
import torch
from helpers.moving import shifting
from PIL import Image

from planaria import store
from planaria.cli import main
from planaria.config import TrainConfig
from planaria.core.rule import RuleConfig
from planaria.data.frames import write_frames
from planaria.evaluate.verdict import METRICS, Course
from planaria.store import live
from planaria.tasks.about import View
from planaria.tasks.video import Config, Task
from planaria.training import broadcast, preview
from planaria.training.dist import Ranks
from planaria.training.session import Session
from planaria.view.studio import cards

CPU = torch.device("cpu")
RULE = RuleConfig(channels=2, filters=("learned",), hidden=(4,), fire_rate=1.0, life="none", edge="circular")
TRAIN = TrainConfig(steps=6, batch=2, pool=2, rollout=(1, 1), validate=2, checkpoint=4)


@pytest.fixture
def config(tmp_path) -> Config:
    write_frames(shifting(30), tmp_path / "frames")
    return Config(
        frames=str(tmp_path / "frames"), steps=1, context=2, horizon=(1, 2), held_out=0.2, rule=RULE, train=TRAIN
    )


@pytest.fixture
def eager(monkeypatch):
    """A training that shows itself whenever it can."""
    monkeypatch.setattr(broadcast, "EVERY", 0.0)
    monkeypatch.setattr(broadcast, "SHARE", 1e9)
    monkeypatch.setattr(preview, "SHARE", 1e9)


def session(folder, config: Config) -> Session:
    return Session(folder, "video", config, Ranks(0, 1, CPU))


def size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        return image.size


def test_a_view_is_the_film_above_and_the_roll_out_below(config):
    task = Task(config, CPU)
    view = task.view(task.init(0))
    assert view is not None
    assert view.heads == ("frame 1", "5", "10", "20", "28")  # the film has 28 after its context
    truth, made = view.rows.values()
    assert truth.shape == made.shape == (5, 3, 6, 12)
    assert truth[:, 0, 0].argmax(-1).tolist() == [(2 + h - 1) % 12 for h in (1, 5, 10, 20, 28)]
    assert torch.equal(task.view(task.init(0)).rows["alone"], made)


def test_views_are_taken_at_once_and_at_validations(config, tmp_path, eager):
    s = session(tmp_path / "run", config)
    seen = []
    for report in s.run():
        seen.append((report.step, s.broadcast.preview.step))
    assert seen == [(1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 6)]
    assert isinstance(s.picture(), View)


def test_views_take_a_small_share_of_the_time(config, tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(preview.time, "monotonic", lambda: now[0])
    s = session(tmp_path / "run", config)
    taken = preview.Preview()
    plain = s.task.view

    def slow(rule) -> View | None:
        now[0] += 1.5
        return plain(rule)

    s.task.view = slow
    s.trainer.step_count = 2
    for seconds, step in ((0, 2), (49, 2), (2, 4)):
        now[0] += seconds
        s.trainer.step_count = 2 if step == 2 else 4
        taken.after(s.trainer)
        assert taken.step == step
    assert now[0] == 0 + 1.5 + 49 + 2 + 1.5


def test_the_run_folder_and_who_watches_see_the_view(config, tmp_path, eager):
    s = session(tmp_path / "run", config)
    reports = s.run()
    live.watch(s.folder)
    for _ in range(4):
        next(reports)
    next(reports)
    shown = preview.png(s.broadcast.preview.view)
    assert (s.folder / live.POOL).read_bytes() == shown
    assert (s.folder / "rollout.png").read_bytes() == shown
    picture = np.asarray(Image.open(io.BytesIO(shown)).convert("RGB"))
    assert picture.shape[0] < picture.shape[1]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 3
    reports.close()


def test_a_large_film_has_a_small_view():
    view = View(("frame 1", "5"), {"video": torch.rand(2, 3, 300, 900), "alone": torch.rand(2, 3, 300, 900)}, "both")
    assert max(size(preview.png(view))) < 600


def test_who_sees_changes_nothing(config, tmp_path, monkeypatch, eager):
    for name in ("a", "b"):
        if name == "b":
            monkeypatch.setattr(Task, "view", lambda *_: None)
        list(session(tmp_path / name, config).run())
    a, b = ((tmp_path / name / "checkpoint.safetensors").read_bytes() for name in "ab")
    assert a == b
    assert not (tmp_path / "b" / "rollout.png").exists()


def test_a_run_ends_with_its_verdict(config, tmp_path, capsys):
    config = dataclasses.replace(config, train=dataclasses.replace(TRAIN, steps=2))
    s = session(tmp_path / "run", config)
    list(s.run())
    measured = s.finish()
    found = Course.read(measured)
    assert found is not None
    assert (found.of, found.run) == (28, 1000)
    assert Course.read(store.card(s.folder).metrics) == found
    line = str(found)
    readme = (s.folder / "README.md").read_text()
    assert f"**{line[0].upper()}{line[1:]}.**" in readme
    assert METRICS[0] not in readme.split("## Settings")[0]
    assert f"**{line[0].upper()}{line[1:]}.**" in (s.folder / "scores.md").read_text()
    about = cards.of_model(s.folder / "model.safetensors")
    assert about["verdict"] == line
    assert not set(METRICS) & set(about["metrics"])
    assert main(["show", str(s.folder)]) == 0
    said = capsys.readouterr().out
    assert line in " ".join(said.split())
    assert METRICS[0] not in said
