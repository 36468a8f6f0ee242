/** @type {import("../lib/page.js").Page} */
export default {
  title: "API",
  icon: "reference",
  section: "System",
  order: 90,
  role: "",
  key: "r",
  topics: [],

  view: () => import("./reference/view.js"),
};
