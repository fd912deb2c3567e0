// Adam (Kingma and Ba, 2015), as torch.optim.Adam computes it in float32, and what is done to gradients before.

const { fround } = Math;
const EPSILON = 1e-8;

/** Means of one tensor's gradient and of its square, and how often they were updated. */
export class Adam {
  constructor(weights) {
    this.steps = 0;
    this.mean = new Float32Array(weights.length);
    this.square = new Float32Array(weights.length);
  }

  /** Change `weights` by a step of length `lr` against `gradient`. */
  update(weights, gradient, lr, [first, second]) {
    const { mean, square } = this;
    this.steps++;
    const bias = Math.sqrt(1 - second ** this.steps);
    const [share, kept, added] = [fround(1 - first), fround(second), fround(1 - second)];
    const [root, length, epsilon] = [fround(bias), fround(-lr / (1 - first ** this.steps)), fround(EPSILON)];
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i];
      mean[i] += fround(share * fround(g - mean[i]));
      square[i] = fround(square[i] * kept) + fround(fround(added * g) * g);
      const divisor = fround(fround(fround(Math.sqrt(square[i])) / root) + epsilon);
      weights[i] += fround(fround(length * mean[i]) / divisor);
    }
  }

  copy() {
    return Object.assign(new Adam([]), { steps: this.steps, mean: this.mean.slice(), square: this.square.slice() });
  }
}

/** Length of a vector, in float32. */
function norm(vectors) {
  return fround(Math.sqrt(vectors.reduce((sum, v) => v.reduce((s, x) => s + x * x, sum), 0)));
}

/** Scale each tensor's gradient to length 1. */
export function normalise(gradients) {
  for (const gradient of gradients) {
    const length = fround(norm([gradient]) + fround(1e-8));
    for (let i = 0; i < gradient.length; i++) gradient[i] /= length;
  }
}

/** Scale all gradients down where together they are longer than `most`. */
export function clip(gradients, most) {
  const share = Math.min(1, fround(fround(most) / fround(norm(gradients) + fround(1e-6))));
  for (const gradient of gradients) for (let i = 0; i < gradient.length; i++) gradient[i] *= share;
}
