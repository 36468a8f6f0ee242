/** Servers and credentials that have failed and are left alone for a while. */

import { h } from "../../lib/dom.js";
import { timeUntil } from "../../lib/format.js";
import { providerLink, serverLink } from "../../lib/links.js";
import { badge, emptyState, panel, words } from "../../lib/parts.js";
import { table } from "../../lib/table.js";

const TONES = { open: "bad", half_open: "warn", closed: "good" };

/** @param {import("../../lib/page.js").Context} context */
export function breakersPanel(context) {
  const rows = table(context, {
    caption: "Breakers",
    key: ({ name }) => name,
    sort: "breakers",
    columns,
    empty: () =>
      emptyState({ title: "Nothing is avoided", text: "A server or a credential that fails is left alone for a while. None is now." }),
  });
  context.subscribe("breakers", (items) => rows.update([...items.values()]));
  return panel("Breakers", rows.element, { class: "flush" });
}

/** Names are `server:HOSTNAME` and `credential:PROVIDER` or `credential:PROVIDER/ACCOUNT`. */
function named({ name }) {
  const [kind, ...rest] = name.split(":");
  const what = rest.join(":");
  if (kind === "server") return ["server ", serverLink(what)];
  if (kind === "credential") {
    const [provider, account] = what.split("/");
    return ["key of ", providerLink(provider), account ? `, account ${account}` : ""];
  }
  return h("code", name);
}

const columns = [
  { name: "name", title: "What", value: ({ name }) => name, cell: named },
  { name: "state", title: "State", value: ({ state }) => state, cell: ({ state }) => badge(words(state), TONES[state] ?? "warn") },
  { name: "reason", title: "Why", class: "wrap", value: ({ reason }) => reason ?? "" },
  { name: "openings", title: "Times", numeric: true, value: ({ openings }) => openings },
  { name: "until", title: "Tried again", value: ({ open_until: at }) => at && Date.parse(at), cell: ({ open_until: at }) => timeUntil(at) },
];
