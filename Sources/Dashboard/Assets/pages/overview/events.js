/** What happened last. */

import { h, list } from "../../lib/dom.js";
import { time } from "../../lib/format.js";
import { exitLink, links, poolLink } from "../../lib/links.js";
import { emptyState, panel, SEVERITY_TONES } from "../../lib/parts.js";

const SHOWN = 30;

/** @param {import("../../lib/page.js").Context} context */
export function eventsPanel(context) {
  const rows = h("ul", { class: "happened" });
  const none = emptyState({ title: "Nothing has happened yet", text: "Launches, failovers, changes of users and alerts are listed here." });
  context.subscribe("events", (items) => {
    const latest = [...items.values()].sort((left, right) => byId(right.id, left.id)).slice(0, SHOWN);
    none.hidden = latest.length > 0;
    list(rows, latest, { key: ({ id }) => id, render: row });
  });
  return panel(
    "What happened last",
    h("div", { class: "panel-scroller", tabindex: "0", role: "region", "aria-label": "The latest events" }, rows, none),
    { class: "flush happened-panel", actions: h("a", { href: "/events" }, "All events") },
  );
}

/** Ids are `milliseconds-number`. */
function byId(left, right) {
  const [leftTime, leftNumber] = left.split("-").map(Number);
  const [rightTime, rightNumber] = right.split("-").map(Number);
  return leftTime - rightTime || leftNumber - rightNumber;
}

const row = ({ at, kind, severity, message, exit, country, by }) =>
  h(
    "li",
    { class: SEVERITY_TONES[severity] ?? "idle" },
    h(
      "span",
      h("a", { class: "event-kind", href: links.events({ kind }) }, kind),
      " ",
      exit ? exitLink(exit) : country ? poolLink(country) : null,
    ),
    time(at),
    h("span", { class: "event-message" }, message, by ? `, by ${by}` : null),
  );
