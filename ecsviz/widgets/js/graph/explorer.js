// The explorer of a dependency graph. Python holds what is shown and what is selected, in traits;
// this shows it, and says what the reader does.

import "./explorer.css";
import { makeDetails } from "./details.js";
import { makeHelp } from "./hints.js";
import { legendOf, makeChoice } from "./legend.js";
import { makePicture } from "./picture.js";
import { decode } from "./scene.js";
import { makeCycles, makeOrder } from "./stepper.js";
import { makeTable } from "./table.js";
import { makeToolbar } from "./toolbar.js";
import { announcer, button, complaints, count, fill, frame, fresh, h } from "../shared/dom.js";
import { follow, numbers, onTold, put, sender } from "../shared/kernel.js";
import { watchKernel } from "../shared/gone.js";
import { hideStill } from "../shared/still.js";
import { onTheme } from "../shared/theme.js";

/** @import { Pair } from "./scene.js" */
/** @import * as base from "../shared/model.d.ts" */
/** @import { About, Details, NoDetails, Widget } from "./traits.d.ts" */

/** @param {base.Shown<Widget>} shown */
function render({ model, el }) {
  const about = model.get("_about");
  const spoken = announcer();
  const ask = sender(model);
  // With what it is about: Python may show another graph, or another picture, when it hears this.
  /** @type {typeof ask} */
  const send = (name, ...facts) => {
    const now = { edition: model.get("_about").edition, scene: scene.edition };
    ask(name, .../** @type {any} */ ([{ ...now, ...facts[0] }]));
  };
  const select = (/** @type {number} */ node) => send("select", { node });
  let scene = decode(model.get("_scene"));
  let asTable = false;

  // -- what the reader does ----------------------------------------------------------------

  const inPicture = (/** @type {number} */ element) => ({
    node: scene.nodes[element] ?? -1,
    group: scene.groups[element] ?? -1,
  });
  const open = (/** @type {number} */ element) => {
    const { node, group } = inPicture(element);
    if (node < 0 && group < 0) return;
    spoken.say("opening");
    send("open", node < 0 ? { group } : { node });
  };
  const close = (/** @type {number} */ element) => {
    const { node, group } = inPicture(element);
    send("close", { node: Math.max(node, 0), group: Math.max(group, 0) });
  };
  const taps = {
    helpId: fresh("help"),
    /** @param {number} element @param {boolean} more */
    tap(element, more) {
      const { node, group } = inPicture(element);
      if (more && element >= 0) return send("pick", { elements: [element], how: "turn" });
      if (element < 0) select(-1);
      else if (node >= 0) select(node);
      else send("open", { group });
    },
    /** @param {number} element */
    open(element) {
      const { node } = inPicture(element);
      if (node >= 0) open(element);
    },
    ask: (/** @type {number[]} */ nodes) => send("labels", { nodes }),
    alone: () =>
      error.say(
        "The kernel does not answer: what is shown can be looked at, but not searched or opened.",
      ),
    key,
    tip: (/** @type {number} */ element) => send("tip", { element }),
    put: (/** @type {number} */ element, /** @type {number} */ x, /** @type {number} */ y) =>
      send("move", { element, x, y }),
    /** @param {number[]} elements @param {"only" | "more" | "turn"} how */
    pick: (elements, how) => send("pick", { elements, how }),
    high: (/** @type {number} */ height) => put(model, "height", height),
  };
  /** @type {{ listed: number[], place: number }} */
  const around = { listed: [], place: 0 }; // where the arrow keys have come from

  /** @param {KeyboardEvent} event */
  function key(event) {
    const details = model.get("_details");
    const at = model.get("_at");
    if (event.key === "/") toolbar.focus();
    else if (event.key === "Escape") select(-1);
    else if (event.key === "Enter") (event.shiftKey ? close : open)(at);
    else if (event.key === "ArrowDown" || event.key === "ArrowUp")
      go(details, event.key === "ArrowDown");
    else if (event.key === "ArrowLeft") turn(-1);
    else if (event.key === "ArrowRight") turn(1);
    else return false;
    return true;
  }
  /** @param {Details | NoDetails} details @param {boolean} out */
  function go(details, out) {
    if (details.node === undefined) return put(model, "step", 1);
    const ends = details.links.listed.filter((link) => link.out === out).map((link) => link.node);
    const listed = [...new Set(ends)];
    if (!listed.length) return spoken.say(out ? "It holds nothing." : "Nothing holds it.");
    Object.assign(around, { listed, place: 0 });
    return select(listed[0]);
  }
  /** @param {number} by */
  function turn(by) {
    const here = model.get("_details").node;
    if (around.listed[around.place] !== here || around.listed.length < 2) {
      const step = model.get("step") + by;
      if (step >= 1 && step <= about.count) put(model, "step", step);
      return;
    }
    around.place = (around.place + by + around.listed.length) % around.listed.length;
    select(around.listed[around.place]);
  }

  // -- parts -------------------------------------------------------------------------------

  const toolbar = makeToolbar(
    {
      search(text, now) {
        if (model.get("search") !== text) put(model, "search", text);
        else if (now) announce();
      },
      type: (name) => put(model, "type_filter", name),
      cyclesOnly: (on) => put(model, "cycles_only", on),
      view(name) {
        asTable = false;
        if (model.get("view") !== name) put(model, "view", name);
        showControls();
      },
      by: (name) => put(model, "group_by", name),
      table() {
        asTable = !asTable;
        showControls();
        if (asTable) table.element.focus();
      },
      zoom: (factor) => picture.zoom(factor),
      fit: () => picture.fit(),
      hops: (hops) => put(model, "hops", hops),
      layout: (name) => put(model, "layout_by", name),
      lasso: (on) => picture.lasso(on),
      save: (kind) => picture.save(kind),
      full,
      help() {
        help.hidden = !help.hidden;
        if (!help.hidden) help.focus();
      },
    },
    about,
  );
  const picture = makePicture(model, taps);
  const table = makeTable({ select, rows: (first) => send("rows", { first }) }, about.rows);
  const details = makeDetails({
    select,
    open: () => open(model.get("_at")),
    close: () => close(model.get("_at")),
  });
  const order = makeOrder({ step: (step) => put(model, "step", step) }, about.count);
  const cycles = makeCycles({
    cycles: () => void (model.get("_cycles").listed || send("cycles")),
    cycle: (number) => send("cycle", { number }),
    along: (step) => put(model, "cycle_step", step),
  });
  const help = makeHelp(about);
  const choice = makeChoice(
    (name) => put(model, "color_by", name),
    (name) => put(model, "size_by", name),
  );
  const picks = h("p", { class: "ecsviz-row", hidden: true });
  const fields = h("details", { class: "ecsviz-fields" });
  const status = h("p", { class: "ecsviz-status ecsviz-note", "aria-live": "off" });
  const legend = h("span", { class: "ecsviz-inline ecsviz-legends" });
  const error = complaints();
  const root = frame(
    "explorer",
    "Explorer of a dependency graph",
    toolbar.element,
    error.element,
    help,
    h(
      "div",
      { class: "ecsviz-main" },
      h(
        "div",
        { class: "ecsviz-left" },
        picture.element,
        table.element,
        h("div", { class: "ecsviz-foot" }, status, picks, legend, choice.element, fields),
      ),
      details.element,
    ),
    h("div", { class: "ecsviz-steps" }, order.element, about.cyclic ? cycles.element : null),
    spoken.element,
  );

  // -- what Python says --------------------------------------------------------------------

  function full() {
    const on = !root.classList.contains("ecsviz-full");
    root.classList.toggle("ecsviz-full", on);
    // Where a page may not fill the screen, the widget fills the page.
    if (on) root.requestFullscreen?.().catch(() => {});
    else if (document.fullscreenElement) document.exitFullscreen();
  }
  root.addEventListener("fullscreenchange", () =>
    root.classList.toggle("ecsviz-full", document.fullscreenElement !== null),
  );
  function showLegend() {
    const dark = root.classList.contains("ecsviz-dark");
    const [look, known] = [asIs("_look"), asIs("_about")];
    fill(legend, legendOf(scene, look, known, dark, asIs("hidden_types"), turnType));
    choice.show(asIs("_about"), asIs("color_by"), asIs("size_by"));
  }
  /** @param {"hidden_types" | "hidden_fields"} trait @param {string} name */
  const turnOne = (trait, name) => {
    const before = asIs(trait);
    const without = before.filter((/** @type {string} */ other) => other !== name);
    put(model, trait, without.length < before.length ? without : [...before, name]);
  };
  const turnType = (/** @type {string} */ name) => turnOne("hidden_types", name);
  function showFields() {
    const hidden = asIs("hidden_fields");
    picture.hideFields(hidden);
    const known = scene.fields;
    fields.hidden = known.length < 2 && !hidden.length;
    fill(
      fields,
      h("summary", {}, `fields${hidden.length ? ` (${hidden.length} hidden)` : ""}`),
      known.map((name) => {
        const box = h("input", {
          type: "checkbox",
          checked: !hidden.includes(name),
          on: { change: () => turnOne("hidden_fields", name) },
        });
        return h("label", { class: "ecsviz-inline" }, box, name);
      }),
    );
  }
  function showPicked() {
    const number = asIs("picked").length;
    picture.pick(numbers(Uint8Array, asIs("_picked")));
    picks.hidden = !number;
    fill(
      picks,
      h("span", {}, `${count(number)} picked`),
      number === 2 && button({ "data-do": "path" }, () => send("path"), "Path between them"),
      button({ "data-do": "unpick" }, () => put(model, "picked", []), "Pick none"),
    );
  }

  // JupyterLab's own keys would cut and add cells.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  /** @type {typeof model.get} */
  const asIs = (name) => model.get(name);
  function showControls() {
    const found = asIs("_rows").total ?? 0;
    toolbar.show({
      search: asIs("search"),
      type: typeShown(asIs("type_filter"), about),
      cyclesOnly: asIs("cycles_only"),
      view: asIs("view"),
      groupBy: asIs("group_by"),
      asTable,
      hops: asIs("hops"),
      layout: asIs("layout_by"),
      can: {
        around: asIs("selected") !== null || asIs("_steps").length > 0,
        found: found > 0 && found < about.count,
      },
    });
    picture.element.hidden = asTable;
    table.element.hidden = !asTable;
  }
  function announce() {
    const text = [asIs("_rows").total < about.count ? asIs("_rows").told : "", asIs("status")]
      .filter(Boolean)
      .join("; ");
    spoken.say(text);
  }
  function showStatus() {
    const matches = asIs("_rows").total < about.count ? `; ${asIs("_rows").told}` : "";
    status.textContent = asIs("status") + matches;
    picture.name(asIs("status"));
  }
  function showSelected() {
    const told = asIs("_details");
    const grouped = asIs("view") === "groups" && (scene.groups[asIs("_at")] ?? -1) >= 0;
    details.show(told, asIs("view") === "around" || grouped);
    table.point(told.node ?? -1);
    order.show(asIs("step"), told.title ?? "");
    picture.saved(asIs("_stepping") ? asIs("step") : 0);
    const step = asIs("_steps")[asIs("cycle_step")];
    if (step && step.target === told.node)
      spoken.say(`reference ${asIs("cycle_step") + 1} of ${asIs("_steps").length}: ${step.text}`);
    else spoken.say(told.title ? `${told.title}, ${told.facts}` : "nothing selected");
    error.say("");
  }
  function showCycle() {
    cycles.show(asIs("cycle"), asIs("_steps"), asIs("cycle_step"));
    showWay();
  }
  function showWay() {
    const elementOf = new Map(Array.from(scene.nodes, (node, i) => [node, i]));
    /** @type {Pair[]} */
    const pairs = asIs("_steps").map(({ source, target, path }) => [
      elementOf.get(source) ?? -1,
      elementOf.get(target) ?? -1,
      path,
    ]);
    picture.way(pairs, asIs("cycle_step"));
    picture.saved(asIs("_stepping") ? asIs("step") : 0);
  }
  function dress() {
    scene.codes = numbers(Uint8Array, asIs("_codes"));
    scene.weights = numbers(Uint8Array, asIs("_sizes"));
    picture.look(asIs("_look"));
  }
  const stops = [
    follow(model, ["_scene"], () => {
      scene = decode(asIs("_scene"));
      dress();
      picture.mask(numbers(Uint8Array, asIs("_mask")));
      picture.put(asIs("_moved"));
      picture.pick(numbers(Uint8Array, asIs("_picked")));
      picture.show(scene);
      showWay();
    }),
    follow(model, ["_moved"], () => picture.put(asIs("_moved"))),
    follow(model, ["picked", "_picked"], showPicked),
    follow(model, ["hidden_fields", "_scene"], showFields),
    follow(model, ["_look", "_codes", "_sizes"], dress),
    follow(model, ["hidden_types", "_look", "_codes", "_scene", "_about"], showLegend),
    follow(model, ["height"], () => picture.high(asIs("height"))),
    onTold(model, "tip", ({ element, text, facts }) => picture.tip(element, text, facts)),
    follow(model, ["_mask"], () => picture.mask(numbers(Uint8Array, asIs("_mask")))),
    follow(model, ["_at", "_scene"], () => picture.point(asIs("_at"))),
    follow(model, ["_rows"], () => {
      table.show(asIs("_rows"));
      table.point(asIs("_details").node ?? -1);
    }),
    follow(model, ["_details", "step", "_stepping", "view", "cycle_step"], showSelected),
    follow(model, ["_cycles"], () => cycles.offer(asIs("_cycles"))),
    follow(model, ["_steps", "cycle", "cycle_step"], showCycle),
    follow(
      model,
      [
        "search",
        "type_filter",
        "cycles_only",
        "view",
        "group_by",
        "hops",
        "layout_by",
        "selected",
        "_steps",
        "_rows",
      ],
      showControls,
    ),
    follow(model, ["status", "_rows"], showStatus),
    follow(model, ["_rows", "view", "group_by"], announce),
    onTold(model, "error", ({ text }) => error.say(text)),
    onTold(model, "labels", ({ labels }) => picture.labels(labels)),
    onTheme(root, () => {
      showLegend();
      picture.theme();
    }),
    hideStill(model),
    watchKernel(model, root),
  ];
  fill(el, root);
  return () => {
    for (const stop of stops) stop();
    picture.destroy();
  };
}

/**
 * The name as the page knows it: Python's may hold what cannot be shown.
 *
 * @param {string | null} name
 * @param {About} about
 */
function typeShown(name, about) {
  return name === null || about.types.some(([shown]) => shown === name) ? name : null;
}

export default { render };
