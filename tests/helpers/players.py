"""A player in a page of the test's own, and what tests do with it: grow, drag, look."""

from typing import Any

from helpers.payloads import payload

PAGE = """<!doctype html><html lang="en"><meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/player/player.css"><style>body { margin: 0 }</style>
<div id="host" style="height: 100dvh"></div><div id="second"></div></html>"""
MOUNT = """async ([model, options, host, name]) => {
  const { mount } = await import("/player/player.js");
  window[name] = mount(document.getElementById(host), model, {
    ...options, ondamage: (damage) => (window.erased ??= []).push(damage),
  });
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
MODEL = payload("ladybird")
STILL = {"prefer": "wasm", "autoplay": False}
AT = """([row, column]) => {
  const { camera, ratio, element } = player, box = element.getBoundingClientRect();
  const at = (from, n) => (from + (n + 0.5) * camera.scale) / ratio;
  return [box.left + at(camera.x, column), box.top + at(camera.y, row)];
}"""
ERROR = """() => {
  const now = player.world.read(), [h, w] = player.world.size;
  let sum = 0;
  for (let i = 0; i < 4 * h * w; i++) sum += (now[i] - grown[i]) ** 2;
  return sum / (4 * h * w);
}"""


def show(page, site, model: dict[str, Any] = MODEL, host: str = "host", name: str = "player", **options: Any):
    if host == "host":
        page.goto(site.put("page.html", PAGE))
    page.evaluate(MOUNT, [model, {**STILL, **options}, host, name])
    return page


def grow(page, steps: int = 120) -> None:
    page.evaluate("(n) => { player.world.tick(n); window.grown = player.world.read(); player.stir(); }", steps)


def at(page, row: float, column: float) -> list[float]:
    """Where a cell is in the window."""
    return page.evaluate(AT, [row, column])


def colour(page, row: int, column: int) -> list[int]:
    return page.evaluate("([row, column]) => player.world.pick(row, column)", [row, column])


def held(page, row: int, column: int) -> float:
    """The number in the fourth channel of a cell: how alive it is."""
    h, w = page.evaluate("player.world.size")
    return page.evaluate("(i) => player.world.read()[i]", (3 * h + row) * w + column)


def pixel(page, row: int, column: int) -> list[int]:
    """What stands on the canvas where a cell is."""
    page.evaluate("player.draw()")
    return page.evaluate(
        """([row, column]) => {
          const { camera, canvas } = player, at = (from, n) => from + (n + 0.5) * camera.scale;
          const [x, y] = [at(camera.x, column), at(camera.y, row)];
          return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data.slice(0, 3)];
        }""",
        [row, column],
    )


def drag(page, start: tuple[float, float], end: tuple[float, float], steps: int = 3, button: str = "left") -> None:
    page.mouse.move(*at(page, *start))
    there = at(page, *end)
    page.mouse.down(button=button)
    page.mouse.move(*there, steps=steps)
    page.mouse.up(button=button)
