/** Figures, times and countries as text. */

import { now } from "./clock.js";
import { h } from "./dom.js";

export { now };

const language = "en";
const whole = new Intl.NumberFormat(language, { maximumFractionDigits: 0 });
const regions = new Intl.DisplayNames([language], { type: "region", fallback: "code" });
const moment = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium", hour12: false });

/** A message of the API as a sentence: it begins in lower case and has no full stop. */
export const sentence = (text) => (text ? `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?:]$/.test(text) ? "" : "."}` : "");

/** What stands where nothing is known. */
export const NOTHING = "–";

const isKnown = (value) => typeof value === "number" && Number.isFinite(value);

/** At most three digits that count: 1.23, 12.3, 123. */
function short(value) {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

/** `12,345`. */
export const number = (value) => (isKnown(value) ? (Number.isInteger(value) ? whole.format(value) : short(value)) : NOTHING);

/** Of a share from 0 to 1: `97 %`; small ones with a digit behind the point. */
export function percent(share) {
  if (!isKnown(share)) return NOTHING;
  const value = share * 100;
  return `${value > 0 && value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} %`;
}

/** Decimal units, as networks count: `1.23 MB`. */
export function bytes(value) {
  if (!isKnown(value)) return NOTHING;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(value) || 1) / 3)));
  return `${power ? short(value / 1000 ** power) : whole.format(value)} ${units[power]}`;
}

/** Bytes a second as bits a second: `9.8 Mbit/s`. */
export function rate(value) {
  if (!isKnown(value)) return NOTHING;
  const units = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];
  const bits = value * 8;
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.abs(bits) || 1) / 3)));
  return `${power ? short(bits / 1000 ** power) : whole.format(bits)} ${units[power]}`;
}

/** `41.5 ms`; from ten seconds on as a duration. */
export function milliseconds(value) {
  if (!isKnown(value)) return NOTHING;
  return value < 10_000 ? `${short(value)} ms` : duration(value / 1000);
}

/** Seconds as two units at most: `3 min`, `2 h 5 min`, `4 d`. */
export function duration(seconds) {
  if (!isKnown(seconds)) return NOTHING;
  const value = Math.max(0, seconds);
  if (value < 60) return `${value < 10 && !Number.isInteger(value) ? value.toFixed(1) : Math.round(value)} s`;
  const steps = [
    ["d", 86400, "h", 3600],
    ["h", 3600, "min", 60],
    ["min", 60, "s", 1],
  ];
  const [large, size, small, part] = steps.find(([, size]) => value >= size);
  const rest = Math.floor((value % size) / part);
  const first = `${Math.floor(value / size)} ${large}`;
  return rest && value < size * 10 ? `${first} ${rest} ${small}` : first;
}

/** `3 min ago`, `in 5 s`, `now`. */
export function relative(at, until = false) {
  const seconds = (now() - Date.parse(at)) / 1000;
  if (Number.isNaN(seconds)) return NOTHING;
  if (Math.abs(seconds) < 1) return "now";
  const text = coarse(Math.abs(seconds));
  return seconds < 0 ? `in ${text}` : until ? "now" : `${text} ago`;
}

/** One unit: what is a moment ago needs no second one. */
function coarse(seconds) {
  for (const [unit, size] of [
    ["d", 86400],
    ["h", 3600],
    ["min", 60],
  ])
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit}`;
  return `${Math.floor(seconds)} s`;
}

/** `29 Nov 2026, 18:33:02` in the reader's time zone. */
export const absolute = (at) => (Number.isNaN(Date.parse(at ?? "")) ? NOTHING : moment.format(new Date(at)));

/**
 * A time that says how long ago it was, follows the clock, and has the absolute time as its title.
 * @param {string | null | undefined} at RFC 3339.
 */
export const time = (at) => clockElement(at, false);

/** The same for what is to come; `now` when it is over. */
export const timeUntil = (at) => clockElement(at, true);

function clockElement(at, until) {
  if (!at) return h("span", { class: "nothing" }, NOTHING);
  return h("time", { datetime: at, title: `${absolute(at)} (${at})`, "data-clock": until ? "until" : "since" }, relative(at, until));
}

/** Writes all times on the page anew. The shell calls it each second. */
export function tick() {
  for (const element of document.querySelectorAll("time[data-clock]")) {
    const text = relative(element.dateTime, element.dataset.clock === "until");
    if (element.textContent !== text) element.firstChild.data = text;
  }
}

/** `Germany` of `DE`; the code where it has no name. */
export function countryName(code) {
  try {
    return code === "XK" ? "Kosovo" : regions.of(code.toUpperCase());
  } catch {
    return code;
  }
}

/** The flag as a character; "" for what is no code. */
export const flag = (code) =>
  /^[a-z]{2}$/i.test(code ?? "") ? String.fromCodePoint(...[...code.toUpperCase()].map((letter) => 0x1f1a5 + letter.charCodeAt(0))) : "";
