"""The player's ES modules as one text, for a page without a server and for a notebook.

The modules stay modules: `load.js` makes a blob URL of each and imports the last. An import map would come too late in
a notebook, which has loaded modules of its own.
"""

import base64
import gzip
import json
import posixpath
import re
from importlib.resources import files

_IMPORT = re.compile(r'^(import .* from )"(\.[^"]+)"(?: with \{ type: "json" \})?;$', re.MULTILINE)


def text(name: str) -> str:
    """Text of a file in the folder, such as `player/player.js`."""
    return (files("planaria.web") / name).read_text(encoding="utf-8")


def modules(name: str) -> list[str]:
    """A module and all that it imports, each after its own imports."""
    imported = [path for _, spec in _IMPORT.findall(text(name)) for path in modules(_path(name, spec))]
    return [*dict.fromkeys(imported), name]


def bundle(name: str) -> tuple[str, str]:
    """JavaScript that defines `load`, and the argument with which it returns the namespace of the module `name`."""
    linked = json.dumps([(module, _linked(module)) for module in modules(name)], ensure_ascii=False)
    return text("load.js"), base64.b64encode(gzip.compress(linked.encode(), mtime=0)).decode()


def _linked(name: str) -> str:
    """Link a module's imports by their names in this folder; data become a module too."""
    if name.endswith(".json"):
        return f"export default {text(name)}"
    return _IMPORT.sub(lambda found: f'{found[1]}"{_path(name, found[2])}";', text(name))


def _path(importer: str, spec: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(importer), spec))
