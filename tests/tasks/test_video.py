import dataclasses
import shutil

import numpy as np
import pytest
import torch
from helpers import scenery
from helpers.moving import shift, shifting
from PIL import Image

from planaria.config import TrainConfig
from planaria.core.rule import RuleConfig
from planaria.core.solve import Solver
from planaria.data.clips import unpacked
from planaria.data.frames import write_frames
from planaria.errors import UserError
from planaria.store.run_folder import RunFolder
from planaria.tasks.base import Batch
from planaria.tasks.video import Config, Task
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer
from planaria.training.session import train

CPU = torch.device("cpu")
RULE = RuleConfig(channels=1, filters=("learned",), hidden=(), fire_rate=1.0, life="none", edge="circular", bias="none")
SMALL = Config(
    steps=1, context=2, horizon=(1, 4), overflow=0.0, rule=RULE, train=TrainConfig(batch=4, pool=0, rollout=(1, 1))
)


@pytest.fixture
def frames(tmp_path):
    write_frames(shifting(20), tmp_path / "frames")
    return str(tmp_path / "frames")


def task(frames: str, **settings) -> Task:
    return Task(dataclasses.replace(SMALL, frames=frames, **settings), CPU)


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_windows_hold_consecutive_frames(frames):
    t = task(frames, held_out=0.25)
    batch = t.fresh(300, rng())
    assert batch.target.shape == (300, 6, 1, 6, 12)
    columns = batch.target[:, :, 0, 0].argmax(-1)
    assert ((columns[:, 1:] - columns[:, :-1]) % 12 == 1).all()
    assert columns[:, 0].unique().tolist() == list(range(10))  # 15 frames are learned, and a window has six
    assert torch.equal(batch.x, batch.target[:, 1])
    assert not batch.at.any()


def test_what_is_held_out_is_never_learned(frames):
    t = task(frames, held_out=0.5)
    seen = t.fresh(200, rng()).target
    assert seen[..., 0, :].argmax(-1).unique().tolist() == list(range(10))


def test_the_rule_that_made_the_film_makes_no_error(frames):
    t = task(frames, horizon=(4, 4))
    batch = t.fresh(4, rng())
    y, terms = t.live(shift(), batch, t.length(1, 0), seed=0, progress=0)
    assert set(terms) == {"context", "frame 1", "frame 2", "frame 3", "frame 4"}
    assert all(v.abs().max() < 1e-12 for v in terms.values())
    assert torch.allclose(y, batch.target[:, -1], atol=1e-6)
    assert t.validate(shift()) < 1e-12
    metrics = t.measure(shift())
    assert metrics["mse 1 ahead"] < 1e-12
    assert metrics["mse of copying 1 ahead"] == pytest.approx(2 / 12)


def test_terms_are_the_error_of_each_frame(frames):
    t = task(frames, horizon=(2, 2))
    batch = t.fresh(4, rng())
    nothing = shift()
    torch.nn.init.zeros_(nothing.weights[0])
    _, terms = t.live(nothing, batch, 2, seed=0, progress=0)
    assert terms["frame 1"] == pytest.approx(torch.full((4,), 2 / 12 / 2))
    assert terms["context"] == pytest.approx(torch.full((4,), 2 / 12))


def test_the_horizon_grows(frames):
    t = task(frames, horizon=(1, 4), curriculum=0.5, steps=3)
    assert [t.length(1, p) for p in (0, 0.17, 0.34, 0.5, 1)] == [3, 6, 9, 12, 12]
    assert task(frames, horizon=(4, 4)).length(1, 0) == 4
    assert task(frames, horizon=(1, 400)).longest == 16


@pytest.mark.parametrize("symmetry", ["none", "mirror", "turn"])
def test_films_are_mirrored_and_turned_where_the_law_allows(frames, symmetry):
    t = task(frames, symmetry=symmetry)
    shapes, ways = set(), set()
    for seed in range(12):
        film = t.fresh(4, rng(seed)).target
        shapes.add(tuple(film.shape[-2:]))
        if film.shape[-1] == 12:
            columns = film[:, :, 0, 0].argmax(-1)
            ways |= set(((columns[:, 1:] - columns[:, :-1]) % 12).flatten().tolist())
    assert shapes == ({(6, 12), (12, 6)} if symmetry == "turn" else {(6, 12)})
    assert ways == ({1} if symmetry == "none" else {1, 11})


def test_noise_is_on_the_context_alone(frames):
    quiet, loud = task(frames).fresh(4, rng()), task(frames, noise=0.1).fresh(4, rng())
    off = loud.target - quiet.target
    assert off[:, :2].std() == pytest.approx(0.1, rel=0.2)
    assert not off[:, 2:].any()
    assert torch.equal(loud.x, loud.target[:, 1])


