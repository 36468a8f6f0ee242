/** An operation as a `curl` command for the host that this page came from. */

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

/**
 * @param {import("./operations.js").Operation} operation
 * @param {{target: string, body?: string}} request The path with its query, and the JSON.
 */
export function curlLine(operation, { target, body }) {
  const parts = ["curl"];
  if (operation.answers[0]?.type === "text/event-stream") parts.push("--no-buffer");
  if (operation.method !== "GET") parts.push("-X", operation.method);
  if (operation.role) parts.push("-H", '"X-API-Key: $SALLYPORT_KEY"');
  if (body) parts.push("-H", "'Content-Type: application/json'", "-d", quoted(body));
  return [...parts, quoted(location.origin + target)].join(" ");
}

/** The path with its placeholders filled in, and a query. */
export function target(operation, values) {
  const path = operation.path.replace(/\{(\w+)\}/g, (whole, name) => (values[name] ? encodeURIComponent(values[name]) : whole));
  const query = new URLSearchParams();
  for (const { name } of operation.parameters.filter((parameter) => parameter.in === "query")) {
    if (values[name] !== undefined && values[name] !== "") query.set(name, String(values[name]));
  }
  return query.size ? `${path}?${query}` : path;
}

/** The target with the document's examples. */
export const exampleTarget = (operation) =>
  target(
    operation,
    Object.fromEntries(operation.parameters.filter((parameter) => parameter.in === "path").map(({ name, example }) => [name, example])),
  );
