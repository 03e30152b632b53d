// What Python and the page say to each other of a graph: `GraphExplorer` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  view: ViewName;
  group_by: By;
  search: string;
  type_filter: string | null;
  cycles_only: boolean;
  color_by: string;
  size_by: string | null;
  layout_by: string | null;
  hidden_types: string[];
  hidden_fields: string[];
  hops: number;
  picked: string[];
  height: number;
  step: number;
  cycle: number | null;
  cycle_step: number;
  status: string;
  _about: About;
  _scene: Partial<SceneState>;
  _look: Look;
  _codes: DataView<ArrayBuffer>;
  _sizes: DataView<ArrayBuffer>;
  _details: Details | NoDetails;
  _at: number;
  _mask: DataView<ArrayBuffer>;
  _picked: DataView<ArrayBuffer>;
  _moved: Moved;
  _rows: Rows;
  _cycles: Cycles | NoCycles;
  _stepping: boolean;
  _steps: Step[];
}

export interface Asked extends every.Asked {
  select: { node: number };
  open: { node: number } | { group: number };
  close: { node: number; group: number };
  rows: { first: number };
  labels: { nodes: number[] };
  cycles: {};
  cycle: { number: number | null };
  tip: { element: number };
  move: { element: number; x: number; y: number };
  pick: { elements: number[]; how: "only" | "more" | "turn" };
  path: {};
}

export interface Told extends every.Told {
  labels: { labels: Record<string, string> };
  tip: { element: number; text: string; facts: string };
}

/** By element, as text: where it was put. */
export type Moved = Record<string, [number, number]>;
export type ViewName = "all" | "groups" | "map" | "around" | "found";
export type By = "auto" | "component" | "type";
export type Shape = "circle" | "square" | "up" | "diamond" | "down" | "plus" | "cross";

export interface About {
  edition: number;
  count: number;
  noun: string;
  /** The same of one. */
  one: string;
  references: number;
  cyclic: number;
  pairs: boolean;
  limit: number;
  live: boolean;
  /** Without Python: a page of its own. */
  alone: boolean;
  rows: number;
  types: [string, number][];
  /** What one can colour and size by. */
  colours: string[];
  sizes: string[];
  /** How what is shown one by one can be placed. */
  layouts: string[];
}

export interface Look {
  legend: LegendEntry[];
  /** What entries without a name stand for. */
  told: string;
  /** Whether those are a scale of numbers. */
  bar: boolean;
  size: string;
  /** Whether entries are types, which can be hidden. */
  types: boolean;
}

export interface LegendEntry {
  name: string;
  shape: Shape;
  light: string;
  dark: string;
  count: number;
}

/** A scene as it comes: numbers are bytes. See `decode` for what becomes of them. */
export interface SceneState {
  edition: number;
  kind: "nodes" | "groups" | "map";
  told: string;
  close: boolean;
  labels: string[];
  notes: string[];
  names: string[];
  fields: string[];
  count: number;
  nodes: DataView<ArrayBuffer>;
  groups: DataView<ArrayBuffer>;
  steps: DataView<ArrayBuffer>;
  places: DataView<ArrayBuffer>;
  sizes: DataView<ArrayBuffer>;
  sources: DataView<ArrayBuffer>;
  targets: DataView<ArrayBuffer>;
  flags: DataView<ArrayBuffer>;
  kinds: DataView<ArrayBuffer>;
  outlines: DataView<ArrayBuffer>;
  hulls: DataView<ArrayBuffer>;
  starts: DataView<ArrayBuffer>;
  leading: DataView<ArrayBuffer>;
  bends: DataView<ArrayBuffer>;
  /** Of communities: their lines, where, and their most telling member. */
  titles: [string, number, number, number][];
  bands: [number, number, number][];
}

/** What of it becomes arrays. */
export type Numbers = {
  [K in keyof SceneState]: SceneState[K] extends DataView ? K : never;
}[keyof SceneState];

export interface Details {
  node: number;
  step: number;
  title: string;
  facts: string;
  id: string;
  fields: [string, string | null][];
  fieldsTold: string;
  links: Links;
}

/** Nothing is selected. */
export interface NoDetails {
  node?: undefined;
  title?: undefined;
  facts?: undefined;
}

export interface Links {
  told: string;
  listed: Link[];
}

export interface Link {
  text: string;
  node: number;
  out: boolean;
  deferred: boolean;
}

export interface Rows {
  first: number;
  total: number;
  told: string;
  listed: Row[];
}

export interface Row {
  node: number;
  step: number;
  type: string;
  label: string;
  out: number;
  in: number;
  cycle: boolean;
}

export interface Cycles {
  told: string;
  listed: string[];
}

/** Nobody has asked for them. */
export interface NoCycles {
  told?: undefined;
  listed?: undefined;
}

export interface Step {
  source: number;
  target: number;
  path: string;
  text: string;
  deferred: boolean;
}
