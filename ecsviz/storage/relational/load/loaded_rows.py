"""Rows that were read, as columns, and the lists that they say."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np

from ecsviz.basics.order import Ints
from ecsviz.errors import BrokenReferenceError
from ecsviz.storage.relational.schema.arcs import Kind, arcs_in
from ecsviz.storage.relational.schema.history_tables import REVISION
from ecsviz.storage.relational.schema.mapping import ClassMap
from ecsviz.storage.relational.schema.seals import SEAL


@dataclass(slots=True)
class Loaded:
    """The rows of one type that were read, as columns.

    Attributes
    ----------
    columns
        By column name.
    index
        Row id → place.
    entities
        The objects, at first with nothing but their ids.
    links
        Per collection: the columns of its association rows.
    promised
        Row id → an object that is held by others already.
    made
        For a hand-written model: id → what its ``to_entity`` has made.
    """

    known: ClassMap
    columns: dict[str, list[Any]] = field(default_factory=dict)
    index: dict[int, int] = field(default_factory=dict)
    entities: list[Any] = field(default_factory=list)
    links: dict[str, list[list[Any]]] = field(default_factory=dict)
    promised: dict[int, Any] = field(default_factory=dict)
    made: dict[UUID, Any] = field(default_factory=dict)


def lists_of(every: Iterable[Loaded]) -> dict[tuple[str, str, int], list[Any]]:
    """Return the members of every list that back-references say, in order."""
    found: dict[tuple[str, str], list[tuple[Ints, Ints, list[Any]]]] = {}
    for loaded in every:
        for arc in arcs_in(loaded.known, Kind.LIST):
            said = loaded.columns[arc.owner.name], loaded.columns[arc.position.name]
            found.setdefault((arc.source, arc.field), []).append(_both(*said, loaded.entities))
    result: dict[tuple[str, str, int], list[Any]] = {}
    for key, parts in found.items():
        # Members of one list may be of several classes.
        holders, positions_ = (np.concatenate([p[n] for p in parts]) for n in (0, 1))
        members = [entity for part in parts for entity in part[2]]
        order = np.lexsort((positions_, holders))
        ends = np.flatnonzero(np.diff(holders[order], append=-1, prepend=-1))
        inside = [members[n] for n in order.tolist()]
        for start, end in pairwise(ends.tolist()):
            result[(*key, int(holders[order[start]]))] = inside[start:end]
    return result


def _both(
    holders: list[Any], positions: list[Any], entities: list[Any]
) -> tuple[Ints, Ints, list[Any]]:
    """Return the holders, positions and entities of the rows that have both."""
    if None in holders or None in positions:
        rows = zip(holders, positions, entities, strict=True)
        kept = [row for row in rows if row[0] is not None and row[1] is not None]
        holders, positions, entities = ([row[n] for row in kept] for n in range(3))
    return np.array(holders, dtype=np.int64), np.array(positions, dtype=np.int64), entities


def entity_columns(known: ClassMap) -> list[Any]:
    """Return the columns of which entities are made: not those that only the store looks at."""
    return [c for c in known.table.columns if c.name not in ("ecs_checksum", SEAL, REVISION)]


def bare_columns(known: ClassMap) -> list[Any]:
    """Return what says where a placeholder stands: its ids, and its place in lists."""
    columns: list[Any] = [known.table.c.id, known.table.c.ecs_id]
    for arc in arcs_in(known, Kind.LIST):
        columns += [arc.owner, arc.position]
    return list(dict.fromkeys(columns))


def whole_rows(
    every: MappingOf[str, Loaded], left_out: MappingOf[str, set[int]]
) -> Iterator[tuple[str, int]]:
    """Yield type and row id of all that was read but for placeholders."""
    for name, loaded in every.items():
        out = left_out.get(name, ())
        yield from ((name, row_id) for row_id in loaded.index if row_id not in out)


def resolver(row: list[tuple[int, Any, Any]]) -> Callable[[Any], Any]:
    """Return what gives the entity of a number in nested values, from (position, key, entity)."""

    def resolve(number: Any) -> Any:
        if type(number) is not int or not 0 <= number < len(row):
            raise ValueError("it refers to nothing")
        return row[number][2]

    return resolve


def broken_reference(
    name: str, row_id: int, table: str = "", column: str = "", row: Any = None
) -> BrokenReferenceError:
    """Return the error for a reference to a row that does not exist."""
    at = ", ".join(map(str, row)) if isinstance(row, tuple) else row
    what = f"{table}.{column} in row {at}" if table else "A reference"
    return BrokenReferenceError(
        f"{what} leads to row {row_id} of {name}, which does not exist."
        " The tables were changed outside ecsviz; correct or delete the referring row.",
        type_name=name,
        target_id=row_id,
        table=table,
        column=column,
        row_id=row,
    )
