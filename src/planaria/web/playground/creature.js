// One creature: alive while it learns, what its training does, and the ways out of the page.

import { mount } from "../player/player.js";
import { tag, within } from "../player/elements.js";
import { saveFile } from "../player/files.js";
import { recordable } from "../player/recorder.js";
import { Learner } from "./learner.js";
import { pageOf, pictureOf } from "./leave.js";
import { linkOf, modelFileOf } from "./models.js";
import { slug } from "./picture.js";
import { Curve, PoolView } from "./plot.js";

const REGROW_AFTER = 300; // steps of a life that nobody touches, while it learns
const YOUNG = 20; // steps of a life that is left alone whatever it does
const HANDS_OFF = 8000; // ms without a touch
const REDRAW = 500; // ms between drawings of the curve

/** The view of a creature of the playground `page`. */
export class CreatureView {
  constructor(page, creature) {
    Object.assign(this, { page, creature, touched: -Infinity, drawn: 0, losses: [], seconds: 0 });
    this.element = tag("main", { class: "pg-creature-view", id: "view", tabindex: "-1" });
    this.steps = creature.steps;
    this.share = 1;
  }

  get learns() {
    return Boolean(this.creature.target);
  }

  get done() {
    return this.losses.length >= this.steps;
  }

  async open() {
    const { creature, page } = this;
    this.host = tag("section", { class: "pg-card pg-player", "aria-label": creature.name });
    const back = tag("a", { class: "pg-back", href: "#" }, "‹ All creatures");
    const title = tag("h1", {}, creature.name);
    const side = tag("div", { class: "pg-side" }, this.learns ? this.progress() : this.lives(), this.leaving());
    this.element.append(
      tag("header", { class: "pg-title" }, back, page.face(creature), title),
      tag("div", { class: "pg-bench" }, this.host, side),
    );
    if (creature.payload) this.mount(creature.payload);
    if (this.learns) this.connect();
  }

  close() {
    clearInterval(this.recording);
    if (this.learner) this.page.part(this.creature.id, this.learner);
    this.player?.destroy();
  }

  mount(payload) {
    const ondamage = (damage) => this.damaged(damage);
    const shown = this.learns ? { ...payload, stopped: "" } : payload; // how far it is stands beside it
    this.player = mount(this.host, shown, { ondamage });
  }

  /** Start the workers; they wait for `go`. */
  connect() {
    const { page, creature } = this;
    const { id, target, config, weights, name } = creature;
    const hooks = {
      opened: (said) => this.opened(said),
      progress: (said) => this.progressed(said),
      weights: ({ flat }) => this.renew(flat),
      pool: ({ samples }) =>
        this.pool.show(samples.map(({ data, width, height }) => new ImageData(data, width, height))),
      kept: (said) => this.kept(said),
      unkept: ({ error }) =>
        page.say(`This browser keeps no more of it (${error}): save the model before you leave.`, true),
      paused: () => this.refresh(),
      done: () => this.finished(),
      failed: ({ error }) => {
        page.say(`It stopped: ${error}`, true);
        this.refresh(true);
      },
    };
    this.learner = new Learner({ id, target, config, weights, name }, hooks, { share: this.share });
    this.refresh();
  }

  opened({ steps, losses, seconds, payload }) {
    Object.assign(this, { steps, losses: [...losses], seconds, rate: null });
    this.ready = true;
    if (!this.player) this.mount(payload);
    if (this.creature.fresh) {
      this.creature.fresh = false;
      this.go();
    }
    this.refresh(true);
  }

  progressed({ step, loss, event, seconds }) {
    this.losses[step - 1] = loss;
    const now = performance.now();
    if (this.before) {
      const took = now - this.before;
      this.rate = this.rate ? 0.95 * this.rate + 0.05 * took : took;
    }
    this.before = now;
    this.seconds = seconds;
    if (event) this.page.say(event);
    this.refresh();
  }

  /** Newer weights for the body; it grows anew where it died, burst, or was left alone for long. */
  renew(flat) {
    const { player, learner } = this;
    if (!player?.world) return;
    player.setWeights(flat);
    const { world, health } = player;
    if (player.playing && learner.running) {
      const idle = performance.now() - this.touched > HANDS_OFF;
      if ((idle && world.t > REGROW_AFTER) || (world.t > YOUNG && this.lost(world))) world.begin();
      health.said = true; // while it learns, a death is no news
    }
    player.stir();
  }

