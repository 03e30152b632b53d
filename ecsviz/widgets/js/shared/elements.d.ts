// What elements are made of: the types of dom.js.

import type { ATTRIBUTES, TAGS } from "./dom.js";

/** The words of a text. */
type Words<T> = T extends `${infer First} ${infer Rest}` ? First | Words<Rest> : T;

export type Tag = Words<(typeof TAGS)[number]> & keyof HTMLElementTagNameMap;
export type Attribute = Words<(typeof ATTRIBUTES)[number]> | `aria-${string}` | `data-${string}`;
export type Setting = string | number | boolean | null | undefined;

export type Props = { [name in Attribute]?: Setting } & {
  on?: Handlers;
  style?: Record<string, string>;
};

/** What happens to an element has an element as its target. */
export type Happened<E extends Event> = E & { readonly target: Element };
export type Handlers = {
  [name in keyof HTMLElementEventMap]?: (event: Happened<HTMLElementEventMap[name]>) => void;
};

export type Child = Node | string | null | undefined | false;
export type Children = Child | Child[];
