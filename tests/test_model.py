"""Model: what `planaria.load` gives is a pair with a life of its own."""

import base64
import copy
import io
import re
import sys

import numpy as np
import pytest
import torch
from helpers import bursting, films
from helpers.rules import rule
from PIL import Image

import planaria as pl
from planaria import store
from planaria.commands import install
from planaria.errors import UserError
from planaria.view import notebook


@pytest.fixture(scope="module")
def lizard() -> pl.Model:
    return pl.load("lizard")


def test_it_unpacks(lizard):
    rule_, layout = lizard
    assert (rule_, layout) == (lizard.rule, lizard.layout) == (lizard[0], lizard[1])
    assert isinstance(rule_, pl.Rule)
    assert isinstance(layout, pl.Layout)
    assert len(lizard) == 2
    assert isinstance(lizard, tuple)


def test_it_knows_what_its_file_says(lizard, tmp_path):
    assert lizard.card == store.card("lizard")
    assert lizard.size == (72, 72)
    assert lizard.name == "lizard"
    assert lizard.path == store.gallery()["lizard"]
    assert repr(pl.load(bursting.save_stopped(tmp_path / "run"))).endswith(", stopped at iteration 68 of 1,200")
    assert (
        repr(lizard)
        == f"Model 'lizard': 8,320 parameters, 16 channels, 72x72 cells, {lizard.card.trained:,} iterations"
    )
    with pytest.raises(UserError, match="no model 'lizrad'; the gallery has 'lizard'"):
        pl.load("lizrad")


@pytest.mark.parametrize("card", [{}, {"name": ""}, {"name": 7, "grid": [5, 9]}])
def test_a_name_is_found(tmp_path, card):
    pair = rule().float(), pl.Layout(3, 0, hidden=3)
    for path in (tmp_path / "worm.safetensors", tmp_path / "worm" / "model.safetensors"):
        pl.save(path, *pair, card)
        model = pl.load(path)
        assert model.name == "worm", "a name that is none is not taken"
        assert model.size == tuple(card.get("grid", (72, 72)))
    assert pl.load(tmp_path / "worm").name == model.name
    assert pl.Model(*pair).name == "model"
    assert repr(pl.Model(*pair, size=(5, 6), name="w")) == "Model 'w': 200 parameters, 6 channels, 5x6 cells"


def test_it_lives_as_its_parts_do(lizard):
    x = lizard.run(steps=30, seed=4)
    with torch.no_grad():
        assert torch.equal(x, pl.run(lizard.rule, lizard.layout.seed(1, 72), 30, seed=4))
    assert torch.equal(lizard.run(x, 10, t=30, seed=4), lizard.run(steps=40, seed=4))
    world = lizard.world(seed=4)
    world.tick(30)
    assert torch.equal(world.x, x)
    assert lizard.world(20).size == (20, 20)
    assert lizard.world((8, 9)).size == (8, 9)
    assert torch.equal(lizard.world(start=x).x, x)
    assert lizard.world(start=x[..., :50]).size == (72, 50)


def test_it_is_filmed(lizard):
    shot = lizard.film(steps=6, every=3, seed=2, erase={3: "left"})
    want = pl.film(lizard.rule, lizard.layout, steps=6, every=3, seed=2, erase={3: "left"}, size=72)
    assert np.array_equal(shot.frames, want.frames)
    assert lizard.film(steps=2, size=(8, 9)).frames.shape[1:3] == (8, 9)


def test_it_is_saved_as_it_came(lizard, tmp_path):
    path = lizard.save(tmp_path / "new" / "a.safetensors")
    again = pl.load(path)
    assert again.save(tmp_path / "b.safetensors").read_bytes() == path.read_bytes()
    theirs = store.read_tensors(store.gallery()["lizard"])
    assert all(torch.equal(p, theirs[name]) for name, p in again.rule.named_parameters())
    assert (store.card(path), again.layout) == (store.card("lizard"), lizard.layout)


def test_what_is_changed_is_what_is_saved_and_exported(tmp_path):
    model = pl.load("lizard")
    with torch.no_grad():
        model.rule.weights[-1].zero_()
    again = pl.load(model.save(str(tmp_path / "still.safetensors")))
    assert not again.rule.weights[-1].any()
    path = model.export(tmp_path / "still.webp", steps=4, every=4, size=9, scale=1)
    with Image.open(path) as image:
        assert image.size == (9, 9)
        assert getattr(image, "n_frames", 1) == 1  # nothing moved
    assert (
        pl.load("lizard").export(tmp_path / "b.webp", steps=40, size=30, every=10).stat().st_size > path.stat().st_size
    )


def test_its_name_cannot_leave_the_folder(tmp_path):
    card = {"name": "../../evil", "grid": [8, 8]}
    model = pl.Model(rule().float(), pl.Layout(3, 0, hidden=3), card)
    assert model.export(tmp_path / "a.png", steps=2, size=8).exists()
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_it_is_copied_whole(lizard):
    twin = copy.deepcopy(lizard)
    assert repr(twin) == repr(lizard)
    assert twin.card == lizard.card
    assert twin.rule is not lizard.rule
    assert torch.equal(twin.run(steps=5), lizard.run(steps=5))


