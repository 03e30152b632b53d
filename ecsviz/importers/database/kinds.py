"""What the values of a database's tables are, and the classes of their rows; both remembered."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from ecsviz.importers.database import graphs
from ecsviz.importers.database.classes import Made, make_classes
from ecsviz.importers.database.lacking import lacking_columns, lacking_rows
from ecsviz.importers.database.rows import TableRows
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, ForeignTable
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.importers.database.values import Fit, fits_of
from ecsviz.storage.protocol import OF_FIRST_ROWS

_NAMED = 5
"""How many values that Python lacks are named of a column."""
LOOKED_AT = 10_000
"""At how many rows of a table is looked for its class: one of millions is not read for that."""


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
        self._fits: dict[str, list[Fit]] = {}  # as all rows say
        self._first: dict[str, list[Fit]] = {}  # as the first rows say, where there are more
        self._dangling: dict[ForeignKey, bool] = {}  # of required keys
        self._in_part = set[ForeignKey]()  # of which only the first rows were looked at
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

    def fits_told(self, conn: sa.Connection, name: str) -> tuple[list[Fit], bool]:
        """Return how the columns of a table are given, and whether all of its rows were looked at.

        The first rows tell, unless one was met that does not fit.
        """
        if name not in self._fits and name not in self._first:
            if not self.rows(conn).has_more(name, LOOKED_AT):
                return self.fits(conn, [name])[name], True
            table = self._schema.tables[name]
            lacking = lacking_columns(conn, table, LOOKED_AT)
            self._first[name] = fits_of(conn, table, lacking, LOOKED_AT)
        whole = name in self._fits
        return (self._fits if whole else self._first)[name], whole

    def wider(self) -> list[tuple[str, str, str]]:
        """Return the columns with other types than the first rows have: table, column, types."""
        return [
            (name, column.name, " or ".join(kind.__name__ for kind in fit.types))
            for name, first in self._first.items()
            if name in self._fits
            for column, fit, before in zip(
                self._schema.tables[name].columns, self._fits[name], first, strict=True
            )
            if (fit.types, fit.nullable) != (before.types, before.nullable)
        ]

    def look_at_all(self) -> None:
        """Look at all rows of all tables: the classes fit each of them from then on."""
        with self._source.reading() as conn:
            self.fits(conn, self._schema.tables)
            rows = self.rows(conn)
            for key in self._required():
                self._dangling[key] = self._dangling.get(key, False) or rows.has_dangling(key)
                self._in_part.discard(key)

    def met_dangling(self, keys: Collection[ForeignKey]) -> None:
        """Take note of keys with values to which there is no row."""
        self._dangling |= dict.fromkeys(keys, True)
        self._in_part.difference_update(keys)

    def _required(self) -> list[ForeignKey]:
        keys = self._schema.sound_keys
        return [key for key in keys if graphs.is_required(self._schema, key)]

    @property
    def made(self) -> Made:
        """The classes of all tables: the same, whatever was read before, if its values fit."""
        with self._source.reading() as conn:
            told = {name: self.fits_told(conn, name) for name in self._schema.tables}
            rows = self.rows(conn)
            required = self._required()
            for key in required:
                if key not in self._dangling:
                    self._dangling[key] = rows.has_dangling(key, LOOKED_AT)
                    if not self._dangling[key] and rows.has_more(key.table, LOOKED_AT):
                        self._in_part.add(key)
            fits = {name: fit for name, (fit, _) in told.items()}
            made = self._classes_of(fits, {key for key in required if self._dangling[key]})
            in_part = bool(self._in_part) or not all(whole for _, whole in told.values())
            for cls in made.classes.values():
                if getattr(cls, OF_FIRST_ROWS, None) is not in_part:
                    setattr(cls, OF_FIRST_ROWS, in_part)
            return made

    def _classes_of(self, fits: Mapping[str, list[Fit]], dangling: set[ForeignKey]) -> Made:
        """Return the classes; those that were made before, if they are the same."""
        tables = self._schema.tables
        told = ((name, tuple((f.types, f.nullable) for f in fits[name])) for name in tables)
        known = tuple(told), frozenset(dangling)
        if known not in self._classes:
            made = make_classes(self._source.stem, self._schema, fits, dangling)
            self._classes[known] = made
        return self._classes[known]
