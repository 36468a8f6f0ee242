/** The pools: wanted, serving, standby. */

import { h } from "../../lib/dom.js";
import { poolLink } from "../../lib/links.js";
import { badge, emptyState, panel } from "../../lib/parts.js";
import { countryName } from "../../lib/format.js";
import { table } from "../../lib/table.js";

/** @param {import("../../lib/page.js").Context} context */
export function poolsPanel(context) {
  let exits = [];
  const count = (country, state) => exits.filter((exit) => exit.country === country && exit.state === state).length;
  const rows = table(context, {
    caption: "Pools",
    key: ({ country }) => country,
    sort: "pools",
    columns: [
      { name: "country", title: "Pool", value: ({ country }) => countryName(country), cell: ({ country }) => poolLink(country) },
      {
        name: "serving",
        title: "Serving",
        numeric: true,
        value: ({ serving, size }) => serving / size,
        cell: (pool) => (pool.open ? badge(`${pool.serving} of ${pool.size}`, tone(pool)) : badge("on demand", "idle")),
      },
      {
        name: "standby",
        title: "Standby",
        numeric: true,
        value: ({ country }) => count(country, "standby"),
        cell: (pool) => standby(pool, count(pool.country, "standby")),
      },
    ],
    empty: () =>
      emptyState({
        title: "No pool",
        text: "A pool keeps exits of one country open.",
        action: h("a", { class: "button", href: "/pools" }, "Pools"),
      }),
  });
  context.subscribe("exits", (items) => {
    exits = [...items.values()];
    rows.redraw();
  });
  context.subscribe("pools", (items) => rows.update([...items.values()]));
  return panel("Pools", rows.element, { class: "flush", actions: h("a", { href: "/pools" }, "All settings") });
}

const tone = ({ serving, size }) => (serving === 0 ? "bad" : serving < size ? "warn" : "good");

const standby = ({ standby: wanted }, there) => (wanted || there ? `${there} of ${wanted}` : h("span", { class: "nothing" }, "–"));
