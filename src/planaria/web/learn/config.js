// Settings of a growing pattern, as planaria.tasks.grow.Config has them: names, defaults, bounds and recipes.

const TEXT = { says: "text", holds: (v) => typeof v === "string" };
const FLAG = { says: "true or false", holds: (v) => typeof v === "boolean" };
const REAL = { says: "a finite number", holds: (v) => Number.isFinite(v) };
const SHARE = { says: "a number in 0..1", holds: (v) => v >= 0 && v <= 1 && REAL.holds(v) };
const SMALL = { says: "a number above 0 and at most 1", holds: (v) => v > 0 && SHARE.holds(v) };
const MEMORY = { says: "a number at least 0 and below 1", holds: (v) => v < 1 && SHARE.holds(v) };
const RATE = { says: "a number above 0 and below 100", holds: (v) => v > 0 && v < 100 && REAL.holds(v) };
const NORM = { says: "a number at least 0 and below 1e9", holds: (v) => v >= 0 && v < 1e9 && REAL.holds(v) };
const whole = (low, high) => ({
  says: high === Infinity ? `a whole number of at least ${low}` : `a whole number in ${low}..${high}`,
  holds: (v) => Number.isSafeInteger(v) && v >= low && v <= high,
});
const COUNT = whole(0, Infinity);
const choice = (...names) => ({ says: `one of ${names.join(", ")}`, holds: (v) => names.includes(v) });
const list = (one, least = 0, most = 256) => ({
  says: `${least === most ? most : `at most ${most}`} values in a list, each ${one.says}`,
  holds: (v) => Array.isArray(v) && v.length >= least && v.length <= most && v.every(one.holds),
});
const orNone = (one) => ({ says: `none, or ${one.says}`, holds: (v) => v === null || one.holds(v) });

/** Every setting: its default, and what it may be; in the order of planaria's own files. */
const SETTINGS = {
  picture: ["planarian", TEXT],
  size: [40, whole(1, 4096)],
  padding: [16, whole(0, 4096)],
  background: ["none", TEXT],
  trim: [false, FLAG],
  regime: ["regenerate", choice("grow", "persist", "regenerate")],
  loss: ["l2", choice("l1", "l2", "rms", "manhattan", "hinge")],
  damage: [null, orNone(COUNT)],
  damage_from: [0, SHARE],
  damage_shape: ["disc", choice("disc", "cut", "hole", "mixed", "any")],
  damage_mix: [[], list(TEXT)],
  certificate: [true, FLAG],
  rule: {
    channels: [16, whole(1, 4096)],
    filters: [["identity", "sobel"], list(TEXT, 1)],
    hidden: [[128], list(whole(1, 65536), 0, 16)],
    activation: ["relu", choice("relu", "leaky_relu", "elu", "gelu", "silu", "tanh")],
    bias: ["hidden", choice("none", "hidden", "all")],
    fire_rate: [0.5, SHARE],
    dt: [1, REAL],
    edge: ["zero", choice("zero", "circular", "replicate")],
    life: ["both", choice("none", "before", "after", "both")],
    life_channel: [3, whole(-(2 ** 53 - 1), Infinity)],
    life_threshold: [0.1, REAL],
    life_edge: ["same", choice("same", "zero")],
    blurs: [[], list(TEXT)],
    frozen: [0, COUNT],
    cond: [0, whole(0, 65536)],
  },
  train: {
    steps: [8000, whole(1, 10 ** 9)],
    batch: [8, whole(1, 2 ** 16)],
    pool: [1024, COUNT],
    rollout: [[64, 96], list(whole(1, 10 ** 6), 2, 2)],
    warmup: [0, COUNT],
    lr: [2e-3, RATE],
    lr_drops: [[0.25], list(SHARE)],
    lr_factor: [0.1, SMALL],
    betas: [[0.9, 0.999], list(MEMORY, 2, 2)],
    normalise: [true, FLAG],
    clip: [0, NORM],
    validate: [0, COUNT],
    plateau: [0, COUNT],
    init: ["", TEXT],
    guardian: [true, FLAG],
    seed: [0, whole(-(2 ** 53 - 1), Infinity)],
    device: ["auto", TEXT],
    engine: ["auto", TEXT],
    checkpoint: [100, whole(1, Infinity)],
  },
};

