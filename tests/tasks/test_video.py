import dataclasses
import shutil

import numpy as np
import pytest
import torch
from helpers import scenery
from helpers.moving import shift, shifting
from PIL import Image

from planaria.config import TrainConfig
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.data.clips import unpacked
from planaria.data.frames import write_frames
from planaria.engine.context import charge
from planaria.errors import UserError
from planaria.store.run_folder import RunFolder
from planaria.tasks.base import Batch
from planaria.tasks.lives import Lives, roughened
from planaria.tasks.video import Config, Task
from planaria.training.dist import Ranks
from planaria.training.loop import Trainer
from planaria.training.session import train

CPU = torch.device("cpu")
RULE = RuleConfig(channels=1, filters=("learned",), hidden=(), fire_rate=1.0, life="none", edge="circular", bias="none")
SMALL = Config(
    steps=1, context=2, horizon=(1, 4), overflow=0.0, noise=0.0, damage=0.0, rule=RULE,
    train=TrainConfig(batch=4, pool=0, rollout=(1, 1)),
)  # fmt: skip


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
    lives = Lives.read(batch.at)
    assert not lives.age.any()
    assert torch.equal(lives.place, columns[:, 1] % 12)  # its column is the number of a frame of this film


def test_what_is_held_out_is_never_learned(frames):
    t = task(frames, held_out=0.5)
    seen = t.fresh(200, rng()).target
    assert seen[..., 0, :].argmax(-1).unique().tolist() == list(range(10))


def test_the_rule_that_made_the_film_makes_no_error(frames):
    t = task(frames, horizon=(4, 4))
    batch = t.fresh(4, rng())
    y, terms = t.live(shift(), batch, t.length(1, 0), seed=0, progress=0)
    assert set(terms) == {"frame 1", "frame 2", "frame 3", "frame 4"}
    assert all(v.abs().max() < 1e-12 for v in terms.values())
    assert torch.allclose(y, batch.target[:, -1], atol=1e-6)
    assert t.validate(shift()) < 1e-6
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


def pooled(frames: str, **settings) -> Task:
    return task(frames, **{"horizon": (3, 3), "train": dataclasses.replace(SMALL.train, batch=8, pool=8)} | settings)


def test_new_samples_are_shown_one_frame_or_more(frames):
    t = pooled(frames, context=3)
    film = t.fresh(300, rng()).target
    unseen = film[:, :, 0, 0, 0].isnan()
    assert unseen.sum(1).unique().tolist() == [0, 1, 2]
    assert not unseen[:, 2:].any()
    assert not (unseen[:, 1] & ~unseen[:, 0]).any()  # what is shown is consecutive
    t = pooled(frames, context=3, rule=dataclasses.replace(RULE, channels=2))
    x = torch.zeros(3, 2, 6, 12)
    film = torch.rand(3, 5, 1, 6, 12)
    film[1, 0], film[2, :2] = torch.nan, torch.nan
    rule = Rule(t.config.rule)
    with torch.no_grad():
        rule.weights[0].normal_(generator=rng())
    begun = t._charged(rule, x, film, torch.tensor([True, True, True]), {})
    for k in range(3):
        assert torch.allclose(begun[k], charge(rule, t.layout, film[k : k + 1, k:3], 1)[0], atol=1e-6)
    kept = t._charged(rule, x + 7, film, torch.tensor([False, True, False]), {})
    assert torch.equal(kept[[0, 2]], x[[0, 2]] + 7)
    assert torch.equal(kept[1], begun[1])


def test_new_samples_of_a_pool_are_shown_frames_of_any_noise(frames):
    film = pooled(frames, context=1, noise=0.1).fresh(400, rng()).target[:, 0]
    levels = (film - (film > 0.5).float()).flatten(1).std(1)
    assert levels.max() == pytest.approx(0.1, rel=0.4)
    assert (levels < 1e-6).float().mean() == pytest.approx(0.25, abs=0.08)


