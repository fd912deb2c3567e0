"""A task is one file: here one that grows a map of labels, written to a folder, trained, judged, played, exported."""

import json
import re
import sys
from pathlib import Path

import pytest
import torch
from helpers.payloads import payload
from PIL import Image

import planaria as pl
from planaria import recipes, store, tasks
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.errors import UserError
from planaria.view.play.player import Player
from planaria.view.studio.forms import forms
from planaria.world import World

pytest_plugins = ("helpers.browser",)

LABELS = '''
"""Labels: one cell grows into a disc whose cells agree on which part of it each of them is."""

from dataclasses import dataclass

import torch

from planaria import ranges
from planaria.config import TrainConfig
from planaria.core.layout import Layout
from planaria.core.rule import RuleConfig
from planaria.engine import run
from planaria.ranges import Cells
from planaria.tasks import base
from planaria.tasks.about import Form, Life, Words

PALETTE = ("#30638e", "#edae49", "#d1495b")


@dataclass(frozen=True)
class Config:
    """Grow a disc of three labels."""

    size: Cells = 16
    """Cells on a side."""
    parts: str = "left, middle, right"
    """Names of the labels."""
    rule: RuleConfig = RuleConfig(channels=10, hidden=(16,))
    """The rule that each cell runs."""
    train: TrainConfig = TrainConfig(steps=60, batch=4, pool=16, rollout=(12, 20))
    """How it learns."""

    def __post_init__(self):
        ranges.check(self)


class Task(base.Goal):
    """One map of labels."""

    form = Form("parts", "words", "Which labels?", "Names, with commas between.", first={"size": "Size, in cells"})

    @classmethod
    def named(cls, config):
        return "labels"

    @classmethod
    def words(cls, card):
        run = f"runs/{card['name']}"
        python = f"model = {base.loading(run)}"
        return Words("tells left from right", (f"planaria eval {run}",), (python,), "none", "cut it")

    def __init__(self, config, device, tensors=None):
        super().__init__(config, device, tensors)
        self.layout = Layout(3, alpha=3, hidden=config.rule.channels - 3, palette=PALETTE)
        self.pool = config.train.pool
        at = torch.arange(config.size) - config.size // 2
        self.body = (at[:, None] ** 2 + at**2 <= (config.size // 3) ** 2).float()
        third = at.clamp(-2, 1).add(2).div(4 / 3).floor().long()
        self.target = torch.nn.functional.one_hot(third, 3).T[:, None] * self.body

    @property
    def size(self):
        return self.config.size, self.config.size

    def fresh(self, n, rng):
        return base.Batch(self.layout.seed(n, self.size))

    def loss(self, x, batch):
        wrong = (self.layout.picture(x) - self.target).square().mean((1, 2, 3))
        return {"label": wrong, "body": (x[:, 3] - self.body).square().mean((1, 2))}

    def leaves(self):
        return Life(steps=40, every=4)

    @torch.no_grad()
    def measure(self, rule):
        x = run(rule, self.layout.seed(2, self.size), 20, seed=1, engine=self.config.train.engine)
        right = self.layout.picture(x).argmax(1) == self.target.argmax(0)
        return {"share of cells with the right label": float(right[:, self.body > 0].float().mean())}
'''

PALETTE = ((48, 99, 142), (237, 174, 73), (209, 73, 91))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder that holds the task's file and, below `runs`, a run of it."""
    folder = tmp_path_factory.mktemp("labels")
    (folder / "tasks").mkdir()
    (folder / "tasks" / "labels.py").write_text(LABELS)
    tasks.__path__.append(str(folder / "tasks"))
    recipes.sources.cache_clear()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            assert main(["train", "labels", "train.steps=20", "train.engine=sparse"]) == 0
            yield folder
    finally:
        tasks.__path__.remove(str(folder / "tasks"))
        sys.modules.pop("planaria.tasks.labels", None)
        vars(tasks).pop("labels", None)
        recipes.sources.cache_clear()


