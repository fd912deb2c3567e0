"""What it costs to train in a browser: a training step, and a heart from nothing, in headless Chromium.

    python benchmarks/learn_in_browser.py            # some minutes; needs chromium and the extra `dev`
    python benchmarks/learn_in_browser.py --step     # only the training step against eager PyTorch

The step is the work `classic` of `planaria bench` with its loss: 8 living discs in 72x72 cells, 64 steps, forward and
backward. PyTorch and the browser take turns.
"""

import argparse
import base64
import json
import math
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from playwright.sync_api import Page, sync_playwright
from torch import Tensor

import planaria as pl
from planaria import store
from planaria.bench import works
from planaria.config import parse, to_dict
from planaria.core.layout import Layout
from planaria.engine import run
from planaria.export.html import payload
from planaria.store import Saved
from planaria.tasks import grow

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.browser import FLAGS, Site

GOAL = -2.5
HEART = {
    "picture": "heart", "size": 24, "padding": 6, "damage_shape": "any", "damage": 1, "damage_from": 0.3,
    "train": {
        "steps": 1200, "batch": 4, "pool": 64, "rollout": [32, 48], "lr": 3e-3,
        "lr_drops": [0.4, 0.6, 0.75, 0.88, 0.95], "lr_factor": 0.5,
    },
}  # fmt: skip
WORKER = """
import { compile } from "/engine/kernel.js";
import { Crew, assist } from "/learn/crew.js";
import { modelFile } from "/learn/files.js";
import { Training } from "/learn/training.js";

const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
const kernel = async () => compile(new Uint8Array(await (await fetch("/engine/kernel.wasm")).arrayBuffer()));
const base64 = (bytes) => btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
let crew = null;

const ANSWERS = {
  assist: ({ port }) => assist(port),
  async open({ work, flat, states, ports }) {
    crew ??= await Crew.create(await kernel(), { ...work, target: floats(work.target) }, ports);
    const all = floats(states);
    const size = all.length / work.batch;
    const batch = Array.from({ length: work.batch }, (_, k) => all.slice(k * size, (k + 1) * size));
    const start = performance.now();
    const done = await crew.learn(floats(flat), { states: batch, seed: 7, steps: 64 });
    return { ms: performance.now() - start, losses: done.map(({ loss }) => loss) };
  },
  async train({ target, grid, config, ports }) {
    const training = new Training(await kernel(), { target: floats(target), grid, config, name: "heart", ports });
    const reports = [];
    const start = performance.now();
    let shown = start;
    while (training.iteration < config.train.steps) {
      reports.push({ ...(await training.step()), seconds: (performance.now() - start) / 1000 });
      if (performance.now() < shown + 350) continue;
      shown = performance.now();
      postMessage({ flat: training.weights() });
    }
    return { reports, file: base64(modelFile(training)) };
  },
};
onmessage = async ({ data }) => {
  const answer = await ANSWERS[data.kind](data);
  if (answer) postMessage({ answer });
};
"""
PAGE = """<!doctype html><title>learn</title><script type="module">
import { World } from "/world/world.js";

const begun = () => new Worker("/worker.js", { type: "module" });
window.workers = {};

/** What the workers of a crew of `size` answer to a message; `shown` is called with the weights that come meanwhile. */
window.ask = (size, message, shown = () => undefined) =>
  new Promise((resolve, reject) => {
    const ports = [];
    if (!window.workers[size]) {
      window.workers[size] = begun();
      for (let k = 0; size > 1 && k < size; k++) {
        const { port1, port2 } = new MessageChannel();
        begun().postMessage({ kind: "assist", port: port2 }, [port2]);
        ports.push(port1);
      }
    }
    const worker = window.workers[size];
    worker.onmessage = ({ data }) => (data.answer ? resolve(data.answer) : shown(data.flat));
    worker.onerror = (error) => reject(new Error(error.message));
    worker.postMessage({ ...message, ports }, ports);
  });

/** Train while the creature lives on the page, and measure the main thread's longest task. */
window.watched = async (size, message, payload) => {
  const world = new World(payload, { size: message.grid, canvas: document.createElement("canvas"), prefer: "plain" });
  let [longest, going] = [0, true];
  const timed = (work) => {
    const start = performance.now();
    work();
    longest = Math.max(longest, performance.now() - start);
  };
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  observer.observe({ type: "longtask" });
  const frame = () => {
    timed(() => {
      world.tick();
      world.draw({ scale: 1, x: 0, y: 0 });
    });
    if (going) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  const answer = await window.ask(size, message, (flat) => timed(() => world.setWeights(flat)));
  going = false;
  return { ...answer, longest };
};
</script>"""


