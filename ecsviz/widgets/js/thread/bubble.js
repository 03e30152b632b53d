// One message: who, when, the text, and where the chat forks. Texts are texts: what stands between
// code fences is shown in monospace, and nothing else is read out of them.

import { button, count, h, link } from "../shared/dom.js";

/** @import { Happened } from "../shared/elements.d.ts" */
/** @import { Facts } from "./traits.d.ts" */
/**
 * @typedef {object} Acts
 * @property {(n: number) => void} select
 * @property {(n: number, by: number) => void} turn
 * @property {((n: number) => void) | null} compare
 * @property {(n: number) => void} whole
 */
/** @typedef {[code: boolean, text: string, language: string]} Part */

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\n]{0,40})$/;
const BLOCKS = 200;
const MARKED = 100;
const ROLES = new Set(["user", "assistant", "system", "tool"]);

/**
 * Returns the bubble of a message; `text` is the whole, where it was asked for.
 *
 * @param {Facts} facts
 * @param {Acts} acts
 * @param {{ wanted: string, chosen: boolean, place: string, text?: string }} shown
 */
export function makeBubble(facts, acts, { wanted, chosen, place, text }) {
  const shown = text ?? facts.text;
  const cut = shown.length < facts.length && text === undefined && facts.length > facts.text.length;
  return h(
    "div",
    {
      class: "ecsviz-message",
      role: "article",
      "aria-label": `${facts.role}, message ${place}`,
      "data-role": ROLES.has(facts.role) ? facts.role : "other",
      "data-node": facts.n,
      "data-chosen": chosen,
      "aria-current": chosen ? "true" : null,
      "data-mark": facts.mark,
      "data-hidden": facts.hidden,
      on: { click: (event) => chose(event, facts, acts) },
    },
    head(facts),
    h(
      "div",
      { class: "ecsviz-said", dir: "auto" },
      blocks(shown).map((part) => block(part, wanted)),
    ),
    cut &&
      link(
        { "data-do": "whole" },
        () => acts.whole(facts.n),
        `Show all ${count(facts.length)} characters`,
      ),
    facts.fork[1] > 1 && fork(facts, acts),
  );
}

/** @param {Happened<MouseEvent>} event @param {Facts} facts @param {Acts} acts */
function chose(event, facts, acts) {
  // Not when a button was meant, or when somebody marks text in order to copy it.
  if (event.target.closest("button") || String(getSelection())) return;
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

/** Returns the parts of a text in order. @param {string} text */
export function blocks(text) {
  /** @type {Part[]} */
  const parts = [];
  /** @type {string[]} */
  let lines = [];
  /** @type {string | null} */
  let fence = null;
  let language = "";
  const close = (/** @type {boolean} */ code) => {
    if (lines.length) parts.push([code, lines.join("\n"), language]);
    lines = [];
  };
  for (const line of text.split("\n")) {
    const found = parts.length < BLOCKS && FENCE.exec(line);
    if (found && fence === null) {
      close(false);
      [fence, language] = [found[1], found[2].trim()];
    } else if (found && fence !== null && found[1].startsWith(fence) && !found[2]) {
      close(true);
      fence = null;
      language = "";
    } else lines.push(line);
  }
  close(fence !== null);
  return parts;
}

/** @param {Part} part @param {string} wanted */
function block([code, text, language], wanted) {
  if (!code)
    return h("div", { class: "ecsviz-text" }, marked(text.replace(/^\n+|\n+$/g, ""), wanted));
  return h(
    "div",
    { class: "ecsviz-fence" },
    language && h("div", { class: "ecsviz-note" }, language),
    h("pre", { dir: "ltr" }, h("code", {}, marked(text, wanted))),
  );
}

/** Returns a text in which what is looked for stands out. @param {string} text @param {string} wanted */
function marked(text, wanted) {
  const low = text.toLowerCase();
  if (!wanted || low.length !== text.length) return [text];
  /** @type {(string | Node)[]} */
  const parts = [];
  let from = 0;
  for (
    let at = low.indexOf(wanted);
    at >= 0 && parts.length < 2 * MARKED;
    at = low.indexOf(wanted, from)
  ) {
    parts.push(
      text.slice(from, at),
      h("span", { class: "ecsviz-hit" }, text.slice(at, at + wanted.length)),
    );
    from = at + wanted.length;
  }
  return [...parts, text.slice(from)].filter((part) => part !== "");
}
