// A video of the cells, one square of pixels each: encoded by the browser, kept in memory until it is saved.

import { tag } from "./elements.js";
import { drawWorld, saveFile } from "./files.js";

const SIDE = 512; // pixels of its longer side, about
const RATE = 30; // frames a second, at most
const BITS = 5e6; // a second
const LONGEST = 60_000; // ms
const KINDS = [["video/webm;codecs=vp9", "webm"], ["video/webm", "webm"], ["video/mp4", "mp4"]];

/** [MIME type, suffix] of what this browser can record; undefined where it can't. */
export function recordable() {
  if (!globalThis.MediaRecorder || !HTMLCanvasElement.prototype.captureStream) return undefined;
  return KINDS.find(([kind]) => MediaRecorder.isTypeSupported(kind));
}

/** Records what `draw` is given until `stop`, or for a minute; then it is saved, and `done(name)` called. */
export class Recorder {
  constructor({ size: [rows, columns], name }, done) {
    const [mimeType, suffix] = recordable();
    const scale = Math.max(2, 2 * Math.round(SIDE / Math.max(rows, columns) / 2)); // encoders want even sides
    this.canvas = tag("canvas", { width: columns * scale, height: rows * scale });
    this.spare = tag("canvas", {});
    this.parts = [];
    this.tape = new MediaRecorder(this.canvas.captureStream(RATE), { mimeType, videoBitsPerSecond: BITS });
    this.tape.ondataavailable = ({ data }) => this.parts.push(data);
    this.tape.onstop = () => {
      clearTimeout(this.timer);
      if (!this.parts.length) return;
      saveFile(new Blob(this.parts, { type: mimeType.split(";")[0] }), `${name}.${suffix}`);
      done(`${name}.${suffix}`);
    };
    this.timer = setTimeout(() => this.stop(), LONGEST);
    this.tape.start();
  }

  /** The next frame: `world` as a person sees it, whole. */
  draw(world, channel, backgrounds) {
    const { width, height } = this.canvas;
    const [rows, columns] = world.size;
    const scale = Math.min(width / columns, height / rows); // the grid may have grown since
    const [x, y] = [(width - columns * scale) / 2, (height - rows * scale) / 2];
    drawWorld(world, this.canvas, { scale, x, y, channel }, backgrounds, this.spare);
  }

  stop() {
    if (this.tape.state !== "inactive") this.tape.stop();
  }

  /** Stop, and save nothing. */
  discard() {
    this.tape.ondataavailable = null;
    this.stop();
  }
}
