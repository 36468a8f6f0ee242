/** What pages are made of: heads, panels, badges, meters, facts, notes. */

import { h, nodes } from "./dom.js";
import { percent } from "./format.js";
import { icon } from "./icons.js";
import { asProblem } from "./problem.js";
import { toast } from "./toast.js";

/** @typedef {"good" | "warn" | "bad" | "info" | "idle"} Tone */

/**
 * The head of a page.
 * @param {string} title
 * @param {{subtitle?: import("./dom.js").Child, actions?: import("./dom.js").Child}} [options]
 */
export const pageHead = (title, { subtitle, actions } = {}) =>
  h(
    "header",
    { class: "page-head" },
    h("div", h("h1", title), subtitle && h("p", { class: "subtitle" }, subtitle)),
    actions && h("div", { class: "page-actions" }, actions),
  );

/**
 * A part of a page with a title.
 * @param {string} title
 * @param {import("./dom.js").Child} content
 * @param {{actions?: import("./dom.js").Child, class?: string}} [options]
 */
export const panel = (title, content, { actions, class: name = "" } = {}) =>
  h(
    "section",
    { class: `panel ${name}`, "aria-label": title },
    h("header", { class: "panel-head" }, h("h2", title), actions && h("div", { class: "panel-actions" }, actions)),
    h("div", { class: "panel-body" }, content),
  );

/** A word with a coloured dot. @param {string} text @param {Tone} [tone] @param {string} [title] */
export const badge = (text, tone = "idle", title) => h("span", { class: `badge ${tone}`, title }, text);

/** @type {Record<string, Tone>} */
export const STATE_TONES = {
  serving: "good",
  standby: "info",
  degraded: "warn",
  draining: "idle",
  pending: "warn",
  starting: "info",
  verifying: "info",
  stopped: "idle",
  failed: "bad",
};

/** The tone of an exit: a leaving one is idle, one that waits for something is as bad as its reason. */
export const exitTone = (exit) => (exit.leaving ? "idle" : (STATE_TONES[exit.state] ?? "idle"));

/** An exit's state, with its reason. */
export const stateBadge = (exit) =>
  h(
    "span",
    { class: "state" },
    badge(exit.state, exitTone(exit), exit.detail),
    exit.leaving && exit.state !== "draining" ? h("span", { class: "reason" }, "leaving") : null,
    exit.reason ? h("span", { class: "reason", title: exit.detail }, words(exit.reason)) : null,
  );

/** `handshake timeout` of `handshake_timeout`. */
export const words = (code) => String(code).replaceAll("_", " ");

/** @type {Record<string, Tone>} */
export const SEVERITY_TONES = { info: "idle", notice: "info", warning: "warn", error: "bad", critical: "bad" };

export const severityBadge = (severity) => badge(severity, SEVERITY_TONES[severity] ?? "idle");

/**
 * What stands where a list is empty: why, and what to do, with the command.
 * @param {{title: string, text?: import("./dom.js").Child, command?: string, action?: import("./dom.js").Child}} options
 */
export const emptyState = ({ title, text, command, action }) =>
  h(
    "div",
    { class: "empty" },
    h("p", { class: "empty-title" }, title),
    text && h("p", text),
    action && h("div", { class: "empty-action" }, action),
    command && copyable(command, { block: true }),
  );

/**
 * A bar for a share of a limit.
 * @param {number} share From 0; over 1 is shown full.
 * @param {{label: string, tone?: Tone}} options
 */
export function meter(share, { label, tone }) {
  const shown = Math.max(0, Math.min(1, share || 0));
  return h(
    "div",
    {
      class: `meter ${tone ?? (share >= 1 ? "bad" : share >= 0.8 ? "warn" : "info")}`,
      role: "meter",
      "aria-label": label,
      title: label,
      "aria-valuemin": "0",
      "aria-valuemax": "100",
      "aria-valuenow": String(Math.round(shown * 100)),
      "aria-valuetext": percent(share || 0),
    },
    h("div", { class: "meter-fill", style: { width: `${shown * 100}%` } }),
  );
}

/**
 * A text with a button that copies it.
 * @param {string} text
 * @param {{label?: string, block?: boolean}} [options]
 */
export function copyable(text, { label = "Copy", block = false } = {}) {
  const copy = async () => {
    await writeToClipboard(text);
    toast("Copied", { tone: "info" });
  };
  return h(
    block ? "div" : "span",
    { class: block ? "copyable block" : "copyable" },
    block ? h("pre", { tabindex: "0" }, text) : h("code", text),
    h("button", { class: "icon-button", type: "button", "aria-label": label, title: label, onclick: copy }, icon("copy")),
  );
}

/** The clipboard's API is only there over HTTPS and on localhost. */
async function writeToClipboard(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = h("textarea", { class: "off-screen", readonly: true }, text);
  (document.querySelector("dialog[open]") ?? document.body).append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** Names with values. @param {([string, import("./dom.js").Child] | null | false)[]} pairs Without a value: left out. */
export const facts = (pairs) =>
  h(
    "dl",
    { class: "facts" },
    pairs
      .filter((pair) => pair && pair[1] !== undefined && pair[1] !== null && pair[1] !== "")
      .map(([name, value]) => h("div", h("dt", name), h("dd", value))),
  );

/** A sentence in a box. @param {import("./dom.js").Child} text @param {Tone} [tone] */
export const note = (text, tone = "info") => h("div", { class: `note ${tone}`, role: "note" }, h("div", text));

/** What went wrong and what to do. @param {any} error @param {() => void} [retry] */
export function problemNote(error, retry) {
  const problem = asProblem(error);
  return h(
    "div",
    { class: "note bad", role: "alert" },
    h(
      "div",
      h("strong", problem.message),
      problem.remedy && h("p", problem.remedy),
      problem.requestId && h("p", { class: "hint" }, "Request ", h("code", problem.requestId)),
    ),
    retry && h("button", { class: "button", type: "button", onclick: retry }, "Try again"),
  );
}

export const loading = (text = "Loading") => h("p", { class: "loading", role: "status" }, text);

/**
 * A load that is asked for again and again.
 * @param {() => Promise<void>} load
 * @returns {{problem: HTMLElement, load: () => Promise<void>}} Where the last one went wrong, `problem` says so and offers to try again.
 */
export function loader(load) {
  const problem = h("div");
  const run = async () => {
    try {
      await load();
      problem.replaceChildren();
    } catch (error) {
      if (error.name !== "AbortError") problem.replaceChildren(problemNote(error, run));
    }
  };
  return { problem, load: run };
}

/**
 * Shows that something loads, then what has come, or what went wrong with a way to try again.
 * @template T
 * @param {AbortSignal} signal
 * @param {() => Promise<T>} load
 * @param {(value: T) => import("./dom.js").Child} render
 * @returns {HTMLElement}
 */
export function async(signal, load, render) {
  const box = h("div", { class: "async", "aria-busy": "true" }, loading());
  const run = async () => {
    try {
      const value = await load();
      if (!signal.aborted) box.replaceChildren(...nodes([render(value)]));
    } catch (error) {
      if (!signal.aborted && error.name !== "AbortError") box.replaceChildren(problemNote(error, run));
    }
    box.removeAttribute("aria-busy");
  };
  run();
  return box;
}
