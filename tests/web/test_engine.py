"""The player's engines when something goes wrong or changes: no card, a lost card, new weights, another size."""

import base64

import pytest
import torch
from helpers.payloads import payload
from helpers.players import show
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout

pytest_plugins = ("helpers.browser",)

OPEN = """async ({payload, ...options}) => {
  const { World } = await import("/world/world.js");
  window.world = new World(payload, { size: [20, 20], ...options });
  world.tick(6);
  return [world.kind, world.why];
}"""
LIVING = "() => [world.kind, world.why, world.t, world.read().filter((v) => v !== 0).length]"


@pytest.fixture
def told(tmp_path) -> dict:
    rule = random_rule(channels=8, spread=0.1).float()
    store.save(tmp_path / "m.safetensors", rule, Layout(4, 3, hidden=4))
    return payload(tmp_path / "m.safetensors")


@pytest.fixture
def blank(page, site):
    page.goto(site.put("blank.html", "<!doctype html><title>blank</title>"))
    return page


def test_a_lost_card_goes_on_in_webassembly(blank, told):
    assert blank.evaluate(OPEN, {"payload": told, "prefer": "webgl2"}) == ["webgl2", ""]
    blank.evaluate("() => world.engine.gl.getExtension('WEBGL_lose_context').loseContext()")
    blank.wait_for_function("() => world.kind === 'wasm'")
    kind, why, t, living = blank.evaluate(LIVING)
    assert (kind, why, t) == ("wasm", "the graphics card was lost", 0)
    assert living > 0
    assert blank.evaluate("() => (world.tick(3), world.t)") == 3


@pytest.mark.parametrize(
    ("missing", "why"),
    [
        ("HTMLCanvasElement.prototype.getContext = function () { return null }", "no WebGL2"),
        ("WebGL2RenderingContext.prototype.getExtension = () => null", "can't draw float32"),
        ("WebGL2RenderingContext.prototype.linkProgram = () => {}", "refuses the shader"),
        ("WebGL2RenderingContext.prototype.checkFramebufferStatus = () => 0", "can't draw into float32 layers"),
    ],
)
def test_without_what_it_needs_webassembly_runs(blank, told, missing, why):
    blank.evaluate(f"() => {{ {missing} }}")
    kind, said = blank.evaluate(OPEN, {"payload": told, "prefer": "webgl2"})
    assert kind == "wasm"
    assert why in said
    assert blank.evaluate(LIVING)[3] > 0


def test_where_a_card_is_only_imitated_webassembly_is_taken(blank, told):
    kind, why = blank.evaluate(OPEN, {"payload": told})  # the tests' Chromium draws with SwiftShader
    assert (kind, why) == ("wasm", "this browser has no real graphics card")
    named = "WebGL2RenderingContext.prototype.getParameter"
    blank.evaluate(f"""() => {{
      const asked = {named};
      {named} = function (what) {{ return what === 37446 ? "A Real Card 9000" : asked.call(this, what) }};
    }}""")
    assert blank.evaluate(OPEN, {"payload": told}) == ["webgl2", ""]


@pytest.mark.parametrize("prefer", ["webgl2", "wasm"])
def test_new_weights_change_what_it_does_and_nothing_else(blank, told, tmp_path, prefer):
    other = random_rule(channels=8, spread=0.1).float()
    with torch.no_grad():
        other.weights[1].mul_(-0.5)
    store.save(tmp_path / "o.safetensors", other, Layout(4, 3, hidden=4))
    flat = torch.cat([p.flatten() for p in [*other.weights, *other.biases]]).tolist()
    blank.evaluate(OPEN, {"payload": told, "prefer": prefer})
    after = blank.evaluate(
        """({flat, other}) => {
          const before = [...world.read()];
          world.setWeights(Float32Array.from(flat));
          const kept = [...world.read()].every((v, i) => v === before[i]);
          world.tick(4);
          const pushed = [...world.read()];
          world.undo();
          world.engine.write(Float32Array.from(before), world.whole);
          world.t -= 4;
          world.setModel(other);
          world.tick(4);
          return { kept, pushed, opened: [...world.read()] };
        }""",
        {"flat": flat, "other": payload(tmp_path / "o.safetensors")},
    )
    assert after["kept"]
    assert after["pushed"] == after["opened"]
    with pytest.raises(Exception, match=r"the model has \d+ weights, not 3"):
        blank.evaluate("() => world.setWeights(new Float32Array(3))")


@pytest.mark.parametrize("prefer", ["webgl2", "wasm"])
def test_another_size_keeps_what_fits(blank, told, prefer):
    blank.evaluate(OPEN, {"payload": told, "prefer": prefer})
    small, large, back = blank.evaluate("""() => {
      const middle = (n) => world.engine.read([n / 2 - 4, n / 2 - 4, 8, 8]).join();
      const first = middle(20);
      world.resize([30, 44]);
      const wide = world.engine.read([15 - 4, 22 - 4, 8, 8]).join();
      world.resize([20, 20]);
      world.tick(2);
      return [first, wide, world.read().every(Number.isFinite)];
    }""")
    assert small == large
    assert back


def test_what_is_no_model_is_refused_in_words(blank, told):
    short = told | {"weights": told["weights"][:1]}
    wrong = told | {"weights": [told["weights"][0], base64.b64encode(bytes(12)).decode()]}
    mirror = told | {"rule": told["rule"] | {"edge": "mirror"}}
    far = [told | {"reaches": reaches} for reaches in ([1], [1, 1, 17], [1, 1, 0.5], [1, 1, "2"])]
    broken = [
        (told | {"format": 2}, "that format"),
        (short, "layers don't fit"),
        (wrong, "layer 2 has 3"),
        (mirror, "no edge mirror"),
    ]
    for model, why in [*broken, *((model, "don't say how far they reach") for model in far)]:
        with pytest.raises(Exception, match=why):
            blank.evaluate(OPEN, {"payload": model})


OLD = "WebAssembly.validate = () => false;"
"""A browser before WebAssembly had vectors."""


def test_without_vectors_a_card_is_used_though_it_is_imitated(open_page, site, told):
    page = open_page()
    page.add_init_script(OLD)
    page.goto(site.put("blank.html", "<!doctype html><title>blank</title>"))
    assert page.evaluate(OPEN, {"payload": told}) == ["webgl2", ""]
    assert page.evaluate(LIVING)[3] > 0


def test_without_vectors_and_without_a_card_one_line_says_what_is_needed(open_plain, site, told):
    page = open_plain()
    page.context.add_init_script(OLD)
    show(page, site, told)
    assert page.locator(".pl-error").inner_text().split("\n")[-1] == (
        "it needs a browser with WebAssembly SIMD or WebGL2, as any of 2023 or later"
    )
    assert page.evaluate("player.world") is None


def test_without_vectors_a_lost_card_is_the_end_and_is_said(open_page, site, told):
    page = open_page()
    page.add_init_script(OLD)
    show(page, site, told, prefer="webgl2", autoplay=True)
    page.evaluate("() => player.world.engine.gl.getExtension('WEBGL_lose_context').loseContext()")
    toast = page.locator(".pl-toast", has_text="It stopped: the graphics card was lost, and it needs a browser")
    toast.wait_for(state="attached")
    assert page.evaluate("player.playing") is False
