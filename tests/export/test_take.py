"""Films of any length, with frames between frames."""

from dataclasses import fields
from inspect import signature

import numpy as np
import pytest
import torch
from helpers import films
from helpers.rules import rule
from PIL import Image

from planaria import store
from planaria.cli.filming import Typed
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.solve import Solver
from planaria.core.turn import turned
from planaria.errors import UserError
from planaria.export import FILE_ONLY, Options, html, movie, write
from planaria.export.movie import Film, Take, film, longer, shoot, take
from planaria.living import find
from planaria.losses.motion import crossfade, flicker
from planaria.model import Model, load
from planaria.world import World

LAYOUT = Layout(4, 3, hidden=2)
FLOWING = {"life": "none", "fire_rate": 1.0}


@pytest.fixture
def drifting(tmp_path):
    """A video model of 2 steps a frame, each of which moves the picture one cell to the right."""
    films.save(tmp_path / "drift.safetensors", visible=3)
    return tmp_path / "drift.safetensors"


def shot(**options) -> Film:
    start = torch.rand(1, 6, 9, 12, generator=torch.Generator().manual_seed(0))
    return film(
        rule(**FLOWING).float(), LAYOUT, **{"steps": 6, "every": 2, "seed": 3, "start": start, "factor": 4, **options}
    )


def told(model, **options) -> Take:
    options = Options(**options)
    return take(find(model, size=options.size, start=options.start, solver=options.solver), options)


def test_whole_frames_are_the_same_with_frames_between():
    plain, fine = shot(factor=1), shot()
    assert np.array_equal(fine.frames[::4], plain.frames)
    assert fine.at[::4] == plain.at == (0, 2, 4, 6)
    assert fine.at[:5] == (0, 0.5, 1, 1.5, 2)
    assert len(fine.frames) == 4 * (len(plain.frames) - 1) + 1
    assert fine.fps == 4 * plain.fps == 120
    assert shot(fps=24).fps == 24
    assert len({f.tobytes() for f in fine.frames}) == len(fine.frames)


def test_frames_between_are_those_of_the_world():
    fine = shot(every=1, steps=2)
    world = World(rule(**FLOWING).float(), LAYOUT, (9, 12), seed=3)
    world.x = torch.rand(1, 6, 9, 12, generator=torch.Generator().manual_seed(0))
    for frame, at in zip(fine.frames, fine.at, strict=True):
        world.tick(int(at) - world.t)
        assert np.array_equal(frame, world.image(fraction=at % 1).numpy()), at
    assert fine.at == (0, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2)
    assert [type(at) for at in fine.at[::4]] == [int] * 3


@pytest.mark.parametrize("solver", ["euler", "rk4"])
def test_frames_between_lie_between(drifting, solver):
    """What drifts by a step a frame fades from place to place, evenly along the line between the two."""
    run = told(drifting, frames=6, every=1, fps_factor=4, solver=solver)
    frames = torch.tensor(np.stack([image for _, image in run])).permute(0, 3, 1, 2) / 255
    found = crossfade(frames, 4)
    assert found.monotone == 1
    assert found.stray < (0.02 if solver == "euler" else 0.5)
    assert flicker(frames).max() < 0.002
    sabotaged = frames.clone()
    sabotaged[2::4] = frames[:-1:4]
    assert crossfade(sabotaged, 4).monotone == 0


def test_a_solver_runs_to_the_fraction():
    r = rule(0.5, activation="tanh", **FLOWING).float()
    start = torch.rand(1, 6, 9, 12, generator=torch.Generator().manual_seed(0))
    curved, straight = (
        film(module, LAYOUT, steps=1, every=1, factor=2, start=start) for module in (Solver(r, "rk4"), r)
    )
    half = LAYOUT.rgb(Solver(r, "rk4")(start, dt=0.5).detach())[0].permute(1, 2, 0)
    assert np.array_equal(curved.frames[1], (half * 255).round().byte().numpy())
    assert not np.array_equal(curved.frames[1], straight.frames[1])


