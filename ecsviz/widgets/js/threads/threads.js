// Many chat threads as a list. Python searches, filters, sorts and cuts into pages; the thread that
// is picked is another widget, shown in the place of the list.

import "./threads.css";
import {
  announcer,
  button,
  complaints,
  count,
  counted,
  fill,
  focusNear,
  frame,
  fresh,
  h,
  later,
  link,
  sign,
} from "../shared/dom.js";
import { follow, onTold, sender } from "../shared/kernel.js";
import { makeNested } from "../shared/nested.js";
import { watchKernel } from "../shared/gone.js";
import { hideStill } from "../shared/still.js";
import { onTheme } from "../shared/theme.js";

/** @import { Happened } from "../shared/elements.d.ts" */
/** @import * as base from "../shared/model.d.ts" */
/** @import { Filter, Model, Row, Widget } from "./traits.d.ts" */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };
/** @type {[name: string, text: string][]} */
const COLUMNS = [
  ["title", "Thread"],
  ["messages", "Messages"],
  ["branches", "Branches"],
  ["models", "Models"],
  ["last", "Last (UTC)"],
];

/** @param {base.Holds<Widget>} shown */
function render({ model, el, host }) {
  /** @type {typeof model.get} */
  const is = (name) => model.get(name);
  const send = sender(model);
  const filter = (/** @type {Filter} */ set) => send("filter", { set });
  const spoken = announcer();
  const error = complaints();

  // -- filters -----------------------------------------------------------------------------

  const look = later((/** @type {string} */ text) => filter({ search: text }), 250);
  const search = h("input", {
    type: "search",
    class: "ecsviz-search",
    "aria-label": "Search all texts",
    spellcheck: "false",
    autocomplete: "off",
    on: {
      input: () => look(search.value),
      keydown(event) {
        if (event.key === "ArrowDown") body.querySelector("button")?.focus();
        else if (event.key === "Enter") filter({ search: search.value });
        else if (event.key === "Escape") {
          search.value = "";
          filter({ search: "" });
        } else return;
        event.preventDefault();
      },
    },
  });
  /** @param {number} n @returns {Filter["model"]} */
  const modelAt = (n) => (offered[n] ? { n, name: offered[n].name } : null);
  /** @type {Model[]} */
  let offered = [];
  const models = h("select", {
    "aria-label": "Model",
    on: { change: () => filter({ model: modelAt(Number(models.value)) }) },
  });
  /** @param {"since" | "until"} name @param {string} label */
  const day = (name, label) => {
    const field = h("input", {
      type: "date",
      "aria-label": label,
      title: label,
      "data-filter": name,
      // Whoever types a year passes through others: only what is a whole day counts.
      on: { change: () => filter({ [name]: field.value }) },
    });
    return field;
  };
  const days = { since: day("since", "said since"), until: day("until", "said until") };
  /** @param {"least" | "most"} name @param {string} label */
  const length = (name, label) => {
    const ask = later(
      () => filter({ [name]: field.value === "" ? null : Number(field.value) }),
      300,
    );
    const field = h("input", {
      type: "number",
      min: 0,
      class: "ecsviz-count",
      "aria-label": `messages, ${label}`,
      placeholder: label,
      "data-filter": name,
      on: { input: () => ask() },
    });
    return field;
  };
  const lengths = { least: length("least", "at least"), most: length("most", "at most") };
  const written = [search, ...Object.values(lengths), ...Object.values(days)];
  const branched = h("input", {
    type: "checkbox",
    "data-filter": "branched",
    on: { change: () => filter({ branched: branched.checked }) },
  });
  const clear = button(
    { "data-do": "clear" },
    () => {
      look.stop();
      for (const field of written) field.value = ""; // or what was typed last would be asked for
      filter({
        search: "",
        model: null,
        since: "",
        until: "",
        least: null,
        most: null,
        branched: false,
      });
    },
    "Clear",
  );
  /** @type {Map<HTMLInputElement, string>} */
  const said = new Map(); // what stands in the fields, but for what somebody types now
  /** @param {HTMLInputElement} field @param {string} value */
  const write = (field, value) => {
    const typed = focusNear(field) === field && field.value !== (said.get(field) ?? "");
    said.set(field, value);
    if (!typed) field.value = value;
  };
  function showFilters() {
    write(search, is("search"));
    write(days.since, is("since"));
    write(days.until, is("until"));
    write(lengths.least, is("least") ? String(is("least")) : "");
    write(lengths.most, is("most") === null ? "" : String(is("most")));
    branched.checked = is("branched");
    models.value = String(is("_model"));
    clear.disabled = !(
      is("search") ||
      is("_model") >= 0 ||
      is("since") ||
      is("until") ||
      is("least") ||
      is("most") !== null ||
      is("branched")
    );
  }

  // -- the list ----------------------------------------------------------------------------

  const title = h("h3", {});
  const statusId = fresh("threads");
  const status = h("p", { class: "ecsviz-note ecsviz-status", id: statusId });
  const head = h("tr", {});
  const body = h("tbody", { on: { keydown: move } });
  const box = h(
    "div",
    { class: "ecsviz-rows", role: "region", "aria-labelledby": statusId, tabindex: "0" },
    h("table", { "aria-describedby": statusId }, h("thead", {}, head), body),
  );
  const size = () => is("_about").size;
  const last = () => Math.max(Math.ceil((is("_page").total ?? 0) / size()) - 1, 0) * size();
  const turn = (/** @type {number} */ first) =>
    send("turn", { first: Math.min(Math.max(first, 0), last()) });
  const buttons = {
    first: sign("«", "first page", () => turn(0)),
    back: sign("‹", "previous page", () => turn(is("first") - size())),
    next: sign("›", "next page", () => turn(is("first") + size())),
    last: sign("»", "last page", () => turn(last())),
  };
  const paged = h("span", { class: "ecsviz-number ecsviz-note" });

  function showAbout() {
    const about = is("_about");
    fill(
      title,
      "Chats ",
      h(
        "span",
        { class: "ecsviz-note" },
        `${counted(about.threads, "thread")}, ${counted(about.messages, "message")}`,
      ),
    );
    search.placeholder = about.words ? "search all texts for words" : "search all texts";
    offered = about.models;
    fill(
      models,
      h("option", { value: -1 }, "any model"),
      about.models.map((found, n) =>
        h("option", { value: n }, `${found.name} (${count(found.count)})`),
      ),
    );
    models.hidden = !about.models.length;
    for (const field of Object.values(days)) {
      field.min = about.span[0];
      field.max = about.span[1];
    }
    showFilters();
  }
  function showHead() {
    const order = is("order_by");
    fill(
      head,
      COLUMNS.map(([name, text], n) => {
        const falling = order === `-${name}`;
        const sorted = falling || order === name;
        return h(
          "th",
          {
            scope: "col",
            "data-column": name,
            "aria-sort": sorted ? (falling ? "descending" : "ascending") : null,
          },
          link(
            { "data-sort": name, title: "sort" },
            () => send("sort", { column: n }),
            text,
            h("span", { "aria-hidden": "true" }, sorted ? (falling ? " ↓" : " ↑") : ""),
          ),
        );
      }),
    );
  }
  function showPage() {
    const page = is("_page");
    const focused = body.contains(focusNear(body));
    fill(body, page.rows.length ? page.rows.map(line) : nothing());
    if (focused) box.focus({ preventScroll: true });
    const first = is("first");
    buttons.first.disabled = buttons.back.disabled = first === 0;
    buttons.next.disabled = buttons.last.disabled = first >= last();
    paged.textContent = page.total
      ? `page ${count(Math.floor(first / size()) + 1)} of ${count(last() / size() + 1)}`
      : "";
    box.scrollTop = 0;
  }
  const nothing = () =>
    h("tr", {}, h("td", { class: "ecsviz-note", colspan: COLUMNS.length }, "No thread fits."));
  /** @param {Row} row @param {number} n */
  function line(row, n) {
    const pick = (/** @type {Happened<MouseEvent>} */ event) => {
      if (event.target.closest("button") || !String(getSelection())) send("pick", { id: row.id });
    };
    return h(
      "tr",
      { "data-id": row.id, "data-row": n, on: { click: pick } },
      h(
        "th",
        { scope: "row", "data-column": "title" },
        h(
          "button",
          { type: "button", class: "ecsviz-link", "data-pick": n, dir: "auto" },
          row.title,
        ),
        row.found &&
          h(
            "div",
            { class: "ecsviz-note ecsviz-found", dir: "auto" },
            row.found[0],
            h("span", { class: "ecsviz-hit" }, row.found[1]),
            row.found[2],
            row.hits > 1 && h("span", { class: "ecsviz-more" }, ` and ${count(row.hits - 1)} more`),
          ),
      ),
      h("td", { class: "ecsviz-number", "data-column": "messages" }, count(row.messages)),
      h("td", { class: "ecsviz-number", "data-column": "branches" }, count(row.branches)),
      h(
        "td",
        { "data-column": "models", dir: "auto", title: row.models || null },
        row.models || "–",
      ),
      h("td", { "data-column": "last", title: `begun ${row.first || "?"}` }, row.last || "–"),
    );
  }
  /** @param {Happened<KeyboardEvent>} event */
  function move(event) {
    const row = event.target.closest("tr");
    const by = STEPS[event.key];
    if (!by || !row) return;
    const next = body.children[Number(row.dataset.row) + by];
    if (next) next.querySelector("button")?.focus();
    else if (by < 0) search.focus();
    event.preventDefault();
  }

  // -- the thread that is picked -----------------------------------------------------------

  const back = button({ "data-do": "back" }, () => send("back"), "‹ all threads");
  const nested = makeNested(host, (why) => error.say(`The thread cannot be shown: ${why}`));
  const opened = h(
    "div",
    {
      class: "ecsviz-opened",
      role: "group",
      "aria-label": "The picked thread",
      hidden: true,
      on: {
        keydown(event) {
          if (event.key !== "Escape" || event.defaultPrevented) return;
          send("back");
          event.preventDefault();
        },
      },
    },
    h("div", { class: "ecsviz-row ecsviz-bar" }, back),
    nested.element,
  );
  const list = h(
    "div",
    { class: "ecsviz-list" },
    h(
      "div",
      { class: "ecsviz-top" },
      title,
      button({ "data-do": "refresh" }, () => send("refresh"), "Refresh"),
    ),
    h(
      "div",
      { class: "ecsviz-row ecsviz-bar", role: "search" },
      search,
      models,
      h(
        "span",
        { class: "ecsviz-inline" },
        days.since,
        h("span", { class: "ecsviz-note" }, "to"),
        days.until,
      ),
      h(
        "span",
        { class: "ecsviz-inline" },
        lengths.least,
        lengths.most,
        h("span", { class: "ecsviz-note" }, "messages"),
      ),
      h("label", { class: "ecsviz-inline" }, branched, "branches"),
      clear,
    ),
    box,
    h(
      "div",
      { class: "ecsviz-row ecsviz-foot" },
      status,
      h(
        "span",
        { class: "ecsviz-inline ecsviz-pages" },
        buttons.first,
        buttons.back,
        paged,
        buttons.next,
        buttons.last,
      ),
    ),
  );
  /** @type {string | null} */
  let left = null; // the thread that one comes back from
  async function showThread() {
    const inside = root.contains(focusNear(root));
    const picked = is("thread");
    list.hidden = Boolean(picked);
    opened.hidden = !picked;
    await nested.show(picked);
    if (is("thread") !== picked || !inside) return;
    if (picked) back.focus({ preventScroll: true });
    else {
      const row = left && body.querySelector(`tr[data-id="${CSS.escape(left)}"] button`);
      if (row instanceof HTMLElement) row.focus();
      else search.focus({ preventScroll: true });
    }
  }

  const root = frame("threads", "Chat threads", error.element, list, opened, spoken.element);
  const filters = /** @type {const} */ ([
    ...["search", "_model", "since", "until", "least", "most", "branched"],
  ]);
  const stops = [
    follow(model, ["_about"], showAbout),
    follow(model, [...filters], later(showFilters, 0)),
    follow(model, ["order_by"], showHead),
    follow(model, ["_page", "first", "_about"], later(showPage, 0)),
    follow(model, ["_page", "selected"], () => error.say("")),
    follow(model, ["selected"], () => {
      left = is("selected") ?? left;
    }),
    follow(model, ["status"], () => {
      status.textContent = is("status");
      spoken.say(is("status"));
    }),
    follow(model, ["thread"], showThread),
    onTold(model, "error", ({ text }) => error.say(text)),
    onTheme(root, () => {}),
    hideStill(model),
    watchKernel(model, root),
  ];
  fill(el, root);
  return () => {
    for (const stop of stops) stop();
    nested.remove();
  };
}

export default { render };
