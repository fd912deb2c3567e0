// The player: one organism, a canvas that it fills, and the controls around it. The exported page, the studio and the
// notebook all show this one.

import { World } from "../world/world.js";
import { fromHex, tag, toHex, within } from "./elements.js";
import { DAMAGE, TOOLS, kindOf, listenToKeys } from "./keys.js";
import { drawWorld } from "./files.js";
import { Bar, SWATCHES } from "./controls.js";
import { Brush, LARGEST } from "./brush.js";
import { Camera } from "./camera.js";
import { PhotoPanel } from "./photo.js";
import { Pointer } from "./pointer.js";
import { Recorder } from "./recorder.js";
import { Health } from "../world/health.js";
import { Clock } from "./clock.js";

const FIRST = 200; // steps that are shown at once where nothing may move
const PATIENCE = 500; // ms that they may take
const ANEW = ["reset", "randomise", "clear", "undo"]; // what makes a life that is no longer the one before

/**
 * Show a model in `host`: options {size, seed, prefer, autoplay, speed, compact, link, ondamage(damage), onstatus(text)}.
 * `link` offers the address of the page, to be copied. It plays by itself unless the device asks for little motion: then
 * it stands still, grown. A model that can't run says so in words; `world` is null then.
 */
export function mount(host, payload, options = {}) {
  const element = tag("div", { class: options.compact ? "pl-player pl-compact" : "pl-player" });
  host.append(element);
  try {
    return new Player(element, payload, options);
  } catch (error) {
    const words = [tag("strong", {}, "This model can't be shown."), tag("span", {}, error.message)];
    element.replaceChildren(tag("div", { class: "pl-error", role: "alert" }, ...words));
    const nothing = () => {};
    const still = { play: nothing, pause: nothing, setModel: nothing, setWeights: nothing, playing: false };
    return { ...still, world: null, element, destroy: () => element.remove() };
  }
}

/** What `mount` gives: the world, its clock, and the actions that buttons and keys do. */
class Player {
  constructor(element, payload, options) {
    const { size, seed = 0, prefer, autoplay, speed, compact = false } = options;
    this.element = element;
    this.options = options;
    this.compact = compact;
    this.canvas = tag("canvas", {});
    this.spare = tag("canvas", {}); // for the chequered background
    this.world = new World(payload, { size, seed, canvas: this.canvas, prefer });
    this.payload = payload;
    this.kind = this.world.kind;
    this.camera = new Camera(this.world.size);
    this.brush = new Brush(this);
    this.clock = new Clock(payload, speed);
    this.health = new Health(payload);
    this.still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.playing = autoplay ?? !this.still;
    this.channel = null;
    this.damaged = -1; // the kind of damage done last
    this.background = ""; // the background that was chosen, if any
    this.ratio = 1;
    this.cursor = null; // the cell under the pointer or the arrow keys
    this.recorder = null; // while a video is recorded
    this.seen = true; // on screen
    this.request = 0;
    this.updated = 0;
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.stop = new AbortController();
    this.bar = new Bar(element, this);
    this.bar.stage.append(this.canvas, this.brush.outline);
    this.pointer = new Pointer(this.bar.stage, this, this.stop.signal);
    this.bar.model();
    this.photoPanel = new PhotoPanel(this, size !== undefined);
    this.listen();
    this.measure();
    if (autoplay === undefined && this.still) this.stand();
    this.tell();
    if (this.health.stopped.startsWith("stopped")) this.bar.say(`Its training ${this.health.stopped}.`);
  }

  listen() {
    const { signal } = this.stop;
    const listen = (target, kind, act) => target.addEventListener(kind, act, { signal });
    const meet = (all) => this.meet(all.at(-1));
    this.watchers = [new ResizeObserver(() => this.measure()), new IntersectionObserver(meet)];
    for (const watcher of this.watchers) watcher.observe(this.bar.stage);
    listen(document, "visibilitychange", () => this.stir());
    listenToKeys(this, listen);
    listen(this.dark, "change", () => this.setBackground(this.background));
    listen(document, "pointerdown", (event) => this.bar.opened && this.leave(event));
    listen(this.element, "click", (event) => {
      const button = event.detail && event.target.closest(".pl-bar button, .pl-corner button");
      if (button && !this.bar.help.open && !this.bar.opened) this.bar.stage.focus({ preventScroll: true });
    });
    listen(this.element, "dragover", (event) => {
      event.preventDefault();
      this.element.classList.add("pl-over");
    });
    listen(this.element, "dragleave", () => this.element.classList.remove("pl-over"));
    listen(this.element, "drop", (event) => {
      event.preventDefault();
      this.element.classList.remove("pl-over");
      this.photoPanel.drop(event.dataTransfer.files[0]);
    });
  }

