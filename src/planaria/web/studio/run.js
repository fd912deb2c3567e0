// A run: the organism with its newest weights, how it learns, and what can be done with it.

import { chip, icon, log10, make, span, tell, unload, whole } from "./elements.js";
import { Refusal, ask, at, listen } from "./server.js";
import { actions, damaging } from "./actions.js";
import { downloads, metricsTable, settingsTable } from "./panels.js";
import { flat } from "./new.js";
import { mount } from "../player/player.js";
import { plot } from "./plot.js";

const WEIGHTS = 1;
const POOL = 2;
const SAMPLED = "living samples"; // what is seen of a training whose task has no view of its own
const REGROW_AFTER = 300;
const FRAMES_AFTER = 60;
const HANDS_OFF = 8000;
const SILENT = "It ended without a word: the machine went down, or it was killed. Nothing is lost; it can go on.";

/** Open the page of run `name` in `host`. */
export async function run(host, { name }) {
  const path = at("api", "runs", name);
  let card = await ask(path);
  let parting = false;
  const doing = progress();
  const controls = actions(name, (away) => {
    parting = away; // what is asked for of a run on its way to the bin is missed
    if (away) unload(results);
    else quietly(refresh);
  });
  const living = organism(name);
  const pool = poolView();
  const results = make("div", { class: "results" });
  const trouble = make("section", { class: "panel trouble", hidden: true });
  const curve = make("section", { class: "panel" }, make("h2", { text: "Learning" }));
  const state = chip();
  const about = make("p", { class: "muted", text: kind(card) });
  const verdict = make("p", { class: "verdict" });
  const now = make("section", { class: "panel" }, doing.element, controls.element);
  const settings = make("div", { class: "last" });
  const main = make("div", { class: "side" }, living.element, settings);
  const side = make("div", { class: "side" }, now, trouble, curve, pool.element);
  host.append(
    make("a", { class: "back", href: "#/" }, icon("back"), make("span", { text: "Home" })),
    make("div", { class: "title" }, make("h1", { text: name }), state.element, about),
    verdict,
    make("div", { class: "bench" }, main, side),
    results,
  );
  const losses = plot(curve);

  const show = (status) => {
    card = { ...card, ...status };
    state.set(card.state, card.step, card.steps);
    doing.update(card);
    controls.update(card);
    living.update(card);
    pool.update(card);
    complain(trouble, card);
  };
  const fill = () => {
    unload(results);
    tell(verdict, sentence(card.verdict ?? ""));
    verdict.hidden = !card.verdict;
    results.replaceChildren(...finished(card, name));
    settings.replaceChildren(...settingsOf(card));
  };
  const refresh = async () => {
    const found = await ask(path);
    if (parting) return;
    card = found;
    show({});
    tell(about, kind(card));
    fill();
    if (card.model && ["finished", "stopped"].includes(card.state)) await living.settle();
    else living.grow(card.model);
  };
  const past = async (again) => {
    const { lines } = await ask(`${path}/metrics`);
    losses.add(lines, again);
  };
  const quietly = (action, ...given) => action(...given).catch((problem) => {
    if (!(problem instanceof Refusal)) throw problem;
  });
  show({});
  fill();
  living.grow(card.model);
  quietly(past, false);
  const wire = listen(`/ws/runs/${encodeURIComponent(name)}`, {
    opened: (again) => again && (quietly(refresh), quietly(past, true)),
    json: (message) => {
      if (parting) return;
      const before = card.state;
      if (message.type === "status") show(message);
      if (message.type === "metrics") losses.add(message.lines, message.reset === true);
      if (message.type === "files" || (message.type === "status" && before !== card.state)) quietly(refresh);
    },
    bytes: (what, step, buffer) => {
      if (what === WEIGHTS) living.learn(step, new Float32Array(buffer, 8));
      if (what === POOL) pool.show(step, new Uint8Array(buffer, 8));
    },
  });
  return () => {
    wire.close();
    losses.close();
    living.close();
    pool.close();
  };
}

function sentence(line) {
  return line && `${line[0].toUpperCase()}${line.slice(1)}.`;
}

