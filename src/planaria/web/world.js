// A live run with a brush, as planaria.world is in Python: no clock, no buttons. Everything that draws or pokes goes
// through here, on the graphics card where it can, in plain JavaScript where not.

import { decode, derive, fold, withWeights } from "./model.js";
import { PlainEngine } from "./plain.js";
import { groundOf, opening, tiled } from "./start.js";
import { GraphicsEngine, imitated } from "./webgl.js";

const UNDO_DEPTH = 64;
const UNDO_BYTES = 64e6;

export class World {
  constructor(payload, { size = payload.grid, seed = 0, canvas = null, prefer = "auto" } = {}) {
    this.model = opened(payload);
    this.canvas = canvas;
    this.prefer = prefer;
    this.seed = seed;
    this.size = [...size];
    this.photo = null;
    this.past = [];
    this.pressed = false;
    this.open();
    this.begin();
  }

  get rule() {
    return this.model.rule;
  }
  get layout() {
    return this.model.layout;
  }
  get name() {
    return this.model.name;
  }
  get channels() {
    return this.rule.channels;
  }
  get own() {
    return this.model.own;
  }
  get kind() {
    return this.engine.kind;
  }
  get whole() {
    return [0, 0, ...this.size];
  }

  /** Take the best engine that this browser has for this model: `prefer` is auto, webgl2 or plain. */
  open() {
    this.why = "";
    this.charged = null;
    if (this.prefer === "plain") this.why = "asked for";
    else if (this.prefer === "auto" && imitated()) this.why = "this browser has no real graphics card";
    else {
      try {
        this.engine = new GraphicsEngine(this.model, this.size);
        this.engine.onlost = () => this.fall("the graphics card was lost");
        return;
      } catch (error) {
        this.why = error.message;
      }
    }
    this.engine = new PlainEngine(this.model, this.size);
  }

  /** Go on in plain JavaScript, from where it began: what a lost card held is gone. */
  fall(why) {
    this.engine = new PlainEngine(this.model, this.size);
    this.why = why;
    this.charged = null;
    this.begin();
  }

  /** Back to where it begins, at step 0, as a loop does: no edit, so `undo` knows nothing of it. */
  begin() {
    const cells = this.size[0] * this.size[1];
    const x = new Float32Array(this.channels * cells);
    const { alpha, frozen } = this.layout;
    if (this.photo && frozen > 0) x.set(this.photo, this.own * cells);
    if (this.photo && frozen === 0) x.set(this.photo);
    else if (this.model.start) x.set((this.charged ??= this.charge(x)));
    else if (alpha !== null) {
      const middle = Math.floor(this.size[0] / 2) * this.size[1] + Math.floor(this.size[1] / 2);
      for (let k = alpha; k < this.own; k++) x[k * cells + middle] = 1;
    }
    this.ground = this.model.start ? groundOf(x, cells, this.layout) : null;
    this.engine.write(x, this.whole);
    this.t = 0;
  }

  /** The state that shows the last frame of the start, charged by the former ones, as planaria.engine.context does. */
  charge(x) {
    const { frames, size } = this.model.start;
    const { offset } = this.layout;
    const steps = this.model.frame;
    return frames.reduce((state, frame, k) => {
      state.set(tiled(frame, size, this.size).map((v) => v - offset));
      const left = frames.length - 1 - k;
      if (!left) return state;
      this.engine.write(state, this.whole);
      for (let t = -left * steps; t < (1 - left) * steps; t++) this.engine.step(0, t);
      return this.read();
    }, x.slice());
  }

  /** Live `n` steps on. */
  tick(n = 1) {
    for (let k = 0; k < n; k++) this.engine.step(this.seed, this.t++);
  }

  /** Back to the seed, or the picture it was given; at step 0. */
  reset() {
    this.remember();
    this.begin();
  }

  /** No cell holds anything, but for what is frozen. */
  clear() {
    this.edit(this.whole, () => 0);
  }

  /** A number by chance in every channel, the same as in Python. */
  randomise() {
    const { visible, offset } = this.layout;
    const key = derive(derive(this.seed, 1), this.t);
    const [, w] = this.size;
    this.edit(this.whole, (_, k, i) => {
      const cell = fold(fold(fold(key, k), Math.floor(i / w)), i % w);
      return (cell >>> 8) / 2 ** 24 - (k < visible ? offset : 0.5);
    });
  }

  /** A photo, as ImageData of the grid's size: under the cells where some channels are frozen, else into the visible. */
  place(image) {
    const [h, w] = this.size;
    if (image.width !== w || image.height !== h) throw new Error(`the photo must have ${w}x${h} pixels`);
    const { visible, frozen, offset } = this.layout;
    const planes = frozen || visible;
    const x = new Float32Array((frozen ? frozen : this.channels) * h * w);
    for (let i = 0; i < h * w; i++) {
      const [r, g, b, a] = image.data.subarray(4 * i, 4 * i + 4);
      const colour = held([r / 255, g / 255, b / 255, a / 255], planes);
      colour.forEach((v, k) => (x[k * h * w + i] = v - offset));
    }
    this.remember();
    this.photo = x;
    this.charged = null;
    if (frozen) this.engine.write(concat(this.read().subarray(0, this.own * h * w), x), this.whole);
    else {
      this.engine.write(x, this.whole);
      if (this.ground) this.ground = groundOf(x, h * w, this.layout);
      this.t = 0;
    }
  }

