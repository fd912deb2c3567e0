"""The studio's pages for models that paint: a style, photos and wishes are asked for; a run paints its photo."""

import json
import os

import pytest
from helpers import easel

from planaria.store import live

pytest_plugins = ("helpers.browser",)
studios = pytest.importorskip("helpers.studios", reason="the studio's libraries are not installed")


@pytest.fixture
def place(tmp_path):
    with studios.studio(tmp_path / "runs") as s:
        yield s


@pytest.fixture
def visit(place, open_plain):
    def opened(where: str):
        page = open_plain()
        for pictures in ("**/made/gallery/**", "**/api/thumb**"):  # not looked at here, and slow to make
            page.route(pictures, lambda route: route.fulfill(status=204))
        page.goto(f"{place.origin}/#/{where}")
        return page

    return opened


def training(place, task: str, settings: str) -> None:
    """A run folder that looks as if this very process learned to paint in it."""
    folder = place.folder / "gogh"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"task: {task}\n{settings}\ntrain: {{steps: 90}}\n")
    easel.save(folder / live.WEIGHTS)
    lines = [
        {"step": k + 1, "loss": 0.1, "lr": 0.1, "terms": {"transport": 0.08, "content": 0.01 / (1 + k)}}
        for k in range(40)
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    live.write_status(folder, live.Status("running", 40, 90, 0.1), os.getpid())


def test_the_form_asks_for_a_style_and_for_photos(place, visit, allowed):
    page = visit("new")
    page.locator("input[name=task][value=style]").check(force=True)
    page.get_by_role("heading", name="In whose style shall it paint?").wait_for()
    scenes = page.get_by_role("group", name="Built-in pictures").get_by_role("button")
    assert scenes.count() >= 6
    scenes.last.click()
    assert scenes.last.get_attribute("aria-pressed") == "true"
    assert page.get_by_label("Photos to learn on").input_value() == "built-in"
    assert page.get_by_role("button", name="Start painting").is_visible()
    allowed.append("400")
    page.get_by_label("Photos to learn on").fill("/nowhere/photos")
    page.get_by_role("button", name="Start painting").click()
    error = page.locator("#field-photos-error")
    error.wait_for()
    assert "photos" in error.inner_text()
    page.get_by_label("A picture on this machine, or a web address").fill("/nowhere/gogh.jpg")
    page.get_by_role("button", name="Start painting").click()
    page.locator("#picture-error", has_text="gogh.jpg").wait_for()
    page.locator("input[name=task][value=texture]").check(force=True)
    page.get_by_role("heading", name="Which texture shall grow?").wait_for()
    assert not page.get_by_label("Photos to learn on").is_visible()
    assert page.get_by_role("button", name="Start growing").is_visible()
    assert place.get("/api/home")[1]["runs"] == []


def test_the_form_asks_for_wishes(place, visit, allowed):
    page = visit("new")
    page.locator("input[name=task][value=text]").check(force=True)
    page.get_by_role("heading", name="What shall photos look like?").wait_for()
    wishes = page.get_by_label("Prompts")
    assert wishes.input_value() == "a pencil sketch"
    sent = []
    page.route("**/api/runs", lambda route: (sent.append(route.request.post_data_json), route.continue_()))
    wishes.fill("ink, on wet paper\n\n mosaic:2 ")
    page.get_by_label("Photos to learn on").fill("/nowhere/photos")
    allowed.append("400")
    page.get_by_role("button", name="Start painting").click()
    page.locator("#field-photos-error").wait_for()
    assert sent[0]["settings"]["prompts"] == ["ink, on wet paper", "mosaic:2"]
    wishes.fill("")
    page.get_by_role("button", name="Start painting").click()
    page.locator("#prompts-error", has_text="prompts").wait_for()
    assert place.get("/api/home")[1]["runs"] == []


def test_a_run_paints_its_photo_and_others(place, visit):
    training(place, "style", "style: scene:sea")
    page = visit("run/gogh")
    page.locator(".pl-hint", has_text="Drop a photo").wait_for()
    page.locator(".pl-status", has_text="step").wait_for()
    assert page.get_by_text("Begin anew as it learns").is_visible()
    assert not page.get_by_text("Damage reaches the training pool too").is_visible()
    assert "style · scene:sea" in page.locator(".title").inner_text()
    assert "Pool" in page.locator(".side h2").all_inner_texts()
    legend = page.locator(".plot-legend")
    legend.wait_for()
    assert "transport" in legend.inner_text()


def test_a_run_tells_its_wishes(place, visit):
    training(place, "text", "prompts: [ink, 'mosaic:2']")
    page = visit("run/gogh")
    page.locator(".title", has_text="text · ink, mosaic:2").wait_for()


def test_home_shows_the_photo_that_a_run_begins_with(place, visit):
    training(place, "style", "style: scene:sea")
    page = visit("")
    still = page.locator(".tile-run img")
    still.wait_for()
    assert "/made/runs/gogh/start.png" in still.get_attribute("src")
    studios.until(lambda: still.evaluate("(image) => image.naturalWidth") == 16)
