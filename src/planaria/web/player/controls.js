// The player's controls: everything around the canvas.

import { fromHex, glyph, iconButton, slider, tag, toHex } from "./elements.js";
import { LARGEST } from "./brush.js";
import { DAMAGE, TOOLS, capsOf, helpLines } from "./keys.js";
import { bodyOf, labelsOf, slopesOf } from "../engine/model.js";
import { photoPlanes } from "../world/photo.js";
import { recordable } from "./recorder.js";
import { Webcam } from "./webcam.js";

export const SWATCHES = ["#d1495b", "#f2a541", "#2f8f6b", "#2e6fb7", "#5b2a86", "#1d1b26"];
const BACKGROUNDS = ["light", "dark", "chequer"];

/** Builds the DOM of a player inside `root` and keeps it up to date; `player.act(action)` does what a button says. */
export class Bar {
  constructor(root, player) {
    this.player = player;
    this.said = 0;
    const act = (action) => () => player.act(action);
    const button = (action, words, attributes) => iconButton(action, words, capsOf(action), act(action), attributes);
    const opener = (action, words) => button(action, words, { "aria-expanded": "false" });
    this.play = button("play", "Play", { class: "pl-button pl-main" });
    this.tools = TOOLS.map(([tool, , words]) => button(tool, words));
    this.compare = this.holder();
    this.stage = tag("div", { class: "pl-stage", tabindex: "0", role: "application" });
    this.status = tag("div", { class: "pl-status" });
    this.title = tag("strong");
    this.live = tag("div", { class: "pl-unseen", role: "status", "aria-live": "polite" });
    this.toast = tag("div", { class: "pl-toast", "aria-hidden": "true" });
    const open = () => player.photoPanel.drop(this.file.files[0]);
    this.file = tag("input", { type: "file", accept: "image/*", hidden: true, onchange: open });
    this.hint = tag("div", { class: "pl-hint" });
    this.panels = { shapes: this.shapes(act), more: this.more(act, button) };
    this.openers = { shapes: opener("shapes", "Damage"), more: opener("more", "More") };
    this.help = helpSheet();
    const run = [button("step", "One step"), button("reset", "Begin again"), button("undo", "Undo")];
    const zoom = [button("minus", "Zoom out"), button("fit", "Show all of it"), button("plus", "Zoom in")];
    const whole = button("fullscreen", "Fullscreen", document.fullscreenEnabled ? {} : { hidden: true });
    const corner = part("corner", ...zoom, whole, button("help", "Help"));
    this.bar = tag("div", { class: "pl-bar", role: "toolbar", "aria-label": "Controls" },
      group("run", this.play, ...run),
      group("tools", ...this.tools, this.compare),
      this.strip(),
      this.speed(),
      group("menus", ...Object.values(this.openers)));
    this.top = part("top", part("title", this.title, this.status), corner);
    const deck = part("deck", this.bar, ...Object.values(this.panels));
    root.append(this.stage, this.top, this.toast, part("dock", this.hint, deck), this.live, this.file, this.help);
  }

  /** A button that shows the photo while it is held; a press of Enter shows it until the next. */
  holder() {
    const show = (bare) => () => this.player.photoPanel.compare(bare);
    const press = ({ detail }) => detail === 0 && this.player.act("compare");
    const hold = { onpointerdown: show(true), oncontextmenu: (event) => event.preventDefault() };
    for (const kind of ["up", "leave", "cancel"]) hold[`onpointer${kind}`] = show(false);
    return iconButton("compare", "Hold to see the photo", capsOf("bare"), press, hold);
  }

  /** The size and the colour of the brush. */
  strip() {
    const { player } = this;
    this.size = slider("Size of the brush", `${capsOf("smaller")} ${capsOf("larger")}`, { min: 0, max: LARGEST }, (radius) => player.size(radius));
    const take = ({ currentTarget }) => player.colour(fromHex(currentTarget.value));
    const swatches = SWATCHES.map((value) => {
      const named = { class: "pl-swatch", type: "button", value, title: value, "aria-label": `Colour ${value}` };
      return tag("button", { ...named, onclick: take }, dot(value));
    });
    this.own = dot("conic-gradient(#d1495b, #f2a541, #2f8f6b, #2e6fb7, #5b2a86, #d1495b)");
    this.colour = tag("input", { type: "color", title: "Any colour", "aria-label": "Any colour", oninput: take });
    this.colours = part("colours", ...swatches, tag("label", { class: "pl-swatch pl-any" }, this.own, this.colour));
    this.brush = group("brush", part("dot"), this.size, part("dot"), this.colours);
    return this.brush;
  }

