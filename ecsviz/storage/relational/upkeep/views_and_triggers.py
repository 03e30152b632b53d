"""What a user has put beside our tables: views, triggers and indexes that outlive a migration.

SQLite makes an altered table anew: every view and trigger stands in its way, and what belongs to
the old table goes with it. So they are taken down inside the transaction and put up again, from
their own text. Whether each still works afterwards is found out beforehand, in a database without
rows that has the tables as they will be.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from dataclasses import dataclass, field
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_name
from ecsviz.errors import MigrationRefusedError
from ecsviz.storage.relational.schema.declared import declared_names
from ecsviz.storage.relational.schema.history_tables import history_name
from ecsviz.storage.relational.schema.mapping import StoredType
from ecsviz.storage.relational.schema.naming import limited
from ecsviz.storage.relational.schema.system_columns import NAMING
from ecsviz.storage.relational.schema.text_tables import is_own, is_part
from ecsviz.storage.relational.upkeep.class_changes import KeptObject, Migration
from ecsviz.storage.sql.dialects import row_of


@dataclass(slots=True)
class Altered:
    """What a migration does to one table.

    Attributes
    ----------
    dropped, renamed, added
        Columns; one that gets another type is dropped and added.
    whole
        Whether the table itself goes.
    ours
        The names of the indexes and foreign keys that we have made.
    """

    dropped: set[str] = field(default_factory=set)
    renamed: dict[str, str] = field(default_factory=dict)
    added: set[str] = field(default_factory=set)
    whole: bool = False
    ours: set[str] = field(default_factory=set)

    @property
    def gone(self) -> set[str]:
        """Names of columns that nothing answers to afterwards."""
        return {*self.dropped, *self.renamed} - {*self.added, *self.renamed.values()}


class OwnObjects(Protocol):
    """What of the user's is in the way of a migration."""

    kept: list[KeptObject]

    def put_away(self) -> None:
        """Take down what would be in the way."""

    def put_back(self, migration: Migration) -> None:
        """Make it again, from its own text."""


def own_objects(
    conn: Connection, schema: str | None, altered: MappingOf[str, Altered]
) -> OwnObjects:
    """Return what is in the way of a migration, by the tables that it alters."""
    where = row_of(conn).objects
    if where == "sqlite_master":
        return SqliteObjects(conn, altered)
    return PostgresObjects(conn, schema, altered if where == "pg_catalog" else {})


def names_of_ours(conn: Connection, stored: StoredType) -> dict[str, set[str]]:
    """Return the names of our indexes, foreign keys and unique constraints, by table."""
    own: list[list[str]] = []
    result: dict[str, set[str]] = {}
    for place in stored.layout.values():
        columns = list(place.get("columns", {}).values())
        if "table" in place:
            _add_names(conn, result, place["table"], [[column] for column in columns])
        else:
            position = [place["position"]] if place.get("position") else []
            own += [[column, *position] for column in columns]
    _add_names(conn, result, stored.table, own)
    result[stored.table] |= declared_names(stored)
    result[history_name(stored.table)].add(_past_index(stored.table, "ecs_id"))
    return result


def _add_names(
    conn: Connection, result: dict[str, set[str]], table: str, indexed: list[list[str]]
) -> None:
    made = sa.Table(table, sa.MetaData(naming_convention=NAMING))
    prepare = conn.dialect.identifier_preparer
    names = result.setdefault(table, set())
    for columns in indexed:
        for name in columns:
            if name not in made.c:
                made.append_column(sa.Column(name, sa.Integer()))
        index = sa.Index(None, *(made.c[name] for name in columns))
        names.add(prepare.format_index(index).strip('"'))
        names.add(f"fk_{table}_{columns[0]}")
    result[history_name(table)] = {_past_index(table, columns[0]) for columns in indexed}


def _past_index(table: str, column: str) -> str:
    return limited(f"ix_{history_name(table)}_{column}")


def run_as_it_is(conn: Connection, statement: str) -> None:
    """Run a statement of the user's, in which no parameter is looked for."""
    conn.exec_driver_sql(statement, execution_options={"no_parameters": True})


