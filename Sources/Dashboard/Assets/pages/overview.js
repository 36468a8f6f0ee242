/** @type {import("../lib/page.js").Page} */
export default {
  title: "Overview",
  icon: "overview",
  section: "Proxies",
  order: 0,
  role: "viewer",
  key: "o",
  topics: ["alerts", "events", "exits", "figures", "pools", "traffic"],

  view: () => import("./overview/view.js"),
};
