// Files that a training leaves, and models that come in: the same that planaria writes and reads.

import { ruleOf } from "./config.js";
import { base64, joined, payloadOf } from "./payload.js";
import { layoutOf, parts, shapes } from "./rule.js";
import { python, read, write } from "./safetensors.js";
import { zip } from "./zip.js";

const LARGEST_GRID = 16384;
const LONGEST_LOOP = 1e6;
const MOST = 1e9;
const LAYOUT = {
  visible: 4, alpha: 3, hidden: 12, frozen: 0, offset: 0, shifts: [], straight: false, lean: false, strain: null,
};

/** Bytes of a training's model file, with its best weights and its card: `planaria.load` opens it. */
export function modelFile(training, name = training.name) {
  const { config, size, iteration } = training;
  const { rule } = config;
  const views = parts(rule, training.bestWeights());
  const tensors = shapes(rule).map(([key, ...shape], i) => [key, { dtype: "F32", shape, data: views[i] }]);
  const card = { name, task: "grow", trained: iteration, grid: [...size], config, figures: {} };
  return write(Object.fromEntries(tensors), { format: 1, rule, layout: layoutOf(rule), card });
}

/** Bytes of a training's checkpoint; `readCheckpoint` gives what `Training.restore` takes. */
export function checkpointFile(training) {
  const { header, tensors } = training.state();
  return write(tensors, header);
}

export const readCheckpoint = read;

/**
 * Bytes of a ZIP archive of a training's run folder: `planaria train runs/NAME --resume` goes on from it where it was
 * unpacked. `reports` are what its iterations gave, each with its `seconds` from the start where these are known.
 */
export function runFolder(training, reports = []) {
  const name = training.name.replace(/[^\w.-]+/g, "-").replace(/^\.+/, "") || "run";
  const text = (content) => new TextEncoder().encode(content);
  const line = ({ step, loss, event, ...more }) => {
    const rest = { loss: Number.isFinite(loss) ? loss : null, ...more, ...(event && { event }) };
    return `{"step": ${step}, ${python(rest).slice(1)}\n`; // the step first, by which planaria finds its line
  };
  return zip([
    [`${name}/config.yaml`, text(`${python({ task: "grow", ...training.config })}\n`)],
    [`${name}/metrics.jsonl`, text(reports.map(line).join(""))],
    [`${name}/checkpoint.safetensors`, checkpointFile(training)],
    [`${name}/model.safetensors`, modelFile(training, name)],
  ]);
}

/**
 * A model file of planaria's as the player takes it, and its card. Throws an Error in words for anything but a whole
 * model; its shapes are those that its settings say.
 */
export function readModel(bytes) {
  const { header, tensors } = read(bytes);
  const { start, ...weights } = tensors;
  const rule = ruleOf(header.rule);
  const layout = layoutIn(header.layout, rule);
  const wanted = shapes(rule);
  if (Object.keys(weights).length !== wanted.length) damaged("its weights don't fit its settings");
  const views = wanted.map(([name, ...shape]) => {
    const found = weights[name];
    const fits = found?.dtype.startsWith("F") && String(found.shape) === String(shape);
    if (!fits || !found.data.every(Number.isFinite)) damaged(`its ${name} holds no numbers of ${shape.join("x")}`);
    return Float32Array.from(found.data);
  });
  const card = isRecord(header.card) ? header.card : {};
  const payload = payloadOf({
    rule,
    layout,
    grid: gridOf(card.grid),
    flat: joined(views),
    name: textOf(card.name) || "model",
    trained: countOf(card.trained, MOST) ?? 0,
    task: textOf(card.task),
    picture: textOf(card.config?.picture),
    frame: countOf(card.frame?.steps, 10000) ?? 1,
    length: countOf(card.length, LONGEST_LOOP) ?? countOf(card.config?.train?.rollout?.[1], LONGEST_LOOP) ?? 200,
    solver: textOf(card.frame?.solver) || "euler",
    ...badgeOf(card.figures),
    ...(start ? { start: startOf(start, layout) } : {}),
  });
  return { payload, card };
}

/** The line on an organism's health, as planaria.store.cards.badge makes it; nothing where it was not examined. */
function badgeOf(figures) {
  const { "bodies cut by a brush": cut, "bodies healed": healed } = isRecord(figures) ? figures : {};
  const numbers = [cut, healed].every(Number.isFinite);
  const known = numbers && 0 < cut && cut <= MOST && 0 <= healed && healed <= cut;
  return known ? { badge: `heals ${grouped(healed)} of ${grouped(cut)}` } : {};
}

/** A count with a comma between thousands. */
function grouped(count) {
  return Math.round(count).toLocaleString("en-US");
}

/** The layout of a file or a link: what is not given is as usual. Throws an Error where it doesn't fit the rule. */
export function layoutIn(given, { channels, frozen }) {
  if (!isRecord(given)) damaged("it has no layout");
  const layout = { ...LAYOUT, ...given };
  const { visible, hidden, alpha, shifts, strain, offset, straight, lean, palette = [] } = layout;
  const isCount = (n) => Number.isSafeInteger(n) && n >= 0;
  const isPlace = (n) => n === null || (isCount(n) && n < channels);
  const labels = Array.isArray(palette) && palette.every((one) => /^#[0-9a-fA-F]{6}$/.test(one));
  const shown = labels && (palette.length ? palette.length === visible : [1, 3, 4].includes(visible));
  const known = Object.keys(layout).every((name) => name === "palette" || Object.hasOwn(LAYOUT, name));
  const flags = typeof straight === "boolean" && typeof lean === "boolean" && Number.isFinite(offset);
  const shifted = Array.isArray(shifts) && shifts.every((n) => isCount(n) && n > 0 && n <= 4096);
  const sum = isCount(hidden) && layout.frozen === frozen && visible + hidden + frozen === channels;
  const fits = known && shown && flags && shifted && sum && isPlace(alpha) && isPlace(strain);
  if (!fits) damaged("its layout doesn't fit its rule");
  return layout;
}

function startOf({ dtype, shape, data }, { visible }) {
  const fits = dtype === "U8" && shape.length === 4 && shape[1] === visible && shape.every((n) => n >= 1 && n <= 4096);
  if (!fits) damaged(`its start holds no frames of ${visible} channels`);
  return { frames: shape[0], size: shape.slice(2), visible, data: base64(data) };
}

function gridOf(grid) {
  const fits = Array.isArray(grid) && grid.length === 2 && grid.every((n) => countOf(n, LARGEST_GRID));
  return fits ? [...grid] : [72, 72];
}

function countOf(value, most) {
  return Number.isSafeInteger(value) && value >= 1 && value <= most ? value : null;
}

function textOf(value) {
  return typeof value === "string" ? value : "";
}

function isRecord(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function damaged(what) {
  throw new Error(`this file is damaged: ${what}`);
}
