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
  graph: string | object | null;
  _about: About;
  _page: Page | NoPage;
  _told: string;
}

export interface Asked extends every.Asked {
  table: { n: number };
  pick: { row: number };
  follow: { row: number; column: number };
  search: { text: string };
  sort: { column: number };
  turn: { first: number };
  refresh: {};
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
  columns: Column[];
  ids: string[];
  rows: Value[][];
  total: number;
}

/** Nothing is stored. */
export interface NoPage {
  columns?: undefined;
  ids?: undefined;
  rows?: undefined;
  total?: undefined;
}

export interface Column {
  name: string;
  kind: "text" | "number" | "yes" | "time" | "other" | "entity";
  sorts: boolean;
}

/** What stands in a cell; of an entity its id; of a text that was sought its parts, marked or not. */
export type Value = string | number | boolean | null | [string, boolean][];
