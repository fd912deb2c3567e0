// `window.planaria`: what tests and embedders do without a hand.

import { CreatureView } from "./creature.js";
import { Learner } from "./learner.js";
import { checked, fromLink, openModel } from "./models.js";
import { find, prepared } from "./picture.js";
import { RECIPES, settingsOf } from "./recipes.js";

/** The interface of a playground. */
export function interfaceOf(page) {
  const player = () => {
    if (!(page.view instanceof CreatureView) || !page.view.player?.world)
      throw new Error("no creature is open; load one first");
    return page.view.player;
  };
  return Object.freeze({
    /**
     * Train without a view. `picture` is a built-in name, an emoji, `text:WORD`, a file, an ImageData or a canvas; every
     * other word is a setting of the task `grow`, or of its training: `steps` and `seed`. Gives {losses, seconds, model}.
     */
    train({
      picture = "heart",
      size,
      padding,
      steps,
      seed = 0,
      workers = 1,
      recipe = "quick",
      onprogress = null,
      ...more
    }) {
      return train({ picture, size, padding, steps, seed, workers, recipe, onprogress, more });
    },

    /** Open a model in the page: a payload, a file's bytes or blob, or the fragment of a link. */
    async load(model) {
      await page.live(await read(model));
    },

    /** Live `steps` steps on. */
    tick(steps = 1) {
      player().world.tick(steps);
      player().stir();
    },

    /** Damage the body: `left`, `circle(x,y,r)`, `noise(0.3)`, as `planaria run --erase` takes it. */
    erase(damage) {
      const { world } = player();
      world.erase(damage);
      page.view.damaged(damage);
      player().stir();
    },

    /** What is there now: `step`, `size` [rows, columns], `channels`, and `cells` (channels, rows, columns). */
    state() {
      const { world } = player();
      return { step: world.t, size: [...world.size], channels: world.channels, cells: world.read() };
    },

    /** The open creature as a blob, `safetensors`, `html` or `png`; or as the text of a `link`. */
    export(kind = "safetensors") {
      player();
      return page.view.export(kind);
    },
  });
}

async function train({ picture, size, padding, steps, seed, workers, recipe, onprogress, more }) {
  if (!Object.hasOwn(RECIPES, recipe))
    throw new Error(`there is no recipe ${recipe}; there are ${Object.keys(RECIPES).join(", ")}`);
  const pixels = await find(picture);
  const given = Object.fromEntries(
    Object.entries({ size, padding, ...more }).filter(([, value]) => value !== undefined),
  );
  const { train: changed, ...own } = given;
  const length = steps === undefined ? {} : { steps };
  const config = settingsOf(recipe, pixels.name, { ...own, train: { ...length, seed, ...changed } });
  const target = prepared(pixels, config.size, config.padding);
  const losses = [];
  let seconds = 0;
  let learner;
  try {
    await new Promise((resolve, reject) => {
      const hooks = {
        opened: () => learner.go(),
        progress: (said) => {
          losses.push(said.loss);
          seconds = said.seconds;
          onprogress?.({ step: said.step, loss: said.loss, event: said.event });
        },
        done: resolve,
        failed: ({ error }) => reject(new Error(error)),
      };
      learner = new Learner({ id: "", target, config, weights: null, name: pixels.name }, hooks, { workers });
    });
    return { losses, seconds, model: await learner.give("payload") };
  } finally {
    learner?.end();
  }
}

async function read(model) {
  if (typeof model === "string") return fromLink(model.replace(/^.*#/, ""));
  if (model instanceof Blob) return (await openModel(model)).payload;
  if (model instanceof ArrayBuffer || ArrayBuffer.isView(model)) return (await openModel(new Blob([model]))).payload;
  return checked(model);
}
