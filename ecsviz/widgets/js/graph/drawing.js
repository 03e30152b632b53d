// What the two pictures draw, as a sheet that can be saved.

import { SIZE, textOf } from "./boxes.js";
import { BAND } from "./points_ink.js";
import { Sheet } from "./saving.js";
import { CYCLE, IN_CYCLE, cyclesAreRare, grown, mix } from "./scene.js";

/** @import Detail from "./picture_cytoscape.js" */
/** @import { Points } from "./picture_points.js" */

export const ROUND = 12; // px of shaded ground around what stands on it
/** Of a line: its name alone, which stands near its source; of one to itself in its middle. */
export const NAME_ALONE = { includeNodes: false, includeEdges: false, includeTargetLabels: false };

/** Returns boxes and lines as they stand, whatever of it is in sight. @param {Detail} detail */
export function drawnBoxes(detail) {
  const { text, ground, cycle, dark } = detail.colours;
  const seen = detail.cy.elements(":visible");
  const { x1, y1, x2, y2 } = seen.nonempty()
    ? seen.boundingBox()
    : { x1: 0, y1: 0, x2: 10, y2: 10 };
  const sheet = new Sheet({ left: x1, top: y1, right: x2, bottom: y2 }, ground, 26);
  const shade = mix(cycle, ground, dark ? 0.13 : 0.09);
  for (const line of detail.outlines())
    if (line.length)
      sheet.add("path", {
        d: `M${line.map((point) => point.map((v) => v.toFixed(1)).join(" ")).join("L")}Z`,
        fill: shade,
        stroke: shade,
        "stroke-width": 2 * ROUND,
        "stroke-linejoin": "round",
      });
  for (const edge of detail.cy.edges(":visible")) writeLine(detail, sheet, edge);
  for (const node of detail.cy.nodes(":visible")) writeBox(detail, sheet, node);
  let x = x1;
  for (const entry of detail.legend) {
    if (!entry.name) continue;
    sheet.mark(entry.shape, x + 6, y2 + 24, 5, dark ? entry.dark : entry.light);
    sheet.text(entry.name, x + 16, y2 + 24, { fill: text, "font-size": 11 });
    x += 16 + 6.6 * entry.name.length + 18;
  }
  return sheet;
}

/** @param {Detail} detail @param {Sheet} sheet @param {any} edge */
function writeLine(detail, sheet, edge) {
  const [from, to] = [edge.sourceEndpoint(), edge.targetEndpoint()];
  if (![from, to].every((end) => Number.isFinite(end?.x))) return;
  /** @type {{ x: number, y: number }[]} */
  const bends = edge.segmentPoints() ?? [];
  /** @type {{ x: number, y: number }[]} */
  const controls = bends.length ? [] : (edge.controlPoints() ?? []);
  const at = (/** @type {{ x: number, y: number }} */ { x, y }) =>
    `${x.toFixed(1)} ${y.toFixed(1)}`;
  let d = `M${at(from)}`;
  if (controls.length > 1) {
    controls.forEach((control, k) => {
      const next = controls[k + 1];
      const end = next ? { x: (control.x + next.x) / 2, y: (control.y + next.y) / 2 } : to;
      d += `Q${at(control)} ${at(end)}`;
    });
  } else if (controls.length) d += `Q${at(controls[0])} ${at(to)}`;
  else d += bends.map((bend) => `L${at(bend)}`).join("") + `L${at(to)}`;
  const stroke = edge.style("line-color");
  sheet.path(d, {
    stroke,
    width: parseFloat(edge.style("width")),
    dash: edge.hasClass("deferred") ? "5 4" : undefined,
    opacity: Number(edge.style("line-opacity")),
  });
  const before = [...bends, ...controls];
  const heads = [[to, before.at(-1) ?? from]];
  if (edge.hasClass("pair")) heads.push([from, before[0] ?? to]);
  for (const [tip, back] of heads) {
    const angle = Math.atan2(tip.y - back.y, tip.x - back.x);
    const corner = (/** @type {number} */ turn) =>
      at({ x: tip.x - 7 * Math.cos(angle + turn), y: tip.y - 7 * Math.sin(angle + turn) });
    sheet.path(`M${at(tip)}L${corner(0.42)}L${corner(-0.42)}Z`, { fill: stroke });
  }
  const name = edge.style("source-label") || edge.style("label");
  if (!name) return;
  const { x1, y1, x2, y2 } = edge.boundingBox(NAME_ALONE);
  sheet.text(name, (x1 + x2) / 2, (y1 + y2) / 2, {
    fill: detail.colours.muted,
    "font-size": 10,
    "text-anchor": "middle",
    stroke: detail.colours.ground,
    "stroke-width": 3,
    "paint-order": "stroke",
  });
}

