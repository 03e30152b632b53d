"""What of a graph the explorer shows, and how that changes when a reader opens and closes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal, get_args

import numpy as np

from ecsviz.basics.arguments import natural_number
from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.text import plain
from ecsviz.domain.labels import label_of
from ecsviz.domain.plain_objects import values_of
from ecsviz.draw.picture import counts_besides
from ecsviz.errors import GraphTooLargeError, InvalidArgumentError, did_you_mean, short_repr
from ecsviz.graph.cycles import CycleList
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.graph.views import checked_graph
from ecsviz.layout import DrawingOptionError, Overview
from ecsviz.layout.choices import How, checked_how
from ecsviz.layout.groups import By
from ecsviz.layout.maps import FEW, needs_a_map
from ecsviz.layout.overview import noun_of
from ecsviz.layout.paired import one_line_a_pair
from ecsviz.layout.timed import has_moments
from ecsviz.widgets.graph.details import ROWS, Around, Ids
from ecsviz.widgets.graph.looks import Looks
from ecsviz.widgets.graph.scene import (
    Scene,
    groups_of,
    groups_scene,
    map_scene,
    nodes_scene,
)

View = Literal["all", "groups", "map", "around", "found"]

VIEWS: Final = ("all", "groups", "map", "around", "found")
MAPPED: Final = 10_000
"""From how many entities on the first view is all of them as points."""
TYPES: Final = 200
"""How many types the filter offers, the most frequent first."""
HIDDEN: Final = 5
"""So many of what is hidden are named."""
LIVE_SEARCH: Final = 20_000
"""Up to how many entities every key starts a search; above, the Enter key does."""
CYCLES: Final = 200
"""How many cycles can be chosen, the shortest first."""
CYCLE_SECONDS: Final = 1.0
"""How long they are searched for."""


class Showing:
    """What a reader has opened, and the scene that this makes.

    Parameters
    ----------
    graph
        The whole graph.
    around
        Looks at its nodes.
    limit
        How many elements are shown one by one at the most.
    both
        Shape (references,): which stand for a list and a back-reference; None for none.

    Attributes
    ----------
    group_by
        What groups are made by.
    opened
        Group → the first of its members that is shown.
    core
        The nodes of which all neighbours are shown.
    members
        Nodes that are shown without their neighbours: those of a cycle or a path.
    members_of
        Of which: ``"cycle"`` or ``"path"``.
    hops
        How far the neighbourhood of `core` goes.
    layout
        How nodes are placed that are shown one by one; None has it chosen.
    matches
        The nodes that search and filters leave, in the order of saving.
    now
        The scene that is shown.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.sample("chain", n=5))
    >>> showing = Showing(graph, Around(graph), 500)
    >>> showing.core = [2]
    >>> showing.show("around").told
    'showing 3 of 5 entities, around 3. Node n3 and 2 of 4 references'
    """

    def __init__(
        self, graph: EntityDependencyGraph, around: Around, limit: int, both: Bools | None = None
    ) -> None:
        self.graph = graph
        self.both = both
        self.around = around
        self.limit = limit
        self.group_by: By = "auto"
        self.opened: dict[int, int] = {}
        self.core: list[int] = []
        self.members: list[int] = []
        self.members_of = "cycle"
        self.hops = 1
        self.layout: How | None = None
        self.matches: Ints = graph.ordering.sequence
        self.now: Scene

    def first(self) -> View:
        """Return the view to begin with: the map that ``draw`` makes, or what has most detail."""
        n = len(self.graph)
        if self.layout is not None and n <= self.limit:
            return "all"
        if n > FEW and needs_a_map(self.graph, FEW):
            return "map"
        return "all" if n <= self.limit else "groups" if n < MAPPED else "map"

    def check(self, view: object) -> None:
        """Raise an error if there is no such view of this graph."""
        if not isinstance(view, str) or view not in VIEWS:
            raise InvalidArgumentError(
                f"view={short_repr(view)} is none.{did_you_mean(view, VIEWS)}"
                f" There are {', '.join(map(repr, VIEWS))}.",
                value=view,
            )
        if view == "all" and len(self.graph) > self.limit:
            raise GraphTooLargeError(
                f"view='all' shows up to {self.limit:,} entities one by one, and there are"
                f" {len(self.graph):,}. Take 'groups', 'map' or 'around', or a higher limit=.",
                n=len(self.graph),
                limit=self.limit,
            )

    def show(self, view: View) -> Scene:
        """Make the scene of a view."""
        if view == "map":
            self.now = self._map
        elif view == "groups":
            self.now = groups_scene(self.graph, self.groups, self.opened, self.limit)
        elif view == "all":
            self.now = self._nodes(np.arange(len(self.graph)))
        elif view == "found":
            self.now = self._nodes(self.matches[: self.limit], self._found_words())
        else:
            self.now = self._nodes(self._near(), self._words())
        return self.now

    def _nodes(self, numbers: Ints, what: str = "") -> Scene:
        return nodes_scene(self.graph, numbers, what, self.both, self.layout)

    @cached_property
    def layouts(self) -> list[str]:
        """The names of the layouts to choose from."""
        return [how for how in get_args(How) if how != "timeline" or has_moments(self.graph)]

    def place_by(self, layout: Any) -> str | None:
        """Take another layout, and return its name.

        Raises
        ------
        InvalidArgumentError
            If there is none of that name, or no node has a moment to be placed by.
        """
        try:
            found = checked_how(layout, "layout")
        except DrawingOptionError as err:
            raise InvalidArgumentError(str(err), value=layout) from None
        if found is not None and found not in self.layouts:
            raise InvalidArgumentError(
                "layout='timeline' asks for moments, and no node has a field with a time or a day."
                " Choose another layout.",
                value=layout,
            )
        self.layout = found
        return found

    @cached_property
    def _map(self) -> Scene:
        return map_scene(self.graph, self.both)

    def _near(self) -> Ints:
        """Return the nodes in the middle and as many of their neighbours as there is room for."""
        shown = dict.fromkeys([*self.members, *self.core])
        ring = list(self.core)
        for _ in range(self.hops):
            found: dict[int, None] = {}
            for number in ring:
                if len(shown) + len(found) > self.limit:
                    break
                found.update(dict.fromkeys(self.around.neighbours(number)))
            ring = [number for number in found if number not in shown]
            shown.update(dict.fromkeys(ring))
        return np.array(list(shown)[: self.limit], dtype=np.int64)

    def _found_words(self) -> str:
        return "those found first" if len(self.matches) > self.limit else "those found"

    def _words(self) -> str:
        if not self.core:
            return f"those of one {self.members_of}"
        names = [self.around.name(number) for number in self.core[:2]]
        more = f" and {len(self.core) - 2:,} more" if len(self.core) > 2 else ""
        far = f"up to {self.hops} hops " if self.hops > 1 else ""
        return f"{far}around {', '.join(names)}{more}"

    def element_of(self, number: int | None) -> int:
        """Return the element that shows a node, or -1."""
        return -1 if number is None else int(self.now.of_node[number])

    def told_of(self, element: int) -> tuple[str, str]:
        """Return the whole name of an element, and what it holds."""
        node, group = int(self.now.nodes[element]), int(self.now.groups[element])
        if node < 0:
            return self.groups.labels[group]
        return label_of(self.graph.arrays.nodes[node], 300), self.around.held(node)

    def shows_each(self, numbers: list[int]) -> bool:
        """Tell whether the scene shows some nodes one by one, as more than points."""
        elements = self.now.of_node[numbers]
        return bool((elements >= 0).all() and (self.now.nodes[elements] >= 0).all()) and (
            self.now.kind != "map"
        )

    def look_around(self, number: int) -> None:
        """Show a node with its neighbours, and nothing else."""
        self.core, self.members = [number], []

    def look_at(self, members: list[int], of: str) -> None:
        """Show the nodes of a cycle or a path, and nothing else."""
        self.core, self.members, self.members_of = [], members, of

    # -- opening and closing -----------------------------------------------------------------

    @cached_property
    def groups(self) -> Overview:
        """The groups of the graph."""
        return groups_of(self.graph, self.group_by, self.limit)

    def group_anew(self, by: By) -> None:
        """Make other groups, all closed."""
        self.group_by = by
        self.opened = {}
        self.__dict__.pop("groups", None)

    def open_group(self, group: int) -> bool:
        """Open a group, or go on to those of its members that were not shown.

        Returns
        -------
        bool
            Whether there was room for it.
        """
        if group in self.opened:
            first = self.opened.pop(group) + self._members_shown(group)
            self.opened[group] = first if first < self.groups.counts[group] else 0
        else:
            self.opened[group] = 0
        self.show("groups")
        if self._members_shown(group):
            return True
        self.opened.pop(group)
        self.show("groups")
        return False

    def _members_shown(self, group: int) -> int:
        return int((self.now.groups[self.now.nodes >= 0] == group).sum())

    def open_node(self, number: int) -> None:
        """Show all neighbours of a node as well."""
        self.core = [*(other for other in self.core if other != number), number]

    def close_node(self, number: int) -> bool:
        """Take away what only this node had brought; tell whether there was something."""
        if number not in self.core or (len(self.core) == 1 and not self.members):
            return False
        self.core.remove(number)
        return True


class Cycles:
    """The cycles of a graph, to be stepped through; found when they are first asked for.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> cycles = Cycles(ev.EntityDependencyGraph(thread))
    >>> cycles.listed()
    {'told': '1 cycle', 'listed': ['2: ChatThread Cycles → ChatMessage user: h…']}
    >>> [step["path"] for step in cycles.steps(0)]
    ['messages[0]', 'thread']
    """

    def __init__(self, graph: EntityDependencyGraph) -> None:
        self.graph = graph

    @cached_property
    def found(self) -> CycleList:
        """The shortest cycles."""
        return self.graph.get_cycles(limit=CYCLES, seconds=CYCLE_SECONDS)

    def __len__(self) -> int:
        return len(self.found)

    def listed(self) -> dict[str, Any]:
        """Return what one can choose from, and how much of what there is that is."""
        lines = [
            plain(f"{len(cycle)}: " + " → ".join(label_of(n, 20) for n in cycle.nodes[:4]), 90)
            for cycle in self.found
        ]
        told = f"{len(lines):,} cycle{'s' * (len(lines) != 1)}"
        if not self.found.complete:
            told = f"the {len(lines):,} shortest cycles; there are more"
        return {"told": told, "listed": lines}

    @cached_property
    def _deferred(self) -> set[tuple[int, str]]:
        return {(self.graph.number_of(r.source), r.path) for r in self.graph.deferred}

    def steps(self, number: int) -> list[dict[str, Any]]:
        """Return a cycle's references: both ends by number, the path, and all as text."""
        result = []
        for reference in self.found[number].references:
            source = self.graph.number_of(reference.source)
            text = f"{label_of(reference.source, 40)} → {reference.path}"
            result.append(
                {
                    "source": source,
                    "target": self.graph.number_of(reference.target),
                    "path": plain(reference.path, 40),
                    "text": plain(f"{text} → {label_of(reference.target, 40)}", 200),
                    "deferred": (source, reference.path) in self._deferred,
                }
            )
        return result

    def members(self, number: int) -> list[int]:
        """Return a cycle's nodes, by number."""
        return [self.graph.number_of(node) for node in self.found[number].nodes]