def test_it_is_trained_like_any_other(place):
    run = place / "runs" / "labels"
    _, layout = store.load(run)
    assert layout.shades == PALETTE
    assert (layout.role(2), layout.role(3)) == ("label 3", "hidden")
    terms = [json.loads(line)["terms"] for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert len(terms) == 20
    assert set(terms[-1]) == {"label", "body"}
    assert "tells left from right" in (run / "README.md").read_text()
    assert {"film.webp", "strip.png", "organism.html"} <= {f.name for f in run.iterdir()}
    assert set(store.card(run)["figures"]) == {"share of cells with the right label"}


def test_it_is_listed_asked_for_and_told_apart(place, capsys):
    assert main(["list", "tasks"]) == 0
    assert "Grow a disc of three labels." in capsys.readouterr().out
    (form,) = (task for task in forms()["tasks"] if task["name"] == "labels")
    assert (form["form"]["title"], form["fields"][0]["most"]) == ("Which labels?", 4096)
    assert main(["train", "labels", "size=0"]) == 2
    assert "size must be in 1..4096, got 0" in capsys.readouterr().err


def test_it_is_judged_by_what_it_measures(place, capsys):
    assert main(["eval", "runs/labels"]) == 0
    assert "share of cells with the right label" in capsys.readouterr().out
    told = json.loads((place / "runs" / "labels" / "scores.json").read_text())
    assert told["figures"] == store.card(place / "runs" / "labels")["figures"]


def test_it_is_played(place, tmp_path):
    rule, layout = pl.load(place / "runs" / "labels")
    world = World(rule, layout, (16, 16), seed=3)
    play = Player(world, "labels", folder=tmp_path)
    for _ in range(30):
        play.advance(1 / 60)
    assert world.t > 0
    world.clear()
    assert play.colour == PALETTE[0]
    for shade in PALETTE:
        world.paint(4, 4, 0, layout.colour((shade[0], shade[1] + 3, shade[2])))
        assert world.pick(4, 4) == shade
    assert world.pick(9, 9) == (255, 255, 255), "nothing there"


def test_half_of_two_labels_is_seen_as_both():
    layout = Layout(2, alpha=None, hidden=0, palette=("#ff0000", "#0000ff"))
    x = torch.tensor([[1.0, 0.5, 0.25, 2.0, float("nan")], [0.0, 0.5, 0.0, 2.0, 0.0]]).view(1, 2, 1, 5)
    seen = layout.rgb(x, background=0.0)[0, :, 0].T.tolist()
    assert seen == [[1, 0, 0], [0.5, 0, 0.5], [0.25, 0, 0], [0.5, 0, 0.5], [0, 0, 0]]
    assert layout.rgb(x)[0, :, 0, 2].tolist() == [1.0, 0.75, 0.75]
    for wrong in ({"palette": ("red", "blue")}, {"palette": ("#ff0000",)}, {"visible": 2, "palette": ()}):
        with pytest.raises(UserError, match="layout"):
            Layout(**{"visible": 2, "alpha": None, "palette": layout.palette, **wrong})


def test_it_is_exported(place):
    run = "runs/labels"
    assert main(["export", run, "a.gif", "a.png", "a.html", "--steps", "20"]) == 0
    with Image.open("a.gif") as film:
        film.seek(film.n_frames - 1)
        shown = film.convert("RGB").getcolors(2**16) or []
    assert len(shown) > 3
    with Image.open("a.png") as strip:
        assert strip.width > 100
    assert "#30638e" in Path("a.html").read_text()


PAINTED = """async ({payload, prefer, shades}) => {
  const { World } = await import("/world/world.js");
  const world = new World(payload, { size: [9, 9], seed: 3, prefer });
  world.tick(20);
  const lived = Array.from(world.image().data);
  world.clear();
  shades.forEach(([r, g, b], k) => world.paint(4, 2 * k, 0, world.colour([r, g + 3, b])));
  const picked = shades.map((_, k) => world.pick(4, 2 * k));
  const nothing = world.pick(0, 0, [0, 1, 0]);
  world.dispose();
  return { kind: world.kind, lived, picked, nothing };
}"""


@pytest.mark.browser
@pytest.mark.parametrize("prefer", ["wasm", "webgl2"])
def test_the_player_shows_the_colours_of_labels(place, blank, prefer):
    run = place / "runs" / "labels"
    found = blank.evaluate(PAINTED, {"payload": payload(run), "prefer": prefer, "shades": PALETTE})
    assert found["kind"] == prefer
    assert [tuple(colour) for colour in found["picked"]] == list(PALETTE)
    assert found["nothing"] == [0, 255, 0]
    world = World(*pl.load(run), (9, 9), seed=3)
    world.tick(20)
    theirs = torch.tensor(found["lived"]).view(9, 9, 4)[..., :3]
    assert (theirs - world.image().long()).abs().max() <= 1


@pytest.mark.browser
def test_its_page_runs(place, open_plain):
    page = open_plain()
    page.goto((place / "runs" / "labels" / "organism.html").as_uri())
    page.locator(".pl-status", has_text=re.compile("step [1-9]")).wait_for()
    assert "label 3" in page.content()
