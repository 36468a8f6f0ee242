/** The servers of one country, ranked, with the reason for the rank. */

import { api, segment } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { countryName, number } from "../../lib/format.js";
import { filters } from "../../lib/filters.js";
import { joiner } from "../../lib/join.js";
import { emptyState, problemNote } from "../../lib/parts.js";
import { table } from "../../lib/table.js";
import { measuring } from "./measure.js";
import { COLUMNS } from "./columns.js";

const FILTERS = [
  { name: "city", label: "City", kind: "select" },
  { name: "tag", label: "Tag", kind: "select" },
  {
    name: "load",
    label: "Load at most",
    kind: "select",
    options: ["10", "25", "50", "75"].map((value) => ({ value, label: `${value} %` })),
  },
  { name: "strategy", label: "Ranked by", kind: "select", options: [{ value: "", label: "balanced" }, "load", "latency"] },
  { name: "avoided", label: "Only avoided", kind: "toggle" },
];

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("./surroundings.js").surroundings>} around
 */
export function servers(context, around) {
  const controls = filters(context, FILTERS);
  const state = { servers: [], isLoaded: false };
  const join = joiner((server, rank, holder, breaker) => ({ server, rank, holder, breaker }));
  const head = h("div", { class: "row" });
  const problem = h("div");
  const rows = table(context, {
    caption: "Servers",
    key: ({ server }) => server.hostname,
    columns: COLUMNS,
    defaultSort: "rank",
    open: ({ server }) => server.hostname,
    empty: () => nothing(context, state),
  });
  const visible = () =>
    state.servers
      .map((server, index) => join(server.hostname, server, index + 1, around.holder(server.hostname), around.breaker(server.hostname)))
      .filter(matches(context.query));
  const draw = () => {
    if (!state.isLoaded) return;
    const now = visible();
    rows.update(now);
    show(head, title(context.query.get("country"), now.length, state.servers.length));
  };
  const load = async () => {
    const { path, query } = question(context.query);
    try {
      const answer = await api.get(path, { query, signal: context.signal });
      if (path !== question(context.query).path) return;
      Object.assign(state, { servers: answer.servers, isLoaded: true });
      problem.replaceChildren();
      controls.setOptions("city", distinct(answer.servers.map(({ city }) => city)));
      controls.setOptions("tag", distinct(answer.servers.flatMap(({ tags }) => tags)));
      draw();
    } catch (error) {
      if (error.name === "AbortError") return;
      Object.assign(state, { servers: [], isLoaded: true });
      draw();
      problem.replaceChildren(problemNote(error, load));
    }
  };
  let last;
  context.onQuery((query) => {
    const now = JSON.stringify(question(query));
    if (now !== last) load();
    last = now;
    draw();
  });
  around.onChange(() => load(), context.signal);
  const measure = measuring(context, {
    hostnames: () => visible().map(({ server }) => server.hostname),
    provider: () => context.query.get("provider"),
    done: load,
  });
  return [controls.element, h("div", { class: "row spread" }, head, measure.button), measure.element, problem, rows.element];
}

/** What is asked of the API; the other filters are of the page alone. */
const question = (query) => ({
  path: `/api/${segment(query.get("provider") || "all")}/servers/${segment(query.get("country").toLowerCase())}`,
  query: { explain: "true", strategy: query.get("strategy"), limit: 20_000 },
});

const distinct = (values) => [...new Set(values.filter(Boolean))].sort();

const title = (country, shown, all) => [
  h("h2", countryName(country)),
  h("span", { class: "muted" }, shown === all ? `${number(all)} servers` : `${number(shown)} of ${number(all)} servers`),
  h("a", { href: "/servers" }, "All countries"),
];

function matches(query) {
  const words = query.get("q").toLowerCase().split(/\s+/).filter(Boolean);
  const city = query.get("city");
  const tag = query.get("tag");
  const load = query.number("load", 101);
  const isAvoided = query.get("avoided") === "yes";
  return ({ server, breaker }) =>
    (!city || server.city === city) &&
    (!tag || server.tags.includes(tag)) &&
    (load > 100 || (server.load ?? 101) <= load) &&
    (!isAvoided || breaker) &&
    words.every((word) =>
      [server.hostname, server.city, server.network, server.provider, ...server.tags].join(" ").toLowerCase().includes(word),
    );
}

function nothing(context, state) {
  const country = countryName(context.query.get("country"));
  if (!state.servers.length)
    return emptyState({
      title: `No server of ${country} is known`,
      action: h("a", { class: "button", href: "/servers" }, "All countries"),
    });
  const clear = () => context.query.set({ q: null, city: null, tag: null, load: null, avoided: null });
  return emptyState({
    title: "No server fits these filters",
    action: h("button", { class: "button", type: "button", onclick: clear }, `Show all of ${country}`),
  });
}
