// Creatures kept in this browser (IndexedDB): what the page shows of each, and the state from which its training goes on.

const NAME = "planaria-playground";
const CREATURES = "creatures";
const STATES = "states";

/** What is kept, for the page (creatures) and for the worker that trains (states); in memory where a browser keeps nothing. */
export class Store {
  constructor(base) {
    this.base = base;
    this.memory = { [CREATURES]: new Map(), [STATES]: new Map() };
  }

  static async open() {
    try {
      const asked = indexedDB.open(NAME, 1);
      asked.onupgradeneeded = () => {
        asked.result.createObjectStore(CREATURES);
        asked.result.createObjectStore(STATES);
      };
      const base = await answer(asked);
      base.onversionchange = () => base.close();
      return new Store(base);
    } catch {
      return new Store(null);
    }
  }

  /** Whether what is put here outlives the page. */
  get lasts() {
    return this.base !== null;
  }

  /** All creatures, the newest first. */
  async creatures() {
    const all = this.base
      ? await this.do(CREATURES, "readonly", (table) => table.getAll())
      : [...this.memory[CREATURES].values()];
    return all.sort((a, b) => b.changed - a.changed);
  }

  creature(id) {
    return this.get(CREATURES, id);
  }

  keep(creature) {
    return this.put(CREATURES, creature.id, creature);
  }

  /** The state of a training, as it was kept; undefined where none is. */
  state(id) {
    return this.get(STATES, id);
  }

  keepState(id, state) {
    return this.put(STATES, id, state);
  }

  /** Forget a creature and all that belongs to it. */
  async remove(id) {
    for (const name of [CREATURES, STATES]) {
      if (this.base) await this.do(name, "readwrite", (table) => table.delete(id));
      else this.memory[name].delete(id);
    }
  }

  async get(name, id) {
    return this.base ? this.do(name, "readonly", (table) => table.get(id)) : this.memory[name].get(id);
  }

  async put(name, id, value) {
    if (this.base) await this.do(name, "readwrite", (table) => table.put(value, id));
    else this.memory[name].set(id, value);
  }

  /** The answer to one request, once all that it wrote is kept. */
  do(name, mode, ask) {
    return new Promise((resolve, reject) => {
      const change = this.base.transaction(name, mode);
      const asked = ask(change.objectStore(name));
      change.oncomplete = () => resolve(asked.result);
      change.onabort = () => reject(change.error ?? new Error("the browser keeps nothing"));
    });
  }
}

function answer(asked) {
  return new Promise((resolve, reject) => {
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("another tab holds the creatures"));
  });
}