  speed() {
    this.speedSlider = slider("Speed", `${capsOf("slower")} ${capsOf("faster")}`, { min: 0, max: 1, step: 0.01 }, (slide) => this.player.hurry(slide));
    this.rate = part("rate");
    this.angleSlider = slider("Direction", capsOf("turn"), { min: 0, max: 360 }, (degrees) => this.player.turn(degrees));
    this.angle = part("angle");
    this.direction = part("group", this.angleSlider, this.angle);
    return group("speed", this.speedSlider, this.rate, this.direction);
  }

  shapes(act) {
    const items = DAMAGE.map(([kind, key, words]) =>
      tag("button", { class: "pl-item", type: "button", "data-act": kind, onclick: act(kind) },
        part(`cut pl-cut-${kind}`), words, tag("kbd", {}, key)));
    return tag("div", { class: "pl-panel pl-shapes", role: "group", "aria-label": "Damage", hidden: true }, ...items);
  }

  more(act, button) {
    const { player } = this;
    const word = (action, words, onclick = act(action)) =>
      tag("button", { class: "pl-word", type: "button", "data-act": action, onclick }, words);
    const field = (kind, words, take, attributes) => {
      const onchange = ({ target }) => take(target.value);
      return tag(kind, { class: "pl-field", "aria-label": words, onchange, ...attributes });
    };
    this.channel = field("select", "What is shown", (value) => player.show(value === "" ? null : Number(value)));
    this.seed = field("input", "Random seed", (value) => player.reseed(Number(value)), { type: "number", min: "0" });
    this.backgrounds = BACKGROUNDS.map((look) => word(look, look, () => player.setBackground(look)));
    this.loop = word("loop", "Loop");
    this.fill = word("fill", "Fill");
    this.record = word("record", "Record video");
    this.record.hidden = !recordable();
    this.webcam = word("webcam", "Webcam");
    this.link = word("link", "Copy link");
    this.link.hidden = !player.options.link;
    this.cells = tag("span");
    this.about = tag("p", { class: "pl-about" });
    const row = (words, ...parts) => part("row", tag("span", {}, words), ...parts);
    return tag("div", { class: "pl-panel pl-more", role: "group", "aria-label": "More", hidden: true },
      row("Show", this.channel),
      row("Background", ...this.backgrounds),
      row("Cells", button("minus", "Fewer cells", { onclick: act("fewer") }), this.cells,
        button("plus", "More cells", { onclick: act("wider") }), this.fill),
      row("Seed", this.seed),
      part("pair", word("picture", "Save picture"), word("photo", "Open photo"), this.record,
        word("randomise", "Randomise"), word("clear", "Clear"), this.loop, this.webcam, this.link),
      this.about);
  }

  /** Open the panel `name`, or close it; `""` closes all. */
  open(name) {
    for (const [key, panel] of Object.entries(this.panels)) {
      panel.hidden = key !== name || !panel.hidden;
      this.openers[key].setAttribute("aria-expanded", String(!panel.hidden));
    }
  }

  get opened() {
    return Object.keys(this.panels).find((key) => !this.panels[key].hidden);
  }

  /** Another model: its channels and its name. */
  model() {
    const { layout } = this.player.world;
    const { visible, hidden, frozen } = layout;
    const body = bodyOf(layout);
    const count = (kind, n) => Array.from({ length: n }, (_, i) => `${kind} ${i + 1}`);
    const labels = labelsOf(layout);
    const seen = labels.length ? count("label", visible) : visible === 1 ? ["grey"] : ["red", "green", "blue", "alpha"].slice(0, visible);
    const inner = [...seen, ...count("hidden", body - visible), ...count("infection", visible + hidden - body)];
    this.names = [...inner, ...count(photoPlanes(layout) ? "frozen" : "infection", frozen)];
    const choice = (value, words) => tag("option", { value }, words);
    this.channel.replaceChildren(choice("", "colour"), ...this.names.map((name, i) => choice(String(i), name)));
    this.title.textContent = this.player.world.name;
    const chooser = tag("button", { type: "button", onclick: () => this.file.click() }, "Choose one");
    const { sort, world, brush } = this.player;
    this.hint.replaceChildren(sort.hint, ...(world.repaints ? [chooser] : []));
    const lines = [...this.help.querySelectorAll("dl > div")];
    const turns = slopesOf(world.rule).length > 0;
    const useless = { plant: !sort.seeds, bare: !world.repaints, infect: sort.first !== "infect", turn: !turns };
    this.direction.hidden = !turns || !sort.flows;
    for (const one of [...this.tools, ...lines]) one.hidden = useless[one.dataset.act] ?? false;
    TOOLS.forEach(([tool, key, usual], i) => {
      const words = sort.tools[tool] ?? usual;
      this.tools[i].title = key ? `${words} (${key})` : words;
      this.tools[i].setAttribute("aria-label", words);
    });
    this.compare.hidden = !world.repaints;
    this.fill.hidden = world.repaints;
    this.webcam.hidden = !world.repaints || !Webcam.there;
    if (useless[brush.tool]) brush.tool = sort.first;
    this.hint.classList.remove("pl-gone");
    this.refresh();
  }

