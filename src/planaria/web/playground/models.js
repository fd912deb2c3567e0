// Models that come into the page and leave it: files, pages of planaria, links. Nothing that comes in is trusted.

import { decode } from "../engine/model.js";
import { ruleOf } from "../learn/config.js";
import { layoutIn, readModel } from "../learn/files.js";
import { fromLink as fromText, linkOf as textOf } from "../learn/link.js";
import { weightsOf } from "../learn/payload.js";
import { parts, shapes } from "../learn/rule.js";
import { write } from "../learn/safetensors.js";
import { readPage } from "./leave.js";

const LARGEST_FILE = 100e6; // bytes
const LARGEST_GRID = 1024; // cells on a side
const USUAL_BOUNDS = [100, 100]; // planaria.core.bounds of cells with life
const MOST_VALUES = 2 ** 25; // of a state
const MOST_OPENING = 20_000; // steps of the frames that a model begins with
const [LONGEST_FRAME, LONGEST_LOOP, USUAL_LOOP] = [10_000, 1e6, 200]; // steps
const MOST_TRAINED = 1e9; // iterations
const LONGEST_NAME = 80;
const HTML = /^\s*<!doctype html/i;

/** A payload that can be shown, or an Error in words. */
export function checked(payload) {
  const isCount = (n, most) => Number.isSafeInteger(n) && n >= 1 && n <= most;
  const count = (n, most, usual) => (isCount(n, most) ? n : usual);
  const frame = count(payload?.frame, LONGEST_FRAME, 1);
  try {
    const rule = ruleOf(payload.rule);
    layoutIn(payload.layout, rule);
    const { grid, weights, biases, start } = payload;
    const sides = grid.length === 2 && grid.every((n) => isCount(n, LARGEST_GRID));
    const room = sides && grid[0] * grid[1] * rule.channels <= MOST_VALUES;
    const whole = weights.length + biases.length === shapes(rule).length;
    if (!room || !whole || (start && !(start.frames * frame <= MOST_OPENING))) throw new Error();
    decode(payload);
  } catch {
    throw new Error("That is no whole model of planaria.");
  }
  return {
    ...payload,
    frame,
    bounds: Array.isArray(payload.bounds) ? payload.bounds : USUAL_BOUNDS,
    length: count(payload.length, LONGEST_LOOP, USUAL_LOOP),
    trained: count(payload.trained, MOST_TRAINED, 0),
    stopped: clipped(payload.stopped, 200),
    name: clipped(payload.name, LONGEST_NAME) || "model",
  };
}

function clipped(value, most) {
  return typeof value === "string" ? value.slice(0, most) : "";
}

/** The model in a file, `{payload, bytes}`: a .safetensors, whose bytes are kept, or a page of planaria. */
export async function openModel(file) {
  if (file.size > LARGEST_FILE) throw new Error(`${file.name || "the file"} is too large for a model.`);
  const head = await file.slice(0, 64).text();
  if (HTML.test(head)) return { payload: checked(await readPage(file)), bytes: null };
  const bytes = new Uint8Array(await file.arrayBuffer());
  return { payload: checked(readModel(bytes).payload), bytes };
}

/** The model of a link's fragment. */
export async function fromLink(hash) {
  const text = /^model=(.+)$/.exec(hash)?.[1];
  if (!text) throw new Error("This link is broken: it names no model.");
  return checked(await fromText(text));
}

/** A link that opens a model in the page at `address`. */
export async function linkOf(payload, address) {
  return `${address.replace(/#.*$/, "")}#model=${await textOf(payload)}`;
}

/** Bytes of the model file of a creature that came trained: those that came, where it came as such a file. */
export function modelFileOf({ payload, file }) {
  if (file) return file;
  const { rule, layout, name, grid, trained, task, picture } = payload;
  const views = parts(rule, weightsOf(payload));
  const tensors = shapes(rule).map(([key, ...shape], i) => [key, { dtype: "F32", shape, data: views[i] }]);
  const card = {
    name,
    task: task || "grow",
    trained: trained ?? 0,
    grid,
    config: picture ? { picture } : {},
    figures: {},
  };
  return write(Object.fromEntries(tensors), { format: 1, rule, layout, card });
}

/** Why a model can't learn here; empty where it can. */
export function untrainable({ rule, layout, start }) {
  if (start || rule.frozen || layout.visible !== 4 || layout.alpha === null)
    return "it is no picture that grows from one cell";
  return rule.cond ? "it takes a condition" : "";
}
