/** The pools: what is wanted in each country, and what is there. */

import { h, show } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";
import { emptyState, pageHead } from "../../lib/parts.js";
import { filters } from "../../lib/filters.js";
import { table } from "../../lib/table.js";
import { columns } from "./columns.js";
import { makeDrawer, poolDrawer } from "./drawer.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const state = { pools: [], exits: new Map(), isLoaded: false };
  const summary = h("span", { role: "status" });
  const controls = filters(context, [{ name: "q", label: "Search pools", kind: "search", placeholder: "Country, city, provider, tag" }]);
  const rows = table(context, {
    caption: "Pools",
    key: ({ country }) => country,
    columns: columns(context, state),
    open: ({ country }) => country,
    empty: () => nothing(context, state),
  });
  const draw = () => {
    if (!state.isLoaded) return;
    show(summary, sentence(state.pools));
    rows.update(state.pools.filter(matches(context.query.get("q"))));
  };
  context.subscribe("exits", (items) => {
    state.exits = items;
    rows.redraw();
  });
  context.subscribe("pools", (items) => {
    state.pools = [...items.values()];
    state.isLoaded = true;
    draw();
  });
  context.onQuery(draw);
  poolDrawer(context);
  makeDrawer(context);
  return [pageHead("Pools", { subtitle: summary, actions: makeButton(context) }), controls.element, rows.element];
}

function makeButton(context) {
  if (!context.session.may("operator")) return null;
  const make = () => context.query.set({ make: "yes", open: null, tab: null }, { push: true });
  context.keys("n", "New pool", make);
  return h("button", { class: "button primary", type: "button", onclick: make }, "New pool");
}

function sentence(pools) {
  const sum = (name) => pools.filter(({ open }) => open).reduce((total, pool) => total + (pool[name] ?? 0), 0);
  if (!pools.length) return "A pool keeps the wanted number of exits of a country open.";
  return `${pools.length} ${pools.length === 1 ? "country" : "countries"}, ${sum("serving")} of ${sum("size")} wanted exits serve, ${sum("standby")} standby wanted`;
}

const matches = (text) => (pool) =>
  text
    .toLowerCase()
    .split(/\s+/)
    .every((word) =>
      [pool.country, countryName(pool.country), pool.city, pool.provider, ...(pool.tags ?? [])].join(" ").toLowerCase().includes(word),
    );

function nothing(context, state) {
  if (state.pools.length)
    return emptyState({ title: "No pool fits the search", action: h("a", { class: "button", href: "/pools" }, "Show all pools") });
  const make = h("a", { class: "button primary", href: "/pools?make=yes" }, "Make a pool");
  return emptyState({
    title: "No pool yet",
    text: "A pool keeps exits of one country open: it replaces those that fail, and keeps standbys ready.",
    action: context.session.may("operator") ? make : null,
    command: "sallyport up us --size 2",
  });
}
