"""Video models in the browser: they begin with their frames, charged as in Python, and go on alike."""

import base64

import numpy as np
import pytest
import torch
from helpers import films
from helpers.payloads import payload
from helpers.players import STILL, at, colour, pixel, show
from helpers.rules import rule as random_rule
from PIL import Image

from planaria.core.layout import tiled
from planaria.engine import unroll
from planaria.export.html import MOST_START
from planaria.living import find

pytest_plugins = ("helpers.browser",)

ENGINES = ("webgl2", "wasm")
OPEN = """async ({payload, ...options}) => {
  const { World } = await import("/world/world.js");
  window.world?.dispose();
  window.world = new World(payload, options);
  return [world.kind, world.why];
}"""


def chancy(visible: int):
    """A rule whose hidden channels matter and whose cells act at random, in the steps before 0 too."""
    return random_rule(
        channels=visible + 4, hidden=(8,), life="none", fire_rate=0.5, edge="circular", spread=0.1
    ).float()


def read(page, shape: torch.Size) -> torch.Tensor:
    return torch.tensor(page.evaluate("[...world.read()]")).view(shape)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("visible", "offset", "size"), [(1, 0.0, None), (3, 0.5, (7, 31))])
def test_it_is_charged_and_lives_as_in_python(blank, tmp_path, engine, visible, offset, size):
    path = tmp_path / "m.safetensors"
    films.save(path, chancy(visible), visible=visible, offset=offset, frame=3)
    living = find(path, size=size)
    assert living.start is not None
    ours = torch.cat([living.start, *unroll(living.rule, living.start, 40, seed=7, engine="reference")])
    kind, why = blank.evaluate(OPEN, {"payload": payload(path), "size": list(living.size), "seed": 7, "prefer": engine})
    assert kind == engine, why
    told = blank.evaluate("""() => {
      const states = [[...world.read()]];
      for (let k = 0; k < 40; k++) {
        world.tick();
        states.push([...world.read()]);
      }
      return [states, world.t];
    }""")
    theirs = torch.tensor(told[0]).view(ours.shape)
    assert told[1] == 40
    assert ours[0, visible:].abs().max() > 0.01, "the hidden channels are charged"
    assert (theirs - ours).abs().max() < 1e-4 * max(1, ours.abs().max())
    assert (theirs[0] - ours[0]).abs().max() < 1e-6


def test_a_picture_is_tiled_as_in_python(blank):
    picture = torch.arange(12.0).view(1, 3, 4)
    for size in ((3, 4), (2, 3), (1, 1), (4, 6), (5, 9), (13, 22), (2, 30)):
        made = blank.evaluate(
            "async ([x, size]) => [...(await import('/world/start.js')).tiled(Float32Array.from(x), [3, 4], size)]",
            [picture.flatten().tolist(), list(size)],
        )
        assert torch.equal(torch.tensor(made), tiled(picture, size).flatten()), size


@pytest.mark.parametrize("engine", ENGINES)
def test_it_begins_again_at_its_start_whatever_happened(blank, tmp_path, engine):
    path = tmp_path / "m.safetensors"
    films.save(path, chancy(1))
    blank.evaluate(OPEN, {"payload": payload(path), "seed": 3, "prefer": engine})
    start = find(path).start
    assert start is not None
    blank.evaluate("() => { world.tick(5); world.erase('left'); world.reset(); }")
    assert (read(blank, start.shape) - start).abs().max() < 1e-6
    assert blank.evaluate("[world.t, world.undo(), world.t, world.undo(), world.t]") == [0, True, 5, True, 5]
    blank.evaluate("() => world.begin()")
    assert blank.evaluate("[world.t, world.past.length]") == [0, 0]
    assert (read(blank, start.shape) - start).abs().max() < 1e-6
    blank.evaluate("() => { world.tick(4); world.resize([16, 20]); }")
    tick = find(path).world(seed=3)
    tick.tick(4)
    assert (read(blank, (1, 5, 16, 20)) - tiled(tick.x, (16, 20))).abs().max() < 1e-5
    blank.evaluate("() => world.reset()")
    larger = find(path, size=(16, 20)).start
    assert larger is not None
    assert (read(blank, larger.shape) - larger).abs().max() < 1e-6


def test_newer_weights_charge_anew(blank, tmp_path):
    films.save(tmp_path / "m.safetensors", chancy(1))
    other = chancy(1)
    with torch.no_grad():
        other.weights[1].mul_(-1)
    films.save(tmp_path / "o.safetensors", other)
    blank.evaluate(OPEN, {"payload": payload(tmp_path / "m.safetensors"), "prefer": "wasm"})
    flat = torch.cat([p.flatten() for p in [*other.weights, *other.biases]]).tolist()
    blank.evaluate("(flat) => { world.setWeights(Float32Array.from(flat)); world.begin(); }", flat)
    start = find(tmp_path / "o.safetensors").start
    assert start is not None
    assert (read(blank, start.shape) - start).abs().max() < 1e-6


