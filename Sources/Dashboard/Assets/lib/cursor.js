/** The cursor that charts of a group share: a time, set by the pointer or the arrow keys. */

export class Cursor {
  constructor() {
    /** Milliseconds since 1970; undefined for none. @type {number | undefined} */
    this.time = undefined;
    this.charts = new Set();
  }

  add(chart, signal) {
    this.charts.add(chart);
    signal.addEventListener("abort", () => this.charts.delete(chart));
  }

  set(time) {
    if (time === this.time) return;
    this.time = time;
    for (const chart of this.charts) if (chart.ticks) chart.drawCursor();
  }

  /** Follows the pointer over a chart's plot, and its arrow keys. */
  listen(plot, chart) {
    const follow = (event) => chart.times.length && this.set(chart.times[chart.nearest(event.clientX - plot.getBoundingClientRect().left)]);
    plot.onpointermove = follow;
    plot.onpointerdown = follow;
    plot.onpointerleave = () => this.set(undefined);
    plot.onblur = () => this.set(undefined);
    plot.onkeydown = (event) => this.key(event, chart);
  }

  key(event, chart) {
    const { times } = chart;
    const index = times.indexOf(this.time);
    const last = times.length - 1;
    const next = {
      ArrowLeft: index < 0 ? last : Math.max(0, index - 1),
      ArrowRight: index < 0 ? last : Math.min(last, index + 1),
      Home: 0,
      End: last,
    }[event.key];
    if (next === undefined || last < 0) return;
    event.preventDefault();
    chart.readout.setAttribute("aria-live", "polite");
    this.set(times[next]);
  }
}
