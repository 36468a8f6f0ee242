/** What can be done with a pool, and what each does to users. */

import { actionButton } from "../../lib/actions.js";
import { api, segment } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { countryName } from "../../lib/format.js";

/** The most exits of a pool. */
export const SIZE_LIMIT = 10;

/** One more exit by one click. */
export const moreButton = (pool) =>
  pool.size >= SIZE_LIMIT
    ? null
    : actionButton({
        label: "+ 1 exit",
        title: `One more exit in ${countryName(pool.country)}: ${pool.size + 1} in place of ${pool.size}`,
        request: () => api.post("/api/exits", { country: pool.country.toLowerCase() }),
        done: (exit) => `${exit.id} is being opened in ${countryName(pool.country)}`,
      });

/** Ends a pool. @param {any} pool @param {() => void} after */
export const endButton = (pool, after) =>
  actionButton({
    label: "End pool",
    danger: true,
    confirm: {
      title: `End the pool of ${countryName(pool.country)}?`,
      consequence: [
        h("p", `Its ${pool.exits.length} exits take no new connections, finish those that are open, and go.`),
        h(
          "p",
          `New connections to ${countryName(pool.country)} are refused with 503 no_exit, unless the user has a fallback of their own.`,
        ),
      ],
      action: `End the pool of ${countryName(pool.country)}`,
      danger: true,
      typed: pool.size > 3 ? pool.country : undefined,
    },
    request: () => api.delete(`/api/pools/${segment(pool.country.toLowerCase())}`),
    done: `The pool of ${countryName(pool.country)} has ended`,
    after,
  });

/** What a smaller pool does to users; null where nothing becomes less. */
export const shrinking = (pool, size) =>
  pool && size < pool.size
    ? {
        title: `Make the pool of ${countryName(pool.country)} smaller?`,
        consequence: `${pool.size - size} of its ${pool.size} exits take no new connections, finish those that are open, and go. Sessions on them go on from another address; hard sessions end.`,
        action: `Keep ${size} ${size === 1 ? "exit" : "exits"}`,
        danger: true,
      }
    : undefined;
