// The picture of any number of elements as points, drawn on plain canvases.
//
// Points are set pixel by pixel in every frame. Lines cost more: they are drawn in slices while
// nothing moves, and while something does, their last picture is moved along.

import { later, onceAFrame, pen } from "../shared/dom.js";
import { drawnPoints } from "./drawing.js";
import { drawBands, drawChosen, drawMarks, drawPicked, drawPixels } from "./points_ink.js";
import { namesWithRoom, writeName, writeTitle } from "./points_names.js";
import {
  CYCLE,
  DEFERRED,
  HUB,
  IN_CYCLE,
  boundsOf,
  cyclesAreRare,
  decode,
  lengthOf,
  usualLength,
} from "./scene.js";

/** @import { Colours } from "../shared/theme.js" */
/** @import { Taps } from "./picture.js" */
/** @import { Bounds, Pair, Point, Scene } from "./scene.js" */
/** @import { LegendEntry, Look, Moved } from "./traits.d.ts" */
/** @typedef {CanvasRenderingContext2D} Context */
/** @typedef {{ scale: number, x: number, y: number }} Sight - of what is where on the page */

const MARGIN = 16;
const SLICE = 6; // ms of a frame that lines may take
const BATCH = 250; // lines of one stroke
const MARKED = 2_500; // points in sight: up to so many get their mark, more are squares
const REACH = 12; // px: how far from a point one may click
const LOOP = 3; // px: so much half of a reference of a point to itself is wider than half a point

export class Points {
  /** @type {Scene} */
  scene = decode({});
  /** @type {Sight} */
  view = { scale: 1, x: 0, y: 0 };
  /** @type {Sight | null} - the view in which the lines are drawn */
  kept = null;
  drawing = 0; // which of the drawings of lines is the last that began
  fitted = false; // a view that is not on the page yet has no size
  ratio = 1;
  wide = 1;
  high = 1;
  usual = 1; // half of the lines are as short
  rare = false; // few lines are in cycles
  part = false; // all is in sight at first
  fits = 1; // the scale at which all is in sight
  least = 0; // as far as one can zoom out
  at = -1;
  under = -1;
  until = 0;
  /** @type {Uint8Array} - per element 1 where it is picked */
  chosen = new Uint8Array(0);
  /** @type {Set<number>} - the fields whose lines are hidden, by number */
  without = new Set();
  /** @type {Bounds | null} */
  reach = null;
  /** @type {Uint8Array | null} - see `mask` */
  passes = null;
  /** @type {{ source: number, target: number, now: boolean }[]} */
  steps = [];
  /** @type {Map<number, string>} */
  named = new Map();
  /** @type {number[]} - the points whose names are written */
  written = [];
  /** @type {LegendEntry[]} */
  legend = [];
  tinted = false; // colours are those of the communities that have titles
  /** @type {import("./points_names.js").Title[]} - the titles that are written */
  titled = [];
  size = 0; // px of a point
  /** @type {number[]} - the points in sight */
  seen = [];
  /** @type {ImageData | null} */
  image = null;
  pixels = new Uint32Array(0);
  /** @type {{ key: string, made: Map<number, HTMLCanvasElement> } | null} */
  stamped = null;
  stop = new AbortController();

  /** @param {HTMLElement} host @param {Colours} colours @param {Taps} taps */
  constructor(host, colours, taps) {
    this.host = host;
    this.colours = colours;
    this.taps = taps;
    this.layers = ["lines", "points", "above"].map((name) => {
      const canvas = document.createElement("canvas");
      canvas.className = "ecsviz-layer";
      canvas.dataset.layer = name;
      host.append(canvas);
      return canvas;
    });
    this.back = document.createElement("canvas");
    this.lines = document.createElement("canvas");
    this.frame = onceAFrame(() => this.draw());
    this.rest = later(() => this.atRest(), 120);
    this.hover = later((/** @type {number} */ i) => this.tellOf(i), 120);
    this.listen();
  }

