/** The head of every page: search, state of the stream, alerts, who is signed in. */

import { perform } from "./actions.js";
import { h, show } from "./dom.js";
import { time, timeUntil } from "./format.js";
import { icon } from "./icons.js";
import { showKeys } from "./keys.js";
import { live } from "./live.js";
import { openPalette } from "./palette.js";
import { badge } from "./parts.js";
import { session, signOut } from "./session.js";
import { signInDialog } from "./signin.js";
import { setTheme, theme } from "./theme.js";

const STAYS = new AbortController().signal;

/** @param {import("./navigation.js").Navigation} navigation */
export function topBar(navigation) {
  return h(
    "header",
    { class: "topbar" },
    h(
      "button",
      {
        class: "icon-button menu-button",
        id: "menu-button",
        type: "button",
        "aria-label": "Pages",
        "aria-expanded": "false",
        "aria-controls": "nav",
        onclick: () => navigation.toggle(),
      },
      icon("menu"),
    ),
    h(
      "button",
      { class: "search-button", type: "button", "aria-label": "Go to or do", onclick: openPalette },
      icon("search"),
      h("span", "Go to or do"),
      h("kbd", "Ctrl K"),
    ),
    h("div", { class: "topbar-end" }, streamState(), alertCount(), healthState(), userMenu(), signInButton()),
  );
}

/** Whether what is shown is up to date. */
function streamState() {
  const box = h("span", { class: "stream-state" });
  const draw = () => {
    const { status } = live.state;
    show(
      box,
      status === "live"
        ? badge("live", "good", "Changes are shown as they happen")
        : status === "stale"
          ? badge("not up to date", "bad")
          : status === "connecting" && badge("connecting", "idle"),
    );
  };
  live.onState(draw);
  draw();
  return box;
}

function alertCount() {
  const box = h("span");
  live.store("alerts").subscribe((items) => {
    const isCritical = [...items.values()].some(({ severity }) => severity === "critical" || severity === "error");
    show(
      box,
      items.size
        ? h(
            "a",
            { href: "/", class: "count" },
            badge(`${items.size} ${items.size === 1 ? "alert" : "alerts"}`, isCritical ? "bad" : "warn"),
          )
        : null,
    );
  }, STAYS);
  return box;
}

/** The parts in trouble, where there are any. */
function healthState() {
  const box = h("span");
  live.store("health").subscribe((items) => {
    const names = [...items].filter(([, part]) => part.status === "troubled").map(([name]) => name);
    show(box, names.length ? h("a", { href: "/status", class: "count" }, badge(`${names.join(", ")}: trouble`, "bad")) : null);
  }, STAYS);
  return box;
}

function userMenu() {
  const content = h("div", { class: "menu-content" });
  const summary = h("summary", { class: "menu-button-user" });
  const menu = h("details", { class: "menu", onkeydown: (event) => event.key === "Escape" && close() }, summary, content);
  const close = () => {
    menu.open = false;
    summary.focus();
  };
  const draw = () => {
    menu.hidden = !session.role;
    show(summary, h("span", { class: "user-name" }, session.name), h("span", { class: "user-role" }, session.role));
    show(
      content,
      account(),
      themes(draw),
      h("button", { type: "button", class: "menu-item", onclick: showKeys }, "Keyboard", h("kbd", "?")),
      h("button", { type: "button", class: "menu-item", onclick: () => perform({ request: signOut }) }, "Sign out"),
    );
  };
  session.onChange(draw);
  menu.ontoggle = () => menu.open && draw();
  document.addEventListener("click", (event) => !menu.contains(event.target) && (menu.open = false));
  draw();
  return menu;
}

/** For who reads an open page and has not signed in. */
function signInButton() {
  const button = h("button", { class: "button", type: "button", onclick: signInDialog }, "Sign in");
  const draw = () => (button.hidden = session.role !== "");
  session.onChange(draw);
  draw();
  return button;
}

const account = () =>
  h(
    "p",
    { class: "menu-note" },
    "Signed in by the key ",
    h("strong", session.name),
    ", role ",
    h("strong", session.role),
    session.expiresAt ? [". The session ends ", timeUntil(session.expiresAt), "."] : ".",
    live.state.status === "stale" ? [" Not up to date since ", time(new Date(live.state.since).toISOString()), "."] : null,
  );

/** @param {() => void} redraw */
function themes(redraw) {
  const choose = (name) => {
    setTheme(name);
    redraw();
  };
  return h(
    "div",
    { class: "segments menu-themes", role: "group", "aria-label": "Theme" },
    [
      ["light", "sun"],
      ["dark", "moon"],
      ["system", "system"],
    ].map(([name, picture]) =>
      h(
        "button",
        { type: "button", class: "segment", "aria-pressed": String(theme() === name), onclick: () => choose(name) },
        icon(picture),
        name,
      ),
    ),
  );
}
