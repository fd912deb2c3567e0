"""Headers of odd content: whatever stands in a model's header, every reader of it works or says so in one line."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from helpers.payloads import payload
from helpers.tiny import tiny

from planaria import store
from planaria.cli import main
from planaria.config import to_dict
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.errors import UserError
from planaria.model import load
from planaria.store.cards import FIELDS, Card, Frame, Origin
from planaria.view.play.open import open_play
from planaria.view.play.terminal import status
from planaria.view.studio.runs import Runs

ODD = (None, "x", {"a": {"b": [1]}}, -1, 2**70, True, [None, "x"], "missing")
CARD = {
    "name": "a", "task": "grow", "trained": 6, "grid": [8, 8], "config": {**to_dict(tiny()), "prompts": ["a"]},
    "figures": {"mse at 200": 0.1}, "reused": ["weights"], "frame": {"steps": 2, "solver": "euler"}, "length": 20,
    "share": 0.1, "origin": {"from": "x", "home": "y", "licence": "z", "file": "f"},
}  # fmt: skip
LOOKED_UP = {"regime", "picture", "size", "prompts", "share", "context", "train", "steps", "rollout"}


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "runs" / "a" / "model.safetensors"
    store.save(path, Rule(RuleConfig(channels=8, hidden=(4,))), Layout(hidden=4), CARD)
    return path


def places(tree: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where in nested dicts, and first in lists, something stands."""
    if at:
        yield at
    inner = tree.items() if isinstance(tree, dict) else enumerate(tree[:1]) if isinstance(tree, list) else ()
    for key, value in inner:
        if at[:2] != ("card", "config") or isinstance(key, int) or key in LOOKED_UP:
            yield from places(value, (*at, key))


def changed(header: dict, at: tuple[str | int, ...], value: object) -> dict:
    header = copy.deepcopy(header)
    node = header
    for key in at[:-1]:
        node = node[key]
    node[at[-1]] = value
    if value == "missing":
        del node[at[-1]]
    return header


def every_reader(path: Path, quick: bool) -> Iterator[str]:
    """What each reader of a model says that can't read it; the page alone, and a card of the studio, where `quick`."""

    def played() -> None:
        play = open_play(str(path), seed=0)
        play.advance(0.1)
        status(play, 80)
        play.close()

    readers = (
        lambda: json.dumps(payload(path), allow_nan=False),
        lambda: repr(load(path)),
        played,
    )
    for read in readers[:1] if quick else readers:
        try:
            read()
        except UserError as error:
            yield str(error)
    json.dumps(Runs(path.parents[1]).card("runs", "a"), allow_nan=False)


HEADER = {"format": 1, "rule": to_dict(RuleConfig()), "layout": to_dict(Layout()), "card": CARD}


@pytest.mark.parametrize("part", ["format", "rule", "layout", *(f"card.{name}" for name in FIELDS), "card"])
def test_whatever_a_header_says_is_read_or_told_in_one_line(path, part):
    header, tensors = store.read_header(path), store.read_tensors(path)
    begin = tuple(part.split("."))
    inner = [at for at in places(HEADER) if at[: len(begin)] == begin and (part != "card" or at == begin)]
    assert inner
    for at in inner:
        settings = part.startswith(("rule", "layout"))
        for value in ODD[1:4] if settings else ODD[1:5] if len(at) > 2 else ODD:
            store.write_tensors(path, tensors, changed(header, at, value))
            for line in every_reader(path, quick=settings):
                assert len(line.splitlines()) == 1
                told = part.startswith("card") and at not in (("card",), ("card", "frame", "solver"))
                assert not told, f"a card is only told, yet {at} = {value!r} gives {line}"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_of_another_kind_is_as_if_it_were_not_told(path, name):
    header, tensors = store.read_header(path), store.read_tensors(path)
    for value in ODD[:-1]:
        store.write_tensors(path, tensors, changed(header, ("card", name), value))
        told = store.card(path)
        assert name not in told or type(told[name]) is type(CARD[name]) or (name, told[name]) in (
            ("share", -1), ("share", 2**70)
        )  # fmt: skip
        assert store.trained_size(path) == ((72, 72) if name == "grid" else (8, 8))
    store.write_tensors(path, tensors, changed(header, ("card", "own"), {"kept": [None]}))
    assert store.card(path) == {**CARD, "own": {"kept": [None]}}


@pytest.mark.parametrize("odd", [None, "x", {}, [], True, [1], {"mse": "x", "psnr": None, "ssim": [1]}])
def test_metrics_that_are_no_numbers_are_not_shown(path, capsys, odd):
    header, tensors = store.read_header(path), store.read_tensors(path)
    store.write_tensors(path, tensors, changed(header, ("card", "figures"), odd))
    assert main(["show", str(path)]) == 0
    assert "mse" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.to(torch.int8), lambda t: t[..., None].contiguous(), lambda t: torch.zeros(0),
        lambda t: torch.full(t.shape, torch.nan), lambda t: t.to(torch.float8_e4m3fn), lambda _: None,
    ],
    ids=["kind", "deeper", "empty", "no numbers", "eight bits", "missing"],
)  # fmt: skip
def test_weights_of_another_kind_are_one_line(path, change, capsys):
    header, tensors = store.read_header(path), store.read_tensors(path)
    for name, tensor in tensors.items():
        other = {**tensors, name: change(tensor)}
        store.write_tensors(path, {n: t for n, t in other.items() if t is not None}, header)
        for words in (["show", str(path)], ["run", str(path), "-o", str(path.with_name("x.png"))]):
            assert main(words) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert "damaged" in line


def test_a_card_has_fields_and_is_the_json_of_its_file(path):
    card = store.card(path)
    assert (card.name, card.task, card.trained, card.grid) == ("a", "grow", 6, (8, 8))
    assert (card.frame, card.frame_steps, card.solver, card.loop_steps) == (Frame(2, "euler"), 2, "euler", 20)
    assert (card.config.prompts, card.config.train.steps) == (("a",), CARD["config"]["train"]["steps"])
    assert (card.reused, card.share, card.origin) == (("weights",), 0.1, Origin("x", "y", "f", "z"))
    assert dict(card) == CARD
    changed = card.changed(trained=7, own=[None])
    assert (changed.trained, changed["own"], card.trained) == (7, [None], 6)
    store.save(path, *store.load(path), changed)
    assert store.card(path) == changed == {**CARD, "trained": 7, "own": [None]}


def test_what_a_card_does_not_say_is_as_usual():
    card = Card.parse({})
    assert not card
    assert (card.trained, card.grid, card.frame_steps, card.loop_steps, card.solver) == (
        None,
        (72, 72),
        1,
        200,
        "euler",
    )
    assert Card.parse({"config": {"share": 0.25}}).share == 0.25
    assert Card.parse({"config": {"train": {"rollout": [4, 50]}}}).loop_steps == 50


def test_a_model_is_read_whole(path):
    model = store.read(path)
    assert (model.name, model.size, model.path, model.start, model.spread) == ("a", (8, 8), path, None, None)
    assert model.card == store.card(path)
    assert model.layout == store.load(path)[1]