/** Former name of a setting -> its name: models and states with the former one work as before. */
const FORMER = { wound: "damage_shape" };

/** What each recipe of planaria changes. */
export const RECIPES = {
  classic: {
    regime: "regenerate", damage_shape: "disc", damage_from: 0, size: 40, padding: 16,
    train: { steps: 8000, batch: 8, pool: 1024, rollout: [64, 96], lr: 2e-3, lr_drops: [0.25], lr_factor: 0.1 },
  },
  quick: { damage: 2, damage_from: 0.5, train: { steps: 800, pool: 256, lr_drops: [0.7, 0.9], lr_factor: 0.3 } },
  demo: {
    picture: "heart", size: 28, padding: 8, damage_shape: "any", damage: 2, damage_from: 0.35,
    train: { steps: 1200, pool: 128, rollout: [44, 68], lr_drops: [0.55, 0.75, 0.9], lr_factor: 0.4 },
  },
};

/**
 * All settings: the defaults, and over them each of `layers`, as nested objects of some settings each. Throws an Error in
 * words for an unknown setting, a value out of its bounds, and values that don't fit each other.
 */
export function configOf(...layers) {
  const config = defaults(SETTINGS);
  for (const layer of layers) lay(config, layer, SETTINGS, "");
  demandFit(config);
  return config;
}

/** Settings of a rule alone, of any task: as `configOf`, for `given` over the defaults. */
export function ruleOf(given) {
  const rule = defaults(SETTINGS.rule);
  lay(rule, given, SETTINGS.rule, "rule.");
  demandRule(rule);
  return rule;
}

function defaults(settings) {
  const pairs = Object.entries(settings).map(([name, one]) => {
    return [name, Array.isArray(one) ? structuredClone(one[0]) : defaults(one)];
  });
  return Object.fromEntries(pairs);
}

function lay(config, layer, settings, prefix) {
  if (layer === null || typeof layer !== "object" || Array.isArray(layer)) {
    throw new Error(`${prefix.slice(0, -1) || "config"} must be settings by their names`);
  }
  for (const [given, value] of Object.entries(layer)) {
    const name = Object.hasOwn(FORMER, given) ? FORMER[given] : given;
    if (name !== given && Object.hasOwn(layer, name)) continue;
    if (!Object.hasOwn(settings, name)) {
      throw new Error(`there is no setting ${prefix}${name.slice(0, 80)}; there are ${Object.keys(settings).join(", ")}`);
    }
    const one = settings[name];
    if (!Array.isArray(one)) lay(config[name], value, one, `${prefix}${name}.`);
    else if (!one[1].holds(value)) {
      throw new Error(`${prefix}${name} must be ${one[1].says}, got ${String(JSON.stringify(value)).slice(0, 80)}`);
    } else config[name] = structuredClone(value);
  }
}

function demandRule({ channels, frozen, life, life_channel: channel }) {
  const own = channels - frozen;
  demand(own >= 1, `rule.channels=${channels} leaves no channel to write with rule.frozen=${frozen}`);
  demand(life === "none" || (channel >= 0 && channel < own), `rule.life_channel=${channel} is not in 0..${own - 1}`);
}

function demandFit({ damage, damage_mix: mix, rule, train }) {
  demandRule(rule);
  const { rollout, pool, batch } = train;
  const few = `rule.channels=${rule.channels}: a picture needs 4 channels (red, green, blue, alpha)`;
  demand(rule.channels - rule.frozen >= 4, few);
  demand(rollout[0] <= rollout[1], `train.rollout must be two numbers, least first, got ${rollout.join(", ")}`);
  demand(pool === 0 || pool >= batch, `train.pool=${pool} is smaller than train.batch=${batch}`);
  demand((damage ?? 0) < batch, `damage=${damage} must leave one sample of train.batch=${batch} whole`);
  demand(mix.length === 0, "damage_mix is for Python: in the browser, damage_shape alone says how samples are damaged");
}

function demand(fits, words) {
  if (!fits) throw new Error(words);
}
