/** Keys of the keyboard: single ones (`/`, `?`, `n`) and two in a row (`g e`). None works while a person types or a dialog is open. */

import { dialog } from "./dialog.js";
import { h } from "./dom.js";

/** Milliseconds between the two keys of a sequence. */
const PAUSE = 1200;

/** @type {Map<string, {title: string, run: (event: KeyboardEvent) => void, group: string}>} */
const bindings = new Map();
let first = "";
let timer;

/**
 * Binds keys: `?`, `g e`, `ctrl+k`, `shift+r`.
 * @param {string} keys
 * @param {string} title What `?` says of it.
 * @param {(event: KeyboardEvent) => void} run
 * @param {{signal?: AbortSignal, group?: string}} [options]
 */
export function bind(keys, title, run, { signal, group = "Everywhere" } = {}) {
  const binding = { title, run, group };
  bindings.set(keys, binding);
  signal?.addEventListener("abort", () => bindings.get(keys) === binding && bindings.delete(keys));
}

const isTyping = (target) =>
  target.isContentEditable ||
  /^(SELECT|TEXTAREA)$/.test(target.nodeName) ||
  (target.nodeName === "INPUT" && !/^(checkbox|radio|button)$/.test(target.type));

function nameOf(event) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isLetter = /^[a-z]$/.test(key);
  return `${event.ctrlKey || event.metaKey ? "ctrl+" : ""}${event.altKey ? "alt+" : ""}${event.shiftKey && isLetter ? "shift+" : ""}${key}`;
}

function onKey(event) {
  const name = nameOf(event);
  const isModified = event.ctrlKey || event.metaKey || event.altKey;
  if (event.defaultPrevented || (!isModified && isTyping(event.target)) || document.querySelector("dialog[open]")) return;
  const binding = (first && bindings.get(`${first} ${name}`)) || bindings.get(name);
  first = !binding && [...bindings.keys()].some((keys) => keys.startsWith(`${name} `)) ? name : "";
  clearTimeout(timer);
  if (first) timer = setTimeout(() => (first = ""), PAUSE);
  if (!binding) return;
  event.preventDefault();
  binding.run(event);
}

/** Shows all keys that are bound now. */
export function showKeys() {
  const groups = Map.groupBy(bindings, ([, binding]) => binding.group);
  const body = [...groups].map(([group, list]) => [
    h("h3", group),
    h(
      "dl",
      { class: "keys" },
      list.map(([keys, { title }]) =>
        h(
          "div",
          h(
            "dt",
            keys.split(" ").map((key) => h("kbd", shown(key))),
          ),
          h("dd", title),
        ),
      ),
    ),
  ]);
  dialog({ title: "Keyboard", body: h("div", { class: "keys-groups" }, body) });
}

const shown = (key) =>
  key
    .replace(/^ctrl\+(.)$/, (_, letter) => `Ctrl ${letter.toUpperCase()}`)
    .replace("shift+", "Shift ")
    .replace("Escape", "Esc");

/** Listens for keys. The shell calls it once. */
export function listenForKeys() {
  addEventListener("keydown", onKey);
  bind("?", "Show the keys", showKeys);
}