def test_a_page_carries_the_last_frames_that_it_can(tmp_path, monkeypatch):
    frames = films.save(tmp_path / "m.safetensors", n=5)
    start = payload(tmp_path / "m.safetensors")["start"]
    assert (start["frames"], start["size"], start["visible"]) == (5, [10, 14], 1)
    held = np.frombuffer(base64.b64decode(start["data"]), np.uint8)
    assert np.array_equal(held, frames.mul(255).round().byte().flatten().numpy())
    for most, kept in ((300, 2), (10, 1)):
        monkeypatch.setattr("planaria.export.html.MOST_START", most)
        assert payload(tmp_path / "m.safetensors")["start"]["frames"] == kept
    assert MOST_START < 200_000
    assert "start" not in payload("lizard")


def test_frames_that_do_not_fit_are_refused_in_words(blank, tmp_path):
    films.save(tmp_path / "m.safetensors")
    told = payload(tmp_path / "m.safetensors")
    for wrong in ({"frames": 4}, {"size": [10, 13]}, {"visible": 3}, {"frames": 0, "data": ""}):
        with pytest.raises(Exception, match="begins with don't fit"):
            blank.evaluate(OPEN, {"payload": told | {"start": told["start"] | wrong}})


# ---- the player


@pytest.fixture
def drifting(page, site, tmp_path):
    films.save(tmp_path / "drift.safetensors", visible=3, size=(24, 32))
    return show(page, site, payload(tmp_path / "drift.safetensors"))


def test_people_count_in_frames(drifting):
    assert drifting.evaluate("[player.clock.speed, player.clock.wanted]") == [40, 20]
    assert drifting.locator(".pl-rate").inner_text() == "20/s"
    assert drifting.get_by_role("slider", name="Speed").get_attribute("aria-valuetext") == "20 frames a second"
    first = drifting.evaluate("[...player.world.read().slice(0, 32)]")
    drifting.get_by_role("button", name="One step").click()
    assert drifting.locator(".pl-status").inner_text() == "frame 1 · paused"
    assert drifting.locator(".pl-status").get_attribute("title") == "step 2"
    after = drifting.evaluate("[...player.world.read().slice(0, 32)]")
    assert after == pytest.approx(first[-2:] + first[:-2], abs=1e-6), "the film goes on"
    drifting.evaluate("player.world.tick(1); player.act('step')")
    assert drifting.evaluate("player.world.t") == 4, "on to the next whole frame"
    drifting.evaluate("player.clock.slide = 0.5; player.bar.refresh()")
    assert drifting.evaluate("player.clock.speed") == 62


def test_a_loop_is_as_long_as_the_film(drifting):
    start = drifting.evaluate("[...player.world.read()]")
    drifting.locator(".pl-stage").focus()
    drifting.keyboard.press("l")
    assert "every 10 frames" in drifting.locator(".pl-toast").text_content()
    seen = drifting.evaluate("Array.from({ length: 45 }, () => (player.live(), player.world.t))")
    assert seen == [*range(1, 21), *range(1, 21), *range(1, 6)]
    drifting.evaluate("for (let k = 0; k < 15; k++) player.live()")
    assert drifting.evaluate("[player.world.t, (player.act('step'), player.world.t)]") == [20, 2], "a step begins again"
    assert drifting.evaluate("player.world.past.length") == 0
    drifting.evaluate("player.world.begin()")
    assert drifting.evaluate("[...player.world.read()]") == start
    drifting.evaluate("player.act('more')")
    loop = drifting.get_by_role("button", name="Loop", exact=True)
    assert loop.get_attribute("aria-pressed") == "true"
    loop.click()
    assert not drifting.evaluate("player.clock.loop")


def test_a_film_is_drawn_into(drifting):
    assert "Draw into it" in drifting.locator(".pl-hint").inner_text()
    assert not drifting.get_by_role("button", name="Plant a seed").is_visible()
    drifting.locator(".pl-stage").focus()
    drifting.keyboard.press("p")
    assert drifting.evaluate("player.brush.tool") == "paint"
    drifting.keyboard.press("?")
    assert drifting.get_by_text("Next colour").is_visible()
    assert not drifting.get_by_text("Plant seeds, or paint again").is_visible()
    drifting.keyboard.press("Escape")
    drifting.mouse.click(*at(drifting, 9, 12))
    assert colour(drifting, 9, 12) == [0xD1, 0x49, 0x5B] == pixel(drifting, 9, 12)
    assert "pl-gone" in (drifting.locator(".pl-hint").get_attribute("class") or "")
    drifting.mouse.click(*at(drifting, 20, 5), button="right")
    picked = drifting.evaluate("player.brush.colour")
    assert picked == colour(drifting, 20, 5) != [0xD1, 0x49, 0x5B]
    drifting.mouse.click(*at(drifting, 3, 3))
    assert colour(drifting, 3, 3) == picked


