// A small pixel editor: a pixel is a cell. Pencil, fill, eraser, mirror, palette, undo and redo; by pointer or by keys.

import { tag, within } from "../player/elements.js";

const PALETTE = [
  "#1d1b26", "#6f6a7d", "#ffffff", "#7a4a2b", "#d1495b", "#f2a541", "#f7d95c", "#2f8f6b", "#8fce6a", "#2e6fb7", "#7cc4e8", "#5b2a86", "#e58fb5",
]; // prettier-ignore
const NAMES = [
  "ink", "grey", "white", "brown", "red", "orange", "yellow", "green", "lime", "blue", "sky", "plum", "pink",
]; // prettier-ignore
const TOOLS = [
  ["pencil", "b", "Pencil"],
  ["fill", "f", "Fill"],
  ["eraser", "e", "Eraser"],
];
const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const UNSEEN = 360; // pixels on a side, before it is on screen
const DEPTH = 100; // strokes that can be undone

/** The editor, to be put into a page as `element`; `onchange()` after every change. */
export class Editor {
  constructor(side, onchange) {
    this.side = side;
    this.onchange = onchange;
    this.cells = new Uint32Array(side * side); // 0 is empty, else 0xRRGGBB with bit 24 set
    this.past = [];
    this.future = [];
    this.tool = "pencil";
    this.colour = PALETTE[4];
    this.mirrored = false;
    this.cursor = null;
    this.last = null; // the cell that a stroke comes from
    this.canvas = tag("canvas", { class: "pg-grid", tabindex: "0", role: "application" });
    this.build();
    this.listen();
    this.draw();
  }

  build() {
    const button = (words, key, act, pressed) => {
      const kind = { class: "pg-tool", type: "button", title: `${words} (${key})`, onclick: () => this.act(act) };
      return tag("button", { ...kind, ...(pressed ? { "aria-pressed": "false" } : {}), "data-act": act }, words);
    };
    this.tools = TOOLS.map(([tool, key, words]) => button(words, key, tool, true));
    this.mirror = button("Mirror", "m", "mirror", true);
    this.back = button("Undo", "Ctrl+Z", "undo");
    this.forth = button("Redo", "Ctrl+Y", "redo");
    const clear = button("Clear", "Delete", "clear");
    this.swatches = PALETTE.map((value, i) => {
      const pick = () => this.paintWith(value);
      const node = tag("button", {
        class: "pg-swatch",
        type: "button",
        value,
        title: NAMES[i],
        "aria-label": NAMES[i],
        onclick: pick,
      });
      node.style.background = value;
      return node;
    });
    this.any = tag("input", {
      type: "color",
      class: "pg-swatch",
      "aria-label": "Any colour",
      oninput: ({ target }) => this.paintWith(target.value),
    });
    const row = (name, ...parts) => tag("div", { class: `pg-tools ${name}`, role: "group" }, ...parts);
    const bar = row("", ...this.tools, this.mirror, this.back, this.forth, clear);
    const palette = row("pg-palette", ...this.swatches, this.any);
    this.element = tag("div", { class: "pg-editor" }, this.canvas, tag("div", {}, bar, palette));
    this.show();
  }

  listen() {
    const { canvas } = this;
    const on = (kind, act) => canvas.addEventListener(kind, act);
    on("pointerdown", (event) => {
      if (event.button > 0) return;
      canvas.setPointerCapture(event.pointerId);
      this.begin();
      this.cursor = null;
      this.stroke(this.at(event));
    });
    on("pointermove", (event) => this.last && this.stroke(this.at(event)));
    for (const kind of ["pointerup", "pointercancel"]) on(kind, () => this.end());
    on("blur", () => {
      this.cursor = null;
      this.draw();
    });
    on("keydown", (event) => this.key(event));
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(canvas);
  }

  key(event) {
    const { key } = event;
    const control = event.ctrlKey || event.metaKey;
    const tool = TOOLS.find(([, letter]) => letter === key.toLowerCase())?.[0];
    if (control && !["z", "y"].includes(key.toLowerCase())) return;
    if (control) this.act(key.toLowerCase() === "y" || event.shiftKey ? "redo" : "undo");
    else if (ARROWS[key]) this.move(ARROWS[key]);
    else if (key === "Enter" || key === " ") this.dab(this.cursor ?? this.middle);
    else if (tool) this.act(tool);
    else if (key === "m") this.act("mirror");
    else if (key === "Delete") this.act("clear");
    else return;
    event.preventDefault();
  }

  get middle() {
    return [this.side >> 1, this.side >> 1];
  }

  move([down, right]) {
    const [row, column] = this.cursor ?? this.middle;
    this.cursor = [row + down, column + right].map((n) => within(n, 0, this.side - 1));
    this.draw();
  }

  /** One touch of the tool on a cell [row, column]. */
  dab(cell) {
    this.cursor = cell;
    this.begin();
    this.stroke(cell);
    this.end();
  }

  act(action) {
    const actions = {
      mirror: () => (this.mirrored = !this.mirrored),
      undo: () => this.swap(this.past, this.future),
      redo: () => this.swap(this.future, this.past),
      clear: () => {
        this.begin();
        this.cells.fill(0);
        this.end();
      },
    };
    if (actions[action]) actions[action]();
    else this.tool = action;
    this.show();
    this.draw();
  }

  paintWith(value) {
    this.colour = value;
    if (this.tool === "eraser") this.tool = "pencil";
    this.show();
  }

