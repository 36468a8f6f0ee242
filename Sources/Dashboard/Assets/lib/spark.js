/** Small pictures for a row: a line of figures, and a strip of probes. */

import { svg } from "./dom.js";
import { absolute, milliseconds } from "./format.js";

const WIDTH = 96;
const HEIGHT = 20;

/**
 * A line of figures, the oldest first; gaps where one is null.
 * @param {(number | null)[]} values
 * @param {{label: string}} options What it shows, with figures, for screen readers.
 */
export function sparkline(values, { label }) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const top = Math.max(...known, 1e-9);
  const x = (index) => ((index / Math.max(1, values.length - 1)) * (WIDTH - 2) + 1).toFixed(1);
  const y = (value) => (HEIGHT - 2 - (value / top) * (HEIGHT - 4)).toFixed(1);
  return picture("sparkline", label, svg("path", { d: line(values, x, y) }));
}

/** A path through the known values; a gap begins a new stroke. */
export function line(values, x, y) {
  let isDrawing = false;
  return values
    .map((value, index) => {
      const isKnown = value !== null && value !== undefined;
      const step = isKnown ? `${isDrawing ? "L" : "M"}${x(index)} ${y(value)}` : "";
      isDrawing = isKnown;
      return step;
    })
    .join("");
}

const TONES = { healthy: "good", degraded: "warn", dead: "bad", unknown: "idle" };

/**
 * One bar for each sample of probes, the oldest first; always room for 30.
 * @param {{verdict: string, failures?: number, probes?: number, latency_ms?: number, at?: string}[]} samples
 * @param {{label: string, count?: number}} options
 */
export function strip(samples, { label, count = 30 }) {
  const shown = samples.slice(-count);
  const step = WIDTH / count;
  const bars = Array.from({ length: count }, (_, index) => {
    const sample = shown[index - (count - shown.length)];
    const tone = sample
      ? sample.failures
        ? sample.verdict === "healthy"
          ? "warn"
          : (TONES[sample.verdict] ?? "idle")
        : (TONES[sample.verdict] ?? "idle")
      : "none";
    const bar = svg("rect", { class: tone, x: (index * step).toFixed(2), y: 2, width: (step - 1).toFixed(2), height: HEIGHT - 4, rx: 0.8 });
    if (sample) bar.append(svg("title", describe(sample)));
    return bar;
  });
  return picture("strip", label, bars);
}

const describe = ({ verdict, failures, probes, latency_ms: latency, at }) =>
  [
    verdict,
    probes ? `${failures ?? 0} of ${probes} probes failed` : "",
    latency === undefined ? "" : milliseconds(latency),
    at ? absolute(at) : "",
  ]
    .filter(Boolean)
    .join(", ");

/**
 * Bars of figures, the oldest first.
 * @param {{value: number, label: string}[]} values
 * @param {{label: string}} options
 */
export function bars(values, { label }) {
  const top = Math.max(...values.map(({ value }) => value), 1e-9);
  const step = WIDTH / Math.max(1, values.length);
  const all = values.map(({ value, label }, index) => {
    const height = value > 0 ? Math.max(1, (value / top) * (HEIGHT - 2)) : 0;
    return svg(
      "rect",
      {
        class: "info",
        x: (index * step).toFixed(2),
        y: (HEIGHT - height).toFixed(2),
        width: Math.max(0.5, step - 1).toFixed(2),
        height: height.toFixed(2),
      },
      svg("title", label),
    );
  });
  return picture("bars", label, all);
}

const picture = (name, label, content) =>
  svg(
    "svg",
    { class: `spark ${name}`, viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label, preserveAspectRatio: "none" },
    content,
  );
