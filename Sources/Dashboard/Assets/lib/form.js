/** Forms whose errors stand at the field that the API names. Nothing that was typed is lost when a request fails. */

import { h } from "./dom.js";
import { control } from "./fields.js";
import { problemNote } from "./parts.js";
import { asProblem } from "./problem.js";

let count = 0;

/**
 * Makes a form.
 * @param {object} options
 * @param {import("./fields.js").Field[]} options.fields
 * @param {Record<string, any>} [options.values] As the API has them, nested.
 * @param {string} options.submit The button's text.
 * @param {(values: Record<string, any>) => Promise<any>} options.onSubmit Errors that it throws are shown.
 * @param {(values: Record<string, any>) => void} [options.onChange]
 * @param {() => void} [options.onCancel]
 */
export function form({ fields, values = {}, submit, onSubmit, onChange, onCancel }) {
  const rows = fields.map(row);
  const summary = h("div", { class: "form-problem" });
  const button = h("button", { class: "button primary", type: "submit" }, submit);
  const element = h(
    "form",
    { class: "form", novalidate: true, oninput: () => onChange?.(read()), onsubmit: send },
    summary,
    grouped(rows),
    h("div", { class: "form-actions" }, onCancel && h("button", { class: "button", type: "button", onclick: onCancel }, "Cancel"), button),
  );

  const read = () => {
    const result = {};
    for (const { field, control } of rows) place(result, field.name, control.get());
    return result;
  };
  const set = (all) => rows.forEach(({ field, control }) => control.set(find(all, field.name)));
  const fail = (error) => {
    const problem = asProblem(error);
    const shown = rows.filter((row) => row.fail(messageFor(row.field.name, problem.fields)));
    const isWhole = shown.length > 0 && Object.keys(problem.fields).every((name) => rows.some(({ field }) => isAbout(field.name, name)));
    summary.replaceChildren(...(isWhole ? [] : [problemNote(problem)]));
    (shown[0]?.control.input ?? button).focus();
  };

  async function send(event) {
    event.preventDefault();
    summary.replaceChildren();
    const missing = rows.filter(({ field, control, fail }) => fail(field.required && isEmpty(control.get()) ? "is needed" : ""));
    if (missing.length) return missing[0].control.input.focus();
    button.disabled = true;
    element.setAttribute("aria-busy", "true");
    try {
      await onSubmit(read());
    } catch (error) {
      fail(error);
    } finally {
      button.disabled = false;
      element.removeAttribute("aria-busy");
    }
  }

  set(values);
  const field = (name) => rows.find((row) => row.field.name === name);
  return { element, values: read, set, fail, field: (name) => field(name).control, focus: () => rows[0].control.input.focus() };
}

function row(field) {
  const id = `field-${(count += 1)}`;
  const error = h("p", { id: `${id}-error`, class: "field-error", role: "alert" });
  const hint = field.hint && h("p", { id: `${id}-hint`, class: "hint" }, field.hint);
  const made = control(field, { id, "aria-describedby": hint ? `${id}-hint ${id}-error` : `${id}-error` });
  const label = h("label", { for: id }, field.label, field.required && h("span", { class: "required", "aria-hidden": "true" }, " *"));
  const fail = (message) => {
    error.textContent = message ?? "";
    made.input.setAttribute("aria-invalid", String(Boolean(message)));
    return Boolean(message);
  };
  const parts = field.kind === "checkbox" ? [h("div", { class: "check" }, made.element, label)] : [label, made.element];
  return { field, control: made, fail, element: h("div", { class: `field ${field.kind}` }, parts, hint, error) };
}

/** The rows, with those of a group in a field set. */
function grouped(rows) {
  const groups = [];
  for (const row of rows) {
    if (!groups.length || groups.at(-1).name !== row.field.group) groups.push({ name: row.field.group, elements: [] });
    groups.at(-1).elements.push(row.element);
  }
  return groups.map(({ name, elements }) => (name ? h("fieldset", h("legend", name), elements) : elements));
}

const isEmpty = (value) => value === undefined || value === "" || (Array.isArray(value) && value.length === 0);

/** The API names a part of a list too: `addresses[2]` is about `addresses`. */
const isAbout = (field, name) => name === field || name.startsWith(`${field}[`) || name.startsWith(`${field}.`);

const messageFor = (field, messages) => Object.entries(messages).find(([name]) => isAbout(field, name))?.[1] ?? "";

const find = (values, name) => name.split(".").reduce((value, part) => value?.[part], values);

function place(values, name, value) {
  if (value === undefined) return;
  const parts = name.split(".");
  const last = parts.pop();
  const parent = parts.reduce((parent, part) => (parent[part] ??= {}), values);
  parent[last] = value;
}
