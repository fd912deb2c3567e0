// Samples of an iteration: their roll-outs, their losses and their gradients, by the kernel.

import { decode } from "../engine/model.js";
import { Kernel } from "../engine/kernel.js";
import { lossOf, slopeOf } from "./loss.js";
import { joined } from "./payload.js";
import { parts } from "./rule.js";

export class Learner {
  /**
   * A learner with a kernel of its own. `work` says what is learned: the model's `payload`, `grid` [rows, columns],
   * `target` (4, h, w), the `loss` by name, and how many samples a `batch` has.
   */
  static async create(module, work) {
    return new Learner(await Kernel.create(module), work);
  }

  constructor(kernel, { payload, grid, target, loss, batch }) {
    this.rule = payload.rule;
    this.plan = kernel.prepare(decode(payload), grid, batch);
    Object.assign(this, { target, loss, batch });
  }

  /** Other weights: all of them, then all biases. */
  setWeights(flat) {
    const views = parts(this.rule, flat);
    const layers = this.rule.hidden.length + 1;
    this.plan.setWeights(views.slice(0, layers), views.slice(layers));
  }

  /**
   * Run some samples of a batch, `states` `(c, h, w)` of its numbers `samples`, `steps` steps: of each the last state
   * `y`, its loss, and the gradient of that in all weights. The rest of the batch is empty, which costs next to nothing.
   */
  learn({ samples, states, seed, steps }) {
    const { plan, target, loss, batch } = this;
    const place = (all, sample) => all.subarray(sample * states[0].length, (sample + 1) * states[0].length);
    const begun = plan.state.fill(0);
    samples.forEach((sample, i) => place(begun, sample).set(states[i]));
    plan.run({ seed, t: 0, steps, keep: true });
    const ended = plan.state;
    const last = samples.map((sample) => place(ended, sample).slice());
    const slopes = plan.gradient.fill(0);
    samples.forEach((sample, i) => slopeOf(loss, last[i], target, 1 / batch, place(slopes, sample)));
    plan.backward();
    return last.map((y, i) => {
      const { weights, biases } = plan.gradients(samples[i]);
      return { y, loss: lossOf(loss, y, target), gradient: joined([...weights, ...biases]) };
    });
  }

  close() {
    this.plan.dispose();
  }
}
