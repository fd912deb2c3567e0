"""One page, one file: a model and the player that runs it, for any browser, without a network."""

import base64
import html
import json
import re
from pathlib import Path
from typing import Any

from torch import Tensor

from planaria import store
from planaria.config import to_dict
from planaria.core.bounds import limits
from planaria.core.rule import spread
from planaria.export import Options
from planaria.living import frame_steps, loop_steps, solver_of, stopped
from planaria.store import write_bytes
from planaria.web.bundle import bundle, text

SUFFIXES = (".html",)
MOST_START = 150_000
"""Bytes of the frames that a model begins with which a page carries; one frame it carries whatever its size."""

START = """
const find = (id) => document.getElementById(id);
if (globalThis.DecompressionStream) {
  const { mount } = await load("PACKED"); // planaria's player: a third of its size, with its comments
  const model = JSON.parse(find("planaria-model").textContent);
  mount(find("planaria"), model, { seed: model.seed });
} else find("planaria").textContent = "This page needs a browser of 2023 or later.";
"""


def write(model: Path, output: Path, options: Options) -> Path:
    """Write `model` as a page."""
    write_bytes(output, page(model, options).encode())
    return output


def page(model: str | Path, options: Options | None = None) -> str:
    """The whole page of a model, about 100 KB: HTML that asks for nothing from anywhere.

    Of `options` it takes name, title, size and seed.
    """
    options = options or Options()
    told = payload(model)
    told["name"] = options.name or told["name"]
    told["seed"] = options.seed
    if options.size is not None:
        told["grid"] = list(options.size) if isinstance(options.size, tuple) else [options.size] * 2
    layout = told["layout"]
    painted = layout["frozen"] and layout["strain"] is None
    made = "painted" if painted else "made" if layout["alpha"] is None else "grown"
    data = json.dumps(told, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    load, packed = bundle("player/player.js")
    parts = {
        "title": html.escape(options.title or told["name"]),
        "made": made,
        "style": f"<style>\n{style()}</style>",
        "model": f'<script type="application/json" id="planaria-model">{data}</script>',
        "script": f'<script type="module">\n{load}{START.replace("PACKED", packed)}</script>',
    }
    whole = text("player/page.html")
    for mark, part in parts.items():
        whole = whole.replace(f"<!--planaria:{mark}-->", part)
    return whole


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
        "reaches": list(rule.reaches),
        "blurs": [[channel, len(kernel), kernel.flatten().tolist()] for channel, kernel in spread(rule.config.blurs)],
        "weights": [_base64(w) for w in rule.weights],
        "biases": [_base64(b) for b in rule.biases],
        "bounds": list(limits(layout)),
        "stopped": stopped(card, path),
        "trained": card.get("trained") if isinstance(card.get("trained"), int) else 0,
        "task": str(card.get("task", "")),
        "picture": str(config.get("picture", "")),
        "frame": frame_steps(card),
        "length": loop_steps(card),
        "solver": solver_of(card),
        **_start(path, most=1 if layout.photo else None),
    }


def _start(path: Path, most: int | None = None) -> dict[str, Any]:
    """The frames that a model begins with, as bytes: the last ones where all are more than a page should carry.

    At most the last `most`: a photo that is repainted is one.
    """
    frames = store.start(path)
    if frames is None:
        return {}
    kept = frames[-(most or max(1, MOST_START // frames[0].numel())) :]
    n, visible, h, w = kept.shape
    data = base64.b64encode(kept.mul(255).round().byte().numpy().tobytes()).decode()
    return {"start": {"frames": n, "size": [h, w], "visible": visible, "data": data}}


def style() -> str:
    """The player's style sheet."""
    return re.sub(r"^[ ]+", "", text("player/player.css"), flags=re.MULTILINE)


def _base64(x: Tensor) -> str:
    return base64.b64encode(x.detach().float().cpu().contiguous().numpy().astype("<f4").tobytes()).decode()
