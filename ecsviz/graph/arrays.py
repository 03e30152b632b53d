"""The parts of a dependency graph, as arrays: from live entities, or from entity classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload
from uuid import UUID

import numpy as np
from pydantic import BaseModel

from ecsviz.basics.order import Bools, Ints
from ecsviz.domain.entity_class import is_entity_class, newest_definition
from ecsviz.domain.fields import FieldPlan, class_plan
from ecsviz.domain.walk import Reference, walk
from ecsviz.errors import NotAnEntityError, short_repr
from ecsviz.graph.pairs import sides_of


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Nodes and references.

    Attributes
    ----------
    nodes
        What stands for each node.
    ids
        A sortable, hashable id for each: a UUID, or a name.
    types
        The name of each node's type.
    sources, targets
        Per reference the position of its holder and of what is held, shape (references,).
    kinds
        Per reference ``COLLECTION``, ``NULLABLE`` or ``REQUIRED`` (``ecsviz.basics.order``).
    place_of
        Gives a reference's field and path.
    rising
        Whether the ids are known to rise.
    sides
        Gives per reference the side that its field is of a pair (``ecsviz.graph.pairs``), shape
        (references,); None where there are no pairs.
    """

    nodes: Sequence[Any]
    ids: Sequence[Any]
    types: Sequence[str]
    sources: Ints
    targets: Ints
    kinds: Ints
    place_of: Callable[[int], tuple[str, str]]
    rising: bool = False
    sides: Callable[[], Ints] | None = None

    def reference(self, number: int) -> Reference:
        """Return the `number`-th reference as an object."""
        field, path = self.place_of(number)
        return Reference(
            self.nodes[int(self.sources[number])],
            field,
            path,
            self.nodes[int(self.targets[number])],
        )

    def paired(self) -> tuple[Bools, Bools]:
        """Tell which references are the back-references of pairs, and which are their lists'.

        Notes
        -----
        Shapes (references,). What only one side says is no pair. O(n log n).
        """
        n = len(self.nodes)
        backs, lists = np.zeros((2, len(self.sources)), dtype=np.bool_)
        if self.sides is not None:
            sides = self.sides()
            many, one = np.flatnonzero(sides > 0), np.flatnonzero(sides < 0)
            said = (sides[many] * n + self.sources[many]) * n + self.targets[many]
            back = (-sides[one] * n + self.targets[one]) * n + self.sources[one]
            backs[one], lists[many] = np.isin(back, said), np.isin(said, back)
        return backs, lists

    def without(self, left_out: Bools) -> Parts:
        """Return the same nodes with some references fewer, which are marked."""
        kept = np.flatnonzero(~left_out)
        ends = self.sources[kept], self.targets[kept], self.kinds[kept]
        place = self.place_of
        return make_parts(
            self.nodes,
            self.ids,
            self.types,
            *ends,
            lambda number: place(int(kept[number])),
            rising=self.rising,
        )

    def degrees(self) -> Ints:
        """Return how many references join every node, shape (nodes,)."""
        return np.bincount(np.concatenate((self.sources, self.targets)), minlength=len(self.nodes))

    def rank(self) -> Ints:
        """Return the place of every node in the order of the ids, shape (nodes,)."""
        n = len(self.nodes)
        if self.rising:
            return np.arange(n)
        # Comparing integers is ten times faster than comparing UUID objects.
        keys = [i.int for i in self.ids] if n and isinstance(self.ids[0], UUID) else self.ids
        rank = np.empty(n, dtype=np.int64)
        rank[sorted(range(n), key=keys.__getitem__)] = np.arange(n)
        return rank


class References(Sequence[Reference]):
    """The references of a graph, made one by one when asked for."""

    __slots__ = ("_numbers", "_parts")

    def __init__(self, parts: Parts, numbers: Sequence[int]) -> None:
        self._parts = parts
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> Reference: ...
    @overload
    def __getitem__(self, index: slice) -> References: ...
    def __getitem__(self, index: int | slice) -> Reference | References:
        if isinstance(index, slice):
            return References(self._parts, self._numbers[index])
        return self._parts.reference(self._numbers[index])

    def __repr__(self) -> str:
        shown = ", ".join(repr(reference) for reference in self[:5])
        more = f", … {len(self) - 5:,} more" if len(self) > 5 else ""
        return f"[{shown}{more}]"


