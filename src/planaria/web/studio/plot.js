// The loss curve: each iteration faint, the running median bold, the guardian's actions dotted, a reading at the pointer;
// where there are, its named terms as thin lines and what was held out as dots.

import { log10, make, tell, whole } from "./elements.js";

const HEIGHT = 220;
const LEFT = 44;
const RIGHT = 12;
const TOP = 12;
const BOTTOM = 26;
const MEDIANS = 240;
const MOST = 6000;
const DOT = 2.6;
const AHEAD = /^frame \d+$/;
const DEEP = 2; // decades below the least loss that a term is followed to

/**
 * A plot for `host`; `add(lines, reset)` takes `{step, loss, terms, validation, event}` in place of what it had of those steps, after a
 * reset also of later ones; `close()` leaves.
 */
export function plot(host) {
  const canvas = make("canvas", { class: "plot", tabIndex: 0, role: "img", "aria-label": "Loss curve: empty" });
  const reading = make("p", { class: "plot-reading", role: "status", hidden: true });
  const empty = make("p", { class: "plot-empty muted", text: "The curve begins with the first iterations." });
  const latest = make("p", { class: "plot-event", role: "status", hidden: true });
  const legend = make("p", { class: "plot-legend muted", hidden: true });
  host.append(make("div", { class: "plot-frame" }, canvas, reading, empty), legend, latest);
  let points = [];
  let looks = []; // at what was held out
  let lines = []; // running medians: of the loss, then of each term
  let events = [];
  let pointer = null;
  let due = 0;

  const redraw = () => {
    due ||= requestAnimationFrame(() => {
      due = 0;
      draw();
    });
  };

  const add = (news, reset = false) => {
    if (!news.length) return;
    const losses = news.filter(({ loss }) => positive(loss));
    const to = reset ? Infinity : news.at(-1).step;
    const merged = (old, some) => {
      const kept = old.filter(({ step }) => step < news[0].step || step > to);
      return [...kept, ...some].sort((a, b) => a.step - b.step);
    };
    const point = ({ step, loss, terms }) => ({ step, loss, value: Math.log10(loss), terms: alike(terms) });
    points = merged(points, losses.map(point));
    if (points.length > MOST) points = points.filter((_, place) => (points.length - place) % 2); // the newest stays
    events = merged(events, news.filter(({ event }) => event));
    const held = news.filter(({ validation }) => positive(validation));
    looks = merged(looks, held.map(({ step, validation }) => ({ step, value: Math.log10(validation) })));
    const names = Object.keys(points.at(-1)?.terms ?? {});
    lines = ["", ...names].map((name) => ({ name, line: medians(points, (one) => (name ? one.terms[name] : one.value)) }));
    explain(legend, names, looks.length > 0);
    empty.hidden = points.length > 0;
    latest.hidden = events.length === 0;
    tell(latest, events.at(-1)?.event ?? "");
    const newest = points.at(-1);
    if (newest) {
      const now = `log10 loss ${log10(newest.loss)} after ${whole(newest.step)} iterations`;
      canvas.setAttribute("aria-label", `Loss curve: ${now}. Arrow keys read it.`);
    }
    redraw();
  };

  function scales(width) {
    const drawn = [...points, ...looks].map((point) => point.value);
    const least = drawn.reduce((low, value) => Math.min(low, value)) - DEEP; // else a term near 0 flattens all
    const values = [...drawn, ...lines.flatMap(({ line }) => line.map((one) => Math.max(least, one.value)))];
    values.sort((a, b) => a - b);
    const [low, high] = [0.002, 0.998].map((share) => values[Math.round(share * (values.length - 1))]);
    const pad = Math.max(0.08, 0.06 * (high - low));
    const [bottom, top] = [low - pad, high + pad];
    const [first, last] = [Math.min(points[0].step, 1), Math.max(points.at(-1).step, points[0].step + 1)];
    return {
      bottom, top, first, last,
      x: (step) => LEFT + ((step - first) / (last - first)) * (width - LEFT - RIGHT),
      y: (value) => TOP + ((top - within(value, bottom, top)) / (top - bottom)) * (HEIGHT - TOP - BOTTOM),
    };
  }

  function draw() {
    const width = Math.max(160, canvas.clientWidth);
    const ratio = devicePixelRatio || 1;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    if (!points.length) return;
    const ink = colours(canvas);
    const scale = scales(width);
    grid(pen, scale, width, ink);
    guardian(pen, scale, ink);
    faint(pen, scale, ink);
    terms(pen, scale, ink);
    bold(pen, scale, ink);
    dots(pen, scale, ink);
    if (pointer !== null) read(pen, scale, ink, width);
  }

  function faint(pen, scale, ink) {
    pen.strokeStyle = ink.light;
    pen.lineWidth = 1;
    pen.beginPath();
    let column = null;
    let [least, most] = [Infinity, -Infinity];
    const flush = () => {
      if (column === null) return;
      pen.lineTo(column, scale.y(most));
      pen.lineTo(column, scale.y(least));
    };
    for (const { step, value } of points) {
      const x = Math.round(scale.x(step) * 2) / 2;
      if (x !== column) {
        flush();
        [column, least, most] = [x, value, value];
      }
      [least, most] = [Math.min(least, value), Math.max(most, value)];
    }
    flush();
    pen.stroke();
  }

  function bold(pen, scale, ink) {
    pen.strokeStyle = ink.plum;
    pen.lineWidth = 2.2;
    pen.lineJoin = pen.lineCap = "round";
    pen.beginPath();
    for (const { step, value } of lines[0].line) pen.lineTo(scale.x(step), scale.y(value));
    pen.stroke();
  }

  function terms(pen, scale, ink) {
    pen.strokeStyle = ink.muted;
    pen.lineWidth = 1;
    for (const [place, { line }] of lines.slice(1).entries()) {
      pen.globalAlpha = 1 - (0.75 * place) / Math.max(1, lines.length - 2);
      pen.beginPath();
      for (const { step, value } of line) pen.lineTo(scale.x(step), scale.y(value));
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  function dots(pen, scale, ink) {
    pen.fillStyle = ink.leaf;
    for (const { step, value } of looks) {
      pen.beginPath();
      pen.arc(scale.x(step), scale.y(value), DOT, 0, 7);
      pen.fill();
    }
  }

  function guardian(pen, scale, ink) {
    pen.strokeStyle = ink.coral;
    pen.lineWidth = 1;
    pen.setLineDash([2, 4]);
    for (const { step } of events) {
      pen.beginPath();
      pen.moveTo(scale.x(step), TOP);
      pen.lineTo(scale.x(step), HEIGHT - BOTTOM);
      pen.stroke();
    }
    pen.setLineDash([]);
  }

  function read(pen, scale, ink, width) {
    const share = (pointer - LEFT) / (width - LEFT - RIGHT);
    const near = nearest(points, scale.first + share * (scale.last - scale.first));
    const [x, y] = [scale.x(near.step), scale.y(near.value)];
    pen.strokeStyle = ink.muted;
    pen.lineWidth = 1;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, HEIGHT - BOTTOM);
    pen.stroke();
    pen.fillStyle = ink.plum;
    pen.beginPath();
    pen.arc(x, y, 4, 0, 7);
    pen.fill();
    const event = events.find(({ step }) => Math.abs(scale.x(step) - x) < 5);
    const held = looks.find(({ step }) => Math.abs(scale.x(step) - x) < 5);
    const parts = [...short(Object.entries(near.terms)), ...(held ? [["held out", held.value]] : [])];
    const more = parts.map(([name, value]) => ` \u00b7 ${name} ${log10(10 ** value)}`).join("");
    reading.textContent = event ? event.event : `iteration ${whole(near.step)}: log10 loss ${log10(near.loss)}${more}`;
    reading.hidden = false;
    reading.style.left = `${within(x - reading.offsetWidth / 2, 0, width - reading.offsetWidth)}px`;
  }

  const point = (event) => {
    pointer = event.clientX - canvas.getBoundingClientRect().left;
    redraw();
  };
  const away = () => {
    pointer = null;
    reading.hidden = true;
    redraw();
  };
  canvas.addEventListener("pointermove", point);
  canvas.addEventListener("pointerdown", point);
  canvas.addEventListener("pointerleave", away);
  canvas.addEventListener("blur", away);
  canvas.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!way) return;
    event.preventDefault();
    const start = pointer ?? (way > 0 ? LEFT : canvas.clientWidth - RIGHT);
    pointer = within(start + way * 8, LEFT, canvas.clientWidth - RIGHT);
    redraw();
  });
  const sizes = new ResizeObserver(redraw);
  sizes.observe(canvas);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", redraw);
  return {
    add,
    close() {
      sizes.disconnect();
      scheme.removeEventListener("change", redraw);
      cancelAnimationFrame(due);
    },
  };
}

