"""Repainting models in the browser: a photo under the cells, posed as in Python, and everything a hand does with it."""

import pytest
import torch
from helpers import easel
from helpers.payloads import payload
from helpers.players import at, colour, pixel, show
from helpers.rules import rule as random_rule
from PIL import Image

from planaria import store
from planaria.core.layout import Layout
from planaria.core.rule import Rule, RuleConfig
from planaria.core.shuffle import shuffled
from planaria.engine import unroll
from planaria.export.html import page as exported
from planaria.living import find, shape_of

pytest_plugins = ("helpers.browser",)

ENGINES = ("webgl2", "wasm")
TIMES = "\N{MULTIPLICATION SIGN}"
OPEN = """async ({payload, ...options}) => {
  const { World } = await import("/world/world.js");
  window.world?.dispose();
  window.world = new World(payload, options);
  return [world.kind, world.why];
}"""
LAYOUTS = {
    "photo": Layout(3, None, hidden=4, frozen=3, offset=0.5),
    "shuffled": Layout(3, None, hidden=3, frozen=7, offset=0.5, shifts=(2, 5)),
    "grey": Layout(1, None, hidden=4, frozen=3, offset=0.0, shifts=(1,)),
    "photo of other colours": Layout(3, None, hidden=2, frozen=1),
    "with life": Layout(4, 3, hidden=4, frozen=4),
}


def begins(path, **how) -> torch.Tensor:
    """Where a life begins in Python."""
    start = find(path, **how).start
    assert start is not None
    return start


def read(page, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(page.evaluate("[...world.read()]")).view(shape)


@pytest.mark.parametrize("size", [(6, 8), (7, 31), (9, 5)])
@pytest.mark.parametrize("name", LAYOUTS)
def test_a_photo_is_posed_as_in_python(blank, name, size):
    layout = LAYOUTS[name]
    photo = torch.rand(layout.photo, *size, generator=torch.Generator().manual_seed(1))
    told = blank.evaluate(
        """async ([photo, size, layout, seed]) => {
          const { pose } = await import("/world/photo.js");
          return [...pose(Float32Array.from(photo), size, layout, seed)];
        }""",
        [photo.flatten().tolist(), list(size), {**vars(layout), "shifts": list(layout.shifts)}, 4_000_000_000],
    )
    want = layout.pose(photo[None], seed=4_000_000_000)[0]
    made = torch.tensor(told).view_as(want)
    assert (made - want).abs().max() < 1e-6
    assert layout.alpha is not None or want[: layout.visible].any() == (layout.photo == layout.visible)
    hidden = slice(layout.visible, layout.visible + layout.hidden)
    assert torch.equal(made[hidden], want[hidden]), "the noise, to the bit"


def test_photos_are_shuffled_as_in_python(blank):
    for planes, size, shift in ((3, (8, 6), 1), (1, (7, 9), 4), (4, (5, 6), 3), (3, (4, 4), 16), (3, (1, 3), 2)):
        photo = torch.rand(planes, *size)
        told = blank.evaluate(
            "async ([x, size, s]) => [...(await import('/world/photo.js')).shuffled(Float32Array.from(x), size, s)]",
            [photo.flatten().tolist(), list(size), shift],
        )
        assert (torch.tensor(told).view(2, *size) - shuffled(photo[None], shift)[0]).abs().max() < 1e-6, (size, shift)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("shifts", "size"), [((), (12, 16)), ((2, 3), (15, 9))])
