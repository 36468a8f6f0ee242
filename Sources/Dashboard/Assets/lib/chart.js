/** Charts over time. Those of a group share a time range, which is in the URL, and a cursor. */

import { Cursor } from "./cursor.js";
import { now } from "./clock.js";
import { h, show, svg } from "./dom.js";
import { NOTHING } from "./format.js";
import { line } from "./spark.js";
import { momentLabel, tickLabel, timeTicks, valueTicks } from "./scale.js";

/** The ranges, each with the step of the API's figures that fits it. */
export const RANGES = [
  { name: "15m", label: "15 min", seconds: 900, step: 10 },
  { name: "1h", label: "1 h", seconds: 3600, step: 10 },
  { name: "6h", label: "6 h", seconds: 21_600, step: 300 },
  { name: "24h", label: "24 h", seconds: 86_400, step: 300 },
];

const HEIGHT = 132;
const MARGIN = { top: 8, right: 18, bottom: 20, left: 70 };

/**
 * A group of charts.
 * @param {import("./page.js").Context} context
 * @param {{ranges?: typeof RANGES, initial?: string}} [options]
 */
export function chartGroup(context, { ranges = RANGES, initial = "1h" } = {}) {
  const cursor = new Cursor();
  const range = () => ranges.find(({ name }) => name === (context.query.get("range") || initial)) ?? ranges[0];
  const buttons = ranges.map(({ name, label }) =>
    h(
      "button",
      { type: "button", class: "segment", "data-range": name, onclick: () => context.query.set({ range: name === initial ? null : name }) },
      label,
    ),
  );
  let last;
  return {
    /** The buttons of the time range. */
    element: h("div", { class: "segments", role: "group", "aria-label": "Time range" }, buttons),
    /** The range that is chosen: `seconds` and the `step` of its figures. */
    get range() {
      return range();
    },
    /** Calls a function now and whenever another range is chosen. @param {(range: typeof RANGES[0]) => void} change */
    onRange(change) {
      context.onQuery(() => {
        const chosen = range();
        buttons.forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.range === chosen.name)));
        if (last !== chosen.name) change(chosen);
        last = chosen.name;
      });
    },
    /** @param {ChartOptions} options */
    chart: (options) => new Chart(options, cursor, range, context.signal),
  };
}

/**
 * @typedef {object} Series
 * @property {string} name Its key in `series` of `update`.
 * @property {string} title
 * @property {string} [tone] `good`, `warn`, `bad`, `info`, or `one` to `four` for those that mean nothing of that.
 */

/**
 * @typedef {object} ChartOptions
 * @property {string} title
 * @property {(value: number) => string} format A value with its unit.
 * @property {Series[]} series
 * @property {"line" | "area" | "bars"} [kind]
 * @property {boolean} [isCount] Whole numbers alone are on the axis.
 * @property {(values: (number | null)[]) => string} [summary] What stands beside the title; else the last value.
 */

class Chart {
  constructor(options, cursor, range, signal) {
    this.options = options;
    this.cursor = cursor;
    this.range = range;
    this.data = { at: [], series: {} };
    this.build();
    cursor.add(this, signal);
    const observer = new ResizeObserver(() => this.draw());
    observer.observe(this.plot);
    signal.addEventListener("abort", () => observer.disconnect());
  }

  build() {
    const { title, series } = this.options;
    this.readout = h("p", { class: "chart-readout", "aria-live": "off" });
    this.lines = svg("g");
    this.axes = svg("g", { class: "axes" });
    this.mark = svg("g", { class: "cursor" });
    this.picture = svg("svg", { role: "img", "aria-label": title }, this.axes, this.lines, this.mark);
    this.plot = h(
      "div",
      { class: "chart-plot", tabindex: "0", role: "group", "aria-label": `${title}; the arrow keys read values` },
      this.picture,
    );
    this.cursor.listen(this.plot, this);
    const legend =
      series.length > 1
        ? h(
            "ul",
            { class: "legend" },
            series.map(({ title, tone }, index) => h("li", { class: toneOf(tone, index) }, title)),
          )
        : null;
    this.element = h("figure", { class: "chart", "data-own": title }, h("figcaption", h("h3", title), this.readout), this.plot, legend);
  }

  /**
   * Shows other figures.
   * @param {{at: string[], series: Record<string, (number | null)[]>}} data As `/api/metrics` answers.
   */
  update(data) {
    this.data = { times: data.at.map((text) => Date.parse(text)), series: data.series };
    this.draw();
  }

  get times() {
    return this.data.times ?? [];
  }

