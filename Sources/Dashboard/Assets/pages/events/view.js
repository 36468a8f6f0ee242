/** What happened: filtered by the URL, with new events as they come. */

import { h, show } from "../../lib/dom.js";
import { countryName, time } from "../../lib/format.js";
import { countryLink, exitLink, serverLink } from "../../lib/links.js";
import { emptyState, pageHead, severityBadge, words } from "../../lib/parts.js";
import { filters } from "../../lib/filters.js";
import { table } from "../../lib/table.js";
import { eventDrawer } from "./drawer.js";
import { EventHistory } from "./history.js";
import { matches, SEVERITIES } from "./matching.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const history = new EventHistory(context, () => draw());
  const count = h("span", { role: "status" });
  const more = h("button", { class: "button", type: "button", onclick: () => history.loadAll() }, "Load all that are kept");
  const controls = filters(context, [
    { name: "q", label: "Search", kind: "search", placeholder: "Search messages, exits, servers" },
    { name: "severity", label: "Severity", kind: "select", options: SEVERITIES },
    { name: "kind", label: "Kind", kind: "select" },
    { name: "country", label: "Country", kind: "select" },
    { name: "exit", label: "Exit", kind: "select" },
  ]);
  const rows = table(context, {
    caption: "Events",
    key: ({ key }) => key,
    columns,
    open: ({ key }) => key,
    defaultSort: "-at",
    empty: () => empty(),
  });

  function draw() {
    const events = history.events();
    offer(controls, events);
    const shown = events.filter(matches(context.query));
    rows.update(shown);
    fill();
    show(count, `${shown.length} of ${events.length} events that are loaded`);
    more.hidden = history.isWhole;
    more.disabled = history.isLoading;
    show(more, history.isLoading ? "Loading" : "Load all that are kept");
  }
  const empty = () =>
    history.events().length
      ? emptyState({
          title: "No event is as the filters want",
          text: "Events before those that are loaded may be.",
          action: h("a", { class: "button", href: "/events" }, "Remove the filters"),
        })
      : emptyState({
          title: "Nothing has happened yet",
          text: "Launches, failovers, changes of users and alerts are listed here.",
          command: "sallyport up us",
        });

  const fill = eventDrawer(context, history);
  history.start();
  context.onQuery(draw);
  return [pageHead("Events", { subtitle: count, actions: more }), controls.element, rows.element];
}

const columns = [
  { name: "at", title: "When", numeric: true, class: "start", value: ({ place }) => place, cell: ({ at }) => time(at) },
  {
    name: "severity",
    title: "Severity",
    value: ({ severity }) => SEVERITIES.indexOf(severity),
    cell: ({ severity }) => severityBadge(severity),
  },
  { name: "kind", title: "Kind", value: ({ kind }) => kind, cell: ({ kind }) => h("code", kind) },
  {
    name: "about",
    title: "About",
    value: ({ exit, country, server }) => exit ?? (country && countryName(country)) ?? server,
    cell: ({ exit, country, server }) => (exit ? exitLink(exit) : country ? countryLink(country) : serverLink(server)),
  },
  { name: "message", title: "What happened", value: ({ message }) => message, class: "long" },
  { name: "reason", title: "Reason", optional: true, value: ({ reason }) => reason && words(reason) },
  { name: "by", title: "By", optional: true, value: ({ by }) => by },
];

/** The kinds, countries and exits that occur. */
function offer(controls, events) {
  const values = (name) => [...new Set(events.map((event) => event[name]).filter(Boolean))].sort();
  controls.setOptions("kind", values("kind"));
  controls.setOptions(
    "country",
    values("country").map((value) => ({ value, label: countryName(value) })),
  );
  controls.setOptions("exit", values("exit"));
}
