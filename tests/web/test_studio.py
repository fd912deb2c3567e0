"""The studio used as a newcomer does: in a browser, from an empty folder, without the command line."""

import base64
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from helpers.payloads import payload
from PIL import Image

pytest_plugins = ("helpers.browser",)
pytest.importorskip("uvicorn", reason="the studio's libraries are not installed")
pytest.importorskip("websockets", reason="the studio's libraries are not installed")

TINY = {
    "padding": "2", "rule.channels": "8", "rule.hidden": "16", "train.batch": "4", "train.pool": "12",
    "train.rollout": "6,10", "train.checkpoint": "500",
}  # fmt: skip
PATIENCE = 40.0


class Server:
    """`planaria studio` as a process of its own, on one port however often it is started."""

    def __init__(self, runs: Path):
        self.runs, self.port = runs, 0
        self.process: subprocess.Popen[str] | None = None
        self.start()

    def start(self) -> None:
        words = [sys.executable, "-m", "planaria", "studio", str(self.runs), "--port", str(self.port), "--no-browser"]
        env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:(\d+)", line):
                self.port = int(found[1])
                return
        raise AssertionError(said)

    def kill(self) -> None:
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if shutil.which("chromium") is None and shutil.which("chromium-browser") is None:
        pytest.skip("no chromium in the path")
    runs = tmp_path_factory.mktemp("studio") / "runs"
    served = Server(runs)
    yield served
    served.kill()
    for folder in runs.glob("*/status.json"):
        status = json.loads(folder.read_text())
        if status["state"] in ("running", "paused"):
            os.kill(status["pid"], signal.SIGKILL)


@pytest.fixture
def visit(open_plain) -> Callable:
    return open_plain


