// What answers the explorer in a page of its own, where there is no Python: everything that can be
// asked was put into the page.

import { count } from "../shared/dom.js";

/** @import { Details, Look, Row, SceneState, Step, Traits } from "./traits.d.ts" */
/**
 * What was put into the page.
 *
 * @typedef {object} Baked
 * @property {Traits} state
 * @property {Partial<Record<string, SceneState>>} scenes - by view
 * @property {Details[]} details - by node
 * @property {Row[]} rows - in the order of saving
 * @property {{ told: string, listed: string[], steps: Step[][] }} cycles
 * @property {{
 *   colours: Record<string, { look: Partial<Look>, codes: DataView }>,
 *   sizes: Record<string, { size: string, sizes: DataView }>,
 * }} looks - by what is coloured by, and the view; by what is sized by, or
 *   "null" and the view
 */

const ROWS = 100;

/** Gives bytes back that stand as texts. @param {any} value @returns {any} */
export function unpacked(value) {
  if (Array.isArray(value)) return value.map(unpacked);
  if (value === null || typeof value !== "object") return value;
  if (typeof value.bytes64 === "string") {
    const text = atob(value.bytes64);
    const bytes = Uint8Array.from({ length: text.length }, (_, k) => text.charCodeAt(k));
    return new DataView(bytes.buffer);
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unpacked(part)]));
}

/** Stands for Python and for the model that a front end keeps of the widget. */
export class Offline {
  /** @param {Baked} baked */
  constructor({ state, scenes, details, rows, cycles, looks }) {
    this.scenes = scenes;
    this.details = details;
    this.rows = rows;
    this.cycles = cycles;
    this.looks = looks;
    /** @type {any} */
    this.state = state;
    this.base = state.view; // the scene on which "around" and "found" are shown
    /** @type {Map<string, Set<Function>>} */
    this.heard = new Map();
    /** @type {Set<string>} */
    this.changed = new Set();
    this.order = rows.map(({ node }) => node);
    this.first = 0;
    this.texts = details.map(({ title, id, fields }) =>
      [title, id, ...fields.map(([, value]) => value ?? "")].join("\n").toLowerCase(),
    );
    this.labels = new Map(rows.map(({ node, label }) => [node, label]));
    this.types = new Map(rows.map(({ node, type }) => [node, type]));
    this.cyclic = new Set(rows.filter(({ cycle }) => cycle).map(({ node }) => node));
    this.matches = this.order;
    this.state._details = {};
    this.find();
  }

  // -- as a model ------------------------------------------------------------------------------

  /** @param {string} name */
  get(name) {
    return this.state[name];
  }

  /** @param {string} name @param {unknown} value */
  set(name, value) {
    this.state[name] = value;
    this.changed.add(name);
  }

  save_changes() {
    const changed = [...this.changed];
    this.changed.clear();
    for (const name of changed) this.take(name);
    for (const name of changed) this.tell(`change:${name}`);
  }

  /** @param {string} event @param {Function} taken */
  on(event, taken) {
    if (!this.heard.has(event)) this.heard.set(event, new Set());
    this.heard.get(event)?.add(taken);
  }

  /** @param {string} event @param {Function} taken */
  off(event, taken) {
    this.heard.get(event)?.delete(taken);
  }

  /** @param {string} event @param {unknown} [message] */
  tell(event, message) {
    for (const taken of this.heard.get(event) ?? []) taken(message, []);
  }

  /** @param {Record<string, unknown>} traits */
  put(traits) {
    Object.assign(this.state, traits);
    for (const name of Object.keys(traits)) this.tell(`change:${name}`);
  }

  // -- as Python -------------------------------------------------------------------------------

