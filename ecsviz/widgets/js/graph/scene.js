// A scene as Python sends it: numbers in typed arrays, one entry per element or line.

import { numbers } from "../shared/kernel.js";
import { channels } from "../shared/theme.js";

/** @import { Numbers, SceneState, Shape } from "./traits.d.ts" */
/** @typedef {ReturnType<typeof decode>} Scene */
/** @typedef {[number, number]} Point */
/** @typedef {[source: number, target: number, path: string]} Pair - a reference, by elements */
/** @typedef {{ left: number, top: number, right: number, bottom: number }} Bounds */

export const IN_CYCLE = 1;
export const DEFERRED = 2;
export const CYCLE = 0.9; // how opaque lines of cycles are where these are few
export const PAIR = 8; // a list and a back-reference: one line with two heads
export const HUB = 4; // one of many that lead to, or from, the same element

/** Returns a scene with its bytes as arrays. @param {Partial<SceneState>} state */
export function decode(state) {
  const ints = (/** @type {Numbers} */ name) => numbers(Int32Array, state[name]);
  const indices = (/** @type {Numbers} */ name) => numbers(Uint32Array, state[name]);
  const floats = (/** @type {Numbers} */ name) => numbers(Float32Array, state[name]);
  const count = state.count ?? 0;
  const all = state.kind === "map"; // then element i is node i
  return {
    edition: state.edition ?? 0,
    kind: state.kind ?? "nodes",
    close: state.close ?? false,
    told: state.told ?? "",
    count,
    labels: state.labels ?? [],
    notes: state.notes ?? [],
    names: state.names ?? [],
    fields: state.fields ?? [],
    kinds: numbers(Uint8Array, state.kinds),
    nodes: all ? Int32Array.from({ length: count }, (_, i) => i) : ints("nodes"),
    groups: all ? new Int32Array(count).fill(-1) : ints("groups"),
    codes: new Uint8Array(0), // they come by themselves, as do the weights
    /** @type {Uint8Array} - per element its size, from 0 to 255; none where all are alike */
    weights: new Uint8Array(0),
    steps: ints("steps"),
    places: floats("places"),
    sizes: floats("sizes"),
    sources: indices("sources"),
    targets: indices("targets"),
    flags: numbers(Uint8Array, state.flags),
    outlines: indices("outlines"),
    hulls: floats("hulls"),
    starts: indices("starts"),
    leading: indices("leading"),
    bends: floats("bends"),
    titles: state.titles ?? [],
    bands: state.bands ?? [],
  };
}

/** Returns how many times as large as usual a mark is. @param {Scene} scene @param {number} i */
export const grown = ({ weights }, i) =>
  weights.length ? 0.55 + 1.35 * Math.sqrt(weights[i] / 255) : 1;

/**
 * Returns left, top, right and bottom of all elements.
 *
 * @param {Scene} scene
 * @returns {Bounds}
 */
export function boundsOf(scene) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < scene.count; i += 1) {
    const [x, y] = [scene.places[2 * i], scene.places[2 * i + 1]];
    const wide = (scene.sizes[2 * i] ?? 12) / 2;
    const high = (scene.sizes[2 * i + 1] ?? 12) / 2;
    left = Math.min(left, x - wide);
    right = Math.max(right, x + wide);
    top = Math.min(top, y - high);
    bottom = Math.max(bottom, y + high);
  }
  for (const points of [scene.bends, scene.hulls])
    for (let p = 0; p + 1 < points.length; p += 2) {
      left = Math.min(left, points[p]);
      right = Math.max(right, points[p]);
      top = Math.min(top, points[p + 1]);
      bottom = Math.max(bottom, points[p + 1]);
    }
  return scene.count ? { left, top, right, bottom } : { left: 0, top: 0, right: 1, bottom: 1 };
}

/** Returns how long a line is. @param {Scene} scene @param {number} k */
export function lengthOf({ sources, targets, places }, k) {
  const [a, b] = [2 * sources[k], 2 * targets[k]];
  return Math.hypot(places[a] - places[b], places[a + 1] - places[b + 1]);
}

/** Returns how long half of the lines are at the most, loops aside. @param {Scene} scene */
export function usualLength(scene) {
  const all = Float32Array.from(scene.sources, (_, k) => lengthOf(scene, k)).sort();
  const lengths = all.subarray(all.findIndex((length) => length > 0));
  return lengths[lengths.length >> 1] ?? 1;
}

