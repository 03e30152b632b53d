// What is shown: search, filters, views, zoom.

import { count, fill, fresh, h, later } from "../shared/dom.js";

const VIEWS = [
  ["all", "One by one"],
  ["groups", "Groups"],
  ["map", "Points"],
  ["around", "Around"],
  ["found", "Found"],
];
const BY = [
  ["auto", "whatever tells most"],
  ["component", "component (thread)"],
  ["type", "type"],
];

/** Returns the toolbar. `acts` has `search`, `type`, `cyclesOnly`, `view`, `by`, `table`, `zoom`, `fit`. */
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
  const views = new Map(
    VIEWS.map(([name, text]) => [
      name,
      h(
        "button",
        {
          type: "button",
          "data-view": name,
          "aria-pressed": "false",
          on: { click: () => acts.view(name) },
        },
        text,
      ),
    ]),
  );
  const table = h(
    "button",
    { type: "button", "data-view": "table", "aria-pressed": "false", on: { click: acts.table } },
    "Table",
  );
  const byName = fresh("by");
  const by = h(
    "select",
    { id: byName, on: { change: () => acts.by(by.value) } },
    BY.map(([value, text]) => h("option", { value }, text)),
  );
  const byRow = h("span", { class: "ecsviz-inline" }, h("label", { for: byName }, "by "), by);
  const small = (text, label, act) =>
    h(
      "button",
      { type: "button", "aria-label": label, title: label, "data-do": label, on: { click: act } },
      text,
    );
  if (about.count > about.limit) {
    const all = views.get("all");
    all.disabled = true;
    all.title = `more than ${count(about.limit)} are not shown one by one`;
  }
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
      h("span", { class: "ecsviz-space" }),
      small("−", "zoom out", () => acts.zoom(0.8)),
      small("+", "zoom in", () => acts.zoom(1.25)),
      small("⤢", "show all", acts.fit),
    ),
  );
  return {
    element,
    focus: () => search.focus(),
    show({ search: text, type, cyclesOnly, view, groupBy, asTable, can }) {
      if (document.activeElement !== search) search.value = text;
      types.value = type === null ? "" : String(about.types.findIndex(([name]) => name === type));
      cycles.checked = cyclesOnly;
      for (const [name, button] of views)
        button.setAttribute("aria-pressed", String(!asTable && name === view));
      table.setAttribute("aria-pressed", String(asTable));
      views.get("around").disabled = !can.around;
      views.get("found").disabled = !can.found;
      byRow.hidden = view !== "groups" || asTable;
      by.value = groupBy;
    },
  };
}
