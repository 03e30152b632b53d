// What Python and the page say to each other of a lesson: `LessonPage` in Python.

import type * as every from "../shared/model.d.ts";

export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits extends every.Traits {
  dark: boolean;
}

export interface Asked extends every.Asked {}

export interface Told extends every.Told {}
