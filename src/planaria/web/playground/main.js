// The playground: choose a picture, watch a creature learn it, damage it, take it along. One page, nothing is sent.

import { World } from "../world/world.js";
import { tag } from "../player/elements.js";
import { weightsOf } from "../learn/payload.js";
import { CreatureView } from "./creature.js";
import { Home } from "./home.js";
import { interfaceOf } from "./interface.js";
import { checked, fromLink, openModel, untrainable } from "./models.js";
import { BUILT_IN, imageOf } from "./picture.js";
import { settingsOf } from "./recipes.js";
import { Store } from "./store.js";

const GROWN = 160; // steps in which a creature shows what it has become
const SLICE = 8; // ms of steps at once
const MODELS = /\.(safetensors|html)$/i;

/**
 * Open the playground in `host`. `parts` are what the page carries: its modules, the script that links them, the names of
 * those of a worker, the kernel, the pictures, the page to export. `model` is a payload to begin with, or empty.
 */
export async function open(host, parts, model) {
  Object.assign(BUILT_IN, parts.pictures);
  const page = new Playground(host, parts, await Store.open());
  globalThis.planaria = interfaceOf(page);
  await page.arrive(model || null);
}

class Playground {
  constructor(host, parts, store) {
    Object.assign(this, { host, parts, store, view: null, own: "" });
    this.unkept = new Map(); // creatures that this browser can't keep, by their ids
    this.parting = new Map(); // trainings that finish their last iteration and keep it, by the ids of their creatures
    this.file = tag("input", {
      type: "file",
      accept: ".safetensors,.html",
      class: "pg-unseen",
      id: "pg-model",
      tabindex: "-1",
      "aria-hidden": "true",
    });
    this.file.addEventListener("change", () => this.file.files[0] && this.take(this.file.files[0]));
    const open = tag(
      "button",
      { class: "pg-button pg-quiet", type: "button", onclick: () => this.file.click() },
      "Open a model",
    );
    const leave = (event) => {
      event.preventDefault(); // "#" is where it may be already
      this.guarded(() => this.home());
    };
    const brand = tag(
      "a",
      { class: "pg-brand", href: "#", onclick: leave },
      mark(),
      tag("span", {}, "planaria ", tag("em", {}, "playground")),
    );
    this.place = tag("div", { class: "pg-place" });
    this.banner = tag("p", { class: "pg-banner", role: "status", hidden: true });
    host.replaceChildren(tag("header", { class: "pg-top" }, brand, open, this.file), this.place, this.banner);
    this.listen();
  }

