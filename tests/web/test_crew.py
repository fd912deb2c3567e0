"""Workers that make long steps: the very numbers of one engine alone, and nobody's edit lost."""

import json

import pytest
from helpers.payloads import payload
from helpers.rules import rule as random_rule

from planaria import store
from planaria.core.layout import Layout
from planaria.web.bundle import bundle, text

pytest_plugins = ("helpers.browser",)

SIZE = [140, 21]
RULES = {
    "a body": {},
    "a texture on a torus": {"edge": "circular", "life": "none"},
    "life on a torus": {"edge": "circular"},
    "filters that reach far": {"filters": ("identity", "sobel@5"), "life": "after", "edge": "replicate"},
    "every cell acts": {"fire_rate": 1.0, "life": "before", "dt": 0.25},
}
WORK = """
const open = (prefer) => new World(payload, { size, seed: 7, prefer });
const [world, alone] = [open("wasm"), open("wasm")];
const noise = Float32Array.from(world.read(), (_, i) => ((i * 2654435761) % 1000) / 1000);
for (const one of [world, alone]) one.engine.write(noise, one.whole);
const ask = () => {
  world.engine.late = 3; // as after long steps
  return world.flow();
};
const flow = async () => {
  let waits = 0;
  for (; !ask(); waits++) await new Promise((done) => setTimeout(done, 5));
  return waits;
};
const same = () => {
  const [a, b] = [world.read(), alone.read()].map((x) => new Uint32Array(x.buffer));
  return world.t === alone.t && a.length === b.length && a.every((v, i) => v === b[i]);
};
"""
IN_PAGE = """async ({payload, size, then}) => {
  Object.defineProperty(navigator, "hardwareConcurrency", { value: 4 });
  const { World } = await import("/world/world.js");
  return eval(`(async () => {${then}})()`);
}"""


def model(tmp_path, **settings) -> dict:
    rule = random_rule(**{"channels": 9, "spread": 0.1, **settings}).float()
    frozen = rule.config.frozen
    store.save(tmp_path / "m.safetensors", rule, Layout(4, 3, hidden=5 - frozen, frozen=frozen))
    return payload(tmp_path / "m.safetensors")


def ask(page, told: dict, then: str):
    return page.evaluate(IN_PAGE, {"payload": told, "size": SIZE, "then": WORK + then})


@pytest.mark.parametrize("name", RULES)
def test_bands_of_workers_make_the_steps_of_one(blank, tmp_path, name):
    bands, waits, same = ask(
        blank,
        model(tmp_path, **RULES[name]),
        """
        let waits = 0;
        const found = [];
        for (let k = 0; k < 12; k++) {
          waits += await flow();
          alone.tick();
          found.push(same());
        }
        return [world.engine.crew.bands.length, waits, found];
        """,
    )
    assert bands == (1 if name == "life on a torus" else 3)
    assert waits >= 12, "nothing was left to workers"
    assert same == [True] * 12


def test_what_is_drawn_while_they_work_is_drawn_onto_the_step(blank, tmp_path):
    assert ask(
        blank,
        model(tmp_path, frozen=2),
        """
        await flow();
        alone.tick();
        const begun = ask();
        world.paint(60, 10, 4, { 0: 1, 3: 1 });
        world.erase("circle(10,70,6)");
        const photo = new Float32Array(2 * size[0] * size[1]).fill(0.5);
        world.engine.write(photo, world.whole, world.own);
        await flow();
        alone.tick();
        alone.paint(60, 10, 4, { 0: 1, 3: 1 });
        alone.erase("circle(10,70,6)");
        alone.engine.write(photo, alone.whole, alone.own);
        const found = [begun, same()];
        await flow();
        alone.tick();
        return [...found, same()];
        """,
    ) == [False, True, True]


def test_what_begins_anew_is_no_step_further(blank, tmp_path):
    assert ask(
        blank,
        model(tmp_path),
        """
        await flow();
        ask();
        world.reset();
        const [t, fresh] = [world.t, world.read()];
        await new Promise((done) => setTimeout(done, 200));
        const kept = world.read().every((v, i) => v === fresh[i]);
        alone.reset();
        await flow();
        alone.tick();
        ask();
        const { weights, biases } = world.model;
        const other = Float32Array.from([...weights, ...biases].flatMap((w) => [...w]), (v) => -v);
        for (const one of [world, alone]) one.setWeights(other);
        const changed = [same()];
        await flow();
        alone.tick();
        return [t, kept, ...changed, same()];
        """,
    ) == [0, True, True, True]


def test_short_steps_come_back_from_the_workers(blank, tmp_path):
    assert ask(
        blank,
        model(tmp_path),
        """
        alone.engine.late = 3;
        let flights = 0;
        for (let k = 0; k < 500 && alone.engine.late; k++) {
          flights += Number(alone.flow());
          await new Promise((done) => setTimeout(done, 5));
        }
        return [alone.engine.late, flights > 0, alone.flow()];
        """,
    ) == [0, True, True]


@pytest.mark.parametrize("broken", ["(class { constructor() { throw new Error('none') } })", "undefined", "FAILS"])
def test_where_no_worker_starts_the_page_does_it(blank, tmp_path, allowed, broken):
    fails = "class { constructor() { setTimeout(() => this.onerror({})) } postMessage() {} terminate() {} }"
    assert ask(
        blank,
        model(tmp_path),
        f"""
        globalThis.Worker = {broken.replace("FAILS", fails)};
        await flow();
        alone.tick();
        return [world.engine.alone, same()];
        """,
    ) == [True, True]


def test_a_page_that_is_a_file_has_workers_too(open_page, tmp_path):
    """As an exported page is: one text, its policy, no server."""
    load, packed = bundle("world/world.js")
    policy = text("player/page.html").partition('http-equiv="Content-Security-Policy" content="')[2].partition('"')[0]
    assert "blob:" in policy
    told = model(tmp_path)
    script = f"""{load}
      const {{ World }} = await load("{packed}");
      const [payload, size] = [window.payload, {SIZE}];
      {WORK}
      let waits = 0;
      for (let k = 0; k < 3; k++) {{
        waits += await flow();
        alone.tick();
      }}
      document.body.textContent = JSON.stringify([waits > 0, world.engine.alone, same()]);"""
    (tmp_path / "page.html").write_text(
        f'<!doctype html><meta http-equiv="Content-Security-Policy" content="{policy}"><title>file</title>'
        f'<script type="module">window.payload = {json.dumps(told)};{script}</script>'
    )
    page = open_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url.partition(":")[0]))
    page.goto((tmp_path / "page.html").as_uri())
    page.get_by_text("]").wait_for()
    assert page.locator("body").inner_text() == "[true,false,true]"
    assert set(requests) <= {"file", "blob"}


def test_the_studio_lets_workers_start(open_page, tmp_path, allowed):
    """Its policy allows what its own files bring, workers and WebAssembly among them."""
    studios = pytest.importorskip("helpers.studios", reason="the studio's libraries are not installed")
    allowed.append("404")  # that page has no icon
    with studios.studio(tmp_path / "runs") as place:
        page = open_page()
        page.goto(f"{place.origin}/api/home")  # the policy without the page
        told = page.evaluate(
            """async ({payload, size}) => {
              const { World } = await import("/web/world/world.js");
              const world = new World(payload, { size, prefer: "wasm" });
              do {
                world.engine.late = 3;
                await new Promise((done) => setTimeout(done, 5));
              } while (!world.flow());
              return [world.t, world.engine.alone, world.engine.crew.bands.length > 0];
            }""",
            {"payload": model(tmp_path), "size": SIZE},
        )
    assert told == [1, False, True]