def test_lives_go_on_against_the_true_frames(frames):
    t = pooled(frames, held_out=0.25)  # 15 frames are learned
    new = t.fresh(8, rng())
    first = Lives.read(new.at)
    y, _ = t.live(shift(), new, 3, seed=0, progress=0)
    lives = Lives.read(new.at)
    assert lives.age.tolist() == [3] * 8
    gone_on = torch.where(first.place + 3 >= 14, -1, first.place + 3)
    assert torch.equal(lives.place, gone_on)
    drawn, places = t.draw(Batch(y, at=new.at), t.fresh(8, rng(1)), rng(), 0.0)
    kept = [k for k in range(8) if drawn.at[k] >= 2**52]
    assert kept
    for k in kept:
        j = int(places[k])
        assert torch.equal(drawn.x[k], y[j])
        frame = drawn.target[k, 2:, 0, 0].argmax(-1)
        assert frame.tolist() == [min(int(lives.place[j]) + 1 + i, 14) % 12 for i in range(3)]
    start = drawn.x.clone()
    y, terms = t.live(shift(), drawn, 3, seed=0, progress=0)
    assert torch.equal(y[kept[0]], start[kept[0]].roll(3, -1))
    assert all(terms[f"frame {k}"].max() < 1e-12 for k in (1, 2, 3))  # also of those whose film has ended


def test_a_mirrored_life_stays_mirrored(frames):
    t = pooled(frames, symmetry="mirror", held_out=0.0)
    assert Lives.read(t.fresh(40, rng()).at).mirrored.unique().tolist() == [0, 1, 2, 3]
    mirrored = torch.arange(8) % 4
    at = Lives(torch.full((8,), 3), torch.full((8,), 4), mirrored).packed()
    drawn, places = t.draw(Batch(torch.zeros(8, 1, 6, 12), at=at), t.fresh(8, rng(1)), rng(), 0.0)
    for k in range(2, 8):
        columns = drawn.target[k, 2:, 0, 0].argmax(-1)
        way = -1 if mirrored[int(places[k])] & 2 else 1
        assert ((columns[1:] - columns[:-1] - way) % 12 == 0).all()


def test_a_life_that_lost_the_film_makes_room(frames):
    t = pooled(frames)
    nothing = shift()
    torch.nn.init.zeros_(nothing.weights[0])
    batch = t.fresh(8, rng())
    y, _ = t.live(nothing, batch, 3, seed=0, progress=0)
    assert Lives.read(batch.at).vacant.all()
    drawn, places = t.draw(Batch(y, at=batch.at), t.fresh(8, rng(1)), rng(), 0.0)
    assert places.tolist() == list(range(8))
    assert (drawn.at < 2**52).all()


@pytest.mark.parametrize("why", ["old", "far", "not a number"])
def test_lives_end(frames, why):
    t = pooled(frames, life=20)
    x = torch.rand(8, 1, 6, 12)
    x[3] = {"far": 11.0, "not a number": torch.nan}.get(why, 0.5)
    ages = torch.full((8,), 5)
    ages[3] = 20 if why == "old" else 5
    at = Lives(ages, torch.full((8,), 3), torch.zeros(8, dtype=torch.int64)).packed()
    drawn, places = t.draw(Batch(x, at=at), t.fresh(8, rng()), rng(), 0.0)
    assert places.tolist() == [3, -1, 1, 2, 4, 5, 6, 7]  # two are new; the second is stored nowhere
    assert drawn.at[0] < 2**52


def test_lives_beyond_the_end_grow_old_without_a_gradient(frames):
    t, ages = pooled(frames), set()
    for seed in range(20):
        batch = t.fresh(4, rng())
        batch.x = batch.x.clone().requires_grad_()
        batch.at = Lives(torch.tensor([0, 5, 5, 5]), torch.tensor([3, 3, -1, -1]), torch.zeros(4).long()).packed()
        batch.at += torch.tensor([0, 1, 1, 1]) * 2**52  # the first is new
        x, _ = t.live(shift(), batch, 3, seed=seed, progress=0.9)
        older = Lives.read(batch.at).age.tolist()
        assert older[:2] == [3, 8]
        assert older[2] == older[3]
        ages.add(older[2])
        (gradient,) = torch.autograd.grad(x.sum(), batch.x)
        assert gradient[1].any()
        assert older[2] == 8 or not gradient[2:].any()
    assert len(ages) > 5
    assert min(ages) >= 8
    assert max(ages) <= 8 + 24


