/** Each part and its answer, the controllers and who leads, alerts, breakers. */

import { pageHead } from "../../lib/parts.js";
import { alertsPanel } from "./alerts.js";
import { breakersPanel } from "./breakers.js";
import { controllersPanel } from "./controllers.js";
import { partsPanel, verdict } from "./health.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  return [
    pageHead("Health", { subtitle: verdict(context) }),
    alertsPanel(context),
    partsPanel(context),
    controllersPanel(context),
    breakersPanel(context),
  ];
}
