"""Association tables: which rows a save adds, changes and deletes."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.relational.save.rows import Group, Rows
from ecsviz.storage.relational.schema.history_tables import REVISION, archive
from ecsviz.storage.relational.schema.mapping import Collection
from ecsviz.storage.sql.statements import delete_rows, insert_rows, select_by_keys, update_rows
from ecsviz.values.codecs import Refused, not_storable
from ecsviz.values.field_codecs import write_keys

Row = tuple[Any, ...]


@dataclass(slots=True)
class LinkChanges:
    """What changes in one association table: rows in the order of `Collection.columns`.

    Attributes
    ----------
    updated
        The values first, the owner and the position last.
    """

    collection: Collection
    inserted: list[Row] = field(default_factory=list)
    updated: list[Row] = field(default_factory=list)
    deleted: list[Row] = field(default_factory=list)


def find_links(
    conn: Connection | None,
    rows: Rows,
    new: MappingOf[str, Sequence[int]],
    changed: MappingOf[str, list[int]],
) -> list[LinkChanges]:
    """Compare every collection that has a table with what is stored.

    Parameters
    ----------
    conn
        A transaction; None where nothing is stored yet.
    rows
        What the entities hold.
    new, changed
        Per type the places of entities that are new, and of those that say something else.
    """
    result = []
    for name, group in rows.groups.items():
        for collection in group.known.collections:
            changes = LinkChanges(collection)
            changes.inserted += _links_of(rows, group, collection, new[name])
            if changed[name]:
                assert conn is not None
                _compare(conn, rows, group, changed[name], changes)
            result.append(changes)
    return result


def _compare(
    conn: Connection, rows: Rows, group: Group, places: list[int], changes: LinkChanges
) -> None:
    columns = changes.collection.columns
    owners = [group.ids[place] for place in places]
    found = select_by_keys(conn, sa.select(*columns), columns[0], owners)
    stored = {(row[0], row[1]): row for row in zip(*found, strict=True)}
    for row in _links_of(rows, group, changes.collection, places):
        before = stored.pop((row[0], row[1]), None)
        if before is None:
            changes.inserted.append(row)
        elif before != row:
            changes.updated.append((*row[2:], row[0], row[1]))
    changes.deleted = list(stored)


def _links_of(rows: Rows, group: Group, collection: Collection, places: Sequence[int]) -> list[Row]:
    """Return the rows of what some entities of a group hold in a collection."""
    members = group.members[collection.name]
    if not places or not len(members.references):
        return []
    these = np.arange(len(members.references))
    if len(places) < len(group.positions):
        wanted = np.zeros(len(group.positions), dtype=bool)
        wanted[places] = True
        these = these[wanted[members.places]]
    holders = members.places[these]
    numbers = members.references[these]
    targets = np.asarray(rows.found.targets)[numbers].astype(np.int64)
    columns: list[list[Any]] = [
        np.array(group.ids, dtype=np.int64)[holders].tolist(),
        (these - np.array(members.starts)[holders]).tolist(),
        *(rows.keys_of(targets, arc) for arc in collection.arcs),
    ]
    if collection.key is not None:
        columns.append(_keys(rows, group, collection, numbers.tolist()))
    return list(zip(*columns, strict=True))


def _keys(rows: Rows, group: Group, collection: Collection, numbers: list[int]) -> list[Any]:
    keys = [rows.found.key(number) for number in numbers]
    try:
        return write_keys(group.known.cls, collection.name, keys)
    except Refused as refused:
        holder = rows.found.sources[numbers[refused.row]]
        where = f"{rows.found.place(holder)}.{collection.name}"
        raise not_storable(refused, where) from refused.__cause__


def write_links(conn: Connection, links: list[LinkChanges], revision: int) -> None:
    """Write what `find_links` found; what is changed or deleted goes into the history."""
    for change in links:
        table = change.collection.table
        columns = [*change.collection.columns, table.c[REVISION]]
        gone = [row[-2:] for row in (*change.updated, *change.deleted)]
        archive(conn, table, gone, revision)
        delete_rows(conn, table, change.deleted)
        updated = [(*row[:-2], revision, *row[-2:]) for row in change.updated]
        update_rows(conn, table, columns[2:], updated)
        insert_rows(conn, table, columns, [(*row, revision) for row in change.inserted])
