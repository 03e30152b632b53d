"""Rows by COPY: every type arrives, none is lost, and what the server refuses is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.storage.sql.statements import WORTH_COPYING, columns_of, copy_columns, is_worth_copying
from tests.conformance.conftest import postgres_url

__all__ = ["postgres_url"]

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


@pytest.fixture(name="conn")
def _conn(postgres_url: str) -> Iterator[Connection]:
    engine = sa.create_engine(postgres_url)
    with engine.connect() as conn:
        yield conn  # what a test makes goes with its transaction
    engine.dispose()


def made(conn: Connection, **kinds: Any) -> sa.Table:
    columns = [sa.Column(name, kind) for name, kind in kinds.items()]
    table = sa.Table("odd name%s", sa.MetaData(), sa.Column("id", sa.Integer()), *columns)
    table.create(conn)
    return table


@pytest.mark.parametrize("name", VALUES)
def test_values_come_back_as_they_went_in(conn: Connection, name: str) -> None:
    kind, values = VALUES[name]
    table = made(conn, **{name: kind})
    given = [*values, None]
    copy_columns(conn, table, list(table.c), [[0, 1, 2], given])
    found = columns_of(conn, sa.select(*table.c).order_by(table.c.id))
    assert found == [[0, 1, 2], given]
    assert list(map(type, found[1])) == list(map(type, given))


def test_json_goes_as_the_text_that_it_is(conn: Connection) -> None:
    table = made(conn, value=sa.JSON())
    copy_columns(conn, table, list(table.c), [[0], ['{"a": [1, "\\u00e9"]}']])
    assert conn.scalar(sa.select(table.c.value)) == {"a": [1, "é"]}


def test_all_types_in_one_row(conn: Connection) -> None:
    table = made(conn, **{name: kind for name, (kind, _) in VALUES.items()})
    given = [[0, 1], *(values for _, values in VALUES.values())]
    copy_columns(conn, table, list(table.c), given)
    assert columns_of(conn, sa.select(*table.c).order_by(table.c.id)) == given


def test_what_the_server_refuses_is_an_error_of_the_database(conn: Connection) -> None:
    table = made(conn, text=sa.Text())
    with pytest.raises(sa.exc.DBAPIError, match="COPY"):
        copy_columns(conn, table, list(table.c), [[0], ["a\x00b"]])


def test_few_rows_and_other_databases_do_without(conn: Connection) -> None:
    assert is_worth_copying(conn, WORTH_COPYING)
    assert not is_worth_copying(conn, WORTH_COPYING - 1)
    engine = sa.create_engine("sqlite://")
    with engine.connect() as other:
        assert not is_worth_copying(other, 10 * WORTH_COPYING)
    engine.dispose()
