// Workers that live a step of a large grid together, each a band of its rows, while the page goes on.

const MOST = 4; // workers
const LEAST = 32; // rows of a band

/**
 * The rows [first, end) of each of at most `most` bands, and the rows [top, bottom) that it has to see for them: beyond
 * the grid, on a torus, as on its other side.
 */
export function bandsOf({ rule, reaches, blurs }, [h], most) {
  const far = 1 + Math.max(2, ...reaches, ...blurs.map(([, n]) => n >> 1)); // whether a neighbour still lives hangs on that
  const torus = rule.edge === "circular";
  const seam = torus && rule.life !== "none"; // beyond it other cells act, and life may be judged otherwise
  const count = seam ? 1 : Math.max(1, Math.min(most, Math.floor(h / LEAST)));
  return Array.from({ length: count }, (_, i) => {
    const [first, end] = [i, i + 1].map((k) => Math.floor((k * h) / count));
    if (torus && count > 1) return { first, end, top: first - far, bottom: end + far };
    return { first, end, top: Math.max(0, first - far), bottom: Math.min(h, end + far) };
  });
}

/** Throws where the browser starts no workers; one that fails later is said in `failed`. */
export class Crew {
  constructor(module, model, size) {
    this.module = module;
    this.size = size;
    this.bands = bandsOf(model, size, Math.min(MOST, Math.max(1, (navigator.hardwareConcurrency || 2) - 1)));
    this.workers = this.bands.map((_, i) => {
      const worker = new Worker(new URL("./band.js", import.meta.url), { type: "module" });
      worker.onmessage = ({ data }) => this.take(i, data);
      worker.onerror = ({ message }) => this.take(i, { error: message || "a worker doesn't start" });
      return worker;
    });
    this.answers = this.bands.map(() => null);
    this.busy = 0; // workers that haven't answered
    this.begun = null; // the step {seed, t} that they were given, and are to give back
    this.failed = "";
    this.setModel(model);
  }

  /** Other numbers for the same rule. */
  setModel(model) {
    this.begun = null;
    const [, w] = this.size;
    this.bands.forEach(({ first, end, top, bottom }, i) => {
      const place = { size: [bottom - top, w], inner: [first - top, end - first] };
      this.workers[i].postMessage({ module: this.module, model: { ...model, start: null }, ...place });
    });
  }

  /** Begin a step of `x` (c, h, w). */
  begin(x, seed, t) {
    const [h, w] = this.size;
    const channels = x.length / (h * w);
    this.begun = { seed, t };
    this.busy = this.bands.length;
    this.bands.forEach(({ top, bottom }, i) => {
      const rows = bottom - top;
      const state = new Float32Array(channels * rows * w);
      for (let k = 0; k < channels; k++) {
        for (let row = 0; row < rows; ) {
          const from = (top + row + h) % h;
          const count = Math.min(rows - row, h - from); // as far as the seam
          state.set(x.subarray((k * h + from) * w, (k * h + from + count) * w), (k * rows + row) * w);
          row += count;
        }
      }
      this.workers[i].postMessage({ state, seed, t, origin: [top >>> 0, 0] }, [state.buffer]);
    });
  }

  take(i, { wanted = null, took = 0, error = "" }) {
    this.failed ||= error;
    this.answers[i] = { wanted, took };
    this.busy--;
  }

  /** Whether step `t` of `seed` is done. */
  done(seed, t) {
    return !this.busy && this.begun !== null && this.begun.seed === seed && this.begun.t === t;
  }

  /** Make `x` (c, h, w) what it became; gives the ms that all workers took together. */
  land(x) {
    const [h, w] = this.size;
    this.begun = null;
    return this.bands.reduce((sum, { first, end }, i) => {
      const { wanted, took } = this.answers[i];
      const each = (end - first) * w;
      for (let k = 0; k * each < wanted.length; k++) x.set(wanted.subarray(k * each, (k + 1) * each), (k * h + first) * w);
      return sum + took;
    }, 0);
  }

  dispose() {
    for (const worker of this.workers) worker.terminate();
  }
}
