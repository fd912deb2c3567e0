// The studio: one page, its places after the # of the address.

import { make, say, unload } from "./elements.js";
import { home } from "./home.js";
import { fresh } from "./new.js";
import { gallery } from "./gallery.js";
import { run } from "./run.js";

const PLACES = {
  "": { open: home, title: () => "planaria studio" },
  new: { open: fresh, title: () => "Grow something" },
  run: { open: run, title: (name) => name, named: true },
  gallery: { open: gallery, title: (name) => name, named: true },
};

const view = document.getElementById("view");
const banner = document.getElementById("banner");
let leave = () => {};
let visits = 0;

function where() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [place, name] = path.split("/");
  const known = Object.hasOwn(PLACES, place) && (!PLACES[place].named || name);
  try {
    return { place: known ? place : "", name: decodeURIComponent(name ?? ""), query: new URLSearchParams(query ?? "") };
  } catch {
    return { place: "", name: "", query: new URLSearchParams() };
  }
}

async function go() {
  const visit = ++visits;
  leave();
  leave = () => {};
  unload(view);
  const { place, name, query } = where();
  const page = make("div", { class: `page page-${place || "home"}` });
  view.replaceChildren(page);
  document.title = place ? `${PLACES[place].title(name)} \u00b7 planaria` : PLACES[place].title(name);
  for (const link of document.querySelectorAll("nav [data-route]")) {
    if (link.dataset.route === place) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  if (visit > 1) {
    window.scrollTo(0, 0);
    view.focus({ preventScroll: true });
    say(document.title);
  }
  try {
    const done = await PLACES[place].open(page, { name, query });
    if (visit === visits) leave = done;
    else done();
  } catch (error) {
    if (visit === visits) lost(page, error);
  }
}

function lost(page, error) {
  const home = make("a", { class: "button primary", href: "#/", text: "Home" });
  const again = make("button", { class: "button primary", type: "button", text: "Try again", on: { click: go } });
  page.replaceChildren(
    make(
      "section",
      { class: "lost" },
      make("h1", { text: error.status === 404 ? "Nothing lives here" : "That didn't work" }),
      make("p", { text: error.message }),
      error.status === 404 ? home : again,
    ),
  );
  if (error.status === undefined) throw error;
}

document.addEventListener("reached", ({ detail }) => {
  banner.hidden = detail;
  banner.textContent = detail ? "" : "The studio is closed; training goes on. This page waits for it.";
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  view.focus();
});
for (const kind of ["dragover", "drop"]) {
  window.addEventListener(kind, (event) => {
    if (event.dataTransfer.types.includes("Files")) event.preventDefault(); // a file beside its place opens nothing
  });
}
window.addEventListener("hashchange", go);
go();