def test_a_quarter_goes_on_alone(frames):
    t = task(frames, horizon=(3, 3), life=20, train=dataclasses.replace(SMALL.train, batch=8, pool=8))
    new = t.fresh(8, rng())
    t.live(shift(), new, 3, seed=0, progress=0)
    assert new.at.tolist() == [3] * 8
    old = Batch(torch.rand(8, 1, 6, 12), target=new.target, at=torch.tensor([5] * 6 + [19, 20]))
    drawn, places = t.draw(old, t.fresh(8, rng(1)), rng(), 0.0)
    assert places.tolist() == [-1] * 6 + [6, 7]
    assert drawn.at.tolist() == [0] * 6 + [19, 0]  # the last one is too old, and a new one takes its place
    assert torch.equal(drawn.x[6], old.x[6])
    start = drawn.x.clone()
    y, terms = t.live(shift(), drawn, 3, seed=0, progress=0)
    assert drawn.at.tolist() == [3] * 6 + [22, 3]
    assert torch.equal(y[6], start[6].roll(3, -1))
    assert terms["frame 1"].max() < 1e-12
    assert terms["likeness"][6] > 1e-3
    assert not terms["likeness"][[0, 1, 2, 3, 4, 5, 7]].any()
    far = Batch(torch.full((8, 1, 6, 12), 11.0), target=new.target, at=torch.full((8,), 2))
    assert not t.draw(far, t.fresh(8, rng(1)), rng(), 0.0)[0].at.any()


def test_a_life_that_moves_like_the_film_is_like_it(frames):
    t = task(frames, horizon=(3, 3), train=dataclasses.replace(SMALL.train, pool=4))
    terms = {}
    for name, rule in (("right", shift()), ("still", shift())):
        if name == "still":
            torch.nn.init.zeros_(rule.weights[0])
        new = t.fresh(4, rng())
        old = Batch(new.x, target=new.target, at=torch.ones(4, dtype=torch.int64))
        drawn, _ = t.draw(old, new, rng(), 0.0)
        terms[name] = t.live(rule, drawn, 3, seed=0, progress=0)[1]["likeness"][3].item()
    assert terms["right"] < 1e-9
    assert terms["still"] > 0.01


def test_a_bent_way_costs(frames):
    t = task(frames, steps=4, smooth=1.0, horizon=(1, 1))
    batch = t.fresh(4, rng())
    _, terms = t.live(shift(), batch, 4, seed=0, progress=0)
    assert terms["smooth"].min() > 0.1
    still = shift()
    torch.nn.init.zeros_(still.weights[0])
    _, terms = t.live(still, t.fresh(4, rng()), 4, seed=0, progress=0)
    assert terms["smooth"].max() == 0


def test_time_grows(frames):
    t = task(frames, time=0.5, horizon=(1, 1))
    made = []
    for progress in (0.0, 0.25, 1.0):
        batch = t.fresh(1, rng())
        y, _ = t.live(shift(), batch, 1, seed=0, progress=progress)
        made.append(float((y - batch.x).abs().max()))
    assert made == pytest.approx([0.25, 0.625, 1.0])


def test_the_card_says_how_to_run_it(frames):
    t = task(frames, steps=3)
    assert t.card() == {"frame": {"steps": 3, "solver": "euler"}, "length": 60, "fps": 30.0}
    assert torch.equal(t.start, shifting(20)[:2])


def test_it_is_the_same_after_its_frames_have_gone(frames, tmp_path):
    t = task(frames)
    again = Task(dataclasses.replace(t.config, frames="gone"), CPU, t.tensors)
    assert torch.equal(again.fresh(4, rng()).target, t.fresh(4, rng()).target)
    with pytest.raises(UserError, match="gone"):
        task("gone")


def test_a_film_in_16_bits_is_the_same_after_a_checkpoint(tmp_path):
    (tmp_path / "deep").mkdir()
    for k in range(8):
        deep = (np.arange(48).reshape(6, 8) * 1361 + 97 * k).astype(np.uint16)
        Image.fromarray(deep).save(tmp_path / "deep" / f"{k}.png")
    t = task(str(tmp_path / "deep"))
    again = Task(t.config, CPU, t.tensors)
    assert torch.equal(again.fresh(4, rng()).target, t.fresh(4, rng()).target)
    assert again.card() == t.card()


def test_the_frames_a_second_of_a_checkpoint_are_exact(frames):
    t = task(frames)
    clips = dataclasses.replace(t.clips, fps=24000 / 1001)
    assert unpacked(clips.pack(), 0.0).fps == 24000 / 1001