def names_of_types(graph: EntityDependencyGraph) -> list[str]:
    """Return the names of a graph's types, the most frequent first."""
    counts = Counter(graph.arrays.types)
    return sorted(counts, key=lambda name: (-counts[name], name))


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """All that an explorer asks of its graph, so that it says the same everywhere.

    Attributes
    ----------
    graph
        The whole graph.
    around
        Looks at one of its nodes after the other.
    showing
        What of it is shown.
    cycles
        Those that can be stepped through.
    looks
        Colours and sizes.
    ids
        Finds nodes.
    names
        Of its types, the most frequent first.
    """

    graph: EntityDependencyGraph
    around: Around
    showing: Showing
    cycles: Cycles
    looks: Looks
    ids: Ids
    names: list[str]

    @property
    def counts(self) -> str:
        """Its figures, as its picture has them for a title."""
        return counts_besides(self.graph, self.showing.graph)


def subject_of(graph: EntityDependencyGraph, limit: int, *, pairs: bool) -> Subject:
    """Return a graph as an explorer is about it.

    Parameters
    ----------
    graph
        Of any size.
    limit
        How many entities are shown one by one at the most.
    pairs
        Whether pairs are cycles like others.

    Examples
    --------
    >>> import ecsviz as ev
    >>> graph = ev.EntityDependencyGraph(ev.sample("thread"))
    >>> subject_of(graph, 500, pairs=False).counts.rpartition(", ")[2]
    'no cycle besides 35 pairs'
    """
    checked_graph(graph)
    shown, both, single = graph, None, graph
    if not pairs:
        one_line = one_line_a_pair(graph)
        shown, both, single = one_line.graph, one_line.both, graph.without_pairs
    around = Around(graph, single)
    return Subject(
        graph,
        around,
        Showing(shown, around, limit, both),
        Cycles(single),
        Looks(shown, around.steps),
        Ids(graph),
        names_of_types(graph),
    )


