/** A webhook's latest tries. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { milliseconds, time } from "../../lib/format.js";
import { links } from "../../lib/links.js";
import { async, badge, emptyState } from "../../lib/parts.js";

export const deliveries = (drawer, hook) =>
  async(
    drawer.signal,
    () => api.get(`/api/webhooks/${hook.id}/deliveries`, { query: { limit: 200 }, signal: drawer.signal }),
    ({ deliveries }) => (deliveries.length ? list(deliveries) : none()),
  );

const none = () =>
  emptyState({ title: "Nothing has been sent yet", text: "Each try is listed here with the receiver's answer. Send a test to see one." });

const TITLES = ["When", "Event", "Result", "Took"];

const list = (deliveries) =>
  h(
    "div",
    { class: "table-scroller", tabindex: "0", role: "region", "aria-label": "Deliveries" },
    h(
      "table",
      { class: "table" },
      h("caption", { class: "off-screen" }, "Deliveries, newest first"),
      h(
        "thead",
        h(
          "tr",
          TITLES.map((title) => h("th", { scope: "col" }, title)),
        ),
      ),
      h("tbody", deliveries.map(row)),
    ),
  );

const row = ({ at, event, kind, attempt, delivered, status, error, duration_ms: took }) =>
  h(
    "tr",
    h("td", time(at)),
    h(
      "td",
      event === "test" ? "test" : h("a", { href: links.events({ open: event }) }, kind),
      attempt > 1 && h("span", { class: "muted" }, `, try ${attempt}`),
    ),
    h(
      "td",
      { class: "wrap" },
      badge(delivered ? `taken${status ? ` (${status})` : ""}` : (error ?? `refused (${status})`), delivered ? "good" : "bad"),
    ),
    h("td", { class: "numeric" }, milliseconds(took)),
  );
