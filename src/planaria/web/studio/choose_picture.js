// Choosing what shall grow: a dropped file, a built-in picture, an emoji or a word; shown as the cells will see it.

import { dropField } from "./drop.js";
import { make } from "./elements.js";

const EXAMPLE = "\u{1F98E}  or  text:HELLO";
const FORMATS = "image/png,image/jpeg,image/webp,image/gif,image/bmp,image/tiff,image/avif";

/**
 * The chooser. `names`: built-in pictures; `thumb(source)`: address of a thumbnail or null; `onpick()` at each choice;
 * `label` and `example` are of the field where others are typed; `oncure(settings)` when a person takes what a remark
 * on a picture offers; `thumb` takes such settings too.
 * `source()` is what the picture setting says, `ready()` when an upload is through; `resize(cells)` draws it again,
 * `prepare(settings)` as it is with these.
 */
export function pictures(
  names,
  thumb,
  onpick,
  { label = "An emoji, or text:WORD", example = EXAMPLE, oncure = () => {} } = {},
) {
  let picked = "";
  let shown = null;
  let cells = 40;
  let turn = 0;
  let settings = {};
  const preview = make("canvas", { class: "preview-cells", role: "img", "aria-label": "Nothing chosen yet" });
  const caption = make("p", { class: "preview-name muted", text: "Choose a picture" });
  const error = make("p", { class: "field-error", id: "picture-error", role: "alert", hidden: true });
  const remark = make("p", { class: "field-help", role: "status" });
  const cure = make("button", { type: "button", class: "button", text: "Leave it out" });
  const note = make("div", { class: "picture-note", hidden: true }, remark, cure);
  const drop = dropField(
    {
      kind: "pictures",
      id: "picture-file",
      accept: FORMATS,
      title: "Drop a picture here",
      hint: "or click to choose one: PNG, JPEG, WebP, GIF, up to 20 MB",
    },
    took,
    fail,
  );
  const buttons = new Map(names.map((name) => [name, builtin(name)]));
  const words = make("input", {
    type: "text",
    id: "picture-words",
    maxLength: 400,
    placeholder: example,
    autocomplete: "off",
    spellcheck: false,
    "aria-describedby": "picture-error",
  });

  function builtin(name) {
    const address = thumb(name);
    const face = address ? make("img", { src: address, alt: "", loading: "lazy" }) : make("span", { class: "seed" });
    const given = { type: "button", class: "thumb", "aria-pressed": "false", on: { click: () => choose(name) } };
    return make("button", given, face, make("span", { text: name.replace("scene:", "") }));
  }

  function draw() {
    const side = Math.max(4, Math.min(256, cells));
    const small = shown && shrunk(shown, side);
    preview.width = small ? small.width : side;
    preview.height = small ? small.height : side;
    const pen = preview.getContext("2d");
    pen.clearRect(0, 0, preview.width, preview.height);
    if (small) pen.drawImage(small, 0, 0);
  }

  function mark(name, picture) {
    picked = name;
    error.hidden = note.hidden = true;
    words.removeAttribute("aria-invalid");
    for (const [key, one] of buttons) one.setAttribute("aria-pressed", String(key === name));
    caption.textContent = picture ?? name;
    preview.setAttribute("aria-label", `Preview of ${caption.textContent}, as the cells see it`);
    onpick();
  }

  async function look(address) {
    const mine = ++turn;
    const found = address ? await loaded(address) : null;
    if (mine !== turn) return false;
    shown = found;
    draw();
    return Boolean(found);
  }

  function warn({ text, settings: better }) {
    remark.textContent = text;
    note.hidden = Object.keys(better).every((key) => (settings[key] ?? "none") !== "none");
    cure.onclick = () => {
      note.hidden = true;
      oncure(better);
    };
  }

  function choose(name) {
    words.value = buttons.has(name) ? "" : name;
    return take(name);
  }

  function take(name) {
    mark(name);
    const text = written(name);
    if (text === null || buttons.has(name)) return look(thumb(name));
    turn += 1;
    shown = text;
    return draw();
  }

  async function took(answer, file) {
    words.value = "";
    mark(answer.picture, file.name);
    if (answer.remark) warn(answer.remark);
    if (Object.keys(settings).length && (await look(thumb(answer.picture, settings)))) return;
    const own = URL.createObjectURL(file);
    await look(own);
    URL.revokeObjectURL(own);
  }

  function fail(text) {
    error.textContent = text;
    error.hidden = false;
    words.setAttribute("aria-invalid", "true");
    element.scrollIntoView({ block: "center" });
    words.focus({ preventScroll: true });
  }

  words.addEventListener("input", () => {
    const text = words.value.trim();
    if (text) take(text); // what is being typed stays as it is
  });

  const element = make(
    "div",
    { class: "pictures" },
    make("div", { class: "preview" }, preview, caption),
    make(
      "div",
      { class: "choices" },
      drop.element,
      note,
      make("div", { class: "thumbs", role: "group", "aria-label": "Built-in pictures" }, [...buttons.values()]),
      make("label", { class: "words", for: "picture-words" }, make("span", { text: label }), words),
      error,
    ),
  );
  draw();
  return {
    element,
    source: () => picked,
    ready: drop.ready,
    choose,
    fail,
    resize(side) {
      cells = side;
      draw();
    },
    prepare(changed) {
      if (JSON.stringify(changed) === JSON.stringify(settings)) return;
      settings = changed;
      if (picked && !buttons.has(picked) && written(picked) === null) look(thumb(picked, settings));
    },
  };
}

