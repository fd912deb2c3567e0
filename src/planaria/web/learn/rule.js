// A rule in the making, as planaria.core.rule makes it: kernels of its filters, shapes of its weights, first weights.

import { Generator } from "./mt19937.js";

const FARTHEST = 16;
const [SIGMA, WIDEST_BLUR] = [2, 15];
const SOBEL = [-1, 0, 1, -2, 0, 2, -1, 0, 1].map((v) => v / 8);
const SCHARR = [-3, 0, 3, -10, 0, 10, -3, 0, 3].map((v) => v / 16);
const transposed = (kernel) => kernel.map((_, i) => kernel[(i % 3) * 3 + Math.floor(i / 3)]);

const FILTERS = {
  identity: [[0, 0, 0, 0, 1, 0, 0, 0, 0]],
  sobel: [SOBEL, transposed(SOBEL)],
  scharr: [SCHARR, transposed(SCHARR)],
  gaussian: [[1, 2, 1, 2, 4, 2, 1, 2, 1].map((v) => v / 16)],
  laplacian: [[1, 2, 1, 2, -12, 2, 1, 2, 1].map((v) => v / 8)],
  laplacian5: [[0, 1, 0, 1, -4, 1, 0, 1, 0].map((v) => v / 8)],
  mean: [Array(9).fill(1 / 9)],
  learned: Array.from({ length: 9 }, (_, k) => Array.from({ length: 9 }, (_, i) => Number(i === k))),
};
const RING = "ring"; // no 3x3 kernel: the average of the cells at its distance
const SLOPES = new Set(["sobel", "scharr"]);

/** Kernels of named filters, float32 values row by row, and how far away each one's outermost taps lie. */
export function bank(names) {
  const kernels = [];
  const reaches = [];
  for (const name of names) {
    const [, base, at] = /^([a-z0-9]+)(?:@([1-9][0-9]?))?$/.exec(name) ?? [];
    const reach = at ? Number(at) : 1;
    if (!(Object.hasOwn(FILTERS, base ?? "") || base === RING) || reach > FARTHEST) {
      const known = [...Object.keys(FILTERS), RING].join(", ");
      throw new Error(`there is no filter ${name.slice(0, 40)}; there are ${known}, each with @1 to @${FARTHEST}`);
    }
    for (const kernel of FILTERS[base] ?? [ring(reach)]) {
      kernels.push(kernel.map((v) => Math.fround(v / (SLOPES.has(base) ? reach : 1))));
      reaches.push(reach);
    }
  }
  return { kernels, reaches };
}

/** Weights 1 - |distance - reach| where that is above 0, of sum 1; the middle has none. */
function ring(reach) {
  const line = Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach);
  const weights = line.flatMap((i) => line.map((j) => Math.max(0, 1 - Math.abs(Math.sqrt(i * i + j * j) - reach))));
  weights[(weights.length - 1) / 2] = 0;
  const whole = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / whole);
}

/** Channels that are blurred, `CHANNEL@SIZE` each: [channel, side, kernel]. */
export function spread(blurs, own) {
  return blurs.map((text) => {
    const [, channel, side] = (/^(\d{1,4})@(\d{1,2})$/.exec(text) ?? []).map(Number);
    if (!(side >= 3 && side <= WIDEST_BLUR && side % 2 === 1 && channel < own)) {
      const sizes = `3, 5, ... ${WIDEST_BLUR}`;
      throw new Error(`rule.blurs: ${text.slice(0, 40)} is no CHANNEL@SIZE with a size of ${sizes}, as 13@7`);
    }
    const line = Array.from({ length: side }, (_, i) => Math.exp(-((i - (side - 1) / 2) ** 2) / (2 * SIGMA ** 2)));
    const sum = line.reduce((a, b) => a + b);
    return [channel, side, line.flatMap((a) => line.map((b) => (a * b) / sum ** 2))];
  });
}

/** Shapes of all weights, in torch's order: [name, out, in] of each matrix, then [name, out] of each bias. */
export function shapes(rule) {
  const { channels, hidden, frozen, cond, bias } = rule;
  const widths = [channels * bank(rule.filters).kernels.length + cond, ...hidden, channels - frozen];
  const layers = widths.slice(1).map((out, i) => [`weights.${i}`, out, widths[i]]);
  const biased = { none: 0, hidden: hidden.length, all: hidden.length + 1 }[bias];
  return [...layers, ...layers.slice(0, biased).map(([, out], i) => [`biases.${i}`, out])];
}

/** How many weights and biases there are. */
export function count(rule) {
  return shapes(rule).reduce((sum, [, ...sides]) => sum + sides.reduce((a, b) => a * b), 0);
}

/** Parts of `flat`, all weights and then all biases, as views: one for each shape. */
export function parts(rule, flat) {
  let at = 0;
  return shapes(rule).map(([, ...sides]) => flat.subarray(at, (at += sides.reduce((a, b) => a * b))));
}

/** First weights, `Rule(config, seed=seed)`'s to the bit: all drawn but the last layer's, which are 0 as biases are. */
export function initial(rule, seed) {
  const flat = new Float32Array(count(rule));
  const rng = new Generator(seed);
  const views = parts(rule, flat);
  rule.hidden.forEach((_, i) => {
    const [, out, inputs] = shapes(rule)[i];
    const bound = Math.sqrt(3) * Math.sqrt(2 / (inputs + out)); // Glorot and Bengio, 2010
    views[i].set(rng.uniform(views[i].length, -bound, bound));
  });
  return flat;
}

/** Layout of a growing pattern's channels. */
export function layoutOf({ life, life_channel: channel, channels, frozen }) {
  return {
    visible: 4,
    alpha: life === "none" ? 3 : channel,
    hidden: channels - frozen - 4,
    frozen,
    offset: 0,
    shifts: [],
    straight: false,
    lean: false,
    strain: null,
  };
}
