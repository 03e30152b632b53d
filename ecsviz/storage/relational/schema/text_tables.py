"""The tables and triggers of indexes of words, as each database has them; see `text_index`."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.basics.text import sql_name
from ecsviz.errors import StorageCorruptError
from ecsviz.storage.relational.schema.system_columns import BIG
from ecsviz.storage.sql.dialects import row_of

PREFIX: Final = "ecs_text_"
CHANGES: Final = f"{PREFIX}changes"

ROW_ID: Final = sa.column("id", sa.BigInteger())
"""The row ids of texts, for conditions of `read_texts`."""


@dataclass(frozen=True, slots=True)
class TextIndex:
    """The index of a field.

    Attributes
    ----------
    type_name, field
        Of what.
    name
        Its table.
    table, column
        Where the texts are.
    schema
        The database schema of both.
    """

    type_name: str
    field: str
    name: str
    table: str
    column: str
    schema: str | None = None


@contextlib.contextmanager
def looking_up(index: TextIndex) -> Iterator[None]:
    """Turn what a database says of an index that is damaged, or gone, into an error that helps."""
    try:
        yield
    except sa.exc.DatabaseError as err:
        if not is_damage(err):
            raise
        name, said = index.type_name, str(err.orig).strip().partition("\n")[0]
        raise StorageCorruptError(
            f"The index of the words of {name}.{index.field} cannot be read: {said}. The texts are"
            f" not touched by that: store.drop_text_index({name}, {index.field!r}) takes it away,"
            " and store.index_text makes it anew.",
            table=index.name,
        ) from err


def is_damage(err: sa.exc.DatabaseError) -> bool:
    """Tell whether an error in reading or writing an index comes from how the index is."""
    name: str | None = getattr(err.orig, "sqlite_errorname", None)
    if name is None:  # PostgreSQL: a table or a column that is not there
        return str(getattr(err.orig, "sqlstate", "")).startswith("42")
    return name == "SQLITE_ERROR" or name.startswith(("SQLITE_CORRUPT", "SQLITE_CONSTRAINT"))


def changes_of(schema: str | None) -> sa.Table:
    """Return the table of what has changed since an index was brought up to date."""
    return sa.Table(
        CHANGES,
        sa.MetaData(schema=schema),
        sa.Column("name", sa.String(63), primary_key=True),
        sa.Column("row_id", BIG, primary_key=True, autoincrement=False),
    )


def words_of(conn: Connection, index: TextIndex) -> sa.Table:
    """Return the table of an index: the row ids of the texts, and their words."""
    key = "rowid" if row_of(conn).words == "fts5" else "id"
    return sa.Table(
        index.name,
        sa.MetaData(schema=index.schema),
        sa.Column(key, sa.BigInteger(), primary_key=True),
        sa.Column("words", sa.Text()),
    )


def texts_of(index: TextIndex) -> Any:
    """Return the table of the texts of an index, with the columns that are needed of it."""
    columns: list[Any] = [
        sa.column("id", sa.BigInteger()),
        sa.column("ecs_id", sa.Uuid()),
        sa.column("ecs_exact", sa.Text()),
        sa.column(index.column, sa.Text()),
    ]
    return sa.table(index.table, *columns, schema=index.schema)


# -- what makes it ---------------------------------------------------------------------------


def made_by(conn: Connection, index: TextIndex) -> list[str]:
    """Return the statements that make the table of an index, and what notes the changes."""
    if row_of(conn).words == "fts5":
        triggers = triggers_of(index.name, index.table, index.column)
        return [_virtual_table(index.name), *triggers.values()]
    prepare = conn.dialect.identifier_preparer
    schema = "" if index.schema is None else f"{prepare.quote(index.schema)}."
    facts = {
        "name": index.name,
        "words": f"{schema}{prepare.quote_identifier(index.name)}",
        "table": f"{schema}{prepare.quote_identifier(index.table)}",
        "column": prepare.quote_identifier(index.column),
        "changes": f"{schema}{CHANGES}",
    }
    made = [text.format(**facts) for text in _ON_POSTGRESQL]
    for what, verb, tables in _EVENTS:
        facts |= {"event": prepare.quote_identifier(f"{index.name}_{what}")}
        made.append(_TRIGGER.format(verb=verb, tables=tables, **facts))
    return made


def missing_triggers(conn: Connection, index: TextIndex) -> list[str]:
    """Return the names of the triggers of an index that are not there as they were made."""
    if row_of(conn).words == "fts5":
        made = triggers_of(index.name, index.table, index.column)
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"
        there: dict[str, str] = dict(map(tuple, conn.exec_driver_sql(query, (index.table,))))
        return [name for name, text in made.items() if there.get(name) != text]
    names = {f"{index.name}_{what}" for what, _, _ in _EVENTS}
    given = {"table": index.table, "schema": index.schema, "function": index.name}
    return sorted(names - set(conn.scalars(sa.text(_ENABLED), given)))


_ENABLED = """
    SELECT g.tgname FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
    JOIN pg_namespace s ON s.oid = t.relnamespace JOIN pg_proc p ON p.oid = g.tgfoid
    WHERE t.relname = :table AND s.nspname = coalesce(:schema, current_schema())
        AND p.proname = :function AND g.tgenabled IN ('O', 'A')
