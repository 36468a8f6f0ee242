/** The banner that says that the page is not up to date, since when, whether this machine is offline, and that the page is up to date again. */

import { clockOffset } from "./clock.js";
import { h, show } from "./dom.js";
import { absolute, duration, time } from "./format.js";
import { live } from "./live.js";
import { isOffline, onNetworkChange } from "./network.js";

/** Milliseconds before a break is said, and that "up to date again" is shown. */
const PATIENCE = 1500;
const STAY = 4000;

export function banner() {
  const box = h("div", { class: "banners", role: "status" });
  let timer;
  let wasShown = false;

  const draw = () => {
    clearTimeout(timer);
    const { status, since } = live.state;
    if (status === "stale") timer = setTimeout(() => stale(new Date(since).toISOString()), wasShown ? 0 : PATIENCE);
    else if (wasShown && status === "live") caughtUp();
    else if (status === "live") show(box, clockNote());
  };
  const stale = (since) => {
    wasShown = true;
    show(
      box,
      h(
        "div",
        { class: "banner bad" },
        h("span", "Not up to date since ", h("strong", absolute(since)), " (", time(since), "). ", reason()),
        h("button", { class: "button", type: "button", onclick: () => live.retry() }, "Try now"),
      ),
    );
  };
  const caughtUp = () => {
    wasShown = false;
    show(box, h("div", { class: "banner good" }, "Up to date again."));
    timer = setTimeout(() => show(box, clockNote()), STAY);
  };
  live.onState(draw);
  onNetworkChange(() => live.state.status === "stale" && draw());
  return box;
}

const reason = () => (isOffline() ? "This machine is offline." : "Connecting again.");

/** A clock that is off by a minute or more would make every absolute time look wrong. */
function clockNote() {
  const offset = clockOffset() / 1000;
  if (Math.abs(offset) < 60) return null;
  const direction = offset > 0 ? "behind" : "ahead of";
  return h(
    "div",
    { class: "banner warn" },
    `This machine's clock is ${duration(Math.round(Math.abs(offset) / 60) * 60)} ${direction} the controller's. Times are by the controller's clock.`,
  );
}
