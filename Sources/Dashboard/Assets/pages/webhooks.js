/** @type {import("../lib/page.js").Page} */
export default {
  title: "Webhooks",
  icon: "webhooks",
  section: "Activity",
  order: 65,
  role: "admin",
  key: "w",
  topics: ["changes"],

  view: () => import("./webhooks/view.js"),
};
