// How points are drawn: many as squares of pixels, some with the marks of their types.

import { pen } from "../shared/dom.js";
import { mark } from "./scene.js";
import { channels } from "../shared/theme.js";

/** @import { Points } from "./picture_points.js" */

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
  const half = size / 2;
  const [clear, pale] = [inksOf(points, 255), inksOf(points, 60)];
  // What is faded lies below.
  for (const wanted of points.passes || points.until ? [true, false] : [false]) {
    for (const i of points.seen) {
      if (points.faded(i) !== wanted && (points.passes || points.until)) continue;
      const ink = (wanted ? pale : clear)[codes[i]];
      const left = Math.max(Math.round((places[2 * i] * scale + x) * ratio - half), 0);
      const top = Math.max(Math.round((places[2 * i + 1] * scale + y) * ratio - half), 0);
      const right = Math.min(left + size, width);
      const bottom = Math.min(top + size, height);
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
  const stamps = stampsOf(points, size);
  for (const i of points.seen) {
    const [x, y] = points.onPage(i);
    const stamp = stamps[points.scene.codes[i]] ?? stamps[0];
    context.globalAlpha = points.faded(i) ? 0.25 : 1;
    context.drawImage(
      stamp,
      Math.round(x * points.ratio - stamp.width / 2),
      Math.round(y * points.ratio - stamp.height / 2),
    );
  }
  context.globalAlpha = 1;
}

/** @param {Points} points @param {number} size */
function stampsOf(points, size) {
  const key = `${Math.round(size)} ${points.colours.dark}`;
  if (points.stamped?.key === key) return points.stamped.made;
  const made = points.legend.map((entry) => {
    const stamp = document.createElement("canvas");
    const radius = (Math.round(size) * points.ratio) / 2;
    stamp.width = stamp.height = Math.ceil(radius * 2.6) + 2;
    const context = pen(stamp);
    context.fillStyle = points.colours.dark ? entry.dark : entry.light;
    mark(context, entry.shape, stamp.width / 2, stamp.height / 2, radius);
    context.fill();
    return stamp;
  });
  points.stamped = { key, made };
  return made;
}
