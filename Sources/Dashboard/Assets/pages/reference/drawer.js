/** One operation: what it takes and answers, and a try with the session. */

import { h } from "../../lib/dom.js";
import { copyable, note } from "../../lib/parts.js";
import { curlLine, exampleTarget } from "./curl.js";
import { methodMark } from "./marks.js";
import { fieldTable, typeText } from "./schema.js";
import { trial } from "./trial.js";

const json = (value) => JSON.stringify(value, null, 2);

/**
 * @param {import("./operations.js").Operation[]} operations
 * @param {string} id
 * @param {import("../../lib/drawer.js").Drawer} drawer
 * @param {import("../../lib/page.js").Context} context
 */
export function drawerOf(operations, id, drawer, context) {
  const operation = operations.find((each) => each.id === id);
  if (!operation) {
    const missing = () => note(`This controller has no operation ${id}. It may be of another version.`, "warn");
    return { title: id, tabs: [{ name: "about", title: "About", render: missing }] };
  }
  return {
    title: h("span", { class: "operation-title" }, methodMark(operation.method), h("code", operation.path)),
    subtitle: operation.summary,
    tabs: [
      { name: "about", title: "Request", render: () => about(operation) },
      { name: "answers", title: "Answers", render: () => answers(operation) },
      { name: "try", title: "Try it", render: () => trial(operation, drawer.tabSignal, context.session) },
    ],
  };
}

function about(operation) {
  const body = operation.body?.example === undefined ? undefined : JSON.stringify(operation.body.example);
  return [
    operation.description && h("p", operation.description),
    h("h3", "From a shell"),
    copyable(curlLine(operation, { target: exampleTarget(operation), body }), { block: true, label: "Copy the command" }),
    operation.role &&
      h(
        "p",
        { class: "hint" },
        "SALLYPORT_KEY is an API key of role ",
        operation.role,
        " or above; the first one is in the file admin.key.",
      ),
    parameters(operation),
    operation.body && [
      h("h3", operation.body.required ? "Body" : "Body, optional"),
      fieldTable(operation.body.schema),
      example(operation.body.example),
    ],
  ];
}

function parameters({ parameters }) {
  if (!parameters.length) return null;
  return [
    h("h3", "Parameters"),
    h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Parameters" },
      h(
        "table",
        { class: "reference-table" },
        h("thead", h("tr", h("th", "Parameter"), h("th", "In"), h("th", "Type"), h("th", "What"))),
        h(
          "tbody",
          parameters.map((parameter) =>
            h(
              "tr",
              h("td", h("code", parameter.name)),
              h("td", parameter.in),
              h("td", typeText(parameter.schema)),
              h("td", parameter.description ?? ""),
            ),
          ),
        ),
      ),
    ),
  ];
}

function answers({ answers }) {
  const [good, bad] = [answers.filter(({ status }) => status < "400"), answers.filter(({ status }) => status >= "400")];
  return [
    good.map((answer) => [
      h("h3", answer.status, " ", h("span", { class: "muted" }, answer.about)),
      answer.type && h("p", { class: "hint" }, answer.type),
      fieldTable(answer.schema),
      example(answer.example),
    ]),
    h("h3", "Problems"),
    h(
      "table",
      { class: "reference-table" },
      h("thead", h("tr", h("th", "Status"), h("th", "Code"), h("th", "When"))),
      h(
        "tbody",
        bad.map((answer) => h("tr", h("td", answer.status), h("td", h("code", answer.example?.error ?? "")), h("td", answer.about))),
      ),
    ),
  ];
}

const example = (value) => value !== undefined && [h("h4", "Example"), copyable(json(value), { block: true, label: "Copy the example" })];
