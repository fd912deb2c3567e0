// Where a person chooses what shall grow, and finds what grew here before.

import { tag } from "../player/elements.js";
import { Webcam } from "../player/webcam.js";
import { Editor } from "./editor.js";
import { BUILT_IN, builtIn, fromEmoji, fromFile, fromWord } from "./picture.js";
import { canvasOf, fromCanvas, imageOf, prepared } from "./picture.js";
import { RECIPES } from "./recipes.js";

const EMOJI = ["🦎", "🐙", "🍄", "🌻", "🐞", "🦋", "🐢", "🌵", "🍓", "🚀", "👾", "🐳", "🦊", "🐧", "🍉", "💎"];
const FIRST = "lizard";

/** The view. `page` is the playground; `parent` a creature whose weights the new one begins with. */
export class Home {
  constructor(page, parent = null) {
    this.page = page;
    this.parent = parent;
    this.recipe = "quick";
    this.pixels = null;
    this.turn = 0;
    this.element = tag("main", { class: "pg-home", id: "view", tabindex: "-1" });
  }

  async open() {
    const { parent } = this;
    const lead = parent
      ? `It begins with what “${parent.name}” has learned.`
      : "Pick a picture, or draw one. A single cell learns to grow into it, here on your device: nothing leaves it.";
    const title = parent ? "What shall it become?" : "Grow something of your own";
    this.element.append(
      tag("header", { class: "pg-lead" }, tag("h1", {}, title), tag("p", {}, lead)),
      tag("div", { class: "pg-choose" }, this.stage(), this.chooser()),
    );
    const kept = await this.page.store.creatures();
    if (kept.length && !parent) this.element.append(this.shelf(kept));
    if (parent) await this.pick(() => this.asItIs(), this.first);
    else await this.pick(() => builtIn(FIRST), this.thumbs.get(FIRST));
  }

  close() {
    this.look(null);
  }

  /** What is chosen, as cells, with the button that starts. */
  stage() {
    this.preview = tag("canvas", {
      class: "pg-preview",
      role: "img",
      width: 1,
      height: 1,
      "aria-label": "Nothing chosen yet",
    });
    this.caption = tag("p", { class: "pg-muted", role: "status" });
    this.start = tag(
      "button",
      { class: "pg-button pg-primary pg-big", type: "button", onclick: () => this.grow() },
      "Grow it",
    );
    const recipes = Object.entries(RECIPES).map(([name, { words, about }]) => {
      const radio = tag("input", { type: "radio", name: "recipe", value: name, onchange: () => this.setRecipe(name) });
      radio.checked = name === this.recipe;
      return tag(
        "label",
        { class: "pg-recipe" },
        radio,
        tag("span", {}, tag("strong", {}, words), tag("small", {}, about)),
      );
    });
    const choice = tag(
      "fieldset",
      { class: "pg-recipes" },
      tag("legend", { class: "pg-unseen" }, "How well"),
      ...recipes,
    );
    const bar = tag("div", { class: "pg-start" }, choice, this.start);
    return tag("section", { class: "pg-card pg-stage", "aria-label": "Chosen" }, this.preview, this.caption, bar);
  }

