"""The house keeps its shape: who may import whom, and what never stands in the library."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import planaria

ROOT = Path(planaria.__file__).parent
FLOORS = [
    "types commands console machine synonyms gallery web",
    "files",
    "errors",
    "ranges",
    "config core",
    "engine data store",
    "losses",
    "world tasks",
    "recipes usual living",
    "health",
    "export evaluate repaint",
    "report",
    "view training bench",
    "cli model",
    "__main__",
]
FLOOR = {room: n for n, rooms in enumerate(FLOORS) for room in rooms.split()}
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}


def dotted(path: Path) -> str:
    """The module that a file of the package is."""
    return ".".join(["planaria", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")


FILES = {dotted(path): path for path in sorted(ROOT.rglob("*.py"))}


def room(name: str) -> str:
    return name.split(".")[1]


def nodes(source: str) -> Iterator[ast.AST]:
    """Everything in a file that can run: all of it but what stands under `if TYPE_CHECKING`."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        yield node
        typing_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        waiting += node.orelse if typing_only else ast.iter_child_nodes(node)


def imports(source: str) -> set[tuple[int, str]]:
    """Line and name of every import, those inside functions too; `from a import b` is `a.b` where that is a file."""
    found = set()
    for node in nodes(source):
        if isinstance(node, ast.Import):
            found |= {(node.lineno, a.name) for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            whole = [f"{node.module}.{a.name}" for a in node.names]
            found |= {(node.lineno, w if w in FILES else str(node.module)) for w in whole}
    return found


def own(source: str) -> set[tuple[int, str]]:
    return {(line, name) for line, name in imports(source) if name.split(".")[0] == "planaria"}


def upward(name: str, source: str) -> list[str]:
    """What `name` imports though it may not."""
    wrong = []
    for line, there in sorted(own(source)):
        if there == "planaria":
            continue  # what that may be, the test of the front door says
        below = FLOOR[room(there)] < FLOOR[room(name)]
        if not below and room(there) != room(name):
            wrong.append(f"line {line}: {room(name)} may not import {room(there)}")
    return wrong


def misdeeds(source: str) -> list[str]:
    """What could run code from a file, or write where nobody asked: `print` with a `file` is no such thing."""
    wrong = [f"line {line}: {name}" for line, name in imports(source) if name.split(".")[0] in FORBIDDEN]
    for node in nodes(source):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called in ("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec"):
            wrong.append(f"line {node.lineno}: {called}")
        if called.endswith(("torch.load", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.hub.load")):
            wrong.append(f"line {node.lineno}: {called}")
        if "allow_pickle" in given and given["allow_pickle"] != "False":
            wrong.append(f"line {node.lineno}: {called} with a pickle")
        if called == "print":
            wrong.append(f"line {node.lineno}: print to {given.get('file', 'the screen')}")
    return wrong


def not_in_files(source: str) -> list[str]:
    """What is imported from the front door itself, but the version."""
    wrong = []
    for node in nodes(source):
        if isinstance(node, ast.ImportFrom) and node.module == "planaria":
            names = {a.name for a in node.names if f"planaria.{a.name}" not in FILES} - {"__version__"}
            wrong += [f"line {node.lineno}: {name} from planaria" for name in sorted(names)]
    return wrong


def offenders(check: Callable[[str, str], list[str]]) -> list[str]:
    """Every line of the package that a check of `(module, source)` finds wrong, with its file."""
    return [f"{name} {wrong}" for name, path in FILES.items() for wrong in check(name, path.read_text())]


def test_imports_go_down():
    assert own(FILES["planaria"].read_text()) == set(), "the front door imports only when a name is used"
    assert offenders(lambda name, source: [] if name == "planaria" else upward(name, source)) == []


def test_from_the_front_door_only_files_and_the_version():
    assert offenders(lambda _, source: not_in_files(source)) == []


def test_the_reader_of_imports_sees_them():
    assert not_in_files("from planaria import __version__, cli, run") == ["line 1: run from planaria"]
    lazy = "def f():\n    from planaria.training import loop\n"
    assert own(lazy) == {(2, "planaria.training.loop")}
    assert upward("planaria.view.notebook", lazy) == ["line 2: view may not import training"]
    assert upward("planaria.cli", lazy) == []
    assert upward("planaria.training.session", lazy) == []
    assert upward("planaria.core.rule", "import planaria.config") == ["line 1: core may not import config"]
    assert upward("planaria.core.rule", "from planaria import world") == ["line 1: core may not import world"]
    typing_only = "if TYPE_CHECKING:\n    import planaria.cli\nelse:\n    import planaria.world\n"
    assert own(typing_only) == {(4, "planaria.world")}
    with pytest.raises(AssertionError, match="absolute"):
        own("from . import cli")


def test_every_room_has_a_floor():
    assert {room(name) for name in FILES if name != "planaria"} == set(FLOOR)


def test_no_two_files_import_each_other():
    graph = {name: {there for _, there in own(path.read_text()) if there != name} for name, path in FILES.items()}
    while graph:  # take away whatever imports nothing that is left, until nothing is
        free = {name for name, needs in graph.items() if not needs & graph.keys()}
        assert free, f"a circle among {sorted(graph)}"
        graph = {name: needs for name, needs in graph.items() if name not in free}


def test_nothing_runs_what_it_reads_and_nothing_prints():
    may_print = re.compile(r"planaria\.cli line \d+: print to sys\.stderr")
    assert [wrong for wrong in offenders(lambda _, source: misdeeds(source)) if not may_print.fullmatch(wrong)] == []


def test_misdeeds_are_seen():
    for source in (
        "def f():\n    print('hello')", "import pickle", "from pickle import loads", "torch.load(path)", "eval(text)",
        "exec(text)", "numpy.load(path, allow_pickle=True)", "yaml.load(text, Loader)", "__import__(name)",
    ):  # fmt: skip
        assert len(misdeeds(source)) == 1, source
    assert (
        misdeeds("rule.eval()\nsafe_load(text)\nnumpy.load(path, allow_pickle=False)\nsafetensors.torch.save(x)") == []
    )


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["list", "--help"], ["train", "--help"]])
def test_help_is_instant(words):
    """Nothing heavy is imported before it is needed."""
    code = (
        "import sys\nfrom planaria.cli import main\n"
        "try:\n    main(sys.argv[1:])\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'PIL', 'safetensors', 'av', 'pooch', 'requests', 'psutil'}\n"
        "print('HEAVY', sorted(heavy & sys.modules.keys()))"
    )
    env = os.environ | {"PYTHONPATH": str(ROOT.parent)}
    done = subprocess.run([sys.executable, "-c", code, *words], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_the_front_door_lists_what_it_opens():
    assert set(planaria.__all__) == set(planaria._HOMES) <= set(dir(planaria))
    assert planaria.__all__ == sorted(planaria.__all__, key=lambda n: (n.islower(), n))
    assert planaria.Wound is planaria.Damage, "its former name"
    for name in planaria.__all__:
        assert getattr(planaria, name).__module__.startswith(planaria._HOMES[name])
    with pytest.raises(AttributeError, match="has no attribute 'rnu'"):
        planaria.rnu  # noqa: B018


def test_the_map_draws_the_floors():
    page = (ROOT.parents[1] / "docs" / "house.md").read_text(encoding="utf-8")
    (drawn,) = re.findall(r"## Floors.*?```text\n(.*?)```", page, re.DOTALL)
    assert [line.split() for line in drawn.splitlines()] == [floor.split() for floor in reversed(FLOORS)]


NOT_SAID = {
    "told": "options, card or config", "felt": "perception", "heard": "bias", "deed": "action", "deeds": "actions",
    "dish": "specimen", "easel": "photo panel", "wish": "request", "wishes": "requests", "vigour": "life value",
    "outbreak": "infection site", "guidance": "CLIP loss", "wound": "damage", "wounds": "damage", "wounded": "damaged",
    "hurt": "damaged", "hurts": "damages", "figures": "metrics", "origins": "formats", "luck": "random",
    "taught": "trained", "teach": "train", "teaches": "trains", "lesson": "iteration",
}  # fmt: skip
"""Words of a private dialect -> those of the field; CONTRIBUTING has the table."""
SAID = {
    "config.py": {"wound"}, "listing.py": {"wounds", "origins"}, "live.py": {"wounds"}, "cards.py": {"figures"},
    "config.js": {"wound"}, "files.js": {"figures"}, "models.js": {"figures"}, "safetensors.js": {"figures"},
    "scores.py": {"figures"}, "session.py": {"figures"}, "clip_loss.py": {"origins"}, "text.py": {"origins"},
}  # fmt: skip
"""File -> words that it says: former names that still work, keys of files, and where the points of CLIP lie."""
WRITTEN = {".py", ".js", ".css", ".html", ".json", ".yaml", ".cpp", ".h"}


def test_the_field_s_words_are_said():
    said = re.compile(rf"\b({'|'.join(NOT_SAID)})\b")
    native = ROOT.parents[1] / "native"
    files = [path for top in (ROOT, native) for path in sorted(top.rglob("*")) if path.suffix in WRITTEN]
    wrong = [
        f"{path.name}:{number}: {found[0]}, say {NOT_SAID[found[0]]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        for found in said.finditer(line)
        if found[0] not in SAID.get(path.name, ())
    ]
    assert wrong == []
    assert len(files) > 200
    assert said.search("what it was told")


def test_only_the_parser_digs_in_a_card():
    digs = re.compile(r"\bcard(\.get\(|\[)|\bconfig\.get\(")
    assert [name for name, path in FILES.items() if digs.search(path.read_text())] == []
    assert digs.search('card["name"]')
