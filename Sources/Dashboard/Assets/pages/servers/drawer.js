/** One server: why it ranks where it does, who holds it, until when it is avoided. */

import { api, segment } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { countryName, milliseconds, number, percent } from "../../lib/format.js";
import { countryLink, exitLink, poolLink, providerLink } from "../../lib/links.js";
import { async, copyable, emptyState, facts, stateBadge } from "../../lib/parts.js";
import { avoidance } from "./surroundings.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("./surroundings.js").surroundings>} around
 */
export function serverDrawer(context, around) {
  context.drawer({
    render: (hostname, drawer) => ({
      title: hostname,
      subtitle: drawer.server ? countryLink(drawer.server.country_code) : "",
      tabs: [{ name: "", title: "Server", render: () => server(context.within(drawer.signal), around, hostname, drawer) }],
    }),
  });
}

function server(context, around, hostname, drawer) {
  const load = async () => {
    const strategy = context.query.get("strategy");
    const { servers } = await api.get("/api/all/servers", {
      query: { hostnames: hostname, explain: "true", strategy },
      signal: context.signal,
    });
    if (!servers.length) return {};
    const [found] = servers;
    const path = `/api/all/servers/${segment(found.country_code.toLowerCase())}`;
    const all = await api.get(path, { query: { explain: "true", strategy, limit: 20_000 }, signal: context.signal });
    return { found, rank: all.servers.findIndex((other) => other.hostname === hostname) + 1, total: all.total, best: all.servers[0] };
  };
  return async(context.signal, load, ({ found, rank, total, best }) => {
    if (!found)
      return emptyState({
        title: `No provider lists ${hostname}`,
        text: "It was taken out of the list, or never was in it.",
        command: "sallyport servers",
      });
    drawer.server = found;
    drawer.refresh();
    return h("div", { class: "stack" }, use(context, around, hostname), ranking(found, rank, total, best), about(found));
  });
}

/** Follows the exits and the breakers. */
function use(context, around, hostname) {
  const box = h("div");
  const draw = () => {
    const holder = around.holder(hostname);
    const breaker = around.breaker(hostname);
    show(
      box,
      facts([
        ["Used by", holder ? h("span", { class: "row" }, exitLink(holder.id), stateBadge(holder)) : "no exit"],
        ["Avoided", breaker ? avoidance(breaker) : "no"],
        ["Failures in a row", breaker ? number(breaker.openings) : undefined],
      ]),
    );
  };
  around.onChange(draw, context.signal);
  draw();
  return box;
}

function ranking(found, rank, total, best) {
  const largest = Math.max(1, ...(found.score_parts ?? []).map(({ points }) => points));
  const place = rank === 1 ? "It is the best" : `It is number ${number(rank)}`;
  const ahead = rank > 1 && best ? `; the best, ${best.hostname}, has ${number(best.score)}` : "";
  return h(
    "section",
    { class: "stack" },
    h("h3", "Why it ranks where it does"),
    h(
      "p",
      `${place} of ${number(total)} servers of ${countryName(found.country_code)}, with ${number(found.score)} points against it${ahead}.`,
    ),
    h(
      "ul",
      { class: "score" },
      (found.score_parts ?? []).map(({ name, points, reason }) =>
        h(
          "li",
          h("span", name),
          h("span", { class: "score-bar", "aria-hidden": "true" }, h("span", { style: { width: `${(points / largest) * 100}%` } })),
          h("b", number(points)),
          h("span", { class: "muted" }, reason),
        ),
      ),
    ),
  );
}

const about = (found) =>
  h(
    "section",
    { class: "stack" },
    h("h3", "The server"),
    facts([
      ["City", found.city],
      ["Pool", poolLink(found.country_code)],
      ["Load", found.load === undefined ? undefined : percent(found.load / 100)],
      ["Latency", found.latency_ms === undefined ? "not measured" : milliseconds(found.latency_ms)],
      ["Address", copyable(`${found.address}:${found.port}`, { label: "Copy the address" })],
      ["Network", found.network],
      ["Tags", found.tags.length ? found.tags.map((tag) => h("span", { class: "chip" }, tag)) : undefined],
      ["Provider", providerLink(found.provider)],
      ["Public key", h("code", found.public_key)],
    ]),
  );
