/** What the command palette offers on every page. */

import { api } from "./api.js";
import { countryName } from "./format.js";
import { showKeys } from "./keys.js";
import { links } from "./links.js";
import { live } from "./live.js";
import { session, signOut } from "./session.js";
import { signInDialog } from "./signin.js";
import { setTheme } from "./theme.js";

/**
 * Pages, pools, exits, actions, and users, which are asked for when the palette opens.
 * @param {import("./router.js").Entry[]} pages
 * @returns {Promise<import("./palette.js").Command[]>}
 */
export async function shellCommands(pages) {
  const here = pages.map(({ title, path, key }) => ({ title, group: "Page", hint: key ? `g ${key}` : "Page", href: path }));
  const pools = [...live.store("pools").items.values()].map(({ country }) => ({
    title: countryName(country),
    group: "Pool",
    hint: `Pool ${country}`,
    href: links.pool(country),
  }));
  const exits = [...live.store("exits").items.values()].map(({ id, state }) => ({
    title: id,
    group: "Exit",
    hint: `Exit, ${state}`,
    href: links.exit(id),
  }));
  return [...here, ...pools, ...exits, ...general(), ...(await users())];
}

async function users() {
  if (!session.may("admin")) return [];
  const answer = await api.get("/api/users", { quiet: true }).catch(() => ({ users: [] }));
  return answer.users.map(({ name }) => ({ title: name, group: "User", hint: "User", href: links.user(name) }));
}

const general = () => [
  { title: "Theme: light", group: "Action", run: () => setTheme("light") },
  { title: "Theme: dark", group: "Action", run: () => setTheme("dark") },
  { title: "Theme: as the system", group: "Action", run: () => setTheme("system") },
  { title: "Keyboard", group: "Action", hint: "?", run: showKeys },
  session.role ? { title: "Sign out", group: "Action", run: () => signOut() } : { title: "Sign in", group: "Action", run: signInDialog },
];
