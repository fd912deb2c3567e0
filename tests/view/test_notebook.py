"""The widget: its module runs in a real browser, and it follows a training until that ends."""

import base64
import io
import json
import re
import sys
import threading
import time

import numpy as np
import pytest
import torch
from helpers.payloads import payload
from helpers.rules import rule
from PIL import Image

import planaria as pl
from planaria import store
from planaria.commands import install
from planaria.errors import UserError
from planaria.store import live as running
from planaria.store.live import Status, watched, write_status
from planaria.view import notebook
from planaria.view.notebook import live, player, weights_of

pytest_plugins = ("helpers.browser",)
pytest.importorskip("anywidget")

SMALL = {"size": (24, 32), "prefer": "wasm"}
STAGE = """<!doctype html><meta charset="utf-8"><body style="margin:20px"><div id="cell"></div>"""
VIEW = """
async ([esm, css, traits]) => {
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  class Model {
    constructor(values) { Object.assign(this, { values, hearers: [] }); }
    get(name) { return this.values[name]; }
    set(name, value) {
      this.values[name] = value;
      for (const [kind, act] of this.hearers) if (kind === `change:${name}`) act();
    }
    on(kind, act) { this.hearers.push([kind, act]); }
    off(kind, act) { this.hearers = this.hearers.filter(([k, a]) => k !== kind || a !== act); }
    save_changes() {}
  }
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  const url = URL.createObjectURL(new Blob([esm], { type: "text/javascript" }));
  const { default: widget } = await import(url);
  const model = new Model({ ...traits, weights: bytes(traits.weights) });
  const el = document.getElementById("cell");
  const end = await widget.render({ model, el });
  Object.assign(window, { model, el, end, bytes });
}
"""
STEP = "() => Number(/step (\\d+)/.exec(el.textContent)?.[1] ?? -1)"


def traits(widget) -> dict:
    return {
        "payload": widget.payload, "options": widget.options, "compact": widget.compact,
        "weights": base64.b64encode(widget.weights).decode(),
    }  # fmt: skip


@pytest.fixture
def shown(site, page):
    """Shows a widget in the browser as a notebook would; gives the page."""

    def show(widget):
        page.goto(site.put("notebook.html", STAGE))
        page.evaluate(VIEW, [widget._esm, widget._css, traits(widget)])
        return page

    return show


def picture(page) -> np.ndarray:
    """What the canvas shows."""
    with Image.open(io.BytesIO(page.locator("#cell canvas").first.screenshot())) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def trained(folder, zero: bool = False) -> None:
    """A small model as the newest weights of a run."""
    model = pl.load("heart")
    if zero:
        for p in model.rule.parameters():
            p.zero_()
    model.save(folder / running.WEIGHTS)


def test_it_lives_in_a_notebook(shown):
    page = shown(player("lizard", **SMALL))
    page.wait_for_function(f"({STEP})() > 20")
    first = picture(page)
    page.wait_for_function(f"({STEP})() > {page.evaluate(STEP) + 20}")
    assert np.abs(picture(page) - first).max() > 30
    assert page.locator("[data-lm-suppress-shortcuts] canvas").count() >= 1
    assert page.locator("#cell canvas").first.bounding_box()["height"] > 450


def test_new_weights_are_taken_up(shown):
    widget = player("lizard", **SMALL)
    page = shown(widget)
    page.wait_for_function(f"({STEP})() > 30")
    still = weights_of(
        store.load("lizard")[0].requires_grad_(False).apply(lambda m: [p.zero_() for p in m.parameters()])
    )
    page.evaluate("(text) => model.set('weights', bytes(text))", base64.b64encode(still).decode())
    page.wait_for_function(f"({STEP})() > {page.evaluate(STEP) + 10}")
    page.wait_for_timeout(100)
    at, before = page.evaluate(STEP), picture(page)
    page.wait_for_function(f"({STEP})() > {at + 20}")
    assert np.array_equal(picture(page)[80:-80], before[80:-80])  # it lives no more, though steps go on


def test_a_view_that_opens_later_has_the_newest(shown, site, page):
    widget = player("lizard", **SMALL)
    widget.weights = bytes(len(weights_of(store.load("lizard")[0])))
    page = shown(widget)
    page.wait_for_function(f"({STEP})() > 60")
    assert (np.abs(picture(page)[90:-90] - 255).max(2) > 100).mean() < 0.03  # one seed cell, and nothing grew


