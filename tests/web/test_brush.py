"""The browser's brush against Python's: every edit of a World leaves the same cells, the same picture."""

import pytest
import torch
from helpers.payloads import payload
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout
from planaria.world import World

pytest_plugins = ("helpers.browser",)

SIZE = (20, 23)


BRUSH = """async ({payload, size, prefer, photo}) => {
  const { World } = await import("/world/world.js");
  const world = new World(payload, { size, seed: 7, prefer });
  const seen = [];
  const look = () => seen.push([[...world.read()], [...world.image({}).data], world.t]);
  const [h, w] = size;
  const image = new ImageData(Uint8ClampedArray.from(photo), w, h);
  const stroke = () => {
    world.press();
    world.paint(3, 3, 2);
    world.paint(5, 5, 2);
    world.lift();
    world.undo();
  };
  const deeds = [
    () => world.tick(3), () => world.randomise(), () => world.tick(2),
    () => world.paint(4, 5.5, 2.3, world.colour([255, 10, 77])), () => world.plant(9, 3),
    () => world.erase("circle(12,7,3.5)"), () => world.erase("speckle(0.4)"), () => world.erase("noise(0.2)"),
    () => world.erase("right"), () => world.undo(), () => world.erase("centre(5)"), () => world.erase("top"),
    () => world.paint(-1, -1, 2.9, {1: 0.5}), () => world.paint(99, 99, 3, {1: 0.5}), () => world.place(image),
    () => world.tick(2), () => world.clear(), () => world.undo(), () => world.reset(), () => world.tick(1), stroke,
  ];
  for (const deed of deeds) (deed(), look());
  return { seen, picked: world.pick(4, 5), channel: [...world.image({ channel: 3 }).data] };
}"""


@pytest.mark.parametrize("engine", ["webgl2", "wasm"])
@pytest.mark.parametrize(
    ("visible", "frozen", "straight"),
    [(1, 0, False), (3, 0, False), (4, 0, False), (4, 0, True), (1, 3, False), (3, 3, False), (4, 3, False)],
)
def test_the_brush_paints_as_in_python(blank, tmp_path, engine, visible, frozen, straight):
    life = {"life": "none"} if visible != 4 else {}
    rule = random_rule(channels=9, frozen=frozen, spread=0.1, **life).float().requires_grad_(False)
    alpha, offset = (3, 0.0) if visible == 4 else (None, 0.5)
    layout = Layout(visible, alpha, 9 - visible - frozen, frozen, offset, straight=straight, lean=straight)
    store.save(tmp_path / "m.safetensors", rule, layout)
    photo = torch.randint(0, 256, (*SIZE, 4), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    if not straight:
        photo[..., 3] = 255
    order = {
        "payload": payload(tmp_path / "m.safetensors"),
        "size": SIZE,
        "prefer": engine,
        "photo": photo.flatten().tolist(),
    }
    told = blank.evaluate(BRUSH, order)

    world = World(rule, layout, SIZE, seed=7)
    rgb = photo.permute(2, 0, 1).float() / 255

    def place() -> None:
        if frozen:
            world.expose(rgb[:3])
            return
        grey = (0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2])[None]
        shown = torch.cat([rgb[:3] * rgb[3:], rgb[3:]]) if straight else rgb[:visible]
        world.start = layout.embed(grey if visible == 1 else shown)
        world.reset()

    def stroke() -> None:
        world.press()
        world.paint(3, 3, 2)
        world.paint(5, 5, 2)
        world.lift()
        world.undo()

    deeds = [
        lambda: world.tick(3), world.randomise, lambda: world.tick(2),
        lambda: world.paint(4, 5.5, 2.3, layout.colour((255, 10, 77))),
        lambda: world.plant(9, 3), lambda: world.erase("circle(12,7,3.5)"), lambda: world.erase("speckle(0.4)"),
        lambda: world.erase("noise(0.2)"), lambda: world.erase("right"), world.undo, lambda: world.erase("centre(5)"),
        lambda: world.erase("top"), lambda: world.paint(-1, -1, 2.9, {1: 0.5}),
        lambda: world.paint(99, 99, 3, {1: 0.5}),
        place, lambda: world.tick(2), world.clear, world.undo, world.reset, lambda: world.tick(1), stroke,
    ]  # fmt: skip
    for number, (deed, (state, image, t)) in enumerate(zip(deeds, told["seen"], strict=True)):
        deed()
        theirs = torch.tensor(state, dtype=torch.float32).view_as(world.x)
        assert torch.allclose(theirs, world.x, rtol=1e-5, atol=1e-5), number
        seen = torch.tensor(image, dtype=torch.int).view(*SIZE, 4)
        assert (seen[..., :3] - world.image().int()).abs().max() <= 1, number
        assert (seen[..., 3] == 255).all()
        assert t == world.t
    assert max(abs(a - b) for a, b in zip(told["picked"], world.pick(4, 5), strict=True)) <= 1
    channel = torch.tensor(told["channel"], dtype=torch.int).view(*SIZE, 4)[..., :3]
    assert (channel - world.image(channel=3).int()).abs().max() <= 1
