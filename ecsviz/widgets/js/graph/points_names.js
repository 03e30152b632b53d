// The names of points: the most important first, and as many as have room.

import { pen } from "../shared/dom.js";

/** @import { Points } from "./picture_points.js" */

const NAMED = 60; // so many at the most
const EACH = 400; // points in sight: up to so many may all be named
const FEW = 24; // of more, so many
const FIRST = 300; // of those with most references
const ASKED = 100; // names at a time, as Python gives them
const HIGH = 17; // px of a line
const FONT = "12px system-ui, sans-serif";
const ruler = pen(document.createElement("canvas"));

/** Where a name stands: beside its point, on the side where it is not cut. @param {Points} points @param {number} i @param {number} size */
function placeOfName(points, i, size) {
  ruler.font = FONT;
  const { width } = ruler.measureText(points.named.get(i) ?? "");
  const [x, y] = points.onPage(i);
  const aside = (i === points.at ? Math.max(size, 7) : size / 2) + 5;
  const isCut = x + aside + width > points.wide && x - aside - width >= 0;
  return { left: isCut ? x - aside - width : x + aside, y, width };
}

/** Returns the points to be named, and those of which the name is not known yet. @param {Points} points */
export function namesWithRoom(points) {
  const { seen, scene, wide, high } = points;
  const close = seen.length <= EACH;
  /** @type {number[]} */
  const written = [];
  /** @type {number[]} */
  const unknown = [];
  /** @type {{ left: number, y: number, width: number }[]} */
  const taken = [];
  const most = close ? NAMED : FEW;
  for (const i of close ? new Set([...scene.leading, ...seen]) : scene.leading.slice(0, FIRST)) {
    if (written.length >= most || unknown.length >= ASKED) break;
    const [px, py] = points.onPage(i);
    if (px < 0 || py < 0 || px > wide || py > high || points.hidden(i) || points.faded(i)) continue;
    if (!points.named.has(i)) {
      unknown.push(i);
      continue;
    }
    const { left, y, width } = placeOfName(points, i, points.size);
    const free = taken.every(
      (other) =>
        Math.abs(other.y - y) >= HIGH ||
        left > other.left + other.width + 6 ||
        other.left > left + width + 6,
    );
    if (!free || left + width > wide) continue;
    taken.push({ left, y, width });
    written.push(i);
  }
  return { written, unknown };
}

/**
 * Writes the name of a point.
 *
 * @param {Points} points
 * @param {CanvasRenderingContext2D} context
 * @param {number} i
 * @param {number} size
 * @param {boolean} [boxed]
 */
export function writeName(points, context, i, size, boxed = false) {
  const label = points.named.get(i);
  if (!label || points.hidden(i)) return;
  const { left, y, width } = placeOfName(points, i, size);
  context.font = FONT;
  context.textBaseline = "middle";
  context.strokeStyle = context.fillStyle = points.colours.ground;
  if (boxed) {
    context.globalAlpha = 0.85;
    context.fillRect(left - 3, y - 9, width + 6, 18);
    context.globalAlpha = 1;
  } else {
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeText(label, left, y);
  }
  context.fillStyle = points.colours.text;
  context.fillText(label, left, y);
}
