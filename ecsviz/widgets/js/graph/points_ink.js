// How points are drawn: many as squares of pixels, some with the marks of their types.

import { pen } from "../shared/dom.js";
import { clarity } from "./points_names.js";
import { grown, mark } from "./scene.js";
import { channels } from "../shared/theme.js";

/** @import { Points } from "./picture_points.js" */

export const BAND = 12; // px of the widest
const NEAR = 200; // lines of the selected element

/** Sets points pixel by pixel. @param {Points} points @param {number} size */
export function drawPixels(points, size) {
  const canvas = points.layers[1];
  const context = pen(canvas);
  const { width, height } = canvas;
  let image = points.image;
  if (image?.width !== width || image.height !== height) {
    points.image = image = context.createImageData(width, height);
    points.pixels = new Uint32Array(image.data.buffer);
  }
  points.pixels.fill(0);
  const { places, codes } = points.scene;
  const { scale, x, y } = points.view;
  const ratio = points.ratio;
  const [clear, pale] = [inksOf(points, 255), inksOf(points, 60)];
  // What is faded lies below.
  for (const wanted of points.passes || points.until ? [true, false] : [false]) {
    for (const i of points.seen) {
      if (points.faded(i) !== wanted && (points.passes || points.until)) continue;
      const ink = (wanted ? pale : clear)[codes[i]];
      const own = Math.max(Math.round(size * grown(points.scene, i)), 1);
      const half = own / 2;
      const left = Math.max(Math.round((places[2 * i] * scale + x) * ratio - half), 0);
      const top = Math.max(Math.round((places[2 * i + 1] * scale + y) * ratio - half), 0);
      const right = Math.min(left + own, width);
      const bottom = Math.min(top + own, height);
      for (let row = top; row < bottom; row += 1)
        points.pixels.fill(ink, row * width + left, row * width + right);
    }
  }
  context.putImageData(image, 0, 0);
}

/** Per type its colour as a pixel, little-endian. @param {Points} points @param {number} alpha */
function inksOf(points, alpha) {
  return points.legend.map((entry) => {
    const [red, green, blue] = channels(points.colours.dark ? entry.dark : entry.light);
    return ((alpha << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
}

/** Draws the marks of the points in sight. @param {Points} points @param {number} size */
export function drawMarks(points, size) {
  const canvas = points.layers[1];
  const context = pen(canvas);
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (const i of points.seen) {
    const [x, y] = points.onPage(i);
    const own = Math.round(size * grown(points.scene, i));
    const stamp = stampOf(points, points.scene.codes[i], own);
    context.globalAlpha = points.faded(i) ? 0.25 : 1;
    context.drawImage(
      stamp,
      Math.round(x * points.ratio - stamp.width / 2),
      Math.round(y * points.ratio - stamp.height / 2),
    );
  }
  context.globalAlpha = 1;
}

/** The mark of a type, drawn once. @param {Points} points @param {number} code @param {number} size */
function stampOf(points, code, size) {
  const key = `${points.colours.dark} ${points.ratio}`;
  if (points.stamped?.key !== key) points.stamped = { key, made: new Map() };
  const { made } = points.stamped;
  const known = made.get(256 * size + code);
  if (known) return known;
  const entry = points.legend[code] ?? points.legend[0];
  const stamp = document.createElement("canvas");
  const radius = (size * points.ratio) / 2;
  stamp.width = stamp.height = Math.ceil(radius * 2.6) + 2;
  const context = pen(stamp);
  context.fillStyle = points.colours.dark ? entry.dark : entry.light;
  mark(context, entry.shape, stamp.width / 2, stamp.height / 2, radius);
  context.fill();
  made.set(256 * size + code, stamp);
  return stamp;
}

/** Draws bands between communities, as wide as they stand for references. @param {Points} points @param {CanvasRenderingContext2D} context */
export function drawBands(points, context) {
  const { scene, view, colours } = points;
  context.setLineDash([]);
  context.lineCap = "round";
  context.strokeStyle = colours.line;
  for (const [a, b, share] of scene.bands) {
    const [[, x1, y1, one], [, x2, y2, other]] = [scene.titles[a], scene.titles[b]];
    if (points.hidden(one) || points.hidden(other)) continue;
    context.globalAlpha = (0.12 + 0.25 * share) * clarity(points);
    context.lineWidth = Math.max(BAND * share, 0.8) / view.scale;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  }
}

/** Marks what is picked. @param {Points} points @param {CanvasRenderingContext2D} context @param {number} size */
export function drawPicked(points, context, size) {
  if (!points.chosen.length) return;
  context.fillStyle = points.colours.accent;
  context.globalAlpha = 0.35;
  const wide = Math.max(size * 1.8, 6);
  for (const i of points.seen) {
    if (points.chosen[i] !== 1) continue;
    const [x, y] = points.onPage(i);
    context.fillRect(x - wide / 2, y - wide / 2, wide, wide);
  }
  context.globalAlpha = 1;
}

/** Marks the selected point, and its lines. @param {Points} points @param {CanvasRenderingContext2D} context @param {number} size */
export function drawChosen(points, context, size) {
  const { sources, targets } = points.scene;
  context.strokeStyle = points.colours.text;
  context.globalAlpha = 0.55;
  context.lineWidth = 1;
  context.beginPath();
  let drawn = 0;
  for (let k = 0; k < sources.length && drawn < NEAR; k += 1) {
    if (sources[k] !== points.at && targets[k] !== points.at) continue;
    if (points.hidden(sources[k]) || points.hidden(targets[k])) continue;
    context.moveTo(...points.onPage(sources[k]));
    context.lineTo(...points.onPage(targets[k]));
    drawn += 1;
  }
  context.stroke();
  context.globalAlpha = 1;
  const [x, y] = points.onPage(points.at);
  context.strokeStyle = points.colours.accent;
  context.lineWidth = 3;
  context.beginPath();
  context.arc(x, y, Math.max(size, 7), 0, 2 * Math.PI);
  context.stroke();
}
