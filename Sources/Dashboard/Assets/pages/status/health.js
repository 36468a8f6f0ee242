/** The parts that the controller needs. */

import { h, show } from "../../lib/dom.js";
import { time } from "../../lib/format.js";
import { badge, emptyState, panel } from "../../lib/parts.js";
import { table } from "../../lib/table.js";

/** What a part is, and what to do where it is troubled. */
const PARTS = {
  engine: ["Docker Engine", "Containers can't be started or ended meanwhile; those that run go on. Check `docker info` on the host."],
  gateway: ["Proxy (HAProxy)", "The proxy takes no changes meanwhile. Look at the log of its container: `docker logs sallyport-gateway`."],
  store: ["Redis", "Changes are refused meanwhile; exits and users go on. Check that Redis runs, has memory and takes writes."],
  catalog: ["Lists of servers", "The old lists are used meanwhile. See Servers for each provider's problem."],
  host: ["Machine's network", "New tunnels may fail. Check the host's connection, its clock and its firewall."],
  loop: ["Control loop", "States are not brought about meanwhile. The log says why."],
  audit: ["Audit log", "See Audit, and verify the chain."],
};

const TONES = { ok: "good", troubled: "bad", unknown: "idle" };

/** Items of the topic that are parts; others are facts about the controllers. */
export const isPart = (item) => item !== null && typeof item === "object" && item.status in TONES;

/** One word for everything. @param {import("../../lib/page.js").Context} context */
export function verdict(context) {
  const box = h("span", { class: "row", role: "status" });
  context.subscribe("health", (items) => {
    const troubled = [...items].filter(([, item]) => isPart(item) && item.status === "troubled").map(([id]) => nameOf(id));
    show(box, troubled.length ? badge(`troubled: ${troubled.join(", ")}`, "bad") : badge("every part that was asked answers", "good"));
  });
  return box;
}

/** @param {import("../../lib/page.js").Context} context */
export function partsPanel(context) {
  const rows = table(context, {
    caption: "Parts",
    key: ({ id }) => id,
    columns,
    defaultSort: "name",
    empty: () => emptyState({ title: "No part is known yet", command: "sallyport status" }),
  });
  context.subscribe("health", (items) => rows.update([...items].filter(([, item]) => isPart(item)).map(([id, item]) => ({ ...item, id }))));
  return panel("Parts", rows.element, { class: "flush" });
}

const nameOf = (id) => PARTS[id]?.[0] ?? id;

const columns = [
  { name: "name", title: "Part", value: ({ id }) => nameOf(id), cell: ({ id }) => h("strong", nameOf(id)) },
  { name: "status", title: "State", value: ({ status }) => status, cell: ({ status }) => badge(status, TONES[status]) },
  {
    name: "problem",
    title: "What is known",
    class: "wrap",
    value: ({ problem, note }) => problem ?? note ?? "",
    cell: (part) => known(part),
  },
  { name: "asked", title: "Asked", value: ({ asked_at: at }) => at && Date.parse(at), cell: ({ asked_at: at }) => time(at) },
];

function known({ id, status, problem, note }) {
  if (status !== "troubled") return note ?? h("span", { class: "muted" }, status === "ok" ? "It answered." : "");
  const remedy = PARTS[id]?.[1];
  return [h("strong", problem), remedy && h("p", { class: "hint" }, remedy)];
}
