/** The items of one topic of the stream, by id, and who is told of changes. */

/**
 * @typedef {object} Change
 * @property {string[]} set The ids of items that are new or changed.
 * @property {string[]} removed The ids of items that are gone.
 * @property {boolean} all Whether everything was sent anew.
 */

export class Store {
  /** @param {number} limit The most items that are kept; the oldest go first. */
  constructor(limit = Infinity) {
    /** @type {Map<string, any>} */
    this.items = new Map();
    this.isLoaded = false;
    this.limit = limit;
    /** @type {Set<(items: Map<string, any>, change: Change) => void>} */
    this.listeners = new Set();
  }

  /**
   * Takes a message of the stream: `{all}`, or `{set, removed}`.
   * @param {{all?: Record<string, any>, set?: Record<string, any>, removed?: string[]}} message
   */
  apply({ all, set = {}, removed = [] }) {
    const change = all ? this.replace(all) : { set: Object.keys(set), removed, all: false };
    for (const [id, item] of Object.entries(set)) this.items.set(id, item);
    for (const id of removed) this.items.delete(id);
    for (const id of this.items.keys()) {
      if (this.items.size <= this.limit) break;
      this.items.delete(id);
    }
    this.isLoaded = true;
    for (const listener of [...this.listeners]) listener(this.items, change);
  }

  /** An item that is as it was stays the same object, so that its row is not drawn again. */
  replace(all) {
    const old = this.items;
    this.items = new Map();
    const set = [];
    for (const [id, item] of Object.entries(all)) {
      const last = old.get(id);
      const isSame = last !== undefined && JSON.stringify(last) === JSON.stringify(item);
      this.items.set(id, isSame ? last : item);
      if (!isSame) set.push(id);
    }
    return { set, removed: [...old.keys()].filter((id) => !this.items.has(id)), all: true };
  }

  /**
   * Calls a function now, where there is a snapshot, and at each change.
   * @param {(items: Map<string, any>, change: Change) => void} listener
   * @param {AbortSignal} signal
   */
  subscribe(listener, signal) {
    if (signal.aborted) return;
    this.listeners.add(listener);
    signal.addEventListener("abort", () => this.listeners.delete(listener));
    if (this.isLoaded) listener(this.items, { set: [...this.items.keys()], removed: [], all: true });
  }
}
