// The C++ kernel as WebAssembly: runs a rule and differentiates it, on one thread. Built from native/ by `make wasm`.
//
//   const kernel = await Kernel.create(await compile(bytes));
//   const plan = kernel.prepare(model, [72, 72], 8);
//   plan.state.set(start);
//   plan.run({ seed: 7, t: 0, steps: 64, keep: true });
//   plan.gradient.set(slope(plan.state));
//   const { weights, biases } = plan.backward();
//
// All errors are Errors in words; memory that runs out is one. The same model, seed and steps give the same bytes on every
// machine.

import { firstBias, taps, threshold } from "./model.js";

const EDGES = ["zero", "circular", "replicate"];
const LIVES = { none: 0, before: 1, after: 2, both: 3 };
const ACTIVATIONS = ["relu", "leaky_relu", "elu", "gelu", "silu", "tanh"];

// A module of one function that holds an empty `try` and gives a vector: what a browser that lacks either refuses.
const NEEDS = [
  [0, 97, 115, 109, 1, 0, 0, 0], [1, 5, 1, 96, 0, 1, 123], [3, 2, 1, 0],
  [10, 13, 1, 11, 0, 6, 64, 11, 65, 0, 253, 15, 253, 98, 11],
].flat();

/** Whether this browser can run the kernel: WebAssembly with vectors of 128 bits, and with exceptions. */
export function supported() {
  return typeof WebAssembly === "object" && WebAssembly.validate(Uint8Array.from(NEEDS));
}

const compiled = new WeakMap();

/**
 * Compile the kernel; the same array again gives the same module. A module can be posted to a Worker.
 * @param {Uint8Array} bytes kernel.wasm
 * @returns {Promise<WebAssembly.Module>}
 */
export function compile(bytes) {
  if (!compiled.has(bytes)) compiled.set(bytes, WebAssembly.compile(bytes));
  return compiled.get(bytes);
}

/** An instance of the kernel with a memory of its own, for one thread. */
export class Kernel {
  /**
   * @param {WebAssembly.Module} module
   * @returns {Promise<Kernel>}
   */
  static async create(module) {
    const kernel = new Kernel(await WebAssembly.instantiate(module, {}));
    kernel.c._initialize();
    return kernel;
  }

  /** Use `Kernel.create`. */
  constructor(instance) {
    this.c = instance.exports; // the functions of native/planaria.h, without their prefix
    for (const [name, value] of Object.entries(instance.exports)) {
      if (name.startsWith("planaria_")) this[`_${name.slice(9)}`] = value;
    }
  }

  /**
   * A rule prepared for states (batch, channels, h, w), which begin at zero.
   * @param model as `decode` of model.js gives it
   * @param {[number, number]} size height and width of the grid
   * @param {number} batch
   * @returns {Plan}
   */
  prepare(model, size, batch = 1) {
    return new Plan(this, model, size, batch);
  }

  /** The number that is compared with the fire rate times 2**32: cells with a smaller one fire. */
  hash({ seed, t, sample = 0, row, column }) {
    return this._hash(seed, t, sample, row, column) >>> 0;
  }

  /** Bytes of this instance's memory; it only grows. */
  get bytes() {
    return this.c.memory.buffer.byteLength;
  }

  /** A view of `n` numbers in the instance's memory. */
  floats(at, n) {
    return new Float32Array(this.c.memory.buffer, at, n);
  }

  /** Call `use` with the places of `arrays` in the instance's memory, copied there for as long as it takes. */
  lend(arrays, use) {
    const rooms = [];
    try {
      for (const array of arrays) {
        const at = this._allocate(Math.max(1, array.byteLength)) >>> 0;
        if (!at) throw new Error("there is not enough memory");
        rooms.push(at);
        new Uint8Array(this.c.memory.buffer, at, array.byteLength).set(
          new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
        );
      }
      return use(rooms);
    } finally {
      for (const at of rooms) this._release(at);
    }
  }

  /** Throw what the kernel says of a call that gave a code other than 0, or no place. */
  check(well) {
    if (well) return;
    const bytes = new Uint8Array(this.c.memory.buffer, this._message());
    throw new Error(new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0))));
  }
}

