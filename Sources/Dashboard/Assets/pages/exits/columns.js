/** The columns of the exits. */

import { h } from "../../lib/dom.js";
import { bytes, duration, milliseconds, NOTHING, number, percent, rate, time } from "../../lib/format.js";
import { exitLink, serverLink } from "../../lib/links.js";
import { stateBadge } from "../../lib/parts.js";
import { sparkline, strip } from "../../lib/spark.js";

const nothing = () => h("span", { class: "nothing" }, NOTHING);

export const columns = () => [
  { name: "id", title: "Exit", value: ({ exit }) => exit.id, cell: ({ exit }) => exitLink(exit.id) },
  { name: "state", title: "State", value: ({ exit }) => exit.state, cell: ({ exit }) => stateBadge(exit) },
  { name: "server", title: "Server", value: ({ exit }) => exit.server?.hostname, cell: ({ exit }) => server(exit) },
  {
    name: "load",
    title: "Load",
    numeric: true,
    optional: true,
    value: ({ exit }) => exit.server?.load,
    cell: ({ exit }) => (exit.server?.load === undefined ? nothing() : percent(exit.server.load / 100)),
  },
  {
    name: "address",
    title: "Exit address",
    value: ({ exit }) => exit.exit_ip,
    cell: ({ exit }) => (exit.exit_ip ? h("span", { class: "mono" }, exit.exit_ip) : nothing()),
  },
  { name: "latency", title: "Latency", numeric: true, value: ({ exit }) => exit.health.latency_ms, cell: latency },
  { name: "probes", title: "Last 30 samples", optional: true, value: ({ exit }) => exit.health.success_rate, cell: probes },
  {
    name: "traffic",
    title: "Today",
    numeric: true,
    value: ({ flow }) => flow?.bytes_today,
    cell: ({ flow }) =>
      h("span", { title: flow?.bytes_per_second === undefined ? null : `${rate(flow.bytes_per_second)} now` }, bytes(flow?.bytes_today)),
  },
  {
    name: "sessions",
    title: "Open",
    numeric: true,
    optional: true,
    value: ({ flow }) => flow?.connections,
    cell: ({ flow }) => number(flow?.connections),
  },
  {
    name: "handshake",
    title: "Handshake",
    numeric: true,
    optional: true,
    value: ({ exit }) => exit.health.handshake_age_seconds,
    cell: ({ exit }) => h("span", { title: "age of the tunnel's last handshake" }, duration(exit.health.handshake_age_seconds)),
  },
  { name: "since", title: "Since", numeric: true, optional: true, value: ({ exit }) => exit.since, cell: ({ exit }) => time(exit.since) },
];

const server = ({ server }) =>
  server
    ? h("span", { class: "two-lines" }, serverLink(server.hostname), server.city && h("span", { class: "hint" }, server.city))
    : nothing();

function latency({ exit, samples }) {
  const values = (samples ?? []).map(({ latency_ms: value }) => value ?? null);
  const label = `Latency of ${exit.id}: ${milliseconds(exit.health.latency_ms)} now`;
  return h(
    "span",
    { class: "latency" },
    values.length > 1 ? sparkline(values, { label }) : null,
    h("span", milliseconds(exit.health.latency_ms)),
  );
}

function probes({ exit, samples }) {
  const bad = (samples ?? []).filter(({ verdict, failures }) => failures || verdict !== "healthy").length;
  return strip(samples ?? [], { label: `Probes of ${exit.id}: ${bad} of ${samples?.length ?? 0} samples with failures` });
}