  chooser() {
    const panels = {
      pictures: ["Pictures", this.gallery()],
      emoji: ["Emoji", this.emoji()],
      word: ["Word", this.word()],
      draw: ["Draw", this.drawing()],
      photo: ["Photo", this.photo()],
    };
    this.tabs = Object.entries(panels).map(([name, [words, panel]]) => {
      panel.id = `panel-${name}`;
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", `tab-${name}`);
      const given = { class: "pg-tab", type: "button", role: "tab", id: `tab-${name}`, "aria-controls": panel.id };
      return { name, panel, button: tag("button", { ...given, onclick: () => this.show(name) }, words) };
    });
    const list = tag(
      "div",
      { class: "pg-tabs", role: "tablist", "aria-label": "What shall grow" },
      ...this.tabs.map(({ button }) => button),
    );
    list.addEventListener("keydown", (event) => {
      const way = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!way) return;
      const at = this.tabs.findIndex(({ button }) => button === document.activeElement);
      const { name, button } = this.tabs.at((at + way) % this.tabs.length);
      this.show(name);
      button.focus();
      event.preventDefault();
    });
    this.error = tag("p", { class: "pg-error", role: "alert", hidden: true });
    const element = tag(
      "section",
      { class: "pg-card", "aria-label": "Choice" },
      list,
      this.error,
      ...this.tabs.map(({ panel }) => panel),
    );
    this.show("pictures");
    return element;
  }

  /** Turn to a tab. */
  show(name) {
    for (const one of this.tabs) {
      const on = one.name === name;
      one.button.setAttribute("aria-selected", String(on));
      one.button.tabIndex = on ? 0 : -1;
      one.panel.hidden = !on;
    }
    if (name !== "photo") this.look(null);
    if (name === "draw" && this.editor.pixels()) this.drawn();
  }

  gallery() {
    this.thumbs = new Map();
    const row = tag("div", { class: "pg-thumbs" });
    if (this.parent) {
      const face = this.page.face(this.parent);
      this.first = tag(
        "button",
        { class: "pg-thumb", type: "button", onclick: () => this.pick(() => this.asItIs(), this.first) },
        face,
        "as it is",
      );
      row.append(this.first);
    }
    for (const name of Object.keys(BUILT_IN)) {
      const face = tag("img", { src: `data:image/webp;base64,${BUILT_IN[name]}`, alt: "" });
      const thumb = tag(
        "button",
        { class: "pg-thumb", type: "button", onclick: () => this.pick(() => builtIn(name), thumb) },
        face,
        name,
      );
      this.thumbs.set(name, thumb);
      row.append(thumb);
    }
    return tag("div", {}, row);
  }

  emoji() {
    const field = tag("input", {
      class: "pg-field",
      id: "pg-emoji",
      maxlength: 16,
      autocomplete: "off",
      placeholder: "🦎",
    });
    const use = () => field.value.trim() && this.pick(() => fromEmoji(field.value.trim()));
    field.addEventListener("input", use);
    const buttons = EMOJI.map((one) => {
      const node = tag(
        "button",
        {
          class: "pg-emoji",
          type: "button",
          "aria-label": `Emoji ${one}`,
          onclick: () => this.pick(() => fromEmoji(one), node),
        },
        one,
      );
      return node;
    });
    return tag(
      "div",
      {},
      tag("div", { class: "pg-emojis" }, ...buttons),
      tag("label", { class: "pg-label", for: "pg-emoji" }, "Or any other"),
      field,
    );
  }

  word() {
    const field = tag("input", {
      class: "pg-field",
      id: "pg-word",
      maxlength: 24,
      autocomplete: "off",
      placeholder: "HELLO",
    });
    field.addEventListener("input", () => field.value.trim() && this.pick(() => fromWord(field.value)));
    const note = tag("p", { class: "pg-muted" }, "One to five letters are learned best.");
    return tag("div", {}, tag("label", { class: "pg-label", for: "pg-word" }, "A word"), field, note);
  }

  drawing() {
    this.editor = new Editor(RECIPES[this.recipe].settings.size, () => this.drawn());
    return tag("div", {}, this.editor.element);
  }

  drawn() {
    const pixels = this.editor.pixels();
    if (pixels) this.pick(() => pixels);
  }

  photo() {
    const take = () => this.file.files[0] && this.pick(() => fromFile(this.file.files[0]));
    this.file = tag("input", { type: "file", accept: "image/*", id: "pg-file", class: "pg-unseen", onchange: take });
    const words = tag("span", {}, tag("strong", {}, "Choose a picture"), " or drop or paste one here");
    const drop = tag(
      "label",
      { class: "pg-drop", for: "pg-file" },
      words,
      tag("small", {}, "A clear shape on a plain background grows best."),
    );
    this.eye = tag("div", { class: "pg-camera", hidden: true });
    const camera = tag("button", { class: "pg-button", type: "button", onclick: () => this.camera() }, "Camera");
    camera.hidden = !Webcam.there;
    return tag("div", {}, this.file, drop, camera, this.eye);
  }

  /** Show what the camera sees, and take it by a button. */
  async camera() {
    this.look(null);
    const webcam = new Webcam();
    try {
      await webcam.open();
    } catch (error) {
      this.complain(error);
      return;
    }
    const shoot = tag("button", { class: "pg-button pg-primary", type: "button" }, "Take it");
    shoot.addEventListener("click", () => {
      const pixels = fromCanvas(square(webcam.look()), "photo");
      this.look(null);
      this.pick(() => pixels);
    });
    this.eye.replaceChildren(webcam.video, shoot);
    this.look(webcam);
  }

  /** Let go of the camera, or hold another one. */
  look(webcam) {
    this.webcam?.close();
    this.webcam = webcam;
    this.eye.hidden = !webcam;
    if (!webcam) this.eye.replaceChildren();
  }

  /** What the parent shows when it is grown. */
  async asItIs() {
    const { planes, size } = this.parent.target ?? (await this.page.lookOf(this.parent));
    const { data, width, height } = imageOf(planes, size);
    return { data, width, height, name: this.parent.name };
  }

  /** Choose what `find` gives, pixels; `node` is the button that stands for it. */
  async pick(find, node = null) {
    const turn = ++this.turn;
    try {
      const pixels = await find();
      if (turn !== this.turn) return;
      this.pixels = pixels;
      this.prepare();
      this.error.hidden = true;
      for (const one of this.element.querySelectorAll(".pg-thumb, .pg-emoji"))
        one.setAttribute("aria-pressed", String(one === node));
    } catch (error) {
      if (turn === this.turn) this.complain(error);
    }
  }

  complain(error) {
    this.error.textContent = error.message;
    this.error.hidden = false;
  }

  prepare() {
    const { size, padding } = RECIPES[this.recipe].settings;
    this.target = prepared(this.pixels, size, padding);
    const [h, w] = this.target.size;
    const canvas = canvasOf(imageOf(this.target.planes, this.target.size));
    Object.assign(this.preview, { width: w, height: h });
    this.preview.getContext("2d").drawImage(canvas, 0, 0);
    const shown = this.pixels.name.replace(/^text:/, "");
    this.caption.textContent = `${shown} in ${w - 2 * padding} × ${h - 2 * padding} cells`;
    this.preview.setAttribute("aria-label", this.caption.textContent);
  }

  setRecipe(name) {
    this.recipe = name;
    this.editor.resize(RECIPES[name].settings.size);
    if (this.pixels?.drawn) this.drawn();
    else if (this.pixels) this.prepare();
  }

  grow() {
    if (this.target)
      this.page.begin({ target: this.target, name: this.pixels.name, recipe: this.recipe, parent: this.parent });
  }

  /** A file that was dropped or pasted here: a picture. */
  take(file) {
    this.show("photo");
    return this.pick(() => fromFile(file));
  }

  shelf(kept) {
    const cards = kept.map((creature) => {
      const open = tag(
        "a",
        { class: "pg-creature", href: `#creature=${creature.id}` },
        this.page.face(creature),
        tag("strong", {}, creature.name),
        tag("small", {}, about(creature)),
      );
      const away = tag(
        "button",
        { class: "pg-away", type: "button", "aria-label": `Delete ${creature.name}`, title: "Delete" },
        "×",
      );
      const card = tag("li", {}, open, away);
      away.addEventListener("click", async () => {
        if (!confirm(`Delete ${creature.name} and all that it has learned?`)) return;
        await this.page.remove(creature.id);
        card.remove();
      });
      return card;
    });
    return tag("section", { class: "pg-shelf" }, tag("h2", {}, "Yours"), tag("ul", {}, ...cards));
  }
}


function about({ step, steps }) {
  if (!steps) return step ? `${step.toLocaleString("en")} iterations` : "opened here";
  return step >= steps ? "finished" : `${Math.floor((100 * step) / steps)} % learned`;
}

/** The middle of a canvas, as a square. */
function square(canvas) {
  const side = Math.min(canvas.width, canvas.height);
  const out = Object.assign(document.createElement("canvas"), { width: side, height: side });
  out.getContext("2d").drawImage(canvas, (side - canvas.width) / 2, (side - canvas.height) / 2);
  return out;
}
