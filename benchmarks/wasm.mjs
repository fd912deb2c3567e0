// Times of the kernel as WebAssembly, and of an engine in plain JavaScript, for wasm.py: work from standard input as JSON.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

import { Kernel, compile } from "../src/planaria/web/engine/kernel.js";
import { decode } from "../src/planaria/web/engine/model.js";

const { grown, texture, batch, steps, texture_size: side, rounds, plain } = JSON.parse(readFileSync(0, "utf-8"));
const module = await compile(readFileSync(new URL("../src/planaria/web/engine/kernel.wasm", import.meta.url)));
const kernel = await Kernel.create(module);
const { PlainEngine } = await import(pathToFileURL(plain));

const floats = (text) => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
const body = { model: decode(grown.payload), size: grown.size, start: floats(grown.start) };
const sheet = { model: decode(texture), size: [side, side] };
sheet.start = Float32Array.from({ length: sheet.model.rule.channels * side * side }, (_, i) => (i * 7919) % 101 / 101 - 0.5);

/** Processor time of this process in ms. */
function spent() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The shortest of several rounds, each of `n` calls, in ms of processor time a call. */
function shortest(n, act) {
  let best = Infinity;
  for (let k = 0; k < rounds; k++) {
    const start = spent();
    for (let i = 0; i < n; i++) act();
    best = Math.min(best, (spent() - start) / n);
  }
  return best;
}

/** A training step but for the optimiser: forward, the slope of a loss, backward. */
function learn(plan, start) {
  plan.state.set(start);
  plan.run({ seed: 7, t: 0, steps, keep: true });
  plan.gradient.set(plan.state);
  plan.backward();
}

function stepsOf({ model, size, start }, n) {
  const plan = kernel.prepare(model, size);
  plan.state.set(start);
  const engine = new PlainEngine(model, size);
  engine.write(start, [0, 0, ...size]);
  let [t, s] = [0, 0];
  const times = {
    wasm: shortest(n, () => plan.run({ seed: 7, t: t++, steps: 1 })),
    plain: shortest(Math.max(1, Math.round(n / 10)), () => engine.step(7, s++)),
  };
  plan.dispose();
  return times;
}

const plan = kernel.prepare(body.model, body.size, batch);
const starts = new Float32Array(batch * body.start.length);
for (let b = 0; b < batch; b++) starts.set(body.start, b * body.start.length);
const training = shortest(1, () => learn(plan, starts));
plan.dispose();
console.log(JSON.stringify({ training, grown: stepsOf(body, 200), texture: stepsOf(sheet, 3), bytes: kernel.bytes }));
