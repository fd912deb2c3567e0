"""What the player's two engines cost in headless Chromium, and how far they stray from PyTorch in a hundred steps.

    python benchmarks/player.py            # about two minutes; needs chromium and the extra `dev`

SwiftShader imitates a graphics card on the processor: its times say nothing of a real one.
"""

import json
import shutil
import sys
from pathlib import Path
from statistics import median

import torch
from playwright.sync_api import sync_playwright

from planaria import store
from planaria.engine import unroll
from planaria.export.html import page as whole_page
from planaria.export.html import payload

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.browser import FLAGS, Site
from web.test_parity import STEPS, in_browser

COST = """async ({payload, prefer, size, n}) => {
  const { World } = await import("/world/world.js");
  const world = new World(payload, { size, prefer });
  world.tick(150);
  world.read();
  const rounds = [];
  for (let k = 0; k < 5; k++) {
    const start = performance.now();
    world.tick(n);
    world.read();
    rounds.push((performance.now() - start) / n);
  }
  world.dispose();
  return rounds;
}"""
WORKS = (("heart", None), ("lizard", None), ("lizard", [128, 128]), ("lizard", [256, 256]))


def main() -> None:
    """Print both tables as Markdown."""
    site = Site()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), headless=True, args=FLAGS)
        page = browser.new_page()
        page.goto(site.put("blank.html", "<!doctype html>"))
        print("| grown pattern, grid | plain JavaScript, ms a step | WebGL2 in SwiftShader, ms a step |\n|---|---|---|")
        for model, size in WORKS:
            rows, columns = size or store.trained_size(model)
            order = {"payload": payload(store.read(model)), "size": [rows, columns]}
            plain = page.evaluate(COST, {**order, "prefer": "plain", "n": 20})
            card = page.evaluate(COST, {**order, "prefer": "webgl2", "n": 5})
            print(f"| {model}, {rows}x{columns} | {median(plain):.1f} | {median(card):.1f} |")
        print(
            "\n| model, 100 steps from its seed | engine | largest difference, free run | its median over the steps ",
            end="",
        )
        print("| largest difference of one step from PyTorch's state | its median | native against reference ", end="")
        print("| first flip of life |\n|---|---|---|---|---|---|---|---|")
        for model in ("lizard", "octopus", "butterfly"):
            for prefer in ("plain", "webgl2"):
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
