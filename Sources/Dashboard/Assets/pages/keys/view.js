/** API keys and the sessions of browsers that have signed in with them. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { time, timeUntil } from "../../lib/format.js";
import { badge, emptyState, loader, note, pageHead, panel } from "../../lib/parts.js";
import { onRevision } from "../../lib/revision.js";
import { table } from "../../lib/table.js";
import { keyDrawer } from "./drawer.js";
import { makeKey } from "./make.js";
import { sessionsPanel } from "./sessions.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const sessions = sessionsPanel(context);
  if (!context.session.may("admin")) {
    const text = `You are signed in with the key ${context.session.name} (${context.session.role}). Only an admin sees and changes keys.`;
    return [pageHead("Keys"), note(text), sessions.element];
  }
  return keysOfAll(context, sessions);
}

function keysOfAll(context, sessions) {
  const keys = { all: [], isLoaded: false };
  const rows = table(context, {
    caption: "API keys",
    key: ({ id }) => id,
    columns,
    open: ({ name }) => name,
    defaultSort: "name",
    empty: () => emptyState({ title: "No key", command: "sallyport keys add dashboard" }),
  });
  const { problem, load } = loader(async () => {
    const answer = await api.get("/api/auth/keys", { signal: context.signal });
    Object.assign(keys, { all: answer.keys, isLoaded: true });
    rows.update(answer.keys);
    drawer.refresh();
  });
  const reload = () => {
    load();
    sessions.load();
  };
  const open = () => makeKey(load);
  const drawer = keyDrawer(context, keys, reload);
  context.keys("n", "New key", open);
  context.commands([{ title: "New API key", run: open }]);
  onRevision(context, "keys", load);
  const add = h("button", { class: "button primary", type: "button", onclick: open }, "New key");
  return [
    pageHead("Keys", { subtitle: "Programs and browsers sign in with a key; its role says what they may do.", actions: add }),
    problem,
    panel("API keys", rows.element, { class: "flush" }),
    sessions.element,
  ];
}

const ROLES = { viewer: "idle", operator: "info", admin: "warn" };

const columns = [
  { name: "name", title: "Name", value: ({ name }) => name, cell: ({ name }) => h("strong", name) },
  { name: "role", title: "Role", value: ({ role }) => Object.keys(ROLES).indexOf(role), cell: ({ role }) => badge(role, ROLES[role]) },
  { name: "used", title: "Last used", value: ({ last_used_at: at }) => at && Date.parse(at), cell: ({ last_used_at: at }) => time(at) },
  {
    name: "expires",
    title: "Ends",
    value: ({ expires_at: at }) => at && Date.parse(at),
    cell: ({ expires_at: at }) => (at ? timeUntil(at) : h("span", { class: "nothing" }, "never")),
  },
  { name: "made", title: "Made", optional: true, value: ({ created_at: at }) => Date.parse(at), cell: ({ created_at: at }) => time(at) },
  { name: "from", title: "Kept in", optional: true, value: ({ configured }) => (configured ? "the configuration" : "Redis") },
  { name: "id", title: "Id", optional: true, value: ({ id }) => id, cell: ({ id }) => h("code", id) },
];
