"""The player as a guest: on a phone, with a photo, on the graphics card, beside another one, in a file of its own."""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers.payloads import payload
from helpers.players import ERROR, MODEL, at, drag, grow, show
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.export.html import page as exported
from planaria.store import read

pytest_plugins = ("helpers.browser",)


@pytest.fixture
def shown(page, site):
    return show(page, site)


def touch(session, kind: str, *points: list[float]) -> None:
    """Fingers on a screen, as the browser's own protocol tells of them."""
    told = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": told})


@pytest.fixture
def phone(open_page, site):
    page = open_page(viewport={"width": 360, "height": 700}, device_scale_factor=2, has_touch=True, is_mobile=True)
    return show(page, site)


def test_one_finger_erases_and_two_zoom(phone):
    grow(phone, 100)
    fingers = phone.context.new_cdp_session(phone)
    middle = phone.evaluate("player.world.size[0] / 2")
    touch(fingers, "touchStart", at(phone, middle, middle - 8))
    touch(fingers, "touchMove", at(phone, middle, middle + 8))
    touch(fingers, "touchEnd")
    assert phone.evaluate(ERROR) > 0.001
    past, scale = phone.evaluate("[player.world.past.length, player.camera.scale]")
    x, y = at(phone, middle, middle)
    held = phone.evaluate("player.world.read()")
    touch(fingers, "touchStart", [x - 30, y])
    touch(fingers, "touchStart", [x - 30, y], [x + 30, y])
    touch(fingers, "touchMove", [x - 60, y], [x + 60, y])
    touch(fingers, "touchEnd")
    assert phone.evaluate("player.camera.scale") / scale == pytest.approx(2, rel=0.05)
    assert at(phone, middle, middle) == pytest.approx([x, y], abs=2)
    assert phone.evaluate("player.world.past.length") == past
    assert phone.evaluate("player.world.read()") == held, "a pinch leaves no damage"


def test_a_phone_has_room_for_thumbs(phone):
    assert phone.evaluate("document.documentElement.scrollWidth") == 360
    for deed in ("paint", "more", "shapes"):
        phone.evaluate("(deed) => player.act(deed)", deed)
        boxes = phone.evaluate(
            """[...document.querySelectorAll("button, select, input:not([type=color]), label")]
              .filter((e) => e.checkVisibility()).map((e) => [e.ariaLabel ?? e.textContent, e.getBoundingClientRect()])
              .map(([name, b]) => [name, b.width, b.height, b.left, b.right])"""
        )
        assert len(boxes) > 15
        for name, width, height, left, right in boxes:
            assert min(width, height) >= 40, name
            assert left >= 0, name
            assert right <= 360, name
        assert phone.evaluate("document.documentElement.scrollWidth") == 360


def test_a_phone_on_its_side_shows_every_control(open_page, tmp_path):
    page = open_page(viewport={"width": 568, "height": 320}, has_touch=True, is_mobile=True)
    (tmp_path / "organism.html").write_text(exported(read("ladybird")))
    page.goto((tmp_path / "organism.html").as_uri())
    page.locator(".pl-status", has_text="step").wait_for()
    lowest = "Math.max(...[...document.querySelectorAll('.pl-bar *')].map((e) => e.getBoundingClientRect().bottom))"
    assert page.evaluate(lowest) <= 320
    assert page.evaluate("document.documentElement.scrollHeight") == 320


def test_a_narrow_place_keeps_its_buttons_apart(open_page, site):
    page = show(open_page(viewport={"width": 286, "height": 600}), site)
    edges = page.evaluate(
        """[...document.querySelectorAll(".pl-tools button, .pl-menus button")].filter((e) => e.checkVisibility())
          .map((e) => e.getBoundingClientRect()).map((box) => [box.left, box.right])"""
    )
    assert all(one[1] <= other[0] for one, other in pairwise(edges))


def frozen(folder: Path) -> dict[str, Any]:
    """A model without life that reads a photo in three frozen channels."""
    layout = Layout(3, alpha=None, hidden=4, frozen=3)
    rule = Rule(RuleConfig(channels=10, hidden=(8,), life="none", frozen=3))
    with torch.no_grad():
        rule.weights[-1].normal_(0, 0.02, generator=torch.Generator().manual_seed(1))
    store.save(folder / "photo.safetensors", rule, layout, {"grid": [24, 24]})
    return payload(folder / "photo.safetensors")


DROP = """async ([kind, bytes]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 90, height: 30 });
  const context = canvas.getContext("2d");
  ["#ff0000", "#00ff00", "#0000ff"].forEach((colour, i) => {
    context.fillStyle = colour;
    context.fillRect(30 * i, 0, 30, 30);
  });
  const blob = bytes ? new Uint8Array(bytes) : await new Promise((done) => canvas.toBlob(done, "image/png"));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([blob], "cat.png", { type: kind }));
  const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
  player.element.firstChild.dispatchEvent(event);
}"""


