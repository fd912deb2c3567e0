// Two ways to train, as settings of planaria's task `grow`.

export const RECIPES = {
  quick: {
    words: "Quick",
    about: "24 cells, a few minutes",
    settings: {
      size: 24, padding: 6, damage_shape: "any", damage: 1, damage_from: 0.3,
      train: {
        steps: 1800, batch: 4, pool: 64, rollout: [32, 48], lr: 3e-3,
        lr_drops: [0.4, 0.6, 0.75, 0.88, 0.95], lr_factor: 0.5,
      },
    },
  },
  good: {
    words: "Good",
    about: "40 cells, a quarter of an hour or more",
    settings: {
      size: 40, padding: 12, damage_shape: "any", damage: 2, damage_from: 0.35,
      train: { steps: 2000, pool: 128, rollout: [60, 92], lr_drops: [0.55, 0.75, 0.9], lr_factor: 0.4 },
    },
  },
}; // prettier-ignore

/** The settings of a recipe for a picture, and over them `more`. */
export function settingsOf(recipe, picture, more = {}) {
  const { train, ...own } = RECIPES[recipe].settings;
  return { ...own, ...more, picture, train: { ...train, ...more.train } };
}