  listen() {
    /**
     * @template {keyof HTMLElementEventMap} K
     * @param {K} event
     * @param {(event: HTMLElementEventMap[K]) => void} handler
     * @param {AddEventListenerOptions} [options]
     */
    const on = (event, handler, options) =>
      this.host.addEventListener(event, handler, { signal: this.stop.signal, ...options });
    /** @type {{ x: number, y: number, moved: boolean } | null} */
    let from = null;
    on("pointerdown", (event) => {
      if (event.button !== 0) return;
      from = { x: event.clientX, y: event.clientY, moved: false };
    });
    on("pointermove", (event) => {
      if (!from) return this.hoverAt(event);
      const [dx, dy] = [event.clientX - from.x, event.clientY - from.y];
      if (!from.moved && Math.hypot(dx, dy) < 4) return;
      if (!from.moved) this.host.setPointerCapture(event.pointerId);
      this.pan(dx, dy);
      from = { x: event.clientX, y: event.clientY, moved: true };
    });
    on("pointerup", (event) => {
      if (from && !from.moved) this.taps.tap(this.elementAt(event), event.ctrlKey || event.metaKey);
      from = null;
    });
    on("pointercancel", () => (from = null));
    on("pointerleave", () => this.taps.hover(-1));
    on("dblclick", (event) => {
      const i = this.elementAt(event);
      if (i >= 0) this.taps.open(i);
    });
    on(
      "wheel",
      (event) => {
        event.preventDefault();
        const box = this.host.getBoundingClientRect();
        const step = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
        this.zoom(Math.exp(-step / 400), event.clientX - box.left, event.clientY - box.top);
      },
      { passive: false },
    );
  }

  /** @param {Scene} scene */
  show(scene) {
    this.scene = scene;
    this.at = -1;
    this.reach = null;
    this.chosen = new Uint8Array(0);
    this.passes = null;
    this.until = 0;
    this.steps = [];
    this.written = [];
    this.titled = [];
    this.usual = usualLength(scene);
    this.rare = cyclesAreRare(scene);
    this.stamped = null;
    this.named = new Map(scene.labels.map((label, i) => [i, label]));
    this.fitted = false;
    this.resize();
  }

  resize() {
    const wide = this.host.clientWidth || 1;
    const high = this.host.clientHeight || 1;
    this.ratio = Math.min(devicePixelRatio || 1, 2);
    if (this.fitted && this.whole()) this.fitted = false;
    // What was in the middle stays there.
    if (this.fitted) {
      this.view = {
        ...this.view,
        x: this.view.x + (wide - this.wide) / 2,
        y: this.view.y + (high - this.high) / 2,
      };
    }
    [this.wide, this.high] = [wide, high];
    for (const canvas of [...this.layers, this.back, this.lines]) {
      canvas.width = Math.round(this.wide * this.ratio);
      canvas.height = Math.round(this.high * this.ratio);
    }
    this.giveUpLines();
    if (this.fitted) this.moved();
    else this.fit();
  }

  /** Tells whether nothing is outside of a picture of this size. */
  whole() {
    const { left, top, right, bottom } = this.bounds();
    const { scale, x, y } = this.view;
    const across = left * scale + x >= -1 && right * scale + x <= this.wide + 1;
    return across && top * scale + y >= -1 && bottom * scale + y <= this.high + 1;
  }

  fit() {
    if (!this.host.clientWidth) return;
    this.fitted = true;
    const { left, top, right, bottom } = this.bounds();
    const scale = Math.min(
      (this.wide - 2 * MARGIN) / Math.max(right - left, 1),
      (this.high - 2 * MARGIN) / Math.max(bottom - top, 1),
      2,
    );
    this.fits = scale;
    this.least = Math.min(scale / 2, 0.5);
    this.view = {
      scale,
      x: this.wide / 2 - (scale * (left + right)) / 2,
      y: this.high / 2 - (scale * (top + bottom)) / 2,
    };
    this.moved();
  }

