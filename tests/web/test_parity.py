"""The browser's engines against PyTorch: the same seed, the same cells, the same life."""

import base64

import numpy as np
import pytest
import torch
from helpers.payloads import payload
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout
from planaria.core.noise import fire
from planaria.core.rule import Rule, RuleConfig
from planaria.core.turn import turned
from planaria.engine import run, unroll
from planaria.world import World

pytest_plugins = ("helpers.browser",)

STEPS = 100
SIZE = (20, 23)
ENGINES = ("webgl2", "wasm")
MANY = {"channels": 35, "hidden": (12,), "spread": 0.03}
SHAPES = {
    "classic": {"channels": 16, "hidden": (32,)},
    "two layers": {"hidden": (9, 7)},
    "three layers": {"hidden": (5, 8, 6), "bias": "all", "spread": 0.3, "life": "none"},
    "no hidden layer": {"hidden": ()},
    "no bias": {"bias": "none"},
    "torus": {"edge": "circular"},
    "torus without life": {"edge": "circular", "life": "none", "filters": ("identity", "sobel", "laplacian")},
    "life before": {"life": "before"},
    "life after": {"life": "after", "edge": "circular"},
    "life elsewhere": {"life_channel": 5, "life_threshold": 0.2},
    "every cell acts": {"fire_rate": 1.0, "dt": 0.25},
    "few act": {"fire_rate": 0.1},
    "learned filters": {"filters": ("learned",), "hidden": (12,)},
    "scharr, gaussian, mean": {"filters": ("scharr", "gaussian", "mean", "identity")},
    "dilated": {"filters": ("identity", "sobel", "sobel@2"), "life": "none", "fire_rate": 1.0, "dt": 0.25},
    "dilated torus": {"filters": ("identity", "laplacian@3", "scharr"), "edge": "circular", "life": "none"},
    "dilated, with life and chance": {"filters": ("identity", "sobel@2"), "fire_rate": 0.5},
    "dilated, learned": {"filters": ("learned@2",), "hidden": (12,), "edge": "circular", "life": "after"},
    "rings": {"filters": ("ring@2", "identity", "sobel", "ring@7"), "fire_rate": 0.5},
    "rings on a torus": {"filters": ("identity", "ring", "ring@9"), "edge": "circular", "life": "none", "dt": 0.5},
    "copied rim": {"edge": "replicate"},
    "copied rim, two layers": {"edge": "replicate", "hidden": (9, 7), "life": "none", "fire_rate": 1.0, "dt": 0.25},
    "copied rim, dilated": {"edge": "replicate", "filters": ("identity", "sobel", "sobel@2"), "life": "after"},
    "life ends at the rim": {"edge": "circular", "life_edge": "zero"},
    "life ends at the rim, judged after": {"edge": "circular", "life": "after", "life_edge": "zero"},
    "blurred": {"channels": 9, "edge": "circular", "life": "none", "blurs": ("4@3", "5@7", "7@15"), "dt": 0.5},
    "blurred, at a rim": {"channels": 9, "frozen": 2, "edge": "zero", "life": "none", "blurs": ("6@5",), "dt": 0.5},
    "frozen": {"frozen": 3, "channels": 11},
    "told": {"cond": 3},
    "a frozen group": {"frozen": 5, "channels": 9, "life": "none"},
    "more weights than a uniform block holds": {"channels": 8, "hidden": (800,), "spread": 0.02},
    "more channels than are drawn at once": MANY,
    **{name: {"activation": name} for name in ("leaky_relu", "elu", "gelu", "silu", "tanh")},
}
"""One of every kind of rule that the player runs."""

RUN = """async ({payload, size, steps, prefer, start, cond}) => {
  const { World } = await import("/world/world.js");
  const floats = (text) => new Float32Array(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const text = (x) => {
    let s = "";
    const bytes = new Uint8Array(x.buffer);
    for (let i = 0; i < bytes.length; i += 32768) s += String.fromCharCode(...bytes.subarray(i, i + 32768));
    return btoa(s);
  };
  const world = new World(payload, { size, seed: 7, prefer });
  if (cond) world.setCond(cond);
  const states = [];
  for (const x of start) { // from each state that PyTorch was in, as far as the next one
    world.engine.write(floats(x), world.whole);
    world.t = states.length;
    for (let k = 0; k < steps; k++) {
      world.tick();
      states.push(text(world.read()));
    }
  }
  const told = { states, kind: world.kind, why: world.why };
  world.dispose();
  return told;
}"""


