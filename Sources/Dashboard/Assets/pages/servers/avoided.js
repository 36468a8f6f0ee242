/** The servers that are avoided now, of all countries. */

import { h, show } from "../../lib/dom.js";
import { serverLink } from "../../lib/links.js";
import { panel } from "../../lib/parts.js";
import { avoidance } from "./surroundings.js";

/**
 * Absent while none is.
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("./surroundings.js").surroundings>} around
 */
export function avoidedServers(context, around) {
  const rows = h("ul", { class: "exit-list" });
  const box = panel("Avoided after failures", rows);
  const draw = () => {
    const all = around.avoided();
    box.hidden = all.length === 0;
    show(
      rows,
      all.map((breaker) => {
        const hostname = breaker.name.slice(breaker.name.indexOf(":") + 1);
        return h("li", serverLink(hostname), avoidance(breaker), h("span", { class: "muted" }, `${breaker.openings} in a row`));
      }),
    );
  };
  around.onChange(draw, context.signal);
  draw();
  return box;
}
