"""What one does in the explorer's picture: moving, picking, hiding, saving."""

from __future__ import annotations

import io
from pathlib import Path
from xml.etree import ElementTree as ET

import matplotlib.image
import numpy as np

from tests.browser.lab import Notebook
from tests.browser.test_explorer import CHAT, GROUPS, PICTURE, click, drawn, element_of

SVG = "{http://www.w3.org/2000/svg}"
FOUR = CHAT.replace("graph.explore()", "graph.explore(height=380)")


def place_of(notebook: Notebook, element: int) -> tuple[float, float]:
    """Return where an element is on the page."""
    x, y = notebook.page.evaluate(f"i => document.querySelector('{PICTURE}').placeOf(i)", element)
    box = notebook.page.locator(PICTURE).bounding_box()
    return box["x"] + x, box["y"] + y


def along(notebook: Notebook, *places: tuple[float, float]) -> None:
    """Draw a line with the mouse."""
    mouse = notebook.page.mouse
    mouse.move(*places[0])
    mouse.down()
    for place in places[1:]:
        mouse.move(*place, steps=4)
    mouse.up()


def around_all(notebook: Notebook, share: float) -> None:
    """Draw a line around the left part of the picture."""
    box = notebook.page.locator(PICTURE).bounding_box()
    left, top, bottom = box["x"] + 2, box["y"] + 2, box["y"] + box["height"] - 2
    right = left + share * (box["width"] - 4)
    along(notebook, (left, top), (right, top), (right, bottom), (left, bottom))


def saved(notebook: Notebook, kind: str, folder: Path) -> bytes:
    with notebook.page.expect_download() as download:
        notebook.page.click(f"[data-do=save-{kind}]")
    path = folder / f"graph.{kind}"
    download.value.save_as(path)
    assert download.value.suggested_filename == path.name
    return path.read_bytes()


def test_moving_picking_and_paths(notebook: Notebook) -> None:
    notebook.open("tools", FOUR)
    drawn(notebook, "nodes")
    page = notebook.page
    assert page.evaluate(f"document.querySelector('{PICTURE}').clientHeight") == 380

    way = element_of(notebook, "way")
    before = notebook.value("w.positions[way.ecs_id]")
    x, y = place_of(notebook, way)
    along(notebook, (x, y), (x + 20, y + 10), (x + 60, y + 25))
    notebook.wait_for(f"list(w._moved) == [{str(way)!r}]", expected=True)
    after = notebook.value("w.positions[way.ecs_id]")
    assert after[0] > before[0] + 20
    assert after[1] > before[1] + 10
    assert notebook.value("w.selected") is None, "what is dragged is not clicked"
    there = place_of(notebook, way)
    notebook.python("w.view = 'groups'")
    drawn(notebook, "groups")
    notebook.python("w.view = 'all'")
    drawn(notebook, "nodes")
    notebook.python("w.search = 'loop'")
    assert np.allclose(place_of(notebook, way), there, atol=2), "it stays where it was put"
    notebook.python("w.search = ''")

    page.mouse.move(*place_of(notebook, element_of(notebook, "question")))
    page.wait_for_selector(".ecsviz-tip:has-text('ChatMessage user: What is a cycle?')")
    assert "out" in page.inner_text(".ecsviz-tip")

    page.keyboard.down("Shift")
    around_all(notebook, 1)
    page.keyboard.up("Shift")
    notebook.wait_for("len(w.picked)", 5)
    notebook.wait_for("sorted(w.selection['label']) == sorted(graph.nodes_frame()['label'])", True)
    assert "5 picked" in page.inner_text(".ecsviz-foot")
    page.click("[data-do=unpick]")
    notebook.wait_for("w.picked", [])
    for entity in ("knot", "way"):
        page.keyboard.down("Control")
        click(notebook, element_of(notebook, entity))
        page.keyboard.up("Control")
    notebook.wait_for("w.picked == [str(knot.ecs_id), str(way.ecs_id)]", expected=True)
    notebook.shot("explorer-picked", ".ecsviz-explorer")
    page.click("[data-do=path]")
    page.wait_for_selector(".ecsviz-steps output:has-text('reference 1 of ')")
    assert notebook.value("w._steps[0]['source'] == graph.number_of(knot)")
    assert notebook.value("w._steps[-1]['target'] == graph.number_of(way)")

    notebook.python("w.selected = question")
    notebook.python("w.view = 'around'; w.hops = 1")
    page.wait_for_selector(".ecsviz-hops")
    page.locator(".ecsviz-hops").focus()
    page.keyboard.press("ArrowRight")
    notebook.wait_for("w.hops", 2)
    page.wait_for_selector(".ecsviz-status:has-text('up to 2 hops around')")
    assert notebook.value("w._scene['count']") == 5
    layouts_are_chosen(notebook)


