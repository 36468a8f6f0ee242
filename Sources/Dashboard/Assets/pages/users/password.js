/** A password that is shown once, with lines that have it in them. */

import { dialog } from "../../lib/dialog.js";
import { h } from "../../lib/dom.js";
import { copyable, note } from "../../lib/parts.js";
import { toast } from "../../lib/toast.js";
import { inMemory } from "./choices.js";
import { connect } from "./connect.js";

/**
 * Shows the password of an answer that has one; else says that it is done. Ends when the dialog is closed.
 * @param {import("../../lib/page.js").Context} context
 * @param {any} user As the API answered.
 * @param {string} title
 */
export async function showPassword(context, user, title) {
  if (!user.password) {
    toast(title);
    return;
  }
  const button = h("button", { class: "button primary", type: "button" }, "I have kept it");
  const ending = new AbortController();
  const part = context.within(ending.signal);
  const box = dialog({
    title,
    class: "wide",
    body: [
      note("This is the only time that the password is shown. It is stored as a hash alone.", "warn"),
      copyable(user.password, { label: "Copy the password", block: true }),
      h("div", { class: "stack" }, connect(part, { user, password: user.password, choices: inMemory() })),
    ],
    actions: button,
  });
  button.onclick = () => box.close();
  await box.closed;
  ending.abort();
}
