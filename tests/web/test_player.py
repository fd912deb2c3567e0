"""The player in a real browser: what a hand and a key do to the cells."""

import pytest
from helpers.players import ERROR, at, colour, drag, grow, held, pixel, show

pytest_plugins = ("helpers.browser",)


@pytest.fixture
def shown(page, site):
    return show(page, site)


def test_it_is_damaged_by_dragging_and_heals(shown):
    grow(shown, 160)
    h, w = shown.evaluate("player.world.size")
    assert shown.evaluate(ERROR) == 0
    drag(shown, (h / 2, w / 2 - 16), (h / 2, w / 2 + 16), steps=2)
    damaged = shown.evaluate(ERROR)
    assert damaged > 0.01
    shown.keyboard.press(">")
    shown.evaluate("player.hurry(1); player.play()")
    shown.wait_for_function("player.world.t > 380")
    shown.evaluate("player.pause()")
    assert shown.evaluate(ERROR) < damaged / 4
    assert "pl-gone" in (shown.locator(".pl-hint").get_attribute("class") or "")
    assert shown.evaluate("erased[0]").startswith("circle(")


def test_a_fast_stroke_leaves_no_gap(shown):
    shown.evaluate("player.world.randomise(); player.size(1)")
    drag(shown, (10, 5), (30, 45), steps=1)
    for i in range(5, 46):
        row = round(10 + (i - 5) / 2)
        assert colour(shown, row, i) == [255, 255, 255], (row, i)
    assert shown.evaluate("player.world.past.length") == 2, "a stroke is one step of undo"


def test_paint_pick_plant_and_undo(shown):
    shown.evaluate("player.world.clear(); player.size(2)")
    shown.get_by_role("button", name="Paint a colour").click()
    shown.get_by_role("button", name="Colour #2e6fb7").click()
    shown.mouse.click(*at(shown, 9, 12))
    assert colour(shown, 9, 12) == colour(shown, 11, 12) == [0x2E, 0x6F, 0xB7] == pixel(shown, 9, 12)
    assert colour(shown, 12, 12) == [255, 255, 255]
    shown.get_by_role("button", name="Colour #f2a541").click()
    shown.mouse.click(*at(shown, 30, 30))
    shown.mouse.click(*at(shown, 9, 12), button="right")
    assert shown.evaluate("player.brush.colour") == [0x2E, 0x6F, 0xB7]
    shown.get_by_role("button", name="Pick a colour").click()
    shown.mouse.click(*at(shown, 30, 30))
    assert shown.evaluate("[player.brush.colour, player.brush.tool]") == [[0xF2, 0xA5, 0x41], "paint"]
    shown.get_by_role("button", name="Plant a seed").click()
    shown.mouse.click(*at(shown, 20, 21))
    assert held(shown, 20, 21) == 1
    shown.get_by_role("button", name="Undo").click()
    assert held(shown, 20, 21) == 0
    assert colour(shown, 30, 30) == [0xF2, 0xA5, 0x41]


def test_play_pause_and_step(shown):
    assert shown.evaluate("player.world.t") == 0
    shown.get_by_role("button", name="One step").click()
    assert shown.evaluate("player.world.t") == 1
    shown.get_by_role("button", name="Play").click()
    shown.wait_for_function("player.world.t > 5")
    shown.get_by_role("button", name="Pause").click()
    stopped = shown.evaluate("player.world.t")
    shown.wait_for_timeout(200)
    assert shown.evaluate("[player.world.t, player.request]") == [stopped, 0], "a pause costs nothing"
    assert f"step {stopped}" in shown.locator(".pl-status").inner_text()


def test_a_slow_model_leaves_the_page_at_ease(shown):
    """However fast it should go, a frame stops ticking after its budget."""
    ticks = """() => {
      const { clock } = player;
      Object.assign(clock, { most: 256, owed: 200, credit: 200, before: performance.now() });
      let n = 0;
      clock.run(performance.now(), () => {
        n++;
        for (const end = performance.now() + 8; performance.now() < end; );
      });
      return n;
    }"""
    assert shown.evaluate(ticks) <= 2


def test_the_speed_slider_is_logarithmic(shown):
    speeds = shown.evaluate("[0, 0.5, 1].map((s) => { player.clock.slide = s; return player.clock.speed; })")
    assert speeds == [1, 60, 3840]
    shown.get_by_role("slider", name="Speed").fill("0")
    assert shown.locator(".pl-rate").inner_text() == "1/s"


def test_everything_by_keyboard(shown):
    shown.locator(".pl-stage").focus()
    shown.keyboard.press("Space")
    assert shown.evaluate("player.playing")
    shown.keyboard.press("Space")
    assert not shown.evaluate("player.playing")
    t = shown.evaluate("player.world.t")
    shown.keyboard.press(".")
    assert shown.evaluate("player.world.t") == t + 1
    for key, tool in zip("pamgve", ["plant", "paint", "pan", "pick", "pick", "erase"], strict=True):
        shown.keyboard.press(key)
        assert shown.evaluate("player.brush.tool") == tool
    shown.keyboard.press("n")
    h, w = shown.evaluate("player.world.size")
    for _ in range(3):
        shown.keyboard.press("ArrowUp")
    shown.keyboard.press("ArrowRight")
    shown.keyboard.press("Enter")
    spot = h // 2 - 3, w // 2 + 1
    assert held(shown, *spot) == 0
    assert shown.evaluate("erased.at(-1)") == f"circle({spot[1]},{spot[0]},{shown.evaluate('player.brush.radius')})"
    shown.keyboard.press("z")
    assert held(shown, *spot) != 0
    shown.keyboard.press("1")
    assert held(shown, 5, 5) == 0 != held(shown, 5, w - 5)
    shown.keyboard.press("c")
    assert shown.evaluate("player.world.read().every((v) => v === 0)")
    shown.keyboard.press("i")
    assert shown.evaluate("player.world.t") == 0
    shown.keyboard.press(">")
    shown.keyboard.press("+")
    assert shown.evaluate("player.clock.speed") > 60
    shown.keyboard.press("?")
    assert shown.locator("dialog").is_visible()
    assert "Play or pause" in shown.locator("dialog").inner_text()
    shown.keyboard.press("Escape")
    assert not shown.locator("dialog").is_visible()


