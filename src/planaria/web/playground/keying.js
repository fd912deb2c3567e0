// A drawing cut out of its plain background, and its empty margins cut off: planaria.data.keying without its care for
// shadows and for the noise of JPEG files. Pictures are {data, width, height}, straight RGBA bytes.

const NEAR = 20; // of 255, how far a plain background may be from its own colour
const FAINT = 60; // of 255, how far the ink of a drawing in one colour may be from it
const REACH = 3; // pixels of a soft edge
const VISIBLE = 12; // of 255, the opacity above which a pixel counts

/** The picture without the plain background around it; the picture itself where it has none. */
export function keyed(picture) {
  const background = plain(picture);
  if (!background) return picture;
  const { data, width: w, height: h } = picture;
  const count = w * h;
  const away = new Uint8Array(count);
  for (let i = 0; i < count; i++) away[i] = distance(data, i, background);
  const gone = outside(
    away.map((far, i) => Number(far <= NEAR || data[4 * i + 3] < 128)),
    w,
    h,
  );
  const enclosed = away.map((far, i) => Number(far <= NEAR && !gone[i]));
  if (holes(data, enclosed, gone, w, h)) for (let i = 0; i < count; i++) gone[i] |= enclosed[i];
  if (gone.every(Boolean)) return picture;
  const out = new Uint8ClampedArray(4 * count);
  const edge = widened(gone, REACH, w, h);
  for (let i = 0; i < count; i++) {
    if (gone[i]) continue;
    let part = edge[i] ? cover(data, background, gone, i, w, h) : 1;
    if (part < 0.06) part = 0;
    for (let k = 0; k < 3 && part; k++) out[4 * i + k] = (data[4 * i + k] - (1 - part) * background[k]) / part;
    out[4 * i + 3] = part * data[4 * i + 3];
  }
  return { data: out, width: w, height: h };
}

/** The picture without its empty margins; null where nothing of it can be seen. */
export function trimmed({ data, width: w, height: h }) {
  let [left, top, right, bottom] = [w, h, -1, -1];
  for (let i = 0; i < w * h; i++) {
    if (data[4 * i + 3] <= VISIBLE) continue;
    const [x, y] = [i % w, Math.floor(i / w)];
    [left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
  }
  if (right < 0) return null;
  const [width, height] = [right - left + 1, bottom - top + 1];
  const out = new Uint8ClampedArray(4 * width * height);
  for (let y = 0; y < height; y++) {
    const from = 4 * ((top + y) * w + left);
    out.set(data.subarray(from, from + 4 * width), 4 * y * width);
  }
  return { data: out, width, height };
}

/** The colour [r, g, b] of the plain background all around; null for a photo, or what is cut out already. */
export function plain({ data, width: w, height: h }) {
  const wide = Math.max(1, Math.min(w, h) >> 6);
  const rim = [];
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      if (y < wide || y >= h - wide || x < wide || x >= w - wide) rim.push(y * w + x);
    }
  }
  if (rim.filter((i) => data[4 * i + 3] < 128).length > rim.length / 2) return null;
  const colour = [0, 1, 2].map((k) => median(rim.map((i) => data[4 * i + k])));
  const off = rim.map((i) => distance(data, i, colour));
  const alike = off.filter((far) => far <= NEAR / 2);
  if (alike.length < 0.75 * rim.length || alike.reduce((a, b) => a + b, 0) > 2.5 * alike.length) return null;
  let drawn = 0;
  for (let i = 0; i < w * h; i++) if (distance(data, i, colour) > NEAR) drawn += 1;
  return drawn > 0.002 * w * h && drawn < 0.97 * w * h ? colour : null;
}

function distance(data, i, colour) {
  const of = (k) => Math.abs(data[4 * i + k] - colour[k]);
  return Math.max(of(0), of(1), of(2));
}

function median(values) {
  return values.sort((a, b) => a - b)[values.length >> 1];
}

