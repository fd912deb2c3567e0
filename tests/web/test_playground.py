"""The playground in a real browser, opened from a file: a person draws, trains, damages, comes back and leaves."""

import base64
import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.studios import studio, until
from PIL import Image, ImageDraw

import planaria
from planaria import store
from planaria.cli import main
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.data.images import picture
from planaria.errors import UserError
from planaria.export import Options, write
from planaria.export.html import learning, payload
from planaria.export.playground import policy

pytest_plugins = ("helpers.browser",)

TINY = {"size": 12, "padding": 3, "rule": {"hidden": [8]}, "train": {"batch": 4, "pool": 8, "rollout": [6, 9]}}
READ = "blob => blob.arrayBuffer().then(b => btoa(Array.from(new Uint8Array(b), c => String.fromCharCode(c)).join('')))"


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "playground.html"
    assert main(["playground", "-o", str(path)]) == 0
    return path


@pytest.fixture
def shown(open_page, written):
    """The page, opened from its file; it asked for nothing else."""
    page = open_page(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(written.as_uri())
    page.locator(".pg-preview[aria-label*='lizard']").wait_for()
    yield page
    assert {url for url in asked if not url.startswith(("blob:", "data:"))} <= {written.as_uri()}


def exported(page, kind: str) -> bytes:
    return base64.b64decode(page.evaluate(f"planaria.export('{kind}').then({READ})"))


def trained(page, **settings) -> dict:
    return page.evaluate("(settings) => planaria.train(settings)", {**TINY, "steps": 3, **settings})


def reached(page, least: int) -> None:
    """Wait until so many iterations are done."""
    until(lambda: int(page.locator("main").get_attribute("data-step") or 0) >= least, 120)


def paused(page) -> int:
    """Wait for a pause, and give the iteration at which it is."""
    page.locator(".pg-status", has_text="Paused").wait_for()
    return int(page.locator("main").get_attribute("data-step"))


def test_the_page_is_small_and_asks_for_nothing(written):
    text = written.read_text(encoding="utf-8")
    assert len(text.encode()) < 350_000
    assert text == learning(None)
    parts = json.loads(re.search(r'id="planaria-parts">(.*?)</script>', text)[1])
    own = text.replace(parts["packed"], "")
    assert not re.search(r"https?://(?!www\.w3\.org/)|<link|XMLHttpRequest|WebSocket", own)
    assert "<!--planaria:" not in own.replace(json.dumps(parts["shell"]), "").replace("\\u003c!--", "")
    strict = "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; worker-src blob:; "
    strict += "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    assert policy() == strict
    assert f'content="{strict}"' in text


def test_the_command_says_what_it_can_not_write(capsys, tmp_path):
    assert main(["playground", "-o", str(tmp_path / "page.txt")]) == 2
    assert "page.html" in capsys.readouterr().err
    with pytest.raises(UserError, match="only a page"):
        write("heart", tmp_path / "heart.gif", Options(learn=True))
    store.save(tmp_path / "m.safetensors", Rule(RuleConfig(channels=6, cond=2)), Layout(4, 3, 2), {"name": "m"})
    with pytest.raises(UserError, match="m takes a condition"):
        write(tmp_path / "m.safetensors", tmp_path / "m.html", Options(learn=True))


def test_a_person_draws_trains_damages_comes_back_and_leaves(shown, tmp_path):
    shown.get_by_role("tab", name="Draw").click()
    shown.locator(".pg-grid").focus()
    for key in ["m", *("Enter", "ArrowRight") * 5, *("Enter", "ArrowDown") * 6]:
        shown.keyboard.press(key)
    assert "drawing" in shown.locator(".pg-preview").get_attribute("aria-label")
    shown.get_by_role("button", name="Grow it").click()
    reached(shown, 2)
    shown.get_by_label("My damage reaches these samples too").check()
    shown.evaluate("planaria.erase('left')")
    controls = shown.locator(".pg-side")
    controls.get_by_role("button", name="Pause").click()
    step = paused(shown)
    kept = exported(shown, "safetensors")
    shown.locator(f"main[data-kept='{step}']").wait_for()
    shown.reload()
    assert paused(shown) == step
    assert exported(shown, "safetensors") == kept
    controls.get_by_role("button", name="Go on").click()
    reached(shown, step + 1)
    controls.get_by_role("button", name="Pause").click()
    paused(shown)
    with shown.expect_download() as download:
        shown.locator(".pg-leave", has_text="Model").click()
    download.value.save_as(tmp_path / download.value.suggested_filename)
    model = planaria.load(tmp_path / "drawing.safetensors")
    assert (model.card.task, model.card.trained) == ("grow", paused(shown))
    assert list(model.size) == shown.evaluate("planaria.state().size")
    with shown.expect_download() as download:
        shown.locator(".pg-leave", has_text="Training").click()
    with zipfile.ZipFile(download.value.path()) as run:
        run.extractall(tmp_path)
    step = paused(shown)
    assert main(["train", str(tmp_path / "drawing"), "--resume", f"train.steps={step + 2}"]) == 0
    assert planaria.load(tmp_path / "drawing").card.trained == step + 2


def test_python_runs_what_the_page_trained_and_the_page_what_python_exports(shown, tmp_path):
    found = trained(shown, picture="heart", steps=4)
    assert len(found["losses"]) == 4
    assert all(0 < loss < 1 for loss in found["losses"])
    shown.evaluate("(model) => planaria.load(model)", found["model"])
    shown.locator(".pl-stage").wait_for()
    (tmp_path / "m.safetensors").write_bytes(exported(shown, "safetensors"))
    saved = store.read(tmp_path / "m.safetensors")
    same = {"grid", "rule", "layout", "weights", "biases", "kernels", "name", "trained"}
    theirs = payload(saved)
    assert {k: found["model"][k] for k in same} == {k: theirs[k] for k in same}
    told = json.loads(re.search(r'id="planaria-model">(.*?)</script>', exported(shown, "html").decode())[1])
    assert {k: told[k] for k in same} == {k: theirs[k] for k in same}
    page = tmp_path / "page.html"
    write(tmp_path / "m.safetensors", page)
    shown.locator("#pg-model").set_input_files(page)
    shown.locator(".pg-title h1", has_text=saved.name).wait_for()
    shown.evaluate("document.querySelector('.pl-main').click(); planaria.tick(30)")
    state = shown.evaluate("planaria.state()")
    x = saved.layout.seed(1, saved.size)
    expected = planaria.run(saved.rule, x, steps=state["step"], seed=0)[0]
    cells = torch.tensor(state["cells"]).reshape(expected.shape)
    torch.testing.assert_close(cells, expected, atol=1e-4, rtol=1e-4)


def test_the_page_that_it_writes_runs(shown, open_page, tmp_path):
    found = trained(shown)
    shown.evaluate("(model) => planaria.load(model)", found["model"])
    shown.locator(".pl-stage").wait_for()
    (tmp_path / "own.html").write_bytes(exported(shown, "html"))
    own = open_page()
    own.goto((tmp_path / "own.html").as_uri())
    own.locator(".pl-status", has_text=re.compile(r"step [1-9]")).wait_for()
    assert Image.open(io.BytesIO(exported(shown, "png"))).width >= 900


def test_one_worker_and_two_give_the_same_bytes(shown):
    one, two = (trained(shown, picture="text:A", workers=n) for n in (1, 2))
    assert one["losses"] == two["losses"]
    assert one["model"]["weights"] == two["model"]["weights"]


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"steps": 0}, "train.steps must be"), ({"colour": 1}, "no setting colour"), ({"picture": "elephant"}, "lizard")],
)
def test_a_mistake_in_the_interface_is_a_line(shown, settings, said):
    js = "(settings) => planaria.train(settings).then(() => '', (error) => error.message)"
    found = shown.evaluate(js, settings)
    assert said in found
    assert "\n" not in found