  /** What kind of life it is, and the words for it. */
  get sort() {
    return kindOf(this.world.model);
  }

  /** Show at once what it becomes. */
  stand() {
    const end = performance.now() + PATIENCE;
    while (!this.world.model.start && this.world.t < FIRST && performance.now() < end) this.world.tick(4);
    this.bar.say("It stands still, as this device asks for little motion. Play moves it.");
  }

  play() {
    this.playing = true;
    this.clock.rest();
    this.bar.refresh();
    this.stir();
  }

  pause() {
    this.playing = false;
    this.bar.refresh();
    this.tell();
  }

  /** Another model: its cells live on where they hold as many numbers. */
  setModel(payload) {
    this.world.setModel(payload);
    this.payload = payload;
    this.clock.count(payload);
    this.health = new Health(payload);
    this.channel = null;
    this.bar.model();
    this.photoPanel.renew();
    this.tell();
    this.stir();
  }

  /** Newer parameters of the same model. */
  setWeights(floats) {
    this.world.setWeights(floats);
  }

  /** Stop, and leave nothing behind. */
  destroy() {
    this.stop.abort();
    this.photoPanel.watch(null);
    this.recorder?.discard();
    this.playing = false;
    cancelAnimationFrame(this.request);
    clearTimeout(this.bar.timer);
    for (const watcher of this.watchers) watcher.disconnect();
    this.world.dispose();
    this.element.remove();
  }

  /** Something changed: draw in the next frame. */
  stir() {
    this.dirty = true;
    this.ask();
  }

  ask() {
    if (!this.request && !this.stop.signal.aborted) this.request = requestAnimationFrame((now) => this.frame(now));
  }

  get living() {
    return this.playing && this.seen && !document.hidden;
  }

  frame(now) {
    this.request = 0;
    try {
      if (this.living) {
        this.photoPanel.follow(now);
        const done = this.clock.run(now, () => this.flow());
        if (done) this.brush.hold();
        this.dirty ||= done > 0;
        this.ask();
        if (now - this.updated > 250) this.tell(now);
        const news = this.health.look(this.world, now, (t) => this.clock.moment(t));
        if (news) this.bar.say(news);
      } else this.clock.rest();
      if (this.dirty) this.draw();
    } catch (error) {
      this.pause();
      this.bar.say(`It stopped: ${error.message}`);
    }
  }

  /** One step; a loop begins again first where it is due. */
  live() {
    if (this.clock.ends(this.world.t)) this.world.begin();
    this.world.tick(1);
  }

  /** The same, but false while it isn't done yet. */
  flow() {
    if (this.clock.ends(this.world.t)) this.world.begin();
    return this.world.flow();
  }

  draw() {
    this.dirty = false;
    const { camera, channel } = this;
    const { scale, x, y } = camera;
    const light = getComputedStyle(this.element).getPropertyValue("--pl-line");
    if (this.photoPanel.bare) this.photoPanel.draw(this.canvas.getContext("2d"), camera);
    else drawWorld(this.world, this.canvas, { scale, x, y, channel, light }, this.backgrounds, this.spare);
    this.recorder?.draw(this.world, channel, this.backgrounds);
    this.brush.show(this.cursor, camera, this.ratio);
    if (this.kind === this.world.kind) return;
    this.kind = this.world.kind;
    if (this.kind === "wasm") this.bar.say(`Going on in WebAssembly: ${this.world.why}.`);
  }

  /** The background that was chosen, or that of the page. */
  get look() {
    return this.background || (this.dark.matches ? "dark" : "light");
  }

  /** Its colours, [r, g, b] in 0..1. */
  get backgrounds() {
    return { light: [[1, 1, 1]], dark: [[0.07, 0.065, 0.095]], chequer: [[1, 1, 1], [0.88, 0.87, 0.9]] }[this.look];
  }

