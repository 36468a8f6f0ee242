/** @type {import("../lib/page.js").Page} */
export default {
  title: "Pools",
  icon: "pools",
  section: "Proxies",
  order: 20,
  role: "viewer",
  key: "p",
  topics: ["exits", "pools"],

  view: () => import("./pools/view.js"),
};
