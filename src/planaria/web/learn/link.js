// A model as a link: its settings, and its weights in 8 bits, packed into a URL's fragment.
//
// The text is base64url of deflate-raw of: a byte of version, two of the settings' length, the settings as JSON, then for
// each tensor one scale as float32, little-endian, and its values as bytes of -127..127.

import { ruleOf } from "./config.js";
import { layoutIn } from "./files.js";
import { base64, joined, payloadOf, weightsOf } from "./payload.js";
import { parts, shapes } from "./rule.js";

const VERSION = 1;
const FINEST = 127;
const LONGEST_TEXT = 3e6;
const LONGEST_SETTINGS = 16000;
const MOST_BYTES = 4e6;
const LONGEST_NAME = 80;
const LARGEST_GRID = 1024;

/** The text of a link to a model, given as the player takes it. Throws an Error in words where it can't be linked. */
export async function linkOf(payload) {
  const { rule, layout, name, task, grid, trained, length, frame } = payload;
  if (payload.start) throw new Error("a model that begins with frames is too large for a link");
  const settings = { rule, layout, name: name.slice(0, LONGEST_NAME), task, grid, trained, length, frame };
  const text = new TextEncoder().encode(JSON.stringify(settings));
  if (text.length > LONGEST_SETTINGS) throw new Error("the model's settings are too long for a link");
  const head = Uint8Array.of(VERSION, text.length & 255, text.length >> 8);
  const tensors = parts(rule, weightsOf(payload)).map(rounded);
  const bytes = new Uint8Array(await new Blob([head, text, ...tensors]).arrayBuffer());
  if (bytes.length > MOST_BYTES) throw new Error("the model has too many weights for a link");
  return base64url(await through(bytes, new CompressionStream("deflate-raw"), Infinity));
}

/** The model that a link's text holds, as the player takes it. Trusts nothing: throws an Error in words. */
export async function fromLink(text) {
  if (text.length > LONGEST_TEXT || !/^[A-Za-z0-9_-]+$/.test(text)) broken();
  const bytes = await through(unbase64url(text), new DecompressionStream("deflate-raw"), MOST_BYTES).catch(broken);
  const end = 3 + (bytes[1] | (bytes[2] << 8));
  if (bytes.length < 3 || bytes[0] !== VERSION || end - 3 > LONGEST_SETTINGS || end > bytes.length) broken();
  const settings = parsed(new TextDecoder().decode(bytes.subarray(3, end)));
  if (settings === null || typeof settings !== "object") broken();
  const rule = ruleOf(settings.rule);
  const sizes = shapes(rule).map(([, ...sides]) => sides.reduce((a, b) => a * b));
  if (sizes.reduce((sum, n) => sum + 4 + n, end) !== bytes.length) broken();
  const { name, task, grid, trained, length, frame } = settings;
  const isCount = (n, least, most) => Number.isSafeInteger(n) && n >= least && n <= most;
  const counts = isCount(trained, 0, 1e9) && isCount(length, 1, 1e6) && isCount(frame, 1, 1e4);
  const fits = Array.isArray(grid) && grid.length === 2 && grid.every((n) => isCount(n, 1, LARGEST_GRID));
  const named = [name, task].every((text) => typeof text === "string" && text.length <= LONGEST_NAME);
  if (!counts || !fits || !named) broken();
  let at = end;
  const views = sizes.map((n) => {
    const part = widened(bytes.subarray(at, at + 4 + n));
    at += 4 + n;
    return part;
  });
  const layout = layoutIn(settings.layout, rule);
  return payloadOf({ rule, layout, grid, flat: joined(views), name, task, trained, length, frame });
}

/** A tensor in 8 bits: its scale, and its values as whole multiples of that. */
function rounded(values) {
  const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const scale = Math.fround(largest / FINEST);
  const bytes = new Uint8Array(4 + values.length);
  new DataView(bytes.buffer).setFloat32(0, scale, true);
  const whole = Int8Array.from(values, (v) => (scale ? Math.max(-FINEST, Math.min(FINEST, Math.round(v / scale))) : 0));
  bytes.set(new Uint8Array(whole.buffer), 4);
  return bytes;
}

function widened(bytes) {
  const scale = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
  if (!(Math.abs(scale) < 1e6)) broken();
  return Float32Array.from(new Int8Array(bytes.slice(4).buffer), (v) => v * scale);
}

/** Bytes after a stream that packs or unpacks them, `most` of them: more are an error before they are held. */
async function through(bytes, stream, most) {
  const reader = new Blob([bytes]).stream().pipeThrough(stream).getReader();
  const chunks = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer());
    chunks.push(value);
    size += value.length;
    if (size > most) {
      reader.cancel().catch(() => undefined);
      broken();
    }
  }
}

function base64url(bytes) {
  return base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function unbase64url(text) {
  if (text.length % 4 === 1) broken();
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function broken() {
  throw new Error("this link is broken: it holds no whole model");
}
