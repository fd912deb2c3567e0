// The engine on the processor: the native kernel as WebAssembly, for every rule. Only cells that act and that life can
// reach are computed. Long steps are left to workers, so that the page never waits.

import { Crew } from "./crew.js";
import { Kernel, compile, supported } from "./kernel.js";
import { bodyOf, labelsOf } from "./model.js";

const LONG = 8; // ms of a step that a page shouldn't wait for
const SHORT = 4; // ms of all workers that it may well wait for
const PATIENCE = 3; // long steps in a row before workers take over: one alone may be the machine's doing

/** The kernel's WebAssembly.Module, and an instance of it; or why there is none. */
export const { module, kernel, why } = await open();

async function open() {
  if (!supported()) return { why: "it needs a browser with WebAssembly SIMD or WebGL2, as any of 2023 or later" };
  try {
    const file = await fetch(new URL("kernel.wasm", import.meta.url));
    const compiled = await compile(new Uint8Array(await file.arrayBuffer()));
    return { module: compiled, kernel: await Kernel.create(compiled) };
  } catch (error) {
    return { why: `this page may run no WebAssembly: ${error.message}` };
  }
}

/** Throws an Error in words where this browser can't run WebAssembly, or has no room for the grid. */
export class WasmEngine {
  constructor(model, size) {
    if (!kernel) throw new Error(why);
    this.kind = "wasm";
    this.size = size;
    this.model = model;
    this.plan = kernel.prepare(model, size);
    this.late = 0; // long steps in a row
    this.crew = null; // workers, where they are needed
    this.alone = false; // workers don't work here
    this.edits = []; // what was done to the cells since they began the step that they are at
  }

  /** Other numbers for the same rule. */
  setModel(model) {
    this.model = model;
    this.plan.setWeights(model.weights, model.biases, model.cond);
    this.crew?.setModel(model);
  }

  /** `n` steps; cells act by the hash of (`seed`, `t`). */
  step(seed, t, n = 1) {
    this.drop();
    const start = performance.now();
    this.plan.run({ seed, t, steps: n });
    this.late = performance.now() - start > LONG * n ? this.late + 1 : 0;
  }

  /** One step as `step` makes it, but a long one is left to workers: true once it is done. */
  flow(seed, t) {
    const crew = this.hire();
    if (!crew) {
      this.step(seed, t);
      return true;
    }
    if (crew.busy) return false;
    if (!crew.done(seed, t)) {
      this.edits = [];
      crew.begin(this.plan.state, seed, t);
      return false;
    }
    if (crew.land(this.plan.state) < SHORT) this.late = 0;
    for (const edit of this.edits) edit();
    return true;
  }

  /** The workers, where a step takes long and they work; else null. */
  hire() {
    if (this.late < PATIENCE || this.alone) return null;
    try {
      this.crew ??= new Crew(module, this.model, this.size);
      if (!this.crew.failed) return this.crew;
      this.crew.dispose();
    } catch {
      // a page whose policy forbids workers
    }
    this.crew = null;
    this.alone = true;
    return null;
  }

  /** What workers are at is void. */
  drop() {
    if (this.crew) this.crew.begun = null;
  }

  /** What `World.gauge` says of the cells, with `when`. */
  gauge(when) {
    const { rule, layout } = this.model;
    const [cells, body] = [this.size[0] * this.size[1], bodyOf(layout)];
    const x = this.plan.state;
    const most = [0, 0];
    for (let k = 0; k < body; k++) {
      const part = k < layout.visible ? 0 : 1;
      let largest = most[part];
      for (let i = k * cells; i < (k + 1) * cells; i++) {
        const size = Math.abs(x[i]);
        if (!(size <= largest)) largest = size >= 0 ? size : Infinity; // no number is beyond all
      }
      most[part] = largest;
    }
    let living = -Infinity;
    const first = rule.life_channel * cells;
    for (let i = first; i < first + cells; i++) if (x[i] > living) living = x[i];
    return { shown: most[0], held: most[1], living, ...when };
  }

  /** Numbers of a rectangle of cells, channel by channel. */
  read([row, column, h, w]) {
    const [rows, columns] = this.size;
    const x = this.plan.state;
    const { channels } = this.model.rule;
    const out = new Float32Array(channels * h * w);
    for (let k = 0; k < channels; k++) {
      for (let r = 0; r < h; r++) {
        const from = (k * rows + row + r) * columns + column;
        out.set(x.subarray(from, from + w), (k * h + r) * w);
      }
    }
    return out;
  }

  /** Do `edit`, which reads and writes cells; and again to what workers give back, if they are at a step. */
  apply(edit) {
    const begun = this.crew?.begun;
    edit();
    if (!begun) return;
    this.crew.begun = begun;
    this.edits.push(edit);
  }

  /** Give a rectangle of cells other numbers, channel by channel from `first` on. */
  write(values, [row, column, h, w], first = 0) {
    if (first < this.model.own) this.drop(); // no step changes what is frozen
    const [rows, columns] = this.size;
    const x = this.plan.state;
    for (let k = first; k < this.model.rule.channels; k++) {
      for (let r = 0; r < h; r++) {
        const from = ((k - first) * h + r) * w;
        x.set(values.subarray(from, from + w), (k * rows + row + r) * columns + column);
      }
    }
  }

  /** Paint one pixel a cell onto a canvas of its own, and give that. */
  picture(view) {
    const [h, w] = this.size;
    this.canvas ??= Object.assign(document.createElement("canvas"), { width: w, height: h });
    const context = this.canvas.getContext("2d");
    const image = (this.pixels ??= context.createImageData(w, h));
    shade(this.model.layout, view, this.plan.state, image.data);
    context.putImageData(image, 0, 0);
    return this.canvas;
  }

  dispose() {
    this.plan.dispose();
    this.crew?.dispose();
  }
}

/** What a person sees, RGBA bytes: as planaria's Layout.rgb, or one channel from blue (-1) over white to red (1). */
function shade(layout, { channel, background }, x, bytes) {
  const { visible, offset, straight } = layout;
  const labels = labelsOf(layout);
  const cells = bytes.length / 4;
  const seen = (k, i) => Math.min(1, Math.max(0, x[k * cells + i] + offset || 0));
  for (let i = 0; i < cells; i++) {
    let [r, g, b] = [0, 0, 0];
    if (channel !== null) {
      const v = Math.min(1, Math.max(-1, x[channel * cells + i] || 0));
      [r, g, b] = [1 + Math.min(v, 0), 1 - Math.abs(v), 1 - Math.max(v, 0)];
    } else if (labels.length) {
      let whole = 0;
      for (let k = 0; k < labels.length; k++) {
        const v = seen(k, i);
        whole += v;
        r += v * labels[k][0];
        g += v * labels[k][1];
        b += v * labels[k][2];
      }
      const [part, clear] = [1 / Math.max(1, whole), Math.max(0, 1 - whole)];
      [r, g, b] = [r * part + clear * background[0], g * part + clear * background[1], b * part + clear * background[2]];
    } else {
      r = seen(0, i);
      [g, b] = visible === 1 ? [r, r] : [seen(1, i), seen(2, i)];
      const clear = visible === 4 ? 1 - seen(3, i) : 0;
      const own = straight ? 1 - clear : 1;
      r = r * own + clear * background[0];
      g = g * own + clear * background[1];
      b = b * own + clear * background[2];
    }
    bytes[4 * i] = 255 * r;
    bytes[4 * i + 1] = 255 * g;
    bytes[4 * i + 2] = 255 * b;
    bytes[4 * i + 3] = 255;
  }
}
