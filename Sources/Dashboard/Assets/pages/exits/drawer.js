/** One exit: what its probes say, its history, what it carries, what happened to it, its log, a speed test. */

import { h, show } from "../../lib/dom.js";
import { time } from "../../lib/format.js";
import { poolLink } from "../../lib/links.js";
import { emptyState, exitTone, badge, words } from "../../lib/parts.js";
import { drawerActions } from "./actions.js";
import { events } from "./events.js";
import { healthTab } from "./health.js";
import { history } from "./history.js";
import { log } from "./log.js";
import { speed } from "./speed.js";
import { trafficTab } from "./traffic.js";

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {ReturnType<typeof import("./fleet.js").fleet>} state
 */
export function exitDrawer(context, state) {
  context.drawer({
    render(id, drawer) {
      if (!drawer.isFollowing) follow(context, drawer, id);
      const exit = drawer.exit ?? state.exit(id);
      if (!exit)
        return {
          title: id,
          subtitle: drawer.isMissing ? "gone" : "",
          tabs: [{ name: "", title: "Health", render: () => absent(drawer, id) }],
        };
      return {
        title: exit.id,
        subtitle: subtitle(exit, drawer.isMissing),
        actions: drawer.isMissing ? null : drawerActions(exit, state),
        tabs: tabs(context, drawer, exit),
      };
    },
  });
}

/** Renders the head again at each change of the exit; keeps the last that was known of one that is gone. */
function follow(context, drawer, id) {
  drawer.isFollowing = true;
  drawer.listeners = new Set();
  context.subscribe(
    "exits",
    (items) => {
      const exit = items.get(id);
      const isFirst = !drawer.exit && exit;
      const isMissing = !exit;
      if (exit === drawer.exit && isMissing === drawer.isMissing) return;
      drawer.isMissing = isMissing;
      drawer.exit = exit ?? drawer.exit;
      if (!drawer.content) return;
      drawer.refresh();
      if (isFirst || !drawer.exit) drawer.showTabAgain();
      for (const listener of drawer.listeners) listener(drawer.exit);
    },
    drawer.signal,
  );
}

function subtitle(exit, isMissing) {
  if (isMissing) return badge("gone: what follows is what was known last", "idle");
  return h(
    "span",
    { class: "row" },
    badge(exit.state, exitTone(exit)),
    exit.reason ? h("span", words(exit.reason)) : null,
    h("span", "since ", time(exit.since)),
    poolLink(exit.country),
  );
}

const absent = (drawer, id) =>
  drawer.isMissing
    ? emptyState({
        title: `There is no exit ${id}`,
        text: "It has left, or never was.",
        action: h("a", { class: "button", href: `/events?exit=${encodeURIComponent(id)}` }, "What happened to it"),
      })
    : h("p", { class: "loading" }, "Loading");

function tabs(context, drawer, exit) {
  const inTab = () => context.within(drawer.tabSignal);
  return [
    { name: "", title: "Health", render: () => following(drawer, (now) => healthTab(now)) },
    { name: "history", title: "History", render: () => history(inTab(), exit.id) },
    { name: "traffic", title: "Traffic", render: () => trafficTab(inTab(), `/api/exits/${exit.id}/usage`) },
    { name: "events", title: "Events", render: () => events(inTab(), exit.id) },
    context.session.may("operator") && { name: "log", title: "Log", render: () => log(inTab(), exit.id) },
    { name: "speed", title: "Speed", render: () => speed(inTab(), exit.id) },
  ].filter(Boolean);
}

/** A tab's content that is rendered again, in place, when the exit changes. */
function following(drawer, render) {
  const box = h("div", { class: "stack" });
  const draw = (exit) => show(box, render(exit));
  drawer.listeners.add(draw);
  drawer.tabSignal.addEventListener("abort", () => drawer.listeners.delete(draw));
  draw(drawer.exit);
  return box;
}
