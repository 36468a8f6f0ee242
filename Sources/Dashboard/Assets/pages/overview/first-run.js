/** The way to a first exit, while there is no pool. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h, nodes } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";
import { links } from "../../lib/links.js";
import { copyable, note, panel, problemNote } from "../../lib/parts.js";

/** Countries that most people begin with, where there are servers. */
const FIRST = ["US", "DE", "GB", "NL", "FR", "JP"];

/** On the page only while there is no pool. @param {import("../../lib/page.js").Context} context */
export function firstRun(context) {
  const box = h("div", { hidden: true });
  let isShown = false;
  context.subscribe("pools", (items) => {
    box.hidden = items.size > 0;
    if (box.hidden || isShown) return;
    isShown = true;
    fill(context, box);
  });
  return box;
}

async function fill(context, box) {
  try {
    const { countries } = await api.get("/api/countries", { signal: context.signal });
    box.replaceChildren(panel("Open a first exit", h("ol", { class: "steps" }, steps(context, countries))));
  } catch (error) {
    if (error.name !== "AbortError") box.replaceChildren(...nodes([problemNote(error, () => fill(context, box))]));
  }
}

function steps(context, countries) {
  const may = context.session.may("operator");
  const codes = countries.map(({ country }) => country);
  const suggested = [...FIRST.filter((code) => codes.includes(code)), ...codes].slice(0, 6);
  return [
    h(
      "li",
      h("strong", "Choose a country. "),
      `${countries.length} have servers. A pool of one exit is made; more can be added at any time.`,
      may ? chooser(countries, suggested) : note("The session's role is viewer: an operator or an admin can do this."),
    ),
    h(
      "li",
      h("strong", "Wait for it to serve. "),
      "A container starts, its tunnel is verified and it is plugged into the proxy: some seconds. The map and the events show it.",
    ),
    h(
      "li",
      h("strong", "Use it. "),
      "Make a user on ",
      h("a", { href: "/users" }, "Users"),
      "; its page has lines to copy for curl, Python, Node, Java and browsers.",
    ),
    h("li", "The same from a shell:", copyable("sallyport up us", { block: true })),
  ];
}

function chooser(countries, suggested) {
  const select = h(
    "select",
    { "aria-label": "Country" },
    countries
      .toSorted((left, right) => countryName(left.country).localeCompare(countryName(right.country)))
      .map(({ country, servers }) => h("option", { value: country }, `${countryName(country)} (${servers} servers)`)),
  );
  select.value = suggested[0];
  const open = actionButton({
    label: "Open an exit",
    primary: true,
    request: () => api.post("/api/exits", { country: select.value.toLowerCase() }),
    done: (exit) => `${exit.id} is being opened in ${countryName(exit.country)}`,
  });
  return h("div", { class: "row first-country" }, select, open, h("a", { href: links.country(suggested[0]) }, "Explore the servers"));
}
