/** Everything at a glance: the map, the pools, what needs somebody, figures over time, what happened last. */

import { chartGroup } from "../lib/chart.js";
import { h } from "../lib/dom.js";
import { pageHead, panel } from "../lib/parts.js";
import { alertsPanel } from "./overview/alerts.js";
import { charts } from "./overview/charts.js";
import { eventsPanel } from "./overview/events.js";
import { firstRun } from "./overview/first-run.js";
import { mapPanel } from "./overview/map.js";
import { poolsPanel } from "./overview/pools.js";
import { summary } from "./overview/summary.js";

/** @type {import("../lib/page.js").Page} */
export default {
  title: "Overview",
  icon: "overview",
  section: "Proxies",
  order: 0,
  role: "viewer",
  key: "o",
  topics: ["alerts", "events", "exits", "figures", "pools", "traffic"],

  render(context) {
    const group = chartGroup(context);
    return [
      pageHead("Overview", { subtitle: summary(context) }),
      alertsPanel(context),
      firstRun(context),
      h("div", { class: "overview" }, mapPanel(context), h("div", { class: "overview-side" }, poolsPanel(context), eventsPanel(context))),
      panel("Over time", charts(context, group), { actions: group.element }),
    ];
  },
};
