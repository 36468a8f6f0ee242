/** One event with everything that is known of it. */

import { h } from "../../lib/dom.js";
import { absolute, time } from "../../lib/format.js";
import { countryLink, eventsLink, exitLink, serverLink } from "../../lib/links.js";
import { copyable, emptyState, facts, severityBadge, words } from "../../lib/parts.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {import("./history.js").EventHistory} history
 */
export function eventDrawer(context, history) {
  let missing;
  context.drawer({
    render: (key, drawer) => {
      const event = history.find(key);
      missing = event ? undefined : drawer;
      if (!event) return { title: "Event", tabs: [{ name: "", title: "Event", render: unknown }] };
      return {
        title: event.kind,
        subtitle: [severityBadge(event.severity), " ", time(event.at)],
        tabs: [
          { name: "", title: "Event", render: () => details(event) },
          { name: "json", title: "JSON", render: () => copyable(json(event), { block: true }) },
        ],
      };
    },
  });
  /** More are loaded: the drawer may know its own now. */
  return () => missing?.renderAgain();
}

const unknown = () =>
  emptyState({
    title: "This event is not loaded",
    text: "It is older than those of the list, or is no longer kept. Load all events to look for it.",
  });

const details = (event) => [
  h("p", { class: "sentence" }, event.message),
  facts([
    ["When", absolute(event.at)],
    ["Exit", event.exit && exitLink(event.exit)],
    ["Country", event.country && countryLink(event.country)],
    ["Server", event.server && serverLink(event.server)],
    ["Reason", event.reason && words(event.reason)],
    ["Cause", event.cause],
    ["By", event.by],
    ["Id", event.id && copyable(event.id)],
  ]),
  h(
    "p",
    { class: "row" },
    eventsLink({ kind: event.kind }, "Others of this kind"),
    event.exit && eventsLink({ exit: event.exit }, `Others of ${event.exit}`),
    event.country && eventsLink({ country: event.country }, "Others of this country"),
  ),
];

/** As the API shows it: `key` and `place` are the page's own. */
const json = (event) => JSON.stringify({ ...event, key: undefined, place: undefined }, null, 2);
