/** The providers: how many servers each lists, how old the list is, what is wrong with it. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { number, time } from "../../lib/format.js";
import { providerLink } from "../../lib/links.js";
import { async, badge, words } from "../../lib/parts.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("../../lib/filters.js").filters>} controls
 */
export function providers(context, controls) {
  const load = () => api.get("/api/providers", { signal: context.signal });
  return async(context.signal, load, ({ providers: all }) => {
    controls.setOptions(
      "provider",
      all.map(({ name }) => name),
    );
    return h("ul", { class: "providers", "aria-label": "Providers" }, all.map(row));
  });
}

function row({ name, servers, devices, fetched_at: fetched, stale, problem, dropped, accounts }) {
  const left = Object.entries(dropped ?? {});
  return h(
    "li",
    h("strong", providerLink(name)),
    badge(problem ? "trouble" : stale ? "stale" : "up to date", problem ? "bad" : stale ? "warn" : "good"),
    h("span", `${number(servers)} servers`),
    devices === undefined ? null : h("span", { class: "muted" }, `${number(devices)} tunnels at once`),
    (accounts ?? []).map(account),
    fetched ? h("span", { class: "muted" }, "list of ", time(fetched)) : null,
    left.length
      ? h("span", { class: "muted" }, `left out: ${left.map(([reason, count]) => `${count} ${words(reason)}`).join(", ")}`)
      : null,
    problem ? h("span", { class: "bad-text" }, problem) : null,
  );
}

/** "alice: 3 of 10", and whether its key is refused. */
const account = ({ name, in_use: used, devices, state }) =>
  h(
    "span",
    { class: state === "closed" ? "muted" : "bad-text" },
    `${name}: ${number(used)}${devices === undefined ? "" : ` of ${number(devices)}`}${state === "closed" ? "" : ", refused"}`,
  );
