// Small parts that the player's controls are made of.

const SVG = "http://www.w3.org/2000/svg";

// Drawings in a 24 x 24 square; "~" before a path fills it.
const DRAWINGS = {
  play: "~M8 5.5v13l10.5-6.5z",
  pause: "~M7 5.5h3.5v13H7zM13.5 5.5H17v13h-3.5z",
  step: "~M6 6v12l8-6zM16 6h2.5v12H16z",
  reset: "M5 12a7 7 0 1 0 2.2-5.1M5 4.5V8.5h4",
  undo: "M9 6L4.5 10.5 9 15M5 10.5h9a5 5 0 0 1 0 10h-3",
  erase: "M8.5 19.5h11M4.8 14.3l9-9a1.8 1.8 0 0 1 2.6 0l3.3 3.3a1.8 1.8 0 0 1 0 2.6l-8.3 8.3H8.6l-3.8-3.8zM9.5 9.6l6 6",
  plant: "M12 20.5V11M12 13.5c0-4-2.5-6.5-7-6.5 0 4.5 2.5 6.5 7 6.5zM12 11c0-4 2.5-6.5 7-6.5 0 4.5-2.5 6.5-7 6.5z",
  infect: "M16.5 12a4.5 4.5 0 1 1-9 0 4.5 4.5 0 0 1 9 0zM12 7.5v-4M12 20.5v-4M7.5 12h-4M20.5 12h-4M8.8 8.8L6 6M18 18l-2.8-2.8M8.8 15.2L6 18M18 6l-2.8 2.8",
  paint: "M14.5 4.5l5 5-8 8-5-5zM9 15c-2.5-.5-4 1-4 3 0 1-.5 1.8-1.5 2.2 3.5.8 7.5 0 7.5-3.2",
  pick: "M13 7.5l3.5 3.5M11.5 9l-6.5 6.5V19h3.5l6.5-6.5M14 6.5l2-2a2.5 2.5 0 0 1 3.5 3.5l-2 2z",
  pan: "M12 3.5v17M3.5 12h17M9.5 6L12 3.5 14.5 6M9.5 18l2.5 2.5 2.5-2.5M6 9.5L3.5 12 6 14.5M18 9.5l2.5 2.5-2.5 2.5",
  shapes: "M13.5 3.5L5.5 13.5h5.5l-1 7 8.5-10.5h-6z",
  more: "M5 7h8M17 7h2M5 12h2M11 12h8M5 17h6M15 17h4M15 5v4M9 10v4M13 15v4",
  help: "M9.2 9.2a2.8 2.8 0 1 1 4.3 2.4c-1 .6-1.5 1.2-1.5 2.4M12 17.3v.2",
  fit: "M9 4.5H4.5V9M15 4.5h4.5V9M9 19.5H4.5V15M15 19.5h4.5V15",
  fullscreen: "M14 4.5h5.5V10M10 19.5H4.5V14M19.5 4.5l-6.5 6.5M4.5 19.5l6.5-6.5",
  plus: "M12 6v12M6 12h12",
  minus: "M6 12h12",
  compare: "M4.5 5.5h15v13h-15zM12 3.5v17M14.5 15l1.7-2.4 1.8 2.4M7.5 9h1.5",
  close: "M7 7l10 10M17 7L7 17",
};

/** `value`, but no less than `low` and no more than `high`. */
export function within(value, low, high) {
  return Math.min(high, Math.max(low, value));
}

/** A DOM element; attributes `on...` listen. */
export function tag(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

/** An SVG element of `paths`, in a square of `side` units, of the class `kind`. */
export function drawing(paths, side, kind) {
  const svg = document.createElementNS(SVG, "svg");
  const attributes = { viewBox: `0 0 ${side} ${side}`, "aria-hidden": "true", class: kind };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  for (const d of paths) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d.replace("~", ""));
    if (d.startsWith("~")) path.setAttribute("class", "pl-solid");
    svg.append(path);
  }
  return svg;
}

/** One of the house's icons. */
export function glyph(name) {
  return drawing([DRAWINGS[name]], 24, "pl-icon");
}

/** A button with an icon, a name for those who can't see it, and its key in the tooltip. */
export function iconButton(name, words, key, onclick, attributes) {
  const title = key ? `${words} (${key})` : words;
  const shown = { class: "pl-button", type: "button", title, "aria-label": words, "data-act": name };
  return tag("button", { ...shown, onclick, ...attributes }, glyph(name));
}

/** A slider of numbers that gives them to `take`. */
export function slider(words, keys, range, take) {
  const shown = { type: "range", class: "pl-slider", title: `${words} (${keys})`, "aria-label": words, ...range };
  return tag("input", { ...shown, oninput: ({ target }) => take(Number(target.value)) });
}

/** `[r, g, b]` in 0..255 of `#rrggbb`. */
export function fromHex(hex) {
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

/** `#rrggbb` of `[r, g, b]` in 0..255. */
export function toHex(rgb) {
  return "#" + rgb.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("");
}
