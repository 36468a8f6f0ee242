/** A schema as words and as a table of its fields. */

import { h } from "../../lib/dom.js";

/** What a value may be, in a few words: "text, one of a, b", "whole number, 1 to 20". */
export function typeText(schema) {
  if (!schema) return "";
  const choices = [schema.anyOf ?? schema.oneOf].flat().filter(Boolean);
  if (choices.length) return choices.map(typeText).join(" or ");
  const [type, ...others] = [schema.type].flat();
  const text = (WORDS[type] ?? (() => type ?? "anything"))(schema);
  return others.includes("null") ? `${text} or null` : text;
}

const WORDS = {
  string: (schema) =>
    schema.enum ? `one of ${schema.enum.join(", ")}` : schema.format === "date-time" ? "time, RFC 3339" : `text${lengths(schema)}`,
  integer: (schema) => `whole number${range(schema)}`,
  number: (schema) => `number${range(schema)}`,
  boolean: () => "true or false",
  array: (schema) => `list of ${schema.items?.properties ? "objects" : typeText(schema.items)}`,
  object: (schema) =>
    schema.additionalProperties && !schema.properties ? `object, each value ${typeText(schema.additionalProperties)}` : "object",
  null: () => "null",
};

function range({ minimum, maximum }) {
  if (minimum === undefined && maximum === undefined) return "";
  if (maximum === undefined || maximum >= 1e9) return `, from ${minimum ?? 0}`;
  return `, ${minimum ?? 0} to ${maximum}`;
}

function lengths({ minLength, maxLength }) {
  if (maxLength === undefined) return "";
  return `, ${minLength ?? 0} to ${maxLength} characters`;
}

/** The fields of an object, nested ones with their path; nothing for other schemas. */
export function fieldTable(schema) {
  const rows = fields(schema);
  if (!rows.length) return null;
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Fields" },
    h(
      "table",
      { class: "reference-table" },
      h("thead", h("tr", h("th", "Field"), h("th", "Type"), h("th", "What"))),
      h(
        "tbody",
        rows.map(({ name, schema, isRequired }) =>
          h(
            "tr",
            h("td", h("code", name), isRequired && h("span", { class: "required", title: "required" }, " *")),
            h("td", typeText(schema)),
            h("td", schema.description ?? ""),
          ),
        ),
      ),
    ),
  );
}

function fields(schema, path = "", depth = 0) {
  if (schema?.type?.includes?.("array") || schema?.type === "array")
    return depth > 3 ? [] : fields(schema.items, path ? `${path}[]` : "[]", depth);
  return Object.entries(schema?.properties ?? {}).flatMap(([name, inner]) => {
    const own = path ? `${path}.${name}` : name;
    const isRequired = schema.required?.includes(name);
    return [{ name: own, schema: inner, isRequired }, ...(depth < 3 ? fields(inner, own, depth + 1) : [])];
  });
}