def test_lives_beyond_the_end_should_look_alike(frames, monkeypatch):
    monkeypatch.setattr("planaria.tasks.video.STRIDE", 0)  # a column at the rim has fewer patches
    t = pooled(frames, curriculum=0.5)
    x, at = t.fresh(8, rng()).x, torch.full((8,), 5)  # as former checkpoints have it: an age alone
    drawn, _ = t.draw(Batch(x, at=at), t.fresh(8, rng()), rng(), 0.4)
    assert (drawn.at < 2**52).all()
    terms = {}
    for name, rule in (("right", shift()), ("still", shift())):
        if name == "still":
            torch.nn.init.zeros_(rule.weights[0])
        drawn, places = t.draw(Batch(x, at=at), t.fresh(8, rng()), rng(), 0.6)
        assert places.tolist()[6:] == [0, 1]  # a quarter of the batch
        terms[name] = t.live(rule, drawn, 3, seed=0, progress=0.6)[1]["likeness"]
    assert terms["right"][6:].max() < 1e-9
    assert terms["still"][6:].min() > 0.01
    assert not terms["still"][:6].any()


def test_lives_are_roughened():
    x = torch.full((1, 6, 12), 0.5)
    made = [roughened(x.clone(), 1, 0.5, 0.5, rng(seed)) for seed in range(200)]
    noisy = [m for m in made if not torch.isin(m, torch.tensor([0.5])).all()]
    assert len(noisy) / 200 == pytest.approx(0.5, abs=0.12)
    assert torch.stack(noisy).std() == pytest.approx(0.1, rel=0.2)
    x = torch.stack([torch.arange(72.0).view(6, 12) + 1, torch.ones(6, 12)])
    cut = roughened(x.clone(), 1, 0.0, 1.0, rng(1))
    hole = cut[1] == 0
    assert 0 < hole.sum() < 60
    assert len(cut[0, hole].unique()) == 1
    assert torch.equal(cut[:, ~hole], x[:, ~hole])


def test_lives_are_packed():
    lives = Lives(torch.tensor([0, 7, 10**7]), torch.tensor([-1, 0, 2**28 - 2]), torch.tensor([0, 5, 7]))
    packed = lives.packed()
    assert packed.max() < 2**52
    again = Lives.read(packed)
    assert again.age.tolist() == [0, 7, 2**20 - 1]
    assert (again.place.tolist(), again.mirrored.tolist()) == ([-1, 0, 2**28 - 2], [0, 5, 7])
    assert again.vacant.tolist() == [True, False, False]


def test_a_validation_says_how_much_is_not_followed(frames):
    t = task(frames, held_out=0.25)
    nothing = shift()
    torch.nn.init.zeros_(nothing.weights[0])
    assert t.validate(shift()) < 1e-6
    assert t.validate(nothing) == pytest.approx(1 + 1 / 8, abs=0.15)  # its motion is none, its variance right
    assert task(frames, held_out=0.0).validate(shift()) is None


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
    assert torch.equal(t.start, shifting(20)[-2:])


def test_of_several_films_it_goes_on_with_the_last(frames, tmp_path):
    for name, film in (("a", shifting(8)), ("b", 1 - shifting(9))):
        write_frames(film, tmp_path / "films" / name)
    assert torch.equal(task(str(tmp_path / "films")).start, 1 - shifting(9)[-2:])
    write_frames(shifting(1), tmp_path / "films" / "c")  # held out, and shorter than the context
    assert torch.equal(task(str(tmp_path / "films")).start, shifting(1))


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
    at = Lives.begun(torch.tensor([5]), torch.tensor([0]))
    at.age += 1
    old = Batch(torch.rand(1, 1, 6, 12), target=new.target, at=at.packed())
    drawn, places = t.draw(old, new, rng(), 0.0)
    assert places.tolist() == [-1]
    assert not Lives.read(drawn.at).age.any()
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
        "crop": "0,6,64,48", "size": 32, "cuts": "0:20,20:40", "steps": 2,
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