def test_it_begins_with_its_photo_and_repaints_it_as_in_python(blank, tmp_path, engine, shifts, size):
    layout = Layout(3, None, hidden=5, frozen=3 + 2 * len(shifts), offset=0.5, shifts=shifts)
    rule = random_rule(
        channels=layout.channels, frozen=layout.frozen, hidden=(9, 7), bias="all", life="none", fire_rate=0.5,
        edge="circular", filters=("identity", "sobel", "laplacian"), spread=0.05,
    ).float()  # fmt: skip
    easel.save(tmp_path / "m.safetensors", rule, layout)
    start = begins(tmp_path / "m.safetensors", size=size, seed=7)
    ours = torch.cat([start, *unroll(rule, start, 30, seed=7, engine="reference")])
    told = {"payload": payload(tmp_path / "m.safetensors"), "size": list(size), "seed": 7, "prefer": engine}
    kind, why = blank.evaluate(OPEN, told)
    assert kind == engine, why
    states = blank.evaluate("Array.from({ length: 31 }, (_, k) => (k && world.tick(), [...world.read()]))")
    theirs = torch.tensor(states).view_as(ours)
    assert (theirs[0] - ours[0]).abs().max() < 1e-6
    assert (theirs - ours).abs().max() < 1e-4
    blank.evaluate("() => { world.erase('left'); world.seed = 8; world.reset(); }")
    again = begins(tmp_path / "m.safetensors", size=size, seed=8)
    assert (read(blank, again.shape) - again).abs().max() < 1e-6


PLACE = """([pixels, h, w]) => world.place(new ImageData(Uint8ClampedArray.from(pixels), w, h))"""


def pixels(photo: torch.Tensor) -> list:
    h, w = photo.shape[1:]
    rgba = torch.cat([photo, torch.ones(1, h, w)]).mul(255).round()
    return [rgba.permute(1, 2, 0).flatten().int().tolist(), h, w]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shifts", [(), (2,)])
def test_a_new_photo_is_exposed_as_in_python(blank, tmp_path, engine, shifts):
    easel.save(tmp_path / "m.safetensors", *easel.painter(shifts))
    blank.evaluate(OPEN, {"payload": payload(tmp_path / "m.safetensors"), "seed": 3, "prefer": engine})
    world = find(tmp_path / "m.safetensors", seed=3).world(seed=3)
    other = easel.photo((12, 16)).flip(2)

    def alike(x: torch.Tensor) -> bool:
        return bool((read(blank, x.shape) - x).abs().max() < 1e-5)

    blank.evaluate("world.tick(4)")
    world.tick(4)
    blank.evaluate(PLACE, pixels(other))
    world.expose(other)
    assert alike(world.x), "what is shown stays"
    assert blank.evaluate("world.t") == 4
    blank.evaluate("world.tick(60)")
    world.tick(60)
    assert alike(world.x)
    assert (world.layout.picture(world.x)[0] - other[easel.SWAP]).abs().max() < 1e-3
    blank.evaluate("world.reset()")
    world.reset()
    assert alike(world.x), "it begins with the new one"
    assert (world.layout.picture(world.x)[0] - other).abs().max() < 1e-6
    for _ in range(2):
        blank.evaluate("world.undo()")
        world.undo()
    assert alike(world.x)
    blank.evaluate("world.begin()")
    assert alike(begins(tmp_path / "m.safetensors", seed=3)), "it was taken back"


@pytest.mark.parametrize("engine", ENGINES)
def test_a_photo_of_another_shape_brings_its_grid(blank, tmp_path, engine):
    easel.save(tmp_path / "m.safetensors")
    blank.evaluate(OPEN, {"payload": payload(tmp_path / "m.safetensors"), "seed": 3, "prefer": engine})
    tall = easel.photo((23, 9))
    blank.evaluate("world.tick(4)")
    blank.evaluate(PLACE, pixels(tall))
    layout = find(tmp_path / "m.safetensors").layout
    want = layout.pose(tall[None], seed=3)
    assert blank.evaluate("[world.size, world.t]") == [[23, 9], 0]
    assert (read(blank, want.shape) - want).abs().max() < 1e-5
    blank.evaluate("world.tick(60)")
    assert (layout.picture(read(blank, want.shape))[0] - tall[easel.SWAP]).abs().max() < 1e-3
    assert blank.evaluate("[world.undo(), world.size, world.t, world.undo()]") == [True, [12, 16], 4, False]
    blank.evaluate("world.begin()")
    want = begins(tmp_path / "m.safetensors", seed=3)
    assert (read(blank, want.shape) - want).abs().max() < 1e-5


