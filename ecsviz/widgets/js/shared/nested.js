// A widget inside another: the one that a trait names, shown by whoever shows this one.

import { fill, h } from "./dom.js";

/** @import { Host } from "./model.d.ts" */

/**
 * Returns a place for another widget. `failed` is told why it cannot be shown.
 *
 * @param {Host} host
 * @param {(why: string) => void} failed
 */
export function makeNested(host, failed) {
  const element = h("div", { class: "ecsviz-nested" });
  /** @type {{ reference: string, ended: AbortController } | null} */
  let shown = null;
  const end = () => shown?.ended.abort();
  return {
    element,
    /** Shows what a trait names, or nothing. @param {string | null} reference */
    async show(reference) {
      if (shown?.reference === (reference ?? undefined)) return;
      end();
      fill(element);
      const mine = reference ? { reference, ended: new AbortController() } : null;
      shown = mine;
      if (!mine) return;
      try {
        const widget = await host.getWidget(mine.reference);
        if (shown !== mine) return;
        const place = h("div");
        fill(element, place);
        await widget.render({ el: place, signal: mine.ended.signal });
      } catch (problem) {
        if (shown === mine) failed(problem instanceof Error ? problem.message : String(problem));
      }
    },
    remove: end,
  };
}
