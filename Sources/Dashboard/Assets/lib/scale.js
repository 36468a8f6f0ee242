/** Axes: round numbers upwards, round times sideways. */

/**
 * Round values from 0 to over the largest one.
 * @param {number} largest
 * @param {number} [count] About so many steps.
 * @param {number} [least] The smallest step: 1 for what is counted.
 */
export function valueTicks(largest, count = 3, least = 1e-9) {
  const rough = Math.max(largest / count, least);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * 0.999);
  const steps = Math.max(1, Math.ceil(largest / step - 1e-9));
  return Array.from({ length: steps + 1 }, (_, index) => index * step);
}

const TIME_STEPS = [60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800];

/**
 * Round times (milliseconds) of the reader's time zone between two times.
 * @param {number} from
 * @param {number} to
 * @param {number} count At most so many.
 */
export function timeTicks(from, to, count) {
  const step = (TIME_STEPS.find((seconds) => (to - from) / 1000 / seconds <= count) ?? 604_800) * 1000;
  const zone = new Date(from).getTimezoneOffset() * 60_000;
  const ticks = [];
  for (let tick = Math.ceil((from - zone) / step) * step + zone; tick <= to; tick += step) ticks.push(tick);
  return ticks;
}

const clock = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

/** `18:30`; a day where the axis spans more than two. */
export const tickLabel = (time, span) => (span > 2 * 86_400_000 ? day : clock).format(new Date(time));

/** One figure's time: `18:30:10`; a day (of UTC, as they are counted) where each figure is of one. */
export const momentLabel = (time, step) =>
  step >= 86_400
    ? new Date(time).toLocaleDateString("en", { day: "numeric", month: "short", timeZone: "UTC" })
    : new Date(time).toLocaleTimeString("en", { hour12: false });