def until(true: Callable[[], object], what: str) -> None:
    """Wait for something that the browser can't wait for."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def status(server: Server, name: str) -> dict:
    return json.loads((server.runs / name / "status.json").read_text())


def fill_in(page, **more: str) -> None:
    """Set the tiny settings, in the form."""
    page.get_by_label("Size, in cells").fill("8")
    page.get_by_text("All settings").click()
    for key, value in {**TINY, **more}.items():
        page.locator(f"[id='field-{key}']").fill(value)


def begin(page, server: Server, picture: str, steps: int) -> str:
    """Start a tiny training from the page; its name."""
    page.goto(f"{server.url}#/new")
    page.get_by_role("button", name=picture, exact=True).click()
    fill_in(page, **{"train.steps": str(steps)})
    page.get_by_role("button", name="Start growing").click()
    page.wait_for_url("**/#/run/*")
    return page.url.rpartition("/")[2]


def inked(page, selector: str) -> bool:
    """Whether a canvas shows more than one colour."""
    return page.locator(selector).first.evaluate(
        """canvas => {
            const small = new OffscreenCanvas(40, 40).getContext("2d");
            small.drawImage(canvas, 0, 0, 40, 40);
            const pixels = new Uint32Array(small.getImageData(0, 0, 40, 40).data.buffer);
            return new Set(pixels).size > 3;
        }"""
    )


@pytest.mark.long
def test_a_newcomer_grows_cuts_and_takes_home(visit, server, complaints, allowed, tmp_path):
    page = visit(accept_downloads=True)
    page.goto(server.url)
    page.get_by_text("Nothing of yours grows here yet").wait_for()
    assert page.locator(".tile-gallery").count() == 10
    page.locator(".hero").get_by_role("link", name="Grow something").click()

    page.get_by_role("heading", name="Grow something", level=1).wait_for()
    page.get_by_role("button", name="heart", exact=True).click()
    page.locator(".preview-name", has_text="heart").wait_for()
    fill_in(page, **{"train.steps": "many"})
    page.get_by_role("button", name="Start growing").click()
    wrong = page.locator("[id='field-train.steps']")
    page.locator("[id='field-train.steps'][aria-invalid=true]").wait_for()
    assert wrong.evaluate("input => input === document.activeElement")
    assert page.locator("[id='field-train.steps-error']").inner_text()
    allowed.append("400 (Bad Request)")
    assert not list(server.runs.glob("*/status.json"))

    wrong.fill("1500")
    assert not page.locator("[aria-invalid=true]").count()
    page.get_by_role("button", name="Start growing").click()
    page.wait_for_url("**/#/run/heart")

    page.locator(".living[data-trained]").wait_for()
    page.locator(".pool[data-step]").wait_for()
    page.get_by_role("button", name="Pause training").click()
    page.get_by_role("button", name="Resume training").wait_for()
    assert status(server, "heart")["state"] == "paused"
    before = status(server, "heart")["step"]
    page.locator(".plot[aria-label*='log10 loss']").wait_for()
    page.locator(".plot").scroll_into_view_if_needed()
    until(lambda: inked(page, ".plot"), "the loss curve")
    until(lambda: inked(page, ".pl-stage canvas"), "the player")
    page.locator(".plot").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text(re.compile(r"^iteration \d+: log10 loss")).wait_for()

    page.get_by_label("Damage reaches the training pool too").check()
    page.locator(".pl-stage").scroll_into_view_if_needed()
    box = page.locator(".pl-stage").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2 - 10, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 30, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    page.get_by_text("is on its way").wait_for()
    page.get_by_role("button", name="Resume training").click()
    page.locator(".plot-event").filter(has_text="a person damaged").wait_for()
    assert "circle(" in json.loads((server.runs / "heart" / "requests.json").read_text())["damage"][0][1]

    page.close()
    page = page.context.new_page()
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{server.url}#/run/heart")
    page.locator(".chip[data-state=running], .chip[data-state=finished]").wait_for()
    page.locator(".chip[data-state=finished]").wait_for(timeout=60_000)
    assert status(server, "heart")["step"] == 1500 > before
    page.locator(".film-moving").wait_for()
    page.get_by_role("heading", name="Metrics").wait_for()

    taken = {}
    for suffix, title in (("safetensors", "Model"), ("webp", "Animation WebP"), ("html", "Living page")):
        with page.expect_download() as download:
            page.get_by_role("link", name=title).click()
        taken[suffix] = tmp_path / f"heart.{suffix}"
        download.value.save_as(taken[suffix])
    assert taken["safetensors"].read_bytes() == (server.runs / "heart" / "model.safetensors").read_bytes()
    with Image.open(taken["webp"]) as film:
        assert film.n_frames > 20

    alone = visit()
    asked = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(taken["html"].as_uri())
    alone.locator(".pl-stage canvas").wait_for()
    until(lambda: inked(alone, ".pl-stage canvas"), "the page alone")
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [taken["html"].as_uri()]


@pytest.mark.long
def test_a_training_outlives_the_studio(visit, server, allowed):
    page = visit()
    name = begin(page, server, "flower", 100_000)
    page.locator(".living[data-trained]").wait_for()
    server.kill()
    page.get_by_text("The studio is closed; training goes on.").wait_for()
    step = status(server, name)["step"]
    until(lambda: status(server, name)["step"] > step, "it went on without the studio")
    server.start()
    page.locator("#banner").wait_for(state="hidden")
    allowed.append("ERR_CONNECTION_")  # refused, or reset where a request was under way
    living = page.locator(".living")
    trained = int(living.get_attribute("data-trained") or 0)
    until(lambda: int(living.get_attribute("data-trained") or 0) > trained, "newer weights")

    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Stop it").click()
    page.locator(".chip[data-state=stopped]").wait_for()
    page.get_by_role("button", name="Go on training").wait_for()
    page.goto(server.url)
    page.locator(".tile-run", has_text=name).locator(".chip[data-state=stopped]").wait_for()
    page.goto(f"{server.url}#/run/{name}")
    page.get_by_role("button", name="Move to bin").click()
    page.get_by_role("button", name="Move it").click()
    page.wait_for_url("**/#/")
    assert not (server.runs / name).exists()


def test_a_dropped_picture_and_what_is_no_picture(visit, server, allowed, tmp_path):
    Image.new("RGB", (30, 20), (200, 60, 90)).save(tmp_path / "My cat.png")
    (tmp_path / "words.png").write_text("no picture")
    page = visit()
    page.goto(f"{server.url}#/new")
    page.set_input_files("#picture-file", tmp_path / "words.png")
    page.locator("#picture-error").filter(has_text="words.png").wait_for()
    allowed.append("400 (Bad Request)")
    page.set_input_files("#picture-file", tmp_path / "My cat.png")
    page.locator(".preview-name", has_text="My cat.png").wait_for()
    assert not page.locator("#picture-error").is_visible()
    page.locator(".preview-cells[width='40'][height='27']").wait_for()
    page.get_by_label("Size, in cells").fill("12")
    page.locator(".preview-cells[width='12'][height='8']").wait_for()
    page.locator("#picture-words").fill("text:HI")
    page.locator(".preview-name", has_text="text:HI").wait_for()

    page.get_by_text("All settings").click()
    page.get_by_label("Search all settings").fill("learning rate")
    keys = page.locator(".group .field:visible label").all_inner_texts()
    assert "train.lr" in keys
    assert "rule.edge" not in keys


def test_words_and_choices_are_taken_as_they_are_typed(visit, server, allowed):
    page = visit()
    page.goto(f"{server.url}#/new")
    page.locator("#picture-words").press_sequentially("text:HI YOU")
    page.locator(".preview-name", has_text="text:HI YOU").wait_for()
    assert page.locator("#picture-words").input_value() == "text:HI YOU"
    page.keyboard.press("Home")
    page.keyboard.press("Delete")
    page.keyboard.press("Delete")
    assert page.locator("#picture-words").input_value() == "xt:HI YOU", "the caret stays where it is"

    page.get_by_text("All settings").click()
    picked = page.locator(".segments :checked")
    before = picked.evaluate_all("all => all.map((one) => one.id)")
    assert before
    for title in page.locator(".field:has(.segments) .field-title").all():
        title.click()
    assert picked.evaluate_all("all => all.map((one) => one.id)") == before, "a title chooses nothing"
    allowed.append("404 (Not Found)")  # no picture is called "te"


def test_a_picture_on_its_way_is_waited_for(visit, server, allowed, tmp_path):
    Image.new("RGB", (30, 20), (200, 60, 90)).save(tmp_path / "dog.png")
    page = visit()
    page.route("**/api/runs", lambda route: route.fulfill(status=409, json={"error": "not today", "field": None}))
    page.goto(f"{server.url}#/new")
    page.evaluate("""() => {
      const fetch = window.fetch;
      window.fetch = async (...asked) => {
        if (asked[1]?.method === "PUT") await new Promise((resolve) => setTimeout(resolve, 1500));
        return fetch(...asked);
      };
    }""")
    page.set_input_files("#picture-file", tmp_path / "dog.png")
    with page.expect_request("**/api/runs") as asked:
        page.get_by_role("button", name="Start growing").click()
    assert asked.value.post_data_json["settings"]["picture"].endswith("dog.png")
    page.get_by_text("not today").wait_for()
    allowed.append("409 (Conflict)")


def test_a_file_beside_its_place_opens_nothing(visit, server):
    page = visit()
    page.goto(f"{server.url}#/new")
    page.locator("h1").wait_for()
    kept = page.evaluate(
        """["dragover", "drop"].map((kind) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["x"], "cat.png"));
          const event = new DragEvent(kind, { dataTransfer, bubbles: true, cancelable: true });
          document.querySelector("h1").dispatchEvent(event);
          return event.defaultPrevented;
        })"""
    )
    assert kept == [True, True]


def test_who_has_paused_it_keeps_what_is_on_the_grid(visit, server):
    """A run that only the page believes in: newer weights let the organism grow anew, but not under one's hands."""
    model = payload("ladybird")
    card = {"name": "ghost", "task": "growing", "picture": "ladybird", "state": "running", "step": 10, "steps": 100}
    card |= {"loss": 0.1, "model": True, "metrics": {}, "grid": model["grid"], "film": None, "config": None}
    count = sum(len(base64.b64decode(part)) for part in model["weights"] + model["biases"])
    page = visit()
    page.route("**/api/runs/ghost", lambda route: route.fulfill(json=card))
    page.route("**/api/runs/ghost/metrics", lambda route: route.fulfill(json={"lines": []}))
    page.route("**/api/runs/ghost/player", lambda route: route.fulfill(json=model))
    sockets = []
    page.route_web_socket("**/ws/runs/ghost", lambda socket: sockets.append(socket))
    page.goto(f"{server.url}#/run/ghost")
    page.get_by_role("slider", name="Speed").fill("1")
    page.locator(".pl-status", has_text=re.compile(r"step ([4-9]\d\d|\d{4,}) ")).wait_for()
    page.get_by_role("button", name="Pause", exact=True).click()

    def learn(step: int) -> int:
        page.evaluate("(now) => (Date.now = () => now)", (time.time() + 60 * step) * 1000)
        sockets[-1].send(struct.pack("<II", 1, step) + bytes(count))
        page.get_by_text(f"weights of iteration {step}").wait_for()
        page.get_by_role("button", name="One step").click()
        return int(page.locator(".pl-status").inner_text().split()[1])

    model["trained"] = 77
    sockets[-1].send(struct.pack("<II", 1, 15) + bytes(12))  # of a run of another shape, begun under this name
    page.get_by_text("weights of iteration 77").wait_for()
    assert learn(20) > 320
    page.get_by_role("slider", name="Speed").fill("0")  # one step a second from here
    page.get_by_role("button", name="Play", exact=True).click()
    assert learn(30) < 320
    for step in (50, 100):
        sockets[-1].send(json.dumps({"type": "status", **card, "step": step}))
        page.get_by_text(f"{step} of 100").wait_for()
    assert page.locator(".facts dd").last.inner_text() == "\u2013", "at its end it has no time left to tell"


