// A scene as Cytoscape takes it: elements, and lines with their bends.

import { textOf } from "./boxes.js";
import { DEFERRED, HUB, IN_CYCLE, PAIR } from "./scene.js";

/** @import * as cy from "cytoscape" */
/** @import { Scene } from "./scene.js" */

/** @param {Scene} scene @returns {cy.ElementDefinition[]} */
export function nodesOf(scene) {
  return Array.from({ length: scene.count }, (_, i) => ({
    group: "nodes",
    classes: scene.nodes[i] < 0 ? "pile" : scene.close ? "dot" : "",
    data: {
      id: `n${i}`,
      i,
      code: scene.codes[i],
      label: textOf(scene, i),
      name: textOf(scene, i).split("\n")[0].slice(0, 24),
      w: scene.sizes[2 * i],
      h: scene.sizes[2 * i + 1],
    },
    position: { x: scene.places[2 * i], y: scene.places[2 * i + 1] },
  }));
}

/** @param {Scene} scene @param {boolean} curved @returns {cy.ElementDefinition[]} */
export function linesOf(scene, curved) {
  const loops = namesOfLoops(scene);
  return Array.from(scene.sources, (source, k) => {
    const target = scene.targets[k];
    const classes = [];
    const { seen, flat } = courseOf(scene, source, target);
    const offset = flat && seen < 100 ? 0.5 * seen : Math.max(0.3 * seen, 10);
    // Between two that stand close side by side there is no room for a name.
    const known = loops.get(k) ?? scene.names[k];
    const name = flat && seen < 6 * known.length + 16 ? "" : known;
    const data = { id: `e${k}`, source: `n${source}`, target: `n${target}`, name, offset };
    if (scene.flags[k] & IN_CYCLE) classes.push("cyclic");
    if (scene.flags[k] & DEFERRED) classes.push("deferred");
    if (scene.flags[k] & PAIR) classes.push("pair");
    if (scene.flags[k] & HUB) classes.push("hub");
    if (curved && scene.starts[k + 1] > scene.starts[k]) {
      const bent = bendsOf(scene, k, source, target);
      if (bent) {
        classes.push("bent");
        Object.assign(data, bent);
      }
    }
    return { group: "edges", classes: classes.join(" "), data };
  });
}

/**
 * Returns what is written at lines from an element to itself: all their names at the last of
 * several, since these lie in each other.
 *
 * @param {Scene} scene
 */
function namesOfLoops(scene) {
  /** @type {Map<number, string>} */
  const names = new Map();
  /** @type {Map<number, number>} */
  const last = new Map();
  scene.sources.forEach((source, k) => {
    if (source !== scene.targets[k] || !scene.names[k]) return;
    const before = last.get(source);
    names.set(k, before === undefined ? scene.names[k] : `${names.get(before)}, ${scene.names[k]}`);
    if (before !== undefined) names.set(before, "");
    last.set(source, k);
  });
  return names;
}

/**
 * Returns how much of a straight line is seen between two boxes, and whether it runs flat.
 *
 * @param {Scene} scene
 * @param {number} source
 * @param {number} target
 */
function courseOf({ places, sizes }, source, target) {
  const [dx, dy] = [0, 1].map((axis) => places[2 * target + axis] - places[2 * source + axis]);
  const length = Math.hypot(dx, dy) || 1;
  const hidden = (/** @type {number} */ i) =>
    Math.min(sizes[2 * i] / Math.abs(dx || 1e-9), sizes[2 * i + 1] / Math.abs(dy || 1e-9)) / 2;
  const seen = length * (1 - hidden(source) - hidden(target));
  return { seen, flat: source !== target && Math.abs(dx) > 2 * Math.abs(dy) };
}

/**
 * Returns bends as Cytoscape has them: along the straight line, and away from it.
 *
 * @param {Scene} scene
 * @param {number} k
 * @param {number} source
 * @param {number} target
 */
function bendsOf(scene, k, source, target) {
  const at = (/** @type {number} */ i) => [scene.places[2 * i], scene.places[2 * i + 1]];
  const [sx, sy] = at(source);
  const [tx, ty] = at(target);
  const [dx, dy] = [tx - sx, ty - sy];
  const length = Math.hypot(dx, dy);
  if (length < 1) return null;
  /** @type {number[][]} */
  const [weights, distances] = [[], []];
  for (let b = scene.starts[k]; b < scene.starts[k + 1]; b += 1) {
    const [px, py] = [scene.bends[2 * b] - sx, scene.bends[2 * b + 1] - sy];
    weights.push((px * dx + py * dy) / (length * length));
    distances.push((py * dx - px * dy) / length);
  }
  return { weights, distances };
}
