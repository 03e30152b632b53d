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
    insert_rows,
    select_by_keys,
)
from tests.databases import counted

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
def conn() -> Iterator[Connection]:
    engine = sa.create_engine("sqlite://")
    with engine.connect() as conn:
        TABLE.create(conn)
        yield conn
    engine.dispose()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 5, 8, 9])
def test_keys_go_in_parts_where_a_database_takes_no_arrays(
    conn: Connection, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    insert_rows(conn, TABLE, list(TABLE.c), ROWS[:12])
    monkeypatch.setattr("ecsviz.storage.sql.statements.CHUNK", 4)
    monkeypatch.setattr(conn.dialect, "name", "another")
    wanted = list(range(1, count + 1))
    with counted() as statements:
        columns = select_by_keys(conn, sa.select(TABLE.c.id, TABLE.c.at), TABLE.c.id, wanted)
    assert columns == [wanted, [ROWS[n][2] for n in wanted]]
    assert len(statements) == -(-count // 4)
