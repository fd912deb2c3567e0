import json
from dataclasses import asdict

import pytest
from helpers.studios import model, studio, training

from planaria.config import describe
from planaria.store import live
from planaria.tasks.grow import Config
from planaria.view.studio.cards import last_line
from planaria.view.studio.forms import filled, forms
from planaria.view.studio.guard import Refusal
from planaria.view.studio.runs import Runs


@pytest.fixture
def place(tmp_path):
    with studio(tmp_path / "runs") as s:
        yield s


def test_an_empty_place_shows_the_gallery_and_stays_empty(place):
    home = place.get("/api/home")[1]
    assert home["runs"] == []
    assert {"heart", "planarian"} <= {card["name"] for card in home["gallery"]}
    heart = next(card for card in home["gallery"] if card["name"] == "heart")
    assert (heart["kind"], heart["state"], heart["task"], heart["picture"]) == ("gallery", "finished", "grow", "heart")
    assert heart["film"].startswith("/made/gallery/heart/film.webp")
    assert place.ask("GET", "/")[0] == 200
    assert place.get("/api/forms")[0] == 200
    assert not place.folder.exists()


def test_cards_tell_how_each_run_is_doing(place):
    runs = place.folder
    training(runs / "busy", step=3, steps=90)
    (runs / "file").write_text("no folder")
    model(runs / "done" / "model.safetensors", trained=90)
    (runs / "done" / "config.yaml").write_text("task: grow\npicture: lizard\ntrain: {steps: 90}\n")
    (runs / "done" / "film.webp").write_bytes(b"film")
    dead = training(runs / "dead")
    status = asdict(live.read_status(dead))
    (dead / "status.json").write_text(json.dumps({**status, "pid": 2**22 - 3}))
    (runs / "never").mkdir()
    (runs / "never" / "train.log").write_text("a warning\nplanaria: no picture 'x.png'\n\n")
    (runs / "strange").mkdir()
    (runs / "strange" / "config.yaml").write_text("- a\n- list")
    (runs / "strange" / "status.json").write_text("[" * 5000)
    (runs / "nothing").mkdir()
    (runs / "endless").mkdir()
    (runs / "endless" / "config.yaml").write_text('task: grow\npicture: "\\uD800"\ndate: 2024-01-01\nlr: .nan\n')
    cards = {card["name"]: card for card in place.get("/api/home")[1]["runs"]}
    told = {name: (c["state"], c["step"], c["steps"], c["model"], c["note"]) for name, c in cards.items()}
    assert told == {
        "busy": ("running", 3, 90, False, ""),
        "done": ("finished", 90, 90, True, ""),
        "dead": ("interrupted", 3, 90, False, ""),
        "never": ("failed", 0, 0, False, "no picture 'x.png'"),
        "strange": ("stopped", 0, 0, False, ""),
        "endless": ("stopped", 0, 0, False, ""),
    }
    assert cards["busy"]["film"] is None
    assert cards["busy"]["grid"] is None
    assert cards["done"]["film"].startswith("/files/runs/done/film.webp?v=")
    assert cards["done"]["strip"].startswith("/made/runs/done/strip.png")
    assert cards["done"]["grid"] == [12, 12]
    assert place.get("/api/runs/endless")[1]["config"] == {}
    about = place.get("/api/runs/done")[1]
    assert about["config"]["picture"] == "lizard"
    assert {"name": "film.webp", "bytes": 4, "url": "/files/runs/done/film.webp"} in about["files"]
    assert {"key": "train.steps", "kind": "int", "default": 8000, "choices": None, "optional": False,
            "least": 1, "most": 10**9, "range": "in 1..1000000000",
            "help": "Iterations of training."} in about["fields"]  # fmt: skip


def test_a_long_curve_is_thinned_but_keeps_its_events(place):
    folder = training(place.folder / "long")
    lines = [
        {"step": k, "loss": 1.0, "lr": 0.1, "seconds": 1} | ({"event": "hm"} if k % 999 == 5 else {})
        for k in range(1, 30_001)
    ]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "metrics.jsonl").write_text(text + '{"step": 30001, "lo')
    points = place.get("/api/runs/long/metrics")[1]["lines"]
    assert 1500 < len(points) <= 2000
    assert (points[0]["step"], points[-1]["step"]) == (1, 30_000)
    assert [p["step"] for p in points if "event" in p] == list(range(5, 30_001, 999))
    assert set(points[0]) == {"step", "loss", "lr"}
    late = place.get("/api/runs/long/metrics?after=29500")[1]["lines"]
    assert [p["step"] for p in late] == list(range(29_501, 30_001))
    assert place.get("/api/runs/long/metrics?after=30000")[1]["lines"] == []
    for odd in ("x", "1e9", "", "9" * 20):
        assert place.get(f"/api/runs/long/metrics?after={odd}")[0] == 400
    (folder / "metrics.jsonl").write_text('{"step": 1}\n[[[\n"a"\n')
    assert place.get("/api/runs/long/metrics")[1]["lines"] == [{"step": 1}]


