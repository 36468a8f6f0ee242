/** Lists that no topic has: they are asked for when the stream's `changes` says that they have changed. */

/**
 * Calls a function now, and when the list of that name has changed. The stream's first message after a break counts as a change.
 * @param {import("./page.js").Context} context
 * @param {string} name A name of the topic `changes`: `keys`, `webhooks`, `settings`, `audit`.
 * @param {() => void} load
 */
export function onRevision(context, name, load) {
  let known;
  context.subscribe("changes", (items) => {
    const revision = JSON.stringify(items.get(name));
    if (known !== undefined && revision !== known) load();
    known = revision ?? "";
  });
  load();
}
