/** The proxy users: who may use the exits, where to, how much of it is used. */

import { h, show } from "../../lib/dom.js";
import { filters } from "../../lib/filters.js";
import { emptyState, pageHead } from "../../lib/parts.js";
import { table } from "../../lib/table.js";
import { COLUMNS } from "./columns.js";
import { makeDrawer, userDrawer } from "./drawer.js";
import { standing, people } from "./people.js";

const STANDINGS = ["active", "refused", "disabled", "expired"];

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const state = people(context);
  const summary = h("span", { role: "status" });
  const controls = filters(context, [
    { name: "q", label: "Search users", kind: "search", placeholder: "Name, country, address" },
    { name: "state", label: "State", kind: "select", options: STANDINGS },
    { name: "limited", label: "Only with a quota", kind: "toggle" },
  ]);
  const rows = table(context, {
    caption: "Users",
    key: ({ user }) => user.name,
    columns: COLUMNS,
    open: ({ user }) => user.name,
    empty: () => nothing(state),
  });
  const draw = () => {
    if (!state.isLoaded()) return;
    const all = state.rows();
    show(summary, sentence(all));
    rows.update(all.filter(matches(context.query)));
  };
  state.onChange(draw);
  context.onQuery(draw);
  userDrawer(context, state);
  makeDrawer(context);
  const make = () => context.query.set({ make: "yes", open: null, tab: null }, { push: true });
  context.keys("n", "New user", make);
  context.commands([{ title: "New user", group: "Actions", run: make }]);
  const button = h("button", { class: "button primary", type: "button", onclick: make }, "New user");
  return [pageHead("Users", { subtitle: summary, actions: button }), controls.element, rows.element];
}

function sentence(rows) {
  const count = (wanted) => rows.filter(({ user }) => standing(user).name === wanted).length;
  const others = STANDINGS.slice(1)
    .map((name) => [count(name), name])
    .filter(([number]) => number)
    .map(([number, name]) => `${number} ${name}`);
  return [`${rows.length} ${rows.length === 1 ? "user" : "users"}`, ...others].join(", ");
}

function matches(query) {
  const words = query.get("q").toLowerCase().split(/\s+/).filter(Boolean);
  const state = query.get("state");
  const isLimited = query.get("limited") === "yes";
  return ({ user }) =>
    (!state || standing(user).name === state) &&
    (!isLimited || Object.keys(user.limits).some((name) => name.startsWith("bytes_"))) &&
    words.every((word) => [user.name, ...user.countries, ...user.addresses].join(" ").toLowerCase().includes(word));
}

const nothing = (state) =>
  state.isEmpty()
    ? emptyState({
        title: "No user yet",
        text: "A user is a name and a password for the proxies, with limits of its own.",
        action: h("a", { class: "button primary", href: "/users?make=yes" }, "Make a user"),
        command: "sallyport users add bob",
      })
    : emptyState({ title: "No user fits these filters", action: h("a", { class: "button", href: "/users" }, "Show all users") });
