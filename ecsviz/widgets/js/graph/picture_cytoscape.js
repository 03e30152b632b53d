// The picture of up to some hundred elements in full detail, drawn by Cytoscape.

import { later, onceAFrame, pen } from "../shared/dom.js";
import { FONT, SIZE, textOf, withRoom } from "./boxes.js";
import { DEFERRED, HUB, IN_CYCLE, PAIR, boundsOf, decode } from "./scene.js";
import { linesBetween, markImage, mix } from "./scene.js";

/** @import * as cy from "cytoscape" */
/** @import { Colours } from "../shared/theme.js" */
/** @import { Taps } from "./picture.js" */
/** @import { Pair, Scene } from "./scene.js" */
/** @import { LegendEntry } from "./traits.d.ts" */
/** @typedef {string | number | number[] | ((element: any) => string | number)} Setting */
/** @typedef {{ selector: string, style: Record<string, Setting> }} Look */

const NAMED = 90; // lines: with more of them, names of fields would hide the picture
const CURVED = 700; // lines: more are drawn straight, which is quicker
const TOLD = 40; // lines of an element: up to so many have both ends named
const MARGIN = 24;
const SPACE = 6; // of the boxes that Cytoscape tells of two names, what is around their letters
const NAME_ALONE = {
  includeNodes: false,
  includeEdges: false,
  includeMainLabels: false,
  includeTargetLabels: false,
};

export class Detail {
  /** @type {Scene} */
  scene = decode({});
  at = -1;
  fitted = false; // a view that is not on the page yet has no size
  /** @type {Scene} - with boxes as this page has room for them */
  roomy = this.scene;
  wide = 0;
  high = 0;

  /**
   * @param {typeof import("cytoscape")} cytoscape
   * @param {HTMLElement} host
   * @param {Colours} colours
   * @param {LegendEntry[]} legend
   * @param {Taps} taps
   */
  constructor(cytoscape, host, colours, legend, taps) {
    this.host = host;
    this.legend = legend;
    this.colours = colours;
    this.ground = document.createElement("canvas");
    this.ground.className = "ecsviz-layer";
    this.layer = document.createElement("div");
    this.layer.className = "ecsviz-layer";
    host.append(this.ground, this.layer);
    this.cy = cytoscape({
      container: this.layer,
      layout: { name: "preset" }, // Python has laid it out
      autoungrabify: true,
      autounselectify: true,
      boxSelectionEnabled: false,
      minZoom: 0.02,
      maxZoom: 4,
      textureOnViewport: true,
      pixelRatio: Math.min(devicePixelRatio, 2),
    });
    // Cytoscape's declarations leave out `updateStyle`, and some of what a style may be.
    const retold = () => /** @type {any} */ (this.cy.nodes(".told, .under"));
    this.retell = later(() => retold().updateStyle(), 120);
    this.cy.on("zoom", this.retell);
    this.paint = onceAFrame(() => this.drawGround());
    this.cy.on("render viewport resize", this.paint);
    this.cy.on("tap", (event) =>
      taps.tap(event.target === this.cy ? -1 : (event.target.data("i") ?? -1)),
    );
    this.cy.on("mouseover", "node", (event) => event.target.addClass("under"));
    this.cy.on("mouseout", "node", (event) => event.target.removeClass("under"));
    this.cy.on("dbltap", "node", (event) => taps.open(event.target.data("i")));
  }

  /** @param {Scene} scene */
  show(scene) {
    this.scene = scene;
    this.roomy = withRoom(scene);
    this.at = -1;
    const curved = scene.sources.length <= CURVED;
    this.cy.elements().remove();
    this.restyle(); // before there are elements: each is styled once
    this.cy.batch(() => {
      this.cy.add(nodesOf(this.roomy));
      this.cy.add(linesOf(this.roomy, curved));
    });
    if (scene.sources.length <= NAMED) this.makeRoom();
    this.fitted = false;
    this.fit();
  }

  /** Leaves out names of lines that would be written over names that stand there already. */
  makeRoom() {
    /** @type {cy.BoundingBox12[]} */
    const taken = [];
    const without = this.cy.edges().filter((edge) => {
      if (edge.isLoop() || !edge.style("source-label")) return false;
      const box = edge.boundingBox(NAME_ALONE);
      const apart = (/** @type {number} */ from, /** @type {number} */ to) => to - from <= SPACE; // of one box's begin and another's end
      const free = taken.every(
        (other) =>
          apart(other.x1, box.x2) ||
          apart(box.x1, other.x2) ||
          apart(other.y1, box.y2) ||
          apart(box.y1, other.y2),
      );
      if (free) taken.push(box);
      return !free;
    });
    without.addClass("unnamed");
  }

