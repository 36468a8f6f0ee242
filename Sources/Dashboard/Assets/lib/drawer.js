/** The drawer at the right: one item of a page with tabs. The item and the tab are in the URL. */

import { h, nodes, show } from "./dom.js";
import { icon } from "./icons.js";
import { problemNote } from "./parts.js";

/**
 * @typedef {object} Tab
 * @property {string} name In the URL.
 * @property {string} title
 * @property {() => import("./dom.js").Child} render
 */

/**
 * @typedef {object} Content
 * @property {import("./dom.js").Child} title
 * @property {import("./dom.js").Child} [subtitle]
 * @property {import("./dom.js").Child} [actions]
 * @property {Tab[]} tabs
 */

/**
 * @typedef {object} Options
 * @property {string} [name] The parameter in the URL; `open`.
 * @property {(id: string, drawer: Drawer) => Content} render
 */

/**
 * Shows a drawer while the parameter is in the page's URL.
 * @param {import("./page.js").Context} context
 * @param {Options} options
 */
export function drawers(context, { name = "open", render }) {
  /** @type {Drawer | undefined} */
  let drawer;
  context.onQuery((query) => {
    const id = query.get(name);
    if (drawer && drawer.id !== id) {
      drawer.end(!id);
      drawer = undefined;
    }
    if (id && !drawer) drawer = new Drawer(context, name, id, render);
    else drawer?.showTab();
  });
  context.signal.addEventListener("abort", () => drawer?.end(false));
}

export class Drawer {
  constructor(context, name, id, render) {
    this.context = context;
    this.name = name;
    this.id = id;
    this.render = render;
    this.ending = new AbortController();
    /** Ends with the drawer. */
    this.signal = this.ending.signal;
    this.returnTo = document.activeElement;
    this.build();
    this.refresh();
    this.showTab();
    this.heading.focus({ preventScroll: true });
  }

  build() {
    this.heading = h("h2", { tabindex: "-1", id: "drawer-title" });
    this.subtitle = h("div", { class: "subtitle" });
    this.actions = h("div", { class: "drawer-actions" });
    this.tabList = h("div", { class: "tabs", role: "tablist", onkeydown: (event) => this.moveTab(event) });
    this.body = h("div", { class: "drawer-body", role: "tabpanel", tabindex: "0", id: "drawer-panel" });
    this.element = h(
      "aside",
      { class: "drawer", role: "dialog", "aria-labelledby": "drawer-title", onkeydown: (event) => this.key(event) },
      h(
        "header",
        { class: "drawer-head" },
        h("div", { class: "drawer-title" }, this.heading, this.subtitle),
        h(
          "button",
          { class: "icon-button", type: "button", "aria-label": "Close", title: "Close (Esc)", onclick: () => this.close() },
          icon("close"),
        ),
      ),
      this.actions,
      this.tabList,
      this.body,
    );
    document.getElementById("drawers").replaceChildren(this.element);
    addEventListener("keydown", (event) => this.key(event), { signal: this.signal });
  }

  /** Renders the head and the list of tabs again: the item has changed. The tab's own content looks after itself. */
  refresh() {
    try {
      this.content = this.render(this.id, this);
    } catch (error) {
      console.error(error);
      this.content = { title: this.id, tabs: [{ name: "", title: "Problem", render: () => problemNote(error) }] };
    }
    const { title, subtitle, actions, tabs } = this.content;
    show(this.heading, title);
    show(this.subtitle, subtitle);
    show(this.actions, actions);
    this.tabList.hidden = tabs.length < 2;
    show(
      this.tabList,
      tabs.map((tab) => this.tabButton(tab)),
    );
  }

  get tab() {
    const name = this.context.query.get("tab");
    return this.content.tabs.find((tab) => tab.name === name) ?? this.content.tabs[0];
  }

  tabButton(tab) {
    const isShown = tab === this.tab;
    return h(
      "button",
      {
        type: "button",
        role: "tab",
        "aria-selected": String(isShown),
        "aria-controls": "drawer-panel",
        tabindex: isShown ? "0" : "-1",
        onclick: () => this.choose(tab),
      },
      tab.title,
    );
  }

  choose(tab) {
    this.context.query.set({ tab: tab === this.content.tabs[0] ? null : tab.name });
  }

  moveTab(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const { tabs } = this.content;
    this.choose(tabs[(tabs.indexOf(this.tab) + step + tabs.length) % tabs.length]);
    this.tabList.querySelector("[aria-selected=true]")?.focus();
  }

  /** Shows the tab that is in the URL. */
  showTab() {
    const { tab } = this;
    if (this.shown === tab?.name) return;
    this.shown = tab.name;
    this.renderTab();
    this.body.scrollTop = 0;
  }

  /** Renders head and tab again, where it is still open: its item has come. */
  renderAgain() {
    if (this.signal.aborted) return;
    this.refresh();
    this.renderTab();
  }

  /** Renders the tab that is shown again: what it shows has changed. */
  renderTab() {
    const { tab } = this;
    this.tabEnding?.abort();
    this.tabEnding = new AbortController();
    /** Ends with the tab. */
    this.tabSignal = this.tabEnding.signal;
    show(
      this.tabList,
      this.content.tabs.map((tab) => this.tabButton(tab)),
    );
    this.body.setAttribute("aria-label", tab.title);
    this.body.replaceChildren(...nodes([rendered(tab)]));
  }

  /** Renders the tab's content anew: what it is about has come, or is gone. */
  showTabAgain() {
    this.shown = undefined;
    this.showTab();
  }

  key(event) {
    if (event.key !== "Escape" || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    if (event.target.matches?.("input[type=search]")) return;
    event.preventDefault();
    this.close();
  }

  close() {
    this.context.query.set({ [this.name]: null, tab: null });
  }

  /** @param {boolean} returnsFocus To the row that opened it. */
  end(returnsFocus) {
    this.tabEnding?.abort();
    this.ending.abort();
    this.element.remove();
    if (returnsFocus && this.returnTo?.isConnected) this.returnTo.focus({ preventScroll: true });
  }
}

/** A tab that can't be rendered says so, and leaves the rest of the page as it is. */
function rendered(tab) {
  try {
    return tab.render();
  } catch (error) {
    console.error(error);
    return problemNote(error);
  }
}
