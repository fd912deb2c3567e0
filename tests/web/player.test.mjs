// The player's clock, its keys and its sizes.

import assert from "node:assert/strict";
import { test } from "node:test";

import { slopesOf, turned } from "../../src/planaria/web/engine/model.js";
import { Camera } from "../../src/planaria/web/player/camera.js";
import { Clock } from "../../src/planaria/web/player/clock.js";
import { fromHex, toHex } from "../../src/planaria/web/player/elements.js";
import { DAMAGE, TOOLS, capsOf, helpLines, kindOf } from "../../src/planaria/web/player/keys.js";
import { shaped } from "../../src/planaria/web/player/photo.js";

const STEPS = { layout: { frozen: 0 } };
const FRAMES = { layout: { frozen: 0 }, start: {}, frame: 4, length: 80 };

test("a clock counts steps, or the frames of a video model", () => {
  assert.equal(new Clock(STEPS).moment(12), "step 12");
  assert.equal(new Clock(FRAMES).moment(12), "frame 3 (step 12)");
  assert.equal(new Clock(FRAMES).status(12, false), "frame 3 · paused");
  assert.equal(new Clock(FRAMES).wanted, 20);
  assert.equal(new Clock(FRAMES).speed, 80);
  assert.equal(new Clock(STEPS, 7).speed, 7);
});

test("steps that are due are taken, no more", () => {
  const clock = new Clock(STEPS);
  let count = 0;
  for (let now = 0; now <= 1000; now += 1000 / 60) clock.run(now, () => count++);
  assert.ok(Math.abs(count - 60) <= 6, `${count} steps in a second`);
  assert.ok(Math.abs(clock.real - 60) < 6);
});

test("a loop ends after the length of the data", () => {
  const clock = new Clock(FRAMES);
  assert.equal(clock.ends(80), false);
  assert.equal(clock.turn(), "Begins again every 20 frames.");
  assert.deepEqual([0, 79, 80, 160].map((t) => clock.ends(t)), [false, false, true, true]);
  assert.equal(clock.turn(), "Runs on.");
});

test("the slider of speed stays at the usual speed near it", () => {
  const clock = new Clock(STEPS);
  clock.slide = 0.5;
  assert.ok([60, 62].includes(clock.speed));
  clock.slide = 2;
  assert.equal(clock.slide, 1);
});

test("every key does one thing and leaves the browser its own", () => {
  const actions = helpLines().map(([, , action]) => action).filter(Boolean);
  assert.equal(new Set(actions).size, actions.length);
  assert.equal(capsOf("randomise"), "N");
  assert.equal(capsOf("faster"), "+");
  assert.equal(capsOf("save"), "", "a page keeps no state");
  assert.deepEqual(DAMAGE.map(([, key]) => key).join(""), "12345678");
  assert.ok(TOOLS.every(([tool, caps]) => caps.length === 1 && capsOf(tool) === caps));
});

test("a model's layout says what is done with it", () => {
  assert.equal(kindOf({ layout: { frozen: 0, alpha: 3 } }).first, "erase");
  assert.equal(kindOf({ layout: { frozen: 0, alpha: null }, start: {} }).first, "paint");
  assert.equal(kindOf({ layout: { frozen: 0, alpha: 3, strain: 5 } }).first, "infect");
});

test("a photo's grid has its shape", () => {
  assert.deepEqual(shaped({ width: 200, height: 100 }, 5000), [50, 100]);
  assert.deepEqual(shaped({ width: 10, height: 10 }, 1e9), [512, 512]);
});

test("a camera shows all cells, whole pixels to each", () => {
  const camera = new Camera([10, 20]);
  camera.frame(210, 300, { top: 0, right: 0, bottom: 0, left: 0 });
  assert.equal(camera.scale, 10);
  assert.deepEqual(camera.cell(5 + 15, 100 + 5).map(Math.floor), [0, 1]);
});

test("colours are read as they are written", () => {
  assert.equal(toHex(fromHex("#d1495b")), "#d1495b");
});

test("the slopes of a rule are found by the names of its filters", () => {
  assert.deepEqual(slopesOf({ filters: ["identity", "sobel", "ring@3", "scharr@2", "laplacian"] }), [1, 4]);
  assert.deepEqual(slopesOf({ filters: ["identity", "laplacian5", "mean"] }), []);
  assert.deepEqual(slopesOf({ filters: ["sobel", "learned@2"] }), [], "which can't be turned");
  const model = { rule: { filters: ["mean"] } };
  assert.equal(turned(model, 90), model);
});