@contextlib.contextmanager
def refusing(migration: Migration, what: str) -> Iterator[None]:
    """Turn the database's refusal to make something again into one of the migration."""
    try:
        yield
    except (sa.exc.DBAPIError, sqlite3.Error) as err:
        reason = str(getattr(err, "orig", err)).strip().splitlines()[0]
        raise MigrationRefusedError(
            f"The {what} cannot be made again after the change: {reason}. Nothing was changed."
            " Drop it, migrate, and make it anew as it should be then.",
            migration=migration,
        ) from err


# -- SQLite ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Own:
    """A view, a trigger, an index or a table of the user's, as SQLite's schema has it."""

    kind: str
    name: str
    table: str
    sql: str
    temp: bool

    @property
    def text(self) -> str:
        """The statement that makes it."""
        # SQLite leaves TEMP out of the text that it keeps.
        return self.sql.replace("CREATE ", "CREATE TEMP ", 1) if self.temp else self.sql

    def __str__(self) -> str:
        unique = re.match(r"CREATE\s+UNIQUE\b", self.sql) is not None
        kind = f"unique {self.kind}" if unique else self.kind
        kind = "virtual table" if _is_virtual(self) else kind
        place = "" if self.kind in ("view", "table") else f" on {self.table}"
        return f"{'temporary ' if self.temp else ''}{kind} {self.name}{place}"


class SqliteObjects:
    """The views and triggers of a SQLite file, and the user's indexes on altered tables."""

    def __init__(self, conn: Connection, altered: MappingOf[str, Altered]) -> None:
        self.conn = conn
        schema = _schema(conn) if altered else []
        self.objects = [own for own in schema if _is_in_the_way(own, altered)]
        self.kept: list[KeptObject] = []
        tables = [own for own in schema if own.kind == "table"]
        related = [own for own in tables if own.name not in altered and _leads(own, altered)]
        if not self.objects and not related:
            return
        before, after = _Trial(tables, self.objects, {}), _Trial(tables, self.objects, altered)
        for own in (*self.objects, *related):
            why = _why_broken(own, before, after, altered)
            text = str(own)
            if why:
                why = f"{why}; drop it, migrate, and make it anew as it should be then"
            self.kept.append(KeptObject(text, why))

    def put_away(self) -> None:
        """Drop triggers, then views, then indexes."""
        for kind in ("trigger", "view", "index"):
            for own in self.objects:
                if own.kind == kind:
                    schema = "temp" if own.temp else "main"
                    self.conn.exec_driver_sql(f"DROP {kind} {schema}.{sql_name(own.name)}")

    def put_back(self, migration: Migration) -> None:
        """Make indexes, views and triggers again, each kind in the order it had."""
        for kind in ("index", "view", "trigger"):
            for own in self.objects:
                if own.kind == kind:
                    with refusing(migration, str(own)):
                        run_as_it_is(self.conn, own.text)


def _schema(conn: Connection) -> list[Own]:
    result = []
    for schema, temp in (("sqlite_master", False), ("sqlite_temp_master", True)):
        rows = conn.exec_driver_sql(
            f"SELECT type, name, tbl_name, sql FROM {schema} WHERE sql IS NOT NULL"  # noqa: S608 - one of two names
            " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid"
        )
        result += [Own(kind, name, table, sql, temp) for kind, name, table, sql in rows]
    # Our own indexes of words are no business of the user's: the migration looks after them.
    indexes = [own.name for own in result if own.kind == "table" and is_own(own.sql)]
    return [own for own in result if not (is_own(own.sql) or is_part(own.name, indexes))]


def _is_in_the_way(own: Own, altered: MappingOf[str, Altered]) -> bool:
    if own.kind != "index":
        return own.kind in ("view", "trigger")
    change = altered.get(own.table)
    return change is not None and own.name not in change.ours


def _is_virtual(own: Own) -> bool:
    return re.match(r"\s*CREATE\s+VIRTUAL\b", own.sql, re.IGNORECASE) is not None


def _leads(own: Own, altered: MappingOf[str, Altered]) -> bool:
    """Tell whether a table of the user's may depend on one that is altered."""
    text = own.sql.lower()
    foreign = _is_virtual(own) or "references" in text
    return foreign and any(name.lower() in text for name in altered)


