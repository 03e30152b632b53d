// One message: who, when, its parts, and where the chat forks.

import { button, count, h, link } from "../shared/dom.js";
import { partElements } from "./parts.js";

/** @import { Happened } from "../shared/elements.d.ts" */
/** @import { Markup } from "./markup.js" */
/** @import { Facts, Part } from "./traits.d.ts" */
/**
 * @typedef {object} Acts
 * @property {(n: number) => void} select
 * @property {(n: number, by: number) => void} turn
 * @property {((n: number) => void) | null} compare
 * @property {(n: number) => void} whole
 * @property {(n: number, i: number, open: boolean) => void} fold
 */

const PEOPLE = 6; // that have a colour each, beside the first
const ROLES = new Set(["user", "assistant", "system", "tool"]);

/**
 * Returns the bubble of a message; `whole` are all its parts, where they were asked for, `open` the
 * numbers of those that the reader has unfolded.
 *
 * @param {Facts} facts
 * @param {Acts} acts
 * @param {{ wanted: string, chosen: boolean, place: string, whole?: Part[], markup: Markup | null, open: Set<number> }} shown
 */
export function makeBubble(facts, acts, { wanted, chosen, place, whole, markup, open }) {
  const parts = partElements(whole ?? facts.parts, {
    markup,
    wanted,
    unfolded: (i) => open.has(i),
    fold: (i, unfolded) => acts.fold(facts.n, i, unfolded),
  });
  return h(
    "div",
    {
      class: "ecsviz-message",
      role: "article",
      "aria-label": `${facts.role}, message ${place}`,
      "data-role": ROLES.has(facts.role) ? facts.role : "other",
      "data-who": facts.who === null ? null : facts.who && ((facts.who - 1) % PEOPLE) + 1,
      "data-node": facts.n,
      "data-chosen": chosen,
      "aria-current": chosen ? "true" : null,
      "data-mark": facts.mark,
      "data-hidden": facts.hidden,
      on: { click: (event) => chose(event, facts, acts) },
    },
    head(facts),
    h("div", { class: markup ? "ecsviz-said ecsviz-markup" : "ecsviz-said", dir: "auto" }, parts),
    facts.cut &&
      !whole &&
      link(
        { "data-do": "whole" },
        () => acts.whole(facts.n),
        facts.length > 4_000 ? `Show all ${count(facts.length)} characters` : "Show all",
      ),
    facts.fork[1] > 1 && fork(facts, acts),
  );
}

/** @param {Happened<MouseEvent>} event @param {Facts} facts @param {Acts} acts */
function chose(event, facts, acts) {
  // Not when a button was meant, or when somebody marks text in order to copy it.
  if (event.target.closest("button, a, summary") || String(getSelection())) return;
  acts.select(facts.n);
}

/** @param {Facts} facts */
function head(facts) {
  const more = [facts.author && facts.role, facts.model, facts.at].filter(Boolean).join(" · ");
  return h(
    "div",
    { class: "ecsviz-who" },
    h("strong", { dir: "auto" }, facts.author ?? facts.role),
    more && h("span", { class: "ecsviz-note", dir: "auto" }, more),
    facts.hidden && h("span", { class: "ecsviz-tag" }, "hidden"),
    facts.mark && h("span", { class: "ecsviz-tag", "data-mark": facts.mark }, facts.mark),
  );
}

/** @param {Facts} facts @param {Acts} acts */
function fork(facts, acts) {
  const [place, of] = facts.fork;
  const { compare } = acts;
  /** @param {number} by @param {string} text @param {string} label */
  const turn = (by, text, label) =>
    button(
      {
        "aria-label": label,
        title: label,
        "data-turn": by,
        disabled: place + by < 1 || place + by > of,
      },
      () => acts.turn(facts.n, by),
      text,
    );
  return h(
    "div",
    { class: "ecsviz-fork", role: "group", "aria-label": `branch ${place} of ${of}` },
    turn(-1, "‹", "previous branch"),
    h("span", { class: "ecsviz-number" }, `${count(place)}/${count(of)}`),
    turn(1, "›", "next branch"),
    compare &&
      button(
        { "data-do": "compare", title: "show two branches side by side" },
        () => compare(facts.n),
        "side by side",
      ),
  );
}
