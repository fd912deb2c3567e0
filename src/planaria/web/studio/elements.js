// Elements, icons and numbers. Whatever comes from files or people goes in as text, never as HTML.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  plus: "M12 5v14M5 12h14",
  pause: "M9 5v14M15 5v14",
  play: "M8 5l11 7-11 7z",
  stop: "M6 6h12v12H6z",
  down: "M12 4v11M7 11l5 5 5-5M5 20h14",
  bin: "M5 7h14M10 4h4M7 7l1 13h8l1-13",
  back: "M15 5l-7 7 7 7",
  again: "M19 12a7 7 0 1 1-2-5l2 2M19 4v5h-5",
  find: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l5 5",
  damage: "M5 19L19 5M9 11l4 4M12 8l4 4",
};

const ATTRIBUTES = ["role", "for", "list"];

/** An element: `class`, `text`, `on` {event: listener}, known properties as they are, all else as attributes. */
export function make(tag, given = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined) continue;
    if (name === "class") element.className = value;
    else if (name === "text") element.textContent = value;
    else if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name in element && !ATTRIBUTES.includes(name)) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Ask no longer for the pictures in `element`: a film that is still being made would keep a connection, or fail late. */
export function unload(element) {
  for (const image of element.querySelectorAll("img")) image.removeAttribute("src");
}

/** A drawn sign that screen readers pass over. */
export function icon(name) {
  const sign = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  sign.setAttribute("viewBox", "0 0 24 24");
  sign.setAttribute("class", "icon");
  sign.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name]);
  sign.append(path);
  return sign;
}

/** A circle that closes as a training goes on; `set(share)` with a share in 0..1. */
export function ring() {
  const sign = document.createElementNS(SVG, "svg");
  sign.setAttribute("viewBox", "0 0 20 20");
  sign.setAttribute("class", "ring");
  sign.setAttribute("aria-hidden", "true");
  const circles = ["ring-track", "ring-done"].map((name) => {
    const circle = document.createElementNS(SVG, "circle");
    for (const [key, value] of [["cx", 10], ["cy", 10], ["r", 8], ["pathLength", 100], ["class", name]]) {
      circle.setAttribute(key, value);
    }
    sign.append(circle);
    return circle;
  });
  const set = (share) => circles[1].setAttribute("stroke-dasharray", `${Math.round(100 * share)} 100`);
  set(0);
  return { element: sign, set };
}

/** A button with a sign before its words. */
export function button(sign, words, onclick, kind = "") {
  const given = { type: "button", class: `button ${kind}`, on: { click: onclick } };
  return make("button", given, icon(sign), make("span", { text: words }));
}

/** Text, only where it differs: no needless repaint, and a person's selection stays. */
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Say something to screen readers. */
export function say(text) {
  document.getElementById("said").textContent = text;
}

export const MINUS = "\u2212";

/** `-2.84` for a loss of 0.00145; a dash where there is none. */
export function log10(loss) {
  return typeof loss === "number" && loss > 0 ? Math.log10(loss).toFixed(2).replace("-", MINUS) : "\u2013";
}

/** `12,345`. */
export function whole(number) {
  return Math.round(number).toLocaleString("en");
}

/** How long ago, or how long something takes: `just now`, `4 min`, `3 h`, `2 days`. */
export function span(seconds) {
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} days`;
}

/** `3 min ago`, for a time in seconds since 1970. */
export function ago(unix) {
  const seconds = Date.now() / 1000 - unix;
  return seconds < 45 ? "just now" : `${span(seconds)} ago`;
}

/** `34 kB`. */
export function bytes(number) {
  if (number < 1000) return `${number} B`;
  return number < 1e6 ? `${Math.round(number / 1000)} kB` : `${(number / 1e6).toFixed(1)} MB`;
}

/** What a run is doing, in a word and a colour. */
export function chip() {
  const turning = ring();
  const word = make("span");
  const element = make("span", { class: "chip" }, turning.element, word);
  const set = (state, step, steps) => {
    element.dataset.state = state;
    const share = steps > 0 ? Math.min(1, step / steps) : 0;
    turning.set(share);
    const early = ["stopped", "interrupted"].includes(state) && step < steps;
    const far = early ? `${state} at ${whole(step)} of ${whole(steps)}` : state;
    tell(word, state === "running" ? `running ${Math.floor(100 * share)}%` : far);
  };
  return { element, set };
}

/** Asks before something that can't be undone at once; true where the person agrees. */
export function confirmed(question, words, yes) {
  return new Promise((resolve) => {
    const dialog = make(
      "dialog",
      { class: "dialog", "aria-labelledby": "question" },
      make("h2", { id: "question", text: question }),
      make("p", { text: words }),
      make(
        "form",
        { method: "dialog", class: "row end" },
        make("button", { class: "button", value: "", text: "Cancel" }),
        make("button", { class: "button danger", value: "yes", text: yes }),
      ),
    );
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