function kind(card) {
  const cells = card.grid?.length === 2 ? `${card.grid[1]} \u00d7 ${card.grid[0]} cells` : "";
  const picture = String(card.picture ?? "").replace(/[\\/]+$/, "").split(/[\\/]/).pop();
  const prompts = [card.config?.prompts ?? []].flat().join(", ");
  return [card.task, picture || prompts, cells].filter(Boolean).join(" \u00b7 ");
}

/** The organism, alive with the newest weights. */
function organism(name) {
  const asleep = make("p", { class: "muted", text: "It wakes with the first weights." });
  const cell = make("div", { class: "waiting" }, make("span", { class: "seed" }), asleep);
  const place = make("div", { class: "player-place" }, cell);
  const weights = make("p", { class: "muted weights", role: "status" });
  const sent = make("p", { class: "muted sent", role: "status" });
  const share = make("input", { type: "checkbox", class: "switch", role: "switch", id: "share" });
  const anew = make("input", { type: "checkbox", class: "switch", role: "switch", id: "anew", checked: true });
  const anewWords = make("span", { text: "Grow anew as it learns" });
  const row = (input, words, ...more) => {
    const label = make("label", { class: "switch-row", for: input.id }, input, words);
    return make("div", { class: "switch-line" }, label, more);
  };
  const sharing = row(share, make("span", { text: "Damage reaches the training pool too" }), sent);
  const live = make("div", { class: "switches" }, sharing, row(anew, anewWords));
  const element = make("div", { class: "living" }, place, weights, live);
  let player = null;
  let asked = false;
  let waiting = null;
  let lives = false;
  let learning = false; // it trained while this page was open: what it ended with is newer
  let touched = 0;
  let closed = false;
  const sending = damaging(name, (damage, problem) => tell(sent, problem || `${damage} is on its way`));
  for (const kind of ["pointerdown", "keydown"]) place.addEventListener(kind, () => (touched = Date.now()));

  const ondamage = (damage) => {
    if (share.checked && lives) sending.add(damage);
  };
  const grow = async (there) => {
    if (!there || player || asked) return null;
    asked = true;
    try {
      const payload = await ask(at("api", "runs", name, "player"));
      if (closed) return;
      place.replaceChildren();
      player = mount(place, payload, { ondamage });
      if (waiting) learn(...waiting);
      else if (payload.trained) tell(weights, `weights of iteration ${whole(payload.trained)}`);
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
    } finally {
      asked = false;
    }
    return null;
  };
  const learn = (step, floats) => {
    waiting = [step, floats];
    if (!player) return grow(true);
    try {
      player.setWeights(floats);
    } catch {
      return renew(); // another run has begun under this name, of another shape
    }
    const idle = player.playing && Date.now() - touched > HANDS_OFF;
    const { start, frame } = player.world.model;
    const long = start ? FRAMES_AFTER * frame : REGROW_AFTER;
    if (anew.checked && idle && player.world.t > long) player.world.reset();
    tell(weights, `weights of iteration ${whole(step)}`);
    element.dataset.trained = step;
    return null;
  };
  const settle = async () => {
    if (!player) return grow(true);
    return learning ? renew() : null;
  };
  const renew = async () => {
    try {
      const payload = await ask(at("api", "runs", name, "player"));
      if (closed) return;
      learning = false;
      player.setModel(payload);
      tell(weights, `weights of iteration ${whole(payload.trained)}`);
    } catch (problem) {
      if (!(problem instanceof Refusal)) throw problem;
    }
  };
  return {
    element,
    grow,
    learn,
    settle,
    update(card) {
      lives = card.state === "running" || card.state === "paused";
      learning ||= lives;
      live.hidden = !lives;
      sharing.hidden = card.form?.shares === false;
      tell(anewWords, sharing.hidden ? "Begin anew as it learns" : "Grow anew as it learns");
    },
    close() {
      closed = true;
      sending.close();
      player?.destroy();
    },
  };
}

