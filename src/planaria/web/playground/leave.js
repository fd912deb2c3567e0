// How a creature leaves the page, as a page of its own or a picture; and a page that is read again.

import { base64, weightsOf } from "../learn/payload.js";

const MOST_PAGE = 30e6; // bytes
const PICTURE = 1024; // pixels, about

/** The page of a model, the same as `planaria export` writes. */
export async function pageOf({ shell, packed, player }, payload) {
  const escaped = (text) => text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  const { frozen, strain = null, alpha } = payload.layout;
  const early = payload.stopped?.startsWith("stopped") ? ` \u00b7 its training ${escaped(payload.stopped)}` : "";
  const parts = {
    PACKED: await picked(packed, player),
    "<!--planaria:title-->": escaped(payload.name),
    "<!--planaria:numbers-->": weightsOf(payload).length.toLocaleString("en-US"),
    "<!--planaria:made-->": frozen && strain === null ? "painted" : alpha === null ? "made" : "grown",
    "<!--planaria:stopped-->": early,
    "<!--planaria:model-->": JSON.stringify({ ...payload, seed: 0 }).replaceAll("<", "\\u003c"),
  };
  const whole = Object.entries(parts).reduce((text, [mark, part]) => text.split(mark).join(part), shell);
  return new Blob([whole], { type: "text/html" });
}

/** The modules of these names out of `packed`, packed alike, as load.js takes them; with all files that modules read. */
async function picked(packed, names) {
  const [modules, ...files] = packed.split(",");
  const bytes = Uint8Array.from(atob(modules), (c) => c.charCodeAt(0));
  const all = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).json();
  const some = names.map((name) => all.find(([one]) => one === name));
  const stream = new Blob([JSON.stringify(some)]).stream().pipeThrough(new CompressionStream("gzip"));
  return [base64(new Uint8Array(await new Response(stream).arrayBuffer())), ...files].join(",");
}

/** The payload within a page that planaria wrote; throws an Error in words. */
export async function readPage(file) {
  const shown = file.name || "the file";
  if (file.size > MOST_PAGE) throw new Error(`${shown} is too large for a page of planaria.`);
  const text = await file.text();
  const opening = '<script type="application/json" id="planaria-model">';
  const from = text.indexOf(opening);
  const end = text.indexOf("</script>", from);
  try {
    return JSON.parse(text.slice(from < 0 ? text.length : from + opening.length, end));
  } catch {
    throw new Error(`${shown} is no page with a model of planaria in it.`);
  }
}

/** A PNG of a world as it is seen over nothing but white. */
export function pictureOf(world) {
  const image = world.image();
  const scale = Math.max(1, Math.round(PICTURE / Math.max(image.width, image.height)));
  const canvas = Object.assign(document.createElement("canvas"), {
    width: image.width * scale,
    height: image.height * scale,
  });
  const small = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
  small.getContext("2d").putImageData(image, 0, 0);
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, canvas.width, canvas.height);
  return new Promise((done) => canvas.toBlob(done, "image/png"));
}
