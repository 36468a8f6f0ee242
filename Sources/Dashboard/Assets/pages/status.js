/** Each part and its answer, the controllers and who leads, alerts, breakers. */

import { pageHead } from "../lib/parts.js";
import { alertsPanel } from "./status/alerts.js";
import { breakersPanel } from "./status/breakers.js";
import { controllersPanel } from "./status/controllers.js";
import { partsPanel, verdict } from "./status/health.js";

/** @type {import("../lib/page.js").Page} */
export default {
  title: "Health",
  icon: "status",
  section: "System",
  order: 80,
  role: "viewer",
  key: "h",
  topics: ["alerts", "breakers", "health"],

  render(context) {
    return [
      pageHead("Health", { subtitle: verdict(context) }),
      alertsPanel(context),
      partsPanel(context),
      controllersPanel(context),
      breakersPanel(context),
    ];
  },
};
