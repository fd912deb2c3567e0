// Several files as one: a ZIP archive that only stores, with the same bytes every time (PKWARE's APPNOTE, 4.3).

const [LOCAL, CENTRAL, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const VERSION = 20;
const UTF8 = 1 << 11;
const NEW_YEAR = 0x21; // 1 January 1980, where the format's dates begin

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let word = n;
  for (let k = 0; k < 8; k++) word = word & 1 ? 0xedb88320 ^ (word >>> 1) : word >>> 1;
  return word;
});

/** Bytes of an archive of `files`, [name, bytes] each. */
export function zip(files) {
  const entries = files.map(([name, bytes]) => ({ name: new TextEncoder().encode(name), bytes, sum: checksum(bytes) }));
  const parts = [];
  let size = 0;
  const add = (...added) => {
    for (const part of added) size += part.length;
    parts.push(...added);
  };
  for (const entry of entries) {
    entry.at = size;
    add(fields([4, LOCAL], ...common(entry)), entry.name, entry.bytes);
  }
  const begin = size;
  for (const entry of entries) {
    const rest = [[2, 0], [2, 0], [2, 0], [4, 0], [4, entry.at]];
    add(fields([4, CENTRAL], [2, VERSION], ...common(entry), ...rest), entry.name);
  }
  const count = entries.length;
  add(fields([4, END], [2, 0], [2, 0], [2, count], [2, count], [4, size - begin], [4, begin], [2, 0]));
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function common({ name, bytes, sum }) {
  const sizes = [[4, bytes.length], [4, bytes.length], [2, name.length], [2, 0]];
  return [[2, VERSION], [2, UTF8], [2, 0], [2, 0], [2, NEW_YEAR], [4, sum], ...sizes];
}

/** Whole numbers of so many bytes each, little-endian. */
function fields(...pairs) {
  const bytesOf = ([bytes, value]) => Array.from({ length: bytes }, (_, k) => (value >>> (8 * k)) & 255);
  return Uint8Array.from(pairs.flatMap(bytesOf));
}

function checksum(bytes) {
  let sum = ~0;
  for (const byte of bytes) sum = TABLE[(sum ^ byte) & 255] ^ (sum >>> 8);
  return ~sum >>> 0;
}
