/** @type {import("../lib/page.js").Page} */
export default {
  title: "Keys",
  icon: "keys",
  section: "System",
  order: 70,
  role: "viewer",
  key: "k",
  topics: ["changes"],

  view: () => import("./keys/view.js"),
};
