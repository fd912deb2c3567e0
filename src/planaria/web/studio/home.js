// Home: what grew here, what grows now, and the ten that came along.

import { ago, chip, icon, log10, make, tell, unload } from "./elements.js";
import { ask, listen } from "./server.js";
import { specimen } from "./specimen.js";

const LEAD = `Train one tiny rule for thousands of cells. From a single one they grow your picture, keep it, and heal when
  you cut. Try it: cut this one.`;
const OWN = "Drop a picture, type an emoji or a word. You watch it learn, live, on this page.";
const GROWN = "Ten organisms came along. Cut one in half with your finger and see it come back.";

/** The card of a run or model: a living film and a few words. `drawn`: pictures that the studio can draw. */
function tile(kind, drawn) {
  const film = make("img", { alt: "", loading: "lazy", decoding: "async", hidden: true });
  const seed = make("span", { class: "seed", "aria-hidden": "true" });
  const stage = make("span", { class: "stage" }, seed, film);
  const name = make("span", { class: "tile-name" });
  const state = chip();
  const facts = make("span", { class: "tile-facts" });
  const mark = kind === "run" ? state.element : null;
  const text = make("span", { class: "tile-text" }, name, mark, facts);
  const element = make("a", { class: `tile tile-${kind}` }, stage, text);
  let shown = "";
  film.addEventListener("load", () => (seed.hidden = true));
  film.addEventListener("error", () => (film.hidden = true));
  const update = (card) => {
    element.href = `#/${kind}/${encodeURIComponent(card.name)}`;
    const picture = card.film ?? card.still ?? sketch(card, drawn);
    stage.classList.toggle("ghost", !card.film);
    if (picture !== shown) {
      shown = picture;
      film.hidden = !picture;
      seed.hidden = false;
      if (picture) film.src = picture;
    }
    tell(name, card.name);
    state.set(card.state, card.step, card.steps);
    tell(facts, kind === "run" ? about(card) : rested(card));
  };
  return { element, update };
}

/** What a run without a film is to become; null where the studio can't draw it. */
function sketch(card, drawn) {
  const known = drawn.has(card.picture) || /^(text:.{1,40}$|scene:[a-z]+$|\p{Extended_Pictographic})/u.test(card.picture);
  const taken = /(^|[\\/])\.pictures[\\/]/.test(card.picture);
  return known || taken ? `/api/thumb?source=${encodeURIComponent(card.picture)}` : null;
}

function about(card) {
  if (card.trouble) return card.trouble;
  const loss = typeof card.loss === "number" ? `log10 loss ${log10(card.loss)} \u00b7 ` : "";
  return [loss + ago(card.changed), card.badge].filter(Boolean).join(" \u00b7 ");
}

function rested(card) {
  const cells = card.grid?.length === 2 ? `${card.grid[1]} \u00d7 ${card.grid[0]}` : (card.picture ?? "");
  return [cells, card.badge].filter(Boolean).join(" \u00b7 ");
}

/** Open the page in `host`; gives the function that leaves it. */
export async function home(host) {
  let found = await ask("/api/home");
  const top = hero(found.gallery);
  const drawn = new Set(found.gallery.map((card) => card.picture));
  const runs = shelf("run", "Yours", "runs", drawn);
  const gallery = shelf("gallery", "Ten that came along", "gallery", drawn);
  const count = make("span", { class: "count" });
  runs.head.append(count);
  const hint = "Grown from one cell, cut in half, healed. Open one and cut it.";
  gallery.head.append(make("p", { class: "muted", text: hint }));
  const start = welcome();
  const foot = make("p", { class: "foot muted" });
  host.append(top.element, start, runs.element, gallery.element, foot);
  const show = () => {
    runs.fill(found.runs);
    gallery.fill(found.gallery);
    start.hidden = found.runs.length > 0;
    runs.element.hidden = found.runs.length === 0;
    const lively = found.runs.filter((card) => card.state === "running").length;
    tell(count, lively ? `${found.runs.length}, ${lively} growing now` : String(found.runs.length));
    tell(foot, `planaria ${found.version} \u00b7 runs in ${found.folder}`);
  };
  show();
  const wire = listen("/ws/home", {
    json: (message) => {
      if (message.type !== "home") return;
      found = { ...found, ...message };
      show();
    },
  });
  const clock = setInterval(show, 20000);
  return () => {
    clearInterval(clock);
    wire.close();
    top.close();
  };
}

function hero(cards) {
  const place = make("div", { class: "hero-specimen" });
  const words = make(
    "div",
    { class: "hero-words" },
    make("h1", { text: "Pictures that grow, and heal." }),
    make("p", { class: "lead", text: LEAD }),
    make("a", { class: "button primary big", href: "#/new" }, icon("plus"), make("span", { text: "Grow something" })),
  );
  const living = specimen(place, cards);
  return { element: make("section", { class: "hero" }, words, place), close: living.close };
}

function welcome() {
  const way = (number, title, text, href, action) =>
    make(
      "a",
      { class: "way", href },
      make("span", { class: "way-number", text: number, "aria-hidden": "true" }),
      make("h3", { text: title }),
      make("p", { text }),
      make("span", { class: "way-action", text: action }),
    );
  return make(
    "section",
    { class: "welcome", "aria-labelledby": "welcome" },
    make("h2", { id: "welcome", text: "Nothing of yours grows here yet" }),
    make("p", { class: "muted", text: "Two ways to begin, both take a minute:" }),
    make(
      "div",
      { class: "ways" },
      way("1", "Grow your own picture", OWN, "#/new", "Grow something \u2192"),
      way("2", "Play with one that is grown", GROWN, "#/gallery/lizard", "Meet the lizard \u2192"),
    ),
  );
}

function shelf(kind, title, id, drawn) {
  const tiles = new Map();
  const grid = make("div", { class: `grid grid-${kind}` });
  const head = make("div", { class: "shelf-head" }, make("h2", { id, text: title }));
  const element = make("section", { class: "shelf", "aria-labelledby": id }, head, grid);
  const fill = (cards) => {
    const names = new Set(cards.map((card) => card.name));
    for (const [name, there] of tiles) {
      if (!names.has(name)) {
        unload(there.element);
        there.element.remove();
        tiles.delete(name);
      }
    }
    cards.forEach((card, place) => {
      if (!tiles.has(card.name)) tiles.set(card.name, tile(kind, drawn));
      const there = tiles.get(card.name);
      there.update(card);
      if (grid.children[place] !== there.element) grid.insertBefore(there.element, grid.children[place] ?? null);
    });
  };
  return { element, head, fill };
}
