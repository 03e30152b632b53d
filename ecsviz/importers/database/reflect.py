"""Reads a database's tables, columns and keys; the number of statements does not grow with them."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence

from sqlalchemy.engine import Connection

from ecsviz.errors import StorageOpenError, short_repr
from ecsviz.importers.database.reflect_duckdb import of_duckdb
from ecsviz.importers.database.reflect_mysql import of_mysql
from ecsviz.importers.database.reflect_others import of_others
from ecsviz.importers.database.reflect_sqlite import of_sqlite
from ecsviz.importers.database.schema import ForeignKey, ForeignSchema, Parts, merged
from ecsviz.importers.database.unreadable import tell_uncomparable


def reflect(conn: Connection, wanted: Sequence[str] | None) -> ForeignSchema:
    """Return what a database consists of.

    Parameters
    ----------
    conn
        A connection to it.
    wanted
        The schemas to read; None for all but the system's.

    Raises
    ------
    StorageOpenError
        If there is no such schema.

    Notes
    -----
    O(tables + columns + keys); four statements a schema on SQLite and MySQL, three on DuckDB;
    SQLAlchemy's bulk reflection (``Inspector.get_multi_columns``, …) of each schema elsewhere.
    Where rows of a table may not be there to be read, that is tried, of 60 tables in one.
    """
    engine = "mysql" if conn.dialect.name == "mariadb" else conn.dialect.name
    read = {"sqlite": _of_sqlite_schemas, "mysql": _of_mysql, "duckdb": _of_duckdb}
    parts, default, others = read.get(engine, of_others)(conn, wanted)
    for name in wanted or ():
        if name not in {known for known, _ in parts}:
            known = ", ".join(repr(one) for one in others[:5])
            raise StorageOpenError(
                f"There is no schema {short_repr(name)}. There are: {known}.", schema=name
            )
    found = merged(parts, default)
    read_too = {name for name, _ in parts}
    found.keys = [_checked(found, key, engine, read_too) for key in found.keys]
    tell_uncomparable(conn, found)
    return found


def _of_mysql(conn: Connection, wanted: Sequence[str] | None) -> Parts:
    """Return the databases that are asked for.

    By default the one that is chosen, and those to which its keys lead, or all if it is empty.
    """
    listed = [str(name) for (name,) in conn.exec_driver_sql("SHOW DATABASES").fetchall()]
    system = ("information_schema", "mysql", "performance_schema", "sys")
    there = [name for name in listed if name not in system]
    chosen: str | None = conn.exec_driver_sql("SELECT DATABASE()").scalar()
    if wanted is not None:
        return [*of_mysql(conn, [name for name in wanted if name in there])], chosen, there
    queue = [name for name in there if name == chosen]
    found: dict[str | None, ForeignSchema] = {}
    while queue:
        fresh = of_mysql(conn, queue)
        found |= dict(fresh)
        led = [key.target.partition("\0")[0] for _, part in fresh for key in part.keys]
        queue = [name for name in dict.fromkeys(led) if name not in found and name in there]
    if not any(part.tables for part in found.values()) and there:
        found = dict(of_mysql(conn, there))
    return list(found.items()), chosen, there


def _of_duckdb(conn: Connection, wanted: Sequence[str] | None) -> Parts:
    found = of_duckdb(conn)
    default = conn.exec_driver_sql("SELECT current_schema()").scalar()
    found.setdefault(str(default), ForeignSchema())
    parts = [(name, part) for name, part in found.items() if wanted is None or name in wanted]
    return list(parts), default, list(found)


def _of_sqlite_schemas(conn: Connection, wanted: Sequence[str] | None) -> Parts:
    """Return the database, and those that are attached to it."""
    there = [row[1] for row in conn.exec_driver_sql("PRAGMA database_list").fetchall()]
    there = [name for name in there if name != "temp"]
    chosen = [name for name in there if wanted is None or name in wanted]
    return [(name, of_sqlite(conn, name)) for name in chosen], "main", there


def _checked(
    schema: ForeignSchema, key: ForeignKey, engine: str, read: Container[str | None]
) -> ForeignKey:
    """Return a key whose ends are named as their tables name them, or that tells its fault."""
    any_case = engine in ("duckdb", "mysql", "sqlite")
    target = _named(key.target, schema.tables, any_case and engine != "mysql")
    if target is None:
        why = f"there is no table {key.target!r}"
        other, dot, _ = key.target.partition(".")
        if dot and other not in read:
            why += f" in what was read; schemas=[…, {other!r}] reads its schema too"
        if key.target in schema.unreadable:
            why = f"{key.target!r} cannot be read"
        elif key.target in schema.views:
            why = f"{key.target!r} is a view"
        return _faulty(key, why)
    there = schema.tables[target]
    names = [column.name for column in there.columns]
    own = [column.name for column in schema.tables[key.table].columns]
    wanted = key.target_columns or there.primary_key
    if len(wanted) != len(key.columns):
        return _faulty(key, f"{target!r} has no primary key of {len(key.columns)} columns")
    columns = [_named(name, own, any_case) for name in key.columns]
    targets = [_named(name, names, any_case) for name in wanted]
    for name, at in zip(wanted, targets, strict=True):
        if at is None:
            return _faulty(key, f"{target!r} has no column {name!r}")
    if None in columns:
        return _faulty(key, "it names a column that its table does not have")
    return ForeignKey(
        key.table,
        tuple(name for name in columns if name is not None),
        target,
        tuple(name for name in targets if name is not None),
    )


def _faulty(key: ForeignKey, why: str) -> ForeignKey:
    return ForeignKey(key.table, key.columns, key.target, key.target_columns, why)


def _named(name: str, known: Iterable[str], any_case: bool) -> str | None:
    names = list(known)
    if name in names or not any_case:
        return name if name in names else None
    return next((other for other in names if _lower(other) == _lower(name)), None)


def _lower(name: str) -> bytes:
    return name.encode(errors="surrogateescape").lower()  # of A to Z alone, as databases do it