def test_a_link_opens_the_same_creature(shown):
    found = trained(shown, picture="fish")
    shown.evaluate("(model) => planaria.load(model)", found["model"])
    shown.locator(".pl-stage").wait_for()
    shown.locator(".pg-leave", has_text="Link").click()
    shown.locator(".pg-banner", has_text="copied").wait_for()
    link = shown.evaluate("navigator.clipboard.readText()")
    assert "#model=" in link
    shown.goto("about:blank")
    shown.goto(link)
    shown.locator(".pg-title h1", has_text="fish").wait_for()
    assert shown.evaluate("planaria.state().size") == found["model"]["grid"]


@pytest.mark.parametrize("name", ["model=AAAA", "model=" + "x" * 5000, "model", "elephant=1", "creature=../../x"])
def test_a_broken_link_is_a_line_and_a_choice(shown, written, name):
    shown.goto("about:blank")
    shown.goto(f"{written.as_uri()}#{name}")
    shown.get_by_role("button", name="Grow it").wait_for()
    if "creature" not in name:
        assert "link is broken" in shown.locator(".pg-banner").inner_text()


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("m.safetensors", b"\xff" * 64),
        ("m.safetensors", b""),
        ("m.html", b"<!doctype html><p>hello"),
        ("m.html", b'<!doctype html><script type="application/json" id="planaria-model">{"format":1}</script>'),
    ],
)
def test_a_broken_file_is_a_line(shown, name, body):
    shown.locator("#pg-model").set_input_files({"name": name, "mimeType": "", "buffer": body})
    shown.locator(".pg-banner.pg-problem").wait_for()
    assert shown.get_by_role("button", name="Grow it").is_visible()


