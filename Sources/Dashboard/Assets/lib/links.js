/** Links to where each named thing is shown. */

import { h } from "./dom.js";
import { countryName, flag, NOTHING } from "./format.js";
import { href } from "./url.js";

/** The addresses alone. */
export const links = {
  exit: (id) => href("/exits", { open: id }),
  pool: (country) => href("/pools", { open: country }),
  server: (hostname) => href("/servers", { open: hostname }),
  country: (country) => href("/servers", { country }),
  provider: (provider) => href("/servers", { provider }),
  user: (name) => href("/users", { open: name }),
  events: (filters) => href("/events", filters),
  key: (name) => href("/keys", { open: name }),
  webhook: (id) => href("/webhooks", { open: id }),
};

const link = (address, ...content) => h("a", { href: address }, content);
const nothing = () => h("span", { class: "nothing" }, NOTHING);

/** @param {string | undefined} id `us-1`. */
export const exitLink = (id) => (id ? link(links.exit(id), id) : nothing());

/** The pool of a country. @param {string | undefined} country */
export const poolLink = (country) => (country ? link(links.pool(country), countryLabel(country)) : nothing());

/** @param {string | undefined} hostname */
export const serverLink = (hostname) => (hostname ? link(links.server(hostname), hostname) : nothing());

/** The servers of a country. @param {string | undefined} country */
export const countryLink = (country) => (country ? link(links.country(country), countryLabel(country)) : nothing());

/** @param {string | undefined} provider */
export const providerLink = (provider) => (provider ? link(links.provider(provider), provider) : nothing());

/** @param {string | undefined} name */
export const userLink = (name) => (name && name !== "***" ? link(links.user(name), name) : h("span", name ?? NOTHING));

/** @param {string | undefined} name */
export const keyLink = (name) => (name ? link(links.key(name), name) : nothing());

/** @param {{exit?: string, country?: string, kind?: string}} filters @param {string} text */
export const eventsLink = (filters, text) => link(links.events(filters), text);

/** The flag, where the browser draws flags, and the name of a country. */
export function countryLabel(code) {
  const mark = drawsFlags() ? h("span", { class: "flag", "aria-hidden": "true" }, flag(code)) : null;
  return h("span", { class: "country" }, mark, countryName(code));
}

let areFlagsDrawn;

/** Whether there is a font with flags: a flag has colours, its two letters have none. */
function drawsFlags() {
  if (areFlagsDrawn === undefined) {
    const context = h("canvas", { width: 20, height: 20 }).getContext("2d", { willReadFrequently: true });
    context.font = "16px sans-serif";
    context.fillText(flag("DE"), 0, 16);
    const { data } = context.getImageData(0, 0, 20, 20);
    areFlagsDrawn = data.some((value, index) => index % 4 === 0 && Math.abs(value - data[index + 2]) > 40);
  }
  return areFlagsDrawn;
}
