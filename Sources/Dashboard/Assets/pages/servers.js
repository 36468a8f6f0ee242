/** @type {import("../lib/page.js").Page} */
export default {
  title: "Servers",
  icon: "servers",
  section: "Proxies",
  order: 30,
  role: "viewer",
  key: "s",
  topics: ["breakers", "exits"],

  view: () => import("./servers/view.js"),
};
