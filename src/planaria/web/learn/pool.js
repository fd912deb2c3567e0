// The pool: samples that live on between iterations, each kept as only its cells that hold something.

/** A state `(c, h, w)` packed exactly: which cells hold any bit, and their numbers, cell by cell. */
export function pack(x, channels) {
  const cells = x.length / channels;
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length);
  const full = new Uint8Array(cells);
  for (let i = 0; i < bits.length; i++) if (bits[i]) full[i % cells] = 1;
  const held = new Float32Array(channels * full.reduce((sum, v) => sum + v, 0));
  let at = 0;
  for (let i = 0; i < cells; i++) if (full[i]) for (let k = 0; k < channels; k++) held[at++] = x[k * cells + i];
  return { full, held };
}

/** The state that `pack` packed. */
export function unpack({ full, held }, channels) {
  const cells = full.length;
  const x = new Float32Array(channels * cells);
  let at = 0;
  for (let i = 0; i < cells; i++) if (full[i]) for (let k = 0; k < channels; k++) x[k * cells + i] = held[at++];
  return x;
}

export class Pool {
  /** `count` samples that are all `seed`, a state of so many channels. */
  constructor(count, seed, channels) {
    this.channels = channels;
    this.samples = Array(count).fill(pack(seed, channels));
  }

  get size() {
    return this.samples.length;
  }

  /** Places of `n` different samples. */
  draw(n, rng) {
    return rng.permutation(this.size).slice(0, n);
  }

  /** A copy of the sample at a place, `(c, h, w)`. */
  take(place) {
    return unpack(this.samples[place], this.channels);
  }

  put(place, x) {
    this.samples[place] = pack(x, this.channels);
  }
}
