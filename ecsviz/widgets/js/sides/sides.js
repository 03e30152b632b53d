// Objects and rows side by side: the graph is another widget, shown on the left; the rows of what is
// in it stand on the right. Whatever is chosen on one side is marked on the other.

import "./sides.css";
import { announcer, choose, complaints, fill, focusNear, frame, h, link } from "../shared/dom.js";
import { watchKernel } from "../shared/gone.js";
import { follow, onTold, sender } from "../shared/kernel.js";
import { makeNested } from "../shared/nested.js";
import { hideStill } from "../shared/still.js";
import { onTheme } from "../shared/theme.js";

/** @import { Happened } from "../shared/elements.d.ts" */
/** @import * as base from "../shared/model.d.ts" */
/** @import { Table, Value, Widget } from "./traits.d.ts" */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/** @param {base.Holds<Widget>} shown */
function render({ model, el, host }) {
  /** @type {typeof model.get} */
  const is = (name) => model.get(name);
  const send = sender(model);
  const spoken = announcer();
  const error = complaints();

  const around = h("p", { class: "ecsviz-note" });
  const said = h("p", { class: "ecsviz-note" });
  const graph = makeNested(host, (why) => error.say(`The graph cannot be shown: ${why}`));
  const rows = h("div", {
    class: "ecsviz-rows",
    role: "region",
    "aria-label": "Rows",
    tabindex: "0",
    on: { keydown: move },
  });

  function showTables() {
    fill(
      rows,
      is("_tables").map((table, n) =>
        h(
          "table",
          { "data-table": table.name },
          h(
            "caption",
            {},
            h("span", {}, h("strong", { dir: "auto" }, table.name), ` ${table.said}`),
          ),
          h("thead", {}, h("tr", {}, table.columns.map(heading))),
          h(
            "tbody",
            {},
            table.rows.map((cells, row) => line(table, n, cells, row)),
          ),
        ),
      ),
    );
    point();
  }
  /** @param {Table["columns"][number]} column */
  function heading(column) {
    return h(
      "th",
      { scope: "col", title: column.says },
      column.name,
      column.refers && h("span", { class: "ecsviz-refers ecsviz-note" }, `→ ${column.refers}`),
    );
  }
  /** @param {Table} table @param {number} n @param {Value[]} cells @param {number} row */
  function line(table, n, cells, row) {
    const pick = (/** @type {Happened<MouseEvent>} */ event) => {
      if (event.target.closest("[data-follow]") || String(getSelection())) return;
      send("pick", { table: n, row });
    };
    return h(
      "tr",
      { "data-id": table.ids[row], on: { click: pick } },
      cells.map((value, column) => {
        const lead = table.leads[row][column];
        const shown = text(value);
        if (column === 0) {
          // The first cell picks the row by keyboard too.
          const name = `row ${row + 1} of ${table.name}: ${shown}`;
          const own = lead && { "data-lead": lead };
          const act = () => send("pick", { table: n, row });
          return h(
            "th",
            { scope: "row", ...own },
            link({ "aria-label": name, "data-pick": row }, act, shown),
          );
        }
        if (!lead) return h("td", { dir: "auto", title: shown }, shown);
        const name = `${table.columns[column].name} ${shown}: where this key leads`;
        const act = () => send("follow", { table: n, row, column });
        const look = { "data-follow": column, "aria-label": name, title: "where this key leads" };
        return h("td", { "data-lead": lead }, link(look, act, shown));
      }),
    );
  }
  /** @param {Value} value */
  function text(value) {
    if (value === null) return "NULL";
    return String(value);
  }

  function point() {
    const chosen = is("selected");
    /** @type {HTMLElement | null} */
    let first = null;
    for (const row of rows.querySelectorAll("tr")) {
      const here = row.dataset.id !== undefined && row.dataset.id === chosen;
      choose(row, here);
      if (here) first ??= row;
    }
    for (const cell of /** @type {NodeListOf<HTMLElement>} */ (
      rows.querySelectorAll("[data-lead]")
    ))
      cell.toggleAttribute("data-leads-here", cell.dataset.lead === chosen);
    if (first && !rows.contains(focusNear(rows))) show(first);
  }
  /** Scrolls the rows, and never the page. @param {HTMLElement} row */
  function show(row) {
    const box = rows.getBoundingClientRect();
    const place = row.getBoundingClientRect();
    if (place.top < box.top + 40 || place.bottom > box.bottom)
      rows.scrollTop += place.top - box.top - box.height / 3;
  }
  /** @param {Happened<KeyboardEvent>} event */
  function move(event) {
    const by = STEPS[event.key];
    const here = event.target.closest("tr");
    if (!by || !here) return;
    const every = [...rows.querySelectorAll("tbody tr")];
    every[every.indexOf(here) + by]?.querySelector("button")?.focus();
    event.preventDefault();
  }

  const root = frame(
    "sides",
    "Objects and rows side by side",
    error.element,
    h(
      "div",
      { class: "ecsviz-both" },
      h(
        "div",
        { class: "ecsviz-objects", role: "group", "aria-label": "Objects" },
        h("h4", {}, "Objects"),
        around,
        graph.element,
      ),
      h(
        "div",
        { class: "ecsviz-stored", role: "group", "aria-label": "Rows and keys" },
        h("h4", {}, "Rows and keys"),
        said,
        rows,
      ),
    ),
    spoken.element,
  );
  const stops = [
    follow(model, ["_told"], () => {
      around.textContent = is("_told").graph ?? "";
      said.textContent = is("_told").rows ?? "";
    }),
    follow(model, ["_tables"], showTables),
    follow(model, ["selected"], () => {
      error.say("");
      point();
      const marked = rows.querySelectorAll("tr[data-chosen]").length;
      spoken.say(`${marked} ${marked === 1 ? "row" : "rows"} marked`);
    }),
    follow(model, ["graph"], () => graph.show(is("graph"))),
    onTold(model, "error", ({ text: words }) => error.say(words)),
    onTheme(root, () => {}),
    hideStill(model),
    watchKernel(model, root),
  ];
  fill(el, root);
  return () => {
    for (const stop of stops) stop();
    graph.remove();
  };
}

export default { render };
