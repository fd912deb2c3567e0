import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from planaria.config import TrainConfig
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.tasks.base import Batch
from planaria.tasks.style import Config, Task
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer

CPU = torch.device("cpu")
RULE = RuleConfig(
    channels=10, filters=("identity", "sobel"), hidden=(24,), bias="all", fire_rate=1.0, edge="circular", life="none",
    frozen=3,
)  # fmt: skip


@pytest.fixture
def style(tmp_path):
    """Stripes, red and yellow."""
    rows = np.indices((80, 80)).sum(0) // 6 % 2
    image = np.where(rows[..., None], [220, 30, 30], [240, 220, 40]).astype(np.uint8)
    path = tmp_path / "style.png"
    Image.fromarray(image).save(path)
    return str(path)


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(3):
        noise = Image.fromarray((rng.random((6, 8, 3)) * 255).astype(np.uint8))
        noise.resize((90, 70), Image.Resampling.BICUBIC).save(folder / f"{k}.png")
    return str(folder)


@pytest.fixture
def config(style, photos):
    train = TrainConfig(steps=40, batch=3, pool=6, rollout=(6, 10), lr=2e-3, lr_drops=())
    return Config(style=style, photos=photos, scale=48, size=32, content=0.2, rule=RULE, train=train)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_learns_the_style_and_keeps_the_photo(config):
    trainer = Trainer(Task(config, CPU), config, Ranks(0, 1, CPU))
    reports = [trainer.step() for _ in range(40)]
    looks = [report.terms["transport"] for report in reports]
    assert sum(looks[-5:]) < 0.7 * sum(looks[:5])
    assert reports[-1].terms["content"] < 0.2 * 2, "two unlike photos are about 2 apart"
    metrics = trainer.task.measure(trainer.best_rule())
    assert metrics["style at step 60 (filters)"] < metrics["style at step 0 (filters)"]


def test_a_life_begins_as_the_photo(config):
    task = Task(config, CPU)
    batch = task.fresh(4, rng())
    shown, below = batch.x[:, :3] + 0.5, batch.x[:, -3:] + 0.5
    assert torch.equal(shown, below)
    assert torch.equal(batch.target, below)
    assert batch.x[:, 3:7].abs().max() <= 0.5
    assert not torch.equal(task.fresh(4, rng(1)).x[:, 3:7], batch.x[:, 3:7])
    assert task.start.shape == (1, 3, 32, 32)
    assert task.look(batch.x, batch, 0)["content"].max() < 1e-6


def test_the_photo_is_read_never_written(config):
    task, rule = Task(config, CPU), Rule(RULE, seed=1)
    with torch.no_grad():
        rule.weights[-1].normal_(0, 0.1, generator=rng())
    batch = task.fresh(2, rng())
    y, terms = task.live(rule, batch, 6, seed=1, progress=0.0)
    assert torch.equal(y[:, -3:], batch.x[:, -3:])
    assert not torch.equal(y[:, :3], batch.x[:, :3])
    assert set(terms) == {"transport", "content", "overflow"}


def test_some_that_live_on_get_another_photo_and_are_judged_by_it(config):
    task = Task(config, CPU)
    pool = task.fresh(200, rng())
    batch, order = task.draw(Batch(pool.x.clone()), task.fresh(200, rng(1)), rng(2), 0.0)
    same = (batch.x[:, -3:] == pool.x[:, -3:]).flatten(1).all(1)
    assert torch.equal(batch.x[1:, :-3], pool.x[1:, :-3]), "what they show lives on"
    assert 0.15 < 1 - same[1:].float().mean() < 0.35
    assert torch.equal(batch.target, batch.x[:, -3:] + 0.5)
    assert order.tolist() == list(range(200))


def test_it_feels_further_by_shift_shuffle(config):
    rule = dataclasses.replace(RULE, channels=16, frozen=9)
    task = Task(dataclasses.replace(config, shifts=(2, 4, 8), rule=rule), CPU)
    batch = task.fresh(2, rng())
    assert batch.x.shape == (2, 16, 32, 32)
    torch.testing.assert_close(batch.x[:, 7:], task.layout.exposed(batch.target))
    moved, _ = task.draw(Batch(batch.x.clone()), task.fresh(2, rng(1)), rng(7), 0.0)
    torch.testing.assert_close(moved.x[:, 7:], task.layout.exposed(moved.target))


def test_a_resumed_run_needs_neither_style_nor_photos(config, tmp_path):
    task = Task(config, CPU)
    moved = dataclasses.replace(config, style=str(tmp_path / "gone.png"), photos=str(tmp_path / "gone"))
    again = Task(moved, CPU, task.tensors)
    assert torch.equal(task.image, again.image)
    assert torch.equal(task.fresh(2, rng()).x, again.fresh(2, rng()).x)
    assert task.photos.names == again.photos.names


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"content": -1.0}, "content"),
        ({"shifts": (4,)}, "rule.frozen=3"),
        ({"rule": dataclasses.replace(RULE, frozen=8)}, "rule.frozen=8"),
        ({"rule": dataclasses.replace(RULE, channels=5)}, "rule.channels=5"),
        ({"ot": 0.0}, "no loss would compare the style"),
        ({"gram": float("nan")}, "gram"),
    ],
)
def test_settings_that_cant_work_are_told(config, settings, words):
    with pytest.raises(UserError, match=words):
        dataclasses.replace(config, **settings)


def test_no_photos_are_told(config, tmp_path):
    with pytest.raises(UserError, match="gone"):
        Task(dataclasses.replace(config, photos=str(tmp_path / "gone")), CPU)
