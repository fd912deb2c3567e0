// What a person can do with a training: pause, stop, go on, train on, away with it.

import { button, confirmed, make, say, tell } from "./elements.js";
import { Refusal, ask, at } from "./server.js";

const PATIENCE = 30000;

/**
 * The buttons of run `name`; `update(status)` shows those that fit its state. `parting(true)` is called before the run
 * goes to the bin, `parting(false)` where it didn't.
 */
export function actions(name, parting) {
  const path = (what) => `${at("api", "runs", name)}/${what}`;
  const problem = make("p", { class: "problem small", role: "alert", hidden: true });
  const wait = make("p", { class: "muted wait", role: "status" });
  let status = null;
  let waiting = null;

  async function attempt(words, action) {
    problem.hidden = true;
    waiting = { state: status?.state, until: Date.now() + PATIENCE, words };
    show();
    try {
      await action();
      say(words);
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      waiting = null;
      problem.textContent = refusal.message;
      problem.hidden = false;
      show();
    }
  }

  const request = (words, json) => attempt(words, () => ask(path("request"), { method: "POST", json }));
  const resume = (json) => attempt("Starting \u2026", () => ask(path("resume"), { method: "POST", json }));
  const pause = button("pause", "Pause training", () => request("Pausing \u2026", { pause: true }), "primary");
  const unpause = button("play", "Resume training", () => request("Going on \u2026", { pause: false }), "primary");
  const again = button("again", "Go on training", () => resume({}), "primary");
  const stop = button("stop", "Stop", async () => {
    const sure = await confirmed("Stop this training?", "What it has learned is saved; it can go on later.", "Stop it");
    if (sure) request("Stopping \u2026", { stop: true });
  });
  const more = make("input", { type: "text", inputMode: "numeric", id: "more", size: 7, autocomplete: "off" });
  const onward = make("button", { class: "button", type: "submit", text: "Train on" });
  const longer = make(
    "form",
    { class: "row longer", noValidate: true, on: { submit: trainOn } },
    make("label", { for: "more", text: "Train on for" }),
    more,
    make("span", { text: "iterations" }),
    onward,
  );
  const bin = button("bin", "Move to bin", async () => {
    const what = "Its folder goes to .bin in the runs folder; nothing is deleted.";
    const sure = await confirmed(`Move ${name} to the bin?`, what, "Move it");
    if (!sure) return;
    parting(true);
    await attempt("Moving \u2026", () => ask(at("api", "runs", name), { method: "DELETE" }));
    if (problem.hidden) location.hash = "#/";
    else parting(false);
  }, "quiet");

  function trainOn(event) {
    event.preventDefault();
    const count = Number(more.value.replaceAll(",", ""));
    if (Number.isInteger(count) && count > 0) resume({ steps: (status?.steps ?? 0) + count });
    else {
      problem.textContent = "Say how many iterations, as a whole number.";
      problem.hidden = false;
      more.focus();
    }
  }

  function show() {
    const state = status?.state;
    if (waiting && (waiting.state !== state || Date.now() > waiting.until)) waiting = null;
    const lives = state === "running" || state === "paused";
    pause.hidden = state !== "running";
    unpause.hidden = state !== "paused";
    stop.hidden = !lives;
    again.hidden = !["stopped", "interrupted", "failed"].includes(state);
    longer.hidden = state !== "finished";
    bin.hidden = lives;
    for (const one of [pause, unpause, again, stop, bin, onward]) one.disabled = waiting !== null;
    tell(wait, waiting?.words ?? "");
  }

  const update = (next) => {
    status = next;
    if (!more.value && next.steps) more.value = String(Math.max(1, Math.round(next.steps / 2)));
    show();
  };
  const buttons = make("div", { class: "row" }, pause, unpause, again, stop, bin, wait);
  const element = make("div", { class: "actions" }, buttons, longer, problem);
  return { element, update };
}

const EVERY = 350;
const MOST = 6;

/**
 * Send damage on to the training pool, a few times a second; `sent(damage, problem)` is called for each.
 * A disc that lies in the one before it is the same stroke and isn't sent.
 */
export function damaging(name, sent) {
  let waiting = [];
  let last = null;
  let timer = 0;
  const flush = async () => {
    timer = 0;
    const damage = waiting.shift();
    if (!damage) return;
    timer = setTimeout(flush, EVERY);
    try {
      await ask(`${at("api", "runs", name)}/request`, { method: "POST", json: { damage } });
      sent(damage, "");
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
      waiting = [];
      sent(damage, refusal.message);
    }
  };
  const add = (damage) => {
    const disc = damage.match(/^circle\(([-\d.]+),([-\d.]+),([\d.]+)\)$/)?.slice(1).map(Number);
    if (disc && last && Math.hypot(disc[0] - last[0], disc[1] - last[1]) < Math.max(1, last[2] * 0.7)) return;
    last = disc ?? null;
    waiting = [...waiting, damage].slice(-MOST);
    timer ||= setTimeout(flush, 0);
  };
  return {
    add,
    close() {
      clearTimeout(timer);
    },
  };
}
