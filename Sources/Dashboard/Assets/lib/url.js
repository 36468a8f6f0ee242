/** The address of the page: everything that a person chose is in it. Paths are changed by the History API. */

/** @typedef {(location: {path: string, query: URLSearchParams}) => void} Listener */

/** @type {Set<Listener>} */
const listeners = new Set();

/** The path of the page, without a slash at its end. */
export const path = () => location.pathname.replace(/(?<=.)\/+$/, "");

/** The parameters of the page's address. */
export const parameters = () => new URLSearchParams(location.search);

/**
 * An address of the dashboard. Parameters without a value are left out.
 * @param {string} path
 * @param {Record<string, string | number | string[] | null | undefined>} [query]
 */
export function href(path, query = {}) {
  const text = changed(new URLSearchParams(), query).toString();
  return text ? `${path}?${text}` : path;
}

/**
 * Goes to an address of the dashboard.
 * @param {string} address
 * @param {{replace?: boolean}} [options]
 */
export function navigate(address, { replace = false } = {}) {
  if (replace) history.replaceState(null, "", address);
  else if (address !== location.pathname + location.search) history.pushState(null, "", address);
  notify();
}

/**
 * Changes parameters of the address; null and "" remove one. Replaces the entry of the history unless `push` is true.
 * @param {Record<string, string | number | string[] | null | undefined>} changes
 * @param {{push?: boolean}} [options]
 */
export function setParameters(changes, { push = false } = {}) {
  const text = changed(parameters(), changes).toString();
  const address = location.pathname + (text ? `?${text}` : "");
  if (address !== location.pathname + location.search) navigate(address, { replace: !push });
}

function changed(query, changes) {
  for (const [name, value] of Object.entries(changes)) {
    query.delete(name);
    for (const text of [value].flat()) if (text !== null && text !== undefined && text !== "") query.append(name, String(text));
  }
  return query;
}

/**
 * Calls a function at each change of the address.
 * @param {Listener} listener
 * @param {AbortSignal} [signal]
 */
export function onNavigate(listener, signal) {
  listeners.add(listener);
  signal?.addEventListener("abort", () => listeners.delete(listener));
}

function notify() {
  const now = { path: path(), query: parameters() };
  for (const listener of [...listeners]) listener(now);
}

/**
 * Follows links within the dashboard without loading the document again.
 * @param {(path: string) => boolean} isPage
 */
export function followLinks(isPage) {
  addEventListener("popstate", notify);
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href]");
    if (!link || event.defaultPrevented || !isPlain(event) || link.hasAttribute("target") || link.hasAttribute("download")) return;
    const address = new URL(link.getAttribute("href"), location.href);
    if (address.origin !== location.origin || address.hash || !isPage(address.pathname)) return;
    event.preventDefault();
    navigate(address.pathname + address.search);
  });
}

/** Whether a click asks for no other tab or window. */
const isPlain = (event) => event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey;
