// Labels that fit into their boxes. Python gives a label its room by counting columns, since it does
// not know the fonts of the page: what is wider than that is cut here.

import { pen } from "../shared/dom.js";

export const FONT = "system-ui, sans-serif";
export const SIZE = 12; // px
const PAD = 31; // px of a box that are not its label's: the mark, and the space around

/** @type {CanvasRenderingContext2D | null} */
let measured = null;
/** @param {string} text */
function widthOf(text) {
  if (!measured) {
    measured = pen(document.createElement("canvas"));
    measured.font = `${SIZE}px ${FONT}`;
  }
  return measured.measureText(text).width;
}

/**
 * Returns a line of text, cut with … where it is wider than its box.
 *
 * @param {string} text
 * @param {number} box
 */
export function fitted(text, box) {
  const room = box - PAD;
  if (widthOf(text) <= room) return text;
  const front = text.startsWith("…"); // the end tells most: it was cut in front already
  const bare = text.replace(front ? /^…/ : /…$/, "");
  const characters = Array.from(new Intl.Segmenter().segment(bare), ({ segment }) => segment);
  const cut = (/** @type {number} */ kept) =>
    front
      ? `…${characters.slice(characters.length - kept).join("")}`
      : `${characters.slice(0, kept).join("").trimEnd()}…`;
  let [fits, most] = [0, characters.length];
  while (fits < most) {
    const middle = (fits + most + 1) >> 1;
    if (widthOf(cut(middle)) <= room) fits = middle;
    else most = middle - 1;
  }
  return cut(fits);
}
