/**
 * What is loaded without a person's asking is asked for twice: a browser drops all that it loads at that moment when the machine's networks
 * change, as they do where containers come and go. What was called off, or has taken too long, is not asked for again.
 */

const PAUSE = 400;

/**
 * @template T
 * @param {() => Promise<T>} load
 * @returns {Promise<T>}
 */
export async function again(load) {
  try {
    return await load();
  } catch (error) {
    if (error.name === "AbortError" || error.name === "TimeoutError") throw error;
    await new Promise((done) => setTimeout(done, PAUSE));
    return load();
  }
}