def test_a_photo_dropped_anywhere_lies_under_the_cells(page, site, tmp_path):
    show(page, site, frozen(tmp_path))
    assert "Drop a photo" in page.locator(".pl-hint").inner_text()
    page.evaluate(DROP, ["image/png", 0])
    page.wait_for_function("player.world.photo")
    assert page.evaluate("player.world.size") == [14, 42], "whole"
    ends = "[0, 1, 2].flatMap((k) => [0, 21, 41].map((i) => player.world.read()[(7 + k) * 588 + i]))"
    assert page.evaluate(ends) == [1, 0, 0, 0, 1, 0, 0, 0, 1]
    page.evaluate("player.world.tick(3)")
    assert page.evaluate("player.world.read().every(Number.isFinite)")


def test_a_photo_outlives_another_size_and_ends_with_undo(page, site, tmp_path):
    show(page, site, frozen(tmp_path))
    page.evaluate(DROP, ["image/png", 0])
    page.wait_for_function("player.world.photo")
    green = "((h, w) => player.world.read().slice(8 * h * w, 9 * h * w).reduce((a, b) => a + b))(...player.world.size)"
    there = page.evaluate(green)
    assert there > 150
    page.evaluate("player.world.reset(); player.act('undo'); player.act('undo'); player.world.reset()")
    assert page.evaluate("player.world.size") == [24, 24]
    assert page.evaluate(green) == 0, "a photo taken back stays away"
    page.evaluate(DROP, ["image/png", 0])
    page.wait_for_function("player.world.photo")
    page.evaluate("player.act('wider'); player.world.reset()")
    assert page.evaluate("player.world.size") == [16, 48]
    assert page.evaluate(green) > there
    page.evaluate("(model) => { player.setModel(model); player.world.reset() }", other_frozen(tmp_path))
    assert page.evaluate("[player.world.photo, player.world.own]") == [None, 9]


def other_frozen(folder: Path) -> dict[str, Any]:
    """As many channels, but only one of them frozen."""
    rule = Rule(RuleConfig(channels=10, hidden=(8,), life="none", frozen=1))
    store.save(folder / "other.safetensors", rule, Layout(3, alpha=None, hidden=6, frozen=1), {"grid": [24, 24]})
    return payload(folder / "other.safetensors")


@pytest.mark.parametrize(
    ("kind", "size", "words"),
    [("text/plain", 10, "is no picture"), ("image/png", 10, "can't be read"), ("image/png", 40_000_001, "40 MB")],
)
def test_what_is_no_photo_is_refused_in_words(shown, kind, size, words):
    shown.evaluate(DROP, [kind, size])
    shown.wait_for_function("(words) => player.bar.toast.textContent.includes(words)", arg=words)
    assert shown.evaluate("player.world.photo") is None


def test_on_the_graphics_card(page, site):
    show(page, site, prefer="webgl2", size=[40, 40])
    assert page.evaluate("[player.world.kind, player.world.why]") == ["webgl2", ""]
    assert "WebGL2" in page.locator(".pl-about").text_content()
    grow(page, 40)
    drag(page, (20, 12), (20, 28))
    damaged = page.evaluate(ERROR)
    assert damaged > 0.003
    page.evaluate("player.play()")
    page.wait_for_function("player.world.t > 70")
    page.get_by_role("button", name="Pause").click()
    body = "player.world.read().slice(4800, 6400).reduce((n, alive) => n + (alive > 0.1), 0)"
    after = page.evaluate(body)
    page.evaluate("player.world.undo()")
    assert after > 0.8 * page.evaluate(body)


def test_it_says_which_engine_it_fell_to_and_no_more(page, site):
    show(page, site, prefer="webgl2", size=[24, 24], autoplay=True)
    assert page.evaluate("[player.world.kind, player.world.why]") == ["webgl2", ""]
    page.evaluate("player.world.engine.gl.getExtension('WEBGL_lose_context').loseContext()")
    page.locator(".pl-toast", has_text="WebAssembly: the graphics card was lost").wait_for(state="attached")
    page.evaluate("player.bar.say(''); player.pause(); player.photoPanel.resize(32, 32); player.draw()")
    assert page.evaluate("[player.kind, player.bar.toast.textContent]") == ["webgl2", ""]


def test_the_ground_follows_the_scheme_until_one_is_chosen(shown):
    pressed = "[...player.bar.backgrounds].filter((g) => g.ariaPressed === 'true').map((g) => g.textContent)"
    assert shown.evaluate(pressed) == ["light"]
    shown.emulate_media(color_scheme="dark")
    shown.wait_for_function(f"{pressed}.join() === 'dark'")
    shown.evaluate("player.setBackground('chequer')")
    shown.emulate_media(color_scheme="light")
    assert shown.evaluate(pressed) == ["chequer"]


