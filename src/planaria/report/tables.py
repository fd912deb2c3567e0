"""Tables: scores as rows of text, for a file and for a terminal."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from planaria.evaluate.curve import Curve
from planaria.evaluate.repainting import Painted
from planaria.evaluate.scores import Scores
from planaria.evaluate.statistics import Likeness

LIKENESS = ("mean", "variance", "motion", "spectrum", "outside")
"""Columns for the likeness of a run to the film."""
RATIOS = (
    "mean, variance and motion (mean squared change from frame to frame): those of the run over those of the video, "
    "1 where alike; spectrum: root mean squared difference of the log10 power, 0 where alike; outside: share of values "
    "beyond -0.5..1.5"
)


@dataclass(frozen=True)
class Table:
    """A title, a head, rows, and a sentence on their meaning."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str


def measured(name: str, metrics: Mapping[str, float]) -> Table:
    """Table of the metrics that a task measures of a model."""
    rows = tuple((what, f"{value:.4g}") for what, value in metrics.items())
    return Table(f"What was measured of {name}", ("", "value"), rows, "as after its training")


def measured_markdown(name: str, metrics: Mapping[str, float]) -> str:
    """The same as a Markdown page."""
    table = measured(name, metrics)
    lines = [f"# {table.title}", "", _row(table.head), _row(["---", "---:"]), *(_row(row) for row in table.rows)]
    return "\n".join(lines) + "\n"


def tables(scores: Scores) -> list[Table]:
    """Every table of a model's scores, the most important first."""
    found = [_held_out(scores), _whole(scores), _noise(scores)]
    if scores.long:
        found.append(_long(scores))
    return [*found, _unseen(scores)]


def markdown(name: str, scores: Scores) -> str:
    """All tables as a Markdown page, with its pictures."""
    h, w = scores.size
    lines = [
        f"# How {name} predicts",
        "",
        f"**{capitals(scores.verdict.lines()[0])}.**",
        "",
        *(f"- {line}" for line in scores.verdict.lines()[1:]),
        "",
        f"Measured on {scores.frames} frames of {w}x{h} cells, the last {scores.frames - scores.start} held out. "
        f"The model is shown {_frames(scores.context)}, then runs freely, {scores.steps} cell steps a frame. "
        "Errors are of pictures in 0..1.",
        "",
        "![plots](scores.png)",
        "",
        "![roll-out](rollout.png)",
    ]
    if scores.burst is not None:
        lines += ["", f"Left alone, it bursts by frame {scores.burst}: its cells leave every bound."]
    for table in tables(scores):
        lines += ["", f"## {table.title}", "", _row(table.head), _row(["---", *["---:"] * (len(table.head) - 1)])]
        lines += [*(_row(row) for row in table.rows), "", f"{table.note[0].upper()}{table.note[1:]}."]
    return "\n".join(lines) + "\n"


def repainted(found: Painted) -> Table:
    """Table of a texture, style or text model, a row a moment."""
    rows = []
    for k, step in enumerate(found.steps):
        cells = [f"{step}"]
        for name, values in found.distances.items():
            nearer = f" ({found.nearer(name)[k]:.3g}x)" if name in found.wished and k else ""
            cells.append(f"{values[k]:.4g}{nearer}")
        rows.append((*cells, f"{found.largest[k]:.3g}"))
    lives = (
        f"mean of {len(found.photos)} photos" if len(found.photos) > 1 else "one photo" if found.photos else "one life"
    )
    bounds = "it stays within bounds" if found.bounded else f"its cells burst by step {found.burst}"
    note = (
        f"distances, {lives}, and how many times nearer than at the start; largest: of all numbers in cells; {bounds}"
    )
    return Table("Along a life", ("step", *found.distances, "largest"), tuple(rows), note)


def repainted_markdown(name: str, found: Painted) -> str:
    """The table as a Markdown page, with its picture."""
    table = repainted(found)
    shapes = sorted({f"{w}x{h}" for h, w in found.sizes})
    what = f"Measured on {', '.join(found.photos)}" if found.photos else "Grown from nothing"
    lines = [
        f"# How {name} paints",
        "",
        f"{what}, on {' and '.join(shapes)} cells.",
        "",
        "![moments](moments.png)",
        "",
        f"## {table.title}",
        "",
        _row(table.head),
        _row(["---", *["---:"] * (len(table.head) - 1)]),
        *(_row(row) for row in table.rows),
        "",
        f"{table.note[0].upper()}{table.note[1:]}.",
    ]
    return "\n".join(lines) + "\n"


