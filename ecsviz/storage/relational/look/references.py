"""All entities and references of one state of a store, as columns: no object is made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.order import Ints
from ecsviz.domain.paths import format_path
from ecsviz.storage.relational.look.nested_keys import nested_keys
from ecsviz.storage.relational.schema.arcs import Arc, Kind, by_field
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.history_tables import check_once
from ecsviz.storage.sql.statements import columns_of
from ecsviz.values.codecs import decoded
from ecsviz.values.unfit import invalid


@dataclass(slots=True)
class Block:
    """The references that one arc says.

    Attributes
    ----------
    sources, targets
        The numbers of the entities.
    keys
        Their places inside the field: numbers as an array, or anything else as a list. None where
        it holds one entity, and for sets, whose members are their own.
    """

    arc: Arc
    sources: Ints
    targets: Ints
    keys: Any = None

    def only(self, which: Any) -> Block:
        """Return some of the references."""
        keys = self.keys
        if isinstance(keys, list):
            keys = [key for key, kept in zip(keys, which, strict=True) if kept]
        elif keys is not None:
            keys = keys[which]
        return Block(self.arc, self.sources[which], self.targets[which], keys)

    def path(self, number: int, ids: Sequence[UUID]) -> str:
        """Return the place of one reference in its holder, given the id of every entity."""
        if self.arc.kind is Kind.SET:
            return format_path(self.arc.field, ids[int(self.targets[number])])
        key = None if self.keys is None else self.keys[number]
        return format_path(self.arc.field, int(key) if isinstance(key, np.integer) else key)

    def paths(self, ids: Sequence[UUID]) -> list[str]:
        """Return the places of all references in their holders, given the id of every entity."""
        if self.arc.kind is Kind.SINGLE:
            return [self.arc.field] * len(self.sources)
        if isinstance(self.keys, np.ndarray):
            return [f"{self.arc.field}[{key}]" for key in self.keys.tolist()]
        return [self.path(number, ids) for number in range(len(self.sources))]


class StoredReferences:
    """The entities of some types, and the references among them.

    Attributes
    ----------
    ids, types
        Per entity its id and its type.
    """

    def __init__(self, conn: Connection, catalog: Catalog) -> None:
        self.conn = conn
        self.catalog = catalog
        self.ids: list[UUID] = []
        self.types: list[str] = []
        self._rows: dict[str, tuple[int, Ints]] = {}

    def read(self) -> list[Block]:
        """Read all that is stored.

        Notes
        -----
        A statement per class and per arc.
        """
        maps = self.catalog.classes_of(self.catalog.mapping.stored)
        for known in maps:
            c = known.table.c
            row_ids, ids = columns_of(self.conn, sa.select(c.id, c.ecs_id).order_by(c.id))
            check_once(known.table, row_ids)
            self.add(known.type_name, row_ids, ids)
        arcs = (arc for known in maps for arc in self.catalog.arcs_from(known))
        return list(self.blocks(arcs))

    def add(self, name: str, row_ids: list[int], ids: list[UUID]) -> None:
        """Add the entities of a type, in the order of their row ids."""
        self._rows[name] = len(self.ids), np.array(row_ids, dtype=np.int64)
        self.ids += ids
        self.types += [name] * len(ids)

    def rows_of(self, numbers: Iterable[int]) -> dict[str, dict[int, int]]:
        """Return of some entities, by type: row id → number."""
        rows: dict[str, dict[int, int]] = {}
        for number in numbers:
            name = self.types[number]
            start, row_ids = self._rows[name]
            rows.setdefault(name, {})[int(row_ids[number - start])] = number
        return rows

    def blocks(self, arcs: Iterable[Arc]) -> Iterator[Block]:
        """Yield the references of each arc, without those to or from what others have deleted.

        Parameters
        ----------
        arcs
            All of a field: they number its members together.
        """
        for field in by_field(arcs):
            known = field[0].item is not None
            steps = nested_keys(self.conn, self.catalog, field) if known else {}
            found = [self._columns(arc) for arc in field]
            numbers: list[Any] = [None] * len(field)
            if field[0].kind is Kind.LIST:
                numbers = numbered([(owners, places) for owners, _, places, *_ in found])
            for arc, columns, number in zip(field, found, numbers, strict=True):
                keys = number if arc.kind is Kind.LIST else _keys(arc, columns, steps)
                sources, one = self._places(arc.source, columns[0])
                targets, other = self._places(arc.target, columns[1])
                block, both = Block(arc, sources, targets, keys), one & other
                yield block if both.all() else block.only(both)

    def _columns(self, arc: Arc) -> list[list[Any]]:
        """Return owner and held, and position and key where there are such."""
        order = [arc.owner] if arc.position is None else [arc.owner, arc.position]
        wanted = [arc.owner, arc.held, *order[1:], *([] if arc.key is None else [arc.key])]
        found = columns_of(self.conn, sa.select(*wanted).where(*arc.there).order_by(*order))
        if arc.item is None:  # a layout does not tell which columns require a value
            for column, values in zip(wanted, found, strict=True):
                if None in values and column is not arc.key:
                    raise invalid(arc.table.name, column.name, None, "is NULL")
        return found

    def _places(self, type_name: str, row_ids: list[int]) -> tuple[Ints, Any]:
        """Return where rows stand among the entities, and which of them exist."""
        start, known = self._rows[type_name]
        wanted = np.array(row_ids, dtype=np.int64)
        at = np.searchsorted(known, wanted)
        there = at < len(known)
        there[there] = known[at[there]] == wanted[there]
        return start + at, there


def _keys(arc: Arc, columns: list[list[Any]], steps: dict[Any, Any]) -> Any:
    """Return the keys of a block; without a map they are as the database has them."""
    if arc.kind in (Kind.SINGLE, Kind.SET):
        return None
    owners, _, places, *rest = columns
    rows = list(zip(owners, places, strict=True)) if steps or rest else []
    if steps:
        return [steps.get(row, row[1]) for row in rows]
    if arc.key is None:
        return np.array(places, dtype=np.int64)
    if arc.item is None:
        return rest[0]
    return decoded(arc.item.key.codec, rest[0], (arc.table.name, arc.key.name), rows)


def numbered(parts: Sequence[tuple[list[int], list[int]]]) -> list[Ints]:
    """Return where members stand in their lists: 0, 1, 2, … anew for every holder.

    Parameters
    ----------
    parts
        Per class of the members their holders' row ids, and what orders them there: the members
        of one list may be of several classes, and their positions have gaps.

    Examples
    --------
    >>> [n.tolist() for n in numbered([([1, 1, 2], [5, 9, 4]), ([1, 2], [7, 3])])]
    [[0, 2, 1], [1, 0]]
    """
    none = np.zeros(0, dtype=np.int64)
    holders = np.concatenate([none, *(part[0] for part in parts)]).astype(np.int64)
    positions = np.concatenate([none, *(part[1] for part in parts)]).astype(np.int64)
    order = np.lexsort((positions, holders))
    every, held = np.arange(len(order)), holders[order]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = held[1:] != held[:-1]
    numbers = np.zeros(len(order), dtype=np.int32)
    numbers[order] = every - np.maximum.accumulate(np.where(begins, every, 0))
    ends = np.cumsum([len(part[0]) for part in parts])
    return np.split(numbers, ends[:-1]) if len(parts) else []
