// New: what shall grow, from which recipe, with which settings.

import { icon, make, whole } from "./elements.js";
import { Refusal, ask, at } from "./server.js";
import { allSettings, field, spelled } from "./fields.js";
import { films } from "./choose_film.js";
import { pictures } from "./choose_picture.js";
import { prompts } from "./choose_words.js";

const CHOSEN = ["picture", "film", "style", "words"]; // settings that have a chooser of their own
const STYLE = { label: "A picture on this machine, or a web address", example: "gogh.jpg" };
const LOOK = ["background", "trim"]; // settings that change what a picture looks like
const STYLE_PIXELS = 192; // of the preview of a style
const BEGIN_WITH = "quick";
const GALLERY_RECIPE = "healer";

/** Open the page in `host`; `query.like` names a gallery organism or run (`gallery/lizard`) to begin from. */
export async function fresh(host, { query }) {
  const forms = await ask("/api/forms");
  const like = await model(query.get("like"));
  const tasks = forms.tasks.filter((task) => task.fields.length);
  let recipe = forms.recipes.find((one) => one.name === (like ? like.recipe : BEGIN_WITH)) ?? null;
  let task = tasks.find((one) => one.name === (like ?? recipe)?.task) ?? tasks[0];
  let fields = new Map();
  let chooser = null;
  let settings = null;

  const problem = make("p", { class: "problem", role: "alert", tabIndex: -1, hidden: true });
  const name = make("input", { id: "name", type: "text", maxLength: 60, autocomplete: "off", spellcheck: false });
  const nameError = make("p", { class: "field-error", id: "name-error", hidden: true });
  const nameHelp = make("p", { class: "field-help", text: "Of the run and its folder." });
  const taskCards = radios("task", "Task");
  const recipeCards = radios("recipe", "Recipe");
  const sourceTitle = make("h2");
  const sourceHelp = make("p", { class: "muted" });
  const sourcePlace = make("div");
  const firstPlace = make("div", { class: "firsts" });
  const everything = make("details", { class: "everything" });
  const words = make("span", { text: "Start growing" });
  const go = make("button", { class: "button primary big", type: "submit" }, icon("plus"), words);
  const summary = make("p", { class: "muted summary" });
  const form = make(
    "form",
    { noValidate: true, class: "new", on: { submit } },
    problem,
    tasks.length > 1 ? step("Task", "What the cells learn.", taskCards.element) : null,
    make("section", { class: "step" }, make("div", { class: "step-head" }, sourceTitle, sourceHelp), sourcePlace),
    step("Begin with a recipe", "Settings that work together; change what you like below.", recipeCards.element),
    step("How", "", make("div", {}, firstPlace, everything)),
    make("div", { class: "submit" }, summary, go),
  );
  host.append(make("h1", { text: "Grow something" }), form);

  function build() {
    const tell = () => describe();
    fields = new Map(task.fields.map((about) => [about.key, field(about, { label: task.form.first[about.key], oninput: tell })]));
    const source = task.fields.find((about) => CHOSEN.includes(about.kind));
    const face = (one, look) => thumb(forms, one, look);
    const oncure = (better) => {
      for (const [key, value] of Object.entries(better)) fields.get(key)?.set(value);
      resize();
      describe();
    };
    const choosers = {
      picture: () => pictures(forms.pictures, face, tell, { oncure }),
      film: () => films(forms.films, face, tell, async () => (await ask("/api/survey", { method: "POST", json: chosen() })).lines),
      style: () => pictures(forms.styles, face, tell, STYLE),
      words: () => prompts(tell),
    };
    chooser = source ? choosers[source.kind]() : null;
    [sourceTitle.textContent, sourceHelp.textContent] = [task.form.title, task.form.help];
    sourcePlace.replaceChildren(chooser?.element ?? "");
    words.textContent = task.form.button;
    name.placeholder = `after its ${source?.kind ?? "recipe"}`;
    firstPlace.replaceChildren(
      ...Object.keys(task.form.first).map((key) => fields.get(key)?.element).filter(Boolean),
      make("div", { class: "field" }, make("label", { for: "name", text: "Name" }), name, nameError, nameHelp),
    );
    settings = allSettings([...fields.values()], new Set([...Object.keys(task.form.first), source?.key]));
    everything.replaceChildren(make("summary", { text: `All settings (${fields.size})` }), ...settings.elements);
    for (const key of ["size", ...LOOK]) fields.get(key)?.element.addEventListener("input", resize);
    based();
  }

  function based() {
    for (const one of fields.values()) one.base(spelled(recipe?.settings[one.key] ?? one.about.default));
    const source = [...fields.values()].find((one) => CHOSEN.includes(one.about.kind));
    const said = recipe?.settings[source?.key];
    if (chooser && (said || !String(chooser.source()))) chooser.choose(said ?? spelled(source.about.default));
    resize();
    describe();
  }

  function resize() {
    const cells = task.form.kind === "style" ? STYLE_PIXELS : Number(fields.get("size")?.value());
    if (Number.isInteger(cells) && cells > 0) chooser?.resize(cells);
    const chosen = LOOK.map((key) => [key, fields.get(key)?.value() ?? ""]);
    chooser?.prepare?.(Object.fromEntries(chosen.filter(([, value]) => !["", "none", "false"].includes(value))));
  }

  function describe() {
    const cells = fields.get("size")?.value();
    const steps = Number(fields.get("train.steps")?.value());
    const minutes = Number(fields.get("train.minutes")?.value());
    const length = minutes > 0 ? `${minutes} minute${minutes === 1 ? "" : "s"}` : steps && `${whole(steps)} iterations`;
    const changed = [...fields.values()].filter((one) => one.changed()).length;
    const large = Number(cells) > 0 && `${cells} cells`;
    const parts = [large, length];
    summary.textContent = [...parts, changed && `${changed} changed`].filter(Boolean).join(" \u00b7 ");
    chooser?.look?.(Object.entries(chosen().settings).filter(([key]) => !key.includes(".")));
  }

  function chosen() {
    const sent = {};
    for (const one of fields.values()) {
      if (CHOSEN.includes(one.about.kind)) sent[one.key] = chooser.source();
      else if (one.changed()) sent[one.key] = one.value();
    }
    const what = recipe ? { recipe: recipe.name } : { task: task.name };
    return { ...what, name: name.value.trim() || null, settings: sent };
  }

  async function submit(event) {
    event.preventDefault();
    problem.hidden = nameError.hidden = true;
    name.removeAttribute("aria-invalid");
    for (const one of fields.values()) one.excuse();
    go.disabled = true;
    try {
      await chooser?.ready();
      const started = await ask("/api/runs", { method: "POST", json: chosen() });
      location.hash = `#/run/${encodeURIComponent(started.name)}`;
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      refuse(refusal);
    } finally {
      go.disabled = false;
    }
  }

  function refuse({ message, field: key }) {
    const one = fields.get(key);
    if (key === "name") {
      nameError.textContent = message;
      nameError.hidden = false;
      name.setAttribute("aria-invalid", "true");
      name.setAttribute("aria-describedby", "name-error");
      name.focus();
    } else if (one && CHOSEN.includes(one.about.kind)) chooser.fail(message);
    else if (one) {
      if (everything.contains(one.element)) {
        everything.open = true;
        settings.show();
      }
      one.fail(message);
    } else {
      problem.textContent = message;
      problem.hidden = false;
      problem.focus();
    }
  }

  taskCards.fill(tasks.map((one) => [one.name, one.name, one.about]), task.name, (picked) => {
    task = tasks.find((one) => one.name === picked);
    if (recipe?.task !== task.name) recipe = null;
    const typed = [...fields.values()].filter((one) => one.changed() && !CHOSEN.includes(one.about.kind));
    offer();
    build();
    for (const one of typed) fields.get(one.key)?.set(one.value()); // what both kinds have stays as it was typed
    describe();
  });

  function offer() {
    const effort = (one) => Number(one.settings["train.steps"] ?? Infinity);
    const fitting = forms.recipes.filter((one) => one.task === task.name).sort((a, b) => effort(a) - effort(b));
    const cards = fitting.map((one) => [one.name, one.name, one.about]);
    const plain = like
      ? ["", `as ${like.name}`, "Begins with the settings that this one was trained with"]
      : ["", "plain", "The task's own settings, nothing added"];
    recipeCards.fill([...cards, plain], recipe?.name ?? "", (picked) => {
      recipe = fitting.find((one) => one.name === picked) ?? null;
      based();
    });
  }

  offer();
  build();
  if (like) {
    for (const [key, value] of Object.entries(like.settings)) fields.get(key)?.set(spelled(value));
    const drawn = [like.settings.picture, like.name].find((source) => forms.pictures.includes(source));
    if (like.settings.picture) chooser?.choose(drawn ?? spelled(like.settings.picture));
    const given = like.settings[task.form.source];
    if (given && task.form.kind !== "picture") chooser?.choose(given);
    resize();
    describe();
  }
  return () => {};
}

