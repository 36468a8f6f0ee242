/** What is known beside the catalog: which exits hold servers, and which servers are avoided. */

import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { timeUntil } from "../../lib/format.js";
import { badge, problemNote, words } from "../../lib/parts.js";

const PREFIX = "server:";

/** @param {import("../../lib/page.js").Context} context */
export function surroundings(context) {
  let holders = new Map();
  let breakers = new Map();
  const listeners = new Set();
  const summary = h("span", { role: "status" }, "All servers of all providers");
  const tell = () => listeners.forEach((listener) => listener());

  context.subscribe("exits", (items) => {
    const now = new Map(
      [...items.values()].filter(({ server, state }) => server && state !== "stopped").map((exit) => [exit.server.hostname, exit]),
    );
    // Exits change with each probe; who holds what seldom does.
    if (signature(now) === signature(holders)) return;
    holders = now;
    tell();
  });
  context.subscribe("breakers", (items) => {
    breakers = new Map([...items.values()].filter(({ state }) => state !== "closed").map((breaker) => [breaker.name, breaker]));
    tell();
  });

  return {
    summary,
    holder: (hostname) => holders.get(hostname),
    breaker: (hostname) => breakers.get(PREFIX + hostname),
    avoided: () => [...breakers.values()].filter(({ name }) => name.startsWith(PREFIX)),
    /** @param {() => void} listener @param {AbortSignal} signal */
    onChange(listener, signal) {
      listeners.add(listener);
      signal.addEventListener("abort", () => listeners.delete(listener));
    },
    /** Asks for the countries, and says how many servers there are. @param {(countries: any[]) => void} offer */
    load(offer) {
      const box = h("div");
      const run = async () => {
        try {
          const { countries } = await api.get("/api/countries", { signal: context.signal });
          const total = countries.reduce((sum, { servers }) => sum + servers, 0);
          show(summary, `${total.toLocaleString("en")} servers in ${countries.length} countries`);
          box.replaceChildren();
          offer(countries);
        } catch (error) {
          if (error.name !== "AbortError") box.replaceChildren(problemNote(error, run));
        }
      };
      run();
      return box;
    },
  };
}

const signature = (holders) => [...holders].map(([hostname, { id, state }]) => `${hostname} ${id} ${state}`).join();

/** Until when a server is avoided, and why. */
export function avoidance(breaker) {
  if (!breaker) return null;
  const text = breaker.state === "open" ? "avoided" : "may be tried again";
  return h(
    "span",
    { class: "state" },
    badge(text, breaker.state === "open" ? "bad" : "warn"),
    breaker.reason ? h("span", { class: "reason" }, words(breaker.reason)) : null,
    breaker.open_until && breaker.state === "open" ? timeUntil(breaker.open_until) : null,
  );
}
