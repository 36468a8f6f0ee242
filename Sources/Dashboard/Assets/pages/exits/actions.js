/** What can be done with an exit, and what each does to users. */

import { actionButton, perform } from "../../lib/actions.js";
import { api, segment } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";

const takesTraffic = ({ state }) => state === "serving" || state === "degraded";
const path = (exit) => `/api/exits/${segment(exit.id)}`;

/** The button at the head of the page. @param {import("../../lib/page.js").Context} context */
export const exitActions = (context) =>
  context.session.may("operator") ? h("a", { class: "button primary", href: "/pools?make=yes" }, "Open a pool") : null;

/** Other exits that take its country's traffic. */
const others = (exit, state) => state.exitsOf(exit.country).filter((other) => other.id !== exit.id && takesTraffic(other));

/** What becomes of its users when an exit takes no new connections any more. */
function afterwards(exit, state) {
  if (!takesTraffic(exit)) return "It takes no traffic now, so no user notices.";
  const count = others(exit, state).length;
  const { fallback = [] } = state.pool(exit.country) ?? {};
  if (count) return `New connections go to the ${count === 1 ? "other exit" : `${count} other exits`} of ${countryName(exit.country)}.`;
  if (fallback.length)
    return `It is the only one: new connections to ${countryName(exit.country)} go to ${fallback.map(countryName).join(", ")}.`;
  return `It is the only one: new connections to ${countryName(exit.country)} are refused with 503 no_exit.`;
}

const SESSIONS = "Sessions on it go on from another address; hard sessions end with 502 session_exit_gone.";

const rotation = (exit, state) => ({
  confirm: () => ({
    title: `Rotate ${exit.id}?`,
    consequence: [
      h(
        "p",
        "Another exit is opened on another server. When it serves, this one takes no new connections, finishes those that are open and goes.",
      ),
      h("p", takesTraffic(exit) ? `No connection is refused meanwhile. ${SESSIONS}` : afterwards(exit, state)),
    ],
    action: `Rotate ${exit.id}`,
  }),
  request: () => api.post(`${path(exit)}/rotate`),
  done: (answer) => `${exit.id} leaves as soon as another exit serves${answer?.id && answer.id !== exit.id ? ` (${answer.id})` : ""}`,
});

const removal = (exit, state) => ({
  confirm: () => ({
    title: `Drain and remove ${exit.id}?`,
    consequence: [
      h(
        "p",
        "It takes no new connections. Those that are open may finish for as long as gateway.drain_seconds says; then its container goes.",
      ),
      h("p", afterwards(exit, state)),
      takesTraffic(exit) ? h("p", SESSIONS) : null,
      shrinking(state.pool(exit.country)),
    ],
    action: `Remove ${exit.id}`,
    danger: true,
  }),
  request: () => api.delete(path(exit)),
  done: `${exit.id} finishes its connections and goes`,
});

function shrinking(pool) {
  if (!pool) return null;
  return h("p", pool.size > 1 ? `The pool shrinks from ${pool.size} exits to ${pool.size - 1}.` : "The pool ends with its last exit.");
}

export const rotateExit = (exit, state) => perform(rotation(exit, state));
export const removeExit = (exit, state) => perform(removal(exit, state));

/** The buttons of an exit's drawer; none for one that leaves already. */
export const drawerActions = (exit, state) =>
  exit.leaving
    ? null
    : [
        actionButton({ label: "Rotate", ...rotation(exit, state) }),
        actionButton({ label: "Drain and remove", danger: true, ...removal(exit, state) }),
      ];