  values(series) {
    return this.data.series[series.name] ?? [];
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!width) return;
    this.picture.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    const { seconds } = this.range();
    this.to = Math.max(now(), this.times.at(-1) ?? 0);
    this.from = this.to - seconds * 1000;
    const known = this.options.series.flatMap((series) => this.values(series)).filter((value) => value !== null);
    this.ticks = valueTicks(Math.max(...known, 0) || 1, 3, this.options.isCount ? 1 : undefined);
    this.width = width;
    this.drawAxes();
    show(
      this.lines,
      this.options.series.map((series, index) => this.drawSeries(series, index)),
    );
    this.drawCursor();
  }

  x(time) {
    return MARGIN.left + ((time - this.from) / (this.to - this.from)) * (this.width - MARGIN.left - MARGIN.right);
  }

  y(value) {
    return HEIGHT - MARGIN.bottom - (value / this.ticks.at(-1)) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  }

  drawAxes() {
    const { format } = this.options;
    const rows = this.ticks.map((tick) => [
      svg("line", { x1: MARGIN.left, x2: this.width - MARGIN.right, y1: this.y(tick), y2: this.y(tick) }),
      svg("text", { x: MARGIN.left - 6, y: this.y(tick) + 3, "text-anchor": "end" }, format(tick)),
    ]);
    const columns = timeTicks(this.from, this.to, Math.max(2, Math.floor(this.width / 90))).map((tick) =>
      svg("text", { x: this.x(tick), y: HEIGHT - 5, "text-anchor": "middle" }, tickLabel(tick, this.to - this.from)),
    );
    show(this.axes, rows, columns);
  }

  drawSeries(series, index) {
    const values = this.values(series);
    const tone = toneOf(series.tone, index);
    if (this.options.kind === "bars") return svg("g", { class: tone }, this.drawBars(values));
    const path = line(
      values,
      (place) => this.x(this.times[place]).toFixed(1),
      (value) => this.y(value).toFixed(1),
    );
    const fill = this.options.kind === "area" ? svg("path", { class: "fill", d: this.area(values) }) : null;
    return svg("g", { class: tone }, fill, svg("path", { class: "stroke", d: path }));
  }

  /** The areas under each stretch without a gap. */
  area(values) {
    const base = this.y(0).toFixed(1);
    let path = "";
    let start = -1;
    for (let index = 0; index <= values.length; index += 1) {
      const isKnown = index < values.length && values[index] !== null;
      if (isKnown && start < 0) path += `M${this.x(this.times[(start = index)]).toFixed(1)} ${base}`;
      if (isKnown) path += `L${this.x(this.times[index]).toFixed(1)} ${this.y(values[index]).toFixed(1)}`;
      if (!isKnown && start >= 0) path += `L${this.x(this.times[index - 1]).toFixed(1)} ${base}Z`;
      if (!isKnown) start = -1;
    }
    return path;
  }

  drawBars(values) {
    const step = (this.width - MARGIN.left - MARGIN.right) / (this.range().seconds / this.range().step);
    return values.map((value, index) =>
      value
        ? svg("rect", {
            x: this.x(this.times[index]) - step / 2,
            y: this.y(value),
            width: Math.max(1.5, step - 1),
            height: this.y(0) - this.y(value),
          })
        : null,
    );
  }

  /** The index of the figures that are nearest to a place in the plot. */
  nearest(x) {
    const time = this.from + ((x - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right)) * (this.to - this.from);
    const distance = (index) => Math.abs(this.times[index] - time);
    return this.times.reduce((best, _, index) => (distance(index) < distance(best) ? index : best), 0);
  }

  /** Draws the cursor, and says the values at it; without one, the latest values. */
  drawCursor() {
    const time = this.cursor.time;
    const index = time === undefined ? -1 : this.times.indexOf(time);
    const { series, format, summary } = this.options;
    const isAt = index >= 0;
    show(
      this.mark,
      isAt
        ? [
            svg("line", { x1: this.x(time), x2: this.x(time), y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom }),
            series.map((one, place) => {
              const value = this.values(one)[index];
              return value === null || value === undefined
                ? null
                : svg("circle", { class: toneOf(one.tone, place), cx: this.x(time), cy: this.y(value), r: 3 });
            }),
          ]
        : null,
    );
    const text = (value) => (value === null || value === undefined ? NOTHING : format(value));
    const latest = (one) => this.values(one).findLast((value) => value !== null);
    const said = series.map((one, place) =>
      h(
        "span",
        { class: `figure ${toneOf(one.tone, place)}` },
        series.length > 1 ? `${one.title} ` : "",
        h("b", isAt ? text(this.values(one)[index]) : summary ? summary(this.values(one)) : text(latest(one))),
      ),
    );
    show(this.readout, isAt ? h("span", { class: "at" }, momentLabel(time, this.range().step)) : null, said);
  }
}

const toneOf = (tone, index) => tone ?? ["one", "two", "three", "four"][index % 4];