def test_what_is_rubbed_off_is_the_bare_photo(blank, tmp_path):
    photo = easel.save(tmp_path / "m.safetensors")
    blank.evaluate(OPEN, {"payload": payload(tmp_path / "m.safetensors"), "seed": 3, "prefer": "wasm"})
    blank.evaluate("() => { world.tick(60); world.wash(5, 6, 2); }")
    layout = find(tmp_path / "m.safetensors").layout
    x = read(blank, (1, 10, 12, 16))
    bare = (x - layout.pose(photo[None], seed=3))[0, :3].abs().amax(0) < 1e-5
    rows, columns = torch.meshgrid(torch.arange(12), torch.arange(16), indexing="ij")
    assert torch.equal(bare, (rows - 5) ** 2 + (columns - 6) ** 2 <= 4)


# ---- the player


@pytest.fixture
def painting(page, site, tmp_path):
    easel.save(tmp_path / "gogh.safetensors", size=(24, 24))
    return show(page, site, payload(tmp_path / "gogh.safetensors"))


FILE = """async ([wide, high, kind]) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: wide, height: high });
  const context = canvas.getContext("2d");
  context.fillStyle = "#ff0000";
  context.fillRect(0, 0, wide, high);
  context.fillStyle = "#0000ff";
  context.fillRect(0, high / 2, wide, high / 2);
  const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const files = new DataTransfer();
  files.items.add(new File([blob], "me.png", { type: "image/png" }));
  const bubbles = { bubbles: true, cancelable: true };
  const event = kind === "drop"
    ? new DragEvent("drop", { dataTransfer: files, ...bubbles })
    : new ClipboardEvent("paste", { clipboardData: files, ...bubbles });
  (kind === "drop" ? player.element.firstChild : document.body).dispatchEvent(event);
}"""


@pytest.mark.parametrize("kind", ["drop", "paste"])
@pytest.mark.parametrize(("photo", "grid"), [((60, 120), (34, 17)), ((300, 75), (12, 48)), ((50, 50), (24, 24))])
def test_nobody_gets_a_part_of_his_portrait(painting, kind, photo, grid):
    painting.evaluate("player.world.tick(40)")
    painting.evaluate(FILE, [*photo, kind])
    painting.wait_for_function("player.world.photo")
    rows, columns = painting.evaluate("player.world.size")
    assert (rows, columns) == grid
    assert painting.evaluate("player.camera.grid") == [rows, columns]
    assert colour(painting, 0, 0) == [255, 0, 0] or photo == (50, 50)
    painting.evaluate("player.world.reset()")
    assert colour(painting, 0, 0) == [255, 0, 0]
    assert colour(painting, rows - 1, columns - 1) == [0, 0, 255]
    assert f"{columns} {TIMES} {rows} cells" in painting.locator(".pl-toast").text_content()
    assert "pl-gone" in painting.locator(".pl-hint").get_attribute("class")
    painting.evaluate("player.world.tick(60)")
    assert colour(painting, 0, 0) == [0, 255, 0]


def test_python_takes_the_same_shape(tmp_path):
    for size, grid in (((60, 120), (34, 17)), ((300, 75), (12, 48)), ((50, 50), (24, 24)), ((900, 3), (8, 416))):
        Image.new("RGB", size).save(tmp_path / "a.png")
        assert shape_of(str(tmp_path / "a.png"), 24 * 24) == grid


def test_more_cells_paint_the_same_photo_finer(painting):
    painting.evaluate(FILE, [60, 120, "drop"])
    painting.wait_for_function("player.world.photo")
    painting.evaluate("player.act('more')")
    more = painting.get_by_role("button", name="More cells")
    more.click()
    assert painting.evaluate("player.world.size") == [48, 24]
    more.click()
    more.click()
    assert painting.evaluate("player.world.size") == [96, 48]
    assert colour(painting, 0, 0) == [255, 0, 0]
    assert colour(painting, 95, 47) == [0, 0, 255]
    assert colour(painting, 46, 5) == [255, 0, 0]
    assert colour(painting, 49, 5) == [0, 0, 255], "as sharp as the file"
    for _ in range(4):
        painting.get_by_role("button", name="Fewer cells").click()
    assert painting.evaluate("player.world.size") == [48, 24]
    painting.evaluate(FILE, [50, 50, "drop"])
    painting.wait_for_function("player.world.size[0] === player.world.size[1]")
    assert painting.evaluate("player.world.size") == [34, 34], "as many cells as were asked for"


