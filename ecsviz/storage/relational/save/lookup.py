"""What the store holds of the entities of a walk: their versions, checksums and places in lists."""

from __future__ import annotations

from collections.abc import Mapping as MappingOf
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.order import Ints
from ecsviz.storage.checks import check_lineage, id_taken
from ecsviz.storage.relational.save.list_positions import NOWHERE, StoredPlaces
from ecsviz.storage.relational.save.rows import Group, Rows
from ecsviz.storage.relational.schema.history_tables import history_of
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.sql.statements import columns_of, kept_query, select_by_keys, value_of
from ecsviz.values.unfit import invalid

DENSE = 3
"""A table is read as a whole where more than one row in so many is asked for."""

LAST_ROW = 2**62
"""No row that ecsviz makes has a higher id."""

IDS = ("ecs_id", "ecs_lineage_id")
"""Columns that are compared in the driver's form."""


@dataclass(slots=True)
class Stored:
    """What the store holds of a group's entities, by their place in the group.

    Attributes
    ----------
    versions, checksums
        Of those that are stored.
    lists
        Per back-reference with a position, in which list the entities are, and where.
    written
        Of those that are stored, whom the revision in question has written.
    """

    versions: dict[int, int] = field(default_factory=dict)
    checksums: dict[int, bytes | None] = field(default_factory=dict)
    lists: dict[str, StoredPlaces] = field(default_factory=dict)
    written: set[int] = field(default_factory=set)

    def before(self, place: int) -> int:
        """Return the version of an entity before the revision in question."""
        return self.versions[place] - (place in self.written)


def look_up(
    conn: Connection | None,
    rows: Rows,
    group: Group,
    is_table: bool,
    next_id: int,
    revision: int | None = None,
) -> Stored:
    """Read what is stored of a group's entities.

    Parameters
    ----------
    conn
        A transaction; None where nothing is stored yet.
    rows, group
        The entities. Their row ids are filled in, 0 where there is none.
    is_table
        Whether the group's table exists.
    next_id
        Its next free row id.
    revision
        The revision in question, if it is to be told whom it has written.

    Notes
    -----
    Ids are compared as the driver hands them out: to make UUIDs of them takes longer than
    to read them. Where much of a table is asked for, all of it is read, in the order of its
    rows, which is mostly that of the walk as well.
    """
    result = Stored()
    size = len(group.positions)
    group.ids = [0] * size
    if not is_table:
        return result
    table = group.known.table
    backs = [ref for ref in group.known.singles if ref.position is not None]
    wanted: list[Any] = [
        table.c.ecs_id,
        table.c.id,
        table.c.ecs_version,
        table.c.ecs_lineage_id,
        table.c.ecs_checksum,
    ]
    for ref in backs:
        wanted += [*ref.arcs.values(), ref.position]
    if revision is not None:
        wanted.append(table.c.ecs_revision)
    assert conn is not None
    ids = group.driver_ids(conn)
    if size * DENSE > next_id:
        key = "stored", *wanted
        every = kept_query(table, key, lambda: sa.select(*wanted).order_by(table.c.id))
        columns = columns_of(conn, every, raw=IDS)
    else:
        some = kept_query(table, tuple(wanted), lambda: sa.select(*wanted))
        columns = select_by_keys(conn, some, table.c.ecs_id, ids, raw=IDS)
    places = list(range(size))
    if columns[0] != ids:
        place = dict(zip(ids, places, strict=True))
        found_at = [place.get(ecs_id) for ecs_id in columns[0]]
        keep = [n for n, found in enumerate(found_at) if found is not None]
        if len(keep) < len(found_at):
            columns = [[column[n] for n in keep] for column in columns]
        places = [found for found in found_at if found is not None]
    if len(places) == size and columns[0] == ids:
        group.ids = columns[1]
    else:
        for n, row_id in zip(places, columns[1], strict=True):
            group.ids[n] = row_id
    _check_lineages(conn, rows, group, places, columns[3])
    result.versions = dict(zip(places, columns[2], strict=True))
    result.checksums = dict(zip(places, columns[4], strict=True))
    at = 5
    for ref in backs:
        count = len(ref.arcs)
        result.lists[ref.name] = _stored_places(
            list(ref.arcs), size, places, columns[at : at + count], columns[at + count]
        )
        at += count + 1
    if revision is not None:
        result.written = {n for n, by in zip(places, columns[at], strict=True) if by == revision}
    return result


