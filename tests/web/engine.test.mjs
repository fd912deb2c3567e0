// Models as engines take them.

import assert from "node:assert/strict";
import { test } from "node:test";

import { bandsOf } from "../../src/planaria/web/engine/crew.js";
import { bodyOf, decode, firstBias, fold, taps, threshold, withWeights } from "../../src/planaria/web/engine/model.js";

const base64 = (...values) => Buffer.from(new Float32Array(values).buffer).toString("base64");

/** A model of two channels, one filter and one layer. */
function payload(changes = {}) {
  return {
    format: 1,
    rule: { channels: 2, frozen: 0, cond: 1, hidden: [], edge: "zero" },
    layout: { visible: 1, hidden: 1 },
    kernels: [[0, 0, 0, 0, 1, 0, 0, 0, 0]],
    weights: [base64(1, 2, 3, 4, 5, 6)],
    biases: [base64(0.5, -0.5)],
    ...changes,
  };
}

test("a payload is decoded and its shapes are kept", () => {
  const model = decode(payload());
  assert.deepEqual(model.widths, [3, 2]);
  assert.deepEqual([...model.weights[0]], [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(model.reaches, [1]);
  assert.equal(model.cond.length, 1);
});

for (const [what, changes, message] of [
  ["another format", { format: 2 }, /format/],
  ["an unknown edge", { rule: { ...payload().rule, edge: "mirror" } }, /edge mirror/],
  ["too few weights", { weights: [base64(1, 2)] }, /layer 1 has 2 weights/],
  ["too many biases", { biases: [base64(1, 2, 3)] }, /layer 1 has 3 biases/],
  ["a layer too many", { weights: [base64(1), base64(1)] }, /layers don't fit/],
  ["filters without reach", { reaches: [] }, /how far they reach/],
  ["filters that reach too far", { reaches: [17] }, /how far they reach/],
  ["filters wider than they reach", { kernels: [Array(25).fill(1)], reaches: [1] }, /as wide as they reach/],
]) {
  test(`${what} is refused in words`, () => assert.throws(() => decode(payload(changes)), message));
}

test("a wide kernel is a list of taps", () => {
  const kernel = Array(25).fill(0);
  kernel[0] = 0.5;
  kernel[13] = -1;
  assert.deepEqual(taps(Float32Array.from(kernel)), [[-2, -2, 0.5], [0, 1, -1]]);
});

test("newer weights replace all of them or none", () => {
  const model = decode(payload());
  const newer = withWeights(model, Float32Array.from([6, 5, 4, 3, 2, 1, 9, 8]));
  assert.deepEqual([...newer.weights[0], ...newer.biases[0]], [6, 5, 4, 3, 2, 1, 9, 8]);
  assert.deepEqual([...model.biases[0]], [0.5, -0.5]);
  assert.throws(() => withWeights(model, new Float32Array(7)), /8 weights, not 7/);
});

test("a condition goes into the first bias", () => {
  const model = { ...decode(payload()), cond: Float32Array.of(10) };
  assert.deepEqual([...firstBias(model)], [30.5, 59.5]);
});

test("an infection's channels belong to no body", () => {
  assert.equal(bodyOf({ visible: 4, hidden: 12 }), 16);
  assert.equal(bodyOf({ visible: 4, hidden: 12, strain: 10 }), 10);
});

test("the share of cells that act is the fire rate", () => {
  const limit = threshold(0.25);
  let acting = 0;
  for (let column = 0; column < 20000; column++) acting += fold(1234, column) >>> 0 < limit;
  assert.ok(Math.abs(acting / 20000 - 0.25) < 0.02);
  assert.equal(threshold(1), 2 ** 32);
});

test("bands share the rows of a grid, and see as far as a step reaches", () => {
  const model = (edge, life, reaches = [1]) => ({ rule: { edge, life }, reaches, blurs: [] });
  const rows = (bands) => bands.map(({ first, end, top, bottom }) => [top, first, end, bottom]);
  assert.deepEqual(rows(bandsOf(model("zero", "both"), [100, 9], 2)), [[0, 0, 50, 53], [47, 50, 100, 100]]);
  assert.deepEqual(rows(bandsOf(model("zero", "none", [5]), [100, 9], 2)), [[0, 0, 50, 56], [44, 50, 100, 100]]);
  assert.deepEqual(rows(bandsOf(model("circular", "none"), [64, 9], 4)), [[-3, 0, 32, 35], [29, 32, 64, 67]]);
  assert.deepEqual(rows(bandsOf(model("circular", "both"), [100, 9], 4)), [[0, 0, 100, 100]], "life has a seam there");
  assert.deepEqual(rows(bandsOf(model("circular", "none"), [40, 9], 4)), [[0, 0, 40, 40]], "too few rows to share");
});
