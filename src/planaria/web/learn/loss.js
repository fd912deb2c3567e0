// Pixel losses, as planaria.losses.pixel has them, and their gradients.

const HINGE_MARGIN = 0.5;
const TINY = 1e-5; // difference below which rms is smooth
const { fround } = Math;

/**
 * Of a difference `d` of float32: what it adds to the loss, and the slope there; `mean` says what the sum is of, and
 * `root` that its root is taken.
 */
const LOSSES = {
  l2: { of: (d) => fround(d * d), slope: (d) => fround(2 * d), mean: true },
  rms: { of: (d) => fround(d * d), slope: (d) => d, mean: true, root: true },
  l1: { of: Math.abs, slope: Math.sign, mean: true },
  manhattan: { of: Math.abs, slope: Math.sign, mean: false },
  hinge: {
    of: (d) => Math.max(0, fround(Math.abs(d) - HINGE_MARGIN)),
    slope: (d) => (Math.abs(d) >= HINGE_MARGIN ? Math.sign(d) : 0),
    mean: true,
  },
};

/** Loss of a state `(c, h, w)` whose first channels should be `target` `(4, h, w)`. */
export function lossOf(name, x, target) {
  const { of, mean, root } = LOSSES[name];
  let sum = 0;
  for (let i = 0; i < target.length; i++) sum += of(fround(x[i] - target[i]));
  const value = mean ? sum / target.length : sum;
  return fround(root ? Math.sqrt(value + TINY * TINY) - TINY : value);
}

/** Write into `gradient` `(c, h, w)` that of a sample's loss, of which `share` counts. */
export function slopeOf(name, x, target, share, gradient) {
  const { slope, mean, root } = LOSSES[name];
  const whole = mean ? fround(fround(share) / target.length) : fround(share);
  const scale = root ? whole / (lossOf(name, x, target) + TINY) : whole;
  gradient.fill(0);
  for (let i = 0; i < target.length; i++) gradient[i] = scale * slope(fround(x[i] - target[i]));
}
