// Choosing what shall be watched: a simulator that comes along, or frames on this machine by their path.

import { make } from "./elements.js";

/**
 * The chooser. `ones`: simulators `{name, about}`; `thumb(source)`: address of a thumbnail or null; `onpick()` at each
 * choice. It answers as the chooser of pictures does: `source()` is what the setting says.
 */
export function films(ones, thumb, onpick) {
  const error = make("p", { class: "field-error", id: "film-error", role: "alert", hidden: true });
  const path = make("input", {
    type: "text",
    id: "film-path",
    maxLength: 1000,
    placeholder: "frames/  or  clip.mp4  or  sim:life/B36/S23",
    autocomplete: "off",
    spellcheck: false,
    "aria-describedby": "film-error",
  });
  const buttons = new Map(ones.map((one) => [one.name, known(one)]));

  function known({ name, about }) {
    const face = make("img", { src: thumb(name), alt: "", loading: "lazy" });
    const on = { click: () => choose(name) };
    const given = { type: "button", class: "thumb", "aria-pressed": "false", title: about, on };
    return make("button", given, face, make("span", { text: name.replace("sim:", "") }));
  }

  function choose(name) {
    path.value = name;
    mark();
  }

  function mark() {
    error.hidden = true;
    path.removeAttribute("aria-invalid");
    for (const [name, one] of buttons) one.setAttribute("aria-pressed", String(name === path.value.trim()));
    onpick();
  }

  function fail(text) {
    error.textContent = text;
    error.hidden = false;
    path.setAttribute("aria-invalid", "true");
    element.scrollIntoView({ block: "center" });
    path.focus({ preventScroll: true });
  }

  path.addEventListener("input", mark);
  const where = make("span", { text: "Frames on this machine: a folder of pictures, a video or a GIF; or a simulator by name" });
  const element = make(
    "div",
    { class: "films" },
    make("div", { class: "thumbs", role: "group", "aria-label": "Simulators" }, [...buttons.values()]),
    make("label", { class: "words", for: "film-path" }, where, path),
    error,
  );
  return { element, source: () => path.value.trim(), ready: () => Promise.resolve(), choose, fail, resize: () => {} };
}
