"""One page, one file: a model and the player that runs it, for any browser, without a network."""

import base64
import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from planaria.config import to_dict
from planaria.core.bounds import limits
from planaria.core.rule import spread
from planaria.core.turn import turned
from planaria.errors import UserError
from planaria.export import Options, playground
from planaria.living import stopped
from planaria.store import Saved, write_bytes
from planaria.web.bundle import bundle, text

SUFFIXES = (".html",)
MOST_START = 150_000
"""Largest size in bytes of a model's initial frames in a page; a single frame is carried whatever its size."""

START = """
const find = (id) => document.getElementById(id);
if (globalThis.DecompressionStream) {
  const { mount } = await load("PACKED");
  const model = JSON.parse(find("planaria-model").textContent);
  mount(find("planaria"), model, { seed: model.seed, link: location.protocol.startsWith("http") });
} else find("planaria").textContent = "This page needs a browser of 2023 or later.";
"""


def write(model: Saved, output: Path, options: Options) -> Path:
    """Write `model` as a page, or as the playground that goes on training it."""
    write_bytes(output, (learning if options.learn else page)(model, options).encode())
    return output


def page(model: Saved, options: Options | None = None) -> str:
    """The whole page of a model, about 144 KB: HTML that asks for nothing from anywhere.

    The options used are name, title, size, seed and turn.
    """
    options = options or Options()
    data = shown(model, options)
    layout = data["layout"]
    painted = layout["frozen"] and layout["strain"] is None
    made = "painted" if painted else "made" if layout["alpha"] is None else "grown"
    numbers = sum(p.numel() for p in (*model.rule.weights, *model.rule.biases))
    parts = {
        "title": html.escape(options.title or data["name"]),
        "numbers": f"{numbers:,}",
        "made": made,
        "stopped": f" \u00b7 its training {data['stopped']}" if data["stopped"].startswith("stopped") else "",
        "model": _json(data),
    }
    whole = shell(bundle("player/player.js")[1])
    for mark, part in parts.items():
        whole = whole.replace(f"<!--planaria:{mark}-->", part)
    return whole


def learning(model: Saved | None, options: Options | None = None) -> str:
    """The playground's page, about 300 KB, which trains in the browser: it begins with `model`, or with a choice.

    The options used are those of `page`. Raises `UserError` for a model that the page can't train.
    """
    options = options or Options()
    if model is None:
        return playground.page(shell("PACKED"), style(), "", options.title or "planaria playground")
    if why := _untrainable(model):
        raise UserError(f"the playground trains pictures that grow from one cell; {model.name} {why}")
    data = shown(model, options)
    return playground.page(shell("PACKED"), style(), _json(data), options.title or data["name"])


def _untrainable(model: Saved) -> str:
    """Why the playground can't train a model; empty where it can."""
    layout, config = model.layout, model.rule.config
    if layout.frozen or layout.visible != 4 or layout.alpha is None:
        return "has other channels than a picture's"
    return "takes a condition" if config.cond else ""


def shown(model: Saved, options: Options) -> dict[str, Any]:
    """Payload of a model as a page shows it: with its `seed`, turned, and with name and grid of the options."""
    data = payload(replace(model, rule=turned(model.rule, options.turn)))
    data["name"] = options.name or data["name"]
    data["seed"] = options.seed
    if options.size is not None:
        data["grid"] = list(options.size) if isinstance(options.size, tuple) else [options.size] * 2
    return data


def shell(packed: str) -> str:
    """A page around the player `packed`, with marks for its title, what it is (`made`, `numbers`) and its model."""
    load = text("load.js")
    words = (
        "A neural cellular automaton of <!--planaria:numbers--> parameters, <!--planaria:made--> with planaria. "
        "It runs in this page: touch it."
    )
    parts = {
        "words": words,
        "style": f"<style>\n{style()}</style>",
        "model": '<script type="application/json" id="planaria-model"><!--planaria:model--></script>',
        "script": f'<script type="module">\n{load}{START.replace("PACKED", packed)}</script>',
    }
    whole = text("player/page.html")
    for mark, part in parts.items():
        whole = whole.replace(f"<!--planaria:{mark}-->", part)
    return whole


def _json(data: dict[str, Any]) -> str:
    """JSON that can stand in a script element."""
    return json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")


def payload(model: Saved) -> dict[str, Any]:
    """Input of the player: settings, kernels and weights of a model, as JSON values; floats as base64."""
    rule, layout, card = model.rule, model.layout, model.card
    return {
        "format": 1,
        "name": model.name,
        "rule": to_dict(rule.config),
        "layout": to_dict(layout),
        "grid": list(model.size),
        "kernels": [kernel.flatten().tolist() for kernel in rule.kernels],
        "reaches": list(rule.reaches),
        "blurs": [[channel, len(kernel), kernel.flatten().tolist()] for channel, kernel in spread(rule.config.blurs)],
        "weights": [_base64(w) for w in rule.weights],
        "biases": [_base64(b) for b in rule.biases],
        "bounds": list(limits(layout)),
        "stopped": stopped(card, model.path),
        "trained": card.trained or 0,
        "task": card.task,
        "picture": card.config.picture,
        "frame": card.frame_steps,
        "length": card.loop_steps,
        "solver": card.solver,
        **({"badge": card.badge} if card.badge else {}),
        **({} if model.start is None else {"start": _start(model.start, most=1 if layout.photo else None)}),
    }


def _start(frames: Tensor, most: int | None = None) -> dict[str, Any]:
    """Initial frames of a model as bytes: the last ones where all are more than a page should carry.

    The last `most` at most: a photo that is repainted is one.
    """
    kept = frames[-(most or max(1, MOST_START // frames[0].numel())) :].detach().cpu().clamp(0, 1)
    n, visible, h, w = kept.shape
    data = base64.b64encode(kept.mul(255).round().byte().numpy().tobytes()).decode()
    return {"frames": n, "size": [h, w], "visible": visible, "data": data}


def style() -> str:
    """The player's style sheet, without comments and blanks that say nothing: a page is sent about."""
    plain = re.sub(r"/\*.*?\*/", "", text("player/player.css"), flags=re.DOTALL)
    return re.sub(r"\s*([{};])\s*", r"\1", plain).replace(": ", ":").strip()


def _base64(x: Tensor) -> str:
    return base64.b64encode(x.detach().float().cpu().contiguous().numpy().astype("<f4").tobytes()).decode()
