// What stands beside the chat: the chosen message with its JSON, the branches, what was found, and
// what differs between two revisions.

import { count, fill, fresh, h } from "../shared/dom.js";

const TABS = [
  ["message", "Message"],
  ["branches", "Branches"],
  ["found", "Found"],
  ["changes", "Changes"],
];

/** Returns the panel. `acts`: `select`, `leaves`, `hits`, `json`, `beside`, `size`. */
export function makePanel(acts) {
  const names = new Map(TABS.map(([name]) => [name, fresh(name)]));
  const tabs = new Map(
    TABS.map(([name, text]) => [
      name,
      h(
        "button",
        {
          type: "button",
          role: "tab",
          id: `${names.get(name)}-tab`,
          "data-tab": name,
          "aria-controls": names.get(name),
          on: { click: () => open(name) },
        },
        text,
      ),
    ]),
  );
  const panes = new Map(
    TABS.map(([name]) => [
      name,
      h("div", {
        id: names.get(name),
        role: "tabpanel",
        class: "ecsviz-pane",
        tabindex: "0",
        "aria-labelledby": `${names.get(name)}-tab`,
        "data-pane": name,
      }),
    ]),
  );
  const bar = h(
    "div",
    {
      role: "tablist",
      class: "ecsviz-tabs",
      "aria-label": "Beside the chat",
      on: { keydown: walk },
    },
    [...tabs.values()],
  );
  const element = h("div", { class: "ecsviz-side" }, bar, [...panes.values()]);
  let opened = "";

  function open(name) {
    if (name === "branches" && opened !== name) acts.leaves(0);
    opened = name;
    for (const [other, tab] of tabs) {
      tab.setAttribute("aria-selected", String(other === name));
      tab.tabIndex = other === name ? 0 : -1;
      panes.get(other).hidden = other !== name;
    }
  }
  function walk(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    const seen = TABS.map(([name]) => name).filter((name) => !tabs.get(name).hidden);
    const name = seen[(seen.indexOf(opened) + by + seen.length) % seen.length];
    open(name);
    tabs.get(name).focus();
    event.preventDefault();
  }

  // -- the chosen message ------------------------------------------------------------------

  const code = h("pre", {
    class: "ecsviz-json",
    tabindex: "0",
    "aria-label": "JSON of the message",
  });
  const raw = h(
    "details",
    { class: "ecsviz-raw", on: { toggle: () => askJson() } },
    h("summary", {}, "Raw JSON"),
    code,
  );
  let about = null;
  function askJson() {
    if (!raw.open || !about) return;
    code.textContent = "…";
    acts.json(about.n);
  }
  function message(facts, place) {
    about = facts;
    const pane = panes.get("message");
    if (!facts)
      return fill(
        pane,
        h(
          "p",
          { class: "ecsviz-note" },
          "Nothing is chosen. Click a message; the arrow keys go up and down, left and right switch branches.",
        ),
      );
    const lines = [
      ["message", place],
      ["role", facts.role],
      ["author", facts.author],
      ["model", facts.model],
      ["time", facts.at && `${facts.at} UTC`],
      ["branch", facts.fork[1] > 1 ? `${count(facts.fork[0])} of ${count(facts.fork[1])}` : null],
      ["characters", count(facts.length)],
      ["ecs_id", facts.id],
    ].filter(([, value]) => value);
    fill(
      pane,
      h(
        "table",
        { class: "ecsviz-facts" },
        h(
          "tbody",
          {},
          lines.map(([name, value]) =>
            h(
              "tr",
              {},
              h("th", { scope: "row" }, name),
              h("td", { class: name === "ecs_id" ? "ecsviz-code" : null, dir: "auto" }, value),
            ),
          ),
        ),
      ),
      raw,
    );
    return askJson();
  }

  // -- lists -------------------------------------------------------------------------------

  const pages = (told, ask) => [
    h("p", { class: "ecsviz-note" }, told.said),
    told.total > acts.size &&
      h(
        "div",
        { class: "ecsviz-row" },
        h(
          "button",
          {
            type: "button",
            disabled: told.first === 0,
            on: { click: () => ask(Math.max(told.first - acts.size, 0)) },
          },
          "‹ previous",
        ),
        h(
          "span",
          { class: "ecsviz-note" },
          `${count(told.first + 1)} to ${count(told.first + told.listed.length)}`,
        ),
        h(
          "button",
          {
            type: "button",
            disabled: told.first + acts.size >= told.total,
            on: { click: () => ask(told.first + acts.size) },
          },
          "next ›",
        ),
      ),
  ];
  function branches(told) {
    const line = (leaf) =>
      h(
        "li",
        { "data-chosen": leaf.n === told.here },
        h(
          "button",
          {
            type: "button",
            class: "ecsviz-link",
            dir: "auto",
            "data-leaf": leaf.n,
            "aria-current": leaf.n === told.here ? "true" : null,
            on: { click: () => acts.select(leaf.n) },
          },
          leaf.text,
        ),
        h(
          "div",
          { class: "ecsviz-row ecsviz-note" },
          `${leaf.role} · ${count(leaf.length)} messages`,
          leaf.n !== told.here &&
            h(
              "button",
              {
                type: "button",
                class: "ecsviz-small",
                "data-beside": leaf.n,
                on: { click: () => acts.beside(leaf.n) },
              },
              "side by side",
            ),
        ),
      );
    fill(
      panes.get("branches"),
      pages(told, acts.leaves),
      h("ul", { class: "ecsviz-lines" }, told.listed.map(line)),
    );
  }
  function found(hits, wanted) {
    tabs.get("found").textContent = wanted ? `Found ${count(hits.total ?? 0)}` : "Found";
    const line = (hit) =>
      h(
        "li",
        {},
        h(
          "button",
          {
            type: "button",
            class: "ecsviz-link",
            dir: "auto",
            "data-hit": hit.n,
            on: { click: () => acts.select(hit.n) },
          },
          h("span", { class: "ecsviz-note" }, `${hit.role}: `),
          hit.parts[0],
          hit.parts[1] && h("span", { class: "ecsviz-hit" }, hit.parts[1]),
          hit.parts[2],
        ),
      );
    if (!wanted)
      return fill(
        panes.get("found"),
        h("p", { class: "ecsviz-note" }, "Search looks through all branches."),
      );
    return fill(
      panes.get("found"),
      pages(hits, acts.hits),
      h("ul", { class: "ecsviz-lines" }, (hits.listed ?? []).map(line)),
    );
  }
  function changes(told, can) {
    tabs.get("changes").hidden = !can;
    if (opened === "changes" && !can) open("message");
    if (!told.listed)
      return fill(
        panes.get("changes"),
        h("p", { class: "ecsviz-note" }, "Choose a revision to compare with."),
      );
    const line = (item) =>
      h(
        "li",
        { "data-mark": item.what === "added" || item.what === "removed" ? item.what : "changed" },
        h("span", { class: "ecsviz-tag" }, item.what),
        " ",
        item.node === null
          ? h("span", { dir: "auto" }, item.name)
          : h(
              "button",
              {
                type: "button",
                class: "ecsviz-link",
                dir: "auto",
                "data-change": item.node,
                on: { click: () => acts.select(item.node) },
              },
              item.name,
            ),
        item.before &&
          h(
            "div",
            { class: "ecsviz-text ecsviz-before", dir: "auto" },
            h("span", { class: "ecsviz-unseen" }, "before: "),
            item.before,
          ),
        item.after &&
          h(
            "div",
            { class: "ecsviz-text ecsviz-after", dir: "auto" },
            h("span", { class: "ecsviz-unseen" }, "after: "),
            item.after,
          ),
      );
    return fill(
      panes.get("changes"),
      h("p", { class: "ecsviz-note" }, told.told),
      h("ul", { class: "ecsviz-lines" }, told.listed.map(line)),
    );
  }

  open("message");
  message(null);
  return {
    element,
    open,
    opened: () => opened,
    message,
    branches,
    found,
    changes,
    json(node, text) {
      if (about?.n === node) code.textContent = text;
    },
  };
}
