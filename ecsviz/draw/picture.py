"""What a picture shows: the nodes or their groups, their labels, their colours, in plain data."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Literal, overload

import numpy as np

from ecsviz.basics.arguments import count_or_none
from ecsviz.basics.order import Bools, Ints
from ecsviz.basics.text import counted
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import OWN_FIELDS
from ecsviz.domain.labels import clean_text, label_of
from ecsviz.domain.plain_objects import is_plain_class, values_of
from ecsviz.draw.labels import LENGTH, READ
from ecsviz.draw.options import checked_option, said_of
from ecsviz.errors import did_you_mean, short_repr
from ecsviz.graph.cycles import Cycle
from ecsviz.layout import DrawingOptionError, Overview, overview
from ecsviz.layout.choices import How, checked_how
from ecsviz.layout.implied import implied_references
from ecsviz.layout.maps import FEW, needs_a_map
from ecsviz.layout.overview import noun_of

if TYPE_CHECKING:
    from ecsviz.graph.dependency_graph import EntityDependencyGraph

GroupBy = Literal["auto", "component", "type", "thread"]

__all__ = [
    "DrawingOptionError",
    "GroupBy",
    "Picture",
    "counts_besides",
    "counts_of",
    "make_picture",
]

BUILT_IN: Final = ("type", "component", "generation", "degree")
"""What ``color_by`` knows in every graph."""
HUGE: Final = 10**300
"""From here on a whole number is a text: no scale has room for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What a picture shows.

    Attributes
    ----------
    graph
        What is drawn: the graph itself, or its groups.
    labels
        One per node; a group's second line says how many it stands for.
    values
        What the colour of each node stands for.
    in_cycle, deferred, implied
        Shape (references,). What is implied is faint: see ``implied_references``.
    lines
        Shape (references,): how many references each stands for.
    holds_cycle, piled
        Shape (nodes,): whether a group has a cycle inside, and whether it has several members.
    field_of
        Gives the label of a reference.
    lit, lit_references
        Shapes (nodes,) and (references,): what is highlighted, or None.
    grouped
        Whether nodes are groups.
    counts, note
        The title's figures, and what was merged or left out.
    told
        What has become of each reference between two states, a key of
        ``ecsviz.draw.style.REFERENCES`` or empty; None where there are no two states.
    both
        Shape (references,): which stand for a pair, or None.
    label_length
        How long a name may be, in columns.
    mapped
        Whether nodes are points where forces put them.
    how
        The layout that was chosen, or None.
    """

    graph: EntityDependencyGraph
    labels: Sequence[str]
    values: list[Any]
    in_cycle: Bools
    deferred: Bools
    implied: Bools
    lines: Ints
    holds_cycle: Bools
    piled: Bools
    field_of: Callable[[int], str]
    lit: Bools | None
    lit_references: Bools | None
    grouped: bool
    counts: str
    note: str
    told: Sequence[str] | None = None
    both: Bools | None = None
    label_length: int = LENGTH
    mapped: bool = False
    how: How | None = None

    def are(self, state: str) -> Bools:
        """Tell of which references this is what has become, shape (references,)."""
        if self.told is None:
            return np.full(len(self.lines), not state)
        return np.array([each == state for each in self.told], dtype=bool)


def make_picture(
    graph: EntityDependencyGraph,
    *,
    what: str = "references",
    color_by: Any,
    label: Any,
    highlight: Any,
    max_nodes: int | None,
    group_by: GroupBy | str | type | None,
    layout: How | None = None,
) -> Picture:
    """Decide what is shown; the parameters are those of ``ecsviz.draw.draw_graph``.

    What notes call the references of the graph is `what`.
    """
    how = None if layout is None else checked_how(layout, "layout")
    max_nodes = checked_option(count_or_none, max_nodes, "max_nodes")
    lit = _lit(graph, highlight)
    lit_references = _lit_references(graph, highlight, lit)
    if group_by is None and _is_mapped(graph, how, max_nodes):
        picture = _one_by_one(graph, color_by, label, lit, lit_references, what)
        return replace(picture, mapped=True, note="")
    if group_by is None and (max_nodes is None or len(graph) <= max_nodes):
        picture = _one_by_one(graph, color_by, label, lit, lit_references, what)
        return replace(picture, how=how)
    groups = overview(graph, max_nodes or 600, by="auto" if group_by is None else group_by)
    return replace(_in_groups(graph, groups, color_by, lit, lit_references, what), how=how)


def _is_mapped(graph: EntityDependencyGraph, how: How | None, max_nodes: int | None) -> bool:
    least = FEW if max_nodes is None else min(FEW, max_nodes)
    if len(graph) <= least or how not in (None, "force"):
        return False
    return how == "force" or (max_nodes is not None and needs_a_map(graph, least))


def _one_by_one(
    graph: EntityDependencyGraph,
    color_by: Any,
    label: Any,
    lit: Bools | None,
    lit_references: Bools | None,
    what: str,
) -> Picture:
    found = graph.ordering
    implied = implied_references(graph)
    return Picture(
        graph,
        _labels(graph, label),
        values_by(graph, color_by),
        found.in_cycle,
        found.deferred,
        implied,
        np.ones(len(found.deferred), dtype=np.int64),
        np.zeros(len(graph), dtype=bool),
        np.zeros(len(graph), dtype=bool),
        lambda number: _place(graph, number),
        lit,
        lit_references,
        False,
        counts_of(graph),
        _faint(int(implied.sum()), what),
    )


def _in_groups(
    graph: EntityDependencyGraph,
    groups: Overview,
    color_by: Any,
    lit: Bools | None,
    lit_references: Bools | None,
    what: str,
) -> Picture:
    if isinstance(color_by, str) and color_by == "type":
        values: list[Any] = list(groups.graph.arrays.types)
    else:
        # A group has the value that most of its members have.
        every = values_by(graph, color_by)
        given = {str(value): value for value in every}
        names, codes = np.unique(np.array([str(value) for value in every]), return_inverse=True)
        table = np.zeros((len(groups), len(names)), dtype=np.int64)
        np.add.at(table, (groups.group, codes), 1)
        values = [given[str(names[code])] for code in table.argmax(axis=1).tolist()]
    lit_groups = None
    if lit is not None:
        lit_groups = np.zeros(len(groups), dtype=bool)
        lit_groups[groups.group[lit]] = True
    places = groups.graph.arrays.place_of
    lit_lines = None
    if lit_groups is not None and lit_references is not None:
        ends = groups.graph.arrays
        lit_lines = lit_groups[ends.sources] & lit_groups[ends.targets]
    return Picture(
        groups.graph,
        ["\n".join(filter(None, pair)) for pair in groups.labels],
        values,
        groups.in_cycle,
        groups.deferred,
        np.zeros(len(groups.deferred), dtype=bool),
        groups.lines,
        groups.holds_cycle,
        groups.counts > 1,
        lambda number: places(number)[0],
        lit_groups,
        lit_lines,
        True,
        counts_of(graph),
        _note(graph, groups, what),
    )


def counts_of(graph: EntityDependencyGraph) -> str:
    """Return a graph's figures: nodes, references, cyclic components."""
    nodes, references = len(graph), len(graph.arrays.sources)
    cyclic = int(graph.ordering.cyclic.sum())
    cycles = f"{cyclic:,} cyclic component{'s' * (cyclic != 1)}" if cyclic else "no cycle"
    held = f"{references:,} reference{'s' * (references != 1)}"
    unknown = f", {graph.left_out:,} of them not loaded" if graph.left_out else ""
    return f"{nodes:,} {noun_of(graph, nodes)}{unknown}, {held}, {cycles}"