def test_a_page_that_found_no_studio_tries_again(visit, server, allowed):
    page = visit()
    page.goto(f"{server.url}#/new")
    page.locator("h1").wait_for()
    page.context.set_offline(True)
    page.goto(f"{server.url}#/")
    page.get_by_text("the studio doesn't answer").wait_for()
    page.context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    page.locator(".tile-gallery").first.wait_for()
    allowed.append("ERR_INTERNET_DISCONNECTED")


def test_an_organism_of_the_gallery_is_a_model_for_ones_own(visit, server):
    page = visit(viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    page.goto(f"{server.url}#/gallery/fish")
    page.locator(".pl-stage canvas").wait_for()
    until(lambda: inked(page, ".pl-stage canvas"), "the player")
    page.get_by_role("link", name="Train your own like this").click()
    page.locator(".thumb[aria-pressed=true]", has_text="fish").wait_for()
    for place in ("#/", "#/new", "#/gallery/fish"):
        page.goto(f"{server.url}{place}")
        page.locator("h1").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), place


def test_what_isnt_there_is_said(visit, server, allowed):
    page = visit()
    page.goto(f"{server.url}#/run/nobody")
    page.get_by_role("heading", name="Nothing lives here").wait_for()
    allowed.append("404 (Not Found)")
    page.goto(f"{server.url}#/%E0%A4%A")
    page.get_by_role("link", name="Grow something").first.wait_for()