class _Trial:
    """A database in memory, without rows: what works in it works with these tables.

    Attributes
    ----------
    errors
        By object and way of using it what goes wrong; None where it works.
    reads
        By object the tables and columns that it looks at.
    """

    def __init__(
        self, tables: list[Own], objects: list[Own], altered: MappingOf[str, Altered]
    ) -> None:
        self.errors: dict[tuple[Own, str], str | None] = {}
        self.reads: dict[Own, set[tuple[str, str]]] = {}
        with contextlib.closing(sqlite3.connect(":memory:", cached_statements=0)) as conn:
            self.conn = conn
            # Virtual tables first: they make the tables in which they keep things.
            for own in sorted(tables, key=_is_virtual, reverse=True):
                self._run(own.text)
            for name, change in altered.items():
                self._alter(name, change)
            for kind in ("index", "view"):
                for own in objects:
                    if own.kind == kind:
                        self._note(own, "made", own.text)
            for own in (*tables, *objects):
                if own.kind == "trigger":  # one at a time: an error does not say which it was
                    self._note(own, "made", own.text)
                self._use(own)
                if own.kind == "trigger":
                    self._run(f"DROP TRIGGER {sql_name(own.name)}")

    def _run(self, statement: str) -> str | None:
        try:
            self.conn.execute(statement).fetchall()
        except (sqlite3.Error, sqlite3.Warning) as err:
            return str(err)
        return None

    def _note(self, own: Own, how: str, statement: str) -> None:
        seen = self.reads.setdefault(own, set())

        def note(action: int, table: Any, column: Any, *_: Any) -> int:
            if action in (sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE):
                seen.add((str(table).lower(), str(column).lower()))
            return sqlite3.SQLITE_OK

        self.conn.set_authorizer(note)
        self.errors[own, how] = self._run(statement)
        self.conn.set_authorizer(None)

    def _columns(self, table: str) -> list[str]:
        try:
            found = self.conn.execute(f"PRAGMA table_info({sql_name(table)})").fetchall()
        except sqlite3.Error:  # a view that does not work
            return ["id"]
        return [row[1] for row in found]

    def _alter(self, name: str, change: Altered) -> None:
        """Make a table as it will be; of its columns the names are enough."""
        away = {*change.dropped, *change.renamed}
        columns = [c for c in self._columns(name) if c not in away]
        columns += sorted({*change.renamed.values(), *change.added} - set(columns))
        self._run("PRAGMA foreign_keys=OFF")
        self._run(f"DROP TABLE {sql_name(name)}")
        if not change.whole:
            keys = {"id": " INTEGER PRIMARY KEY", "ecs_id": " UNIQUE"}  # what may be referred to
            named = ", ".join(sql_name(c) + keys.get(c, "") for c in columns)
            self._run(f"CREATE TABLE {sql_name(name)} ({named})")

    def _use(self, own: Own) -> None:
        name = sql_name(own.name)
        if own.kind == "view":
            self._note(own, "read", f"SELECT * FROM {name} LIMIT 0")  # noqa: S608 - the name is quoted
        elif own.kind == "table":
            self._note(own, "read", f"SELECT * FROM {name} LIMIT 1")  # noqa: S608 - the name is quoted
            self._note(own, "refers", f"PRAGMA foreign_key_check({name})")
        elif own.kind == "trigger":
            # Compiled, never run; a verb at a time, since a trigger belongs to one of them.
            table = sql_name(own.table)
            sets = ", ".join(f"{sql_name(c)}={sql_name(c)}" for c in self._columns(own.table))
            self._note(own, "insert", f"EXPLAIN INSERT INTO {table} DEFAULT VALUES")
            self._note(own, "delete", f"EXPLAIN DELETE FROM {table}")  # noqa: S608 - the name is quoted
            self._note(own, "update", f"EXPLAIN UPDATE {table} SET {sets}")  # noqa: S608 - the name is quoted


_UPDATE_OF = re.compile(r"\bUPDATE\s+OF\b(.*?)\bON\b", re.IGNORECASE | re.DOTALL)


