"""COPY: many rows at once into PostgreSQL, through psycopg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

SENT_AS = {"uuid": "bytea", "json": "text"}
"""Types that are sent as another of the same bytes: ids as sixteen bytes, JSON as our text."""


def copy_columns(
    conn: Connection,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    values: Sequence[list[Any]],
) -> None:
    """Insert rows, given column by column in the driver's form.

    Notes
    -----
    Four times faster than INSERT; in the binary form, which spares the server from reading
    numbers, ids and bytes as text, twice as fast again.
    """
    prepare = conn.dialect.identifier_preparer
    names = ", ".join(prepare.format_column(column) for column in columns)
    statement = f"COPY {prepare.format_table(table)} ({names}) FROM STDIN (FORMAT BINARY)"
    statement = statement.replace("%%", "%")  # doubled for statements with parameters
    driver: Any = conn.connection.driver_connection
    dbapi: Any = conn.dialect.loaded_dbapi
    types = [re.sub(r"\(.*?\)", "", c.type.compile(conn.dialect)).lower() for c in columns]
    plain = [
        [None if value is None else value.bytes for value in part] if kind == "uuid" else part
        for kind, part in zip(types, values, strict=True)
    ]
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([SENT_AS.get(kind, kind) for kind in types])
            write = copy.write_row
            for row in zip(*plain, strict=True):
                write(row)
    except dbapi.Error as err:
        raise exc.DBAPIError.instance(
            statement, None, err, dbapi.Error, hide_parameters=True, dialect=conn.dialect
        ) from err