def shaped(name: str) -> tuple[Rule, Layout]:
    settings = SHAPES[name]
    rule = random_rule(**{"spread": 0.1, **settings}).float().requires_grad_(False)
    frozen, channels = rule.config.frozen, rule.config.channels
    return rule, Layout(4, 3, hidden=channels - 4 - frozen, frozen=frozen)


def first(layout: Layout) -> torch.Tensor:
    """A state with life in its middle, and something in every frozen channel."""
    rng = torch.Generator().manual_seed(5)
    x = layout.seed(1, SIZE)
    x[:, :, 6:14, 8:17] = torch.rand(1, layout.channels, 8, 9, generator=rng)
    if layout.frozen:
        x[:, -layout.frozen :] = torch.rand(1, layout.frozen, *SIZE, generator=rng)
    return x


def in_browser(page, told: dict, prefer: str, starts: list[torch.Tensor], steps: int, cond=None) -> torch.Tensor:
    """States `(n, c, h, w)` after each of `steps` steps from each start."""
    _, c, h, w = starts[0].shape
    order = {
        "payload": told, "size": [h, w], "steps": steps, "prefer": prefer, "cond": cond,
        "start": [base64.b64encode(x.numpy().tobytes()).decode() for x in starts],
    }  # fmt: skip
    answer = page.evaluate(RUN, order)
    assert answer["kind"] == prefer, answer["why"]
    arrays = [np.frombuffer(base64.b64decode(s), np.float32) for s in answer["states"]]
    return torch.from_numpy(np.stack(arrays)).reshape(-1, c, h, w)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", SHAPES)
def test_a_hundred_steps_are_those_of_pytorch(blank, tmp_path, name, engine):
    rule, layout = shaped(name)
    store.save(tmp_path / "m.safetensors", rule, layout)
    told = payload(tmp_path / "m.safetensors")
    x = first(layout)
    cond = torch.tensor([[0.5, -1.0, 0.25]]) if rule.config.cond else None
    ours = torch.cat([x, *unroll(rule, x, STEPS, seed=7, cond=cond, engine="reference")])
    assert ours[-1].isfinite().all()
    assert rule.config.life == "none" or rule.alive(ours[-1:]).sum() > 5

    theirs = in_browser(blank, told, engine, [x], STEPS, cond[0].tolist() if cond is not None else None)
    apart = [distance(a, b) for a, b in zip(ours[1:], theirs, strict=True)]
    flips = [k + 1 for k in range(STEPS) if not torch.equal(masks(rule, ours[k + 1]), masks(rule, theirs[k]))]
    until = flips[0] - 1 if flips else STEPS
    assert until >= 20, f"life differs from step {until + 1} on"
    assert max(apart[:until], default=0) < 1e-4
    assert np.median(apart[:until] or [0]) < 1e-6
    if flips:  # rounding made one cell live or die: from there, step by step from PyTorch's own states
        onwards = in_browser(blank, told, engine, [s[None] for s in ours[:-1]], 1, None)
        assert sum(distance(a, b) > 1e-4 for a, b in zip(ours[1:], onwards, strict=True)) <= 2


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("edge", ["zero", "circular", "replicate"])
@pytest.mark.parametrize("size", [(3, 5), (1, 1), (2, 9)])
def test_a_filter_that_reaches_beyond_the_grid_goes_around_it(blank, tmp_path, engine, edge, size):
    rule = random_rule(spread=0.1, edge=edge, life="none", filters=("identity", "learned@16", "scharr@7"))
    rule = rule.float().requires_grad_(False)
    store.save(tmp_path / "m.safetensors", rule, Layout(4, 3, hidden=2))
    x = torch.rand(1, 6, *size, generator=torch.Generator().manual_seed(5))
    ours = torch.cat(list(unroll(rule, x, 5, seed=7, engine="reference")))
    theirs = in_browser(blank, payload(tmp_path / "m.safetensors"), engine, [x], 5)
    assert max(distance(a, b) for a, b in zip(ours, theirs, strict=True)) < 1e-5