def counts_besides(graph: EntityDependencyGraph, shown: EntityDependencyGraph) -> str:
    """Return a graph's figures where another is shown for it, which is without pairs."""
    whole = counts_of(graph)
    pairs = 0 if shown is graph else len(graph.pairs)
    if not pairs:
        return whole
    cycles = counts_of(shown).rpartition(", ")[2]
    return f"{whole.rpartition(', ')[0]}, {cycles} besides {counted(pairs, 'pair')}"


def _faint(implied: int, what: str) -> str:
    if not implied:
        return ""
    return f"{implied:,} {what} are faint: a longer way along others leads there too."


def _note(graph: EntityDependencyGraph, groups: Overview, what: str) -> str:
    count, noun = len(groups), noun_of(graph, len(graph))
    note = (
        f"Showing {count:,} group{'s' * (count != 1)} of {len(graph):,} {noun},"
        f" grouped by {groups.by}."
    )
    references = len(graph.arrays.sources)
    if groups.inner:
        which = "All" if groups.inner == references else f"{groups.inner:,} of {references:,}"
        note += f" {which} {what} lie inside groups."
    if groups.weak:
        note += f" The weakest lines are left out; they stand for {groups.weak:,}."
    return note


# -- options ---------------------------------------------------------------------------------


class _Names(Sequence[str]):
    """The labels of nodes, made when asked for: of ten thousand marks, sixty are named."""

    def __init__(self, nodes: Sequence[Any]) -> None:
        self._nodes = nodes

    def __len__(self) -> int:
        return len(self._nodes)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return _Names(self._nodes[index])
        return label_of(self._nodes[index], READ, with_type=False)


