// Colours: JupyterLab's variables where there are any, else light or dark as the system has it.

/** Tells whether the page is dark. */
export function isDark() {
  const told = document.body?.dataset.jpThemeLight;
  if (told) return told === "false";
  return matchMedia("(prefers-color-scheme: dark)").matches;
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
    dark: isDark(),
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
 * @param {Element} element
 * @param {() => void} changed
 */
export function onTheme(element, changed) {
  const apply = () => {
    element.classList.toggle("ecsviz-dark", isDark());
    changed();
  };
  const watch = new MutationObserver(apply);
  watch.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"],
  });
  const system = matchMedia("(prefers-color-scheme: dark)");
  system.addEventListener("change", apply);
  element.classList.toggle("ecsviz-dark", isDark());
  return () => {
    watch.disconnect();
    system.removeEventListener("change", apply);
  };
}
