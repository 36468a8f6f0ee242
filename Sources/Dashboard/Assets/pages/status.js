/** @type {import("../lib/page.js").Page} */
export default {
  title: "Health",
  icon: "status",
  section: "System",
  order: 80,
  role: "viewer",
  key: "h",
  topics: ["alerts", "breakers", "health"],

  view: () => import("./status/view.js"),
};
