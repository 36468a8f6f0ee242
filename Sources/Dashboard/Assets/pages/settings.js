/** @type {import("../lib/page.js").Page} */
export default {
  title: "Settings",
  icon: "settings",
  section: "System",
  order: 75,
  role: "admin",
  key: "t",
  topics: ["changes"],

  view: () => import("./settings/view.js"),
};
