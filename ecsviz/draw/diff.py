"""The picture of what differs between two states."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from ecsviz.basics.arguments import count_or_none
from ecsviz.domain.diff import GraphDiff
from ecsviz.domain.paths import format_path
from ecsviz.draw import frame
from ecsviz.draw.graph import draw_picture
from ecsviz.draw.options import checked_option
from ecsviz.draw.palette import BROWN, GREEN, GREY, RED
from ecsviz.draw.picture import DrawingOptionError, make_picture
from ecsviz.errors import short_repr
from ecsviz.graph.dependency_graph import EntityDependencyGraph

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATES: Final = {
    "added": (GREEN, "P"),
    "removed": (RED, "X"),
    "changed": (BROWN, "D"),
    "unchanged": (GREY, "o"),
}
"""Green, red, brown and grey; the marks tell them apart without colour."""
MAX_WHOLE: Final = 60
"""Of larger states, only what differs and what it touches is drawn."""


def draw_diff(
    found: GraphDiff,
    ax: Axes | None = None,
    *,
    figsize: tuple[float, float] | None = None,
    title: str | None = None,
    legend: bool = True,
    label: Any = None,
    max_whole: int | None = MAX_WHOLE,
) -> Axes:
    """Draw two states in one picture: added green, removed red, changed brown, the rest grey.

    References too: new ones green, removed ones red and crossed out, those of what was moved
    violet, those of a list in another order blue.

    Parameters
    ----------
    found
        What `ev.diff` or ``store.diff`` gave.
    ax
        Where to draw. None makes a figure.
    figsize
        Width and height of the figure in inches, instead of what the graph needs.
    title
        A line above the counts; by default what differs, in words.
    legend
        Whether to explain the colours.
    label
        As in `draw_graph`.
    max_whole
        With more entities than this, only what differs is drawn, with what it refers to and
        what refers to it; the title says how many of how many. None draws all.

    Returns
    -------
    Axes
        As of `draw_graph`.

    Raises
    ------
    DrawingOptionError
        As `draw_graph`; if `found` is no GraphDiff.

    Notes
    -----
    An entity counts as changed where one of its fields differs: one that holds more, less or in
    another order included.
    O(entities + references) after the layout.

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> before = copy.deepcopy(thread)
    >>> message = thread.say("user", "hello")
    >>> ax = draw_diff(ev.diff(before, thread))
    """
    if not isinstance(found, GraphDiff):
        raise DrawingOptionError(
            f"{short_repr(found)} is no GraphDiff. Give what ev.diff or store.diff returned.",
            option="found",
            value=found,
        )
    most = checked_option(count_or_none, max_whole, "max_whole")
    graph, states, told = _both_states(found)
    total = len(graph)
    if most is not None and total > most:
        graph, states, told = _touched(graph, states, told)
    picture = make_picture(
        graph,
        color_by=lambda node: states[node.ecs_id],
        label=label,
        highlight=None,
        max_nodes=None if len(graph) <= 10 * MAX_WHOLE else 10 * MAX_WHOLE,
        group_by=None,
    )
    if not picture.grouped:
        picture = replace(picture, told=told)
    if title is None:
        title = found.summary()
        if len(graph) < total:
            title += f" (showing {len(graph):,} of {total:,})"
    fixed = STATES if set(picture.values) <= STATES.keys() else None
    ax = frame.sized_axes(ax, figsize)
    return draw_picture(picture, ax, title=title, legend=legend, fixed=fixed)


def _both_states(found: GraphDiff) -> tuple[EntityDependencyGraph, dict[UUID, str], list[str]]:
    """Return the graph of everything in either state, and what has become of each part of it."""
    nodes: dict[UUID, Any] = {e.ecs_id: e for e in found.before.entities}
    nodes.update({e.ecs_id: e for e in found.after.entities})
    states = dict.fromkeys(nodes, "unchanged")
    states.update({item.ecs_id: "changed" for item in found if item.ecs_id in states})
    for what in ("added", "removed"):
        states.update({item.ecs_id: what for item in found.of(what)})
    place = {ecs_id: n for n, ecs_id in enumerate(nodes)}
    edges: dict[tuple[int, int, str], tuple[str, int]] = {}
    there: list[set[tuple[int, int, str]]] = []
    for walk in (found.after, found.before):
        there.append(set())
        ids = [e.ecs_id for e in walk.entities]
        for source, target, slot, key in zip(
            walk.sources, walk.targets, walk.slots, walk.keys, strict=True
        ):
            field = walk.fields[slot]
            edge = (place[ids[source]], place[ids[target]], field.name)
            edges.setdefault(edge, (format_path(field.name, key), field.kind))
            there[-1].add(edge)
    after, before = there
    moved = {place[item.ecs_id] for item in found.of("moved") if item.ecs_id in place}
    reordered = {(place[item.ecs_id], item.field) for item in found.of("reordered")}
    told = []
    for source, target, name in edges:
        edge = source, target, name
        if edge not in after:
            told.append("removed reference")
        elif edge not in before:
            told.append("moved here" if target in moved else "new reference")
        else:
            told.append("reordered" if (source, name) in reordered else "")
    ids = list(nodes)
    for (source, _, _), state in zip(edges, told, strict=True):
        if state and states[ids[source]] == "unchanged":
            states[ids[source]] = "changed"
    return _graph(list(nodes.values()), edges), states, told


def _graph(
    nodes: list[Any], edges: dict[tuple[int, int, str], tuple[str, int]]
) -> EntityDependencyGraph:
    return EntityDependencyGraph.from_parts(
        nodes,
        [node.ecs_id for node in nodes],
        [type(node).__name__ for node in nodes],
        [source for source, _, _ in edges],
        [target for _, target, _ in edges],
        [path for path, _ in edges.values()],
        fields=[name for _, _, name in edges],
        kinds=[kind for _, kind in edges.values()],
    )


def _touched(
    graph: EntityDependencyGraph, states: dict[UUID, str], told: list[str]
) -> tuple[EntityDependencyGraph, dict[UUID, str], list[str]]:
    """Return the part that differs, with its neighbours."""
    nodes = graph.nodes
    parts = graph.arrays
    ends = list(zip(parts.sources.tolist(), parts.targets.tolist(), strict=True))
    differs = {n for n, node in enumerate(nodes) if states[node.ecs_id] != "unchanged"}
    near = differs | {b for a, b in ends if a in differs}
    near |= {a for a, b in ends if b in differs}
    # What a changed thread holds may be thousands that did not change.
    if len(near) > 10 * MAX_WHOLE:
        near = differs
    keep = sorted(near)
    place = {old: new for new, old in enumerate(keep)}
    edges, left = {}, []
    for number, (a, b) in enumerate(ends):
        if a in place and b in place and (a in differs or b in differs):
            name, path = parts.place_of(number)
            edges[place[a], place[b], name] = path, int(parts.kinds[number])
            left.append(told[number])
    chosen = [nodes[n] for n in keep]
    return _graph(chosen, edges), {node.ecs_id: states[node.ecs_id] for node in chosen}, left