def layouts_are_chosen(notebook: Notebook) -> None:
    """Choose another layout, and the usual one again."""
    page = notebook.page
    for chosen, name in (("circle", "circle"), ("", None)):
        before = place_of(notebook, 0)
        page.select_option("select[aria-label=Layout]", chosen)
        notebook.wait_for("w.layout_by", name)
        page.wait_for_function(
            f"xy => document.querySelector('{PICTURE}').placeOf(0)?.some((v, k) => v !== xy[k])",
            arg=before,
        )


def colours_and_sizes(notebook: Notebook, tmp_path: Path) -> None:
    """Choose what to colour and to size by, and look at what comes of it."""
    page = notebook.page
    usual = saved(notebook, "svg", tmp_path)
    page.select_option("[data-do=color-by]", "role")
    notebook.wait_for("w.color_by", "role")
    page.wait_for_selector(".ecsviz-legends:has-text('no role')")
    assert not page.query_selector(".ecsviz-legends [data-type]"), "a click on a role hides no type"
    page.select_option("[data-do=size-by]", "degree")
    notebook.wait_for("w.size_by", "degree")
    page.wait_for_selector(".ecsviz-legends:has-text('size: degree, ')")
    coloured = ET.fromstring(saved(notebook, "svg", tmp_path))
    entry = notebook.value("w._look['legend'][0]")
    assert entry["name"] == "assistant"
    fills = [each.get("fill") for each in coloured.iter(f"{SVG}path")]
    assert fills.count(entry["light"]) == notebook.value("w._codes.count(0)") + 1, "and the legend"
    assert ET.tostring(coloured) != ET.tostring(ET.fromstring(usual))
    notebook.shot("explorer-coloured", ".ecsviz-explorer")
    notebook.python("w.color_by = 'type'; w.size_by = None")
    page.wait_for_selector("[data-type=ChatThread]")
    assert page.input_value("[data-do=color-by]") == "type"


def test_hiding_help_saving_and_full_screen(notebook: Notebook, tmp_path: Path) -> None:
    notebook.open("hiding", FOUR)
    drawn(notebook, "nodes")
    page = notebook.page
    page.click("[data-do=help]")
    assert "Dashed: deferred" in page.inner_text(".ecsviz-help")
    notebook.shot("explorer-help", ".ecsviz-explorer")
    page.click("[data-do=help]")
    page.click("[data-type=ChatThread]")
    notebook.wait_for("w.hidden_types", ["ChatThread"])
    notebook.wait_for("sorted(w._mask)", [0, 2, 2, 2, 2])
    page.click(".ecsviz-fields summary")
    page.uncheck(".ecsviz-fields label:has-text('replies') input")
    notebook.wait_for("w.hidden_fields", ["replies"])

    shapes = ET.fromstring(saved(notebook, "svg", tmp_path))
    texts = [each.text for each in shapes.iter(f"{SVG}text")]
    assert "user: And a knot?" in texts
    assert "Cycles" not in texts, "what is hidden is not saved"
    assert not [text for text in texts if text and text.startswith("replies")]
    assert "parent" in texts
    page.click("[data-type=ChatThread]")
    notebook.wait_for("sorted(w._mask)", [2] * 5)
    image = matplotlib.image.imread(io.BytesIO(saved(notebook, "png", tmp_path)), format="png")
    assert image.shape[1] > 700
    assert len(np.unique(image.reshape(-1, image.shape[2]), axis=0)) > 50, "not a blank"

    page.click("[data-do=full]")
    page.wait_for_selector(".ecsviz-full")
    wide = page.locator(".ecsviz-explorer").bounding_box()
    assert (wide["x"], wide["y"], wide["width"]) == (0, 0, page.viewport_size["width"])
    notebook.shot("explorer-full")
    page.click("[data-do=full]")
    page.wait_for_selector(".ecsviz-full", state="detached")

    colours_and_sizes(notebook, tmp_path)
    page.focus(PICTURE)
    assert not page.is_visible(".ecsviz-minimap"), "all is in sight"
    for _ in range(6):
        page.keyboard.press("+")
    page.wait_for_selector(".ecsviz-minimap")
    before = place_of(notebook, 0)
    page.click(".ecsviz-minimap", position={"x": 30, "y": 50})
    page.wait_for_timeout(200)
    assert place_of(notebook, 0) != before

    notebook.python("thread.say('user', 'A new one.', knot); w.refresh()")
    page.wait_for_selector(".ecsviz-status:has-text('showing 6 of 6 entities')")
    notebook.python("w.live = True; store = ev.InMemoryEntityStorage()")
    notebook.python("thread.say('user', 'Another.', knot); _ = store.register(thread)")
    page.wait_for_selector(".ecsviz-status:has-text('showing 7 of 7 entities')")