function colours(canvas) {
  const style = getComputedStyle(canvas);
  const one = (name) => style.getPropertyValue(name).trim();
  const [plum, light, coral, leaf] = [one("--plum"), one("--plum-light"), one("--coral"), one("--leaf")];
  return { plum, light, coral, leaf, line: one("--line"), muted: one("--muted") };
}

function within(value, least, most) {
  return Math.max(least, Math.min(most, value));
}

function positive(value) {
  return typeof value === "number" && value > 0;
}

/** Terms as log10, those above 0. Of the frames ahead, each is a share of the loss: times their number, it is an error. */
function alike(terms) {
  const shown = Object.entries(terms ?? {}).filter(([, value]) => positive(value));
  const count = shown.filter(([name]) => AHEAD.test(name)).length;
  return Object.fromEntries(shown.map(([name, value]) => [name, Math.log10(AHEAD.test(name) ? value * count : value)]));
}

/** Terms `[name, value]` with the first and the last of the frames ahead alone. */
function short(terms) {
  const frames = terms.filter(([name]) => AHEAD.test(name));
  return terms.filter((term) => !AHEAD.test(term[0]) || term === frames[0] || term === frames.at(-1));
}

function explain(legend, names, held) {
  const frames = names.filter((name) => AHEAD.test(name));
  const others = names.filter((name) => !AHEAD.test(name));
  const ahead = frames.length > 1 ? `${frames[0]} (dark) to ${frames.at(-1).split(" ")[1]} (light) ahead` : frames[0];
  const thin = [ahead, ...others].filter(Boolean).join(", ");
  const parts = [thin && `thin: ${thin}`, held && "dots: held out"].filter(Boolean);
  legend.hidden = parts.length === 0;
  tell(legend, parts.length ? ["bold: loss", ...parts].join(" \u00b7 ") : "");
}