def last_row_id(conn: Connection, table: sa.Table) -> int:
    """Return the highest row id of a table.

    Notes
    -----
    Rows may have been added by others, through SQL or a session. Also of rows that are gone: two
    entities with one row id would share their past.
    """
    found = 0
    for one in (table, history_of(table)):
        query = kept_query(one, "last", partial(sa.select, sa.func.max(one.c.id)))
        last = value_of(conn, query) or 0
        if last >= LAST_ROW:
            raise invalid(one.name, "id", last, "leaves no higher row id")
        found = max(found, last)
    return found


def check_new_ids(
    conn: Connection,
    mapping: Mapping,
    rows: Rows,
    new: MappingOf[str, Sequence[int]],
    next_ids: MappingOf[str, int],
) -> None:
    """Refuse an id that the store knows as an entity of another type.

    Parameters
    ----------
    conn, mapping, rows
        The transaction, the stored types, and the entities.
    new
        Per type the places of those that are not stored as such.
    next_ids
        Per type the next free row id.
    """
    for name, stored in mapping.stored.items():
        ids: dict[Any, UUID] = {}
        for other, places in new.items():
            if other != name and places:
                group = rows.groups[other]
                driver_ids, own = group.driver_ids(conn), group.own("ecs_id")
                ids.update((driver_ids[place], own[place]) for place in places)
        table = mapping.probe(name)
        query = kept_query(table, "ids", partial(sa.select, table.c.ecs_id))
        if len(ids) * DENSE > next_ids.get(name, 1):
            (known,) = columns_of(conn, query, raw=IDS)
        else:
            (known,) = select_by_keys(conn, query, table.c.ecs_id, list(ids), raw=IDS)
        for driver_id in known:
            if driver_id in ids:
                raise id_taken(rows.found, ids[driver_id], name, f"table {stored.table!r}")


def _check_lineages(
    conn: Connection, rows: Rows, group: Group, places: list[int], stored: list[Any]
) -> None:
    if any("version" not in state for state in group.states):
        return  # placeholders, which do not tell their family, with what is known as it is stored
    given = group.driver_lineages(conn)
    if len(places) < len(given) or given != stored:
        for place, there in zip(places, stored, strict=True):
            if given[place] != there:
                entity = rows.found.entities[group.positions[place]]
                try:
                    stored_lineage = UUID(str(there))
                except ValueError:
                    table, row_id = group.known.table.name, group.ids[place]
                    raise invalid(table, "ecs_lineage_id", row_id, "is no UUID") from None
                check_lineage(entity, stored_lineage)


def _stored_places(
    arcs: list[str], size: int, places: list[int], holders: list[list[Any]], positions: list[Any]
) -> StoredPlaces:
    """Return where entities are stored in lists, from the columns of their rows."""
    result = StoredPlaces.empty(arcs, size)
    at = np.array(places, dtype=np.int64)
    where = _numbers(positions, NOWHERE)
    for number, column in enumerate(holders):
        ids = _numbers(column, -1)
        there = (ids != -1) & (where != NOWHERE)
        result.kinds[at[there]] = number
        result.holders[at[there]] = ids[there]
        result.positions[at[there]] = where[there]
    return result


def _numbers(column: list[Any], none: int) -> Ints:
    if None in column:
        column = [none if value is None else value for value in column]
    return np.array(column, dtype=np.int64)
