"""Certificate of health for people: a table, a page, a picture, and JSON."""

import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from planaria.evaluate.health import Case, Certificate, Trial
from planaria.report.sheets import image, sheet
from planaria.report.tables import Table
from planaria.store import run_folder, write_bytes

NAMES = (run_folder.HEALTH, run_folder.HEALTH_TEXT, run_folder.HEALTH_PLOT)
"""Files of a certificate, in the order written."""
GROUPS = {"heals": "Heals", "fragment": "Comes back from", "bears": "Bears"}
"""Group of trials -> its heading."""
INK, PLUM, LIGHT, CORAL = "#1d1b26", "#5b2a86", "#b9a7d8", "#d1495b"
SIDE = 112
"""Pixels of a picture's longer side, about."""


def table(found: Certificate) -> Table:
    """The certificate as one table."""
    growth, kept = found.grows, found.keeps
    failed = [f"{n} {what}" for what, n in (("extinct", growth.extinct), ("burst", growth.burst),
                                            ("overgrown", growth.overgrown)) if n]  # fmt: skip
    rows = [
        ("Grows", "", "", "", "", ""),
        (f"  {growth.runs} from the seed, step 1,000", "", f"{log10(growth.settled)}", f"{log10(growth.upper[-1])}",
         "", ", ".join(failed) or f"settles at step {growth.settles}"),
        ("Keeps", "", "", "", "", ""),
    ]  # fmt: skip
    for step, one in zip(kept.steps, kept.errors, strict=True):
        rows.append((f"  step {step:,}", "", log10(float(np.median(one))), log10(max(one)), "", ""))
    rows.append(("  drift, in decades", "", f"{kept.drift:+.2f}", "", "", ""))
    rows.append(("  settled motion", "", "", "", "", moves(found)))
    for group, heading in GROUPS.items():
        rows.append((heading, "", "", "", "", ""))
        rows += [_row(trial) for trial in found.trials if trial.group == group]
    note = (
        f"{found.badge} bodies cut by a brush; log10 of the mean squared error, against "
        f"{found.target}; healed: below 1e-3; as before: below twice the settled error; "
        f"{'a quick look, ' if found.quick else ''}engine {found.engine}, seed {found.seed}"
    )
    return Table(f"Health of {found.name}", ("", "healed", "median", "worst", "as before", "else"), tuple(rows), note)


def _row(trial: Trial) -> tuple[str, ...]:
    rest = trial.fates
    worst = max((math.inf if math.isnan(e) else e for e in trial.errors), default=math.nan)
    return (
        f"  {trial.name}", f"{trial.healed:,} of {trial.bodies:,}", log10(trial.median[-1]), log10(worst),
        f"{trial.as_before:,}", ", ".join(f"{n:,} {what}" for what, n in rest if n),
    )  # fmt: skip


def log10(error: float) -> str:
    """Format the log10 of a squared error: `-4.41`."""
    return f"{math.log10(error):.2f}" if 0 < error < math.inf else "-"


def moves(found: Certificate) -> str:
    """Settled motion in words."""
    kept = found.keeps
    motion = (
        "stands still" if kept.still
        else f"period {kept.period}" if kept.period
        else f"moves by {kept.change:.1g} a step, without a period"
    )  # fmt: skip
    if math.isfinite(kept.exponent):
        return f"{motion}; Lyapunov exponent {kept.exponent:+.4f} a step"
    return f"{motion}; a disturbance {'dies out' if kept.exponent < 0 else 'bursts'}"


def markdown(found: Certificate) -> str:
    """The certificate as a Markdown page, with its picture."""
    shown = table(found)
    lines = [
        f"# {shown.title}", "", f"It {found.badge} bodies cut by a brush.", "", "![health](health.png)", "",
        f"| {' | '.join(shown.head)} |", f"| --- |{' ---: |' * (len(shown.head) - 2)} --- |",
    ]  # fmt: skip
    for first, *rest in shown.rows:
        cells = (first.strip(), *rest) if first.startswith(" ") else (f"**{first}**", *rest)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, "", f"{shown.note[0].upper()}{shown.note[1:]}."]) + "\n"


def to_json(found: Certificate) -> str:
    """All numbers as JSON."""
    return json.dumps(found.to_dict(), indent=1, allow_nan=False) + "\n"


def picture(found: Certificate) -> Image.Image:
    """Error along the life and after the brush; below, the worst bodies before, damaged, and 500 steps later."""
    curves = Image.open(io.BytesIO(_curves(found))).convert("RGB")
    rows = [_tiles(case) for case in found.brush.worst]
    tiles = sheet(_beside(rows), ["before", "damaged", "500 steps later"] * min(2, len(rows)))
    whole = Image.new("RGB", (max(curves.width, tiles.width), curves.height + tiles.height), "white")
    whole.paste(curves, (0, 0))
    whole.paste(tiles, (max(0, (curves.width - tiles.width) // 2), curves.height))
    return whole


def _beside(rows: list[list[Image.Image]]) -> list[list[Image.Image]]:
    """Rows two by two, next to each other."""
    return [[tile for row in rows[k : k + 2] for tile in row] for k in range(0, len(rows), 2)]


def _tiles(case: Case) -> list[Image.Image]:
    return [image(_over_white(one), max(1, SIDE // max(one.shape[1:]))) for one in
            (case.before, case.damaged, case.after)]  # fmt: skip


def _over_white(shown: Float[Tensor, "4 h w"]) -> Float[Tensor, "3 h w"]:
    p = shown.nan_to_num().clamp(0, 1)
    return (p[:3] + 1 - p[3:]).clamp(0, 1)


def _curves(found: Certificate) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{found.name}: {found.badge} bodies cut by a brush", color=INK, fontsize=13, x=0.012, ha="left")
    left, right = figure.subplots(1, 2)
    _curve(left, found.grows.steps, found.grows, "Grown from the seed", "step")
    _curve(right, found.brush.stops, found.brush, "Damaged by a brush", "steps after the damage")
    out = io.BytesIO()
    figure.savefig(out, format="png", metadata={"Software": None})
    return out.getvalue()


def _curve(axes: Any, steps: tuple[int, ...], found: Any, title: str, unit: str) -> None:
    lower, median, upper = (np.log10(np.clip(one, 1e-9, 1e3)) for one in (found.lower, found.median, found.upper))
    axes.fill_between(steps, lower, upper, color=LIGHT, alpha=0.5, linewidth=0, label="nine tenths to a tenth")
    axes.plot(steps, median, color=PLUM, linewidth=2, label="median")
    axes.axhline(-3, color=CORAL, linewidth=1, linestyle=":", label="healed below")
    axes.set(title=title, xlabel=unit, ylabel="log10 squared error")
    axes.grid(alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def write(folder: str | Path, found: Certificate) -> list[Path]:
    """Write `health.json`, `health.md` and `health.png` into a folder, each atomically. Returns their paths."""
    out = io.BytesIO()
    picture(found).save(out, "PNG", optimize=True)
    paths = [Path(folder) / name for name in NAMES]
    for path, data in zip(paths, (to_json(found).encode(), markdown(found).encode(), out.getvalue()), strict=True):
        write_bytes(path, data)
    return paths
