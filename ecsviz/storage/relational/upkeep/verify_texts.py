"""Verification of the indexes of words: against the texts, their triggers, and themselves."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_name
from ecsviz.errors import StoredDataInvalidError
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.text_index import BATCH, indexes_in, is_able, read_texts
from ecsviz.storage.relational.schema.text_tables import (
    CHANGES,
    ROW_ID,
    TextIndex,
    changes_of,
    is_damage,
    missing_triggers,
    words_of,
)
from ecsviz.storage.reports import Problem
from ecsviz.storage.sql.dialects import row_of
from ecsviz.storage.sql.statements import columns_of
from ecsviz.storage.sql.turns import query_only
from ecsviz.storage.words import folded


def text_problems(conn: Connection, catalog: Catalog) -> Iterator[Problem]:
    """Yield what is wrong with the indexes of words.

    Notes
    -----
    O(texts); every text is taken apart again. Rows that are noted as changed are no problem: a
    search reads their texts.
    """
    try:
        indexes = indexes_in(conn, catalog.mapping)
    except StoredDataInvalidError as err:
        yield Problem("ecs_store", "texts", None, "text", str(err))
        return
    for index in indexes if is_able(conn) else ():
        try:
            again = conn.begin_nested() if row_of(conn).error_ends else contextlib.nullcontext()
            with again:
                yield from _problems_of(conn, index)
        except (sa.exc.DatabaseError, StoredDataInvalidError) as err:
            if isinstance(err, sa.exc.DatabaseError) and not is_damage(err):
                raise
            said = str(getattr(err, "orig", err)).strip().partition("\n")[0]
            yield Problem(index.name, "", None, "text", f"cannot be read: {said}")


def _problems_of(conn: Connection, index: TextIndex) -> Iterator[Problem]:
    for name in missing_triggers(conn, index):
        detail = f"the trigger {name}, which notes changes, is missing or another"
        yield Problem(index.name, "", None, "text", detail)
    c = changes_of(index.schema).c
    changed = set(columns_of(conn, sa.select(c.row_id).where(c.name == index.name))[0])
    words, last = words_of(conn, index), -(2**62)
    counted: Counter[str] = Counter()
    sized = True
    while True:
        texts = read_texts(conn, index, last < ROW_ID, limit=BATCH)
        end = texts[-1][0] if len(texts) == BATCH else 2**63 - 1
        query = sa.select(words.c[0], words.c.words).where(words.c[0].between(last + 1, end))
        there = dict(zip(*columns_of(conn, query, unfit=lambda *_: None), strict=True))
        for row_words in there.values():
            counted.update(_split(row_words))
        sized = sized and _has_sizes(conn, index, there, last + 1, end)
        yield from _compared(index, texts, there, changed)
        if end == 2**63 - 1:
            break
        last = end
    if not sized or _is_other(conn, index, counted):
        detail = "the index finds other words than those that stand in it; make it anew"
        yield Problem(index.name, "", None, "text", detail)


def _compared(
    index: TextIndex, texts: list[Any], there: dict[int, str], changed: set[int]
) -> Iterator[Problem]:
    """Yield where some texts and what an index has of them differ."""
    for row_id, ecs_id, text in texts:
        found = there.pop(row_id, None)
        if row_id in changed or found == folded(text):
            continue
        what = "lacks this text" if found is None else "has other words than this text"
        yield Problem(index.name, str(row_id), ecs_id, "text", f"the index {what}")
    for row_id in there:
        if row_id not in changed:
            yield Problem(index.name, str(row_id), None, "text", "the index has too much: no text")


def _has_sizes(
    conn: Connection, index: TextIndex, there: dict[int, str], first: int, last: int
) -> bool:
    """Tell whether FTS5 keeps as many words of each row as there are, which it ranks by."""
    if row_of(conn).words != "fts5":
        return True
    sizes = sql_name(f"{index.name}_docsize")
    query = f"SELECT id, sz FROM {sizes} WHERE id BETWEEN ? AND ?"  # noqa: S608 - a name of ours
    found = dict(map(tuple, conn.exec_driver_sql(query, (first, last))))
    return found == {row_id: _varint(len(_split(words))) for row_id, words in there.items()}


def _split(words: Any) -> list[str]:
    """Return the words that an index keeps of a row; none if that is no text."""
    return words.split() if isinstance(words, str) else []


def _varint(number: int) -> bytes:
    """Return a number as SQLite writes one of variable length.

    Examples
    --------
    >>> _varint(5).hex(), _varint(300).hex()
    ('05', '822c')
    """
    parts = [number & 0x7F]
    while number := number >> 7:
        parts.append(number & 0x7F | 0x80)
    return bytes(reversed(parts))


def _is_other(conn: Connection, index: TextIndex, words: Counter[str]) -> bool:
    """Tell whether what the database looks words up in differs from the words beside it."""
    if row_of(conn).words != "fts5":
        table = words_of(conn, index)
        array = sa.func.array_to_tsvector(sa.func.string_to_array(table.c.words, " "))
        other = sa.func.strip(sa.column("lexemes")).op("<>")(array)
        query = sa.select(sa.func.count()).select_from(table).where(other)
        return bool(columns_of(conn, query)[0][0])
    vocabulary = f"{CHANGES}_vocabulary"
    driver: Any = conn.connection.dbapi_connection
    was = query_only(driver, wanted=False)  # what is made is temporary, and stands in no file
    try:
        conn.exec_driver_sql(
            f"CREATE VIRTUAL TABLE temp.{vocabulary} USING fts5vocab(main, '{index.name}', row)"
        )
        try:
            found = conn.exec_driver_sql(f"SELECT term, cnt FROM temp.{vocabulary}")  # noqa: S608 - a name of ours
            return dict(found.all()) != words
        finally:
            conn.exec_driver_sql(f"DROP TABLE temp.{vocabulary}")
    finally:
        query_only(driver, wanted=was)