/** @param {Detail} detail @param {Sheet} sheet @param {any} node */
function writeBox(detail, sheet, node) {
  const { x, y } = node.position();
  const i = node.data("i");
  const [w, h] = [detail.roomy.sizes[2 * i], detail.roomy.sizes[2 * i + 1]];
  const entry = detail.legend[node.data("code")] ?? detail.legend[0];
  const size = grown(detail.scene, i);
  const fill = detail.colours.dark ? entry.dark : entry.light;
  if (detail.scene.close) {
    sheet.mark(entry.shape, x, y, (w / 2.6) * size, fill);
    if (!node.hasClass("named")) return;
    const high = node.numericStyle("font-size");
    const aside = node.hasClass("over") ? -1 : node.hasClass("below") ? 1 : 0;
    const at = [aside ? x : x + w / 2 + 4, y + aside * (h / 2 + 3 + high / 2)];
    sheet.text(node.data("name"), at[0], at[1], {
      fill: detail.colours.text,
      "font-size": high,
      "text-anchor": aside ? "middle" : "start",
      stroke: detail.colours.ground,
      "stroke-width": high / 4,
      "paint-order": "stroke",
    });
    return;
  }
  sheet.add("rect", {
    x: x - w / 2,
    y: y - h / 2,
    width: w,
    height: h,
    rx: 6,
    fill: node.style("background-color"),
    stroke: node.style("border-color"),
    "stroke-width": 1.2,
    opacity: Number(node.style("opacity")),
  });
  sheet.mark(entry.shape, x - w / 2 + 13.5, y, 4.4 * size, fill);
  const lines = textOf(detail.scene, i).split("\n");
  lines.forEach((line, k) =>
    sheet.text(line, x + 9, y + (k - (lines.length - 1) / 2) * 15, {
      fill: detail.colours.text,
      "font-size": SIZE,
      "text-anchor": "middle",
    }),
  );
}

/** Returns points and lines as they stand, whatever of it is in sight. @param {Points} points */
export function drawnPoints(points) {
  const { scene, colours } = points;
  const sheet = new Sheet(points.bounds(), colours.ground);
  const at = (/** @type {number} */ i) =>
    `${scene.places[2 * i].toFixed(1)} ${scene.places[2 * i + 1].toFixed(1)}`;
  for (const [one, other, share] of scene.bands) {
    const [[, x1, y1, a], [, x2, y2, b]] = [scene.titles[one], scene.titles[other]];
    if (points.hidden(a) || points.hidden(b)) continue;
    const d = `M${x1.toFixed(1)} ${y1.toFixed(1)}L${x2.toFixed(1)} ${y2.toFixed(1)}`;
    sheet.path(d, {
      stroke: colours.line,
      width: Math.max(BAND * share, 0.8),
      opacity: 0.12 + 0.25 * share,
    });
  }
  for (const cyclic of [false, true]) {
    let d = "";
    for (let k = 0; k < scene.sources.length; k += 1) {
      const [a, b] = [scene.sources[k], scene.targets[k]];
      if (Boolean(scene.flags[k] & IN_CYCLE) !== cyclic || points.unseen(k)) continue;
      d += `M${at(a)}${a === b ? "a7 7 0 1 1 14 0a7 7 0 1 1-14 0" : `L${at(b)}`}`;
    }
    const stands = cyclic && cyclesAreRare(scene);
    if (d)
      sheet.path(d, {
        stroke: cyclic ? colours.cycle : colours.line,
        width: stands ? 2 : 1,
        opacity: stands ? CYCLE : 0.35,
      });
  }
  for (let i = 0; i < scene.count; i += 1) {
    if (points.hidden(i)) continue;
    const entry = points.legend[scene.codes[i]] ?? points.legend[0];
    const fill = colours.dark ? entry.dark : entry.light;
    sheet.mark(
      entry.shape,
      scene.places[2 * i],
      scene.places[2 * i + 1],
      5 * grown(scene, i),
      fill,
    );
  }
  return sheet;
}
