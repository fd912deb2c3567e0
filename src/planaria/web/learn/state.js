// A training at rest: the tensors and numbers of planaria's own checkpoints, and from these the training again.

import { Adam } from "./adam.js";
import { configOf } from "./config.js";
import { MEMORY } from "./guardian.js";
import { Pool } from "./pool.js";
import { parts, shapes } from "./rule.js";

const MOST = 10 ** 9;

/** All that a training needs to go on: JSON `header`, and `tensors` by name, each with `dtype`, `shape` and `data`. */
export function packed(training) {
  const { config, size, target, name, iteration, recent, caution, rescues, bestLoss, pooled } = training;
  const [h, w] = size;
  const tensors = { "task.target": { dtype: "F32", shape: [4, h, w], data: target.slice() } };
  const best = { flat: training.best };
  for (const [kind, point] of [["now", training.point()], ["good", training.good], ["best", best]]) {
    pointed(config.rule, point).forEach((tensor, i) => (tensors[`${kind}.${i}`] = tensor));
  }
  if (pooled) Object.assign(tensors, pooledTensors(pooled, size));
  const state = {
    step: iteration,
    recent: [...recent],
    caution,
    rescues,
    best_loss: bestLoss < Infinity ? bestLoss : null,
    ranks: 1,
    stale: 0,
    falls: 0,
    reused: [],
  };
  return { header: { format: 1, task: "grow", state, config: structuredClone(config), name }, tensors };
}

/** Tensors of weights, and of Adam where it is there: of each weight its steps, its mean and its mean square. */
function pointed(rule, { flat, adam = [] }) {
  const sides = shapes(rule).map(([, ...shape]) => shape);
  const tensor = (shape, data) => ({ dtype: "F32", shape, data });
  return [
    ...parts(rule, flat).map((part, i) => tensor(sides[i], part.slice())),
    ...adam.flatMap(({ steps, mean, square }, i) => [
      tensor([], Float32Array.of(steps)),
      tensor(sides[i], mean.slice()),
      tensor(sides[i], square.slice()),
    ]),
  ];
}

function pooledTensors({ samples, channels }, [h, w]) {
  const [n, cells] = [samples.length, h * w];
  const full = new Uint8Array(n * cells);
  const held = new Float32Array(samples.reduce((sum, one) => sum + one.held.length, 0));
  let at = 0;
  samples.forEach((one, i) => {
    full.set(one.full, i * cells);
    held.set(one.held, at);
    at += one.held.length;
  });
  return {
    "pool.0.full": { dtype: "BOOL", shape: [n, h, w], data: full },
    "pool.0.cells": { dtype: "F32", shape: [held.length / channels, channels], data: held },
    "pool.0.shape": { dtype: "I64", shape: [4], data: BigInt64Array.from([n, channels, h, w].map(BigInt)) },
    "pool.0.at": { dtype: "I64", shape: [n], data: new BigInt64Array(n) },
  };
}

/** What `packed` gave, checked: settings and picture for a training, and `take`, which lays the rest into that. */
export function restored({ header, tensors }) {
  demand(header?.format === 1 && header.task === "grow", "it is no checkpoint of a growing pattern");
  const config = configOf(header.config);
  const { rule, train, regime } = config;
  const target = tensors["task.target"];
  demand(target?.dtype === "F32" && target.shape?.length === 3 && target.shape[0] === 4, "it has no picture");
  const [, h, w] = target.shape;
  const numbers = numbersOf(header.state ?? {});
  const [now, good] = ["now", "good"].map((kind) => pointOf(tensors, kind, rule, true));
  const best = pointOf(tensors, "best", rule, false);
  const pooled = regime !== "grow" && train.pool ? poolOf(tensors, [train.pool, rule.channels, h, w]) : null;
  const take = (training) => {
    training.goBack(now);
    Object.assign(training, numbers, { good, best: best.flat, pooled });
  };
  return { target: target.data, grid: [h, w], config, name: String(header.name ?? ""), take };
}

function numbersOf({ step, recent, caution, rescues, best_loss: bestLoss }) {
  const counts = [step, rescues].every((n) => Number.isInteger(n) && n >= 0 && n <= MOST);
  const losses = Array.isArray(recent) && recent.length <= MEMORY && recent.every(Number.isFinite);
  const least = bestLoss === null || Number.isFinite(bestLoss);
  demand(counts && losses && least && caution > 0 && caution <= 1, "its numbers are none of a training");
  return { iteration: step, recent: [...recent], caution, rescues, bestLoss: bestLoss ?? Infinity };
}

function pointOf(tensors, kind, rule, learning) {
  const sides = shapes(rule).map(([, ...shape]) => shape);
  const take = (i, shape) => tensorOf(tensors, `${kind}.${i}`, "F32", shape).data.slice();
  const flat = Float32Array.from(sides.flatMap((shape, i) => [...take(i, shape)]));
  const adam = (learning ? sides : []).map((shape, i) => {
    const at = sides.length + 3 * i;
    const [steps] = take(at, []);
    demand(Number.isInteger(steps) && steps >= 0, `${kind}.${at} counts ${steps} steps`);
    return Object.assign(new Adam([]), { steps, mean: take(at + 1, shape), square: take(at + 2, shape) });
  });
  return { flat, adam };
}

function poolOf(tensors, [n, c, h, w]) {
  const sides = tensorOf(tensors, "pool.0.shape", "I64", [4]).data;
  demand(String(sides) === String([n, c, h, w]), `its pool is ${sides}, that of the settings ${[n, c, h, w]}`);
  const full = tensorOf(tensors, "pool.0.full", "BOOL", [n, h, w]).data;
  const held = tensorOf(tensors, "pool.0.cells", "F32", [full.reduce((sum, v) => sum + v, 0), c]).data;
  const pool = new Pool(0, new Float32Array(0), c);
  let at = 0;
  for (let i = 0; i < n; i++) {
    const mask = full.slice(i * h * w, (i + 1) * h * w);
    const end = at + c * mask.reduce((sum, v) => sum + v, 0);
    pool.samples.push({ full: mask, held: held.slice(at, end) });
    at = end;
  }
  return pool;
}

/** The tensor of this name, which must have this shape and kind. */
function tensorOf(tensors, name, dtype, shape) {
  const found = Object.hasOwn(tensors, name) ? tensors[name] : null;
  demand(found, `it has no ${name}`);
  const fits = found.dtype === dtype && String(found.shape) === String(shape);
  const count = shape.reduce((product, n) => product * n, 1);
  demand(fits && found.data.length === count, `${name} is not ${dtype} ${shape.join("x") || "alone"}`);
  return found;
}

function demand(fits, what) {
  if (!fits) throw new Error(`the saved training is damaged: ${what}`);
}
