// The explorer in a page of its own: its state stands in the page, and nothing is asked of anybody.

import explorer from "./explorer.js";
import { Offline, unpacked } from "./offline.js";
import Detail from "./picture_cytoscape.js";
import { hold } from "../shared/kernel.js";

hold("cytoscape", Detail);

const state = document.getElementById("ecsviz-state")?.textContent ?? "{}";
const place = document.getElementById("ecsviz-explorer");
const model = /** @type {any} */ (new Offline(unpacked(JSON.parse(state))));
if (place) explorer.render({ model, el: place });
