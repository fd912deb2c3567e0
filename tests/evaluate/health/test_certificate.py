"""The certificate: found for a model, the same for every number of threads, and written for people."""

import json
import math

import pytest
import torch
from helpers.bodies import LAYOUT, SIZE, brief, disc, grown, linear, still
from helpers.tiny import WORDS
from PIL import Image

import planaria
from planaria import store
from planaria.cli import main
from planaria.core.infection import Spread, combine, infectable
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.evaluate.health import FULL, QUICK, STANDS_IN, examine, heals
from planaria.evaluate.health.finding import organism, placed, reason_against, seeds, task_of
from planaria.evaluate.health.trial import perform
from planaria.report import health as report
from planaria.store.cards import CUT, HEALED, badge
from planaria.tasks import grow

FILES = ["health.json", "health.md", "health.png"]


@pytest.fixture(autouse=True)
def _brief(monkeypatch):
    brief(monkeypatch)


@pytest.fixture
def certificate():
    return examine(still(), quick=True, seed=3)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with a body that stays as it is, imported from somewhere, and the picture of a disc."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    card = {"task": "grow", "name": "blob", "grid": list(SIZE), "origin": {"from": "distill"}}
    store.save(tmp_path / "blob.safetensors", linear(0.0), LAYOUT, card)
    pixels = torch.cat([disc()[:3], disc()[3:]]).mul(255).byte().permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(tmp_path / "disc.png")
    return tmp_path


def test_every_part_is_there(certificate):
    assert (QUICK.runs, QUICK.steps, FULL.runs, FULL.steps[-1]) == (8, (1000, 5000), 16, 100_000)
    assert certificate.keeps.steps == (1000, 1002)
    assert certificate.badge == f"heals {certificate.brush.healed} of 2"
    assert certificate.metrics == {CUT: 2, HEALED: certificate.brush.healed}
    told = json.loads(json.dumps(certificate.to_dict(), allow_nan=False))
    assert told["engine"] == certificate.engine
    assert (told["seed"], told["quick"], told["target"]) == (3, True, "a disc")
    assert {trial["name"] for trial in told["trials"]} >= {"brush strokes", "noise 20%", "10% of the body left"}
    for trial in told["trials"]:
        fates = ("healed", "moved", "extinct", "burst", "overgrown", "second shape")
        assert sum(trial[fate] for fate in fates) == trial["bodies"] == len(trial["errors"])


def test_progress_comes_to_its_end():
    seen = []
    mine = still()
    examine(mine.__class__(**{**vars(mine), "target": None}), quick=True, progress=lambda *news: seen.append(news))
    done = [news[1] for news in seen]
    assert done == sorted(done)
    assert seen[-1][1] == seen[-1][2]


def test_the_number_of_threads_changes_nothing():
    rule, layout = planaria.load("heart")
    mine = organism(store.read("heart"))
    mine = mine.__class__(**{**vars(mine), "target": torch.zeros(4, *mine.size)})
    x = mine.after(layout.seed(3, mine.size), 40, t=0, seed=1)
    check = next(heals.checks(mine, quick=True))
    short = check.__class__(check.name, check.group, 5, check.begin, steps=10)
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        try:
            found.append(perform(mine, x, short, 1.0, seed=4, tick=lambda _: None).to_dict())
        finally:
            torch.set_num_threads(1)
    assert found[0] == found[1]
    other = perform(mine, x, short, 1.0, seed=5, tick=lambda _: None).to_dict()
    assert other != found[0]
    assert rule.config.fire_rate < 1


def test_what_is_written(certificate, tmp_path):
    assert [path.name for path in report.write(tmp_path, certificate)] == FILES
    assert json.loads((tmp_path / "health.json").read_text()) == certificate.to_dict()
    page = (tmp_path / "health.md").read_text()
    assert page.startswith(f"# Health of still\n\nIt {certificate.badge} bodies cut by a brush.")
    assert "| brush strokes |" in page
    assert "| **Keeps** |" in page
    assert "stands still" in page
    with Image.open(tmp_path / "health.png") as shown:
        assert shown.width > 900
        assert shown.height > 400


def test_the_table_says_what_it_is_compared_with(certificate):
    shown = report.table(certificate)
    assert all(len(row) == len(shown.head) for row in shown.rows)
    assert "against a disc" in shown.note
    assert report.log10(1e-4) == "-4.00"
    assert report.log10(0) == report.log10(math.inf) == report.log10(math.nan) == "-"


def test_badges():
    assert badge({CUT: 1000, HEALED: 987}) == "heals 987 of 1,000"
    assert badge({CUT: 96, HEALED: 0}) == "heals 0 of 96"
    for wrong in ({}, {HEALED: 9}, {CUT: 0, HEALED: 0}, {CUT: 10, HEALED: 11}, {CUT: math.inf, HEALED: 1}):
        assert badge(wrong) == ""


def test_a_target_is_laid_on_the_body(place):
    rule = linear(0.0)

    def bodies(n: int, size: tuple[int, int]) -> torch.Tensor:
        return grown(n).roll((3, -2), (2, 3))

    mine = still().__class__("blob", rule, LAYOUT, SIZE, bodies)
    found = placed(mine, "disc.png")
    away = [(found - disc().roll(shift, (1, 2))).square().mean() for shift in ((3, -2), (2, -2), (3, -1), (0, 0))]
    assert min(away) == away[0] < 0.01


