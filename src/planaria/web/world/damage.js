// Damage: shapes that are cut out of a grid, as planaria.core.damage has them; and infections.

import { derive, fold } from "../engine/model.js";

/** Whether damage of this kind takes the cell (row, column) of an h x w grid; undefined for a kind there isn't. */
export function maskOf(kind, [a, b, c], seed) {
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
  return Object.hasOwn(masks, kind) ? masks[kind] : undefined;
}

/** The random number in 0..1 at place `i` of channel `k` on a grid of `w` columns. */
export function uniform(key, k, i, w) {
  return (fold(fold(fold(key, k), Math.floor(i / w)), i % w) >>> 8) / 2 ** 24;
}

/** Infect the living cells of a disc of `world`, as planaria.world does. */
export function infect(world, row, column, radius) {
  const { strain, alpha } = world.layout;
  const rect = world.around(row, column, radius);
  const cells = rect[2] * rect[3];
  if (cells < 1) return;
  const life = alpha === null ? null : world.engine.read(rect).subarray(alpha * cells, (alpha + 1) * cells);
  const change = (v, k, i) => {
    const [down, right] = [rect[0] + Math.floor(i / rect[3]) - row, rect[1] + (i % rect[3]) - column];
    const caught = k === strain && down * down + right * right <= radius * radius && !(life && !(life[i] > 0));
    return caught ? 1 : v;
  };
  world.edit(rect, change, strain + 1);
}
