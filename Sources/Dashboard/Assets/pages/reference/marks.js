/** How a method is shown: its word in a colour of its own. */

import { h } from "../../lib/dom.js";

const TONES = { GET: "info", POST: "good", PUT: "two", PATCH: "two", DELETE: "bad" };

/** @param {string} method */
export const methodMark = (method) => h("span", { class: `method ${TONES[method] ?? "idle"}` }, method);
