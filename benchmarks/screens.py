"""Take the pictures of docs/images that show the viewers: page, phone, playground, window, studio.

    cd FOLDER_WITH_runs && python .../benchmarks/screens.py OUT    # chromium, Xvfb, xdotool

`runs/butterfly` goes on training while its page is photographed, so it should have iterations left.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, sync_playwright

from planaria.export import Options, write

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from helpers.xvfb import Screen

PLANARIA = [sys.executable, "-m", "planaria"]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main(out: Path) -> None:
    """Write every picture into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    window(out / "window.png")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        pages(browser, out)
        playground(browser, out)
        with studio() as address:
            studio_pages(browser, address, out)
        browser.close()


def pages(browser: Browser, out: Path) -> None:
    """An exported page on a laptop, light, just damaged; and on a phone, dark."""
    shots: tuple[tuple[str, str, tuple[int, int], Literal["light", "dark"]], ...] = (
        ("lizard", "page.png", (1200, 750), "light"),
        ("butterfly", "phone.png", (375, 740), "dark"),
    )
    for name, file, size, scheme in shots:
        page_file = write(name, out / f"{name}.html")
        phone = size[0] < 500
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, device_scale_factor=2 if phone else 1,
            has_touch=phone,
        )  # fmt: skip
        page = context.new_page()
        page.goto(page_file.resolve().as_uri())
        wait_for_step(page, 260)
        canvas = page.locator("canvas").first.bounding_box()
        assert canvas
        x, y = canvas["x"] + canvas["width"] * 0.57, canvas["y"] + canvas["height"] * 0.56
        if not phone:
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + 20, y + 15, steps=4)
            page.mouse.up()
            page.wait_for_timeout(450)
        page.screenshot(path=out / file)
        context.close()
        page_file.unlink()


def playground(browser: Browser, out: Path, iterations: int = 20) -> None:
    """The gallery's lizard in the playground, as it learns on: just damaged."""
    file = write("lizard", out / "lizard-learns.html", Options(learn=True))
    page = browser.new_page(viewport={"width": 1280, "height": 800}, color_scheme="light")
    page.goto(file.resolve().as_uri())
    page.get_by_role("button", name="Learn on").click()
    page.locator(".pg-preview[aria-label*='lizard']").wait_for()
    page.get_by_role("button", name="Grow it").click()
    while int(page.locator("main").get_attribute("data-step") or 0) < iterations:
        page.wait_for_timeout(200)
    page.evaluate("planaria.tick(100); planaria.erase('right'); planaria.tick(14)")
    page.wait_for_timeout(800)
    page.screenshot(path=out / "playground.png")
    page.close()
    file.unlink()


def wait_for_step(page: Page, step: int) -> None:
    """Until the player has lived so long."""
    page.wait_for_function(
        "(least) => Number(/step ([\\d,]+)/.exec(document.querySelector('.pl-status')?.textContent)?.[1]"
        ".replace(',', '')) >= least",
        arg=step,
        timeout=120_000,
    )


@contextmanager
def studio() -> Iterator[str]:
    """A studio of `runs` in this folder; gives its address."""
    words = [*PLANARIA, "studio", "--port", "8779", "--no-browser"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    assert process.stdout
    address = next(m[0] for line in process.stdout if (m := re.search(r"http://127\.0\.0\.1:\d+", line)))
    try:
        yield address
    finally:
        process.terminate()
        process.wait(20)


def studio_pages(browser: Browser, address: str, out: Path) -> None:
    """Its home, the page of a run while it trains, and the form of a new one."""
    training = subprocess.Popen(
        [*PLANARIA, "train", "runs/butterfly", "--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    context = browser.new_context(viewport={"width": 1440, "height": 1100}, color_scheme="light")
    page = context.new_page()
    page.set_viewport_size({"width": 1440, "height": 1940})  # films move only where they are seen
    page.goto(f"{address}/#/")
    page.wait_for_timeout(25_000)  # the gallery's films are made once
    page.reload()
    page.wait_for_timeout(1_900)  # grown, not yet cut
    page.screenshot(path=out / "studio-home.png")
    page.set_viewport_size({"width": 1440, "height": 1100})
    page.goto(f"{address}/#/run/butterfly")
    page.wait_for_timeout(25_000)
    page.screenshot(path=out / "studio-run.png")
    page.goto(f"{address}/#/new")
    page.wait_for_timeout(8_000)
    page.screenshot(path=out / "studio-new.png")
    context.close()
    training.terminate()
    training.wait(30)


def window(path: Path) -> None:
    """A lizard in a window, a moment after it was damaged."""
    with Screen(1024, 900) as screen:
        player = subprocess.Popen([*PLANARIA, "play", "lizard"], env=screen.env)
        try:
            left, top, width, height = screen.window("planaria")
            time.sleep(6)
            screen.do("key", "e")
            screen.do("mousemove", left + round(0.56 * width), top + round(0.55 * height), "mousedown", 1)
            screen.do("mousemove_relative", 12, 8, "mouseup", 1)
            time.sleep(0.4)
            screen.picture().crop((left, top, left + width, top + height)).save(path)
        finally:
            player.kill()
            player.wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
