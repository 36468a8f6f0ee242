/** All settings of a pool, with the servers that they would take. */

import { confirm } from "../../lib/dialog.js";
import { api, segment } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { countryName } from "../../lib/format.js";
import { toast } from "../../lib/toast.js";
import { live } from "../../lib/live.js";
import { shrinking, SIZE_LIMIT } from "./actions.js";
import { preview } from "./preview.js";

const STRATEGIES = [
  { value: "balanced", label: "balanced: load and latency" },
  { value: "load", label: "load: the least loaded" },
  { value: "latency", label: "latency: the nearest" },
  { value: "random", label: "random: any of the ten best" },
];
const SPREADS = [
  { value: "least_connections", label: "least connections" },
  { value: "round_robin", label: "in turn" },
  { value: "latency", label: "by latency" },
  { value: "score", label: "by score" },
  { value: "random", label: "at random" },
];
/** Fields whose absence means the API's default. */
const DEFAULTS = { size: 2, standby: 0, strategy: "balanced", spread: "least_connections" };

/** When its exits are moved. */
const ROTATION = [
  {
    name: "rotate_every",
    label: "Rotate each",
    kind: "seconds",
    group: "Rotation",
    hint: "An exit is moved to another server after this time; empty for never.",
  },
  {
    name: "rotate_after_mb",
    label: "Rotate after",
    kind: "number",
    min: 1,
    placeholder: "never",
    group: "Rotation",
    hint: "Megabytes that an exit carries before it is moved.",
  },
];

/**
 * @param {import("../../lib/page.js").Context} context Of the drawer or tab.
 * @param {{pool?: any, countries?: any[], country?: string, done: (pool: any) => void, cancel?: () => void}} options
 */
export function poolForm(context, { pool, countries, country = "", done, cancel }) {
  const shown = preview(context, pool);
  const made = form({
    fields: fields(countries, pool),
    values: pool ?? { ...DEFAULTS, country },
    submit: pool ? "Save" : "Open this pool",
    onCancel: cancel,
    onChange: (values) => shown.update(pool?.country ?? values.country, values),
    onSubmit: async (values) => {
      const code = pool?.country ?? values.country;
      const question = shrinking(live.store("pools").items.get(code) ?? pool, values.size);
      if (question && !(await confirm(question))) return;
      const saved = await api.put(`/api/pools/${segment(code.toLowerCase())}`, body(values));
      toast(pool ? `The pool of ${countryName(code)} is changed` : `The pool of ${countryName(code)} opens ${saved.size} exits`);
      done(saved);
    },
  });
  shown.update(pool?.country ?? made.values().country, made.values());
  suggest(context, made, pool?.country);
  return h("div", { class: "stack two-columns" }, made.element, shown.element);
}

const fields = (countries, pool) =>
  [
    !pool && { name: "country", label: "Country", kind: "select", required: true, options: countryOptions(countries) },
    {
      name: "size",
      label: "Exits",
      kind: "number",
      min: 1,
      max: SIZE_LIMIT,
      required: true,
      hint: `1 to ${SIZE_LIMIT}: so many serve at once.`,
    },
    {
      name: "standby",
      label: "Standby",
      kind: "number",
      min: 0,
      max: 3,
      hint: "0 to 3 verified exits that wait unplugged, and take over at once.",
    },
    {
      name: "on_demand",
      label: "On demand: a request opens the pool, and it closes when nobody uses it",
      kind: "checkbox",
    },
    {
      name: "fallback",
      label: "Fallback countries",
      kind: "list",
      placeholder: "ca, gb",
      hint: "Take over in this order while no exit of the pool serves.",
    },
    { name: "provider", label: "Provider", kind: "text", options: [], placeholder: "any", group: "Servers" },
    { name: "city", label: "City", kind: "text", options: [], placeholder: "any", group: "Servers" },
    { name: "tags", label: "Tags", kind: "list", placeholder: "p2p", hint: "Only servers with all of these.", group: "Servers" },
    { name: "hostnames", label: "Only these hosts", kind: "list", group: "Servers" },
    { name: "exclude", label: "Without these hosts", kind: "list", group: "Servers" },
    { name: "strategy", label: "Servers are picked by", kind: "select", options: STRATEGIES, group: "Servers" },
    {
      name: "spread",
      label: "Connections are spread by",
      kind: "select",
      options: SPREADS,
      group: "Connections",
      hint: "Connections with a session stay with their exit.",
    },
    ...ROTATION,
  ].filter(Boolean);

const countryOptions = (countries) =>
  countries
    .filter(({ servers }) => servers > 0)
    .map(({ country, servers }) => ({ value: country, label: `${countryName(country)} (${servers} servers)` }))
    .toSorted((left, right) => left.label.localeCompare(right.label));

/** A pool is set as a whole: what is left out becomes its default. */
function body(values) {
  const given = Object.entries(values).filter(
    ([name, value]) => name !== "country" && value !== undefined && !(Array.isArray(value) && value.length === 0),
  );
  return Object.fromEntries(given);
}

/** Offers the providers and the cities that there are. */
async function suggest(context, made, country) {
  try {
    const { providers } = await api.get("/api/providers", { signal: context.signal });
    offer(
      made.field("provider"),
      providers.map(({ name }) => name),
    );
    const code = country ?? made.values().country;
    if (!code) return;
    const { servers } = await api.get(`/api/all/servers/${segment(code.toLowerCase())}`, {
      query: { limit: 5000 },
      signal: context.signal,
    });
    offer(made.field("city"), [...new Set(servers.map(({ city }) => city).filter(Boolean))].sort());
  } catch {
    // Suggestions only: what is typed is taken as it is.
  }
}

function offer({ element }, values) {
  element.querySelector("datalist")?.replaceChildren(...values.map((value) => h("option", { value })));
}
