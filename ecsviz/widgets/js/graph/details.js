// What is told of the selected entity: facts, references to go along, fields.

import { button, fill, h, link } from "../shared/dom.js";

/** @import { Details, Link, Links, NoDetails } from "./traits.d.ts" */
/** @typedef {{ select(node: number): void, open(): void, close(): void }} Acts */

/** Returns the panel. @param {Acts} acts */
export function makeDetails(acts) {
  const element = h("section", {
    class: "ecsviz-details",
    "aria-label": "Details",
    tabindex: "-1",
  });
  /** @param {Details | NoDetails} about @param {boolean} [expandable] */
  const show = (about, expandable) => {
    if (about.node === undefined)
      return fill(
        element,
        h(
          "p",
          { class: "ecsviz-note" },
          "Nothing is selected. Click an entity, or step through the order in which they are saved.",
        ),
      );
    return fill(
      element,
      h("h3", { class: "ecsviz-title", dir: "auto" }, about.title),
      h("p", { class: "ecsviz-note" }, about.facts),
      h("p", { class: "ecsviz-code ecsviz-note" }, `ecs_id ${about.id}`),
      h(
        "div",
        { class: "ecsviz-row" },
        button({ "data-do": "open" }, acts.open, expandable ? "Expand" : "Show what is around"),
        expandable && button({ "data-do": "close" }, acts.close, "Collapse"),
      ),
      links(about.links, acts),
      fields(about),
    );
  };
  show({});
  return { element, show };
}

/** @param {Links} about @param {Acts} acts */
function links(about, acts) {
  const line = (/** @type {Link} */ held) =>
    h(
      "li",
      {},
      link(
        { "data-node": held.node },
        () => acts.select(held.node),
        h(
          "span",
          { class: held.deferred ? "ecsviz-way ecsviz-deferred" : "ecsviz-way" },
          held.out ? "→ " : "← ",
        ),
        h("span", { class: "ecsviz-unseen" }, held.out ? "holds by " : "is held by "),
        held.text,
        held.deferred && h("span", { class: "ecsviz-note" }, " (deferred)"),
      ),
    );
  return [
    h("h4", {}, "References"),
    h("p", { class: "ecsviz-note" }, about.told),
    h("ul", { class: "ecsviz-links" }, about.listed.map(line)),
  ];
}

/** @param {Details} about */
function fields(about) {
  if (!about.fields.length) return [];
  return [
    h("h4", {}, "Fields"),
    h(
      "table",
      {},
      h("caption", { class: "ecsviz-unseen" }, `Fields of ${about.title}`),
      h(
        "thead",
        { class: "ecsviz-unseen" },
        h("tr", {}, h("th", { scope: "col" }, "field"), h("th", { scope: "col" }, "value")),
      ),
      h(
        "tbody",
        {},
        about.fields.map(([name, value]) =>
          h(
            "tr",
            {},
            h("th", { scope: "row" }, name),
            h(
              "td",
              { class: "ecsviz-text", dir: "auto" },
              value ?? h("span", { class: "ecsviz-note" }, "None"),
            ),
          ),
        ),
      ),
    ),
    about.fieldsTold && h("p", { class: "ecsviz-note" }, about.fieldsTold),
  ];
}
