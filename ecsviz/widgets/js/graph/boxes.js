// Boxes as large as what is written in them. Python gives them room by counting columns, since it
// does not know the fonts of the page: here they are measured, and moved apart where they need it.

import { pen } from "../shared/dom.js";

/** @import { Scene } from "./scene.js" */

export const FONT = "system-ui, sans-serif";
export const SIZE = 12; // px
const PAD = [32, 12]; // px of a box that are not its text's: the mark, and the space around
const LINE = 16; // px
const GAP = 14; // px between two boxes side by side

/** @type {CanvasRenderingContext2D | null} */
let measured = null;
/** Returns how wide a text is, in px. @param {string} text */
export function widthOf(text) {
  if (!measured) {
    measured = pen(document.createElement("canvas"));
    measured.font = `${SIZE}px ${FONT}`;
  }
  return measured.measureText(text).width;
}

/** Returns what is written in a box. @param {Scene} scene @param {number} i */
export const textOf = (scene, i) => [scene.labels[i], scene.notes[i]].filter(Boolean).join("\n");

/**
 * Returns a scene whose boxes have the size of their texts, with all places stretched as far as
 * those need that stand side by side.
 *
 * @param {Scene} scene
 * @returns {Scene & { wider: number }}
 */
export function withRoom(scene) {
  // Dots have their texts beside them. Places are copied: one may move what stands there.
  if (scene.close) return { ...scene, places: scene.places.slice(), wider: 1 };
  const sizes = new Float32Array(2 * scene.count);
  for (let i = 0; i < scene.count; i += 1) {
    const lines = textOf(scene, i).split("\n");
    sizes[2 * i] = Math.ceil(Math.max(...lines.map(widthOf))) + PAD[0];
    sizes[2 * i + 1] = lines.length * LINE + PAD[1];
  }
  const wider = stretchFor(scene, sizes);
  const stretched = (/** @type {Float32Array} */ points) =>
    points.map((value, k) => (k % 2 ? value : value * wider));
  const { places, bends, hulls } = scene;
  return {
    ...scene,
    wider,
    sizes,
    places: stretched(places),
    bends: stretched(bends),
    hulls: stretched(hulls),
  };
}

/** @param {Scene} scene @param {Float32Array} sizes */
function stretchFor({ places, count }, sizes) {
  const order = Array.from({ length: count }, (_, i) => i).sort(
    (a, b) => places[2 * a + 1] - places[2 * b + 1],
  );
  const highest = sizes.reduce((most, size, k) => (k % 2 ? Math.max(most, size) : most), 0);
  let wider = 1;
  order.forEach((a, place) => {
    for (let next = place + 1; next < count; next += 1) {
      const b = order[next];
      const down = places[2 * b + 1] - places[2 * a + 1];
      if (down >= highest) break;
      const aside = Math.abs(places[2 * a] - places[2 * b]);
      const besides = down < (sizes[2 * a + 1] + sizes[2 * b + 1]) / 2;
      if (besides && aside > 1)
        wider = Math.max(wider, ((sizes[2 * a] + sizes[2 * b]) / 2 + GAP) / aside);
    }
  });
  return Math.min(wider, 3);
}
