/** @type {import("../lib/page.js").Page} */
export default {
  title: "Users",
  icon: "users",
  section: "Proxies",
  order: 40,
  role: "admin",
  key: "u",
  topics: ["exits", "pools", "traffic", "users"],

  view: () => import("./users/view.js"),
};