def test_its_own_photo_can_have_more_cells_too(painting):
    before = colour(painting, 0, 0)
    painting.evaluate("player.act('wider')")
    assert painting.evaluate("player.world.size") == [48, 48]
    assert colour(painting, 0, 0) == pytest.approx(before, abs=12), "smoothed"
    painting.get_by_role("button", name="Undo").click()
    assert painting.evaluate("[player.world.size, player.camera.grid]") == [[24, 24], [24, 24]]
    assert colour(painting, 0, 0) == before


def test_the_photo_is_seen_while_it_is_held(painting):
    photo = pixel(painting, 5, 6)
    painting.evaluate("player.world.tick(60); player.draw()")
    painted = pixel(painting, 5, 6)
    assert painted == pytest.approx([photo[k] for k in easel.SWAP], abs=2)
    painting.locator(".pl-stage").focus()
    painting.keyboard.down("u")
    assert pixel(painting, 5, 6) == pytest.approx(photo, abs=2)
    painting.keyboard.up("u")
    assert pixel(painting, 5, 6) == painted
    button = painting.get_by_role("button", name="Hold to see the photo")
    box = button.bounding_box()
    painting.mouse.move(box["x"] + 9, box["y"] + 9)
    painting.mouse.down()
    assert pixel(painting, 5, 6) == pytest.approx(photo, abs=2)
    painting.mouse.up()
    assert pixel(painting, 5, 6) == painted
    button.focus()
    for seen in (photo, painted):
        painting.keyboard.press("Enter")
        assert pixel(painting, 5, 6) == pytest.approx(seen, abs=2)


def test_its_words_are_of_photos(painting):
    assert "Drop a photo" in painting.locator(".pl-hint").inner_text()
    assert painting.locator(".pl-status").inner_text() == "step 0 · paused"
    for name, there in (("Plant a seed", False), ("Erase the paint", True), ("Hold to see the photo", True)):
        assert painting.get_by_role("button", name=name).is_visible() == there, name
    painting.keyboard.press("?")
    assert painting.get_by_text("Hold to see the photo").is_visible()
    assert not painting.get_by_text("Plant seeds, or paint again").is_visible()
    painting.keyboard.press("Escape")
    painting.evaluate("player.act('more')")
    assert not painting.get_by_role("button", name="Fill").is_visible()
    painting.evaluate("player.act('clear')")
    assert "painted again" in painting.locator(".pl-toast").text_content()


def test_paint_is_rubbed_off_by_the_brush(painting):
    photo = colour(painting, 9, 12)
    painting.evaluate("player.world.tick(60)")
    painting.mouse.click(*at(painting, 9, 12))
    assert colour(painting, 9, 12) == photo
    assert painting.evaluate("window.erased") is None
    painting.keyboard.press("z")
    assert colour(painting, 9, 12) != photo


def test_an_organism_and_a_texture_have_words_of_their_own(painting, tmp_path):
    painting.evaluate("(model) => player.setModel(model)", payload("heart"))
    assert painting.get_by_role("button", name="Plant a seed").is_visible()
    assert painting.get_by_role("button", name="Erase cells").is_visible()
    assert not painting.get_by_role("button", name="Hold to see the photo").is_visible()
    assert "It heals" in painting.locator(".pl-hint").inner_text()
    painting.evaluate("(model) => player.setModel(model)", texture(tmp_path))
    assert "It grows over" in painting.locator(".pl-hint").inner_text()
    assert not painting.get_by_role("button", name="Plant a seed").is_visible()
    painting.evaluate("player.world.tick(40)")
    assert colour(painting, 9, 12) == [255, 64, 191]
    painting.mouse.click(*at(painting, 9, 12))
    assert colour(painting, 9, 12) == [128, 128, 128], "a hole is as grey as where it began"
    painting.evaluate("player.world.tick(40)")
    assert colour(painting, 9, 12) == [255, 64, 191]


