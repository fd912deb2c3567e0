// Choosing what shall be watched: a dropped file, a simulator that comes along, or frames on this machine by their path.

import { dropField } from "./drop.js";
import { make } from "./elements.js";

const FORMATS = ".mp4,.mov,.m4v,.mkv,.webm,.avi,.gif,.webp,.apng";
const WAIT = 700; // milliseconds after the last change, until the film is looked at

/**
 * The chooser. `ones`: simulators `{name, about}`; `thumb(source)`: address of a thumbnail or null; `onpick()` at each
 * choice; `survey()`: a promise of the lines on the film that the whole form names now. It answers as the chooser of
 * pictures does: `source()` is what the setting says; and `look(settings)` when these have changed.
 */
export function films(ones, thumb, onpick, survey) {
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
  const drop = dropField(
    {
      kind: "films",
      id: "film-file",
      accept: FORMATS,
      title: "Drop a film here",
      hint: "or click to choose one: MP4, MOV, WebM, GIF, up to 20 MB",
    },
    ({ film }) => choose(film),
    fail,
  );
  const notes = make("ul", { class: "film-notes", role: "status", "aria-label": "About this film", hidden: true });
  let seen = "";
  let timer = 0;

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

  function look(settings) {
    const now = JSON.stringify(settings);
    if (now === seen) return;
    seen = now;
    clearTimeout(timer);
    tell([]);
    const source = path.value.trim();
    if (source && !source.startsWith("sim:")) timer = setTimeout(() => read(now), WAIT);
  }

  async function read(asked) {
    const lines = await survey().catch(() => []);
    if (asked === seen) tell(lines);
  }

  function tell(lines) {
    notes.replaceChildren(...lines.map((text) => make("li", { text })));
    notes.hidden = !lines.length;
  }

  path.addEventListener("input", mark);
  const where = make("span", { text: "Frames on this machine: a folder of pictures, a video or a GIF; or a simulator by name" });
  const element = make(
    "div",
    { class: "films" },
    drop.element,
    make("div", { class: "thumbs", role: "group", "aria-label": "Simulators" }, [...buttons.values()]),
    make("label", { class: "words", for: "film-path" }, where, path),
    error,
    notes,
  );
  return { element, source: () => path.value.trim(), ready: drop.ready, choose, fail, look, resize: () => {} };
}
