/** The servers that a pool's settings would take, best first, and why. */

import { api, segment } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { countryName, number } from "../../lib/format.js";
import { exitLink, links, serverLink } from "../../lib/links.js";
import { badge, emptyState, problemNote } from "../../lib/parts.js";
import { live } from "../../lib/live.js";

/** Milliseconds without a change before the API is asked. */
const PAUSE = 300;
/** Servers that are shown beyond those that would be taken. */
const MORE = 4;

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {any} [pool] The pool as it is.
 */
export function preview(context, pool) {
  const box = h("div", { "aria-live": "polite" });
  let timer;
  let asked = "";
  const load = async (country, values) => {
    const question = wish(country, values);
    const text = JSON.stringify([question, values.size, values.standby]);
    if (text === asked) return;
    asked = text;
    try {
      const { servers, total } = await api.get(question.path, { query: question.query, signal: context.signal });
      if (asked === text) show(box, ranking(servers, total, country, values, pool));
    } catch (error) {
      if (error.name !== "AbortError" && asked === text) show(box, problemNote(error));
    }
  };
  return {
    element: h("section", { class: "preview", "aria-label": "Preview" }, h("h3", "Preview: the servers that this would take"), box),
    /** @param {string | undefined} country @param {Record<string, any>} values Of the form. */
    update(country, values) {
      clearTimeout(timer);
      if (country) timer = setTimeout(() => load(country, values), box.firstChild ? PAUSE : 0);
    },
  };
}

function wish(country, { provider, city, tags, hostnames, exclude, strategy, size = 1, standby = 0 }) {
  return {
    path: `/api/${segment(provider || "all")}/servers/${segment(country.toLowerCase())}`,
    query: {
      explain: "true",
      strategy,
      city,
      tags: listed(tags),
      hostnames: listed(hostnames),
      exclude: listed(exclude),
      limit: Math.min(40, 2 * (size + standby) + MORE),
    },
  };
}

/** An empty list is no limit. */
const listed = (names) => (names?.length ? names : undefined);

function ranking(servers, total, country, { size = 1, standby = 0 }, pool) {
  if (!servers.length) {
    return emptyState({
      title: "No server fits",
      text: ["Loosen city, tags or hosts. ", h("a", { href: links.country(country) }, `Servers of ${countryName(country)}`)],
    });
  }
  const holders = new Map(
    [...live.store("exits").items.values()].filter(({ server }) => server).map((exit) => [exit.server.hostname, exit]),
  );
  const own = pool ? [...holders.values()].filter((exit) => exit.country === country && !exit.leaving).length : 0;
  let wanted = Math.max(0, size + standby - own);
  const rows = servers.map((server, index) => {
    const holder = holders.get(server.hostname);
    const isTaken = !holder && !isAvoided(server) && wanted-- > 0;
    return row(server, index, { holder, isTaken });
  });
  const free = servers.filter((server) => !holders.has(server.hostname) && !isAvoided(server)).length;
  return [h("p", { class: "muted" }, sentence(total, size + standby, own, free)), h("ol", { class: "ranking" }, rows)];
}

/** The points of an open breaker, and more. */
const isAvoided = ({ score_parts: parts }) => (parts ?? []).some(({ name, points }) => name === "breaker" && points >= 1000);

function sentence(total, wanted, own, free) {
  const needed = Math.max(0, wanted - own);
  const parts = [`${number(total)} servers fit.`];
  if (own) parts.push(`${own} exits of the pool hold a server already; they keep it while it fits.`);
  parts.push(
    needed > free
      ? `Only ${free} of ${needed} more can be opened now.`
      : needed
        ? `${needed} more would be opened, on these:`
        : "The next ones in line:",
  );
  return parts.join(" ");
}

function row(server, index, { holder, isTaken }) {
  const mark = holder
    ? ["in use by ", exitLink(holder.id)]
    : isTaken
      ? badge("would be taken", "good")
      : isAvoided(server)
        ? badge("avoided now", "warn")
        : "in line";
  return h(
    "li",
    { class: isTaken ? "taken" : "" },
    h("span", { class: "rank" }, String(index + 1)),
    h("span", serverLink(server.hostname), server.city ? h("span", { class: "hint" }, ` ${server.city}`) : null),
    h("span", { class: "mark" }, mark),
    h(
      "span",
      { class: "why" },
      `${number(server.score)} points: `,
      (server.score_parts ?? []).map(({ name, points, reason }) => `${name} ${number(points)} (${reason})`).join(", "),
    ),
  );
}