def _why_broken(own: Own, before: _Trial, after: _Trial, altered: MappingOf[str, Altered]) -> str:
    """Return what stops an object that works now from working afterwards; empty if nothing."""
    for (other, how), error in before.errors.items():
        if other == own and error is None and after.errors.get((own, how)):
            return f"{after.errors[own, how]}"
    text = own.sql.lower()
    for table, change in altered.items():
        here = own.table.lower() == table.lower()
        for column in change.gone:
            # SQLite takes a name in double quotes that is none for a text, without a word.
            read = (table.lower(), column.lower()) in before.reads.get(own, ())
            if f'"{column.lower()}"' in text and (read or (own.kind == "index" and here)):
                return f"no such column: {column}"
            # And a trigger on the update of no column for one that never fires.
            found = _UPDATE_OF.search(own.sql) if own.kind == "trigger" and here else None
            if found and column.lower() in re.findall(r"[^\s,\"`\[\]]+", found[1].lower()):
                return f"no such column: {column}"
    return ""


# -- PostgreSQL ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dependent:
    """Something in PostgreSQL that depends on a column that goes, and how it is made again."""

    text: str
    drop: str
    make: tuple[str, ...]


class PostgresObjects:
    """What depends on columns that go: PostgreSQL keeps it in all other cases by itself.

    Notes
    -----
    It knows every dependency, and renames with the column what speaks of it. Only a column that
    is dropped is in the way; where one of the same name comes in its place, what depends on it is
    made again.
    """

    def __init__(
        self, conn: Connection, schema: str | None, altered: MappingOf[str, Altered]
    ) -> None:
        self.conn = conn
        self.kept: list[KeptObject] = []
        self.again: dict[tuple[str, int], Dependent] = {}
        for name, change in altered.items():
            for object_key, text, column in self._dependents(name, schema, change):
                if change.whole or column in change.gone:
                    what = f"table {name}" if change.whole else f"no such column: {column}"
                    why = f"{what} goes" if change.whole else what
                    why += "; drop it, migrate, and make it anew as it should be then"
                    self.kept.append(KeptObject(text, why))
                else:
                    self._remember(object_key, text)
        self.kept += [KeptObject(found.text) for found in self.again.values()]

    def _dependents(
        self, name: str, schema: str | None, change: Altered
    ) -> list[tuple[tuple[str, int, int], str, str]]:
        """Return what depends on the columns of a table that go: key, description, column."""
        rows = self.conn.execute(
            sa.text(_DEPENDENTS),
            {"schema": schema, "name": name, "columns": list(change.dropped), "all": change.whole},
        ).all()
        return [
            ((row.catalog, row.object, row.owner), row.text, row.column)
            for row in rows
            if row.name not in change.ours
        ]

    def _remember(self, key: tuple[str, int, int], text: str) -> None:
        catalog, oid, owner = key
        if catalog == "pg_rewrite":
            self._remember_view(owner)
            return
        made = _MADE_AGAIN.get(catalog)
        if made is None:
            way = "drop it, migrate, and make it anew"
            self.kept.append(KeptObject(text, f"it depends on a column that is made anew; {way}"))
            return
        drop, make = self.conn.execute(sa.text(made), {"oid": oid}).one()
        self.again.setdefault((catalog, oid), Dependent(text, drop, (make,)))

    def _remember_view(self, oid: int) -> None:
        """Remember a view, and before it those that look at it."""
        queue = [oid]
        for view in queue:  # breadth first: whoever looks at a view comes after it
            self.again.pop(("view", view), None)
            row = self.conn.execute(sa.text(_VIEW), {"oid": view}).one()
            more = self.conn.scalars(sa.text(_OF_VIEW), {"oid": view}).all()
            found = Dependent(row.text, row.drop, (row.make, *more))
            self.again["view", view] = found
            queue += self.conn.scalars(sa.text(_VIEWS_ON), {"oid": view}).all()

    def put_away(self) -> None:
        """Drop what depends, the outermost first."""
        for found in reversed(self.again.values()):
            self.conn.exec_driver_sql(found.drop)

    def put_back(self, migration: Migration) -> None:
        """Make it again, with its indexes, triggers, owner and grants."""
        for found in self.again.values():
            with refusing(migration, found.text):
                for statement in found.make:
                    run_as_it_is(self.conn, statement)


