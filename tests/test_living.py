"""What a name stands for when it is to be run."""

import pytest
import torch
from helpers import films
from PIL import Image

from planaria import living, store
from planaria.core.layout import Layout, tiled
from planaria.core.solve import Solver
from planaria.data.frames import write_frames
from planaria.engine.context import charge
from planaria.errors import UserError
from planaria.store.cards import Card


@pytest.fixture
def model(tmp_path):
    films.save(tmp_path / "drift.safetensors")
    return tmp_path / "drift.safetensors"


def test_a_growing_model_begins_with_its_seed_cell():
    found = living.find("lizard")
    assert found.start is None
    assert (found.frame, found.size, found.name) == (1, (72, 72), "lizard")
    world = found.world()
    world.tick(3)
    assert world.x[0, 3].sum() > 0


def test_a_video_model_begins_with_its_own_frames(model):
    found = living.find(model)
    frames = films.film()
    assert torch.equal(found.start, charge(found.rule, found.layout, frames[None], 2))
    assert found.frame == 2
    world = found.world()
    world.tick(2)
    assert torch.allclose(world.x[0, :1], films.film(4)[3], atol=1e-6)


def test_another_size_goes_on_as_a_mirror_image(model):
    found = living.find(model, size=(7, 30))
    frames = tiled(films.film(), (7, 30))
    assert torch.equal(found.start[0, :1], frames[-1])
    assert torch.equal(frames[-1][:, :, 8:22], films.film()[-1][:, 2:9])
    assert torch.equal(frames[-1][:, :, 22:], films.film()[-1][:, 2:9].flip(-1)[..., :8])


def test_starts_by_name(model):
    assert living.find(model, start="seed").start is None
    a, b, c = (living.find(model, start="random", seed=seed).start for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert a.shape == (1, 2, 10, 14)


def test_a_picture_covers_the_grid_of_a_video(model, tmp_path):
    Image.new("RGB", (300, 100), (255, 0, 0)).save(tmp_path / "red.png")
    start = living.find(model, start=tmp_path / "red.png").start
    assert start[0, 0].min() == pytest.approx(0.299, abs=1e-3)
    assert not start[0, 1].any()


@pytest.mark.parametrize("form", ["folder", "film"])
def test_frames_charge_the_memory(model, tmp_path, form):
    frames = films.film(5)
    write_frames(frames, tmp_path / "clip")
    source = tmp_path / "clip"
    if form == "film":
        pictures = [Image.fromarray((f[0] * 255).round().byte().numpy()) for f in frames]
        source = tmp_path / "clip.gif"
        pictures[0].save(source, save_all=True, append_images=pictures[1:])
    found = living.find(model, start=source)
    assert torch.allclose(found.start, charge(found.rule, found.layout, frames[None, :3], 2), atol=1e-6)
    assert found.start[0, 1].any()


def test_first_is_where_its_own_film_begins(tmp_path):
    long = films.film(9, 3)
    write_frames(long, tmp_path / "clip")
    rule, layout = films.drift(3), Layout(3, None, 1)
    card = {
        "name": "drift",
        "frame": {"steps": 2},
        "grid": [10, 14],
        "config": {"frames": str(tmp_path / "clip"), "context": 2},
    }
    store.save(tmp_path / "drift.safetensors", rule, layout, card, start=long[-2:])
    first, last = (
        living.find(tmp_path / "drift.safetensors", start="first"),
        living.find(tmp_path / "drift.safetensors"),
    )
    assert torch.equal(first.start, charge(first.rule, layout, long[None, :2], 2))
    assert torch.equal(last.start, charge(last.rule, layout, long[None, -2:], 2))
    assert first.world().start.shape == last.world().start.shape
    with pytest.raises(UserError, match="lizard doesn't say which video it learned"):
        living.find("lizard", start="first")


def test_a_gif_is_a_picture_to_a_growing_model(tmp_path):
    Image.new("RGB", (8, 8), (255, 0, 0)).save(tmp_path / "a.gif")
    start = living.find("lizard", start=tmp_path / "a.gif").start
    assert start.shape == (1, 16, 72, 72)
    assert start[0, :4, 36, 36].tolist() == pytest.approx([1, 0, 0, 1])


def test_simulators_are_living_too():
    found = living.find("sim:life", size=16, seed=3)
    assert found.size == (16, 16)
    assert found.name == "sim:life"
    world = found.world()
    world.tick(5)
    assert set(world.x.unique().tolist()) <= {0.0, 1.0}
    with pytest.raises(UserError, match="leave out the solver"):
        living.find("sim:life", solver="rk4")
    with pytest.raises(UserError, match="unknown simulator 'lief'.*life"):
        living.find("sim:lief")


def test_the_solver_is_that_of_the_training(tmp_path):
    pytest.importorskip("torchdiffeq")
    films.save(tmp_path / "a.safetensors", solver="rk4")
    found = living.find(tmp_path / "a.safetensors")
    assert isinstance(found.rule, Solver)
    assert found.rule.method == "rk4"
    assert not isinstance(living.find(tmp_path / "a.safetensors", solver="euler").rule, Solver)
    with pytest.raises(UserError, match="unknown solver 'rk5'"):
        living.find(tmp_path / "a.safetensors", solver="rk5")


@pytest.mark.parametrize(("steps", "frame"), [(3, 3), (0, 1), ("3", 1), (10**9, 1), (None, 1)])
def test_a_card_is_not_trusted(steps, frame):
    assert Card.parse({"frame": {"steps": steps}}).frame_steps == frame
    assert Card.parse({"frame": steps}).frame_steps == 1


def test_a_start_that_is_none_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.safetensors"
    films.save(path)
    with monkeypatch.context() as m:
        m.setattr("planaria.store.MOST_START", 839)
        with pytest.raises(UserError, match="its start of 3 frames, 14x10 cells, is too large"):
            store.start(path)
    tensors = store.read_tensors(path)
    header = store.read_header(path)
    for wrong in (tensors["start"].float(), tensors["start"][0], tensors["start"].repeat(1, 2, 1, 1)):
        store.write_tensors(path, {**tensors, "start": wrong.contiguous()}, header)
        with pytest.raises(UserError, match="its start holds no frames of 1 channels"):
            living.find(path)


def test_of_a_start_too_large_to_read_the_last_frames_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("planaria.store.MOST_START", 839)
    frames = films.save(tmp_path / "a.safetensors")
    assert torch.equal(store.start(tmp_path / "a.safetensors"), frames[-2:])