  /** Whether no cell is left alive, or their numbers are beyond those of any working model. */
  lost(world) {
    const { bounds, rule } = world.model;
    const found = world.gauge();
    return (
      found !== null && !(found.living > rule.life_threshold && found.shown <= bounds[0] && found.held <= bounds[1])
    );
  }

  async kept({ step, payload }) {
    const { creature, page } = this;
    Object.assign(creature, { payload, step, steps: this.steps, changed: Date.now(), fresh: false, weights: null });
    await page.store.keep(creature);
    this.element.dataset.kept = step;
  }

  finished() {
    this.refresh(true);
    this.player.world?.reset();
    this.player.stir();
    this.page.say(`${this.creature.name} has learned it. Damage it: it heals.`);
  }

  /** A finger damaged the body; its samples too where that is wanted. */
  damaged(damage) {
    this.touched = performance.now();
    if (this.learner && this.deep.checked) this.learner.ask("damage", { damage });
  }

  progress() {
    this.status = tag("p", { class: "pg-status", role: "status" });
    this.count = tag("p", { class: "pg-muted pg-count" });
    this.bar = tag("progress", { class: "pg-bar", max: 1, value: 0, "aria-label": "Learned" });
    this.toggle = tag(
      "button",
      { class: "pg-button pg-primary", type: "button", disabled: true, onclick: () => this.turn() },
      "Go on",
    );
    const anew = tag("button", { class: "pg-button", type: "button", onclick: () => this.anew() }, "Start anew");
    const speed = tag("input", {
      type: "range",
      class: "pg-slider",
      id: "pg-speed",
      min: 0.1,
      max: 1,
      step: 0.1,
      value: 1,
    });
    const shown = tag("output", { for: "pg-speed" }, "100 %");
    speed.addEventListener("input", () => {
      this.share = within(Number(speed.value), 0.1, 1);
      shown.textContent = `${Math.round(100 * this.share)} %`;
      this.learner?.ask("share", { share: this.share });
    });
    this.on = tag(
      "button",
      { class: "pg-button pg-primary", type: "button", hidden: true, onclick: () => this.page.home(this.creature) },
      "Learn on",
    );
    this.curve = new Curve();
    this.pool = new PoolView();
    this.deep = tag("input", { type: "checkbox", id: "pg-deep" });
    const deep = tag("label", { class: "pg-check" }, this.deep, "My damage reaches these samples too");
    return tag(
      "div",
      { class: "pg-side" },
      tag(
        "section",
        { class: "pg-card" },
        tag("div", { class: "pg-heading" }, this.status, this.count),
        this.bar,
        tag("div", { class: "pg-row" }, this.toggle, this.on, anew),
        tag("div", { class: "pg-row pg-speed" }, tag("label", { for: "pg-speed" }, "Effort"), speed, shown),
      ),
      tag(
        "section",
        { class: "pg-card" },
        tag("h2", {}, "How far it is from the picture"),
        this.curve.element,
        tag("p", { class: "pg-muted" }, "log10 of the loss: a step down is ten times closer."),
      ),
      tag("section", { class: "pg-card" }, tag("h2", {}, "Samples it practises on"), this.pool.element, deep),
    );
  }

  /** For a creature that came trained: it lives here, and can learn on. */
  lives() {
    const on = tag(
      "button",
      { class: "pg-button pg-primary", type: "button", onclick: () => this.page.home(this.creature) },
      "Learn on",
    );
    const words = "It lives here as it was trained. It can learn on: to become itself more exactly, or something else.";
    const why = this.page.untrainable(this.creature.payload);
    const parts = why
      ? [tag("p", {}, `It lives here, but can't learn on: ${why}.`)]
      : [tag("p", {}, words), tag("div", { class: "pg-row" }, on)];
    return tag("section", { class: "pg-card" }, ...parts);
  }

