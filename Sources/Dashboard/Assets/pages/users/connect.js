/** Ready lines for programs, with country, city and session built by clicking. */

import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";
import { copyable, facts, note, problemNote } from "../../lib/parts.js";
import { live } from "../../lib/live.js";
import { entryOf, loginOf, usable } from "./login.js";
import { CLIENTS } from "./snippets.js";

/**
 * @param {import("../../lib/page.js").Context} context Of the tab or dialog.
 * @param {{user: any, password?: string, choices: import("./choices.js").Choices}} options Without a password the lines have a word in its place.
 */
export function connect(context, { user, password = "PASSWORD", choices }) {
  const box = h("div", { class: "stack connect" });
  let entries;
  const draw = () => entries && show(box, content(user, password, entries, choices));
  const load = async () => {
    try {
      const { routes } = await api.get("/admin/routes", { signal: context.signal });
      entries = usable(routes);
      draw();
    } catch (error) {
      if (error.name !== "AbortError") box.replaceChildren(problemNote(error, load));
    }
  };
  load();
  choices.onChange(draw);
  return box;
}

function content(user, password, entries, choices) {
  if (!entries.length) return note("No entry of the proxies is open: see the log and Health.", "bad");
  const chosen = { ...choices.get() };
  chosen.to ||= firstCountry(user);
  const entry = entryOf(entries, chosen);
  const login = loginOf(user, password, entry, chosen);
  const client = CLIENTS.find(({ name }) => name === chosen.client) ?? CLIENTS[0];
  return [
    h(
      "div",
      { class: "builder" },
      selector("Entry", "via", choices, entries.map(entryOption), entry.address),
      entry.country ? null : selector("Country", "to", choices, countryOptions(user), chosen.to),
      selector("City", "city", choices, cityOptions(entry.country ?? chosen.to), chosen.city),
      selector("Address", "keep", choices, KEEPS, chosen.keep),
      chosen.keep ? sessionField(choices, chosen) : null,
      chosen.keep ? selector("Kept for", "minutes", choices, MINUTES, chosen.minutes) : null,
    ),
    tabs(choices, client),
    client.text ? copyable(client.text(login), { label: `Copy the lines for ${client.title}`, block: true }) : facts(client.facts(login)),
    client.hint ? h("p", { class: "hint" }, client.hint) : null,
    password === "PASSWORD"
      ? h("p", { class: "hint" }, "PASSWORD stands for the user's: it is stored as a hash alone. A new one is shown once.")
      : null,
    facts([
      ["User name", copyable(login.name, { label: "Copy the user name" })],
      [
        "Fixed user name",
        h(
          "span",
          copyable(login.behind, { label: "Copy the password with the parameters" }),
          h("p", { class: "hint" }, "For programs whose user name can't be changed: the parameters behind the password."),
        ),
      ],
    ]),
    login.isLocal ? note(`This entry listens on ${login.host} only: programs on other machines can't reach it.`, "warn") : null,
  ];
}

const KEEPS = [
  { value: "", label: "any exit for each connection" },
  { value: "session", label: "the same, as long as it serves" },
  { value: "hardsession", label: "the same, else refused" },
];
const MINUTES = [
  { value: "", label: "10 minutes" },
  ...[30, 60, 1440].map((minutes) => ({ value: String(minutes), label: minutes === 1440 ? "a day" : `${minutes} minutes` })),
];

const entryOption = ({ address, country, protocols, by, names }) => ({
  value: address,
  label: `${names[0] ?? address} – ${protocols.join(", ")}${country ? `, ${countryName(country)}` : by === "user" ? ", all countries" : ""}`,
});

/** Countries that the user may use and that have a pool. */
function usableCountries({ countries }) {
  const pools = [...live.store("pools").items.values()].map(({ country }) => country);
  return countries.length ? countries : pools;
}

/** A user of one country needs none in the name; others are refused without one. */
const firstCountry = (user) => (user.countries.length === 1 ? "" : (usableCountries(user)[0]?.toLowerCase() ?? "any"));

function countryOptions(user) {
  const only = user.countries.length === 1 ? [{ value: "", label: `${countryName(user.countries[0])}, the only one` }] : [];
  const all = usableCountries(user).map((country) => ({ value: country.toLowerCase(), label: countryName(country) }));
  return [...only, ...all, { value: "any", label: "any country" }];
}

/** Cities where the country has an exit now. */
function cityOptions(country) {
  const exits = [...live.store("exits").items.values()].filter(
    (exit) => !country || country === "any" || exit.country === country.toUpperCase(),
  );
  const cities = [...new Set(exits.map(({ server }) => server?.city).filter(Boolean))].sort();
  return [{ value: "", label: "any" }, ...cities.map((city) => ({ value: city, label: city }))];
}

function selector(label, name, choices, options, value) {
  const box = h(
    "select",
    { onchange: (event) => choices.set({ [name]: event.target.value }) },
    options.map((option) => h("option", { value: option.value }, option.label)),
  );
  if (options.some((option) => option.value === value)) box.value = value;
  return h("label", { class: "stack-field", "data-key": name }, label, box);
}

function sessionField(choices, { session }) {
  const change = (event) => choices.set({ session: event.target.value.replaceAll(/\W/g, "").slice(0, 32) });
  return h(
    "label",
    { class: "stack-field", "data-key": "session" },
    "Session's name",
    h("input", { type: "text", value: session, placeholder: "a1", maxlength: "32", oninput: change }),
  );
}

const tabs = (choices, client) =>
  h(
    "div",
    { class: "segments wraps", role: "group", "aria-label": "Program" },
    CLIENTS.map(({ name, title }) =>
      h(
        "button",
        { type: "button", class: "segment", "aria-pressed": String(client.name === name), onclick: () => choices.set({ client: name }) },
        title,
      ),
    ),
  );