  /**
   * Zooms around a place of the page; else around what is selected, or the middle.
   *
   * @param {number} factor
   * @param {number} [x]
   * @param {number} [y]
   */
  zoom(factor, x, y) {
    const { view } = this;
    if (x === undefined || y === undefined) {
      [x, y] = this.at >= 0 ? this.onPage(this.at) : [-1, -1];
      if (x < 0 || y < 0 || x > this.wide || y > this.high) [x, y] = [this.wide / 2, this.high / 2];
    }
    const scale = Math.min(Math.max(view.scale * factor, this.least), 6);
    const ratio = scale / view.scale;
    this.view = { scale, x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio };
    this.moved();
  }

  /** Where an element is in the picture. @param {number} i */
  placeOf(i) {
    return this.onPage(i);
  }

  /** @param {number} dx @param {number} dy */
  pan(dx, dy) {
    this.view = { ...this.view, x: this.view.x + dx, y: this.view.y + dy };
    this.moved();
  }

  /** @param {number} at @param {boolean} [_gentle] - points do not glide */
  point(at, _gentle) {
    this.at = at;
    if (at >= 0 && this.fitted) {
      const [x, y] = this.onPage(at);
      if (x < 8 || y < 8 || x > this.wide - 8 || y > this.high - 8)
        this.pan(this.wide / 2 - x, this.high / 2 - y);
    }
    this.moved();
  }

  /**
   * Hides and fades: per element 0 where a filter hides it, 1 where a search fades it, else 2.
   *
   * @param {Uint8Array} values
   */
  mask(values) {
    const before = this.passes;
    this.passes = values.length ? values : null;
    if (values.some((value, i) => (value === 0) !== (before?.[i] === 0))) this.giveUpLines();
    this.moved();
  }

  /** @param {number} step */
  saved(step) {
    this.until = step;
    this.moved();
  }

  /** @param {Pair[]} pairs @param {number} now */
  way(pairs, now) {
    this.steps = pairs.map(([source, target], k) => ({ source, target, now: k === now }));
    this.moved();
  }

  /** Other colours and sizes of the scene are to be shown. @param {Partial<Look>} look */
  dress({ legend = [], bar = false }) {
    this.legend = legend;
    this.tinted = !bar && legend.every(({ name }) => !name);
    this.stamped = null;
    this.frame();
  }

  /** @param {Colours} colours */
  theme(colours) {
    this.colours = colours;
    this.giveUpLines();
    this.moved();
  }

  /** Labels that were asked for have come. @param {Record<string, string>} labels */
  name(labels) {
    for (const [node, label] of Object.entries(labels)) this.named.set(Number(node), label);
    this.placeNames();
  }

  /** Chooses anew which points are named, as far as their names have room. */
  placeNames() {
    const { written, titled, unknown } = namesWithRoom(this);
    this.written = written;
    this.titled = titled;
    this.askFor(unknown);
    this.frame();
  }

  /** Puts elements where the reader has put them. @param {Moved} moved */
  put(moved) {
    for (const [i, place] of Object.entries(moved)) this.scene.places.set(place, 2 * Number(i));
    this.reach = null;
    this.giveUpLines();
    this.moved();
  }

  /** Hides lines of some fields. @param {Set<string>} names */
  hideFields(names) {
    this.without = new Set(this.scene.fields.flatMap((name, k) => (names.has(name) ? [k] : [])));
    this.giveUpLines();
    this.moved();
  }

  /** Marks what is picked. @param {Uint8Array} values */
  pick(values) {
    this.chosen = values;
    this.moved();
  }

  /** @returns {Bounds} */
  bounds() {
    this.reach ??= boundsOf(this.scene);
    return this.reach;
  }

  /** What is in sight. @returns {Bounds} */
  sight() {
    const { scale, x, y } = this.view;
    return {
      left: -x / scale,
      top: -y / scale,
      right: (this.wide - x) / scale,
      bottom: (this.high - y) / scale,
    };
  }

  /** Brings a place into the middle. @param {number} x @param {number} y */
  go(x, y) {
    const { scale } = this.view;
    this.view = { scale, x: this.wide / 2 - x * scale, y: this.high / 2 - y * scale };
    this.moved();
  }

