// What is shown: search, filters, views, zoom.

import { button, count, fill, focusNear, fresh, h, later, sign } from "../shared/dom.js";

/** @import { About, By, ViewName } from "./traits.d.ts" */

/**
 * @typedef {object} Acts
 * @property {(text: string, now?: boolean) => void} search
 * @property {(name: string | null) => void} type
 * @property {(on: boolean) => void} cyclesOnly
 * @property {(name: ViewName) => void} view
 * @property {(by: By) => void} by
 * @property {() => void} table
 * @property {(factor: number) => void} zoom
 * @property {() => void} fit
 * @property {(hops: number) => void} hops
 * @property {(name: string | null) => void} layout
 * @property {(on: boolean) => void} lasso
 * @property {(kind: "svg" | "png") => void} save
 * @property {() => void} full
 * @property {() => void} help
 */
/**
 * What the toolbar shows; `can` tells of views whether there is something to show.
 *
 * @typedef {object} Shown
 * @property {string} search
 * @property {string | null} type
 * @property {boolean} cyclesOnly
 * @property {ViewName} view
 * @property {By} groupBy
 * @property {boolean} asTable
 * @property {number} hops
 * @property {string | null} layout
 * @property {{ around: boolean, found: boolean }} can
 */

/** @type {[ViewName, string][]} */
const VIEWS = [
  ["all", "One by one"],
  ["groups", "Groups"],
  ["map", "Points"],
  ["around", "Around"],
  ["found", "Found"],
];
/** @type {[By, string][]} */
const BY = [
  ["auto", "whatever tells most"],
  ["component", "component (thread)"],
  ["type", "type"],
];

/** Returns the toolbar. @param {Acts} acts @param {About} about */
export function makeToolbar(acts, about) {
  const typed = about.live ? later(acts.search, 180) : null;
  const search = h("input", {
    type: "search",
    class: "ecsviz-search",
    placeholder: about.live ? "search names, texts, ids" : "search, then Enter",
    "aria-label": "Search names, texts, types and ids",
    spellcheck: "false",
    autocomplete: "off",
    on: {
      input: () => (typed ? typed(search.value) : search.value === "" && acts.search("")),
      keydown: (event) => {
        if (event.key === "Enter") acts.search(search.value, true);
        if (event.key === "Escape") {
          search.value = "";
          acts.search("", true);
        }
      },
    },
  });
  const types = h("select", {
    "aria-label": "Type",
    class: "ecsviz-types",
    on: {
      change: () => acts.type(types.value === "" ? null : about.types[Number(types.value)][0]),
    },
  });
  const kinds = about.types.length;
  fill(
    types,
    h("option", { value: "" }, kinds === 1 ? "one type" : `all ${count(kinds)} types`),
    about.types.map(([name, number], k) => h("option", { value: k }, `${name} (${count(number)})`)),
  );
  const cycles = h("input", {
    type: "checkbox",
    on: { change: () => acts.cyclesOnly(cycles.checked) },
  });
  const tooLarge = about.count > about.limit;
  const why = `more than ${count(about.limit)} are not shown one by one`;
  const views = new Map(
    VIEWS.map(([name, text]) => [
      name,
      button(
        {
          title: name === "all" && tooLarge ? why : null,
          "data-view": name,
          "aria-pressed": "false",
        },
        () => acts.view(name),
        text,
      ),
    ]),
  );
  const table = button({ "data-view": "table", "aria-pressed": "false" }, acts.table, "Table");
  const byName = fresh("by");
  const by = h(
    "select",
    { id: byName, on: { change: () => acts.by(/** @type {By} */ (by.value)) } },
    BY.map(([value, text]) => h("option", { value }, text)),
  );
  const byRow = h("span", { class: "ecsviz-inline" }, h("label", { for: byName }, "by "), by);
  const hopsName = fresh("hops");
  const hops = h("input", {
    id: hopsName,
    type: "range",
    min: "1",
    max: "6",
    class: "ecsviz-hops",
    on: { input: () => far(Number(hops.value)) },
  });
  const far = later(acts.hops, 120);
  const hopsTold = h("output", {});
  const hopsRow = h(
    "span",
    { class: "ecsviz-inline" },
    h("label", { for: hopsName }, "hops "),
    hops,
    hopsTold,
  );
  const layout = h(
    "select",
    { "aria-label": "Layout", on: { change: () => acts.layout(layout.value || null) } },
    h("option", { value: "" }, "layout"),
    about.layouts.map((name) => h("option", { value: name }, name)),
  );
  const lasso = sign(
    "Pick",
    "pick several: draw a line around them",
    () => {
      const on = lasso.getAttribute("aria-pressed") !== "true";
      lasso.setAttribute("aria-pressed", String(on));
      acts.lasso(on);
    },
    "lasso",
  );
  lasso.setAttribute("aria-pressed", "false");
  const element = h(
    "div",
    { class: "ecsviz-toolbar" },
    h(
      "div",
      { class: "ecsviz-row", role: "search" },
      search,
      types,
      about.cyclic ? h("label", { class: "ecsviz-inline" }, cycles, "cycles only") : null,
    ),
    h(
      "div",
      { class: "ecsviz-row", role: "group", "aria-label": "View" },
      [...views.values()],
      table,
      byRow,
      hopsRow,
      layout,
      h("span", { class: "ecsviz-space" }),
      h(
        "span",
        { class: "ecsviz-inline" },
        lasso,
        sign("−", "zoom out", () => acts.zoom(0.8)),
        sign("+", "zoom in", () => acts.zoom(1.25)),
        sign("⤢", "show all", acts.fit),
      ),
      h(
        "span",
        { class: "ecsviz-inline" },
        sign("PNG", "save the picture as PNG", () => acts.save("png"), "save-png"),
        sign("SVG", "save the picture as SVG", () => acts.save("svg"), "save-svg"),
        sign("Full", "full screen, and back", acts.full, "full"),
        sign("?", "what the marks mean, and what one can do", acts.help, "help"),
      ),
    ),
  );
  return {
    element,
    focus: () => search.focus(),
    /** @param {Shown} shown */
    show(shown) {
      const { search: text, type, cyclesOnly, view, groupBy, asTable, can, hops: now } = shown;
      if (focusNear(search) !== search) search.value = text;
      types.value = type === null ? "" : String(about.types.findIndex(([name]) => name === type));
      cycles.checked = cyclesOnly;
      /** @type {Partial<Record<ViewName, boolean>>} */
      const cannot = {
        all: tooLarge,
        groups: about.alone,
        around: !can.around,
        found: !can.found,
      };
      for (const [name, pressed] of views) {
        pressed.setAttribute("aria-pressed", String(!asTable && name === view));
        pressed.disabled = cannot[name] ?? false;
      }
      table.setAttribute("aria-pressed", String(asTable));
      byRow.hidden = view !== "groups" || asTable;
      by.value = groupBy;
      hopsRow.hidden = view !== "around" || asTable;
      hops.value = hopsTold.textContent = String(now);
      layout.hidden = about.alone || asTable || !["all", "around", "found"].includes(view);
      layout.value = shown.layout ?? "";
    },
  };
}
