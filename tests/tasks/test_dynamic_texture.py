import dataclasses

import pytest
import torch
import torch.nn.functional as F

from planaria import tasks
from planaria.config import TrainConfig, parse
from planaria.core.rule import Rule, RuleConfig
from planaria.data.frames import write_frames
from planaria.errors import UserError
from planaria.recipes import find, turned
from planaria.tasks.base import Batch
from planaria.tasks.dynamic_texture import LAGS, MOMENTS, Config, Task
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer

CPU = torch.device("cpu")
RULE = RuleConfig(
    channels=6, filters=("identity", "sobel", "laplacian"), hidden=(16,), fire_rate=0.5, edge="circular", life="none"
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """Twelve frames of stripes that move two cells to the right each."""
    noise = torch.rand(1, 1, 1, 24, generator=torch.Generator().manual_seed(0)).repeat(1, 1, 20, 1)
    smooth = F.avg_pool2d(F.pad(noise, (2, 2, 0, 0), "circular"), (1, 5), 1)[0]
    shade = (smooth - smooth.min()) / (smooth.max() - smooth.min())
    colours = torch.tensor([1.0, 0.6, 0.2]).view(3, 1, 1)
    folder = tmp_path_factory.mktemp("clip")
    write_frames([(shade * colours).roll(2 * k, 2) for k in range(12)], folder)
    return str(folder)


@pytest.fixture
def config(clip):
    train = TrainConfig(steps=40, batch=2, pool=4, rollout=(2, 4), lr=3e-3, lr_drops=())
    return Config(frames=clip, size=0, cells=20, steps=2, rule=RULE, train=train)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_its_loss_falls(config):
    trainer = Trainer(Task(config, CPU), config, Ranks(0, 1, CPU))
    losses = [trainer.step().loss for _ in range(60)]
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])


def test_it_is_compared_with_frames_of_the_clip_at_their_distances(config):
    task = Task(config, CPU)
    batch = task.fresh(3, rng())
    whole = task.clips.clips[0].stack(0, 12)
    assert batch.x.shape == (3, 6, 20, 20)
    assert batch.target is not None
    for window in batch.target:
        (first,) = [k for k in range(12) if torch.equal(whole[k], window[0])]
        assert torch.equal(window, whole[[first + lag for lag in LAGS]])


def test_an_iteration_runs_the_drawn_steps_and_then_the_frames_of_a_window(config):
    task = Task(config, CPU)
    assert task.length(7, 0.5) == 7 + 2 * LAGS[-1]
    seen = []

    class Counting(Rule):
        def forward(self, x, t=0, **options):
            seen.append(t)
            return super().forward(x, t, **options)

    batch = task.fresh(1, rng())
    reference = dataclasses.replace(config, train=dataclasses.replace(config.train, engine="reference"))
    Task(reference, CPU).live(Counting(RULE), batch, 11, seed=1, progress=0)
    assert seen == list(range(11))


def test_terms_are_named_and_weighted(config):
    x = torch.rand(2, 6, 20, 20, generator=rng()) * 3 - 1

    def terms(**weights):
        task = Task(dataclasses.replace(config, **weights), CPU)
        batch = Batch(x, target=task.fresh(2, rng()).target)
        return task.live(Rule(RULE), batch, 9, seed=1, progress=0)[1]

    one = terms(look=1, motion=1, ot=1, overflow=1)
    assert one.keys() == {"look", "motion", "transport", "overflow"}
    for name, weight in (("look", "look"), ("motion", "motion"), ("transport", "ot"), ("overflow", "overflow")):
        assert torch.allclose(terms(**{"look": 1, "motion": 1, "ot": 1, "overflow": 1, weight: 3})[name], 3 * one[name])
    assert terms(ot=0, overflow=0).keys() == {"look", "motion"}


def test_some_samples_from_the_pool_get_a_hole(config):
    task = Task(config, CPU)
    found = torch.cat([task.damage(torch.ones(4, 6, 20, 20), rng(k), 0.5).amin((1, 2, 3)) for k in range(20)])
    assert 0 < int((found == 0).sum()) < 40
    assert bool(((found == 0) | (found == 1)).all())


