/** Tables: sorted by the URL, with rows that are changed in place, keys, groups, and only the rows in sight where there are many. */

import { h, list, show } from "./dom.js";
import { parseSort, sorted } from "./sorting.js";

/** From so many rows on, only those in sight are in the document. */
const MANY = 150;
/** Rows above and below what is in sight. */
const SPARE = 15;

/**
 * @template T
 * @typedef {object} Column
 * @property {string} name Its name in the URL.
 * @property {string} title
 * @property {(item: T) => any} value What it is sorted by, and shows without `cell`.
 * @property {(item: T) => import("./dom.js").Child} [cell]
 * @property {boolean} [numeric] Right-aligned; sorted downwards first.
 * @property {boolean} [sortable]
 * @property {boolean} [optional] Hidden on a narrow screen.
 * @property {string} [class]
 */

/**
 * @template T
 * @typedef {object} Options
 * @property {string} caption What the table is, for screen readers.
 * @property {(item: T) => string} key
 * @property {Column<T>[]} columns
 * @property {() => HTMLElement} empty
 * @property {(item: T) => string} [open] The id of the drawer that Enter or a click opens.
 * @property {string} [parameter] The drawer's parameter in the URL; `open`.
 * @property {(item: T) => string | undefined} [group] Rows are grouped by it, in its order; undefined for a list without groups.
 * @property {(group: string, items: T[]) => import("./dom.js").Child} [groupHead]
 * @property {(item: T) => string} [rowClass]
 * @property {string} [sort] The parameter in the URL; `sort`. A second table on a page needs another one.
 * @property {string} [defaultSort] `-load` is downwards.
 */

/**
 * @template T
 * @param {import("./page.js").Context} context
 * @param {Options<T>} options
 */
export function table(context, options) {
  const view = new TableView(context, options);
  return { element: view.element, update: (items) => view.update(items), redraw: () => view.redraw(), items: () => view.order };
}

class TableView {
  constructor(context, options) {
    this.context = context;
    this.options = { sort: "sort", defaultSort: "", parameter: "open", ...options };
    this.items = undefined;
    this.order = [];
    this.version = 0;
    this.build();
    context.onQuery(() => this.queryChanged());
    this.scroller.addEventListener("scroll", () => this.drawRows(), { passive: true, signal: context.signal });
    addEventListener("resize", () => this.drawRows(), { signal: context.signal });
    if (this.options.open) this.bindKeys();
  }

  build() {
    const { caption } = this.options;
    this.head = h("tr");
    this.before = h("tbody", { class: "spacer", "aria-hidden": "true" }, h("tr", h("td", { colspan: this.options.columns.length })));
    this.body = h("tbody");
    this.after = this.before.cloneNode(true);
    this.table = h(
      "table",
      { class: "table" },
      h("caption", { class: "off-screen" }, caption),
      h("thead", this.head),
      this.before,
      this.body,
      this.after,
    );
    this.scroller = h("div", { class: "table-scroller", tabindex: "0", role: "region", "aria-label": caption }, this.table);
    this.none = h("div", { class: "table-none", hidden: true });
    this.element = h("div", { class: "table-box" }, this.scroller, this.none);
  }

  get sort() {
    return parseSort(this.context.query.get(this.options.sort) || this.options.defaultSort);
  }

  update(items) {
    this.items = items;
    this.arrange();
  }

  /** Draws all rows again: something beside the items has changed. */
  redraw() {
    this.version += 1;
    if (this.items) this.arrange();
  }

  queryChanged() {
    const now = `${this.context.query.get(this.options.sort)} ${this.context.query.get(this.options.parameter)}`;
    if (now === this.lastQuery) return;
    this.lastQuery = now;
    this.redraw();
    this.drawHead();
  }

  arrange() {
    const { name, isDescending } = this.sort;
    const column = this.options.columns.find((column) => column.name === name);
    const rows = sorted(this.items, column, isDescending, this.options.key);
    this.order = rows.length && this.options.group?.(rows[0]) !== undefined ? this.inGroups(rows) : rows;
    const isEmpty = rows.length === 0;
    this.scroller.hidden = isEmpty;
    this.none.hidden = !isEmpty;
    if (isEmpty) show(this.none, this.options.empty());
    if (!this.element.isConnected) requestAnimationFrame(() => this.drawRows());
    this.table.setAttribute("aria-rowcount", String(this.order.length + 1));
    this.drawRows();
  }

  /** Items with the heads of their groups between them. */
  inGroups(rows) {
    const groups = Map.groupBy(rows, this.options.group);
    return [...groups.keys()].sort().flatMap((name) => [new GroupHead(name, groups.get(name)), ...groups.get(name)]);
  }

