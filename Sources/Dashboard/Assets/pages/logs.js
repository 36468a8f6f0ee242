/** @type {import("../lib/page.js").Page} */
export default {
  title: "Logs",
  icon: "logs",
  section: "Activity",
  order: 55,
  role: "operator",
  key: "l",
  topics: ["logs"],

  view: () => import("./logs/view.js"),
};