  /** @param {string} name */
  take(name) {
    const { state } = this;
    if (name === "step") {
      state._stepping = state.step > 0;
      this.select(state.step ? this.order[state.step - 1] : -1, state._stepping);
    } else if (name === "view") {
      if (this.scenes[state.view]) {
        this.base = state.view;
        state._scene = this.scenes[state.view];
        this.put({ _scene: state._scene, _moved: {}, _picked: this.marks(), ...this.look() });
      }
      this.find();
      this.put({ _at: this.element(state._details.node ?? -1) });
    } else if (name === "cycle") {
      this.steps(state.cycle === null ? [] : this.cycles.steps[state.cycle]);
    } else if (name === "cycle_step") {
      this.select(state._steps[state.cycle_step]?.target ?? -1, false);
    } else if (name === "color_by" || name === "size_by") this.put(this.look());
    else if (name === "picked") this.put({ _picked: this.marks() });
    else if (["search", "type_filter", "cycles_only", "hidden_types", "hops"].includes(name))
      this.find();
  }

  /** @param {any} message */
  send(message) {
    const { element, node, first, elements, how } = message;
    if (message.do === "select") this.select(node, false);
    else if (message.do === "alive") this.tell("msg:custom", { told: "alive" });
    else if (message.do === "rows") this.list(first);
    else if (message.do === "cycles") this.put({ _cycles: this.cycles });
    else if (message.do === "cycle") {
      this.set("cycle", message.number);
      this.save_changes();
    } else if (message.do === "tip") {
      const { title, facts, links } = this.details[this.node(element)];
      this.tell("msg:custom", {
        told: "tip",
        element,
        text: title,
        facts: `${facts}; ${links.told}`,
      });
    } else if (message.do === "labels") {
      const named = message.nodes.map((/** @type {number} */ k) => [k, this.labels.get(k)]);
      this.tell("msg:custom", { told: "labels", labels: Object.fromEntries(named) });
    } else if (message.do === "open") {
      this.select(node, false);
      this.set("view", "around");
      this.save_changes();
    } else if (message.do === "move") {
      this.put({ _moved: { ...this.state._moved, [element]: [message.x, message.y] } });
    } else if (message.do === "pick") this.pick(elements, how);
    else if (message.do === "path") this.path();
  }

  /** Returns how the scene looks. */
  look() {
    const { _scene: scene, color_by: by, size_by: own, _look: before } = this.state;
    const { look, codes } = this.looks.colours[`${by} ${this.base}`] ?? {};
    const sized = this.looks.sizes[own ?? `null ${this.base}`];
    const per = (/** @type {DataView} */ values) => {
      const found = Uint8Array.from({ length: scene.count }, (_, k) =>
        values.getUint8(this.node(k)),
      );
      return new DataView(found.buffer);
    };
    return {
      _look: { ...before, ...look, size: sized?.size ?? "", types: by === "type" && !look?.told },
      _codes: codes ? per(codes) : this.state._codes,
      _sizes: sized ? per(sized.sizes) : new DataView(new ArrayBuffer(0)),
    };
  }

  /** @param {number} element */
  node(element) {
    const { nodes } = this.state._scene;
    return this.state._scene.kind === "map" ? element : nodes.getInt32(4 * element, true);
  }

  /** @param {number} node */
  element(node) {
    const { kind, count: total } = this.state._scene;
    if (kind === "map") return node;
    for (let k = 0; k < total; k += 1) if (this.node(k) === node) return k;
    return -1;
  }

  /** @param {number} node @param {boolean} stepping */
  select(node, stepping) {
    const details = this.details[node];
    this.put({
      _details: details ?? {},
      _stepping: stepping,
      selected: details ? details.id : null,
      step: details ? details.step : 0,
      _at: details ? this.element(node) : -1,
    });
    if (this.state.view === "around") this.find();
  }

