// A live run with a brush, as planaria.world is in Python: no clock, no buttons. Everything that draws or pokes goes
// through here, on the graphics card where it can, in WebAssembly where not.

import { STREAM, bodyOf, decode, derive, labelsOf, slopesOf, turned, withWeights } from "../engine/model.js";
import { exposed, held, labelled, photoPlanes, planesOf, planted, pose, sown } from "./photo.js";
import { centred, backgroundOf, opening, tiled } from "./start.js";
import { WasmEngine } from "../engine/wasm.js";
import { GraphicsEngine, imitated } from "../engine/webgl.js";
import { maskOf, uniform } from "./damage.js";

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
    this.turn = 0; // degrees
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
  /** The model that runs: turned by as many degrees as a person wants. */
  get turned() {
    return turned(this.model, this.turn);
  }
  get whole() {
    return [0, 0, ...this.size];
  }
  /** Whether cells repaint a photo that lies under them. */
  get repaints() {
    return photoPlanes(this.layout) > 0;
  }

  /** The photo under the cells, (planes, h, w) in 0..1: the one that was put there, or the model's own; null without. */
  get under() {
    if (!this.repaints) return null;
    const { start } = this.model;
    if (this.photo || !start) return this.photo;
    if (this.mine?.start !== start || this.mine.size !== this.size) {
      this.mine = { start, size: this.size, photo: tiled(start.frames.at(-1), start.size, this.size) };
    }
    return this.mine.photo;
  }

  /**
   * Take the best engine that this browser has for this model: `prefer` is auto, webgl2 or wasm (or plain, as it was
   * called before).
   */
  open() {
    this.charged = null;
    const chosen = ["wasm", "plain"].includes(this.prefer);
    const slow = this.prefer === "auto" && imitated();
    this.why = chosen ? "asked for" : slow ? "this browser has no real graphics card" : this.refused();
    if (!this.why) return;
    try {
      this.engine = new WasmEngine(this.turned, this.size);
    } catch (error) {
      if (!slow || this.refused()) throw error;
      this.why = "";
    }
  }

  /** Take the graphics card; gives why it can't be had. */
  refused() {
    try {
      this.engine = new GraphicsEngine(this.turned, this.size);
      this.engine.onlost = () => this.fall("the graphics card was lost");
      return "";
    } catch (error) {
      return error.message;
    }
  }

  /** Go on in WebAssembly, from where it began: what a lost card held is gone. */
  fall(why) {
    try {
      this.engine = new WasmEngine(this.turned, this.size);
    } catch (error) {
      this.engine.flow = () => {
        throw new Error(`${why}, and ${error.message}`);
      };
      return;
    }
    this.why = why;
    this.charged = null;
    this.begin();
  }

  /** Back to where it begins, at step 0, as a loop does: no edit, so `undo` knows nothing of it. */
  begin() {
    const cells = this.size[0] * this.size[1];
    let x = new Float32Array(this.channels * cells);
    if (this.under) x = pose(this.under, this.size, this.layout, this.seed);
    else if (this.photo) x.set(this.photo);
    else if (this.model.start) x.set((this.charged ??= this.charge(x)));
    else planted(x, this.size, this.layout);
    this.background = this.model.start && !this.repaints ? backgroundOf(x, cells, this.layout) : null;
    this.engine.write(x, this.whole);
    this.t = 0;
    this.edited = null; // the step of the newest edit since
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
      this.engine.step(0, -left * steps, steps);
      return this.read();
    }, x.slice());
  }

  /** Live `n` steps on. */
  tick(n = 1) {
    this.engine.step(this.seed, this.t, n);
    this.t += n;
  }

  /** Live one step on, but where that takes long let workers do it meanwhile: true once it is done. */
  flow() {
    const done = this.engine.flow(this.seed, this.t);
    if (done) this.t += 1;
    return done;
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

  /** A random number in every channel, the same as in Python; none is infected. */
  randomise() {
    const { visible, offset } = this.layout;
    const key = derive(derive(this.seed, STREAM.noise), this.t);
    const [, w] = this.size;
    const body = bodyOf(this.layout);
    this.edit(this.whole, (_, k, i) => (k < body ? uniform(key, k, i, w) - (k < visible ? offset : 0.5) : 0));
  }

  /** A photo, as ImageData: where it lies under the cells, as `expose` does; else the visible channels of the grid. */
  place(image) {
    const [h, w] = this.size;
    if (!this.repaints && (image.width !== w || image.height !== h)) throw new Error(`the photo must have ${w}x${h} pixels`);
    this.remember();
    if (this.repaints) return this.expose(image);
    const x = new Float32Array(this.channels * h * w);
    const { visible, offset, straight } = this.layout;
    x.set(planesOf(image, visible, straight, labelsOf(this.layout)).map((v) => v - offset));
    this.photo = x;
    this.charged = null;
    this.engine.write(x, this.whole);
    if (this.background) this.background = backgroundOf(x, h * w, this.layout);
    this.t = 0;
  }

  /**
   * Lay a photo, as ImageData, under the cells: they repaint it from where they are. Where it has another shape than the
   * grid, that takes its shape, and life begins anew. No edit, so that a camera can do it many times a second.
   */
  expose(image) {
    const planes = photoPlanes(this.layout);
    const size = [image.height, image.width];
    const alike = String(size) === String(this.size);
    if (!alike) this.renew(size);
    this.photo = planesOf(image, planes);
    if (!alike) this.begin();
    else this.engine.write(exposed(this.photo, size, this.layout), this.whole, this.own);
  }

  /** Cut out a shape: `left`, `circle(x,y,r)`, `centre(16)`, `speckle(0.3)`, `noise(0.3)`, ... */
  erase(damage) {
    const [, kind, numbers] = /^\s*([a-z]+)\s*(?:\(([^()]*)\))?\s*$/.exec(damage) ?? [];
    const given = numbers ? numbers.split(",").map(Number) : [];
    const [h, w] = this.size;
    if (kind === "noise") return this.shake(given[0] ?? 0.3);
    const mask = maskOf(kind, given, derive(this.seed, this.t));
    if (!mask) throw new Error(`unknown damage ${damage}`);
    const [x, y, r] = given;
    const whole = kind === "circle" ? this.around(y, x, r) : this.whole;
    return this.edit(whole, (v, _, i) => {
      const row = whole[0] + Math.floor(i / whole[3]);
      const column = whole[1] + (i % whole[3]);
      return mask(row, column, h, w) ? 0 : v;
    });
  }

  /** Normal noise on every living cell; it makes nobody ill. */
  shake(strength) {
    const [h, w] = this.size;
    const key = derive(derive(derive(this.seed, this.t), STREAM.noise), 0);
    const { alpha } = this.layout;
    const body = bodyOf(this.layout);
    const life = alpha === null ? null : this.read().slice(alpha * h * w, (alpha + 1) * h * w);
    this.edit(this.whole, (v, k, i) => {
      if (k >= body || (life && !(life[i] > 0))) return v;
      const [first, second] = [uniform(key, 2 * k, i, w), uniform(key, 2 * k + 1, i, w)];
      return v + strength * Math.sqrt(-2 * Math.log(1 - first)) * Math.cos(2 * Math.PI * second);
    });
  }

  /** Set channels of a disc of cells to `values` {channel: value}; plant living seed cells where null. */
  paint(row, column, radius, values = null) {
    const rect = this.around(row, column, radius);
    if (rect[2] < 1 || rect[3] < 1) return;
    let put = values;
    if (!put) {
      put = {};
      const [first, end] = sown(this.layout);
      for (let k = first; k < end; k++) put[k] = 1;
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

  /** The bare photo shows again in a disc of cells, as where they begin. */
  wash(row, column, radius) {
    const { under, seed } = this;
    const rect = this.around(row, column, radius);
    if (!under || rect[2] < 1 || rect[3] < 1) return;
    if (this.bare?.under !== under || this.bare.seed !== seed) {
      this.bare = { under, seed, x: pose(under, this.size, this.layout, seed) };
    }
    const [h, w] = this.size;
    this.edit(rect, (v, k, i) => {
      const [down, right] = [rect[0] + Math.floor(i / rect[3]), rect[1] + (i % rect[3])];
      const inside = (down - row) ** 2 + (right - column) ** 2 <= radius * radius;
      return inside ? this.bare.x[(k * h + down) * w + right] : v;
    });
  }

  /** What a cell of an opaque colour holds, [r, g, b] in 0..255. */
  colour(rgb) {
    const { visible, offset } = this.layout;
    const labels = labelsOf(this.layout);
    const shown = rgb.map((v) => v / 255);
    const values = labels.length ? labelled(shown, labels) : held([...shown, 1], visible);
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

  /** Change the first `channels` of a rectangle's cells by `change(value, channel, place)`; frozen ones stay. */
  edit(rect, change, channels = this.own) {
    const count = rect[2] * rect[3];
    if (count < 1) return;
    this.remember();
    this.engine.apply(() => {
      const x = this.engine.read(rect);
      for (let k = 0; k < channels; k++) for (let i = 0; i < count; i++) x[k * count + i] = change(x[k * count + i], k, i);
      this.engine.write(x, rect);
    });
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
    const { x, size, ...then } = this.past.pop();
    if (String(size) !== String(this.size)) this.renew(size);
    this.engine.write(x, this.whole);
    this.charged = null;
    Object.assign(this, then);
    this.edited = this.t;
    return true;
  }

  remember() {
    this.edited = this.t;
    if (this.pressed) return;
    const x = this.read();
    const most = Math.min(UNDO_DEPTH, Math.max(1, Math.floor(UNDO_BYTES / x.byteLength)));
    while (this.past.length >= most) this.past.shift();
    this.past.push({ x, size: this.size, t: this.t, photo: this.photo, background: this.background });
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
    const shape = ({ rule, layout }) => [rule.channels, rule.frozen, photoPlanes(layout)].join();
    const alike = shape(model) === shape(this.model);
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

  /** Other parameters of the same model: all weights, then all biases. */
  setWeights(flat) {
    this.model = withWeights(this.model, flat);
    this.charged = null;
    this.engine.setModel(this.turned);
  }

  /** Let all that it does go another way, by `degrees` counter-clockwise, where it knows one; its cells live on. */
  setTurn(degrees) {
    this.turn = slopesOf(this.rule).length ? degrees : 0;
    this.engine.setModel(this.turned);
  }

  /** The condition, the same vector in every cell. */
  setCond(cond) {
    if (cond.length !== this.rule.cond) throw new Error(`the rule takes ${this.rule.cond} numbers`);
    this.model = { ...this.model, cond: Float32Array.from(cond) };
    this.charged = null;
    this.engine.setModel(this.turned);
  }

  /** A grid of another size; what fits is kept, in the middle. A picture goes on around it as its own mirror image. */
  resize([h, w]) {
    const fit = this.model.start || this.repaints ? tiled : centred;
    const fresh = fit(this.read(), this.size, [h, w]);
    this.photo = this.photo && fit(this.photo, this.size, [h, w]);
    this.past = [];
    this.renew([h, w]);
    this.engine.write(fresh, this.whole);
  }

  /** An engine for a grid of another size, with nothing in it. */
  renew(size) {
    this.engine.dispose();
    this.size = size;
    this.open();
  }

  /**
   * The largest size of a number in what is shown and in what else a cell holds, and the largest of its life, with the
   * step `t` that had them and what `life` that was called; null where the graphics card still counts.
   */
  gauge(life = 0) {
    return this.engine.gauge({ t: this.t, life });
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
