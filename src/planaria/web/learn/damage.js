// Damage in training, as planaria.core.damage and planaria.tasks.grow draw it, and a person's damage to the pool.

import { STREAM, derive } from "../engine/model.js";
import { uniform, maskOf } from "../world/damage.js";

const { fround } = Math;

/** Places from -1 to 1, `torch.linspace(-1, 1, n)`: rounded as its multiply-add is. */
function line(n) {
  const step = n > 1 ? fround(2 / (n - 1)) : 0;
  const half = Math.floor(n / 2);
  return Float32Array.from({ length: n }, (_, i) => (i < half || n === 1 ? step * i - 1 : 1 - step * (n - 1 - i)));
}

/** A mask `(h, w)` of each of `n` samples, where `test(sample, y, x)` says that a cell is gone. */
function masks(n, [h, w], test) {
  const [rows, columns] = [line(h), line(w)];
  return Array.from({ length: n }, (_, s) => {
    const gone = new Uint8Array(h * w);
    for (let i = 0; i < h; i++) for (let j = 0; j < w; j++) gone[i * w + j] = Number(test(s, rows[i], columns[j]));
    return gone;
  });
}

const scaled = (values, factor, first = 0) => values.map((v) => fround(fround(factor) * v) + first);
const square = (v) => fround(v * v);

function discs(n, size, rng) {
  const centre = rng.rand(2 * n).map((v) => v - 0.5);
  const r = scaled(rng.rand(n), 0.4 - 0.1, fround(0.1));
  return masks(n, size, (s, y, x) => {
    const [down, right] = [fround(y - centre[2 * s]), fround(x - centre[2 * s + 1])];
    return fround(square(right) + square(down)) < square(r[s]);
  });
}

function cuts(n, size, rng) {
  const angle = scaled(rng.rand(n), 2 * Math.PI);
  const shift = scaled(scaled(rng.rand(n), 2, -1), 0.3);
  const [cos, sin] = [angle.map(Math.cos), angle.map(Math.sin)];
  return masks(n, size, (s, y, x) => fround(fround(x * cos[s]) + fround(y * sin[s])) > shift[s]);
}

function holes(n, size, rng) {
  const half = scaled(rng.rand(2 * n), 0.7 - 0.2, fround(0.2)).map((v) => v / 2);
  const centre = scaled(scaled(rng.rand(2 * n), 2, -1), 0.3);
  return masks(n, size, (s, y, x) => {
    const [down, right] = [fround(y - centre[2 * s]), fround(x - centre[2 * s + 1])];
    return Math.abs(down) < half[2 * s] && Math.abs(right) < half[2 * s + 1];
  });
}

const CUTTERS = { disc: [discs], cut: [cuts], hole: [holes], mixed: [discs, cuts], any: [discs, cuts, holes] };

/** Masks of `n` samples' training damage of a kind, Uint8Array `(h, w)` each, 1 where a cell is gone. */
export function drawn(kind, n, size, rng) {
  const kinds = CUTTERS[kind].map((make) => make(n, size, rng));
  const pick = rng.rand(n);
  return Array.from(pick, (u, s) => kinds[Math.floor(fround(u * kinds.length))][s]);
}

/** Kinds of damage and how many numbers each takes. */
const TAKES = {
  left: [0], right: [0], top: [0], bottom: [0], centre: [0, 1], circle: [3], speckle: [0, 1], noise: [0, 1],
};

/** Kind and numbers of damage written as `left`, `circle(36,36,10)`, `noise(0.3)`; throws an Error in words. */
export function parse(text) {
  const [, kind, bracket] = /^\s*([a-z]+)\s*(?:\(([^()]*)\))?\s*$/.exec(text) ?? [];
  const numbers = bracket ? bracket.split(",").map((part) => (part.trim() ? Number(part) : NaN)) : [];
  if (!Object.hasOwn(TAKES, kind ?? "")) {
    throw new Error(`unknown damage ${text.slice(0, 40)}; there are ${Object.keys(TAKES).join(", ")}`);
  }
  if (!TAKES[kind].includes(numbers.length) || !numbers.every((v) => Math.abs(v) < 1e6)) {
    throw new Error(`damage ${text.slice(0, 40)}: ${kind} takes ${TAKES[kind].join(" or ")} numbers`);
  }
  return { kind, numbers };
}

/**
 * A state `(c, h, w)`, damaged in place: the `sample`-th that the damage falls on. Channels from `own` on stay. Noise falls
 * on cells whose channel `alpha` is above 0.
 */
export function applied(x, { kind, numbers }, { seed, sample, size: [h, w], own, alpha }) {
  const cells = h * w;
  if (kind === "noise") {
    const key = derive(derive(seed, STREAM.noise), sample);
    const strength = fround(numbers[0] ?? 0.3);
    const alive = x.slice(alpha * cells, (alpha + 1) * cells).map((v) => Number(v > 0));
    for (let i = 0; i < own * cells; i++) {
      const [k, at] = [Math.floor(i / cells), i % cells];
      if (!alive[at]) continue;
      const [first, second] = [uniform(key, 2 * k, at, w), uniform(key, 2 * k + 1, at, w)];
      x[i] += fround(fround(Math.sqrt(-2 * Math.log(1 - first)) * Math.cos(2 * Math.PI * second)) * strength);
    }
    return x;
  }
  const mask = maskOf(kind, numbers, seed);
  for (let i = 0; i < cells; i++) {
    if (mask(Math.floor(i / w), i % w, h, w)) for (let k = 0; k < own; k++) x[k * cells + i] = 0;
  }
  return x;
}
