"""The players in a browser say once that a life burst or died out, in either engine, with the bounds of Python."""

import pytest
from helpers import bursting, films
from helpers.payloads import payload
from helpers.players import show

from planaria.core import bounds

pytest_plugins = ("helpers.browser",)

LATER = """async (steps) => {
  const { world } = player, { gauge } = Object.getPrototypeOf(world);
  let found = 0;
  world.gauge = function (life) {
    const told = gauge.call(this, life);
    found += told !== null;
    return told;
  };
  world.tick(steps);
  while (found < 2) {
    const line = player.health.look(world, 1000 * ++window.looks, (t) => player.clock.moment(t));
    if (line) window.lines.push(line);
    await new Promise((done) => setTimeout(done, 10));
  }
}"""


def look(page, steps: int) -> list[str]:
    """All lines by `steps` steps later, beside what the card said at first."""
    page.evaluate("() => { window.looks ??= 0; window.lines ??= []; }")
    page.evaluate(LATER, steps)
    return page.evaluate("window.lines")


@pytest.fixture
def models(tmp_path):
    films.save(tmp_path / "burst.safetensors", bursting.bursting(3), visible=3)
    films.save(tmp_path / "drift.safetensors", visible=3)
    bursting.save_fading(tmp_path / "fading.safetensors")
    bursting.save_stopped(tmp_path / "run")
    return tmp_path


def test_a_model_tells_its_bounds_and_where_its_training_stopped(models):
    assert payload(models / "burst.safetensors")["bounds"] == [bounds.PICTURE, bounds.CELL]
    assert payload("lizard")["bounds"] == [bounds.CELL, bounds.CELL]
    assert payload(models / "run")["stopped"] == "stopped at iteration 68 of 1,200"
    assert payload("lizard")["stopped"] == ""


@pytest.mark.parametrize("prefer", ["wasm", "webgl2"])
def test_a_burst_is_said_once_until_somebody_begins_anew(page, site, models, prefer):
    show(page, site, payload(models / "burst.safetensors"), prefer=prefer)
    assert page.evaluate("player.world.kind") == prefer
    assert look(page, 2) == []
    says = ": numbers beyond those of any working model; train it longer, or on longer lives; I begins again."
    assert look(page, 10) == [f"It burst by frame 6 (step 12){says}"]
    assert len(look(page, 400)) == 1
    page.evaluate("player.act('reset')")
    assert len(look(page, 0)) == 1
    assert len(look(page, 500)) == 2  # by now these are no numbers any more


@pytest.mark.parametrize("prefer", ["wasm", "webgl2"])
def test_what_works_is_left_in_peace(page, site, models, prefer):
    show(page, site, payload(models / "drift.safetensors"), prefer=prefer)
    assert look(page, 60) == []
    show(page, site, prefer=prefer)
    page.evaluate("player.world.randomise()")
    assert look(page, 60) == []
    page.evaluate("player.act('clear')")
    assert look(page, 90) == []


@pytest.mark.parametrize("prefer", ["wasm", "webgl2"])
def test_a_death_is_said_and_an_erasure_isn_t(page, site, models, prefer):
    show(page, site, payload(models / "fading.safetensors"), prefer=prefer)
    assert look(page, 1) == []
    assert look(page, 8) == ["No cell is left alive by step 9; I begins again."]
    page.evaluate("player.act('reset')")
    assert len(look(page, 1)) == 1
    page.evaluate("player.act('left'); player.act('right')")
    assert len(look(page, 9)) == 1


@pytest.mark.parametrize("prefer", ["wasm", "webgl2"])
def test_the_gauge_is_the_largest_number(page, site, prefer):
    show(page, site, prefer=prefer)
    told = """async () => {
      player.world.tick(30);
      let found = player.world.gauge();
      while (!found) {
        await new Promise((done) => setTimeout(done, 10));
        found = player.world.gauge();
      }
      const x = player.world.read(), n = x.length / 16;
      const most = (from, end) => x.slice(from * n, end * n).reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      return [found.shown, most(0, 4), found.held, most(4, 16), found.living, most(3, 4), found.t];
    }"""
    shown, want, held, other, living, alive, t = page.evaluate(told)
    assert (shown, held, living, t) == (want, other, alive, 30)
    assert min(want, other, alive) > 0.1


def test_a_running_player_says_it_by_itself(page, site, models):
    show(page, site, payload(models / "run"), speed=30)
    toast = page.locator(".pl-toast")
    toast.filter(has_text="Its training stopped at iteration 68 of 1,200.").wait_for(state="attached")
    page.evaluate("player.act('play')")  # only now: the burst takes the first line's place within a second
    toast.filter(has_text="its training stopped at iteration 68 of 1,200: train it to its end").wait_for(
        state="attached"
    )
    assert "training stopped at iteration 68 of 1,200" in page.evaluate("player.about()")
