"""Seals: a few bytes in every row by which `verify` sees whether anything has changed it.

A row's ``ecs_checksum`` is over what its entity says of itself. Its ``ecs_seal`` is over that and
the rest: ids, version, revision, places in lists.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable
from datetime import datetime
from itertools import repeat
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
import xxhash
from sqlalchemy.engine import Connection

from ecsviz.storage.sql.statements import columns_of, kept_query, select_by_keys, update_rows

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
    # XXH3: nobody is kept out by it, and with BLAKE2 saving took a fourteenth longer.
    try:
        return xxhash.xxh3_64_digest(marshal.dumps(parts, 2))
    except ValueError:  # a damaged file: what is there is not what was sealed
        return xxhash.xxh3_64_digest(repr(parts).encode(errors="replace"))


def revision_seal(
    number: int, at: datetime, note: str | None, added: int, changed: int, deleted: int
) -> bytes:
    """Return the seal of a revision."""
    return digest((number, at.isoformat(), note, added, changed, deleted))


def digests(rows: Iterable[tuple[Any, ...]]) -> list[bytes]:
    """Return the digests of many rows, as `digest` gives them one by one.

    Examples
    --------
    >>> digests([(1, "a"), (2, "b")]) == [digest((1, "a")), digest((2, "b"))]
    True
    """
    every = list(rows)
    try:  # functions in C that call each other
        return list(map(xxhash.xxh3_64_digest, map(marshal.dumps, every, repeat(2))))
    except ValueError:
        return list(map(digest, every))


def sealed_columns(table: Any, positions: Iterable[str]) -> list[Any]:
    """Return the columns that a seal is over."""
    c = table.c
    own = [c.id, c.ecs_id, c.ecs_version, c.ecs_revision, c.ecs_checksum]
    return [*own, *(c[name] for name in sorted(positions))]


def seals_of(columns: Iterable[Any]) -> list[int]:
    """Return the seals of rows, given as the columns of `sealed_columns`: lists, or arrays.

    Notes
    -----
    All of them are numbers of a fixed width, so whole columns are mixed at once, ten times faster
    than a digest per row. The mixing is a bijection of 64 bits (the finalizer of SplitMix64,
    Steele, Lea and Flood 2014): what changes in one column alone always changes the seal.
    """
    ids, ecs_ids, *numbers = columns
    versions, revisions, checksums, *positions = numbers
    words = [_integers(ids), *_words(ecs_ids, 16), _integers(versions), _integers(revisions)]
    words += [*_words(checksums, 8), *map(_integers, positions)]
    mixed = np.full(len(ids), len(words), dtype=np.uint64)
    for word in words:
        mixed ^= word
        mixed += np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    found: list[int] = mixed.view(np.int64).tolist()
    return found


NOTHING = -(2**63)
"""Stands for None: no position, id or version is so low."""


def _integers(column: Any) -> Any:
    """Return a column of integers as words; of what is none, as in a damaged file, a digest."""
    if isinstance(column, np.ndarray):
        return column.astype(np.int64).view(np.uint64)
    if set(map(type, column)) != {int}:
        column = [_as_integer(value) for value in column]
    try:
        return np.array(column, dtype=np.int64).view(np.uint64)
    except OverflowError:
        return _integers([_as_integer(value) for value in column])


def _as_integer(value: Any) -> int:
    if value is None:
        return NOTHING
    if type(value) is int and abs(value) < 2**63:
        return value
    return int.from_bytes(digest(repr(value)), signed=True)


def words_of(column: list[bytes], size: int) -> Any:
    """Return a column of so many bytes each as words: one row of words for every eight bytes."""
    data = np.frombuffer(b"".join(column), dtype=">u8").astype(np.uint64)
    return data.reshape(len(column), size // 8).T


def _words(column: Any, size: int) -> Any:
    """Return a column of ids or checksums, or its words, as words."""
    plain = column
    if isinstance(column, np.ndarray):
        return column
    if set(map(type, plain)) != {bytes} or set(map(len, plain)) != {size}:
        plain = [value.bytes if type(value) is UUID else value for value in plain]
        plain = [_as_bytes(value, size) for value in plain]
    return words_of(plain, size)


def _as_bytes(value: Any, size: int) -> bytes:
    if type(value) is bytes and len(value) == size:
        return value
    return digest(repr(value)) * (size // 8)


def reseal(
    conn: Connection, table: sa.Table, positions: Iterable[str], ids: Iterable[int] | None
) -> None:
    """Seal rows anew, of which only a part was written; None for all rows.

    Notes
    -----
    Two statements, whatever the number of rows. Rows of others, which have no checksum, are left
    as they are.
    """
    if ids is not None and not (ids := list(ids)):
        return
    wanted = sealed_columns(table, positions)
    keys = list(table.primary_key.columns)

    def make() -> sa.Select[Any]:
        return sa.select(*wanted, *keys).where(table.c.ecs_checksum.is_not(None))

    query = kept_query(table, ("sealed", *wanted), make)
    if ids is None:
        found = columns_of(conn, query)
    else:
        found = select_by_keys(conn, query, table.c.id, ids)
    seals = seals_of(found[: len(wanted)])
    rows = zip(seals, *found[len(wanted) :], strict=True)
    update_rows(conn, table, [table.c[SEAL]], rows)
