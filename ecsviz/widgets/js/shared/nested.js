// A widget inside another: the view of a model that a trait names.

import { fill, h } from "./dom.js";

/** @import { Model, View, Widget } from "./model.d.ts" */

/**
 * Returns a place for another widget. `failed` is told why it cannot be shown.
 *
 * @template {Widget} W
 * @param {Model<W>} model
 * @param {(why: string) => void} failed
 */
export function makeNested(model, failed) {
  const element = h("div", { class: "ecsviz-nested" });
  /** @type {{ reference: unknown, view: View | null } | null} */
  let shown = null;
  return {
    element,
    /** Shows what a trait holds, or nothing. @param {string | object | null} reference */
    async show(reference) {
      if (shown?.reference === reference) return;
      shown?.view?.remove();
      /** @type {NonNullable<typeof shown>} */
      const mine = { reference, view: null };
      shown = mine;
      fill(element);
      if (!reference) return;
      try {
        const manager = model.widget_manager;
        const other =
          typeof reference === "string"
            ? await manager.get_model(reference.replace("IPY_MODEL_", ""))
            : reference;
        const view = await manager.create_view(other);
        if (shown !== mine) return view.remove();
        mine.view = view;
        fill(element, view.el);
      } catch (problem) {
        if (shown === mine) failed(problem instanceof Error ? problem.message : String(problem));
      }
    },
    remove() {
      shown?.view?.remove();
    },
  };
}
