// What stands beside the chat: the chosen message with its JSON, the branches, what was found, and
// what differs between two revisions.

import { button, count, counted, fill, fresh, h, link } from "../shared/dom.js";

/** @import { Change, Changes, Facts, Hit, Hits, Leaf, Leaves } from "./traits.d.ts" */
/** @import { NoChanges, NoHits } from "./traits.d.ts" */
/** @typedef {"message" | "branches" | "found" | "changes"} Tab */
/** @typedef {(number: number) => void} Take */

/** @type {[string, string][]} */
const MARKS = [
  ["added", "new"],
  ["removed", "removed"],
  ["changed", "changed"],
  ["moved", "stands elsewhere"],
  ["reordered", "in another order"],
];
/** @param {Change[]} listed */
const legend = (listed) =>
  MARKS.filter(([mark]) => listed.some((item) => item.mark === mark)).map(([mark, says]) =>
    h("span", { class: "ecsviz-tag", "data-mark": mark }, says),
  );

/** @type {[Tab, string][]} */
const TABS = [
  ["message", "Message"],
  ["branches", "Branches"],
  ["found", "Found"],
  ["changes", "Changes"],
];

/** @type {Record<string, number>} */
const STEPS = { ArrowLeft: -1, ArrowRight: 1 };

/**
 * Returns something for each tab.
 *
 * @template T
 * @param {(name: Tab, text: string) => T} make
 * @returns {Record<Tab, T>}
 */
function ofEach(make) {
  const made = TABS.map(([name, text]) => [name, make(name, text)]);
  return Object.fromEntries(made);
}

/**
 * Returns the panel; a page of its lists has `size` lines.
 *
 * @param {{ select: Take, leaves: Take, hits: Take, json: Take, beside: Take, size: number }} acts
 */
