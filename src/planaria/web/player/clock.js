// How fast time goes: as many steps as asked for, as few as leave the page at ease.

import { within } from "./elements.js";

const BUDGET = 12; // ms of a frame that steps may take
const LATE = 40; // ms between frames that show a graphics card out of breath
const FASTEST = 3840; // steps a second: 64 in each frame of 1/60 s
const STEPS = 60; // a second, where nobody says otherwise
const FRAMES = 20; // a second, of a video model
const ROUND = 200; // steps of a loop where the model has none

/** The speed asked for, and the speed there is. */
export class Clock {
  constructor(payload, speed) {
    this.loop = false; // begins again after `length` steps
    this.count(payload);
    if (speed) this.speed = within(speed * this.steps, 1, FASTEST); // steps a second
    this.most = 4; // steps a frame that the graphics card has shown to bear
    this.real = 0; // steps a second, measured
    this.rest();
  }

  /** Count as people do with this model: in frames of `steps` cell steps for a video model, else in steps. */
  count({ start, frame = 1, length, layout }) {
    const unit = (start && !layout.frozen) || frame > 1 ? "frame" : "step";
    const other = unit !== this.unit || frame !== this.steps;
    Object.assign(this, { unit, steps: frame, length: length || ROUND });
    this.usual = within(unit === "frame" ? FRAMES * frame : STEPS, 1, FASTEST);
    if (other) this.speed = this.usual;
  }

  /** Begin again every so often, or run on; says which in words. */
  turn() {
    this.loop = !this.loop;
    return this.loop ? `Begins again every ${Math.floor(this.length / this.steps)} ${this.unit}s.` : "Runs on.";
  }

  /** Whether a loop has come to its end. */
  ends(t) {
    return this.loop && t > 0 && t % this.length === 0;
  }

  /** Step `t` in words. */
  moment(t) {
    return this.unit === "step" ? `step ${t}` : `frame ${Math.floor(t / this.steps)} (step ${t})`;
  }

  /** Where time stands and how fast it goes, in words. */
  status(t, playing) {
    const speed = `${rounded(this.real / this.steps)} ${this.unit}s/s`;
    return `${this.unit} ${Math.floor(t / this.steps)} · ${playing ? speed : "paused"}`;
  }

  /** The speed asked for, in what people count. */
  get wanted() {
    const speed = this.speed / this.steps;
    return speed < 10 ? Number(speed.toFixed(1)) : Math.round(speed);
  }

  /** Time stands still from here until the next `run`. */
  rest() {
    this.before = null;
    this.owed = 0;
    this.credit = 1;
    this.since = null;
    this.counted = 0;
  }

  /** The slider's place, 0 to 1, logarithmic. */
  get slide() {
    return Math.log(this.speed) / Math.log(FASTEST);
  }

  set slide(place) {
    const speed = FASTEST ** within(place, 0, 1);
    this.speed = Math.abs(speed - this.usual) < this.usual / 10 ? this.usual : Math.round(speed);
  }

  /**
   * Do what is due at the time `now`, in ms: calls `tick` once a step, until it says by false that the step isn't done
   * yet; gives how many are.
   */
  run(now, tick) {
    const passed = this.before === null ? 1000 / this.speed : Math.min(now - this.before, 250);
    this.before = now;
    this.owed = Math.min(this.owed + (passed * this.speed) / 1000, 256);
    this.credit = Math.min(this.credit + this.most, Math.max(1, this.most));
    const due = Math.floor(Math.min(this.owed, this.credit));
    const start = performance.now();
    let done = 0;
    while (done < due && performance.now() - start < BUDGET) {
      if (tick() === false) break;
      done++;
    }
    this.owed = Math.min(this.owed - done, 2);
    this.credit -= done;
    if (passed > LATE && performance.now() - start < BUDGET) this.most = Math.max(0.1, this.most * 0.8);
    else if (passed < LATE / 2) this.most = Math.min(256, this.most * 1.1 + 0.1);
    this.measure(now, done);
    return done;
  }

  measure(now, done) {
    this.since ??= now;
    this.counted += done;
    if (now - this.since < 500) return;
    this.real = (this.counted * 1000) / (now - this.since);
    this.since = now;
    this.counted = 0;
  }
}

function rounded(rate) {
  return rate < 10 ? rate.toFixed(1) : Math.round(rate);
}