def test_two_players_live_on_one_page(shown, site):
    show(shown, site, payload("heart"), host="second", name="other", compact=True)
    shown.evaluate("other.play()")
    shown.wait_for_timeout(150)
    assert shown.evaluate("[player.world.t, other.world.t <= 3]") == [0, True], "out of sight it rests"
    shown.locator("#second").scroll_into_view_if_needed()
    shown.wait_for_function("other.world.t > 3")
    assert shown.evaluate("player.world.t") == 0
    shown.locator("#host .pl-stage").focus()
    shown.keyboard.press(".")
    assert shown.evaluate("player.world.t") == 1
    shown.evaluate("other.destroy()")
    assert shown.locator(".pl-player").count() == 1


def test_destroyed_it_leaves_nothing_running(shown):
    shown.evaluate("player.play()")
    shown.wait_for_function("player.world.t > 3")
    t = shown.evaluate("player.destroy() ?? player.world.t")
    shown.keyboard.press(".")
    shown.keyboard.press("Space")
    shown.mouse.click(300, 300)
    shown.evaluate("player.request = 0; player.draw = () => (window.drawn = true); null")
    shown.emulate_media(color_scheme="dark")
    shown.wait_for_timeout(150)
    assert not shown.evaluate("window.drawn")
    assert shown.evaluate("[player.world.t, document.querySelectorAll('.pl-player').length]") == [t, 0]


def test_another_model_and_newer_weights(shown):
    grow(shown, 10)
    shown.evaluate("(model) => player.setModel(model)", payload("heart"))
    assert shown.locator(".pl-title strong").text_content() == "heart"
    count = 8320
    shown.evaluate("(n) => player.setWeights(new Float32Array(n))", count)
    before = shown.evaluate("player.world.read()")
    shown.evaluate("player.world.tick(2)")
    assert shown.evaluate("player.world.read()") == before, "a rule of zeros is still"


def test_a_model_that_does_not_fit_is_told_in_words(page, site):
    show(page, site, {**MODEL, "weights": MODEL["weights"][:1]})
    assert "can't be shown" in page.get_by_role("alert").inner_text()
    assert page.evaluate("player.world") is None


def test_the_picture_is_saved(shown):
    grow(shown, 5)
    shown.locator(".pl-stage").focus()
    with shown.expect_download() as download:
        shown.keyboard.press("x")
    assert download.value.suggested_filename == "ladybird-5.png"
    assert Path(download.value.path()).read_bytes()[:4] == b"\x89PNG"


def test_the_exported_page_asks_for_nothing(open_page, tmp_path):
    page = open_page()
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    file = tmp_path / "organism.html"
    file.write_text(exported(read("ladybird")))
    page.goto(file.as_uri())
    page.locator(".pl-status", has_text=re.compile("step [1-9]")).wait_for()
    assert [url for url in asked if not url.startswith("blob:null/")] == [file.as_uri()]
    assert "grown with planaria" in page.locator("footer").inner_text()
    page.keyboard.press("Space")
    assert "paused" in page.locator(".pl-status").inner_text()


def test_a_page_on_the_web_offers_its_link(open_page, site, tmp_path):
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    text = exported(read("ladybird"))
    address = site.put("organism.html", text)
    page.goto(f"{address}#more")
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("button", name="Copy link").click()
    page.locator(".pl-toast", has_text="The link to this page is copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == address
    (tmp_path / "organism.html").write_text(text)
    page.goto((tmp_path / "organism.html").as_uri())
    page.get_by_role("button", name="More", exact=True).click()
    assert page.get_by_role("button", name="Clear").is_visible()
    assert not page.get_by_role("button", name="Copy link").is_visible(), "a file has no address for others"


def test_a_texture_has_a_slider_of_its_direction(open_page, site, tmp_path):
    """It turns what moves; another kind of life has the key alone, and what knows no direction is never turned."""
    rule = random_rule(filters=("identity", "sobel"), life="none", edge="circular", spread=0.05).float()
    store.save(tmp_path / "m.safetensors", rule, Layout(3, alpha=None, hidden=3, offset=0.5), {"grid": [20, 20]})
    page = open_page()
    page.goto(site.put("m.html", exported(read(tmp_path / "m.safetensors"))))
    slider = page.get_by_role("slider", name="Direction")
    slider.wait_for()
    slider.fill("90")
    assert page.locator(".pl-angle").inner_text() == "90°"
    page.keyboard.press("t")
    assert slider.input_value() == "105"
    page.goto(site.put("l.html", exported(read("lizard"))))
    page.locator(".pl-bar").wait_for()
    assert not page.get_by_role("slider", name="Direction").is_visible()
    page.keyboard.press("t")
    page.get_by_text("Turned by 15°.").first.wait_for()
    alike = random_rule(filters=("identity", "laplacian"), life="none", edge="circular", spread=0.05).float()
    store.save(tmp_path / "r.safetensors", alike, Layout(3, alpha=None, hidden=3, offset=0.5), {"grid": [20, 20]})
    page.goto(site.put("r.html", exported(read(tmp_path / "r.safetensors"))))
    page.locator(".pl-bar").wait_for()
    assert not page.get_by_role("slider", name="Direction").is_visible()
    page.keyboard.press("t")
    page.get_by_text("Turned by 0°.").first.wait_for()
