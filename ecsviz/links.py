"""Association tables: which rows a save adds, changes and deletes."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.history import REVISION, archive
from ecsviz.mapping import Collection
from ecsviz.rows import Group, Rows
from ecsviz.statements import delete_rows, insert_rows, select_by_keys, update_rows
from ecsviz.storable import write_keys
from ecsviz.values import Refused, not_storable

Held = list[tuple[Any, int]]
"""What one field of one entity holds: (key, position in the walk)."""


@dataclass(slots=True)
class LinkChanges:
    """What changes in one association table: rows in the order of `Collection.columns`.

    Attributes
    ----------
    updated
        The values first, the owner and the position last.
    """

    collection: Collection
    inserted: list[list[Any]] = field(default_factory=list)
    updated: list[list[Any]] = field(default_factory=list)
    deleted: list[list[Any]] = field(default_factory=list)


def find_links(
    conn: Connection | None,
    rows: Rows,
    new: MappingOf[str, list[int]],
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
            members = rows.members(group, collection.name) if new[name] or changed[name] else []
            for place in new[name]:
                changes.inserted += _links_of(rows, group, collection, place, members[place])
            if changed[name]:
                assert conn is not None
                _compare(conn, rows, group, changed[name], members, changes)
            result.append(changes)
    return result


def _compare(
    conn: Connection,
    rows: Rows,
    group: Group,
    places: list[int],
    members: list[Held],
    changes: LinkChanges,
) -> None:
    columns = changes.collection.columns
    owners = [group.ids[place] for place in places]
    found = select_by_keys(conn, sa.select(*columns), columns[0], owners)
    stored = {(row[0], row[1]): list(row) for row in zip(*found, strict=True)}
    for place in places:
        for row in _links_of(rows, group, changes.collection, place, members[place]):
            before = stored.pop((row[0], row[1]), None)
            if before is None:
                changes.inserted.append(row)
            elif before != row:
                changes.updated.append([*row[2:], row[0], row[1]])
    changes.deleted = [list(key) for key in stored]


def _links_of(
    rows: Rows, group: Group, collection: Collection, place: int, members: Held
) -> list[list[Any]]:
    result: list[list[Any]] = []
    for n, (_, target) in enumerate(members):
        row_id, kind = rows.row_id(target), rows.type_of(target)
        arcs = (row_id if arc == kind else None for arc in collection.arcs)
        result.append([group.ids[place], n, *arcs])
    if collection.key is not None and result:
        for row, key in zip(result, _keys(rows, group, collection, place, members), strict=True):
            row.append(key)
    return result


def _keys(rows: Rows, group: Group, collection: Collection, place: int, members: Held) -> list[Any]:
    keys = [key for key, _ in members]
    try:
        return write_keys(group.known.cls, collection.name, keys)
    except Refused as refused:
        where = f"{rows.found.place(group.positions[place])}.{collection.name}"
        raise not_storable(refused, where) from refused.__cause__


def write_links(conn: Connection, links: list[LinkChanges], revision: int) -> None:
    """Write what `find_links` found; what is changed or deleted goes into the history."""
    for change in links:
        table = change.collection.table
        columns = [*change.collection.columns, table.c[REVISION]]
        gone = [tuple(row[-2:]) for row in (*change.updated, *change.deleted)]
        archive(conn, table, gone, revision)
        delete_rows(conn, table, change.deleted)
        updated = [[*row[:-2], revision, *row[-2:]] for row in change.updated]
        update_rows(conn, table, columns[2:], updated)
        insert_rows(conn, table, columns, [[*row, revision] for row in change.inserted])