@pytest.mark.parametrize("engine", ENGINES)
def test_a_payload_from_before_dilation_still_runs(blank, tmp_path, engine):
    rule, layout = shaped("classic")
    store.save(tmp_path / "m.safetensors", rule, layout)
    told = payload(tmp_path / "m.safetensors")
    old = {key: value for key, value in told.items() if key != "reaches"}
    x = first(layout)
    assert torch.equal(in_browser(blank, old, engine, [x], 5), in_browser(blank, told, engine, [x], 5))


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    """The largest difference of two states, in units of the largest number where that is above 1: a rule drawn at
    random grows without bound."""
    return ((a - b).abs().max() / max(1.0, a.abs().max().item())).item()


def masks(rule: Rule, x: torch.Tensor) -> torch.Tensor:
    return rule.alive(x[None])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_trained_model_grows_and_heals_alike(blank, engine):
    """A heart of the gallery, 40 steps from its seed, then half of it cut away, 60 more: to 1e-4, not in proportion."""
    told = payload("heart")
    rule, layout = store.load("heart")
    world = World(rule, layout, (36, 36), seed=7)
    ours = []
    for k in range(100):
        if k == 40:
            world.erase("left")
        world.tick()
        ours.append(world.x[0])
    deed = """async ({payload, prefer}) => {
      const { World } = await import("/world/world.js");
      const world = new World(payload, { size: [36, 36], seed: 7, prefer });
      world.tick(40);
      world.erase("left");
      const at = [];
      for (let k = 0; k < 6; k++) {
        world.tick(10);
        at.push([...world.read()]);
      }
      return at;
    }"""
    theirs = [torch.tensor(x).view_as(ours[0]) for x in blank.evaluate(deed, {"payload": told, "prefer": engine})]
    for a, b in zip(ours[49::10], theirs, strict=True):
        assert (a - b).abs().max() < 1e-4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_the_very_same_cells_act(blank, tmp_path, engine, rate):
    """A rule that counts: each cell adds 1 in each step that it acts in, so a sum of whole numbers tells every draw."""
    rule = Rule(RuleConfig(channels=4, hidden=(), bias="all", life="none", fire_rate=rate)).requires_grad_(False)
    rule.biases[0].fill_(1.0)
    store.save(tmp_path / "m.safetensors", rule, Layout(4, 3, 0))
    x = torch.zeros(1, 4, *SIZE)
    theirs = in_browser(blank, payload(tmp_path / "m.safetensors"), engine, [x], STEPS)
    acted = torch.stack([fire(rate, 7, t, (1, *SIZE))[0] for t in range(STEPS)]).float()
    assert torch.equal(theirs, acted.cumsum(0).expand(-1, 4, -1, -1))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", ["torus without life", "told", "dilated, with life and chance", "frozen"])
def test_a_turned_model_lives_as_the_turned_rule(blank, tmp_path, name, engine):
    rule, layout = shaped(name)
    store.save(tmp_path / "m.safetensors", rule, layout)
    deed = """async ({payload, size, prefer, start}) => {
      const { World } = await import("/world/world.js");
      const world = new World(payload, { size, seed: 7, prefer });
      world.engine.write(Float32Array.from(start), world.whole);
      world.tick(3);
      world.setTurn(130);
      const { t } = world;
      world.tick(20);
      const [weights, last] = [world.turned, world.model].map((model) => [...model.weights[0]]);
      const seen = { t, weights, last, x: [...world.read()] };
      world.setTurn(0);
      seen.same = world.turned === world.model;
      world.dispose();
      return seen;
    }"""
    x = first(layout)
    order = {"payload": payload(tmp_path / "m.safetensors"), "size": list(SIZE), "prefer": engine}
    seen = blank.evaluate(deed, {**order, "start": x.flatten().tolist()})
    other = turned(rule, 130)
    assert (seen["t"], seen["same"]) == (3, True)
    assert torch.tensor(seen["last"]).equal(rule.weights[0].flatten())
    assert (torch.tensor(seen["weights"]) - other.weights[0].flatten()).abs().max() < 1e-6
    ours = run(other, run(rule, x, 3, seed=7, engine="reference"), 20, t=3, seed=7, engine="reference")
    assert distance(ours, torch.tensor(seen["x"]).view_as(ours)) < 1e-4
    assert distance(run(rule, x, 23, seed=7, engine="reference"), ours) > 1e-2
