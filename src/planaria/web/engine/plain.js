// The engine in plain JavaScript, for the rules that the kernel doesn't know: other activations than relu and
// leaky_relu, and blurs. Only cells that act and that life can reach are computed.

import { bodyOf, derive, firstBias, fold, labelsOf, threshold } from "./model.js";

const ACTIVATIONS = {
  relu: (v) => (v > 0 ? v : 0),
  leaky_relu: (v) => (v > 0 ? v : 0.01 * v),
  elu: (v) => (v > 0 ? v : Math.expm1(v)),
  gelu: (v) => 0.5 * v * (1 + erf(v * Math.SQRT1_2)),
  silu: (v) => v / (1 + Math.exp(-v)),
  tanh: Math.tanh,
};

/** The error function: its series near zero, a continued fraction beyond. */
function erf(x) {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 2.5) {
    let [term, sum] = [a, a];
    for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let f = a;
  for (let k = 60; k > 0; k--) f = a + k / 2 / f;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (f * Math.sqrt(Math.PI)));
}

/** States lie cell by cell, all channels of one together, with a border of cells around the grid for what is beyond. */
export class PlainEngine {
  constructor(model, size) {
    this.kind = "wasm"; // as far as anybody can tell, but slower
    this.size = size;
    const [h, w] = size;
    this.border = Math.max(1, ...model.reaches, ...model.blurs.map(([, n]) => n >> 1)); // as wide as a filter reaches
    this.across = w + 2 * this.border;
    this.cells = (h + 2 * this.border) * this.across;
    this.x = new Float32Array(this.cells * model.rule.channels);
    this.y = new Float32Array(this.x.length);
    this.living = new Uint8Array(this.cells); // the cell itself is alive
    this.alive = new Uint8Array(this.cells); // one of its 3x3 block is
    this.reach = new Uint8Array(this.cells); // one of its 5x5 block is
    this.after = new Uint8Array(this.cells);
    this.setModel(model);
  }

  setModel(model) {
    this.model = model;
    const { rule, kernels, reaches, widths } = model;
    const offsets = [-this.across - 1, -this.across, -this.across + 1, -1, 0, 1];
    offsets.push(this.across - 1, this.across, this.across + 1);
    this.taps = kernels.map((kernel, f) =>
      offsets.map((o, i) => [o * reaches[f] * rule.channels, kernel[i]]).filter(([, weight]) => weight !== 0),
    );
    this.blurs = model.blurs.map(([channel, n, kernel]) => {
      const places = kernel.map((_, i) => (Math.floor(i / n) - (n >> 1)) * this.across + (i % n) - (n >> 1));
      return [channel, places.map((place) => place * rule.channels), kernel];
    });
    this.open = rule.life_edge === "zero"; // no life lies beyond the grid
    this.biases = widths.slice(1).map((n, i) => model.biases[i] ?? new Float32Array(n));
    this.biases[0] = firstBias(model);
    this.layers = widths.map((n) => new Float64Array(n));
    this.activation = ACTIVATIONS[rule.activation];
  }

  /** `n` steps; cells act by the hash of (`seed`, `t`). */
  step(seed, t, n = 1) {
    for (let k = 0; k < n; k++) this.live(seed, t + k);
  }

  /** One step. */
  flow(seed, t) {
    this.live(seed, t);
    return true;
  }

  /** Do `edit`, which reads and writes cells. */
  apply(edit) {
    edit();
  }

  live(seed, t) {
    const { rule, own } = this.model;
    const c = rule.channels;
    const [h, w] = this.size;
    const [x, y] = [this.x, this.y];
    this.wrap(x, c);
    y.set(x);
    if (rule.life !== "none") this.markLife(x, this.alive);
    const before = rule.life === "before" || rule.life === "both";
    if (rule.life === "both") this.spread(this.alive, this.reach);
    const may = rule.life === "both" ? this.reach : before ? this.alive : null;
    const limit = threshold(rule.fire_rate);
    const key = fold(derive(seed, t), 0);
    for (let row = 0; row < h; row++) {
      const line = fold(key, row);
      for (let column = 0; column < w; column++) {
        const cell = this.cell(row, column);
        if (may && !may[cell]) continue;
        if (limit < 2 ** 32 && fold(line, column) >>> 0 >= limit) continue;
        this.act(x, y, cell * c);
      }
    }
    if (rule.life !== "none") {
      const judged = rule.life === "before" ? this.alive : this.after;
      if (judged === this.after) {
        this.wrap(y, c);
        this.markLife(y, this.after);
      }
      for (let row = 0; row < h; row++) {
        for (let cell = this.cell(row, 0), end = cell + w; cell < end; cell++) {
          if (!judged[cell] || (before && !this.alive[cell])) y.fill(0, cell * c, cell * c + own);
        }
      }
    }
    [this.x, this.y] = [y, x];
  }

