/** One entry of the audit log: who, what, and what it was before and after. */

import { h } from "../../lib/dom.js";
import { absolute, milliseconds, time } from "../../lib/format.js";
import { keyLink } from "../../lib/links.js";
import { copyable, emptyState, facts } from "../../lib/parts.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {import("./pages.js").AuditPages} pages
 */
export function auditDrawer(context, pages) {
  let missing;
  context.drawer({
    render: (seq, drawer) => {
      const entry = pages.find(seq);
      missing = entry ? undefined : drawer;
      if (!entry) return { title: `Entry ${seq}`, tabs: [{ name: "", title: "Entry", render: unknown }] };
      return {
        title: `Entry ${entry.seq}`,
        subtitle: [h("code", entry.action), " ", time(entry.at)],
        tabs: [
          { name: "", title: "Entry", render: () => details(entry) },
          { name: "change", title: "Before and after", render: () => change(entry) },
          { name: "json", title: "JSON", render: () => copyable(JSON.stringify(entry, null, 2), { block: true }) },
        ],
      };
    },
  });
  /** More are loaded: the drawer may know its own now. */
  return () => missing?.renderAgain();
}

const unknown = () =>
  emptyState({
    title: "This entry is not loaded",
    text: "It is none of those in the list. Remove the filters or load earlier entries, and open it again.",
  });

const details = (entry) =>
  facts([
    ["When", absolute(entry.at)],
    ["Kind", entry.kind],
    ["Key", entry.key && [keyLink(entry.key), entry.role && ` (${entry.role})`]],
    ["From", entry.address],
    ["Browser or program", entry.user_agent],
    ["Request", entry.path && h("code", `${entry.method} ${entry.path}`)],
    ["Answer", entry.status],
    ["Took", entry.duration_ms !== undefined && milliseconds(entry.duration_ms)],
    ["Details", entry.details],
    ["Request's id", entry.request_id && copyable(entry.request_id)],
    ["Hash", copyable(`${entry.seq}:${entry.hash}`)],
    ["Hash before", h("code", { class: "break" }, entry.prev)],
  ]);

/** The fields that differ, and then everything. */
function change({ before, after }) {
  if (before === undefined && after === undefined) return emptyState({ title: "Nothing is kept of what was there before or after" });
  const fields = differences(before, after);
  return [
    fields.length
      ? h(
          "table",
          { class: "table" },
          h("caption", { class: "off-screen" }, "What has changed"),
          h(
            "thead",
            h(
              "tr",
              ["Field", "Before", "After"].map((title) => h("th", { scope: "col" }, title)),
            ),
          ),
          h(
            "tbody",
            fields.map(([name, old, fresh]) =>
              h("tr", h("th", { scope: "row" }, name), h("td", { class: "wrap" }, text(old)), h("td", { class: "wrap" }, text(fresh))),
            ),
          ),
        )
      : isObject(before) && isObject(after) && h("p", { class: "muted" }, "No field differs."),
    before !== undefined && [h("h3", "Before"), copyable(JSON.stringify(before, null, 2), { block: true })],
    after !== undefined && [h("h3", "After"), copyable(JSON.stringify(after, null, 2), { block: true })],
  ];
}

const text = (value) => (value === undefined ? "–" : typeof value === "string" ? value : JSON.stringify(value));

function differences(before, after) {
  if (!isObject(before) || !isObject(after)) return [];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((name) => JSON.stringify(before[name]) !== JSON.stringify(after[name]))
    .map((name) => [name, before[name], after[name]]);
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
