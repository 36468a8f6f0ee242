/** The controller's log as it is written; it can be filtered and held still. */

import { h, show } from "../../lib/dom.js";
import { absolute } from "../../lib/format.js";
import { icon } from "../../lib/icons.js";
import { badge, emptyState, pageHead } from "../../lib/parts.js";
import { exitLink } from "../../lib/links.js";
import { filters } from "../../lib/filters.js";
import { table } from "../../lib/table.js";

/** From the least to the most severe. */
const LEVELS = ["debug", "info", "warn", "error"];
const TONES = { debug: "idle", info: "info", warn: "warn", error: "bad" };

/** @param {import("../../lib/page.js").Context} context */
export function render(context) {
  /** @type {any[]} */
  let lines = [];
  /** @type {any[] | undefined} The lines of when it was held. */
  let held;
  const count = h("span", { role: "status" });
  const controls = filters(context, [
    { name: "q", label: "Search", kind: "search", placeholder: "Search messages and fields" },
    {
      name: "level",
      label: "Least level",
      kind: "tabs",
      options: [{ value: "", label: "All" }, ...LEVELS.slice(1).map((value) => ({ value, label: value }))],
    },
  ]);
  const pause = h("button", { class: "button", type: "button", onclick: () => hold(!held) });
  const rows = table(context, { caption: "Log lines", key: ({ key }) => key, columns, defaultSort: "-time", empty: () => empty() });

  function draw() {
    const all = held ?? lines;
    const shown = all.filter(wanted(context.query));
    rows.update(shown);
    const since = held && lines.length ? lines.length - lines.indexOf(held.at(-1)) - 1 : 0;
    show(count, held ? `Held: ${since} newer lines are waiting` : `${shown.length} of ${all.length} lines; new ones come by themselves`);
    show(pause, icon(held ? "play" : "pause"), held ? "Go on" : "Hold");
    pause.setAttribute("aria-pressed", String(Boolean(held)));
  }
  function hold(isHeld) {
    held = isHeld ? [...lines] : undefined;
    draw();
  }
  const empty = () =>
    (held ?? lines).length
      ? emptyState({
          title: "No line is as the filters want",
          text: "Lines that come and match are shown here.",
          action: h("a", { class: "button", href: "/logs" }, "Remove the filters"),
        })
      : emptyState({
          title: "Nothing has been written yet",
          text: "The lines of the controller are listed here as they are written.",
          command: "sallyport logs --follow",
        });

  let known = new Map();
  context.subscribe("logs", (items) => {
    known = keyed(known, items);
    lines = [...known.values()];
    draw();
  });
  context.keys("p", "Hold the log, or go on", () => hold(!held));
  context.onQuery(draw);
  return [pageHead("Logs", { subtitle: count, actions: pause }), controls.element, rows.element];
}

let places = 0;

/** Lines with their keys and places. One that was there stays the same object, so that its row is not drawn again. */
function keyed(known, items) {
  const item = ([id, line]) => {
    const last = known.get(id);
    if (last?.line === line) return [id, last];
    const { time, level, message, fields } = line;
    return [id, { key: id, place: last?.place ?? (places += 1), line, time, level, message, fields: Object.entries(fields ?? {}) }];
  };
  return new Map([...items].map(item));
}

function wanted(query) {
  const least = LEVELS.indexOf(query.get("level"));
  const text = query.get("q").toLowerCase();
  return ({ level, message, fields }) =>
    LEVELS.indexOf(level) >= least && (!text || `${message} ${fields.flat().join(" ")}`.toLowerCase().includes(text));
}

const columns = [
  {
    name: "time",
    title: "Time",
    numeric: true,
    class: "start",
    value: ({ place }) => place,
    cell: ({ time }) => h("time", { datetime: time, title: absolute(time), class: "mono" }, clock(time)),
  },
  {
    name: "level",
    title: "Level",
    value: ({ level }) => LEVELS.indexOf(level),
    cell: ({ level }) => badge(level, TONES[level]),
  },
  { name: "message", title: "Message", value: ({ message }) => message, class: "long mono" },
  {
    name: "fields",
    title: "Fields",
    sortable: false,
    optional: true,
    value: () => "",
    cell: ({ fields }) =>
      fields.map(([name, value]) => h("span", { class: "chip" }, `${name}=`, name === "exit" ? exitLink(value) : value)),
  },
];

/** Hours to milliseconds, in the reader's time zone. */
const clock = (at) => new Date(at).toLocaleTimeString("en", { hour12: false, fractionalSecondDigits: 3 });
