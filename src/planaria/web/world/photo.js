// A photo under the cells, and the state in which they begin to repaint it: as planaria.core.layout's `exposed` and
// `pose`, and planaria.core.shuffle.

import { STREAM, bodyOf, derive, fold } from "../engine/model.js";

const LUMINANCE = [0.2989, 0.587, 0.114];

/** How many frozen channels hold the photo itself: after them come its shift-shuffles, two channels each. */
export function photoPlanes({ frozen, shifts = [], strain = null }) {
  return strain === null ? frozen - 2 * shifts.length : 0;
}

/** The channels that are 1 in a seed, from its life on: [first, end]. */
export function sown(layout) {
  const first = layout.alpha ?? 0;
  return [first, layout.lean ? first + 1 : bodyOf(layout)];
}

/** What a cell of a colour [r, g, b] in 0..1 shows: 1 for the label of the nearest colour, 0 for all others. */
export function labelled(rgb, labels) {
  const away = labels.map((label) => label.reduce((sum, v, k) => sum + (v - rgb[k]) ** 2, 0));
  const nearest = away.indexOf(Math.min(...away));
  return labels.map((_, k) => Number(k === nearest));
}

/** A straight colour [r, g, b, a] in 0..1 as `planes` numbers: premultiplied rgba; grey or rgb lie over white. */
export function held([r, g, b, a], planes) {
  if (planes > 3) return [r * a, g * a, b * a, a];
  const [red, green, blue] = [r, g, b].map((v) => v * a + 1 - a);
  return planes === 1 ? [0.299 * red + 0.587 * green + 0.114 * blue] : [red, green, blue].slice(0, planes);
}

/** The `planes` (planes, h, w) of an ImageData, `straight` or as `held`; throws an Error where a photo has none such. */
export function planesOf({ data, width, height }, planes, straight = false, labels = []) {
  if (!labels.length && ![1, 3, 4].includes(planes)) throw new Error(`this model has ${planes} frozen channels; a photo fills 1, 3 or 4`);
  const cells = width * height;
  const out = new Float32Array(planes * cells);
  for (let i = 0; i < cells; i++) {
    const rgba = [data[4 * i] / 255, data[4 * i + 1] / 255, data[4 * i + 2] / 255, data[4 * i + 3] / 255];
    const own = straight && rgba[3] > 0 ? rgba : held(rgba, planes);
    const colour = labels.length ? labelled(rgba, labels).map((v) => v * rgba[3]) : own;
    for (let k = 0; k < planes; k++) out[k * cells + i] = colour[k];
  }
  return out;
}

/** The ImageData that shows `photo` (1, 3 or 4 planes) of `[h, w]`, over white. */
export function imageOf(photo, [h, w]) {
  const cells = h * w;
  const planes = photo.length / cells;
  const image = new ImageData(w, h);
  for (let i = 0; i < cells; i++) {
    const clear = planes > 3 ? 1 - photo[3 * cells + i] : 0;
    for (let k = 0; k < 3; k++) image.data[4 * i + k] = 255 * (photo[(planes > 1 ? k : 0) * cells + i] + clear);
    image.data[4 * i + 3] = 255;
  }
  return image;
}

/** What the frozen channels hold of `photo` (planes, h, w) in 0..1. */
export function exposed(photo, [h, w], { frozen, shifts = [], offset }) {
  const out = new Float32Array(frozen * h * w);
  out.set(photo);
  shifts.forEach((shift, i) => out.set(shuffled(photo, [h, w], shift), photo.length + 2 * i * h * w));
  return out.map((v) => v - offset);
}

/** A state that shows `photo` (planes, h, w) in 0..1, to be repainted; its hidden numbers are those of `seed`. */
export function pose(photo, [h, w], layout, seed) {
  const { visible, hidden, frozen, alpha, offset } = layout;
  const cells = h * w;
  const x = new Float32Array((visible + hidden + frozen) * cells);
  x.set(exposed(photo, [h, w], layout), (visible + hidden) * cells);
  if (photoPlanes(layout) !== visible || alpha !== null) return planted(x, [h, w], layout);
  for (let i = 0; i < photo.length; i++) x[i] = photo[i] - offset;
  const key = derive(derive(seed, STREAM.hidden), 0);
  for (let k = 0; k < hidden; k++) {
    for (let row = 0; row < h; row++) {
      const line = fold(fold(key, k), row);
      const at = ((visible + k) * h + row) * w;
      for (let column = 0; column < w; column++) x[at + column] = (fold(line, column) >>> 8) / 2 ** 24 - 0.5;
    }
  }
  return x;
}

/** One living cell put into the middle of a state, where cells have life. */
export function planted(x, [h, w], layout) {
  if (layout.alpha === null) return x;
  const middle = Math.floor(h / 2) * w + Math.floor(w / 2);
  const [first, end] = sown(layout);
  for (let k = first; k < end; k++) x[k * h * w + middle] = 1;
  return x;
}

/** Two channels (2, h, w): eight half-size copies of the luminance, shifted by `shift`, in the pixels of two. */
export function shuffled(photo, [h, w], shift) {
  const grey = luminance(photo, h * w);
  const [high, wide] = [Math.ceil(h / 2), Math.ceil(w / 2)];
  const half = new Float32Array(high * wide);
  for (let i = 0; i < half.length; i++) {
    const [row, column] = [2 * Math.floor(i / wide), 2 * (i % wide)];
    const [below, right] = [Math.min(row + 1, h - 1), Math.min(column + 1, w - 1)]; // an odd side's last is repeated
    half[i] = (grey[row * w + column] + grey[row * w + right] + grey[below * w + column] + grey[below * w + right]) / 4;
  }
  const s = shift;
  const ways = [[-s, 0], [0, -s], [s, 0], [0, s], [s, s], [-s, s], [-s, -s], [s, -s]];
  const round = (n, most) => ((n % most) + most) % most;
  const out = new Float32Array(2 * h * w);
  for (let k = 0; k < 2; k++) {
    for (let row = 0; row < h; row++) {
      for (let column = 0; column < w; column++) {
        const [down, across] = ways[4 * k + 2 * (row % 2) + (column % 2)];
        const from = round((row >> 1) - down, high) * wide + round((column >> 1) - across, wide);
        out[(k * h + row) * w + column] = half[from];
      }
    }
  }
  return out;
}

function luminance(photo, cells) {
  if (photo.length === cells) return photo;
  const weigh = (_, i) => LUMINANCE.reduce((sum, weight, k) => sum + weight * photo[k * cells + i], 0);
  return Float32Array.from({ length: cells }, weigh);
}
