/** The end of the log of an exit's container. */

import { api } from "../../lib/api.js";
import { h } from "../../lib/dom.js";
import { absolute, now } from "../../lib/format.js";
import { emptyState, problemNote } from "../../lib/parts.js";

const LINES = ["100", "300", "1000"];

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {string} id
 */
export function log(context, id) {
  const lines = h(
    "select",
    { "aria-label": "How many lines", onchange: () => load() },
    LINES.map((count) => h("option", { value: count }, `last ${count} lines`)),
  );
  const again = h("button", { class: "button", type: "button", onclick: () => load() }, "Read again");
  const at = h("span", { class: "hint", role: "status" });
  const box = h("div");

  async function load() {
    again.setAttribute("aria-busy", "true");
    try {
      const text = await api.get(`/api/exits/${id}/logs`, { query: { lines: lines.value }, signal: context.signal, text: true });
      at.textContent = `as of ${absolute(new Date(now()).toISOString())}`;
      show(box, text, id);
    } catch (error) {
      if (error.name !== "AbortError") box.replaceChildren(problemNote(error, load));
    }
    again.removeAttribute("aria-busy");
  }

  load();
  return [h("div", { class: "row" }, lines, again, at), box];
}

/** The newest line is in sight. */
function show(box, text, id) {
  if (!text.trim()) {
    box.replaceChildren(emptyState({ title: "The container has written nothing" }));
    return;
  }
  const output = h("pre", { class: "text log-tail", tabindex: "0", "aria-label": `Log of ${id}` }, text.trimEnd());
  box.replaceChildren(output);
  output.scrollTop = output.scrollHeight;
}