def capitals(line: str) -> str:
    """A line with a capital at its beginning."""
    return f"{line[:1].upper()}{line[1:]}"


def decibels(value: float) -> str:
    """Format a signal-to-noise ratio: `29.5`."""
    return f"{value:.1f}" if math.isfinite(value) else "-"


def _error(mse: float) -> str:
    """Format a mean squared error: `0.00295`, and `3.2e-07` where that would be nothing but zeros."""
    return f"{mse:.5f}" if mse >= 5e-5 or mse == 0 else f"{mse:.1e}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _frames(n: int) -> str:
    return f"{n} frames" if n != 1 else "1 frame"


def _held_out(scores: Scores) -> Table:
    rows = zip(
        scores.model.horizons, scores.model.starts, scores.model.mse, scores.model.psnr, scores.model.ssim,
        scores.still.mse, scores.still.psnr, scores.line.mse, scores.line.psnr, strict=True,
    )  # fmt: skip
    note = f"free roll-out from every start from frame {scores.start - 1} on, MSE and PSNR (dB)"
    if scores.left_out:
        last = scores.frames - scores.start
        far = ", ".join(map(str, scores.left_out))
        several = len(scores.left_out) > 1
        note += f"; horizon{'s' if several else ''} {far} {'are' if several else 'is'} left out: "
        note += f"the held-out part has {_frames(last)}"
    return Table(
        "Held-out frames",
        ("horizon", "starts", "model", "dB", "SSIM", "copy last", "dB", "linear", "dB"),
        tuple(
            (f"{h}", f"{n}", _error(m), decibels(p), f"{s:.3f}", _error(c), decibels(cp), _error(li), decibels(lp))
            for h, n, m, p, s, c, cp, li, lp in rows
        ),
        note,
    )


def _whole(scores: Scores) -> Table:
    reached = sorted({h for h in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if h <= len(scores.whole.psnr)})
    reached = sorted({*reached, len(scores.whole.psnr)})
    alone = scores.alone is not scores.whole and scores.alone != scores.whole
    head = ("horizon", "model", *(("frame 0 alone",) if alone else ()), "copy")
    rows = [
        (
            f"{h}",
            decibels(scores.whole.psnr[h - 1]),
            *((decibels(scores.alone.psnr[h - 1]),) if alone else ()),
            decibels(scores.whole.still[h - 1]),
        )
        for h in reached
    ]
    shown = "frame 0" if scores.whole.first == 1 else f"frames 0 to {scores.whole.first - 1}"
    also = "; beside it from frame 0 with nothing before it" if alone else ""
    return Table("The whole video", head, tuple(rows), f"PSNR (dB) of one free roll-out from {shown} to the end{also}")


def _noise(scores: Scores) -> Table:
    def row(name: str, curve: Curve) -> tuple[str, ...]:
        return name, *(_error(m) for m in curve.mse)

    named = {"alone": "last frame alone"}
    rows = [row("none", scores.model)]
    rows += [row(named.get(name, f"sigma {name}"), curve) for name, curve in scores.noise.items()]
    alone = "; last frame alone: without noise, and without the frames before it" if "alone" in scores.noise else ""
    return Table(
        "Noise at the start",
        ("noise", *(f"horizon {h}" for h in scores.model.horizons)),
        tuple(rows),
        f"MSE of the held-out frames, with noise on the frames that the model is shown{alone}",
    )


def _likeness(name: str, found: Likeness) -> tuple[str, ...]:
    metrics = [_ratio(found.mean), _ratio(found.variance), _ratio(found.motion), _ratio(found.spectrum)]
    return name, *metrics, f"{found.outside:.2%}" if found.finite else "no number"


def _ratio(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.2f}" if abs(value) < 1000 else f"{'>' if value > 0 else '<-'}1000"


def _long(scores: Scores) -> Table:
    n = scores.frames
    rows = tuple(_likeness(f"{k * n}..{(k + 1) * n}", found) for k, found in enumerate(scores.long))
    return Table("Long run", ("frames", *LIKENESS), rows, RATIOS)


def _unseen(scores: Scores) -> Table:
    rows = tuple(_likeness(name, found) for name, found in {**scores.unseen, **scores.sizes}.items())
    return Table(
        "Unseen starts and other sizes",
        ("start", *LIKENESS),
        rows,
        "the later half of each life, against the video as it is; metrics as for the long run",
    )
