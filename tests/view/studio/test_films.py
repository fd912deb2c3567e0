"""The studio and video models: the form, thumbnails, the frame a run begins with, terms of the loss, films."""

import io
import json
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import films, scenery
from helpers.studios import studio, until
from PIL import Image

from planaria.data.frames import open_frames
from planaria.recipes import find
from planaria.store import live
from planaria.view.studio import making
from planaria.view.studio.feed import weights
from planaria.view.studio.forms import FILMS, forms, name_for
from planaria.view.studio.runs import read_point


@pytest.fixture
def place(tmp_path):
    with studio(tmp_path / "runs") as s:
        yield s
        for child in s.inside.trainings._children.values():
            child.wait()


def run(folder, name: str = "model.safetensors") -> torch.Tensor:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text("task: video\nframes: sim:life\ntrain: {steps: 90}\n")
    return films.save(folder / name, visible=3)


def test_the_form_asks_for_a_film():
    told = forms()
    fields = {f["key"]: f for task in told["tasks"] if task["name"] == "video" for f in task["fields"]}
    assert fields["frames"]["kind"] == "film"
    assert fields["frames"]["help"]
    assert [one["name"] for one in told["films"]] == [f"sim:{name}" for name in FILMS]
    assert all(one["about"] for one in told["films"])


@pytest.mark.parametrize(
    ("frames", "name"),
    [("sim:life/B36/S23", "life-b36-s23"), ("some/where/Clip 2.mp4", "clip-2"), ("frames/rain/", "rain")],
)
def test_a_run_is_called_after_its_film(frames, name):
    recipe = find("video")
    config = recipe.config({"frames": frames})
    assert name_for(recipe, config, None) == name
    assert name_for(recipe, config, "Mine") == "mine"


def test_simulators_have_thumbnails_and_nothing_else_of_this_machine(place):
    status, data, _ = place.ask("GET", "/api/thumb?source=sim:life")
    assert status == 200
    with Image.open(io.BytesIO(data)) as image:
        assert image.convert("L").getextrema() == (0, 255)
    for source in ("sim:life/B36/S23", "sim:nothing", "sim:../x", "/etc/hostname"):
        assert place.ask("GET", f"/api/thumb?source={source}")[0] == 404


def test_a_film_that_is_none_is_refused_at_its_field(place, tmp_path):
    (tmp_path / "empty").mkdir()
    for frames in (str(tmp_path / "empty"), str(tmp_path / "none.mp4"), "sim:lenja"):
        status, said = place.post("/api/runs", task="video", settings={"frames": frames})
        assert (status, said["field"]) == (400, "frames"), said
    assert "lenia" in said["error"]
    assert place.get("/api/home")[1]["runs"] == []


def gif(n: int = 12) -> bytes:
    frames = [Image.fromarray((frame * 255).astype(np.uint8)) for frame in scenery.ball(n)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=40)
    return out.getvalue()


def test_a_film_is_taken_in_and_learned_from(place):
    data = gif()
    status, said, _ = place.ask("PUT", "/api/films?name=My%20Ball.GIF", data)
    assert status == 200, said
    kept = Path(said["film"])
    assert (kept.name, kept.parent) == ("my-ball.gif", place.folder / ".films")
    assert kept.read_bytes() == data
    assert len(open_frames(kept)) == 12
    _, again, _ = place.ask("PUT", "/api/films?name=my-ball.gif", data)
    assert again["film"] == str(kept), "the same film is kept once"
    assert [p.name for p in (place.folder / ".films").iterdir()] == ["my-ball.gif"]
    assert place.get("/api/home")[1]["runs"] == [], "the folder of films is no run"


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.txt", b"GIF89a", "no video"),
        ("a.gif", b"GIF89a" + bytes(30), "a.gif"),
        ("a.mp4", b"x" * 1000, "a.mp4"),
        ("a.gif", b"", "empty"),
        ("a.gif", gif(1), "no film"),
        ("../../a.gif", b"x", "a.gif"),
    ],
)
def test_what_is_no_film_is_refused_and_leaves_nothing(place, name, data, why):
    status, said, _ = place.ask("PUT", f"/api/films?name={name}", data)
    assert status == 400
    assert why in said["error"]
    assert str(place.folder) not in said["error"]
    assert not (place.folder / ".films").exists() or list((place.folder / ".films").iterdir()) == []


