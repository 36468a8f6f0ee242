/** Whether the chain of the audit log holds: its head, and the check of every entry. */

import { actionButton } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { number } from "../../lib/format.js";
import { badge, copyable, facts, note, panel } from "../../lib/parts.js";

/** @param {import("../../lib/page.js").Context} context */
export function verification(context) {
  const result = h(
    "div",
    { role: "status", class: "stack" },
    h(
      "p",
      { class: "muted" },
      "Each entry has the hash of the one before. The check reads every entry and says what was altered or is missing.",
    ),
  );
  const expect = h("input", {
    type: "text",
    class: "expect",
    "aria-label": "Number and hash that were noted",
    placeholder: "number:hash that was noted (optional)",
    spellcheck: "false",
  });
  const verify = actionButton({
    label: "Verify the chain",
    role: "admin",
    primary: true,
    request: () => api.get("/audit/verify", { query: { expect: expect.value.trim() }, signal: context.signal }),
    after: (found) => show(result, outcome(found, result)),
  });
  return panel("Chain", [result, h("div", { class: "row verify" }, verify, expect)]);
}

function outcome(found, result) {
  const open = found.problems.filter((problem) => !found.acknowledged.includes(problem));
  return [
    found.intact
      ? badge(`intact: ${number(found.entries)} entries`, "good")
      : badge(`${found.problems.length} problems in ${number(found.entries)} entries`, open.length ? "bad" : "warn"),
    found.problems.map((problem) => note(problem, open.includes(problem) ? "bad" : "warn")),
    facts([
      ["First entry", found.first],
      ["Head", found.head && copyable(found.head.replace(" ", ":"))],
    ]),
    found.head &&
      h("p", { class: "hint" }, "Note the head elsewhere, and give it here later: then an end that was cut off is noticed too."),
    open.length ? acknowledge(result) : null,
  ];
}

const acknowledge = (result) =>
  actionButton({
    label: "Say that this has been seen",
    role: "admin",
    confirm: {
      title: "Acknowledge the problems?",
      consequence:
        "The alert ends. The problems stay in the log, and each later check names them. Who has acknowledged them is written down.",
      action: "Acknowledge",
    },
    request: () => api.post("/audit/acknowledge"),
    done: "The problems are acknowledged",
    after: (found) => show(result, outcome(found, result)),
  });
