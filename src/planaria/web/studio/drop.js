// A field for a file of this machine: dropped onto it, or chosen by a click.

import { icon, make, say } from "./elements.js";
import { ask } from "./server.js";

const MOST_BYTES = 20_000_000;

/**
 * The field, to go into a form: `kind` of the files, as the server names them, `id` of its input, `accept`ed formats and
 * the texts `title` and `hint`. `took(answer, file)` gets what the server says to each file, `fail(text)` why one can't
 * be taken; `ready()` is a promise of the last one.
 */
export function dropField({ kind, id, accept, title, hint }, took, fail) {
  const file = make("input", { type: "file", id, class: "unseen", accept });
  const words = [make("strong", { text: title }), make("span", { class: "muted", text: hint })];
  const element = make("label", { class: "drop", for: id }, file, icon("down"), ...words);
  let uploading = Promise.resolve();

  async function upload(one) {
    element.classList.add("busy");
    try {
      if (one.size > MOST_BYTES) throw new Error(`${one.name} is larger than 20 MB`);
      const answer = await ask(`/api/${kind}?name=${encodeURIComponent(one.name)}`, { method: "PUT", body: one });
      say(`${one.name} is chosen`);
      await took(answer, one);
    } catch (problem) {
      fail(problem.message);
    } finally {
      element.classList.remove("busy");
      file.value = "";
    }
  }

  function begin(one) {
    if (one) uploading = upload(one);
  }

  file.addEventListener("change", () => begin(file.files[0]));
  for (const event of ["dragenter", "dragover"]) {
    element.addEventListener(event, (drag) => {
      drag.preventDefault();
      element.classList.add("over");
    });
  }
  for (const event of ["dragleave", "drop"]) element.addEventListener(event, () => element.classList.remove("over"));
  element.addEventListener("drop", (drag) => {
    drag.preventDefault();
    begin(drag.dataTransfer.files[0]);
  });
  return { element, ready: () => uploading };
}
