/** Requests to the API, by the session's cookie. Failures are `Problem`s. */

import { again } from "./again.js";
import { noteServerTime } from "./clock.js";
import { Problem, problemOf, unreachable } from "./problem.js";

export { Problem };

/** Called on a 401; true when somebody has signed in, so that the request is sent again. Set by the session. */
let signIn = async () => false;

/** @param {() => Promise<boolean>} handler */
export function onSignInNeeded(handler) {
  signIn = handler;
}

/** Called when a request was refused for its role, which may have been lowered since the page was opened. Set by the session. */
let refused = () => {};

/** @param {() => void} handler */
export function onRoleTooLow(handler) {
  refused = handler;
}

/**
 * @typedef {object} Options
 * @property {Record<string, string | number | string[] | null | undefined>} [query] Without a value: left out.
 * @property {AbortSignal} [signal]
 * @property {number} [timeout] Milliseconds to wait for an answer, in place of `signal`.
 * @property {boolean} [text] Returns the text of the answer, not its JSON.
 * @property {boolean} [quiet] Throws a 401 and asks nobody to sign in.
 */

/**
 * @param {string} method
 * @param {string} path
 * @param {any} body JSON; undefined for none.
 * @param {Options} options
 */
async function send(method, path, body, options) {
  const response = await answer(method, path, body, options);
  if (response.status === 401 && !options.quiet && (await signIn())) return send(method, path, body, { ...options, quiet: true });
  if (!response.ok) {
    const problem = await problemOf(response);
    if (problem.code === "role_too_low") refused();
    throw problem;
  }
  if (response.status === 204) return null;
  return options.text ? response.text() : response.json();
}

async function answer(method, path, body, { query, signal, timeout }) {
  const headers = { "X-Sallyport-Request": "dashboard", Accept: "*/*" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    let sent;
    const ask = () => {
      sent = performance.now();
      return fetch(address(path, query), {
        method,
        headers,
        signal: timeout ? AbortSignal.timeout(timeout) : signal,
        credentials: "same-origin",
        body: body === undefined ? undefined : JSON.stringify(body),
      });
    };
    const response = await (method === "GET" ? again(ask) : ask());
    noteServerTime(response.headers.get("Date"), performance.now() - sent);
    return response;
  } catch (error) {
    throw error.name === "AbortError" ? error : unreachable();
  }
}

function address(path, query) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value !== null && value !== undefined && value !== "") parameters.set(name, [value].flat().join(","));
  }
  return parameters.size ? `${path}?${parameters}` : path;
}

/** One function for each method; each returns the answer's JSON (null for none) or throws a `Problem`. */
export const api = {
  /** @param {string} path @param {Options} [options] */
  get: (path, options = {}) => send("GET", path, undefined, options),
  /** @param {string} path @param {any} [body] @param {Options} [options] */
  post: (path, body, options = {}) => send("POST", path, body, options),
  /** @param {string} path @param {any} body @param {Options} [options] */
  put: (path, body, options = {}) => send("PUT", path, body, options),
  /** @param {string} path @param {any} body @param {Options} [options] */
  patch: (path, body, options = {}) => send("PATCH", path, body, options),
  /** @param {string} path @param {Options} [options] */
  delete: (path, options = {}) => send("DELETE", path, undefined, options),
};

/** A segment of a path, escaped. */
export const segment = (text) => encodeURIComponent(text);