def field_names(graph: EntityDependencyGraph) -> list[str]:
    """Return the names of the fields that hold references, in the order of their first."""
    parts = graph.arrays
    return list(dict.fromkeys(parts.place_of(number)[0] for number in range(len(parts.sources))))


def hidden_told(names: list[str]) -> str:
    """Return what is hidden, in words, to stand behind what is shown."""
    shown = ", ".join(plain(name, 40) for name in names[:HIDDEN])
    more = f" and {len(names) - HIDDEN:,} more" if len(names) > HIDDEN else ""
    return f"; hidden: {shown}{more}" if names else ""


def type_named(wanted: str | None, names: list[str]) -> str | None:
    """Return the name of a type, given as it is or as a page shows it.

    Raises
    ------
    InvalidArgumentError
        If there is no such type.
    """
    if wanted is None or wanted in names:
        return wanted
    for name in names[:TYPES]:
        if plain(name, 80) == wanted:
            return name
    raise InvalidArgumentError(
        f"type_filter={short_repr(wanted)} is no type of this graph."
        f"{did_you_mean(wanted, names)} Give None for all.",
        value=wanted,
    )


def check_number(name: str, value: object, what: str) -> None:
    """Raise an error if something is no whole number from 0 on."""
    if natural_number(value) is None:
        raise InvalidArgumentError(
            f"{name} is {short_repr(value)}. Give a whole number: {what}.", value=value
        )


