// Where the grid lies on the canvas, in device pixels.

import { within } from "./elements.js";

const CLOSEST = 96; // device pixels of a cell, at most

/** Zoom and place of a grid `[rows, columns]` on a canvas. */
export class Camera {
  constructor(grid) {
    this.grid = grid;
    this.scale = 1;
    this.x = 0;
    this.y = 0;
    this.fitted = true; // follows the canvas until somebody zooms or pans
    this.width = this.height = 1;
    this.margin = { top: 0, right: 0, bottom: 0, left: 0 };
  }

  /** The canvas has `width` x `height` pixels, of which `margin` lies under controls. */
  frame(width, height, margin) {
    const [right, down] = [(width - this.width) / 2, (height - this.height) / 2];
    Object.assign(this, { width, height, margin });
    if (this.fitted) this.fit();
    else this.move(right, down);
  }

  /** The largest scale that shows the whole grid, in the middle of what is free. */
  fit() {
    const { top, right, bottom, left } = this.margin;
    const [rows, columns] = this.grid;
    const [wide, high] = [this.width - left - right, this.height - top - bottom];
    const scale = Math.max(0.2, Math.min(wide / columns, high / rows));
    const whole = Math.floor(scale);
    this.scale = whole > 0.9 * scale ? whole : scale; // whole pixels keep all cells alike
    this.x = Math.round(left + (wide - columns * this.scale) / 2);
    this.y = Math.round(top + (high - rows * this.scale) / 2);
    this.fitted = true;
  }

  /** Scale by `factor`; the point of the grid under the pixel (px, py) stays there. */
  zoom(factor, px, py) {
    const fit = Math.min(this.width / this.grid[1], this.height / this.grid[0]);
    const scale = within(this.scale * factor, Math.min(fit / 2, 1), Math.max(CLOSEST, fit));
    this.x = px - ((px - this.x) * scale) / this.scale;
    this.y = py - ((py - this.y) * scale) / this.scale;
    this.scale = scale;
    this.fitted = false;
  }

  /** Shift by pixels, but never so far that the grid is lost. */
  move(dx, dy) {
    const [high, wide] = this.grid.map((n) => n * this.scale);
    const [keepX, keepY] = [Math.min(wide, this.width) / 4, Math.min(high, this.height) / 4];
    this.x = within(this.x + dx, keepX - wide, this.width - keepX);
    this.y = within(this.y + dy, keepY - high, this.height - keepY);
    this.fitted = false;
  }

  /** Row and column, with fractions, under the pixel (px, py). */
  cell(px, py) {
    return [(py - this.y) / this.scale, (px - this.x) / this.scale];
  }
}
