// A training of a growing pattern, as planaria.training.loop has it: draw, damage, run, compute the loss, learn, put
// back. Every random number comes of (train.seed, purpose, iteration), so the same settings give the same training.

import { derive } from "../engine/model.js";
import { Adam, clip, normalise } from "./adam.js";
import { configOf } from "./config.js";
import { Crew } from "./crew.js";
import { applied, drawn, parse } from "./damage.js";
import { MEMORY, lives, trouble } from "./guardian.js";
import { lossOf } from "./loss.js";
import { Generator } from "./mt19937.js";
import { payloadOf } from "./payload.js";
import { Pool } from "./pool.js";
import { count, initial, layoutOf, parts } from "./rule.js";
import { packed, restored } from "./state.js";

/** What `train.seed` serves, as planaria.core.noise.TrainingStream has it. */
const STREAM = { weights: 0, fire: 2, length: 3, damage: 6, pool: 10, batch: 11, rescue: 14, rebirth: 15 };
const RANK = 0;
const REGIMES = { grow: [false, 0], persist: [true, 0], regenerate: [true, 3] };
const GOOD_EVERY = 25;
const LEAST_CAUTION = 1 / 16;
const MOST_RESCUES = 12;
const MOST_BYTES = 2 ** 30;
const LARGEST = 3.4028234663852886e38; // finite float32

export class Training {
  /**
   * A training that has done nothing yet. `module` is the kernel's WebAssembly.Module. `target` is the picture,
   * Float32Array (4, h, w) of premultiplied RGBA on the whole grid; `grid` its rows and columns, a square where not
   * given. `config` holds the settings that differ from the defaults (see config.js). `weights` are those to begin
   * with, all matrices and then all biases; random ones where null. `ports` lead to workers in which `assist` of
   * crew.js answers; without any the work is done here. `module` may be null where these have their own. Throws an
   * Error in words.
   */
  constructor(module, { target, grid = null, config = {}, weights = null, name = "", ports = [] }) {
    this.config = configOf(config);
    const { rule, train, regime, damage } = this.config;
    const side = Math.sqrt(target.length / 4);
    this.size = grid ? [...grid] : [side, side];
    demandPicture(target, this.size);
    this.target = Float32Array.from(target);
    this.module = module;
    this.ports = ports;
    this.name = name || this.config.picture;
    this.cells = this.size[0] * this.size[1];
    this.own = rule.channels - rule.frozen;
    const { alpha } = layoutOf(rule);
    this.alpha = [alpha * this.cells, (alpha + 1) * this.cells];
    const [pooled, most] = REGIMES[regime];
    this.damaged = damage ?? Math.min(most, train.batch - 1);
    demandRoom(4 * rule.channels * this.cells * train.batch);
    this.flat = weights ? Float32Array.from(weights) : initial(rule, derive(train.seed, STREAM.weights));
    if (this.flat.length !== count(rule)) throw new Error(`the rule has ${count(rule)} weights, not ${this.flat.length}`);
    this.adam = parts(rule, this.flat).map((part) => new Adam(part));
    this.pooled = pooled && train.pool ? new Pool(train.pool, this.seedling(), rule.channels) : null;
    this.iteration = 0;
    this.recent = [];
    this.caution = 1;
    this.rescues = 0;
    this.bestLoss = Infinity;
    this.best = this.flat.slice();
    this.good = this.point();
    this.shown = [];
    this.crew = null;
  }

  /** Run one iteration: its number, loss, learning rate, cell steps, and what the guardian did, if anything. */
  async step() {
    const k = this.iteration;
    const { train } = this.config;
    const harder = this.damaged ? this.config.damage_from : 0;
    if ((k - 1) / train.steps < harder && harder <= this.progress) [this.bestLoss, this.recent] = [Infinity, []];
    this.crew ??= await Crew.create(this.module, this.work(), this.ports);
    const { states, places } = this.batch(this.rng(STREAM.batch));
    const rollout = this.length();
    const seed = derive(train.seed, STREAM.fire, RANK, k);
    const done = await this.crew.learn(this.flat, { states, seed, steps: rollout });
    const loss = Math.fround(done.reduce((sum, one) => sum + one.loss, 0) / done.length);
    this.iteration = k + 1;
    this.shown = done.map(({ y }) => y);
    const wrong = train.guardian ? trouble(this.shown, loss, this.recent, this.alpha) : "";
    const lr = this.rate();
    let event = "";
    if (wrong) event = this.rescue(wrong, places);
    else {
      this.learn(done.map(({ gradient }) => gradient), lr);
      this.remember(loss, places);
    }
    return { step: k + 1, loss, lr, rollout, event };
  }