/** A rule on a grid, and the states that it advances. Made by `Kernel.prepare`. */
class Plan {
  constructor(kernel, model, [height, width], batch) {
    this.kernel = kernel;
    this.model = model;
    this.size = [height, width];
    this.batch = batch;
    this.shape = [batch, model.rule.channels, height, width];
    this.count = this.shape.reduce((a, b) => a * b);
    this.room = null; // for the areas that are read and written: [place, numbers]
    const { kernels, reaches, widths, blurs } = model;
    const nine = (k) => k.length === 9;
    const others = kernels.map((k) => (nine(k) ? [] : taps(k)));
    const fixed = [
      Float32Array.from(kernels.flatMap((k) => (nine(k) ? [...k] : Array(9).fill(0)))),
      Int32Array.from(reaches),
      Int32Array.from(widths.slice(1)),
      Int32Array.from(blurs.map(([channel]) => channel)),
      Int32Array.from(blurs.map(([, side]) => side)),
      Float32Array.from(blurs.flatMap(line)),
      Int32Array.from(others.map((list) => list.length)),
      Int32Array.from(others.flatMap((list) => list.flatMap(([row, column]) => [row, column]))),
      Float32Array.from(others.flatMap((list) => list.map(([, , weight]) => weight))),
    ];
    const layers = parameters(model);
    this.at = kernel.lend([...fixed, ...layers], (rooms) =>
      kernel.lend([ruleOf(model, rooms.slice(0, fixed.length)), ...places(rooms.slice(fixed.length))], (whole) =>
        kernel._prepare(...whole, batch, height, width),
      ),
    );
    kernel.check(this.at);
  }

  /**
   * Numbers (batch, channels, h, w), to read and to write until the next `run`, `read`, `write` or `look`: get it anew
   * after each of them. While steps run, the kernel keeps the state in another order; a player that shows it and paints
   * some cells is served faster by `look`, `read` and `write`, which leave it there.
   * @returns {Float32Array}
   */
  get state() {
    return this.view("_state");
  }

  /**
   * The same numbers, to read only, until the next call.
   * @returns {Float32Array}
   */
  look() {
    return this.view("_look");
  }

  /**
   * Numbers (channels, h, w) of a rectangle of cells.
   * @param {[number, number, number, number]} area row, column, height, width
   * @returns {Float32Array} a copy
   */
  read(area, sample = 0) {
    const n = this.numbers(area);
    const at = this.borrow(n);
    this.kernel.check(this.kernel._read(this.place, sample, ...area, at) === 0);
    return this.kernel.floats(at, n).slice();
  }

  /**
   * Other numbers (channels, h, w) for a rectangle of cells.
   * @param {ArrayLike<number>} values
   * @param {[number, number, number, number]} area row, column, height, width
   */
  write(values, area, sample = 0) {
    const n = this.numbers(area);
    if (values.length !== n) throw new Error(`that area has ${n} numbers, not ${values.length}`);
    const at = this.borrow(n);
    this.kernel.floats(at, n).set(values);
    this.kernel.check(this.kernel._write(this.place, sample, ...area, at) === 0);
  }

  /**
   * Other parameters of the same shapes, as the payload has them: `weights[i]` (out, in) row by row, where the first
   * layer's inputs are all filters of channel 0, then of channel 1, ..., then the condition; biases may be fewer. The
   * state stays.
   * @param {ArrayLike<number>[]} weights
   * @param {ArrayLike<number>[]} biases
   * @param {ArrayLike<number>} cond what every cell reads; that of the model if left out
   */
  setWeights(weights, biases, cond = this.model.cond) {
    const model = { ...this.model, weights, biases, cond };
    this.kernel.lend(parameters(model), (rooms) =>
      this.kernel.lend(places(rooms), ([atWeights, atBiases]) =>
        this.kernel.check(this.kernel._set_weights(this.place, atWeights, atBiases) === 0),
      ),
    );
    this.model = model;
  }

  /**
   * Advance the state by `steps` steps, of which the first is step `t`. With `keep`, they are recorded for `backward`.
   * `origin`, row and column, is where the grid begins in a larger one: that says which cells fire. The state is lost
   * where memory runs out.
   */
  run({ seed, t, steps, keep = false, origin = [0, 0] }) {
    this.kernel.check(this.kernel._run(this.place, seed, t, steps, keep, ...origin) === 0);
  }

  /**
   * Numbers (batch, channels, h, w): write the loss's slope of the last state here; after `backward` it is that of the
   * state before the recorded steps. Get it anew after each call.
   * @returns {Float32Array}
   */
  get gradient() {
    return this.view("_gradient");
  }

  /**
   * Gradients of the parameters through the steps that the last `run` recorded, summed over the samples in their order,
   * in the shapes of `setWeights`. It may be called again, for another `gradient`.
   * @returns {{weights: Float32Array[], biases: Float32Array[]}}
   */
  backward() {
    this.kernel.check(this.kernel._backward(this.place) === 0);
    const sum = this.gradients(-1);
    if (this.model.cond.length) {
      const [whole, ...parts] = [sum, ...this.perSample()].map(({ weights }) => weights[0]);
      whole.fill(0); // its columns of the condition are sums of products
      for (const part of parts) part.forEach((v, i) => (whole[i] += v));
    }
    return sum;
  }

  /**
   * After `backward`: the gradients of each sample apart. `backward` gives their sum from zero in this order, each sum
   * rounded to float32, so workers that share a batch add to the same bytes.
   * @returns {{weights: Float32Array[], biases: Float32Array[]}[]}
   */
  perSample() {
    return Array.from({ length: this.batch }, (_, sample) => this.gradients(sample));
  }

