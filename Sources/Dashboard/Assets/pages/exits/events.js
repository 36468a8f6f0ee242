/** What happened to an exit. */

import { h, list } from "../../lib/dom.js";
import { time } from "../../lib/format.js";
import { eventsLink, serverLink } from "../../lib/links.js";
import { emptyState, SEVERITY_TONES } from "../../lib/parts.js";

const SHOWN = 100;

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {string} id
 */
export function events(context, id) {
  const rows = h("ul", { class: "happened" });
  const none = emptyState({
    title: "Nothing among the latest events",
    text: "Older ones are on the page of events.",
    command: `sallyport events --follow`,
  });
  context.subscribe("events", (items) => {
    const own = [...items.values()].filter(({ exit }) => exit === id);
    own.sort((left, right) => right.at.localeCompare(left.at));
    none.hidden = own.length > 0;
    list(rows, own.slice(0, SHOWN), { key: ({ id }) => id, render: row });
  });
  return [rows, none, h("p", eventsLink({ exit: id }, `All events of ${id}`))];
}

const row = ({ at, kind, severity, message, server, by }) =>
  h(
    "li",
    { class: SEVERITY_TONES[severity] ?? "idle" },
    h("span", h("span", { class: "event-kind" }, kind), " ", server ? serverLink(server) : null),
    time(at),
    h("span", { class: "event-message" }, message, by ? `, by ${by}` : null),
  );