  leaving() {
    const { page, creature } = this;
    const name = slug(creature.name);
    const button = (words, about, act) => {
      const node = tag(
        "button",
        { class: "pg-leave", type: "button" },
        tag("strong", {}, words),
        tag("small", {}, about),
      );
      node.addEventListener("click", async () => {
        try {
          await act(node);
        } catch (error) {
          page.say(error.message, true);
        }
      });
      return node;
    };
    const run = async () => saveFile(await this.export("run"), `${name}.zip`);
    const video = button("Video", "records until pressed again", (node) => this.film(node));
    video.hidden = !recordable();
    return tag(
      "section",
      { class: "pg-card" },
      tag("h2", {}, "Take it along"),
      tag(
        "div",
        { class: "pg-leaves" },
        button("Model", ".safetensors, for Python", async () =>
          saveFile(await this.export("safetensors"), `${name}.safetensors`),
        ),
        ...(this.learns ? [button("Training", ".zip, to resume in Python", run)] : []),
        button("Page", "one file that runs it", async () => saveFile(await this.export("html"), `${name}.html`)),
        button("Picture", "a PNG of now", async () => saveFile(await this.export("png"), `${name}.png`)),
        video,
        button("Link", "copied: it opens here", async () => {
          const link = await this.export("link");
          await navigator.clipboard.writeText(link).then(
            () => page.say("The link is copied: whoever opens it sees this creature."),
            () => prompt("This link opens the creature:", link),
          );
        }),
      ),
    );
  }

  /** Begin a video or end it; `node` is pressed while it is recorded, for a minute at most. */
  film(node) {
    const { player } = this;
    const press = () => node.setAttribute("aria-pressed", String(Boolean(player.recorder)));
    player.act("record");
    player.play();
    press();
    clearInterval(this.recording);
    this.recording = setInterval(() => {
      press();
      if (!player.recorder) clearInterval(this.recording);
    }, 300);
  }

  /** Newest payload: the best weights of the training, or what came. */
  async payload() {
    return this.learner ? this.learner.give("payload") : this.creature.payload;
  }

  /** A blob of this creature: `safetensors`, `html` or `png`; or a `link`, as text. */
  async export(kind) {
    const kinds = {
      safetensors: async () => {
        const bytes = this.learner ? await this.learner.give("file") : modelFileOf(this.creature);
        return new Blob([bytes], { type: "application/octet-stream" });
      },
      run: async () => {
        if (!this.learner) throw new Error("it isn't trained here: there is no run of it");
        return new Blob([await this.learner.give("run")], { type: "application/zip" });
      },
      html: async () => pageOf(this.page.parts, await this.payload()),
      png: () => pictureOf(this.player.world),
      link: async () => linkOf(await this.payload(), location.href),
    };
    if (!Object.hasOwn(kinds, kind))
      throw new Error(`there is no export ${kind}; there are ${Object.keys(kinds).join(", ")}`);
    return kinds[kind]();
  }

  go() {
    this.before = null;
    this.learner.go();
    this.player?.play();
    this.refresh(true);
  }

  turn() {
    if (this.learner.running) this.learner.pause();
    else this.go();
    this.refresh();
  }

  async anew() {
    const { creature, page } = this;
    if (this.losses.length > 50 && !confirm("Forget what it has learned, and start anew?")) return;
    this.learner.end();
    await page.store.remove(creature.id);
    const { train } = creature.config;
    creature.config = { ...creature.config, train: { ...train, seed: (train.seed ?? 0) + 1 } };
    Object.assign(creature, { fresh: true, step: 0, payload: null });
    await page.store.keep(creature);
    this.player?.destroy();
    this.player = null;
    Object.assign(this, { losses: [], seconds: 0, ready: false });
    this.connect();
  }

  refresh(now = false) {
    if (!this.learns) return;
    const { learner, losses, steps, done, toggle } = this;
    const step = losses.length;
    const running = learner.running;
    const left = running && this.rate && step > 8 ? ` · ${duration((this.rate * (steps - step)) / 1000)} left` : "";
    const paused = !this.ready ? "Getting ready …" : step ? "Paused" : "Ready";
    this.status.textContent = done
      ? "It has learned it"
      : learner.pausing
        ? "Pausing …"
        : running
          ? "Learning"
          : paused;
    const [at, all] = [step, steps].map((n) => n.toLocaleString("en"));
    this.count.textContent = done
      ? `${all} iterations in ${duration(this.seconds)}`
      : `${at} of ${all} iterations${left}`;
    this.bar.value = steps ? step / steps : 0;
    toggle.textContent = running ? "Pause" : step ? "Go on" : "Start";
    toggle.disabled = !this.ready || learner.pausing;
    toggle.hidden = done;
    this.on.hidden = !done;
    this.element.dataset.step = step;
    if (!now && performance.now() - this.drawn < REDRAW) return;
    this.drawn = performance.now();
    this.curve.show(losses, steps ?? 1);
  }
}

function duration(seconds) {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}
