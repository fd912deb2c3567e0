"""What the player's engines cost in headless Chromium, and how far they stray from PyTorch in a hundred steps.

    python benchmarks/player.py            # about three minutes; needs chromium, the extra `dev` and a git checkout

SwiftShader imitates a graphics card on the processor: its times say nothing of a real one.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import torch
from playwright.sync_api import sync_playwright

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.engine import unroll
from planaria.export.html import page as whole_page
from planaria.export.html import payload

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.browser import FLAGS, Site
from helpers.players import PAGE
from web.test_parity import STEPS, in_browser

FORMER = "ba04e11:src/planaria/web/engine/plain.js"
"""The engine before WebAssembly, in the repository's history."""
COST = """async ({payload, size, n, noise}) => {
  const { decode } = await import("/engine/model.js");
  const { PlainEngine } = await import("/former/plain.js");
  const { WasmEngine } = await import("/engine/wasm.js");
  const { GraphicsEngine } = await import("/engine/webgl.js");
  const model = { ...decode(payload), start: null };
  const [h, w] = size;
  const { channels } = model.rule;
  const x = new Float32Array(channels * h * w);
  if (noise) x.forEach((_, i) => (x[i] = ((i * 2654435761) % 1000) / 1000 - 0.5));
  else for (let k = 3; k < channels; k++) x[(k * h + (h >> 1)) * w + (w >> 1)] = 1;
  const kinds = noise ? [PlainEngine, WasmEngine] : [PlainEngine, WasmEngine, GraphicsEngine];
  const engines = kinds.map((Engine) => new Engine(model, size));
  const [, wasm] = engines;
  wasm.write(x, [0, 0, h, w]);
  wasm.step(0, 0, noise ? 4 : 150);
  const grown = wasm.read([0, 0, h, w]);
  for (const engine of engines) engine.write(grown, [0, 0, h, w]);
  const rounds = [];
  for (let round = 0; round < 5; round++) {
    rounds.push(engines.map((engine, i) => {
      const count = i === 1 ? 4 * n : n;
      const start = performance.now();
      for (let k = 0; k < count; k++) engine.step(0, 1000 + k);
      engine.read([0, 0, 1, 1]);
      return (performance.now() - start) / count;
    }));
  }
  for (const engine of engines) engine.dispose();
  return rounds;
}"""
EASE = """async ({payload, size, alone}) => {
  const { mount } = await import("/player/player.js");
  const player = mount(document.getElementById("host"), payload, { size, speed: 3840 });
  player.world.randomise();
  player.world.engine.alone = alone;
  let longest = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  });
  await new Promise((done) => setTimeout(done, 2000));
  observer.observe({ type: "longtask" });
  const [t, start] = [player.world.t, performance.now()];
  await new Promise((done) => setTimeout(done, 6000));
  const rate = (1000 * (player.world.t - t)) / (performance.now() - start);
  observer.disconnect();
  player.destroy();
  return [rate, longest];
}"""
WORKS = (("heart", None), ("lizard", None), ("lizard", [256, 256]), ("texture", [512, 512]))


def texture(folder: Path) -> dict[str, Any]:
    """A rule on a torus without life, of the size that textures are trained with, and random weights."""
    torch.manual_seed(0)
    rule = Rule(
        RuleConfig(channels=12, hidden=(96,), filters=("identity", "sobel", "laplacian"), edge="circular", life="none")
    )
    with torch.no_grad():
        for weight in rule.weights:
            weight.normal_(std=0.02)
    store.save(folder / "texture.safetensors", rule, Layout(3, None, hidden=9))
    return payload(store.read(folder / "texture.safetensors"))


def main() -> None:
    """Print both tables as Markdown."""
    site = Site()
    former = subprocess.run(
        ["git", "show", FORMER], capture_output=True, text=True, check=True, cwd=Path(__file__).parent
    )
    site.put("former/plain.js", former.stdout.replace('"./model.js"', '"/engine/model.js"'))
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
        page = browser.new_page()
        page.goto(site.put("blank.html", "<!doctype html>"))
        print("| pattern, grid | plain JavaScript, as it was, ms a step | WebAssembly | times faster ", end="")
        print("| WebGL2 in SwiftShader |\n|---|---|---|---|---|")
        for model, size in WORKS:
            told = texture(folder) if model == "texture" else payload(store.read(model))
            rows, columns = size or told["grid"]
            noise = model == "texture"
            rounds = page.evaluate(
                COST, {"payload": told, "size": [rows, columns], "n": 1 if noise else 20, "noise": noise}
            )
            plain, wasm, *card = (median(times) for times in zip(*rounds, strict=True))
            faster = median(times[0] / times[1] for times in rounds)
            emulated = f"{card[0]:.1f}" if card else ""
            print(f"| {model}, {rows}x{columns} | {plain:.2f} | {wasm:.2f} | {faster:.1f} | {emulated} |")
        print(
            "\n| texture, 512x512, as fast as it goes | steps a second | longest task of the page, ms |\n|---|---|---|"
        )
        page.goto(site.put("page.html", PAGE))
        for words, alone in (("by workers", False), ("in the page", True)):
            rate, longest = page.evaluate(EASE, {"payload": texture(folder), "size": [512, 512], "alone": alone})
            print(f"| {words} | {rate:.1f} | {longest:.0f} |")
        print(
            "\n| model, 100 steps from its seed | engine | largest difference, free run | its median over the steps ",
            end="",
        )
        print("| largest difference of one step from PyTorch's state | its median | native against reference ", end="")
        print("| first flip of life |\n|---|---|---|---|---|---|---|---|")
        for model in ("lizard", "octopus", "butterfly"):
            for prefer in ("wasm", "webgl2"):
                print(parity(page, model, prefer))
        browser.close()
    site.close()
    sizes = {name: len(whole_page(store.read(name)).encode()) for name in store.gallery()}
    print(f"\nExported pages: {json.dumps(sizes)} bytes")


def parity(page, model: str, prefer: str) -> str:
    """One row: 100 steps from the seed in the browser against PyTorch's reference, all at once and one by one."""
    rule, layout = store.load(model)
    told = payload(store.read(model))
    seed = layout.seed(1, tuple(told["grid"]))
    ours = torch.cat([seed, *unroll(rule, seed, STEPS, seed=7, engine="reference")])
    native = torch.cat([seed, *unroll(rule, seed, STEPS, seed=7)])
    free = in_browser(page, told, prefer, [seed], STEPS)
    single = in_browser(page, told, prefer, list(ours[:-1, None]), 1)
    apart = [(a - b).abs().max().item() for a, b in zip(ours[1:], free, strict=True)]
    once = [(a - b).abs().max().item() for a, b in zip(ours[1:], single, strict=True)]
    native_apart = (ours - native).abs().max().item()
    flips = [k + 1 for k in range(STEPS) if not torch.equal(rule.alive(ours[None, k + 1]), rule.alive(free[None, k]))]
    figures = f"{max(apart):.1e} | {median(apart):.1e} | {max(once):.1e} | {median(once):.1e} | {native_apart:.1e}"
    return f"| {model} | {prefer} | {figures} | {flips[0] if flips else 'none'} |"


if __name__ == "__main__":
    main()
