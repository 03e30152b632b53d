// How Cytoscape draws elements and lines.

import { FONT, SIZE } from "./boxes.js";
import { HUB, grown, markImage, mix } from "./scene.js";

/** @import * as cy from "cytoscape" */
/** @import { Colours } from "../shared/theme.js" */
/** @import { Scene } from "./scene.js" */
/** @import { LegendEntry } from "./traits.d.ts" */
/** @typedef {string | number | number[] | ((element: any) => string | number)} Setting */
/** @typedef {{ selector: string, style: Record<string, Setting> }} Look */

export const NAMED = 90; // lines: with more of them, names of fields would hide the picture
export const CURVED = 700; // lines: more are drawn straight, which is quicker

/** The more lines fan out from hubs the fainter each is: else they are all that one sees. @param {Scene} scene */
function fanOpacity({ flags }) {
  const fanned = flags.reduce((sum, flag) => sum + (flag & HUB ? 1 : 0), 0);
  const crowd = flags.length > CURVED ? 0.6 : 1;
  return Math.min(Math.max((1.6 * crowd) / Math.sqrt(Math.max(fanned, 1)), 0.04), 0.3);
}

/**
 * Returns how Cytoscape draws a scene.
 *
 * @param {Scene} scene
 * @param {Colours} colours
 * @param {LegendEntry[]} legend
 * @returns {Look[]}
 */
export function looksOf(scene, colours, legend) {
  const { text, muted, line, accent, cycle, ground, dark } = colours;
  /** @param {cy.NodeSingular} node */
  const entry = (node) => legend[node.data("code")] ?? legend[0];
  /** @param {cy.NodeSingular} node */
  const colour = (node) => (dark ? entry(node).dark : entry(node).light);
  const marked = (/** @type {cy.NodeSingular} */ node) => 11 * grown(scene, node.data("i"));
  const few = scene.sources.length <= NAMED;
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle",
        width: "data(w)",
        height: "data(h)",
        "background-color": (node) => mix(colour(node), ground, dark ? 0.24 : 0.13),
        "border-width": 1.2,
        "border-color": (node) => mix(colour(node), ground, 0.75),
        "background-image": (node) => markImage(entry(node).shape, colour(node)),
        "background-width": marked,
        "background-height": marked,
        "background-position-x": (node) => 13.5 - marked(node) / 2,
        "background-position-y": "50%",
        "background-clip": "none",
        label: "data(label)",
        color: text,
        "font-size": SIZE,
        "font-family": FONT,
        "min-zoomed-font-size": 5,
        "text-wrap": "wrap",
        "text-max-width": 400,
        "text-valign": "center",
        "text-halign": "center",
        "text-margin-x": 9,
        "line-height": 1.25,
      },
    },
    {
      selector: "node.dot",
      style: {
        "background-opacity": 0,
        "border-opacity": 0,
        "background-width": (node) => `${100 * grown(scene, node.data("i"))}%`,
        "background-height": (node) => `${100 * grown(scene, node.data("i"))}%`,
        "background-position-x": "50%",
        label: "",
        "text-halign": "right",
        "text-margin-x": 4,
        "text-outline-color": ground,
        "text-outline-width": 3,
      },
    },
    {
      selector: "node.dot.named",
      style: {
        label: "data(name)",
        "font-size": (node) => 12 / node.cy().zoom(), // however far away
        "text-wrap": "none",
        "text-outline-width": (node) => 2 / node.cy().zoom(),
        "min-zoomed-font-size": 0,
        "z-index": 7,
      },
    },
    ...["over", "below"].map((where) => ({
      selector: `node.dot.${where}`,
      style: {
        "text-halign": "center",
        "text-valign": where === "over" ? "top" : "bottom",
        "text-margin-x": 0,
        "text-margin-y": where === "over" ? -3 : 3,
      },
    })),
    {
      selector: "node.dot.told, node.dot.under",
      style: {
        label: "data(label)",
        "font-size": (node) => Math.min(Math.max(12 / node.cy().zoom(), 10), 60), // however far away
        "z-index": 8,
      },
    },
    { selector: "node.pile", style: { "border-style": "double", "border-width": 4 } },
    {
      selector: "edge",
      style: {
        width: 1.2,
        "line-color": line,
        "target-arrow-color": line,
        "target-arrow-shape": "triangle",
        "arrow-scale": 0.75,
        "curve-style": scene.sources.length <= CURVED ? "bezier" : "straight",
        "control-point-step-size": 28,
        ...(few
          ? {
              // Nearer to the holder: so two that lead to and fro do not write over each other.
              "source-label": "data(name)",
              "source-text-offset": "data(offset)",
              "font-size": 10,
              "font-family": FONT,
              color: muted,
              "min-zoomed-font-size": 7,
              "text-outline-color": ground,
              "text-outline-width": 2,
              "text-outline-opacity": 0.8,
              "text-events": "no",
            }
          : {}),
      },
    },
    {
      selector: "edge:loop",
      style: {
        "loop-direction": "90deg",
        "loop-sweep": "35deg",
        "control-point-step-size": (edge) => edge.source().data("w") / 2.8 + 30,
        ...(few ? { "source-label": "", label: "data(name)", "text-margin-y": -8 } : {}),
      },
    },
    {
      selector: "edge.bent",
      style: {
        "curve-style": "round-segments",
        "segment-weights": "data(weights)",
        "segment-distances": "data(distances)",
        "segment-radii": 14,
        "edge-distances": "node-position",
      },
    },
    {
      selector: "edge.pair",
      style: { "source-arrow-shape": "triangle", "source-arrow-color": line },
    },
    { selector: "edge.cyclic", style: { "line-color": cycle, "target-arrow-color": cycle } },
    { selector: "edge.deferred", style: { "line-style": "dashed", "line-dash-pattern": [5, 4] } },
    {
      selector: "edge.hub",
      style: {
        width: 1,
        "line-opacity": fanOpacity(scene),
        "arrow-scale": 0.5,
        "source-label": "",
      },
    },
    { selector: "edge.unnamed, edge.covered", style: { "source-label": "", label: "" } },
    { selector: "node.later", style: { opacity: 0.35 } },
    { selector: "node.faded", style: { opacity: 0.22 } },
    { selector: ".hidden", style: { display: "none" } },
    { selector: "edge.near", style: { width: 2.2, "line-opacity": 1, "z-index": 5 } },
    {
      selector: "edge.way",
      style: {
        width: 2.6,
        "line-opacity": 1,
        "line-color": cycle,
        "target-arrow-color": cycle,
        "source-arrow-color": cycle,
        "z-index": 6,
      },
    },
    {
      selector: "node.way",
      style: { opacity: 1, "border-width": 2, "border-opacity": 1, "border-color": cycle },
    },
    {
      selector: "edge.now",
      style: {
        width: 5,
        "line-color": accent,
        "target-arrow-color": accent,
        "source-arrow-color": accent,
        "z-index": 7,
        "source-label": "data(name)",
        "source-text-offset": "data(offset)",
        "font-size": 12,
        color: text,
        "text-outline-color": ground,
        "text-outline-width": 3,
      },
    },
    {
      selector: "node.picked",
      style: { "border-width": 3, "border-opacity": 1, "border-color": accent },
    },
    {
      selector: "node.dot.picked",
      style: { "underlay-color": accent, "underlay-opacity": 0.35, "underlay-padding": 5 },
    },
    {
      selector: "node.chosen",
      style: {
        opacity: 1,
        "border-width": 3,
        "border-opacity": 1,
        "border-color": accent,
        "border-style": "solid",
        "z-index": 9,
      },
    },
  ];
}
