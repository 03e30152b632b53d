// What is in a store. Python reads a page of one table at a time; the graph around the chosen row is
// another widget, shown inside this one.

import "./store.css";
import {
  announcer,
  button,
  choose,
  complaints,
  count,
  fill,
  focusNear,
  frame,
  fresh,
  h,
  later,
  link,
  sign,
} from "../shared/dom.js";
import { follow, onTold, sender } from "../shared/kernel.js";
import { makeNested } from "../shared/nested.js";
import { watchKernel } from "../shared/gone.js";
import { hideStill } from "../shared/still.js";
import { onTheme } from "../shared/theme.js";
import { makeCards } from "./cards.js";

/** @import { Happened } from "../shared/elements.d.ts" */
/** @import * as base from "../shared/model.d.ts" */
/** @import { Column, Value, Widget } from "./traits.d.ts" */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/** @param {base.Holds<Widget>} shown */
function render({ model, el, host }) {
  /** @type {typeof model.get} */
  const is = (name) => model.get(name);
  const send = sender(model);
  const spoken = announcer();

  // -- what is there -----------------------------------------------------------------------

  const title = h("h3", { dir: "auto" });
  const classes = h("ul", { class: "ecsviz-classes", "aria-label": "Classes" });
  const said = h("p", { class: "ecsviz-note" });
  const revised = h("p", { class: "ecsviz-note" });
  const revisions = h("ul", { class: "ecsviz-revisions" });
  const past = h("details", { open: true }, h("summary", {}, "Revisions"), revised, revisions);
  function showAbout() {
    const about = is("_about");
    fill(
      title,
      about.name,
      " ",
      h("span", { class: "ecsviz-note" }, `${count(about.entities)} ${about.noun}`),
    );
    fill(
      classes,
      about.classes.map((found) =>
        h(
          "li",
          {},
          button(
            { "data-class": found.name, "data-n": found.n },
            () => send("table", { n: found.n, name: found.name }),
            h("span", { dir: "auto" }, found.name),
            h("span", { class: "ecsviz-number ecsviz-note" }, count(found.count)),
            !found.defined && h("span", { class: "ecsviz-note ecsviz-whole" }, "not defined here"),
          ),
        ),
      ),
    );
    said.textContent = about.said;
    revised.textContent = about.revised;
    past.hidden = !about.revised;
    fill(
      revisions,
      about.revisions.map((found) =>
        h(
          "li",
          {},
          h(
            "div",
            { dir: "auto" },
            h("strong", {}, count(found.revision)),
            found.note && ` ${found.note}`,
          ),
          h("div", { class: "ecsviz-note" }, `${found.at} · ${found.counts}`),
        ),
      ),
    );
    pointTable();
  }
  function pointTable() {
    for (const shown of classes.querySelectorAll("button")) {
      const here = shown.dataset.class === is("table");
      shown.setAttribute("aria-pressed", String(here));
    }
  }

  // -- the table ---------------------------------------------------------------------------

  const statusId = fresh("rows");
  const status = h("p", { class: "ecsviz-note", id: statusId });
  const head = h("tr", {});
  const body = h("tbody", { on: { keydown: move } });
  const box = h(
    "div",
    { class: "ecsviz-rows", role: "region", "aria-labelledby": statusId, tabindex: "0" },
    h("table", { "aria-describedby": statusId }, h("thead", {}, head), body),
  );
  const look = later((/** @type {string} */ text) => send("search", { text }), 220);
  const search = h("input", {
    type: "search",
    class: "ecsviz-search",
    placeholder: "search this table: texts, or an id",
    "aria-label": "Search this table",
    spellcheck: "false",
    autocomplete: "off",
    on: {
      input: () => look(search.value),
      keydown(event) {
        if (event.key !== "Escape") return;
        search.value = "";
        send("search", { text: "" });
      },
    },
  });
  const listed = () => is("_page").table ?? null;
  const size = () => is("_about").size;
  const last = () => Math.max(Math.ceil((is("_page").total ?? 0) / size()) - 1, 0) * size();
  const turn = (/** @type {number} */ first) =>
    send("turn", { table: listed(), first: Math.min(Math.max(first, 0), last()) });
  const buttons = {
    first: sign("«", "first page", () => turn(0)),
    back: sign("‹", "previous page", () => turn(is("first") - size())),
    next: sign("›", "next page", () => turn(is("first") + size())),
    last: sign("»", "last page", () => turn(last())),
  };
  const paged = h("span", { class: "ecsviz-number ecsviz-note" });

  function showPage() {
    const page = is("_page");
    const columns = page.columns ?? [];
    const order = is("order_by");
    fill(
      head,
      columns.map((column, n) => {
        const falling = order === `-${column.name}`;
        const sorted = falling || order === column.name;
        const look = {
          scope: "col",
          class: column.kind === "number" ? "ecsviz-number" : null,
          "aria-sort": sorted ? (falling ? "descending" : "ascending") : null,
        };
        if (!column.sorts) return h("th", look, column.name);
        const arrow = sorted ? (falling ? " ↓" : " ↑") : "";
        return h(
          "th",
          look,
          link(
            { "data-sort": column.name, title: "sort" },
            () => send("sort", { table: page.table ?? null, column: n }),
            column.name,
            h("span", { "aria-hidden": "true" }, arrow),
          ),
        );
      }),
    );
    const focused = body.contains(focusNear(body));
    fill(
      body,
      (page.rows ?? []).map((cells, row) => line(page.ids ?? [], columns, cells, row)),
    );
    if (focused) box.focus({ preventScroll: true });
    const total = page.total ?? 0;
    const first = is("first");
    buttons.first.disabled = buttons.back.disabled = first === 0;
    buttons.next.disabled = buttons.last.disabled = first >= last();
    paged.textContent = total
      ? `page ${count(Math.floor(first / size()) + 1)} of ${count(last() / size() + 1)}`
      : "";
    point();
  }
  /** @param {string[]} ids @param {Column[]} columns @param {Value[]} cells @param {number} row */
  function line(ids, columns, cells, row) {
    const id = ids[row]; // and not the place: another table may be there before this is heard
    const pick = (/** @type {Happened<MouseEvent>} */ event) => {
      if (!event.target.closest("[data-follow]") && !String(getSelection())) send("pick", { id });
    };
    return h(
      "tr",
      { "data-id": id, "data-row": row, on: { click: pick } },
      cells.map((value, n) => cell(columns[n], value, row, n)),
    );
  }
  /** @param {Column} column @param {Value} value @param {number} row @param {number} n */
  function cell(column, value, row, n) {
    const shown = Array.isArray(value) ? place(value) : text(value);
    const look = {
      class: column.kind === "number" ? "ecsviz-number" : `ecsviz-cell ecsviz-${column.kind}`,
      dir: "auto",
    };
    if (typeof value === "string" && column.kind === "entity") {
      // Of an id the end, of a row's name all of it.
      const told = value.length > 30 ? `…${value.slice(-6)}` : value;
      const label = `${column.name}: ${told}`;
      const here = { type: "button", class: "ecsviz-link", "data-pick": row, title: "choose" };
      return h(
        "td",
        look,
        n === 0 && h("button", { ...here, "aria-label": `choose row ${row + 1}` }, "▸ "),
        link(
          { "data-follow": n, title: value, "aria-label": label },
          () => send("follow", { id: value }),
          told,
        ),
      );
    }
    if (n > 0) return h("td", look, shown);
    // The first column picks the row by keyboard too.
    return h(
      "th",
      { scope: "row", ...look },
      h("button", { type: "button", class: "ecsviz-link", "data-pick": row }, shown || "(empty)"),
    );
  }
  /** Returns where it is that was searched for. @param {[string, boolean][]} parts */
  function place(parts) {
    const marked = parts.map(([part, isFound]) =>
      isFound ? h("span", { class: "ecsviz-hit" }, part) : part,
    );
    return h("span", { class: "ecsviz-place" }, marked);
  }
  /** @param {Exclude<Value, any[]>} value */
  function text(value) {
    if (value === null) return "–";
    if (value === true || value === false) return value ? "yes" : "no";
    return typeof value === "number"
      ? value.toLocaleString("en-US", { maximumFractionDigits: 12 })
      : value;
  }
  function point() {
    for (const row of body.rows) {
      choose(row, row.dataset.id === is("selected"));
    }
  }
  /** @param {Happened<KeyboardEvent>} event */
  function move(event) {
    const by = STEPS[event.key];
    const row = event.target.closest("tr");
    if (!by || !row) return;
    const next = body.children[Number(row.dataset.row) + by];
    next?.querySelector("button")?.focus();
    event.preventDefault();
  }

  // -- the graph ---------------------------------------------------------------------------

  const told = h("p", { class: "ecsviz-note" });
  const graph = makeNested(host, (why) => error.say(`The graph cannot be shown: ${why}`));
  const cards = makeCards(({ n, listed }) => send("table", { n, name: listed }));
  const hops = h(
    "select",
    {
      "aria-label": "How many keys away",
      on: { change: () => send("hops", { hops: +hops.value }) },
    },
    [1, 2, 3, 4, 5].map((n) =>
      h("option", { value: n }, n === 1 ? "1 key away" : `${n} keys away`),
    ),
  );
  const walk = h(
    "div",
    { class: "ecsviz-row" },
    button({ "data-do": "tables" }, () => send("tables"), "All tables"),
    hops,
  );
  /** Shows the tables as cards until a row is chosen, whose graph takes their place. */
  function showAround() {
    const walking = Boolean(is("_cards").boxes) && is("selected") === null;
    cards.element.hidden = !walking;
    walk.hidden = walking || !is("_hops");
    hops.value = String(is("_hops"));
    graph.show(walking ? null : is("graph"));
    if (walking) cards.draw();
  }

  // -- all of it ---------------------------------------------------------------------------

  const error = complaints();
  const root = frame(
    "store",
    "What is in a store",
    h(
      "div",
      { class: "ecsviz-top" },
      title,
      button({ "data-do": "refresh" }, () => send("refresh"), "Refresh"),
    ),
    error.element,
    h(
      "div",
      { class: "ecsviz-main" },
      h("div", { class: "ecsviz-side" }, classes, said, past),
      h(
        "div",
        { class: "ecsviz-left" },
        h(
          "div",
          { class: "ecsviz-row ecsviz-bar", role: "search" },
          search,
          h("span", { class: "ecsviz-space" }),
          buttons.first,
          buttons.back,
          paged,
          buttons.next,
          buttons.last,
        ),
        box,
        h("div", { class: "ecsviz-foot" }, status),
      ),
    ),
    h(
      "div",
      { class: "ecsviz-around", role: "group", "aria-label": "What is around the chosen row" },
      walk,
      told,
      cards.element,
      h("div", { class: "ecsviz-graph" }, graph.element),
    ),
    spoken.element,
  );
  const stops = [
    follow(model, ["_about"], showAbout),
    follow(model, ["table"], pointTable),
    follow(model, ["_page", "order_by", "first", "_about"], later(showPage, 0)),
    follow(model, ["_page"], () => error.say("")),
    follow(model, ["selected"], () => {
      error.say("");
      point();
    }),
    follow(model, ["search"], () => {
      if (focusNear(search) !== search) search.value = is("search");
    }),
    follow(model, ["status"], () => {
      status.textContent = is("status");
      spoken.say(is("status"));
    }),
    follow(model, ["_told"], () => {
      told.textContent =
        is("_told") || "Choose a row to see what it holds and what holds it, as a graph.";
      if (is("_told")) spoken.say(is("_told"));
    }),
    follow(model, ["_cards"], () => cards.show(is("_cards"))),
    follow(model, ["table"], () => cards.point(is("table"))),
    follow(model, ["graph", "selected", "_cards", "_hops"], later(showAround, 0)),
    onTold(model, "error", ({ text: words }) => error.say(words)),
    onTheme(root, cards.draw),
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
