"""The classic training step on both engines: seconds, and memory beyond what is taken before.

    python benchmarks/step.py --repeats 5

Batch 8, 72x72, 16 channels, 128 hidden, 64 steps, forward and backward, a living disc of about 22 % of the grid. Every
engine runs in a process of its own, in turns, so that both see the same machine.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

ENGINES = ("sparse", "reference")


def measure(engine: str) -> dict[str, float]:
    """One warm-up and three timed steps of one engine, in this process."""
    import torch

    import planaria as pl

    rng = torch.Generator().manual_seed(3)
    rule = pl.Rule()
    with torch.no_grad():
        rule.weights[1].copy_(torch.randn(16, 128, generator=rng) * 0.002)
    x = torch.rand(8, 16, 72, 72, generator=rng) * pl.Wound.parse("circle(36,36,18)").mask((72, 72))
    pl.run(rule, x[:1], 1, engine=engine).square().mean().backward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        y = pl.run(rule, x, 64, engine=engine)
        y.square().mean().backward()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    alive = rule.alive(x).float().mean().item()
    return {"seconds": min(seconds), "megabytes": (peak - before) / 1024, "alive": alive}


def main() -> None:
    """Print one Markdown table with the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--engine", choices=ENGINES, help="measure one engine in this process and print JSON")
    given = parser.parse_args()
    if given.engine:
        print(json.dumps(measure(given.engine)))
        return
    found: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
    for _ in range(given.repeats):
        for engine in ENGINES:
            done = subprocess.run([sys.executable, __file__, "--engine", engine], capture_output=True, check=True)
            found[engine].append(json.loads(done.stdout))
    middle = {
        engine: {key: statistics.median(f[key] for f in runs) for key in runs[0]} for engine, runs in found.items()
    }
    print("| engine | seconds | extra MB |")
    print("|---|---|---|")
    for engine, figures in middle.items():
        print(f"| {engine} | {figures['seconds']:.2f} | {figures['megabytes']:.0f} |")
    fast, slow = (middle[engine] for engine in ENGINES)
    ratio = statistics.median(
        b["seconds"] / a["seconds"] for a, b in zip(found["sparse"], found["reference"], strict=True)
    )
    memory = slow["megabytes"] / fast["megabytes"]
    print(f"{fast['alive']:.0%} near life; {ratio:.1f} times faster, 1/{memory:.0f} of the memory (medians of pairs)")


if __name__ == "__main__":
    main()
