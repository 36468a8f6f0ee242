/** The command palette: pages, exits, users and actions by a few letters of their names. */

import { dialog } from "./dialog.js";
import { h, show } from "./dom.js";
import { navigate } from "./url.js";

/** The most that are shown at once. */
const SHOWN = 40;

/**
 * @typedef {{title: string, group?: string, hint?: string, href?: string, run?: () => void}} Command
 * @type {Set<() => Command[] | Promise<Command[]>>}
 */
const sources = new Set();

/**
 * Adds commands; the function is called each time that the palette opens.
 * @param {() => Command[] | Promise<Command[]>} source
 * @param {AbortSignal} [signal]
 */
export function provideCommands(source, signal) {
  sources.add(source);
  signal?.addEventListener("abort", () => sources.delete(source));
}

/** How well a command fits: its name begins so, a word of it does, it contains it, its letters are there in order; 0 for not at all. */
export function fit(command, text) {
  const name = command.title.toLowerCase();
  const wanted = text.toLowerCase().trim();
  if (!wanted) return 1;
  if (name.startsWith(wanted)) return 5;
  if (name.split(/[\s:._-]+/).some((word) => word.startsWith(wanted))) return 4;
  if (name.includes(wanted)) return 3;
  if (`${command.group ?? ""} ${command.hint ?? ""}`.toLowerCase().includes(wanted)) return 2;
  let place = -1;
  return [...wanted].every((letter) => (place = name.indexOf(letter, place + 1)) >= 0) ? 1 : 0;
}

function matches(commands, text) {
  return commands
    .map((command) => ({ command, points: fit(command, text) }))
    .filter(({ points }) => points > 0)
    .sort((left, right) => right.points - left.points)
    .slice(0, SHOWN)
    .map(({ command }) => command);
}

/** Opens the palette. */
export function openPalette() {
  const commands = [];
  const input = h("input", {
    type: "text",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "palette-list",
    "aria-label": "Search for a page, a thing or an action",
    placeholder: "Pages, exits, users, actions",
    autocomplete: "off",
    spellcheck: "false",
  });
  const options = h("ul", { id: "palette-list", role: "listbox", "aria-label": "Results" });
  const box = dialog({ title: "Go to or do", body: [input, options], class: "palette" });
  let found = [];
  let chosen = 0;

  const run = (command) => {
    box.close();
    box.closed.then(() => (command.href ? navigate(command.href) : command.run()));
  };
  const draw = () => {
    show(options, found.length ? found.map(option) : h("li", { class: "palette-none" }, "Nothing has this name."));
    input.setAttribute("aria-activedescendant", found.length ? `palette-${chosen}` : "");
    options.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  };
  const option = (command, index) =>
    h(
      "li",
      { id: `palette-${index}`, role: "option", "aria-selected": String(index === chosen), onclick: () => run(command) },
      h("span", command.title),
      h("span", { class: "palette-hint" }, command.hint ?? command.group ?? ""),
    );
  const find = () => {
    found = matches(commands, input.value);
    chosen = 0;
    draw();
  };
  input.oninput = find;
  input.onkeydown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && found.length) chosen = (chosen + step + found.length) % found.length;
    else if (event.key === "Enter" && found[chosen]) run(found[chosen]);
    else return;
    event.preventDefault();
    draw();
  };
  for (const source of sources) {
    Promise.resolve(source()).then((more) => {
      commands.push(...more);
      find();
    });
  }
  input.focus();
}
