// What a training looks like: its losses as a curve, and pictures of its pool.

import { tag } from "../player/elements.js";

const HEIGHT = 170; // pixels; it is as wide as there is room
const [LEFT, RIGHT, TOP, BOTTOM] = [34, 8, 10, 22];
const GROUPS = 140; // of iterations, of which a median is drawn

/** The loss curve: log10 of each iteration's loss, and its running median. */
export class Curve {
  constructor() {
    this.canvas = tag("canvas", { class: "pg-curve", role: "img", "aria-label": "Loss curve: empty yet" });
    this.element = this.canvas;
    this.last = [[], 1];
    this.watcher = new ResizeObserver(() => this.show(...this.last));
    this.watcher.observe(this.canvas);
  }

  /** Draw `losses` of a training of `steps` iterations. */
  show(losses, steps) {
    this.last = [losses, steps];
    const width = this.canvas.clientWidth;
    const ratio = devicePixelRatio || 1;
    const sides = { width: Math.max(1, Math.round(width * ratio)), height: Math.round(HEIGHT * ratio) };
    if (this.canvas.width !== sides.width || this.canvas.height !== sides.height) Object.assign(this.canvas, sides);
    const context = this.canvas.getContext("2d");
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim() || "#888";
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    context.font = "12px system-ui, sans-serif";
    const logs = Array.from(losses, (loss) => Math.log10(Math.max(loss, 1e-9)));
    const low = Math.min(-2, Math.floor(2 * logs.reduce((a, b) => Math.min(a, b), 0)) / 2);
    const high = Math.max(-0.5, Math.ceil(2 * logs.reduce((a, b) => Math.max(a, b), -9)) / 2);
    const x = (i) => LEFT + ((width - LEFT - RIGHT) * i) / Math.max(1, steps);
    const y = (v) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - v)) / (high - low);
    context.fillStyle = colour("--pg-muted");
    context.strokeStyle = colour("--pg-line");
    context.textAlign = "right";
    for (let v = Math.ceil(low); v <= high; v++) {
      context.strokeRect(LEFT, Math.round(y(v)), width - LEFT - RIGHT, 0);
      context.fillText(String(v).replace("-", "\u2212"), LEFT - 6, y(v) + 4);
    }
    context.fillText(steps.toLocaleString("en"), width - RIGHT, HEIGHT - 6);
    context.textAlign = "left";
    context.fillText("0", LEFT, HEIGHT - 6);
    context.fillStyle = colour("--pg-faint");
    const each = Math.max(1, Math.ceil(logs.length / 1500));
    for (let i = 0; i < logs.length; i += each) context.fillRect(x(i + 1) - 0.75, y(logs[i]) - 0.75, 1.5, 1.5);
    context.strokeStyle = colour("--pg-plum");
    context.lineWidth = 2;
    context.lineJoin = "round";
    context.beginPath();
    const group = Math.max(1, Math.ceil(logs.length / GROUPS));
    for (let i = 0; i < logs.length; i += group) {
      const some = logs.slice(i, i + group).sort((a, b) => a - b);
      context.lineTo(x(i + (some.length + 1) / 2), y(some[some.length >> 1]));
    }
    context.stroke();
    const last = logs.length
      ? `log10 of the loss is ${logs.at(-1).toFixed(2)} after ${logs.length} of ${steps} iterations`
      : "empty yet";
    this.canvas.setAttribute("aria-label", `Loss curve: ${last}`);
  }
}

/** Some samples of the pool, side by side. */
export class PoolView {
  constructor() {
    this.element = tag("canvas", {
      class: "pg-pool",
      role: "img",
      width: 1,
      height: 1,
      "aria-label": "Samples of its pool: none yet",
    });
  }

  /** Show `images`, ImageData of one size. */
  show(images) {
    if (!images.length) return;
    const { width, height } = images[0];
    const columns = Math.min(8, images.length);
    const rows = Math.ceil(images.length / columns);
    const canvas = this.element;
    Object.assign(canvas, { width: columns * (width + 2), height: rows * (height + 2) });
    const context = canvas.getContext("2d");
    images.forEach((image, i) => {
      context.putImageData(image, (i % columns) * (width + 2) + 1, Math.floor(i / columns) * (height + 2) + 1);
    });
    canvas.setAttribute("aria-label", `${images.length} samples of its pool`);
  }
}
