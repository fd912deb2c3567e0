// What a person should know of a life that goes wrong, as planaria.health says it in Python: once, in one line.

const EVERY = 500; // ms from look to look
const OWN_STEPS = 64; // after an edit, a death is what that edit did

export class Health {
  constructor({ bounds, stopped = "", rule }) {
    Object.assign(this, { bounds, stopped, dies: rule.life !== "none", threshold: rule.life_threshold });
    this.looked = 0;
    this.life = 0; // counts the lives that somebody began
    this.begin();
  }

  /** Somebody made the life anew: what goes wrong from here on is news. */
  begin() {
    this.life += 1;
    this.alive = false;
    this.said = false;
  }

  /** A line where the life of `world` burst or died out since the last look, at the time `now` in ms; else "". */
  look(world, now, moment) {
    if (now - this.looked < EVERY) return "";
    this.looked = now;
    const found = world.gauge(this.life);
    return found && found.life === this.life ? this.judge(found, world.edited, moment) : "";
  }

  judge({ shown, held, living, t }, edited, moment) {
    const out = !(shown <= this.bounds[0] && held <= this.bounds[1]);
    const was = this.alive;
    this.alive = !out && !(this.dies && living <= this.threshold);
    if (this.alive || this.said) return "";
    const erased = edited !== null && t - edited <= OWN_STEPS;
    if (!out && (!was || erased)) return "";
    this.said = true;
    if (!out) return `No cell is left alive by ${moment(t)}; I begins again.`;
    return `It burst by ${moment(t)}: numbers beyond those of any working model; ${this.cure}; I begins again.`;
  }

  /** Why it may have burst, and what helps. */
  get cure() {
    if (!this.stopped) return "train it longer, or on longer lives";
    return this.stopped.startsWith("stopped") ? `its training ${this.stopped}: train it to its end` : `it is ${this.stopped}`;
  }
}