def _labels(graph: EntityDependencyGraph, label: Any) -> Sequence[str]:
    nodes = graph.arrays.nodes
    if label is False:
        return [""] * len(nodes)
    if label is None or label is True:
        return _Names(nodes)
    values = _asked(graph, label, "label")
    return ["" if value is None else clean_text(str(_shown(value, READ)), READ) for value in values]


def values_by(graph: EntityDependencyGraph, color_by: Any, option: str = "color_by") -> list[Any]:
    """Return what the colour, or the size, of each node stands for.

    Raises
    ------
    DrawingOptionError
        If it is no word of `BUILT_IN`, no field, and no function of a node.
    """
    built_in = color_by if isinstance(color_by, str) else ""
    if built_in == "type":
        return list(graph.arrays.types)
    if built_in == "component":
        # Single nodes share one colour: only what hangs together tells something.
        component = graph.ordering.component
        several = np.bincount(component, minlength=1)[component] > 1
        return [
            f"component {number + 1}" if more else "single"
            for number, more in zip(component.tolist(), several.tolist(), strict=True)
        ]
    if built_in == "generation":
        return list(graph.ordering.generation.tolist())
    return [_shown(value) for value in _asked(graph, color_by, option)]


def _shown(value: Any, limit: int = 32) -> str | int | float | None:
    """Return a value as a legend or a label can hold it."""
    if isinstance(value, enum.Enum):
        value = value.value
    if value is None or isinstance(value, float):
        return value
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (date, time, timedelta)):
        return str(value)
    if isinstance(value, int) and abs(value) < HUGE:
        return value
    if is_entity_class(type(value)) or is_plain_class(type(value)):
        return label_of(value)
    return clean_text(value, limit) if isinstance(value, str) else short_repr(value, limit)


def _asked(graph: EntityDependencyGraph, what: Any, option: str) -> list[Any]:
    """Return what a function, or a field, gives for every node."""
    nodes = graph.arrays.nodes
    if callable(what):
        return [said_of(node, what, option) for node in nodes]
    known: dict[str, None] = {}
    for node in nodes:
        kind = type(node)
        known.update(dict.fromkeys(kind.model_fields if is_entity_class(kind) else values_of(node)))
    if option != "label" and isinstance(what, str) and what == "degree" and what not in known:
        found: list[Any] = graph.arrays.degrees().tolist()
        return found
    if not isinstance(what, str) or (nodes and what not in known):
        options = [name for name in known if name not in OWN_FIELDS]
        options += [] if option == "label" else BUILT_IN
        raise DrawingOptionError(
            f"{option}={short_repr(what)} is no field of what is drawn."
            f"{did_you_mean(what, options)} Give a field's name, or a function of a node.",
            option=option,
            value=what,
        )
    return [values_of(node).get(what) for node in nodes]


def _lit(graph: EntityDependencyGraph, highlight: Any) -> Bools | None:
    if highlight is None:
        return None
    lit = np.zeros(len(graph), dtype=bool)
    for node in _highlighted(highlight):
        lit[graph.number_of(node)] = True
    return lit


def _highlighted(highlight: Any) -> Sequence[Any]:
    if isinstance(highlight, Cycle):
        return highlight.nodes
    if (
        isinstance(highlight, Iterable)
        and not isinstance(highlight, (str, bytes, type))
        and not is_entity_class(type(highlight))
    ):
        found: list[Any] = []
        for item in highlight:
            found.extend(item.nodes if isinstance(item, Cycle) else [item])
        return found
    return [highlight]


def _lit_references(
    graph: EntityDependencyGraph, highlight: Any, lit: Bools | None
) -> Bools | None:
    """Return which references are highlighted: a cycle's own, or those among the nodes."""
    if lit is None:
        return None
    parts = graph.arrays
    among = lit[parts.sources] & lit[parts.targets]
    if isinstance(highlight, Cycle):
        nodes = [graph.number_of(node) for node in highlight.nodes]
        steps = set(zip(nodes, [*nodes[1:], nodes[0]], strict=True))
        ends = zip(parts.sources.tolist(), parts.targets.tolist(), strict=True)
        among &= np.array([end in steps for end in ends], dtype=bool)
    return np.asarray(among)


def _place(graph: EntityDependencyGraph, number: int) -> str:
    field, path = graph.arrays.place_of(number)
    return path if len(path) <= 14 else field