  /** Show what is so now. */
  refresh() {
    const { player } = this;
    const { world, brush, clock, playing } = player;
    const [rows, columns] = world.size;
    const colour = toHex(brush.colour);
    const words = playing ? "Pause" : "Play";
    this.play.replaceChildren(glyph(words.toLowerCase()));
    this.play.setAttribute("aria-label", words);
    this.play.title = `${words} (${capsOf("play")})`;
    press(this.tools, (tool) => tool.dataset.act === brush.tool);
    press(this.backgrounds, (button) => button.dataset.act === player.look);
    press(this.colours.querySelectorAll("button"), (swatch) => swatch.value === colour);
    this.brush.dataset.tool = this.stage.dataset.tool = brush.tool;
    this.size.value = String(brush.radius);
    this.colour.value = colour;
    if (!SWATCHES.includes(colour)) this.own.style.background = colour;
    this.speedSlider.value = String(clock.slide);
    this.speedSlider.setAttribute("aria-valuetext", `${clock.wanted} ${clock.unit}s a second`);
    this.rate.textContent = `${clock.wanted}/s`;
    this.rate.title = `${clock.unit}s a second`;
    this.angleSlider.value = String(world.turn);
    this.angle.textContent = `${world.turn}°`;
    press([this.loop], () => clock.loop);
    press([this.record], () => Boolean(player.recorder));
    this.record.textContent = player.recorder ? "Stop recording" : "Record video";
    player.element.classList.toggle("pl-recording", Boolean(player.recorder));
    press([this.webcam], () => Boolean(player.photoPanel?.webcam));
    this.channel.value = String(player.channel ?? "");
    this.seed.value = String(world.seed);
    this.cells.textContent = `${columns} × ${rows}`;
    this.about.textContent = player.about();
    const what = `${world.name}, ${columns} by ${rows} cells; arrow keys and Enter use the tool`;
    this.stage.setAttribute("aria-label", what);
  }

  /** The status line: shown at once, read out now and then. */
  tell(text, title) {
    this.status.textContent = text;
    this.status.title = title;
    if (performance.now() - this.said > 10_000) this.read(text);
  }

  read(text) {
    this.said = performance.now();
    this.live.textContent = text;
  }

  /** Say something: in sight for a while, and read out. */
  say(text) {
    this.read(text);
    this.toast.textContent = text;
    this.toast.classList.add("pl-seen");
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.toast.classList.remove("pl-seen"), 1500 + 50 * text.length);
  }
}

function part(name, ...inner) {
  return tag("div", { class: `pl-${name}` }, ...inner);
}

function group(name, ...inner) {
  return part(`group pl-${name}`, ...inner);
}

function dot(background) {
  const node = tag("span");
  node.style.background = background;
  return node;
}

function press(buttons, on) {
  for (const one of buttons) one.setAttribute("aria-pressed", String(on(one)));
}

function helpSheet() {
  const close = iconButton("close", "Close", "Esc", () => sheet.close());
  const line = ([keys, words, act = ""]) => tag("div", { "data-act": act }, tag("dt", {}, tag("kbd", {}, keys)), tag("dd", {}, words));
  const touch = matchMedia("(pointer: coarse)").matches;
  const title = touch ? "Touch and keys" : "Keys";
  const sheet = tag("dialog", { class: "pl-help", "aria-label": title },
    tag("header", {}, tag("strong", {}, title), close), tag("dl", {}, ...helpLines(touch).map(line)));
  sheet.addEventListener("click", ({ target }) => target === sheet && sheet.close());
  return sheet;
}