  get places() {
    return this.scene.places;
  }

  drawn() {
    return drawnPoints(this);
  }

  // -- drawing ---------------------------------------------------------------------------------

  moved() {
    if (!this.fitted) return;
    this.frame();
    this.rest();
    this.taps.moved();
  }

  /** Lines that are drawn, or half drawn, show what is no longer so. */
  giveUpLines() {
    this.kept = null;
    this.drawing += 1;
  }

  /** @param {number} i @returns {Point} */
  onPage(i) {
    const { scale, x, y } = this.view;
    return [this.scene.places[2 * i] * scale + x, this.scene.places[2 * i + 1] * scale + y];
  }

  draw() {
    const { scene, view, ratio } = this;
    const lines = pen(this.layers[0]);
    lines.setTransform(1, 0, 0, 1, 0, 0);
    lines.clearRect(0, 0, this.layers[0].width, this.layers[0].height);
    if (this.kept) {
      const grown = view.scale / this.kept.scale;
      const [x, y] = [view.x - this.kept.x * grown, view.y - this.kept.y * grown];
      lines.setTransform(grown, 0, 0, grown, x * ratio, y * ratio);
      lines.imageSmoothingEnabled = grown < 1;
      lines.drawImage(this.lines, 0, 0);
    }
    this.seen = this.inSight();
    const size = Math.min(Math.max(view.scale * 13, scene.count > 20_000 ? 1.5 : 2.5), 18);
    if (this.seen.length <= MARKED && size >= 4) drawMarks(this, size);
    else drawPixels(this, Math.max(Math.round(size * ratio), 1));
    this.size = size;
    this.drawAbove(size);
  }

  inSight() {
    const { places, count } = this.scene;
    const { scale, x, y } = this.view;
    const [left, right] = [(-9 - x) / scale, (this.wide + 9 - x) / scale];
    const [top, bottom] = [(-9 - y) / scale, (this.high + 9 - y) / scale];
    /** @type {number[]} */
    const seen = [];
    for (let i = 0; i < count; i += 1) {
      const [px, py] = [places[2 * i], places[2 * i + 1]];
      if (px < left || px > right || py < top || py > bottom) continue;
      if (this.hidden(i)) continue;
      seen.push(i);
    }
    return seen;
  }

  /** Tells whether a line is hidden. @param {number} k */
  unseen(k) {
    const { sources, targets, kinds } = this.scene;
    return this.hidden(sources[k]) || this.hidden(targets[k]) || this.without.has(kinds[k]);
  }

  /** @param {number} i */
  hidden(i) {
    return this.passes?.[i] === 0;
  }

  /** @param {number} i */
  faded(i) {
    return this.passes?.[i] === 1 || (this.until > 0 && this.scene.steps[i] > this.until);
  }

