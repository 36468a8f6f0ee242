/** The head of a pool's exits: how many serve, and one more by a click. */

import { h } from "../../lib/dom.js";
import { poolLink } from "../../lib/links.js";
import { badge } from "../../lib/parts.js";
import { moreButton } from "../pools/actions.js";

/**
 * @param {string} country
 * @param {ReturnType<typeof import("./fleet.js").fleet>} state
 */
export function groupHead(country, state) {
  const pool = state.pool(country);
  if (!pool) return h("div", { class: "group-head" }, poolLink(country), badge("no pool: these exits leave", "idle"));
  const standby = state.exitsOf(country).filter((exit) => exit.state === "standby").length;
  return h(
    "div",
    { class: "group-head" },
    poolLink(country),
    pool.on_demand ? badge("on demand", "idle") : null,
    badge(
      `${pool.serving} of ${pool.size} serve`,
      !pool.open ? "idle" : pool.serving === 0 ? "bad" : pool.serving < pool.size ? "warn" : "good",
    ),
    pool.standby ? h("span", { class: "hint" }, `${standby} of ${pool.standby} standby`) : null,
    moreButton(pool),
  );
}
