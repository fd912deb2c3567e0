"""The modules of planaria/web: which may import which, and how they become one text."""

import base64
import gzip
import json
import re
from pathlib import Path

import pytest

import planaria
from planaria.web.bundle import bundle, modules, text

WEB = Path(planaria.__file__).parent / "web"
FLOORS = ["engine", "world", "player", "learn", "playground", "studio"]
FILES = sorted(str(path.relative_to(WEB)) for path in WEB.rglob("*.js") if path.parent != WEB)
IMPORTED = re.compile(r'^import [^;]*? from "([^"]+)"', re.MULTILINE)


@pytest.mark.parametrize("name", FILES)
def test_modules_import_from_their_own_folder_and_those_below(name):
    floor = FLOORS.index(name.partition("/")[0])
    for module in modules(name):
        assert module.endswith(".json") or FLOORS.index(module.partition("/")[0]) <= floor, module


def test_modules_come_after_what_they_import():
    order = modules("player/notebook.js")
    assert order[-2:] == ["player/player.js", "player/notebook.js"]
    for place, module in enumerate(order):
        assert set(modules(module)[:-1]) <= set(order[:place])


def test_a_bundle_holds_each_module_once_and_names_what_it_imports():
    load, packed = bundle("player/player.js")
    assert load == text("load.js")
    parts = json.loads(gzip.decompress(base64.b64decode(packed.split(",")[0])))
    names = [name for name, _ in parts]
    assert names == modules("player/player.js")
    for place, (_, module) in enumerate(parts):
        assert set(IMPORTED.findall(module)) <= set(names[:place])
    assert bundle("player/player.js") == (load, packed)
    assert not [line for _, module in parts for line in module.splitlines() if re.match(r" *(//|/\*\*|\*/)", line)]


def test_workers_and_files_beside_a_module_are_carried():
    _, packed = bundle("world/world.js")
    held, kernel = (gzip.decompress(base64.b64decode(part)) for part in packed.split(","))
    linked = dict(json.loads(held))
    assert 'new Worker(new URL("engine/band.js", import.meta.url), { type: "module" })' in linked["engine/crew.js"]
    assert "engine/band.js" in linked
    assert "fetch(" not in linked["engine/wasm.js"]
    assert 'atob("file 1")' in linked["engine/wasm.js"]
    assert kernel == (WEB / "engine/kernel.wasm").read_bytes()
