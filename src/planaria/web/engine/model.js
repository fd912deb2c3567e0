// A model as engines take it: numbers decoded, shapes checked; and the hash that says which cells act.

/** Decode the payload that planaria's exporter writes; throws an Error in words where it doesn't fit together. */
export function decode(payload) {
  const { rule, layout } = payload;
  if (payload.format !== 1) throw new Error("this page can't read a model of that format");
  if (!["zero", "circular", "replicate"].includes(rule.edge)) throw new Error(`this page knows no edge ${rule.edge}`);
  const kernels = payload.kernels.map((k) => Float32Array.from(k)); // square, row by row
  const reaches = payload.reaches ?? kernels.map(() => 1); // how many cells away each kernel's outermost taps lie
  if (reaches.length !== kernels.length || !reaches.every((n) => Number.isInteger(n) && n >= 1 && n <= 16)) {
    throw new Error("the model's filters don't say how far they reach");
  }
  if (!kernels.every((k, i) => k.length === 9 || k.length === (2 * reaches[i] + 1) ** 2)) {
    throw new Error("the model's filters aren't as wide as they reach");
  }
  const blurs = payload.blurs ?? []; // [channel, side, kernel]
  const own = rule.channels - rule.frozen;
  const widths = [rule.channels * kernels.length + rule.cond, ...rule.hidden, own];
  const weights = payload.weights.map(floats);
  const biases = payload.biases.map(floats);
  if (weights.length !== widths.length - 1) throw new Error("the model's layers don't fit its settings");
  const model = { ...payload, kernels, reaches, blurs, own, widths, weights, biases, cond: new Float32Array(rule.cond), layout };
  check(model);
  return model;
}

/** Taps other than zero of a kernel that is as wide as it reaches: [rows down, columns to the right, weight] each. */
export function taps(kernel) {
  const side = Math.sqrt(kernel.length);
  const far = (side - 1) / 2;
  return Array.from(kernel, (v, i) => [Math.floor(i / side) - far, (i % side) - far, v]).filter(([, , v]) => v);
}

/** The model with other parameters: `flat` holds all weights, then all biases. */
export function withWeights(model, flat) {
  let at = 0;
  const take = (like) => flat.slice(at, (at += like.length));
  const changed = { ...model, weights: model.weights.map(take), biases: model.biases.map(take) };
  if (at !== flat.length) throw new Error(`the model has ${at} weights, not ${flat.length}`);
  return changed;
}

/** Places of the filters that measure a slope across, each followed by that down; none where a rule can't be turned. */
export function slopesOf({ filters }) {
  if (filters.some((name) => /^learned/.test(name))) return [];
  const firsts = filters.flatMap((name) => (/^s/.test(name) ? [true, false] : false)); // sobel, scharr
  return [...firsts.keys()].filter((k) => firsts[k]);
}

/** The model that does everything turned by `degrees`, counter-clockwise, as planaria.core.turn makes it. */
export function turned(model, degrees) {
  const { rule, kernels, weights, widths } = model;
  const slopes = slopesOf(rule);
  if (!degrees || !slopes.length) return model;
  const [cos, sin] = [Math.cos, Math.sin].map((f) => f((degrees * Math.PI) / 180));
  const first = weights[0].slice();
  for (let i = 0; i < first.length; i++) {
    const place = i % widths[0];
    if (place >= rule.channels * kernels.length || !slopes.includes(place % kernels.length)) continue;
    const [across, down] = [first[i], first[i + 1]];
    first[i] = cos * across + sin * down;
    first[i + 1] = cos * down - sin * across;
  }
  return { ...model, weights: [first, ...weights.slice(1)] };
}

function check({ widths, weights, biases }) {
  weights.forEach((w, i) => {
    if (w.length !== widths[i] * widths[i + 1]) throw new Error(`layer ${i + 1} has ${w.length} weights`);
  });
  biases.forEach((b, i) => {
    if (b.length !== widths[i + 1]) throw new Error(`layer ${i + 1} has ${b.length} biases`);
  });
}

function floats(text) {
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Float32Array(bytes.buffer); // little-endian, as every machine that has a browser
}

/** Leading channels that a cell writes, but for what an infection keeps there. */
export function bodyOf({ visible, hidden, strain = null }) {
  return Math.min(visible + hidden, strain ?? Infinity);
}

/** The first layer's bias with what `cond` adds to it: every cell has the same condition. */
export function firstBias({ widths, weights, biases, cond }) {
  const [inputs, width] = [widths[0], widths[1]];
  const bias = new Float32Array(width);
  for (let j = 0; j < width; j++) {
    let sum = biases.length ? biases[0][j] : 0;
    for (let k = 0; k < cond.length; k++) sum += weights[0][j * inputs + inputs - cond.length + k] * cond[k];
    bias[j] = sum;
  }
  return bias;
}

function mix(v) {
  v = Math.imul(v ^ (v >>> 16), 0x7feb352d);
  v = Math.imul(v ^ (v >>> 15), 0x846ca68b);
  return v ^ (v >>> 16);
}

/** Fold a coordinate into a 32-bit key, as planaria.core.noise does. */
export function fold(key, v) {
  return mix(((key + 0x9e3779b9) | 0) ^ v);
}

/** One 32-bit key made of several numbers. */
export function derive(...parts) {
  return parts.reduce((key, part) => fold(key, part >>> 0), 0);
}

/** What random numbers are for beside the cells that fire, as planaria.core.noise has it. */
export const STREAM = { noise: 1, hidden: 2 };

/** The words below which a cell acts, of 2**32. */
export function threshold(rate) {
  return Math.round(rate * 2 ** 32);
}

/** Colours of labels, [r, g, b] in 0..1 each; none where the visible channels are colours themselves. */
export function labelsOf({ palette = [] }) {
  return palette.map((colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255));
}
