// Steps: through the order of saving, and through one cycle, reference by reference.

import { count, counted, fill, fresh, h, later, sign } from "../shared/dom.js";

/** @import { Cycles, NoCycles, Step } from "./traits.d.ts" */

/**
 * Returns the row that steps through the order.
 *
 * @param {{ step(number: number): void }} acts
 * @param {number} total
 */
export function makeOrder(acts, total) {
  const told = h("output", { class: "ecsviz-note ecsviz-told" });
  const slider = h("input", {
    type: "range",
    min: "0",
    max: total,
    value: "0",
    class: "ecsviz-slider",
    "aria-label": "Place in the order of saving, dependencies first",
    on: { input: () => send(Number(slider.value)) },
  });
  const send = later(acts.step, 40);
  let now = 0;
  /** @param {string} text @param {string} label @param {string} name @param {() => number} goal */
  const button = (text, label, name, goal) =>
    sign(text, label, () => acts.step(Math.min(Math.max(goal(), 1), total)), `order-${name}`);
  const element = h(
    "div",
    { class: "ecsviz-row", role: "group", "aria-label": "Order of saving" },
    h("span", { class: "ecsviz-caption" }, "Order of saving"),
    button("«", "the first", "first", () => 1),
    button("‹", "the one saved before", "back", () => now - 1),
    slider,
    button("›", "the one saved next", "next", () => now + 1),
    button("»", "the last", "last", () => total),
    told,
  );
  return {
    element,
    /** @param {number} step @param {string} title */
    show(step, title) {
      now = step;
      slider.value = String(step);
      const text = step
        ? `step ${count(step)} of ${count(total)}`
        : `${counted(total, "step")}, dependencies first`;
      slider.setAttribute("aria-valuetext", step ? `${text}: ${title}` : text);
      told.textContent = text;
    },
  };
}

/**
 * Returns the row that steps through a cycle.
 *
 * @param {{ cycles(): void, cycle(number: number | null): void, along(step: number): void }} acts
 */
export function makeCycles(acts) {
  const name = fresh("cycle");
  const select = h("select", {
    id: name,
    on: {
      change: () => acts.cycle(select.value === "" ? null : Number(select.value)),
      focus: acts.cycles,
    },
  });
  const told = h("output", { class: "ecsviz-note ecsviz-told", dir: "auto" });
  let [now, total] = [0, 0];
  const turn = (/** @type {number} */ by) => acts.along((now + by + total) % total);
  const back = sign("‹", "the reference before", () => turn(-1), "cycle-back");
  const next = sign("›", "the next reference", () => turn(1), "cycle-next");
  back.disabled = next.disabled = true;
  const element = h(
    "div",
    { class: "ecsviz-row", role: "group", "aria-label": "Cycles" },
    h("label", { for: name, class: "ecsviz-caption" }, "One cycle"),
    select,
    back,
    next,
    told,
  );
  const offer = (/** @type {Cycles | NoCycles} */ about) => {
    const chosen = select.value;
    fill(
      select,
      h("option", { value: "" }, about.told ?? "choose a cycle"),
      (about.listed ?? []).map((text, k) => h("option", { value: k }, text)),
    );
    select.value = chosen;
  };
  offer({});
  return {
    element,
    offer,
    /** @param {number | null} cycle @param {Step[]} steps @param {number} step */
    show(cycle, steps, step) {
      select.value = cycle === null ? "" : String(cycle);
      [now, total] = [step, steps.length];
      back.disabled = next.disabled = total < 2;
      told.textContent = total
        ? `reference ${step + 1} of ${total}: ${steps[step]?.text ?? ""}${steps[step]?.deferred ? " (deferred)" : ""}`
        : "";
    },
  };
}