/** The settings of a run or gallery organism, flat; null where none is asked for. */
async function model(path) {
  const [kind, name] = (path ?? "").split("/");
  if (!["runs", "gallery"].includes(kind) || !name) return null;
  if (kind === "gallery") {
    const { task, picture, rule } = await ask(at("api", kind, name, "player"));
    return { name, task, recipe: GALLERY_RECIPE, settings: { picture, ...flat({ rule }) } };
  }
  const { task, config } = await ask(at("api", kind, name));
  return { name, task, recipe: null, settings: flat(config ?? {}) };
}

/** `{"train.steps": 400}` for `{train: {steps: 400}}`. */
export function flat(tree, prefix = "") {
  const found = {};
  for (const [key, value] of Object.entries(tree)) {
    const nested = value !== null && typeof value === "object" && !Array.isArray(value);
    Object.assign(found, nested ? flat(value, `${prefix}${key}.`) : { [prefix + key]: value });
  }
  return found;
}

function thumb(forms, source, look = {}) {
  if (!forms.thumb || !source) return null;
  const query = Object.entries(look).map(([key, value]) => `&${key}=${encodeURIComponent(value)}`);
  return forms.thumb + encodeURIComponent(source) + query.join("");
}

function step(title, text, content) {
  const note = text ? make("p", { class: "muted", text }) : null;
  const head = make("div", { class: "step-head" }, make("h2", { text: title }), note);
  return make("section", { class: "step" }, head, content);
}

function radios(id, label) {
  const element = make("div", { class: "cards", role: "radiogroup", "aria-label": label });
  const fill = (ones, picked, onpick) => {
    const cards = ones.map(([value, title, text]) => {
      const on = { change: () => onpick(value) };
      const input = make("input", { type: "radio", name: id, value, checked: value === picked, on });
      return make("label", { class: "option" }, input, make("strong", { text: title }), make("span", { text }));
    });
    element.replaceChildren(...cards);
  };
  return { element, fill };
}
