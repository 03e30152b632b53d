// The explorer in a page of its own: its state stands in the page, and nothing is asked of anybody.

import explorer from "./explorer.js";
import { Offline, unpacked } from "./offline.js";
import cytoscape from "../libraries/cytoscape.js";

const LIBRARIES = Symbol.for("ecsviz.libraries");
const page = /** @type {any} */ (globalThis);
page[LIBRARIES] = new Map([
  ["cytoscape", Object.assign(Promise.resolve(cytoscape), { there: true })],
]);

const state = document.getElementById("ecsviz-state")?.textContent ?? "{}";
const place = document.getElementById("ecsviz-explorer");
const model = /** @type {any} */ (new Offline(unpacked(JSON.parse(state))));
if (place) explorer.render({ model, el: place });
