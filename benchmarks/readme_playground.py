"""The moving picture in the README: a creature that learns in the playground, and is cut while it learns.

python benchmarks/readme_playground.py docs/images/learning.webp    # about four minutes of two free cores; chromium
"""

import io
import re
import shutil
import sys
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from planaria.export.html import learning

SIZE = (1180, 700)
WIDTH = 720
"""Width of the written picture, in pixels."""
STEPS = (*range(0, 60, 6), *range(60, 300, 20), *range(300, 1800, 100))
"""Iterations at which a picture is taken while it learns."""


def main(out: Path) -> None:
    """Record a training from its first iteration to its end."""
    html = out.with_suffix(".html")
    html.write_text(learning(None))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": SIZE[0], "height": SIZE[1]})
        page.goto(html.resolve().as_uri())
        page.get_by_role("button", name="butterfly").click()
        page.locator(".pg-preview[aria-label*='butterfly']").wait_for()
        shots = [(shot(page), 1200)]
        page.get_by_role("button", name="Grow it").click()
        for step in STEPS:
            until(page, step)
            shots.append((shot(page), 120))
            if step == STEPS[len(STEPS) // 2]:
                cut(page)
                shots += healing(page, 6)
        page.locator(".pg-status", has_text=re.compile("Learned|Finished|Grown|done", re.IGNORECASE)).wait_for(
            timeout=900_000
        )
        shots.append((shot(page), 2500))
        browser.close()
    html.unlink()
    frames = [picture for picture, _ in shots]
    times = [ms for _, ms in shots]
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=times, loop=0, quality=60, method=6)
    print(f"{out}: {len(frames)} frames, {out.stat().st_size / 1000:,.0f} KB")


def until(page: Page, step: int) -> None:
    """Wait until as many iterations are done."""
    while done(page) < step:
        time.sleep(0.1)


def done(page: Page) -> int:
    """Iterations done, as the page says."""
    found = re.search(r"([\d,]+) of [\d,]+ iterations", page.locator(".pg-count").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def cut(page: Page) -> None:
    """Drag the eraser across the creature."""
    box = page.locator(".pl-stage").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.45
    page.mouse.move(x - 90, y - 70)
    page.mouse.down()
    page.mouse.move(x + 90, y + 70, steps=12)
    page.mouse.up()


def healing(page: Page, count: int) -> list[tuple[Image.Image, int]]:
    """Pictures from a cut on, a sixth of a second apart."""
    shots = []
    for _ in range(count):
        shots.append((shot(page), 160))
        time.sleep(0.16)
    return shots


def shot(page: Page) -> Image.Image:
    """The page as it is now."""
    with Image.open(io.BytesIO(page.screenshot())) as whole:
        return whole.convert("RGB").resize((WIDTH, WIDTH * SIZE[1] // SIZE[0]), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
