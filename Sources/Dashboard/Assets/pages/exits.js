/** @type {import("../lib/page.js").Page} */
export default {
  title: "Exits",
  icon: "exits",
  section: "Proxies",
  order: 10,
  role: "viewer",
  key: "e",
  topics: ["events", "exits", "pools", "traffic"],

  view: () => import("./exits/view.js"),
};
