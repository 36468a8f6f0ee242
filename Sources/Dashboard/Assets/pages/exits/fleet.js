/** What the page of exits knows: exits, their pools, what they carry, and their latest samples of probes. */

import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { joiner } from "../../lib/join.js";
import { lazy } from "../../lib/lazy.js";
import { badge } from "../../lib/parts.js";

/** Samples in the strip, and seconds between two. */
const SAMPLES = 30;
const STEP = 10;

const takesTraffic = ({ state }) => state === "serving" || state === "degraded";

/** @param {import("../../lib/page.js").Context} context */
export function fleet(context) {
  let exits = new Map();
  let pools = new Map();
  let traffic = new Map();
  let countries = "";
  let change = () => {};
  const summary = h("span", { class: "row", role: "status" });
  const probes = lazy(context.signal, loadSamples(context), () => change());
  const join = joiner((exit, samples, flow) => ({ exit, samples, flow }));

  context.subscribe("pools", (items) => {
    pools = items;
    change();
  });
  context.subscribe("traffic", (items) => {
    traffic = items;
    change();
  });
  context.subscribe("exits", (items) => {
    exits = items;
    for (const exit of items.values()) follow(probes, exit);
    show(summary, sentence([...items.values()]));
    const now = [...new Set([...items.values()].map(({ country }) => country))].sort();
    change(now.join() === countries ? undefined : now);
    countries = now.join();
  });

  return {
    summary,
    /** Rows of all exits, the same objects where nothing has changed. */
    rows: () => [...exits.values()].map((exit) => join(exit.id, exit, probes.of(exit.id), traffic.get(`exit:${exit.id}`))),
    exit: (id) => exits.get(id),
    samples: (id) => probes.known(id),
    exitsOf: (country) => [...exits.values()].filter((exit) => exit.country === country),
    pool: (country) => pools.get(country) ?? [...pools.values()].find((pool) => pool.country === country),
    isEmpty: () => exits.size === 0,
    /** Calls a function at each change; with the countries where these have changed. @param {(countries?: string[]) => void} listener */
    onChange(listener) {
      change = listener;
      if (exits.size) listener(countries.split(","));
    },
  };
}

const loadSamples = (context) => async (id) => {
  const { samples } = await api.get(`/api/exits/${id}/health/history`, { query: { limit: SAMPLES }, signal: context.signal });
  return samples.toReversed();
};

/** Adds what an exit's probes say now to its samples, once in ten seconds as the controller keeps them. */
function follow(probes, exit) {
  const samples = probes.known(exit.id);
  const { checked_at: at, verdict, latency_ms: latency, reason } = exit.health;
  if (!samples || !at || Date.parse(at) - Date.parse(samples.at(-1)?.at ?? 0) < STEP * 1000) return;
  probes.put(exit.id, [...samples, { at, verdict, latency_ms: latency, reason, failures: 0 }].slice(-SAMPLES));
}

function sentence(exits) {
  const count = (test) => exits.filter(test).length;
  const serving = count(takesTraffic);
  return [
    badge(`${serving} of ${exits.length} take traffic`, serving ? "good" : exits.length ? "bad" : "idle"),
    part(
      count(({ state }) => state === "degraded"),
      "degraded",
      "warn",
    ),
    part(
      count(({ state }) => state === "standby"),
      "standby",
      "info",
    ),
    part(
      count(({ state }) => state === "failed"),
      "failed",
      "bad",
    ),
    part(
      count(({ leaving }) => leaving),
      "leaving",
      "idle",
    ),
  ];
}

const part = (count, word, tone) => (count ? badge(`${count} ${word}`, tone) : null);