def test_damage_is_shown_once_however_many_frames_lie_between():
    fine = shot(erase={3: "left", 4: "top"}, factor=2)
    assert fine.at == (0, 1, 2, 3, 3, 4, 4, 5, 6)
    assert not np.array_equal(fine.frames[3], fine.frames[4])
    fractions = shot(erase={2: "left"}, factor=2, every=1, steps=4)
    assert fractions.at == (0, 0.5, 1, 1.5, 2, 2, 2.5, 3, 3.5, 4)
    odd = shot(erase={3: "left"}, factor=4, every=4)
    assert odd.at == (0, 1, 2, 3, 3, 4, 5, 6)
    assert [k for k in range(8) if odd._after_event(k)] == [4]


def test_a_strip_tells_fractions(tmp_path):
    with Image.open(shot(steps=1, every=1, factor=3).save(tmp_path / "a.png")) as image:
        assert image.size[0] > 100
    assert shot(steps=1, every=2, factor=4)._repr_mimebundle_()["text/plain"] == (
        "Film of 3 frames, 12x9 cells, steps 0 to 1"
    )


@pytest.mark.parametrize("factor", [1, 4])
def test_frames_are_counted(drifting, factor):
    run = told(drifting, frames=5, fps_factor=factor)
    assert len(run) == len(list(run)) == 5 * factor
    assert [at for at, _ in run][::factor] == [0, 2, 4, 6, 8]
    assert run.fps == 20 * factor
    assert len(told("sim:life", frames=3, size=(16, 16))) == 3
    grown = told("lizard", frames=3, size=(8, 8), erase={})
    assert [at for at, _ in grown] == [0, 2, 4]
    assert grown.fps == 30


def test_a_film_of_a_film_begins_where_the_model_says(drifting):
    frames = films.film(5, 3)
    run = told(drifting, frames=3)
    for k, (_, image) in enumerate(run):
        want = (frames[2 + k] * 255).round().byte().permute(1, 2, 0).numpy()
        assert np.abs(image.astype(int) - want).max() <= 1, k
    again = [image for _, image in run]
    assert np.array_equal(again[0], next(iter(run))[1])  # from the beginning each time


def test_options_reach_what_is_found(drifting):
    plain = shoot(drifting, Options(frames=3))
    for options in ({"solver": "rk4"}, {"start": "random"}, {"start": "random", "seed": 1}, {"size": (10, 20)}):
        other = shoot(drifting, Options(frames=3, **options))
        assert not np.array_equal(other.frames, plain.frames), options
        plain = other
    with pytest.raises(UserError, match="unknown engine"):
        shoot(drifting, Options(frames=3, engine="spares"))


def test_steps_count_too_and_defaults_are_those_of_the_kind(drifting):
    assert told(drifting, steps=5).stops == [0, 2, 4, 5]
    assert told(drifting).stops == list(range(0, 200, 2))
    assert told(drifting, every=3, steps=9).stops == [0, 3, 6, 9]
    small = {"size": (8, 8)}
    assert told("lizard", **small).stops == sorted({*range(0, 301, 2), 160})
    assert told("lizard", **small).events == {160: "left"}
    assert told("lizard", frames=10, **small).events == {}  # no time to heal
    assert told("sim:life", steps=4, **small).stops == [0, 1, 2, 3, 4]


