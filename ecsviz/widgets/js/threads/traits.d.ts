// What Python and the page say to each other of many threads: `ThreadsExplorer` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  search: string;
  since: string;
  until: string;
  least: number;
  most: number | null;
  branched: boolean;
  order_by: string;
  first: number;
  status: string;
  thread: string | null;
  _model: number;
  _about: About;
  _page: Page;
}

export interface Asked extends every.Asked {
  pick: { id: string };
  back: {};
  filter: { set: Filter };
  sort: { column: number };
  turn: { first: number };
  refresh: {};
}

/** What is not named stays. */
export interface Filter {
  search?: string;
  /** The name that is shown, and where it stood; null for any. */
  model?: { n: number; name: string } | null;
  since?: string;
  until?: string;
  least?: number | null;
  most?: number | null;
  branched?: boolean;
}

export interface Told extends every.Told {}

export interface About {
  threads: number;
  messages: number;
  models: Model[];
  span: [string, string];
  words: boolean;
  size: number;
}

export interface Model {
  name: string;
  count: number;
}

export interface Page {
  first: number;
  total: number;
  rows: Row[];
}

/** `found` is what stands before, at and after the first place; `hits` how many texts have it. */
export interface Row {
  id: string;
  title: string;
  messages: number;
  branches: number;
  models: string;
  first: string;
  last: string;
  found: [string, string, string] | null;
  hits: number;
}