  fit() {
    const { left, top, right, bottom } = boundsOf(this.roomy);
    const [wide, high] = [this.cy.width(), this.cy.height()];
    if (!wide || !high) return;
    this.fitted = true;
    [this.wide, this.high] = [wide, high];
    const zoom = Math.min(
      (wide - 2 * MARGIN) / (right - left),
      (high - 2 * MARGIN) / (bottom - top),
      1.25,
    );
    const pan = {
      x: wide / 2 - (zoom * (left + right)) / 2,
      y: high / 2 - (zoom * (top + bottom)) / 2,
    };
    this.cy.viewport({ zoom, pan });
  }

  /** @param {number} factor */
  zoom(factor) {
    const node = this.at >= 0 ? this.cy.$id(`n${this.at}`) : null;
    const middle = { x: this.cy.width() / 2, y: this.cy.height() / 2 };
    const renderedPosition =
      node?.nonempty() && this.inSight(node) ? node.renderedPosition() : middle;
    this.cy.zoom({ level: this.cy.zoom() * factor, renderedPosition });
  }

  /** Where an element is in the picture. @param {number} i */
  placeOf(i) {
    const { x, y } = this.cy.$id(`n${i}`).renderedPosition();
    return [x, y];
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.cy.panBy({ x: dx, y: dy });
  }

  /**
   * Marks the selected element and what is next to it.
   *
   * @param {number} at
   * @param {boolean} gentle
   */
  point(at, gentle) {
    this.cy.batch(() => {
      this.cy.elements(".chosen, .near, .told").removeClass("chosen near told");
      if (at >= 0) {
        const node = this.cy.$id(`n${at}`);
        node.addClass("chosen");
        node.connectedEdges().addClass("near");
        // Where there is no room for all labels, those that one looks at are told.
        if (node.connectedEdges().length <= TOLD) node.closedNeighborhood("node").addClass("told");
        else node.addClass("told");
      }
    });
    this.at = at;
    if (at < 0) return;
    const node = this.cy.$id(`n${at}`);
    if (node.nonempty() && (!this.inSight(node) || this.cy.zoom() < 0.12)) {
      const goal = { center: { eles: node }, zoom: Math.max(this.cy.zoom(), 0.5) };
      this.cy.stop();
      if (gentle) this.cy.animate(goal, { duration: 200 });
      else this.cy.zoom(goal.zoom).center(node);
    }
  }

  /** @param {cy.CollectionReturnValue} node */
  inSight(node) {
    const { x1, y1, x2, y2 } = node.renderedBoundingBox({ includeLabels: false });
    return x1 >= 0 && y1 >= 0 && x2 <= this.cy.width() && y2 <= this.cy.height();
  }

  /**
   * Per element 0 where a filter hides it, 1 where a search fades it, 2 where it is found.
   *
   * @param {Uint8Array} values
   */
  mask(values) {
    this.cy.batch(() => {
      for (let i = 0; i < values.length; i += 1)
        this.cy
          .$id(`n${i}`)
          .toggleClass("hidden", values[i] === 0)
          .toggleClass("faded", values[i] === 1);
    });
  }

  /** Fades what is saved after a step; 0 fades nothing. @param {number} step */
  saved(step) {
    this.cy.batch(() => {
      for (let i = 0; i < this.scene.count; i += 1)
        this.cy.$id(`n${i}`).toggleClass("later", step > 0 && this.scene.steps[i] > step);
    });
  }

  /**
   * Marks a way of references, and the one that is taken.
   *
   * @param {Pair[]} pairs
   * @param {number} now
   */
  way(pairs, now) {
    this.cy.batch(() => {
      this.cy.elements(".way, .now").removeClass("way now");
      pairs.forEach(([source, target, name], k) => {
        const lines = linesBetween(this.scene, source, target);
        const named = lines.filter((line) => this.scene.names[line] === name);
        for (const line of named.length ? named : lines)
          this.cy.$id(`e${line}`).addClass(k === now ? "way now" : "way");
        this.cy.$id(`n${source}`).addClass("way");
      });
    });
  }

