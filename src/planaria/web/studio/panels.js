// What a run page and a gallery page share: metrics, downloads, settings.

import { MINUS, bytes, icon, log10, make } from "./elements.js";
import { at } from "./server.js";

const MADE = [
  ["html", "Living page", "one file, works anywhere, no network"],
  ["gif", "Animation", "GIF"],
  ["webp", "Animation", "WebP, lossless"],
  ["mp4", "Animation", "MP4"],
  ["png", "Film strip", "PNG"],
  ["onnx", "Network", "ONNX, for other programs"],
];

/** A table of the metrics; a loss has its log10 too. */
export function metricsTable(card) {
  const rows = Object.entries(card.metrics ?? {}).filter(([, value]) => typeof value === "number");
  const body = rows.map(([name, value]) => {
    const cells = [value.toPrecision(3).replace("-", MINUS), log10(value)].map((text) => make("td", { text }));
    return make("tr", {}, make("th", { scope: "row", text: name }), cells);
  });
  const measure = card.form?.measure ?? "squared error";
  const titles = ["metric", measure, "log10"].map((text) => make("th", { scope: "col", text }));
  const head = make("tr", {}, titles);
  return make(
    "section",
    { class: "panel", hidden: rows.length === 0 },
    make("h2", { text: "Metrics" }),
    make("table", {}, make("thead", {}, head), make("tbody", {}, body)),
  );
}

/** Everything that can be taken along: made on demand, and the files of the run. */
export function downloads(kind, name, files) {
  const link = (href, title, text, filename) => {
    const words = [make("strong", { text: title }), make("span", { class: "muted", text })];
    return make("a", { class: "take", href, download: filename }, icon("down"), words);
  };
  const made = (file, words) => link(at("export", kind, name, file), ...words, file);
  const model = files.find((file) => file.name === "model.safetensors");
  const weights = model?.url ?? at("files", kind, name, "model.safetensors");
  const config = files.find((file) => file.name === "config.yaml");
  return make(
    "section",
    { class: "panel" },
    make("h2", { text: "Take it along" }),
    make(
      "div",
      { class: "takes" },
      link(weights, "Model", model ? bytes(model.bytes) : "weights and settings", `${name}.safetensors`),
      MADE.map(([suffix, ...words]) => made(`${name}.${suffix}`, words)),
      config ? link(config.url, "Settings", "config.yaml", `${name}.yaml`) : null,
    ),
  );
}

/** All settings of a run, those that were changed first. `usual`: key -> default. */
export function settingsTable(settings, usual) {
  const text = (value) => (value === null ? "none" : Array.isArray(value) ? value.join(", ") : String(value));
  const rows = Object.entries(settings).map(([key, value]) => {
    return { key, value: text(value), usual: key in usual ? text(usual[key]) : null };
  });
  const changed = rows.filter((row) => row.usual !== null && row.value !== row.usual);
  const pair = (row) => [make("dt", { text: row.key }), make("dd", { text: row.value })];
  const list = (some) => make("dl", { class: "settings" }, some.flatMap(pair));
  return make(
    "section",
    { class: "panel" },
    make("h2", { text: "Settings" }),
    changed.length ? list(changed) : make("p", { class: "muted", text: "All as usual." }),
    make("details", {}, make("summary", { text: `All ${rows.length}` }), list(rows)),
  );
}
