/** Who is signed in. The key is exchanged for a cookie that scripts can't read; its role decides what is offered. */

import { api, onRoleTooLow, onSignInNeeded } from "./api.js";

const ROLES = ["viewer", "operator", "admin"];

/** @type {Set<() => void>} */
const listeners = new Set();

export const session = {
  /** The name of the API key; "" before somebody has signed in. */
  name: "",
  keyId: "",
  /** @type {"" | "viewer" | "operator" | "admin"} */
  role: "",
  /** When the session ends at the latest, RFC 3339. */
  expiresAt: "",
  /** Seconds without a request after which it ends. */
  idleSeconds: 0,

  /** Whether the session has the rights of a role; "" is what everybody has, signed in or not. */
  may: (role) => role === "" || (ROLES.indexOf(session.role) >= ROLES.indexOf(role) && session.role !== ""),

  /** @param {() => void} listener Called when somebody else is signed in, or the role has changed. */
  onChange: (listener) => listeners.add(listener),
};

function take(answer) {
  const before = `${session.keyId} ${session.role}`;
  session.name = answer.key.name;
  session.keyId = answer.key.id;
  session.role = answer.key.role;
  session.expiresAt = answer.expires_at ?? "";
  session.idleSeconds = answer.idle_seconds ?? 0;
  if (before !== `${session.keyId} ${session.role}`) for (const listener of [...listeners]) listener();
}

/** Reads who is signed in. Throws a `Problem` (401) where nobody is. */
export const readSession = async () => take(await api.get("/api/auth/session", { quiet: true }));

/**
 * Reads it again, where the rights may have changed; who is not signed in any more is asked to.
 * @param {number} [timeout] Milliseconds to wait for an answer.
 */
export const checkSession = async (timeout) => take(await api.get("/api/auth/session", { timeout }));

/** @param {{key: string} | {code: string}} secret */
export const signIn = async (secret) => take(await api.post("/api/auth/session", secret, { quiet: true }));

/** Ends the session, and loads the page again, so that nothing of it stays in memory. */
export async function signOut() {
  await api.delete("/api/auth/session", { quiet: true }).catch((problem) => {
    if (problem.status !== 401) throw problem;
  });
  location.assign("/");
}

/** The one-time code of the address (`#code=...`), which is taken out of the address and of the history. */
export function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (code) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

onRoleTooLow(() => checkSession().catch(() => undefined));

/** @param {() => Promise<boolean>} ask Shows the sign-in dialog; requests that need it at the same time share one. */
export function askBySignInDialog(ask) {
  let asking;
  onSignInNeeded(() => {
    asking ??= ask().finally(() => (asking = undefined));
    return asking;
  });
}
