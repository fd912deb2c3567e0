// What comes into the trainer from outside: settings, files and links. None of it is trusted.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { configOf, ruleOf } from "../../src/planaria/web/learn/config.js";
import { parse } from "../../src/planaria/web/learn/damage.js";
import { readModel } from "../../src/planaria/web/learn/files.js";
import { fromLink, linkOf } from "../../src/planaria/web/learn/link.js";
import { Generator } from "../../src/planaria/web/learn/mt19937.js";
import { Pool, pack, unpack } from "../../src/planaria/web/learn/pool.js";
import { write } from "../../src/planaria/web/learn/safetensors.js";

const FILE = new Uint8Array(readFileSync(new URL("../../src/planaria/gallery/heart.safetensors", import.meta.url)));
const CASES = 2000;

for (const [what, layer, message] of [
  ["a setting that there isn't", { train: { stepz: 1 } }, /no setting train\.stepz; there are steps, batch/],
  ["a name of every object", { constructor: 1 }, /no setting constructor/],
  ["a list in place of settings", { train: [1] }, /^Error: train must be settings/],
  ["a batch of halves", { train: { batch: 1.5 } }, /train\.batch must be a whole number in 1\.\.65536, got 1\.5/],
  ["an unknown regime", { regime: "kill" }, /regime must be one of grow, persist, regenerate, got "kill"/],
  ["a rate without end", { train: { lr: Infinity } }, /train\.lr must be a number above 0 and below 100/],
  ["three ends of a roll-out", { train: { rollout: [1, 2, 3] } }, /train\.rollout must be 2 values in a list/],
  ["a roll-out backwards", { train: { rollout: [9, 3] } }, /least first, got 9, 3/],
  ["a small pool", { train: { pool: 4 } }, /train\.pool=4 is smaller than train\.batch=8/],
  ["damage to all", { damage: 8 }, /must leave one sample of train\.batch=8 whole/],
  ["too few channels", { rule: { channels: 3, life: "none" } }, /a picture needs 4 channels/],
  ["life outside", { rule: { channels: 4, life_channel: 4 } }, /life_channel=4 is not in 0\.\.3/],
]) {
  test(`${what}: refused in words`, () => assert.throws(() => configOf(layer), message));
}

test("later settings lie over former ones, and nothing is shared", () => {
  const layer = { rule: { hidden: [8] }, train: { seed: 5 } };
  const config = configOf({ size: 24, train: { steps: 10 } }, layer);
  assert.deepEqual([config.size, config.train.steps, config.train.seed, config.rule.hidden], [24, 10, 5, [8]]);
  layer.rule.hidden.push(9);
  assert.deepEqual(config.rule.hidden, [8]);
  assert.equal(ruleOf({ channels: 3, life: "none" }).channels, 3);
});

for (const [text, message] of [
  ["lefty", /unknown damage lefty; there are left/],
  ["constructor", /unknown damage/],
  ["circle(1,2)", /circle takes 3 numbers/],
  ["left(1)", /left takes 0 numbers/],
  ["noise(x)", /noise takes 0 or 1/],
  ["circle(1,,2)", /circle takes 3/],
  ["centre(1e7)", /centre takes/],
]) {
  test(`damage ${text} is refused in words`, () => assert.throws(() => parse(text), message));
}

test("a pool keeps every bit of a sample, and only cells that hold something", () => {
  const x = new Float32Array(3 * 4);
  x[1] = -0;
  x[6] = 1e-40;
  const { full, held } = pack(x, 3);
  assert.deepEqual([...full], [0, 1, 1, 0]);
  assert.equal(held.length, 6);
  assert.deepEqual(new Uint32Array(unpack({ full, held }, 3).buffer), new Uint32Array(x.buffer));
  const pool = new Pool(5, x, 3);
  pool.put(2, new Float32Array(12));
  assert.deepEqual([pool.take(1)[6] > 0, pool.take(2)[6]], [true, 0]);
});

