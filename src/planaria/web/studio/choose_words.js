// Choosing what photos shall look like, in words.

import { make } from "./elements.js";

/** The chooser: one wish a line; `onpick()` at each change. It answers as the chooser of pictures does. */
export function wishes(onpick) {
  const error = make("p", { class: "field-error", id: "wishes-error", role: "alert", hidden: true });
  const lines = make("textarea", {
    id: "wishes",
    rows: 3,
    maxLength: 2000,
    placeholder: "a pencil sketch",
    spellcheck: false,
    "aria-describedby": "wishes-error",
  });

  function choose(given) {
    lines.value = [given].flat().join("\n");
    mark();
  }

  function mark() {
    error.hidden = true;
    lines.removeAttribute("aria-invalid");
    onpick();
  }

  function fail(text) {
    error.textContent = text;
    error.hidden = false;
    lines.setAttribute("aria-invalid", "true");
    element.scrollIntoView({ block: "center" });
    lines.focus({ preventScroll: true });
  }

  lines.addEventListener("input", mark);
  const told = make("span", { text: "Wishes" });
  const element = make("div", { class: "films" }, make("label", { class: "words", for: "wishes" }, told, lines), error);
  const source = () => lines.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return { element, source, ready: () => Promise.resolve(), choose, fail, resize: () => {} };
}
