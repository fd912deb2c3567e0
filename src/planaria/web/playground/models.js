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
const LONGEST_NAME = 80;
const HTML = /^\s*<!doctype html/i;

/** A payload that can be shown, or an Error in words. */
export function checked(payload) {
  const fits = (n) => Number.isSafeInteger(n) && n >= 1 && n <= LARGEST_GRID;
  try {
    const rule = ruleOf(payload.rule);
    layoutIn(payload.layout, rule);
    const { grid, weights, biases } = payload;
    if (grid.length !== 2 || !grid.every(fits) || weights.length + biases.length !== shapes(rule).length)
      throw new Error();
    decode(payload);
  } catch {
    throw new Error("That is no whole model of planaria.");
  }
  const bounds = Array.isArray(payload.bounds) ? payload.bounds : USUAL_BOUNDS;
  return { ...payload, bounds, name: String(payload.name ?? "model").slice(0, LONGEST_NAME) };
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
