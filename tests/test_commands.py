"""Every command line that people paste is one that a shell splits into the right words."""

import ast
import re
import shlex
from pathlib import Path

import pytest
from test_house import FILES

from planaria import store
from planaria.cli import main
from planaria.commands import command, install
from planaria.config import to_dict
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.recipes import find
from planaria.repaint import canvas_for
from planaria.report.readme import card_text
from planaria.store.cards import Card
from planaria.tasks import load

NAMES = ["a b;c'd", "-x", "$HOME", 'say "hi"', "two\nlines", "`ls`", "*", "plain"]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_is_what_a_shell_makes_of_it(name):
    assert shlex.split(command("play", name)) == ["planaria", "play", name]
    path = Path(name)
    assert shlex.split(command("play", path)) == ["planaria", "play", f"./{name}" if name == "-x" else name]
    assert command("eval", "runs/cat") == "planaria eval runs/cat"


def test_extras_are_installed_by_one_line():
    assert install("desktop", "studio").startswith("pip install '")
    assert "desktop,studio" in install("desktop", "studio")


CARDS = {
    "grow": {"grid": [8, 8]},
    "infect": {"host": "butterfly", "grid": [8, 8]},
    "video": {"frame": {"steps": 4, "solver": "euler"}},
    "texture": {},
    "dynamic_texture": {"frame": {"steps": 4, "solver": "euler"}},
    "style": {},
    "text": {},
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", CARDS)
def test_what_a_run_says_of_itself(task, name):
    given = {"prompts": ["a sketch"]} if task == "text" else {}
    config = to_dict(find(task).config(given))
    card = {"name": name, "task": task, "trained": 3, "config": config, "figures": {}, **CARDS[task]}
    text = card_text(Card.parse(card), RuleConfig())
    words = shlex.split(text.split("```")[1])
    asked = [tuple(words[i : i + 3]) for i, word in enumerate(words) if word == "planaria"]
    assert ("planaria", "show", f"runs/{name}") in asked
    assert ("planaria", "play", f"runs/{name}") in asked
    assert len(asked) >= 3
    for _, verb, first in asked:
        assert verb in ("show", "play", "run", "apply", "eval")
        assert first in (f"runs/{name}", config.get("host"))
    assert "-x.gif" not in words
    block = text.split("```python\n")[1].split("```")[0]
    loads = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    assert f"runs/{name}" in [
        node.args[0].value for node in loads if node.args and isinstance(node.args[0], ast.Constant)
    ]


@pytest.mark.parametrize("name", ["a b;c'd", "$x y", "-x"])
def test_what_the_command_line_says(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / name
    folder.mkdir()
    rule, layout = Rule(RuleConfig(channels=8, hidden=(4,))), Layout(visible=4, alpha=3, hidden=4)
    config = to_dict(load("grow").Config())
    card = {"name": name, "task": "grow", "config": config, "grid": [8, 8], "figures": {}, "trained": 1}
    film = {**card, "task": "video", "frame": {}, "config": {}}
    store.save(folder / "model.safetensors", rule, layout, film)
    typed = f"./{name}" if name.startswith("-") else name
    for words in (["export", typed], ["eval", typed]):
        assert main(words) == 2
        said = capsys.readouterr().err
        found = re.search(r"planaria (?:export|eval) .*?(?=, where|$)", said, re.MULTILINE)
        assert found, said
        assert shlex.split(found[0])[:3] == ["planaria", words[0], typed]
    store.save(folder / "model.safetensors", rule, layout, card)
    with pytest.raises(ValueError, match="planaria run") as error:
        canvas_for((rule, layout), (8, 8))
    assert "planaria run --help" in str(error.value)
    assert main(["apply", typed, "photo.png", "-o", "out.png"]) == 2
    said = capsys.readouterr().err
    assert shlex.split(said[said.index("planaria run") :]) == ["planaria", "run", typed]


LITERAL = re.compile(r"planaria (?:train|run|play|export|show|eval|apply|studio|frames|import|simulate) [^`]*?\{")
ELSEWHERE = {"planaria.cli", "planaria.cli.show", "planaria.training.session", "planaria.data.simulate.base"}
"""Modules whose commands hold only names of ours, or are tested where they are printed."""


@pytest.mark.parametrize("name", sorted(FILES.keys() - ELSEWHERE))
def test_no_command_is_put_together_by_hand(name):
    """A name within a command in an f-string would stand there unquoted."""
    for node in ast.walk(ast.parse(FILES[name].read_text())):
        if isinstance(node, ast.JoinedStr):
            text = "".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values)
            assert not LITERAL.search(text), f"line {node.lineno}: {text}"
