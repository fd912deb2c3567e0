// Inputs made from the server's list of settings, and the text that each of them stands for.

import { make } from "./elements.js";

/** A setting as it is typed: lists by commas, nothing for none. */
export function spelled(value) {
  if (value === null || value === undefined) return "";
  return Array.isArray(value) ? value.join(",") : String(value);
}

/**
 * One setting: label, input, its sentence, its default, room for an error.
 * `value()` is its text, `set(text)` changes it, `base(text)` says what counts as unchanged, `changed()` whether it is.
 */
export function field(about, { label = about.key, oninput = () => {} } = {}) {
  const id = `field-${about.key}`;
  const input = entry(about, id);
  const error = make("p", { class: "field-error", id: `${id}-error`, hidden: true });
  const help = make("p", { class: "field-help", id: `${id}-help`, text: about.help });
  const usual = make("p", { class: "field-usual" });
  const alone = input.element === input.focus;
  const title = make(alone ? "label" : "span", { class: "field-title", for: alone ? id : null, text: label });
  const element = make(
    "div",
    { class: `field field-${about.kind}` },
    title,
    make("div", { class: "field-entry" }, input.element),
    error,
    help,
    usual,
  );
  input.focus.setAttribute("aria-describedby", `${id}-help ${id}-error`);
  let unchanged = null;
  const changed = () => unchanged !== null && input.value().trim() !== unchanged;
  const mark = () => element.classList.toggle("changed", changed());
  const say = (text) => {
    error.textContent = text;
    error.hidden = false;
    input.focus.setAttribute("aria-invalid", "true");
  };
  const excuse = () => {
    error.hidden = true;
    input.focus.removeAttribute("aria-invalid");
  };
  input.element.addEventListener("input", () => {
    excuse();
    mark();
    oninput();
  });
  input.element.addEventListener("change", () => {
    if (outside(about, input.value().trim())) say(`${about.key} must be ${about.range}`);
  });
  const it = {
    key: about.key,
    about,
    element,
    value: () => input.value().trim(),
    set(text) {
      input.set(text);
      mark();
    },
    base(text) {
      const keep = changed() ? input.value() : text;
      unchanged = text;
      usual.textContent = `Usually ${text === "" ? "none" : text}${about.range ? `; ${about.range}` : ""}`;
      it.set(keep);
    },
    changed,
    fail(text) {
      say(text);
      element.scrollIntoView({ block: "center" });
      input.focus.focus({ preventScroll: true });
    },
    excuse,
    matches: (words) => words.every((word) => `${about.key} ${about.help}`.toLowerCase().includes(word)),
  };
  return it;
}

/** Whether a text is a number beyond what the server says that the setting may be. */
function outside(about, text) {
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) return false;
  return (about.least !== null && value < about.least) || (about.most !== null && value > about.most);
}

function entry(about, id) {
  if (about.kind === "bool") return toggle(id);
  if (about.kind === "choice") return choice(about, id);
  const numeric = about.kind === "int" || about.kind === "float";
  const input = make("input", {
    id,
    name: about.key,
    type: "text",
    inputMode: numeric ? "decimal" : "text",
    autocomplete: "off",
    spellcheck: false,
    placeholder: about.optional ? "none" : "",
    min: about.least ?? "",
    max: about.most ?? "",
  });
  return { element: input, focus: input, value: () => input.value, set: (text) => (input.value = text) };
}

function toggle(id) {
  const input = make("input", { id, type: "checkbox", class: "switch", role: "switch" });
  return {
    element: input,
    focus: input,
    value: () => String(input.checked),
    set: (text) => (input.checked = /^(true|yes|1)$/i.test(text)),
  };
}

function choice(about, id) {
  const names = about.optional ? ["", ...about.choices] : about.choices;
  if (names.length <= 4) return segments(about, id, names);
  const input = make(
    "select",
    { id, name: about.key },
    names.map((name) => make("option", { value: name, text: name || "none" })),
  );
  return { element: input, focus: input, value: () => input.value, set: (text) => (input.value = text) };
}

function segments(about, id, names) {
  const buttons = names.map((name, place) =>
    make("input", { type: "radio", name: id, value: name, id: place ? `${id}-${place}` : id }),
  );
  const element = make(
    "div",
    { class: "segments", role: "radiogroup", "aria-label": about.key },
    buttons.map((input) => make("label", {}, input, make("span", { text: input.value || "none" }))),
  );
  const picked = () => buttons.find((input) => input.checked);
  return {
    element,
    focus: buttons[0],
    value: () => picked()?.value ?? "",
    set: (text) => buttons.forEach((input) => (input.checked = input.value === text)),
  };
}

/** Every setting, in groups, with a box that searches them. */
export function allSettings(fields, skipped) {
  const search = make("input", {
    type: "search",
    id: "search",
    placeholder: "Search: rate, pool, filter \u2026",
    autocomplete: "off",
    "aria-label": "Search all settings",
  });
  const none = make("p", { class: "muted", text: "No setting is called so.", hidden: true });
  const groups = new Map();
  for (const one of fields) {
    if (skipped.has(one.key)) continue;
    const name = one.key.includes(".") ? one.key.split(".")[0] : "";
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(one);
  }
  const sections = [...groups].map(([name, ones]) => ({
    ones,
    element: make(
      "fieldset",
      { class: "group" },
      make("legend", { text: TITLES[name] ?? name }),
      make("div", { class: "group-fields" }, ones.map((one) => one.element)),
    ),
  }));
  search.addEventListener("input", () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let any = false;
    for (const { ones, element } of sections) {
      for (const one of ones) one.element.hidden = !one.matches(words);
      element.hidden = ones.every((one) => one.element.hidden);
      any ||= !element.hidden;
    }
    none.hidden = any;
  });
  const show = () => {
    search.value = "";
    search.dispatchEvent(new Event("input"));
  };
  return { elements: [search, none, ...sections.map((section) => section.element)], show };
}

const TITLES = { "": "What is learned", rule: "The rule of a cell", train: "How it learns" };