def test_another_model_and_the_end(shown, complaints):
    page = shown(player("lizard", **SMALL))
    page.wait_for_function(f"({STEP})() > 5")
    page.evaluate("(payload) => model.set('payload', payload)", payload("heart"))
    page.wait_for_function("() => /heart/i.test(el.textContent)")
    page.evaluate("() => end()")
    assert page.locator("#cell canvas").count() == 0
    assert page.evaluate("() => model.hearers.length") == 0
    page.evaluate("(payload) => model.set('payload', payload)", payload("heart"))


def test_its_traits(tmp_path):
    model = pl.load("lizard")
    widget = player(model, size=40, seed=7, compact=False, speed=30)
    assert widget.payload == payload("lizard") == player("lizard").payload
    assert json.loads(json.dumps(widget.options)) == {"seed": 7, "speed": 30, "size": [40, 40], "height": 480}
    assert widget.compact is False
    assert repr(widget) == "Player of 'lizard'"
    text = [*widget.payload["weights"], *widget.payload["biases"]]
    assert weights_of(model.rule) == b"".join(base64.b64decode(t) for t in text)
    widget.weights = b"1234"
    widget.payload = payload("heart")
    assert widget.weights == b""
    data, _ = notebook.bundle(widget)
    assert data[notebook.WIDGET]["model_id"] == widget.model_id
    widget.close()


def test_without_its_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    for make in (player, live):
        with pytest.raises(UserError, match=f"player in a notebook needs .* {re.escape(install('notebook'))}"):
            make("lizard")
    assert not notebook.interactive()


def until(true, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def followers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("follow ")]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run folder that says that it trains."""
    monkeypatch.setattr(notebook, "PAUSE_SECONDS", 0.02)
    write_status(tmp_path, Status("running", 1, 10))
    yield tmp_path
    write_status(tmp_path, Status("stopped", 1, 10))
    until(lambda: not followers())


def test_it_follows_a_training_to_its_end(run):
    trained(run)
    widget = live(run)
    assert widget.payload["name"] == "heart"
    assert watched(run)
    rest = weights_of(pl.load("heart").rule)
    until(lambda: widget.weights == rest)
    trained(run, zero=True)
    until(lambda: widget.weights and not any(widget.weights))
    pl.load("heart").save(run / "model.safetensors")
    write_status(run, Status("finished", 10, 10))
    until(lambda: not followers())
    assert widget.weights == rest  # those it ended with


def test_it_ends_when_it_is_closed(run):
    trained(run)
    widget = live(run)
    assert len(followers()) == 1
    widget.close()
    until(lambda: not followers())


@pytest.mark.parametrize("how", ["damaged", "gone"])
def test_a_torn_run_does_not_break_it(run, how, tmp_path_factory):
    trained(run)
    widget = live(run)
    until(lambda: widget.weights)
    if how == "damaged":
        (run / running.WEIGHTS).write_bytes(b"nothing")
        time.sleep(0.1)
        trained(run, zero=True)
        until(lambda: not any(widget.weights))
        assert len(followers()) == 1
    else:
        run.rename(moved := tmp_path_factory.mktemp("moved") / "a")
        until(lambda: not followers())
        moved.rename(run)
    widget.close()


def test_it_waits_for_the_first_weights(run, monkeypatch):
    late = threading.Timer(0.2, trained, [run])
    late.start()
    live(run).close()
    late.join()
    (run / running.WEIGHTS).unlink()
    monkeypatch.setattr(notebook, "PATIENCE_SECONDS", 0.1)
    with pytest.raises(UserError, match="showed no weights within 0 seconds"):
        live(run)


def test_a_run_that_ended_is_shown_as_it_is(tmp_path, monkeypatch):
    monkeypatch.setattr(notebook, "PAUSE_SECONDS", 0.02)
    with pytest.raises(UserError, match="no model"):
        live(tmp_path)
    pl.load("heart").save(tmp_path / "model.safetensors")
    widget = live(tmp_path)
    until(lambda: not followers())
    assert widget.payload["name"] == "heart"
    assert not watched(tmp_path)


def test_weights_of_a_rule_in_any_precision():
    r = rule()
    flat = np.frombuffer(weights_of(r), "<f4")
    assert torch.equal(torch.from_numpy(flat.copy()), torch.cat([p.detach().flatten() for p in r.parameters()]).float())