def test_a_checkpoint_keeps_the_clip(config, tmp_path):
    first = Task(config, CPU)
    again = Task(dataclasses.replace(config, frames=str(tmp_path / "gone")), CPU, dict(first.tensors))
    assert torch.equal(again.fresh(1, rng()).target, first.fresh(1, rng()).target)
    with pytest.raises(UserError, match="damaged"):
        Task(config, CPU, {**first.tensors, "frames": first.tensors["frames"].float()})


def test_it_is_measured_against_the_clip_compared_with_itself(config, monkeypatch):
    monkeypatch.setattr("planaria.tasks.dynamic_texture.MOMENTS", (4, 60))
    task = Task(config, CPU)
    metrics = task.measure(Rule(RULE))
    assert metrics["speed of the clip"] == pytest.approx(2, abs=0.3)
    assert metrics["speed at step 60"] == 0, "a new rule is still"
    assert metrics["change at step 4"] == 0
    assert metrics["look at step 60"] > 1
    assert metrics["motion at step 60"] > 1
    assert metrics["largest number at step 60"] == 0


def test_the_clip_itself_would_pass():
    verdict = Task.verdict(
        {f"look at step {MOMENTS[-1]}": 1.04, f"motion at step {MOMENTS[-1]}": 1.2, "speed of the clip": 2.0}
        | {f"speed at step {MOMENTS[-1]}": 1.9, f"degrees off at step {MOMENTS[-1]}": 3.0}
    )
    assert verdict == (
        "after 10,000 steps it looks 1 and moves 1.2 times as far from the clip as the clip's halves are from each "
        "other; drifts 1.90 cells a frame (2.00), 3 degrees off"
    )
    assert Task.verdict({}) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": ""}, "frames is empty"),
        ({"look": 0.0}, "look and ot are both 0"),
        ({"rule": dataclasses.replace(RULE, fire_rate=1.0)}, "cells that are all alike"),
        ({"rule": dataclasses.replace(RULE, frozen=1)}, "rule.frozen=0"),
        ({"rule": dataclasses.replace(RULE, life="both")}, "rule.life=none"),
    ],
)
def test_settings_that_can_not_work_are_refused(config, changes, message):
    with pytest.raises(UserError, match=message):
        dataclasses.replace(config, **changes)


def test_a_clip_that_is_too_short_or_narrow_is_refused(config, tmp_path):
    write_frames([torch.rand(3, 20, 20, generator=rng(k)) for k in range(4)], tmp_path / "short")
    write_frames([torch.rand(3, 8, 20, generator=rng(k)) for k in range(9)], tmp_path / "narrow")
    for name, found in (("short", "4 frames of 20x20"), ("narrow", "9 frames of 20x8")):
        with pytest.raises(UserError, match=found):
            Task(dataclasses.replace(config, frames=str(tmp_path / name)), CPU)
    with pytest.raises(UserError, match="the clip's colours alone take 3"):
        Task(dataclasses.replace(config, rule=dataclasses.replace(RULE, channels=2)), CPU)


def test_a_film_becomes_a_texture_and_takes_its_frames_along(clip, tmp_path):
    recipe = turned(find("film"), "texture")
    assert recipe.task == "dynamic_texture"
    assert recipe.config({"frames": clip}).frames == clip
    run = tmp_path / "old"
    run.mkdir()
    (run / "config.yaml").write_text(f"task: video\nframes: {clip}\nsize: 24\nsteps: 3\noverflow: 0.5\n")
    taken = turned(find(str(run)), "texture").config({})
    assert (taken.frames, taken.size, taken.overflow) == (clip, 24, Config().overflow)
    with pytest.raises(UserError, match="Did you mean 'texture'"):
        turned(find("film"), "textures")
    with pytest.raises(UserError, match="a training of grow becomes no other"):
        turned(find("quick"), "texture")


def test_other_names_lead_to_it():
    assert "dynca" in tasks.other_names()["dynamic_texture"].split()
    assert parse(Config, ({"steps": 6}, "here")).steps == 6
