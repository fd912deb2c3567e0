"""One workload on one engine in a process of its own, so that its memory is measured alone.

`python -m planaria.bench.worker` reads questions from standard input and answers them on standard output, one line of
JSON each.
"""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from planaria import __version__
from planaria.bench.rivals import Eager, Rival
from planaria.bench.works import Work, alive, known, make
from planaria.engine import choose, device_of, native, run
from planaria.errors import UserError


class Desk:
    """Answers to questions about one workload on one engine; each method is a question."""

    def __init__(self) -> None:
        self.device = torch.device("cpu")
        self.step: Callable[[], object] | None = None
        self.before: float | None = None
        self.loading = 0.0

    def machine(self, device: str, threads: int | None) -> dict[str, Any]:
        """Description of this machine, its best throughput, and the engine that `auto` chooses on it."""
        self._settle(device, threads)
        rule, x = make(known()["classic"], self.device)
        auto, why = choose(rule, x)
        name = torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else ""
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return {
            "cpu": _cpu(),
            "cores": cores,
            "threads": torch.get_num_threads(),
            "device": name or self.device.type,
            "system": platform.platform(),
            "python": platform.python_version(),
            "torch": torch.__version__,
            "planaria": __version__,
            "gemm_gflops": self._gemm(),
            "auto": auto,
            "why": why,
            "native": native.status(),
        }

    def begin(
        self, work: str, model: str | None, scale: float, engine: str, against: str | None, device: str,
        threads: int | None,
    ) -> dict[str, Any]:  # fmt: skip
        """Get ready to time a workload; gives the engine that `auto` would choose."""
        self._settle(device, threads)
        self.work = known(Path(model) if model else None)[work].scaled(scale)
        rule, x = make(self.work, self.device)
        auto, why = choose(rule, x)
        self.before = _peak(self.device, fresh=True)
        start = time.perf_counter()
        self.step = _step(self.work, rule, x, engine, against)
        self.loading = time.perf_counter() - start
        return {"auto": auto, "why": why}

    def check(self, work: str, model: str | None, scale: float, against: str, device: str) -> dict[str, Any]:
        """Check that a rival can run a workload."""
        self._settle(device, None)
        job = known(Path(model) if model else None)[work].scaled(scale)
        rule, x = make(job, self.device)
        Rival(against, rule.config, self.device).check(x[:1], job.trains)
        return {}

    def time(self) -> dict[str, Any]:
        """Seconds of one repetition, the first including the engine's loading; peak megabytes so far."""
        assert self.step is not None
        self._wait()
        start = time.perf_counter()
        self.step()
        self._wait()
        seconds = time.perf_counter() - start + self.loading
        self.loading = 0.0
        peak = _peak(self.device)
        return {"seconds": seconds, "megabytes": None if peak is None or self.before is None else peak - self.before}

    def alive(self) -> dict[str, Any]:
        """Share of cells near living ones, mean over the workload."""
        return {"alive": alive(self.work, self.device)}

    def _settle(self, device: str, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.device = device_of(device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu")

    def _gemm(self) -> float:
        """Billions of operations a second in a float32 matrix product, 1024 a side: an upper bound for every engine."""
        a, b = (torch.rand(1024, 1024, device=self.device) for _ in range(2))
        seconds = []
        for _ in range(12):
            self._wait()
            start = time.perf_counter()
            torch.mm(a, b)
            self._wait()
            seconds.append(time.perf_counter() - start)
        return 2 * 1024**3 / min(seconds) / 1e9

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def _step(work: Work, rule: Any, x: Tensor, engine: str, against: str | None) -> Callable[[], object]:
    """One repetition of a workload: a training step, or a roll-out without gradients."""
    if engine == "eager":
        module = Eager(rule).to(x.device)

        def roll(x: Tensor, steps: int, t: int) -> Tensor:  # noqa: ARG001
            for _ in range(steps):
                x = module(x)
            return x
    elif against is not None:
        rival = Rival(against, rule.config, x.device)
        module = rival.module

        def roll(x: Tensor, steps: int, t: int) -> Tensor:  # noqa: ARG001
            return rival(x, steps)
    else:
        choose(rule, x, engine)
        module = rule

        def roll(x: Tensor, steps: int, t: int) -> Tensor:
            return run(rule, x, steps, t=t, engine=engine)

    def whole() -> Tensor:
        if not work.single:
            return roll(x, work.steps, 0)
        y = x
        for t in range(work.steps):
            y = roll(y, 1, t)
        return y

    def train() -> None:
        module.zero_grad(set_to_none=True)
        whole().square().mean().backward()

    return train if work.trains else torch.no_grad()(whole)


def _peak(device: torch.device, fresh: bool = False) -> float | None:
    """Peak memory of this process in megabytes, ever or since `fresh`; None if the system doesn't report it.

    `ru_maxrss` of a child process begins at its parent's, so Linux is asked in its own way.
    """
    if device.type == "cuda":
        if fresh:
            torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.max_memory_allocated(device) / 2**20
    if sys.platform == "linux":
        if fresh:
            with suppress(OSError):
                Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
        return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 1024


def _cpu() -> str:
    """Name of the processor."""
    with suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "linux":
            lines = Path("/proc/cpuinfo").read_text().splitlines()
            return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
        if sys.platform == "darwin":
            asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def main() -> None:
    """Answer until there are no more questions."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anybody's module prints must not stand between the answers
    desk = Desk()
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            answer = getattr(desk, asked.pop("ask"))(**asked)
        except UserError as e:
            answer = {"refused": str(e)}
        except (RuntimeError, MemoryError) as e:
            answer = {"failed": " ".join(f"{type(e).__name__}: {e}".split())[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
