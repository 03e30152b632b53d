// The picture of up to some hundred elements in full detail, drawn by Cytoscape. It is a bundle
// of its own, which the kernel sends when a page asks: no notebook holds it.

import cytoscape from "cytoscape";
import { later, onceAFrame, pen } from "../shared/dom.js";
import { widthOf, withRoom } from "./boxes.js";
import { linesOf, nodesOf } from "./elements.js";
import { NAME_ALONE, ROUND, drawnBoxes } from "./drawing.js";
import { CURVED, NAMED, looksOf } from "./looks.js";
import { areaOf, boundsOf, boxOf, decode, hullOf, linesBetween, mix } from "./scene.js";
import { inside } from "./lasso.js";

/** @import * as cy from "cytoscape" */
/** @import { Colours } from "../shared/theme.js" */
/** @import { Taps } from "./picture.js" */
/** @import { Bounds, Pair, Scene } from "./scene.js" */
/** @import { LegendEntry, Look, Moved } from "./traits.d.ts" */

const TOLD = 40; // lines of an element: up to so many have both ends named
const MOST_NAMED = 60; // dots that are named
const MARGIN = 24;
const ALONE = 5; // px around a dot's name without another dot
const READ = 0.6; // with boxes as small as that one begins with a part,
const BEGIN = 0.75; // which is so large
const SPACE = 6; // of the boxes that Cytoscape tells of two names, what is around their letters

export default class Detail {
  /** @type {Scene} */
  scene = decode({});
  at = -1;
  /** @type {LegendEntry[]} */
  legend = [];
  fresh = false; // it was not fitted before
  part = false; // what is in sight was chosen to be read
  fitted = false; // a view that is not on the page yet has no size
  roomy = withRoom(this.scene); // with boxes as this page has room for them
  /** @type {{ members: number[], square: boolean }[]} - per shaded ground what stands on it */
  grounds = [];
  wide = 0;
  high = 0;

  /**
   * @param {HTMLElement} host
   * @param {Colours} colours
   * @param {Taps} taps
   */
  constructor(host, colours, taps) {
    this.host = host;
    this.colours = colours;
    this.ground = document.createElement("canvas");
    this.ground.className = "ecsviz-layer";
    this.layer = document.createElement("div");
    this.layer.className = "ecsviz-layer";
    host.append(this.ground, this.layer);
    this.cy = cytoscape({
      container: this.layer,
      layout: { name: "preset" }, // Python has laid it out
      autounselectify: true,
      boxSelectionEnabled: false,
      minZoom: 0.02,
      maxZoom: 4,
      textureOnViewport: true,
      pixelRatio: Math.min(devicePixelRatio, 2),
    });
    // Cytoscape's declarations leave out `updateStyle`, and some of what a style may be.
    const retold = () => /** @type {any} */ (this.cy.nodes(".told, .under, .named"));
    this.rename = later(() => this.nameDots(), 150);
    this.cy.on("viewport resize", this.rename);
    this.retell = later(() => retold().updateStyle(), 120);
    this.cy.on("zoom", this.retell);
    this.paint = onceAFrame(() => this.drawGround());
    this.cy.on("render viewport resize", this.paint);
    this.cy.on("viewport resize", taps.moved);
    this.cy.on("tap", (event) => {
      const { ctrlKey, metaKey } = event.originalEvent;
      const element = event.target === this.cy ? -1 : (event.target.data("i") ?? -1);
      taps.tap(element, ctrlKey || metaKey);
    });
    this.cy.on("mouseover", "node", (event) => {
      event.target.addClass("under");
      taps.hover(event.target.data("i"));
    });
    this.cy.on("mouseout", "node", (event) => {
      event.target.removeClass("under");
      taps.hover(-1);
    });
    this.cy.on("drag", "node", (event) => this.keepPlace(event.target, true));
    this.cy.on("dragfree", "node", (event) => {
      const i = event.target.data("i");
      const [x, y] = [this.roomy.places[2 * i], this.roomy.places[2 * i + 1]];
      taps.put(i, x / this.roomy.wider, y);
    });
    this.cy.on("dbltap", "node", (event) => taps.open(event.target.data("i")));
  }

  /** @param {Scene} scene */
  show(scene) {
    this.scene = scene;
    this.roomy = withRoom(scene);
    this.grounds = this.onGrounds();
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
    this.fresh = true;
    this.fit();
    this.rename();
  }

