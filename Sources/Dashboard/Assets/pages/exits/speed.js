/** A speed test of an exit: what it costs, how far it is, what it measured. */

import { perform } from "../../lib/actions.js";
import { api } from "../../lib/api.js";
import { h, show } from "../../lib/dom.js";
import { bytes, duration, milliseconds, number, time } from "../../lib/format.js";
import { emptyState, facts, meter, problemNote } from "../../lib/parts.js";

const SIZES = [5, 10, 50, 100];
const SECONDS = 10;

/**
 * @param {import("../../lib/page.js").Context} context Of the tab.
 * @param {string} id
 */
export function speed(context, id) {
  const path = `/api/exits/${id}/speedtest`;
  const size = h(
    "select",
    { "aria-label": "To download at most" },
    SIZES.map((megabytes) => h("option", { value: megabytes }, `at most ${megabytes} MB`)),
  );
  size.value = "10";
  const start = h("button", { class: "button primary", type: "button", onclick: () => run() }, "Test the speed");
  const box = h("div");
  const result = (test) => show(box, measured(test, Number(size.value)));

  async function run() {
    start.disabled = true;
    start.setAttribute("aria-busy", "true");
    const progress = setInterval(async () => result(await api.get(path, { signal: context.signal })), 500);
    const test = await perform({
      request: () => api.post(path, { megabytes: Number(size.value), seconds: SECONDS }),
      failed: (error) => box.replaceChildren(problemNote(error)),
    });
    clearInterval(progress);
    start.disabled = false;
    start.removeAttribute("aria-busy");
    if (test) result(test);
  }

  async function last() {
    try {
      result(await api.get(path, { signal: context.signal }));
    } catch (error) {
      if (error.name === "AbortError") return;
      box.replaceChildren(
        error.status === 404 ? emptyState({ title: "Not tested yet", command: `sallyport speedtest ${id}` }) : problemNote(error),
      );
    }
  }

  last();
  if (!context.session.may("operator")) return box;
  return [
    h(
      "p",
      { class: "muted" },
      `Downloads through the exit for at most ${SECONDS} seconds. Its users share the line meanwhile, and the bytes count with the provider.`,
    ),
    h("div", { class: "row" }, size, start),
    box,
  ];
}

const measured = (test, megabytes) =>
  test.running
    ? h(
        "div",
        { class: "stack", role: "status" },
        meter(test.bytes / (megabytes * 1e6), { label: `${bytes(test.bytes)} have come` }),
        h("p", `${bytes(test.bytes)} in ${duration(test.seconds)}`),
      )
    : facts([
        [
          "Speed",
          test.mbit_s === undefined
            ? "not measured: too little has come"
            : h("strong", { class: "large" }, `${number(test.mbit_s)} Mbit/s`),
        ],
        ["First byte after", test.first_byte_ms === undefined ? undefined : milliseconds(test.first_byte_ms)],
        ["Downloaded", `${bytes(test.bytes)} in ${duration(test.seconds)}`],
        ["Tested", time(test.started_at)],
      ]);
