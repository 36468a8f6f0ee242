/** What an exit's probes add up to, and how to use it. */

import { h } from "../../lib/dom.js";
import { bytes, countryName, duration, milliseconds, number, percent, time, timeUntil } from "../../lib/format.js";
import { poolLink, providerLink, serverLink } from "../../lib/links.js";
import { badge, copyable, facts, note, words } from "../../lib/parts.js";

/** What is wrong with an exit in words, with what is done about it. */
const trouble = (exit) =>
  exit.detail || exit.reason
    ? note(
        [exit.detail ?? words(exit.reason), exit.retry_at ? [" Tried again ", timeUntil(exit.retry_at), "."] : ""],
        exit.state === "failed" ? "bad" : "warn",
      )
    : null;

const VERDICTS = { healthy: "good", degraded: "warn", dead: "bad", unknown: "idle" };

/** @param {any} exit */
export const healthTab = (exit) => [
  trouble(exit),
  signals(exit),
  section("The exit", identity(exit)),
  section("Use this pool", usage(exit)),
];

const section = (title, content) => h("section", { class: "stack" }, h("h3", title), content);

function signals({ health }) {
  return section(
    "Signals",
    facts([
      [
        "Verdict",
        h("span", { class: "row" }, badge(health.verdict, VERDICTS[health.verdict]), health.reason ? words(health.reason) : null),
      ],
      ["Score", `${number(health.score)} of 1: its weight in the pool`],
      ["Latency", milliseconds(health.latency_ms)],
      ["Probes that succeed", health.success_rate === undefined ? undefined : `${percent(health.success_rate)} of the last 60`],
      ["Last handshake", health.handshake_age_seconds === undefined ? undefined : `${duration(health.handshake_age_seconds)} old`],
      ["Last probe", time(health.checked_at)],
      ["Leaks", leaks(health)],
      ["Address compared", health.compared_at ? time(health.compared_at) : badge("never: a leak may go unseen", "warn")],
      ["Not compared", health.comparison_problem],
      ["Another address seen", health.other_exit_ip && badge(health.other_exit_ip, "bad")],
      ["Country verified", health.placed_at && time(health.placed_at)],
      ["Blocked by", health.blocked_by && badge(health.blocked_by.join(", "), "warn")],
      ["Canaries", health.canaries?.length ? health.canaries.map(canary).join("; ") : undefined],
    ]),
  );
}

const canary = ({ name, passed, detail }) => `${name}: ${passed ? "well" : detail}`;

function leaks({ leaks_counted: isCounted, leaked_packets: packets, leaked_bytes: volume }) {
  if (isCounted === false) return badge("not counted: a container of an earlier version", "warn");
  if (packets === undefined) return undefined;
  return packets ? badge(`${number(packets)} packets, ${bytes(volume)} beside the tunnel`, "bad") : badge("none", "good");
}

function identity(exit) {
  return facts([
    ["Exit address", exit.exit_ip && copyable(exit.exit_ip, { label: "Copy the exit address" })],
    ["Seen in", exit.exit_country && countryName(exit.exit_country)],
    ["IPv6", exit.ipv6 ? "inside the tunnel" : undefined],
    ["Pool", poolLink(exit.country)],
    ["Server", exit.server && serverLink(exit.server.hostname)],
    ["Server's address", exit.server?.address],
    ["City", exit.server?.city],
    ["Server's load", exit.server?.load === undefined ? undefined : `${exit.server.load} %`],
    ["Server's latency", exit.server?.latency_ms === undefined ? undefined : milliseconds(exit.server.latency_ms)],
    ["Provider", exit.provider && providerLink(exit.provider)],
    ["Account", exit.account],
    ["Containers so far", number(exit.generation)],
    ["Failed tries in a row", exit.attempts ? number(exit.attempts) : undefined],
  ]);
}

const usage = ({ proxy }) =>
  facts([
    ["HTTP proxy", copyable(proxy.url, { label: "Copy the proxy's address" })],
    ["SOCKS5 proxy", copyable(proxy.socks5, { label: "Copy the SOCKS5 address" })],
    ["User name", copyable(proxy.username, { label: "Copy the user name" })],
    ["Ready lines", h("a", { href: "/users" }, "A user's page has them for each program")],
  ]);
