// A training as the page sees it: the workers that do it, what they say, and what they are asked for.

const MOST_WORKERS = 4;

/** How many workers share a batch where nobody says: a core is left for the page. */
export function usualWorkers() {
  return Math.min(MOST_WORKERS, Math.max(1, (navigator.hardwareConcurrency || 2) - 1));
}

/**
 * Trains in workers. `job` is {id, target: {planes, size}, config, weights, name}; nothing is kept where its id is empty.
 * `hooks` are functions by what is said: opened, progress, weights, pool, kept, unkept, paused, done, failed.
 */
export class Learner {
  constructor(job, hooks, { share = 1, workers = usualWorkers() } = {}) {
    Object.assign(this, { hooks, running: false, pausing: false, asked: new Map(), token: 0, left: null });
    const links = Array.from({ length: workers > 1 ? workers : 0 }, () => new MessageChannel());
    this.worker = this.hire();
    const ports = links.map(({ port1 }) => port1);
    this.worker.postMessage({ kind: "open", ...job, share, ports }, ports);
    const assistants = links.map(({ port2 }) => {
      const worker = this.hire();
      worker.postMessage({ kind: "assist", port: port2 }, [port2]);
      return worker;
    });
    this.all = [this.worker, ...assistants];
  }

  hire() {
    const worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    worker.onmessage = ({ data: { kind, ...said } }) => this.hear(kind, said);
    worker.onerror = (event) => this.hear("failed", { error: event.message || "a worker can't be started here" });
    return worker;
  }

  hear(kind, said) {
    if (kind === "given") {
      this.asked.get(said.token)?.resolve(said.value);
      this.asked.delete(said.token);
      return;
    }
    const ended = ["paused", "done", "failed"].includes(kind);
    if (ended) this.running = this.pausing = false;
    if (kind === "failed") {
      for (const { reject } of this.asked.values()) reject(new Error(said.error));
      this.asked.clear();
    }
    if (!this.left) this.hooks[kind]?.(said);
    else if (kind === "kept") this.hooks.kept?.(said);
    else if (ended) {
      this.end();
      this.left();
    }
  }

  ask(kind, more = {}) {
    this.worker.postMessage({ kind, ...more });
  }

  /** The model's `file` (bytes), or its `payload` for the player. */
  give(what) {
    return new Promise((resolve, reject) => {
      this.asked.set(++this.token, { resolve, reject });
      this.ask("give", { what, token: this.token });
    });
  }

  go() {
    this.running = true;
    this.ask("go");
  }

  /** Stop after the iteration that is being done; `paused` or `done` is said then. */
  pause() {
    this.pausing = true;
    this.ask("pause");
  }

  /** Finish the iteration, keep it and end: nobody listens any more; `left()` then. */
  leave(left) {
    this.left = left;
    this.pause();
  }

  /** End it where it stands: what it kept stays kept. */
  end() {
    this.running = false;
    for (const worker of this.all) worker.terminate();
  }
}
