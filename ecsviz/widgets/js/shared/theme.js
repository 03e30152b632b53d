// Colours: JupyterLab's variables where there are any, else light or dark as the system has it.

import { h, pen } from "./dom.js";

/**
 * Tells whether the page is dark around an element: what it writes there is light.
 *
 * @param {Element} element
 */
export function isDark(element) {
  const told = document.body?.dataset.jpThemeLight;
  if (told) return told === "false";
  const around = element.parentElement ?? document.body;
  if (!around?.isConnected) return matchMedia("(prefers-color-scheme: dark)").matches;
  const [red, green, blue] = channels(getComputedStyle(around).color);
  return 0.3 * red + 0.6 * green + 0.1 * blue > 128;
}

/** @type {Map<string, number[]>} */
const known = new Map();
/**
 * Returns red, green and blue of a colour, 0 to 255, however it is written: what a page mixes
 * need not be made of these.
 *
 * @param {string} colour
 */
export function channels(colour) {
  let found = known.get(colour);
  if (!found) {
    const dot = pen(h("canvas", { width: 1, height: 1 }));
    dot.fillStyle = colour;
    dot.fillRect(0, 0, 1, 1);
    found = [...dot.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    known.set(colour, found);
  }
  return found;
}

/** @typedef {ReturnType<typeof colours>} Colours */
/**
 * Returns the colours that an element's style sheet gives, for what is drawn on a canvas.
 *
 * @param {Element} element
 */
export function colours(element) {
  const style = getComputedStyle(element);
  const read = (/** @type {string} */ name, /** @type {string} */ otherwise) =>
    style.getPropertyValue(`--ev-${name}`).trim() || otherwise;
  return {
    dark: isDark(element.closest(".ecsviz") ?? element),
    ground: read("ground", "#fff"),
    text: read("text", "#1b1f24"),
    muted: read("muted", "#666"),
    line: read("line", "#999"),
    accent: read("accent", "#1976d2"),
    cycle: read("cycle", "#d55e00"),
  };
}

/**
 * Calls `changed` when the theme does; returns how to stop that.
 *
 * Themes come in their own ways, and their style sheets some time after their names. The root of a
 * widget has a transition of its colours, which ends whenever they have changed, whoever did it.
 *
 * @param {Element} element
 * @param {() => void} changed
 */
export function onTheme(element, changed) {
  let before = "";
  const apply = () => {
    element.classList.toggle("ecsviz-dark", isDark(element));
    const now = JSON.stringify(colours(element));
    if (now === before) return;
    before = now;
    changed();
  };
  const watch = new MutationObserver(apply);
  for (const part of [document.body, document.documentElement])
    watch.observe(part, { attributes: true });
  const seen = new ResizeObserver(apply); // it comes onto the page, or is shown again
  seen.observe(element);
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", apply);
  element.addEventListener("transitionend", apply);
  apply();
  return () => {
    watch.disconnect();
    seen.disconnect();
    system.removeEventListener("change", apply);
    element.removeEventListener("transitionend", apply);
  };
}
