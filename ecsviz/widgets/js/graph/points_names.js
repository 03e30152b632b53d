// The names of points: the most important first, and as many as have room.

import { pen } from "../shared/dom.js";
import { mix } from "./scene.js";

/** @import { Points } from "./picture_points.js" */
/** @typedef {{ left: number, top: number, width: number, high: number }} Box */
/** @typedef {{ lines: string[], leader: number, x: number, y: number, dx: number, dy: number }} Title */

const NAMED = 60; // so many at the most
const EACH = 400; // points in sight: up to so many may all be named
const FEW = 24; // of more, so many
const FIRST = 300; // of those with most references
const ASKED = 100; // names at a time, as Python gives them
const HIGH = 17; // px of a line
const FONT = "12px system-ui, sans-serif";
const BOLD = "600 13px system-ui, sans-serif"; // of titles
const CLOSE = 4; // times as near as where all is in sight: there titles are gone
const FADING = 2; // of these, so far before they are
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

/** How clear the titles of communities are: they fade as one looks closer. @param {Points} points */
export const clarity = (points) =>
  Math.min(Math.max((CLOSE - points.view.scale / points.fits) / FADING, 0), 1);

/** @param {Box[]} taken @param {Box} box */
const isFree = (taken, { left, top, width, high }) =>
  taken.every(
    (other) =>
      other.top >= top + high ||
      top >= other.top + other.high ||
      left > other.left + other.width + 6 ||
      other.left > left + width + 6,
  );

/** Returns the titles that have room: beside what they are called after. @param {Points} points @param {Box[]} taken */
function titlesWithRoom(points, taken) {
  const { scene, view, wide } = points;
  /** @type {Title[]} */
  const titled = [];
  if (!clarity(points)) return titled;
  const hubs = scene.titles.map(([, , , leader]) => {
    const [x, y] = points.onPage(leader);
    return { left: x - 5, top: y - 5, width: 10, high: 10 };
  });
  ruler.font = BOLD;
  for (const [text, x, y, leader] of scene.titles) {
    const lines = text.split("\n");
    const width = Math.max(...lines.map((line) => ruler.measureText(line).width));
    const high = HIGH * lines.length;
    const [px, py] = [x * view.scale + view.x, y * view.scale + view.y];
    if (px < 0 || px > wide || points.hidden(leader)) continue;
    const left = Math.min(Math.max(px - width / 2, 2), wide - width - 2);
    for (const aside of [0, -1, 1, -1.6, 1.6]) {
      const box = { left, top: py - high / 2 + aside * high, width, high };
      if (box.top < 0 || box.top + high > points.high) continue;
      if (!isFree(taken, box) || !isFree(hubs, box)) continue;
      taken.push(box);
      const at = [left + width / 2 - px, box.top - py];
      titled.push({ lines, leader, x, y, dx: at[0], dy: at[1] });
      break;
    }
  }
  return titled;
}

/** Returns the points to be named, the titles, and the points of which the name is not known yet. @param {Points} points */
export function namesWithRoom(points) {
  const { seen, scene, wide, high } = points;
  const close = seen.length <= EACH;
  /** @type {number[]} */
  const written = [];
  /** @type {number[]} */
  const unknown = [];
  /** @type {Box[]} */
  const taken = [];
  const titled = titlesWithRoom(points, taken);
  const told = new Set(clarity(points) > 0.5 ? titled.map(({ leader }) => leader) : []);
  const most = close ? NAMED : FEW;
  for (const i of close ? new Set([...scene.leading, ...seen]) : scene.leading.slice(0, FIRST)) {
    if (written.length >= most || unknown.length >= ASKED) break;
    const [px, py] = points.onPage(i);
    if (px < 0 || py < 0 || px > wide || py > high || points.hidden(i) || points.faded(i)) continue;
    if (told.has(i)) continue;
    if (!points.named.has(i)) {
      unknown.push(i);
      continue;
    }
    const { left, y, width } = placeOfName(points, i, points.size);
    const box = { left, top: y - HIGH / 2, width, high: HIGH };
    if (!isFree(taken, box) || left + width > wide) continue;
    taken.push(box);
    written.push(i);
  }
  return { written, titled, unknown };
}

/** Writes the title of a community. @param {Points} points @param {CanvasRenderingContext2D} context @param {Title} title */
export function writeTitle(points, context, { lines, leader, x, y, dx, dy }) {
  const { view, colours, legend, scene } = points;
  const clear = clarity(points);
  if (!clear || points.hidden(leader)) return;
  const entry = legend[scene.codes[leader]];
  const own = points.tinted && entry && (colours.dark ? entry.dark : entry.light);
  context.globalAlpha = clear;
  context.font = BOLD;
  context.textBaseline = "middle";
  context.textAlign = "center";
  context.strokeStyle = colours.ground;
  context.fillStyle = own ? mix(own, colours.text, 0.45) : colours.text;
  context.lineWidth = 4;
  context.lineJoin = "round";
  lines.forEach((line, k) => {
    const at = [x * view.scale + view.x + dx, y * view.scale + view.y + dy + HIGH * (k + 0.5)];
    context.strokeText(line, at[0], at[1]);
    context.fillText(line, at[0], at[1]);
  });
  context.globalAlpha = 1;
  context.textAlign = "start";
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
