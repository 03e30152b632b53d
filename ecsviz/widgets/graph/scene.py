"""What the explorer's picture shows: elements with places, and lines between them, as arrays.

A scene is made of nodes one by one, of groups that can be opened, or of all nodes as points. A
page gets it as binary: places never become text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final, Literal

import numpy as np

from ecsviz.basics.html import shown_of
from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.text import plain, plural
from ecsviz.domain.labels import in_lines, label_of, text_width
from ecsviz.graph.arrays import part_of
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.layout import Layout, Overview, layout_graph, overview
from ecsviz.layout.around import with_ways_around
from ecsviz.layout.choices import How, placed_by
from ecsviz.layout.grid import Floats
from ecsviz.layout.groups import By
from ecsviz.layout.maps import Map, bands_of, map_of, middles_of, needs_a_map, shares_of
from ecsviz.layout.overview import noun_of
from ecsviz.layout.packing import filling
from ecsviz.layout.placed import HUB, behind_boxes
from ecsviz.layout.timed import has_moments

Kind = Literal["nodes", "groups", "map"]

UNIT: Final = 80.0
"""How many pixels of the page one unit of the layout is, which is an inch of a printed picture."""
LABEL: Final = 120
"""How much of a label is looked at, in columns: more than two lines of it have."""
COLUMN: Final = 6.6
LINE: Final = 16.0
PAD: Final = (34.0, 12.0)
"""The size of a box in pixels, apart from its text: the mark, and the space around."""
GAP: Final = (0.34, 0.62)
CLOSE: Final = (0.32, 0.34)
DOT: Final = 16.0
READABLE: Final = 0.38
"""Where boxes would be shrunk to less than this, nodes are dots instead, whose labels are told one
by one: the room between dots in units, and their size in pixels."""
STRIP: Final = 0.25
"""Where even dots would be shrunk to less, as those of a long talk, a page begins with a part that
can be read: see `READ` in ``js/graph/picture_cytoscape.js``."""
STAGE: Final = (900.0, 430.0)
"""How large the picture is on the page, about, in pixels."""
POINT: Final = 0.16
POINT_GAP: Final = (0.14, 0.30)
MAP_UNIT: Final = 0.3
"""How far apart neighbours of a map are, in units."""
PAGE: Final = (11.0, 5.4)
POINT_PAGE: Final = (14.0, 7.0)
"""The room between boxes, the size of a point and the room between points, and the page that a
layout fills: in units."""
GROUPS: Final = 120
"""How many groups there are at the most: what can still be read."""
ROWS: Final = 30_000
"""Up to how many nodes the points stand in the rows of the layout: some 0.7 s. More stand in the
order of saving, line by line."""
LINES: Final = 6_000
"""How many references are drawn among points: more are a texture, and slow."""
FIELDS: Final = 100
"""How many fields can be hidden."""
LEADING: Final = 2_000
"""How many points may be named before one looks closely."""
TITLE: Final = 48
"""How long the title of a community is, in columns."""
HULLS: Final = 80
"""How many cyclic components stand on shaded ground."""
IN_CYCLE, DEFERRED, TO_HUB, PAIR = 1, 2, 4, 8


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """What is shown.

    Attributes
    ----------
    kind
        Of what the elements are.
    nodes
        Shape (elements,): the node that an element stands for, or -1 for a group.
    groups
        Shape (elements,): the group that an element is, or is a member of; -1 for none.
    of_node
        Shape (nodes of the graph,): the element that shows a node, or -1.
    labels, notes
        Per element its label, of one line or two, and the line below; none for points.
    sources, targets
        Shape (lines,): the elements that a line joins.
    flags
        Shape (lines,): ``IN_CYCLE | DEFERRED | TO_HUB | PAIR``.
    names
        Per line the path, or the field and how many references it stands for.
    close
        Whether elements are dots, as there is no room for boxes.
    places, sizes
        Shape (elements, 2): the middle, x to the right and y down, and width and height; in
        pixels.
    hulls
        The outlines of cyclic components, in pixels.
    starts, bends
        As those of a layout, in pixels.
    told
        What is shown of what there is.
    fields
        Per line the field that holds the references; the first of several.
    leading
        The nodes to be named first among points, the most important first.
    titles
        Of a map's communities: what they are called, where, and their most telling member.
    bands
        Of two such communities each, their numbers, and how wide a band between them is, as a
        share of the widest.
    """

    kind: Kind
    nodes: Ints
    groups: Ints
    of_node: Ints
    labels: Sequence[str]
    notes: Sequence[str]
    sources: Ints
    targets: Ints
    flags: Ints
    names: Sequence[str]
    told: str
    fields: Sequence[str] = ()
    close: bool = False
    places: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    sizes: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    hulls: Sequence[Floats] = ()
    starts: Ints = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    leading: Ints = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    bends: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    titles: Sequence[tuple[str, float, float, int]] = ()
    bands: Sequence[tuple[int, int, float]] = ()

    def __len__(self) -> int:
        return len(self.nodes)

    def state(self, steps: Ints) -> dict[str, Any]:
        """Return the scene as a trait holds it: numbers as bytes, little-endian.

        Parameters
        ----------
        steps
            Shape (nodes of the graph,): the place of each in the order.
        """
        shown = np.flatnonzero(self.of_node >= 0)
        step = np.full(len(self), len(steps) + 1)
        np.minimum.at(step, self.of_node[shown], steps[shown])
        outline = [0, *np.cumsum([len(points) for points in self.hulls]).tolist()]
        hulls = np.concatenate(self.hulls) if len(self.hulls) else np.zeros((0, 2))
        fields = list(dict.fromkeys(self.fields))[:FIELDS]
        of_field = dict.fromkeys(self.fields, FIELDS) | {name: k for k, name in enumerate(fields)}
        all_nodes = self.kind == "map"  # element i is node i, as a page knows
        return {
            "kind": self.kind,
            "told": self.told,
            "close": self.close,
            "labels": list(self.labels),
            "notes": list(self.notes),
            "names": list(self.names),
            "fields": fields,
            "kinds": np.array([of_field[name] for name in self.fields], dtype="u1").tobytes(),
            "count": len(self),
            "nodes": b"" if all_nodes else self.nodes.astype("<i4").tobytes(),
            "groups": b"" if all_nodes else self.groups.astype("<i4").tobytes(),
            "steps": step.astype("<i4").tobytes(),
            "places": self.places.astype("<f4").tobytes(),
            "sizes": self.sizes.astype("<f4").tobytes(),
            "sources": self.sources.astype("<u4").tobytes(),
            "targets": self.targets.astype("<u4").tobytes(),
            "flags": self.flags.astype("u1").tobytes(),
            "outlines": np.array(outline).astype("<u4").tobytes(),
            "hulls": hulls.astype("<f4").tobytes(),
            "starts": self.starts.astype("<u4").tobytes(),
            "leading": self.leading.astype("<u4").tobytes(),
            "bends": self.bends.astype("<f4").tobytes(),
            "titles": list(self.titles),
            "bands": list(self.bands),
        }


# -- nodes one by one --------------------------------------------------------------------------


def nodes_scene(
    graph: EntityDependencyGraph,
    numbers: Ints,
    what: str = "",
    both: Bools | None = None,
    how: How | None = None,
) -> Scene:
    """Return the scene of some nodes and of all references among them.

    Parameters
    ----------
    graph
        The whole graph.
    numbers
        Shape (shown,): the nodes.
    what
        What is special about them, to be said: "around 3. ChatThread".
    both
        Shape (references,): which stand for a list and a back-reference; None for none.
    how
        The layout; None has it chosen, as does a line of time where nothing has a moment.

    Notes
    -----
    O(references), and the layout of what is shown.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> scene = nodes_scene(ev.EntityDependencyGraph(thread), np.array([0, 1]))
    >>> scene.labels, scene.names
    (['Cycles', 'user: hello'], ['messages[0]', 'thread'])
    """
    parts, order = graph.arrays, graph.ordering
    numbers = np.asarray(numbers) if how is None else np.sort(numbers)
    of_node = np.full(len(graph), -1)
    of_node[numbers] = np.arange(len(numbers))
    edges = np.flatnonzero((of_node[parts.sources] >= 0) & (of_node[parts.targets] >= 0))
    told = shown_of(len(numbers), len(graph), noun_of(graph, len(graph)))
    scene = Scene(
        "nodes",
        numbers,
        np.full(len(numbers), -1),
        of_node,
        [scene_label(parts.nodes[number]) for number in numbers.tolist()],
        [""] * len(numbers),
        of_node[parts.sources[edges]],
        of_node[parts.targets[edges]],
        IN_CYCLE * order.in_cycle[edges]
        + DEFERRED * order.deferred[edges]
        + (0 if both is None else PAIR * both[edges]),
        [plain(parts.place_of(edge)[1], 40) for edge in edges.tolist()],
        f"{told}{', ' + what if what else ''} and {len(edges):,} of"
        f" {len(parts.sources):,} {_lines(both, len(parts.sources))}",
        _fields(graph, edges),
    )
    if how is not None:
        shown, joined = of_node >= 0, np.zeros(len(parts.sources), dtype=bool)
        joined[edges] = True
        small: EntityDependencyGraph = part_of(graph, shown, joined)
        if how != "timeline" or has_moments(small):
            return _laid_out(scene, partial(placed_by, how, small))
    return _placed(scene, [parts.types[number] for number in numbers.tolist()], parts.kinds[edges])


def _lines(both: Bools | None, count: int) -> str:
    return plural(count, "reference") if both is None else f"{plural(count, 'line')}, one a pair"


def _fields(graph: EntityDependencyGraph, edges: Ints) -> list[str]:
    return [plain(graph.arrays.place_of(edge)[0], 80) for edge in edges.tolist()]


def scene_label(node: Any) -> str:
    """Return what stands in the box of a node, in up to two lines."""
    return "\n".join(in_lines(label_of(node, LABEL, with_type=False)))


def _placed(scene: Scene, types: Sequence[str], kinds: Ints) -> Scene:
    """Return a scene with its boxes laid out in layers, or as what they are."""
    small = EntityDependencyGraph.from_parts(
        scene.labels,
        range(len(scene)),
        types,
        scene.sources.tolist(),
        scene.targets.tolist(),
        scene.names,
        kinds=kinds.tolist(),
    )
    return _laid_out(scene, partial(layout_graph, small))


def _laid_out(scene: Scene, laid: Callable[..., Layout]) -> Scene:
    """Return a scene with its boxes where a layout of its elements has them; else with dots."""
    sizes = np.array(
        [
            (max(map(text_width, lines)) * COLUMN, LINE * len(lines))
            for label, note in zip(scene.labels, scene.notes, strict=True)
            if (lines := [*label.split("\n"), *([note] if note else [])])
        ]
    ).reshape(-1, 2)
    sizes += PAD
    layout = None
    needed = float((sizes / UNIT + GAP).prod(axis=1).sum()) * UNIT**2
    if needed * READABLE**2 <= STAGE[0] * STAGE[1]:  # else there is no room for boxes
        layout = laid(sizes=sizes / UNIT, gap=GAP, page=PAGE)
    if scene.kind == "nodes" and (layout is None or _shrunk(layout) < READABLE):
        dots = np.full((len(scene), 2), DOT / UNIT)
        closer = laid(sizes=dots, gap=CLOSE, page=PAGE)
        if _shrunk(closer) > max(STRIP, 0.0 if layout is None else 1.4 * _shrunk(layout)):
            return _with_layout(replace(scene, close=True), closer)
    if layout is None:
        layout = laid(sizes=sizes / UNIT, gap=GAP, page=PAGE)
    a, b = scene.sources, scene.targets
    courses = [
        np.vstack((layout.positions[a[k]], layout.route(k), layout.positions[b[k]]))
        for k in range(len(a))
    ]
    here = behind_boxes(courses, a, b, layout.outlines, layout.shape != HUB)
    return _with_layout(scene, with_ways_around(layout, a, b, here) if len(here) else layout)


def _shrunk(layout: Layout) -> float:
    """Return the scale at which a layout fits the page."""
    left, bottom, right, top = layout.bounds
    wide, high = max(right - left, 0.1) * UNIT, max(top - bottom, 0.1) * UNIT
    return min(STAGE[0] / wide, STAGE[1] / high, 1.0)


def _with_layout(scene: Scene, layout: Layout) -> Scene:
    several = np.flatnonzero(layout.cyclic & ~layout.loose)[:HULLS].tolist()
    return replace(
        scene,
        flags=scene.flags + TO_HUB * (layout.shape == HUB),
        places=_pixels(layout.positions),
        sizes=layout.sizes * UNIT,
        hulls=[_pixels(layout.hull(number)) for number in several],
        starts=layout.starts,
        bends=_pixels(layout.bends),
    )


def _pixels(points: Floats) -> Floats:
    return np.asarray(points * (UNIT, -UNIT))  # a page's y goes down


# -- groups ------------------------------------------------------------------------------------


def groups_of(graph: EntityDependencyGraph, by: By = "auto", limit: int = GROUPS) -> Overview:
    """Return the groups of a graph that a page can show; by others where those are too many."""
    most = min(limit, GROUPS)
    found = overview(graph, most, by=by)
    return found if len(found) <= most or by == "auto" else overview(graph, most)


def groups_scene(
    graph: EntityDependencyGraph, groups: Overview, opened: Mapping[int, int], limit: int
) -> Scene:
    """Return the scene of groups, some of which are opened.

    Parameters
    ----------
    graph
        The whole graph.
    groups
        Its groups.
    opened
        Group → the first of its members to show, counted in the order of saving.
    limit
        How many elements there may be. What of a group does not fit stays a group.

    Notes
    -----
    O((nodes + references) log references), and the layout of what is shown.
    """
    parts, order = graph.arrays, graph.ordering
    left = limit - len(groups)
    members: dict[int, Ints] = {}
    for group, first in opened.items():
        inside = order.sequence[groups.group[order.sequence] == group]
        members[group] = inside[first : first + max(left, 0)]
        left -= len(members[group])
    shown = np.concatenate([*members.values(), np.zeros(0, np.int64)]).astype(np.int64)
    counts = groups.counts.copy()
    for group, inside in members.items():
        counts[group] -= len(inside)
    kept = np.flatnonzero(counts > 0)
    of_group = np.full(len(groups), -1)
    of_group[kept] = np.arange(len(kept))
    of_node = of_group[groups.group]
    of_node[shown] = len(kept) + np.arange(len(shown))
    keys, which = _joined_lines(of_node, graph)
    total = len(kept) + len(shown)
    flags, names, leading = _quotient_lines(graph, keys, which)
    singles = counts[kept] == 1
    first_of = np.zeros(len(groups), dtype=np.int64)
    first_of[groups.group[order.sequence[::-1]]] = order.sequence[::-1]
    alone = np.where(singles & ~np.isin(kept, list(members)), first_of[kept], -1)
    scene = Scene(
        "groups",
        np.concatenate((alone, shown)),
        np.concatenate((kept, groups.group[shown])),
        of_node,
        ["\n".join(in_lines(plain(groups.labels[g][0], LABEL))) for g in kept.tolist()]
        + [scene_label(parts.nodes[number]) for number in shown.tolist()],
        [_rest(groups, g, int(counts[g]), g in members) for g in kept.tolist()] + [""] * len(shown),
        keys // max(total, 1),
        keys % max(total, 1),
        flags,
        names,
        _groups_told(graph, groups, len(kept), len(shown)),
        _fields(graph, leading),
    )
    types = [groups.graph.arrays.types[g] for g in kept.tolist()]
    types += [parts.types[number] for number in shown.tolist()]
    kinds = np.zeros(len(keys), dtype=np.int64)
    outer = which >= 0
    np.maximum.at(kinds, which[outer], parts.kinds[outer])
    return _placed(scene, types, kinds)


def _rest(groups: Overview, group: int, count: int, opened: bool) -> str:
    if opened:
        return f"{count:,} more"
    return groups.labels[group][1] if count > 1 else ""


def _groups_told(graph: EntityDependencyGraph, groups: Overview, kept: int, shown: int) -> str:
    noun = noun_of(graph, len(graph))
    told = shown_of(kept, len(groups), "groups")
    if shown:
        told += f" and, one by one, {shown:,} of {len(graph):,} {noun}"
    else:
        told += f" of {len(graph):,} {noun}"
    return f"{told}; grouped by {groups.by}"


def _joined_lines(of_node: Ints, graph: EntityDependencyGraph) -> tuple[Ints, Ints]:
    """Return the pairs of elements that references join, and per reference its pair or -1."""
    parts = graph.arrays
    total = int(of_node.max()) + 1 if len(of_node) else 0
    a, b = of_node[parts.sources], of_node[parts.targets]
    outer = np.flatnonzero((a != b) | (parts.sources == parts.targets))
    which = np.full(len(a), -1)
    keys, which[outer] = np.unique(a[outer] * max(total, 1) + b[outer], return_inverse=True)
    return keys, which


def _quotient_lines(
    graph: EntityDependencyGraph, keys: Ints, which: Ints
) -> tuple[Ints, list[str], Ints]:
    parts, order = graph.arrays, graph.ordering
    outer = np.flatnonzero(which >= 0)
    lines = np.bincount(which[outer], minlength=len(keys))
    in_cycle = np.bincount(which[outer], order.in_cycle[outer], len(keys)) > 0
    deferred = np.bincount(which[outer], order.deferred[outer], len(keys)) == lines
    first = np.zeros(len(keys), dtype=np.int64)
    first[which[outer[::-1]]] = outer[::-1]
    names = [
        plain(
            parts.place_of(edge)[1] if count == 1 else f"{parts.place_of(edge)[0]} ×{count:,}", 40
        )
        for edge, count in zip(first.tolist(), lines.tolist(), strict=True)
    ]
    return IN_CYCLE * in_cycle + DEFERRED * (in_cycle & deferred), names, first


# -- all nodes as points -----------------------------------------------------------------------


def map_scene(graph: EntityDependencyGraph, both: Bools | None = None) -> Scene:
    """Return the scene of all nodes as points.

    Parameters
    ----------
    graph
        Of any size.
    both
        Shape (references,): which stand for a list and a back-reference; None for none.

    Notes
    -----
    What hangs together and is no tree stands as in its picture, by forces: see
    ``ecsviz.layout.maps``. Else up to `ROWS` nodes in the rows of the layout, O((nodes +
    references) log nodes); more in the order of saving from below, line by line, O(nodes). At most
    `LINES` references: those of cycles, if these are few, the others evenly taken.
    """
    parts, order = graph.arrays, graph.ordering
    n = len(graph)
    few, how = n <= ROWS, ""
    titles: list[tuple[str, float, float, int]] = []
    bands, counted = np.zeros((0, 3), dtype=np.int64), ""
    if needs_a_map(graph, 0):
        places = _pixels(map_of(graph).places * MAP_UNIT)
        titles = _titles(map_of(graph), places)
        bands = bands_of(map_of(graph), parts.sources, parts.targets)
        if len(bands):
            counted = f"; bands stand for up to {bands[0, 2]:,} between communities"
        hub, how = np.zeros(len(parts.sources), dtype=bool), ", what is joined near each other"
    elif few:
        layout = layout_graph(graph, sizes=np.full((n, 2), POINT), gap=POINT_GAP, page=POINT_PAGE)
        places = _pixels(filling(layout.positions, POINT_PAGE, 4 * POINT))
        hub = layout.shape == HUB
    else:
        places, hub = along_line(order.sequence), np.zeros(len(parts.sources), dtype=bool)
        how = ", in the order of saving from below"
    flags = IN_CYCLE * order.in_cycle + DEFERRED * order.deferred + TO_HUB * hub
    edges = _thinned(order.in_cycle)
    length = np.hypot(*(places[parts.sources[edges]] - places[parts.targets[edges]]).T)
    # Like ones are drawn at one stroke; cycles last, on top of the others.
    edges = edges[np.lexsort((length, flags[edges], order.in_cycle[edges]))]
    noun = noun_of(graph, n)
    of_lines = f"{len(parts.sources):,} {_lines(both, len(parts.sources))}"
    return Scene(
        "map",
        np.arange(n),
        np.full(n, -1),
        np.arange(n),
        (),
        (),
        parts.sources[edges],
        parts.targets[edges],
        flags[edges],
        (),
        f"{shown_of(n, n, noun)} as points{how} and {len(edges):,} of {of_lines}{counted}",
        _fields(graph, edges),
        places=places,
        leading=_leading(graph),
        titles=titles,
        bands=list(zip(*bands[:, :2].T.tolist(), shares_of(bands).tolist(), strict=True)),
    )


def _titles(found: Map, places: Floats) -> list[tuple[str, float, float, int]]:
    """Return the titles of communities, each in the middle of its piece."""
    result = []
    middles = middles_of(found, places).tolist()
    for number, leader in enumerate(found.leaders.tolist()):
        x, y = middles[number]
        text = "\n".join(in_lines(plain(found.titles[number], TITLE)))
        result.append((text, x, y, leader))
    return result


def _leading(graph: EntityDependencyGraph) -> Ints:
    """Return the nodes that have most references, to be named first."""
    return np.argsort(-graph.arrays.degrees(), kind="stable")[:LEADING]


def along_line(sequence: Ints) -> Floats:
    """Return places in lines from below, as wide as a page, shape (nodes, 2), in pixels.

    Examples
    --------
    >>> along_line(np.array([1, 0])).tolist()
    [[16.0, 0.0], [0.0, 0.0]]
    """
    n = len(sequence)
    wide = max(int(np.ceil(np.sqrt(n * POINT_PAGE[0] / POINT_PAGE[1]))), 1)
    places = np.zeros((n, 2))
    number = np.arange(n)
    places[sequence] = np.column_stack((number % wide, -(number // wide))) * 16.0
    return places


def _thinned(in_cycle: Bools) -> Ints:
    """Return which references are drawn: so few that are in cycles are all there."""
    if len(in_cycle) <= LINES:
        return np.arange(len(in_cycle))
    kept, rest = np.flatnonzero(in_cycle), np.flatnonzero(~in_cycle)
    if len(kept) > LINES // 2:
        kept, rest = kept[:0], np.arange(len(in_cycle))
    some = np.linspace(0, len(rest) - 1, min(LINES - len(kept), len(rest))).astype(np.int64)
    return np.concatenate((kept, rest[some]))


def elements_of(scene: Scene, wanted: Bools) -> Bools:
    """Return which elements show, or hold, one of the `wanted` nodes, shape (elements,)."""
    found = np.zeros(len(scene), dtype=bool)
    found[scene.of_node[wanted & (scene.of_node >= 0)]] = True
    return found