/** At most `MEDIANS` points of the running median of what `of` gives, its window a thirtieth of all. */
function medians(points, of) {
  const there = points.filter((point) => of(point) !== undefined);
  const half = Math.max(1, Math.floor(there.length / 60));
  const stride = Math.max(1, Math.floor(there.length / MEDIANS));
  const found = [];
  for (let place = 0; place < there.length; place += stride) {
    const near = there.slice(Math.max(0, place - half), place + half + 1).map(of);
    near.sort((a, b) => a - b);
    found.push({ step: there[place].step, value: near[near.length >> 1] });
  }
  return found;
}

function nearest(points, step) {
  return points.reduce((best, point) => (Math.abs(point.step - step) < Math.abs(best.step - step) ? point : best));
}

/** Round numbers from `low` to `high`, about `count` of them. */
function ticks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const stride = [1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) * power;
  const found = [];
  for (let n = Math.ceil(low / stride); n * stride <= high; n++) found.push(n * stride);
  return found;
}

function grid(pen, scale, width, ink) {
  pen.font = "11px system-ui, sans-serif";
  pen.fillStyle = ink.muted;
  pen.strokeStyle = ink.line;
  pen.lineWidth = 1;
  pen.textAlign = "right";
  pen.textBaseline = "middle";
  for (const value of ticks(scale.bottom, scale.top, 5)) {
    const y = Math.round(scale.y(value)) + 0.5;
    pen.beginPath();
    pen.moveTo(LEFT, y);
    pen.lineTo(width - RIGHT, y);
    pen.stroke();
    pen.fillText(log10(10 ** value), LEFT - 8, y);
  }
  pen.textBaseline = "alphabetic";
  for (const step of ticks(scale.first, scale.last, Math.max(2, width / 90))) {
    const x = scale.x(step);
    pen.textAlign = x > width - 40 ? "right" : "center";
    pen.fillText(whole(step), x, HEIGHT - 6);
  }
}
