/** The events that are loaded: the latest by the stream, earlier ones by the API. */

import { api } from "../../lib/api.js";
import { toast, toastProblem } from "../../lib/toast.js";

/** Events of one request; the API's most. */
const PAGE = 1000;
/** The most that are loaded. */
const MOST = 50_000;

export class EventHistory {
  /**
   * @param {import("../../lib/page.js").Context} context
   * @param {() => void} changed Called when there are other events.
   */
  constructor(context, changed) {
    this.context = context;
    this.changed = changed;
    /** @type {Map<string, any>} */
    this.known = new Map();
    this.isLoading = false;
    /** Whether all that the store keeps are loaded. */
    this.isWhole = false;
  }

  /** Follows the stream, and loads the latest ones. */
  start() {
    this.context.subscribe("events", (items, { set }) => {
      for (const id of set) this.add(items.get(id));
      this.changed();
    });
    return this.loadLatest();
  }

  /** Each has, beside the API's fields, `key` and `place` (a number that grows with its id). */
  events() {
    return [...this.known.values()];
  }

  /** @param {string} key */
  find(key) {
    return this.known.get(key);
  }

  add(event) {
    const key = event.id ?? event.uid ?? `${event.at} ${event.kind}`;
    if (this.known.has(key)) return;
    // An event that the store had not taken yet comes again, with its id.
    if (event.id && event.uid) this.known.delete(event.uid);
    const [milliseconds, number] = (event.id ?? `${Date.parse(event.at)}-0`).split("-").map(Number);
    this.known.set(key, { ...event, key, place: milliseconds * 1000 + Math.min(number, 999) });
  }

  /** Loads the latest ones. */
  loadLatest() {
    return this.loading(async () => {
      const { events } = await this.page();
      this.isWhole = events.length < PAGE;
    });
  }

  /** Loads everything that is kept, page by page. */
  loadAll() {
    return this.loading(async () => {
      let after = "0-0";
      while (this.known.size < MOST) {
        const { events, last } = await this.page(after);
        this.changed();
        if (events.length < PAGE || last === after) break;
        after = last;
      }
      this.isWhole = true;
      toast(`${this.known.size} events are loaded`, { tone: "info" });
    });
  }

  async page(after) {
    const answer = await api.get("/api/events", { query: { limit: PAGE, after }, signal: this.context.signal });
    for (const event of answer.events) this.add(event);
    return answer;
  }

  async loading(load) {
    this.isLoading = true;
    this.changed();
    try {
      await load();
    } catch (error) {
      if (error.name !== "AbortError") toastProblem(error);
    }
    this.isLoading = false;
    if (!this.context.signal.aborted) this.changed();
  }
}