def test_what_can_t_be_examined():
    rule = linear(0.0)
    saved = store.Saved(rule, LAYOUT, name="blob")
    assert reason_against(saved) == ""
    film = store.Saved(rule, LAYOUT, saved.card.changed(frame={"steps": 2}))
    assert reason_against(film) == "its life begins with frames"
    assert "grows no body" in reason_against(store.Saved(rule, planaria.Layout(visible=3, alpha=None, hidden=5)))
    needs = Rule(RuleConfig(channels=8, cond=2))
    with pytest.raises(UserError, match="the health of blob can't be examined: it needs a condition"):
        organism(store.Saved(needs, LAYOUT, name="blob"))


def test_an_infection_is_examined_from_an_infected_seed():
    host = Rule(RuleConfig(channels=8, hidden=(4,)))
    spread = Spread()
    rule, layout = combine(host, host, spread), infectable(LAYOUT, spread)
    x = seeds(rule, layout)(2, (9, 9))
    assert x[:, layout.strain].sum() == 2 * 9
    assert (x[:, layout.strain, 3:6, 3:6] == 1).all()
    saved = store.Saved(rule, layout, name="virus", size=(9, 9), spread=spread)
    assert organism(saved).target is None
    assert "doesn't spread" in reason_against(store.Saved(rule, layout, spread=Spread(contact=False)))


def test_a_body_without_a_target(place, capsys):
    assert main(["eval", "blob.safetensors", "--quick", "--json", "all.json", "-o", "out"]) == 0
    told = json.loads((place / "all.json").read_text())
    assert told == json.loads((place / "out" / "health.json").read_text())
    assert told["target"] == STANDS_IN
    assert sorted(path.name for path in (place / "out").iterdir()) == FILES
    said = " ".join(capsys.readouterr().out.split())
    assert "Health of blob" in said
    assert STANDS_IN in said
    assert main(["eval", "blob.safetensors", "--quick", "--target", "disc.png"]) == 0
    assert json.loads((place / "health.json").read_text())["target"] == "disc.png"


def test_a_training_is_examined_at_its_end(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["train", "grow", *WORDS, "train.steps=2", "--name", "short"]) == 0
    assert not (tmp_path / "runs" / "short" / "health.json").exists()
    monkeypatch.setattr(grow, "FEWEST", 2)
    assert main(["train", "grow", *WORDS, "train.steps=2", "certificate=false", "--name", "off"]) == 0
    assert not (tmp_path / "runs" / "off" / "health.json").exists()
    capsys.readouterr()
    assert main(["train", "grow", *WORDS, "train.steps=2", "--name", "one"]) == 0
    folder = tmp_path / "runs" / "one"
    told = json.loads((folder / "health.json").read_text())
    assert told["quick"]
    assert told["target"] == "lizard"
    card = store.card(folder)
    assert card.badge == told["badge"] != ""
    assert "mse at step 400" in card.metrics
    assert card.badge in (folder / "README.md").read_text()
    assert card.badge in (folder / "organism.html").read_text()
    said = capsys.readouterr().out
    assert "Health of one" in said
    assert f"{card.badge} bodies cut by a brush" in said

    weights = (folder / "model.safetensors").read_bytes()[-2000:]
    monkeypatch.chdir(folder)
    assert task_of(store.read(folder)) is not None
    assert main(["eval", ".", "--quick", "--seed", "1"]) == 0
    assert (folder / "model.safetensors").read_bytes()[-2000:] == weights
    assert store.card(folder).badge
    assert store.card(folder).trained == 2


def test_every_model_of_a_folder(place, capsys):
    film = {"task": "video", "name": "film", "grid": [8, 8], "frame": {"steps": 1}}
    store.save(place / "run" / "model.safetensors", linear(0.0), LAYOUT, film)
    (place / "broken.safetensors").write_bytes(b"nothing")
    assert main(["eval", "--all", ".", "--quick", "--json", "all.json"]) == 0
    said = capsys.readouterr().out
    assert "left out: broken.safetensors" in said
    assert "blob: heals " in said
    assert "film: left out, as its life begins with frames" in said
    assert [one["name"] for one in json.loads((place / "all.json").read_text())["certificates"]] == ["blob"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--quick"], "name a model, or examine every one that grows: planaria eval --all gallery"),
        (["--all", "nowhere"], "--all nowhere: no such folder; say gallery, or a folder of runs or model files"),
        (["blob.safetensors", "--all", "gallery"], "--all examines every model; leave out MODEL"),
        (["blob.safetensors", "--target", "nothing.png"], "nothing.png"),
        (["blob.safetensors", "--json", "."], "--json . is a folder"),
        (["blob.safetensors", "--context", "2"], "is no video model; leave out --context"),
        (["sim:life", "--quick"], "sim:life is no video model"),
        (["blob.safetensors", "--quick", "--engine", "nativ"], "unknown engine 'nativ'"),
    ],
)
def test_mistakes(place, capsys, words, line):
    before = sorted(place.rglob("*"))
    assert main(["eval", *words]) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.startswith("planaria: ")
    assert said.count("\n") == 1
    assert sorted(place.rglob("*")) == before


def test_an_interruption_leaves_nothing(place, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(heals, "checks", stop)
    before = sorted(place.rglob("*"))
    assert main(["eval", "blob.safetensors", "--quick"]) == 130
    assert sorted(place.rglob("*")) == before
