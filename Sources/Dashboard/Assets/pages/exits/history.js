/** What an exit's probes said over time. */

import { api } from "../../lib/api.js";
import { chartGroup } from "../../lib/chart.js";
import { h } from "../../lib/dom.js";
import { milliseconds, number, percent } from "../../lib/format.js";
import { emptyState, problemNote } from "../../lib/parts.js";

/** The history keeps 2,000 samples, one each ten seconds. */
const RANGES = [
  { name: "15m", label: "15 min", seconds: 900, step: 10 },
  { name: "1h", label: "1 h", seconds: 3600, step: 10 },
  { name: "5h", label: "5 h", seconds: 18_000, step: 10 },
];

const sum = (values) => `${number(values.reduce((total, value) => total + (value ?? 0), 0))} in all`;

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {string} id
 */
export function history(context, id) {
  const group = chartGroup(context, { ranges: RANGES, initial: "15m" });
  const charts = [
    group.chart({ title: "Latency", format: milliseconds, series: [{ name: "latency", title: "latency", tone: "three" }] }),
    group.chart({
      title: "Failed probes",
      kind: "bars",
      isCount: true,
      format: number,
      summary: sum,
      series: [{ name: "failures", title: "failed", tone: "bad" }],
    }),
    group.chart({
      title: "Score",
      kind: "area",
      format: (value) => percent(value),
      series: [{ name: "score", title: "score", tone: "good" }],
    }),
  ];
  const message = h("div");
  const load = async () => {
    try {
      const { seconds, step } = group.range;
      const { samples } = await api.get(`/api/exits/${id}/health/history`, { query: { limit: seconds / step }, signal: context.signal });
      message.replaceChildren();
      if (!samples.length)
        message.replaceChildren(emptyState({ title: "No sample yet", text: "There is one each ten seconds while it is probed." }));
      const data = figures(samples.toReversed());
      for (const chart of charts) chart.update(data);
    } catch (error) {
      if (error.name !== "AbortError") message.replaceChildren(problemNote(error, load));
    }
  };
  group.onRange(load);
  followProbes(context, id, load);
  return [h("div", { class: "row" }, group.element), message, charts.map(({ element }) => element)];
}

/** Loads again when ten seconds of new probes are there. */
function followProbes(context, id, load) {
  let last = "";
  context.subscribe("exits", (items) => {
    const at = items.get(id)?.health.checked_at;
    if (!at) return;
    if (last && Date.parse(at) - Date.parse(last) < 10_000) return;
    if (last) load();
    last = at;
  });
}

const figures = (samples) => ({
  at: samples.map(({ at }) => at),
  series: {
    latency: samples.map(({ latency_ms: value }) => value ?? null),
    failures: samples.map(({ failures }) => failures ?? 0),
    score: samples.map(({ score }) => score ?? null),
  },
});
