/** Where events are sent: each webhook with how it goes. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { time, timeUntil } from "../../lib/format.js";
import { emptyState, loader, pageHead } from "../../lib/parts.js";
import { onRevision } from "../../lib/revision.js";
import { table } from "../../lib/table.js";
import { webhookDrawer } from "./drawer.js";
import { makeWebhook } from "./form.js";
import { stateOf } from "./state.js";

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  const hooks = { byId: new Map(), isLoaded: false };
  const rows = table(context, { caption: "Webhooks", key: ({ id }) => id, columns, open: ({ id }) => id, empty: () => empty(add()) });
  const { problem, load } = loader(async () => {
    const { webhooks } = await api.get("/api/webhooks", { signal: context.signal });
    hooks.byId = new Map(webhooks.map((hook) => [hook.id, hook]));
    hooks.isLoaded = true;
    rows.update(webhooks);
    drawer.refresh();
  });
  const open = () => makeWebhook(load);
  const add = () => h("button", { class: "button primary", type: "button", onclick: open }, "New webhook");
  const drawer = webhookDrawer(context, hooks, load);
  context.keys("n", "New webhook", open);
  context.commands([{ title: "New webhook", run: open }]);
  onRevision(context, "webhooks", load);
  return [
    pageHead("Webhooks", { subtitle: "Each event is sent by HTTPS, signed, in order, and again until it is taken.", actions: add() }),
    problem,
    rows.element,
  ];
}

const empty = (action) =>
  emptyState({
    title: "No webhook",
    text: "A webhook sends events to another program, or to a channel of Slack, Discord, Teams or Telegram.",
    action,
    command: "sallyport webhooks add https://hooks.example.com/sallyport --kinds pool.failover,alert.raised",
  });

const some = (list, nothing) => (list.length ? list.join(", ") : nothing);

const columns = [
  { name: "url", title: "Address", value: ({ url }) => url, class: "long", cell: ({ url }) => h("code", url) },
  { name: "state", title: "State", value: ({ enabled, failures }) => (enabled ? failures : -1), cell: stateOf },
  { name: "kinds", title: "Events", value: ({ kinds }) => some(kinds, "all kinds"), class: "long" },
  { name: "countries", title: "Countries", optional: true, value: ({ countries }) => some(countries, "all") },
  { name: "format", title: "Format", optional: true, value: ({ format }) => format },
  {
    name: "delivered",
    title: "Delivered",
    value: ({ delivered_at: at }) => at && Date.parse(at),
    cell: ({ delivered_at: at }) => time(at),
  },
  {
    name: "retry",
    title: "Next try",
    optional: true,
    value: ({ retry_at: at }) => at && Date.parse(at),
    cell: ({ retry_at: at }) => timeUntil(at),
  },
  { name: "dead", title: "Given up", numeric: true, optional: true, value: ({ dead_letters: count }) => count },
];
