// `.safetensors` files as planaria.store writes and reads them, byte for byte: tensors, and JSON under `planaria`.

const KEY = "planaria";
const HEADER_LIMIT = 1e7;
/** Kinds of numbers: bytes of one, and the array that holds them where JavaScript has one. In the format's own order. */
const KINDS = {
  BOOL: [1, Uint8Array],
  U8: [1, Uint8Array],
  I8: [1, Int8Array],
  I16: [2, Int16Array],
  U16: [2, Uint16Array],
  F16: [2, null],
  BF16: [2, null],
  I32: [4, Int32Array],
  U32: [4, Uint32Array],
  F32: [4, Float32Array],
  F64: [8, Float64Array],
  I64: [8, BigInt64Array],
  U64: [8, BigUint64Array],
};
const ORDER = Object.keys(KINDS);
/** Names in a planaria header whose numbers are of floating point, 1.0 as Python writes it. */
const REAL = new Set([
  "damage_from", "dt", "fire_rate", "life_threshold", "lr", "lr_drops", "lr_factor", "betas", "clip", "offset",
  "figures", "recent", "caution", "best_loss",
]);

/** Bytes of a file: `tensors` by name, each with `dtype`, `shape` and `data`, and the JSON `header`. */
export function write(tensors, header) {
  const ranked = Object.keys(tensors).sort((a, b) => {
    const [first, second] = [a, b].map((name) => ORDER.indexOf(tensors[name].dtype));
    return second - first || (a < b ? -1 : 1);
  });
  let end = 0;
  const entries = ranked.map((name) => {
    const { dtype, shape, data } = tensors[name];
    const offsets = `[${end},${(end += data.byteLength)}]`;
    return `${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape.join(",")}],"data_offsets":${offsets}}`;
  });
  const metadata = `"__metadata__":{"${KEY}":${JSON.stringify(python(header))}}`;
  const text = new TextEncoder().encode(`{${[metadata, ...entries].join(",")}}`);
  const room = Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(8 + room + end).fill(0x20, 8, 8 + room);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(room), true);
  bytes.set(text, 8);
  let at = 8 + room;
  for (const name of ranked) {
    const { data } = tensors[name];
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}

/**
 * The JSON header and the tensors of a file of planaria's; tensors of F16 and BF16 come as F32. Nothing in `bytes` is
 * trusted: throws an Error in words, and takes no more memory than the file has.
 */
export function read(bytes) {
  demand(bytes.length >= 8, "it is too short");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = Number(view.getBigUint64(0, true));
  demand(length > 0 && length <= Math.min(HEADER_LIMIT, bytes.length - 8), "it is no .safetensors file");
  const whole = parsed(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  demand(isRecord(whole), "its header can't be read");
  const { __metadata__: metadata, ...entries } = whole;
  const text = isRecord(metadata) && Object.hasOwn(metadata, KEY) ? metadata[KEY] : undefined;
  if (typeof text !== "string") throw new Error("this file holds no planaria settings, so it isn't a planaria model");
  const header = parsed(text);
  demand(isRecord(header) && Number.isInteger(header.format), "its header names no format");
  if (header.format > 1) throw new Error(`this file was written by a newer planaria (format ${header.format})`);
  const body = bytes.subarray(8 + length);
  const spans = Object.entries(entries).map(([name, entry]) => [name, ...placed(name, entry, body.length)]);
  demandWhole(spans, body.length);
  const tensors = Object.create(null);
  for (const [name, { dtype, shape }, begin, end] of spans) tensors[name] = taken(dtype, shape, body.slice(begin, end));
  return { header, tensors };
}

/** A tensor's entry with its first and last byte, once these fit its kind, its shape and the file. */
function placed(name, entry, size) {
  const { dtype, shape, data_offsets: offsets } = isRecord(entry) ? entry : {};
  const isCount = (n) => Number.isSafeInteger(n) && n >= 0;
  const sized = Array.isArray(shape) && shape.length <= 8 && shape.every(isCount);
  const lies = Array.isArray(offsets) && offsets.length === 2 && offsets.every(isCount);
  demand(Object.hasOwn(KINDS, dtype ?? "") && sized && lies, `${name.slice(0, 40)} is no tensor`);
  const [begin, end] = offsets;
  const count = shape.reduce((product, n) => product * n, 1);
  const fits = end <= size && end - begin === KINDS[dtype][0] * count;
  demand(fits, `${name.slice(0, 40)} doesn't fit the file`);
  return [{ dtype, shape }, begin, end];
}

/** Tensors lie one behind the other, and nothing else does. */
function demandWhole(spans, size) {
  let at = 0;
  for (const [name, , begin, end] of spans.toSorted((a, b) => a[2] - b[2] || a[3] - b[3])) {
    demand(begin === at, `${name.slice(0, 40)} overlaps another tensor, or leaves a gap`);
    at = end;
  }
  demand(at === size, "it holds more than its tensors");
}

function taken(dtype, shape, bytes) {
  const [, Kind] = KINDS[dtype];
  if (dtype === "BOOL") demand(bytes.every((v) => v <= 1), "a truth value is neither 0 nor 1");
  if (Kind) return { dtype, shape, data: new Kind(bytes.buffer) };
  const words = new Uint16Array(bytes.buffer);
  return { dtype: "F32", shape, data: dtype === "F16" ? Float32Array.from(words, half) : brains(words) };
}

/** The number that a 16-bit word of IEEE 754 is. */
function half(word) {
  const [sign, exponent, fraction] = [word & 0x8000 ? -1 : 1, (word >> 10) & 31, word & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

function brains(words) {
  return new Float32Array(Uint32Array.from(words, (word) => word << 16).buffer);
}

/** JSON as `json.dumps(value, sort_keys=True)` of Python writes it; numbers of floating point by the name they have. */
export function python(value, real = false) {
  if (typeof value === "number") return real ? float(value) : String(value);
  if (typeof value === "string") {
    return JSON.stringify(value).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }
  if (Array.isArray(value)) return `[${value.map((one) => python(one, real)).join(", ")}]`;
  if (!isRecord(value)) return String(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${python(name)}: ${python(value[name], real || REAL.has(name))}`).join(", ")}}`;
}

/** `repr` of a finite float. */
function float(value) {
  const [, sign, digits, exponent] = /^(-?)([\d.]+)e([+-]\d+)$/.exec(value.toExponential()) ?? [];
  const power = Number(exponent);
  if (value !== 0 && (power < -4 || power >= 16)) {
    return `${sign}${digits}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  }
  const text = Object.is(value, -0) ? "-0" : String(value);
  return text.includes(".") ? text : `${text}.0`;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isRecord(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function demand(fits, what) {
  if (!fits) throw new Error(`this file is damaged: ${what}`);
}
