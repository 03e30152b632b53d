"""Arcs: which references the tables hold, told once for all who read, check or delete them.

An arc is read from the map of a class, of the present or the past, or from the layout that a store
notes where the class is not defined here. Both tell the same:

>>> import ecsviz as ev
>>> from ecsviz.storage.relational.schema.mapping import Mapping
>>> for arc in arcs_in(Mapping().map_classes([ev.ChatMessage])[0]):
...     print(f"{arc}: {arc.table.name}.{arc.owner.name} -> {arc.held.name}")
ChatMessage.thread -> ChatThread: chat_messages.id -> thread_id
ChatThread.messages -> ChatMessage: chat_messages.thread_id -> id
ChatMessage.parent -> ChatMessage: chat_messages.id -> parent_id
ChatMessage.replies -> ChatMessage: chat_messages.parent_id -> id
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Container, Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from ecsviz.basics.order import COLLECTION, NULLABLE, REQUIRED
from ecsviz.domain.fields import Shape
from ecsviz.storage.relational.schema.class_maps import (
    ClassMap,
    Collection,
    Layout,
    RefColumn,
    StoredType,
)
from ecsviz.storage.relational.schema.naming import snake


class Kind(enum.Enum):
    """How a field holds what an arc leads to."""

    SINGLE = "single"
    LIST = "inverse list"
    """A list that its members' back-references say."""
    COLLECTION = "collection"
    SET = "set"
    NESTED = "nested"
    """Inside nested values."""


@dataclass(frozen=True, slots=True)
class Arc:
    """One kind of reference: two columns of one table, the row ids of who holds and is held.

    Attributes
    ----------
    source, target
        The types.
    field
        The field of the source that holds the target.
    table
        Where it stands: the source's own table; for a list that back-references say, the
        target's; or an association table.
    owner, held
        The columns of the source's and of the target's row id.
    position
        The column that orders what one source holds; None where it holds one.
    key
        For a dictionary, the column of its keys.
    required
        Whether the column may not be NULL.
    item
        What the map of the class says of the field, or of the back-reference that says the list;
        None where only the layout is known.
    """

    source: str
    target: str
    field: str
    kind: Kind
    table: Any
    owner: Any
    held: Any
    position: Any = None
    key: Any = None
    required: bool = False
    item: Any = None

    def __str__(self) -> str:
        return f"{self.source}.{self.field} -> {self.target}"

    @property
    def has_table(self) -> bool:
        """Whether it stands in an association table."""
        return self.kind not in (Kind.SINGLE, Kind.LIST)

    @property
    def weight(self) -> int:
        """What it is to a graph: COLLECTION, NULLABLE or REQUIRED of `ecsviz.basics.order`."""
        if self.kind is not Kind.SINGLE:
            return COLLECTION
        required = self.required if self.item is None else self.item.plan.required
        return REQUIRED if required else NULLABLE

    @property
    def there(self) -> list[Any]:
        """The conditions for a row that holds such a reference."""
        if self.kind is Kind.LIST:
            return [self.owner.is_not(None), self.position.is_not(None)]
        return [self.held.is_not(None)]


def by_field(arcs: Iterable[Arc]) -> list[list[Arc]]:
    """Return the arcs of each field together, one for every type that it holds."""
    found: dict[tuple[str, str, Kind], list[Arc]] = {}
    for arc in arcs:
        found.setdefault((arc.source, arc.field, arc.kind), []).append(arc)
    return list(found.values())


def sides_of_arcs(arcs: Iterable[Arc]) -> list[int]:
    """Return the side that each arc is of a pair, as `ecsviz.graph.pairs.sides_of` does of fields.

    Notes
    -----
    A list and its members' back-references stand in the same column.
    """
    arcs = list(arcs)
    numbers: dict[tuple[str, str], int] = {}
    for arc in arcs:
        if arc.kind is Kind.LIST:
            numbers.setdefault((arc.table.name, arc.owner.name), len(numbers) + 1)
    return [
        numbers[arc.table.name, arc.owner.name]
        if arc.kind is Kind.LIST
        else -numbers.get((arc.table.name, arc.held.name), 0) * (arc.kind is Kind.SINGLE)
        for arc in arcs
    ]


def arcs_in(known: ClassMap, *kinds: Kind) -> list[Arc]:
    """Return the arcs that stand in the tables of a class, of some kinds; of all if none is given.

    Notes
    -----
    Those of its own fields, and those of the lists that its rows say, whoever holds them. In the
    order of the fields; what has an association table comes last.
    """
    fields: list[RefColumn | Collection] = [*known.singles, *known.collections]
    items: dict[str, Any] = {item.name: item for item in fields}
    sets = [name for name, item in items.items() if item.plan.shape == Shape.SET]
    layout = known.layout()
    found = _read(known.type_name, layout, known.table, lambda f: items[f].table, sets, items)
    return [arc for arc in found if not kinds or arc.kind in kinds]


def stored_arcs(types: Iterable[StoredType], schema: str | None) -> list[Arc]:
    """Return the arcs that stand in the tables of stored types, as their layouts tell them."""
    found: list[Arc] = []
    for stored in types:
        layout = stored.layout
        own: dict[str, Any] = {"id": _ROW_ID}
        for place in layout.values():
            if "table" not in place:
                own |= dict.fromkeys(place.get("columns", {}).values(), _ROW_ID)
        own |= dict.fromkeys(stored.positions, _NUMBER)

        def links(name: str, stored: StoredType = stored) -> Any:
            place = stored.layout[name]
            columns = {f"{snake(stored.name)}_id": _ROW_ID, "position": _NUMBER}
            columns |= dict.fromkeys(place["columns"].values(), _ROW_ID)
            columns |= {place["key"]: None} if place.get("key") else {}
            return _table(place["table"], columns, schema)

        sets = [name for name, what in stored.fields.items() if what.startswith("set ")]
        found += _read(stored.name, layout, _table(stored.table, own, schema), links, sets, {})
    return found


_ROW_ID, _NUMBER = sa.BigInteger(), sa.Integer()


def _table(name: str, columns: MappingOf[str, Any], schema: str | None) -> Any:
    return sa.table(name, *(sa.column(*column) for column in columns.items()), schema=schema)


def _read(
    name: str,
    layout: Layout,
    own: Any,
    links: Callable[[str], Any],
    sets: Container[str],
    items: MappingOf[str, Any],
) -> Iterator[Arc]:
    """Yield the arcs of one type: its own table is `own`, that of a field is what `links` gives."""
    for field, place in layout.items():
        columns, item = place.get("columns", {}), items.get(field)
        if "table" in place:
            table = links(field)
            owner, position, *_ = table.c
            key = table.c[place["key"]] if place.get("key") else None
            kind = Kind.SET if field in sets else Kind.COLLECTION
            kind = Kind.NESTED if place.get("skeleton") else kind
            for target, column in columns.items():
                ends = owner, table.c[column]
                yield Arc(name, target, field, kind, table, *ends, position, key, False, item)
            continue
        required = bool(place.get("required"))
        for target, column in columns.items():
            ends = own.c.id, own.c[column]
            yield Arc(name, target, field, Kind.SINGLE, own, *ends, None, None, required, item)
        if place.get("position") and place.get("inverse"):
            listed, position = place["inverse"], own.c[place["position"]]
            for holder, column in columns.items():
                ends = own.c[column], own.c.id
                yield Arc(holder, name, listed, Kind.LIST, own, *ends, position, None, False, item)
