/** The columns of the users. */

import { h } from "../../lib/dom.js";
import { bytes, number, time, timeUntil } from "../../lib/format.js";
import { poolLink, userLink } from "../../lib/links.js";
import { meter } from "../../lib/parts.js";
import { standing, standingBadge } from "./people.js";

const nothing = (text = "–") => h("span", { class: "nothing" }, text);

/** What was used, with a bar where there is a quota. */
export function quota(used, limit, what) {
  if (!limit) return used === undefined ? nothing() : bytes(used);
  const text = `${bytes(used ?? 0)} of ${bytes(limit)}`;
  return h("span", { class: "quota" }, meter((used ?? 0) / limit, { label: `${what}: ${text}` }), h("span", text));
}

const share = (used, limit) => (limit ? (used ?? 0) / limit : undefined);

function connections({ user, flow }) {
  const limit = user.limits.connections;
  if (flow?.connections === undefined) return limit ? `at most ${number(limit)}` : nothing();
  return limit ? `${number(flow.connections)} of ${number(limit)}` : number(flow.connections);
}

function countries({ user }) {
  if (!user.countries.length) return nothing("all");
  if (user.countries.length > 3) return `${user.countries.length} countries`;
  return user.countries.flatMap((code, index) => [index ? ", " : "", poolLink(code)]);
}

export const COLUMNS = [
  { name: "name", title: "User", value: ({ user }) => user.name, cell: ({ user }) => userLink(user.name) },
  { name: "state", title: "State", value: ({ user }) => standing(user).name, cell: ({ user }) => standingBadge(user) },
  {
    name: "day",
    title: "Today",
    numeric: true,
    value: ({ user, flow }) => share(flow?.bytes_today, user.limits.bytes_per_day) ?? flow?.bytes_today,
    cell: ({ user, flow }) => quota(flow?.bytes_today, user.limits.bytes_per_day, "Today"),
  },
  {
    name: "month",
    title: "This month",
    numeric: true,
    optional: true,
    value: ({ user, flow }) => share(flow?.bytes_month, user.limits.bytes_per_month) ?? flow?.bytes_month,
    cell: ({ user, flow }) => quota(flow?.bytes_month, user.limits.bytes_per_month, "This month"),
  },
  {
    name: "total",
    title: "Ever",
    numeric: true,
    optional: true,
    value: ({ user, flow }) => share(flow?.bytes_total, user.limits.bytes_total) ?? flow?.bytes_total,
    cell: ({ user, flow }) => quota(flow?.bytes_total, user.limits.bytes_total, "Ever"),
  },
  { name: "connections", title: "Connections", numeric: true, optional: true, value: ({ flow }) => flow?.connections, cell: connections },
  { name: "countries", title: "Countries", optional: true, value: ({ user }) => user.countries.join(), cell: countries },
  {
    name: "expires",
    title: "Expires",
    optional: true,
    value: ({ user }) => user.expires_at,
    cell: ({ user }) => (user.expires_at ? timeUntil(user.expires_at) : nothing("never")),
  },
  {
    name: "created",
    title: "Made",
    numeric: true,
    optional: true,
    value: ({ user }) => user.created_at,
    cell: ({ user }) => time(user.created_at),
  },
];