def test_tab_reaches_every_control_and_shows_where_it_is(shown):
    shown.evaluate("document.body.focus()")
    reached = []
    for _ in range(40):
        shown.keyboard.press("Tab")
        name = shown.evaluate("document.activeElement.ariaLabel")
        if name is None or name in reached:
            break
        reached.append(name)
        outline = shown.evaluate(
            "(e => getComputedStyle(e).outlineStyle + getComputedStyle(e).boxShadow)(document.activeElement)"
        )
        assert "solid" in outline or "inset" in outline, name
    for name in (
        "Play",
        "One step",
        "Undo",
        "Begin again",
        "Plant a seed",
        "Size of the brush",
        "Speed",
        "Damage",
        "More",
    ):
        assert name in reached


def test_damage_and_more_open_from_the_bar(shown):
    grow(shown, 60)
    shown.get_by_role("button", name="Damage").click()
    shown.get_by_role("button", name="Left half").click()
    assert shown.evaluate("erased") == ["left"]
    assert shown.evaluate(ERROR) > 0
    shown.keyboard.press("Escape")
    assert shown.locator(".pl-shapes").is_hidden()
    shown.get_by_role("button", name="More", exact=True).click()
    about = shown.locator(".pl-about").inner_text()
    assert "8,320 parameters" in about
    assert "WebAssembly" in about
    h, w = shown.evaluate("player.world.size")
    shown.get_by_role("button", name="More cells").click()
    assert shown.evaluate("player.world.size") == [h + 8, w + 8]
    shown.get_by_role("button", name="Fill").click()
    rows, columns = shown.evaluate("player.world.size")
    assert columns > rows, "a wide window has room for a wide grid"
    shown.get_by_label("Random seed").fill("7")
    shown.get_by_label("Random seed").blur()
    assert shown.evaluate("player.world.seed") == 7
    shown.get_by_role("button", name="dark").click()
    assert max(pixel(shown, 0, 0)) < 40


def test_the_view_of_one_channel(shown):
    grow(shown, 20)
    shown.get_by_role("button", name="More", exact=True).click()
    names = shown.locator("select option").all_inner_texts()
    assert names[:6] == ["colour", "red", "green", "blue", "alpha", "hidden 1"]
    shown.get_by_label("What is shown").select_option("alpha")
    h, w = shown.evaluate("player.world.size")
    alive = shown.evaluate(
        "() => { const [h, w] = player.world.size; return player.world.read()[3*h*w + (h>>1)*w + (w>>1)] }"
    )
    red, green, blue = pixel(shown, h // 2, w // 2)
    assert red == 255
    assert green == blue == pytest.approx(255 * (1 - min(1, alive)), abs=1)
    shown.keyboard.press("Escape")
    shown.keyboard.press("]")
    assert shown.evaluate("player.channel") == 4
    shown.keyboard.press("[")
    assert shown.evaluate("player.channel") == 3
    shown.keyboard.press("0")
    assert shown.evaluate("player.channel") is None


@pytest.mark.parametrize("turn", [-300, 240])
def test_the_cell_under_the_pointer_stays_there(shown, turn):
    spot = at(shown, 20, 37)
    shown.mouse.move(*spot)
    scale = shown.evaluate("player.camera.scale")
    shown.mouse.wheel(0, turn)
    shown.wait_for_function("(scale) => player.camera.scale !== scale", arg=scale)
    assert at(shown, 20, 37) == pytest.approx(spot, abs=0.01)
    assert (shown.evaluate("player.camera.scale") > scale) == (turn < 0)


def test_panning_moves_the_grid_with_the_hand(shown):
    before = shown.evaluate("player.world.read().reduce((a, b) => a + b)")
    for button, key in (("middle", None), ("left", "Space")):
        spot = at(shown, 20, 20)
        shown.mouse.move(*spot)
        if key:
            shown.keyboard.down(key)
        shown.mouse.down(button=button)
        shown.mouse.move(spot[0] + 40, spot[1] - 30)
        shown.mouse.up(button=button)
        if key:
            shown.keyboard.up(key)
        assert at(shown, 20, 20) == pytest.approx([spot[0] + 40, spot[1] - 30], abs=0.01)
    assert shown.evaluate("[player.playing, player.world.read().reduce((a, b) => a + b)]") == [False, before]


def test_shift_and_wheel_size_the_brush(shown):
    shown.mouse.move(*at(shown, 20, 20))
    radius = shown.evaluate("player.brush.radius")
    shown.keyboard.down("Shift")
    shown.mouse.wheel(0, -100)
    shown.keyboard.up("Shift")
    shown.wait_for_function("(r) => player.brush.radius === r + 1", arg=radius)
