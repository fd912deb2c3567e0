// Runs the kernel for test_kernel.py: cases from standard input, what came of them to standard output, as JSON.

import { readFileSync } from "node:fs";

import { Kernel, compile } from "../../src/planaria/web/engine/kernel.js";
import { decode } from "../../src/planaria/web/engine/model.js";

const path = process.argv[2] ?? new URL("../../src/planaria/web/engine/kernel.wasm", import.meta.url);
const kernel = await Kernel.create(await compile(new Uint8Array(readFileSync(path))));

const floats = (text) => new Float32Array(new Uint8Array(Buffer.from(text, "base64")).buffer);
const text = (values) => Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");
const texts = ({ weights, biases }) => ({ weights: weights.map(text), biases: biases.map(text) });

function outcome({ payload, size, batch, cond, start, slope, moment }) {
  const model = { ...decode(payload), ...(cond && { cond: Float32Array.from(cond) }) };
  const plan = kernel.prepare(model, size, batch);
  plan.state.set(floats(start));
  plan.run({ ...moment, keep: true });
  const state = text(plan.state);
  plan.gradient.set(floats(slope));
  const gradients = texts(plan.backward());
  const told = { state, gradient: text(plan.gradient), ...gradients, perSample: plan.perSample().map(texts) };
  plan.dispose();
  return told;
}

const { cases, hashes } = JSON.parse(readFileSync(0, "utf-8"));
console.log(JSON.stringify({ cases: cases.map(outcome), hashes: hashes.map((at) => kernel.hash(at)) }));