  /** Names the dots with most lines, as many as have room where one looks. */
  nameDots() {
    if (!this.scene.close) return;
    const zoom = this.cy.zoom();
    /** @type {cy.BoundingBox12[]} */
    const taken = [];
    const dots = this.cy
      .nodes(":visible")
      .toArray()
      .filter((node) => this.inSight(node));
    const meets = (/** @type {cy.BoundingBox12} */ box, /** @type {cy.BoundingBox12} */ other) =>
      other.x1 < box.x2 && box.x1 < other.x2 && other.y1 < box.y2 && box.y1 < other.y2;
    const around = dots.map((dot) => dot.renderedBoundingBox({ includeLabels: false }));
    // A name that is as near to another dot would be read as that one's.
    const isFree = (/** @type {cy.BoundingBox12} */ box, /** @type {number} */ own) => {
      const wider = { x1: box.x1 - ALONE, x2: box.x2 + ALONE, y1: box.y1 - ALONE, y2: box.y2 + ALONE }; // prettier-ignore
      return (
        box.x1 >= 0 &&
        box.x2 <= this.cy.width() &&
        !taken.some((other) => meets(box, other)) &&
        !around.some((other, k) => k !== own && meets(wider, other))
      );
    };
    /** @type {Map<any, string>} */
    const named = new Map();
    for (const [dot, own] of dots
      .map((dot, k) => /** @type {[typeof dot, number]} */ ([dot, k]))
      .sort(([a], [b]) => b.degree(true) - a.degree(true))) {
      if (named.size === MOST_NAMED) break;
      const { x, y } = dot.renderedPosition();
      const [wide, off] = [widthOf(dot.data("name")), (dot.data("w") / 2 + 4) * zoom];
      const tries = { "": [x + off, y], over: [x - wide / 2, y - off - 8], below: [x - wide / 2, y + off + 8] }; // prettier-ignore
      for (const [where, [left, middle]] of Object.entries(tries)) {
        const box = { x1: left, x2: left + wide, y1: middle - 7, y2: middle + 7 };
        if (!isFree(box, own)) continue;
        taken.push({ ...box, x2: box.x2 + 4 });
        named.set(dot, where);
        break;
      }
    }
    this.cy.batch(() => {
      this.cy.nodes(".named").removeClass("named over below");
      for (const [dot, where] of named) dot.addClass(`named ${where}`);
    });
    // Names of lines do not lie under those of dots.
    const lines = this.cy.edges().removeClass("covered");
    const covers = (/** @type {any} */ line) =>
      taken.some((name) => meets(name, line.renderedBoundingBox(NAME_ALONE)));
    if (lines.length <= NAMED) lines.filter(covers).addClass("covered");
    /** @type {any} */ (this.cy.nodes(".named")).updateStyle();
  }

