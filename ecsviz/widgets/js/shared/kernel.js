// What goes between the page and Python: traits, messages, libraries.

const LIBRARIES = Symbol.for("ecsviz.libraries");

/** Calls `taken` with every answer of one name; returns how to stop that. */
export function onTold(model, name, taken) {
  const take = (message, buffers) => {
    if (message?.told === name) taken(message, buffers ?? []);
  };
  model.on("msg:custom", take);
  return () => model.off("msg:custom", take);
}

/** Calls `taken` now and whenever one of the traits changes; returns how to stop that. */
export function follow(model, names, taken) {
  for (const name of names) model.on(`change:${name}`, taken);
  taken();
  return () => {
    for (const name of names) model.off(`change:${name}`, taken);
  };
}

/** Sets a trait and sends it to Python. */
export function put(model, name, value) {
  model.set(name, value);
  model.save_changes();
}

/** Returns a typed array on what a trait of bytes, or bytes in a trait, holds. */
export function numbers(Kind, bytes) {
  if (!bytes) return new Kind(0);
  const { buffer, byteOffset, byteLength } =
    bytes instanceof ArrayBuffer
      ? { buffer: bytes, byteOffset: 0, byteLength: bytes.byteLength }
      : bytes;
  // A copy: the message that it came in need not be aligned.
  return new Kind(buffer.slice(byteOffset, byteOffset + byteLength));
}

/**
 * Returns a library, which the kernel sends once a page; waits as long as the kernel is busy.
 *
 * Not in the widget's own bundle, because that is saved into every notebook.
 */
export function library(model, name) {
  const known = (globalThis[LIBRARIES] ??= new Map());
  if (!known.has(name)) {
    const asked = fetchLibrary(model, name);
    known.set(name, asked);
    asked.catch(() => known.delete(name));
  } else if (!known.get(name).there) {
    model.send({ do: "library", name }); // the kernel that was asked may be gone
    known.get(name).listen?.(model);
  }
  return known.get(name);
}

function fetchLibrary(model, name) {
  const stops = [];
  let listen;
  const asked = new Promise((resolve, reject) => {
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