  /** @param {number} size */
  drawAbove(size) {
    const context = pen(this.layers[2]);
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.wide, this.high);
    this.drawWay(context);
    drawPicked(this, context, size);
    if (this.at >= 0 && !this.hidden(this.at)) drawChosen(this, context, size);
    for (const title of this.titled) writeTitle(this, context, title);
    for (const i of this.written) if (i !== this.at) writeName(this, context, i, size);
    if (this.at >= 0) writeName(this, context, this.at, size, true);
    if (this.under >= 0 && this.under !== this.at) writeName(this, context, this.under, size, true);
  }

  /** @param {Context} context */
  drawWay(context) {
    for (const { source, target, now } of this.steps) {
      if (source < 0 || target < 0 || this.hidden(source) || this.hidden(target)) continue;
      context.strokeStyle = now ? this.colours.accent : this.colours.cycle;
      context.lineWidth = now ? 4 : 2;
      context.beginPath();
      context.moveTo(...this.onPage(source));
      context.lineTo(...this.onPage(target));
      context.stroke();
    }
  }

  // -- at rest ---------------------------------------------------------------------------------

  atRest() {
    const { view } = this;
    if (this.kept?.scale !== view.scale || this.kept?.x !== view.x || this.kept?.y !== view.y)
      this.drawLines(view);
    this.placeNames();
    if (this.at >= 0) this.askFor([this.at]);
  }

  /** @param {number[]} elements */
  askFor(elements) {
    const nodes = elements.filter((i) => !this.named.has(i)).map((i) => this.scene.nodes[i]);
    const known = nodes.filter((node) => node >= 0);
    if (known.length) this.taps.ask(known);
  }

  /** @param {Sight} view */
  drawLines(view) {
    const context = pen(this.back);
    const drawing = (this.drawing += 1);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.back.width, this.back.height);
    context.setTransform(
      view.scale * this.ratio,
      0,
      0,
      view.scale * this.ratio,
      view.x * this.ratio,
      view.y * this.ratio,
    );
    drawBands(this, context);
    let next = 0;
    const slice = () => {
      if (this.view !== view || this.drawing !== drawing) return; // moved on
      const end = performance.now() + SLICE;
      while (next < this.scene.sources.length && performance.now() < end)
        next = this.stroke(context, next);
      if (next < this.scene.sources.length) {
        requestAnimationFrame(slice);
        return;
      }
      [this.back, this.lines] = [this.lines, this.back];
      this.kept = view;
      this.frame();
    };
    slice();
  }

  /**
   * Draws some lines of one look; returns where the next ones begin.
   *
   * @param {Context} context
   * @param {number} first
   */
  stroke(context, first) {
    const { sources, targets, flags, places } = this.scene;
    const look = flags[first];
    // Long lines are faint: like ones follow each other, the shortest first.
    const long = lengthOf(this.scene, first) || 1;
    const faded = Math.min(Math.max(this.usual / long, 0.25), 1);
    const strong = (sources.length > 1_500 ? 0.3 : 0.45) * faded;
    // Few cycles among many lines would not be seen.
    const stands = look & IN_CYCLE && !(look & HUB) && this.rare;
    context.globalAlpha = stands ? CYCLE : look & HUB ? 0.3 * strong : strong;
    context.lineWidth = (stands ? 2 : 1) / this.view.scale;
    context.strokeStyle = look & IN_CYCLE ? this.colours.cycle : this.colours.line;
    context.setLineDash(look & DEFERRED ? [5 / this.view.scale, 4 / this.view.scale] : []);
    context.beginPath();
    const loop = (this.size / 2 + LOOP) / this.view.scale;
    let k = first;
    for (; k < sources.length && k < first + BATCH && flags[k] === look; k += 1) {
      const [a, b] = [sources[k], targets[k]];
      if (this.unseen(k)) continue;
      const [x, y] = [places[2 * a], places[2 * a + 1]];
      context.moveTo(x, y);
      if (a !== b) context.lineTo(places[2 * b], places[2 * b + 1]);
      else context.arc(x + loop, y, loop, Math.PI, 3 * Math.PI); // from itself to itself
    }
    context.stroke();
    return k;
  }

  // -- pointing --------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  elementAt(event) {
    const box = this.host.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, nearest] = [-1, Math.max(REACH, this.view.scale * 8) ** 2];
    for (const i of this.seen) {
      const [px, py] = this.onPage(i);
      const far = (px - x) ** 2 + (py - y) ** 2;
      if (far < nearest) [best, nearest] = [i, far];
    }
    return best;
  }

  /** @param {MouseEvent} event */
  hoverAt(event) {
    const i = this.elementAt(event);
    if (i === this.under) return;
    this.under = i;
    this.host.style.cursor = i >= 0 ? "pointer" : "";
    this.frame();
    this.hover(i);
    this.taps.hover(i);
  }

  /** @param {number} i */
  tellOf(i) {
    if (i >= 0 && i === this.under) this.askFor([i]);
  }

  destroy() {
    this.stop.abort();
    this.rest.stop();
    this.hover.stop();
    this.frame.stop();
    this.giveUpLines();
    for (const canvas of this.layers) canvas.remove();
    this.host.style.cursor = "";
  }
}
