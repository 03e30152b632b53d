// The same as a table, page by page: what the filters leave, in the order of saving.

import { button, choose, count, fill, focusNear, h, link } from "../shared/dom.js";

/** @import { Row, Rows } from "./traits.d.ts" */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/**
 * Returns the table.
 *
 * @param {{ select(node: number): void, rows(first: number): void }} acts
 * @param {number} size
 */
export function makeTable(acts, size) {
  const caption = h("caption", { class: "ecsviz-note" });
  const body = h("tbody", { on: { keydown: move } });
  const heads = ["step", "type", "label", "holds", "held by", "in a cycle"];
  const numeric = new Set(["step", "holds", "held by"]);
  const table = h(
    "table",
    { class: "ecsviz-list" },
    caption,
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        heads.map((name) =>
          h("th", { scope: "col", class: numeric.has(name) ? "ecsviz-number" : null }, name),
        ),
      ),
    ),
    body,
  );
  const back = button(
    { "data-do": "rows-back" },
    () => acts.rows(Math.max(now.first - size, 0)),
    "‹ previous page",
  );
  const next = button({ "data-do": "rows-next" }, () => acts.rows(now.first + size), "next page ›");
  const element = h(
    "div",
    { class: "ecsviz-table", role: "region", "aria-label": "Table of the graph", tabindex: "-1" },
    table,
    h("div", { class: "ecsviz-row" }, back, next),
  );
  /** @type {Rows} */
  let now = { first: 0, total: 0, listed: [], told: "" };

  /** @param {KeyboardEvent} event */
  function move(event) {
    const step = STEPS[event.key];
    if (!step) return;
    const buttons = [...body.querySelectorAll("button")];
    buttons[buttons.findIndex((button) => button === focusNear(button)) + step]?.focus();
    event.preventDefault();
  }

  /** @param {Rows} rows */
  function show(rows) {
    now = rows;
    caption.textContent = rows.told;
    fill(body, rows.listed.map(line));
    back.disabled = rows.first === 0;
    next.disabled = rows.first + rows.listed.length >= rows.total;
  }

  const line = (/** @type {Row} */ row) =>
    h(
      "tr",
      { "data-node": row.node },
      h("td", { class: "ecsviz-number" }, count(row.step)),
      h("td", {}, row.type),
      h(
        "th",
        { scope: "row" },
        link({}, () => acts.select(row.node), row.label),
      ),
      h("td", { class: "ecsviz-number" }, count(row.out)),
      h("td", { class: "ecsviz-number" }, count(row.in)),
      h("td", {}, row.cycle ? "yes" : "no"),
    );

  return {
    element,
    show,
    /** @param {number} node */
    point(node) {
      for (const row of body.rows) {
        const here = Number(row.dataset.node) === node;
        choose(row, here);
        if (here && !element.hidden) row.scrollIntoView({ block: "nearest" });
      }
    },
  };
}
