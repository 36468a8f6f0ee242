/** Whether this machine has a network, as its browser says. The controller of this machine itself is reached without one. */

const isLocal = ["localhost", "[::1]"].includes(location.hostname) || location.hostname.startsWith("127.");

export const isOffline = () => !navigator.onLine && !isLocal;

/** @param {() => void} listener Called when this machine has lost its network, or has one again. */
export function onNetworkChange(listener) {
  for (const name of ["online", "offline"]) addEventListener(name, listener);
}
