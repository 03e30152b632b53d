"""Pages to keep and to send: a picture and tables in one file that loads and runs nothing."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ecsviz.basics import html
from ecsviz.basics.arguments import file_path, flag, text_or_none
from ecsviz.basics.files import returned_or_written
from ecsviz.basics.html import Cell, Child, element, shown_of
from ecsviz.domain.diff import DIFF_COLUMNS, GraphDiff
from ecsviz.domain.labels import clean_text, label_of
from ecsviz.errors import InvalidArgumentError
from ecsviz.graph.cells import graph_element
from ecsviz.graph.dependency_graph import EntityDependencyGraph

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_ROWS: Final = 1_000
"""How many rows of a table a page holds: a browser still scrolls them."""
RESOLUTION: Final = 130
"""Dots per inch of the picture."""


def html_page(shown: Any, *, title: str | None = None, **options: Any) -> str:
    """Return a page with the picture and the tables of a graph or a diff.

    Parameters
    ----------
    shown
        An `EntityDependencyGraph` or a `GraphDiff`.
    title
        The heading; the counts if not given.
    **options
        As of ``shown.draw``.

    Returns
    -------
    str
        An HTML document of its own. Its content security policy forbids scripts and requests,
        and all that comes from entities is escaped text. Tables hold the first 1,000 rows and
        say of how many.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "<b>hello</b>")
    >>> page = html_page(ev.EntityDependencyGraph(thread))
    >>> "default-src 'none'" in page, "<b>" in page, "&lt;b&gt;hello" in page
    (True, False, True)
    """
    title = text_or_none(title, "title")
    ax = _drawn(shown, options)
    heading = title if title is not None else str(ax.get_title(loc="left"))
    figure: Figure = ax.get_figure(root=True)
    picture = html.picture(_png(figure), f"Picture: {ax.get_title(loc='left')}")
    tables = _of_graph(shown) if isinstance(shown, EntityDependencyGraph) else _of_diff(shown)
    return html.page(heading, element("h4", heading), picture, *tables)


def to_html(
    shown: Any,
    path: str | Path | None = None,
    *,
    title: str | None = None,
    interactive: bool = False,
    **options: Any,
) -> str | Path:
    """Return `html_page` as text, or write it to a file and return the path.

    With ``interactive=True`` the page is the explorer of a graph, and stays alive without Python
    and without a network; options are then those of ``explore``.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.ChatThread(title="Cycles"))
    >>> page = graph.to_html(interactive=True, height=600)
    >>> "default-src 'none'; script-src 'sha256-" in page
    True
    """
    file = None if path is None else file_path(path)
    if not flag(interactive, "interactive"):
        text = html_page(shown, title=title, **options)
    elif isinstance(shown, EntityDependencyGraph):
        explorer = shown.explore(**options)
        text = explorer.to_page(text_or_none(title, "title"))
        explorer.close()
    else:
        raise InvalidArgumentError(
            "interactive=True makes a page of a graph's explorer, and this is none. Leave it out.",
            value=interactive,
        )
    return returned_or_written(text, file)


def _drawn(shown: Any, options: dict[str, Any]) -> Any:
    import matplotlib.pyplot as plt

    # On white whatever the notebook's style is: the page is light.
    with plt.style.context("default"):
        ax = shown.draw(**options)
    if "ax" not in options:
        plt.close(ax.get_figure(root=True))
    return ax


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    # Without the date and the version of matplotlib, so that equal graphs make equal pages.
    figure.savefig(file, format="png", dpi=RESOLUTION, metadata={"Software": None})
    return file.getvalue()


def _of_graph(graph: EntityDependencyGraph) -> list[Child]:
    parts, order = graph.arrays, graph.ordering
    total = len(parts.nodes)
    sequence = order.sequence[:MAX_ROWS].tolist()
    name = [label_of(parts.nodes[node], 60) for node in range(total)] if total <= MAX_ROWS else []
    rows: list[tuple[Cell, ...]] = [
        (
            number,
            parts.types[node],
            label_of(parts.nodes[node], 60, with_type=False),
            int(order.generation[node]),
            bool(order.cyclic[order.component[node]]),
        )
        for number, node in enumerate(sequence, 1)
    ]
    note = shown_of(len(rows), total, "nodes") if len(rows) < total else None
    headings = ("order", "type", "label", "generation", "in a cycle")
    nodes = html.table(headings, rows, caption="Nodes, dependencies first", note=note)
    every = len(parts.sources)
    listed: list[tuple[Cell, ...]] = []
    for number in range(min(every, MAX_ROWS)):
        source, target = int(parts.sources[number]), int(parts.targets[number])
        ends = [
            name[node] if name else label_of(parts.nodes[node], 60) for node in (source, target)
        ]
        place = clean_text(parts.place_of(number)[1], 60)
        listed.append((ends[0], place, ends[1], bool(order.deferred[number])))
    note = shown_of(len(listed), every, "references") if len(listed) < every else None
    columns = ("source", "place", "target", "deferred")
    references = html.table(columns, listed, caption="References", note=note)
    return [graph_element(graph), nodes, references]


def _of_diff(found: GraphDiff) -> list[Child]:
    rows = [
        (what, kind, str(ecs_id), name, before, after)
        for what, kind, ecs_id, name, before, after in (
            item.row() for item in found.differences[:MAX_ROWS]
        )
    ]
    every = len(found)
    note = shown_of(len(rows), every, "differences") if len(rows) < every else None
    return [html.table(DIFF_COLUMNS, rows, caption=found.summary(), note=note)]
