/** Measures the servers that are shown, some at a time, with the progress. */

import { api, segment } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { milliseconds, number } from "../../lib/format.js";
import { serverLink } from "../../lib/links.js";
import { meter, note, problemNote } from "../../lib/parts.js";

/** Servers of one request: its names fit into the query, and the progress moves. */
const BATCH = 20;
/** More are not measured at once: it costs the providers' servers something. */
const MOST = 200;

/**
 * @param {import("../../lib/page.js").Context} context
 * @param {{hostnames: () => string[], provider: () => string, done: () => void}} options
 */
export function measuring(context, { hostnames, provider, done }) {
  let stopping;
  const element = h("div", { role: "status", "aria-live": "polite" });
  const button = h("button", { class: "button", type: "button", onclick: () => (stopping ? stopping.abort() : run()) }, "Measure now");

  async function run() {
    const wanted = hostnames().slice(0, MOST);
    stopping = new AbortController();
    const signal = AbortSignal.any([context.signal, stopping.signal]);
    const results = [];
    button.textContent = "Stop";
    try {
      for (let first = 0; first < wanted.length; first += BATCH) {
        show(element, progress(first, wanted.length));
        const query = { hostnames: wanted.slice(first, first + BATCH), limit: BATCH };
        const { servers } = await api.get(`/api/${segment(provider() || "all")}/servers/latency`, { query, signal });
        results.push(...servers);
      }
      show(element, outcome(results, wanted.length, hostnames().length));
    } catch (error) {
      if (error.name === "AbortError") show(element, results.length ? outcome(results, wanted.length, hostnames().length) : null);
      else show(element, problemNote(error));
    }
    button.textContent = "Measure now";
    stopping = undefined;
    if (!context.signal.aborted && results.length) done();
  }

  return { button, element };
}

const progress = (count, all) =>
  h(
    "div",
    { class: "measuring" },
    meter(count / all, { label: `${count} of ${all} servers are measured` }),
    h("span", { class: "muted" }, `${number(count)} of ${number(all)} measured`),
  );

function outcome(results, wanted, shown) {
  const answered = results
    .filter(({ latency_ms: value }) => value !== undefined)
    .toSorted((left, right) => left.latency_ms - right.latency_ms);
  const rest = shown > wanted ? ` Only the first ${wanted} of ${number(shown)} were asked: filter for fewer.` : "";
  if (!answered.length) return note(`None of ${results.length} servers has answered.${rest}`, "warn");
  const [best] = answered;
  return note(
    [
      `${answered.length} of ${results.length} have answered; the nearest is `,
      serverLink(best.hostname),
      ` with ${milliseconds(best.latency_ms)}.${rest}`,
    ],
    "good",
  );
}