  find() {
    const { search, type_filter: type, cycles_only: only, hidden_types: hidden } = this.state;
    const wanted = search.trim().toLowerCase();
    const kept = this.order.filter(
      (node) =>
        (type === null || this.types.get(node) === type) &&
        !hidden.includes(this.types.get(node)) &&
        (!only || this.cyclic.has(node)),
    );
    this.matches = wanted ? kept.filter((node) => this.texts[node].includes(wanted)) : kept;
    const hit = new Set(this.matches);
    const near = this.state.view === "around" ? this.near() : null;
    const shown = new Set(this.state.view === "found" ? this.matches : kept);
    const { count: total } = this.state._scene;
    const mask = new Uint8Array(total);
    for (let k = 0; k < total; k += 1) {
      const node = this.node(k);
      if (shown.has(node) && (!near || near.has(node))) mask[k] = hit.has(node) ? 2 : 1;
    }
    this.put({ _mask: new DataView(mask.buffer) });
    this.list(0);
  }

  near() {
    const found = new Set([this.state._details.node ?? -1]);
    let ring = [...found];
    for (let k = 0; k < this.state.hops; k += 1) {
      ring = ring
        .flatMap((node) => this.details[node]?.links.listed ?? [])
        .map((link) => link.node)
        .filter((node) => !found.has(node) && found.add(node));
    }
    return found;
  }

  /** @param {number} first */
  list(first) {
    const all = this.rows.length;
    const listed = new Set(this.matches.slice(first, first + ROWS));
    const total = this.matches.length;
    const { noun, one } = this.state._about;
    let told = `showing ${count(listed.size)} of ${count(total)} ${total === 1 ? one : noun}`;
    if (total < all) told += ` that match${total === 1 ? "es" : ""}; ${count(all)} in the graph`;
    const rows = this.rows.filter(({ node }) => listed.has(node));
    this.put({ _rows: { first, total, told, listed: rows } });
  }

  marks() {
    const picked = new Set(this.state.picked);
    const { count: total } = this.state._scene;
    const marks = new Uint8Array(picked.size ? total : 0);
    marks.forEach((_, k) => (marks[k] = picked.has(this.details[this.node(k)].id) ? 1 : 0));
    return new DataView(marks.buffer);
  }

  /** @param {number[]} elements @param {string} how */
  pick(elements, how) {
    const chosen = elements.map((element) => this.details[this.node(element)].id);
    const before = new Set(this.state.picked);
    const turned = chosen.filter((id) => !before.has(id));
    const left = [...before].filter((id) => how !== "turn" || !chosen.includes(id));
    this.state.picked = how === "only" ? chosen : [...left, ...turned];
    this.put({ picked: this.state.picked, _picked: this.marks() });
  }

  /** @param {Step[]} steps */
  steps(steps) {
    this.put({ _steps: steps, cycle_step: 0 });
    if (steps.length) this.select(steps[0].target, false);
  }

  path() {
    const ends = this.state.picked.map((/** @type {string} */ id) =>
      this.details.findIndex((details) => details.id === id),
    );
    const steps =
      this.walk(ends[0], ends[1], true) ??
      this.walk(ends[1], ends[0], true) ??
      this.walk(ends[0], ends[1], false);
    const text = "No references lead from one to the other.";
    if (!steps?.length) return this.tell("msg:custom", { told: "error", text });
    this.put({ cycle: null });
    this.steps(steps);
  }

  /** @param {number} from @param {number} to @param {boolean} on @returns {Step[] | null} */
  walk(from, to, on) {
    /** @type {Map<number, Step | null>} */
    const came = new Map([[from, null]]);
    const queue = [from];
    for (const node of queue) {
      if (node === to) break;
      for (const link of this.details[node].links.listed) {
        if (came.has(link.node) || (on && !link.out)) continue;
        const [source, target] = link.out ? [node, link.node] : [link.node, node];
        const { deferred, text } = link;
        const path = link.out ? text.slice(0, text.indexOf(": ")) : "";
        came.set(link.node, { source, target, path, text, deferred });
        queue.push(link.node);
      }
    }
    /** @type {Step[]} */
    const steps = [];
    for (let at = to, step = came.get(at); step; step = came.get(at)) {
      steps.unshift(step);
      at = step.target === at ? step.source : step.target;
    }
    return came.has(to) ? steps : null;
  }
}
