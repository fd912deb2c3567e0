// The pointer on the canvas: mouse, pen and fingers become strokes, pans, zooms and picks.

import { within } from "./elements.js";
import { LARGEST } from "./brush.js";

const SLIP = 250; // ms in which a second finger turns a stroke into a pinch

/** Listens on `stage`; `player` has the camera, the brush and the actions. */
export class Pointer {
  constructor(stage, player, signal) {
    this.stage = stage;
    this.player = player;
    this.touches = new Map(); // pointer -> where it is, in device pixels
    this.gesture = ""; // what the pressed pointer does: "" | "stroke" | "pan" | "pinch"
    this.began = 0;
    this.space = false; // the space bar is down: the mouse pans
    this.moved = false; // it did
    const listen = (kind, act, options) => stage.addEventListener(kind, act, { signal, ...options });
    listen("pointerdown", (event) => this.press(event));
    listen("pointermove", (event) => this.drag(event));
    for (const kind of ["pointerup", "pointercancel"]) listen(kind, (event) => this.release(event));
    listen("pointerleave", () => this.player.point(null));
    listen("wheel", (event) => this.wheel(event), { passive: false });
    listen("contextmenu", (event) => event.preventDefault());
  }

  /** Where an event is, in device pixels of the canvas. */
  place(event) {
    const box = this.stage.getBoundingClientRect();
    const ratio = this.player.ratio;
    return [(event.clientX - box.left) * ratio, (event.clientY - box.top) * ratio];
  }

  /** Row and column under an event. */
  cell(event) {
    return this.player.camera.cell(...this.place(event)).map(Math.floor);
  }

  press(event) {
    if (event.button > 2) return;
    const { player } = this;
    if (event.button) event.preventDefault(); // no scrolling by the middle button; the left one may take the focus
    this.stage.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, this.place(event));
    player.point(this.cell(event));
    if (this.touches.size === 2) this.pinch();
    if (this.touches.size > 1) return;
    if (event.button === 2) {
      player.pick(...this.cell(event));
    } else if (event.button === 1 || this.space || player.brush.tool === "pan") {
      this.gesture = "pan";
      this.moved = this.space;
      this.stage.classList.add("pl-grabbing");
    } else {
      this.gesture = "stroke";
      this.began = event.timeStamp;
      player.brush.begin(...this.cell(event));
    }
  }

  /** A second finger: take back what the first one did by touching down, and zoom. */
  pinch() {
    const { player } = this;
    if (this.gesture === "stroke" && player.brush.at) {
      player.brush.end();
      if (performance.now() - this.began < SLIP) player.world.undo();
      player.stir();
    }
    this.gesture = "pinch";
  }

  drag(event) {
    const { player } = this;
    const before = this.touches.get(event.pointerId);
    if (before) {
      const now = this.place(event);
      if (this.gesture === "pan") player.camera.move(now[0] - before[0], now[1] - before[1]);
      if (this.gesture === "pinch") this.spread(event.pointerId, now);
      if (this.gesture === "stroke") {
        const passed = event.getCoalescedEvents?.() ?? [];
        for (const one of passed.length ? passed : [event]) player.brush.move(...this.cell(one));
      } else player.stir();
      this.touches.set(event.pointerId, now);
    }
    player.point(event.pointerType === "touch" && !before ? null : this.cell(event));
  }

  /** One of two fingers moves to `now`: the grid follows both. */
  spread(id, now) {
    const ids = [...this.touches.keys()].slice(0, 2);
    if (!ids.includes(id) || ids.length < 2) return;
    const old = this.touches.get(id);
    const other = this.touches.get(ids.find((one) => one !== id));
    const far = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
    const { camera } = this.player;
    camera.move((now[0] - old[0]) / 2, (now[1] - old[1]) / 2);
    camera.zoom(far(now, other) / far(old, other), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  release(event) {
    if (!this.touches.delete(event.pointerId)) return;
    if (this.touches.size) return;
    if (this.gesture === "stroke") this.player.brush.end();
    this.gesture = "";
    this.stage.classList.remove("pl-grabbing");
    if (event.pointerType === "touch") this.player.point(null);
  }

  /** Zoom; with Shift or Alt, the size of the brush. In a notebook the page scrolls unless Ctrl is down. */
  wheel(event) {
    const { player } = this;
    const turn = (event.deltaY || event.deltaX) * (event.deltaMode === 1 ? 30 : 1);
    if (event.shiftKey || event.altKey) {
      player.size(within(player.brush.radius - Math.sign(turn), 0, LARGEST));
    } else if (player.compact && !event.ctrlKey && !event.metaKey) return;
    else player.zoom(Math.exp(-within(turn, -200, 200) * (event.ctrlKey ? 0.01 : 0.002)), this.place(event));
    event.preventDefault();
  }
}
