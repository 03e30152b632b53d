"""``graph.to_html(interactive=True)``: the explorer in a file of its own, without Python."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError
from tests.hostile import HOSTILE
from tests.test_maps import own_ways, packages

DETAILS = ".ecsviz-details h3"


@pytest.fixture(name="thread")
def _thread() -> ev.ChatThread:
    thread = ev.ChatThread(title="Cycles </script><script>alert(1)</script>")
    question = thread.say("user", "What is a cycle?")
    thread.say("assistant", "A way back.", question)
    last = thread.say("assistant", "A loop.", question)
    for text in HOSTILE:
        thread.say("user", text, last)
    return thread


def test_it_stays_alive_without_python(
    thread: ev.ChatThread, tmp_path: Path, chromium: Any
) -> None:
    graph = ev.EntityDependencyGraph(thread)
    path = graph.to_html(tmp_path / "g.html", interactive=True, height=500)
    told: list[str] = []
    context = chromium.new_context(viewport={"width": 1100, "height": 900}, offline=True)
    page = context.new_page()
    page.on("request", lambda request: told.append(request.url))
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on("dialog", lambda dialog: (told.append("a dialog"), dialog.dismiss()))
    page.goto(path.as_uri())
    page.wait_for_selector(".ecsviz-picture[data-drawn=nodes]")
    n = len(graph)
    assert f"showing {n} of {n} entities" in page.inner_text(".ecsviz-status")
    assert page.evaluate("document.querySelector('.ecsviz-picture').clientHeight") == 500
    order = graph.get_topological_sort()

    page.click("[data-do=order-next]")
    page.wait_for_selector(f"{DETAILS}:has-text('{type(order[0]).__name__}')")
    assert str(order[0].ecs_id) in page.inner_text(".ecsviz-details")
    page.fill(".ecsviz-search", "A WAY back")
    page.wait_for_selector(".ecsviz-status:has-text('showing 1 of 1 entity that matches')")
    page.fill(".ecsviz-search", "")
    page.wait_for_function(
        "() => !document.querySelector('.ecsviz-status').innerText.includes(';')"
    )
    page.select_option(".ecsviz-types", label="ChatThread (1)")
    page.click("[data-view=table]")
    page.click(".ecsviz-list tbody button")
    page.wait_for_selector(f"{DETAILS}:has-text('Cycles </script><script>')")
    page.select_option(".ecsviz-types", index=0)
    page.click("[data-view=map]")
    page.wait_for_selector(".ecsviz-picture[data-drawn=map]")
    page.select_option("[data-do=color-by]", "role")
    page.wait_for_selector(".ecsviz-legends:has-text('no role')")
    page.select_option("[data-do=size-by]", "degree")
    page.wait_for_selector(".ecsviz-legends:has-text('size: degree, ')")
    page.click("[data-view=around]")
    page.wait_for_selector(".ecsviz-hops")

    page.click("[data-view=all]")
    page.wait_for_selector(".ecsviz-picture[data-drawn=nodes]")
    number = {node.ecs_id: k for k, node in enumerate(graph.nodes)}
    for entity in (thread.messages[1], thread.messages[2]):
        x, y = page.evaluate(
            "i => document.querySelector('.ecsviz-picture').placeOf(i)", number[entity.ecs_id]
        )
        page.click(".ecsviz-picture", position={"x": x, "y": y}, modifiers=["Control"])
    page.click("[data-do=path]")
    page.wait_for_selector(".ecsviz-steps output:has-text('reference 1 of 2')")
    page.locator("[aria-label=Cycles] select").focus()
    page.select_option("[aria-label=Cycles] select", index=1)
    page.wait_for_selector(".ecsviz-steps output:has-text('reference 1 of 2: ')")
    page.emulate_media(color_scheme="dark")
    page.wait_for_selector(".ecsviz-dark")
    context.close()
    assert told == [path.as_uri()], "nothing was loaded, thrown, logged or run"


def test_nothing_of_anybody_else_can_run_in_it(thread: ev.ChatThread) -> None:
    text = ev.EntityDependencyGraph(thread).to_html(interactive=True, title="<b>a</b>")
    assert text.count("<script") == text.lower().count("</script>") == 2
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "<title>&lt;b&gt;a&lt;/b&gt;</title>" in text
    assert "alert(1)</script>" not in text


def test_what_cannot_be_such_a_page_says_so(thread: ev.ChatThread) -> None:
    with pytest.raises(InvalidArgumentError, match="Leave it out"):
        ev.diff(thread, thread).to_html(interactive=True)
    graph = ev.EntityDependencyGraph(ev.sample("tree", n=5_001))
    with pytest.raises(GraphTooLargeError, match="up to 5,000 entities"):
        graph.to_html(interactive=True)


def test_dots_have_names_where_there_is_room(tmp_path: Path, chromium: Any) -> None:
    n = 90
    ends = [(k - 1) // 3 for k in range(1, n)], list(range(1, n))
    names = [f"department {k}" for k in range(n)]
    graph = ev.EntityDependencyGraph.from_parts(names, names, ["d"] * n, *ends, ["part"] * (n - 1))
    path = graph.to_html(tmp_path / "dots.html", interactive=True)
    page = chromium.new_page(viewport={"width": 1100, "height": 800})
    page.goto(path.as_uri())
    page.wait_for_selector(".ecsviz-picture[data-drawn=nodes]")
    known = "[...document.querySelectorAll('.ecsviz-layer')].map((e) => e._cyreg?.cy).find(Boolean)"

    def settled() -> None:
        seen: list[Any] = []
        while len(seen) < 100 and (len(seen) < 3 or any(one != seen[-1] for one in seen[-3:])):
            page.wait_for_timeout(300)
            names = f"{known}.nodes('.named').map((node) => node.data('name'))"
            seen.append(page.evaluate(f"() => [{known}.zoom(), {known}.pan(), {names}]"))

    def boxes() -> dict[str, list[float]]:
        settled()
        found: dict[str, list[float]] = page.evaluate(
            f"""() => Object.fromEntries({known}.nodes(".named").map((node) => {{
              const {{ x1, y1, x2, y2 }} = node.renderedBoundingBox({{ includeNodes: false }});
              const around = (y2 - y1 - 12) / 2; // of what Cytoscape tells, letters of 12 px aside
              return [node.data("name"), [x1 + around, y1 + around, x2 - around, y2 - around]];
            }}))"""
        )
        apart = f"""() => {known}.nodes(".named").filter((node) => {{
          const box = node.renderedBoundingBox({{ includeNodes: false }});
          return {known}.nodes().some((other) => {{
            const {{ x, y }} = other.renderedPosition();
            const near = x > box.x1 - 3 && x < box.x2 + 3 && y > box.y1 - 1 && y < box.y2 + 1;
            return other !== node && near;
          }});
        }}).map((node) => node.data("name"))"""
        assert page.evaluate(apart) == [], "no name is as near to another dot"
        under = f"""() => {{
          const box = (e, more) => e.renderedBoundingBox({{ includeNodes: false, ...more }});
          const names = {known}.nodes(".named").map((node) => box(node));
          return {known}.edges().filter((e) => e.style("source-label")).some((edge) => {{
            const {{ x1, y1, x2, y2 }} = box(edge, {{ includeEdges: false }});
            const across = (n) => n.x1 + 6 < x2 && x1 < n.x2 - 6;
            return names.some((n) => across(n) && n.y1 + 5 < y2 && y1 < n.y2 - 5);
          }});
        }}"""
        assert not page.evaluate(under), "no name of a line lies under that of a dot"
        wrapped = f"() => {known}.nodes('.named').some((e) => e.style('text-wrap') !== 'none')"
        assert not page.evaluate(wrapped), "a name is one line however far away"
        for k, (x1, y1, x2, y2) in enumerate(found.values()):
            for a1, b1, a2, b2 in list(found.values())[:k]:
                overlap = min(x2, a2) - max(x1, a1), min(y2, b2) - max(y1, b1)
                assert min(overlap) <= 1, "no name stands on another"
        return found

    page.wait_for_function(f"() => {known}.nodes('.named').length > 5")
    far = boxes()
    assert "department 0" in far, "the foremost are named"
    for _ in range(6):
        page.click("[data-do=zoom-in], button[title='zoom in']")
    more = f"old => {known}.nodes('.named').some((node) => !old.includes(node.data('name')))"
    page.wait_for_function(more, arg=[*far])
    near = boxes()
    assert {*near} - {*far}, "who looks closely reads more"
    page.close()


CY = "[...document.querySelectorAll('.ecsviz-layer')].map((e) => e._cyreg?.cy).find(Boolean)"


def opened(graph: ev.EntityDependencyGraph, path: Path, chromium: Any, **context: Any) -> Any:
    """Return a page that shows an interactive graph."""
    page = chromium.new_page(viewport={"width": 1100, "height": 800}, **context)
    page.goto(graph.to_html(path, interactive=True).as_uri())
    page.wait_for_selector(".ecsviz-picture[data-drawn]")
    page.wait_for_timeout(800)
    return page


def test_a_long_talk_begins_with_what_can_be_read(tmp_path: Path, chromium: Any) -> None:
    thread, said = ev.ChatThread(title="A long talk"), []
    for k in range(200):
        before = said[k // 2 if k % 20 == 10 else -1] if said else None
        said.append(thread.say("user" if k % 2 == 0 else "assistant", f"words {k}", before))
    graph = ev.EntityDependencyGraph(thread)
    page = opened(graph, tmp_path / "talk.html", chromium)
    assert page.evaluate(f"{CY}.zoom()") * 12 > 7, "letters can be read"
    in_sight = (
        f"{CY}.nodes().filter((node) => node.renderedPosition().y > 0).map((n) => n.data('i'))"
    )
    assert graph.number_of(thread) in page.evaluate(in_sight)
    whole = page.locator("[data-do=see-all]")
    assert whole.is_visible()
    whole.click()
    extent = f"() => {{ const e = {CY}.extent(), b = {CY}.elements().boundingBox();"
    assert page.evaluate(f"{extent} return e.y1 <= b.y1 && e.y2 >= b.y2 }}"), "all is in sight"
    assert not whole.is_visible()
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_cycles_among_points_are_seen(scheme: str, tmp_path: Path, chromium: Any) -> None:
    graph = packages(500)
    page = opened(graph, tmp_path / "map.html", chromium, color_scheme=scheme)
    page.wait_for_selector(".ecsviz-picture[data-drawn=map]")
    seen = page.evaluate(
        """() => {
          const canvas = document.querySelector("[data-layer=lines]");
          const context = canvas.getContext("2d");
          const ink = context.getImageData(0, 0, canvas.width, canvas.height).data;
          let orange = 0;
          for (let k = 0; k < ink.length; k += 4)
            if (ink[k] > 1.8 * ink[k + 2] && ink[k + 3] > 150) orange += 1;
          return orange;
        }"""
    )
    assert graph.ordering.in_cycle.sum() == 2
    assert seen > 20, "they are no thinner and fainter than what is none"
    assert "in a cycle" in page.inner_text(".ecsviz-legends")
    page.click(".ecsviz-picture")
    page.close()


def test_names_of_lines_to_themselves_do_not_lie_on_each_other(
    tmp_path: Path, chromium: Any
) -> None:
    page = opened(own_ways(12), tmp_path / "ways.html", chromium)
    names = page.evaluate(
        f"""() => {CY}.edges(":loop").filter((e) => e.style("label")).map((edge) => {{
          const only = {{ includeNodes: false, includeEdges: false }};
          const {{ x1, y1, x2, y2 }} = edge.boundingBox(only);
          return [edge.source().data("i"), edge.style("label"), x1 + 3, y1 + 3, x2 - 3, y2 - 3];
        }})"""
    )
    assert len(names) == len({name[0] for name in names}) >= 3, "one name for all of a node"
    assert "ways[0], ways[1]" in {name[1] for name in names}
    for k, (_, _, a1, b1, a2, b2) in enumerate(names):
        for _, _, x1, y1, x2, y2 in names[:k]:
            assert min(a2, x2) <= max(a1, x1) or min(b2, y2) <= max(b1, y1)
    legend = page.inner_text(".ecsviz-legends")
    assert ("in a cycle" in legend, "deferred" in legend) == (False, True), "as is in the picture"
    page.close()