def sent(x: Tensor) -> str:
    """Float32 numbers as base64."""
    return base64.b64encode(x.detach().float().contiguous().numpy().tobytes()).decode()


def step(page: Page, rounds: int) -> None:
    """Print a row for each way to take the training step."""
    torch.set_num_threads(2)
    work = works.known()["classic"]
    rule, x = works.make(work, torch.device("cpu"))
    layout = Layout()
    target = torch.rand(4, *work.size, generator=torch.Generator().manual_seed(1))
    job = {
        "payload": payload(Saved(rule, layout, size=work.size)), "grid": work.size, "target": sent(target),
        "loss": "l2", "batch": work.batch,
    }  # fmt: skip
    flat = torch.cat([p.flatten() for p in rule.parameters()])
    message = {"kind": "open", "work": job, "flat": sent(flat), "states": sent(x)}

    def in_torch(engine: str) -> float:
        rule.zero_grad()
        start = time.perf_counter()
        y = run(rule, x, work.steps, seed=7, engine=engine)
        each = (layout.picture(y) - target).square().mean((1, 2, 3))
        each.mean().backward()
        losses[engine] = each.tolist()
        return 1000 * (time.perf_counter() - start)

    def in_browser(workers: int) -> float:
        answer = page.evaluate("([size, message]) => ask(size, message)", [workers, message])
        losses[f"{workers} workers"] = answer["losses"]
        return answer["ms"]

    losses: dict[str, list[float]] = {}
    ways = {
        "eager PyTorch, two threads": lambda: in_torch("reference"),
        "the native kernel, two threads": lambda: in_torch("native"),
        "the browser, one worker": lambda: in_browser(1),
        "the browser, two workers": lambda: in_browser(2),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            took = way()
            if turn:  # the first warms up
                times[name].append(took)
    eager = times["eager PyTorch, two threads"]
    print("| training step | ms | against eager, median of the turns |\n|---|---|---|")
    for name, took in times.items():
        ratio = median(a / b for a, b in zip(eager, took, strict=True))
        print(f"| {name} | {median(took):,.0f} | {ratio:.1f}x |")
    away = max(abs(a - b) / a for a, b in zip(losses["native"], losses["1 workers"], strict=True))
    alike = "the same" if losses["1 workers"] == losses["2 workers"] else "NOT the same"
    print(f"\nA sample's loss, native and browser: at most {away:.1e} of it apart; one worker and two: {alike}")


def heart(page: Page, workers: int) -> None:
    """Print how a heart is learned from nothing."""
    config = parse(grow.Config, (HEART, "the benchmark"))
    task = grow.Task(config, torch.device("cpu"))
    message = {"kind": "train", "config": to_dict(config), "grid": task.size, "target": sent(task.target)}
    shown = payload(Saved(task.init(0), task.layout, size=task.size))
    answer: dict[str, Any] = page.evaluate(
        "([size, message, shown]) => watched(size, message, shown)", [workers, message, shown]
    )
    reports = answer["reports"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "heart.safetensors"
        path.write_bytes(base64.b64decode(answer["file"]))
        rule, _ = store.load(path)
    measured = {name: math.log10(value) for name, value in task.measure(rule).items()}
    last = reports[-1]
    print(f"\nHeart, 24 cells, {workers} worker(s): {last['step']} iterations in {last['seconds']:.0f} s; ", end="")
    print(f"longest task of the main thread {answer['longest']:.0f} ms; planaria {pl.__version__} measures log10 MSE:")
    print(json.dumps({name: round(value, 2) for name, value in measured.items()}))
    smooth = [sum(r["loss"] for r in reports[k - 31 : k + 1]) / 32 for k in range(31, len(reports))]
    begun = HEART["damage_from"] * len(reports)
    best = next((k for k, loss in enumerate(smooth, 31) if math.log10(loss) <= GOAL and k > begun + 32), None)
    if best is not None:
        done = f"{best + 1} iterations, {reports[best]['seconds']:.0f} s"
        print(f"Mean loss of 32 iterations, damaged samples among them, at {GOAL} after {done}")


def main() -> None:
    """Print the tables as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--step", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    site = Site()
    site.put("worker.js", WORKER)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(site.put("learn.html", PAGE))
        page.wait_for_function("() => window.watched")
        step(page, given.rounds)
        if not given.step:
            heart(page, given.workers)
        browser.close()
    site.close()


if __name__ == "__main__":
    main()
