// Markdown → elements. markdown-it says what the text consists of; what is made of it passes
// through dom.js. There is no way in for HTML: it is text here.

import { h, outward, picture } from "../shared/dom.js";
import { formula, withFormulas } from "./formulas.js";

/** @import { Tag } from "../shared/elements.d.ts" */
/** @typedef {(text: string) => (Node | string)[]} Mark - makes what is looked for stand out */
/** @typedef {(text: string, mark: Mark) => Node[]} Markup */

const LONGEST = 200_000; // characters that are parsed
const MOST = 20_000; // tokens; what is more, or longer, is shown as it was written

/** @type {Record<string, Tag>} */
const PLAIN = {
  paragraph: "p",
  blockquote: "blockquote",
  bullet_list: "ul",
  list_item: "li",
  table: "table",
  thead: "thead",
  tbody: "tbody",
  tr: "tr",
  th: "th",
  td: "td",
  strong: "strong",
  em: "em",
  s: "del",
};

/**
 * Returns what makes elements of Markdown.
 *
 * @param {{ markdown: any, temml: any }} library
 * @returns {Markup}
 */
export function makeMarkup({ markdown, temml }) {
  const parser = markdown({ html: false, linkify: true, breaks: true, maxNesting: 60 });
  parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  withFormulas(parser);
  return (text, mark) => {
    const plain = () => [h("div", { class: "ecsviz-text" }, mark(text))];
    if (text.length > LONGEST) return plain();
    const tokens = parser.parse(text, {});
    const size = (/** @type {any[]} */ some) =>
      some.reduce((sum, token) => sum + 1 + (token.children?.length ?? 0), 0);
    return size(tokens) > MOST ? plain() : new Builder(mark, temml).build(tokens);
  };
}

/** Makes elements of a list of tokens, in which what opens is closed again. */
class Builder {
  /** @param {Mark} mark @param {any} temml */
  constructor(mark, temml) {
    this.mark = mark;
    this.temml = temml;
    this.top = h("div", {});
    /** @type {HTMLElement[]} */
    this.open = [this.top];
  }

  /** @param {any[]} tokens */
  build(tokens) {
    this.take(tokens);
    return [...this.top.childNodes];
  }

  /** @param {...(Node | string)} nodes */
  add(...nodes) {
    this.open[this.open.length - 1].append(...nodes);
  }

  /** @param {any[]} tokens */
  take(tokens) {
    for (const token of tokens) {
      if (token.type === "inline") this.take(token.children);
      else if (token.nesting > 0) this.enter(token);
      else if (token.nesting < 0) this.leave();
      else this.single(token);
    }
  }

  /** @param {any} token */
  enter(token) {
    const element = this.opened(token);
    // What is tight (a list's paragraph) has no element of its own.
    if (!token.hidden) this.add(element);
    this.open.push(token.hidden ? this.open[this.open.length - 1] : element);
  }

  /** @param {any} token */
  opened(token) {
    const kind = token.type.replace(/_open$/, "");
    if (kind === "heading") {
      const level = Math.min(Number(token.tag.slice(1)) || 6, 6);
      const props = { role: "heading", "aria-level": Math.min(level + 3, 6) };
      return h("div", { class: `ecsviz-heading ecsviz-heading-${level}`, ...props });
    }
    if (kind === "link") return outward(String(token.attrGet("href") ?? ""));
    if (kind === "ordered_list") return h("ol", { start: Number(token.attrGet("start") ?? 1) });
    const aligned = /^text-align:(left|center|right)$/.exec(token.attrGet("style") ?? "");
    return h(PLAIN[kind] ?? "span", aligned ? { style: { "text-align": aligned[1] } } : {});
  }

  leave() {
    if (this.open.length > 1) this.open.pop();
  }

  /** @param {any} token */
  single(token) {
    const { type, content } = token;
    if (type === "text") this.add(...this.mark(content));
    else if (type === "softbreak" || type === "hardbreak") this.add("\n");
    else if (type === "code_inline") this.add(h("code", { dir: "ltr" }, ...this.mark(content)));
    else if (type === "fence" || type === "code_block")
      this.add(code(content.replace(/\n$/, ""), token.info.trim().split(/\s+/)[0], this.mark));
    else if (type === "hr") this.add(h("hr"));
    else if (type === "formula") this.add(formula(this.temml, content, token.info === "display"));
    else if (type === "image") this.add(image(token));
    else this.add(...this.mark(content));
  }
}

/**
 * Returns a block of code.
 *
 * @param {string} text
 * @param {string} language
 * @param {Mark} mark
 */
export function code(text, language, mark) {
  return h(
    "div",
    { class: "ecsviz-fence" },
    language && h("div", { class: "ecsviz-note" }, language.slice(0, 40)),
    h("pre", { dir: "ltr" }, h("code", {}, ...mark(text))),
  );
}

/** Of pictures from the net only the name is shown: nothing is loaded. @param {any} token */
function image(token) {
  const address = String(token.attrGet("src") ?? "");
  const name = token.content || "image";
  return picture(address, name) ?? placeholder("image", name, address);
}

/**
 * Returns what stands for something that is not shown.
 *
 * @param {string} what
 * @param {string} name
 * @param {string | null} address
 */
export function placeholder(what, name, address) {
  const text = name && name !== what ? `${what}: ${name}` : what;
  return h("span", { class: "ecsviz-attached" }, address ? outward(address, text) : text);
}
