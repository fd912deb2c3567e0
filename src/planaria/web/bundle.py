"""The player's ES modules as one text, for a page without a server and for a notebook.

The modules stay modules: `load.js` makes a blob URL of each and imports the last. An import map would come too late in
a notebook, which has loaded modules of its own. What a module reads from beside it, or starts as a worker, it names by
its own address, as browsers know it: `fetch(new URL("kernel.wasm", import.meta.url))` is carried along, and
`new Worker(new URL("./band.js", import.meta.url), { type: "module" })` starts that module of the bundle. Comments stay
behind, as a page is sent about.
"""

import base64
import gzip
import json
import posixpath
import re
from importlib.resources import files
from typing import Any

_IMPORT = re.compile(r'^(import .* from )"(\.[^"]+)"(?: with \{ type: "json" \})?;$', re.MULTILINE)
_WORKER = re.compile(r'(new Worker\(new URL\()"(\.[^"]+)"(, import\.meta\.url\), \{ type: "module" \})')
_BESIDE = re.compile(r'fetch\(new URL\("([^"]+)", import\.meta\.url\)\)')
_COMMENT = re.compile(r"""^ */\*\*[\s\S]*?\*/\n|^ *//.*\n|^ +| // [^"'`\n]*$""", re.MULTILINE)


def text(name: str) -> str:
    """Text of a file in the folder, such as `player/player.js`."""
    return (files("planaria.web") / name).read_text(encoding="utf-8")


def modules(name: str) -> list[str]:
    """A module and all that it imports or starts as workers, each after its own imports."""
    whole = text(name)
    needed = [_path(name, spec) for _, spec, *_ in (*_WORKER.findall(whole), *_IMPORT.findall(whole))]
    found = [path for other in needed if other != name for path in modules(other)]
    return [*dict.fromkeys(found), name]


def bundle(name: str) -> tuple[str, str]:
    """JavaScript that defines `load`, and the argument with which it returns the namespace of the module `name`.

    The argument is base64 of gzip of the modules, then, after commas, of each file that they read.
    """
    beside: list[str] = []
    linked = json.dumps([(module, _linked(module, beside)) for module in modules(name)], ensure_ascii=False)
    held = [linked.encode(), *((files("planaria.web") / file).read_bytes() for file in beside)]
    return text("load.js"), ",".join(base64.b64encode(gzip.compress(part, mtime=0)).decode() for part in held)


def _linked(name: str, beside: list[str]) -> str:
    """Link a module's imports and workers by their names in this folder, without comments.

    Data become a module too, without what is for readers and the guide alone.
    The files that it reads are added to `beside`.
    """
    if name.endswith(".json"):
        data = json.loads(text(name), object_pairs_hook=_without_remarks)
        return f"export default {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}"
    linked = _IMPORT.sub(lambda found: f'{found[1]}"{_path(name, found[2])}";', text(name))
    linked = _WORKER.sub(lambda found: f'{found[1]}"{_path(name, found[2])}"{found[3]}', linked)
    return _BESIDE.sub(lambda found: _response(_path(name, found[1]), beside), _COMMENT.sub("", linked))


def _without_remarks(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Object of JSON without its remarks."""
    return {name: value for name, value in pairs if name not in ("about", "note")}


def _response(file: str, beside: list[str]) -> str:
    """A `Response` that holds a file, whose bytes `load` puts in."""
    beside.append(file)
    held = f'new Blob([Uint8Array.from(atob("file {len(beside)}"), (c) => c.charCodeAt(0))])'
    return f'new Response({held}.stream().pipeThrough(new DecompressionStream("gzip")))'


def _path(importer: str, spec: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), spec))
