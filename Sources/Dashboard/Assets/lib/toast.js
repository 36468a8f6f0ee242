/** Short messages in a corner, read out by screen readers. Bad news stay until they are closed. */

import { h } from "./dom.js";
import { asProblem } from "./problem.js";

/** Milliseconds that good news stay. */
const STAY = 6000;

function region() {
  const known = document.getElementById("toasts");
  if (known) return known;
  const made = h("div", { id: "toasts", class: "toasts", role: "region", "aria-live": "polite", "aria-label": "Messages" });
  document.body.append(made);
  return made;
}

/**
 * @param {string | Node | (string | Node)[]} message
 * @param {{tone?: "good" | "warn" | "bad" | "info", action?: {label: string, run: () => void}}} [options]
 */
export function toast(message, { tone = "good", action } = {}) {
  const close = () => box.remove();
  const run = () => {
    close();
    action.run();
  };
  const box = h(
    "div",
    { class: `toast ${tone}`, role: tone === "bad" ? "alert" : "status" },
    h("div", { class: "toast-text" }, message),
    action && h("button", { class: "button quiet", type: "button", onclick: run }, action.label),
    h("button", { class: "icon-button", type: "button", "aria-label": "Close this message", onclick: close }, "×"),
  );
  // A dialog that is open is above everything else on the page.
  const top = [...document.querySelectorAll("dialog[open]")].at(-1);
  const parent = region();
  if (top && !top.contains(parent)) top.append(parent);
  else if (!top && parent.parentNode !== document.body) document.body.append(parent);
  parent.append(box);
  if (tone !== "bad") setTimeout(close, STAY);
}

/** Says what went wrong, and what to do. */
export function toastProblem(error) {
  const problem = asProblem(error);
  const wait = problem.retryAfter ? ` Try again in ${problem.retryAfter} s.` : "";
  toast([h("strong", problem.message), problem.remedy || wait ? h("p", `${problem.remedy}${wait}`.trim()) : ""], { tone: "bad" });
}
