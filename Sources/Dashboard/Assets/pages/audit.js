/** @type {import("../lib/page.js").Page} */
export default {
  title: "Audit",
  icon: "audit",
  section: "Activity",
  order: 60,
  role: "admin",
  key: "a",
  topics: ["changes"],

  view: () => import("./audit/view.js"),
};
