"""Time and memory of every engine on this machine, against plain PyTorch in the same run.

Each workload on each engine runs in a process of its own; the processes take turns, so that all see the same machine.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal, final

from planaria.bench.rivals import parts
from planaria.bench.works import Work, known
from planaria.engine import ENGINES
from planaria.errors import UserError, unknown

BASE = "eager"
"""Baseline of every comparison: plain PyTorch."""
QUICK = ("classic", "tick")
"""Workloads of a quick run."""


@dataclass(frozen=True)
class Plan:
    """Measurements to make, and their options."""

    works: dict[str, Work]
    engines: tuple[str, ...]
    """Engines, the baseline first; the last is the rival if there is one."""
    model: Path | None = None
    against: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads: int | None = None
    repeats: int = 5
    scale: float = 1.0

    @property
    def turns(self) -> int:
        """Number of timed repetitions, the first ones included."""
        return len(self.works) * len(self.engines) * (self.repeats + 1)

    @property
    def place(self) -> dict[str, Any]:
        """Device and threads of every process."""
        return {"device": self.device, "threads": self.threads}

    def job(self, work: str) -> dict[str, Any]:
        """Workload, as it is sent to a process."""
        return {"work": work, "model": str(self.model) if self.model else None, "scale": self.scale}


def plan(
    model: Path | None = None,
    *,
    engines: Sequence[str] = (),
    names: Sequence[str] = (),
    against: str | None = None,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    threads: int | None = None,
    repeats: int = 5,
    scale: float = 1.0,
) -> Plan:
    """Plan of all workloads and all engines but the reference, unless some are named. Raises UserError."""
    there = known(model)
    for name in names:
        if name not in there:
            raise unknown("work", name, there)
    for name in engines:
        if name not in (*ENGINES, BASE):
            raise unknown("engine", name, (*ENGINES, BASE))
    if repeats < 1 or (threads is not None and threads < 1):
        raise UserError("--repeats and --threads are at least 1")
    chosen = [name for name in ENGINES if name in engines or (not engines and name != "reference")]
    if against is not None:
        path, name = parts(against)
        chosen.append(f"{path.name}:{name}")
    picked = {name: work.scaled(scale) for name, work in there.items() if not names or name in names}
    return Plan(picked, (BASE, *chosen), model, against, device, threads, repeats, scale)


def machine(plan: Plan) -> dict[str, Any]:
    """Description of this machine. Raises UserError if the device is missing or the rival can run no workload."""
    with _Worker(plan) as worker:
        facts = worker.ask("machine", **plan.place)
        if reason := _refusal(facts):
            raise UserError(reason)
        if plan.against is not None:
            asked = {"against": plan.against, "device": plan.device}
            refusals = [_refusal(worker.ask("check", **plan.job(work), **asked)) for work in plan.works]
            if all(refusals):
                raise UserError(refusals[0])
    return facts


def measure(plan: Plan, facts: dict[str, Any], tell: Callable[[str], None]) -> list[dict[str, Any]]:
    """Measurements of every workload on every engine; `tell` is called before each turn."""
    return [result for work in plan.works.values() for result in _measure(plan, work, facts, tell)]


def report(plan: Plan, facts: dict[str, Any], results: list[dict[str, Any]]) -> dict[str, Any]:
    """Complete report, for a JSON file."""
    described = {name: asdict(work) | {"cells": work.cells, "flops": work.flops} for name, work in plan.works.items()}
    return {"machine": facts, "works": described, "results": results}


def _measure(plan: Plan, work: Work, facts: dict[str, Any], tell: Callable[[str], None]) -> list[dict[str, Any]]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in plan.engines}
    refused: dict[str, str] = {}
    auto, why, alive = "", "", None
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_Worker(plan)) for name in plan.engines}
        for name, worker in workers.items():
            against = plan.against if name not in (*ENGINES, BASE) else None
            answer = worker.ask("begin", **plan.job(work.name), engine=name, against=against, **plan.place)
            refused |= {name: reason} if (reason := _refusal(answer)) else {}
            auto, why = answer.get("auto", auto), answer.get("why", why)
        for _ in range(plan.repeats + 1):
            for name, worker in workers.items():
                tell(f"{work.name}, {name}")
                if name in refused:
                    continue
                answer = worker.ask("time")
                if reason := _refusal(answer):
                    refused[name] = reason
                found[name].append(answer)
        if BASE not in refused:
            alive = workers[BASE].ask("alive").get("alive")
    results = []
    for name, answers in found.items():
        result: dict[str, Any] = {"work": work.name, "engine": name, "auto": name == auto, "why": why, "alive": alive}
        if name in refused:
            results.append(result | {"declined": refused[name]})
        else:
            base = found[BASE] if BASE not in refused else None
            results.append(result | _medians(work, answers, base, facts["gemm_gflops"]))
    return results


def _medians(
    work: Work, answers: list[dict[str, Any]], base: list[dict[str, Any]] | None, gemm: float
) -> dict[str, Any]:
    """Medians over the turns after the first, and medians of the ratios to the base's turns."""
    times, held = [a["seconds"] for a in answers[1:]], answers[-1]["megabytes"]
    whole = median(times)
    gflops = work.flops / whole / 1e9
    against = base[-1]["megabytes"] if base else None
    return {
        "seconds": whole if work.trains else whole / work.steps,
        "per": "training step" if work.trains else "cell step",
        "first": answers[0]["seconds"],
        "cells_per_second": work.cells / whole,
        "gflops": gflops,
        "share_of_gemm": gflops / gemm,
        "megabytes": held,
        "faster": median(b["seconds"] / s for b, s in zip(base[1:], times, strict=True)) if base else None,
        "memory_ratio": max(held, 0.1) / max(against, 0.1) if held is not None and against is not None else None,
        "roll_outs": times,
    }


def _refusal(answer: dict[str, Any]) -> str:
    return answer.get("refused") or answer.get("failed") or ""


@final
class _Worker:
    """Process that answers questions, see `planaria.bench.worker`; it ends with the `with` block."""

    def __init__(self, plan: Plan) -> None:
        here = str(Path(__file__).parents[2])
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
        if plan.threads is not None:
            env |= {"OMP_NUM_THREADS": str(plan.threads)}
        self.said = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "planaria.bench.worker"], env=env, text=True, encoding="utf-8",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.said,
        )  # fmt: skip

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.said.close()

    def ask(self, question: str, **more: Any) -> dict[str, Any]:
        """Answer to a question; `{"failed": ...}` if the process died."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            self.process.stdin.write(json.dumps({"ask": question, **more}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.said.seek(0)
        last = (self.said.read().strip().splitlines() or ["it said nothing; out of memory?"])[-1]
        return {"failed": f"its process ended with code {code}: {last[:300]}"}
