// A chat thread. Python holds which branch is shown and what is selected, in traits, and sends the
// texts of what is in sight.

import "./thread.css";
import {
  announcer,
  button,
  choose,
  complaints,
  count,
  fill,
  focusNear,
  frame,
  fresh,
  h,
  later,
  sign,
} from "../shared/dom.js";
import { follow, library, numbers, onTold, put, sender } from "../shared/kernel.js";
import { watchKernel } from "../shared/gone.js";
import { hideStill } from "../shared/still.js";
import { onTheme } from "../shared/theme.js";
import { makeBubble } from "./bubble.js";
import { makeMarkup } from "./markup.js";
import { spokenOf } from "./parts.js";
import { makeList } from "./virtual_list.js";
import { makePanel } from "./panel.js";
import { makePast } from "./revisions.js";

/** @import * as base from "../shared/model.d.ts" */
/** @import { Markup } from "./markup.js" */
/** @import { Facts, Part, Widget } from "./traits.d.ts" */

const NONE = -1;
/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 };
const KEPT = 2_000; // messages whose texts the page keeps
const ASKED = 40; // how many rows are asked for at once

/** @param {base.Shown<Widget>} shown */
function render({ model, el }) {
  /** @type {typeof model.get} */
  const is = (name) => model.get(name);
  const ask = sender(model);
  // With the state that the numbers are of: Python may show another when it hears this.
  /** @type {typeof ask} */
  const send = (name, ...facts) => ask(name, .../** @type {any} */ ([{ edition, ...facts[0] }]));
  const spoken = announcer();
  /** @type {Map<number, Facts>} - number → facts of a message */
  const known = new Map();
  /** @type {Map<number, Part[]>} - number → all its parts */
  const whole = new Map();
  /** @type {Map<number, Set<number>>} - number → the parts that the reader has unfolded */
  const unfolded = new Map();
  /** @type {Markup | null} - there when the library is */
  let markup = null;
  let rows = new Int32Array(0);
  let edition = 0;
  /** @type {Set<number>} - blocks of rows that are on their way */
  let asked = new Set();

  // -- rows --------------------------------------------------------------------------------

  const left = (/** @type {number} */ i) => rows[3 * i];
  const right = (/** @type {number} */ i) => rows[3 * i + 1];
  const many = () => rows.length / 3;
  const shared = () => is("_shown").shared ?? many();
  const wanted = () => is("search").trim().toLowerCase();
  const isChosen = (/** @type {Facts} */ facts) => facts.id === is("selected");

  /** @param {number} number @param {number} i @param {boolean} onRight */
  function cell(number, i, onRight) {
    if (number === NONE) return h("div", { class: "ecsviz-nobody", "aria-hidden": "true" });
    const facts = known.get(number);
    if (!facts)
      return h(
        "div",
        { class: "ecsviz-message ecsviz-waiting", "data-node": number, "aria-busy": "true" },
        "…",
      );
    const does = onRight ? { ...acts, compare: null } : acts;
    return makeBubble(facts, does, {
      wanted: wanted(),
      chosen: isChosen(facts),
      place: `${count(i + 1)} of ${count(many())}`,
      whole: whole.get(number),
      markup: is("markup") ? markup : null,
      open: unfolded.get(number) ?? new Set(),
    });
  }
  const list = makeList(
    {
      key: (i) => `${left(i)} ${right(i)} ${i < shared()}`,
      row(i) {
        const two = i >= shared();
        return h(
          "div",
          { class: two ? "ecsviz-line ecsviz-two" : "ecsviz-line", "data-row": i },
          cell(left(i), i, false),
          two && cell(right(i), i, true),
        );
      },
      guess(i, width) {
        const across = Math.max((i < shared() ? width * 0.8 : width / 2) / 7, 20);
        return 66 + 20 * Math.ceil(Math.min(rows[3 * i + 2], 4_000) / across);
      },
      shown(first, last) {
        for (let from = first - (first % ASKED); from <= last; from += ASKED) {
          if (asked.has(from)) continue;
          const end = Math.min(from + ASKED, many());
          for (let i = from; i < end; i += 1) {
            const lacks = (/** @type {number} */ number) => number !== NONE && !known.has(number);
            if (!lacks(left(i)) && !lacks(right(i))) continue;
            asked.add(from);
            send("messages", { first: from, count: ASKED });
            break;
          }
        }
      },
    },
    {
      class: "ecsviz-chat",
      role: "group",
      tabindex: "0",
      "aria-label": "Messages",
      "aria-describedby": fresh("keys"),
    },
  );
  const help = h(
    "p",
    { class: "ecsviz-unseen", id: list.element.getAttribute("aria-describedby") },
    "Arrow keys: up and down go from message to message, left and right switch branches, slash searches.",
  );

  /** @param {Facts[]} messages */
  function learn(messages) {
    for (const facts of messages) {
      known.delete(facts.n);
      known.set(facts.n, facts);
    }
    for (const number of known.keys()) {
      if (known.size <= KEPT) break;
      if (![...list.rows().keys()].some((i) => left(i) === number || right(i) === number))
        known.delete(number);
    }
    asked = new Set();
  }
  /** @param {(i: number) => boolean} test */
  function renew(test) {
    for (const i of [...list.rows().keys()]) if (test(i)) list.renew(i);
  }

  // -- what the reader does ----------------------------------------------------------------

  const acts = {
    /** @param {number} number */
    select(number) {
      panel.open("message");
      send("select", { node: number });
    },
    /** @param {number} number @param {number} by */
    turn: (number, by) => send("switch", { node: number, by }),
    /** @param {number} number */
    compare(number) {
      // What stands beside: the next branch of the same fork, or the one before.
      const [place, of] = known.get(number)?.fork ?? [1, 1];
      send("compare", { node: number, by: place < of ? 1 : -1 });
    },
    whole: (/** @type {number} */ number) => send("whole", { node: number }),
    /** @param {number} number @param {number} i @param {boolean} open */
    fold(number, i, open) {
      const parts = unfolded.get(number) ?? new Set();
      unfolded.set(number, parts);
      if (open) parts.add(i);
      else parts.delete(i);
      list.measure();
    },
  };
  /** @param {KeyboardEvent} event */
  function key(event) {
    if (event.target !== list.element) return;
    const at = is("_at");
    const by = STEPS[event.key];
    const go = (/** @type {number} */ i) => {
      const column =
        at >= 0 && right(at) !== NONE && known.get(right(at))?.id === is("selected") ? right : left;
      const row = Math.max(Math.min(i, many() - 1), 0);
      const number = column(row) === NONE ? left(row) : column(row);
      if (number !== NONE) send("select", { node: number });
    };
    if (by) go(at < 0 ? 0 : at + by);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(many() - 1);
    else if (event.key === "ArrowLeft" || event.key === "ArrowRight") {
      const chosen = [...known.values()].find(isChosen);
      if (chosen) send("switch", { node: chosen.n, by: event.key === "ArrowLeft" ? -1 : 1 });
    } else if (event.key === "/") search.focus();
    else if (event.key === "Escape") send("select", { node: NONE });
    else return;
    event.preventDefault();
  }
  list.element.addEventListener("keydown", key);

  // -- parts -------------------------------------------------------------------------------

  const look = later((/** @type {string} */ text) => put(model, "search", text), 180);
  const search = h("input", {
    type: "search",
    class: "ecsviz-search",
    placeholder: "search all branches",
    "aria-label": "Search all branches",
    spellcheck: "false",
    autocomplete: "off",
    on: {
      input: () => look(search.value),
      keydown(event) {
        if (event.key === "Enter") {
          if (search.value !== is("search")) put(model, "search", search.value);
          send("hit", { by: event.shiftKey ? -1 : 1 });
        } else if (event.key === "Escape") {
          search.value = "";
          put(model, "search", "");
        } else return;
        event.preventDefault();
      },
    },
  });
  const before = sign("↑", "previous hit", () => send("hit", { by: -1 }));
  const next = sign("↓", "next hit", () => send("hit", { by: 1 }));
  const placed = h("span", { class: "ecsviz-note ecsviz-number" });
  const hits = h("span", { class: "ecsviz-inline" }, placed, before, next);
  const alone = button(
    { "data-do": "alone" },
    () => send("beside", { node: NONE }),
    "One branch only",
  );
  const plain = h("input", {
    type: "checkbox",
    "data-do": "markup",
    on: { change: () => put(model, "markup", plain.checked) },
  });
  const title = h("h3", { dir: "auto" });
  const status = h("p", { class: "ecsviz-note ecsviz-status" });
  const error = complaints();
  const panel = makePanel({
    select: (node) => send("select", { node }),
    leaves: (first) => send("leaves", { first }),
    hits: (first) => send("hits", { first }),
    json: (node) => send("json", { node }),
    beside: (node) => send("beside", { node }),
    size: is("_about").listed,
  });
  const past = makePast({
    revision: (number) => send("see", { revision: number }),
    since(number) {
      send("see", { since: number });
      if (number !== null) panel.open("changes");
    },
  });
  const root = frame(
    "thread",
    "A chat thread",
    h(
      "div",
      { class: "ecsviz-top" },
      title,
      h(
        "div",
        { class: "ecsviz-row", role: "search" },
        search,
        hits,
        h("label", { class: "ecsviz-inline" }, plain, "Markdown"),
        alone,
      ),
    ),
    error.element,
    h(
      "div",
      { class: "ecsviz-main" },
      h("div", { class: "ecsviz-left" }, list.element, help),
      panel.element,
    ),
    h("div", { class: "ecsviz-bottom" }, past.element, status),
    spoken.element,
  );

  // -- what Python says --------------------------------------------------------------------

  let last = { edition: NONE, shared: 0 };
  /** @type {string | null} */
  let told = null; // of the chosen message
  function showRows() {
    const shown = is("_shown");
    const old = rows;
    const before = last;
    if (shown.edition !== edition) {
      known.clear();
      whole.clear();
      unfolded.clear();
      edition = shown.edition;
    }
    rows = numbers(Int32Array, is("_rows"));
    last = { edition, shared: shared() };
    learn(shown.messages ?? []);
    // A row that shows the same message stays, so that nothing jumps and the focus is kept.
    /** @param {number} i @param {HTMLElement} node */
    const same = (i, node) =>
      old[3 * i] === left(i) &&
      old[3 * i + 1] === right(i) &&
      i < before.shared === i < shared() &&
      !node.querySelector(".ecsviz-waiting");
    list.show(many(), edition === before.edition ? same : undefined);
    alone.hidden = is("beside") === null;
    if (panel.opened() === "branches") send("leaves", { first: 0 });
    showChosen();
  }
  function showChosen() {
    /** @type {NodeListOf<HTMLElement>} */
    const bubbles = list.element.querySelectorAll(".ecsviz-message");
    for (const node of bubbles) {
      const about = known.get(Number(node.dataset.node));
      choose(node, about !== undefined && isChosen(about));
    }
    const facts = [...known.values()].find(isChosen) ?? null;
    const at = is("_at");
    const place = `${count(at + 1)} of ${count(many())}`;
    const shown = facts && `${facts.id} ${place}`;
    if (shown !== told || !facts) panel.message(facts, place);
    if (facts && shown !== told)
      spoken.say(`${facts.role}, message ${place}: ${spokenOf(facts.parts)}`);
    told = shown;
    title.toggleAttribute("data-chosen", is("selected") === is("_about").id);
  }
  function showFound() {
    const found = is("_hits");
    const text = is("search");
    if (focusNear(search) !== search) search.value = text;
    panel.found(found, text.trim());
    hits.hidden = !text.trim();
    before.disabled = next.disabled = !found.total;
    placed.textContent =
      is("_place") < 0
        ? count(found.total ?? 0)
        : `${count(is("_place") + 1)}/${count(found.total ?? 0)}`;
  }
  const stops = [
    follow(model, ["_shown", "selected"], () => error.say("")),
    follow(model, ["_about"], () => {
      const about = is("_about");
      /** @param {number} number @param {string} one @param {string} more */
      const plural = (number, one, more) => `${count(number)} ${number === 1 ? one : more}`;
      fill(
        title,
        about.title,
        " ",
        h(
          "span",
          { class: "ecsviz-note" },
          `${plural(about.total, "message", "messages")}, ${plural(about.leaves, "branch", "branches")}`,
        ),
      );
      past.offer(about.revisions);
    }),
    follow(model, ["_rows", "_shown"], later(showRows, 0)),
    follow(model, ["_at"], () => {
      setTimeout(() => list.reveal(is("_at")), 0);
    }),
    follow(model, ["selected", "_at"], later(showChosen, 0)),
    follow(model, ["_hits", "_place", "search"], showFound),
    follow(model, ["search"], () => {
      if (is("search").trim()) panel.open("found");
      setTimeout(() => renew(() => true), 0);
    }),
    follow(model, ["_hits"], () => is("search").trim() && spoken.say(is("_hits").said ?? "")),
    follow(model, ["_changes", "_about"], () =>
      panel.changes(is("_changes"), is("_about").revisions.length > 0),
    ),
    follow(model, ["revision", "since", "_about"], () => past.show(is("revision"), is("since"))),
    follow(model, ["status"], () => {
      status.textContent = is("status");
      spoken.say(is("status"));
    }),
    onTold(model, "messages", (told) => {
      if (told.edition !== is("_shown").edition) return;
      learn(told.messages);
      const here = new Set(told.messages.map((facts) => facts.n));
      renew((i) => here.has(left(i)) || here.has(right(i)));
      showChosen();
    }),
    onTold(model, "whole", ({ node, parts, edition: of }) => {
      if (of !== is("_shown").edition) return;
      whole.set(node, parts);
      renew((i) => left(i) === node || right(i) === node);
    }),
    onTold(model, "json", ({ node, text }) => panel.json(node, text)),
    onTold(model, "leaves", panel.branches),
    onTold(model, "error", ({ text }) => {
      error.say(text);
      setTimeout(() => past.show(is("revision"), is("since")), 0);
    }),
    follow(model, ["markup"], () => {
      plain.checked = is("markup");
      setTimeout(() => renew(() => true), 0);
    }),
    onTheme(root, () => {}),
    hideStill(model),
    watchKernel(model, root),
  ];
  fill(el, root);
  library(model, "markup").then((found) => {
    markup = makeMarkup(found);
    renew(() => true);
  });
  return () => {
    for (const stop of stops) stop();
    list.destroy();
  };
}

export default { render };
