"""Seals: a few bytes in every row by which `verify` sees whether anything has changed it.

A row's ``ecs_checksum`` is over what its entity says of itself. Its ``ecs_seal`` is over that and
the rest: ids, version, revision, places in lists.
"""

from __future__ import annotations

import hashlib
import marshal
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.statements import columns_of, select_by_keys, update_rows

SEAL = "ecs_seal"


def digest(parts: Any) -> bytes:
    """Return 8 bytes that tell of every part.

    Parameters
    ----------
    parts
        Whatever marshal writes: None, numbers, texts, bytes, and tuples of them.

    Examples
    --------
    >>> digest((1, "a")) == digest((1, "a")), digest((1, "a")) == digest((1, "b"))
    (True, False)
    """
    # The format of 2003: its bytes depend on the values alone, not on which object is shared.
    return hashlib.blake2b(marshal.dumps(parts, 2), digest_size=8).digest()


def sealed_columns(table: Any, positions: Iterable[str]) -> list[Any]:
    """Return the columns that a seal is over."""
    c = table.c
    own = [c.id, c.ecs_id, c.ecs_version, c.ecs_revision, c.ecs_checksum]
    return [*own, *(c[name] for name in sorted(positions))]


def seals_of(columns: Iterable[Iterable[Any]]) -> list[bytes]:
    """Return the seals of rows, given as the columns of `sealed_columns`."""
    ids, ecs_ids, *rest = columns
    plain = [ecs_id.bytes if type(ecs_id) is UUID else ecs_id for ecs_id in ecs_ids]
    return [digest(row) for row in zip(ids, plain, *rest, strict=True)]


def reseal(
    conn: Connection, table: sa.Table, positions: Iterable[str], ids: Iterable[int] | None
) -> None:
    """Seal rows anew, of which only a part was written; None for all rows.

    Notes
    -----
    Two statements, whatever the number of rows. Rows of others, which have no checksum, are left
    as they are.
    """
    wanted = sealed_columns(table, positions)
    keys = list(table.primary_key.columns)
    query = sa.select(*wanted, *keys).where(table.c.ecs_checksum.is_not(None))
    if ids is None:
        found = columns_of(conn, query)
    else:
        found = select_by_keys(conn, query, table.c.id, list(ids))
    seals = seals_of(found[: len(wanted)])
    rows = zip(seals, *found[len(wanted) :], strict=True)
    update_rows(conn, table, [table.c[SEAL]], rows)
