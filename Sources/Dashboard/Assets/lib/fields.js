/** The kinds of a form's fields: how each is shown, read and set. Values are those of the API's JSON. */

import { h } from "./dom.js";

/**
 * @typedef {object} Field
 * @property {string} name Dots for nested values: `limits.bytes_per_day`.
 * @property {string} label
 * @property {"text" | "password" | "number" | "select" | "checkbox" | "list" | "bytes" | "seconds" | "time" | "textarea"} kind
 * @property {import("./dom.js").Child} [hint]
 * @property {boolean} [required]
 * @property {(string | {value: string, label: string})[]} [options] Of `select`; suggestions of `text` and `list`.
 * @property {number} [min]
 * @property {number} [max]
 * @property {string} [placeholder]
 * @property {string} [group] A heading above it and those that follow with the same group.
 * @property {boolean} [disabled]
 */

/**
 * @typedef {{element: HTMLElement, input: HTMLElement, get: () => any, set: (value: any) => void}} Control
 */

const BYTES = [
  ["MB", 1e6],
  ["GB", 1e9],
  ["TB", 1e12],
];
const SECONDS = [
  ["seconds", 1],
  ["minutes", 60],
  ["hours", 3600],
  ["days", 86400],
];

/**
 * Makes a field's control. `get` returns undefined where nothing was entered.
 * @param {Field} field
 * @param {Record<string, any>} attributes Of the input: its id, what describes it.
 * @returns {Control}
 */
export function control(field, attributes) {
  return (KINDS[field.kind] ?? textual)(field, {
    ...attributes,
    name: field.name,
    required: field.required,
    placeholder: field.placeholder,
    disabled: field.disabled,
  });
}

function textual(field, attributes) {
  const list =
    field.options &&
    h(
      "datalist",
      { id: `${attributes.id}-options` },
      field.options.map((option) => h("option", { value: asOption(option).value })),
    );
  const input = h("input", {
    ...attributes,
    type: field.kind === "password" ? "password" : "text",
    autocomplete: field.kind === "password" ? "new-password" : "off",
    spellcheck: "false",
    list: list && list.id,
  });
  return {
    element: h("span", { class: "control" }, input, list),
    input,
    get: () => input.value.trim() || undefined,
    set: (value) => (input.value = value ?? ""),
  };
}

function numeric(field, attributes) {
  const input = h("input", { ...attributes, type: "number", min: field.min, max: field.max, step: "any", inputmode: "numeric" });
  return {
    element: input,
    input,
    get: () => (input.value === "" ? undefined : Number(input.value)),
    set: (value) => (input.value = value ?? ""),
  };
}

function choice(field, attributes) {
  const input = h(
    "select",
    attributes,
    field.options.map(asOption).map(({ value, label }) => h("option", { value }, label)),
  );
  return {
    element: input,
    input,
    get: () => input.value || undefined,
    set: (value) => (input.value = value ?? input.options[0]?.value ?? ""),
  };
}

function flag(field, attributes) {
  const input = h("input", { ...attributes, type: "checkbox", required: false });
  return { element: input, input, get: () => input.checked, set: (value) => (input.checked = Boolean(value)) };
}

/** Names divided by commas or line ends; an empty one is an empty list. */
function names(field, attributes) {
  const base = textual(field, attributes);
  const get = () =>
    base.input.value
      .split(/[\s,]*[,\n][\s,]*/)
      .map((text) => text.trim())
      .filter(Boolean);
  return { ...base, get, set: (value) => (base.input.value = (value ?? []).join(", ")) };
}

function area(field, attributes) {
  const input = h("textarea", { ...attributes, rows: 4, spellcheck: "false" });
  return { element: input, input, get: () => input.value.trim() || undefined, set: (value) => (input.value = value ?? "") };
}

/** A number with a unit beside it; the value is in the smallest unit. */
const measured = (units) => (field, attributes) => {
  const input = h("input", { ...attributes, type: "number", min: 0, step: "any" });
  const unit = h(
    "select",
    { "aria-label": `Unit of ${field.label}`, disabled: field.disabled },
    units.map(([name]) => h("option", { value: name }, name)),
  );
  const factor = () => units.find(([name]) => name === unit.value)[1];
  const set = (value) => {
    const [name, size] = value
      ? (units.findLast(([, size]) => value >= size && Number.isInteger((value / size) * 1000)) ?? units[0])
      : units.at(units === BYTES ? 1 : -2);
    unit.value = name;
    input.value = value ? value / size : "";
  };
  return {
    element: h("span", { class: "measured" }, input, unit),
    input,
    get: () => (input.value === "" ? undefined : Math.round(Number(input.value) * factor())),
    set,
  };
};

/** A moment in the reader's time zone. */
function moment(field, attributes) {
  const input = h("input", { ...attributes, type: "datetime-local" });
  const local = (value) => {
    const date = new Date(value);
    return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  };
  return {
    element: input,
    input,
    get: () => (input.value ? new Date(input.value).toISOString() : undefined),
    set: (value) => (input.value = value ? local(value) : ""),
  };
}

const KINDS = {
  text: textual,
  password: textual,
  number: numeric,
  select: choice,
  checkbox: flag,
  list: names,
  bytes: measured(BYTES),
  seconds: measured(SECONDS),
  time: moment,
  textarea: area,
};

const asOption = (option) => (typeof option === "string" ? { value: option, label: option } : option);