def texture(folder):
    """From grey to one colour."""
    rule = Rule(RuleConfig(channels=5, filters=("identity",), hidden=(), bias="all", life="none", fire_rate=1.0))
    with torch.no_grad():
        rule.weights[0].copy_(-0.5 * torch.eye(5))
        rule.biases[0].copy_(0.5 * torch.tensor([0.5, -0.25, 0.25, 0.0, 0.0]))
    store.save(folder / "wall.safetensors", rule, Layout(3, None, hidden=2, offset=0.5), {"grid": [24, 24]})
    return payload(folder / "wall.safetensors")


def test_a_slow_browser_begins_with_fewer_cells(page, site, tmp_path):
    layout = Layout(3, None, hidden=12, frozen=3, offset=0.5)
    rule = random_rule(
        channels=18, frozen=3, hidden=(90, 90), bias="all", life="none", fire_rate=1.0, edge="circular",
        filters=("identity", "sobel", "laplacian"), spread=0.01,
    ).float()  # fmt: skip
    easel.save(tmp_path / "m.safetensors", rule, layout, size=(320, 320))
    show(page, site, payload(tmp_path / "m.safetensors"))
    rows, columns = page.evaluate("player.world.size")
    assert rows == columns
    assert 200 <= rows <= 240
    assert "fewer cells go faster" in page.locator(".pl-about").text_content()
    show(page, site, payload(tmp_path / "m.safetensors"), size=[320, 320])
    assert page.evaluate("player.world.size") == [320, 320], "as asked for"


def test_a_camera_is_repainted_live(open_page, tmp_path):
    page = open_page()
    page.add_init_script(CAMERA)
    easel.save(tmp_path / "gogh.safetensors", size=(24, 24))
    text = exported(store.read(tmp_path / "gogh.safetensors"))
    assert "painted with planaria" in text
    (tmp_path / "gogh.html").write_text(text)
    page.goto((tmp_path / "gogh.html").as_uri())
    page.locator(".pl-status", has_text="step").wait_for()
    page.get_by_role("button", name="More", exact=True).click()
    page.get_by_role("button", name="Webcam").click()
    page.locator("[data-act=webcam][aria-pressed=true]").wait_for()
    assert page.locator(".pl-row span", has_text=f"34 {TIMES} 17").count() == 1
    page.evaluate("new Promise((done) => setInterval(() => pictures > 9 && done(null), 20))")
    page.get_by_role("button", name="Webcam").click()
    assert page.evaluate("track.readyState") == "ended"
    assert page.get_by_role("button", name="Webcam").get_attribute("aria-pressed") == "false"


CAMERA = """
window.pictures = 0;
navigator.mediaDevices.getUserMedia = async () => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 32 });
  const context = canvas.getContext("2d");
  setInterval(() => {
    window.pictures++;
    context.fillStyle = window.pictures % 2 ? "#ff0000" : "#f00000";
    context.fillRect(0, 0, 64, 32);
  }, 50);
  const stream = canvas.captureStream(30);
  window.track = stream.getTracks()[0];
  return stream;
};
"""


def test_a_phone_has_room_for_the_photo_too(open_page, site, tmp_path):
    page = open_page(viewport={"width": 360, "height": 700}, device_scale_factor=2, has_touch=True, is_mobile=True)
    easel.save(tmp_path / "gogh.safetensors", size=(24, 24))
    show(page, site, payload(tmp_path / "gogh.safetensors"))
    page.evaluate("player.act('more')")
    boxes = page.evaluate(
        """[...document.querySelectorAll("button, select")].filter((e) => e.checkVisibility())
          .map((e) => [e.ariaLabel ?? e.textContent, e.getBoundingClientRect()])
          .map(([name, b]) => [name, b.width, b.height, b.left, b.right])"""
    )
    assert {"Hold to see the photo", "Webcam", "Choose one"} <= {name for name, *_ in boxes}
    for name, wide, high, left, right in boxes:
        assert min(wide, high) >= 40, name
        assert 0 <= left < right <= 360, name