def test_films_and_exports_are_made_once_and_kept(place):
    model(place.folder / "a" / "model.safetensors")
    (place.folder / "a" / "config.yaml").write_text("task: grow\n")
    status, data, headers = place.ask("GET", "/made/runs/a/film.webp")
    assert (status, headers["content-type"], data[8:12]) == (200, "image/webp", b"WEBP")
    kept = list((place.folder / ".cache").iterdir())
    assert place.ask("GET", "/made/runs/a/film.webp")[1] == data
    assert list((place.folder / ".cache").iterdir()) == kept
    status, data, headers = place.ask("GET", "/export/runs/a/a.gif")
    assert (status, data[:4]) == (200, b"GIF8")
    assert headers["content-disposition"] == 'attachment; filename="a.gif"'
    for odd in ("a.exe", "b.gif", "a.safetensors", "a", "a.gif.html"):
        assert place.get(f"/export/runs/a/{odd}")[0] == 404
    assert place.get("/made/runs/a/loss.png")[0] == 404
    (place.folder / "a" / "model.safetensors").write_bytes(b"PK nothing")
    status, said = place.get("/made/runs/a/strip.png")
    assert (status, "pickle" in said["error"]) == (400, True)


def test_a_run_that_is_moved_while_it_is_filmed_is_gone_not_wrong(place, monkeypatch):
    model(place.folder / "a" / "model.safetensors")
    maker, do = place.inside.slow, place.inside.slow.do

    async def late(job, **arguments):
        place.inside.trainings.put_away("a")
        return await do(job, **arguments)

    monkeypatch.setattr(maker, "do", late)
    status, said = place.get("/made/runs/a/film.webp")
    assert (status, "'a' was moved" in said["error"]) == (404, True)


@pytest.mark.parametrize("path", ["files/runs/one/model.safetensors", "made/runs/one/film.webp"])
def test_a_file_that_vanishes_after_it_was_found_is_gone_not_wrong(place, monkeypatch, path):
    model(place.folder / "one" / "model.safetensors")
    name = "file" if path.startswith("files") else "model"
    found = getattr(Runs, name)

    def vanishing(runs, *names, **options):
        there = found(runs, *names, **options)
        there.unlink()
        return there

    monkeypatch.setattr(Runs, name, vanishing)
    assert place.get(f"/{path}")[0] == 404


def test_the_player_gets_the_model(place):
    training(place.folder / "a")
    assert place.get("/api/runs/a/player")[0] == 404
    model(place.folder / "a" / "model.safetensors", trained=7)
    assert place.get("/api/runs/a/player")[1]["trained"] == 7
    model(place.folder / "a" / "live.safetensors", trained=9)
    assert place.get("/api/runs/a/player")[1]["trained"] == 9
    assert place.get("/api/gallery/heart/player")[1]["name"] == "heart"
    assert place.get("/api/elsewhere/heart/player")[0] == 404
    (place.folder / "a" / "live.safetensors").write_bytes(b"damaged")
    assert place.get("/api/runs/a/player")[0] == 400


def test_forms_hold_every_setting_with_its_sentence():
    told = forms()
    grow = next(task for task in told["tasks"] if task["name"] == "grow")
    fields = {f["key"]: f for f in grow["fields"]}
    assert fields["picture"]["kind"] == "picture"
    assert fields["rule.hidden"] == {"key": "rule.hidden", "kind": "list", "default": [128], "choices": None,
                                     "help": "Width of each hidden layer of the update network, first to last.",
                                     "optional": False, "least": 1, "most": 65536,
                                     "range": "in 1..65536"}  # fmt: skip
    assert (fields["train.lr"]["least"], fields["train.lr"]["range"]) == (0, "above 0 and below 100")
    assert (fields["rule.dt"]["least"], fields["rule.dt"]["most"]) == (None, None)
    assert fields["regime"]["choices"] == ("grow", "persist", "regenerate")
    assert (fields["damage"]["kind"], fields["damage"]["optional"], fields["damage"]["default"]) == ("int", True, None)
    assert fields["train.normalise"]["kind"] == "bool"
    assert all(f["help"].endswith(".") for f in fields.values())
    demo = next(recipe for recipe in json.loads(json.dumps(told))["recipes"] if recipe["name"] == "demo")
    assert demo["settings"]["train.steps"] == 1200
    assert [f.key for f in describe(Config)][:2] == ["picture", "size"]


def test_a_refusal_names_the_setting_at_fault():
    for settings, key in (
        ({"size": "0"}, "size"),
        ({"train.steps": "many"}, "train.steps"),
        ({"train.stepz": "1"}, "train.stepz"),
        ({"rule.channels": "3"}, "rule.channels"),
        ({"rule.filters": "identity,sobelx"}, "rule.filters"),
        ({"background": "whitish"}, "background"),
        ({"train.rollout": "9,8"}, "train.rollout"),
        ({"train.pool": "4", "train.batch": "5"}, "train.pool"),
        ({"damage": "8"}, "damage"),
    ):
        with pytest.raises(Refusal) as refusal:
            filled({"task": "grow", "settings": settings})
        assert refusal.value.field == key, settings


def test_the_last_line_of_a_log_is_plain(tmp_path):
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_bytes(b"x" * 100_000 + b"\n\x1b[31mplanaria: \x1b]0;title\x07red\x00 \xff\x1b[0m\n\n \n")
    assert last_line(log).startswith("]0;title red") or "red" in last_line(log)
    assert "\x1b" not in last_line(log)
