// Tables as cards: their columns, how many rows they have, and lines from keys to what they lead to.

import { button, choose, count, fill, h, link, pen } from "../shared/dom.js";
import { colours } from "../shared/theme.js";

/** @import { Card, Cards, Line, NoCards } from "./traits.d.ts" */

const FOOT = 9;

/**
 * Returns the cards of a database. `pick` is told which table is chosen.
 *
 * @param {(card: Card) => void} pick
 */
export function makeCards(pick) {
  const canvas = h("canvas", { "aria-hidden": "true" });
  const list = h("ul", { "aria-label": "Tables" });
  const field = h("div", { class: "ecsviz-field" }, canvas, list);
  const box = h("div", { class: "ecsviz-cards", role: "region", tabindex: "0" }, field);
  const said = h("p", { class: "ecsviz-note" });
  const element = h("div", {}, said, box);
  box.setAttribute("aria-label", "Tables, their columns and keys");

  /** @type {Cards | NoCards} */
  let cards = {};
  /** @type {string | null} */
  let chosen = null;

  /** @param {number} at */
  function go(at) {
    if (!cards.boxes) return;
    pick(cards.boxes[at]);
    const card = list.children[at];
    card.scrollIntoView({ block: "nearest", inline: "nearest" });
    card.querySelector("button")?.focus({ preventScroll: true });
  }
  /** @param {Card} table @param {number} at */
  function card(table, at) {
    const rows = `${count(table.rows)} ${table.rows === 1 ? "row" : "rows"}`;
    return h(
      "li",
      {
        class: `ecsviz-card${table.cyclic ? " ecsviz-cyclic" : ""}`,
        "data-card": table.table,
        title: table.cyclic ? "in a cycle of keys" : null,
        style: { left: `${table.x}px`, top: `${table.y}px`, width: `${table.width}px` },
      },
      button(
        { "aria-label": `${table.name}, ${rows}${table.cyclic ? ", in a cycle of keys" : ""}` },
        () => go(at),
        h("span", { dir: "auto" }, table.name),
        h("span", { class: "ecsviz-note" }, count(table.rows)),
      ),
      table.columns.map(({ mark, name, kind, leads }) =>
        h(
          "div",
          {},
          h("span", { class: "ecsviz-mark", style: { width: `${table.marks}px` } }, mark),
          leads === null
            ? h("span", { class: "ecsviz-name", dir: "auto", title: name }, name)
            : link({ class: "ecsviz-link ecsviz-name", title: name }, () => go(leads), name),
          h("span", { class: "ecsviz-note", title: kind }, kind),
        ),
      ),
      table.more > 0 && h("div", { class: "ecsviz-note" }, `… ${count(table.more)} more`),
    );
  }
  function draw() {
    if (!cards.lines || !canvas.isConnected) return;
    const sharp = devicePixelRatio || 1;
    canvas.width = cards.width * sharp;
    canvas.height = cards.height * sharp;
    const context = pen(canvas);
    const look = colours(canvas);
    context.setTransform(sharp, 0, 0, sharp, 0, 0);
    const at = cards.boxes.findIndex(({ table }) => table === chosen);
    const touched = (/** @type {Line} */ line) => line.source === at || line.target === at;
    for (const here of [false, true]) {
      for (const line of cards.lines.filter((other) => touched(other) === here)) {
        context.strokeStyle = line.cyclic ? look.cycle : here ? look.accent : look.line;
        context.lineWidth = here ? 2.2 : 1.2;
        stroke(context, line);
      }
    }
  }
  /** @param {CanvasRenderingContext2D} context @param {Line} line */
  function stroke(context, { points, many }) {
    context.beginPath();
    for (const [x, y] of points) context.lineTo(x, y);
    const [[x, y], ...rest] = points;
    const next = rest.find(([a, b]) => Math.hypot(a - x, b - y) >= FOOT) ?? rest[rest.length - 1];
    const long = Math.hypot(next[0] - x, next[1] - y) || 1;
    const along = [((next[0] - x) * FOOT) / long, ((next[1] - y) * FOOT) / long];
    for (const side of many ? [-0.5, 0.5] : []) {
      context.moveTo(x - side * along[1], y + side * along[0]);
      context.lineTo(x + along[0], y + along[1]);
    }
    context.stroke();
  }
  function point() {
    for (const shown of list.children) {
      choose(shown, shown instanceof HTMLElement && shown.dataset.card === chosen);
    }
    draw();
  }
  return {
    element,
    draw,
    /** @param {Cards | NoCards} found */
    show(found) {
      cards = found;
      said.textContent = found.said ?? "";
      field.style.width = `${found.width ?? 0}px`;
      field.style.height = `${found.height ?? 0}px`;
      fill(list, (found.boxes ?? []).map(card));
      point();
    },
    /** @param {string | null} table */
    point(table) {
      chosen = table;
      point();
    },
  };
}
