/**
 * The tab's one stream of server-sent events. A browser opens six connections to a host, so all topics share one. It is opened again when
 * other topics are needed, and when it breaks; each connection begins with snapshots, so nothing is missed.
 */

import { now } from "./clock.js";
import { isOffline, onNetworkChange } from "./network.js";
import { checkSession, session } from "./session.js";
import { Store } from "./store.js";

/** Kept items of topics that only grow. */
const LIMITS = { events: 2000, logs: 5000, figures: 400 };
/** Topics that are costly enough to be left when no page shows them. */
const HEAVY = new Set(["users", "logs", "traffic"]);
/** The roles that topics need, where a viewer may not read them: the server refuses the whole stream for one that is not allowed. */
const ROLES = { users: "admin", logs: "operator" };
/** Milliseconds after which a stream that has said nothing at all counts as broken, and a session that was asked for as not answered. */
const PATIENCE = 15_000;
/** Beats of the server's that may be missing before the stream counts as broken. */
const MISSING_BEATS = 2;

/** @type {Map<string, Store>} */
const stores = new Map();
/** @type {string[]} */
let needed = [];
/** @type {Set<() => void>} */
const listeners = new Set();

/** @type {EventSource | undefined} */
let source;
/** @type {Set<string>} */
let open = new Set();
let tries = 0;
let retry;
let silence;

export const live = {
  /**
   * What the stream is: `idle` before it is asked for, `connecting`, `live`, `stale` since a time (milliseconds of the server's clock).
   * @type {{status: "idle" | "connecting" | "live" | "stale", since: number}}
   */
  state: { status: "idle", since: 0 },

  /** @param {string} topic @returns {Store} */
  store(topic) {
    if (!stores.has(topic)) stores.set(topic, new Store(LIMITS[topic]));
    return stores.get(topic);
  },

  /**
   * Says which topics are needed from now on.
   * @param {string[]} topics
   */
  need(topics) {
    needed = topics;
    const wanted = wantedTopics();
    const isEnough = [...wanted].every((topic) => open.has(topic)) && ![...open].some((topic) => HEAVY.has(topic) && !wanted.has(topic));
    if (!isEnough || !source) connect();
  },

  /** Connects at once, where the stream is broken. */
  retry() {
    if (live.state.status === "stale") connect();
  },

  /** Ends the stream and forgets all items, when the session has ended. */
  stop() {
    close();
    stores.forEach((store) => store.apply({ all: {} }));
    open = new Set();
    become("idle");
  },

  /** @param {() => void} listener Called when `state` has changed. @param {AbortSignal} [signal] */
  onState(listener, signal) {
    listeners.add(listener);
    signal?.addEventListener("abort", () => listeners.delete(listener));
  },
};

function become(status) {
  if (live.state.status === status) return;
  live.state = { status, since: now() };
  for (const listener of [...listeners]) listener();
}

function wantedTopics() {
  return new Set(needed.filter((topic) => session.may(ROLES[topic] ?? "viewer")));
}

function close() {
  clearTimeout(retry);
  clearTimeout(silence);
  source?.close();
  source = undefined;
}

function connect() {
  close();
  open = wantedTopics();
  if (!open.size) return;
  if (live.state.status === "idle") become("connecting");
  const query = new URLSearchParams({ topics: [...open].sort().join(",") });
  silence = setTimeout(broke, PATIENCE);
  source = new EventSource(`/api/stream/dashboard?${query}`);
  source.addEventListener("error", broke);
  source.addEventListener("dropped", broke);
  source.addEventListener("beat", beat);
  for (const topic of open) source.addEventListener(topic, (event) => receive(topic, event));
}

function receive(topic, event) {
  tries = 0;
  live.store(topic).apply(JSON.parse(event.data));
  become("live");
}

/** A connection whose other end is gone says nothing. A beat shows that it is there, and says how many seconds later the next one comes. */
function beat(event) {
  const { seconds = 15 } = JSON.parse(event.data);
  clearTimeout(silence);
  silence = setTimeout(broke, (MISSING_BEATS + 0.5) * seconds * 1000);
  become("live");
}

function broke() {
  close();
  become("stale");
  const pause = Math.min(10_000, 500 * 2 ** tries) * (0.75 + Math.random() / 2);
  tries += 1;
  retry = setTimeout(reconnect, pause);
}

/**
 * Asks for the session first: where that has ended, signing in again comes before the stream, and its role may be lower. Who does not sign in is not asked again
 * before something is done.
 */
async function reconnect() {
  try {
    await checkSession(PATIENCE);
    connect();
  } catch (problem) {
    if (problem.status !== 401) broke();
  }
}

onNetworkChange(() => (isOffline() ? source && broke() : live.retry()));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && live.retry());
