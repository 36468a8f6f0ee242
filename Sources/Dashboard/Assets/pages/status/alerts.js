/** What needs somebody: the remedy first. */

import { h, list } from "../../lib/dom.js";
import { sentence, time } from "../../lib/format.js";
import { panel, SEVERITY_TONES, severityBadge } from "../../lib/parts.js";

const ORDER = ["critical", "error", "warning", "notice", "info"];

/** @param {import("../../lib/page.js").Context} context */
export function alertsPanel(context) {
  const rows = h("ul", { class: "alerts" });
  const none = h(
    "p",
    { class: "muted no-alert" },
    "No alert. What needs somebody is listed here, with what to do; `sallyport status` shows it in a shell.",
  );
  context.subscribe("alerts", (items) => {
    const alerts = [...items.values()].sort(
      (left, right) => ORDER.indexOf(left.severity) - ORDER.indexOf(right.severity) || left.since.localeCompare(right.since),
    );
    none.hidden = alerts.length > 0;
    list(rows, alerts, { key: ({ id }) => id, render: row });
  });
  return panel("Alerts", [rows, none], { class: "flush" });
}

const row = ({ severity, message, remedy, since }) =>
  h(
    "li",
    { class: SEVERITY_TONES[severity] ?? "idle" },
    h("div", { class: "alert-text" }, h("strong", sentence(remedy)), h("p", { class: "muted" }, sentence(message))),
    h("div", { class: "alert-side" }, severityBadge(severity), time(since)),
  );
