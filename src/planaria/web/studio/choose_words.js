// Choosing what photos shall look like, in words.

import { make } from "./elements.js";

/** The chooser: one prompt a line; `onpick()` at each change. It answers as the chooser of pictures does. */
export function prompts(onpick) {
  const error = make("p", { class: "field-error", id: "prompts-error", role: "alert", hidden: true });
  const lines = make("textarea", {
    id: "prompts",
    rows: 3,
    maxLength: 2000,
    placeholder: "a pencil sketch",
    spellcheck: false,
    "aria-describedby": "prompts-error",
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
  const title = make("span", { text: "Prompts" });
  const element = make("div", { class: "films" }, make("label", { class: "words", for: "prompts" }, title, lines), error);
  const source = () => lines.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return { element, source, ready: () => Promise.resolve(), choose, fail, resize: () => {} };
}
