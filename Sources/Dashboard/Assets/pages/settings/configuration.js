/** The configuration in force. */

import { h } from "../../lib/dom.js";
import { filters } from "../../lib/filters.js";
import { badge, emptyState, panel } from "../../lib/parts.js";
import { table } from "../../lib/table.js";

/** @param {import("../../lib/page.js").Context} context */
export function configurationPanel(context) {
  let values = [];
  const controls = filters(context, [
    { name: "q", label: "Search", kind: "search", placeholder: "Search names, values and sources" },
    { name: "own", label: "Only what was set", kind: "toggle" },
  ]);
  const rows = table(context, {
    caption: "Configuration",
    key: ({ name }) => name,
    columns,
    defaultSort: "name",
    empty: () => emptyState({ title: "No setting is as the search wants", command: "sallyport config --running" }),
  });
  const draw = () => rows.update(values.filter(wanted(context.query)));
  context.onQuery(draw);
  return {
    element: panel("Configuration", [controls.element, rows.element], { class: "flush with-filters" }),
    update: (fresh) => {
      values = fresh;
      draw();
    },
  };
}

function wanted(query) {
  const text = query.get("q").toLowerCase();
  const isOwn = query.get("own") === "yes";
  return ({ name, value, from }) => (!isOwn || from !== "default") && `${name} ${value} ${from}`.toLowerCase().includes(text);
}

const columns = [
  { name: "name", title: "Setting", value: ({ name }) => name, cell: ({ name }) => h("code", name) },
  { name: "value", title: "Value", value: ({ value }) => value, class: "wrap", cell: ({ value }) => h("code", value) },
  { name: "from", title: "From", value: ({ from }) => from, cell: ({ from }) => badge(from, from === "default" ? "idle" : "info") },
];
