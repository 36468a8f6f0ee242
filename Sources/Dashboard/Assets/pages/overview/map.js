/** The map with the exits of each country, their state and traffic. */

import { h } from "../../lib/dom.js";
import { countryName, rate } from "../../lib/format.js";
import { links } from "../../lib/links.js";
import { worldMap } from "../../lib/map.js";
import { panel } from "../../lib/parts.js";

const TAKES_TRAFFIC = new Set(["serving", "degraded"]);

/** @param {import("../../lib/page.js").Context} context */
export function mapPanel(context) {
  const map = worldMap();
  let exits = [];
  let pools = new Map();
  let traffic = new Map();
  const draw = () => map.update(places(exits, pools, traffic));
  context.subscribe("exits", (items) => {
    exits = [...items.values()];
    draw();
  });
  context.subscribe("pools", (items) => {
    pools = items;
    draw();
  });
  context.subscribe("traffic", (items) => {
    traffic = items;
    draw();
  });
  return panel("Exits by country", [map.element, legend()], { class: "map-panel" });
}

/** One place for each country that has a pool or an exit; its weight is its share of the exits of the largest. */
function places(exits, pools, traffic) {
  const byCountry = Map.groupBy(exits, ({ country }) => country);
  const countries = new Set([...byCountry.keys(), ...[...pools.values()].map(({ country }) => country)]);
  const largest = Math.max(1, ...[...byCountry.values()].map(({ length }) => length));
  return [...countries].map((country) => {
    const own = byCountry.get(country) ?? [];
    const serving = own.filter(({ state }) => TAKES_TRAFFIC.has(state)).length;
    const wanted = pools.get(country)?.size ?? serving;
    const flow = own.reduce((sum, { id }) => sum + (traffic.get(`exit:${id}`)?.bytes_per_second ?? 0), 0);
    const label = `${countryName(country)}: ${serving} of ${wanted} wanted exits take traffic${flow ? `, ${rate(flow)}` : ""}`;
    return { country, tone: toneOf(own, serving, wanted), label, weight: own.length / largest, href: links.pool(country) };
  });
}

function toneOf(exits, serving, wanted) {
  if (serving === 0) return "bad";
  return serving < wanted || exits.some(({ state }) => state === "degraded") ? "warn" : "good";
}

const legend = () =>
  h(
    "ul",
    { class: "map-legend", "aria-label": "Colours" },
    [
      ["good", "all wanted exits take traffic"],
      ["warn", "fewer, or degraded"],
      ["bad", "none takes traffic"],
    ].map(([tone, text]) => h("li", { class: tone }, text)),
  );
