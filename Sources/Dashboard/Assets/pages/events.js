/** @type {import("../lib/page.js").Page} */
export default {
  title: "Events",
  icon: "events",
  section: "Activity",
  order: 50,
  role: "viewer",
  key: "v",
  topics: ["events"],

  view: () => import("./events/view.js"),
};
