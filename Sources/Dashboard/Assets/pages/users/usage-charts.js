/** Bytes and connections by hour and by day, as charts. */

import { chartGroup } from "../../lib/chart.js";
import { h } from "../../lib/dom.js";
import { bytes, number } from "../../lib/format.js";

const RANGES = [
  { name: "48h", label: "48 hours", seconds: 48 * 3600, step: 3600 },
  { name: "31d", label: "31 days", seconds: 31 * 86_400, step: 86_400 },
];

const sum = (format) => (values) => format(values.reduce((total, value) => total + (value ?? 0), 0));

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {{days: any[], hours: any[]}} usage The newest first.
 */
export function usageCharts(context, usage) {
  const group = chartGroup(context, { ranges: RANGES, initial: "31d" });
  const charts = [
    group.chart({
      title: "To users",
      kind: "bars",
      isCount: true,
      format: bytes,
      summary: sum(bytes),
      series: [{ name: "bytes_out", title: "to users", tone: "one" }],
    }),
    group.chart({
      title: "From users",
      kind: "bars",
      isCount: true,
      format: bytes,
      summary: sum(bytes),
      series: [{ name: "bytes_in", title: "from users", tone: "two" }],
    }),
    group.chart({
      title: "Connections",
      kind: "bars",
      isCount: true,
      format: number,
      summary: sum(number),
      series: [{ name: "connections", title: "connections", tone: "three" }],
    }),
  ];
  group.onRange(({ step }) => {
    const data = figures(step === 3600 ? usage.hours : usage.days);
    for (const chart of charts) chart.update(data);
  });
  return h(
    "div",
    { class: "stack" },
    h("div", { class: "row" }, group.element, h("span", { class: "hint" }, "Hours and days of UTC")),
    charts.map(({ element }) => element),
  );
}

function figures(periods) {
  const oldestFirst = periods.toReversed();
  const series = (name) => oldestFirst.map((period) => period[name]);
  return {
    at: oldestFirst.map(({ from }) => (from.length === 10 ? `${from}T12:00:00Z` : `${from}:30:00Z`)),
    series: { bytes_in: series("bytes_in"), bytes_out: series("bytes_out"), connections: series("connections") },
  };
}
