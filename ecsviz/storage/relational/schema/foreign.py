"""What a SQLite file holds that ecsviz did not make and that acts by itself.

Triggers, views, virtual tables, computed columns and indexes on expressions run what the file
says. They may be a user's own, and they may be a stranger's who wants a reader to hang.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field

from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError

from ecsviz.basics.outside import outside
from ecsviz.errors import ForeignTriggerWarning, StorageCorruptError
from ecsviz.storage.relational.schema.class_maps import StoredType
from ecsviz.storage.relational.schema.history_tables import history_name
from ecsviz.storage.relational.schema.text_tables import is_own
from ecsviz.storage.sql.sqlite_errors import DAMAGED

_KINDS = {
    "CREATE TABLE ": "table",
    "CREATE INDEX ": "index",
    "CREATE UNIQUE INDEX ": "index",
    "CREATE TRIGGER ": "trigger",
    "CREATE VIEW ": "view",
    "CREATE VIRTUAL TABLE ": "virtual table",
}
"""How SQLite begins what it notes of a thing. It goes by that, and so do we: the column ``type``
beside it is only what somebody wrote there."""

_COMPUTED = re.compile(
    r"\b(AS|GENERATED|CHECK|DEFAULT(?!\s+('[^']*'|[+-]?[\d.]+)[\s,)]))\b", re.IGNORECASE
)
"""What may run in the text of a table. A literal as a default, such as our own, does nothing."""

_PARTIAL = re.compile(r"\bWHERE\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A thing that is not ours.

    Attributes
    ----------
    kind
        ``trigger``, ``view``, ``virtual table``, ``computed column`` or ``index``.
    name
        What it is called.
    table
        The table that it stands on, or its own name.
    """

    kind: str
    name: str
    table: str

    def __str__(self) -> str:
        where = "" if self.table == self.name else f" on {self.table}"
        return f"{self.kind} {self.name}{where}"


@dataclass(slots=True)
class FileSchema:
    """What a SQLite file says that it holds. Names are the same in capitals, as for SQLite.

    Attributes
    ----------
    rows
        What it was read from.
    tables
        The names of the real tables, but for SQLite's own.
    kinds
        Per name of a table or view, in small letters, which of the two it really is.
    foreign
        What acts by itself.
    computed
        Per table its computed columns, both in small letters.
    acts
        Whether anything in it runs what the file says.
    """

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    foreign: list[Foreign] = field(default_factory=list)
    computed: dict[str, set[str]] = field(default_factory=dict)
    acts: bool = False

    def check_real(self, where: str, names: MappingOf[str, Iterable[str]]) -> None:
        """Raise unless what is there of our tables is real, with columns that hold values.

        Parameters
        ----------
        where
            What the file is called.
        names
            Our tables, each with the columns that it has at least.

        Raises
        ------
        StorageCorruptError
            If one is a view or the like, or one of the columns is computed.
        """
        if not self.acts:
            return
        for name, columns in names.items():
            kind = self.kinds.get(name.lower(), "table")
            ours = {column.lower() for column in columns}
            computed = sorted(self.computed.get(name.lower(), ()))
            bad = [column for column in computed if column in ours or column.startswith("ecs_")]
            if kind != "table" or bad:
                what = f"{name!r} is a {kind}" if kind != "table" else f"{bad[0]!r} is computed"
                raise StorageCorruptError(
                    f"{where}: {what}, where a table {name!r} that holds values should be."
                    " ecsviz did not make it so, and reads nothing of it. Restore the store from a"
                    " backup; ev.read_database looks at what is there.",
                    table=name,
                )


