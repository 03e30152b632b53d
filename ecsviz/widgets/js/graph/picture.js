// The picture: whichever of the two ways to draw fits what is shown, and how one moves in it.

import { button, focusNear, h, later } from "../shared/dom.js";
import { library } from "../shared/kernel.js";
import { makeTip } from "./hints.js";
import { inside, makeLasso } from "./lasso.js";
import { makeMinimap } from "./minimap.js";
import { save } from "./saving.js";
import { colours } from "../shared/theme.js";
import { Points } from "./picture_points.js";

/** @import { Model } from "../shared/model.d.ts" */
/** @import Detail from "./picture_cytoscape.js" */
/** @import { Look, Moved, Widget } from "./traits.d.ts" */
/** @import { Pair, Scene } from "./scene.js" */

/**
 * What a picture says of the reader: by element, -1 is the ground.
 *
 * @typedef {object} Taps
 * @property {(element: number, more: boolean) => void} tap - `more`: besides what is picked
 * @property {(element: number) => void} hover
 * @property {(element: number, x: number, y: number) => void} put
 * @property {() => void} moved - what is in sight is another part
 * @property {(element: number) => void} open
 * @property {(nodes: number[]) => void} ask - for labels
 */

const HELP =
  "Arrow keys go along references: down to what is held, up to what holds it, left and right" +
  " to others of the same. Enter opens, Shift+Enter closes, Escape leaves, slash searches, plus," +
  " minus and zero zoom.";

const PATIENCE = 1_500; // ms

/**
 * Returns the picture. `acts.key` takes the keys that are not its own, and tells whether it did;
 * `alone` is called where the kernel does not answer.
 *
 * @param {Model<Widget>} model
 * @param {Omit<Taps, "hover" | "moved"> & {
 *   helpId: string,
 *   alone(): void,
 *   key(event: KeyboardEvent): boolean,
 *   tip(element: number): void,
 *   pick(elements: number[], how: "only" | "more" | "turn"): void,
 *   high(height: number): void,
 * }} acts
 */