/** `bytes` with some of them changed, cut off, added or repeated, as `rng` has it. */
function mutated(bytes, rng) {
  const copy = bytes.slice();
  const early = () => rng.integer(0, Math.min(copy.length, 2500));
  const ways = [
    () => {
      copy[rng.integer(0, copy.length)] ^= 1;
      return copy;
    },
    () => copy.subarray(0, rng.integer(0, copy.length)),
    () => {
      for (let n = rng.integer(1, 6); n > 0; n--) copy[early()] = rng.integer(0, 256);
      return copy;
    },
    () => {
      copy[early()] = rng.integer(0x20, 0x7f);
      return copy;
    },
    () => {
      const at = early();
      copy.copyWithin(early(), at, at + rng.integer(1, 60));
      return copy;
    },
    () => {
      for (let k = 0; k < 8; k++) copy[k] = rng.integer(0, 256);
      return copy;
    },
  ];
  return ways[rng.integer(0, ways.length)]();
}

test("a file that was tampered with is read or refused in words", () => {
  const rng = new Generator(1);
  const counts = { read: 0, refused: 0 };
  for (let k = 0; k < CASES; k++) {
    try {
      const { payload } = readModel(mutated(FILE, rng));
      assert.equal(payload.weights.length, payload.rule.hidden.length + 1);
      counts.read++;
    } catch (error) {
      assert.equal(error.constructor, Error, error.stack);
      assert.ok(error.message.length < 400, error.message);
      counts.refused++;
    }
  }
  assert.ok(counts.read > 100 && counts.refused > 500, JSON.stringify(counts));
});

test("a file's sizes are compared before memory is taken", () => {
  const file = write({ "weights.0": { dtype: "F32", shape: [1], data: new Float32Array(1) } }, { format: 1 });
  const text = Buffer.from(file).toString("latin1");
  for (const shape of ["9007199254740991,1", "1e9", "-1", "2", "1.5", "1,1,1,1,1,1,1,1,1"]) {
    const changed = Buffer.from(text.replace('"shape":[1]', `"shape":[${shape}]`), "latin1");
    changed.writeBigUInt64LE(BigInt(changed.length - 12), 0);
    assert.throws(() => readModel(new Uint8Array(changed)), /this file is damaged: weights\.0/, shape);
  }
  const rule = { hidden: Array(16).fill(65536) };
  const huge = write({}, { format: 1, rule, layout: {}, card: {} });
  assert.throws(() => readModel(huge), /weights don't fit its settings/);
  assert.throws(() => readModel(new Uint8Array(FILE.buffer.slice(0, 9))), /no \.safetensors file/);
  assert.throws(() => readModel(write({}, { format: 2 })), /newer planaria \(format 2\)/);
});

test("a link that was tampered with is read or refused in words", async () => {
  const link = await linkOf(readModel(FILE).payload);
  const rng = new Generator(2);
  const letters = new TextEncoder().encode(link);
  const refused = [];
  for (let k = 0; k < CASES; k++) {
    const text = Buffer.from(mutated(letters, rng)).toString("latin1");
    try {
      await fromLink(text);
    } catch (error) {
      assert.equal(error.constructor, Error, error.stack);
      assert.ok(error.message.length < 400, error.message);
      refused.push(error.message);
    }
  }
  assert.ok(refused.length > 500, String(refused.length));
  assert.equal((await fromLink(link)).name, "heart");
});

test("a link that unpacks without end is stopped", async () => {
  const zeros = new Blob([new Uint8Array(5e7)]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const bomb = Buffer.from(await new Response(zeros).arrayBuffer()).toString("base64url");
  assert.ok(bomb.length < 3e5);
  await assert.rejects(fromLink(bomb), /this link is broken/);
  await assert.rejects(fromLink("A".repeat(4e6)), /this link is broken/);
  await assert.rejects(fromLink(""), /this link is broken/);
});
