// What Python and the page say to each other of a chat thread: `ThreadExplorer` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  branch: string | null;
  beside: string | null;
  search: string;
  revision: number | null;
  since: number | null;
  status: string;
  markup: boolean;
  _about: About;
  _shown: Shown;
  _rows: DataView<ArrayBuffer>;
  _at: number;
  _hits: Hits | NoHits;
  _place: number;
  _changes: Changes | NoChanges;
}

export interface Asked extends every.Asked {
  select: { node: number };
  messages: { first: number; count: number };
  switch: { node: number; by: number };
  leaves: { first: number };
  hits: { first: number };
  hit: { by: number };
  whole: { node: number };
  json: { node: number };
  beside: { node: number };
  compare: { node: number; by: number };
  see: { revision: number | null } | { since: number | null };
}

export interface Told extends every.Told {
  messages: { edition: number; messages: Facts[] };
  whole: { edition: number; node: number; parts: Part[] };
  json: { edition: number; node: number; text: string };
  leaves: Leaves;
}

export interface About {
  title: string;
  id: string;
  total: number;
  leaves: number;
  forks: number;
  listed: number;
  revisions: Moment[];
}

export interface Moment {
  revision: number;
  at: string;
  note: string;
}

export interface Shown {
  edition: number;
  count: number;
  shared: number;
  messages: Facts[];
}

/** `name` is that of a tool, a file or a language; `picture` is an address that carries one. */
export interface Part {
  kind: string;
  name: string;
  text: string;
  link: string | null;
  picture: string | null;
}

/** What a bubble shows of a message; `fork` is its place among how many answers, `who` the number of
 *  its author where several people write. */
export interface Facts {
  n: number;
  id: string;
  role: string;
  author: string | null;
  who: number | null;
  model: string | null;
  at: string | null;
  parts: Part[];
  cut: boolean;
  length: number;
  hidden: boolean;
  fork: [number, number];
  mark?: "added" | "changed" | "moved" | "reordered";
}

export interface Hits {
  first: number;
  total: number;
  said: string;
  listed: Hit[];
}

/** Nothing was looked for yet. */
export interface NoHits {
  total?: undefined;
  said?: undefined;
  listed?: undefined;
}

/** `parts` are what stands before, at and after what was found. */
export interface Hit {
  n: number;
  role: string;
  parts: [string, string, string];
}

export interface Leaves {
  first: number;
  total: number;
  here: number;
  said: string;
  listed: Leaf[];
}

export interface Leaf {
  n: number;
  role: string;
  text: string;
  length: number;
}

export interface Changes {
  told: string;
  listed: Change[];
}

/** Nothing is compared. */
export interface NoChanges {
  listed?: undefined;
}

export interface Change {
  what: string;
  mark: string;
  node: number | null;
  name: string;
  before: string | null;
  after: string | null;
}
