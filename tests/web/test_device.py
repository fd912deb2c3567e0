"""What the player makes of a device: its screen, its fingers, what it can record, how much it may move."""

import pytest
from helpers.players import MODEL, PAGE, grow, show

pytest_plugins = ("helpers.browser",)


@pytest.fixture
def shown(page, site):
    return show(page, site)


def test_a_video_is_recorded_and_saved(shown):
    grow(shown, 40)
    shown.locator(".pl-stage").focus()
    shown.keyboard.press("r")
    assert shown.evaluate("player.element.classList.contains('pl-recording')")
    assert "Recording a video" in shown.locator(".pl-toast").inner_text()
    shown.evaluate("""async () => {
      for (let k = 0; k < 12; k++) {
        player.live();
        player.stir();
        await new Promise((done) => setTimeout(done, 50));
      }
    }""")
    shown.get_by_role("button", name="More", exact=True).click()
    with shown.expect_download() as saved:
        shown.get_by_role("button", name="Stop recording").click()
    assert saved.value.suggested_filename == "ladybird-40.webm"
    data = saved.value.path().read_bytes()
    assert data[:4] == b"\x1aE\xdf\xa3"
    assert len(data) > 2000
    assert shown.get_by_role("button", name="Record video").is_visible()
    assert not shown.evaluate("player.element.classList.contains('pl-recording')")


def test_a_recording_ends_with_its_player(shown):
    shown.evaluate("player.act('record')")
    state = "() => { const { tape } = player.recorder; player.destroy(); return [tape.state, tape.ondataavailable]; }"
    assert shown.evaluate(state) == ["inactive", None]


def test_the_player_takes_the_whole_screen_and_gives_it_back(shown):
    shown.get_by_role("button", name="Fullscreen").click()
    shown.wait_for_function("document.fullscreenElement === player.element")
    shown.locator(".pl-stage").focus()
    shown.keyboard.press("w")
    shown.wait_for_function("document.fullscreenElement === null")
    shown.evaluate("() => { player.element.requestFullscreen = () => Promise.reject(new Error()); }")
    shown.keyboard.press("w")
    shown.locator(".pl-toast", has_text="no page the whole screen").wait_for(state="attached")


def test_where_nothing_may_move_it_stands_grown(open_page, site):
    page = open_page(reduced_motion="reduce")
    show(page, site, autoplay=True)
    assert page.evaluate("player.playing") is True, "what is chosen is chosen"
    page.goto("about:blank")
    page.goto(site.put("page.html", PAGE))
    page.evaluate(
        """async (model) => {
          const { mount } = await import("/player/player.js");
          window.player = mount(document.getElementById("host"), model, { prefer: "wasm" });
        }""",
        MODEL,
    )
    assert page.evaluate("player.playing") is False
    t = page.evaluate("player.world.t")
    assert t > 0
    assert "asks for little motion" in page.locator(".pl-toast").text_content()
    page.get_by_role("button", name="Play").click()
    page.wait_for_function(f"player.world.t > {t}")


def test_fingers_come_first_in_the_help_of_a_phone(open_page, site):
    page = open_page(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    show(page, site)
    page.get_by_role("button", name="Help").tap()
    lines = page.locator(".pl-help dl > div").all_inner_texts()
    assert [line.split("\n")[0] for line in lines[:2]] == ["Tap, drag", "Two fingers"]
    assert page.get_by_role("dialog", name="Touch and keys").is_visible()
    assert not any("Right click" in line for line in lines)