/** Which pixels of `passable` can be reached from the border. */
function outside(passable, w, h) {
  const found = new Uint8Array(w * h);
  const waiting = [];
  const visit = (i) => {
    if (!passable[i] || found[i]) return;
    found[i] = 1;
    waiting.push(i);
  };
  for (let x = 0; x < w; x++) for (const y of [0, h - 1]) visit(y * w + x);
  for (let y = 0; y < h; y++) for (const x of [0, w - 1]) visit(y * w + x);
  while (waiting.length) {
    const i = waiting.pop();
    const x = i % w;
    if (x > 0) visit(i - 1);
    if (x < w - 1) visit(i + 1);
    if (i >= w) visit(i - w);
    if (i < w * (h - 1)) visit(i + w);
  }
  return found;
}

function widened(mask, by, w, h) {
  const grow = (from, stride, length) => {
    const out = from.slice();
    for (let i = 0; i < from.length; i++) {
      if (!from[i]) continue;
      const place = Math.floor(i / stride) % length;
      for (let d = Math.max(-by, -place); d <= Math.min(by, length - 1 - place); d++) out[i + d * stride] = 1;
    }
    return out;
  };
  return grow(grow(mask, 1, w), w, h);
}

/** Whether the background's colour within a drawing is background too: in bold strokes of one ink, an O or a ring. */
function holes(data, enclosed, gone, w, h) {
  if (!enclosed.some(Boolean)) return false;
  const paper = enclosed.map((inside, i) => inside | gone[i]);
  const less = (by) => widened(paper, by, w, h).map((covered) => 1 - covered);
  const core = [less(2), less(1), less(0)].find((mask) => mask.some(Boolean));
  if (!core) return false;
  const ink = [...core.keys()].filter((i) => core[i]);
  const colour = [0, 1, 2].map((k) => median(ink.map((i) => data[4 * i + k])));
  const one = ink.filter((i) => distance(data, i, colour) <= FAINT).length > 0.99 * ink.length;
  const count = (mask) => mask.reduce((sum, v) => sum + v, 0);
  return one && count(enclosed) <= 2 * (w * h - count(paper));
}

/** How much of an edge's pixel is ink, 0 to 1: the colour nearby that is farthest from the background. */
function cover(data, background, gone, i, w, h) {
  const [x, y] = [i % w, Math.floor(i / w)];
  const own = [data[4 * i], data[4 * i + 1], data[4 * i + 2]];
  const far = (colour) => colour.reduce((sum, v, k) => sum + Math.abs(v - background[k]), 0);
  let [ink, farthest, alike] = [own, far(own), 0];
  for (let row = Math.max(0, y - REACH); row <= Math.min(h - 1, y + REACH); row++) {
    for (let column = Math.max(0, x - REACH); column <= Math.min(w - 1, x + REACH); column++) {
      const j = row * w + column;
      if (gone[j] || j === i) continue;
      const colour = [data[4 * j], data[4 * j + 1], data[4 * j + 2]];
      if (far(colour) > farthest) [ink, farthest] = [colour, far(colour)];
      if (Math.max(Math.abs(row - y), Math.abs(column - x)) === 1 && distance(data, j, own) <= NEAR / 2) alike += 1;
    }
  }
  const line = ink.map((v, k) => v - background[k]);
  const length = line.reduce((sum, v) => sum + v * v, 0);
  const away = own.map((v, k) => v - background[k]);
  let part = line.reduce((sum, v, k) => sum + v * away[k], 0) / Math.max(length, 1e-6);
  const beside = Math.max(...away.map((v, k) => Math.abs(v - part * line[k])));
  if (alike >= 3 || beside > 2 * NEAR) part = 1;
  const asked = away.map((v, k) => (v > 0 ? v / Math.max(255 - background[k], 1) : -v / Math.max(background[k], 1)));
  return Math.min(1, Math.max(part, ...asked));
}
