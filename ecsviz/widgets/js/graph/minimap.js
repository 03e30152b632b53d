// The whole picture, small, with what is in sight of it: shown while not all is.

import { onceAFrame, pen } from "../shared/dom.js";

/** @import { Bounds } from "./scene.js" */
/**
 * What a minimap is made of: points, where they reach, and what of that is in sight.
 *
 * @typedef {object} Shown
 * @property {Float32Array} places
 * @property {number} count
 * @property {Bounds} bounds
 * @property {Bounds} sight
 * @property {boolean} whole
 * @property {string} ink
 * @property {string} accent
 */

const SIZE = [150, 96]; // px
const MARGIN = 5;

/**
 * @param {() => Shown | null} shown
 * @param {(x: number, y: number) => void} go
 */
export function makeMinimap(shown, go) {
  const canvas = document.createElement("canvas");
  canvas.className = "ecsviz-minimap";
  canvas.setAttribute("aria-hidden", "true");
  [canvas.width, canvas.height] = [2 * SIZE[0], 2 * SIZE[1]];
  const back = document.createElement("canvas");
  [back.width, back.height] = [canvas.width, canvas.height];
  let drawn = "";
  /** @type {{ scale: number, x: number, y: number }} */
  let view = { scale: 1, x: 0, y: 0 };
  /** @param {Shown} now */
  const drawPoints = ({ places, count, bounds, ink }) => {
    const { left, top, right, bottom } = bounds;
    const [wide, high] = [canvas.width - 2 * MARGIN, canvas.height - 2 * MARGIN];
    const scale = Math.min(wide / (right - left || 1), high / (bottom - top || 1));
    view = {
      scale,
      x: canvas.width / 2 - (scale * (left + right)) / 2,
      y: canvas.height / 2 - (scale * (top + bottom)) / 2,
    };
    const context = pen(back);
    context.clearRect(0, 0, back.width, back.height);
    context.fillStyle = ink;
    const size = count > 3_000 ? 1 : count > 300 ? 2 : 4;
    const each = Math.max(1, Math.floor(count / 20_000)); // more would be one blot
    for (let i = 0; i < count; i += each)
      context.fillRect(
        places[2 * i] * scale + view.x - size / 2,
        places[2 * i + 1] * scale + view.y - size / 2,
        size,
        size,
      );
  };
  const draw = onceAFrame(() => {
    const now = shown();
    canvas.hidden = !now || now.whole;
    if (!now || canvas.hidden) return;
    const key = `${now.count} ${now.ink} ${Object.values(now.bounds)}`;
    if (key !== drawn) drawPoints(now);
    drawn = key;
    const context = pen(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    context.drawImage(back, 0, 0);
    const { left, top, right, bottom } = now.sight;
    context.strokeStyle = now.accent;
    context.lineWidth = 3;
    context.strokeRect(
      left * view.scale + view.x,
      top * view.scale + view.y,
      (right - left) * view.scale,
      (bottom - top) * view.scale,
    );
  });
  const move = (/** @type {PointerEvent} */ event) => {
    if (!(event.buttons & 1)) return;
    event.preventDefault();
    const box = canvas.getBoundingClientRect();
    const ratio = canvas.width / box.width;
    go(
      ((event.clientX - box.left) * ratio - view.x) / view.scale,
      ((event.clientY - box.top) * ratio - view.y) / view.scale,
    );
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    move(event);
  });
  canvas.addEventListener("pointermove", move);
  canvas.hidden = true;
  return {
    element: canvas,
    draw,
    anew() {
      drawn = "";
      draw();
    },
  };
}
