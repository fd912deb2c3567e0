// What a person can do, by which key, in which words: as keys.json says it for window, terminal and page.

import table from "../keys.json" with { type: "json" };
import { within } from "./elements.js";

const NAMES = { " ": "space", ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right" };
const WAYS = { up: [-1, 0], down: [1, 0], left: [0, -1], right: [0, 1] };

/** Kinds of damage in the order of their keys: [kind, key, words]. */
export const DAMAGE = table.damage.map(({ kind, key, words }) => [kind, key, sentence(words)]);

// The keys of a page in the order of the help: {group, action, keys, words}.
const KEYS = table.groups.flatMap((group) => [
  ...(group === "Damage" ? table.damage.map(({ kind, key, words }) => ({ group, action: kind, keys: [key], words })) : []),
  ...table.keys
    .filter((line) => line.group === group && (line.places ?? table.places).includes("page"))
    .map((line) => ({ ...line, keys: line.keys.filter((key) => !table.browser.includes(key)) })),
]);
const ACTIONS = new Map(KEYS.flatMap(({ action, keys }) => keys.map((key) => [key, action])));

/** What stands on the keys of an action, as one line; "" where it has none. */
export function capsOf(action) {
  const keys = KEYS.find((line) => line.action === action)?.keys ?? [];
  return keys.filter((key) => key !== "=").map((key) => table.caps[key] ?? key.toUpperCase()).join(" ");
}

/** What a pointer can hold: [tool, its keys, words]. */
export const TOOLS = table.tools.map(({ tool, words }) => [tool, capsOf(tool), words]);

/** What kinds of life there are: the hint for each, with which tool it begins, and if it flows, so has a direction. */
const KINDS = {
  grow: {
    hint: "Drag to erase. It heals.",
    cleared: "Empty. Plant a seed, or begin again.",
    first: "erase",
    seeds: true,
    tools: {},
  },
  infect: {
    hint: "Click to infect it, and watch it spread.",
    cleared: "Empty. Plant a seed, or begin again.",
    first: "infect",
    seeds: true,
    tools: {},
  },
  still: {
    hint: "Drag to infect cells. The infection stays where you put it.",
    cleared: "Empty. Plant a seed, or begin again.",
    first: "infect",
    seeds: true,
    tools: {},
  },
  film: {
    hint: "Draw into it, or drop a picture.",
    cleared: "Empty. Draw something, or begin again.",
    first: "paint",
    seeds: false,
    tools: { erase: "Erase cells" },
  },
  texture: {
    hint: "Drag to erase a hole. It grows over.",
    cleared: "Cleared. It grows again.",
    first: "erase",
    seeds: false,
    flows: true,
    tools: { erase: "Erase a hole" },
  },
  repaint: {
    hint: "Drop a photo, or paste one.",
    cleared: "Cleared. It is painted again.",
    first: "erase",
    seeds: false,
    tools: { erase: "Erase the paint" },
  },
};

/** Which of them a model has. */
export function kindOf({ layout, start }) {
  if (layout.strain !== undefined && layout.strain !== null) return layout.frozen > 0 ? KINDS.still : KINDS.infect;
  if (layout.frozen > 0) return KINDS.repaint;
  if (start) return KINDS.film;
  return layout.alpha === null ? KINDS.texture : KINDS.grow;
}

const POINTER = [
  ["Drag", "Use the tool"],
  ["Right click", "Pick a colour"],
  ["Wheel, pinch", "Zoom; with Shift, the size of the brush"],
  ["Middle drag", "Move the picture; also with Space held, or with two fingers"],
];

const TOUCH = [
  ["Tap, drag", "Use the tool"],
  ["Two fingers", "Move the picture, and zoom"],
  ["Dropper", "Paint in a colour of the picture"],
];

/** What the help sheet lists: [keys, words, action]; where fingers `touch` it, what they do comes first. */
export function helpLines(touch = false) {
  const keys = KEYS.map(({ action, words }) => [capsOf(action), sentence(words), action]);
  return touch ? [...TOUCH, ...keys] : [...keys, ...POINTER];
}

/** Keys become actions of `player`; `listen(target, kind, act)` listens for as long as it lives. */
export function listenToKeys(player, listen) {
  listen(document, "keydown", (event) => meant(player, event) && pressKey(player, event));
  listen(document, "keyup", ({ key }) => {
    if (key === " ") liftSpace(player);
    if (key.toLowerCase() === "u") player.photoPanel.compare(false);
  });
  listen(document, "paste", (event) => meant(player, event) && player.photoPanel.drop(event.clipboardData?.files[0]));
  listen(window, "blur", () => {
    player.pointer.space = false;
    player.photoPanel.compare(false);
  });
}

// Whether a key is meant for this player: pressed inside it, or nowhere while it has the page to itself.
function meant({ element, compact, bar }, { target }) {
  if (bar.help.open) return false;
  if (element.contains(target)) return true;
  return target === document.body && !compact && document.querySelectorAll(".pl-player").length === 1;
}

function pressKey(player, event) {
  const { bar, pointer } = player;
  const { target, key } = event;
  if (key === "Escape" && bar.opened) {
    const opener = bar.openers[bar.opened];
    bar.open("");
    opener.focus();
    return;
  }
  const command = event.ctrlKey || event.metaKey || event.altKey;
  const typing = target.matches("select, input:not([type=range])");
  const pressing = target.matches("button, input") && [" ", "Enter"].includes(key);
  if (typing || pressing || (command && !(key === "z" && !event.altKey))) return;
  const name = NAMES[key] ?? key.toLowerCase();
  const action = ACTIONS.get(command ? "ctrl+z" : name);
  const steers = ["cursor", "use"].includes(action);
  if (!action || (steers && target !== bar.stage)) return;
  event.preventDefault();
  if (name === "space") pointer.space = true;
  else if (action === "cursor") moveCursor(player, WAYS[name], event.shiftKey ? 8 : 1);
  else if (action === "use") useBrush(player);
  else if (action === "pick" && player.cursor) player.pick(...player.cursor);
  else player.act(["erase", "plant", "infect"].includes(action) && player.brush.tool === action ? "paint" : action);
}

// Space plays or pauses when it comes up, unless it was held to move the picture.
function liftSpace(player) {
  const { pointer } = player;
  if (pointer.space && !pointer.moved) player.act("play");
  pointer.space = pointer.moved = false;
}

function sentence(words) {
  return words[0].toUpperCase() + words.slice(1);
}

function cursorOf({ cursor, world }) {
  return cursor ?? world.size.map((n) => n >> 1);
}

function moveCursor(player, [down, across], far) {
  const [rows, columns] = player.world.size;
  const [row, column] = cursorOf(player);
  player.point([within(row + far * down, 0, rows - 1), within(column + far * across, 0, columns - 1)]);
}

function useBrush(player) {
  const cell = cursorOf(player);
  player.point(cell);
  player.brush.begin(...cell);
  player.brush.end();
}