  /** Share of the training done, 0 to 1. */
  get progress() {
    return Math.min(1, this.iteration / this.config.train.steps);
  }

  /** What a crew needs to know of it. */
  work() {
    const { loss, train } = this.config;
    return { payload: this.model(), grid: this.size, target: this.target, loss, batch: train.batch };
  }

  /** The next batch's states, and the places in the pool that they are for; null without a pool. */
  batch(rng) {
    const { train, loss } = this.config;
    if (!this.pooled) return { states: Array.from({ length: train.batch }, () => this.seedling()), places: null };
    const old = Array.from(this.pooled.draw(train.batch, rng), (place) => {
      const x = this.pooled.take(place);
      const value = lossOf(loss, x, this.target);
      return { place, x, value: Number.isNaN(value) ? Infinity : Math.min(value, LARGEST) };
    });
    old.sort((a, b) => (a.value === b.value ? 0 : b.value - a.value)); // worst first
    const states = [this.seedling(), ...old.slice(1).map(({ x }) => x)];
    if (this.damaged && this.progress >= this.config.damage_from) this.damageBest(states, rng);
    return { states, places: old.map(({ place }) => place) };
  }

  /** Damage the last, best samples, but never so that they would die: nothing is learned from that. */
  damageBest(states, rng) {
    const { damage_shape: shape, rule } = this.config;
    const { cells, own } = this;
    const last = states.slice(1).slice(-this.damaged);
    drawn(shape, last.length, this.size, rng).forEach((gone, s) => {
      const x = last[s];
      if (!x.subarray(...this.alpha).some((v, i) => (gone[i] ? 0 : v) > rule.life_threshold)) return;
      for (let i = 0; i < own * cells; i++) if (gone[i % cells]) x[i] = 0;
    });
  }

  /** Cell steps of this iteration. */
  length() {
    const { rollout, warmup, seed } = this.config.train;
    let [low, high] = rollout;
    if (this.iteration < warmup) {
      const share = 0.25 + (0.75 * this.iteration) / warmup;
      [low, high] = [low, high].map((n) => Math.max(1, halfToEven(n * share)));
    }
    return new Generator(derive(seed, STREAM.length, this.iteration)).integer(low, high + 1);
  }

  /** One step against the samples' gradients, added in the samples' order: who computed them doesn't matter. */
  learn(gradients, lr) {
    const { rule, train } = this.config;
    const whole = new Float32Array(this.flat.length);
    for (const gradient of gradients) for (let i = 0; i < whole.length; i++) whole[i] += gradient[i];
    const views = parts(rule, whole);
    if (train.normalise) normalise(views);
    if (train.clip) clip(views, train.clip);
    parts(rule, this.flat).forEach((weights, i) => this.adam[i].update(weights, views[i], lr, train.betas));
  }

  remember(loss, places) {
    places?.forEach((place, s) => {
      const y = this.shown[s];
      this.pooled.put(place, lives(y, this.alpha) ? y : this.seedling());
    });
    if (Number.isFinite(loss)) this.recent = [...this.recent, loss].slice(-MEMORY);
    const smooth = this.recent.reduce((sum, v) => sum + v, 0) / Math.max(1, this.recent.length);
    if (!this.config.train.validate && this.recent.length === MEMORY && smooth < this.bestLoss) {
      [this.bestLoss, this.best] = [smooth, this.flat.slice()];
    }
    if (this.iteration % GOOD_EVERY) return;
    [this.good, this.rescues] = [this.point(), 0];
    this.caution = Math.min(1, 2 * this.caution);
  }

  /** Go back to the last safe point with half the rate; the samples at fault become seeds. */
  rescue(wrong, places) {
    this.rescues++;
    if (this.rescues > MOST_RESCUES) {
      throw new Error(
        `iteration ${this.iteration}: ${wrong} again and again, though the learning rate was lowered to ` +
          `${this.rate().toPrecision(2)}; try another loss or filter, a lower train.lr, or a smaller rule.dt`,
      );
    }
    this.goBack(this.good);
    this.caution = Math.max(LEAST_CAUTION, this.caution / 2);
    this.recent = [];
    for (const place of places ?? []) this.pooled.put(place, this.seedling());
    return `iteration ${this.iteration}: ${wrong}; went back to the last good weights, learning rate halved`;
  }

