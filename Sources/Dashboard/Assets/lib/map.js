/** The world with a mark for each country that has exits. Without the shapes (`world.json` was not made) there are the marks alone. */

import { again } from "./again.js";
import { CENTRES } from "./centres.js";
import { h, list, svg } from "./dom.js";
import { FIELD, project } from "./projection.js";

let shapes;

/** The paths of the countries by code, loaded once; empty where there are none. */
function loadShapes() {
  shapes ??= again(() => fetch("/assets/world.json", { credentials: "same-origin" }))
    .then((response) => (response.ok ? response.json() : { countries: {} }))
    .catch(() => ({ countries: {} }));
  return shapes;
}

/**
 * @typedef {object} Place
 * @property {string} country Its code.
 * @property {"good" | "warn" | "bad" | "info" | "idle"} tone
 * @property {string} label What is there: `Germany: 2 of 2 exits serve, 1.2 Mbit/s`.
 * @property {number} weight From 0 to 1; how large the mark is.
 * @property {string} [href] Where a click goes.
 */

/**
 * Makes the map. `update(places)` shows others.
 * @param {{label?: string}} [options]
 */
export function worldMap({ label = "Exits by country" } = {}) {
  const land = svg("g", { class: "land" });
  const marks = svg("g", { class: "marks" });
  const picture = svg("svg", { viewBox: `0 0 ${FIELD.width} ${FIELD.height}`, role: "group", "aria-label": label }, land, marks);
  let places = [];

  const tint = () => {
    const tones = new Map(places.map(({ country, tone }) => [country, tone]));
    for (const path of land.children) path.setAttribute("class", tones.get(path.dataset.country) ?? "");
  };
  loadShapes().then(({ countries }) => {
    land.replaceChildren(...Object.entries(countries).map(([country, d]) => svg("path", { d, "data-country": country })));
    tint();
  });

  return {
    element: h("div", { class: "map", "data-own": "map" }, picture),
    /** @param {Place[]} all */
    update(all) {
      places = all.filter(({ country }) => CENTRES[country]);
      list(marks, places, { key: ({ country }) => country, render: mark });
      tint();
    },
  };
}

function mark({ country, tone, label, weight, href }) {
  const [x, y] = project(CENTRES[country]);
  const radius = 4 + 5 * Math.sqrt(Math.min(1, Math.max(0, weight)));
  const link = svg(
    "a",
    { class: `mark ${tone}`, href, "aria-label": label, transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})` },
    svg("title", label),
    svg("circle", { class: "halo", r: (radius + 3.5).toFixed(1) }),
    svg("circle", { class: "dot", r: radius.toFixed(1) }),
  );
  return link;
}