  /** What `World.gauge` says of the cells, with `when`. */
  gauge(when) {
    const { rule, layout } = this.model;
    const [c, body] = [rule.channels, bodyOf(layout)];
    const [h, w] = this.size;
    const most = [0, 0];
    let living = -Infinity;
    for (let row = 0; row < h; row++) {
      for (let at = this.cell(row, 0) * c, end = at + w * c; at < end; at += c) {
        for (let k = 0; k < body; k++) {
          const part = k < layout.visible ? 0 : 1;
          const size = Math.abs(this.x[at + k]);
          if (!(size <= most[part])) most[part] = size >= 0 ? size : Infinity; // no number is beyond all
        }
        if (this.x[at + rule.life_channel] > living) living = this.x[at + rule.life_channel];
      }
    }
    return { shown: most[0], held: most[1], living, ...when };
  }

  /** Where a cell lies among those of the grid and its border. */
  cell(row, column) {
    return (row + this.border) * this.across + column + this.border;
  }

  /** What the cell at `at` becomes: perceive, update, add. */
  act(x, y, at) {
    const { rule, weights, own } = this.model;
    const [c, f] = [rule.channels, this.taps.length];
    const p = this.layers[0];
    for (let k = 0; k < f; k++) {
      const taps = this.taps[k];
      for (let channel = 0; channel < c; channel++) {
        let sum = 0;
        for (let i = 0; i < taps.length; i++) sum += taps[i][1] * x[at + channel + taps[i][0]];
        p[channel * f + k] = sum;
      }
    }
    for (let i = 0; i < weights.length; i++) this.layer(i, i === 0 ? c * f : this.layers[i].length);
    const dx = this.layers[weights.length];
    for (const [channel, places, kernel] of this.blurs) {
      let sum = -x[at + channel];
      for (let i = 0; i < kernel.length; i++) sum += kernel[i] * x[at + channel + places[i]];
      dx[channel] += sum;
    }
    for (let channel = 0; channel < own; channel++) y[at + channel] = x[at + channel] + rule.dt * dx[channel];
  }

  /** Layer `i` of the network, four of its units at a time, from its first `n` inputs. */
  layer(i, n) {
    const [weights, bias, input, output] = [this.model.weights[i], this.biases[i], this.layers[i], this.layers[i + 1]];
    const stride = this.model.widths[i];
    const count = output.length;
    let j = 0;
    for (; j + 4 <= count; j += 4) {
      let [a, b, c, d] = [bias[j], bias[j + 1], bias[j + 2], bias[j + 3]];
      const [wa, wb, wc, wd] = [j * stride, (j + 1) * stride, (j + 2) * stride, (j + 3) * stride];
      for (let k = 0; k < n; k++) {
        const v = input[k];
        a += weights[wa + k] * v;
        b += weights[wb + k] * v;
        c += weights[wc + k] * v;
        d += weights[wd + k] * v;
      }
      output[j] = a;
      output[j + 1] = b;
      output[j + 2] = c;
      output[j + 3] = d;
    }
    for (; j < count; j++) {
      let a = bias[j];
      for (let k = 0; k < n; k++) a += weights[j * stride + k] * input[k];
      output[j] = a;
    }
    if (i < this.model.weights.length - 1) for (j = 0; j < count; j++) output[j] = this.activation(output[j]);
  }

  /** Which cells have a living one in their 3x3 block. */
  markLife(x, into) {
    const { channels, life_channel: k, life_threshold: least } = this.model.rule;
    const [h, w] = this.size;
    const mark = (cell) => (this.living[cell] = x[cell * channels + k] > least ? 1 : 0);
    if (this.open) this.visit([0, 0, h, w], (at) => mark(at / channels));
    else for (let cell = 0; cell < this.cells; cell++) mark(cell);
    this.spread(this.living, into);
  }

