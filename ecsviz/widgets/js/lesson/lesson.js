// The part of a lesson that only a page can tell: whether it is dark, and that it is alive. All that
// one sees of it are Jupyter's own controls, which Python puts together.

import "./lesson.css";
import { fill, h } from "../shared/dom.js";
import { watchKernel } from "../shared/gone.js";
import { put } from "../shared/kernel.js";
import { hideStill } from "../shared/still.js";
import { isDark, onTheme } from "../shared/theme.js";

/** @import * as base from "../shared/model.d.ts" */
/** @import { Widget } from "./traits.d.ts" */

/** @param {base.Shown<Widget>} shown */
function render({ model, el }) {
  const root = h("div", { class: "ecsviz ecsviz-lesson" });
  fill(el, root);
  const tell = () => {
    if (model.get("dark") !== isDark(root)) put(model, "dark", isDark(root));
  };
  const stops = [onTheme(root, tell), hideStill(model), watchKernel(model, root)];
  return () => {
    for (const stop of stops) stop();
  };
}

export default { render };
