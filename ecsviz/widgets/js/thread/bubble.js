// One message: who, when, the text, and where the chat forks. Texts are texts: what stands between
// code fences is shown in monospace, and nothing else is read out of them.

import { count, h } from "../shared/dom.js";

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([^`\n]{0,40})$/;
const BLOCKS = 200;
const MARKED = 100;
const ROLES = new Set(["user", "assistant", "system", "tool"]);

/** Returns the bubble of a message. `acts`: `select`, `turn(n, by)`, `compare(n)`, `whole(n)`. */
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
      h(
        "button",
        {
          type: "button",
          class: "ecsviz-link",
          "data-do": "whole",
          on: { click: () => acts.whole(facts.n) },
        },
        `Show all ${count(facts.length)} characters`,
      ),
    facts.fork[1] > 1 && fork(facts, acts),
  );
}

function chose(event, facts, acts) {
  // Not when a button was meant, or when somebody marks text in order to copy it.
  if (event.target.closest("button") || String(getSelection())) return;
  acts.select(facts.n);
}

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

function fork(facts, acts) {
  const [place, of] = facts.fork;
  const turn = (by, text, label) =>
    h(
      "button",
      {
        type: "button",
        "aria-label": label,
        title: label,
        "data-turn": by,
        disabled: place + by < 1 || place + by > of,
        on: { click: () => acts.turn(facts.n, by) },
      },
      text,
    );
  return h(
    "div",
    { class: "ecsviz-fork", role: "group", "aria-label": `branch ${place} of ${of}` },
    turn(-1, "‹", "previous branch"),
    h("span", { class: "ecsviz-number" }, `${count(place)}/${count(of)}`),
    turn(1, "›", "next branch"),
    acts.compare &&
      h(
        "button",
        {
          type: "button",
          "data-do": "compare",
          title: "show two branches side by side",
          on: { click: () => acts.compare(facts.n) },
        },
        "side by side",
      ),
  );
}

/** Returns a text as [code?, text, language] in order. */
export function blocks(text) {
  const parts = [];
  let lines = [];
  let fence = null;
  let language = "";
  const close = (code) => {
    if (lines.length) parts.push([code, lines.join("\n"), language]);
    lines = [];
  };
  for (const line of text.split("\n")) {
    const found = parts.length < BLOCKS && FENCE.exec(line);
    if (found && fence === null) {
      close(false);
      [fence, language] = [found[1], found[2].trim()];
    } else if (found && found[1].startsWith(fence) && !found[2]) {
      close(true);
      fence = null;
      language = "";
    } else lines.push(line);
  }
  close(fence !== null);
  return parts;
}

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

/** Returns a text in which what is looked for stands out. */
function marked(text, wanted) {
  const low = text.toLowerCase();
  if (!wanted || low.length !== text.length) return [text];
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