def test_the_gallery_opens_and_learns_on(shown, open_page, tmp_path):
    write("lizard", tmp_path / "lizard.html", Options(learn=True))
    page = open_page()
    page.goto((tmp_path / "lizard.html").as_uri())
    page.locator(".pg-title h1", has_text="lizard").wait_for()
    page.get_by_role("button", name="Learn on").click()
    page.locator(".pg-preview[aria-label*='lizard']").wait_for()
    page.get_by_role("button", name="Grow it").click()
    reached(page, 1)
    page.goto("about:blank")
    page.goto((tmp_path / "lizard.html").as_uri())
    page.locator(".pg-title h1", has_text="lizard").wait_for()
    page.get_by_role("link", name="All creatures").click()
    page.locator(".pg-shelf").wait_for()
    assert page.locator(".pg-shelf li").count() == 2, "the one that came, and the one that learns"


def test_what_is_dropped_or_pasted_is_taken(shown, tmp_path):
    hand = """([kind, name, type, data]) => {
      const given = new DataTransfer();
      given.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
      const made = { dataTransfer: given, clipboardData: given, bubbles: true, cancelable: true };
      document.body.dispatchEvent(kind === "drop" ? new DragEvent(kind, made) : new ClipboardEvent(kind, made));
    }"""
    drawn().save(tmp_path / "d.png")
    coded = base64.b64encode((tmp_path / "d.png").read_bytes()).decode()
    for kind, name in (("drop", "blob.png"), ("paste", "other.png")):
        shown.evaluate(hand, [kind, name, "image/png", coded])
        shown.locator(f".pg-preview[aria-label*='{name.partition('.')[0]}']").wait_for()
    assert shown.get_by_role("tab", name="Photo").get_attribute("aria-selected") == "true"
    shown.evaluate(hand, ["drop", "notes.txt", "text/plain", coded])
    shown.get_by_role("alert").wait_for()
    assert shown.get_by_role("alert").inner_text() == "notes.txt is no picture."
    gallery = Path(planaria.__file__).parent / "gallery" / "snail.safetensors"
    model = base64.b64encode(gallery.read_bytes()).decode()
    shown.evaluate(hand, ["drop", "snail.safetensors", "", model])
    shown.locator(".pg-title h1", has_text="snail").wait_for()
    assert exported(shown, "safetensors") == gallery.read_bytes()


def test_creatures_are_listed_and_deleted(shown):
    for name in ("fish", "heart"):
        shown.evaluate("(model) => planaria.load(model)", trained(shown, picture=name)["model"])
    shown.get_by_role("link", name="All creatures").click()
    cards = shown.locator(".pg-shelf li")
    cards.nth(1).wait_for()
    assert cards.locator("strong").all_inner_texts() == ["heart", "fish"]
    shown.on("dialog", lambda dialog: dialog.accept())
    shown.get_by_role("button", name="Delete heart").click()
    cards.nth(1).wait_for(state="detached")
    shown.reload()
    shown.locator(".pg-shelf").wait_for()
    assert cards.locator("strong").all_inner_texts() == ["fish"]


