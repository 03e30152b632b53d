// Formulas: where they stand in Markdown, and TeX → MathML.
//
// Temml makes a tree of plain objects; what is made of it are elements and attributes of the lists
// below, in which nothing loads, links or runs.

import { h } from "../shared/dom.js";

/** @typedef {{ type?: string, text?: string, attributes?: Record<string, string>, classes?: string[], style?: Record<string, string>, children?: Branch[] }} Branch */

const MATHML = "http://www.w3.org/1998/Math/MathML";
const words = (/** @type {string} */ text) => new Set(text.split(" "));
const TAGS = words(
  "math menclose mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow ms" +
    " mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover none semantics",
);
const ATTRIBUTES = words(
  "accent accentunder columnalign columnlines columnspacing columnspan depth display displaystyle" +
    " fence form frame height largeop linethickness lspace mathbackground mathcolor mathsize" +
    " mathvariant maxsize minsize movablelimits notation rowalign rowlines rowspacing rowspan" +
    " rspace scriptlevel separator stretchy symmetric voffset width",
);
const STYLES = words(
  "border borderBottom borderLeft borderRight borderTop color backgroundColor fontWeight" +
    " marginLeft marginRight mathDepth padding paddingBottom paddingLeft paddingRight paddingTop" +
    " textAlign whiteSpace width",
);
const LONGEST = 5_000; // characters of a formula
const SIZES = { maxSize: [40, 400], maxExpand: 500 };

/**
 * Returns what shows a formula; its source where it is none, or too long.
 *
 * @param {any} temml
 * @param {string} tex
 * @param {boolean} display - on a line of its own
 */
export function formula(temml, tex, display) {
  const shown = (/** @type {Node | string} */ child) =>
    h(
      display ? "div" : "span",
      { class: display ? "ecsviz-formula ecsviz-display" : "ecsviz-formula" },
      child,
    );
  if (tex.length <= LONGEST) {
    try {
      const options = { displayMode: display, throwOnError: true, trust: false, ...SIZES };
      return shown(element(temml.__renderToMathMLTree(tex, options)));
    } catch {
      // No formula, or one of a package that is not there: its source says what was meant.
    }
  }
  return shown(h("code", { dir: "ltr" }, display ? `$$${tex}$$` : `$${tex}$`));
}

/** @param {Branch} branch @returns {Node} */
function element(branch) {
  if (branch.text !== undefined) return document.createTextNode(branch.text);
  const { type = "mrow", children = [] } = branch;
  const made = document.createElementNS(MATHML, TAGS.has(type) ? type : "mrow");
  for (const [name, value] of Object.entries(branch.attributes ?? {}))
    if (ATTRIBUTES.has(name)) made.setAttribute(name, String(value));
  const classes = (branch.classes ?? []).filter((name) => /^(tml|chr)-[a-z-]+$/.test(name));
  if (classes.length) made.setAttribute("class", classes.join(" "));
  for (const [name, value] of Object.entries(branch.style ?? {}))
    if (STYLES.has(name) && !/[():\\]/.test(String(value)))
      Object.assign(/** @type {any} */ (made).style, { [name]: String(value) });
  made.append(...children.map(element));
  return made;
}

// -- where they stand ------------------------------------------------------------------------

/** @type {[open: string, close: string, display: boolean][]} */
const MARKS = [
  ["$$", "$$", true],
  ["\\[", "\\]", true],
  ["\\(", "\\)", false],
  ["$", "$", false],
];

/**
 * Teaches a Markdown parser formulas: `$x$`, `$$x$$`, `\(x\)` and `\[x\]`.
 *
 * @param {any} parser
 */
export function withFormulas(parser) {
  parser.inline.ruler.before("escape", "formula", inline);
  parser.block.ruler.before("blockquote", "formula", block, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
}

/** @param {any} state @param {boolean} silent */
function inline(state, silent) {
  const { src, pos } = state;
  const found = MARKS.find(([open]) => src.startsWith(open, pos));
  if (!found) return false;
  const [open, close, display] = found;
  const from = pos + open.length;
  const to = closing(state, from, close);
  if (to < 0) return false;
  // As Pandoc does: amounts of money are no formulas.
  const dollar = open === "$";
  if (dollar && (/\s/.test(src[from]) || /\s/.test(src[to - 1]) || /\d/.test(src[to + 1] ?? "")))
    return false;
  if (!silent) {
    const token = state.push("formula", "", 0);
    token.content = src.slice(from, to).trim();
    token.info = display ? "display" : "";
  }
  state.pos = to + close.length;
  return true;
}

/**
 * Where a formula ends, or -1. What was found is kept, so that a text is looked through once for
 * each mark, however many begin a formula.
 *
 * @param {any} state
 * @param {number} from
 * @param {string} close
 */
function closing(state, from, close) {
  const kept = (state.formulaEnds ??= {});
  const known = kept[close];
  if (!known || from < known.from || from > known.to)
    kept[close] = { from, to: next(state.src, from, close) };
  const { to } = kept[close];
  const fits = to > from && to - from <= LONGEST && to + close.length <= (state.posMax ?? Infinity);
  return fits ? to : -1;
}

/** @param {string} src @param {number} from @param {string} close */
function next(src, from, close) {
  for (let at = src.indexOf(close, from); at >= 0; at = src.indexOf(close, at + 1)) {
    let slashes = 0;
    while (slashes < at - from && src[at - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return Infinity;
}

/** @param {any} state @param {number} line @param {number} last @param {boolean} silent */
function block(state, line, last, silent) {
  if (state.sCount[line] - state.blkIndent >= 4) return false;
  const text = (/** @type {number} */ n) =>
    state.src.slice(state.bMarks[n] + state.tShift[n], state.eMarks[n]);
  const first = text(line);
  const found = MARKS.find(([open, , display]) => display && first.startsWith(open));
  if (!found) return false;
  const [open, close] = found;
  // Where it may end, before lines are looked at: a text may begin very many.
  const from = state.bMarks[line] + state.tShift[line] + open.length;
  const to = closing(state, from, close);
  if (to < 0 || /\n[ \t>]*\n/.test(state.src.slice(from, to))) return false;
  /** @type {string[]} */
  const lines = [];
  for (let n = line; n < last; n += 1) {
    if (n > line && state.sCount[n] < state.blkIndent) return false;
    const here = n === line ? first.slice(open.length) : text(n);
    const at = here.indexOf(close);
    if (at >= 0) {
      if (here.slice(at + close.length).trim()) return false; // words after it: it is inline
      if (silent) return true;
      lines.push(here.slice(0, at));
      const token = state.push("formula", "", 0);
      token.block = true;
      token.content = lines.join("\n").trim();
      token.info = "display";
      token.map = [line, n + 1];
      state.line = n + 1;
      return true;
    }
    if (!here.trim() && n > line) return false; // not beyond a paragraph
    lines.push(here);
  }
  return false;
}
