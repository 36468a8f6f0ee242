/** The catalog: countries, and the servers of one with the reason for their rank. */

import { filters } from "../../lib/filters.js";
import { h } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";
import { pageHead } from "../../lib/parts.js";
import { countries } from "./countries.js";
import { serverDrawer } from "./drawer.js";
import { providers } from "./providers.js";
import { servers } from "./list.js";
import { surroundings } from "./surroundings.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const around = surroundings(context);
  const controls = filters(context, [
    { name: "q", label: "Search", kind: "search", placeholder: "Country, server, city, network" },
    { name: "country", label: "Country", kind: "select" },
    { name: "provider", label: "Provider", kind: "select" },
  ]);
  const body = h("div", { class: "stack" });
  let shown;
  const offer = (list) =>
    controls.setOptions(
      "country",
      list.map(({ country }) => ({ value: country, label: countryName(country) })),
    );
  context.onQuery((query) => {
    const isOfCountry = Boolean(query.get("country"));
    if (shown === isOfCountry) return;
    shown = isOfCountry;
    body.ending?.abort();
    body.ending = new AbortController();
    const part = context.within(body.ending.signal);
    body.replaceChildren(...(isOfCountry ? servers(part, around) : countries(part, around)));
  });
  serverDrawer(context, around);
  return [pageHead("Servers", { subtitle: around.summary }), providers(context, controls), controls.element, body, around.load(offer)];
}
