/** What an exit has carried: totals, and figures by hour and by day. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { bytes, number } from "../../lib/format.js";
import { async } from "../../lib/parts.js";
import { usageCharts } from "../users/usage-charts.js";

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {string} path Of the usage.
 */
export function trafficTab(context, path) {
  return async(
    context.signal,
    () => api.get(path, { query: { hours: 48, days: 31 }, signal: context.signal }),
    (usage) => h("div", { class: "stack" }, totals(usage), usageCharts(context, usage)),
  );
}

/** All that was carried today, this month and ever. */
const totals = ({ today, month, total }) =>
  h(
    "table",
    { class: "table plain" },
    h(
      "thead",
      h(
        "tr",
        ["", "To users", "From users", "Connections", "Errors"].map((title, index) =>
          h("th", { scope: "col", class: index ? "numeric" : null }, title),
        ),
      ),
    ),
    h(
      "tbody",
      [
        ["Today", today],
        ["This month", month],
        ["Ever", total],
      ].map(([name, period]) =>
        h(
          "tr",
          h("th", { scope: "row" }, name),
          [bytes(period.bytes_out), bytes(period.bytes_in), number(period.connections), number(period.errors)].map((text) =>
            h("td", { class: "numeric" }, text),
          ),
        ),
      ),
    ),
  );
