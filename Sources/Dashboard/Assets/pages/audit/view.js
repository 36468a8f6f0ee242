/** Who did what: the audit log with its filters, and whether its chain holds. */

import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { number, time } from "../../lib/format.js";
import { filters } from "../../lib/filters.js";
import { keyLink } from "../../lib/links.js";
import { badge, emptyState, pageHead, problemNote } from "../../lib/parts.js";
import { table } from "../../lib/table.js";
import { auditDrawer } from "./drawer.js";
import { AuditPages } from "./pages.js";
import { verification } from "./verification.js";

const KINDS = ["change", "refused", "request", "system", "retention", "gap", "damage", "acknowledged"];
const TONES = { change: "info", refused: "warn", damage: "bad", gap: "bad", acknowledged: "warn" };
const METHODS = ["POST", "PUT", "PATCH", "DELETE", "GET", "HEAD"];

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const count = h("span", { role: "status" });
  const problem = h("div");
  const controls = filters(context, [
    { name: "path", label: "Path", kind: "search", placeholder: "Path: /api/exits, or /api/*" },
    { name: "kind", label: "Kind", kind: "select", options: KINDS },
    { name: "method", label: "Method", kind: "select", options: METHODS },
    { name: "key", label: "Key", kind: "select" },
    {
      name: "status",
      label: "Status",
      kind: "select",
      options: ["200", "201", "202", "204", "400", "401", "403", "404", "409", "422", "429", "503"],
    },
    { name: "since", label: "Since", kind: "select", options: SPANS },
  ]);
  const rows = table(context, {
    caption: "Audit log",
    key: ({ seq }) => String(seq),
    columns,
    open: ({ seq }) => String(seq),
    defaultSort: "-seq",
    empty,
  });
  const more = h("button", { class: "button", type: "button", onclick: () => pages.loadMore() }, "Load earlier entries");
  const pages = new AuditPages(context, ({ entries, next, error }) => {
    rows.update(entries);
    fill();
    show(count, `${number(entries.length)} entries are loaded${next ? "; there are earlier ones" : ""}`);
    more.hidden = !next;
    show(problem, error && problemNote(error, () => pages.load()));
  });
  const fill = auditDrawer(context, pages);
  offerKeys(context, controls);
  return [
    pageHead("Audit", { subtitle: count, actions: exportLink() }),
    verification(context),
    controls.element,
    problem,
    rows.element,
    h("p", { class: "after-table" }, more),
  ];
}

const SPANS = [
  { value: "3600", label: "the last hour" },
  { value: "86400", label: "the last day" },
  { value: "604800", label: "the last 7 days" },
  { value: "2592000", label: "the last 30 days" },
];

const exportLink = () =>
  h(
    "a",
    { class: "button", href: "/audit/export?limit=10000", download: "sallyport-audit.jsonl" },
    "Export the first 10,000 as JSON lines",
  );

const empty = () =>
  emptyState({
    title: "No entry is as the filters want",
    text: "Each change, each refused request and what the controller did by itself is kept here.",
    command: "sallyport audit list",
    action: h("a", { class: "button", href: "/audit" }, "Remove the filters"),
  });

/** Keys that have done something lately. */
async function offerKeys(context, controls) {
  try {
    const { keys } = await api.get("/audit/stats", { signal: context.signal });
    controls.setOptions("key", Object.keys(keys).sort());
  } catch {
    // The filter then offers what is in the URL; the list itself says what is wrong.
  }
}

const columns = [
  { name: "seq", title: "No.", numeric: true, value: ({ seq }) => seq },
  { name: "at", title: "When", value: ({ at }) => Date.parse(at), cell: ({ at }) => time(at) },
  { name: "kind", title: "Kind", value: ({ kind }) => kind, cell: ({ kind }) => badge(kind, TONES[kind] ?? "idle") },
  { name: "key", title: "Key", value: ({ key }) => key, cell: ({ key }) => keyLink(key) },
  {
    name: "action",
    title: "Action",
    value: ({ action }) => action,
    class: "long",
    cell: ({ action, path, method }) => h("code", path && method ? `${method} ${path}` : action),
  },
  {
    name: "status",
    title: "Status",
    numeric: true,
    value: ({ status }) => status,
    cell: ({ status }) => (status ? badge(String(status), status < 400 ? "good" : "warn") : null),
  },
  { name: "address", title: "From", optional: true, value: ({ address }) => address },
];