def make_parts(
    nodes: Sequence[Any],
    ids: Sequence[Any],
    types: Sequence[str],
    sources: Sequence[int] | Ints,
    targets: Sequence[int] | Ints,
    kinds: Sequence[int] | Ints,
    place_of: Callable[[int], tuple[str, str]],
    *,
    rising: bool = False,
    sides: Callable[[], Ints] | None = None,
) -> Parts:
    """Return parts, whatever holds the integers."""
    return Parts(
        nodes,
        ids,
        types,
        np.asarray(sources, dtype=np.int64),
        np.asarray(targets, dtype=np.int64),
        np.asarray(kinds, dtype=np.int64),
        place_of,
        rising,
        sides,
    )


def part_of(graph: Any, nodes: Bools, references: Bools) -> Any:
    """Return the graph of some nodes and of some references between them, which are marked.

    Examples
    --------
    >>> import ecsviz as ev, numpy as np
    >>> graph = ev.EntityDependencyGraph(ev.sample("chain", n=3))
    >>> part_of(graph, np.array([True, True, False]), np.array([True, False]))
    EntityDependencyGraph(2 nodes, 1 references, no cycle)
    """
    parts: Parts = graph.arrays
    place, here = np.cumsum(nodes) - 1, np.flatnonzero(nodes).tolist()
    left = np.flatnonzero(references)
    places, sides = [parts.place_of(number) for number in left.tolist()], parts.sides
    return type(graph).from_parts(
        [parts.nodes[k] for k in here],
        [parts.ids[k] for k in here],
        [parts.types[k] for k in here],
        place[parts.sources[left]],
        place[parts.targets[left]],
        [path for _, path in places],
        fields=[field for field, _ in places],
        kinds=parts.kinds[left],
        sides=None if sides is None else lambda: sides()[left],
        rising=parts.rising,
    )


def parts_of_entities(roots: Iterable[Any]) -> Parts:
    """Return everything that is reachable from the roots. O(entities + references)."""
    found = walk(roots).release()
    kinds = np.array([field.kind for field in found.fields], dtype=np.int64)
    slots = np.asarray(found.slots, dtype=np.int64)
    names = np.array([cls.__name__ for cls in found.classes], dtype=object)
    return make_parts(
        found.entities,
        found.ids,
        names[np.asarray(found.kinds)].tolist() if len(names) else [],
        found.sources,
        found.targets,
        kinds[slots] if len(slots) else (),
        lambda number: (found.fields[found.slots[number]].name, found.path(number)),
        rising=bool(found.rising),
        sides=lambda: np.array(sides_of(found.fields), dtype=np.int64)[slots],
    )


def parts_of_classes(classes: Iterable[Any]) -> Parts:
    """Return the entity classes that fields lead to; a reference is a field."""
    nodes: list[Any] = []
    index: dict[Any, int] = {}
    ends: list[tuple[int, int]] = []
    fields: list[FieldPlan] = []

    def number_of(cls: Any) -> int:
        cls = newest_definition(cls)
        if cls not in index:
            index[cls] = len(nodes)
            nodes.append(cls)
        return index[cls]

    for cls in classes:
        if not is_entity_class(cls):
            raise NotAnEntityError(
                f"{short_repr(cls)} stands among entity classes but is none."
                " Give either entities or entity classes.",
                value=cls,
            )
        number_of(cls)
    for source, cls in enumerate(nodes):  # grows while it is read
        for field in class_plan(cls).check().fields:
            for target in field.targets:
                ends.append((source, number_of(target)))
                fields.append(field)
    return make_parts(
        nodes,
        _distinct_names(nodes),
        ["class"] * len(nodes),
        [source for source, _ in ends],
        [target for _, target in ends],
        [field.kind for field in fields],
        lambda number: (fields[number].name, fields[number].name),
        sides=lambda: np.array(sides_of(fields), dtype=np.int64),
    )


def as_roots(entities: Any) -> list[Any]:
    """Return one entity, or an iterable of entities, as a list.

    Raises
    ------
    NotAnEntityError
        If it is neither.
    """
    if is_entity_class(type(entities)) or is_entity_class(entities):
        return [entities]
    # A pydantic model is iterable too, over its fields.
    if isinstance(entities, (str, bytes, BaseModel)) or not isinstance(entities, Iterable):
        name = type(entities).__name__
        is_model = isinstance(entities, BaseModel)
        other = f"; ev.entity_class({name}) makes a class of entities of it" if is_model else ""
        raise NotAnEntityError(
            f"{short_repr(entities)} is not an entity, but of type {name}."
            " Give an instance of a subclass of ev.Entity, or a list of them; ev.graph_of takes"
            f" other objects{other}.",
            value=entities,
        )
    return list(entities.values()) if isinstance(entities, Mapping) else list(entities)


def _distinct_names(classes: list[Any]) -> list[str]:
    names = [cls.__name__ for cls in classes]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{cls.__module__}.{cls.__qualname__}"
        for name, cls in zip(names, classes, strict=True)
    ]
