/** What a person has chosen for the lines to copy: in the page's URL, or in a dialog for as long as it is open. */

const PARAMETERS = ["client", "via", "to", "city", "keep", "session", "minutes"];

/**
 * @typedef {object} Choices
 * @property {() => Record<string, string>} get
 * @property {(changes: Record<string, string>) => void} set
 * @property {(listener: () => void) => void} onChange
 */

/** @param {import("../../lib/page.js").Context} context @returns {Choices} */
export const inUrl = (context) => ({
  get: () => Object.fromEntries(PARAMETERS.map((name) => [name, context.query.get(name)])),
  set: (changes) => context.query.set(changes),
  onChange: (listener) => context.onQuery(listener),
});

/** @returns {Choices} */
export function inMemory() {
  const values = Object.fromEntries(PARAMETERS.map((name) => [name, ""]));
  const listeners = [];
  return {
    get: () => values,
    set(changes) {
      Object.assign(values, changes);
      for (const listener of listeners) listener();
    },
    onChange(listener) {
      listeners.push(listener);
      listener();
    },
  };
}
