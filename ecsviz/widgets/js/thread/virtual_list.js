// A long list of rows of different heights, of which only those in sight are in the page.
//
// Heights are guessed until a row has been seen. What the reader looks at stays where it is when a
// guess above it turns out wrong.

import { focusNear, h, onceAFrame } from "../shared/dom.js";

/** @import { Props } from "../shared/elements.d.ts" */
/**
 * @typedef {object} Acts
 * @property {(i: number) => HTMLElement} row - makes the element of a row
 * @property {(i: number, width: number) => number} guess - how high it may be
 * @property {(i: number) => string} key - by what it is known again
 * @property {(first: number, last: number) => void} shown - is told
 */

const BEYOND = 500; // px above and below what is in sight
const MOST = 80; // rows in the page
const TALLEST = 12_000_000; // px: browsers cannot scroll much further

/** Returns the list. @param {Acts} acts @param {Props} props */
export function makeList(acts, props) {
  const above = h("div", { "aria-hidden": "true" });
  const body = h("div", {});
  const below = h("div", { "aria-hidden": "true" });
  const element = h("div", props, above, body, below);
  /** @type {Map<string, number>} */
  const heights = new Map();
  /** @type {Map<number, HTMLElement>} - row → element */
  let nodes = new Map();
  let count = 0;
  let offsets = new Float64Array(1);
  /** @type {{ row: number, at: number } | null} - the row that must stay at a place */
  let pin = null;
  let width = 0;

  const render = onceAFrame(draw);
  const free = () => {
    pin = null;
  };
  element.addEventListener("scroll", render, { passive: true });
  for (const event of ["wheel", "pointerdown", "touchstart"])
    element.addEventListener(event, free, { passive: true });
  const resized = new ResizeObserver(() => {
    if (Math.abs(element.clientWidth - width) > 1) heights.clear();
    place();
    render();
  });
  resized.observe(element);

  function place() {
    width = element.clientWidth || 600;
    const most = count ? Math.max(TALLEST / count, 30) : 0;
    offsets = new Float64Array(count + 1);
    for (let i = 0; i < count; i += 1)
      offsets[i + 1] =
        offsets[i] + (heights.get(acts.key(i)) ?? Math.min(acts.guess(i, width), most));
  }

  /** The row at a place, by halving. @param {number} y */
  function rowAt(y) {
    let low = 0;
    let high = count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (offsets[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return Math.max(low, 0);
  }

  function draw() {
    if (!element.isConnected || !element.clientHeight) return;
    for (let round = 0; round < 4; round += 1) if (!drawOnce()) break;
  }

  /** Returns whether heights turned out otherwise, so that there may be more to show. */
  function drawOnce() {
    const top = element.scrollTop;
    const anchor = pin?.row ?? rowAt(top);
    const at = pin ? pin.at : offsets[anchor] - top;
    const from = pin ? Math.max(offsets[anchor] - at, 0) : top;
    const first = rowAt(from - BEYOND);
    const last = count
      ? Math.min(rowAt(from + element.clientHeight + BEYOND), first + MOST - 1)
      : -1;
    put(first, last);
    let wrong = false;
    for (const [i, node] of nodes) {
      const height = node.offsetHeight;
      if (Math.abs(height - (offsets[i + 1] - offsets[i])) > 0.5) wrong = true;
      heights.set(acts.key(i), height);
    }
    if (wrong) place();
    above.style.height = `${offsets[first]}px`;
    below.style.height = `${offsets[count] - offsets[last + 1]}px`;
    const wanted = Math.max(offsets[anchor] - at, 0);
    if (Math.abs(element.scrollTop - wanted) > 0.5) element.scrollTop = wanted;
    acts.shown(first, last);
    return wrong;
  }

  /**
   * Puts rows into the page; those that are there stay, with the focus in them.
   *
   * @param {number} first
   * @param {number} last
   */
  function put(first, last) {
    /** @type {typeof nodes} */
    const next = new Map();
    for (let i = first; i <= last; i += 1) next.set(i, nodes.get(i) ?? acts.row(i));
    const stay = new Set(next.values());
    for (const node of nodes.values()) {
      if (stay.has(node)) continue;
      if (node.contains(focusNear(node))) element.focus({ preventScroll: true });
      node.remove();
    }
    let before = body.firstChild;
    for (const node of next.values()) {
      if (node === before) before = before.nextSibling;
      else body.insertBefore(node, before);
    }
    nodes = next;
  }

  return {
    element,
    /**
     * Shows rows anew; those of which `same` says so stay as they are.
     *
     * @param {number} number
     * @param {(i: number, node: HTMLElement) => boolean} same
     */
    show(number, same = () => false) {
      count = number;
      for (const [i, node] of nodes) {
        if (i < count && same(i, node)) continue;
        if (node.contains(focusNear(node))) element.focus({ preventScroll: true });
        node.remove();
        nodes.delete(i);
      }
      place();
      render();
    },
    /** Makes one row anew, where it is in the page. @param {number} i */
    renew(i) {
      const node = nodes.get(i);
      if (!node) return;
      const made = acts.row(i);
      node.replaceWith(made);
      nodes.set(i, made);
      render();
    },
    /** Scrolls so that a row is in sight; not at all if it is. @param {number} i */
    reveal(i) {
      if (i < 0 || i >= count) return;
      const top = element.scrollTop;
      const low = top + element.clientHeight;
      const seen =
        nodes.has(i) && offsets[i] >= top && Math.min(offsets[i + 1], offsets[i] + 90) <= low;
      if (!seen) pin = { row: i, at: i === 0 ? 0 : Math.min(60, element.clientHeight / 4) };
      render();
    },
    /** Looks at the heights again, after something inside a row has changed. */
    measure: () => render(),
    rows: () => nodes,
    destroy() {
      resized.disconnect();
      render.stop();
    },
  };
}
