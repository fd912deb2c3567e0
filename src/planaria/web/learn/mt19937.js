// Random numbers as torch's CPU generator draws them: MT19937 (Matsumoto and Nishimura, 1998), and torch's own ways
// from its words to numbers.

const WORDS = 624;
const SHIFT = 397;

/** `torch.Generator().manual_seed(seed)`: the same words, so the same numbers, bit for bit. */
export class Generator {
  constructor(seed) {
    this.state = new Uint32Array(WORDS);
    this.state[0] = seed >>> 0;
    for (let i = 1; i < WORDS; i++) {
      const last = this.state[i - 1] ^ (this.state[i - 1] >>> 30);
      this.state[i] = Math.imul(1812433253, last) + i;
    }
    this.at = WORDS;
  }

  /** The next 32-bit word. */
  word() {
    if (this.at === WORDS) this.twist();
    let y = this.state[this.at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  twist() {
    const { state } = this;
    for (let k = 0; k < WORDS; k++) {
      const y = (state[k] & 0x80000000) | (state[(k + 1) % WORDS] & 0x7fffffff);
      state[k] = state[(k + SHIFT) % WORDS] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.at = 0;
  }

  /** `torch.rand(n)`: float32 in [0, 1), 24 bits each. */
  rand(n) {
    return Float32Array.from({ length: n }, () => (this.word() & 0xffffff) / 2 ** 24);
  }

  /** `tensor.uniform_(low, high)` on float32. */
  uniform(n, low, high) {
    const [first, width] = [Math.fround(low), Math.fround(Math.fround(high) - Math.fround(low))];
    return this.rand(n).map((u) => u * width + first);
  }

  /** `torch.randint(low, high, ())`: a whole number from `low` to `high - 1`, of fewer than 2**24. */
  integer(low, high) {
    return low + (this.word() % (high - low));
  }

  /** `torch.randperm(n)`. */
  permutation(n) {
    const order = Int32Array.from({ length: n }, (_, i) => i);
    for (let i = 0; i < n - 1; i++) {
      const other = i + (this.word() % (n - i));
      [order[i], order[other]] = [order[other], order[i]];
    }
    return order;
  }
}
