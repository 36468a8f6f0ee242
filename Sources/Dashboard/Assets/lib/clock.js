/** The server's clock. This machine's may be off; times of the API are compared with the server's. */

/** Milliseconds that the server's clock is ahead of this machine's. */
let offset = 0;

/** The least that counts as a difference: `Date` has whole seconds, and a request takes time. */
const TOLERANCE = 2500;

/**
 * Learns the offset from an answer's `Date`.
 * @param {string | null} date
 * @param {number} elapsed Milliseconds that the request took.
 */
export function noteServerTime(date, elapsed) {
  const time = Date.parse(date ?? "");
  if (Number.isNaN(time) || elapsed > 5000) return;
  const difference = time + 500 + elapsed / 2 - Date.now();
  offset = Math.abs(difference) > TOLERANCE ? difference : 0;
}

/** The server's time, milliseconds since 1970. */
export const now = () => Date.now() + offset;

/** Milliseconds that this machine's clock is off; 0 where it is right within some seconds. */
export const clockOffset = () => offset;