/** The words of an emoji or `text:WORD` drawn on a canvas; null for anything else. */
function written(source) {
  const text = source.startsWith("text:") ? source.slice(5) : source.replace(/^emoji:/, "");
  const emoji = /^\p{Extended_Pictographic}/u.test(text);
  if (!emoji && !source.startsWith("text:")) return null;
  const lines = text.split("\\n");
  const sheet = make("canvas", { width: 640, height: 640 });
  const pen = sheet.getContext("2d");
  const longest = Math.max(...lines.map((line) => [...line].length), 1);
  const size = Math.min(400, 600 / longest / (emoji ? 1.2 : 0.75), 600 / lines.length);
  pen.font = `bold ${size}px sans-serif`;
  pen.textAlign = "center";
  pen.textBaseline = "middle";
  pen.fillStyle = "#181820";
  lines.forEach((line, row) => pen.fillText(line, 320, 320 + (row - (lines.length - 1) / 2) * size, 620));
  return sheet;
}

function loaded(address) {
  return new Promise((resolve) => {
    const image = make("img", { alt: "" });
    image.onload = () => resolve(image);
    image.onerror = () => resolve(null);
    image.src = address;
  });
}

/** A picture on a canvas whose longest side is `side` pixels; of words, only the ink. */
function shrunk(picture, side) {
  const drawn = picture instanceof HTMLCanvasElement;
  const box = drawn ? inked(picture) : { x: 0, y: 0, w: picture.naturalWidth, h: picture.naturalHeight };
  const ratio = side / Math.max(box.w, box.h, 1);
  const small = make("canvas", {
    width: Math.max(1, Math.round(box.w * ratio)),
    height: Math.max(1, Math.round(box.h * ratio)),
  });
  const pen = small.getContext("2d");
  pen.imageSmoothingQuality = "high";
  pen.drawImage(picture, box.x, box.y, box.w, box.h, 0, 0, small.width, small.height);
  return small;
}

function inked(sheet) {
  const { width, height } = sheet;
  const { data } = sheet.getContext("2d").getImageData(0, 0, width, height);
  let [left, top, right, bottom] = [width, height, -1, -1];
  for (let place = 0; place < width * height; place++) {
    if (!data[4 * place + 3]) continue;
    const x = place % width;
    const y = (place - x) / width;
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  if (right < 0) return { x: 0, y: 0, w: width, h: height };
  return { x: left, y: top, w: right - left + 1, h: bottom - top + 1 };
}
