/** What a user has used: quotas with bars, by hour and day, by country. */

import { api, segment } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { bytes, number } from "../../lib/format.js";
import { poolLink } from "../../lib/links.js";
import { async, meter } from "../../lib/parts.js";
import { quota } from "./columns.js";
import { usageCharts } from "./usage-charts.js";

const sum = ({ bytes_in: received, bytes_out: sent }) => received + sent;

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {string} name
 */
export function usage(context, name) {
  const load = () => api.get(`/api/users/${segment(name)}/usage`, { query: { hours: 48, days: 31 }, signal: context.signal });
  const box = h("div");
  const draw = () =>
    box.replaceChildren(
      async(context.signal, load, (report) =>
        h("div", { class: "stack" }, quotas(report), usageCharts(context, report), countries(report.month)),
      ),
    );
  const again = h("button", { class: "button", type: "button", onclick: draw }, "Read again");
  draw();
  return [box, again];
}

const quotas = ({ limits, today, month, total }) =>
  h(
    "dl",
    { class: "facts quotas" },
    [
      ["Today", quota(sum(today), limits.bytes_per_day, "Today")],
      ["This month", quota(sum(month), limits.bytes_per_month, "This month")],
      ["Ever", quota(sum(total), limits.bytes_total, "Ever")],
      ["Connections today", `${number(today.connections)}, ${number(today.errors)} with an error`],
      ["At once", limits.connections ? `at most ${number(limits.connections)}` : "no limit"],
      ["In a second", limits.connections_per_second ? `at most ${number(limits.connections_per_second)} new ones` : "no limit"],
    ].map(([title, value]) => h("div", h("dt", title), h("dd", value))),
  );

/** The countries of the month, the most used first. */
function countries({ countries: all = {} }) {
  const rows = Object.entries(all).toSorted(([, left], [, right]) => sum(right) - sum(left));
  if (!rows.length) return h("p", { class: "muted" }, "Nothing was used this month.");
  const largest = Math.max(1, ...rows.map(([, used]) => sum(used)));
  return h(
    "section",
    { class: "stack" },
    h("h3", "Countries this month"),
    h(
      "ul",
      { class: "shares" },
      rows.map(([code, used]) =>
        h(
          "li",
          poolLink(code),
          meter(sum(used) / largest, { label: bytes(sum(used)), tone: "info" }),
          h("span", bytes(sum(used))),
          h("span", { class: "muted" }, `${number(used.connections)} connections`),
        ),
      ),
    ),
  );
}
