"""Bulk statements: every type is converted, and the number of statements follows the batches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.sql.statements import (
    CHUNK,
    columns_of,
    delete_rows,
    insert_rows,
    select_by_keys,
    update_rows,
)

TABLE = sa.Table(
    "things",
    sa.MetaData(),
    sa.Column("id", sa.Integer(), primary_key=True),
    sa.Column("key", sa.Uuid()),
    sa.Column("at", sa.DateTime()),
    sa.Column("yes", sa.Boolean()),
)
COUNT = 3 * CHUNK + 1
ROWS = [(n, UUID(int=n), datetime(2024, 1, 1, 0, 0, n % 60), n % 2 == 0) for n in range(COUNT)]  # noqa: DTZ001 - columns hold naive UTC


@pytest.fixture
def statements() -> list[str]:
    return []


@pytest.fixture
def conn(statements: list[str]) -> Iterator[Connection]:
    engine = sa.create_engine("sqlite://")

    def note(conn: object, cursor: object, text: str, *rest: object) -> None:
        statements.append(text)

    with engine.connect() as conn:
        TABLE.create(conn)
        sa.event.listen(engine, "before_cursor_execute", note)
        yield conn
    engine.dispose()


def test_rows_come_back_as_they_went_in(conn: Connection, statements: list[str]) -> None:
    insert_rows(conn, TABLE, list(TABLE.c), ROWS)
    assert len(statements) == 1
    found = columns_of(conn, sa.select(*TABLE.c).order_by(TABLE.c.id))
    assert list(zip(*found, strict=True)) == ROWS
    assert {type(value) for value in found[3]} == {bool}


def test_columns_may_come_in_any_order(conn: Connection) -> None:
    columns = [TABLE.c.yes, TABLE.c.key, TABLE.c.id]
    insert_rows(conn, TABLE, columns, [(True, UUID(int=5), 7)])
    assert conn.execute(sa.select(*TABLE.c)).all() == [(7, UUID(int=5), None, True)]


def test_updates_and_deletes_go_by_key(conn: Connection, statements: list[str]) -> None:
    insert_rows(conn, TABLE, list(TABLE.c), ROWS[:4])
    update_rows(conn, TABLE, [TABLE.c.yes, TABLE.c.key], [(None, UUID(int=9), 1), (True, None, 3)])
    delete_rows(conn, TABLE, [(0,)])
    rows = conn.execute(sa.select(TABLE.c.id, TABLE.c.key, TABLE.c.yes).order_by(TABLE.c.id)).all()
    assert rows == [(1, UUID(int=9), None), (2, UUID(int=2), True), (3, None, True)]
    assert len(statements) == 4


def test_nothing_to_write_is_no_statement(conn: Connection, statements: list[str]) -> None:
    insert_rows(conn, TABLE, list(TABLE.c), [])
    update_rows(conn, TABLE, [TABLE.c.yes], [])
    delete_rows(conn, TABLE, [])
    assert statements == []


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 9])
def test_keys_go_in_parts_where_a_database_takes_no_arrays(
    conn: Connection, statements: list[str], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    insert_rows(conn, TABLE, list(TABLE.c), ROWS[:12])
    statements.clear()
    monkeypatch.setattr("ecsviz.storage.sql.statements.CHUNK", 4)
    monkeypatch.setattr(conn.dialect, "name", "another")
    wanted = list(range(1, count + 1))
    columns = select_by_keys(conn, sa.select(TABLE.c.id, TABLE.c.at), TABLE.c.id, wanted)
    assert columns == [wanted, [ROWS[n][2] for n in wanted]]
    assert len(statements) == -(-count // 4)


def test_many_keys_are_asked_for_at_once(conn: Connection, statements: list[str]) -> None:
    insert_rows(conn, TABLE, list(TABLE.c), ROWS)
    statements.clear()
    wanted = [row[1] for row in ROWS[::2]] + [UUID(int=10**9)]
    keys, ids = select_by_keys(conn, sa.select(TABLE.c.key, TABLE.c.id), TABLE.c.key, wanted)
    assert sorted(ids) == [row[0] for row in ROWS[::2]]
    assert set(keys) == set(wanted[:-1])
    assert len(statements) == 1
