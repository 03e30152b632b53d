// What Python and the page say to each other, of every widget. Those of one widget are declared in
// its own folder; tests/test_widgets_declared.py holds all of them to Python.

declare global {
  /** What tells one build of the bundles from another; build.mjs puts it in. */
  const MADE: string;
}

/** A widget: its traits, what the page may ask for, and what Python tells. */
export interface Widget {
  traits: Traits;
  asked: Asked;
  told: Told;
}

export interface Traits {
  selected: string | null;
  _mark: string;
  _library: DataView<ArrayBuffer>;
}

/** By what a message does: what else it says. */
export interface Asked {
  library: { name: string };
  alive: {};
}

/** By what a message tells: what else it says. */
export interface Told {
  error: { text: string };
  library: { name: string };
  alive: {};
}

/** Bytes as they come with a message. */
export type Bytes = DataView<ArrayBuffer> | ArrayBuffer;

/** What anywidget gives to `render` and what we use of it. */
export interface Model<W extends Widget> {
  get<K extends keyof W["traits"]>(name: K): W["traits"][K];
  set<K extends keyof W["traits"]>(name: K, value: W["traits"][K]): void;
  save_changes(): void;
  send(message: object): void;
  on(event: string, taken: Function): void;
  off(event: string, taken: Function): void;
}

/** What shows widgets; a trait names one, and it is shown until the signal says so. */
export interface Host {
  getWidget(reference: string): Promise<{
    render(shown: { el: HTMLElement; signal: AbortSignal }): Promise<void>;
  }>;
}

export interface Shown<W extends Widget> {
  model: Model<W>;
  el: HTMLElement;
}

/** A widget that holds others. */
export interface Holds<W extends Widget> extends Shown<W> {
  host: Host;
}

/** Asks Python for something. */
export type Send<W extends Widget> = <K extends keyof W["asked"]>(
  name: K,
  ...facts: {} extends W["asked"][K] ? [] : [W["asked"][K]]
) => void;
