/** Where a program connects, and by which name: the entry, and the parameters in the user's name. */

/** Addresses that stand for all of a machine's. */
const ANYWHERE = new Set(["0.0.0.0", "[::]", "::", "*", ""]);

/** Entries that a program can use by itself; those for a proxy in front are not. */
export const usable = (routes) => routes.filter(({ open, protocols }) => open && !protocols.includes("proxy"));

/** The chosen entry; else the one where the user's name picks the country. */
export const entryOf = (entries, { via }) =>
  entries.find(({ address }) => address === via) ?? entries.find(({ by }) => by === "user") ?? entries[0];

/** As the proxies compare cities: the letters and digits, without accents. */
const cityKey = (city) =>
  city
    .normalize("NFD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]/g, "");

/**
 * @param {any} user
 * @param {string} password
 * @param {any} entry
 * @param {Record<string, string>} chosen
 */
export function loginOf(user, password, entry, { to, city, keep, session, minutes }) {
  const parameters = [
    !entry.country && to && ["country", to],
    city && ["city", cityKey(city)],
    keep && [keep, session || "a1"],
    keep && minutes && ["sesstime", minutes],
  ].filter(Boolean);
  const at = entry.address.lastIndexOf(":");
  const bound = entry.address.slice(0, at);
  const host = entry.names[0] ?? (ANYWHERE.has(bound) ? location.hostname : bound);
  const name = [user.name, ...parameters.flat()].join("-");
  const login = { name, password, host, port: entry.address.slice(at + 1), scheme: entry.protocols.includes("https") ? "https" : "http" };
  return {
    ...login,
    server: `${login.scheme}://${host}:${login.port}`,
    url: withLogin(login.scheme, login),
    socks: entry.protocols.includes("socks5") ? withLogin("socks5h", login) : undefined,
    behind: [password, ...parameters.map(([key, value]) => `${key}-${value}`)].join("_"),
    isLocal: /^(127\.|\[?::1)/.test(bound),
  };
}

const withLogin = (scheme, { name, password, host, port }) =>
  `${scheme}://${encodeURIComponent(name)}:${encodeURIComponent(password)}@${host}:${port}`;