  /** Cut out a shape: `left`, `circle(x,y,r)`, `centre(16)`, `speckle(0.3)`, `noise(0.3)`, ... */
  erase(wound) {
    const [, kind, numbers] = /^\s*([a-z]+)\s*(?:\(([^()]*)\))?\s*$/.exec(wound) ?? [];
    const given = numbers ? numbers.split(",").map(Number) : [];
    const [h, w] = this.size;
    if (kind === "noise") return this.shake(given[0] ?? 0.3);
    const mask = this.mask(kind, given, derive(this.seed, this.t));
    if (!mask) throw new Error(`unknown wound ${wound}`);
    const [x, y, r] = given;
    const whole = kind === "circle" ? this.around(y, x, r) : this.whole;
    return this.edit(whole, (v, _, i) => {
      const row = whole[0] + Math.floor(i / whole[3]);
      const column = whole[1] + (i % whole[3]);
      return mask(row, column, h, w) ? 0 : v;
    });
  }

  mask(kind, [a, b, c], seed) {
    const key = fold(derive(seed, 0), 0);
    const side = a ?? 16;
    const masks = {
      left: (row, column, h, w) => column < Math.floor(w / 2),
      right: (row, column, h, w) => column >= w - Math.floor(w / 2),
      top: (row, column, h) => row < Math.floor(h / 2),
      bottom: (row, column, h) => row >= h - Math.floor(h / 2),
      centre: (row, column, h, w) =>
        Math.abs(row + 0.5 - h / 2) < side / 2 && Math.abs(column + 0.5 - w / 2) < side / 2,
      circle: (row, column) => (column - a) ** 2 + (row - b) ** 2 <= c * c,
      speckle: (row, column) => (fold(fold(key, row), column) >>> 8) / 2 ** 24 < (a ?? 0.3),
    };
    return masks[kind];
  }

  /** Normal noise on every living cell. */
  shake(strength) {
    const [h, w] = this.size;
    const key = derive(derive(derive(this.seed, this.t), 1), 0);
    const { alpha } = this.layout;
    const life = alpha === null ? null : this.read().slice(alpha * h * w, (alpha + 1) * h * w);
    const chance = (k, i) => (fold(fold(fold(key, k), Math.floor(i / w)), i % w) >>> 8) / 2 ** 24;
    this.edit(this.whole, (v, k, i) => {
      if (life && !(life[i] > 0)) return v;
      const normal = Math.sqrt(-2 * Math.log(1 - chance(2 * k, i))) * Math.cos(2 * Math.PI * chance(2 * k + 1, i));
      return v + strength * normal;
    });
  }

  /** Set channels of a disc of cells to `values` {channel: value}; plant living seed cells where null. */
  paint(row, column, radius, values = null) {
    const rect = this.around(row, column, radius);
    if (rect[2] < 1 || rect[3] < 1) return;
    let put = values;
    if (!put) {
      put = {};
      for (let k = this.layout.alpha ?? 0; k < this.own; k++) put[k] = 1;
    }
    this.edit(rect, (v, k, i) => {
      const [down, right] = [rect[0] + Math.floor(i / rect[3]) - row, rect[1] + (i % rect[3]) - column];
      return k in put && down * down + right * right <= radius * radius ? put[k] : v;
    });
  }

  /** One living seed cell, as the world began with. */
  plant(row, column) {
    this.paint(Math.round(row), Math.round(column), 0, null);
  }

  /** What a cell of an opaque colour holds, [r, g, b] in 0..255. */
  colour(rgb) {
    const { visible, offset } = this.layout;
    const values = held([...rgb.map((v) => v / 255), 1], visible);
    return Object.fromEntries(values.map((v, k) => [k, v - offset]));
  }

  /** The cells within `radius`, as a rectangle [row, column, rows, columns] inside the grid. */
  around(row, column, radius) {
    const [h, w] = this.size;
    const top = Math.min(h, Math.max(0, Math.ceil(row - radius)));
    const left = Math.min(w, Math.max(0, Math.ceil(column - radius)));
    const bottom = Math.min(h, Math.floor(row + radius) + 1);
    const right = Math.min(w, Math.floor(column + radius) + 1);
    return [top, left, Math.max(0, bottom - top), Math.max(0, right - left)];
  }

  /** Change the cells of a rectangle by `deed(value, channel, place)`; frozen channels stay. */
  edit(rect, deed) {
    const count = rect[2] * rect[3];
    if (count < 1) return;
    this.remember();
    const x = this.engine.read(rect);
    for (let k = 0; k < this.own; k++) for (let i = 0; i < count; i++) x[k * count + i] = deed(x[k * count + i], k, i);
    this.engine.write(x, rect);
  }

