"""Bulk statements: every type arrives, in parts or by COPY, and what is refused is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.engine import Connection

from ecsviz.storage.sql.copying import copy_columns
from ecsviz.storage.sql.statements import (
    CHUNK,
    WORTH_COPYING,
    columns_of,
    insert_columns,
    insert_rows,
    is_worth_copying,
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


# -- many rows of SQLite at a time -----------------------------------------------------------

CELLS = st.sampled_from([None, 0, 1, -1, True, 1.0, -0.0, 2**31 + 1, -(2**63), "1", "?", b"1", ""])


@example(rows=[(1, 1, None, ""), (1.0, 2, 1, "1")], alike=set(), owner=True, parameters=7)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=9),
    alike=st.sets(st.integers(0, 3)),
    owner=st.booleans(),
    parameters=st.integers(1, 30),
)
def test_many_rows_are_what_they_are_one_by_one(
    rows: list[tuple[Any, ...]], alike: set[int], owner: bool, parameters: int
) -> None:
    kinds = {"any VALUES (": sa.types.NullType(), "number": sa.Integer()}
    kinds |= {"share": sa.Double(), "text": sa.Text()}
    values = [[row[n] for row in rows] for n in range(4)]
    values = [[one[0]] * len(one) if n in alike else one for n, one in enumerate(values)]
    keys = [[7] * len(rows) if owner else [*range(len(rows))], [*range(len(rows), 0, -1)]]
    engine = sa.create_engine("sqlite://")
    found = []
    with engine.connect() as conn, pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecsviz.storage.sql.statements.PARAMETERS", parameters)
        for worth in (10, 1):
            patch.setattr("ecsviz.storage.sql.statements.WORTH_COMPILING", worth)
            columns = [sa.Column(name, kind) for name, kind in kinds.items()]
            ends = [sa.Column(name, sa.Integer(), primary_key=True) for name in ("owner", "place")]
            table = sa.Table(f"of_{worth}", sa.MetaData(), columns[0], *ends, *columns[1:])
            conn.exec_driver_sql(str(sa.schema.CreateTable(table)).replace('" NULL', '"'))
            insert_columns(conn, table, [*columns, *ends], [*values, *keys])
            names = [column.name for column in table.c]
            text = ", ".join(f'"{name}", typeof("{name}")' for name in names)
            query = f"SELECT {text} FROM {table.name} ORDER BY place"
            found.append(repr(conn.exec_driver_sql(query).all()))
    engine.dispose()
    assert found[0] == found[1]


# -- rows by COPY ----------------------------------------------------------------------------


NOON = datetime(2024, 5, 6, 12, 30, 15, 123456)  # noqa: DTZ001 - the column holds no zone
VALUES: dict[str, tuple[Any, list[Any]]] = {
    "small": (sa.SmallInteger(), [-(2**15), 2**15 - 1]),
    "number": (sa.Integer(), [-(2**31), 2**31 - 1]),
    "big": (sa.BigInteger(), [-(2**63), 2**63 - 1]),
    "share": (sa.Double(), [0.1, float("-inf")]),
    "exact": (sa.Numeric(), [Decimal("1.10"), Decimal("-12345678901234567890.000001")]),
    "yes": (sa.Boolean(), [True, False]),
    "text": (sa.Text(), ["tab\t, line\nback\\slash \\N", "👋 naïve"]),
    "short": (sa.String(20), ["", "a 'quoted' one"]),
    "bytes": (sa.LargeBinary(), [b"\x00\xff\\", b""]),
    "key": (sa.Uuid(), [UUID(int=0), UUID(int=2**128 - 1)]),
    "at": (sa.DateTime(), [NOON, datetime(1, 1, 1)]),  # noqa: DTZ001 - as above
    "zoned": (sa.DateTime(timezone=True), [NOON.replace(tzinfo=UTC)] * 2),
    "day": (sa.Date(), [date(1, 1, 1), date(9999, 12, 31)]),
    "hour": (sa.Time(), [time(0), time(23, 59, 59, 999999)]),
}


@pytest.fixture
def server(postgres_url: str) -> Iterator[Connection]:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as conn:
        yield conn  # what a test makes goes with its transaction
    engine.dispose()


def made(server: Connection, **kinds: Any) -> sa.Table:
    columns = [sa.Column(name, kind) for name, kind in kinds.items()]
    table = sa.Table("odd name%s", sa.MetaData(), sa.Column("id", sa.Integer()), *columns)
    table.create(server)
    return table


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_as_they_went_in(server: Connection, name: str) -> None:
    kind, values = VALUES[name]
    table = made(server, **{name: kind})
    given = [*values, None]
    copy_columns(server, table, list(table.c), [[0, 1, 2], given])
    found = columns_of(server, sa.select(*table.c).order_by(table.c.id))
    assert found == [[0, 1, 2], given]
    assert list(map(type, found[1])) == list(map(type, given))


def test_json_goes_as_the_text_that_it_is(server: Connection) -> None:
    table = made(server, value=sa.JSON())
    copy_columns(server, table, list(table.c), [[0], ['{"a": [1, "\\u00e9"]}']])
    assert server.scalar(sa.select(table.c.value)) == {"a": [1, "é"]}


def test_all_types_in_one_row(server: Connection) -> None:
    table = made(server, **{name: kind for name, (kind, _) in VALUES.items()})
    given = [[0, 1], *(values for _, values in VALUES.values())]
    copy_columns(server, table, list(table.c), given)
    assert columns_of(server, sa.select(*table.c).order_by(table.c.id)) == given


def test_what_the_server_refuses_is_an_error_of_the_database(server: Connection) -> None:
    table = made(server, text=sa.Text())
    with pytest.raises(sa.exc.DBAPIError, match="COPY"):
        copy_columns(server, table, list(table.c), [[0], ["a\x00b"]])


def test_few_rows_and_other_databases_do_without(server: Connection) -> None:
    assert is_worth_copying(server, WORTH_COPYING)
    assert not is_worth_copying(server, WORTH_COPYING - 1)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as other:
        assert not is_worth_copying(other, 10 * WORTH_COPYING)
    engine.dispose()
