// Starts, damage and health: what a world does without a screen.

import assert from "node:assert/strict";
import { test } from "node:test";

import { derive } from "../../src/planaria/web/engine/model.js";
import { maskOf, uniform } from "../../src/planaria/web/world/damage.js";
import { Health } from "../../src/planaria/web/world/health.js";
import { shuffled } from "../../src/planaria/web/world/photo.js";
import { centred, backgroundOf, opening, tiled } from "../../src/planaria/web/world/start.js";

/** The cells of an h x w grid that a kind of damage takes, as text. */
function mask(kind, numbers, [h, w], seed = 0) {
  const gone = maskOf(kind, numbers, seed);
  const line = (row) => Array.from({ length: w }, (_, column) => (gone(row, column, h, w) ? "x" : ".")).join("");
  return Array.from({ length: h }, (_, row) => line(row)).join(" ");
}

test("halves leave the middle of an odd grid", () => {
  assert.equal(mask("left", [], [1, 5]), "xx...");
  assert.equal(mask("right", [], [1, 5]), "...xx");
  assert.equal(mask("top", [], [3, 1]), "x . .");
  assert.equal(mask("bottom", [], [3, 1]), ". . x");
});

test("holes are where their numbers say", () => {
  assert.equal(mask("centre", [2], [4, 4]), ".... .xx. .xx. ....");
  assert.equal(mask("circle", [1, 2, 1], [4, 4]), ".... .x.. xxx. .x..");
  assert.equal(maskOf("tooth", [], 0), undefined);
});

test("speckles are a share of the cells, the same for one seed", () => {
  const one = mask("speckle", [0.25], [100, 100], 1);
  assert.ok(Math.abs([...one].filter((c) => c === "x").length / 10000 - 0.25) < 0.02);
  assert.equal(one, mask("speckle", [0.25], [100, 100], 1));
  assert.notEqual(one, mask("speckle", [0.25], [100, 100], 2));
});

test("random numbers are those of planaria.core.noise", () => {
  const key = derive(3, 0);
  const found = Array.from({ length: 6 }, (_, i) => uniform(key, 0, i, 3) * 2 ** 24);
  assert.deepEqual(found, [7544262, 16352937, 3940238, 15330743, 16417021, 16266486]);
  assert.equal(derive(3, 7) >>> 0, 3619973125);
});

test("a picture goes on as its mirror image, or is cut", () => {
  assert.deepEqual([...tiled([1, 2, 3], [1, 3], [1, 7])], [2, 1, 1, 2, 3, 3, 2]);
  assert.deepEqual([...tiled([1, 2, 3], [1, 3], [1, 1])], [2]);
  assert.deepEqual([...centred([1, 2, 3], [1, 3], [1, 6])], [0, 0, 1, 2, 3, 0]);
});

test("the frames that a model begins with are read, or refused in words", () => {
  const layout = { visible: 1, frozen: 0 };
  const start = { frames: 2, size: [1, 2], visible: 1, data: Buffer.from([0, 51, 102, 255]).toString("base64") };
  const { frames, size } = opening({ start, layout });
  assert.deepEqual(size, [1, 2]);
  assert.deepEqual(frames.map((frame) => [...frame].map((v) => Math.round(255 * v))), [[0, 51], [102, 255]]);
  assert.equal(opening({ layout }), null);
  assert.throws(() => opening({ start: { ...start, frames: 3 }, layout }), /don't fit/);
});

test("the background is the mean of the most common colour", () => {
  const x = Float32Array.of(1, 0, 0.02, 0.5, 7, 8, 10, 9);
  const { 0: colour, 1: hidden } = backgroundOf(x, 4, { visible: 1, offset: 0 });
  assert.ok(Math.abs(colour - 0.01) < 1e-6);
  assert.equal(hidden, 9);
});

test("a shuffled photo has its own brightness", () => {
  const grey = shuffled(new Float32Array(12).fill(0.5), [3, 4], 2);
  assert.equal(grey.length, 24);
  assert.ok(grey.every((v) => v === 0.5));
});

/** Lines that a life gives, one look per gauge. */
function looks(gauges, model = {}) {
  const health = new Health({ bounds: [10, 100], rule: { life: "both", life_threshold: 0.1 }, ...model });
  const alive = { shown: 1, held: 1, living: 1, t: 0 };
  return gauges.map((gauge, i) => {
    const world = { edited: gauge.edited ?? null, gauge: (life) => ({ ...alive, ...gauge, life }) };
    return health.look(world, 1000 * (i + 1), (t) => `step ${t}`);
  });
}

test("a life that bursts is reported once, with what helps", () => {
  const [first, second, third] = looks([{}, { held: 101, t: 7 }, { held: NaN, t: 9 }]);
  assert.equal(first, "");
  assert.match(second, /^It burst by step 7: .*train it longer, or on longer lives; I begins again\.$/);
  assert.equal(third, "");
  assert.match(looks([{ shown: 11 }], { stopped: "stopped at iteration 6 of 9" })[0], /stopped at iteration 6 of 9: train/);
});

test("a life that dies out is reported where it lived before", () => {
  assert.deepEqual(looks([{ living: 0 }]), [""]);
  assert.deepEqual(looks([{}, { living: 0, t: 9 }]), ["", "No cell is left alive by step 9; I begins again."]);
  assert.deepEqual(looks([{}, { living: 0, t: 9, edited: 5 }]), ["", ""]);
  assert.deepEqual(looks([{}, { living: 0, t: 9 }], { rule: { life: "none" } }), ["", ""]);
});
