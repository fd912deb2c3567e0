"""Pages that everybody can use: axe-core finds no violation, in light and dark, on a laptop's and a phone's screen."""

import pytest

from planaria import store
from planaria.export.html import learning, page

pytest_plugins = ("helpers.browser",)
pytestmark = pytest.mark.browser
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")

SCREENS = {"laptop": {"width": 1440, "height": 900}, "phone": {"width": 390, "height": 844}}


def violations(page) -> list[str]:
    """What axe-core finds in a page as it is now, a line each."""
    found = axe.Axe().run(page).response["violations"]
    return [f"{v['id']}: {v['help']}: {node['html'][:200]}" for v in found for node in v["nodes"]]


@pytest.fixture(params=SCREENS)
def screen(request, open_plain):
    return lambda scheme: open_plain(viewport=SCREENS[request.param], color_scheme=scheme)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_playground(screen, site, scheme):
    page = screen(scheme)
    page.goto(site.put("playground.html", learning(None)))
    page.get_by_role("button", name="Grow it").wait_for()
    for tab in ("Emoji", "Word", "Draw", "Photo", "Pictures"):
        page.get_by_role("tab", name=tab).click()
        assert violations(page) == [], tab
    page.get_by_role("button", name="heart").first.click()
    page.get_by_role("button", name="Grow it").click()
    page.get_by_role("button", name="Pause").first.wait_for()
    assert violations(page) == []


def test_an_exported_page_and_its_sheet_of_keys(screen, site):
    shown = screen("light")
    shown.goto(site.put("lizard.html", page(store.read("lizard"))))
    shown.locator(".pl-status", has_text="step").wait_for()
    assert violations(shown) == []
    shown.keyboard.press("h")
    shown.locator("dd", has_text="Erase the left half").wait_for()
    assert violations(shown) == []
