/** Everything at a glance: the map, the pools, what needs somebody, figures over time, what happened last. */

import { chartGroup } from "../../lib/chart.js";
import { h } from "../../lib/dom.js";
import { pageHead, panel } from "../../lib/parts.js";
import { alertsPanel } from "./alerts.js";
import { charts } from "./charts.js";
import { eventsPanel } from "./events.js";
import { firstRun } from "./first-run.js";
import { mapPanel } from "./map.js";
import { poolsPanel } from "./pools.js";
import { summary } from "./summary.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const group = chartGroup(context);
  return [
    pageHead("Overview", { subtitle: summary(context) }),
    alertsPanel(context),
    firstRun(context),
    h("div", { class: "overview" }, mapPanel(context), h("div", { class: "overview-side" }, poolsPanel(context), eventsPanel(context))),
    panel("Over time", charts(context, group), { actions: group.element }),
  ];
}
