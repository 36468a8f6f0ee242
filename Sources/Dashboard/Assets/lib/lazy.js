/** What is asked for once for each item that is shown, a few at a time: what no topic of the stream has. */

/** Requests at once: the rest of a browser's six connections is for what a person does meanwhile. */
const AT_ONCE = 3;
/** Milliseconds after which a request that failed is sent again, where the item is still shown. */
const AGAIN = 5000;

/**
 * @template T
 * @param {AbortSignal} signal
 * @param {(id: string) => Promise<T>} load An item whose request fails is without its value.
 * @param {() => void} changed Called once for the values that came since the last call.
 */
export function lazy(signal, load, changed) {
  /** @type {Map<string, T | undefined>} */
  const values = new Map();
  /** @type {string[]} */
  const waiting = [];
  let running = 0;
  let isTold = true;

  const tell = () => {
    if (!isTold) return;
    isTold = false;
    requestAnimationFrame(() => {
      isTold = true;
      if (!signal.aborted) changed();
    });
  };
  const next = async () => {
    if (running >= AT_ONCE || !waiting.length || signal.aborted) return;
    running += 1;
    const id = waiting.shift();
    try {
      values.set(id, await load(id));
      tell();
    } catch {
      // The row goes without meanwhile; what it was about says what is wrong where it is opened.
      setTimeout(() => {
        if (values.get(id) !== undefined) return;
        values.delete(id);
        tell();
      }, AGAIN);
    }
    running -= 1;
    next();
  };

  return {
    /** The value; undefined until it has come. The first call asks for it. @param {string} id */
    of(id) {
      if (!values.has(id)) {
        values.set(id, undefined);
        waiting.push(id);
        next();
      }
      return values.get(id);
    },
    /** The value, where it has come. @param {string} id */
    known: (id) => values.get(id),
    /** Puts a newer value in its place. @param {string} id @param {T} value */
    put(id, value) {
      values.set(id, value);
      tell();
    },
    /** Has it asked for again the next time. @param {string} id */
    forget: (id) => values.delete(id),
  };
}
