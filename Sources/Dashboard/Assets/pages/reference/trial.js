/** A request to the API with the session's rights, and its raw answer. */

import { confirm } from "../../lib/dialog.js";
import { h, nodes } from "../../lib/dom.js";
import { form } from "../../lib/form.js";
import { copyable, note, problemNote } from "../../lib/parts.js";
import { Problem } from "../../lib/problem.js";
import { curlLine, target } from "./curl.js";

/** Longer answers are cut on the page. */
const SHOWN = 100_000;

/**
 * @param {import("./operations.js").Operation} operation
 * @param {AbortSignal} signal
 * @param {typeof import("../../lib/session.js").session} session
 */
export function trial(operation, signal, session) {
  if (operation.role && !session.may(operation.role)) {
    const seen = session.role ? `the session has ${session.role}` : "nobody is signed in";
    return note(`This needs role ${operation.role}; ${seen}.`, "warn");
  }
  if (operation.answers[0]?.type === "text/event-stream")
    return note("A stream does not end. The command on the tab Request shows it in a shell.");
  const answer = h("div", { class: "trial-answer", "aria-live": "polite" });
  const command = h("div");
  const request = (values) => ({ target: target(operation, values), body: values.body });
  const preview = (values) =>
    command.replaceChildren(copyable(curlLine(operation, request(values)), { block: true, label: "Copy the command" }));
  const input = form({
    fields: fieldsOf(operation),
    values: valuesOf(operation),
    submit: `Send ${operation.method}`,
    onChange: preview,
    onSubmit: async (values) => answer.replaceChildren(...nodes([await send(operation, request(values), signal)])),
  });
  preview(input.values());
  return [command, input.element, answer];
}

const sendable = ({ parameters }) => parameters.filter((parameter) => parameter.in !== "header");

function fieldsOf(operation) {
  const fields = sendable(operation).map((parameter) => ({
    name: parameter.name,
    label: parameter.name,
    hint: parameter.description,
    required: parameter.in === "path",
    kind: parameter.schema?.enum ? "select" : "text",
    options: parameter.schema?.enum && ["", ...parameter.schema.enum],
  }));
  if (operation.body) fields.push({ name: "body", label: "Body, JSON", kind: "textarea", required: operation.body.required });
  return fields;
}

function valuesOf(operation) {
  const values = Object.fromEntries(
    sendable(operation).map((parameter) => [parameter.name, parameter.in === "path" ? parameter.example : ""]),
  );
  if (operation.body) values.body = JSON.stringify(operation.body.example ?? {}, null, 2);
  return values;
}

async function send(operation, { target, body }, signal) {
  if (body !== undefined) checkJSON(body);
  const changes = operation.method !== "GET";
  const consequence = `${operation.method} ${target} is carried out on this controller, with the rights of the session. It is no trial run.`;
  if (changes && !(await confirm({ title: operation.summary, consequence, action: "Send", danger: operation.method === "DELETE" })))
    return [];
  const started = performance.now();
  const headers = { "X-Sallyport-Request": "dashboard", ...(body !== undefined && { "Content-Type": "application/json" }) };
  try {
    const response = await fetch(target, { method: operation.method, headers, body, signal, credentials: "same-origin" });
    return shown(response, await response.text(), performance.now() - started);
  } catch (error) {
    if (error.name === "AbortError") return [];
    return problemNote(new Problem({ status: 0, error: "unreachable", message: "The controller does not answer." }));
  }
}

function checkJSON(text) {
  try {
    JSON.parse(text);
  } catch (error) {
    const message = `is no JSON: ${error.message}`;
    throw new Problem({ status: 422, error: "invalid", message: `body ${message}`, fields: [{ field: "body", message }] });
  }
}

function shown(response, text, elapsed) {
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  return [
    h(
      "h3",
      h("span", { class: `badge ${response.ok ? "good" : "bad"}` }, `${response.status} ${response.statusText}`),
      ` in ${Math.round(elapsed)} ms`,
    ),
    h("details", h("summary", "Headers"), h("pre", { class: "text", tabindex: "0" }, headers)),
    text && copyable(pretty(text), { block: true, label: "Copy the answer" }),
    text.length > SHOWN && h("p", { class: "hint" }, "The rest is not shown: the answer is long."),
  ];
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2).slice(0, SHOWN);
  } catch {
    return text.slice(0, SHOWN);
  }
}
