/** Which events the filters of the URL want. */

/** From the least to the most severe. */
export const SEVERITIES = ["info", "notice", "warning", "error", "critical"];

/**
 * A test of events for the page's query.
 * @param {import("../../lib/page.js").Query} query
 * @returns {(event: any) => boolean}
 */
export function matches(query) {
  const exact = ["kind", "country", "exit", "severity"].map((name) => [name, query.get(name)]).filter(([, value]) => value);
  const text = query.get("q").toLowerCase();
  return (event) => exact.every(([name, value]) => event[name] === value) && (!text || searched(event).includes(text));
}

const searched = ({ message, kind, exit, country, server, by, cause, reason }) =>
  [message, kind, exit, country, server, by, cause, reason].filter(Boolean).join(" ").toLowerCase();
