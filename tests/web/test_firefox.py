"""Another browser: the exported page and both engines in Firefox."""

import base64
import io
import json

import numpy as np
import pytest
import torch
from helpers.firefox import Firefox, firefox
from helpers.payloads import payload
from PIL import Image

from planaria import store
from planaria.export.html import learning, page
from planaria.world import World

pytest_plugins = ("helpers.browser",)
pytestmark = pytest.mark.browser

STEP = "Number(document.querySelector('.pl-status')?.innerText.match(/step ([\\d,]+)/)?.[1].replace(',', '') ?? 0)"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory):
    with firefox(tmp_path_factory.mktemp("firefox") / "profile") as tab:
        yield tab


def picture(tab: Firefox) -> np.ndarray:
    """The player's grid as it is seen, in grey (h, w)."""
    tab.evaluate("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))")
    with Image.open(io.BytesIO(tab.screenshot())) as whole:
        box = (whole.width // 2 - 270, 20, whole.width // 2 + 270, 540)
        return np.array(whole.convert("L").crop(box), float)


def test_an_exported_page_grows_and_heals(tab, tmp_path):
    path = tmp_path / "lizard.html"
    path.write_text(page(store.read("lizard")))
    tab.requested.clear()
    tab.goto(path.as_uri())
    tab.wait_for(f"{STEP} > 200")
    tab.press(" ")
    grown = picture(tab)
    tab.press("1")
    cut = picture(tab)
    assert np.abs(cut - grown)[:, :260].mean() > 1 > np.abs(cut - grown)[:, 280:].mean()
    begun = tab.evaluate(STEP)
    tab.press(" ")
    tab.wait_for(f"{STEP} > {begun + 200}")
    assert np.abs(picture(tab) - grown).mean() < 0.25 * np.abs(cut - grown).mean()
    assert tab.logged == []
    assert [url for url in tab.requested if not url.startswith(("blob:", "data:", "file:"))] == []


def test_the_playground_trains_to_the_bytes_of_every_other_browser(tab, tmp_path, open_page):
    path = tmp_path / "playground.html"
    path.write_text(learning(None))
    settings = {
        "size": 8, "padding": 3, "steps": 6, "seed": 3, "workers": 1,
        "rule": {"channels": 8, "hidden": [16]}, "train": {"batch": 3, "pool": 6, "rollout": [6, 9]},
    }  # fmt: skip
    disc = "(k) => Math.hypot((k >> 3) - 3.5, (k & 7) - 3.5) < 3"  # a drawing: how a browser decodes a file is its own
    pixels = f"Uint8ClampedArray.from({{ length: 256 }}, (_, i) => ({disc})(i >> 2) ? [200, 40, 90, 255][i & 3] : 0)"
    train = f"planaria.train({{ picture: new ImageData({pixels}, 8), ...{json.dumps(settings)} }})"
    tab.goto(path.as_uri())
    tab.wait_for("Boolean(window.planaria)")
    ours = tab.evaluate(train)
    two = tab.evaluate(train.replace('"workers": 1', '"workers": 2'))
    chromium = open_page()
    chromium.goto(path.as_uri())
    chromium.get_by_role("button", name="Grow it").wait_for()
    theirs = chromium.evaluate(train)
    assert len(ours["losses"]) == 6
    assert ours["losses"] == two["losses"] == theirs["losses"]
    assert ours["model"] == two["model"] == theirs["model"]
    assert tab.logged == []


@pytest.mark.parametrize("prefer", ["auto", "wasm"])
def test_states_are_those_of_pytorch(tab, site, prefer):
    rule, layout = store.load("heart")
    world = World(rule, layout, (36, 36), seed=7)
    world.tick(40)
    world.erase("left")
    world.tick(40)
    tab.goto(site.put("blank.html", "<!doctype html><title>blank</title>"))
    given = json.dumps({"payload": payload("heart"), "prefer": prefer})
    found = tab.evaluate(f"""(async ({{ payload, prefer }}) => {{
      const {{ World }} = await import("/world/world.js");
      const world = new World(payload, {{ size: [36, 36], seed: 7, prefer }});
      world.tick(40);
      world.erase("left");
      world.tick(40);
      const bytes = new Uint8Array(world.read().buffer);
      return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
    }})({given})""")
    x = torch.from_numpy(np.frombuffer(base64.b64decode(found), np.float32).copy()).reshape(world.x[0].shape)
    assert (x - world.x[0]).abs().max() < 1e-4
