/** One pool: its exits, its settings with a preview, and its end; and the drawer that makes one. */

import { api } from "../../lib/api.js";
import { h, list, show } from "../../lib/dom.js";
import { countryName, milliseconds, time } from "../../lib/format.js";
import { countryLink, eventsLink, exitLink, links, poolLink, serverLink } from "../../lib/links.js";
import { emptyState, facts, note, stateBadge, words } from "../../lib/parts.js";
import { endButton, moreButton } from "./actions.js";
import { limits, rotation, serving } from "./columns.js";
import { poolForm } from "./form.js";

const byCountry = (items, country) => items.get(country) ?? [...items.values()].find((pool) => pool.country === country);

/** @param {import("../../lib/page.js").Context} context */
export function poolDrawer(context) {
  context.drawer({
    render(country, drawer) {
      if (!drawer.isFollowing) follow(context, drawer, country);
      const { pool } = drawer;
      return {
        title: countryName(country),
        subtitle: pool ? [serving(pool), " serve"] : "no pool",
        actions: pool && context.session.may("operator") ? [moreButton(pool), endButton(pool, () => drawer.close())] : null,
        tabs: pool ? tabs(context, drawer, country) : [{ name: "", title: "Pool", render: () => absent(context, drawer, country) }],
      };
    },
  });
}

function follow(context, drawer, country) {
  drawer.isFollowing = true;
  context.subscribe(
    "pools",
    (items) => {
      const hadPool = Boolean(drawer.pool);
      drawer.isLoaded = true;
      drawer.pool = byCountry(items, country);
      if (!drawer.content) return;
      drawer.refresh();
      if (hadPool !== Boolean(drawer.pool) || !drawer.pool) drawer.showTabAgain();
    },
    drawer.signal,
  );
}

function absent(context, drawer, country) {
  if (!drawer.isLoaded) return h("p", { class: "loading" }, "Loading");
  const make = () => context.query.set({ open: null, make: "yes", country: country.toLowerCase() });
  return emptyState({
    title: `There is no pool of ${countryName(country)}`,
    text: ["Its servers: ", countryLink(country)],
    action: context.session.may("operator") ? h("button", { class: "button primary", type: "button", onclick: make }, "Make one") : null,
    command: `sallyport up ${country.toLowerCase()}`,
  });
}

function tabs(context, drawer, country) {
  const inTab = () => context.within(drawer.tabSignal);
  return [
    { name: "", title: "Pool", render: () => overview(inTab(), country) },
    context.session.may("operator") && { name: "settings", title: "Settings and preview", render: () => settings(inTab(), drawer) },
  ].filter(Boolean);
}

/** What the pool wants, and its exits. */
function overview(context, country) {
  const box = h("div");
  const exits = h("ul", { class: "exit-list" });
  context.subscribe("pools", (items) => {
    const pool = byCountry(items, country);
    if (pool) show(box, wanted(pool));
  });
  context.subscribe("exits", (items) => {
    const own = [...items.values()].filter((exit) => exit.country === country);
    list(exits, own, { key: ({ id }) => id, render: exitRow });
  });
  return [
    box,
    h("h3", "Exits"),
    exits,
    h("p", { class: "row" }, eventsLink({ country }, "Its events"), h("a", { href: `/exits?country=${country}` }, "Its exits")),
  ];
}

const exitRow = (exit) =>
  h(
    "li",
    exitLink(exit.id),
    stateBadge(exit),
    exit.server ? serverLink(exit.server.hostname) : null,
    h("span", { class: "mono" }, exit.exit_ip ?? ""),
    h("span", { class: "muted" }, milliseconds(exit.health.latency_ms)),
    time(exit.since),
  );

const wanted = (pool) => [
  pool.open && pool.serving === 0 ? note(outage(pool), "bad") : null,
  facts([
    ["Wanted", `${pool.size} exits, ${pool.standby} standby`],
    ["On demand", onDemand(pool)],
    ["Servers", limits(pool)],
    ["Only these hosts", pool.hostnames?.length ? h("span", { class: "mono" }, pool.hostnames.join(", ")) : undefined],
    ["Without these hosts", pool.exclude?.length ? h("span", { class: "mono" }, pool.exclude.join(", ")) : undefined],
    ["Servers are picked by", words(pool.strategy)],
    ["Connections are spread by", words(pool.spread)],
    ["Rotation", rotation(pool)],
    [
      "Fallback",
      pool.fallback.length
        ? pool.fallback.flatMap((code, index) => [index ? ", " : "", poolLink(code)])
        : "none: without an exit, users are refused",
    ],
    ["Catalog", h("a", { href: links.country(pool.country) }, `Servers of ${countryName(pool.country)}`)],
  ]),
];

/** What a pool on demand does, and when it closes; undefined for one that always runs. */
function onDemand({ on_demand: isOnDemand, open, closes_at: closesAt }) {
  if (!isOnDemand) return undefined;
  if (!open) return "closed: a request opens it";
  return closesAt ? ["open; if nobody uses it, it closes ", time(closesAt)] : "open, in use";
}

const outage = ({ country, fallback }) =>
  fallback.length
    ? `No exit of ${countryName(country)} serves: its users go to ${fallback.map(countryName).join(", ")}.`
    : `No exit of ${countryName(country)} serves: its users are refused with 503 no_exit.`;

const settings = (context, drawer) => poolForm(context, { pool: drawer.pool, done: () => context.query.set({ tab: null }) });

/** The drawer that makes a pool, while `make` is in the URL. */
export function makeDrawer(context) {
  if (!context.session.may("operator")) return;
  context.drawer({
    name: "make",
    render: (_, drawer) => ({
      title: "New pool",
      subtitle: "Keeps exits of one country open",
      tabs: [{ name: "", title: "New pool", render: () => making(context.within(drawer.signal), drawer) }],
    }),
  });
}

function making(context, drawer) {
  const box = h("div", h("p", { class: "loading" }, "Loading"));
  api.get("/api/countries", { signal: context.signal }).then(
    ({ countries }) => {
      const done = (pool) => context.query.set({ make: null, country: null, open: pool.country });
      box.replaceChildren(
        poolForm(context, { countries, country: context.query.get("country").toUpperCase(), done, cancel: () => drawer.close() }),
      );
    },
    (error) => error.name !== "AbortError" && box.replaceChildren(note(error.message, "bad")),
  );
  return box;
}
