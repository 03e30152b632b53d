// Names that one puts into an order: dragged, or moved by keys and buttons. Python holds the order,
// and says what is off.

import "./order.css";
import { button, complaints, fill, focusNear, frame, h, sign } from "../shared/dom.js";
import { follow, onTold, sender } from "../shared/kernel.js";
import { watchKernel } from "../shared/gone.js";
import { hideStill } from "../shared/still.js";
import { onTheme } from "../shared/theme.js";

/** @import * as base from "../shared/model.d.ts" */
/** @import { Widget } from "./traits.d.ts" */

/** @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, ArrowUp: -1 };

/** @param {base.Shown<Widget>} shown */
function render({ model, el }) {
  const send = sender(model);
  const error = complaints();
  /** @type {Map<string, HTMLLIElement>} */
  const items = new Map();
  /** @type {HTMLLIElement | null} */
  let dragged = null;

  // By name, and how far: whoever presses again before the answer is here moves the same item on.
  const step = (/** @type {string} */ item, /** @type {number} */ by) => send("move", { item, by });

  // While it is dragged, an item takes the place that the pointer is at; Python hears of the last.
  const drag = (/** @type {PointerEvent} */ event) => {
    if (!dragged) return;
    const others = [...list.children].filter((each) => each !== dragged);
    const below = others.find((each) => {
      const { top, height } = each.getBoundingClientRect();
      return event.clientY < top + height / 2;
    });
    if (dragged.nextElementSibling !== (below ?? null)) list.insertBefore(dragged, below ?? null);
  };
  const drop = (/** @type {boolean} */ kept) => {
    if (!dragged) return;
    const item = dragged;
    dragged = null;
    item.removeAttribute("data-dragged");
    item.focus();
    const to = [...list.children].indexOf(item);
    if (kept) send("move", { item: item.dataset.name ?? "", to });
    else arrange();
  };

  const make = (/** @type {string} */ name) => {
    const item = h(
      "li",
      {
        tabindex: 0,
        "data-name": name,
        on: {
          pointerdown(event) {
            if (event.button || event.target.closest("button")) return;
            dragged = item;
            item.setAttribute("data-dragged", "");
            list.setPointerCapture(event.pointerId); // an item would lose it when it moves
          },
          keydown(event) {
            const by = STEPS[event.key];
            if (!by || event.target !== item) return;
            step(name, by);
            event.preventDefault();
          },
        },
      },
      h("span", { dir: "auto" }, name),
      sign("↑", `Move ${name} up`, () => step(name, -1), "up"),
      sign("↓", `Move ${name} down`, () => step(name, 1), "down"),
    );
    return item;
  };

  const arrange = () => {
    const names = model.get("names");
    const held = focusNear(list);
    for (const name of names) if (!items.has(name)) items.set(name, make(name));
    fill(list, ...names.map((name) => items.get(name)));
    if (held instanceof HTMLElement && list.contains(held)) held.focus();
  };
  const tell = () => {
    const text = model.get("said");
    said.textContent = text;
    said.dataset.said = model.get("right") ? "right" : text ? "off" : "";
  };

  const list = h("ol", {
    "aria-label": "The order, first to last; arrow keys move an item",
    on: {
      pointermove: drag,
      pointerup: () => drop(true),
      pointercancel: () => drop(false),
    },
  });
  const said = h("p", { class: "ecsviz-status", role: "status" });
  const root = frame(
    "order",
    "An exercise on order",
    h("p", { dir: "auto" }, h("strong", {}, model.get("question"))),
    list,
    h(
      "div",
      { class: "ecsviz-row" },
      button({ "data-do": "check" }, () => send("check"), "Check"),
      button({ "data-do": "hint" }, () => send("hint"), "Hint"),
    ),
    said,
    error.element,
  );
  fill(el, root);
  const stops = [
    follow(model, ["names"], arrange),
    follow(model, ["said", "right"], tell),
    onTold(model, "error", ({ text }) => error.say(text)),
    onTheme(root, () => {}),
    hideStill(model),
    watchKernel(model, root),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

export default { render };
