/** Modal dialogs. The browser's `<dialog>` keeps the focus inside, and closes it by Esc. */

import { h } from "./dom.js";

let count = 0;

/**
 * Opens a dialog.
 * @param {{title: string, body: import("./dom.js").Child, actions?: import("./dom.js").Child, class?: string}} options
 * @returns {{element: HTMLDialogElement, closed: Promise<any>, close: (value?: any) => void}} `closed` is undefined after Esc.
 */
export function dialog({ title, body, actions, class: name = "" }) {
  const id = `dialog-${(count += 1)}`;
  const returnTo = document.activeElement;
  let result;
  const element = /** @type {HTMLDialogElement} */ (
    h(
      "dialog",
      { class: `dialog ${name}`, "aria-labelledby": id },
      h(
        "header",
        { class: "dialog-head" },
        h("h2", { id }, title),
        h("button", { class: "icon-button", type: "button", "aria-label": "Close", onclick: () => element.close() }, "×"),
      ),
      h("div", { class: "dialog-body" }, body),
      actions && h("footer", { class: "dialog-actions" }, actions),
    )
  );
  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => {
      const toasts = element.querySelector("#toasts");
      if (toasts) document.body.append(toasts);
      element.remove();
      if (returnTo?.isConnected) returnTo.focus();
      resolve(result);
    });
  });
  document.body.append(element);
  element.showModal();
  const close = (value) => {
    result = value;
    element.close();
  };
  return { element, closed, close };
}

/**
 * Asks before something is done that can't be taken back.
 * @param {object} options
 * @param {string} options.title `Remove us-1?`
 * @param {import("./dom.js").Child} options.consequence What happens, to users above all.
 * @param {string} options.action The button's text: `Remove us-1`.
 * @param {boolean} [options.danger]
 * @param {string} [options.typed] A text that must be typed before.
 * @returns {Promise<boolean>}
 */
export async function confirm({ title, consequence, action, danger = false, typed }) {
  const button = h("button", { class: `button ${danger ? "danger" : "primary"}`, type: "button", disabled: Boolean(typed) }, action);
  const input =
    typed &&
    h("input", {
      type: "text",
      autocomplete: "off",
      spellcheck: "false",
      "aria-label": `Type ${typed} to confirm`,
      oninput: () => (button.disabled = input.value !== typed),
    });
  const cancel = h("button", { class: "button", type: "button" }, "Cancel");
  const box = dialog({
    title,
    body: [
      h("div", { class: "consequence" }, consequence),
      typed && h("label", { class: "typed" }, h("span", "Type ", h("code", typed), " to confirm"), input),
    ],
    actions: [cancel, button],
  });
  button.onclick = () => box.close(true);
  cancel.onclick = () => box.close(false);
  (input || (danger ? cancel : button)).focus();
  return (await box.closed) === true;
}
