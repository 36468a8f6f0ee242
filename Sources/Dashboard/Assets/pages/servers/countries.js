/** All countries with servers: a choice of one. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { countryName, percent } from "../../lib/format.js";
import { countryLink, links, poolLink } from "../../lib/links.js";
import { badge, emptyState, loader } from "../../lib/parts.js";
import { table } from "../../lib/table.js";
import { avoidedServers } from "./avoided.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("./surroundings.js").surroundings>} around
 */
export function countries(context, around) {
  let all = [];
  let isLoaded = false;
  const rows = table(context, {
    caption: "Countries",
    key: ({ country }) => country,
    sort: "countries",
    columns: [
      { name: "country", title: "Country", value: ({ country }) => countryName(country), cell: ({ country }) => countryLink(country) },
      { name: "servers", title: "Servers", numeric: true, value: ({ servers }) => servers },
      {
        name: "load",
        title: "Best load",
        numeric: true,
        value: ({ best_load: load }) => load,
        cell: ({ best_load: load }) => (load === undefined ? "–" : percent(load / 100)),
      },
      { name: "exits", title: "Exits", value: ({ exits }) => exits, cell: exits },
      { name: "open", title: "Pool", sortable: false, value: () => "", cell: (item) => next(context, item), class: "action" },
    ],
    empty: () =>
      all.length
        ? emptyState({ title: "No country fits the search", action: h("a", { class: "button", href: "/servers" }, "Show all countries") })
        : emptyState({
            title: "No provider has given a list",
            text: "Its account is missing, or it does not answer: see the providers above.",
            command: "sallyport countries",
          }),
  });
  const draw = () => {
    if (!isLoaded) return;
    const text = context.query.get("q").toLowerCase();
    rows.update(all.filter(({ country }) => `${countryName(country)} ${country}`.toLowerCase().includes(text)));
  };
  const { problem, load } = loader(async () => {
    const provider = context.query.get("provider");
    const answer = await api.get(provider ? `/api/${encodeURIComponent(provider)}/countries` : "/api/countries", {
      signal: context.signal,
    });
    all = answer.countries.map((item) => ({ ...item, country: item.code ?? item.country }));
    isLoaded = true;
    draw();
  });
  let provider;
  context.onQuery((query) => {
    if (provider !== query.get("provider")) load();
    provider = query.get("provider");
    draw();
  });
  around.onChange(() => load(), context.signal);
  return [avoidedServers(context, around), problem, rows.element];
}

const exits = ({ exits, serving }) =>
  exits ? badge(`${serving} of ${exits} serve`, serving === 0 ? "bad" : "good") : h("span", { class: "nothing" }, "–");

function next(context, { country, exits }) {
  if (exits) return poolLink(country);
  return context.session.may("operator")
    ? h("a", { class: "button", href: `/pools?make=yes&country=${country.toLowerCase()}` }, "Open a pool")
    : h("a", { href: links.country(country) }, "Servers");
}
