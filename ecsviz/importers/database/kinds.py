"""What the values of a database's tables are, and the classes of their rows; both remembered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from typing import Any

import sqlalchemy as sa

from ecsviz.importers.database import graphs
from ecsviz.importers.database.classes import Made, make_classes
from ecsviz.importers.database.lacking import lacking_columns, lacking_rows
from ecsviz.importers.database.making import EntityMaking
from ecsviz.importers.database.rows import TableRows
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, ForeignTable
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.importers.database.values import Fit, expected, fits_of

_NAMED = 5
"""How many values that Python lacks are named of a column."""


class TableKinds:
    """Knows how the columns of a database's tables are given, and makes classes of that.

    Parameters
    ----------
    source, schema
        The database.
    """

    def __init__(self, source: DatabaseSource, schema: ForeignSchema) -> None:
        self._source = source
        self._schema = schema
        self._fits: dict[str, list[Fit]] = {}
        self._lacking: dict[str, frozenset[str]] = {}
        self._row_ids: dict[str, str | None] = {}
        self._classes: dict[Any, Made] = {}

    def rows(self, conn: sa.Connection) -> TableRows:
        """Return what reads rows."""
        return TableRows(conn, self._schema, self._row_ids)

    def fits(self, conn: sa.Connection, tables: Iterable[str]) -> dict[str, list[Fit]]:
        """Return table → how its columns are given, as all of its rows say."""
        for name in tables:
            if name not in self._fits:
                table = self._schema.tables[name]
                self._fits[name] = fits_of(conn, table, self._lacking_in(conn, name))
        return self._fits

    def _lacking_in(self, conn: sa.Connection, name: str) -> frozenset[str]:
        if name not in self._lacking:
            self._lacking[name] = lacking_columns(conn, self._schema.tables[name])
        return self._lacking[name]

    def lacking(
        self, conn: sa.Connection
    ) -> list[tuple[ForeignTable, str, int, list[tuple[Any, ...]]]]:
        """Return the columns with values that Python lacks: table, column, how many, the first."""
        return [
            (table, column, *lacking_rows(conn, table, column, _NAMED))
            for name, table in self._schema.tables.items()
            for column in sorted(self._lacking_in(conn, name))
        ]

    @cached_property
    def made(self) -> Made:
        """The classes of all rows of all tables."""
        with self._source.reading() as conn:
            fits = self.fits(conn, self._schema.tables)
            rows = self.rows(conn)
            dangling = {
                key
                for key in self._schema.sound_keys
                if graphs.is_required(self._schema, key) and rows.has_dangling(key)
            }
        return self._classes_of(fits, dangling)

    def making(self, conn: sa.Connection, limit: int | None) -> EntityMaking:
        """Return what makes entities of rows."""
        whole = "made" in self.__dict__
        fits = self._fits if whole else {}
        return EntityMaking(self.rows(conn), partial(self._made_of, conn), fits, limit)

    def _made_of(
        self, conn: sa.Connection, fits: Mapping[str, list[Fit]], dangling: set[ForeignKey]
    ) -> Made:
        """Return classes for rows that were read, without a look at any other."""
        if "made" in self.__dict__:
            return self.made
        rest = {
            name: self._fits.get(name) or expected(conn, table)
            for name, table in self._schema.tables.items()
            if name not in fits
        }
        return self._classes_of({**rest, **fits}, dangling)

    def _classes_of(self, fits: Mapping[str, list[Fit]], dangling: set[ForeignKey]) -> Made:
        """Return the classes; those that were made before, if they are the same."""
        required = {key for key in dangling if graphs.is_required(self._schema, key)}
        tables = self._schema.tables
        told = ((name, tuple((f.types, f.nullable) for f in fits[name])) for name in tables)
        known = tuple(told), frozenset(required)
        if known not in self._classes:
            made = make_classes(self._source.stem, self._schema, fits, required)
            self._classes[known] = made
        return self._classes[known]
