"""The explorer of a graph as a page of its own, which stays alive without Python."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

from ecsviz.basics.html import live_page
from ecsviz.errors import GraphTooLargeError
from ecsviz.widgets.base import static_text
from ecsviz.widgets.graph.views import subject_of

MOST: Final = 5_000
"""How many entities a page may hold: all that is told of each stands in it, some 2 KB."""
LEFT_OUT: Final = frozenset({"_esm", "_css", "_library", "_mark", "layout", "tooltip", "tabbable"})


def page_of(explorer: Any, title: str | None = None) -> str:
    """Return a `GraphExplorer` as an HTML document that stays interactive.

    Parameters
    ----------
    explorer
        Its view, filters, selection and height are those that the page begins with.
    title
        What the window says; the counts if not given.

    Raises
    ------
    GraphTooLargeError
        If there are more than `MOST` entities.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="</script><b>")
    >>> page = page_of(ev.EntityDependencyGraph(thread).explore())
    >>> "default-src 'none'" in page, "<b>" in page
    (True, False)
    """
    graph = explorer.graph
    n = len(graph)
    if n > MOST:
        raise GraphTooLargeError(
            f"A page holds all that is told of up to {MOST:,} entities, and there are {n:,}. Make"
            " a graph of a part of them, or leave out interactive=True.",
            n=n,
            limit=MOST,
        )
    pairs = not explorer.get_state()["_about"]["pairs"]
    subject = subject_of(graph, n, pairs=pairs)
    around, cycles = subject.around, subject.cycles
    before, scenes, shown = explorer.view, {}, {}
    for view in ("all", "map"):
        if view == "map" or n <= explorer.get_state()["_about"]["limit"]:
            explorer.view = view
            shown[view] = explorer.get_state()
            scenes[view] = shown[view]["_scene"]
    state = {k: v for k, v in explorer.get_state().items() if k not in LEFT_OUT}
    explorer.view = before
    view = before if before in scenes else next(iter(scenes))
    state |= {
        "view": view,
        "status": scenes[view]["told"],
        **{name: shown[view][name] for name in ("_scene", "_look", "_codes", "_sizes")},
        "_about": state["_about"] | {"live": True, "alone": True},
        "_moved": {},
        "_picked": b"",
        "picked": [],
        "_at": -1,
        "selected": None,
        "step": 0,
        "cycle": None,
        "_steps": [],
    }
    baked = {
        "state": state,
        "scenes": scenes,
        "details": [around.about(number) for number in range(n)],
        "rows": [around.row(number) for number in graph.ordering.sequence.tolist()],
        "looks": subject.looks.baked(
            {view: bool(scene["titles"]) for view, scene in scenes.items()},
            explorer.color_by,
            explorer.size_by,
        ),
        "cycles": cycles.listed() | {"steps": [cycles.steps(k) for k in range(len(cycles))]},
    }
    return live_page(
        subject.counts if title is None else title,
        script=static_text("page.js"),
        style=static_text("page.css"),
        data=json.dumps(_packed(baked), ensure_ascii=False, separators=(",", ":")),
        at="ecsviz-explorer",
    )


def _packed(value: Any) -> Any:
    """Return what JSON holds: bytes as texts. The nesting is our own, a few levels."""
    if isinstance(value, bytes):
        return {"bytes64": base64.b64encode(value).decode("ascii")}
    if isinstance(value, dict):
        return {key: _packed(part) for key, part in value.items()}
    return [_packed(part) for part in value] if isinstance(value, list | tuple) else value
