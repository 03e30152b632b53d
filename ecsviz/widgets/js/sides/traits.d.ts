// What Python and the page say to each other of objects and rows: `SideBySide` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  graph: string | null;
  _tables: Table[];
  _told: Said;
}

export interface Asked extends every.Asked {
  pick: { table: number; row: number };
  follow: { table: number; row: number; column: number };
}

export interface Told extends every.Told {}

export interface Said {
  graph: string;
  rows: string;
}

/** Rows of one table: whose each is, and where its keys lead. */
export interface Table {
  name: string;
  said: string;
  columns: Column[];
  ids: string[];
  rows: Value[][];
  leads: Lead[][];
}

export interface Column {
  name: string;
  says: string;
  refers: string;
}

export type Value = string | number | boolean | null;
export type Lead = string | null;
