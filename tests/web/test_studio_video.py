"""The studio's pages for video models: a film is asked for, a run plays from its start, the plot shows its terms."""

import json
import os

import numpy as np
import pytest
from helpers import films, scenery
from PIL import Image

from planaria import store
from planaria.evaluate.verdict import Course
from planaria.store import live

pytest_plugins = ("helpers.browser",)
studios = pytest.importorskip("helpers.studios", reason="the studio's libraries are not installed")
MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def place(tmp_path):
    with studios.studio(tmp_path / "runs") as s:
        yield s


@pytest.fixture
def visit(place, open_plain):
    def opened(where: str):
        page = open_plain()
        for pictures in (
            "**/made/gallery/**",
            "**/api/thumb**",
        ):  # not looked at here, and slow to make
            page.route(pictures, lambda route: route.fulfill(status=204))
        page.goto(f"{place.origin}/#/{where}")
        return page

    return opened


def training(place, steps: int = 90) -> None:
    """A run folder that looks as if this very process learned a film in it."""
    folder = place.folder / "rain"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"task: video\nframes: sim:life\ntrain: {{steps: {steps}}}\n")
    films.save(folder / live.WEIGHTS, visible=3, size=(12, 16))
    lines = []
    for k in range(40):
        terms = {"context": 0.1, "frame 1": 0.02, "frame 2": 0.08 / (1 + k)}
        lines.append({"step": k + 1, "loss": 0.1, "lr": 0.1, "terms": terms})
    lines[19]["validation"] = lines[39]["validation"] = 0.05
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    live.write_status(folder, live.Status("running", 40, steps, 0.1), os.getpid())


def test_the_form_asks_for_a_film_and_keeps_what_was_typed(place, visit, complaints):
    page = visit("new")
    page.get_by_role("heading", name="What shall grow?").wait_for()
    steps = page.get_by_role("textbox", name="Iterations")
    steps.fill("123")
    page.get_by_role("radio", name="video").check(force=True)
    page.get_by_role("heading", name="What shall it watch?").wait_for()
    assert steps.input_value() == "123", "what both kinds have stays as it was typed"
    assert page.get_by_label("Cell steps a frame").input_value() == "0", "as many as the film needs"
    path = page.get_by_label("Frames on this machine")
    assert path.input_value() == "sim:lenia"
    page.get_by_role("button", name="life", exact=True).click()
    assert path.input_value() == "sim:life"
    assert page.get_by_role("button", name="life", exact=True).get_attribute("aria-pressed") == "true"
    path.fill("/nowhere/clip.mp4")
    page.get_by_role("button", name="Start learning").click()
    error = page.locator("#film-error")
    error.wait_for()
    assert "clip.mp4" in error.inner_text()
    assert any("400" in one for one in complaints)
    complaints.clear()
    page.locator("input[name=task][value=grow]").check(force=True)
    page.get_by_role("heading", name="What shall grow?").wait_for()
    assert steps.input_value() == "123"
    assert page.get_by_role("button", name="Start growing").is_visible()
    assert place.get("/api/home")[1]["runs"] == []


def test_a_run_plays_from_its_start_and_tells_its_terms(place, visit):
    training(place)
    page = visit("run/rain")
    page.locator(".pl-status", has_text="frame").wait_for()
    assert page.get_by_text("Begin anew as it learns").is_visible()
    assert not page.get_by_text("Damage reaches the training pool too").is_visible()
    assert "video · sim:life" in page.locator(".title").inner_text()
    legend = page.locator(".plot-legend")
    legend.wait_for()
    assert legend.inner_text() == "bold: loss · thin: frame 1 (dark) to 2 (light) ahead, context · dots: held out"
    plot = page.get_by_role("img", name="Loss curve")
    plot.focus()
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    reading = page.locator(".plot-reading")  # a share of the loss, times the number of frames ahead, is an error
    reading.filter(has_text=f"frame 1 {MINUS}1.40").wait_for()
    box = plot.bounding_box()
    page.mouse.move(box["x"] + box["width"] - 13, box["y"] + 60)
    reading.filter(has_text=f"held out {MINUS}1.30").wait_for()
    page.mouse.move(box["x"] + 90, box["y"] + 60)
    told = reading.bounding_box()
    assert told["y"] + told["height"] < box["y"] + 30, "it covers no curve"


def test_home_shows_the_frame_that_a_run_begins_with(place, visit):
    training(place)
    page = visit("")
    still = page.locator(".tile-run img")
    still.wait_for()
    assert "/made/runs/rain/start.png" in still.get_attribute("src")
    studios.until(lambda: still.evaluate("(image) => image.naturalWidth") == 16)


def test_a_dropped_film_is_chosen_and_looked_at(place, visit, complaints, tmp_path):
    film = np.concatenate([scenery.drift(1, 20), scenery.drift(2, 20)])
    frames = [Image.fromarray((frame * 255).astype(np.uint8)) for frame in film]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:], duration=40)
    page = visit("new")
    page.get_by_role("radio", name="video").check(force=True)
    page.locator("#film-file").set_input_files(tmp_path / "two.gif")
    notes = page.get_by_role("status", name="About this film")
    notes.get_by_text("a cut before frame 20").wait_for()
    assert page.locator("#film-path").input_value() == str(place.folder / ".films" / "two.gif")
    page.get_by_role("button", name="life", exact=True).click()
    notes.wait_for(state="hidden")
    assert complaints == []


def test_a_run_that_was_stopped_says_so_and_gives_its_verdict(place, visit):
    training(place)
    folder = place.folder / "rain"
    films.save(folder / "model.safetensors", visible=3, size=(12, 16))
    saved = store.read(folder)
    course = Course(3, 20, 60, 1000)
    store.save(saved.path, saved.rule, saved.layout, saved.card.changed(figures=course.metrics()), saved.start)
    Image.new("RGB", (60, 20), "orange").save(folder / live.POOL)
    live.write_status(folder, live.Status("stopped", 40, 90, 0.1), os.getpid())
    page = visit("run/rain")
    page.locator(".chip", has_text="stopped at 40 of 90").wait_for()
    page.locator(".verdict", has_text="Follows the film for 3 of 20 frames; stays alike for 60 of 1,000.").wait_for()
    page.get_by_text("the video above, what it makes of it alone below, after iteration 40").wait_for(state="attached")
    assert "frames followed" not in page.locator("body").inner_text()