def test_a_film_is_looked_at_before_it_is_learned(place, tmp_path):
    two = np.concatenate([scenery.drift(1, 20), scenery.drift(2, 20)])
    source = scenery.folder(tmp_path / "film", two)
    status, said = place.post("/api/survey", recipe="film", settings={"frames": source})
    assert status == 200
    assert "a cut before frame 20" in said["lines"][0]
    for settings in ({"frames": "sim:life"}, {"frames": str(tmp_path / "none")}, {"frames": source, "size": "x"}):
        assert place.post("/api/survey", task="video", settings=settings) == (200, {"lines": []})
    assert place.post("/api/survey", task="grow", settings={}) == (200, {"lines": []})


def test_a_card_shows_the_frame_that_a_run_begins_with(place):
    frames = run(place.folder / "rain", live.WEIGHTS)
    live.write_status(place.folder / "rain", live.Status("running", 3, 90, 0.5))
    (card,) = place.get("/api/home")[1]["runs"]
    assert (card["picture"], card["film"]) == ("sim:life", None)
    status, data, headers = place.ask("GET", card["still"])
    assert (status, headers["content-type"]) == (200, "image/png")
    with Image.open(io.BytesIO(data)) as image:
        seen = np.asarray(image.convert("RGB"))
    assert np.array_equal(seen, frames[-1].mul(255).round().byte().permute(1, 2, 0).numpy())
    assert place.ask("GET", "/made/gallery/heart/start.png")[0] == 400
    assert place.get("/api/gallery/heart/player")[1].get("start") is None
    assert place.get("/api/runs/rain/player")[1]["start"]["frames"] == 3


def test_live_weights_are_told_without_the_frames(tmp_path):
    run(tmp_path / "rain", live.WEIGHTS)
    step, data = weights(tmp_path / "rain" / live.WEIGHTS)
    assert step == 5
    assert data == films.drift(3).weights[0].numpy().astype("<f4").tobytes()


def test_terms_and_what_was_held_out_reach_the_page(place):
    folder = place.folder / "rain"
    run(folder)
    terms = {"frame 1": 0.123456, "frame 2": 0.25, "odd": "x"}
    lines = [{"step": k + 1, "loss": 0.5, "lr": 0.1, "terms": terms} for k in range(5000)]
    for k in range(49, 5000, 50):
        lines[k]["validation"] = 0.25
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    told = place.get("/api/runs/rain/metrics")[1]["lines"]
    assert len(told) <= 2000
    assert told[0]["terms"] == {"frame 1": 0.1235, "frame 2": 0.25}
    assert sum("validation" in line for line in told) == 100
    assert "terms" not in (read_point(b'{"step": 1, "loss": 0.5, "terms": 3}') or {})


def test_a_video_model_is_filmed_from_its_start(tmp_path):
    frames = run(tmp_path / "rain")
    making.film(str(tmp_path / "rain" / "model.safetensors"), str(tmp_path / "film.webp"))
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames == 11
        seen = np.asarray(film.convert("RGB").resize((14, 10), Image.Resampling.NEAREST))
    assert np.array_equal(seen, frames[-1].mul(255).round().byte().permute(1, 2, 0).numpy())


TINY = {
    "frames": "sim:life,size=16", "count": "20", "steps": "1", "rule.channels": "4", "rule.hidden": "8",
    "train.steps": "3", "train.batch": "2", "horizon": "1,2", "train.validate": "2",
}  # fmt: skip


def test_a_video_training_is_started_from_the_page(place):
    status, said = place.post("/api/runs", task="video", settings=TINY)
    assert (status, said) == (201, {"name": "life-size-16"})
    url = "/api/runs/life-size-16"
    end = time.monotonic() + 120
    while (card := place.get(url)[1])["state"] in ("running", "paused"):
        assert time.monotonic() < end, card
        time.sleep(0.2)
    assert card["state"] == "finished", card["note"]
    assert (card["task"], card["picture"], card["grid"]) == ("video", "sim:life,size=16", [16, 16])
    assert until(lambda: place.get(f"{url}/metrics")[1]["lines"])[-1]["step"] == 3
    assert place.get(f"{url}/player")[1]["start"]["size"] == [16, 16]
