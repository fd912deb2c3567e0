"""One page, one file: a model and the player that runs it, for any browser, without a network."""

import base64
import html
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any

import rjsmin
from torch import Tensor

from planaria import store
from planaria.config import to_dict
from planaria.export import Options
from planaria.store import write_bytes

SUFFIXES = (".html",)
_IMPORT = re.compile(r'^import .* from "\./(\w+)\.js";\n', re.MULTILINE)


def write(model: Path, output: Path, options: Options) -> Path:
    """Write `model` as a page."""
    write_bytes(output, page(model, name=options.name, title=options.title).encode())
    return output


def page(model: str | Path, *, name: str = "", title: str = "") -> str:
    """The whole page of a model, 50 to 120 KB: HTML that asks for nothing from anywhere."""
    told = payload(model)
    told["name"] = name or told["name"]
    data = json.dumps(told, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    start = (
        'mount(document.getElementById("planaria"), JSON.parse(document.getElementById("planaria-model").textContent));'
    )
    parts = {
        "title": html.escape(title or told["name"]),
        "style": f"<style>\n{style()}</style>",
        "model": f'<script type="application/json" id="planaria-model">{data}</script>',
        "script": f'<script type="module">\n{script()}{start}\n</script>',
    }
    text = web("player.html")
    for mark, part in parts.items():
        text = text.replace(f"<!--planaria:{mark}-->", part)
    return text


def payload(model: str | Path) -> dict[str, Any]:
    """What the player takes: settings, kernels and weights of a model file, as JSON values; floats as base64."""
    path = store.model_path(model)
    rule, layout = store.load(path)
    card = store.card(path)
    config = card["config"] if isinstance(card.get("config"), dict) else {}
    return {
        "format": 1,
        "name": str(card.get("name") or (path.parent.name if path.name == "model.safetensors" else path.stem)),
        "rule": to_dict(rule.config),
        "layout": to_dict(layout),
        "grid": list(store.trained_size(path)),
        "kernels": rule.kernels.flatten(1).tolist(),
        "weights": [_base64(w) for w in rule.weights],
        "biases": [_base64(b) for b in rule.biases],
        "trained": card.get("trained") if isinstance(card.get("trained"), int) else 0,
        "task": str(card.get("task", "")),
        "picture": str(config.get("picture", "")),
    }


def script() -> str:
    """The player's modules in one, with `mount(host, payload, options)`: no imports, no exports, made small."""
    text = _IMPORT.sub("", "".join(web(f"{name}.js") for name in modules("player")))
    return rjsmin.jsmin(re.sub(r"^export ", "", text, flags=re.MULTILINE))


def modules(name: str) -> list[str]:
    """A module of `planaria/web` and all that it imports, each after what it needs."""
    needed = [inner for other in _IMPORT.findall(web(f"{name}.js")) for inner in modules(other)]
    return [*dict.fromkeys(needed), name]


def style() -> str:
    """The player's style sheet."""
    return re.sub(r"^[ ]+", "", web("player.css"), flags=re.MULTILINE)


def web(name: str) -> str:
    """A file of the player."""
    return (files("planaria.web") / name).read_text(encoding="utf-8")


def _base64(x: Tensor) -> str:
    return base64.b64encode(x.detach().float().cpu().contiguous().numpy().astype("<f4").tobytes()).decode()