  /** A mask grown by one cell all around; its border is that of the grid's edge. */
  spread(mask, into) {
    const [h, w] = this.size;
    const across = this.across;
    for (let row = 0; row < h; row++) {
      for (let cell = this.cell(row, 0), end = cell + w; cell < end; cell++) {
        const [up, down] = [cell - across, cell + across];
        into[cell] =
          mask[up - 1] | mask[up] | mask[up + 1] | mask[cell - 1] | mask[cell] | mask[cell + 1] |
          mask[down - 1] | mask[down] | mask[down + 1];
      }
    }
    if (!this.open) this.wrap(into, 1);
  }

  /** Give the border what lies beyond the edge: the torus, several times round where it is small, copies of the rim, or
   * still nothing. */
  wrap(values, c) {
    const { edge } = this.model.rule;
    if (edge === "zero") return;
    const [h, w] = this.size;
    const far = (k, n) => (edge === "circular" ? k % n : n - 1);
    const copy = (to, from, n) => values.copyWithin(to * c, from * c, (from + n) * c);
    for (let row = 0; row < h; row++) {
      for (let k = 0; k < this.border; k++) {
        copy(this.cell(row, -1 - k), this.cell(row, w - 1 - far(k, w)), 1);
        copy(this.cell(row, w + k), this.cell(row, far(k, w)), 1);
      }
    }
    for (let k = 0; k < this.border; k++) {
      copy(this.cell(-1 - k, -this.border), this.cell(h - 1 - far(k, h), -this.border), this.across);
      copy(this.cell(h + k, -this.border), this.cell(far(k, h), -this.border), this.across);
    }
  }

  /** Numbers of a rectangle of cells, channel by channel. */
  read([row, column, h, w]) {
    const c = this.model.rule.channels;
    const out = new Float32Array(c * h * w);
    this.visit([row, column, h, w], (at, i) => {
      for (let k = 0; k < c; k++) out[k * h * w + i] = this.x[at + k];
    });
    return out;
  }

  write(values, [row, column, h, w], first = 0) {
    const c = this.model.rule.channels;
    this.visit([row, column, h, w], (at, i) => {
      for (let k = first; k < c; k++) this.x[at + k] = values[(k - first) * h * w + i];
    });
  }

  visit([row, column, h, w], change) {
    const c = this.model.rule.channels;
    for (let r = 0; r < h; r++) {
      for (let s = 0; s < w; s++) change(this.cell(row + r, column + s) * c, r * w + s);
    }
  }

  /** Paint one pixel a cell onto a canvas of its own, and give that. */
  picture(view) {
    const [h, w] = this.size;
    this.canvas ??= Object.assign(document.createElement("canvas"), { width: w, height: h });
    const context = this.canvas.getContext("2d");
    const image = (this.pixels ??= context.createImageData(w, h));
    shade(this.model, view, this.x, image.data, this);
    context.putImageData(image, 0, 0);
    return this.canvas;
  }

  dispose() {}
}

/** What a person sees, RGBA bytes: as planaria's Layout.rgb, or one channel from blue (-1) over white to red (1). */
function shade(model, { channel, background }, x, bytes, engine) {
  const { visible, offset, straight } = model.layout;
  const labels = labelsOf(model.layout);
  const [h, w] = engine.size;
  const seen = (v) => Math.min(1, Math.max(0, v + offset || 0));
  engine.visit([0, 0, h, w], (at, i) => {
    let [r, g, b] = [0, 0, 0];
    if (channel !== null) {
      const v = Math.min(1, Math.max(-1, x[at + channel] || 0));
      [r, g, b] = [1 + Math.min(v, 0), 1 - Math.abs(v), 1 - Math.max(v, 0)];
    } else if (labels.length) {
      let whole = 0;
      labels.forEach((label, k) => {
        const v = seen(x[at + k]);
        whole += v;
        [r, g, b] = [r + v * label[0], g + v * label[1], b + v * label[2]];
      });
      [r, g, b] = [r, g, b].map((v, k) => v / Math.max(1, whole) + Math.max(0, 1 - whole) * background[k]);
    } else {
      r = seen(x[at]);
      [g, b] = visible === 1 ? [r, r] : [seen(x[at + 1]), seen(x[at + 2])];
      const clear = visible === 4 ? 1 - seen(x[at + 3]) : 0;
      if (straight) [r, g, b] = [r, g, b].map((v) => v * (1 - clear));
      [r, g, b] = [r + clear * background[0], g + clear * background[1], b + clear * background[2]];
    }
    bytes[4 * i] = 255 * r;
    bytes[4 * i + 1] = 255 * g;
    bytes[4 * i + 2] = 255 * b;
    bytes[4 * i + 3] = 255;
  });
}
