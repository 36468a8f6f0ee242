/** Elements are made by `h` and `svg`, and changed in place by `patch`, `show` and `list`. Texts become text nodes, never markup. */

const SVG = "http://www.w3.org/2000/svg";

/** The event handlers of an element, by their property (`onclick`), so that `patch` can move them. */
const handlers = new WeakMap();

/** The items that the elements of a `list` were rendered from. */
const rendered = new WeakMap();

/**
 * @typedef {Node | string | number | null | undefined | false | Child[]} Child
 * @typedef {Record<string, any>} Properties
 */

/**
 * Makes an HTML element.
 * @param {string} tag
 * @param {Properties | Child} [properties] An object of properties, or the first child.
 * @param {...Child} children
 * @returns {HTMLElement}
 */
export function h(tag, properties, ...children) {
  return make(document.createElement(tag), properties, children);
}

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Properties | Child} [properties]
 * @param {...Child} children
 * @returns {SVGElement}
 */
export function svg(tag, properties, ...children) {
  return make(document.createElementNS(SVG, tag), properties, children);
}

function make(element, properties, children) {
  if (isProperties(properties)) setProperties(element, properties);
  else children.unshift(properties);
  element.append(...nodes(children));
  return element;
}

function isProperties(value) {
  return value !== null && typeof value === "object" && !(value instanceof Node) && !Array.isArray(value);
}

function setProperties(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (isNothing(value)) continue;
    if (name.startsWith("on")) setHandler(element, name, value);
    else if (name === "style") setStyles(element, value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  // A select has its value when it has its options, and an input's attribute is only its first value.
  if ("value" in properties && "value" in element && properties.value !== null) element.value = properties.value ?? "";
  if ("checked" in properties && "checked" in element) element.checked = Boolean(properties.checked);
}

const isNothing = (value) => value === false || value === null || value === undefined;

function setHandler(element, name, handler) {
  element[name] = handler;
  const known = handlers.get(element) ?? {};
  known[name] = handler;
  handlers.set(element, known);
}

function setStyles(element, styles) {
  for (const [property, text] of Object.entries(styles)) {
    const name = property.startsWith("--") ? property : property.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    if (!isNothing(text)) element.style.setProperty(name, String(text));
  }
}

/**
 * The nodes of children: lists are flattened, nothing is left out, texts become text nodes.
 * @param {Child[]} children
 * @returns {Node[]}
 */
export function nodes(children) {
  return children
    .flat(Infinity)
    .filter((child) => !isNothing(child) && child !== true)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}

/**
 * Makes a node look like another one, in place, and returns the one that is on the page. A node of another kind replaces it. What has
 * `data-own` looks after itself and is kept.
 * @template {Node} T
 * @param {T} old A node on the page.
 * @param {Node} fresh A node that is on no page; it is used up.
 * @returns {Node}
 */
export function patch(old, fresh) {
  if (old === fresh) return old;
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || keyOf(old) !== keyOf(fresh) || isOwn(fresh)) {
    if (isOwn(old) && isOwn(fresh) && keyOf(old) === keyOf(fresh) && old.dataset.own === fresh.dataset.own) return old;
    old.replaceWith(fresh);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return old;
  }
  const isOtherValue = ["value", "checked"].some((name) => old.getAttribute(name) !== fresh.getAttribute(name));
  patchAttributes(old, fresh);
  patchHandlers(old, fresh);
  patchChildren(old, [...fresh.childNodes]);
  if (isOtherValue && old !== document.activeElement) patchValue(old, fresh);
  return old;
}

const isOwn = (node) => node.dataset?.own !== undefined;
const keyOf = (node) => node.dataset?.key;

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !isOfReader(old, name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (name === "style") patchStyle(old, fresh);
    else if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
}

/** Whether a reader sets an attribute: what is folded out stays so. */
const isOfReader = (element, name) => name === "open" && (element.nodeName === "DETAILS" || element.nodeName === "DIALOG");

/** The style attribute may not be set (Content-Security-Policy), its properties may. */
function patchStyle(old, fresh) {
  if (old.style.cssText === fresh.style.cssText) return;
  for (const property of [...old.style]) if (!fresh.style.getPropertyValue(property)) old.style.removeProperty(property);
  for (const property of fresh.style) old.style.setProperty(property, fresh.style.getPropertyValue(property));
}

function patchHandlers(old, fresh) {
  const known = handlers.get(fresh) ?? {};
  for (const name of Object.keys(handlers.get(old) ?? {})) if (!(name in known)) old[name] = null;
  Object.assign(old, known);
  handlers.set(old, known);
}

function patchChildren(parent, fresh) {
  const old = [...parent.childNodes];
  fresh.forEach((node, index) => (index < old.length ? patch(old[index], node) : parent.append(node)));
  for (const node of old.slice(fresh.length)) node.remove();
}

/** A control has another value only where another one was rendered: what a person typed is kept. */
function patchValue(old, fresh) {
  if ("value" in old && old.value !== fresh.value) old.value = fresh.value;
  if ("checked" in old) old.checked = fresh.checked;
}

/**
 * Makes children the content of an element, in place.
 * @param {Element} parent
 * @param {...Child} children
 */
export function show(parent, ...children) {
  patchChildren(parent, nodes(children));
}

/**
 * Keeps the children of an element as items say: new ones are inserted, changed ones patched, gone ones removed, moved ones moved. An item
 * that is the same object (and has the same `version`) is not rendered again.
 * @template T
 * @param {Element} parent
 * @param {Iterable<T>} items
 * @param {{key: (item: T) => string, render: (item: T) => HTMLElement, version?: any}} options
 */
export function list(parent, items, { key, render, version }) {
  const known = new Map([...parent.children].map((element) => [element.dataset.key, element]));
  const focused = parent.contains(document.activeElement) ? document.activeElement : null;
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    const element = updated(known.get(name), item, name, render, version);
    known.delete(name);
    if (element === place) place = place.nextElementSibling;
    else move(parent, element, place);
  }
  for (const element of known.values()) element.remove();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

function updated(element, item, name, render, version) {
  const last = element && rendered.get(element);
  if (last && last.item === item && last.version === version) return element;
  const fresh = render(item);
  fresh.dataset.key = name;
  const now = element ? patch(element, fresh) : fresh;
  rendered.set(now, { item, version });
  return now;
}

/** Moves without a loss of focus where the browser can (`moveBefore`). */
function move(parent, element, place) {
  if (element.isConnected && parent.moveBefore) parent.moveBefore(element, place);
  else parent.insertBefore(element, place);
}