def test_a_batch_of_one_learns_new_frames(frames):
    t = task(frames, horizon=(3, 3), train=dataclasses.replace(SMALL.train, batch=1, pool=4))
    new = t.fresh(1, rng())
    old = Batch(torch.rand(1, 1, 6, 12), target=new.target, at=torch.tensor([5]))
    drawn, places = t.draw(old, new, rng(), 0.0)
    assert (places.tolist(), drawn.at.tolist()) == ([-1], [0])
    trainer = Trainer(t, t.config, Ranks(0, 1, CPU))
    assert "went back" in trainer._rescue("explosion", torch.tensor([-1]))


def test_a_gradient_is_had_as_asked_for(frames):
    rule = shift()
    assert task(frames).wrap(rule) is rule
    lean = task(frames, gradient="checkpoint").wrap(rule)
    assert isinstance(lean, Solver)
    assert (lean.method, lean.gradient) == ("euler", "checkpoint")
    with pytest.raises(UserError, match="take checkpoint"):
        task(frames, gradient="adjoint").wrap(rule)


def test_pictures_too_small_for_the_pool(frames):
    with pytest.raises(UserError, match="take train.pool=0"):
        task(frames, size=2, train=dataclasses.replace(SMALL.train, pool=4))
    assert task(frames, size=2).size == (1, 2)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rule": dataclasses.replace(RULE, channels=8, life="both")}, "rule.life=none"),
        ({"steps": -1}, "steps must be in 0..1000, got -1"),
        ({"horizon": (3, 2)}, "horizon must be two numbers, least first, got 3, 2"),
        ({"frames": " "}, "frames is empty"),
        ({"held_out": 1.0}, "held_out must be at least 0 and below 1, got 1.0"),
    ],
)
def test_settings_are_checked(settings, says):
    with pytest.raises(UserError, match=says):
        dataclasses.replace(SMALL, **settings)


def test_too_short_a_film(frames):
    with pytest.raises(UserError, match="its 20 frames to learn from are too few for context=20 and one frame more"):
        task(frames, context=20, held_out=0.0)


def test_colours_need_channels(tmp_path):
    write_frames(torch.rand(8, 3, 4, 4), tmp_path / "frames")
    with pytest.raises(UserError, match=r"rule.channels=1: the video's colours alone take 3"):
        task(str(tmp_path / "frames"))
    grey = task(str(tmp_path / "frames"), colour="grey")
    assert grey.layout.visible == 1


def test_what_is_out_of_bounds_costs(frames):
    t = task(frames, overflow=1.0, horizon=(1, 1), rule=dataclasses.replace(RULE, channels=2))
    x = torch.zeros(2, 2, 6, 12)
    x[0, 0], x[1, 1] = 1.5, -3.0
    assert t._overflow(x).tolist() == pytest.approx([0.25, 1.0])
    assert t._overflow(torch.stack([torch.zeros(6, 12), torch.ones(6, 12)])[None]).tolist() == [0.0]
    _, terms = t.live(shift(t.layout), t.fresh(2, rng()), 1, seed=0, progress=0)
    assert terms["overflow"].tolist() == [0.0, 0.0]


def test_what_is_chosen_from_a_video_is_written_down_and_resumed(tmp_path):
    film = np.pad(np.concatenate([scenery.drift(1, 20), scenery.drift(2, 20)]), ((0, 0), (6, 6), (0, 0), (0, 0)))
    frames = scenery.folder(tmp_path / "film", film)
    settings = {
        "frames": frames, "crop": "auto", "size": 0, "largest": 32, "context": 2, "horizon": (1, 2), "held_out": 0.0,
        "rule": {"channels": 4, "hidden": (4,)}, "train": {"steps": 1, "batch": 1, "pool": 0},
    }  # fmt: skip
    run = train("video", name="run", runs=tmp_path, **settings)
    kept = RunFolder(run).settings()
    assert {key: kept[key] for key in ("crop", "size", "cuts", "steps")} == {
        "crop": "0,6,64,48", "size": 32, "cuts": "0:20,20:40", "steps": 4,
    }  # fmt: skip
    shutil.rmtree(frames)
    again = train(
        "video", name="run", runs=tmp_path, resume=True, **settings | {"train": settings["train"] | {"steps": 2}}
    )
    assert RunFolder(again).settings() == kept | {"train": kept["train"] | {"steps": 2}}


def test_a_run_from_before_there_were_cuts_goes_on_as_it_was(tmp_path):
    frames = scenery.folder(tmp_path / "film", np.concatenate([scenery.drift(1, 20), scenery.drift(2, 20)]))
    there = {"frames": frames, "steps": 4, "size": 0, "crop": "none"}
    config, lines = Task.chosen(Config(frames=frames), there)
    assert (config.steps, config.size, config.cuts, lines) == (4, 0, "split", [])
    assert len(Task(config, torch.device("cpu")).clips.clips) == 1, "what was not split then is not split now"
