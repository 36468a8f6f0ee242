/** The columns of the pools. */

import { h } from "../../lib/dom.js";
import { countryName, duration, number } from "../../lib/format.js";
import { exitLink, poolLink, providerLink } from "../../lib/links.js";
import { badge, exitTone, words } from "../../lib/parts.js";
import { moreButton } from "./actions.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {{exits: Map<string, any>}} state
 */
export function columns(context, state) {
  return [
    { name: "country", title: "Pool", value: ({ country }) => countryName(country), cell: ({ country }) => poolLink(country) },
    { name: "serving", title: "Serving", numeric: true, value: ({ serving, size }) => serving / size, cell: serving },
    { name: "standby", title: "Standby", numeric: true, value: ({ standby }) => standby, cell: (pool) => standby(pool, state.exits) },
    { name: "exits", title: "Exits", sortable: false, value: ({ exits }) => exits.length, cell: (pool) => exitsOf(pool, state.exits) },
    { name: "servers", title: "Servers", optional: true, value: ({ city }) => city, cell: limits },
    { name: "strategy", title: "Picked by", optional: true, value: ({ strategy }) => strategy },
    { name: "spread", title: "Spread", optional: true, value: ({ spread }) => words(spread) },
    { name: "rotation", title: "Rotation", optional: true, value: ({ rotate_every: seconds }) => seconds, cell: rotation },
    { name: "fallback", title: "Fallback", optional: true, value: ({ fallback }) => fallback.join(), cell: fallback },
    context.session.may("operator") && {
      name: "more",
      title: "One more",
      sortable: false,
      value: () => "",
      cell: moreButton,
      class: "action",
    },
  ].filter(Boolean);
}

/** How many of the wanted exits serve. */
export const serving = ({ serving, size, open }) =>
  open ? badge(`${serving} of ${size}`, serving === 0 ? "bad" : serving < size ? "warn" : "good") : badge("on demand", "idle");
const nothingHere = () => h("span", { class: "nothing" }, "–");

function standby({ country, standby: wanted }, exits) {
  const there = [...exits.values()].filter((exit) => exit.country === country && exit.state === "standby").length;
  return wanted || there ? `${there} of ${wanted}` : nothingHere();
}

/** Each exit as a link with its state's colour; over five, a number. */
function exitsOf({ country, exits: ids }, exits) {
  if (ids.length > 5) return h("a", { href: `/exits?country=${country}` }, `${ids.length} exits`);
  return h(
    "span",
    { class: "exit-dots" },
    ids.map((id) => {
      const exit = exits.get(id);
      return h("span", { class: `dot ${exit ? exitTone(exit) : "idle"}`, title: exit ? `${id}: ${exit.state}` : id }, exitLink(id));
    }),
  );
}

/** What limits the servers that it takes. */
export function limits({ provider, city, tags, hostnames, exclude }) {
  const chips = [
    provider && providerLink(provider),
    city,
    ...(tags ?? []),
    hostnames?.length && `only ${hostnames.length} hosts`,
    exclude?.length && `without ${exclude.length} hosts`,
  ].filter(Boolean);
  return chips.length ? chips.map((text) => h("span", { class: "chip" }, text)) : h("span", { class: "muted" }, "any");
}

/** When its exits are moved. */
export function rotation({ rotate_every: seconds, rotate_after_mb: megabytes }) {
  const texts = [seconds && `each ${duration(seconds)}`, megabytes && `after ${number(megabytes)} MB`].filter(Boolean);
  return texts.length ? texts.join(" or ") : nothingHere();
}

const fallback = ({ fallback }) =>
  fallback.length ? fallback.flatMap((code, index) => [index ? ", " : "", poolLink(code)]) : nothingHere();