  listen() {
    window.addEventListener("hashchange", () => this.guarded(() => this.turn()));
    for (const kind of ["dragover", "drop"]) {
      window.addEventListener(kind, (event) => {
        if (!event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        const file = event.dataTransfer.files[0];
        if (kind === "drop" && file && (MODELS.test(file.name) || !event.target.closest?.(".pl-player")))
          this.take(file);
      });
    }
    window.addEventListener(
      "paste",
      (event) => event.clipboardData.files[0] && this.take(event.clipboardData.files[0]),
    );
    document.addEventListener("visibilitychange", () => document.hidden && this.view?.learner?.ask("keep"));
  }

  /** The first view: what the address names, the model that the page came with, or a choice. */
  async arrive(model) {
    const named = location.hash.length > 1;
    await this.guarded(async () => {
      if (model && !named) await this.live(checked(model));
      else await this.turn();
    });
    if (!this.view) await this.home();
  }

  /** Say what goes wrong, instead of nothing. */
  async guarded(act) {
    try {
      return await act();
    } catch (error) {
      this.say(error.message, true);
      return null;
    }
  }

  /** Go where the address says. */
  async turn() {
    const hash = location.hash.slice(1);
    if (hash === this.own) return;
    const id = /^creature=([\w-]{1,64})$/.exec(hash)?.[1];
    const found = id && (this.unkept.get(id) ?? (await this.store.creature(id)));
    if (found) await this.visit(found);
    else if (hash && !id) await this.live(await fromLink(hash));
    else await this.home();
  }

  async show(view, hash, title) {
    this.view?.close();
    this.view = view;
    this.own = hash;
    if (location.hash.slice(1) !== hash)
      history.pushState(null, "", `${location.pathname}${location.search}${hash && `#${hash}`}`);
    document.title = title;
    this.place.replaceChildren(view.element);
    await view.open();
    scrollTo(0, 0);
  }

  /** The choice of what shall grow; `parent` is a creature whose weights it begins with. */
  home(parent = null) {
    return this.show(new Home(this, parent), "", "planaria playground");
  }

  visit(creature) {
    return this.show(
      new CreatureView(this, creature),
      `creature=${creature.id}`,
      `${creature.name} · planaria playground`,
    );
  }

  /** A view is left: its training ends as soon as all that it learned is kept. */
  part(id, learner) {
    if (!learner.running) {
      learner.end();
      return;
    }
    this.parting.set(id, learner);
    learner.leave(() => this.parting.delete(id));
  }

  /** Forget a creature, and what still trains it. */
  async remove(id) {
    this.parting.get(id)?.end();
    this.parting.delete(id);
    this.unkept.delete(id);
    await this.store.remove(id);
  }

  /** A new creature that learns `target` by a recipe, beginning with the weights of `parent` where there is one. */
  async begin({ target, name, recipe, parent }) {
    const config = settingsOf(recipe, name);
    const now = Date.now();
    const creature = {
      id: crypto.randomUUID(),
      name: name.replace(/^text:/, ""),
      created: now,
      changed: now,
      target,
      config,
    };
    Object.assign(creature, { payload: null, weights: null, step: 0, steps: config.train.steps, fresh: true });
    if (parent) {
      const { rule } = parent.payload;
      Object.assign(creature, { weights: weightsOf(parent.payload), config: { ...config, rule } });
    }
    await this.guarded(() => this.store.keep(creature));
    if (!this.store.lasts) {
      this.unkept.set(creature.id, creature);
      this.say("This browser keeps nothing: save the model before you leave.");
    }
    await this.visit(creature);
  }

  /** A creature that came trained: it only lives, until it learns on. One that came before is that one. */
  async live(payload, file = null) {
    const alike = (one) =>
      !one.target && one.name === payload.name && String(one.payload.weights) === String(payload.weights);
    const before = (await this.store.creatures()).find(alike);
    const now = Date.now();
    const creature = before ?? {
      id: crypto.randomUUID(),
      created: now,
      target: null,
      config: null,
      weights: null,
      steps: 0,
    };
    Object.assign(creature, {
      name: payload.name,
      payload,
      file: file ?? before?.file,
      step: payload.trained ?? 0,
      changed: now,
    });
    await this.guarded(() => this.store.keep(creature));
    if (!this.store.lasts) this.unkept.set(creature.id, creature);
    await this.visit(creature);
  }

  /** A file that was dropped, pasted or chosen: a model to live here, or a picture to learn. */
  async take(file) {
    await this.guarded(async () => {
      if (MODELS.test(file.name)) {
        const { payload, bytes } = await openModel(file);
        await this.live(payload, bytes);
        return;
      }
      if (!(this.view instanceof Home)) await this.home();
      await this.view.take(file);
    });
    this.file.value = "";
  }

  /** Why a model can't learn here; empty where it can. */
  untrainable(payload) {
    return untrainable(payload);
  }

  /** What a creature without a target has become, `{planes, size}`: grown once, in slices that leave the page at ease. */
  async lookOf(creature) {
    if (creature.look) return creature.look;
    const world = new World(creature.payload, { canvas: document.createElement("canvas"), prefer: "wasm" });
    while (world.t < GROWN) {
      const end = performance.now() + SLICE;
      while (world.t < GROWN && performance.now() < end) world.tick(1);
      await new Promise((done) => setTimeout(done));
    }
    const [h, w] = world.size;
    creature.look = { planes: world.read().slice(0, 4 * h * w), size: [h, w] };
    world.dispose();
    await this.guarded(() => this.store.keep(creature));
    return creature.look;
  }

  /** A picture of a creature: what it learns, or what it has become. */
  face(creature) {
    const canvas = tag("canvas", { class: "pg-face", width: 1, height: 1, "aria-hidden": "true" });
    const draw = ({ planes, size: [height, width] }) => {
      Object.assign(canvas, { width, height });
      canvas.getContext("2d").putImageData(imageOf(planes, [height, width]), 0, 0);
    };
    if (creature.target) draw(creature.target);
    else if (!untrainable(creature.payload)) this.lookOf(creature).then(draw, () => undefined); // else it stays blank
    return canvas;
  }

  /** Say something, in sight for a while; a problem stays longer. */
  say(text, problem = false) {
    this.banner.textContent = text;
    this.banner.hidden = false;
    this.banner.classList.toggle("pg-problem", problem);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.banner.hidden = true), (problem ? 6000 : 2500) + 50 * text.length);
  }
}

function mark() {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 32 32");
  svg.setAttribute("aria-hidden", "true");
  for (const [name, attributes] of [
    ["circle", { cx: 16, cy: 16, r: 15 }],
    ["path", { d: "M7 21c4 0 4-10 9-10s4 7 9 5" }],
  ]) {
    const node = document.createElementNS(svg.namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    svg.append(node);
  }
  return svg;
}
