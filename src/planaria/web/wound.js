// Shapes that are cut out of a grid, as planaria.core.damage has them.

import { derive, fold } from "./model.js";

/** Whether a wound of this kind takes the cell (row, column) of an h x w grid; undefined for a kind there isn't. */
export function woundOf(kind, [a, b, c], seed) {
  const key = fold(derive(seed, 0), 0);
  const side = a ?? 16;
  const masks = {
    left: (row, column, h, w) => column < Math.floor(w / 2),
    right: (row, column, h, w) => column >= w - Math.floor(w / 2),
    top: (row, column, h) => row < Math.floor(h / 2),
    bottom: (row, column, h) => row >= h - Math.floor(h / 2),
    centre: (row, column, h, w) =>
      Math.abs(row + 0.5 - h / 2) < side / 2 && Math.abs(column + 0.5 - w / 2) < side / 2,
    circle: (row, column) => (column - a) ** 2 + (row - b) ** 2 <= c * c,
    speckle: (row, column) => (fold(fold(key, row), column) >>> 8) / 2 ** 24 < (a ?? 0.3),
  };
  return masks[kind];
}
