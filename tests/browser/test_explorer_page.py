"""The explorer and the page around it: themes, widths, kernels that are gone."""

from __future__ import annotations

from collections.abc import Callable

from tests.browser.lab import Notebook
from tests.browser.test_explorer import CHAT, GROUPS, PICTURE, drawn, of_colour, pixels, pixels_once

GROUND = "() => getComputedStyle(document.querySelector('.ecsviz-picture')).backgroundColor"
OUTSIDE = """() => {
  const host = document.querySelector(".ecsviz-picture");
  const places = [];
  for (let i = 0; host.placeOf(i)?.every(Number.isFinite) && i < 2000; i += 1)
    places.push(host.placeOf(i));
  const { clientWidth, clientHeight } = host;
  return [places.length, places.filter(
    ([x, y]) => x < 4 || y < 4 || x > clientWidth - 4 || y > clientHeight - 4,
  ).length];
}"""
"""How many elements the picture has, and how many of them are outside of it."""
GONE = "() => document.querySelector('.ecsviz-gone').textContent"


def has(colour: tuple[int, int, int]) -> Callable[[bytes], bool]:
    return lambda shot: of_colour(shot, colour) > 0


def test_all_colours_follow_the_theme(notebook: Notebook) -> None:
    notebook.open("theme", CHAT)
    drawn(notebook, "nodes")
    lines = (0xD5, 0x5E, 0x00), (0xF2, 0x8C, 0x4B)
    entry = notebook.value("w._look['legend'][0]")
    points = tuple(tuple(bytes.fromhex(entry[name][1:])) for name in ("light", "dark"))
    for view, (light, dark) in (("all", lines), ("map", points)):
        notebook.python(f"w.view = {view!r}")
        drawn(notebook, "map" if view == "map" else "nodes")
        before, ground = pixels(notebook), notebook.page.evaluate(GROUND)
        # As other front ends change it: nothing is told, only the style of the page is another.
        notebook.page.add_style_tag(
            content="body.night { --jp-layout-color0: #111; --jp-ui-font-color1: #eee }"
        )
        notebook.page.evaluate(
            "() => { document.body.dataset.jpThemeLight = 'false';"
            " setTimeout(() => document.body.classList.add('night'), 150) }"
        )
        notebook.page.wait_for_function(f"before => ({GROUND})() !== before", arg=ground)
        after = pixels_once(notebook, has(dark))
        assert of_colour(before, light) > of_colour(before, dark)
        assert of_colour(after, dark) > of_colour(after, light), "lines and points"
        assert of_colour(after, (17, 17, 17)) > of_colour(after, (255, 255, 255)), "and the ground"
        notebook.page.evaluate(
            "() => { document.body.dataset.jpThemeLight = 'true';"
            " document.body.classList.remove('night') }"
        )
        notebook.page.wait_for_function(f"before => ({GROUND})() === before", arg=ground)
        again = pixels_once(notebook, has(light))
        assert of_colour(again, light) > 0.9 * of_colour(before, light)


def test_nothing_is_left_outside_when_the_width_changes(notebook: Notebook) -> None:
    page = notebook.page
    try:
        for name, code, kind in (("fits", CHAT, "nodes"), ("fits-points", GROUPS, "groups")):
            notebook.open(name, code)
            drawn(notebook, kind)
            for view in (kind, "map"):
                if view == "map":
                    notebook.python("w.view = 'map'")
                    drawn(notebook, "map")
                for width in (600, 900, 1400):
                    page.set_viewport_size({"width": width, "height": 1000})
                    page.wait_for_timeout(400)
                    count, outside = page.evaluate(OUTSIDE)
                    assert count >= 5
                    assert outside == 0, (name, view, width)
                notebook.shot(f"explorer-{name}-{view}", ".ecsviz-explorer")
        page.focus(PICTURE)
        for _ in range(6):
            page.keyboard.press("+")
        page.wait_for_timeout(200)
        near = page.evaluate(OUTSIDE)[1]
        assert near > 0
        page.set_viewport_size({"width": 1000, "height": 1000})
        page.wait_for_timeout(400)
        assert page.evaluate(OUTSIDE)[1] > 0, "who looks closely goes on looking"
    finally:
        page.set_viewport_size({"width": 1400, "height": 1000})


def test_a_kernel_that_is_gone_is_told_with_what_to_do(notebook: Notebook) -> None:
    notebook.open("gone", CHAT)
    drawn(notebook, "nodes")
    page = notebook.page
    page.click("[data-do='order-next']")
    notebook.wait_for("w.step", 1)
    assert page.evaluate(GONE) == ""
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.restartKernel()")
    page.wait_for_selector(".ecsviz-gone:has-text('The kernel of this widget is gone')")
    assert "Run the cell again" in page.evaluate(GONE)
    notebook.shot("explorer-gone", ".ecsviz-explorer")
    notebook.run_all()
    drawn(notebook, "nodes")
    page.wait_for_selector(".ecsviz-gone", state="hidden")
    page.evaluate("() => jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    page.wait_for_function("() => !jupyterapp.shell.currentWidget.sessionContext.session?.kernel")
    page.click("[data-do='order-next']")
    page.wait_for_selector(".ecsviz-gone:has-text('kernel')")