class Seen:
    """What was last seen in the file of a store: one for all its catalogs.

    Parameters
    ----------
    where
        What the file is called.
    own
        The tables of the catalog, with their columns.
    """

    def __init__(self, where: str, own: MappingOf[str, Iterable[str]]) -> None:
        self._where = where
        self._own = own
        self._last = FileSchema()
        self._warned = False

    def look(self, conn: Connection) -> FileSchema:
        """Look at what a transaction finds in its file, anew where that has changed."""
        rows = _rows(conn, self._where)
        found = self._last if rows == self._last.rows else read_schema(conn, rows)
        self._last = conn.info[_SEEN] = found
        return found

    def _of(self, conn: Connection) -> FileSchema:
        found: FileSchema = conn.info.get(_SEEN) or FileSchema()
        return found

    def acts(self, conn: Connection) -> bool:
        """Tell whether something in the file runs what it says, as a transaction found it."""
        return self._of(conn).acts

    def check(self, conn: Connection, types: Iterable[StoredType]) -> None:
        """Raise StorageCorruptError if what should be a table of ours is something else."""
        found = self._of(conn)
        if found.acts:
            found.check_real(self._where, {**self._own, **_tables_of(types)})

    def foreign(self, conn: Connection, types: Iterable[StoredType]) -> list[Foreign]:
        """Return what acts by itself and concerns our tables, these of the given types."""
        types = list(types)
        ours = {name.lower() for name in (*self._own, *_tables_of(types))}
        # Beside hand-written models there are tables of a user's own, and views on these.
        alone = not any(stored.by_hand for stored in types)
        return [
            found
            for found in self._of(conn).foreign
            if found.table.lower() in ours or (alone and found.kind == "view")
        ]

    def warn_of_triggers(self, conn: Connection, types: Iterable[StoredType]) -> None:
        """Warn, once, that what is saved may be changed by what is not ours."""
        if self._warned or not self.acts(conn):
            return
        triggers = [found for found in self.foreign(conn, types) if found.kind == "trigger"]
        if triggers:
            self._warned = True
            named = ", ".join(map(str, triggers[:5]))
            warnings.warn(
                f"{self._where} has triggers that ecsviz did not make: {named}. What they do"
                " happens with every save; store.verify() lists the rows that they change. If they"
                " are yours, silence this with warnings.simplefilter('ignore',"
                " ecsviz.errors.ForeignTriggerWarning).",
                ForeignTriggerWarning,
                stacklevel=outside(),
            )


_SEEN = "ecs_seen"
"""Under which key of a connection's ``info`` it is what its transaction found."""


def _tables_of(types: Iterable[StoredType]) -> dict[str, set[str]]:
    """Return the tables of types, each with the columns that may be in it."""
    result = {}
    for stored in types:
        columns = {"id", *stored.fields, *stored.positions}
        for place in stored.layout.values():
            columns |= {*place.get("columns", {}).values(), place.get("column", "id")}
        for table in stored.tables:
            result[table] = result[history_name(table)] = columns
    return result


def _rows(conn: Connection, where: str) -> list[tuple[str, str, str]]:
    # A table that is always a real one. What a constraint needs has no text, and does nothing.
    query = "SELECT name, tbl_name, sql FROM main.sqlite_master WHERE sql IS NOT NULL"
    try:
        return [(str(a), str(b), str(c)) for a, b, c in conn.exec_driver_sql(query)]
    except OperationalError as err:
        if "decode to UTF-8" not in str(err.orig):
            raise
        raise StorageCorruptError(
            f"{where}: what it says of its tables is no text: {DAMAGED}",
            code="SQLITE_CORRUPT",
        ) from err


def read_schema(conn: Connection, rows: list[tuple[str, str, str]]) -> FileSchema:
    """Return what a SQLite file holds, without running any of it.

    Notes
    -----
    One statement more for each table or index whose text may have something computed in it. No
    view is looked into: SQLite would have to compile it for that, which can take for ever by
    itself.
    """
    found = FileSchema(rows)
    for name, table, text in rows:
        kind = next((kind for start, kind in _KINDS.items() if text.startswith(start)), "")
        if kind in ("trigger", "virtual table") and is_own(text):
            if kind != "trigger":
                found.kinds[name.lower()] = kind
            continue
        if kind == "index":
            _add_index(conn, found, name, table, text)
        elif kind == "table":
            found.kinds[name.lower()] = kind
            if not name.startswith("sqlite_"):
                found.tables.append(name)
            if _COMPUTED.search(text):
                found.acts = True  # a CHECK or a DEFAULT, which is not told apart, runs as well
                _add_computed(conn, found, name)
        else:
            kind = kind or "thing of an unknown kind"
            if kind != "trigger":
                found.kinds[name.lower()] = kind
            found.foreign.append(Foreign(kind, name, table))
    found.acts = found.acts or bool(found.foreign)
    return found


def _add_index(conn: Connection, found: FileSchema, name: str, table: str, text: str) -> None:
    found.acts = found.acts or _PARTIAL.search(text) is not None
    if "(" in text.partition("(")[2]:
        rows = conn.exec_driver_sql("SELECT cid FROM pragma_index_xinfo(?)", (name,)).all()
        if any(cid == -2 for (cid,) in rows):  # an expression, and no column
            found.foreign.append(Foreign("index", name, table))


def _add_computed(conn: Connection, found: FileSchema, table: str) -> None:
    query = "SELECT name FROM pragma_table_xinfo(?) WHERE hidden IN (2, 3)"
    for (name,) in conn.exec_driver_sql(query, (table,)).all():
        found.computed.setdefault(table.lower(), set()).add(name.lower())
        found.foreign.append(Foreign("computed column", name, table))
