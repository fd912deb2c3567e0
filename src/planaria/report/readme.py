"""The card of a run, for people: what was trained, how well, and how to use it."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from planaria.commands import command
from planaria.config import write_yaml
from planaria.core.rule import RuleConfig, shapes
from planaria.living import stopped
from planaria.store.cards import Card


@dataclass(frozen=True)
class Words:
    """What a card says otherwise for one kind of model than for another."""

    deed: str
    """What the cells do, after "that"."""
    commands: tuple[str, ...]
    """What to type."""
    python: tuple[str, ...]
    files: str
    """Files beside those that every run has."""
    page: str
    """What to do with the page."""
    picture: str = "strip.png"
    """The picture on top."""
    more: tuple[str, ...] = ()
    """Lines after the figures."""


def card_text(card: Card, rule: RuleConfig) -> str:
    """The run's `README.md`."""
    name, config, words = card.name, card.config, _words(card)
    lines = [
        f"# {' '.join(name.split())}",
        "",
        f"A neural cellular automaton that {words.deed}, trained with planaria for {card.trained} iterations"
        + (f" in the regime `{config.regime}`." if config.regime else ".")
        + (f" Its training {at}." if (at := stopped(card)) else ""),
        "",
        f"![{words.picture.removesuffix('.png')}]({words.picture})",
        "",
        f"- Cells: {rule.channels} channels, filters {', '.join(rule.filters)}, hidden {list(rule.hidden)}, "
        f"{sum(map(math.prod, shapes(rule).values())):,} parameters.",
        f"- Edge {rule.edge}, life {rule.life}, fire rate {rule.fire_rate}.",
        "",
        *_reused(card),
        "## Figures",
        "",
        *figure_table(card.figures),
        *words.more,
        "",
        "## Use it",
        "",
        "```",
        command("show", f"runs/{name}"),
        command("play", f"runs/{name}"),
        *words.commands,
        "```",
        "```python",
        "import planaria as pl",
        *words.python,
        "```",
        "",
        "## Files",
        "",
        "`model.safetensors` weights and settings; `config.yaml` all settings; `checkpoint.safetensors` everything "
        f"needed to resume; `metrics.jsonl` one line an iteration; `loss.png`, `strip.png`, `film.webp` and "
        f"{words.files}; `organism.html` is one page that runs the model in any browser: {words.page}.",
        "",
        "## Settings",
        "",
        "```yaml",
        write_yaml({"task": card.task, **config.json}).rstrip(),
        "```",
    ]
    return "\n".join(lines) + "\n"


def _words(card: Card) -> Words:
    """What a README says of this kind of model."""
    name, config, run = card.name, card.config, f"runs/{card.name}"
    source, load = config.source, f"pl.load({json.dumps(run, ensure_ascii=False)})"
    film = Path(f"{name}.gif")
    if card.frame is not None:
        return Words(
            f"goes on with {source}",
            (command("run", run, "-o", film, "--frames", 200), command("eval", run)),
            (f"model = {load}", 'model.film(frames=200).save("future.gif")'),
            "`scores.*`, `rollout.*`",
            "draw into it",
            more=("", "More in [scores.md](scores.md).", "", "![scores](scores.png)", "", "![roll-out](rollout.png)"),
        )
    if card.task == "infect":
        still = config.spread == "still"
        place, where = (f"{100 * (config.share or 0):g}%",) * 2 if still else ("20,20", "middle")
        return Words(
            f"grows {card.host}, and infected becomes {source}",
            (
                command("run", run, "-o", film, "--at", f"{place}@100"),
                command("run", config.host, "--infect", run, "--at", f"{where}@100", "-o", "battle.gif"),
            ),
            (
                f"model = {load}",
                f'model.film(steps=200, infect={{100: "{where}"}}).save("battle.gif")',
            ),
            "`target.png`",
            "drag over it to infect cells" if still else "click to infect it",
        )
    if card.task == "texture":
        return Words(
            f"grows an endless texture like that of {source}",
            (command("apply", run, "-o", "texture.png", "--size", 1080), command("eval", run)),
            (
                f"rule, layout = {load}",
                "x = pl.run(rule, layout.seed(1, (256, 256)), steps=300, seed=7)",
            ),
            "`tiles.png` (the style beside what has grown, at one scale); `style.png` the style as it was taught",
            "rub a hole into the texture",
            "tiles.png",
        )
    if card.task in ("style", "text"):
        wished = " and ".join(f"“{prompt}”" for prompt in config.prompts)
        return Words(
            f"repaints photos in the style of {source}" if source else f"repaints photos as {wished}",
            (
                command("apply", run, "photo.jpg", "-o", "out.png"),
                command("apply", run, "clip.mp4", "-o", "styled.mp4"),
                command("eval", run),
            ),
            (f"model = {load}", 'model.repaint("photo.jpg", steps=60).save("out.png")'),
            "`sheet.png` (photos and what becomes of them)"
            + ("; `style.png` the style as it was taught" if source else ""),
            "drop a photo onto it",
            "sheet.png",
        )
    return Words(
        f"grows {source}" if source else f"was trained for {card.task}",
        (command("run", run, "-o", film, "--steps", 300, "--erase", "left@150"),),
        (
            f"rule, layout = {load}",
            f"x = pl.run(rule, layout.seed(1, {card.grid}), steps=200, seed=7)",
        ),
        "`target.png`",
        "wound it",
    )


def _reused(card: Card) -> list[str]:
    """What was taken over from another model, if one was."""
    if not card.reused:
        return []
    return [f"Began from `{card.config.train.init}`:", "", *(f"- {line}" for line in card.reused), ""]


def figure_table(figures: Mapping[str, float]) -> list[str]:
    """Figures as a Markdown table; squared errors also as log10."""
    if not figures:
        return ["None were taken."]
    if not any("mse" in name for name in figures):
        return ["| figure | value |", "|---|---|", *(f"| {k} | {v:.4g} |" for k, v in figures.items())]
    rows = [
        f"| {k} | {v:.6f} | {math.log10(v) if v > 0 else -99:.2f} |" if "mse" in k else f"| {k} | {v:.4g} | |"
        for k, v in figures.items()
    ]
    return ["| figure | value | log10 |", "|---|---|---|", *rows]
