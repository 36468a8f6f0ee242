/**
 * The API: search over all operations, their types and examples, and a try with the session. `/docs` and `/redoc` lead here, and as the
 * document is open to all, so is this page.
 */

import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { filters } from "../../lib/filters.js";
import { async, badge, emptyState, pageHead } from "../../lib/parts.js";
import { drawerOf } from "./drawer.js";
import { methodMark } from "./marks.js";
import { matches, operationsOf } from "./operations.js";
import { href } from "../../lib/url.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const head = pageHead("API", {
    subtitle: h(
      "span",
      "Every operation of this controller. The same as ",
      h("a", { href: "/openapi.json", target: "_blank", rel: "noopener" }, "OpenAPI 3.1"),
      ", for generators of clients.",
    ),
  });
  return [
    head,
    async(
      context.signal,
      () => api.get("/openapi.json", { signal: context.signal }),
      (document) => browser(context, document),
    ),
  ];
}

function browser(context, document) {
  const operations = operationsOf(document);
  const tags = [...new Set(operations.map(({ tag }) => tag))].sort();
  const controls = filters(context, [
    { name: "q", label: "Search", kind: "search", placeholder: "Path, word or parameter" },
    { name: "tag", label: "About", kind: "select", options: tags },
  ]);
  const box = h("div", { class: "operations" });
  context.onQuery((query) => {
    const shown = operations.filter((operation) => matches(operation, query.get("q"), query.get("tag")));
    show(box, shown.length ? groups(shown) : nothing(query.get("q")));
  });
  // Links to an operation of `/docs` have its id behind `#`, as they always had.
  const linked = operations.find(({ id }) => id === location.hash.slice(1));
  if (linked) context.query.set({ open: linked.id });
  context.drawer({ render: (id, drawer) => drawerOf(operations, id, drawer, context) });
  context.commands(
    operations.map(({ id, method, path, summary }) => ({
      title: `${method} ${path}`,
      hint: summary,
      href: href("/reference", { open: id }),
      group: "API",
    })),
  );
  return h("div", controls.element, box, h("p", { class: "hint" }, `Version ${document.info.version}`));
}

const groups = (operations) =>
  [...Map.groupBy(operations, ({ tag }) => tag)].map(([tag, list]) =>
    h(
      "section",
      { class: "panel flush", "aria-label": tag },
      h("div", { class: "panel-head" }, h("h2", tag)),
      h("ul", { class: "operation-list" }, list.map(line)),
    ),
  );

/** A line keeps the filters of the page in its link, so that the drawer closes to where it was opened. */
function line(operation) {
  const query = Object.fromEntries(new URLSearchParams(location.search));
  return h(
    "li",
    h(
      "a",
      { class: "operation", href: href("/reference", { ...query, tab: null, open: operation.id }) },
      methodMark(operation.method),
      h("code", operation.path),
      h("span", { class: "operation-summary" }, operation.summary),
      operation.role ? h("span", { class: "chip" }, operation.role) : badge("open to all", "idle"),
    ),
  );
}

const nothing = (text) =>
  emptyState({
    title: "No operation is found",
    text: `Nothing has “${text}” in its path, summary or parameters. A shorter word finds more.`,
  });
