"""README of a run: the trained model, its metrics, and its use."""

import math
from collections.abc import Mapping

from planaria import tasks
from planaria.commands import command
from planaria.config import write_yaml
from planaria.core.rule import RuleConfig, shapes
from planaria.evaluate.verdict import METRICS, verdict_on
from planaria.living import stopped
from planaria.report.tables import capitals
from planaria.store.cards import Card


def card_text(card: Card, rule: RuleConfig) -> str:
    """Text of the run's `README.md`."""
    name, config, words = card.name, card.config, tasks.load(card.task).Task.words(card)
    lines = [
        f"# {' '.join(name.split())}",
        "",
        f"A neural cellular automaton that {words.does}, trained with planaria for {card.trained} iterations"
        + (f" in the regime `{config.regime}`." if config.regime else ".")
        + (f" Its training {at}." if (at := stopped(card)) else ""),
        "",
        f"![{words.picture.removesuffix('.png')}]({words.picture})",
        "",
        f"- Cells: {rule.channels} channels, filters {', '.join(rule.filters)}, hidden {list(rule.hidden)}, "
        f"{sum(map(math.prod, shapes(rule).values())):,} parameters.",
        f"- Edge {rule.edge}, life {rule.life}, fire rate {rule.fire_rate}.",
        *([f"- Health: it {card.badge} bodies cut by a brush (health.md)."] if card.badge else []),
        "",
        *_reused(card),
        "## Metrics",
        "",
        *([f"**{capitals(verdict)}.**", ""] if (verdict := verdict_on(card)) else []),
        *metric_table({name: value for name, value in card.metrics.items() if name not in METRICS}),
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


def _reused(card: Card) -> list[str]:
    """Lines on the weights reused from another model, if any."""
    if not card.reused:
        return []
    return [f"Began from `{card.config.train.init}`:", "", *(f"- {line}" for line in card.reused), ""]


def metric_table(metrics: Mapping[str, float]) -> list[str]:
    """Metrics as a Markdown table; squared errors also as log10."""
    if not metrics:
        return ["None were taken."]
    if not any("mse" in name for name in metrics):
        return ["| metric | value |", "|---|---|", *(f"| {k} | {v:.4g} |" for k, v in metrics.items())]
    rows = [
        f"| {k} | {v:.6f} | {math.log10(v) if v > 0 else -99:.2f} |" if "mse" in k else f"| {k} | {v:.4g} | |"
        for k, v in metrics.items()
    ]
    return ["| metric | value | log10 |", "|---|---|---|", *rows]