def test_a_photo_lies_under_the_cells(tmp_path):
    Image.new("RGB", (8, 8), (255, 0, 51)).save(tmp_path / "p.png")
    layout = Layout(3, None, hidden=1, frozen=3, offset=0.5)
    r = Rule(RuleConfig(channels=7, filters=("identity",), hidden=(), bias="none", frozen=3, **FLOWING))
    with torch.no_grad():
        r.weights[0].view(4, 7)[:3, 4:] = torch.eye(3)  # what is seen grows by the photo, less a half
    store.save(tmp_path / "m.safetensors", r, layout, {"grid": [9, 16]})
    run = told(tmp_path / "m.safetensors", steps=1, every=1, start=str(tmp_path / "p.png"))
    (_, first), (_, second) = run
    assert first.shape == (12, 12, 3), "the grid has the photo's shape, and about as many cells"
    assert (first == (255, 0, 51)).all(), "it begins with the photo"
    assert (second == (255, 0, 0)).all(), "and brightens what is bright, darkens what is dark"
    sized = told(tmp_path / "m.safetensors", steps=1, every=1, size=(5, 6), start=str(tmp_path / "p.png"))
    assert next(iter(sized))[1].shape == (5, 6, 3)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"steps": 3, "frames": 3}, "frames and steps both say how long an animation is: give one of them"),
        ({"frames": 0}, "frames must be at least 1, got 0"),
        ({"steps": -1}, "steps must be at least 0, got -1"),
        ({"fps_factor": 0}, r"fps_factor must be in 1..100, got 0"),
        ({"fps_factor": 101}, r"fps_factor must be in 1..100, got 101"),
        ({"every": 0}, "every must be at least 1, got 0"),
        ({"fps": 0}, "fps must be at least 1, got 0"),
        ({"scale": 0}, "scale must be at least 1, got 0"),
        ({"background": 2.0}, r"background must be in 0..1, got 2.0"),
        ({"frames": 3, "erase": {5: "left"}}, "at step 5: the animation has steps 0 to 4"),
        ({"frames": 3, "erase": {1: "lefft"}}, "Did you mean 'left'"),
        ({"frames": 10**9}, "an animation of 1,000,000,000 frames never ends"),
        ({"solver": "rk5"}, "unknown solver 'rk5'"),
    ],
)
def test_films_that_cannot_be_made(drifting, options, says):
    with pytest.raises(UserError, match=says):
        told(drifting, **options)


def test_options_that_there_are_not(drifting):
    model, drift = load(drifting), rule(**FLOWING).float()
    for call in (model.film, lambda **options: film(drift, LAYOUT, **options)):
        with pytest.raises(UserError, match="unknown option 'fps_facter'; have: .*Did you mean 'fps_factor'"):
            call(fps_facter=2)
        with pytest.raises(UserError, match="unknown option 'scale'"):
            call(scale=2)
    with pytest.raises(UserError, match="unknown option 'tittle'; have: .*scale.*Did you mean 'title'"):
        model.export("a.gif", tittle="x")


def test_one_list_of_options_for_all():
    """What Python's help shows is what the class declares, and the command line has it too."""
    declared = [field.name for field in fields(Options)]
    assert list(signature(Model.export).parameters) == ["self", "output", *declared]
    of_films = [name for name in declared if name not in FILE_ONLY]
    assert list(signature(film).parameters) == ["rule", "layout", "health", *of_films]
    assert list(signature(Model.film).parameters) == ["self", *of_films]
    typed = {field.name for field in fields(Typed)} - {"at"} | {"infect"}
    assert typed == set(declared) - {"name", "title", "learn"}


def test_a_film_begins_with_anything_that_a_run_begins_with(drifting):
    model = load(drifting)
    plain = model.film(frames=2)
    other = model.film(frames=2, start="random", seed=1)
    assert not np.array_equal(other.frames, plain.frames)
    assert np.array_equal(other.frames, shoot(drifting, Options(frames=2, start="random", seed=1)).frames)
    world = model.world(start="random", seed=1)
    assert np.array_equal(world.image().numpy(), other.frames[0])
    free = film(model.rule, model.layout, frames=2, start="random", seed=1, size=model.size)
    assert np.array_equal(free.frames[0], other.frames[0])
    curved = model.film(frames=2, solver="rk4")
    assert not np.array_equal(curved.frames, plain.frames)


def test_a_long_film_is_written_as_it_runs(drifting, tmp_path, monkeypatch):
    monkeypatch.setattr(movie, "MOST_BYTES", 150_000)  # memory of some enlarged frames
    run, made, seen = told(drifting, frames=400), [], []

    def watch(frames):
        for frame in frames:
            made.append(frame[0])
            yield frame

    def write_mp4(frames, path, fps):
        for frame in frames:
            seen.append(frame.shape)
            assert len(seen) == len(made)  # none waits
        assert (path, fps) == (tmp_path / "a.mp4", 20)

    monkeypatch.setattr(movie, "write_mp4", write_mp4)
    assert run.save(tmp_path / "a.mp4", scale=2, watch=watch) == tmp_path / "a.mp4"
    assert seen == [(20, 28, 3)] * 400
    with pytest.raises(UserError, match=r"400 frames at \(10, 14\) needs too much memory; .*write an .mp4"):
        run.film()
    with pytest.raises(UserError, match="can't be enlarged 100 times"):
        run.save(tmp_path / "a.mp4", scale=100)


