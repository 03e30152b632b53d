"""What sources have said of entities, beside the entities: the table ``ecs_origins``.

It is made when something is noted for the first time. It has no past: what was said last counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.schema import CreateTable

from ecsviz.storage.relational.schema.system_columns import origins_of, raw_origins
from ecsviz.storage.sql.statements import delete_rows, insert_rows, select_by_keys
from ecsviz.storage.together import Transaction


class WithOrigins:
    """The base of a store's inside that notes where entities come from."""

    @property
    def origins(self) -> SqlOrigins:
        """What is noted of where entities come from."""
        return SqlOrigins(self)


class SqlOrigins:
    """What sources have said of entities; see `looking.Origins`.

    Parameters
    ----------
    inside
        The store.
    """

    def __init__(self, inside: Any) -> None:
        self._inside = inside

    @property
    def _table(self) -> sa.Table:
        return origins_of(self._inside.catalog.metadata.schema)

    @property
    def store(self) -> str | None:
        """Which store it is: the same for all that open it, and for its copies."""
        catalog = self._inside.catalog
        if catalog.given_identity is None and self._inside.database.exists():
            with self._inside.reading():
                pass  # which looks
        return catalog.given_identity or None

    def _is_there(self, conn: Connection) -> bool:
        return sa.inspect(conn).has_table(self._table.name, schema=self._table.schema)

    def hold(self) -> AbstractContextManager[Any]:
        """Hold the store: nobody else saves meanwhile."""
        return Transaction(self._inside, None)

    def of(self, ids: list[UUID]) -> dict[UUID, dict[int, bytes]]:
        """Return what was noted of some entities."""
        found: dict[UUID, dict[int, bytes]] = {}
        table = self._table
        with self._inside.reading() as (conn, _):
            if ids and self._is_there(conn):
                columns = select_by_keys(conn, sa.select(*raw_origins(table)), table.c.ecs_id, ids)
                for ecs_id, number, said in zip(*columns, strict=True):
                    is_whole = isinstance(said, bytes | memoryview)
                    found.setdefault(ecs_id, {})[number] = bytes(said) if is_whole else b""
        return found

    def keep(self, parts: Mapping[tuple[UUID, int], bytes]) -> None:
        """Note parts in the place of those that there are."""
        if not parts or not self._inside.database.exists():
            return
        table = self._table
        with self._inside.writing() as conn:
            if not self._inside.is_made(conn):
                return
            if not self._is_there(conn):
                conn.execute(CreateTable(table))
            delete_rows(conn, table, parts)
            insert_rows(conn, table, list(table.c), [(*key, said) for key, said in parts.items()])
            open_ = self._inside.here()
            if open_ is not None:
                open_.beside = True