  /** Put the brush down: all edits until `lift` are one to `undo`. */
  press() {
    this.remember();
    this.pressed = true;
  }

  lift() {
    this.pressed = false;
  }

  /** Back to the moment before the newest edit; false where there is none. */
  undo() {
    this.lift();
    if (!this.past.length) return false;
    const { x, ...then } = this.past.pop();
    this.engine.write(x, this.whole);
    this.charged = null;
    Object.assign(this, then);
    return true;
  }

  remember() {
    if (this.pressed) return;
    const x = this.read();
    const most = Math.min(UNDO_DEPTH, Math.max(1, Math.floor(UNDO_BYTES / x.byteLength)));
    while (this.past.length >= most) this.past.shift();
    this.past.push({ x, t: this.t, photo: this.photo, ground: this.ground });
  }

  /** The colour that a person sees at a cell of the grid, [r, g, b] in 0..255; null beside it. */
  pick(row, column, background = [1, 1, 1]) {
    const [h, w] = this.size;
    if (row < 0 || column < 0 || row >= h || column >= w) return null;
    const at = 4 * (Math.floor(row) * w + Math.floor(column));
    return [...this.image({ background }).data.subarray(at, at + 3)];
  }

  /** What a person sees, ImageData of one pixel a cell. */
  image({ background = [1, 1, 1], channel = null } = {}) {
    const [h, w] = this.size;
    const context = Object.assign(document.createElement("canvas"), { width: w, height: h }).getContext("2d");
    context.drawImage(this.engine.picture({ background, channel }), 0, 0);
    return context.getImageData(0, 0, w, h);
  }

  /** Draw onto the canvas: `scale` pixels to a cell, the grid's upper left corner at (x, y). */
  draw({ scale, x, y, channel = null, background = [1, 1, 1], light = null }) {
    const context = this.canvas.getContext("2d");
    const [h, w] = this.size;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(this.engine.picture({ background, channel }), x, y, w * scale, h * scale);
    if (!light) return;
    context.strokeStyle = light;
    context.strokeRect(x - 0.5, y - 0.5, w * scale + 1, h * scale + 1);
  }

  /** Another model in the same grid; its life begins anew unless its cells hold as many numbers. */
  setModel(payload) {
    const model = opened(payload);
    const alike = model.rule.channels === this.channels && model.rule.frozen === this.rule.frozen;
    const x = alike ? this.read() : null;
    this.engine.dispose();
    this.model = model;
    this.open();
    if (x) this.engine.write(x, this.whole);
    else {
      this.past = [];
      this.photo = null;
      this.begin();
    }
  }

  /** Other numbers for the same model: all weights, then all biases. */
  setWeights(flat) {
    this.model = withWeights(this.model, flat);
    this.charged = null;
    this.engine.setModel(this.model);
  }

  /** The vector told to every cell. */
  setCond(cond) {
    if (cond.length !== this.rule.cond) throw new Error(`the rule is told ${this.rule.cond} numbers`);
    this.model = { ...this.model, cond: Float32Array.from(cond) };
    this.charged = null;
    this.engine.setModel(this.model);
  }

  /** A grid of another size; what fits is kept, in the middle. A film goes on around it as its own mirror image. */
  resize([h, w]) {
    const [rows, columns] = this.size;
    const [down, right] = [Math.floor(h / 2) - Math.floor(rows / 2), Math.floor(w / 2) - Math.floor(columns / 2)];
    const fitted = (old) => {
      if (this.model.start) return tiled(old, [rows, columns], [h, w]);
      const planes = old.length / (rows * columns);
      const fresh = new Float32Array(planes * h * w);
      for (let k = 0; k < planes; k++) {
        for (let row = Math.max(0, -down); row < rows && row + down < h; row++) {
          for (let column = Math.max(0, -right); column < columns && column + right < w; column++) {
            fresh[(k * h + row + down) * w + column + right] = old[(k * rows + row) * columns + column];
          }
        }
      }
      return fresh;
    };
    const fresh = fitted(this.read());
    this.photo = this.photo && fitted(this.photo);
    this.engine.dispose();
    this.size = [h, w];
    this.past = [];
    this.open();
    this.engine.write(fresh, this.whole);
  }

  /** Every number, (c, h, w). */
  read() {
    return this.engine.read(this.whole);
  }

  dispose() {
    this.engine.dispose();
  }
}

/** A payload decoded, with the frames that it begins with. */
function opened(payload) {
  return { ...decode(payload), start: opening(payload), frame: payload.frame ?? 1 };
}

/** A straight colour [r, g, b, a] in 0..1 as `planes` numbers: premultiplied rgba; grey or rgb lie over white. */
function held([r, g, b, a], planes) {
  if (planes > 3) return [r * a, g * a, b * a, a];
  const [red, green, blue] = [r, g, b].map((v) => v * a + 1 - a);
  return planes === 1 ? [0.299 * red + 0.587 * green + 0.114 * blue] : [red, green, blue].slice(0, planes);
}

function concat(first, second) {
  const out = new Float32Array(first.length + second.length);
  out.set(first);
  out.set(second, first.length);
  return out;
}
