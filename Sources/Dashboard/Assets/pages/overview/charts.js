/** Figures over the time range that all charts share. */

import { api } from "../../lib/api.js";
import { now } from "../../lib/clock.js";
import { h } from "../../lib/dom.js";
import { milliseconds, number, rate } from "../../lib/format.js";
import { loader } from "../../lib/parts.js";

const sum = (values) => number(values.reduce((total, value) => total + (value ?? 0), 0));

/** What each chart shows, by the names of `/api/metrics`. */
const CHARTS = [
  {
    title: "Traffic",
    kind: "area",
    format: rate,
    series: [
      { name: "proxy_bytes_out_per_second", title: "to users" },
      { name: "proxy_bytes_in_per_second", title: "from users" },
    ],
  },
  { title: "Probe latency", kind: "line", format: milliseconds, series: [{ name: "probe_latency_ms", title: "median", tone: "three" }] },
  {
    title: "Connections",
    kind: "line",
    format: (value) => `${number(value)}/s`,
    series: [
      { name: "proxy_connections_per_second", title: "all", tone: "one" },
      { name: "proxy_errors_per_second", title: "with an error", tone: "bad" },
    ],
  },
  {
    title: "Failovers",
    kind: "bars",
    isCount: true,
    format: number,
    summary: sum,
    series: [{ name: "failovers", title: "failovers", tone: "warn" }],
  },
  {
    title: "Failed probes",
    kind: "bars",
    isCount: true,
    format: number,
    summary: sum,
    series: [{ name: "probes_failed", title: "failed probes", tone: "bad" }],
  },
  {
    title: "Exits",
    kind: "line",
    isCount: true,
    format: number,
    series: [
      { name: "exits_wanted", title: "wanted", tone: "idle" },
      { name: "exits_serving", title: "serving", tone: "good" },
    ],
  },
];

const NAMES = CHARTS.flatMap(({ series }) => series.map(({ name }) => name)).join(",");

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("../../lib/chart.js").chartGroup>} group
 */
export function charts(context, group) {
  const all = CHARTS.map((options) => group.chart(options));
  const { problem, load } = loader(async () => {
    const { seconds, step } = group.range;
    const since = new Date(now() - seconds * 1000).toISOString();
    const figures = await api.get("/api/metrics", { query: { since, step, series: NAMES }, signal: context.signal });
    all.forEach((chart) => chart.update(figures));
  });
  group.onRange(load);
  // The topic says that there is a new sample; a snapshot comes with the page, which has asked already.
  context.subscribe("figures", (_, { all: isSnapshot }) => !isSnapshot && load());
  return [
    problem,
    h(
      "div",
      { class: "charts" },
      all.map(({ element }) => element),
    ),
  ];
}
