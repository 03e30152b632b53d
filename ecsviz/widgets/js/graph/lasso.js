// A line that is drawn around what is to be picked.

import { pen } from "../shared/dom.js";

/**
 * Lets one draw a line with Shift, or with a button that was pressed before.
 *
 * @param {HTMLElement} host
 * @param {() => string} colour
 * @param {(line: [number, number][], more: boolean) => void} drawn
 */
export function makeLasso(host, colour, drawn) {
  const canvas = document.createElement("canvas");
  canvas.className = "ecsviz-layer ecsviz-lasso";
  /** @type {[number, number][] | null} */
  let line = null;
  let always = false;
  const wanted = (/** @type {MouseEvent} */ event) =>
    event.button === 0 && (always || event.shiftKey);
  const place = (/** @type {MouseEvent} */ event) => {
    const box = host.getBoundingClientRect();
    return /** @type {[number, number]} */ ([event.clientX - box.left, event.clientY - box.top]);
  };
  const paint = () => {
    const context = pen(canvas);
    context.clearRect(0, 0, canvas.width, canvas.height);
    if (!line) return;
    context.strokeStyle = context.fillStyle = colour();
    context.lineWidth = 1.5;
    context.setLineDash([4, 3]);
    context.beginPath();
    for (const [x, y] of line) context.lineTo(x, y);
    context.closePath();
    context.stroke();
    context.globalAlpha = 0.1;
    context.fill();
    context.globalAlpha = 1;
  };
  const end = (/** @type {boolean} */ done, /** @type {boolean} */ more) => {
    const made = line;
    line = null;
    paint();
    if (done && made && made.length > 2) drawn(made, more);
  };
  const stop = new AbortController();
  const options = { capture: true, signal: stop.signal };
  // Cytoscape hears the mouse, points hear the pointer: neither is to move meanwhile.
  for (const name of /** @type {const} */ (["mousedown", "touchstart"]))
    host.addEventListener(
      name,
      (event) => {
        if (line) event.stopPropagation();
      },
      options,
    );
  host.addEventListener(
    "pointerdown",
    (event) => {
      if (!wanted(event)) return;
      event.stopPropagation();
      canvas.width = host.clientWidth;
      canvas.height = host.clientHeight;
      line = [place(event)];
      host.setPointerCapture(event.pointerId);
    },
    options,
  );
  host.addEventListener(
    "pointermove",
    (event) => {
      if (!line) return;
      event.stopPropagation();
      line.push(place(event));
      paint();
    },
    options,
  );
  host.addEventListener(
    "pointerup",
    (event) => {
      if (!line) return;
      event.stopPropagation();
      end(true, event.ctrlKey || event.metaKey);
    },
    options,
  );
  host.addEventListener("pointercancel", () => end(false, false), options);
  return {
    element: canvas,
    /** @param {boolean} on */
    always(on) {
      always = on;
      host.classList.toggle("ecsviz-lassoing", on);
    },
    destroy: () => stop.abort(),
  };
}

/**
 * Tells whether a point is inside of a closed line.
 *
 * @param {ArrayLike<number>[]} line
 * @param {number} x
 * @param {number} y
 */
export function inside(line, x, y) {
  let within = false;
  for (let a = 0, b = line.length - 1; a < line.length; b = a, a += 1) {
    const [ax, ay] = [line[a][0], line[a][1]];
    const [bx, by] = [line[b][0], line[b][1]];
    if (ay > y !== by > y && x < ((bx - ax) * (y - ay)) / (by - ay) + ax) within = !within;
  }
  return within;
}
