"""The playground as a person has it: how long a heart takes, the longest wait of the page, and the tab's memory.

python benchmarks/playground.py    # about three minutes of two free cores; chromium
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from planaria.export.html import learning

LONG = 50
"""Milliseconds of a task that a person notices."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
WATCH = """window.tasks = [];
new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => tasks.push(duration)))
  .observe({ type: "longtask", buffered: true });"""


def main() -> None:
    """Train a built-in heart with the quick recipe, and print a table."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "playground.html"
        path.write_text(learning(None))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(WATCH)
        page.goto(path.as_uri())
        page.get_by_role("button", name="heart").first.click()
        page.locator(".pg-preview[aria-label*='heart']").wait_for()
        began = time.perf_counter()
        page.get_by_role("button", name="Grow it").click()
        page.locator(".pg-status", has_text="It has learned it").wait_for(timeout=1_200_000)
        took = time.perf_counter() - began
        tasks = page.evaluate("tasks")
        print("| work | measured |\n|---|---|")
        print(f"| built-in heart, 24 cells, quick recipe, to its end | {took:.0f} s |")
        print(f"| tasks of the page over {LONG} ms meanwhile | {sum(t > LONG for t in tasks)} |")
        print(f"| the longest | {max(tasks, default=0):.0f} ms |")
        print(f"| memory of the tab | {tab() / 1e6:.0f} MB |")
        model = Path(folder) / "heart.safetensors"
        with page.expect_download() as download:
            page.locator(".pg-leave", has_text="Model").click()
        download.value.save_as(model)
        browser.close()
        print("\n`planaria eval` of the model that it gave:\n", flush=True)
        subprocess.run([sys.executable, "-m", "planaria", "eval", str(model)], check=True)


def tab() -> int:
    """Bytes that only the largest renderer of this browser holds."""
    mine = psutil.Process().children(recursive=True)
    held = [p.memory_full_info().uss for p in mine if "--type=renderer" in " ".join(p.cmdline())]
    return max(held)


if __name__ == "__main__":
    main()
