// What Python and the page say to each other of a store: `StoreExplorer` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  table: string | null;
  search: string;
  order_by: string;
  first: number;
  status: string;
  graph: string | null;
  _about: About;
  _page: Page | NoPage;
  _told: string;
  _cards: Cards | NoCards;
  _hops: number;
}

export interface Asked extends every.Asked {
  table: { n: number; name: string };
  pick: { id: string };
  follow: { id: string };
  search: { text: string };
  sort: { table: string | null; column: number };
  turn: { table: string | null; first: number };
  refresh: {};
  tables: {};
  hops: { hops: number };
}

export interface Told extends every.Told {}

export interface About {
  name: string;
  noun: string;
  entities: number;
  classes: Class[];
  said: string;
  revisions: Revision[];
  revised: string;
  size: number;
}

export interface Class {
  n: number;
  name: string;
  count: number;
  defined: boolean;
}

export interface Revision {
  revision: number;
  at: string;
  note: string;
  counts: string;
}

export interface Page {
  table: string;
  columns: Column[];
  ids: string[];
  rows: Value[][];
  total: number;
}

/** Nothing is stored. */
export interface NoPage {
  table?: undefined;
  columns?: undefined;
  ids?: undefined;
  rows?: undefined;
  total?: undefined;
}

/** Tables with their columns and keys, and where each stands; of a database. */
export interface Cards {
  width: number;
  height: number;
  boxes: Card[];
  lines: Line[];
  said: string;
}

export interface NoCards {
  width?: undefined;
  height?: undefined;
  boxes?: undefined;
  lines?: undefined;
  said?: undefined;
}

export interface Card {
  n: number;
  name: string;
  /** As the list of tables calls it. */
  listed: string;
  table: string;
  rows: number;
  cyclic: boolean;
  x: number;
  y: number;
  width: number;
  marks: number;
  columns: CardColumn[];
  more: number;
}

export interface CardColumn {
  mark: string;
  name: string;
  kind: string;
  leads: number | null;
}

export interface Line {
  source: number;
  target: number;
  many: boolean;
  cyclic: boolean;
  points: [number, number][];
}

export interface Column {
  name: string;
  kind: "text" | "number" | "yes" | "time" | "other" | "entity";
  sorts: boolean;
}

/** What stands in a cell; of an entity its id; of a text that was sought its parts, marked or not. */
export type Value = string | number | boolean | null | [string, boolean][];