def test_points_are_picked_too(notebook: Notebook) -> None:
    notebook.open("picked-points", GROUPS)
    drawn(notebook, "groups")
    notebook.python("w.view = 'map'")
    drawn(notebook, "map")
    page = notebook.page
    page.click("[data-do=lasso]")
    around_all(notebook, 0.5)
    notebook.wait_for("300 < len(w.picked) < 900", expected=True)
    assert notebook.value("len(w.selection) == len(w.picked)")
    notebook.shot("explorer-picked-points", ".ecsviz-explorer")


HUBS = """
import ecsviz as ev
class Package(ev.Entity):
    name: str
    needs: list["Package"] = []
packages = [Package(name=f"package {k}") for k in range(900)]
for k, package in enumerate(packages[1:], 1):
    package.needs = [packages[k // 30], *packages[k - k % 2 : k]]
graph = ev.EntityDependencyGraph(packages)
w = graph.explore(view="map")
w
"""
WRITTEN = """() => {
  const written = new Map();
  const { fillText, clearRect } = CanvasRenderingContext2D.prototype;
  CanvasRenderingContext2D.prototype.clearRect = function (...box) {
    if (this.canvas.dataset.layer === "above") written.clear(); // another frame
    clearRect.apply(this, box);
  };
  CanvasRenderingContext2D.prototype.fillText = function (label, x, y) {
    const { width } = this.measureText(label);
    const left = this.textAlign === "center" ? x - width / 2 : x;
    written.set(`${label} ${left} ${y}`, [label, left, y, left + width]);
    fillText.call(this, label, x, y);
  };
  return new Promise((done) => setTimeout(() => {
    Object.assign(CanvasRenderingContext2D.prototype, { fillText, clearRect });
    done([...written.values()]);
  }, 1500));
}"""
"""Gives the names that the last frame writes, and where."""


def names_in_a_frame(notebook: Notebook) -> list[str]:
    """Return the names in the picture, which must not stand on each other."""
    found = notebook.page.evaluate(WRITTEN)
    for k, (_, x1, y1, x2) in enumerate(found):
        for _, a1, b1, a2 in found[:k]:
            assert abs(y1 - b1) >= 16 or x2 <= a1 or a2 <= x1, "no name stands on another"
    return [name for name, *_ in found]


def test_zoom_brings_names_in_by_importance(notebook: Notebook) -> None:
    notebook.open("names", HUBS)
    drawn(notebook, "map")
    page = notebook.page
    page.wait_for_timeout(600)
    page.focus(PICTURE)
    page.keyboard.press("+")
    far = names_in_a_frame(notebook)
    titles = {
        line for text, *_ in notebook.value("w._scene['titles']") for line in text.split("\n")
    }
    assert len(titles & {*far}) >= 5, "communities have titles"
    far = [name for name in far if name not in titles]
    hubs = {f"package {k}" for k in range(30)}
    assert 5 <= len(far) <= 24
    titled = {hub for hub in hubs for title in titles if title.startswith(f"{hub} and")}
    assert len(hubs & {*far} | titled) >= 8, (
        "3 % have most references: a third of the names and more"
    )
    notebook.shot("explorer-names-far", ".ecsviz-explorer")
    for _ in range(7):
        page.keyboard.press("+")
    page.wait_for_timeout(400)
    page.keyboard.press("+")
    near = names_in_a_frame(notebook)
    assert not titles & {*near}, "who looks closely needs no titles"
    assert len({*near} - {*far}) > 10, "who looks closely reads more"
    notebook.shot("explorer-names-near", ".ecsviz-explorer")
