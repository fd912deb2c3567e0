// The frames that a model begins with, as planaria.store keeps them: the first ones charge the hidden channels of a video
// model, it stands at the last one, which for a repainting model is its photo.

import { photoPlanes } from "./photo.js";

/** The frames of a payload, {frames: [(planes, h, w) in 0..1, ...], size}; null where it has none. */
export function opening({ start, layout }) {
  if (!start) return null;
  const [h, w] = start.size;
  const bytes = Uint8Array.from(atob(start.data), (c) => c.charCodeAt(0));
  const planes = photoPlanes(layout) || layout.visible;
  const each = planes * h * w;
  const fits = start.visible === planes && start.frames > 0 && bytes.length === start.frames * each;
  if (!fits) throw new Error("the frames that the model begins with don't fit its settings");
  const frame = (_, k) => Float32Array.from(bytes.subarray(k * each, (k + 1) * each), (v) => v / 255);
  return { frames: Array.from({ length: start.frames }, frame), size: [h, w] };
}

/**
 * Pictures of `[rows, columns]` on a grid of `[h, w]`, cell for cell, the middle in the middle: what is too large is cut,
 * what is too small goes on as its own mirror image.
 */
export function tiled(pictures, [rows, columns], [h, w]) {
  const planes = pictures.length / (rows * columns);
  const [down, across] = [mirrored(rows, h), mirrored(columns, w)];
  const out = new Float32Array(planes * h * w);
  for (let k = 0; k < planes; k++) {
    for (let row = 0; row < h; row++) {
      const from = (k * rows + down[row]) * columns;
      for (let column = 0; column < w; column++) out[(k * h + row) * w + column] = pictures[from + across[column]];
    }
  }
  return out;
}

/** Pictures of `[rows, columns]` on a grid of `[h, w]`, as `tiled`, but what is too small has nothing around it. */
export function centred(pictures, [rows, columns], [h, w]) {
  const planes = pictures.length / (rows * columns);
  const [down, right] = [Math.floor(h / 2) - Math.floor(rows / 2), Math.floor(w / 2) - Math.floor(columns / 2)];
  const out = new Float32Array(planes * h * w);
  for (let k = 0; k < planes; k++) {
    for (let row = Math.max(0, -down); row < rows && row + down < h; row++) {
      for (let column = Math.max(0, -right); column < columns && column + right < w; column++) {
        out[(k * h + row + down) * w + column + right] = pictures[(k * rows + row) * columns + column];
      }
    }
  }
  return out;
}

/**
 * What the background of a picture holds, {channel: value}: the mean of the cells of `x` (channels, cells) that show the most
 * common colour, of eight shades a channel.
 */
export function backgroundOf(x, cells, { visible, offset }) {
  const shades = new Map();
  for (let i = 0; i < cells; i++) {
    let shade = 0;
    for (let k = 0; k < visible; k++) {
      shade = 8 * shade + Math.min(7, Math.max(0, Math.floor(8 * (x[k * cells + i] + offset))));
    }
    if (!shades.has(shade)) shades.set(shade, []);
    shades.get(shade).push(i);
  }
  const sorted = [...shades].sort(([a], [b]) => a - b).map(([, cells]) => cells);
  const background = sorted.reduce((most, one) => (one.length > most.length ? one : most));
  const mean = (k) => background.reduce((sum, i) => sum + x[k * cells + i], 0) / background.length;
  return Object.fromEntries(Array.from({ length: x.length / cells }, (_, k) => [k, mean(k)]));
}

// Which of `there` cells lies at each of `cells`.
function mirrored(there, cells) {
  const first = Math.floor((cells - there) / 2);
  const round = 2 * there;
  return Array.from({ length: cells }, (_, i) => {
    const place = (((i - first) % round) + round) % round;
    return place < there ? place : round - 1 - place;
  });
}
