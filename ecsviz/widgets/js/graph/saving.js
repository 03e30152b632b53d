// The picture as a file: as SVG, and as PNG made of that.

import { mark } from "./scene.js";

/** @import { Shape } from "./traits.d.ts" */
/** @import { Bounds } from "./scene.js" */
/** @typedef {{ x: number, y: number, w: number, h: number }} Box */
/** @typedef {{ fill?: string, stroke?: string, width?: number, dash?: string, opacity?: number }} Look */

const SPACE = "http://www.w3.org/2000/svg";
const MARGIN = 20;
const SHARP = 2;

/** What writes an SVG: everything is an element of its own, texts are text nodes. */
export class Sheet {
  /** @param {Bounds} bounds @param {string} ground @param {number} [below] */
  constructor({ left, top, right, bottom }, ground, below = 0) {
    const [x, y] = [left - MARGIN, top - MARGIN];
    this.wide = right - left + 2 * MARGIN;
    this.high = bottom - top + 2 * MARGIN + below;
    const box = [x, y, this.wide, this.high].map((value) => value.toFixed(1)).join(" ");
    this.root = this.make("svg", { viewBox: box, width: this.wide, height: this.high });
    this.add("rect", { x, y, width: this.wide, height: this.high, fill: ground });
  }

  /** @param {string} name @param {Record<string, string | number | undefined>} attributes */
  make(name, attributes) {
    const element = document.createElementNS(SPACE, name);
    for (const [key, value] of Object.entries(attributes))
      if (value !== undefined)
        element.setAttribute(key, typeof value === "number" ? String(+value.toFixed(2)) : value);
    return element;
  }

  /** @param {string} name @param {Record<string, string | number | undefined>} attributes @param {string} [text] */
  add(name, attributes, text) {
    const element = this.make(name, attributes);
    if (text !== undefined) element.textContent = text;
    this.root.append(element);
  }

  /** @param {string} d @param {Look} look */
  path(d, look) {
    this.add("path", {
      d,
      fill: look.fill ?? "none",
      stroke: look.stroke,
      "stroke-width": look.width,
      "stroke-dasharray": look.dash,
      opacity: look.opacity,
    });
  }

  /** @param {string} text @param {number} x @param {number} y @param {Record<string, string | number>} look */
  text(text, x, y, look) {
    const given = { "font-family": "system-ui, sans-serif", "dominant-baseline": "central" };
    this.add("text", { x, y, ...given, ...look }, text);
  }

  /** @param {Shape} shape @param {number} x @param {number} y @param {number} r @param {string} fill */
  mark(shape, x, y, r, fill) {
    /** @type {string[]} */
    const d = [];
    const at = (/** @type {number} */ px, /** @type {number} */ py) =>
      `${px.toFixed(1)} ${py.toFixed(1)}`;
    // Drawn by the same strokes as on a canvas.
    const pencil = {
      beginPath() {},
      closePath: () => d.push("Z"),
      moveTo: (/** @type {number} */ px, /** @type {number} */ py) => d.push(`M${at(px, py)}`),
      lineTo: (/** @type {number} */ px, /** @type {number} */ py) => d.push(`L${at(px, py)}`),
      arc: (/** @type {number} */ px, /** @type {number} */ py, /** @type {number} */ pr) =>
        d.push(`M${at(px - pr, py)}a${pr} ${pr} 0 1 0 ${2 * pr} 0a${pr} ${pr} 0 1 0 ${-2 * pr} 0Z`),
    };
    mark(/** @type {any} */ (pencil), shape, x, y, r);
    this.path(d.join(""), { fill });
  }

  toString() {
    return new XMLSerializer().serializeToString(this.root);
  }
}

/** @param {Blob} blob @param {string} name */
function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * Gives a sheet to the reader as a file.
 *
 * @param {Sheet} sheet
 * @param {"svg" | "png"} kind
 */
export async function save(sheet, kind) {
  const svg = new Blob([sheet.toString()], { type: "image/svg+xml" });
  if (kind === "svg") return keep(svg, "graph.svg");
  const image = new Image();
  image.src = URL.createObjectURL(svg);
  await image.decode();
  const canvas = document.createElement("canvas");
  const sharp = Math.min(SHARP, 8_000 / Math.max(sheet.wide, sheet.high));
  [canvas.width, canvas.height] = [sheet.wide * sharp, sheet.high * sharp];
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  URL.revokeObjectURL(image.src);
  canvas.toBlob((png) => png && keep(png, "graph.png"), "image/png");
}
