"""The page's kernel in node against PyTorch and against the plain JavaScript that it replaced, in one run.

    python benchmarks/wasm.py            # a minute or two; needs node 20 and the repository's history

The work: a training step of the classic experiment (8 samples of the grown lizard, 72x72, 64 steps, forward and
backward), a step of the grown lizard, and a step of a texture of 512x512 cells. Times are of the processor, on one
thread, the shortest of some rounds: they hardly depend on what else the machine does.
"""

import base64
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import run
from planaria.export.html import payload

HERE = Path(__file__).parent
PLAIN = "ba04e11"
"""The last commit of which the engine in plain JavaScript was all that a page without a card had."""
BATCH, STEPS, SIDE, ROUNDS = 8, 64, 512, 5


def plain_engine(folder: Path) -> Path:
    """Write the plain engine, as it was, into `folder`."""
    for name in ("plain.js", "model.js"):
        words = ["git", "show", f"{PLAIN}:src/planaria/web/engine/{name}"]
        (folder / name).write_bytes(subprocess.run(words, cwd=HERE, capture_output=True, check=True).stdout)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder / "plain.js"


def texture(folder: Path) -> dict:
    """Payload of a rule of the shape of published textures, its weights drawn at random."""
    config = RuleConfig(
        channels=12, filters=("identity", "sobel", "laplacian"), hidden=(96,), edge="circular", life="none"
    )
    rule, rng = Rule(config), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in rule.parameters():
            p.add_(torch.randn(p.shape, generator=rng) * 0.01)
    store.save(folder / "texture.safetensors", rule, Layout(3, 3, hidden=9))
    return payload(store.read(folder / "texture.safetensors"))


def shortest(act: Callable[[], object], rounds: int) -> float:
    """Shortest of some rounds, in ms of processor time."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return best * 1e3


def main() -> None:
    """Print the table as Markdown."""
    torch.set_num_threads(1)
    rule, layout = store.load("lizard")
    size = store.trained_size("lizard")
    x = run(rule, layout.seed(1, size), 200, seed=7)
    starts = x.detach().expand(BATCH, -1, -1, -1).contiguous()

    def learn(engine: str) -> None:
        y = run(rule, starts, STEPS, seed=7, engine=engine)
        torch.autograd.grad(y.square().sum() / 2, list(rule.parameters()))

    rule.requires_grad_(True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        work = {
            "grown": {
                "payload": payload(store.read("lizard")),
                "size": list(size),
                "start": base64.b64encode(x.detach().numpy().tobytes()).decode(),
            },
            "texture": texture(folder), "texture_size": SIDE, "batch": BATCH, "steps": STEPS, "rounds": ROUNDS,
            "plain": str(plain_engine(folder)),
        }  # fmt: skip
        words = ["node", str(HERE / "wasm.mjs")]
        done = subprocess.run(words, input=json.dumps(work), capture_output=True, text=True, check=True)
    page = json.loads(done.stdout)
    eager, native = shortest(lambda: learn("reference"), 2), shortest(lambda: learn("native"), ROUNDS)
    print(f"memory of the module: {page['bytes'] >> 20} MiB\n")
    print("| work | kernel in WebAssembly, ms | | ms | times as long |\n|---|---|---|---|---|")
    for work, ours, other, theirs in (
        ("training step", page["training"], "eager PyTorch", eager),
        ("training step", page["training"], "native kernel", native),
        ("step of the grown lizard", page["grown"]["wasm"], "plain JavaScript", page["grown"]["plain"]),
        (f"step of a texture, {SIDE}x{SIDE}", page["texture"]["wasm"], "plain JavaScript", page["texture"]["plain"]),
    ):
        print(f"| {work} | {ours:.3g} | {other} | {theirs:.3g} | {theirs / ours:.2g} |")


if __name__ == "__main__":
    main()
