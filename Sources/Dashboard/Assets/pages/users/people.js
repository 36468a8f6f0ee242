/** What the page of users knows: users, and what each has used. */

import { api, segment } from "../../lib/api.js";
import { now } from "../../lib/format.js";
import { joiner } from "../../lib/join.js";
import { lazy } from "../../lib/lazy.js";
import { badge, words } from "../../lib/parts.js";

/** @param {import("../../lib/page.js").Context} context */
export function people(context) {
  let users = new Map();
  let traffic = new Map();
  let isLoaded = false;
  let change = () => {};
  const usage = lazy(context.signal, loadUsage(context), () => change());
  const join = joiner((user, now, sums) => ({ user, flow: { ...sums, ...now, ...grown(sums, now) } }));

  context.subscribe("traffic", (items) => {
    traffic = items;
    change();
  });
  context.subscribe("users", (items, { set }) => {
    if (isLoaded) for (const name of set) usage.forget(name);
    users = items;
    isLoaded = true;
    change();
  });

  return {
    isLoaded: () => isLoaded,
    isEmpty: () => users.size === 0,
    user: (name) => users.get(name),
    /** Rows of all users, the same objects where nothing has changed. Only what the topic lacks of a quota is asked for here. */
    rows: () =>
      [...users.values()].map((user) =>
        join(user.name, user, traffic.get(`user:${user.name}`), hasLongQuota(user) ? usage.of(user.name) : undefined),
      ),
    /** @param {() => void} listener */
    onChange(listener) {
      change = listener;
      listener();
    },
  };
}

const hasLongQuota = ({ limits }) => Boolean(limits.bytes_per_month || limits.bytes_total);
const sum = ({ bytes_in: received, bytes_out: sent }) => received + sent;

const loadUsage = (context) => async (name) => {
  const { today, month, total } = await api.get(`/api/users/${segment(name)}/usage`, {
    query: { hours: 0, days: 0 },
    signal: context.signal,
  });
  return { bytes_today: sum(today), bytes_month: sum(month), bytes_total: sum(total) };
};

/** The sums of a month and ever, with what has come on top of today's since they were asked for. */
function grown(sums, now) {
  if (!sums || !now) return {};
  const more = Math.max(0, now.bytes_today - sums.bytes_today);
  return { bytes_month: sums.bytes_month + more, bytes_total: sums.bytes_total + more };
}

/** Whether a user may do something now, and why not. */
export function standing(user) {
  if (user.disabled) return { name: "disabled", tone: "idle", reason: "" };
  if (user.expires_at && Date.parse(user.expires_at) <= now()) return { name: "expired", tone: "bad", reason: "" };
  if (user.blocked) return { name: "refused", tone: "bad", reason: BLOCKED[user.blocked] ?? words(user.blocked) };
  return { name: "active", tone: "good", reason: "" };
}

const BLOCKED = {
  quota_day: "the day's quota is used up",
  quota_month: "the month's quota is used up",
  quota_total: "the whole quota is used up",
};

export function standingBadge(user) {
  const { name, tone, reason } = standing(user);
  return badge(reason ? `${name}: ${reason}` : name, tone);
}
