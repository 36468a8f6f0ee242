/** The pages: found by the list that the server makes of its files, loaded as modules. */

import { again } from "./again.js";
import { Problem } from "./problem.js";
import { session } from "./session.js";

/**
 * @typedef {import("./page.js").Page & {name: string, path: string}} Entry
 * @type {Map<string, Promise<Entry>>}
 */
const loaded = new Map();

/** @type {string[]} */
let names = [];

/** Reads the names of all pages. */
export async function readPages() {
  const answer = await again(async () => (await fetch("/assets/pages.json", { credentials: "same-origin" })).json());
  names = answer.pages;
}

export const pathOf = (name) => (name === "overview" ? "/" : `/${name}`);
const nameOf = (path) => (path === "/" ? "overview" : path.slice(1));

/** Whether a path is a page's. */
export const isPage = (path) => names.includes(nameOf(path));

/** A part of a page's code; a mistake in it is thrown as it is. */
async function part(load) {
  try {
    return await again(load);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Problem({
      status: 0,
      error: "not_loaded",
      message: "A part of this page could not be loaded.",
      remedy: "Check that this machine reaches the controller.",
    });
  }
}

/** @param {string} name @returns {Promise<Entry>} */
function load(name) {
  if (!loaded.has(name)) {
    loaded.set(
      name,
      part(() => import(`../pages/${name}.js`)).then((module) => ({ ...module.default, name, path: pathOf(name) })),
    );
    loaded.get(name).catch(() => loaded.delete(name));
  }
  return loaded.get(name);
}

/** What a page shows. @param {Entry} page @param {import("./page.js").Context} context */
export const rendered = async (page, context) => (page.view ? await part(page.view) : page).render(context);

/** The page of a path; undefined where there is none. @param {string} path */
export const pageAt = (path) => (isPage(path) ? load(nameOf(path)) : Promise.resolve(undefined));

/** All pages that the session's role may see, in their order. A page that can't be loaded is left out. */
export async function visiblePages() {
  const results = await Promise.allSettled(names.map(load));
  const pages = results.filter(({ status }) => status === "fulfilled").map(({ value }) => value);
  for (const { reason } of results) if (reason) console.error(reason);
  return pages.filter(({ role }) => session.may(role)).sort((left, right) => left.order - right.order);
}
