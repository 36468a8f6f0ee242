/** The list of pages at the side; on a narrow screen it is opened over the page. */

import { h, show } from "./dom.js";
import { icon } from "./icons.js";
import { session } from "./session.js";
import { navigate } from "./url.js";

const SECTIONS = ["Proxies", "Activity", "System"];

export class Navigation {
  constructor() {
    this.list = h("div", { class: "nav-list" });
    this.element = h(
      "nav",
      { class: "nav", id: "nav", "aria-label": "Pages", onkeydown: (event) => event.key === "Escape" && this.close() },
      h("a", { class: "brand", href: "/", "aria-label": "Sallyport, overview" }, icon("mark"), h("span", "Sallyport")),
      this.list,
    );
    document.addEventListener("click", (event) => this.isOpen && !event.target.closest("#nav, #menu-button") && this.close());
  }

  /** @param {import("./router.js").Entry[]} pages */
  show(pages) {
    const groups = Map.groupBy(pages, ({ section }) => section);
    const names = [...SECTIONS.filter((name) => groups.has(name)), ...[...groups.keys()].filter((name) => !SECTIONS.includes(name))];
    show(
      this.list,
      names.map((name) => h("section", { "aria-label": name }, h("h2", name), h("ul", groups.get(name).map(entry)))),
    );
    this.mark(this.path);
  }

  /** Marks the page that is shown. */
  mark(path) {
    this.path = path;
    for (const link of this.list.querySelectorAll("a")) {
      if (link.getAttribute("href") === path) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  /** @param {import("./router.js").Entry} page */
  open(page) {
    if (session.may(page.role)) navigate(page.path);
  }

  get isOpen() {
    return this.element.classList.contains("open");
  }

  toggle() {
    const isOpen = this.element.classList.toggle("open");
    document.getElementById("menu-button")?.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.element.querySelector("a")?.focus();
  }

  close() {
    if (this.isOpen) this.toggle();
  }
}

const entry = ({ title, path, icon: name, key }) =>
  h("li", h("a", { href: path, title: key ? `${title} (g ${key})` : title }, icon(name), h("span", title)));
