"""Human-readable tables of measurements."""

from typing import Any

from rich.markup import escape
from rich.table import Table

WIDTH = 88
"""Columns of the table; a narrower terminal wraps it rather than hide columns."""
LEGEND = """life: cells near life, mean over the work
time: of a training step, or of one cell step without gradients; first: of the very first call, loading included
GFLOP/s: as if every cell computed everything; share: of this machine's matrix product
MB: peak beyond the start; faster, part: time and memory against eager in the same run, medians
*: what engine=auto takes"""


def facts(machine: dict[str, Any]) -> list[str]:
    """Lines on the machine and the engine that `auto` chooses."""
    place = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return [
        f"{machine['cpu']}, {machine['threads']} threads on {machine['cores']} cores{place}; torch {machine['torch']}; "
        f"matrix product {machine['gemm_gflops']:.0f} GFLOP/s",
        f"engine=auto takes {machine['auto']} for the classic rule: {machine['why']}",
        machine["native"],
    ]


def table(results: list[dict[str, Any]]) -> Table:
    """Table of one row for every engine that ran, workload by workload."""
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for head in ("work", "life", "engine"):
        shown.add_column(head, no_wrap=True)
    for head in ("time", "faster", "first", "Mcell/s", "GFLOP/s", "share", "MB", "part"):
        shown.add_column(head, justify="right", no_wrap=True)
    before = None
    for result in results:
        if "declined" in result:
            continue
        new, before = result["work"] != before, result["work"]
        if new and shown.rows:
            shown.add_row()
        shown.add_row(
            f"[bold]{result['work']}[/]" if new else "",
            f"{result['alive']:.0%}" if new and result["alive"] is not None else "",
            escape(result["engine"]) + ("*" if result["auto"] else ""),
            _time(result["seconds"]),
            f"{result['faster']:.1f}x" if result["faster"] is not None else "",
            _time(result["first"]),
            f"{result['cells_per_second'] / 1e6:.1f}",
            f"{result['gflops']:.0f}",
            f"{result['share_of_gemm']:.0%}",
            f"{result['megabytes']:.0f}" if result["megabytes"] is not None else "?",
            _part(result["memory_ratio"]),
        )
    return shown


def declined(results: list[dict[str, Any]]) -> list[str]:
    """Lines on why engines declined workloads, one for every reason."""
    works = list(dict.fromkeys(r["work"] for r in results))
    kept: dict[tuple[str, str], list[str]] = {}
    for r in results:
        if "declined" in r:
            kept.setdefault((r["engine"], r["declined"].rpartition("can't run this: ")[2]), []).append(r["work"])
    lines: dict[tuple[str, str], list[str]] = {}
    for (engine, why), which in kept.items():
        where = "here" if which == works else f"for {', '.join(which)}"
        lines.setdefault((where, why), []).append(engine)
    return [f"not {where}: {', '.join(engines)}: {why}" for (where, why), engines in lines.items()]


def _time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 0.9995 else f"{seconds * 1e3:.3g} ms"


def _part(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f"1/{1 / ratio:.0f}" if ratio < 0.67 else f"{ratio:.1f}x"
