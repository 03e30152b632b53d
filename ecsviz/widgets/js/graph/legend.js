// What colours, marks and sizes stand for, and the choice of it.

import { button, fill, fresh, h, pen } from "../shared/dom.js";
import { DEFERRED, IN_CYCLE, PAIR, mark } from "./scene.js";

/** @import { Scene } from "./scene.js" */
/** @import { About, LegendEntry, Look } from "./traits.d.ts" */

/**
 * Returns the legend of what is in the picture.
 *
 * @param {Scene} scene
 * @param {Partial<Look>} look
 * @param {About} about
 * @param {boolean} dark
 * @param {string[]} hidden - types
 * @param {(name: string) => void} turn - hides a type, or shows it again
 */
export function legendOf(scene, look, about, dark, hidden, turn) {
  // A group, and the points of all, stand for nodes of any type.
  const all = scene.kind !== "nodes" || scene.codes.length !== scene.count;
  const used = new Set(scene.codes);
  const entry = (/** @type {(Node | string)[]} */ ...parts) =>
    h("span", { class: "ecsviz-legend" }, ...parts);
  const colour = (/** @type {LegendEntry} */ { dark: one, light }) => (dark ? one : light);
  const known = new Set(about.types.map(([name]) => name));
  const legend = look.legend ?? [];
  const entries = legend
    .filter(({ name }, k) => name && (all || used.has(k) || hidden.includes(name)))
    .map((each) => {
      const canvas = h("canvas", { width: 24, height: 24, "aria-hidden": "true" });
      const context = pen(canvas);
      context.fillStyle = colour(each);
      mark(context, each.shape, 12, 12, 8.5);
      context.fill();
      const { name } = each;
      if (!look.types || !known.has(name)) return entry(canvas, name);
      const gone = hidden.includes(name);
      return button(
        {
          class: "ecsviz-legend ecsviz-link",
          "data-type": name,
          "aria-pressed": String(!gone),
          title: gone ? "show this type" : "hide this type",
        },
        () => turn(name),
        canvas,
        name,
      );
    });
  if (look.bar) {
    const canvas = h("canvas", {
      class: "ecsviz-bar",
      width: 96,
      height: 8,
      "aria-hidden": "true",
    });
    const context = pen(canvas);
    const steps = legend.filter(({ name }) => !name);
    steps.forEach((each, k) => {
      context.fillStyle = colour(each);
      context.fillRect((k * 96) / steps.length, 0, 97 / steps.length, 8);
    });
    entries.unshift(entry(canvas, look.told ?? ""));
  } else if (look.told) entries.unshift(entry(look.told));
  if (look.size) entries.push(entry("● ", look.size));
  const stroke = (/** @type {string} */ way) =>
    h("span", { class: `ecsviz-stroke ${way}`, "aria-hidden": "true" });
  const some = (/** @type {number} */ of, /** @type {number} */ is) =>
    scene.flags.some((flag) => (flag & of) === is);
  const cyclic = IN_CYCLE | DEFERRED;
  if (some(cyclic, IN_CYCLE)) entries.push(entry(stroke(""), "in a cycle"));
  if (some(cyclic, cyclic)) entries.push(entry(stroke("ecsviz-deferred"), "deferred"));
  if (scene.kind !== "map" && some(PAIR, PAIR))
    entries.push(entry("\u2194 list and back-reference"));
  return entries;
}

/**
 * Returns what one chooses colours and sizes with.
 *
 * @param {(name: string) => void} colour
 * @param {(name: string | null) => void} size
 */
export function makeChoice(colour, size) {
  const part = (
    /** @type {string} */ text,
    /** @type {string} */ name,
    /** @type {(value: string) => void} */ act,
  ) => {
    const id = fresh(name);
    const select = h("select", { id, "data-do": name, on: { change: () => act(select.value) } });
    return {
      select,
      row: h("span", { class: "ecsviz-inline" }, h("label", { for: id }, text), select),
    };
  };
  const colours = part("colour by", "color-by", colour);
  const sizes = part("size by", "size-by", (value) => size(value || null));
  const offer = (
    /** @type {HTMLSelectElement} */ select,
    /** @type {string[]} */ names,
    /** @type {string} */ now,
  ) => {
    const all = names.includes(now) ? names : [...names, now];
    fill(
      select,
      all.map((name) => h("option", { value: name }, name || "nothing")),
    );
    select.value = now;
  };
  return {
    element: h("span", { class: "ecsviz-inline ecsviz-choice" }, colours.row, sizes.row),
    /** @param {About} about @param {string} color @param {string | null} own */
    show(about, color, own) {
      offer(colours.select, about.colours, color);
      offer(sizes.select, ["", ...about.sizes], own ?? "");
    },
  };
}
