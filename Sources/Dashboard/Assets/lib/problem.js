/** What went wrong with a request, with what to do about it. */

import { sentence } from "./format.js";

/** What to do, by the API's code; only what the API's own message does not say. */
const REMEDIES = {
  unreachable: "Check that the controller runs and that this machine reaches it. What you typed is kept.",
  store_unavailable: "Nothing was changed. Redis does not answer or takes no writes: see Health, then try again.",
  engine_unavailable: "The Docker Engine does not answer: see Health, then try again.",
  catalog_unavailable: "No provider gives a list of servers: see Servers for each provider's problem.",
  not_leader: "Another controller has just taken over. Try again in some seconds.",
  stopping: "The controller is ending. Try again when it is back.",
  role_too_low: "Sign in with a key of a higher role.",
  too_many_requests: "Wait until the limit has moved on.",
  too_many_tries: "Wait, then sign in with a valid key.",
  pool_full: "A pool has at most 10 exits. Remove one, or wait until leaving ones are gone.",
  device_limit: "Make a pool smaller, or raise `providers.<name>.devices` if the account allows more tunnels.",
  no_server: "Loosen the pool's limits (city, tags, hosts), or try again when servers are back.",
  csrf: "Load the page again and repeat this.",
  key_missing: "Sign in.",
  key_unknown: "Sign in again: the session has ended, or its key was revoked.",
  internal: "This is a defect of Sallyport. The log has the cause under the request's id.",
};

export class Problem extends Error {
  /**
   * @param {{status: number, error: string, message: string, remedy?: string, fields?: {field: string, message: string}[],
   *   request_id?: string, retryAfter?: number}} body
   */
  constructor(body) {
    super(sentence(body.message));
    this.name = "Problem";
    /** The status of HTTP; 0 where nobody answered. */
    this.status = body.status;
    /** The API's word for it: `store_unavailable`. */
    this.code = body.error;
    /** What to do; may be "". */
    this.remedy = body.remedy ?? REMEDIES[body.error] ?? "";
    /** Messages by field, where the API names fields. */
    this.fields = Object.fromEntries((body.fields ?? []).map(({ field, message }) => [field, message]));
    this.requestId = body.request_id;
    /** Seconds until it makes sense to try again; undefined where nothing is known. */
    this.retryAfter = body.retryAfter;
  }
}

/** Nobody has answered. */
export const unreachable = () => new Problem({ status: 0, error: "unreachable", message: "The controller does not answer." });

/**
 * The problem that an answer other than 2xx stands for.
 * @param {Response} response
 */
export async function problemOf(response) {
  const text = await response.text().catch(() => "");
  const retryAfter = Number(response.headers.get("Retry-After")) || undefined;
  try {
    return new Problem({ ...JSON.parse(text), status: response.status, retryAfter });
  } catch {
    const message = text.trim().slice(0, 300) || `The controller answered ${response.status}.`;
    return new Problem({ status: response.status, error: "unknown", message, retryAfter });
  }
}

/** Any error as a problem. */
export const asProblem = (error) =>
  error instanceof Problem ? error : new Problem({ status: 0, error: "page", message: String(error?.message ?? error) });
