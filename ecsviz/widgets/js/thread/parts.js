// The parts of a message: its texts, code, and folded what stands beside them (thoughts, calls of
// tools and their results), pictures that it carries, and the names of what it does not.

import { count, h, outward, picture } from "../shared/dom.js";
import { code, placeholder } from "./markup.js";

/** @import { Markup } from "./markup.js" */
/** @import { Part } from "./traits.d.ts" */
/**
 * @typedef {object} How
 * @property {Markup | null} markup - makes elements of Markdown; none where it is not there
 * @property {string} wanted - what is looked for
 * @property {(i: number) => boolean} unfolded - whether the reader has opened a part
 * @property {(i: number, open: boolean) => void} fold
 */
/** @typedef {[code: boolean, text: string, language: string]} Block */

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\n]{0,40})$/;
const BLOCKS = 200;
const MARKED = 100;
/** @type {Record<string, string>} */
const FOLDED = { thinking: "Thinking", tool_call: "Call", tool_result: "Result" };

/** Returns the elements of parts. @param {Part[]} parts @param {How} how */
export function partElements(parts, how) {
  return parts.flatMap((part, i) => {
    if (FOLDED[part.kind]) return folded(part, i, how);
    if (part.kind === "code") return code(part.text, part.name, (text) => marked(text, how.wanted));
    if (part.kind === "text" || part.kind === "refusal") return said(part.text, how);
    return attached(part, how);
  });
}

/** @param {Part} part @param {number} i @param {How} how */
function folded(part, i, how) {
  const { wanted } = how;
  const title = [FOLDED[part.kind], part.name].filter(Boolean).join(": ");
  const start = part.text.slice(0, 90).replace(/\s+/g, " ").trim();
  const found = wanted !== "" && part.text.toLowerCase().includes(wanted);
  const open = how.unfolded(i) || found;
  /** @type {HTMLElement} */
  const body = h("div", { class: "ecsviz-folded-body", dir: "auto" });
  const fill = () => {
    if (body.childNodes.length) return;
    const inside =
      part.kind === "thinking"
        ? said(part.text, how)
        : [code(part.text, "", (text) => marked(text, wanted))];
    body.append(...inside);
  };
  if (open) fill();
  let last = open;
  const element = h(
    "details",
    {
      class: "ecsviz-folded",
      "data-kind": part.kind,
      open,
      on: {
        toggle() {
          if (element.open === last) return; // as it was made: the reader has done nothing
          last = element.open;
          if (last) fill();
          how.fold(i, last);
        },
      },
    },
    h(
      "summary",
      { dir: "auto" },
      h("span", { class: "ecsviz-folded-title" }, title),
      start && h("span", { class: "ecsviz-note ecsviz-folded-start" }, ` ${start}`),
    ),
    body,
  );
  return element;
}

/** @param {Part} part @param {How} how */
function attached(part, how) {
  const what = part.kind === "other" ? "part" : part.kind.replace("_", " ");
  const shown = part.picture ? picture(part.picture, part.name || what) : null;
  const text = part.text ? said(part.text, how) : [];
  if (part.kind === "citation") {
    const name = part.name || part.link || "source";
    const cited = h(
      "span",
      { class: "ecsviz-attached" },
      part.link ? outward(part.link, name) : name,
    );
    return [cited, ...text];
  }
  return [shown ?? placeholder(what, part.name, part.link), ...text];
}

/** @param {string} text @param {How} how @returns {Node[]} */
function said(text, { markup, wanted }) {
  const mark = (/** @type {string} */ each) => marked(each, wanted);
  if (markup) return markup(text, mark);
  return blocks(text).map(([isCode, each, language]) =>
    isCode
      ? code(each, language, mark)
      : h("div", { class: "ecsviz-text" }, ...mark(each.replace(/^\n+|\n+$/g, ""))),
  );
}

/** Returns a text without Markdown: what stands between fences is code. @param {string} text */
export function blocks(text) {
  /** @type {Block[]} */
  const parts = [];
  /** @type {string[]} */
  let lines = [];
  /** @type {string | null} */
  let fence = null;
  let language = "";
  const close = (/** @type {boolean} */ isCode) => {
    if (lines.length) parts.push([isCode, lines.join("\n"), language]);
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

/** Returns a text in which what is looked for stands out. @param {string} text @param {string} wanted */
export function marked(text, wanted) {
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

/** What screen readers are told of a message, in short. @param {Part[]} parts */
export function spokenOf(parts) {
  const texts = parts.filter((part) => part.kind === "text").map((part) => part.text);
  const text = texts.join(" ").slice(0, 160);
  return text || parts.map((part) => FOLDED[part.kind] ?? part.kind).join(", ") || count(0);
}