"""

_EVENTS = (
    ("added", "INSERT", "NEW TABLE AS ecs_new"),
    ("changed", "UPDATE", "OLD TABLE AS ecs_old NEW TABLE AS ecs_new"),
    ("deleted", "DELETE", "OLD TABLE AS ecs_old"),
)
"""Per trigger the end of its name, its verb, and the rows that it sees on PostgreSQL."""

_TRIGGER = (
    "CREATE TRIGGER {event} AFTER {verb} ON {table} REFERENCING {tables}"
    " FOR EACH STATEMENT EXECUTE FUNCTION {words}()"
)

_ON_POSTGRESQL = (
    "CREATE TABLE {words} (id bigint PRIMARY KEY, words text NOT NULL, lexemes tsvector NOT NULL)",
    "CREATE INDEX ON {words} USING gin (lexemes)",
    # That an update is none of the text is found out in the function: a condition of the trigger
    # would be in the way of whoever alters the column.
    """CREATE FUNCTION {words}() RETURNS trigger LANGUAGE plpgsql AS $ecs$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO {changes} SELECT '{name}', id FROM ecs_new ON CONFLICT DO NOTHING;
    ELSIF TG_OP = 'DELETE' THEN
        INSERT INTO {changes} SELECT '{name}', id FROM ecs_old ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO {changes} SELECT '{name}', id FROM (
            (SELECT id, {column}, ecs_exact FROM ecs_new
                EXCEPT ALL SELECT id, {column}, ecs_exact FROM ecs_old)
            UNION ALL
            (SELECT id, {column}, ecs_exact FROM ecs_old
                EXCEPT ALL SELECT id, {column}, ecs_exact FROM ecs_new)
        ) AS changed ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $ecs$""",
)


def _virtual_table(name: str) -> str:
    return f"CREATE VIRTUAL TABLE {sql_name(name)} USING fts5(words, tokenize = 'ascii')"


def triggers_of(name: str, table: str, column: str) -> dict[str, str]:
    """Return the triggers of an index on SQLite by name.

    Notes
    -----
    Whatever a statement says of conflicts holds in triggers as well, so none may come up.
    """
    rows = {
        "added": "SELECT new.id AS row_id",
        "changed": "SELECT old.id AS row_id UNION SELECT new.id AS row_id",
        "deleted": "SELECT old.id AS row_id",
    }
    held = sql_name(column)
    events = {
        "added": "INSERT",
        "changed": f"UPDATE OF id, {held}, ecs_exact",
        "deleted": "DELETE",
    }
    differs = " OR ".join(f"old.{each} IS NOT new.{each}" for each in ("id", held, "ecs_exact"))
    result = {}
    for what, event in events.items():
        trigger = f"{name}_{what}"
        result[trigger] = _ON_SQLITE.format(
            trigger=sql_name(trigger),
            event=event,
            table=sql_name(table),
            when=f" WHEN {differs}" if what == "changed" else "",
            changes=CHANGES,
            name=name,
            rows=rows[what],
        )
    return result


_ON_SQLITE = (
    "CREATE TRIGGER {trigger} AFTER {event} ON {table}{when}"
    " BEGIN INSERT INTO {changes} SELECT '{name}', r.row_id FROM ({rows}) AS r"
    " WHERE NOT EXISTS (SELECT 1 FROM {changes} AS c WHERE c.name = '{name}'"
    " AND c.row_id = r.row_id); END"
)


_NAME = r'"((?:[^"]|"")+)"'
_TRIGGER_TEXT = re.compile(
    rf"CREATE TRIGGER {_NAME} AFTER (?:INSERT|DELETE|UPDATE OF id, {_NAME}, ecs_exact) ON {_NAME} "
)


def is_own(text: str) -> bool:
    """Tell whether a text of SQLite's schema makes a part of an index, and nothing else.

    Notes
    -----
    The very text that is written here for such names: what it does is known, whoever wrote it.
    """
    name, _, _ = text.removeprefix('CREATE VIRTUAL TABLE "').partition('"')
    if text == _virtual_table(name) and name.startswith(PREFIX):
        return True
    found = _TRIGGER_TEXT.match(text)
    if found is None:
        return False
    trigger, column, table = (part and part.replace('""', '"') for part in found.groups())
    name = trigger.rpartition("_")[0]
    made = triggers_of(name, table, column or "") if name.startswith(PREFIX) else {}
    return "'" not in name and made.get(trigger) == text


def is_part(name: str, virtual: Iterable[str]) -> bool:
    """Tell whether a table of a SQLite file belongs to indexes, by the names of theirs."""
    return name == CHANGES or any(name in parts_of(each) for each in virtual)


def parts_of(name: str) -> list[str]:
    """Return the name of an index and those of the tables in which FTS5 keeps it."""
    return [name, *(f"{name}_{part}" for part in ("data", "idx", "content", "docsize", "config"))]
