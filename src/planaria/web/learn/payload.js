// The player's input, as planaria.export.html.payload makes it of a model: settings, kernels and weights as JSON values.

import { decode } from "../engine/model.js";
import { bank, parts, spread } from "./rule.js";

const [PICTURE_BOUND, CELL_BOUND] = [10, 100]; // planaria.core.bounds

/** What the player takes of a model with weights `flat`; `more` is what it says besides, or says otherwise. */
export function payloadOf({ rule, layout, grid, flat, name, ...more }) {
  const { kernels, reaches } = bank(rule.filters);
  const texts = parts(rule, flat).map(base64);
  const layers = rule.hidden.length + 1;
  return {
    format: 1,
    name,
    rule: structuredClone(rule),
    layout: structuredClone(layout),
    grid: [...grid],
    kernels,
    reaches,
    blurs: spread(rule.blurs, rule.channels - rule.frozen),
    weights: texts.slice(0, layers),
    biases: texts.slice(layers),
    bounds: [layout.alpha === null ? PICTURE_BOUND : CELL_BOUND, CELL_BOUND],
    stopped: "",
    trained: 0,
    task: "",
    picture: "",
    frame: 1,
    length: 200,
    solver: "euler",
    ...more,
  };
}

/** All weights and then all biases of a payload. */
export function weightsOf(payload) {
  const { weights, biases } = decode(payload);
  return joined([...weights, ...biases]);
}

/** Float32Arrays one behind the other. */
export function joined(views) {
  const flat = new Float32Array(views.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of views) {
    flat.set(part, at);
    at += part.length;
  }
  return flat;
}

/** The bytes of a typed array as base64; of float32 numbers little-endian, as every machine that has a browser. */
export function base64(array) {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}
