/** The columns of the servers. */

import { h } from "../../lib/dom.js";
import { milliseconds, number } from "../../lib/format.js";
import { exitLink, providerLink, serverLink } from "../../lib/links.js";
import { meter } from "../../lib/parts.js";
import { avoidance } from "./surroundings.js";

const load = ({ load: value }) =>
  value === undefined
    ? "–"
    : h(
        "span",
        { class: "load" },
        meter(value / 100, { label: `Load ${value} %`, tone: value >= 80 ? "bad" : value >= 50 ? "warn" : "good" }),
        h("span", `${value} %`),
      );

const use = ({ holder, breaker }) =>
  breaker ? avoidance(breaker) : holder ? exitLink(holder.id) : h("span", { class: "nothing" }, "free");

/** What a server's points are made of, in a line. */
const why = ({ score_parts: parts = [] }) => parts.map(({ name, points, reason }) => `${name} ${number(points)} (${reason})`).join(", ");

export const COLUMNS = [
  { name: "rank", title: "Rank", numeric: true, value: ({ rank }) => rank },
  { name: "hostname", title: "Server", value: ({ server }) => server.hostname, cell: ({ server }) => serverLink(server.hostname) },
  { name: "city", title: "City", value: ({ server }) => server.city },
  { name: "load", title: "Load", numeric: true, value: ({ server }) => server.load, cell: ({ server }) => load(server) },
  {
    name: "latency",
    title: "Latency",
    numeric: true,
    value: ({ server }) => server.latency_ms,
    cell: ({ server }) => milliseconds(server.latency_ms),
  },
  {
    name: "score",
    title: "Points against it",
    numeric: true,
    optional: true,
    value: ({ server }) => server.score,
    cell: ({ server }) => h("span", { title: why(server) }, number(server.score)),
  },
  { name: "use", title: "Now", value: ({ holder, breaker }) => (breaker ? "avoided" : holder?.id), cell: use },
  {
    name: "tags",
    title: "Tags",
    optional: true,
    value: ({ server }) => server.tags.join(),
    cell: ({ server }) => server.tags.map((tag) => h("span", { class: "chip" }, tag)),
  },
  {
    name: "provider",
    title: "Provider",
    optional: true,
    value: ({ server }) => server.provider,
    cell: ({ server }) => providerLink(server.provider),
  },
];
