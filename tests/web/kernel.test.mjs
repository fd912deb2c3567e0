// The kernel's face in JavaScript. What it computes is compared with PyTorch in test_kernel.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import v8 from "node:v8";

import { Kernel, compile, supported } from "../../src/planaria/web/engine/kernel.js";

v8.setFlagsFromString("--wasm-max-mem-pages=512"); // 32 MiB, so that memory runs out before the machine's does

const bytes = new Uint8Array(readFileSync(new URL("../../src/planaria/web/engine/kernel.wasm", import.meta.url)));
const [H, W, C] = [9, 12, 6];

/** Numbers in -0.5..0.5 that look random. */
function numbers(n, scale) {
  let s = 1;
  return Float32Array.from({ length: n }, () => {
    s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
    return (s / 2 ** 32 - 0.5) * scale;
  });
}

function model(changes = {}) {
  const rule = { channels: C, frozen: 0, cond: 0, hidden: [8], activation: "relu", fire_rate: 0.5, dt: 1 };
  Object.assign(rule, { edge: "zero", life: "both", life_channel: 3, life_threshold: 0.1, life_edge: "same" }, changes);
  return {
    rule,
    kernels: [Float32Array.of(0, 0, 0, 0, 1, 0, 0, 0, 0), numbers(9, 0.5)],
    reaches: [1, 1],
    blurs: [],
    own: C,
    widths: [2 * C, 8, C],
    weights: [numbers(2 * C * 8, 1), numbers(8 * C, 0.4)],
    biases: [numbers(8, 0.1)],
    cond: new Float32Array(0),
  };
}

const make = async (...rest) => (await Kernel.create(await compile(bytes))).prepare(...rest);
const start = (batch = 1) => numbers(batch * C * H * W, 2);

test("this machine can run it, and a module is compiled once", async () => {
  assert.equal(supported(), true);
  assert.equal(await compile(bytes), await compile(bytes));
  assert.deepEqual(WebAssembly.Module.imports(await compile(bytes)), []);
});

test("steps in one run are steps in several", async () => {
  const [a, b] = [await make(model(), [H, W]), await make(model(), [H, W])];
  for (const plan of [a, b]) plan.state.set(start());
  a.run({ seed: 7, t: 5, steps: 6 });
  for (let t = 5; t < 11; t++) b.run({ seed: 7, t, steps: 1 });
  assert.deepEqual(a.state, b.state);
  assert.ok(a.state.some((v) => v !== 0));
});

for (const life of ["both", "after", "none"]) {
  test(`areas that are read and written between steps are those of the whole state: life ${life}`, async () => {
    const [a, b] = [await make(model({ life }), [H, W]), await make(model({ life }), [H, W])];
    const [area, patch] = [[2, 7, 3, 4], numbers(C * 12, 3)];
    for (const plan of [a, b]) plan.state.set(start().map((v, i) => (i % W < 4 ? v : 0)));
    for (const plan of [a, b]) plan.run({ seed: 1, t: 0, steps: 3 });
    a.write(patch, area);
    assert.deepEqual(a.read(area), patch);
    assert.deepEqual(a.look(), a.read([0, 0, H, W]));
    const state = b.state;
    for (let c = 0; c < C; c++) {
      for (let r = 0; r < 3; r++) {
        for (let q = 0; q < 4; q++) state[(c * H + 2 + r) * W + 7 + q] = patch[(c * 3 + r) * 4 + q];
      }
    }
    for (const plan of [a, b]) plan.run({ seed: 1, t: 3, steps: 4 });
    assert.deepEqual(a.read([0, 0, H, W]), b.state);
  });
}

test("a sample's steps don't depend on those beside it but on its place", async () => {
  const [pair, alone] = [await make(model(), [H, W], 2), await make(model(), [H, W])];
  pair.state.set(start(2));
  alone.state.set(start(2).subarray(0, C * H * W));
  for (const plan of [pair, alone]) plan.run({ seed: 7, t: 0, steps: 5 });
  assert.deepEqual(pair.state.slice(0, C * H * W), alone.state);
  assert.deepEqual(pair.read([0, 0, H, W], 1), pair.state.slice(C * H * W));
});

test("a recording can be differentiated twice, and looking at the state changes nothing", async () => {
  const plan = await make(model(), [H, W], 2);
  plan.state.set(start(2));
  plan.run({ seed: 7, t: 0, steps: 5, keep: true });
  assert.ok(plan.traced > 0);
  const slope = numbers(2 * C * H * W, 1);
  const [state, gradient] = [plan.state, plan.gradient];
  gradient.set(slope);
  assert.equal(state.length, 2 * C * H * W, "the view is still there");
  const first = plan.backward();
  const after = plan.gradient.slice();
  plan.gradient.set(slope);
  assert.deepEqual(plan.backward(), first);
  assert.deepEqual(plan.gradient, after);
  plan.run({ seed: 7, t: 5, steps: 1 });
  assert.equal(plan.traced, 0);
  assert.throws(() => plan.backward(), /no steps were recorded/);
});