def introduction(showing: Showing, names: list[str], looks: Looks) -> dict[str, Any]:
    """Return what a page is told of a graph itself, whatever of it is shown."""
    graph = showing.graph
    counts = Counter(graph.arrays.types)
    return {
        "count": len(graph),
        "noun": noun_of(graph, 2),
        "one": noun_of(graph, 1),
        "references": len(showing.around.references),
        "cyclic": int(graph.ordering.cyclic.sum()),
        "pairs": bool(showing.both is not None and showing.both.any()),
        "limit": showing.limit,
        "alone": False,
        "live": len(graph) <= LIVE_SEARCH,
        "rows": ROWS,
        "layouts": showing.layouts,
        "types": [(plain(name, 80), counts[name]) for name in names[:TYPES]],
        **looks.choices(),
    }


def filtered(
    graph: EntityDependencyGraph,
    type_name: str | None,
    hidden: Collection[str] = (),
    *,
    cycles_only: bool,
) -> Bools:
    """Return which nodes are of a type, and in a cycle if that is asked, shape (nodes,)."""
    order = graph.ordering
    keep = np.ones(len(graph), dtype=bool)
    if type_name is not None:
        keep &= np.array([name == type_name for name in graph.arrays.types], dtype=bool)
    if hidden:
        keep &= np.array([name not in hidden for name in graph.arrays.types], dtype=bool)
    if cycles_only:
        keep &= order.cyclic[order.component]
    return keep


def found(graph: EntityDependencyGraph, text: str, among: Bools) -> Bools:
    """Return which of some nodes a text is found in, shape (nodes,).

    Parameters
    ----------
    graph
        Of entities, classes or tables.
    text
        What is looked for, in any case: in types, ids and fields of text; all where it is empty.
    among
        Shape (nodes,): where it is looked for.

    Notes
    -----
    O(texts): straight from the entities, since an index would be another copy of the graph.

    Examples
    --------
    >>> import ecsviz as ev
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "A way back")
    >>> found(ev.EntityDependencyGraph(thread), "WAY", np.ones(2, bool)).tolist()
    [False, True]
    """
    wanted = text.strip().casefold()
    if not wanted:
        return among
    result = among.copy()
    for number in np.flatnonzero(among).tolist():
        result[number] = _found_in(graph, number, wanted)
    return result


def _found_in(graph: EntityDependencyGraph, number: int, wanted: str) -> bool:
    parts = graph.arrays
    node = parts.nodes[number]
    if wanted in parts.types[number].casefold() or wanted in str(parts.ids[number]).casefold():
        return True
    values = values_of(node).values()
    return any(type(value) is str and wanted in value.casefold() for value in values) or (
        not values and wanted in label_of(node).casefold()
    )