@pytest.mark.parametrize(("visible", "offset"), [(1, 0.0), (3, 0.5)])
def test_what_is_rubbed_out_is_the_ground_of_the_film(page, site, tmp_path, visible, offset):
    films.save(tmp_path / "m.safetensors", chancy(visible), visible=visible, offset=offset)
    show(page, site, payload(tmp_path / "m.safetensors"))
    living = find(tmp_path / "m.safetensors")
    ground = list(living.layout.background(living.start).values())
    assert page.evaluate("Object.values(player.world.background)") == pytest.approx(ground, abs=1e-5)
    page.keyboard.press("e")
    page.mouse.click(*at(page, 4, 5))
    x = torch.tensor(page.evaluate("[...player.world.read()]")).view(living.start.shape)
    assert x[0, :, 4, 5].tolist() == pytest.approx(ground, abs=1e-5)
    assert page.evaluate("window.erased") is None


DROP = """async ([wide, high]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.fillStyle = "#ff8000";
  context.fillRect(0, 0, wide, high);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  await player.photoPanel.drop(new File([blob], "now.png", { type: "image/png" }));
  return [...player.world.read()];
}"""


@pytest.mark.parametrize(("visible", "offset"), [(1, 0.0), (3, 0.5)])
def test_a_picture_dropped_is_the_frame_from_now_on(page, site, tmp_path, visible, offset):
    films.save(tmp_path / "m.safetensors", visible=visible, offset=offset, size=(12, 16))
    show(page, site, payload(tmp_path / "m.safetensors"))
    page.evaluate("player.world.tick(3)")
    x = torch.tensor(page.evaluate(DROP, [32, 24])).view(visible + 1, 12, 16)
    rgb = torch.tensor([1.0, 128 / 255, 0.0])
    want = rgb if visible == 3 else (rgb * torch.tensor([0.299, 0.587, 0.114])).sum(0, keepdim=True)
    assert (x[:visible] + offset - want[:, None, None]).abs().max() < 0.01
    assert x[visible:].abs().max() == 0, "what it remembered is of another film"
    assert page.evaluate("player.world.t") == 0
    assert next(iter(page.evaluate("player.world.background").values())) + offset == pytest.approx(
        want[0].item(), abs=0.01
    )
    page.evaluate("player.world.tick(3); player.world.reset()")
    assert torch.equal(torch.tensor(page.evaluate("[...player.world.read()]")).view_as(x), x)
    page.evaluate("player.world.undo(); player.world.undo()")
    living = find(tmp_path / "m.safetensors")
    start = living.start
    assert start is not None
    ground = list(living.layout.background(start).values())
    assert list(page.evaluate("player.world.background").values()) == pytest.approx(ground, abs=1e-5)
    page.evaluate("player.world.reset()")
    now = torch.tensor(page.evaluate("[...player.world.read()]")).view_as(start)
    assert (now - start).abs().max() < 1e-6


@pytest.mark.parametrize("visible", [1, 3])
def test_a_clear_picture_lies_over_white_as_in_python(page, site, tmp_path, visible):
    films.save(tmp_path / "m.safetensors", visible=visible, size=(12, 16))
    alpha = np.tile(np.linspace(0, 255, 16).astype(np.uint8), (12, 1))
    Image.fromarray(np.dstack([np.full_like(alpha, v) for v in (200, 90, 30)] + [alpha])).save(tmp_path / "a.png")
    show(page, site, payload(tmp_path / "m.safetensors"))
    page.set_input_files("input[type=file]", tmp_path / "a.png")
    page.wait_for_function("player.world.photo")
    start = find(tmp_path / "m.safetensors", start=str(tmp_path / "a.png")).start
    assert start is not None
    x = torch.tensor(page.evaluate("[...player.world.read()]")).view_as(start)
    assert x[0, 0, 0, 0] == 1
    assert (x - start).abs().max() < 0.02, "a canvas premultiplies in 8 bits"


def test_a_grey_film_is_painted_against_its_ground(page, site, tmp_path):
    films.save(tmp_path / "m.safetensors")
    told = payload(tmp_path / "m.safetensors")
    for value, brush in ((0, 255), (230, 0)):
        data = base64.b64encode(bytes([value]) * 420).decode()
        show(page, site, told | {"start": told["start"] | {"data": data}}, **STILL)
        assert page.evaluate("player.brush.colour") == [brush] * 3


def test_another_kind_of_model_is_counted_in_its_own_way(drifting):
    film = drifting.evaluate("player.payload")
    drifting.evaluate("(model) => player.setModel(model)", payload("heart"))
    assert drifting.evaluate("[player.clock.unit, player.clock.speed, player.clock.steps]") == ["step", 60, 1]
    assert drifting.locator(".pl-status").inner_text() == "step 0 · paused"
    assert drifting.get_by_role("button", name="Plant a seed").is_visible()
    drifting.evaluate("(film) => { player.act('plant'); player.setModel(film); }", film)
    assert drifting.evaluate("player.brush.tool") == "paint"
