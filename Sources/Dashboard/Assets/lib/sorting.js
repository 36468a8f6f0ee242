/** The order of a table's rows. */

const texts = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Nothing comes last, whichever way it is sorted. */
export function compare(left, right, isDescending) {
  const isLeft = left !== undefined && left !== null && left !== "";
  const isRight = right !== undefined && right !== null && right !== "";
  if (!isLeft || !isRight) return Number(isRight) - Number(isLeft);
  const order = typeof left === "number" && typeof right === "number" ? left - right : texts.compare(String(left), String(right));
  return isDescending ? -order : order;
}

/** `-load` as a name and a direction. */
export const parseSort = (text) => ({ name: text.replace(/^-/, ""), isDescending: text.startsWith("-") });

/**
 * Items in the order of a column; those that are equal in it by their keys.
 * @template T
 * @param {T[]} items
 * @param {{value: (item: T) => any} | undefined} column
 * @param {boolean} isDescending
 * @param {(item: T) => string} key
 */
export function sorted(items, column, isDescending, key) {
  const byKey = (left, right) => texts.compare(key(left), key(right));
  if (!column) return [...items].sort(byKey);
  return [...items].sort((left, right) => compare(column.value(left), column.value(right), isDescending) || byKey(left, right));
}
