"""The studio and models that paint: the form asks for a style, photos and wishes; runs are shown and filmed."""

import io

import numpy as np
import pytest
from helpers import easel
from helpers.studios import studio, until
from PIL import Image

from planaria.store import live
from planaria.view.studio import making
from planaria.view.studio.forms import filled, forms, inputs
from planaria.view.studio.guard import Refusal


@pytest.fixture
def place(tmp_path):
    with studio(tmp_path / "runs") as s:
        yield s
        for child in s.inside.trainings._children.values():
            child.kill()
            child.wait()


def run(folder, name: str = "model.safetensors"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text("task: style\nstyle: scene:sea\ntrain: {steps: 90}\n")
    return easel.save(folder / name)


def test_the_form_asks_for_a_style_and_for_wishes():
    told = forms()
    fields = {task["name"]: {f["key"]: f for f in task["fields"]} for task in told["tasks"]}
    assert fields["style"]["style"]["kind"] == fields["texture"]["style"]["kind"] == "style"
    assert fields["text"]["prompts"]["kind"] == "words"
    assert "photos" in fields["style"]
    assert all(one.startswith("scene:") for one in told["styles"])
    assert told["styles"]


def test_a_wish_may_have_commas():
    wishes = ["trees, in the manner of a child", "mosaic:2"]
    _, config = filled({"task": "text", "settings": {"prompts": wishes}})
    assert config.prompts == tuple(wishes)
    _, config = filled({"task": "text", "settings": {"prompts": "mosaic, ink"}})
    assert config.prompts == ("mosaic", "ink")
    for wrong in ([], [""], [["a"]]):
        with pytest.raises(Refusal) as refused:
            filled({"task": "text", "settings": {"prompts": wrong}})
        assert refused.value.status == 400, wrong


def test_everything_that_is_to_be_opened_is_tried():
    def tried(task: str) -> list[tuple[str, str]]:
        return [(field, job) for field, job, _ in inputs(*filled({"task": task}))]

    assert tried("grow") == [("picture", "check")]
    assert tried("video") == [("frames", "look")]
    assert tried("texture") == [("style", "check")]
    assert tried("style") == [("style", "check"), ("photos", "photos")]
    assert tried("text") == [("photos", "photos")]


def test_scenes_have_thumbnails(place):
    name = forms()["styles"][0]
    status, data, _ = place.ask("GET", f"/api/thumb?source={name}")
    assert status == 200
    with Image.open(io.BytesIO(data)) as image:
        assert max(image.size) == 192
    for source in ("scene:nothing", "scene:sea/../../x", f"{name}/3"):
        assert place.ask("GET", f"/api/thumb?source={source}")[0] == 404


def test_what_cannot_be_opened_is_refused_at_its_field(place, tmp_path):
    (tmp_path / "empty").mkdir()
    for task, settings, field in (
        ("style", {"style": "/nowhere/gogh.jpg"}, "style"),
        ("texture", {"style": "scene:nothing"}, "style"),
        ("style", {"photos": str(tmp_path / "empty")}, "photos"),
        ("style", {"rule.channels": "5"}, "rule.channels"),
    ):
        status, said = place.post("/api/runs", task=task, settings=settings)
        assert (status, said["field"]) == (400, field), said
    assert place.get("/api/home")[1]["runs"] == []


def test_a_card_shows_the_photo_that_a_run_begins_with(place):
    photo = run(place.folder / "gogh", live.WEIGHTS)
    live.write_status(place.folder / "gogh", live.Status("running", 3, 90, 0.5))
    (card,) = place.get("/api/home")[1]["runs"]
    assert (card["task"], card["picture"], card["film"]) == ("style", "scene:sea", None)
    _, data, _ = place.ask("GET", card["still"])
    with Image.open(io.BytesIO(data)) as image:
        seen = np.asarray(image.convert("RGB"))
    assert np.array_equal(seen, photo.mul(255).round().byte().permute(1, 2, 0).numpy())
    assert place.get("/api/runs/gogh/player")[1]["start"]["frames"] == 1


def test_a_photo_is_filmed_while_it_is_painted(tmp_path):
    photo = run(tmp_path / "gogh")
    making.film(str(tmp_path / "gogh" / "model.safetensors"), str(tmp_path / "film.webp"))
    with Image.open(tmp_path / "film.webp") as film:
        assert film.n_frames > 20, "as long as it changes"
        seen = np.asarray(film.convert("RGB").resize((16, 12), Image.Resampling.NEAREST))
        assert np.array_equal(seen, photo.mul(255).round().byte().permute(1, 2, 0).numpy())
        film.seek(film.n_frames - 1)
        seen = np.asarray(film.convert("RGB").resize((16, 12), Image.Resampling.NEAREST)).astype(int)
    assert np.abs(seen - photo[easel.SWAP].mul(255).round().permute(1, 2, 0).numpy()).max() <= 1


def test_the_sheet_of_a_run_may_be_had(place):
    run(place.folder / "gogh")
    for name in ("sheet.png", "tiles.png"):
        Image.new("RGB", (4, 4)).save(place.folder / "gogh" / name)
        assert place.ask("GET", f"/files/runs/gogh/{name}")[0] == 200


TINY = {
    "style": "scene:sea", "photos": "scene:sea", "scale": "32", "size": "32", "rule.channels": "8",
    "rule.hidden": "8", "train.steps": "500", "train.batch": "2", "train.pool": "2", "train.rollout": "2,3",
}  # fmt: skip


def test_a_style_training_is_started_from_the_page(place):
    status, said = place.post("/api/runs", task="style", settings=TINY)
    assert (status, said) == (201, {"name": "sea"})
    until(lambda: place.get("/api/runs/sea/metrics")[1]["lines"], 240)
    card = place.get("/api/runs/sea")[1]
    assert card["state"] in ("running", "finished"), card["note"]
    assert (card["task"], card["picture"]) == ("style", "scene:sea")
    live.watch(place.folder / "sea")
    started = until(lambda: place.ask("GET", "/api/runs/sea/player")[0] == 200 and place.get("/api/runs/sea/player")[1])
    assert started["start"]["size"] == [32, 32]
    assert started["layout"]["frozen"] == 3
