/** The frame around each page: navigation, head, banner, and the change from one page to another. */

import { h, nodes } from "./dom.js";
import { bind, listenForKeys } from "./keys.js";
import { live } from "./live.js";
import { banner } from "./banner.js";
import { shellCommands } from "./commands.js";
import { Navigation } from "./navigation.js";
import { Context } from "./page.js";
import { openPalette, provideCommands } from "./palette.js";
import { emptyState, loading, problemNote } from "./parts.js";
import { Problem } from "./problem.js";
import { isPage, pageAt, readPages, rendered, visiblePages } from "./router.js";
import { session } from "./session.js";
import { signInDialog } from "./signin.js";
import { topBar } from "./topbar.js";
import { followLinks, onNavigate, path } from "./url.js";

/** Topics that the frame shows on every page. */
const TOPICS = ["alerts", "exits", "health", "pools"];

export class Shell {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.navigation = new Navigation();
    this.main = h("main", { id: "main", tabindex: "-1" }, loading());
    this.announcer = h("p", { class: "off-screen", "aria-live": "polite" });
    /** The pages of the navigation. @type {import("./router.js").Entry[]} */
    this.pages = [];
  }

  async start() {
    this.build();
    listenForKeys();
    bind("ctrl+k", "Go to or do", openPalette);
    provideCommands(() => shellCommands(this.pages));
    session.onChange(() => this.sessionChanged());
    onNavigate(() => this.navigated());
    followLinks(isPage);
    try {
      await readPages();
      await this.showPage();
      await this.showNavigation();
    } catch (error) {
      this.main.replaceChildren(problemNote(error, () => location.reload()));
    }
  }

  build() {
    this.root.replaceChildren(
      h("a", { class: "skip", href: "#main" }, "Skip to the content"),
      h("div", { class: "shell" }, this.navigation.element, h("div", { class: "frame" }, topBar(this.navigation), banner(), this.main)),
      h("div", { id: "drawers" }),
      this.announcer,
    );
  }

  async showNavigation() {
    this.pages = await visiblePages();
    this.navigation.show(this.pages);
    this.keysEnding?.abort();
    this.keysEnding = new AbortController();
    const { signal } = this.keysEnding;
    for (const page of this.pages) {
      if (page.key) bind(`g ${page.key}`, page.title, () => this.navigation.open(page), { signal, group: "Go to" });
    }
  }

  navigated() {
    if (path() === this.path) return;
    this.navigation.close();
    this.showPage(true);
  }

  /** @param {boolean} [isChange] Whether another page was shown before: then the focus goes to the new one. */
  async showPage(isChange = false) {
    this.path = path();
    this.ending?.abort();
    this.ending = new AbortController();
    const { signal } = this.ending;
    this.navigation.mark(this.path);
    const content = await this.content(this.path, signal);
    if (signal.aborted) return;
    this.main.replaceChildren(...nodes([content]));
    this.main.scrollTop = 0;
    scrollTo(0, 0);
    if (!isChange) return;
    this.announcer.textContent = document.title;
    this.main.focus({ preventScroll: true });
  }

  /** What a path shows: its page, or why there is none. */
  async content(path, signal) {
    try {
      const page = await pageAt(path);
      if (signal.aborted) return null;
      const isAllowed = page && session.may(page.role);
      live.need([...TOPICS, ...((isAllowed && page.topics) || [])]);
      if (!page) {
        return emptyState({
          title: "There is no such page",
          text: ["Nothing is at ", h("code", path), "."],
          action: h("a", { class: "button", href: "/" }, "Overview"),
        });
      }
      const context = new Context(path, signal);
      context.title(page.title);
      if (!isAllowed && !session.role) {
        const button = h("button", { class: "button primary", type: "button", onclick: signInDialog }, "Sign in");
        return emptyState({ title: `${page.title} needs an API key`, action: button });
      }
      if (!isAllowed) {
        return emptyState({
          title: `${page.title} needs the role ${page.role}`,
          text: `The key ${session.name} has the role ${session.role}. Sign in with another key to see this page.`,
        });
      }
      return await rendered(page, context);
    } catch (error) {
      if (error.name === "AbortError") return null;
      if (!(error instanceof Problem)) console.error(error);
      return problemNote(error, () => this.showPage());
    }
  }

  /** Another key, or another role of it: what may not be done any more is not offered. */
  async sessionChanged() {
    await this.showNavigation();
    await this.showPage();
  }
}
