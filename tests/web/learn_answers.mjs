// Answers of the trainer's parts to cases that a test in Python asks, JSON in and out: `{name: [case, ...]}` to
// `{name: [answer, ...]}`. Floats go as base64 both ways, so that not one bit is lost.

import { readFileSync } from "node:fs";

import { Adam, clip, normalise } from "../../src/planaria/web/learn/adam.js";
import { RECIPES, configOf } from "../../src/planaria/web/learn/config.js";
import { applied, drawn, parse } from "../../src/planaria/web/learn/damage.js";
import { readModel } from "../../src/planaria/web/learn/files.js";
import { trouble } from "../../src/planaria/web/learn/guardian.js";
import { fromLink, linkOf } from "../../src/planaria/web/learn/link.js";
import { lossOf, slopeOf } from "../../src/planaria/web/learn/loss.js";
import { Generator } from "../../src/planaria/web/learn/mt19937.js";
import { bank, initial, spread } from "../../src/planaria/web/learn/rule.js";
import { read, write } from "../../src/planaria/web/learn/safetensors.js";
import { centred } from "../../src/planaria/web/learn/target.js";

const out = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const floats = (text) => new Float32Array(bytes(text).buffer);

const ANSWERS = {
  numbers({ seed }) {
    const rng = new Generator(seed);
    const found = [rng.integer(64, 97), out(rng.rand(700)), [...rng.permutation(1024)]];
    return [...found, out(rng.uniform(99, -0.1767, 0.1767)), rng.word()];
  },
  masks: ({ kind, n, size, seed }) => drawn(kind, n, size, new Generator(seed)).map((gone) => [...gone].join("")),
  initial: ({ rule, seed }) => out(initial(rule, seed)),
  bank: ({ filters }) => bank(filters),
  spread: ({ blurs }) => spread(blurs, 16),
  centred: ({ target, size, reach }) => out(centred(floats(target), size, reach)),
  config: () => [configOf(), Object.fromEntries(Object.entries(RECIPES).map(([name, one]) => [name, configOf(one)]))],
  loss({ name, x, target, share }) {
    const gradient = new Float32Array(floats(x).length);
    slopeOf(name, floats(x), floats(target), share, gradient);
    return [lossOf(name, floats(x), floats(target)), out(gradient)];
  },
  adam({ weights, gradients, lr, betas, most }) {
    const [changed, adam] = [floats(weights), new Adam(floats(weights))];
    for (const one of gradients) {
      const gradient = floats(one);
      if (most) clip([gradient], most);
      else normalise([gradient]);
      adam.update(changed, gradient, lr, betas);
    }
    return out(changed);
  },
  applied: ({ x, damage, ...where }) => out(applied(floats(x), parse(damage), where)),
  trouble: ({ x, loss, recent, alpha }) => trouble(x.map(floats), loss ?? NaN, recent, alpha),
  copied({ file }) {
    const { header, tensors } = read(bytes(file));
    return out(write(tensors, header));
  },
  payload: ({ file }) => readModel(bytes(file)).payload,
  linked: async ({ payload }) => fromLink(await linkOf(payload)),
  link: ({ payload }) => linkOf(payload),
};

const asked = JSON.parse(readFileSync(0, "utf8"));
const answers = {};
for (const [name, cases] of Object.entries(asked)) {
  answers[name] = await Promise.all(cases.map((one) => ANSWERS[name](one)));
}
process.stdout.write(JSON.stringify(answers));