  drawHead() {
    const { name: by, isDescending } = this.sort;
    show(
      this.head,
      this.options.columns.map((column) => {
        const isSorted = column.name === by;
        const direction = isSorted ? (isDescending ? "descending" : "ascending") : undefined;
        const content =
          column.sortable === false
            ? column.title
            : h(
                "button",
                { type: "button", onclick: () => this.sortBy(column) },
                column.title,
                h("span", { class: "sort-mark", "aria-hidden": "true" }, isSorted ? (isDescending ? "↓" : "↑") : ""),
              );
        return h("th", { scope: "col", class: cellClass(column), "aria-sort": direction }, content);
      }),
    );
  }

  sortBy(column) {
    const { name, isDescending } = this.sort;
    const isDown = name === column.name ? !isDescending : Boolean(column.numeric);
    this.context.query.set({ [this.options.sort]: `${isDown ? "-" : ""}${column.name}` });
  }

  /** Draws the rows in sight; all of them where there are few. */
  drawRows() {
    const [first, last] = this.order.length > MANY ? this.range() : [0, this.order.length];
    const height = this.rowHeight ?? 0;
    this.before.firstChild.style.setProperty("height", `${first * height}px`);
    this.after.firstChild.style.setProperty("height", `${(this.order.length - last) * height}px`);
    this.before.hidden = first === 0;
    this.after.hidden = last === this.order.length;
    const shown = this.order.slice(first, last);
    list(this.body, shown, { key: (item) => this.keyOf(item), render: (item) => this.row(item), version: this.version });
    [...this.body.children].forEach((row, index) => row.setAttribute("aria-rowindex", String(first + index + 2)));
  }

  range() {
    this.rowHeight = this.body.querySelector("tr")?.getBoundingClientRect().height || this.rowHeight || 33;
    const seen = this.scroller.clientHeight || innerHeight;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / this.rowHeight) - SPARE);
    return [first, Math.min(this.order.length, first + Math.ceil(seen / this.rowHeight) + 2 * SPARE)];
  }

  keyOf(item) {
    return item instanceof GroupHead ? `group ${item.name}` : this.options.key(item);
  }

  row(item) {
    const { columns, groupHead, rowClass, open, parameter } = this.options;
    if (item instanceof GroupHead) {
      return h(
        "tr",
        { class: "group" },
        h("th", { colspan: columns.length, scope: "rowgroup" }, groupHead?.(item.name, item.items) ?? item.name),
      );
    }
    const id = open?.(item);
    const isOpen = id !== undefined && this.context.query.get(parameter) === id;
    return h(
      "tr",
      {
        class: `${rowClass?.(item) ?? ""} ${id === undefined ? "" : "opens"}`,
        tabindex: id === undefined ? null : "-1",
        "aria-current": isOpen ? "true" : null,
        onclick: id === undefined ? null : (event) => this.click(event, id),
        onkeydown: id === undefined ? null : (event) => this.key(event, id),
      },
      columns.map((column) => h("td", { class: cellClass(column) }, column.cell ? column.cell(item) : (column.value(item) ?? "–"))),
    );
  }

  /** A click on a link or a button of the row is its own. */
  click(event, id) {
    if (event.target.closest("a, button, input, select, label") || getSelection()?.toString()) return;
    this.openDrawer(id);
  }

  key(event, id) {
    if (event.key !== "Enter" || event.target !== event.currentTarget) return;
    event.preventDefault();
    this.openDrawer(id);
  }

  openDrawer(id) {
    this.context.query.set({ [this.options.parameter]: id }, { push: true });
  }

  bindKeys() {
    this.context.keys("j", "Next row (Enter opens it)", () => this.step(1));
    this.context.keys("k", "Row before", () => this.step(-1));
  }

  focused() {
    const row = document.activeElement?.closest?.("tr");
    return row && row === document.activeElement && this.body.contains(row)
      ? this.order.find((item) => this.keyOf(item) === row.dataset.key)
      : undefined;
  }

  step(by) {
    const items = this.order.filter((item) => !(item instanceof GroupHead));
    const index = items.indexOf(this.focused());
    const next = items[index < 0 ? (by > 0 ? 0 : items.length - 1) : Math.min(items.length - 1, Math.max(0, index + by))];
    if (!next) return;
    const find = () => [...this.body.children].find((row) => row.dataset.key === this.keyOf(next));
    if (!find()) this.scrollTo(this.order.indexOf(next));
    find()?.focus();
  }

  scrollTo(index) {
    this.scroller.scrollTop = Math.max(0, (index - 3) * (this.rowHeight ?? 33));
    this.drawRows();
  }
}

/** A row that begins a group. */
class GroupHead {
  constructor(name, items) {
    this.name = name;
    this.items = items;
  }
}

const cellClass = (column) => [column.numeric && "numeric", column.optional && "optional", column.class].filter(Boolean).join(" ") || null;
