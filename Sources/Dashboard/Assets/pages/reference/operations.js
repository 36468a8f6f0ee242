/** The OpenAPI document as a list of operations, with its references followed. */

/**
 * @typedef {object} Operation
 * @property {string} id
 * @property {string} method
 * @property {string} path `/api/exits/{id}`
 * @property {string} tag
 * @property {string} summary
 * @property {string} description
 * @property {string} role "" where no key is needed.
 * @property {any[]} parameters
 * @property {{schema: any, example: any, required: boolean} | null} body
 * @property {{status: string, about: string, type: string, schema: any, example: any}[]} answers
 * @property {string} words What a search looks into.
 */

const METHODS = ["get", "post", "put", "patch", "delete"];

/**
 * @param {any} document
 * @returns {Operation[]}
 */
export const operationsOf = (document) =>
  Object.entries(document.paths)
    .flatMap(([path, methods]) =>
      Object.entries(methods)
        .filter(([method]) => METHODS.includes(method))
        .map(([method, operation]) => read(document, path, method, operation)),
    )
    .toSorted(
      (left, right) =>
        left.tag.localeCompare(right.tag) ||
        left.path.localeCompare(right.path) ||
        METHODS.indexOf(left.method.toLowerCase()) - METHODS.indexOf(right.method.toLowerCase()),
    );

function read(document, path, method, operation) {
  const parameters = (operation.parameters ?? []).map((parameter) => ({ ...parameter, schema: follow(document, parameter.schema) }));
  const content = operation.requestBody?.content?.["application/json"];
  return {
    id: operation.operationId,
    method: method.toUpperCase(),
    path,
    tag: operation.tags?.[0] ?? "",
    summary: operation.summary ?? "",
    description: operation.description ?? "",
    role: operation["x-role"] ?? "",
    parameters,
    body: content ? { schema: follow(document, content.schema), example: content.example, required: operation.requestBody.required } : null,
    answers: Object.entries(operation.responses).map(([status, answer]) => readAnswer(document, status, answer)),
    words: [path, method, operation.summary, operation.description, ...parameters.map(({ name }) => name)].join(" ").toLowerCase(),
  };
}

function readAnswer(document, status, answer) {
  const [type, content] = Object.entries(answer.content ?? {})[0] ?? ["", {}];
  return { status, about: answer.description ?? "", type, schema: follow(document, content.schema), example: content.example };
}

/** A schema with its references replaced by what they name, to a depth where no form of ours goes deeper. */
function follow(document, schema, depth = 0) {
  if (!schema || typeof schema !== "object" || depth > 8) return schema;
  if (Array.isArray(schema)) return schema.map((part) => follow(document, part, depth));
  if (typeof schema.$ref === "string") {
    const target = schema.$ref
      .replace("#/", "")
      .split("/")
      .reduce((value, key) => value?.[key], document);
    return follow(document, target, depth + 1);
  }
  return Object.fromEntries(
    Object.entries(schema).map(([key, value]) => [key, key === "examples" ? value : follow(document, value, depth + 1)]),
  );
}

/** Whether an operation is about a tag and has all words of a text. */
export const matches = (operation, text, tag) =>
  (!tag || operation.tag === tag) &&
  text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => operation.words.includes(word));
