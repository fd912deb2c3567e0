// A gallery organism: alive, to be damaged, taken along, and taken as a model for one's own.

import { icon, make } from "./elements.js";
import { ask, at } from "./server.js";
import { downloads, metricsTable } from "./panels.js";
import { mount } from "../player/player.js";

const GROWN = "It grew from one cell. Erase a part of it with the pointer and see it heal; paint on it; plant a second one.";
const PAINTED = "It paints photos. Drop one of yours onto it; hold U to see the photo beneath.";
const INFECTED = "It grew from one cell. Click to infect it, and watch the infection make something else of it.";
const ENDLESS = "It grew from nothing, and goes on for ever. Erase a hole with the pointer and see it grow over.";

/** Open the page of organism `name` in `host`. */
export async function gallery(host, { name }) {
  const [card, payload] = await Promise.all([one(name), ask(at("api", "gallery", name, "player"))]);
  const stage = make("div", { class: "player-place" });
  const href = `#/new?like=gallery/${encodeURIComponent(name)}`;
  const words = make("span", { text: "Train your own like this" });
  const more = make("a", { class: "button primary", href }, icon("plus"), words);
  const intro = make("div", {}, make("h1", { text: name }), make("p", { class: "lead small", text: described(payload) }), more);
  const side = make(
    "div",
    { class: "side" },
    intro,
    metricsTable(card),
    downloads("gallery", name, card.files ?? []),
  );
  const back = make("a", { class: "back", href: "#/" }, icon("back"), make("span", { text: "Home" }));
  host.append(back, make("div", { class: "bench" }, make("div", { class: "living" }, stage), side));
  const player = mount(stage, payload, {});
  return () => player.destroy();
}

/** What a person may do with a model. */
function described({ layout, start }) {
  if (layout.strain !== null) return INFECTED;
  if (layout.frozen) return PAINTED;
  return layout.alpha === null && !start ? ENDLESS : GROWN;
}

async function one(name) {
  const { gallery: cards } = await ask("/api/home");
  return cards.find((card) => card.name === name) ?? { name, metrics: {} };
}
