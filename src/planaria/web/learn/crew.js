// Those who share a batch, sample by sample: any number of them, in Workers or here, and always the same sums.

import { Learner } from "./learner.js";

/** A learner at the other end of a MessagePort, where `assist` answers. */
class Remote {
  constructor(port) {
    this.port = port;
    this.waiting = [];
    port.onmessage = ({ data }) => {
      const { resolve, reject } = this.waiting.shift();
      if (data.error === undefined) resolve(data);
      else reject(new Error(data.error));
    };
  }

  begin(module, work) {
    return this.ask({ module, work });
  }

  setWeights(flat) {
    this.port.postMessage({ flat });
  }

  learn(job) {
    return this.ask({ job }, job.states.map((x) => x.buffer));
  }

  ask(message, moved = []) {
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve, reject });
      this.port.postMessage(message, moved);
    });
  }

  close() {
    this.port.close();
  }
}

/**
 * Answer a crew's messages from the other end of `port`: to be called in a Worker. `own` is the kernel's module where the
 * crew sends none: in a page from a file, no worker may take one from another.
 */
export function assist(port, own = null) {
  let learner;
  port.onmessage = async ({ data: { module, work, flat, job } }) => {
    if (flat) return learner?.setWeights(flat);
    try {
      if (work) {
        learner = await Learner.create(module ?? own, work);
        return port.postMessage({});
      }
      const done = learner.learn(job);
      return port.postMessage(done, done.flatMap(({ y, gradient }) => [y.buffer, gradient.buffer]));
    } catch (error) {
      return port.postMessage({ error: error.message });
    }
  };
}

export class Crew {
  /** A crew at the other ends of `ports`; where there are none, one learner here. `work` is as `Learner` takes it. */
  static async create(module, work, ports = []) {
    const remotes = ports.map((port) => new Remote(port));
    await Promise.all(remotes.map((remote) => remote.begin(module, work)));
    return new Crew(remotes.length ? remotes : [await Learner.create(module, work)]);
  }

  constructor(learners) {
    this.learners = learners;
  }

  /**
   * What every sample of a batch gives, in their order, as `Learner` has it: `states` run `steps` steps with weights
   * `flat`. The states are used up.
   */
  async learn(flat, { states, seed, steps }) {
    const learners = this.learners.slice(0, states.length);
    const share = async (learner, j) => {
      const samples = [...states.keys()].filter((sample) => sample % learners.length === j);
      learner.setWeights(flat);
      const found = await learner.learn({ samples, states: samples.map((sample) => states[sample]), seed, steps });
      return samples.map((sample, i) => [sample, found[i]]);
    };
    const shares = await Promise.all(learners.map(share));
    return shares.flat().sort(([a], [b]) => a - b).map(([, one]) => one);
  }

  close() {
    for (const learner of this.learners) learner.close();
  }
}
