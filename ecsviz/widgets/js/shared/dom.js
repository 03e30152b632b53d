// Elements of the page. Everything that is shown passes here: texts become text nodes, and
// attributes are taken from a list in which nothing loads or runs.

/** @import { Children, Props, Tag } from "./elements.d.ts" */

// The types of elements.d.ts are made of these words too.
export const TAGS = /** @type {const} */ ([
  "a blockquote button canvas caption code col colgroup datalist dd del details div dl dt em",
  "fieldset h3 h4 hr input kbd label legend li ol option output p pre progress section select",
  "small span strong summary table tbody td textarea th thead tr ul",
]);
export const ATTRIBUTES = /** @type {const} */ ([
  "id class role title tabindex type value placeholder min max step for name dir lang scope",
  "colspan rowspan disabled checked hidden open selected readonly spellcheck autocomplete list",
  "rows cols size width height start",
]);
const tags = new Set(TAGS.join(" ").split(" "));
const attributes = new Set(ATTRIBUTES.join(" ").split(" "));

/**
 * Returns an element. `props` are attributes of the list above, `aria-…` and `data-…`; `on` holds
 * event handlers, `style` single properties. Children are elements, texts, or nothing.
 *
 * @template {Tag} T
 * @param {T} tag
 * @param {Props} props
 * @param {...Children} children
 */
export function h(tag, props = {}, ...children) {
  if (!tags.has(tag)) throw new Error(`no element of ours: ${tag}`);
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) set(element, name, value);
  element.append(...present(children));
  return element;
}

/** @param {Children[]} children */
const present = (children) => children.flat().filter((child) => child != null && child !== false);

/** @param {HTMLElement} element @param {string} name @param {any} value */
function set(element, name, value) {
  if (value == null || value === false) return;
  if (name === "on") {
    for (const [event, handler] of Object.entries(value)) element.addEventListener(event, handler);
  } else if (name === "style") {
    for (const [key, setting] of Object.entries(value)) element.style.setProperty(key, setting);
  } else if (attributes.has(name) || name.startsWith("aria-") || name.startsWith("data-")) {
    element.setAttribute(name, value === true ? "" : String(value));
  } else {
    throw new Error(`no attribute of ours: ${name}`);
  }
}

/**
 * Puts children in the place of what an element holds.
 *
 * @param {HTMLElement} element
 * @param {...Children} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
  return element;
}

/**
 * Returns a button.
 *
 * @param {Props} props
 * @param {() => void} act
 * @param {...Children} children
 */
export const button = (props, act, ...children) =>
  h("button", { type: "button", ...props, on: { click: act } }, ...children);

/**
 * Returns a button that looks like a link; its text may be of any direction.
 *
 * @param {Props} props
 * @param {() => void} act
 * @param {...Children} children
 */
export const link = (props, act, ...children) =>
  button({ class: "ecsviz-link", dir: "auto", ...props }, act, ...children);

/**
 * Returns a button with a sign on it; what it does is read aloud, and told where one points.
 *
 * @param {string} text
 * @param {string} label
 * @param {() => void} act
 * @param {string} [name]
 */
export const sign = (text, label, act, name = label) =>
  button({ "aria-label": label, title: label, "data-do": name }, act, text);

const OUTWARD = /^(https?:\/\/|mailto:)[^\s]+$/i;
/**
 * Returns a link to another page, which opens beside this one; where it leads elsewhere than to the
 * web, only its text.
 *
 * @param {string} address
 * @param {...Children} children
 */
export function outward(address, ...children) {
  const leads = OUTWARD.test(address);
  const element = h(leads ? "a" : "span", { title: address.slice(0, 500) }, ...children);
  if (leads) {
    element.setAttribute("href", address);
    element.setAttribute("target", "_blank");
    element.setAttribute("rel", "noopener noreferrer nofollow");
    element.setAttribute("referrerpolicy", "no-referrer");
  }
  return element;
}

const CARRIED = /^data:image\/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}$/;
const LARGEST = 8_000_000; // characters
/**
 * Returns a picture that the address itself carries, of a kind that runs and loads nothing; null
 * for any other.
 *
 * @param {string} address
 * @param {string} alt
 */
export function picture(address, alt) {
  if (address.length > LARGEST || !CARRIED.test(address)) return null;
  const element = document.createElement("img");
  element.alt = alt;
  element.src = address;
  return element;
}

/**
 * Returns what has the focus around an element: a page may keep widgets in a shadow.
 *
 * @param {Element} element
 */
export const focusNear = (element) =>
  /** @type {Document | ShadowRoot} */ (element.getRootNode()).activeElement ?? null;

/** Marks the chosen one of several. @param {Element} element @param {boolean} here */
export function choose(element, here) {
  element.toggleAttribute("data-chosen", here);
  if (here) element.setAttribute("aria-current", "true");
  else element.removeAttribute("aria-current");
}

/**
 * Returns what holds a whole widget.
 *
 * @param {string} name
 * @param {string} label
 * @param {...Children} children
 */
export const frame = (name, label, ...children) =>
  h(
    "div",
    {
      class: `ecsviz ecsviz-${name} mathjax_ignore`,
      role: "group",
      "aria-label": label,
      "data-lm-suppress-shortcuts": "true",
    },
    ...children,
  );

/** A line for what went wrong, which is there while it says something. */
export function complaints() {
  const element = h("p", { class: "ecsviz-error", role: "alert", hidden: true });
  return {
    element,
    /** @param {string} text */
    say(text) {
      element.textContent = text;
      element.hidden = !text;
    },
  };
}

let made = 0;
/** Returns an id that no other element of the page has. @param {string} name */
export function fresh(name) {
  made += 1;
  return `ecsviz-${name}-${made}`;
}

/** A region that screen readers read aloud when its text changes; nobody sees it. */
export function announcer() {
  const region = h("div", { class: "ecsviz-unseen", role: "status", "aria-live": "polite" });
  return {
    element: region,
    /** @param {string} text */
    say(text) {
      // The same text again is news too.
      region.textContent = region.textContent === text ? `${text}\u00a0` : text;
    },
  };
}

/**
 * Returns a function that calls `work` once, `wait` ms after it was last called itself.
 *
 * @template {unknown[]} A
 * @param {(...values: A) => void} work
 * @param {number} wait
 */
export function later(work, wait) {
  let timer = 0;
  const call = (/** @type {A} */ ...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => work(...values), wait);
  };
  call.stop = () => clearTimeout(timer);
  return call;
}

/** Returns a function that calls `work` at most once a frame. @param {() => void} work */
export function onceAFrame(work) {
  let asked = 0;
  const call = () => {
    if (!asked)
      asked = requestAnimationFrame(() => {
        asked = 0;
        work();
      });
  };
  call.stop = () => cancelAnimationFrame(asked);
  return call;
}

/** Returns what draws on a canvas. @param {HTMLCanvasElement} canvas */
export function pen(canvas) {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this page cannot draw");
  return context;
}

/** Returns a number as people read it: 12,345. @param {number} number */
export const count = (number) => number.toLocaleString("en-US");

/** Returns a number with what is counted. @param {number} number @param {string} word - of one */
export const counted = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;