_DEPENDENTS = """
    SELECT d.classid::regclass::text AS catalog, d.objid AS object,
        coalesce(r.ev_class, 0) AS owner, a.attname AS column,
        coalesce(i.relname, n.conname, '') AS name,
        CASE WHEN v.relkind = 'v' THEN 'view ' || v.relname
             WHEN v.relkind = 'm' THEN 'materialized view ' || v.relname
             ELSE pg_describe_object(d.classid, d.objid, d.objsubid) END AS text
    FROM pg_class t
    JOIN pg_namespace s ON s.oid = t.relnamespace
    JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = t.oid
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid AND a.attnum > 0
    LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_class v ON v.oid = r.ev_class AND v.relkind IN ('v', 'm')
    LEFT JOIN pg_class i ON d.classid = 'pg_class'::regclass AND i.oid = d.objid
    LEFT JOIN pg_constraint n ON d.classid = 'pg_constraint'::regclass AND n.oid = d.objid
    WHERE t.relname = :name AND s.nspname = coalesce(:schema, current_schema())
        AND d.deptype IN ('n', 'a') AND d.objid <> t.oid
        AND (n.oid IS NULL OR n.contype <> 'n')
        AND ((CAST(:all AS boolean) AND (d.deptype = 'n' OR d.classid = 'pg_rewrite'::regclass))
            OR a.attname = ANY(CAST(:columns AS text[])))
    GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 2
"""

_MADE_AGAIN = {
    "pg_class": """
        SELECT 'DROP INDEX ' || CAST(:oid AS oid)::regclass, pg_get_indexdef(CAST(:oid AS oid))
    """,
    "pg_constraint": """
        SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
            format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname,
                pg_get_constraintdef(oid))
        FROM pg_constraint WHERE oid = :oid
    """,
    "pg_trigger": """
        SELECT format('DROP TRIGGER %I ON %s', tgname, tgrelid::regclass), pg_get_triggerdef(oid)
        FROM pg_trigger WHERE oid = :oid
    """,
}
"""Per catalog, how a thing of it is dropped and how it is made."""

_VIEW = """
    SELECT CASE relkind WHEN 'm' THEN 'materialized view ' ELSE 'view ' END || relname AS text,
        format('DROP %s %s', kind, oid::regclass) AS drop,
        format('CREATE %s %s%s AS %s%s', kind, oid::regclass,
            coalesce(' WITH (' || array_to_string(reloptions, ', ') || ')', ''),
            rtrim(pg_get_viewdef(oid), '; '),
            CASE WHEN relkind = 'm' AND NOT relispopulated THEN ' WITH NO DATA' ELSE '' END
        ) AS make
    FROM (SELECT *, CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END AS kind
        FROM pg_class WHERE oid = :oid) AS c
"""

_OF_VIEW = """
    SELECT statement FROM (
        SELECT 1 AS rank, pg_get_indexdef(indexrelid) AS statement FROM pg_index
        WHERE indrelid = :oid
        UNION ALL SELECT 2, pg_get_ruledef(oid) FROM pg_rewrite
        WHERE ev_class = :oid AND rulename <> '_RETURN'
        UNION ALL SELECT 3, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE tgrelid = :oid AND NOT tgisinternal
        UNION ALL SELECT 4, format('COMMENT ON %s %s IS %L',
            CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, oid::regclass,
            obj_description(oid, 'pg_class'))
        FROM pg_class WHERE oid = :oid AND obj_description(oid, 'pg_class') IS NOT NULL
        UNION ALL SELECT 5, format('GRANT %s ON %s TO %s%s', g.privilege_type, oid::regclass,
            CASE WHEN g.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(g.grantee)) END,
            CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM pg_class, aclexplode(relacl) AS g WHERE oid = :oid AND g.grantee <> relowner
        UNION ALL SELECT 6, format('ALTER TABLE %s OWNER TO %I', oid::regclass,
            pg_get_userbyid(relowner))
        FROM pg_class WHERE oid = :oid AND relowner <> current_user::regrole
    ) AS more ORDER BY rank
"""

_VIEWS_ON = """
    SELECT DISTINCT r.ev_class FROM pg_depend d
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = :oid AND r.ev_class <> :oid
"""
