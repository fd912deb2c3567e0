// The picture that is learned, where the seed can grow it.

/**
 * `target` (4, h, w), shifted by at most `reach` cells so that the seed in the middle lies on the picture, as
 * planaria.tasks.grow.centred does it: a seed on an empty spot would be trained to die.
 */
export function centred(target, [h, w], reach) {
  const alpha = target.subarray(3 * h * w);
  const [middle, centre] = [Math.floor(h / 2), Math.floor(w / 2)];
  let solid = alpha.map((_, i) => Number(around(i, h, w).every((at) => alpha[at] > 0.5)));
  if (!solid.includes(1)) {
    const most = alpha.reduce((a, b) => Math.max(a, b), -Infinity);
    solid = alpha.map((v) => Number(v >= most));
  }
  let [nearest, least] = [0, Infinity];
  solid.forEach((is, i) => {
    const [down, right] = [Math.floor(i / w) - middle, (i % w) - centre];
    const far = Math.max(Math.abs(down), Math.abs(right)) > reach;
    const cost = down ** 2 + right ** 2 + (far ? 4 * (h + w) ** 2 : 0);
    if (is && cost < least) [nearest, least] = [i, cost];
  });
  const within = (d) => Math.max(-reach, Math.min(reach, d));
  const [down, right] = [within(middle - Math.floor(nearest / w)), within(centre - (nearest % w))];
  return target.map((_, i) => {
    const [k, row, column] = [Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w];
    const [from, beside] = [(((row - down) % h) + h) % h, (((column - right) % w) + w) % w];
    return target[(k * h + from) * w + beside];
  });
}

/** Places of the cells of a 3x3 block that are on the grid. */
function around(i, h, w) {
  const found = [];
  for (let down = -1; down <= 1; down++) {
    for (let right = -1; right <= 1; right++) {
      const [row, column] = [Math.floor(i / w) + down, (i % w) + right];
      if (row >= 0 && row < h && column >= 0 && column < w) found.push(row * w + column);
    }
  }
  return found;
}
