// What comes into the playground is not trusted: pages of planaria that are damaged, or made to do harm.

import assert from "node:assert/strict";
import { test } from "node:test";

import { payloadOf } from "../../src/planaria/web/learn/payload.js";
import { configOf } from "../../src/planaria/web/learn/config.js";
import { initial, layoutOf } from "../../src/planaria/web/learn/rule.js";
import { checked, openModel } from "../../src/planaria/web/playground/models.js";
import { settingsOf } from "../../src/planaria/web/playground/recipes.js";

const NASTY = [
  null,
  undefined,
  true,
  -1,
  0,
  0.5,
  1e9,
  2 ** 53,
  NaN,
  "",
  "AAAA",
  "!",
  [],
  {},
  [[]],
  "__proto__",
  "1".repeat(9999),
];
const { rule } = configOf({ rule: { hidden: [8] } });
const payload = payloadOf({
  rule, layout: layoutOf(rule), grid: [20, 24], flat: initial(rule, 1), name: "m", trained: 5, length: 60, frame: 1,
}); // prettier-ignore

function page(model) {
  const html = `<!doctype html>\n<script type="application/json" id="planaria-model">${JSON.stringify(model)}</script>`;
  return new Blob([html]);
}

/** Every place in a value, as [holder, key]. */
function places(value) {
  if (value === null || typeof value !== "object") return [];
  return Object.keys(value).flatMap((key) => [[value, key], ...places(value[key])]);
}

test("a page gives the model in it", async () => {
  const { payload: found, bytes } = await openModel(page(payload));
  assert.deepEqual(JSON.parse(JSON.stringify(found)), JSON.parse(JSON.stringify(payload)));
  assert.equal(bytes, null);
});

test("a damaged page is an Error in one line, or a whole model", async () => {
  let refused = 0;
  const count = places(structuredClone(payload)).length;
  for (let i = 0; i < count; i++) {
    for (const value of NASTY) {
      const model = structuredClone(payload);
      const [holder, key] = places(model)[i];
      holder[key] = value;
      const found = await openModel(page(model)).catch((error) => error);
      if (found instanceof Error) {
        refused++;
        assert.match(found.message, /^[^\n]{1,200}$/);
      } else {
        assert.ok(found.payload.grid.every((n) => Number.isInteger(n) && n >= 1 && n <= 1024));
        assert.equal(typeof found.payload.name, "string");
      }
    }
  }
  assert.ok(refused > count);
});

test("no page is none", async () => {
  for (const text of ["<!doctype html>", '<!doctype html><script type="application/json" id="planaria-model">{', ""]) {
    await assert.rejects(openModel(new Blob([text])), /no page with a model|file|model/);
  }
});

test("a name is short, and bounds are there", () => {
  const found = checked({ ...payload, name: "x".repeat(1000), bounds: undefined });
  assert.equal(found.name.length, 80);
  assert.deepEqual(found.bounds, [100, 100]);
});

test("recipes are settings of the task", () => {
  for (const recipe of ["quick", "good"]) {
    const config = configOf(settingsOf(recipe, "heart", { size: 16, train: { steps: 9 } }));
    assert.deepEqual([config.size, config.train.steps, config.picture], [16, 9, "heart"]);
  }
});