/** How far it is: a bar, numbers, the time that is left. */
function progress() {
  const bar = make("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const fact = (label) => {
    const value = make("dd");
    return { value, element: make("div", {}, make("dt", { text: label }), value) };
  };
  const [step, loss, left] = [fact("iteration"), fact("log10 loss"), fact("time left")];
  const note = make("p", { class: "muted note", role: "status" });
  let seen = [];
  const update = (card) => {
    bar.value = card.steps ? Math.min(1, card.step / card.steps) : 0;
    tell(step.value, card.steps ? `${whole(card.step)} of ${whole(card.steps)}` : whole(card.step ?? 0));
    tell(loss.value, log10(card.loss));
    const now = Date.now() / 1000;
    if (card.state !== "running" || card.step < (seen.at(-1)?.step ?? 0)) seen = [];
    const news = card.state === "running" && card.step > (seen.at(-1)?.step ?? -1);
    if (news) seen = [...seen, { now, step: card.step }].slice(-40);
    const [first, last] = [seen[0], seen.at(-1)];
    const speed = seen.length > 1 ? (last.step - first.step) / (last.now - first.now) : 0;
    const rest = card.steps - card.step;
    tell(note, card.state === "running" ? (card.note ?? "") : "");
    const none = card.state === "finished" ? "done" : "\u2013";
    tell(left.value, speed > 0 && rest > 0 ? span(rest / speed) : none);
  };
  const facts = make("dl", { class: "facts" }, step.element, loss.element, left.element);
  return { element: make("div", { class: "progress" }, bar, facts, note), update };
}

/** Samples of the training pool, as they are now. */
function poolView() {
  const image = make("img", { class: "pool", alt: "Samples of the training pool", hidden: true });
  const words = make("p", { class: "muted", text: "Samples appear while it trains." });
  const title = make("h2", { text: "Pool" });
  const element = make("section", { class: "panel" }, title, image, words);
  let address = null;
  let sampled = SAMPLED;
  return {
    element,
    show(step, content) {
      if (address) URL.revokeObjectURL(address);
      address = URL.createObjectURL(new Blob([content], { type: "image/png" }));
      image.src = address;
      image.hidden = false;
      image.dataset.step = step;
      tell(words, `${sampled} after iteration ${whole(step)}`);
    },
    update(card) {
      tell(title, card.form?.samples ?? "Pool");
      sampled = card.form?.sampled ?? sampled;
      image.classList.toggle("labelled", sampled !== SAMPLED);
      element.hidden = image.hidden && !["running", "paused"].includes(card.state);
    },
    close() {
      if (address) URL.revokeObjectURL(address);
    },
  };
}

function complain(panel, card) {
  const wrong = card.state === "failed" || card.state === "interrupted";
  panel.hidden = !wrong && !card.trouble;
  if (panel.hidden) return;
  const failed = card.state === "failed";
  const title = make("h2", { text: !wrong ? "A file is wrong" : failed ? "It failed" : "It was interrupted" });
  const why = make("p", { text: (wrong && card.note) || card.trouble || (failed ? "It ended with an error." : SILENT) });
  panel.replaceChildren(title, why, ...(card.log ? [make("pre", { text: card.log, tabIndex: 0 })] : []));
}

/** Its settings, where it says them. */
function settingsOf(card) {
  const usual = Object.fromEntries((card.fields ?? []).map((field) => [field.key, field.default]));
  return card.config ? [settingsTable(flat(card.config), usual)] : [];
}

/** What a run leaves: film and strip, metrics, downloads. */
function finished(card, name) {
  const sheet = (card.files ?? []).find((file) => ["sheet.png", "tiles.png"].includes(file.name));
  const rollout = (card.files ?? []).find((file) => file.name === "rollout.png");
  const film = card.film
    ? make(
        "section",
        { class: "panel film" },
        make("h2", { text: "Animation" }),
        make("img", { src: card.film, alt: `Film of ${name}`, class: "film-moving" }),
        card.strip ? make("img", { src: card.strip, alt: `Moments of ${name}`, class: "film-strip" }) : null,
        sheet ? make("img", { src: sheet.url, alt: `What ${name} makes of photos`, class: "film-strip film-sheet" }) : null,
        rollout ? make("img", { src: rollout.url, alt: `The video, and what ${name} makes of it alone`, class: "film-strip" }) : null,
      )
    : null;
  const takes = card.model ? downloads("runs", name, card.files ?? []) : null;
  const panels = make("div", { class: "panels" }, metricsTable(card), takes);
  return [film, panels].filter(Boolean);
}
