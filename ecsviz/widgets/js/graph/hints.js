// What is told where one points, and what the marks mean.

import { fill, h } from "../shared/dom.js";

/** @import { About } from "./traits.d.ts" */

/** Returns what is told of the element that one points at. */
export function makeTip() {
  const element = h("div", { class: "ecsviz-tip", role: "tooltip", hidden: true });
  return {
    element,
    /** @param {string} text @param {string} facts @param {[number, number]} place */
    show(text, facts, [x, y]) {
      fill(element, h("div", { dir: "auto" }, text), h("div", { class: "ecsviz-note" }, facts));
      element.hidden = false;
      const around = element.parentElement ?? element;
      const left = Math.min(Math.max(x - element.offsetWidth / 2, 4), around.clientWidth - 4);
      const most = Math.max(around.clientWidth - element.offsetWidth - 4, 4);
      const below = y + 22 + element.offsetHeight < around.clientHeight;
      element.style.left = `${Math.min(left, most)}px`;
      element.style.top = `${below ? y + 22 : Math.max(y - 22 - element.offsetHeight, 4)}px`;
    },
    hide() {
      element.hidden = true;
    },
  };
}

/** Returns the help. @param {About} about */
export function makeHelp(about) {
  const stroke = (/** @type {string} */ look) =>
    h("span", { class: `ecsviz-stroke ${look}`, "aria-hidden": "true" });
  const line = (/** @type {Node | string} */ mark, /** @type {string} */ text) => [
    h("dt", {}, mark),
    h("dd", {}, text),
  ];
  const key = (/** @type {string} */ name) => h("kbd", {}, name);
  return h(
    "section",
    { class: "ecsviz-help", "aria-label": "Help", hidden: true, tabindex: "-1" },
    h("h4", {}, "What the marks mean"),
    h(
      "dl",
      {},
      line("A → B", "A holds B. What is held is saved first, so B stands before A in the order."),
      line(stroke(""), "This reference is part of a cycle: its ends hold each other, by some way."),
      line(
        stroke("ecsviz-deferred"),
        "Dashed: deferred. It closes a cycle, so it is written after both of its ends are.",
      ),
      line("shaded", "What stands on shaded ground hangs together in cycles."),
      about.pairs && line("\u2194", "A list and a back-reference that say the same: one line."),
      line("A ×5", "Five references of this field, drawn as one line."),
    ),
    h("h4", {}, "What one can do"),
    h(
      "dl",
      {},
      line("click", "selects; a click on a group opens it, a double click shows what is around."),
      line("drag", "moves a box, or the picture where there is none. What was moved stays there."),
      line(h("span", {}, key("Shift"), " drag"), "picks all that one draws a line around."),
      line(
        h("span", {}, key("Ctrl"), " click"),
        "picks one more. Two that are picked have a path.",
      ),
      line("legend", "A click on a type hides it, and shows it again."),
      line("colour, size", "by a field, or by the degree: how many references join an entity."),
      line(
        h("span", {}, key("↑"), key("↓")),
        "go along references, to what holds and what is held.",
      ),
      line(h("span", {}, key("←"), key("→")), "go to others of the same."),
      line(h("span", {}, key("Enter"), " ", key("Shift+Enter")), "open and close."),
      line(h("span", {}, key("+"), key("−"), key("0")), "zoom; 0 shows all."),
      line(h("span", {}, key("/"), " ", key("Esc")), "search; select nothing."),
    ),
  );
}
