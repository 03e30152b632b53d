// What Python and the page say to each other of an exercise on order: `OrderWidget` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  question: string;
  names: string[];
  said: string;
  right: boolean;
}

export interface Asked extends every.Asked {
  move: { item: string; by?: number; to?: number };
  check: {};
  hint: {};
}

export interface Told extends every.Told {}
