// The player as a notebook's widget: what Python sets there is set here.

import { mount } from "./player.js";

/** Called by the notebook for every view of a widget; gives what ends the view. */
export function render({ model, el }) {
  el.setAttribute("data-lm-suppress-shortcuts", "true"); // a key for the player is none for the notebook
  const options = model.get("options");
  if (options.height) el.style.height = `${options.height}px`;
  const player = mount(el, model.get("payload"), { ...options, compact: model.get("compact") });
  const renew = () => player.setModel(model.get("payload"));
  const learn = () => {
    const { buffer, byteOffset, byteLength } = model.get("weights");
    if (byteLength) player.setWeights(new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)));
  };
  learn();
  model.on("change:payload", renew);
  model.on("change:weights", learn);
  return () => {
    model.off("change:payload", renew);
    model.off("change:weights", learn);
    player.destroy();
  };
}