export function makePicture(model, acts) {
  const tip = makeTip();
  let under = -1;
  const ask = later((/** @type {number} */ element) => element === under && acts.tip(element), 200);
  /** @type {Taps} */
  const taps = {
    ...acts,
    hover(element) {
      under = element;
      tip.hide();
      if (element >= 0) ask(element);
    },
    moved() {
      tip.hide();
      minimap.draw();
      if (!whole.hidden) offer();
    },
  };
  const stage = h("div", { class: "ecsviz-stage" });
  const help = h("p", { class: "ecsviz-unseen", id: acts.helpId }, HELP);
  const host = h(
    "div",
    {
      class: "ecsviz-picture",
      tabindex: "0",
      role: "application",
      "aria-label": "Picture of the graph",
      "aria-roledescription": "graph",
      "aria-describedby": acts.helpId,
    },
    stage,
  );
  const lasso = makeLasso(
    host,
    () => colours(host).accent,
    (line, more) => {
      const now = ready();
      if (!now) return;
      const hit = Array.from({ length: now.scene.count }, (_, i) => i).filter((i) => {
        const [x, y] = now.placeOf(i);
        return !now.hidden(i) && inside(line, x, y);
      });
      acts.pick(hit, more ? "more" : "only");
    },
  );
  const minimap = makeMinimap(
    () => {
      const now = ready();
      if (!now || !last) return null;
      const { muted, accent } = colours(host);
      return {
        places: now.places,
        count: last.count,
        bounds: now.bounds(),
        sight: now.sight(),
        whole: now.whole(),
        ink: muted,
        accent,
      };
    },
    (x, y) => ready()?.go(x, y),
  );
  const all = () => {
    drawing?.fit();
    offer();
  };
  const whole = button(
    { class: "ecsviz-part", "data-do": "see-all", hidden: true },
    all,
    "This is a part: show all",
  );
  // While a part is shown so that it can be read, one click shows all.
  const offer = () => void (whole.hidden = !ready()?.part || Boolean(ready()?.whole()));
  host.append(lasso.element, tip.element);
  /** @type {Points | Detail | null} */
  let drawing = null;
  /** @type {Scene | null} - what is to be shown, in case that Cytoscape comes later */
  let last = null;
  let gone = false;
  const now = {
    /** @type {Uint8Array} */
    mask: new Uint8Array(0),
    /** @type {Uint8Array} */
    picked: new Uint8Array(0),
    /** @type {Partial<Look>} */
    look: {},
    /** @type {Moved} */
    put: {},
    /** @type {Set<string>} */
    fields: new Set(),
    at: -1,
    step: 0,
    /** @type {[Pair[], number]} */
    way: [[], -1],
  };

  // While a scene is on its way, what belongs to it waits.
  const ready = () => (drawing !== null && drawing.scene === last ? drawing : null);
  /** @param {Points | Detail} drawing @param {Scene} scene */
  const apply = (drawing, scene) => {
    drawing.put(now.put);
    if (now.mask.length === scene.count) drawing.mask(now.mask);
    drawing.pick(now.picked);
    if (now.fields.size) drawing.hideFields(now.fields);
    drawing.saved(now.step);
    drawing.way(...now.way);
    if (now.at < scene.count) drawing.point(now.at, false);
  };
  /** @param {Scene} scene @param {() => Points | Detail} make */
  const draw = (scene, make) => {
    if (gone || last !== scene) return;
    const made = make();
    if (made !== drawing) {
      drawing?.destroy();
      drawing = made;
    }
    made.dress(now.look);
    made.show(scene);
    apply(made, scene);
    minimap.anew();
    offer();
    host.dataset.drawn = scene.kind;
  };
  const asPoints = () =>
    drawing instanceof Points ? drawing : new Points(stage, colours(host), taps);
  const show = async (/** @type {Scene} */ scene) => {
    last = scene;
    if (scene.kind === "map") return draw(scene, asPoints);
    /** @type {Promise<typeof Detail>} */
    const coming = library(model, "cytoscape");
    // A kernel that is busy with another cell sends nothing: meanwhile there are points.
    const waits = [
      setTimeout(() => draw(scene, asPoints), PATIENCE),
      setTimeout(() => !gone && acts.alone(), 12 * PATIENCE),
    ];
    const Detailed = await coming.finally(() => waits.forEach((timer) => clearTimeout(timer)));
    draw(scene, () =>
      drawing instanceof Detailed ? drawing : new Detailed(stage, colours(host), taps),
    );
  };

  // For tests, which click where a reader would.
  const placeOf = (/** @type {number} */ element) =>
    last && element < last.count ? (ready()?.placeOf(element) ?? null) : null;
  Object.assign(host, { placeOf });
  host.addEventListener("pointerdown", () => host.focus({ preventScroll: true }));
  host.addEventListener("keydown", (event) => {
    const key = event.key;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (key === "+" || key === "=") drawing?.zoom(1.25);
    else if (key === "-") drawing?.zoom(0.8);
    else if (key === "0") all();
    else if (!acts.key(event)) return;
    event.preventDefault();
    event.stopPropagation();
  });
  // A page that is scrolled past a picture must not be caught by it.
  host.addEventListener(
    "wheel",
    (event) => {
      if (!event.ctrlKey && !event.metaKey && !host.contains(focusNear(host)))
        event.stopPropagation();
    },
    { capture: true },
  );
  const sized = new ResizeObserver(() => {
    drawing?.resize();
    minimap.draw();
    offer();
  });
  sized.observe(stage);
  // Its lower edge was pulled.
  host.addEventListener("pointerup", () => {
    if (host.style.height) acts.high(host.clientHeight);
  });
  host.addEventListener("pointerleave", tip.hide);

  return {
    element: h("div", { class: "ecsviz-frame" }, host, whole, minimap.element, help),
    focus: () => host.focus({ preventScroll: true }),
    show,
    name: (/** @type {string} */ text) =>
      host.setAttribute("aria-label", `Picture of the graph: ${text}`),
    labels: (/** @type {Record<string, string>} */ labels) =>
      drawing instanceof Points && drawing.name(labels),
    /** Colours anew what is drawn, once the page around it has its theme. */
    theme() {
      drawing?.theme(colours(host));
      minimap.anew();
    },
    /** Shows other colours and sizes, which the scene holds. @param {Partial<Look>} look */
    look(look) {
      now.look = look;
      ready()?.dress(look);
    },
    lasso: lasso.always,
    /** @param {"svg" | "png"} kind */
    save: (kind) => void (drawing && save(drawing.drawn(), kind)),
    /** @param {number} element @param {string} text @param {string} facts */
    tip(element, text, facts) {
      const place = element === under ? placeOf(element) : null;
      if (place) tip.show(text, facts, /** @type {[number, number]} */ (place));
    },
    /** @param {number} height */
    high(height) {
      host.style.removeProperty("height");
      host.style.setProperty("--ev-height", `${height}px`);
    },
    /** @param {Moved} moved */
    put(moved) {
      now.put = moved;
      ready()?.put(moved);
      minimap.anew();
    },
    /** @param {string[]} names */
    hideFields(names) {
      now.fields = new Set(names);
      ready()?.hideFields(now.fields);
    },
    /** @param {Uint8Array} values */
    pick(values) {
      now.picked = values;
      ready()?.pick(values);
    },
    zoom: (/** @type {number} */ factor) => drawing?.zoom(factor),
    fit: all,
    /** @param {Uint8Array} values */
    mask(values) {
      now.mask = values;
      if (values.length === last?.count) ready()?.mask(values);
    },
    /** @param {number} at */
    point(at) {
      now.at = at;
      const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
      if (last && at < last.count) ready()?.point(at, !still);
    },
    /** @param {number} step */
    saved(step) {
      now.step = step;
      ready()?.saved(step);
    },
    /** @param {Pair[]} pairs @param {number} which */
    way(pairs, which) {
      now.way = [pairs, which];
      ready()?.way(pairs, which);
    },
    destroy() {
      gone = true;
      sized.disconnect();
      lasso.destroy();
      ask.stop();
      minimap.draw.stop();
      drawing?.destroy();
    },
  };
}
