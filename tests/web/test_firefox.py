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
from planaria.export.html import page
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
