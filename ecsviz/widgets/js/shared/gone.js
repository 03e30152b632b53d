// Tells where a widget's kernel is gone: nothing that is clicked would be answered any more.

import { h } from "./dom.js";
import { onTold } from "./kernel.js";

/** @import { Model } from "./model.d.ts" */

const PATIENCE = 8_000; // ms
const QUIET = 5_000; // ms after an answer in which nothing is asked
const GONE =
  "The kernel of this widget is gone: it was restarted, or shut down. What is shown can still be" +
  " looked at. Run the cell again to go on.";
const SILENT =
  "The kernel does not answer: it is busy with another cell, or gone. What is shown can be looked" +
  " at meanwhile. If it was restarted, run the cell again.";

/**
 * Says on top of a widget when its kernel is gone; returns how to stop that.
 *
 * Jupyter tells it. Where nobody does, the kernel is asked when the reader does something.
 *
 * @param {Model<any>} model
 * @param {HTMLElement} root
 */
export function watchKernel(model, root) {
  const note = h("p", { class: "ecsviz-gone ecsviz-error", role: "alert", hidden: true });
  root.prepend(note);
  let timer = 0;
  let answered = 0;
  const say = (/** @type {string} */ text) => {
    note.textContent = text;
    note.hidden = !text;
  };
  const send = () => {
    try {
      model.send({ do: "alive" });
    } catch {
      say(GONE); // there is nobody to send it to
    }
  };
  const ask = () => {
    if (timer || !note.hidden || performance.now() - answered < QUIET) return;
    timer = setTimeout(() => {
      timer = 0;
      if (note.hidden) say(SILENT);
    }, PATIENCE);
    send();
  };
  // The connection is lost, or there again: then there is an answer.
  const turned = () => {
    say(GONE);
    send();
  };
  const done = /** @type {const} */ (["click", "change", "keydown"]);
  for (const event of done) root.addEventListener(event, ask, true);
  model.on("comm_live_update", turned);
  const stop = onTold(model, "alive", () => {
    clearTimeout(timer);
    [timer, answered] = [0, performance.now()];
    say("");
  });
  return () => {
    stop();
    model.off("comm_live_update", turned);
    clearTimeout(timer);
  };
}
