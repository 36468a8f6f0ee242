/** One sentence about all exits. */

import { h, show } from "../../lib/dom.js";
import { badge } from "../../lib/parts.js";

const TAKES_TRAFFIC = new Set(["serving", "degraded"]);

/** @param {import("../../lib/page.js").Context} context */
export function summary(context) {
  const box = h("span", { class: "row", role: "status" });
  context.subscribe("exits", (items) => {
    const exits = [...items.values()];
    const count = (test) => exits.filter(test).length;
    const serving = count(({ state }) => TAKES_TRAFFIC.has(state));
    const failed = count(({ state }) => state === "failed");
    show(
      box,
      badge(`${serving} of ${exits.length} exits take traffic`, exits.length && !serving ? "bad" : serving ? "good" : "idle"),
      some(
        count(({ state }) => state === "standby"),
        "standby",
        "info",
      ),
      some(
        count(({ state }) => state === "degraded"),
        "degraded",
        "warn",
      ),
      some(failed, "failed", "bad"),
    );
  });
  return box;
}

const some = (count, word, tone) => (count ? badge(`${count} ${word}`, tone) : null);