  /**
   * Cut damage, written as `left`, `circle(36,36,10)`, `noise(0.3)`, out of a random quarter of the pool, but no sample
   * that it would kill; gives how many were damaged. `number` tells several in one iteration apart.
   */
  damage(text, number = 0) {
    const damage = parse(text);
    if (!this.pooled) return 0;
    const { rule, train } = this.config;
    const seed = derive(train.seed, STREAM.damage, this.iteration, number);
    const places = this.pooled.draw(Math.ceil(this.pooled.size / 4), new Generator(seed));
    const alpha = this.alpha[0] / this.cells;
    let damaged = 0;
    places.forEach((place, sample) => {
      const x = applied(this.pooled.take(place), damage, { seed, sample, size: this.size, own: this.own, alpha });
      if (!lives(x, this.alpha, rule.life_threshold)) return;
      this.pooled.put(place, x);
      damaged++;
    });
    return damaged;
  }

  /** Learning rate of this iteration. */
  rate() {
    const { lr, lr_drops: drops, lr_factor: factor, steps } = this.config.train;
    return lr * factor ** drops.filter((drop) => this.iteration > drop * steps).length * this.caution;
  }

  /** A state of one living cell in the middle, `(c, h, w)`. */
  seedling() {
    const x = new Float32Array(this.config.rule.channels * this.cells);
    const [h, w] = this.size;
    const middle = Math.floor(h / 2) * w + Math.floor(w / 2);
    for (let k = this.alpha[0] / this.cells; k < this.own; k++) x[k * this.cells + middle] = 1;
    return x;
  }

  rng(purpose) {
    return new Generator(derive(this.config.train.seed, purpose, RANK, this.iteration));
  }

  /** The weights and what Adam remembers of them. */
  point() {
    return { flat: this.flat.slice(), adam: this.adam.map((one) => one.copy()) };
  }

  goBack({ flat, adam }) {
    this.flat.set(flat);
    this.adam = adam.map((one) => one.copy());
  }

  /** All weights, then all biases: those of now. */
  weights() {
    return this.flat.slice();
  }

  /** Those of the lowest smoothed loss so far; the newest before there is one. */
  bestWeights() {
    return (this.bestLoss < Infinity ? this.best : this.flat).slice();
  }

  /** What the player takes, with the weights of now or with others. */
  model(flat = this.flat) {
    const { rule, train, picture } = this.config;
    const [done, whole] = [this.iteration, train.steps].map((n) => n.toLocaleString("en-US"));
    return payloadOf({
      rule,
      layout: layoutOf(rule),
      grid: this.size,
      flat,
      name: this.name,
      stopped: this.iteration < train.steps ? `stopped at iteration ${done} of ${whole}` : "",
      trained: this.iteration,
      task: "grow",
      picture,
      length: train.rollout[1],
    });
  }

  /** How many samples the pool holds; 0 without one. */
  get poolSize() {
    return this.pooled?.size ?? 0;
  }

  /** What the pool's sample at a place looks like: `data` of straight RGBA, `width` and `height`, for ImageData. */
  pool(place) {
    return this.picture(this.pooled.take(place));
  }

  /** What a state looks like, as `pool` gives it. */
  picture(x) {
    const { cells } = this;
    const data = new Uint8ClampedArray(4 * cells);
    for (let i = 0; i < cells; i++) {
      const alpha = Math.min(1, x[3 * cells + i]);
      if (!(alpha > 0)) continue;
      for (let k = 0; k < 3; k++) data[4 * i + k] = (255 * x[k * cells + i]) / alpha;
      data[4 * i + 3] = 255 * alpha;
    }
    return { data, width: this.size[1], height: this.size[0] };
  }

  /** All that it needs to go on, to the bit, as a checkpoint of planaria holds it: JSON `header`, and `tensors`. */
  state() {
    return packed(this);
  }

  /** A training that goes on from `state()`, `ports` as for the constructor. Throws an Error for a damaged one. */
  static restore(module, state, ports = []) {
    const { target, grid, config, name, take } = restored(state);
    const training = new Training(module, { target, grid, config, name, ports });
    take(training);
    return training;
  }

  /** Let its workers and its kernel go. */
  close() {
    this.crew?.close();
    this.crew = null;
  }
}

function demandPicture(target, [h, w]) {
  const sides = [h, w].every((n) => Number.isInteger(n) && n >= 1 && n <= 4096);
  if (!sides || target.length !== 4 * h * w) {
    throw new Error(`a picture of ${target.length} numbers is not red, green, blue and alpha of ${h}x${w} cells`);
  }
  if (!target.every(Number.isFinite)) throw new Error("the picture holds what is no number");
}

function demandRoom(bytes) {
  if (bytes > MOST_BYTES) throw new Error(`a batch of ${(bytes / 1e9).toFixed(1)} GB is too large for a page`);
}

/** The nearest whole number, halves to the even one, as Python rounds. */
function halfToEven(v) {
  const low = Math.floor(v);
  return v - low === 0.5 ? low + (low % 2) : Math.round(v);
}