  /** The canvas takes the room it has. */
  measure() {
    const { stage } = this.bar;
    this.ratio = Math.min(3, devicePixelRatio || 1);
    const [width, height] = [stage.clientWidth, stage.clientHeight].map((n) => Math.max(1, Math.round(n * this.ratio)));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const { bar, top } = this.bar;
    const gap = 12 * this.ratio;
    const [rows, columns] = this.world.size;
    const title = width < (1.3 * height * columns) / rows ? top.offsetHeight * this.ratio : 0; // a wide one has it beside the grid
    const bottom = bar.offsetHeight * this.ratio + 2 * gap;
    this.camera.frame(width, height, { top: title + gap, bottom, left: gap, right: gap });
    this.stir();
  }

  /** The grid has another size: show all of it. */
  seat() {
    if (this.camera.grid === this.world.size) return;
    this.camera.grid = this.world.size;
    this.camera.fitted = true;
    this.measure();
  }

  meet({ isIntersecting }) {
    this.seen = isIntersecting;
    this.stir();
  }

  leave(event) {
    if (!event.target.closest?.(".pl-panel, .pl-menus") || !this.element.contains(event.target)) this.bar.open("");
  }

  tell(now = 0) {
    this.updated = now;
    const text = this.clock.status(this.world.t, this.playing);
    this.bar.tell(text, this.clock.unit === "step" ? "" : `step ${this.world.t}`);
    this.options.onstatus?.(text);
  }

  about() {
    const { world, payload } = this;
    const held = [...payload.weights, ...payload.biases]; // base64: four letters for three bytes
    const parameters = held.reduce((n, text) => n + Math.floor((text.length * 3) / 16), 0);
    const { stopped } = this.health;
    const whole = payload.trained ? `trained for ${payload.trained.toLocaleString("en")} iterations` : "";
    const { badge } = payload;
    const trained = [stopped ? `training ${stopped}` : whole, badge].filter(Boolean).map((said) => `, ${said}`).join("");
    const { solver } = payload;
    const other = solver && solver !== "euler" ? ` Trained with the solver ${solver}; here it runs with Euler's.` : "";
    const processor = `WebAssembly: ${world.why}${world.repaints ? "; fewer cells go faster" : ""}`;
    const engine = world.kind === "wasm" ? processor : "WebGL2, on the graphics card";
    return `${parameters.toLocaleString("en")} parameters${trained}. Runs in ${engine}.${other}`;
  }

  /** Do what a button or key says. */
  act(action) {
    const { world, bar, brush, clock, photoPanel } = this;
    const [rows, columns] = world.size;
    const middle = [this.canvas.width / 2, this.canvas.height / 2];
    const actions = {
      play: () => (this.playing ? this.pause() : this.play()),
      step: () => {
        this.pause();
        for (let left = clock.steps - (world.t % clock.steps); left > 0; left--) this.live();
      },
      loop: () => bar.say(clock.turn()),
      reset: () => world.reset(),
      undo: () => world.undo() || bar.say("Nothing to undo."),
      shapes: () => bar.open("shapes"),
      more: () => bar.open("more"),
      help: () => bar.help.showModal(),
      plus: () => this.zoom(1.5, middle),
      minus: () => this.zoom(1 / 1.5, middle),
      fit: () => this.camera.fit(),
      smaller: () => this.size(brush.radius - 1),
      larger: () => this.size(brush.radius + 1),
      "next colour": () => this.colour(fromHex(SWATCHES[(SWATCHES.indexOf(toHex(brush.colour)) + 1) % SWATCHES.length])),
      slower: () => this.hurry(clock.slide - 0.084),
      faster: () => this.hurry(clock.slide + 0.084),
      turn: () => {
        this.turn((world.turn + 15) % 360);
        bar.say(`Turned by ${world.turn}°.`);
      },
      randomise: () => world.randomise(),
      clear: () => {
        world.clear();
        bar.say(this.sort.cleared);
      },
      "last channel": () => this.showNext(-1),
      "next channel": () => this.showNext(1),
      colour: () => this.show(null),
      background: () => this.setBackground({ light: "dark", dark: "chequer", chequer: "light" }[this.look]),
      picture: () => photoPanel.save(),
      record: () => this.record(),
      fullscreen: () => this.enlarge(),
      link: () => this.copyLink(),
      damage: () => this.act(DAMAGE[(this.damaged + 1) % DAMAGE.length][0]),
      photo: () => bar.file.click(),
      webcam: () => photoPanel.look(),
      bare: () => photoPanel.compare(true),
      compare: () => photoPanel.compare(!photoPanel.bare),
      fewer: () => photoPanel.rescale(-1),
      wider: () => photoPanel.rescale(1),
      fill: () => photoPanel.fill(),
    };
    const share = (part) => Math.max(1, Math.round(Math.min(rows, columns) * part));
    const [row, column] = this.cursor ?? [rows >> 1, columns >> 1];
    const given = { centre: `(${share(0.25)})`, circle: `(${column},${row},${share(0.15)})` };
    DAMAGE.forEach(([kind], i) => {
      actions[kind] = () => {
        this.damaged = i;
        this.damage(kind + (given[kind] ?? ""));
      };
    });
    for (const [tool, , words] of TOOLS) actions[tool] = () => {
      if (bar.tools.find(({ dataset }) => dataset.act === tool).hidden) return;
      brush.tool = tool;
      bar.live.textContent = this.sort.tools[tool] ?? words;
    };
    actions[action]();
    if (ANEW.includes(action)) this.health.begin();
    this.seat();
    bar.refresh();
    this.tell();
    this.stir();
  }

