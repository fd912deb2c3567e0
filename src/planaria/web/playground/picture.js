// What shall grow: a built-in picture, an emoji, a word, a drawing or a photo, as the cells will see it.

import { centred } from "../learn/target.js";
import { resized } from "./resize.js";
import { keyed, trimmed } from "./keying.js";

const SIDE = 512; // pixels of the longer side that are looked at
const LARGEST_FILE = 40e6; // bytes
const INK = "rgb(24, 24, 32)";
const FONT = 'system-ui, "Segoe UI", Roboto, sans-serif';
const EMOJI = '"Apple Color Emoji", "Segoe UI Emoji", "Noto Color Emoji", sans-serif';
const MOST_WORDS = 24; // letters

/** The built-in pictures, base64 of WebP files by their names; `open` of main.js puts them here. */
export const BUILT_IN = {};

/** Pixels {data, width, height, name} of a built-in picture. */
export async function builtIn(name) {
  if (!Object.hasOwn(BUILT_IN, name)) {
    throw new Error(`no built-in picture ${JSON.stringify(name)}; there are ${Object.keys(BUILT_IN).join(", ")}`);
  }
  const bytes = Uint8Array.from(atob(BUILT_IN[name]), (c) => c.charCodeAt(0));
  return { ...(await decoded(new Blob([bytes], { type: "image/webp" }))), name };
}

/** Pixels of a picture file; throws an Error in words. */
export async function fromFile(file) {
  const shown = file.name || "the picture";
  if (!file.type.startsWith("image/")) throw new Error(`${shown} is no picture.`);
  if (file.size > LARGEST_FILE) throw new Error(`${shown} is too large: a picture may have 40 MB.`);
  try {
    return { ...(await decoded(file)), name: slug(shown.replace(/\.\w+$/, "")) };
  } catch {
    throw new Error(`${shown} can't be read: it is damaged, or of a kind that this browser lacks.`);
  }
}

/** Pixels of an emoji as this browser draws it. */
export function fromEmoji(text) {
  const found = written(text, EMOJI, "400", text);
  if (!found) throw new Error(`This browser draws nothing for ${text}.`);
  return { ...found, name: text };
}

/** Pixels of a word in bold. */
export function fromWord(text) {
  const word = text.trim();
  if (!word || [...word].length > MOST_WORDS) throw new Error(`A word has 1 to ${MOST_WORDS} letters.`);
  const found = written(word, FONT, "800", "text");
  if (!found) throw new Error(`This browser draws nothing for ${word}.`);
  return { ...found, name: `text:${word}` };
}

/** Pixels of what a canvas, an image or a video shows, its longer side at most `SIDE`. */
export function fromCanvas(source, name) {
  const [wide, high] = [source.videoWidth || source.width, source.videoHeight || source.height];
  const scale = Math.min(1, SIDE / Math.max(wide, high));
  const [width, height] = [wide, high].map((n) => Math.max(1, Math.round(n * scale)));
  const context = sheet(width, height);
  context.imageSmoothingQuality = "high";
  context.drawImage(source, 0, 0, width, height);
  return { data: context.getImageData(0, 0, width, height).data, width, height, name };
}

/** The pixels that a source names: a built-in picture, an emoji, `text:WORD`, a file, a canvas or an ImageData. */
export async function find(source) {
  if (typeof source !== "string") {
    if (source instanceof Blob) return fromFile(source);
    if (source instanceof ImageData)
      return { data: source.data, width: source.width, height: source.height, name: "drawing" };
    return fromCanvas(source, "drawing");
  }
  if (source.startsWith("text:")) return fromWord(source.slice(5));
  return /\p{Extended_Pictographic}|\p{Regional_Indicator}/u.test(source) ? fromEmoji(source) : builtIn(source);
}

/**
 * The target of a training: `{planes (4, h, w) premultiplied RGBA in 0..1, size: [h, w]}`. A plain background is left
 * out, empty margins are cut off, the longer side is `size` cells (a drawing keeps its own, cell for cell), with `padding` empty cells around.
 */
export function prepared(pixels, size, padding) {
  const cut = trimmed(pixels.drawn ? pixels : keyed(pixels));
  if (!cut) throw new Error("There is nothing to grow: every pixel is transparent.");
  const scale = pixels.drawn ? 1 : size / Math.max(cut.width, cut.height);
  const [rows, columns] = [cut.height, cut.width].map((n) => Math.max(1, Math.round(n * scale)));
  const small = resized(premultiplied(cut), 4, [cut.height, cut.width], [rows, columns]);
  const [h, w] = [rows + 2 * padding, columns + 2 * padding];
  const planes = new Float32Array(4 * h * w);
  for (let k = 0; k < 4; k++) {
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) {
        const [i, last] = [y * columns + x, 3 * rows * columns];
        const most = k < 3 ? Math.min(1, Math.max(0, small[last + i])) : 1; // Lanczos overshoots
        planes[(k * h + y + padding) * w + x + padding] = Math.min(most, Math.max(0, small[k * rows * columns + i]));
      }
    }
  }
  return { planes: centred(planes, [h, w], padding), size: [h, w] };
}

/** Planes (4, h, w) in 0..1 as ImageData, over nothing. */
export function imageOf(planes, [h, w]) {
  const image = new ImageData(w, h);
  for (let i = 0; i < h * w; i++) {
    const alpha = Math.min(1, Math.max(0, planes[3 * h * w + i]));
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = alpha > 0 ? (255 * planes[k * h * w + i]) / alpha : 0;
    image.data[4 * i + 3] = 255 * alpha;
  }
  return image;
}

/** A canvas of its own that shows an ImageData. */
export function canvasOf(image) {
  const context = sheet(image.width, image.height);
  context.putImageData(image, 0, 0);
  return context.canvas;
}

/** A name that a file can have. */
export function slug(text) {
  return (
    text
      .toLowerCase()
      .replace(/^text:/, "")
      .replace(/[^\p{L}\p{N}\p{Extended_Pictographic}]+/gu, "-")
      .replace(/^-|-$/g, "")
      .slice(0, 60) || "creature"
  );
}

function sheet(width, height) {
  return Object.assign(document.createElement("canvas"), { width, height }).getContext("2d", {
    willReadFrequently: true,
  });
}

async function decoded(blob) {
  const bitmap = await createImageBitmap(blob);
  const pixels = fromCanvas(bitmap);
  bitmap.close();
  return pixels;
}

/** Letters on a canvas that they fit, cut tight; null where they leave no ink. */
function written(text, font, weight) {
  const size = 200;
  const wide = Math.min(4096, Math.ceil(size * 1.4 * [...text].length));
  const context = sheet(wide, 2 * size);
  Object.assign(context, {
    font: `${weight} ${size}px ${font}`,
    fillStyle: INK,
    textBaseline: "middle",
    textAlign: "center",
  });
  context.fillText(text, wide / 2, size, wide - 8);
  const { data } = context.getImageData(0, 0, wide, 2 * size);
  const cut = trimmed({ data, width: wide, height: 2 * size });
  return cut && fromCanvas(canvasOf(new ImageData(cut.data, cut.width, cut.height)));
}

function premultiplied({ data, width, height }) {
  const cells = width * height;
  const out = new Float32Array(4 * cells);
  for (let i = 0; i < cells; i++) {
    const alpha = data[4 * i + 3] / 255;
    for (let k = 0; k < 3; k++) out[k * cells + i] = (data[4 * i + k] / 255) * alpha;
    out[3 * cells + i] = alpha;
  }
  return out;
}
