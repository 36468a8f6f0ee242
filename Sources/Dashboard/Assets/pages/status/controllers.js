/** The controller that answers, who leads, and its figures. */

import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { number, time } from "../../lib/format.js";
import { badge, facts, loading, panel, problemNote } from "../../lib/parts.js";

/** @param {import("../../lib/page.js").Context} context */
export function controllersPanel(context) {
  const box = h("div", { class: "async" }, loading());
  let role;
  async function load() {
    try {
      const [ready, status] = await Promise.all([readiness(context.signal), figures(context)]);
      show(box, content(ready, status));
    } catch (error) {
      if (error.name !== "AbortError") show(box, problemNote(error, load));
    }
  }
  // Who leads is asked for again when the parts' notes say so: those of a follower name the leader.
  context.subscribe("health", (items) => {
    const now = JSON.stringify([...items.values()].map(({ status, note }) => [status, note]));
    if (now !== role) load();
    role = now;
  });
  return panel("Controllers", box);
}

/** A controller whose parts don't answer says so with a 503; its answer is the same. */
async function readiness(signal) {
  const response = await fetch("/health/ready", { signal });
  return response.json();
}

const figures = ({ session, signal }) => (session.may("admin") ? api.get("/admin/status", { signal }) : undefined);

function content({ role, leader, problems }, status) {
  return facts([
    [
      "This page is answered by",
      h("span", { class: "row" }, badge(role === "leader" ? "the leader" : "a follower", role === "leader" ? "good" : "info")),
    ],
    ["Who leads", leader ? h("code", leader) : "this controller"],
    ["A follower", role === "leader" ? null : "shows what the leader does, and hands changes to it."],
    ["Parts that don't answer", Object.keys(problems).length ? Object.keys(problems).join(", ") : null],
    ["Version", status?.version],
    ["Started", status && time(status.started_at)],
    ["Exits that serve", status && `${number(status.serving)} of ${number(status.exits)}`],
    ["Pools", status && number(status.pools)],
    ["Users", status && number(status.users)],
    ["Readers of streams", status && number(status.readers)],
  ]);
}
