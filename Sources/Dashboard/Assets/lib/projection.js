/** The Natural Earth projection (Patterson, Šavrič, Jenny 2011), onto the field that `Sources/Dashboard/make-map` draws the countries on. */

/** The field, from 84° north to 57° south. */
export const FIELD = { width: 1000, height: 435 };

const radians = (degrees) => (degrees * Math.PI) / 180;
const across = (p) => 0.8707 - 0.131979 * p ** 2 - 0.013791 * p ** 4 + 0.003971 * p ** 10 - 0.001529 * p ** 12;
const up = (p) => p * (1.007226 + 0.015085 * p ** 2 - 0.044475 * p ** 6 + 0.028874 * p ** 8 - 0.005916 * p ** 10);

const SCALE = FIELD.width / (2 * Math.PI * 0.8707);
const TOP = up(radians(84));

/** @param {[number, number]} place Longitude and latitude in degrees. @returns {[number, number]} */
export function project([longitude, latitude]) {
  const p = radians(latitude);
  return [FIELD.width / 2 + SCALE * radians(longitude) * across(p), SCALE * (TOP - up(p))];
}