  /** Record a video from now on, or end and save the one that is recorded. */
  record() {
    if (this.recorder) return this.recorder.stop();
    if (this.bar.record.hidden) return;
    const { name, t } = this.world;
    this.recorder = new Recorder({ size: this.world.size, name: `${name}-${t}` }, (file) => {
      this.recorder = null;
      this.bar.refresh();
      this.bar.say(`Saved ${file}.`);
    });
    this.bar.say("Recording a video, for a minute at most: R or Stop recording ends it.");
  }

  /** Copy the address of this page, for others to open. */
  async copyLink() {
    const [address] = location.href.split("#");
    try {
      await navigator.clipboard.writeText(address);
      this.bar.say("The link to this page is copied.");
    } catch {
      prompt("The link to this page:", address);
    }
  }

  /** Take the whole screen, or give it back. */
  async enlarge() {
    try {
      if (document.fullscreenElement) await document.exitFullscreen();
      else await this.element.requestFullscreen();
    } catch {
      this.bar.say("This browser gives no page the whole screen here.");
    }
  }

  /** Damage it; `again` where the pointer still rests on the same spot. */
  damage(damage, again = false) {
    this.world.erase(damage);
    if (again) return;
    if (!this.world.repaints) this.bar.hint.classList.add("pl-gone");
    this.options.ondamage?.(damage);
  }

  pick(row, column) {
    const [rows, columns] = this.world.size;
    if (row < 0 || column < 0 || row >= rows || column >= columns) return;
    this.colour(this.world.pick(row, column, this.backgrounds[0]));
    this.bar.say(`Painting in ${toHex(this.brush.colour)}.`);
  }

  /** Paint in [r, g, b], 0..255. */
  colour(rgb) {
    this.brush.colour = rgb;
    this.brush.tool = "paint";
    this.bar.refresh();
  }

  size(radius) {
    this.brush.radius = within(radius, 0, LARGEST);
    this.bar.refresh();
    this.stir();
  }

  hurry(slide) {
    this.clock.slide = slide;
    this.bar.refresh();
  }

  /** Let all that it does go another way, by `degrees` counter-clockwise. */
  turn(degrees) {
    this.world.setTurn(degrees);
    this.bar.refresh();
  }

  /** The view `way` views on: colour, then every channel, round and round. */
  showNext(way) {
    const views = [null, ...this.bar.names.keys()];
    this.show(views.at((views.indexOf(this.channel) + way) % views.length));
  }

  show(channel) {
    this.channel = channel;
    this.bar.say(channel === null ? "Colour" : `Channel ${this.bar.names[channel]}: red is 1, white 0, blue -1`);
    this.bar.refresh();
    this.stir();
  }

  setBackground(look) {
    this.background = look;
    this.bar.refresh();
    this.stir();
  }

  reseed(seed) {
    if (Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32) this.world.seed = seed;
    else this.bar.say("A seed is a whole number, 0 to 4294967295.");
    this.bar.refresh();
  }

  zoom(factor, [x, y]) {
    this.camera.zoom(factor, x, y);
    this.stir();
  }

  /** The pointer or the arrow keys are over a cell [row, column], or over none. */
  point(cell) {
    this.cursor = cell;
    this.brush.show(cell, this.camera, this.ratio);
  }
}
