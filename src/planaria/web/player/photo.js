// The photo panel: the photo that the cells repaint, how many cells paint it, and pictures that are saved.

import { imageOf } from "../world/photo.js";
import { tag, within } from "./elements.js";
import { drawWorld, openPhoto, pixelsOf, savePicture } from "./files.js";
import { Webcam } from "./webcam.js";

const GRID_LIMIT = 512;
const SIDES = [48, 64, 96, 128, 192, 256, 384, GRID_LIMIT]; // cells of the longer side that a photo may have
const ROOM = 192 ** 2; // cells of a photo, at least, on a graphics card
const WORK = 800e6; // products that a step may take in WebAssembly

/** Photos and sizes of a player's world. */
export class PhotoPanel {
  constructor(player, chosen) {
    this.player = player;
    this.chosen = chosen; // somebody said how many cells there should be
    this.sources = new WeakMap(); // a photo under the cells -> the canvas that it was made of
    this.bare = false; // the photo is shown instead of the cells
    this.webcam = null;
    const { world } = player;
    const [rows, columns] = world.size;
    if (world.under && !chosen && this.room() < 0.7 * rows * columns) this.lay(this.source);
  }

  /** What the photo under the cells was made of; null where there is none. */
  get source() {
    const { under, photo, size, model } = this.player.world;
    if (!under) return null;
    if (this.sources.has(under)) return this.sources.get(under);
    return photo ? sheet(imageOf(photo, size)) : sheet(imageOf(model.start.frames.at(-1), model.start.size));
  }

  /** How many cells a new photo gets. */
  room() {
    const { world } = this.player;
    const today = world.size[0] * world.size[1];
    if (this.chosen) return today;
    if (world.kind === "webgl2") return Math.max(today, ROOM);
    const products = world.model.weights.reduce((sum, { length }) => sum + length, 0);
    return Math.min(today, WORK / products);
  }

  /** Lay a picture under the cells, whole: their grid takes its shape. */
  lay(source, cells = this.room()) {
    const { world } = this.player;
    world.place(pixelsOf(source, shaped(source, cells)));
    this.sources.set(world.photo, source);
    this.player.seat();
  }

  /** Give the cells a photo from a file. */
  async drop(file) {
    if (!file) return;
    const { player } = this;
    const { world, bar } = player;
    try {
      const photo = await openPhoto(file);
      this.watch(null);
      if (world.repaints) {
        this.lay(photo);
        const [rows, columns] = world.size;
        const slow = world.kind === "wasm" ? " Fewer go faster: see More." : "";
        bar.say(`${file.name}, ${columns} × ${rows} cells.${slow}`);
      } else {
        world.place(pixelsOf(photo, world.size));
        bar.say(`${file.name} is on the grid.`);
      }
      bar.hint.classList.add("pl-gone");
      player.stir();
    } catch (error) {
      bar.say(error.message);
    }
    bar.file.value = "";
  }

  /** Take the camera, or let go of it. */
  async look() {
    const { player } = this;
    if (this.webcam) return this.watch(null);
    const webcam = new Webcam();
    try {
      await webcam.open();
      if (player.stop.signal.aborted) return webcam.close();
      this.watch(webcam);
      this.lay(webcam.canvas);
      player.bar.hint.classList.add("pl-gone");
      player.play();
    } catch (error) {
      player.bar.say(error.message);
    }
  }

  /** Repaint what `webcam` sees from now on; null for no more. */
  watch(webcam) {
    this.webcam?.close();
    this.webcam = webcam;
    this.player.bar.refresh();
  }

  /** A newer picture of the camera, where it is time for one. */
  follow(now) {
    const { world } = this.player;
    if (!this.webcam?.due(now)) return;
    const source = this.webcam.look();
    world.expose(pixelsOf(source, world.size));
    this.sources.set(world.photo, source);
  }

  /** Another model: what the camera sees may have no place there. */
  renew() {
    if (!this.player.world.repaints) this.watch(null);
  }

  /** The photo, or the cells again. */
  compare(bare) {
    this.bare = bare && this.player.world.under !== null;
    this.player.stir();
  }

  /** Draw the photo where the cells are, as they see it. */
  draw(context, { scale, x, y }) {
    const { under, size } = this.player.world;
    if (this.sketch?.under !== under) this.sketch = { under, canvas: sheet(imageOf(under, size)) };
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    context.imageSmoothingEnabled = scale < 1;
    context.drawImage(this.sketch.canvas, x, y, size[1] * scale, size[0] * scale);
  }

  /** Fewer cells (`way` is -1) or more (1). A photo keeps its shape, and is painted anew. */
  rescale(way) {
    const { world } = this.player;
    const [rows, columns] = world.size;
    const { source } = this;
    this.chosen = true;
    if (!source) return this.resize(rows + 8 * way, columns + 8 * way);
    const longest = Math.max(rows, columns);
    const side = way > 0 ? SIDES.find((n) => n > longest) : SIDES.findLast((n) => n < longest);
    if (!side) return;
    const [wide, high] = [source.width, source.height];
    this.lay(source, (side * side * Math.min(wide, high)) / Math.max(wide, high));
  }

  resize(rows, columns) {
    const { player } = this;
    player.world.resize([rows, columns].map((n) => within(n, 8, GRID_LIMIT)));
    player.seat();
  }

  /** As many cells as there is room for, as large as they are. */
  fill() {
    const { scale, width, height, margin } = this.player.camera;
    const [wide, high] = [width - margin.left - margin.right, height - margin.top - margin.bottom];
    this.resize(Math.floor(high / scale), Math.floor(wide / scale));
  }

  /** Keep what is seen as a PNG. */
  save() {
    const { world, channel, backgrounds, spare } = this.player;
    const [rows, columns] = world.size;
    const scale = Math.max(1, Math.round(1024 / Math.max(rows, columns)));
    const canvas = tag("canvas", { width: columns * scale, height: rows * scale });
    drawWorld(world, canvas, { scale, x: 0, y: 0, channel }, backgrounds, spare);
    savePicture(canvas, `${world.name}-${world.t}.png`);
  }
}

/** Rows and columns of a grid in the shape of a picture, with about `cells` cells. */
export function shaped({ width, height }, cells) {
  const longest = Math.sqrt((cells * Math.max(width, height)) / Math.min(width, height));
  const scale = Math.min(GRID_LIMIT, longest) / Math.max(width, height);
  return [height, width].map((n) => within(Math.round(n * scale), 8, GRID_LIMIT));
}

function sheet(image) {
  const canvas = tag("canvas", { width: image.width, height: image.height });
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}
