// The brush: what a tool does to the cells it passes over.

import { kindOf } from "./keys.js";
import { drawing, within } from "./elements.js";
import { infect } from "../world/damage.js";

export const LARGEST = 32; // cells of radius

/** Tool, size and colour, and the stroke under way. */
export class Brush {
  constructor(player) {
    this.player = player;
    const { model } = player.world;
    const film = model.start && !player.world.repaints;
    this.tool = kindOf(model).first;
    this.radius = within(Math.round(Math.min(...player.world.size) / 14), 1, 8);
    this.colour = film && model.layout.visible === 1 ? opposite(model.start.frames.at(-1)) : [209, 73, 91];
    this.at = null; // where the stroke is: [row, column]
    this.outline = drawing(["M0 0", "M0 0"], 1, "pl-outline");
  }

  /** Cells of radius that the tool reaches now. */
  get reach() {
    return ["erase", "paint", "infect"].includes(this.tool) ? this.radius : 0;
  }

  /** Put the brush down on a cell. */
  begin(row, column) {
    if (this.tool === "pick") {
      this.player.pick(row, column);
      return;
    }
    if (this.tool === "pan") return;
    this.player.world.press();
    if (!this.player.world.repaints) this.player.bar.hint.classList.add("pl-gone");
    this.at = [row, column];
    this.dab(row, column);
  }

  /** Draw on to a cell, leaving no gap on the way. */
  move(row, column) {
    if (!this.at) return;
    const [fromRow, fromColumn] = this.at;
    const far = Math.max(Math.abs(row - fromRow), Math.abs(column - fromColumn));
    const count = Math.ceil(far / Math.max(1, Math.floor(this.reach / 2)));
    for (let i = 1; i <= count; i++) {
      const part = i / count;
      this.dab(Math.round(fromRow + (row - fromRow) * part), Math.round(fromColumn + (column - fromColumn) * part));
    }
    this.at = [row, column];
  }

  /** The brush rests while time goes on. */
  hold() {
    if (this.at && this.tool !== "plant") this.dab(...this.at, true);
  }

  /** Take the brush up. */
  end() {
    if (this.at) this.player.world.lift();
    this.at = null;
  }

  dab(row, column, again = false) {
    const { world } = this.player;
    const [rows, columns] = world.size;
    const r = this.reach;
    if (row < -r || column < -r || row >= rows + r || column >= columns + r) return;
    if (this.tool === "erase" && world.under) world.wash(row, column, r);
    else if (this.tool === "erase" && world.background) world.paint(row, column, r, world.background);
    else if (this.tool === "erase") this.player.damage(`circle(${column},${row},${r})`, again);
    else if (this.tool === "paint") world.paint(row, column, r, world.colour(this.colour));
    else if (this.tool === "infect") infect(world, row, column, r);
    else if (this.tool === "plant") world.plant(row, column);
    this.player.stir();
  }

  /** Show which cells the tool would change, around `cell`; nowhere where it is null. */
  show(cell, camera, ratio) {
    const seen = cell !== null && this.tool !== "pan";
    this.outline.classList.toggle("pl-seen", seen);
    if (!seen) return;
    const side = camera.scale / ratio;
    for (const path of this.outline.children) path.setAttribute("d", ring(this.reach, side));
    const [left, top] = [camera.x / ratio + cell[1] * side, camera.y / ratio + cell[0] * side];
    this.outline.style.transform = `translate(${left}px,${top}px)`;
  }
}

// White on a dark picture, black on a light one.
function opposite(picture) {
  const light = picture.reduce((sum, v) => sum + v, 0) > picture.length / 2;
  return light ? [0, 0, 0] : [255, 255, 255];
}

// The edge of a disc of cells around the cell at (0, 0), for cells `side` pixels wide.
function ring(radius, side) {
  const right = [];
  for (let row = -radius; row <= radius; row++) {
    const reach = Math.floor(Math.sqrt(radius * radius - row * row) + 1e-9);
    right.push([reach + 1, row], [reach + 1, row + 1]);
  }
  const left = right.map(([x, y]) => [1 - x, y]).reverse();
  return "M" + [...right, ...left].map(([x, y]) => `${x * side} ${y * side}`).join("L") + "Z";
}
