/** The entries that the filters want: loaded page by page, and anew when the log has grown. */

import { api } from "../../lib/api.js";
import { now } from "../../lib/format.js";
import { onRevision } from "../../lib/revision.js";

const FILTERS = ["path", "kind", "method", "key", "status", "since"];
const PAGE = 200;
/** Milliseconds after the last letter before the log is asked. */
const PAUSE = 250;

export class AuditPages {
  /**
   * @param {import("../../lib/page.js").Context} context
   * @param {(state: {entries: any[], next?: string, error?: any}) => void} changed
   */
  constructor(context, changed) {
    this.context = context;
    this.changed = changed;
    this.entries = [];
    context.onQuery(() => this.queryChanged());
    onRevision(context, "audit", () => this.loaded !== undefined && this.load());
    context.signal.addEventListener("abort", () => clearTimeout(this.timer));
  }

  /** @param {string} seq */
  find(seq) {
    return this.entries.find((entry) => String(entry.seq) === seq);
  }

  queryChanged() {
    const wanted = JSON.stringify(FILTERS.map((name) => this.context.query.get(name)));
    if (wanted === this.wanted) return;
    const isFirst = this.wanted === undefined;
    this.wanted = wanted;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), isFirst ? 0 : PAUSE);
  }

  /** Loads the newest page. Earlier ones that were loaded are kept while the filters are the same. */
  async load() {
    const wanted = this.wanted;
    const page = await this.ask({});
    if (!page || wanted !== this.wanted) return;
    const oldest = page.entries.at(-1)?.seq ?? 0;
    const isSame = this.loaded === wanted && this.entries.some(({ seq }) => seq >= oldest);
    const earlier = isSame && page.next ? this.entries.filter(({ seq }) => seq < oldest) : [];
    this.next = earlier.length ? this.next : page.next;
    this.entries = [...page.entries, ...earlier];
    this.loaded = wanted;
    this.tell();
  }

  async loadMore() {
    const page = await this.ask({ cursor: this.next });
    if (!page) return;
    this.entries = [...this.entries, ...page.entries];
    this.next = page.next;
    this.tell();
  }

  async ask(place) {
    const { query, signal } = this.context;
    const filters = Object.fromEntries(FILTERS.map((name) => [name, query.get(name)]));
    if (filters.since) filters.since = new Date(now() - Number(filters.since) * 1000).toISOString();
    try {
      return await api.get("/audit/logs", { query: { ...filters, ...place, limit: PAGE }, signal });
    } catch (error) {
      if (error.name !== "AbortError") this.tell(error);
      return undefined;
    }
  }

  tell(error) {
    if (!this.context.signal.aborted) this.changed({ entries: this.entries, next: this.next, error });
  }
}
