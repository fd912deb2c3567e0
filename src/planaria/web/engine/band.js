// The other end of crew.js, in a worker: it lives steps of one band of rows.

import { Kernel } from "./kernel.js";

let kernel = null;
let band = null;

/** First what `prepare` takes, then again and again what `step` takes; in this order, as either waits for the one before. */
onmessage = ({ data }) => {
  band = (data.module ? prepare(data) : step(data)).catch((error) => postMessage({ error: error.message }));
};

/** A band of `size` cells, of whose rows `inner` [first, count] are wanted. */
async function prepare({ module, model, size, inner }) {
  const before = await band;
  kernel ??= await Kernel.create(module);
  before?.plan.dispose();
  return { plan: kernel.prepare(model, size), own: model.own, size, inner };
}

/** One step of `state` (c, h, w); answers with what a step can change in the wanted rows, and the ms that it took. */
async function step({ state, ...moment }) {
  const ready = await band;
  const { plan, own, size: [h, w], inner: [first, count] } = ready;
  const start = performance.now();
  plan.state.set(state);
  plan.run({ ...moment, steps: 1 });
  const wanted = new Float32Array(own * count * w);
  for (let k = 0; k < own; k++) {
    const at = (k * h + first) * w;
    wanted.set(plan.state.subarray(at, at + count * w), k * count * w);
  }
  postMessage({ wanted, took: performance.now() - start }, [wanted.buffer]);
  return ready;
}
