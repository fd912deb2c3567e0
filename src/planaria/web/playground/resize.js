// Pictures made smaller or larger as planaria does in Python: Lanczos with as wide a reach as the scale asks for.

const LOBES = 3;

/** Planes `(count, h, w)` resized to `[rows, columns]`. */
export function resized(planes, count, [h, w], [rows, columns]) {
  const across = weights(w, columns);
  const down = weights(h, rows);
  const out = new Float32Array(count * rows * columns);
  const half = new Float32Array(h * columns);
  for (let k = 0; k < count; k++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < columns; x++) half[y * columns + x] = sum(planes, (k * h + y) * w, 1, across[x]);
    }
    for (let y = 0; y < rows; y++) {
      for (let x = 0; x < columns; x++) out[(k * rows + y) * columns + x] = sum(half, x, columns, down[y]);
    }
  }
  return out;
}

function sum(values, from, stride, [first, taps]) {
  let total = 0;
  for (let i = 0; i < taps.length; i++) total += taps[i] * values[from + (first + i) * stride];
  return total;
}

/** Of each place in `out`, the first of `length` places that it reads, and how much it takes of each from there on. */
function weights(length, out) {
  const scale = length / out;
  const wide = Math.max(scale, 1);
  return Array.from({ length: out }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - LOBES * wide + 0.5));
    const end = Math.min(length, Math.floor(centre + LOBES * wide + 0.5));
    const taps = Array.from({ length: end - first }, (_, k) => lanczos((first + k + 0.5 - centre) / wide));
    const whole = taps.reduce((a, b) => a + b, 0);
    return [first, taps.map((tap) => tap / whole)];
  });
}

function lanczos(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= LOBES) return 0;
  const angle = Math.PI * x;
  return (LOBES * Math.sin(angle) * Math.sin(angle / LOBES)) / (angle * angle);
}
