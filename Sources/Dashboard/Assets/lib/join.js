/** Items made of several sources. */

/**
 * Makes items of parts. An item is the same object as long as its parts are, so that its row is not drawn again.
 * @template T
 * @param {(...parts: any[]) => T} make
 * @returns {(id: string, ...parts: any[]) => T}
 */
export function joiner(make) {
  /** @type {Map<string, {parts: any[], item: T}>} */
  const known = new Map();
  return (id, ...parts) => {
    const last = known.get(id);
    if (last && parts.every((part, index) => part === last.parts[index])) return last.item;
    const item = make(...parts);
    known.set(id, { parts, item });
    return item;
  };
}