  /** @param {Colours} colours */
  theme(colours) {
    this.colours = colours;
    this.restyle();
    this.paint();
  }

  /** Tells whether nothing is outside of a picture of this size. */
  whole() {
    const { left, top, right, bottom } = boundsOf(this.roomy);
    const { x, y } = this.cy.pan();
    const zoom = this.cy.zoom();
    const across = left * zoom + x >= -1 && right * zoom + x <= this.wide + 1;
    return across && top * zoom + y >= -1 && bottom * zoom + y <= this.high + 1;
  }

  resize() {
    const whole = !this.fitted || this.whole();
    this.cy.resize();
    [this.wide, this.high] = [this.cy.width(), this.cy.height()];
    if (whole) this.fit();
    this.paint();
  }

  drawGround() {
    const ratio = Math.min(devicePixelRatio, 2);
    const [wide, high] = [this.cy.width(), this.cy.height()];
    if (
      this.ground.width !== Math.round(wide * ratio) ||
      this.ground.height !== Math.round(high * ratio)
    ) {
      this.ground.width = Math.round(wide * ratio);
      this.ground.height = Math.round(high * ratio);
    }
    const context = pen(this.ground);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.ground.width, this.ground.height);
    if (!this.scene.hulls.length) return;
    const { x, y } = this.cy.pan();
    const zoom = this.cy.zoom() * ratio;
    context.setTransform(zoom, 0, 0, zoom, x * ratio, y * ratio);
    context.fillStyle = mix(
      this.colours.cycle,
      this.colours.ground,
      this.colours.dark ? 0.13 : 0.09,
    );
    const { hulls, outlines } = this.roomy;
    for (let k = 0; k + 1 < outlines.length; k += 1) {
      context.beginPath();
      for (let p = outlines[k]; p < outlines[k + 1]; p += 1)
        context.lineTo(hulls[2 * p], hulls[2 * p + 1]);
      context.closePath();
      context.fill();
    }
  }

  restyle() {
    this.cy.style(/** @type {any} */ (this.sheet()));
  }

  /** @returns {Look[]} */
  sheet() {
    const { text, muted, line, accent, cycle, ground, dark } = this.colours;
    /** @param {cy.NodeSingular} node */
    const entry = (node) => this.legend[node.data("code")] ?? this.legend[0];
    /** @param {cy.NodeSingular} node */
    const colour = (node) => (dark ? entry(node).dark : entry(node).light);
    const few = this.scene.sources.length <= NAMED;
    return [
      {
        selector: "node",
        style: {
          shape: "round-rectangle",
          width: "data(w)",
          height: "data(h)",
          "background-color": (node) => mix(colour(node), ground, dark ? 0.24 : 0.13),
          "border-width": 1.2,
          "border-color": (node) => mix(colour(node), ground, 0.75),
          "background-image": (node) => markImage(entry(node).shape, colour(node)),
          "background-width": 11,
          "background-height": 11,
          "background-position-x": 8,
          "background-position-y": "50%",
          "background-clip": "none",
          label: "data(label)",
          color: text,
          "font-size": SIZE,
          "font-family": FONT,
          "min-zoomed-font-size": 5,
          "text-wrap": "wrap",
          "text-max-width": 400,
          "text-valign": "center",
          "text-halign": "center",
          "text-margin-x": 9,
          "line-height": 1.25,
        },
      },
      {
        selector: "node.dot",
        style: {
          "background-opacity": 0,
          "border-opacity": 0,
          "background-width": "100%",
          "background-height": "100%",
          "background-position-x": "50%",
          label: "",
          "text-halign": "right",
          "text-margin-x": 4,
          "text-outline-color": ground,
          "text-outline-width": 3,
        },
      },
      {
        selector: "node.dot.told, node.dot.under",
        style: {
          label: "data(label)",
          "font-size": (node) => Math.min(Math.max(12 / node.cy().zoom(), 10), 60), // however far away
          "z-index": 8,
        },
      },
      { selector: "node.pile", style: { "border-style": "double", "border-width": 4 } },
      {
        selector: "edge",
        style: {
          width: 1.2,
          "line-color": line,
          "target-arrow-color": line,
          "target-arrow-shape": "triangle",
          "arrow-scale": 0.75,
          "curve-style": this.scene.sources.length <= CURVED ? "bezier" : "straight",
          "control-point-step-size": 28,
          ...(few
            ? {
                // Nearer to the holder: so two that lead to and fro do not write over each other.
                "source-label": "data(name)",
                "source-text-offset": "data(offset)",
                "font-size": 10,
                "font-family": FONT,
                color: muted,
                "min-zoomed-font-size": 7,
                "text-outline-color": ground,
                "text-outline-width": 2,
                "text-outline-opacity": 0.8,
                "text-events": "no",
              }
            : {}),
        },
      },
      {
        selector: "edge:loop",
        style: {
          "loop-direction": "90deg",
          "loop-sweep": "35deg",
          "control-point-step-size": (edge) => edge.source().data("w") / 2.8 + 30,
          ...(few ? { "source-label": "", label: "data(name)", "text-margin-y": -8 } : {}),
        },
      },
      {
        selector: "edge.bent",
        style: {
          "curve-style": "round-segments",
          "segment-weights": "data(weights)",
          "segment-distances": "data(distances)",
          "segment-radii": 14,
          "edge-distances": "node-position",
        },
      },
      {
        selector: "edge.pair",
        style: { "source-arrow-shape": "triangle", "source-arrow-color": line },
      },
      { selector: "edge.cyclic", style: { "line-color": cycle, "target-arrow-color": cycle } },
      { selector: "edge.deferred", style: { "line-style": "dashed", "line-dash-pattern": [5, 4] } },
      {
        selector: "edge.hub",
        style: {
          width: 1,
          "line-opacity": this.scene.sources.length > CURVED ? 0.12 : 0.3,
          "arrow-scale": 0.5,
          "source-label": "",
        },
      },
      { selector: "edge.unnamed", style: { "source-label": "" } },
      { selector: "node.later", style: { opacity: 0.35 } },
      { selector: "node.faded", style: { opacity: 0.22 } },
      { selector: ".hidden", style: { display: "none" } },
      { selector: "edge.near", style: { width: 2.2, "line-opacity": 1, "z-index": 5 } },
      {
        selector: "edge.way",
        style: {
          width: 2.6,
          "line-opacity": 1,
          "line-color": cycle,
          "target-arrow-color": cycle,
          "source-arrow-color": cycle,
          "z-index": 6,
        },
      },
      {
        selector: "node.way",
        style: { opacity: 1, "border-width": 2, "border-opacity": 1, "border-color": cycle },
      },
      {
        selector: "edge.now",
        style: {
          width: 5,
          "line-color": accent,
          "target-arrow-color": accent,
          "source-arrow-color": accent,
          "z-index": 7,
          "source-label": "data(name)",
          "source-text-offset": "data(offset)",
          "font-size": 12,
          color: text,
          "text-outline-color": ground,
          "text-outline-width": 3,
        },
      },
      {
        selector: "node.chosen",
        style: {
          opacity: 1,
          "border-width": 3,
          "border-opacity": 1,
          "border-color": accent,
          "border-style": "solid",
          "z-index": 9,
        },
      },
    ];
  }

  destroy() {
    this.paint.stop();
    this.retell.stop();
    this.cy.destroy();
    this.ground.remove();
    this.layer.remove();
  }
}

/** @param {Scene} scene @returns {cy.ElementDefinition[]} */
function nodesOf(scene) {
  return Array.from({ length: scene.count }, (_, i) => ({
    group: "nodes",
    classes: scene.nodes[i] < 0 ? "pile" : scene.close ? "dot" : "",
    data: {
      id: `n${i}`,
      i,
      code: scene.codes[i],
      label: textOf(scene, i),
      w: scene.sizes[2 * i],
      h: scene.sizes[2 * i + 1],
    },
    position: { x: scene.places[2 * i], y: scene.places[2 * i + 1] },
  }));
}

/** @param {Scene} scene @param {boolean} curved @returns {cy.ElementDefinition[]} */
function linesOf(scene, curved) {
  return Array.from(scene.sources, (source, k) => {
    const target = scene.targets[k];
    const classes = [];
    const { seen, flat } = courseOf(scene, source, target);
    const offset = flat && seen < 100 ? 0.5 * seen : Math.max(0.3 * seen, 10);
    // Between two that stand close side by side there is no room for a name.
    const name = flat && seen < 6 * scene.names[k].length + 16 ? "" : scene.names[k];
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
