// What a person can do, by which key, in which words.

import { within } from "./elements.js";

export const TOOLS = [
  ["erase", "E", "Wound: rub cells out"],
  ["plant", "P", "Plant a seed"],
  ["infect", "T", "Infect it"],
  ["paint", "B", "Paint a colour"],
  ["pick", "I", "Pick a colour"],
  ["pan", "H", "Move the picture"],
];

/** What kinds of life there are: the hint for each, and with which tool it begins. */
const KINDS = {
  grow: {
    hint: "Drag to wound it. It heals.",
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
    tools: { erase: "Rub cells out" },
  },
  texture: {
    hint: "Drag to rub a hole into it. It grows over.",
    cleared: "Grey again. It grows anew.",
    first: "erase",
    seeds: false,
    tools: { erase: "Rub a hole into it" },
  },
  repaint: {
    hint: "Drop a photo, or paste one.",
    cleared: "Wiped off. It is painted anew.",
    first: "erase",
    seeds: false,
    tools: { erase: "Rub the paint off" },
  },
};

/** Which of them a model has. */
export function kindOf({ layout, start }) {
  if (layout.strain !== undefined && layout.strain !== null) return layout.frozen > 0 ? KINDS.still : KINDS.infect;
  if (layout.frozen > 0) return KINDS.repaint;
  if (start) return KINDS.film;
  return layout.alpha === null ? KINDS.texture : KINDS.grow;
}

export const WOUNDS = [
  ["left", "Left half"],
  ["right", "Right half"],
  ["top", "Upper half"],
  ["bottom", "Lower half"],
  ["centre", "The middle"],
  ["speckle", "Speckle"],
  ["noise", "Noise"],
];

// key as the browser names it, action, its name on the help sheet, what it does
const KEYS = [
  [" ", "play", "Space", "Play or pause"],
  [".", "step", ".", "One step"],
  ["r", "reset", "R", "Begin again"],
  ["z", "undo", "Z", "Undo"],
  ["-", "slower", "- +", "Slower, faster"],
  ["+", "faster"],
  ["=", "faster"],
  ...TOOLS.map(([tool, key, words]) => [key.toLowerCase(), tool, key, words]),
  ["[", "smaller", "[ ]", "Size of the brush"],
  ["]", "bigger"],
  ["1", "left", "1 - 7", "Wounds: halves, middle, speckle, noise"],
  ...WOUNDS.map(([wound], i) => [String(i + 1), wound]),
  ["n", "randomise", "N", "Random numbers everywhere"],
  ["c", "clear", "C", "Clear"],
  ["v", "channel", "V", "Next channel"],
  ["g", "background", "G", "Background"],
  ["l", "loop", "L", "Loop: begin again after a while, or live on"],
  ["f", "fit", "F", "Show all of it"],
  ["s", "save", "S", "Save the picture"],
  ["o", "photo", "O", "Open a photo; or paste one"],
  ["u", "bare", "U", "Hold: the photo beneath"],
  ["?", "help", "?", "This help"],
];

const POINTER = [
  ["← ↑ → ↓", "A cursor on the cells; Enter uses the tool there"],
  ["Drag", "Use the tool"],
  ["Right click", "Pick a colour"],
  ["Wheel, pinch", "Zoom; with Shift, the size of the brush"],
  ["Middle drag", "Move the picture; as Space, or two fingers, and drag"],
];

/** What the help sheet lists: [keys, words, action]. */
export function helpLines() {
  return [...KEYS.filter((line) => line[2]).map(([, action, keys, words]) => [keys, words, action]), ...POINTER];
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
  const line = KEYS.find(([one]) => one === key.toLowerCase());
  if (!(target === bar.stage && steer(player, event)) && !line) return;
  event.preventDefault();
  if (key === " ") pointer.space = true;
  else if (line) player.act(line[1]);
}

// Space plays or pauses when it comes up, unless it was held to move the picture.
function liftSpace(player) {
  const { pointer } = player;
  if (pointer.space && !pointer.moved) player.act("play");
  pointer.space = pointer.moved = false;
}

// Arrows move the cursor, Enter uses the tool on it.
function steer(player, { key, shiftKey }) {
  const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[key];
  const [rows, columns] = player.world.size;
  const [row, column] = player.cursor ?? [rows >> 1, columns >> 1];
  if (way) {
    const far = shiftKey ? 8 : 1;
    player.point([within(row + far * way[0], 0, rows - 1), within(column + far * way[1], 0, columns - 1)]);
  } else if (key === "Enter") {
    player.point([row, column]);
    player.brush.begin(row, column);
    player.brush.end();
  }
  return way || key === "Enter";
}