  swap(from, to) {
    if (!from.length) return;
    to.push(this.cells);
    this.cells = from.pop();
    this.onchange();
  }

  begin() {
    this.past.push(this.cells.slice());
    if (this.past.length > DEPTH) this.past.shift();
    this.future = [];
  }

  end() {
    const before = this.past.at(-1);
    if (before?.every((v, i) => v === this.cells[i])) this.past.pop();
    this.last = null;
    this.show();
    this.draw();
    this.onchange();
  }

  stroke(cell) {
    const from = this.last ?? cell;
    this.last = cell;
    if (this.tool === "fill") this.each(cell, (row, column) => this.fill(row, column));
    else {
      const long = Math.max(1, Math.abs(cell[0] - from[0]), Math.abs(cell[1] - from[1]));
      for (let i = 0; i <= long; i++) {
        const between = [0, 1].map((k) => Math.round(from[k] + ((cell[k] - from[k]) * i) / long));
        this.each(between, (row, column) => (this.cells[row * this.side + column] = this.ink));
      }
    }
    this.draw();
  }

  /** Do it at a cell of the grid, and at its mirror image where that is on. */
  each([row, column], act) {
    const inside = (n) => n >= 0 && n < this.side;
    if (!inside(row) || !inside(column)) return;
    act(row, column);
    if (this.mirrored) act(row, this.side - 1 - column);
  }

  get ink() {
    return this.tool === "eraser" ? 0 : 0x1000000 | parseInt(this.colour.slice(1), 16);
  }

  fill(row, column) {
    const { side, cells, ink } = this;
    const old = cells[row * side + column];
    const waiting = old === ink ? [] : [row * side + column];
    while (waiting.length) {
      const i = waiting.pop();
      if (cells[i] !== old) continue;
      cells[i] = ink;
      const x = i % side;
      if (x > 0) waiting.push(i - 1);
      if (x < side - 1) waiting.push(i + 1);
      if (i >= side) waiting.push(i - side);
      if (i < side * (side - 1)) waiting.push(i + side);
    }
  }

  at({ clientX, clientY }) {
    const box = this.canvas.getBoundingClientRect();
    const of = (from, start, length) => Math.floor(((from - start) / length) * this.side);
    return [of(clientY, box.top, box.height), of(clientX, box.left, box.width)];
  }

  /** Another number of cells on a side: what is drawn is kept, made larger or smaller. */
  resize(side) {
    if (side === this.side) return;
    const old = this.cells;
    const from = this.side;
    const near = (n) => Math.floor(((n + 0.5) * from) / side);
    this.cells = Uint32Array.from(
      { length: side * side },
      (_, i) => old[near(Math.floor(i / side)) * from + near(i % side)],
    );
    Object.assign(this, { side, past: [], future: [] });
    this.show();
    this.draw();
  }

  /** What is drawn, straight RGBA; null where nothing is. */
  pixels() {
    if (!this.cells.some(Boolean)) return null;
    const data = new Uint8ClampedArray(4 * this.cells.length);
    this.cells.forEach((v, i) => data.set(v ? [v >> 16, v >> 8, v, 255].map((n) => n & 255) : [0, 0, 0, 0], 4 * i));
    return { data, width: this.side, height: this.side, name: "drawing", drawn: true };
  }

  show() {
    const press = (node, on) => node.setAttribute("aria-pressed", String(on));
    for (const node of this.tools) press(node, node.dataset.act === this.tool);
    press(this.mirror, this.mirrored);
    for (const node of this.swatches) press(node, node.value === this.colour);
    this.any.value = this.colour;
    this.back.disabled = !this.past.length;
    this.forth.disabled = !this.future.length;
  }

  draw() {
    const { canvas, side, cells } = this;
    const whole = Math.round((canvas.clientWidth || UNSEEN) * (devicePixelRatio || 1)); // so that lines fall on pixels
    if (canvas.width !== whole) Object.assign(canvas, { width: whole, height: whole });
    const edge = (n) => Math.round((n * whole) / side);
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, whole, whole);
    cells.forEach((v, i) => {
      if (!v) return;
      context.fillStyle = `#${(v & 0xffffff).toString(16).padStart(6, "0")}`;
      const [row, column] = [Math.floor(i / side), i % side];
      const [left, top] = [edge(column), edge(row)];
      context.fillRect(left, top, edge(column + 1) - left, edge(row + 1) - top);
    });
    context.fillStyle = "#8886";
    for (let k = 1; k < side; k++) {
      const wide = k === side / 2 ? 2 : 1;
      context.fillRect(edge(k), 0, wide, whole);
      context.fillRect(0, edge(k), whole, wide);
    }
    if (this.cursor) {
      const [row, column] = this.cursor;
      const [left, top] = [edge(column), edge(row)];
      for (const [colour, line] of [
        ["#fff", 5],
        ["#5b2a86", 2],
      ]) {
        Object.assign(context, { strokeStyle: colour, lineWidth: line });
        context.strokeRect(left, top, edge(column + 1) - left, edge(row + 1) - top);
      }
    }
    const filled = cells.reduce((n, v) => n + (v ? 1 : 0), 0);
    const where = this.cursor ? `; row ${this.cursor[0] + 1}, column ${this.cursor[1] + 1}` : "";
    canvas.setAttribute(
      "aria-label",
      `Drawing, ${side} by ${side} cells, ${filled} filled${where}; arrow keys move, Enter uses the tool`,
    );
  }
}
