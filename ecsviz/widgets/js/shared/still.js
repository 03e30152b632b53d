// What stands in for a widget where it is not alive: an output of its own, that Python has marked.

/** @import { Model } from "./model.d.ts" */

const ALIVE = Symbol.for("ecsviz.alive");
const WIDE = ".jp-OutputArea-child"; // what JupyterLab puts around an output

/**
 * Hides what stands in for a widget, wherever it is on the page and when it may come; returns how
 * to show it again.
 *
 * @param {Model<any>} model
 */
export function hideStill(model) {
  const mark = model.get("_mark");
  if (!/^[0-9a-f]{32}$/.test(mark)) return () => {};
  const page = /** @type {{ [ALIVE]?: { views: string[], sheet: CSSStyleSheet } }} */ (globalThis);
  if (!page[ALIVE]) {
    page[ALIVE] = { views: [], sheet: new CSSStyleSheet() };
    document.adoptedStyleSheets.push(page[ALIVE].sheet);
  }
  const { views, sheet } = page[ALIVE];
  const update = () => sheet.replaceSync(views.map(ruleOf).join("\n"));
  views.push(mark); // once for every view: there may be several
  update();
  return () => {
    views.splice(views.indexOf(mark), 1);
    update();
  };
}

/** @param {string} mark */
function ruleOf(mark) {
  // Two rules: a browser that does not know :has() drops the one that has it.
  const hidden = "{ display: none !important }";
  return `.ecsviz-${mark} ${hidden}\n${WIDE}:has(.ecsviz-${mark}) ${hidden}`;
}
