// The specimen on the home page: a living organism that a pointer can cut. No knobs; the player has those.

import { make } from "./elements.js";
import { ask, at } from "./server.js";
import { World } from "../world/world.js";

const FAVOURITES = ["lizard", "butterfly", "octopus", "ladybird"];
const TICKS_A_SECOND = 30;
const CUT_AT = 300;

/** Grow one of the gallery in `host`; gives `close()`. */
export function specimen(host, cards) {
  const known = FAVOURITES.filter((name) => cards.some((card) => card.name === name));
  const name = known[Math.floor(Math.random() * known.length)] ?? cards[0]?.name;
  const label = name ? `A living ${name}; drag over it to cut it` : "";
  const canvas = make("canvas", { class: "specimen", role: "img", "aria-label": label });
  const link = make("a", { class: "specimen-name", text: name ?? "", href: `#/gallery/${encodeURIComponent(name ?? "")}` });
  host.append(canvas, link);
  let world = null;
  let frame = 0;
  let closed = false;
  let before = 0;
  let owed = 0;
  let touched = false;
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  const fit = () => {
    const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
    if (canvas.width !== side) canvas.width = canvas.height = side;
  };
  const draw = () => {
    fit();
    const scale = canvas.width / Math.max(...world.size);
    world.draw({ scale, x: 0, y: 0, channel: null, background: paper(host), light: false });
  };
  const beat = (now) => {
    if (closed) return;
    frame = requestAnimationFrame(beat);
    if (document.hidden) return;
    owed = Math.min(3, owed + ((now - before) / 1000) * TICKS_A_SECOND);
    before = now;
    if (owed < 1) return;
    world.tick(Math.floor(owed));
    owed %= 1;
    if (world.t > CUT_AT && !touched) {
      touched = true;
      world.erase("left");
    }
    draw();
  };
  const cut = (event) => {
    if (!world || !(event.buttons & 1)) return;
    const box = canvas.getBoundingClientRect();
    const [rows, columns] = world.size;
    const x = Math.floor(((event.clientX - box.left) / box.width) * columns);
    const y = Math.floor(((event.clientY - box.top) / box.height) * rows);
    world.erase(`circle(${x},${y},${Math.round(columns / 14)})`);
    touched = true;
    if (still.matches) world.tick(60);
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    cut(event);
  });
  canvas.addEventListener("pointermove", cut);

  const start = async () => {
    const payload = await ask(at("api", "gallery", name, "player"));
    if (closed) return;
    world = new World(payload, { seed: Math.floor(Math.random() * 1000), canvas, prefer: "wasm" });
    if (still.matches) {
      world.tick(200);
      draw();
    } else {
      before = performance.now();
      frame = requestAnimationFrame(beat);
    }
  };
  if (name) start();
  return {
    close() {
      closed = true;
      cancelAnimationFrame(frame);
      world?.dispose();
    },
  };
}

function paper(host) {
  const rgb = getComputedStyle(host).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255];
  return rgb.slice(0, 3).map((value) => value / 255);
}
