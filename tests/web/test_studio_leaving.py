"""The studio's pages when one leaves them: what they asked for is asked for no more."""

import asyncio
import threading

import pytest

pytest_plugins = ("helpers.browser",)
studios = pytest.importorskip("helpers.studios", reason="the studio's libraries are not installed")


@pytest.fixture
def place(tmp_path):
    with studios.studio(tmp_path / "runs") as s:
        yield s


@pytest.fixture
def slowly(place, monkeypatch):
    """Films of this studio are made once this is set."""
    free, do = threading.Event(), place.inside.slow.do

    async def later(job, **arguments):
        while not free.is_set():
            await asyncio.sleep(0.02)
        return await do(job, **arguments)

    monkeypatch.setattr(place.inside.slow, "do", later)
    yield free
    free.set()


@pytest.mark.parametrize("to", ["bin", "elsewhere"])
def test_a_film_that_nobody_waits_for_is_not_asked_for(place, slowly, open_plain, to):
    studios.model(place.folder / "half-filmed" / "model.safetensors")
    page = open_plain()
    page.route("**/made/gallery/**", lambda route: route.fulfill(status=204))
    asked, dropped = set(), set()
    mine = f"{place.origin}/made/runs/half-filmed/"
    page.on("request", lambda request: asked.add(request.url) if request.url.startswith(mine) else None)
    page.on("requestfailed", lambda request: dropped.add(request.url) if request.url.startswith(mine) else None)
    with page.expect_request("**/strip.png*"):
        page.goto(f"{place.origin}/#/run/half-filmed")
    page.locator(".film-moving").wait_for(state="attached")
    if to == "bin":
        page.get_by_role("button", name="Move to bin").click()
        page.get_by_role("button", name="Move it").click()
    else:
        page.locator("nav [data-route=new]").click()
    page.locator(".film-moving").wait_for(state="detached")
    studios.until(lambda: page.wait_for_timeout(20) or len(asked) == 2 == len(dropped))
    assert (place.folder / "half-filmed").exists() == (to == "elsewhere")
