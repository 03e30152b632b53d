// The slider of revisions, and with which of them the shown one is compared.

import { fill, focusNear, fresh, h, later } from "../shared/dom.js";

/** @import { Moment } from "./traits.d.ts" */
/** @typedef {(number: number | null) => void} Take */

const OFFERED = 200;

/** Returns the row. @param {{ revision: Take, since: Take }} acts */
export function makePast(acts) {
  const sliderId = fresh("revision");
  const selectId = fresh("since");
  const slider = h("input", {
    type: "range",
    id: sliderId,
    class: "ecsviz-slider",
    min: 0,
    max: 0,
    step: 1,
    on: { input: move },
  });
  const told = h("output", { class: "ecsviz-note", for: sliderId });
  const since = h("select", {
    id: selectId,
    on: { change: () => acts.since(since.value === "" ? null : Number(since.value)) },
  });
  const element = h(
    "div",
    { class: "ecsviz-row ecsviz-past", role: "group", "aria-label": "Revisions" },
    h("label", { for: sliderId }, "Revision"),
    slider,
    told,
    h("span", { class: "ecsviz-space" }),
    h("label", { for: selectId }, "compare with"),
    since,
  );
  /** @type {Moment[]} */
  let moments = [];
  const send = later(
    (/** @type {number} */ place) => acts.revision(moments[place]?.revision ?? null),
    120,
  );

  function move() {
    const place = Number(slider.value);
    say(place);
    send(place);
  }
  /** After the last revision stands the thread as it was given. @param {number} place */
  function say(place) {
    const moment = moments[place];
    const text = moment
      ? [`${moment.revision}`, moment.at, moment.note].filter(Boolean).join(" · ")
      : "the thread as given";
    told.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  }
  return {
    element,
    /** @param {Moment[]} listed */
    offer(listed) {
      moments = listed;
      element.hidden = !moments.length;
      slider.max = String(moments.length);
      const latest = moments.slice(-OFFERED).reverse();
      fill(
        since,
        h("option", { value: "" }, "nothing"),
        latest.map(({ revision, note }) =>
          h("option", { value: revision }, note ? `${revision} · ${note}` : String(revision)),
        ),
      );
    },
    /** @param {number | null} revision @param {number | null} compared */
    show(revision, compared) {
      const place =
        revision === null
          ? moments.length
          : moments.findIndex((moment) => moment.revision === revision);
      if (focusNear(slider) !== slider || Number(slider.value) !== place)
        slider.value = String(place);
      say(place);
      since.value = compared === null ? "" : String(compared);
    },
  };
}