def test_an_interrupted_film_leaves_what_was_there(drifting, tmp_path):
    pytest.importorskip("av")
    (tmp_path / "a.mp4").write_text("older")

    def watch(frames):
        for k, frame in enumerate(frames):
            if k == 30:
                raise KeyboardInterrupt
            yield frame

    with pytest.raises(KeyboardInterrupt):
        told(drifting, frames=50).save(tmp_path / "a.mp4", scale=1, watch=watch)
    assert (tmp_path / "a.mp4").read_text() == "older"
    assert {p.name for p in tmp_path.iterdir()} == {"a.mp4", "drift.safetensors"}


def test_streamed_and_kept_films_are_the_same(drifting, tmp_path):
    av = pytest.importorskip("av")
    options = Options(frames=6, fps_factor=2, scale=4)
    write(drifting, tmp_path / "a.mp4", options)
    shoot(drifting, options).save(tmp_path / "b.mp4", scale=4)
    found = []
    for name in "ab":
        with av.open(str(tmp_path / f"{name}.mp4")) as box:
            assert box.streams.video[0].average_rate == 40
            found.append(np.stack([f.to_ndarray(format="rgb24") for f in box.decode(video=0)]))
    want = shoot(drifting, options).frames.repeat(4, 1).repeat(4, 2)
    for frames in found:  # near: on a busy machine the codec decides otherwise
        assert frames.shape == want.shape == (12, 40, 56, 3)
        assert np.abs(frames.astype(int) - want).mean() < 12  # another frame is 60 away
    write(drifting, tmp_path / "a.webp", options)
    with Image.open(tmp_path / "a.webp") as image:
        assert image.n_frames == 12
        image.load()
        assert image.info["duration"] == 25


@pytest.mark.parametrize(("suffix", "fps", "times"), [(".gif", 50, 1), (".gif", 120, 2.4), (".webp", 120, 1.32)])
def test_no_picture_is_too_short_for_viewers(tmp_path, suffix, fps, times):
    frames = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)
    path = Film(frames, tuple(range(6)), fps=fps).save(tmp_path / f"a{suffix}", scale=1)
    with Image.open(path) as image:
        lasts = 0
        for k in range(image.n_frames):
            image.seek(k)
            image.load()
            lasts += image.info["duration"]
    assert lasts == pytest.approx(times * 6 / fps * 1000)
    assert longer(fps, suffix) == pytest.approx(times)
    assert longer(fps, ".mp4") == 1


def test_a_turned_film_is_the_rotated_film_and_others_are_refused():
    start = torch.rand(1, 6, 11, 11, generator=torch.Generator().manual_seed(0))
    straight, aside = shot(start=start), shot(start=start.rot90(1, (2, 3)), turn=90)
    assert np.abs(np.rot90(straight.frames, 1, (1, 2)).astype(int) - aside.frames).max() <= 1
    assert not np.array_equal(shot(start=start).frames, shot(start=start, turn=90).frames)
    with pytest.raises(UserError, match="none knows a direction"):
        film(rule(filters=("identity", "mean")).float(), LAYOUT, steps=2, turn=10)
    with pytest.raises(UserError, match="a simulator can't be turned"):
        shoot("sim:life", Options(turn=90))
    with pytest.raises(UserError, match="turn must be a finite number"):
        Options(turn=float("nan"))


def test_what_is_exported_is_turned(tmp_path):
    made = rule(**FLOWING).float()
    store.save(tmp_path / "m.safetensors", made, LAYOUT, {"name": "m"})
    model = store.read(tmp_path / "m.safetensors")
    weights = page_of(model, turn=30)["weights"]
    want = store.Saved(turned(made, 30), LAYOUT, model.card, None, model.size, "m")
    assert weights == page_of(want)["weights"] != page_of(model)["weights"]
    assert page_of(model, turn=-360) == page_of(model)


def page_of(model: store.Saved, **options) -> dict:
    return html.shown(model, Options(**options))