def test_a_notebook_without_anywidget_sees_a_film(lizard, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    data, _ = lizard._repr_mimebundle_()
    assert data["text/plain"] == repr(lizard)
    found = re.fullmatch(r'<img alt="Film of .*" src="data:image/webp;base64,(.*)">', data["text/html"])
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as image:
        assert image.n_frames > 50
        image.seek(40)
        assert np.asarray(image.convert("RGB")).std() > 20
    assert set(data) == {"text/plain", "text/html"}
    with pytest.raises(UserError, match=re.escape(install("notebook"))):
        lizard.player()


def test_a_notebook_with_it_sees_the_player_and_a_still(lizard):
    pytest.importorskip("anywidget")
    data, _ = lizard._repr_mimebundle_()
    assert data["text/plain"] == repr(lizard)
    assert data[notebook.WIDGET]["model_id"]
    found = re.fullmatch(r'<img alt="World of .*" src="data:image/png;base64,(.*)">', data["text/html"])
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as image:
        assert image.size == (288, 288)
        assert np.asarray(image.convert("RGB")).std() > 20


def test_a_world_shows_how_it_is_now(lizard):
    world = lizard.world((30, 40), seed=2)
    world.tick(40)
    data = world._repr_mimebundle_()
    assert data["text/plain"] == "World of 40x30 cells at step 40"
    found = re.fullmatch(r'<img alt="World of .*" src="data:image/png;base64,(.*)">', data["text/html"])
    with Image.open(io.BytesIO(base64.b64decode(found[1]))) as image:
        assert image.size == (320, 240)
        seen = np.asarray(image.convert("RGB"))
    assert np.array_equal(seen[4::8, 4::8], world.image().numpy())


def test_it_lives_where_its_rule_does_and_as_exactly():
    layout = pl.Layout(4, 3, hidden=1, frozen=1)
    model = pl.Model(rule(frozen=1), layout, size=(7, 9))
    assert model.run(steps=3).dtype == torch.float64
    w = model.world()
    w.tick(3)
    w.randomise()
    w.erase("noise(0.3)")
    w.expose(torch.rand(1, 7, 9))
    w.reset()
    assert w.x.dtype == torch.float64
    assert pl.World(rule(frozen=1).to("meta"), layout, 5).x.device.type == "meta"
    assert pl.World(rule(frozen=1), layout, 5, device=torch.device("meta")).x.device.type == "meta"


# ---- video models


@pytest.fixture
def drift(tmp_path):
    frames = films.save(tmp_path / "drift.safetensors", visible=3, size=(8, 12))
    return pl.load(tmp_path / "drift.safetensors"), frames


def test_a_video_model_begins_with_its_frames(drift):
    model, frames = drift
    assert torch.equal(model.start, frames)
    assert torch.allclose(model.world().x[0, :3], frames[-1])
    assert model.world().x[0, 3].abs().sum() > 0, "its hidden channel is charged"
    later = frames[-1].roll(4, -1)
    assert torch.allclose(model.run(steps=4)[0, :3], later, atol=1e-6)
    assert torch.allclose(model.world((16, 24)).x[0, :3, 4:12, 6:18], frames[-1], atol=1e-6)
    still = torch.zeros(1, 4, 5, 6)
    assert torch.equal(model.world(start=still).x, still)
    assert pl.load("lizard").start is None


def test_a_video_model_is_filmed_frame_by_frame(drift):
    model, frames = drift
    shot = model.film(steps=6)
    assert shot.at == (0, 2, 4, 6)
    assert shot.fps == 20
    for k, picture in enumerate(shot.frames):
        want = frames[-1].roll(2 * k, -1).mul(255).round().byte().permute(1, 2, 0).numpy()
        assert np.abs(picture.astype(int) - want).max() <= 1
    assert model.film(steps=4, every=1).at == (0, 1, 2, 3, 4)
    assert model.film(steps=2, size=(16, 24)).frames.shape[1:3] == (16, 24)
    assert model.film(frames=5).at == (0, 2, 4, 6, 8)
    assert model.film().at[-1] == 198
    between = model.film(frames=3, factor=4)
    assert (len(between.frames), between.fps) == (12, 80)
    assert np.array_equal(between.frames[::4], model.film(frames=3).frames)
    with pytest.raises(UserError, match="give one of them"):
        model.film(frames=3, steps=4)


def test_a_video_model_without_a_start_is_filmed_frame_by_frame_too(drift):
    model, _ = drift
    alone = pl.Model(model.rule, model.layout, model.card, size=(8, 12))
    assert alone.film(frames=3).at == (0, 2, 4)
    assert alone.film(frames=3).fps == 20


def test_a_video_model_is_saved_exported_and_shown_with_its_frames(drift, tmp_path, monkeypatch):
    model, frames = drift
    again = pl.load(model.save(tmp_path / "again.safetensors"))
    assert torch.equal(again.start, frames)
    told = model.player().payload["start"] if notebook.interactive() else {"frames": 3}
    assert told["frames"] == 3
    assert '"start":{"frames":3' in model.export(tmp_path / "drift.html").read_text()
    monkeypatch.setitem(sys.modules, "anywidget", None)
    data, _ = model._repr_mimebundle_()
    assert "Film of 81 frames, 12x8 cells, steps 0 to 160" in data["text/html"]
