import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from planaria.config import TrainConfig
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import run
from planaria.errors import UserError
from planaria.losses import backbones
from planaria.losses.style import style_distance
from planaria.tasks.base import Batch
from planaria.tasks.texture import Config, Task
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer

CPU = torch.device("cpu")
RULE = RuleConfig(
    channels=6, filters=("identity", "sobel", "laplacian"), hidden=(24,), fire_rate=0.5, edge="circular", life="none"
)


@pytest.fixture
def style(tmp_path):
    """Blurred noise, orange and blue."""
    noise = np.random.default_rng(0).random((40, 40))
    shade = np.asarray(Image.fromarray((noise * 255).astype(np.uint8)).resize((80, 80)), float)[..., None] / 255
    image = shade * np.array([255, 150, 30]) + (1 - shade) * np.array([30, 80, 200])
    path = tmp_path / "style.png"
    Image.fromarray(image.astype(np.uint8)).save(path)
    return str(path)


@pytest.fixture
def config(style):
    train = TrainConfig(steps=40, batch=2, pool=6, rollout=(6, 12), lr=2e-3, lr_drops=())
    return Config(style=style, scale=48, size=32, rule=RULE, train=train)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_learns_to_look_like_the_style(config):
    config = dataclasses.replace(config, train=dataclasses.replace(config.train, pool=0, rollout=(10, 10)))
    task = Task(config, CPU)
    trainer = Trainer(task, config, Ranks(0, 1, CPU))

    def distances() -> list[float]:
        with torch.no_grad():
            x = run(trainer.rule, task.fresh(2, rng()).x, 10, seed=7)
        shown = task.layout.picture(x).clamp(0, 1)
        looks = (backbones.load(name) for name in ("filters", "random"))
        return [float(style_distance(look, shown, task.image).mean()) for look in looks]

    before = distances()
    losses = [trainer.step().terms["transport"] for _ in range(120)]
    assert sum(losses[-5:]) < 0.4 * sum(losses[:5])
    assert all(after < 0.4 * first for after, first in zip(distances(), before, strict=True)), "another backbone agrees"


def test_its_card_tells_how_it_looks_along_a_life(config):
    task = Task(config, CPU)
    metrics = task.measure(Rule(RULE))
    assert metrics["style at step 0 (filters)"] == metrics["style at step 1000 (filters)"] > 0.5  # it is still
    assert metrics["style at step 60 (random)"] > 0.5
    assert metrics["largest number at step 1000"] == 0


def test_terms_are_named_weighted_and_apart(config):
    terms = {"ot": 1.0, "gram": 2.0, "colour": 3.0, "tv": 4.0, "overflow": 5.0}
    x = torch.rand(2, 6, 32, 32, generator=rng()) * 4 - 2

    def told(**weights):
        task = Task(dataclasses.replace(config, **weights), CPU)
        return task.look(x, Batch(x), 1) | task.bounds(x)

    one = told(**dict.fromkeys(terms, 1.0))
    assert list(one) == ["transport", "gram", "colour", "variation", "overflow"]
    assert all(v.shape == (2,) and (v > 0).all() for v in one.values())
    for (name, value), weight in zip(told(**terms).items(), terms.values(), strict=True):
        torch.testing.assert_close(value, weight * one[name])
    assert list(told(ot=1.0, gram=0.0, colour=0.0, tv=0.0, overflow=0.0)) == ["transport"]


def test_a_fresh_rule_can_learn_and_leaves_nothing_alone(config):
    """From nothing with biases of nothing there is no gradient."""
    task, rule = Task(config, CPU), Rule(RULE)
    assert not any(bool(bias.any()) for bias in rule.biases)
    assert task.wrap(rule) is rule
    _, terms = task.live(rule, task.fresh(2, rng()), 8, seed=1, progress=0.0)
    sum(v.mean() for v in terms.values()).backward()
    assert rule.weights[-1].grad.abs().max() > 0
    kept = [bias.clone() for bias in rule.biases]
    task.wrap(rule)
    assert all(torch.equal(a, b) for a, b in zip(kept, rule.biases, strict=True)), "what has learned is left alone"


def test_what_has_burst_begins_anew_and_now_and_then_the_first(config):
    task = Task(config, CPU)
    old = torch.randn(4, 6, 32, 32, generator=rng())
    old[2, 0, 0, 0] = float("nan")
    old[3] *= 1e6
    renewed = []
    for k in range(200):
        batch, order = task.draw(Batch(old), task.fresh(4, rng()), rng(k), 0.0)
        assert not batch.x[2:].any()
        assert torch.equal(batch.x[1], old[1])
        assert order.tolist() == [0, 1, 2, 3]
        renewed.append(not batch.x[0].any())
    assert 0.2 < sum(renewed) / len(renewed) < 0.4


def test_gradients_reach_the_first_steps():
    """The original's checkpointing cut them to the last few: here every step's share is there."""
    rule = Rule(RULE, seed=1).double()
    with torch.no_grad():
        for p in rule.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=rng(), dtype=p.dtype))
    x = torch.rand(1, 6, 20, 20, generator=rng(), dtype=torch.float64) - 0.5

    def shares(engine: str) -> list[torch.Tensor]:
        """The gradient of the loss with respect to the state before each of 32 steps."""
        states, y = [x.clone().requires_grad_()], None
        for t in range(32):
            y = run(rule, states[-1], 1, t=t, seed=1, engine=engine)
            y.retain_grad()
            states.append(y)
        y[:, :3].square().mean().backward()
        return [state.grad for state in states]

    whole = x.clone().requires_grad_()
    run(rule, whole, 32, seed=1)[:, :3].square().mean().backward()
    one_by_one = shares("reference")
    assert all(bool(share.abs().max() > 0) for share in one_by_one)
    torch.testing.assert_close(whole.grad, one_by_one[0], rtol=1e-9, atol=1e-12)


def test_a_resumed_run_needs_no_style_file(config, style, tmp_path):
    task = Task(config, CPU)
    moved = dataclasses.replace(config, style=str(tmp_path / "gone.png"))
    again = Task(moved, CPU, task.tensors)
    assert torch.equal(task.image, again.image)
    with pytest.raises(UserError, match="no picture"):
        Task(moved, CPU)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 8}, "size"),
        ({"scale": 4}, "scale"),
        ({"ot": 0.0}, "no loss would compare the style"),
        ({"overflow": -1.0}, "overflow"),
        ({"backbone": "filter"}, "filters"),
        ({"rule": dataclasses.replace(RULE, fire_rate=1.0)}, "alike"),
        ({"rule": dataclasses.replace(RULE, life="both")}, "die"),
        ({"rule": dataclasses.replace(RULE, frozen=1)}, "frozen"),
    ],
)
def test_settings_that_cant_work_are_told(config, settings, words):
    with pytest.raises(UserError, match=words):
        dataclasses.replace(config, **settings)