def test_the_editor_draws_fills_mirrors_and_undoes(shown):
    shown.get_by_role("tab", name="Draw").click()
    grid = shown.locator(".pg-grid")
    box = grid.bounding_box()
    assert box

    def filled() -> int:
        return int(re.findall(r"(\d+) filled", grid.get_attribute("aria-label") or "")[0])

    def place(row: int, column: int) -> tuple[float, float]:
        return box["x"] + (column + 0.5) * box["width"] / 24, box["y"] + (row + 0.5) * box["height"] / 24

    shown.get_by_role("button", name="Mirror").click()
    shown.mouse.move(*place(4, 4))
    shown.mouse.down()
    shown.mouse.move(*place(4, 8))
    shown.mouse.up()
    assert filled() == 10
    shown.get_by_role("button", name="Eraser").click()
    shown.mouse.click(*place(4, 6))
    assert filled() == 8
    shown.get_by_role("button", name="Undo").click()
    assert filled() == 10
    shown.get_by_role("button", name="Redo").click()
    assert filled() == 8
    shown.get_by_role("button", name="Fill").click()
    shown.mouse.click(*place(20, 20))
    assert filled() == 24 * 24
    shown.get_by_label("Good").check()
    assert "40 by 40" in (grid.get_attribute("aria-label") or "")
    assert filled() == 40 * 40


def test_tabs_turn_by_arrow_keys(shown):
    shown.get_by_role("tab", name="Pictures").focus()
    shown.keyboard.press("ArrowRight")
    assert shown.evaluate("document.activeElement.textContent") == "Emoji"
    assert shown.get_by_role("tabpanel").get_attribute("id") == "panel-emoji"


def drawn() -> Image.Image:
    image = Image.new("RGB", (200, 160), (250, 250, 248))
    pen = ImageDraw.Draw(image)
    pen.ellipse((60, 30, 150, 120), fill=(200, 40, 60), outline=(20, 20, 30), width=5)
    pen.rectangle((40, 90, 80, 130), fill=(40, 90, 200))
    return image


def test_a_drawing_on_a_plain_background_is_cut_out_and_trimmed_as_in_python(blank, tmp_path):
    drawn().save(tmp_path / "d.png")
    expected = picture(tmp_path / "d.png", 24, 4, background="auto", trim=True).numpy()
    js = """async (bytes) => {
      const { prepared, fromFile } = await import("/playground/picture.js");
      const data = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0));
      const found = prepared(await fromFile(new File([data], "d.png", { type: "image/png" })), 24, 4);
      return { size: found.size, planes: [...found.planes] };
    }"""
    found = blank.evaluate(js, base64.b64encode((tmp_path / "d.png").read_bytes()).decode())
    assert found["size"] == list(expected.shape[1:])
    got = np.array(found["planes"]).reshape(expected.shape)
    offsets = [np.abs(np.roll(got, s, (1, 2)) - expected).mean() for s in [(0, 0), (-1, 0), (0, -1), (1, 0), (0, 1)]]
    assert min(offsets) < 0.004


def test_lanczos_is_pillow_s(blank):
    planes = np.random.default_rng(0).random((2, 37, 53)).astype(np.float32)
    js = """async (planes) => {
      const { resized } = await import("/playground/resize.js");
      return [...resized(Float32Array.from(planes), 2, [37, 53], [10, 14])];
    }"""
    got = np.array(blank.evaluate(js, planes.flatten().tolist())).reshape(2, 10, 14)
    expected = [np.asarray(Image.fromarray(p).resize((14, 10), Image.Resampling.LANCZOS)) for p in planes]
    np.testing.assert_allclose(got, expected, atol=1e-5)


def test_the_studio_serves_it(tmp_path, open_page):
    with studio(tmp_path) as running:
        status, body, headers = running.ask("GET", "/playground")
        assert status == 200
        assert headers["content-security-policy"] == f"{policy()}; frame-ancestors 'none'"
        assert body.decode() == learning(None)
        page = open_page()
        page.goto(f"{running.origin}/playground")
        page.get_by_role("button", name="Grow it").wait_for()