  /** Leaves out names of lines that would be written over names that stand there already. */
  makeRoom() {
    const boxes = this.cy.nodes().map((node) => node.boundingBox({ includeLabels: false }));
    /** @type {cy.BoundingBox12[]} */
    const taken = [];
    // Of a line to itself the name has one place, and comes first.
    const lines = this.cy.edges(":loop").union(this.cy.edges()).edges();
    const without = lines.filter((edge) => {
      if (!edge.style("source-label") && !edge.style("label")) return false;
      const box = edge.boundingBox(NAME_ALONE);
      const apart = (/** @type {number} */ from, /** @type {number} */ to) => to - from <= SPACE; // of one box's begin and another's end
      const free = [...taken, ...(edge.isLoop() ? boxes : [])].every(
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

  /** Returns which elements stand on each shaded ground. */
  onGrounds() {
    const { hulls, outlines, places, count } = this.roomy;
    return Array.from({ length: Math.max(outlines.length - 1, 0) }, (_, k) => {
      const line = Array.from({ length: outlines[k + 1] - outlines[k] }, (_, p) => {
        const at = 2 * (outlines[k] + p);
        return [hulls[at], hulls[at + 1]];
      });
      const members = Array.from({ length: count }, (_, i) => i).filter((i) =>
        inside(line, places[2 * i], places[2 * i + 1]),
      );
      return { members, square: areaOf(line) > 0.9 * areaOf(boxOf(line)) };
    });
  }

  /** Takes over where an element is now. @param {cy.NodeSingular} node @param {boolean} dragged */
  keepPlace(node, dragged) {
    const { x, y } = node.position();
    const i = node.data("i");
    [this.roomy.places[2 * i], this.roomy.places[2 * i + 1]] = [x, y];
    node.connectedEdges(".bent").removeClass("bent"); // it bent around what stood there
    if (dragged) this.paint();
  }

  /** Puts elements where the reader has put them. @param {Moved} moved */
  put(moved) {
    for (const [i, [x, y]] of Object.entries(moved)) {
      const node = this.cy.$id(`n${i}`);
      if (node.empty() || node.grabbed()) continue;
      node.position({ x: x * this.roomy.wider, y });
      this.keepPlace(node, false);
    }
    this.paint();
  }

  /** Hides lines of some fields. @param {Set<string>} names */
  hideFields(names) {
    const { kinds, fields } = this.scene;
    this.cy.batch(() => {
      for (let k = 0; k < kinds.length; k += 1)
        this.cy.$id(`e${k}`).toggleClass("hidden", names.has(fields[kinds[k]]));
    });
  }

  /** Marks what is picked. @param {Uint8Array} values */
  pick(values) {
    this.cy.batch(() => {
      for (let i = 0; i < this.scene.count; i += 1)
        this.cy.$id(`n${i}`).toggleClass("picked", values[i] === 1);
    });
  }

  /** Tells whether an element is hidden. @param {number} i */
  hidden(i) {
    return this.cy.$id(`n${i}`).hasClass("hidden");
  }

  /** @returns {Bounds} */
  bounds() {
    return boundsOf(this.roomy);
  }

  /** What is in sight. @returns {Bounds} */
  sight() {
    const { x1, y1, x2, y2 } = this.cy.extent();
    return { left: x1, top: y1, right: x2, bottom: y2 };
  }

  /** Brings a place into the middle. @param {number} x @param {number} y */
  go(x, y) {
    const zoom = this.cy.zoom();
    this.cy.pan({ x: this.cy.width() / 2 - x * zoom, y: this.cy.height() / 2 - y * zoom });
  }

  get places() {
    return this.roomy.places;
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
    // Groups are there to see all at once.
    this.part = this.fresh && this.scene.kind === "nodes" && !this.scene.close && zoom < READ;
    this.fresh = false;
    if (this.part) return this.begin();
    const pan = {
      x: wide / 2 - (zoom * (left + right)) / 2,
      y: high / 2 - (zoom * (top + bottom)) / 2,
    };
    this.cy.viewport({ zoom, pan });
  }

  /** Shows the beginning so large that it can be read: what stands highest, and what is below. */
  begin() {
    const { left, top, right } = boundsOf(this.roomy);
    const { places, count } = this.roomy;
    const first = Array.from({ length: count }, (_, i) => i).reduce((a, b) =>
      places[2 * b + 1] < places[2 * a + 1] ? b : a,
    );
    const half = (this.wide / 2 - MARGIN) / BEGIN;
    const x =
      right - left < 2 * half
        ? (left + right) / 2
        : Math.min(Math.max(places[2 * first], left + half), right - half);
    const pan = { x: this.wide / 2 - x * BEGIN, y: MARGIN - top * BEGIN };
    this.cy.viewport({ zoom: BEGIN, pan });
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

  /** @param {Pick<cy.NodeSingular, "renderedBoundingBox">} node */
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
    this.rename();
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

  /** Other colours and sizes of the scene are to be shown. @param {Partial<Look>} look */
  dress({ legend = [] }) {
    this.legend = legend;
    const { codes, weights } = this.scene;
    Object.assign(this.roomy, { codes, weights });
    this.cy.batch(() => {
      for (let i = 0; i < codes.length; i += 1) this.cy.$id(`n${i}`).data("code", codes[i]);
    });
    this.restyle();
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
    if (!this.grounds.length) return;
    const { x, y } = this.cy.pan();
    const zoom = this.cy.zoom() * ratio;
    context.setTransform(zoom, 0, 0, zoom, x * ratio, y * ratio);
    context.fillStyle = mix(
      this.colours.cycle,
      this.colours.ground,
      this.colours.dark ? 0.13 : 0.09,
    );
    context.strokeStyle = context.fillStyle;
    context.lineJoin = "round";
    context.lineWidth = 2 * ROUND;
    for (const line of this.outlines()) {
      context.beginPath();
      for (const [x, y] of line) context.lineTo(x, y);
      context.closePath();
      context.fill();
      context.stroke();
    }
  }

  /** Around what stands on each ground, and is not hidden: its corners, without the margin. */
  outlines() {
    const { places, sizes, count } = this.roomy;
    return this.grounds.map(({ members, square }) => {
      const corners = members
        .filter((i) => !this.hidden(i))
        .flatMap((i) => {
          const [x, y, w, h] = [places[2 * i], places[2 * i + 1], sizes[2 * i], sizes[2 * i + 1]];
          return boxOf([[x - w / 2, y - h / 2], [x + w / 2, y + h / 2]]); // prettier-ignore
        });
      const box = boxOf(corners);
      // Who was dragged may stand where a box would be around others, too.
      const isOther = (/** @type {any} */ _, /** @type {number} */ i) =>
        !members.includes(i) && inside(box, places[2 * i], places[2 * i + 1]);
      return square && !Array.from({ length: count }).some(isOther) ? box : hullOf(corners);
    });
  }

  drawn() {
    return drawnBoxes(this);
  }

  restyle() {
    this.cy.style(/** @type {any} */ (looksOf(this.scene, this.colours, this.legend)));
  }

  destroy() {
    this.paint.stop();
    this.retell.stop();
    this.rename.stop();
    this.cy.destroy();
    this.ground.remove();
    this.layer.remove();
  }
}
