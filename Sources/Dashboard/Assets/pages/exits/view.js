/** The exits: one row each, grouped by pool, with what their probes say and what they carry. */

import { filters } from "../../lib/filters.js";
import { h } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";
import { emptyState, pageHead } from "../../lib/parts.js";
import { table } from "../../lib/table.js";
import { exitActions, removeExit, rotateExit } from "./actions.js";
import { columns } from "./columns.js";
import { exitDrawer } from "./drawer.js";
import { fleet } from "./fleet.js";
import { groupHead } from "./group.js";

const STATES = ["serving", "degraded", "standby", "starting", "verifying", "pending", "draining", "failed", "stopped"];

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const state = fleet(context);
  const controls = filters(context, [
    { name: "q", label: "Search exits", kind: "search", placeholder: "Exit, server, address, reason" },
    { name: "country", label: "Country", kind: "select" },
    { name: "state", label: "State", kind: "select", options: STATES },
    { name: "trouble", label: "Only with trouble", kind: "toggle" },
    { name: "flat", label: "One list", kind: "toggle" },
  ]);
  const rows = table(context, {
    caption: "Exits",
    key: ({ exit }) => exit.id,
    columns: columns(),
    open: ({ exit }) => exit.id,
    group: ({ exit }) => (context.query.get("flat") ? undefined : exit.country),
    groupHead: (country) => groupHead(country, state),
    empty: () => nothing(context, state),
  });
  const draw = () => rows.update(state.rows().filter(matches(context.query)));
  state.onChange((countries) => {
    if (countries) controls.setOptions("country", countries.map(asOption));
    draw();
  });
  context.onQuery(draw);
  exitDrawer(context, state);
  shortcuts(context, state);
  return [pageHead("Exits", { subtitle: state.summary, actions: exitActions(context) }), controls.element, rows.element];
}

const asOption = (country) => ({ value: country, label: countryName(country) });

function matches(query) {
  const words = query.get("q").toLowerCase().split(/\s+/).filter(Boolean);
  const country = query.get("country");
  const state = query.get("state");
  const isTrouble = query.get("trouble") === "yes";
  return ({ exit }) =>
    (!country || exit.country === country) &&
    (!state || exit.state === state) &&
    (!isTrouble || exit.reason || exit.state === "failed" || exit.state === "degraded") &&
    words.every((word) => textOf(exit).includes(word));
}

const textOf = ({ id, country, exit_ip: address, server, reason, detail, provider, account }) =>
  [id, countryName(country), address, server?.hostname, server?.city, reason, detail, provider, account].join(" ").toLowerCase();

function nothing(context, state) {
  if (!state.isEmpty()) {
    return emptyState({
      title: "No exit fits these filters",
      action: h("a", { class: "button", href: "/exits" }, "Show all exits"),
    });
  }
  return emptyState({
    title: "No exit yet",
    text: "An exit is a VPN tunnel with a proxy. A pool keeps the wanted number of a country open.",
    action: context.session.may("operator") ? h("a", { class: "button primary", href: "/pools?make=yes" }, "Open a pool") : null,
    command: "sallyport up us",
  });
}

/** Keys for the exit whose drawer is open, or whose row has the focus. */
function shortcuts(context, state) {
  if (!context.session.may("operator")) return;
  const chosen = () => state.exit(document.activeElement?.closest("tr[data-key]")?.dataset.key ?? context.query.get("open"));
  const on = (run) => () => {
    const exit = chosen();
    if (exit) run(exit, state);
  };
  context.keys("shift+r", "Rotate this exit", on(rotateExit));
  context.keys("shift+d", "Drain and remove this exit", on(removeExit));
}
