// The way to the server: JSON both ways, and sockets that come back by themselves.

/** What the server refused, in one line, maybe at a field. `status` 0: it can't be reached. */
export class Refusal extends Error {
  constructor(text, field, status) {
    super(text);
    this.field = field;
    this.status = status;
  }
}

/** The JSON answer. Throws a `Refusal`. */
export async function ask(path, { method = "GET", json, body } = {}) {
  const headers = json === undefined ? {} : { "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers, body: json === undefined ? body : JSON.stringify(json) });
  } catch {
    throw new Refusal("the studio doesn't answer", null, 0);
  }
  report(true);
  const found = await answer.json().catch(() => ({}));
  if (answer.ok) return found;
  throw new Refusal(found.error ?? `the studio answered ${answer.status}`, found.field ?? null, answer.status);
}

/** The address of one thing: `at("api", "runs", name)`, each part encoded. */
export function at(...parts) {
  return "/" + parts.map(encodeURIComponent).join("/");
}

/**
 * Listen to a socket until `close()`; it connects again by itself, waiting longer each time.
 * `handlers` has `json(message)`, `bytes(kind, step, buffer)` whose content starts at byte 8, and `opened(again)`.
 */
export function listen(path, handlers) {
  let socket = null;
  let closed = false;
  let timer = 0;
  let wait = 500;
  let opened = 0;
  const connect = () => {
    socket = new WebSocket(`ws://${location.host}${path}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      wait = 500;
      report(true);
      handlers.opened?.(opened++ > 0);
    };
    socket.onmessage = ({ data }) => {
      if (typeof data === "string") return handlers.json?.(JSON.parse(data));
      const head = new DataView(data);
      return handlers.bytes?.(head.getUint32(0, true), head.getUint32(4, true), data);
    };
    socket.onclose = () => {
      if (closed) return;
      report(false);
      timer = setTimeout(connect, wait);
      wait = Math.min(8000, 2 * wait);
    };
  };
  connect();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      socket.close();
    },
  };
}

function report(reached) {
  document.dispatchEvent(new CustomEvent("reached", { detail: reached }));
}
