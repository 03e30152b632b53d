// What goes between the page and Python: traits, messages, libraries.

/** @import { Bytes, Model, Send, Widget } from "./model.d.ts" */
/** @typedef {() => void} Stop */
/** @typedef {Promise<any> & { there?: boolean, listen?: (from: Model<any>) => void }} Coming */

const LIBRARIES = Symbol.for("ecsviz.libraries");

/**
 * Returns what asks Python for something.
 *
 * @template {Widget} W
 * @param {Model<W>} model
 * @returns {Send<W>}
 */
export function sender(model) {
  return (name, ...facts) => model.send({ do: name, ...facts[0] });
}

/**
 * Calls `taken` with every answer of one name; returns how to stop that.
 *
 * @template {Widget} W
 * @template {keyof W["told"]} K
 * @param {Model<W>} model
 * @param {K} name
 * @param {(message: W["told"][K], buffers: Bytes[]) => void} taken
 * @returns {Stop}
 */
export function onTold(model, name, taken) {
  /** @param {any} message @param {Bytes[]} [buffers] */
  const take = (message, buffers) => {
    if (message?.told === name) taken(message, buffers ?? []);
  };
  model.on("msg:custom", take);
  return () => model.off("msg:custom", take);
}

/**
 * Calls `taken` now and whenever one of the traits changes; returns how to stop that.
 *
 * @template {Widget} W
 * @param {Model<W>} model
 * @param {(keyof W["traits"] & string)[]} names
 * @param {() => void} taken
 * @returns {Stop}
 */
export function follow(model, names, taken) {
  for (const name of names) model.on(`change:${name}`, taken);
  taken();
  return () => {
    for (const name of names) model.off(`change:${name}`, taken);
  };
}

/**
 * Sets a trait and sends it to Python.
 *
 * @template {Widget} W
 * @template {keyof W["traits"]} K
 * @param {Model<W>} model
 * @param {K} name
 * @param {W["traits"][K]} value
 */
export function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/**
 * Returns a typed array on what a trait of bytes, or bytes in a trait, holds.
 *
 * @template A
 * @param {new (source: any) => A} Kind
 * @param {Bytes} [bytes]
 */
export function numbers(Kind, bytes) {
  if (!bytes) return new Kind(0);
  const { buffer, byteOffset, byteLength } =
    bytes instanceof ArrayBuffer
      ? { buffer: bytes, byteOffset: 0, byteLength: bytes.byteLength }
      : bytes;
  // A copy: the message that it came in need not be aligned.
  return new Kind(buffer.slice(byteOffset, byteOffset + byteLength));
}

/** Returns the libraries of the page. @returns {Map<string, Coming>} */
function libraries() {
  const page = /** @type {{ [LIBRARIES]?: Map<string, Coming> }} */ (globalThis);
  return (page[LIBRARIES] ??= new Map());
}

/** Kernels of one page may have other versions of it. @param {string} name */
const keyOf = (name) => `${name} ${MADE}`;

/** Keeps a library that is in the page already. @param {string} name @param {any} made */
export function hold(name, made) {
  libraries().set(keyOf(name), Object.assign(Promise.resolve(made), { there: true }));
}

/**
 * Returns a library, which the kernel sends once a page; waits as long as the kernel is busy.
 *
 * Not in the widget's own bundle, because that is saved into every notebook.
 *
 * @param {Model<any>} model
 * @param {string} name
 * @returns {Promise<any>}
 */
export function library(model, name) {
  const known = libraries();
  const key = keyOf(name);
  const coming = known.get(key);
  if (!coming) {
    const asked = fetchLibrary(model, name);
    known.set(key, asked);
    asked.catch(() => known.delete(key));
    return asked;
  }
  if (!coming.there) {
    model.send({ do: "library", name }); // the kernel that was asked may be gone
    coming.listen?.(model);
  }
  return coming;
}

/** @param {Model<any>} model @param {string} name */
function fetchLibrary(model, name) {
  /** @type {Stop[]} */
  const stops = [];
  /** @type {(from: Model<any>) => void} */
  let listen;
  /** @type {Coming} */
  const asked = new Promise((resolve, reject) => {
    /** @param {Bytes} bytes */
    const take = async (bytes) => {
      if (asked.there) return;
      asked.there = true;
      for (const stop of stops) stop();
      const address = URL.createObjectURL(new Blob([bytes], { type: "text/javascript" }));
      try {
        resolve((await import(/* @vite-ignore */ address)).default);
      } catch (error) {
        reject(error);
      } finally {
        URL.revokeObjectURL(address);
      }
    };
    listen = (from) =>
      stops.push(
        onTold(from, "library", (message, buffers) => {
          if (message.name === name && buffers.length) take(buffers[0]);
        }),
      );
    // `asked` is there only after this function: what came with the widget has a turn of its own.
    queueMicrotask(() => {
      const brought = model.get("_library");
      if (brought?.byteLength) return take(brought);
      listen(model);
      model.send({ do: "library", name });
    });
  });
  asked.listen = (from) => listen(from);
  return asked;
}
