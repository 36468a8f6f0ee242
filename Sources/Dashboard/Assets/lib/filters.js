/** Controls above a list that are bound to the page's URL. */

import { h } from "./dom.js";

let count = 0;

/**
 * @typedef {object} Filter
 * @property {string} name The parameter in the URL.
 * @property {string} label
 * @property {"search" | "select" | "toggle" | "tabs"} kind
 * @property {(string | {value: string, label: string})[]} [options] Of `select` and `tabs`; "" is all.
 * @property {string} [placeholder]
 */

/**
 * Makes the controls. `setOptions(name, options)` changes what a select offers.
 * @param {import("./page.js").Context} context
 * @param {Filter[]} wanted
 */
export function filters(context, wanted) {
  const controls = wanted.map((filter) => ({ filter, control: control(context, filter) }));
  const search = controls.find(({ filter }) => filter.kind === "search");
  if (search) context.keys("/", "Search", () => search.control.focus());
  context.onQuery((query) => controls.forEach(({ filter, control }) => control.take(query.get(filter.name))));
  return {
    element: h(
      "div",
      { class: "filters", role: "search" },
      controls.map(({ control }) => control.element),
    ),
    /** @param {string} name @param {(string | {value: string, label: string})[]} options */
    setOptions(name, options) {
      const { filter, control } = controls.find(({ filter }) => filter.name === name);
      control.setOptions(options);
      control.take(context.query.get(filter.name));
    },
  };
}

const control = (context, filter) => ({ search, select, toggle, tabs })[filter.kind](context, filter);
const asOption = (option) => (typeof option === "string" ? { value: option, label: option || "All" } : option);

function search(context, { name, label, placeholder }) {
  const set = (value) => context.query.set({ [name]: value });
  const input = h("input", {
    type: "search",
    "aria-label": label,
    placeholder: placeholder ?? label,
    spellcheck: "false",
    autocomplete: "off",
    oninput: () => set(input.value),
    onkeydown: (event) => {
      if (event.key !== "Escape") return;
      if (input.value) set((input.value = ""));
      else input.blur();
    },
  });
  const take = (value) => {
    if (input !== document.activeElement) input.value = value;
  };
  return { element: input, take, focus: () => input.focus() };
}

function select(context, { name, label, options }) {
  const id = `filter-${(count += 1)}`;
  const box = h("select", { id, onchange: () => context.query.set({ [name]: box.value }) });
  const setOptions = (list) => {
    const all = list.map(asOption);
    if (!all.some(({ value }) => value === "")) all.unshift({ value: "", label: "All" });
    box.replaceChildren(...all.map(({ value, label }) => h("option", { value }, label)));
  };
  setOptions(options ?? []);
  /** A value that is not offered (yet) is in the URL all the same, and is shown. */
  const take = (value) => {
    if (value && ![...box.options].some((option) => option.value === value)) box.append(h("option", { value }, value));
    box.value = value;
  };
  return { element: h("label", { class: "filter", for: id }, label, box), take, setOptions };
}

function toggle(context, { name, label }) {
  const input = h("input", { type: "checkbox", onchange: () => context.query.set({ [name]: input.checked ? "yes" : "" }) });
  return { element: h("label", { class: "filter toggle" }, input, label), take: (value) => (input.checked = value === "yes") };
}

function tabs(context, { name, label, options }) {
  const buttons = options.map(asOption).map(({ value, label }) => ({
    value,
    button: h("button", { type: "button", class: "segment", onclick: () => context.query.set({ [name]: value }) }, label),
  }));
  const take = (value) => buttons.forEach(({ value: own, button }) => button.setAttribute("aria-pressed", String(own === value)));
  return {
    element: h(
      "div",
      { class: "segments", role: "group", "aria-label": label },
      buttons.map(({ button }) => button),
    ),
    take,
  };
}