  /** Bytes of the recorded steps. */
  get traced() {
    return this.kernel._traced(this.place) >>> 0;
  }

  /** Give the memory back to the kernel; the plan is of no more use. */
  dispose() {
    if (!this.at) return;
    this.kernel._free(this.at);
    if (this.room) this.kernel._release(this.room[0]);
    this.at = 0;
    this.room = null;
  }

  /** Where the kernel keeps the plan. */
  get place() {
    if (!this.at) throw new Error("the plan was disposed of");
    return this.at;
  }

  /** Gradients of one sample, or of all below zero. */
  gradients(sample) {
    const { kernel, model } = this;
    const shaped = parameters(model).map((like) => new Float32Array(like.length));
    const parts = kernel.lend(shaped, (rooms) =>
      kernel.lend(places(rooms), ([atWeights, atBiases]) => {
        kernel.check(kernel._gradients(this.place, sample, atWeights, atBiases) === 0);
        return rooms.map((at, i) => kernel.floats(at, shaped[i].length).slice());
      }),
    );
    const weights = parts.slice(0, model.weights.length);
    const biases = parts.slice(model.weights.length);
    const count = model.cond.length;
    if (count) weights[0] = conditioned(weights[0], biases[0], model.cond);
    return { weights, biases: biases.slice(0, model.biases.length) };
  }

  view(name) {
    const at = this.kernel[name](this.place) >>> 0;
    this.kernel.check(at);
    return this.kernel.floats(at, this.count);
  }

  numbers([, , height, width]) {
    return this.model.rule.channels * height * width;
  }

  /** Room for so many numbers that lasts until the next call of this. */
  borrow(n) {
    if (!this.room || this.room[1] < n) {
      if (this.room) this.kernel._release(this.room[0]);
      this.room = null;
      const at = this.kernel._allocate(4 * Math.max(1, n)) >>> 0;
      if (!at) throw new Error("there is not enough memory");
      this.room = [at, n];
    }
    return this.room[0];
  }
}

/** Weights, then a bias for each, as the kernel takes them: the condition is in the first bias. */
function parameters(model) {
  const { rule, widths, weights, biases, cond } = model;
  same(weights.length, widths.length - 1, "layers of weights");
  same(cond.length, rule.cond, "numbers of the condition");
  weights.forEach((w, i) => same(w.length, widths[i] * widths[i + 1], `weights of layer ${i + 1}`));
  biases.forEach((b, i) => same(b.length, widths[i + 1], `biases of layer ${i + 1}`));
  const inputs = widths[0] - cond.length;
  const first = new Float32Array(widths[1] * inputs);
  for (let o = 0; o < widths[1]; o++) {
    for (let i = 0; i < inputs; i++) first[o * inputs + i] = weights[0][o * widths[0] + i];
  }
  const rows = widths.slice(1).map((n, i) => Float32Array.from(biases[i] ?? new Float32Array(n)));
  rows[0] = firstBias(model);
  return [first, ...weights.slice(1).map((w) => Float32Array.from(w)), ...rows];
}

/** Places of weights, and of as many biases, as two arrays of C pointers. */
function places(rooms) {
  const half = rooms.length / 2;
  return [Uint32Array.from(rooms.slice(0, half)), Uint32Array.from(rooms.slice(half))];
}

/** A `planaria_rule` of native/planaria.h. */
function ruleOf({ rule, kernels, own, widths, blurs }, pointers) {
  const bytes = new DataView(new ArrayBuffer(104));
  [threshold(rule.fire_rate), rule.life_threshold, rule.dt].forEach((v, i) => bytes.setFloat64(8 * i, v, true));
  const words = [rule.channels, own, LIVES[rule.life] ?? -1, rule.life_channel, EDGES.indexOf(rule.edge)];
  words.push(rule.life_edge === "zero" ? 1 : 0, ACTIVATIONS.indexOf(rule.activation));
  words.push(kernels.length, widths.length - 1, blurs.length, ...pointers);
  words.forEach((v, i) => bytes.setInt32(24 + 4 * i, v, true));
  return bytes;
}

/** The weights of a blur along its rows, as along its columns, from those of its square. */
function line([, side, kernel]) {
  return Array.from({ length: side }, (_, i) => kernel.slice(i * side, (i + 1) * side).reduce((a, b) => a + b));
}

/** Gradient of the first weights with the columns of a condition that all cells read. */
function conditioned(weights, bias, cond) {
  const inputs = weights.length / bias.length;
  const whole = new Float32Array(bias.length * (inputs + cond.length));
  for (let o = 0; o < bias.length; o++) {
    const at = o * (inputs + cond.length);
    whole.set(weights.subarray(o * inputs, (o + 1) * inputs), at);
    for (let k = 0; k < cond.length; k++) whole[at + inputs + k] = bias[o] * cond[k];
  }
  return whole;
}

function same(got, wanted, what) {
  if (got !== wanted) throw new Error(`there are ${wanted} ${what}, not ${got}`);
}
