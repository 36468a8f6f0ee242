/** What a person does: ask where it matters, send, tell how it went. */

import { confirm } from "./dialog.js";
import { h } from "./dom.js";
import { session } from "./session.js";
import { toast, toastProblem } from "./toast.js";

/**
 * @typedef {Parameters<typeof confirm>[0]} Question
 *
 * @typedef {object} Action
 * @property {Question | (() => Question)} [confirm] Asked first; none for what harms nobody. A function is called when it is asked, so that
 *   the consequence is of that moment.
 * @property {() => Promise<any>} request
 * @property {string | ((answer: any) => string | null)} [done] What the toast says; null for none.
 * @property {(error: any) => void} [failed] In place of the toast.
 */

/**
 * Does an action; a promise of the answer, undefined where it was cancelled or refused.
 * @param {Action} action
 */
export async function perform({ confirm: question, request, done, failed = toastProblem }) {
  const asked = typeof question === "function" ? question() : question;
  if (asked && !(await confirm(asked))) return undefined;
  try {
    const answer = await request();
    const message = typeof done === "function" ? done(answer) : done;
    if (message) toast(message);
    return answer ?? true;
  } catch (error) {
    if (error.name !== "AbortError") failed(error);
    return undefined;
  }
}

/**
 * A button that does an action and is busy meanwhile; null where the session's role is too low.
 * @param {Action & {label: string, role?: string, danger?: boolean, primary?: boolean, title?: string, after?: (answer: any) => void}} action
 */
export function actionButton({ label, role = "operator", danger, primary, title, after, ...action }) {
  if (!session.may(role)) return null;
  const run = async (event) => {
    const button = event.currentTarget;
    button.setAttribute("aria-busy", "true");
    button.disabled = true;
    const answer = await perform(action);
    button.removeAttribute("aria-busy");
    button.disabled = false;
    if (answer !== undefined) after?.(answer);
    else button.focus();
  };
  return h("button", { class: `button ${danger ? "danger" : primary ? "primary" : ""}`, type: "button", title, onclick: run }, label);
}
