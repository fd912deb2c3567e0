// Where a creature is trained: a worker of its own, so that the page never waits. It keeps the state by itself.

import { Store } from "./store.js";
import { assist } from "../learn/crew.js";
import { modelFile, runFolder } from "../learn/files.js";
import { Training } from "../learn/training.js";
import { module, why } from "../engine/wasm.js";

const WEIGHTS_EVERY = 350; // ms
const POOL_EVERY = 2500; // ms
const SAMPLES = 16; // of the pool, shown
const KEEP_EVERY = 15_000; // ms, and at least
const KEEP_SHARE = 30; // times as long as keeping took
const MOST_DAMAGE = 8; // of a person, between two iterations: a stroke has many
const LOCKED = 20_000; // ms to wait for a tab that has the same creature open, and may be leaving it

let job = null;

/**
 * Messages are {kind, ...}: `assist` and a port for one who shares the batches of another; or `open` and a job, then what
 * `Job.do` takes.
 */
self.onmessage = async ({ data }) => {
  try {
    if (data.kind === "assist") assist(data.port, module);
    else if (data.kind === "open") await (job = new Job(data)).opened;
    else await job.do(data);
  } catch (error) {
    post("failed", { error: error.message || String(error) });
  }
};

function post(kind, more = {}) {
  self.postMessage({ kind, ...more });
}

/** Hold a creature for as long as this worker lives: two that train it would undo each other's work. */
function lock(id) {
  if (!navigator.locks) return null;
  return new Promise((held, refused) => {
    const forever = () => new Promise(() => held());
    navigator.locks.request(`planaria-${id}`, { signal: AbortSignal.timeout(LOCKED) }, forever).catch((error) => {
      if (error.name === "TimeoutError") refused(new Error("it is open in another tab; close that first"));
      else held(); // this browser locks nothing in such a page
    });
  });
}

/** One training: does what a message says, and iterates in between. */
class Job {
  constructor(given) {
    Object.assign(this, { going: false, running: false, seconds: 0, losses: [], requests: [] });
    this.due = { weights: 0, pool: 0, keep: 0 };
    this.opened = this.open(given);
  }

  /** Begin, or go on with the state that is kept of `id`. */
  async open({ id, target, config, weights, name, share, ports }) {
    this.id = id;
    this.share = share;
    if (id) await lock(id);
    this.store = id ? await Store.open() : null;
    if (!module) throw new Error(why);
    const mine = ports.length ? null : module; // assistants have their own
    const kept = await this.store?.state(id);
    if (kept) {
      this.training = Training.restore(mine, kept.state, ports);
      Object.assign(this, { losses: [...kept.losses], seconds: kept.seconds });
    } else
      this.training = new Training(mine, { target: target.planes, grid: target.size, config, weights, name, ports });
    this.due.keep = performance.now() + KEEP_EVERY;
    const { steps } = this.training.config.train;
    const losses = Float32Array.from(this.losses);
    post("opened", { steps, losses, seconds: this.seconds, payload: this.training.model() });
    this.show();
  }

  get done() {
    return this.training.iteration >= this.training.config.train.steps;
  }

  async do({ kind, share, damage, what, token }) {
    const actions = {
      go: () => this.run(),
      pause: () => (this.going = false),
      share: () => (this.share = share),
      damage: () => this.requests.length < MOST_DAMAGE && this.requests.push(damage),
      give: () => post("given", { token, value: this.given(what) }),
      keep: () => (this.running ? (this.due.keep = 0) : this.keep()),
    };
    await this.opened;
    await actions[kind]();
  }

  /** What leaves the page: the model's `file`, its `payload` for the player, or a whole `run` for Python, as a ZIP. */
  given(what) {
    const { training } = this;
    if (what === "file") return modelFile(training);
    if (what === "run") return runFolder(training, this.losses.map((loss, k) => ({ step: k + 1, loss })));
    return training.model(training.bestWeights());
  }

  async run() {
    this.going = true;
    if (this.running) return; // its last iteration before a pause is not over yet
    this.running = true;
    try {
      while (this.going && !this.done) await this.iterate();
    } finally {
      this.running = this.going = false;
    }
    this.show();
    await this.keep();
    post(this.done ? "done" : "paused");
  }

  async iterate() {
    this.requests.splice(0).forEach((damage, number) => this.training.damage(damage, number));
    const start = performance.now();
    const { loss, event } = await this.training.step();
    const took = performance.now() - start;
    this.seconds += took / 1000;
    this.losses.push(loss);
    post("progress", { step: this.losses.length, loss, event, seconds: this.seconds });
    const now = performance.now();
    if (now > this.due.weights) this.weigh(now);
    if (now > this.due.pool) this.pool(now);
    if (now > this.due.keep) await this.keep();
    await new Promise((done) => setTimeout(done, took * (1 / this.share - 1)));
  }

  /** What a viewer should see, at once: the best weights at the end. */
  show() {
    this.weigh(performance.now());
    this.pool(performance.now());
  }

  weigh(now) {
    this.due.weights = now + WEIGHTS_EVERY;
    post("weights", { flat: this.done ? this.training.bestWeights() : this.training.weights() });
  }

  pool(now) {
    this.due.pool = now + POOL_EVERY;
    const count = Math.min(SAMPLES, this.training.poolSize);
    post("pool", { samples: Array.from({ length: count }, (_, i) => this.training.pool(i)) });
  }

  /** Keep the state, so that a closed tab goes on to the bit. */
  async keep() {
    if (!this.store) return;
    const start = performance.now();
    const kept = { state: this.training.state(), losses: Float32Array.from(this.losses), seconds: this.seconds };
    const payload = this.given("payload");
    let error = "";
    await this.store.keepState(this.id, kept).catch((problem) => (error = problem.message || "there is no room"));
    const now = performance.now();
    this.due.keep = now + Math.max(KEEP_EVERY, KEEP_SHARE * (now - start));
    if (error) post("unkept", { error });
    else post("kept", { step: kept.losses.length, payload });
  }
}
