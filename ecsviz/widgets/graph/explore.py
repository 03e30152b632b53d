"""``graph.explore()``: makes the explorer of a graph."""

from __future__ import annotations

from typing import Any

from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.widgets.graph.explorer import DETAILED, GraphExplorer
from ecsviz.widgets.graph.traits import HEIGHT


def explore_graph(
    graph: EntityDependencyGraph,
    *,
    selected: Any = None,
    view: str | None = None,
    limit: int = DETAILED,
    pairs: bool = True,
    height: int = HEIGHT,
    color_by: str = "type",
    size_by: str | None = None,
    layout: str | None = None,
    live: bool = False,
) -> GraphExplorer:
    """Return a live widget to look around in a graph.

    Parameters
    ----------
    graph
        Of entities, classes or tables. Entities that are changed later show their new fields;
        new references need a new graph.
    selected
        The entity to begin with, or its ``ecs_id``; None selects nothing.
    view
        What the picture begins with: ``"all"`` entities one by one, ``"groups"`` that can be
        opened, all as points of a ``"map"``, or what is ``"around"`` the selected one. None
        takes the map where ``graph.draw()`` makes one, else the first of these that the graph is
        not too large for; with a `layout`, ``"all"`` where there is room for it.
    limit
        How many entities are shown one by one at the most, `DETAILED` by default.
    pairs
        False shows a list and its members' back-references as one line with two heads, and lists
        the cycles besides; as in ``graph.draw(pairs=False)``.
    height
        How high the picture is, in pixels; a reader may pull it at its lower edge. `HEIGHT` by
        default, which leaves room for the cell.
    color_by
        As of ``graph.draw``: ``"type"``, ``"component"``, ``"generation"``, ``"degree"``, or a
        field's name; a reader may choose another.
    size_by
        ``"degree"``, ``"generation"``, or a field that holds numbers: marks are large by it. None
        for none.
    layout
        How what is shown one by one is placed, as of ``graph.draw``: ``"layered"``, ``"tree"``,
        ``"radial"``, ``"force"``, ``"circle"`` or ``"timeline"``; a reader may choose another, and
        the trait ``layout_by`` says which. None has it chosen.
    live
        True shows, whenever a storage of this process has saved or deleted one of the entities,
        what they are then, as ``explorer.refresh()`` does; many saves of one cell are one. A cell
        that is run again takes over: what it has shown before is live no more.

    Returns
    -------
    GraphExplorer
        A widget; its trait ``selected`` works in both directions.

    Raises
    ------
    EntityNotFoundError, InvalidIdError
        If `selected` is not in the graph.
    InvalidArgumentError
        If `graph` is no graph, `limit` or `height` no number, there is no such view or layout,
        the graph is too large for it, there is no such field, or it cannot be `live`, as it was
        not made of entities.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> explorer = explore_graph(ev.EntityDependencyGraph(thread))
    >>> explorer.selected = message.ecs_id
    >>> explorer.entity is message, explorer.step
    (True, 2)
    """
    return GraphExplorer(
        graph,
        selected=selected,
        view=view,
        limit=limit,
        pairs=pairs,
        height=height,
        color_by=color_by,
        size_by=size_by,
        layout=layout,
        live=live,
    )