test("other weights take effect at once, and the state stays", async () => {
  const [a, b] = [await make(model(), [H, W]), await make(model(), [H, W])];
  for (const plan of [a, b]) plan.state.set(start());
  const still = [new Float32Array(2 * C * 8), new Float32Array(8 * C)];
  a.run({ seed: 7, t: 0, steps: 1 });
  b.run({ seed: 7, t: 0, steps: 1 });
  a.setWeights(still, []);
  a.run({ seed: 7, t: 1, steps: 1 });
  b.setWeights(still, [new Float32Array(8)]);
  b.run({ seed: 7, t: 1, steps: 1 });
  assert.deepEqual(a.state, b.state);
  a.setWeights(model().weights, model().biases);
  a.run({ seed: 7, t: 2, steps: 1 });
  assert.notDeepEqual(a.state, b.state);
});

for (const [what, act, message] of [
  ["an area beyond the grid", (plan) => plan.read([5, 5, H, 2]), /not within the state/],
  ["a sample too many", (plan) => plan.read([0, 0, 1, 1], 1), /not within the state/],
  ["numbers that don't fill an area", (plan) => plan.write([1, 2], [0, 0, 1, 1]), /has 6 numbers, not 2/],
  ["weights of another shape", (plan) => plan.setWeights([[1], [2]], []), /96 weights of layer 1, not 1/],
  ["a condition of another length", (plan) => plan.setWeights(plan.model.weights, [], [1]), /0 numbers of the cond/],
  ["a layer too few", (plan) => plan.setWeights([model().weights[0]], []), /2 layers of weights, not 1/],
  ["steps below zero", (plan) => plan.run({ seed: 1, t: 0, steps: -1 }), /0 steps or more/],
  ["gradients of nothing", (plan) => plan.perSample(), /no gradients were computed/],
]) {
  test(`${what} is refused in words`, async () => {
    const plan = await make(model(), [H, W]);
    assert.throws(() => act(plan), message);
  });
}

for (const [what, changes, size, message] of [
  ["an unknown activation", { activation: "sine" }, [H, W], /settings/],
  ["an unknown time of the life test", { life: "later" }, [H, W], /settings/],
  ["an unknown edge", { edge: "mirror" }, [H, W], /settings/],
  ["a life channel that is not there", { life_channel: C }, [H, W], /settings/],
  ["an empty grid", {}, [0, W], /height/],
  ["a grid that no memory holds", {}, [60000, 60000], /not enough memory/],
  ["a grid beyond every count", {}, [2 ** 31 - 1, 2 ** 31 - 1], /not enough memory/],
]) {
  test(`a plan with ${what} is refused in words`, () => assert.rejects(make(model(changes), size), message));
}

test("a batch that no memory holds is refused in words", () =>
  assert.rejects(make(model(), [H, W], 2 ** 31 - 1), /not enough memory/));

test("memory that runs out is an error, and what was given back serves again", async () => {
  const kernel = await Kernel.create(await compile(bytes));
  const small = kernel.prepare(model(), [H, W]);
  small.state.set(start());
  small.run({ seed: 7, t: 0, steps: 3 });
  const large = kernel.prepare(model({ life: "none" }), [200, 200]);
  assert.throws(() => large.run({ seed: 7, t: 0, steps: 200, keep: true }), /not enough memory/);
  assert.throws(() => large.backward(), /no steps were recorded/);
  large.state.fill(1);
  large.run({ seed: 7, t: 0, steps: 1 });
  assert.ok(large.state.some((v) => v !== 1));
  const before = kernel.bytes;
  large.dispose();
  for (let k = 0; k < 30; k++) {
    const again = kernel.prepare(model({ life: "none" }), [200, 200]);
    again.run({ seed: 7, t: 0, steps: 2, keep: true });
    again.dispose();
  }
  assert.equal(kernel.bytes, before);
  const other = await make(model(), [H, W]);
  other.state.set(start());
  other.run({ seed: 7, t: 0, steps: 3 });
  assert.deepEqual(small.state, other.state);
});

test("a plan that was disposed of says so", async () => {
  const plan = await make(model(), [H, W]);
  plan.dispose();
  plan.dispose();
  assert.throws(() => plan.state, /was disposed of/);
  assert.throws(() => plan.run({ seed: 1, t: 0, steps: 1 }), /was disposed of/);
});

test("rooms in the memory don't overlap, and neighbours that were given back become one", async () => {
  const kernel = await Kernel.create(await compile(bytes));
  const before = kernel.bytes;
  const taken = [];
  const rest = numbers(6000, 1).values();
  const draw = (n) => Math.floor((rest.next().value + 0.5) * n);
  const view = ([at, n]) => new Uint8Array(kernel.c.memory.buffer, at, n);
  for (let k = 0; k < 2000; k++) {
    if (draw(2) || !taken.length) {
      const n = 1 + draw(20000);
      taken.push([kernel._allocate(n) >>> 0, n, k % 251]);
      view(taken.at(-1)).fill(k % 251);
    } else {
      const [gone] = taken.splice(draw(taken.length), 1);
      assert.ok(view(gone).every((v) => v === gone[2]));
      kernel._release(gone[0]);
    }
  }
  for (const [at] of taken) kernel._release(at);
  const all = kernel.bytes - before;
  assert.ok(all > 1e5);
  const whole = kernel._allocate(all - 1000);
  assert.ok(whole);
  assert.equal(kernel.bytes - before, all);
});
