"""The infection in the browser: a click infects what lives, as in Python, and it spreads to the same cells."""

import pytest
import torch
from helpers import infected
from helpers.payloads import payload
from helpers.players import MODEL, at, show

from planaria.core.infection import Spread
from planaria.core.infection_site import InfectionSite
from planaria.living import find

pytest_plugins = ("helpers.browser",)

LIVE = """async ({payload, prefer, deeds}) => {
  const { World } = await import("/world/world.js");
  const { infect } = await import("/world/damage.js");
  const world = new World(payload, { size: [12, 12], seed: 7, prefer });
  const seen = [];
  for (const [deed, ...told] of deeds) {
    if (deed === "infect") infect(world, ...told);
    else world[deed](...told);
    seen.push([...world.read()]);
  }
  return seen;
}"""
DEEDS = [
    ("tick", 20), ("infect", 6, 6, 1.5), ("tick", 3), ("erase", "noise(0.2)"), ("tick", 5), ("randomise",),
    ("infect", 2, 9, 1), ("tick", 2), ("reset",), ("tick", 6), ("plant", 2, 2), ("infect", -3, 99, 2), ("tick", 9),
]  # fmt: skip


@pytest.mark.parametrize("engine", ["webgl2", "wasm"])
@pytest.mark.parametrize("spread", [Spread(), Spread(delay=2, recovery=9, chance=0.5), Spread(contact=False)], ids=str)
def test_it_spreads_as_in_python(blank, tmp_path, engine, spread):
    ill = infected.save(tmp_path, spread)[2]
    seen = blank.evaluate(LIVE, {"payload": payload(ill), "prefer": engine, "deeds": DEEDS})
    world = find(ill).world(seed=7)
    for (deed, *told), there in zip(DEEDS, seen, strict=True):
        if deed == "infect":
            world.infect(InfectionSite("disc", tuple(told)))
        else:
            getattr(world, deed)(*told)
        theirs = torch.tensor(there, dtype=torch.float32).view(world.x.shape)
        torch.testing.assert_close(theirs, world.x, atol=1e-4, rtol=1e-4)
        assert torch.equal(theirs[0, 8:], world.x[0, 8:]), deed


@pytest.fixture
def dish(blank, site, tmp_path):
    return show(blank, site, payload(infected.save(tmp_path)[2]))


def sick(page) -> int:
    return page.evaluate("player.world.read().slice(8 * 144).reduce((sum, v) => sum + v, 0)")


def test_a_click_infects_and_it_takes_over(dish):
    assert dish.locator(".pl-hint").inner_text() == "Click to infect it, and watch it spread."
    assert dish.locator("[data-act=infect][aria-pressed=true]").count() == 1
    dish.evaluate("player.world.tick(20); player.size(1)")
    assert sick(dish) == 0
    dish.mouse.click(*at(dish, 6, 6))
    assert sick(dish) == 5
    assert "pl-gone" in dish.locator(".pl-hint").get_attribute("class")
    dish.evaluate("player.world.tick(60)")
    assert sick(dish) == 144
    red, green, _ = dish.evaluate("player.world.pick(6, 8)")
    assert green > 150 > 100 > red
    dish.keyboard.press("z")
    assert sick(dish) == 0
    dish.keyboard.press("e")
    assert dish.evaluate("player.brush.tool") == "erase"
    dish.keyboard.press("v")
    assert dish.evaluate("player.brush.tool") == "infect"
    assert dish.evaluate("player.bar.names").count("infection 1") == 1


def test_one_that_stays_says_so(blank, site, tmp_path):
    page = show(blank, site, payload(infected.save(tmp_path, Spread(contact=False))[2]))
    assert page.locator(".pl-hint").inner_text() == "Drag to infect cells. The infection stays where you put it."
    assert page.locator("[data-act=infect][aria-pressed=true]").count() == 1


def test_others_have_no_such_tool(blank, site):
    page = show(blank, site, MODEL)
    assert not page.locator("[data-act=infect]").first.is_visible()
    page.keyboard.press("v")
    assert page.evaluate("player.brush.tool") == "erase"
    page.evaluate("(model) => player.setModel(model)", MODEL)
    assert not page.locator("[data-act=infect]").first.is_visible()
