import "../shared/widgets.css";
import { fill, h } from "../shared/dom.js";
import { onTheme } from "../shared/theme.js";
export default {
  render({ model, el }) {
    el.classList.add("ecsviz");
    fill(el, h("button", { on: { click: () => { model.set("selected", "x"); model.save_changes(); } } }, "hello"));
    return onTheme(el, () => {});
  },
};