export function makePanel(acts) {
  const names = ofEach((name) => fresh(name));
  const tabs = ofEach((name, text) =>
    button(
      {
        role: "tab",
        id: `${names[name]}-tab`,
        "data-tab": name,
        "aria-controls": names[name],
      },
      () => open(name),
      text,
    ),
  );
  const panes = ofEach((name) =>
    h("div", {
      id: names[name],
      role: "tabpanel",
      class: "ecsviz-pane",
      tabindex: "0",
      "aria-labelledby": `${names[name]}-tab`,
      "data-pane": name,
    }),
  );
  const bar = h(
    "div",
    {
      role: "tablist",
      class: "ecsviz-tabs",
      "aria-label": "Beside the chat",
      on: { keydown: walk },
    },
    Object.values(tabs),
  );
  const element = h("div", { class: "ecsviz-side" }, bar, Object.values(panes));
  /** @type {Tab | null} */
  let opened = null;

  /** @param {Tab} name */
  function open(name) {
    if (name === "branches" && opened !== name) acts.leaves(0);
    opened = name;
    for (const [other] of TABS) {
      tabs[other].setAttribute("aria-selected", String(other === name));
      tabs[other].tabIndex = other === name ? 0 : -1;
      panes[other].hidden = other !== name;
    }
  }
  /** @param {KeyboardEvent} event */
  function walk(event) {
    const by = STEPS[event.key];
    if (!by) return;
    const seen = TABS.map(([name]) => name).filter((name) => !tabs[name].hidden);
    const here = seen.findIndex((name) => name === opened);
    const name = seen[(here + by + seen.length) % seen.length];
    open(name);
    tabs[name].focus();
    event.preventDefault();
  }

  // -- the chosen message ------------------------------------------------------------------

  const code = h("pre", {
    class: "ecsviz-json",
    tabindex: "0",
    "aria-label": "JSON of the message",
  });
  const raw = h(
    "details",
    { class: "ecsviz-raw", on: { toggle: () => askJson() } },
    h("summary", {}, "Raw JSON"),
    code,
  );
  /** @type {Facts | null} */
  let about = null;
  function askJson() {
    if (!raw.open || !about) return;
    code.textContent = "…";
    acts.json(about.n);
  }
  /** @param {Facts | null} facts @param {string} place */
  function message(facts, place) {
    about = facts;
    const pane = panes.message;
    if (!facts)
      return fill(
        pane,
        h(
          "p",
          { class: "ecsviz-note" },
          "Nothing is chosen. Click a message; the arrow keys go up and down, left and right switch branches.",
        ),
      );
    const lines = [
      ["message", place],
      ["role", facts.role],
      ["author", facts.author],
      ["model", facts.model],
      ["time", facts.at && `${facts.at} UTC`],
      ["branch", facts.fork[1] > 1 ? `${count(facts.fork[0])} of ${count(facts.fork[1])}` : null],
      ["characters", count(facts.length)],
      ["ecs_id", facts.id],
    ].filter(([, value]) => value);
    fill(
      pane,
      h(
        "table",
        { class: "ecsviz-facts" },
        h(
          "tbody",
          {},
          lines.map(([name, value]) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, name),
              h("td", { class: name === "ecs_id" ? "ecsviz-code" : null, dir: "auto" }, value),
            ),
          ),
        ),
      ),
      raw,
    );
    return askJson();
  }

  // -- lists -------------------------------------------------------------------------------

  /** @param {Leaves | Hits} told @param {Take} ask */
  const pages = (told, ask) => [
    h("p", { class: "ecsviz-note" }, told.said),
    told.total > acts.size &&
      h(
        "div",
        { class: "ecsviz-row" },
        button(
          { disabled: told.first === 0 },
          () => ask(Math.max(told.first - acts.size, 0)),
          "‹ previous",
        ),
        h(
          "span",
          { class: "ecsviz-note" },
          `${count(told.first + 1)} to ${count(told.first + told.listed.length)}`,
        ),
        button(
          { disabled: told.first + acts.size >= told.total },
          () => ask(told.first + acts.size),
          "next ›",
        ),
      ),
  ];
  /** @param {Leaves} told */
  function branches(told) {
    const line = (/** @type {Leaf} */ leaf) =>
      h(
        "li",
        { "data-chosen": leaf.n === told.here },
        link(
          { "data-leaf": leaf.n, "aria-current": leaf.n === told.here ? "true" : null },
          () => acts.select(leaf.n),
          leaf.text,
        ),
        h(
          "div",
          { class: "ecsviz-row ecsviz-note" },
          `${leaf.role} · ${counted(leaf.length, "message")}`,
          leaf.n !== told.here &&
            button(
              { class: "ecsviz-small", "data-beside": leaf.n },
              () => acts.beside(leaf.n),
              "side by side",
            ),
        ),
      );
    fill(
      panes.branches,
      pages(told, acts.leaves),
      h("ul", { class: "ecsviz-lines" }, told.listed.map(line)),
    );
  }
  /** @param {Hits | NoHits} hits @param {string} wanted */
  function found(hits, wanted) {
    tabs.found.textContent = wanted ? `Found ${count(hits.total ?? 0)}` : "Found";
    const line = (/** @type {Hit} */ hit) =>
      h(
        "li",
        {},
        link(
          { "data-hit": hit.n },
          () => acts.select(hit.n),
          h("span", { class: "ecsviz-note" }, `${hit.role}: `),
          hit.parts[0],
          hit.parts[1] && h("span", { class: "ecsviz-hit" }, hit.parts[1]),
          hit.parts[2],
        ),
      );
    if (!wanted)
      return fill(
        panes.found,
        h("p", { class: "ecsviz-note" }, "Search looks through all branches."),
      );
    return fill(
      panes.found,
      hits.total !== undefined && pages(hits, acts.hits),
      h("ul", { class: "ecsviz-lines" }, (hits.listed ?? []).map(line)),
    );
  }
  /** @param {Changes | NoChanges} told @param {boolean} can */
  function changes(told, can) {
    tabs.changes.hidden = !can;
    if (opened === "changes" && !can) open("message");
    if (!told.listed)
      return fill(
        panes.changes,
        h("p", { class: "ecsviz-note" }, "Choose a revision to compare with."),
      );
    const line = (/** @type {Change} */ { node, ...item }) =>
      h(
        "li",
        { "data-mark": item.mark },
        h("span", { class: "ecsviz-tag" }, item.what),
        " ",
        node === null
          ? h("span", { dir: "auto" }, item.name)
          : link({ "data-change": node }, () => acts.select(node), item.name),
        item.before &&
          h(
            "div",
            { class: "ecsviz-text ecsviz-before", dir: "auto" },
            h("span", { class: "ecsviz-unseen" }, "before: "),
            item.before,
          ),
        item.after &&
          h(
            "div",
            { class: "ecsviz-text ecsviz-after", dir: "auto" },
            h("span", { class: "ecsviz-unseen" }, "after: "),
            item.after,
          ),
      );
    return fill(
      panes.changes,
      h("p", { class: "ecsviz-note" }, told.told),
      h("p", { class: "ecsviz-marks" }, legend(told.listed)),
      h("ul", { class: "ecsviz-lines" }, told.listed.map(line)),
    );
  }

  open("message");
  message(null, "");
  return {
    element,
    open,
    opened: () => opened,
    message,
    branches,
    found,
    changes,
    /** @param {number} node @param {string} text */
    json(node, text) {
      if (about?.n === node) code.textContent = text;
    },
  };
}