/** Tells whether so few lines are in cycles that they stand out. @param {Scene} scene */
export function cyclesAreRare({ flags }) {
  const cyclic = flags.reduce((sum, flag) => sum + (flag & IN_CYCLE), 0);
  return cyclic <= Math.max(flags.length / 5, 40);
}

/**
 * Returns which lines lead from one element to another.
 *
 * @param {Scene} scene
 * @param {number} source
 * @param {number} target
 */
export function linesBetween(scene, source, target) {
  /** @type {number[]} */
  const found = [];
  for (let k = 0; k < scene.sources.length; k += 1)
    if (scene.sources[k] === source && scene.targets[k] === target) found.push(k);
  return found;
}

/**
 * Draws the mark of a type around a point of a canvas; `r` is about half its width.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Shape} shape
 * @param {number} x
 * @param {number} y
 * @param {number} r
 */
export function mark(context, shape, x, y, r) {
  const line = (/** @type {Point[]} */ ...points) => {
    points.forEach(([dx, dy], k) => context[k ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
    context.closePath();
  };
  context.beginPath();
  if (shape === "circle") context.arc(x, y, r, 0, 2 * Math.PI);
  else line(...CORNERS[shape]);
}

const A = 0.36;
/** @type {Record<Exclude<Shape, "circle">, Point[]>} */
const CORNERS = {
  square: [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]],
  up: [[0, -1.05], [1.05, 0.9], [-1.05, 0.9]],
  down: [[0, 1.05], [1.05, -0.9], [-1.05, -0.9]],
  diamond: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
  plus: [[-A, -1], [A, -1], [A, -A], [1, -A], [1, A], [A, A], [A, 1], [-A, 1], [-A, A], [-1, A], [-1, -A], [-A, -A]],
  cross: [[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]],
}; // prettier-ignore

/**
 * Returns the mark of a type as the address of an image that holds itself.
 *
 * @param {Shape} shape
 * @param {string} colour
 */
export function markImage(shape, colour) {
  const corners = shape === "circle" ? [] : CORNERS[shape];
  const points = corners.map(([x, y]) => `${12 + x * 9},${12 + y * 9}`).join(" ");
  const drawn =
    shape === "circle" ? '<circle cx="12" cy="12" r="9"/>' : `<polygon points="${points}"/>`;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="24" height="24" fill="${colour}">${drawn}</svg>`;
  return `data:image/svg+xml;utf8,${encodeURIComponent(svg)}`;
}

/**
 * Mixes two colours: `share` of the first.
 *
 * @param {string} one
 * @param {string} other
 * @param {number} share
 */
export function mix(one, other, share) {
  const [a, b] = [channels(one), channels(other)];
  return `rgb(${a.map((value, k) => Math.round(share * value + (1 - share) * b[k])).join(",")})`;
}

/** Returns the corners of the box around some points. @param {number[][]} points */
export function boxOf(points) {
  const [xs, ys] = [0, 1].map((k) => points.map((point) => point[k]));
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  const [low, high] = [Math.min(...ys), Math.max(...ys)];
  return points.length ? [[left, low], [right, low], [right, high], [left, high]] : []; // prettier-ignore
}

/** Returns the area inside of a closed line. @param {number[][]} line */
export function areaOf(line) {
  const twice = line.map(([x, y], k) => {
    const [a, b] = line[(k + 1) % line.length];
    return x * b - a * y;
  });
  return Math.abs(twice.reduce((sum, part) => sum + part, 0)) / 2;
}

/** Returns the corners of the convex hull of some points. @param {number[][]} points */
export function hullOf(points) {
  const sorted = points.sort(([ax, ay], [bx, by]) => ax - bx || ay - by);
  const half = (/** @type {number[][]} */ from) => {
    /** @type {number[][]} */
    const line = [];
    for (const [x, y] of from) {
      while (line.length > 1) {
        const [[ax, ay], [bx, by]] = line.slice(-2);
        if ((bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0) break;
        line.pop();
      }
      line.push([x, y]);
    }
    return line.slice(0, -1);
  };
  return [...half(sorted), ...half([...sorted].reverse())];
}
