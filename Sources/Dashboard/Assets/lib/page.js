/** What a page is, and what it is given while it is shown. */

import { drawers } from "./drawer.js";
import { bind } from "./keys.js";
import { live } from "./live.js";
import { provideCommands } from "./palette.js";
import { session } from "./session.js";
import { onNavigate, parameters, setParameters } from "./url.js";

/**
 * @typedef {import("./dom.js").Child | Promise<import("./dom.js").Child>} Rendered
 *
 * @typedef {object} Page
 * @property {string} title
 * @property {string} icon A name of icons.js.
 * @property {"Proxies" | "Activity" | "System"} section
 * @property {number} order Its place in the navigation.
 * @property {"" | "viewer" | "operator" | "admin"} role "" where nobody needs to be signed in.
 * @property {string} [key] `g` and this key open it.
 * @property {string[]} [topics]
 * @property {(context: Context) => Rendered} [render]
 * @property {() => Promise<{render: (context: Context) => Rendered}>} [view] The module with `render`, for a page that is loaded on demand.
 */

/** The parameters of a page's URL. */
export class Query {
  constructor(signal) {
    this.signal = signal;
  }
  /** The value of a parameter; "" for none. */
  get(name) {
    return parameters().get(name) ?? "";
  }
  /** All values of a parameter that is there more than once. */
  all(name) {
    return parameters().getAll(name);
  }
  /** A number; `otherwise` where there is none. */
  number(name, otherwise = 0) {
    const value = Number(this.get(name) || NaN);
    return Number.isFinite(value) ? value : otherwise;
  }
  /**
   * Changes parameters; null and "" remove one. Replaces the entry of the history unless `push` is true.
   * @param {Record<string, string | number | string[] | null | undefined>} changes
   * @param {{push?: boolean}} [options]
   */
  set(changes, options) {
    if (!this.signal.aborted) setParameters(changes, options);
  }
}

export class Context {
  /**
   * @param {string} path
   * @param {AbortSignal} signal
   */
  constructor(path, signal) {
    this.path = path;
    /** Aborted when the page is left. */
    this.signal = signal;
    this.query = new Query(signal);
    this.session = session;
  }

  /**
   * Calls a function now and at each change of the URL on this page.
   * @param {(query: Query) => void} change
   */
  onQuery(change) {
    onNavigate(({ path }) => path === this.path && !this.signal.aborted && change(this.query), this.signal);
    change(this.query);
  }

  /**
   * Calls a function with a topic's items when they have come, and at each change.
   * @param {string} topic
   * @param {(items: Map<string, any>, change: import("./store.js").Change) => void} change
   * @param {AbortSignal} [signal] Ends it before the page ends.
   */
  subscribe(topic, change, signal = this.signal) {
    live.store(topic).subscribe(change, AbortSignal.any([this.signal, signal]));
  }

  /** The same page's context for a part that ends before the page: a drawer, a tab. @param {AbortSignal} signal */
  within(signal) {
    return new Context(this.path, AbortSignal.any([this.signal, signal]));
  }

  /** Sets the title of the tab. @param {string} text */
  title(text) {
    document.title = `${text} · Sallyport`;
  }

  /**
   * Binds a key on this page.
   * @param {string} keys
   * @param {string} title
   * @param {(event: KeyboardEvent) => void} run
   */
  keys(keys, title, run) {
    bind(keys, title, run, { signal: this.signal, group: "On this page" });
  }

  /** Adds commands to the palette. @param {import("./palette.js").Command[]} list */
  commands(list) {
    provideCommands(() => list, this.signal);
  }

  /** Shows a drawer while its parameter is in the URL. @param {import("./drawer.js").Options} options */
  drawer(options) {
    drawers(this, options);
  }
}
