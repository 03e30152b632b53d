"""Bulk statements: rows by key, and many rows at once, with the types' own conversions."""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Iterable, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple
from uuid import UUID, SafeUUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from ecsviz.domain.objects import consume
from ecsviz.storage.sql.column_types import JsonColumn
from ecsviz.storage.sql.copying import copy_columns
from ecsviz.storage.sql.dialects import row_of, through_own_driver
from ecsviz.storage.sql.driver_values import Unfit, convert_each, fetch, fits, invalid_value
from ecsviz.values.tagged_json import UNREADABLE

MANY = 100_000
"""How many ids are read at a time: their digits stand in memory as well meanwhile."""

CHUNK = 500
"""How many keys one IN (…) takes where a database has no array parameter."""


class Query:
    """A query that is asked again and again: to make one takes longer than to ask it.

    Parameters
    ----------
    query
        What SQLAlchemy selects.

    Attributes
    ----------
    columns
        What it selects, by column.
    """

    def __init__(self, query: sa.Select[Any]) -> None:
        self.query = query
        self.columns = list(query.selected_columns)
        self._among: dict[Any, Query] = {}

    def among(self, conn: Connection, column: sa.ColumnElement[Any]) -> Query:
        """Return the query for rows whose `column` is one of what is given as `KEYS`."""
        way = row_of(conn).keys_as
        found = self._among.get((way, column))
        if found is None:
            found = Query(self.query.where(_is_among(conn, column, sa.bindparam(KEYS))))
            self._among[way, column] = found
        return found


KEYS = "ecs_keys"
"""The parameter of `Query.among`."""


def kept_query(table: sa.FromClause, what: Any, make: Callable[[], sa.Select[Any]]) -> Query:
    """Return one kind of query on a table, made at the first call; on what is no table, anew."""
    kept: dict[Any, Query] = {}
    if isinstance(table, sa.Table):
        kept = table.info.setdefault("queries", kept)
    found = kept.get(what)
    if found is None:
        found = kept[what] = Query(make())
    return found


def kept_columns(columns: Sequence[Any], placed: Any = None) -> Query:
    """Return the query for columns of one table, where `placed` has a value; see `kept_query`."""

    def make() -> sa.Select[Any]:
        query = sa.select(*columns)
        return query if placed is None else query.where(placed.is_not(None))

    return kept_query(columns[0].table, ("columns", *columns, placed), make)


def columns_of(
    conn: Connection,
    query: Any,
    raw: Sequence[str] = (),
    unfit: Unfit | None = None,
    given: dict[str, Any] | None = None,
) -> list[list[Any]]:
    """Run a query and return its columns as lists, in Python's types.

    Parameters
    ----------
    conn, query
        What to run, and where.
    raw
        The names of columns that stay as the driver hands them out; see `as_driver`.
    unfit
        Is told of every value that does not fit its column, which stays as the driver has it.
        By default the first one is an error.
    given
        The values of the query's parameters.

    Raises
    ------
    StoredDataInvalidError
        Naming the table, the row and the column.

    Notes
    -----
    What the driver hands out is converted column by column: three times faster than one result
    object per row.
    """
    asked = query if isinstance(query, Query) else Query(query)
    columns, codes = fetch(conn, asked.query, given)
    return in_python(conn, asked.columns, columns, codes, raw, unfit)


def in_python(
    conn: Connection,
    selected: Sequence[Any],
    columns: list[list[Any]],
    codes: Sequence[Any],
    raw: Sequence[str] = (),
    unfit: Unfit | None = None,
) -> list[list[Any]]:
    """Return what a driver has handed out, column by column, in Python's types; see `columns_of`.

    Parameters
    ----------
    selected, codes
        The columns of the query, and the driver's types of them.
    """
    if not columns[0]:
        return columns
    ids: list[tuple[list[Any], list[Any]]] = []
    for number, column in enumerate(selected):
        if getattr(column, "name", None) not in raw:
            columns[number] = _converted(conn, column, codes[number], columns[number], ids) or (
                _told(conn, column, codes[number], columns[number], number, unfit)
            )
    return columns


def value_of(conn: Connection, query: Any, given: dict[str, Any] | None = None) -> Any:
    """Return the first value of a query's first row; None where there is no row."""
    return next(iter(columns_of(conn, query, given=given)[0]), None)


def _converted(
    conn: Connection,
    column: Any,
    code: Any,
    values: list[Any],
    ids: list[tuple[list[Any], list[Any]]],
) -> list[Any] | None:
    """Return a column in Python's types; None if not all of it fits."""
    if not fits(conn, column, values):
        return None
    try:
        if isinstance(column.type, sa.Uuid) and not row_of(conn).has_uuid:
            return _read_ids(values, ids)
        process = _result_processor(column.type, conn, code)
        return values if process is None else [process(value) for value in values]
    except UNREADABLE:
        return None


def _told(
    conn: Connection, column: Any, code: Any, values: list[Any], number: int, unfit: Unfit | None
) -> list[Any]:
    """Convert what fits of a column; tell the rest, or raise for the first of it."""

    def tell(row: int, why: str) -> None:
        if unfit is None:
            raise invalid_value(conn, column, values[row], why)
        unfit(number, row, why)

    is_id = isinstance(column.type, sa.Uuid) and not row_of(conn).has_uuid
    process = UUID if is_id else _result_processor(column.type, conn, code)
    return convert_each(conn, column, values, process, tell)


def _read_ids(texts: list[Any], known: list[tuple[list[Any], list[Any]]]) -> list[Any]:
    """Return a column of ids; where it says the same as one before, the same objects."""
    for others, ids in known:
        if texts == others:
            return list(ids)
    different = set(texts)
    if len(different) * 2 < len(texts):  # references to a few
        made = dict(zip(different, uuids_of(list(different)), strict=True))
        return [made[text] for text in texts]
    ids = uuids_of(texts)
    known.append((texts, ids))
    return ids


def uuids_of(texts: list[Any]) -> list[UUID | None]:
    """Return the ids that stand as thirty-two digits in a column.

    Raises
    ------
    ValueError
        If something there is no id.

    Notes
    -----
    ``UUID(text)`` takes three times as long: it looks for dashes, braces and prefixes. Here all
    texts are looked at together.

    Examples
    --------
    >>> uuids_of(["0" * 31 + "1", None])
    [UUID('00000000-0000-0000-0000-000000000001'), None]
    """
    if len(texts) > MANY:
        parts = (texts[start : start + MANY] for start in range(0, len(texts), MANY))
        return [ecs_id for part in parts for ecs_id in uuids_of(part)]
    given = [text for text in texts if text is not None]
    joined = "".join(given)
    if set(map(len, given)) - {32} or bytes.fromhex(joined).hex() != joined:
        return [None if text is None else UUID(text) for text in texts]
    made: list[UUID | None] = list(map(UUID.__new__, repeat(UUID, len(given))))
    # Functions in C that call each other: half the time of a loop. UUID takes no assignments.
    consume(map(vars(UUID)["int"].__set__, made, map(int, given, repeat(16))))
    consume(map(vars(UUID)["is_safe"].__set__, made, repeat(SafeUUID.unknown)))
    if len(made) == len(texts):
        return made
    following = iter(made)
    return [None if text is None else next(following) for text in texts]


def _result_processor(kind: Any, conn: Connection, code: Any) -> Callable[[Any], Any] | None:
    if isinstance(kind, (sa.JSON, JsonColumn)):
        return None  # our codec reads JSON itself, and keeps Python's types
    found: Callable[[Any], Any] | None = kind.dialect_impl(conn.dialect).result_processor(
        conn.dialect, code
    )
    return found


def uuid_texts(ids: list[bytes]) -> list[str]:
    """Return ids of sixteen bytes as thirty-two digits, as SQLite's columns hold them."""
    digits = b"".join(ids).hex()
    return [digits[start : start + 32] for start in range(0, len(digits), 32)]


def as_driver(conn: Connection, column: sa.ColumnElement[Any], values: list[Any]) -> list[Any]:
    """Return the values of a column in the form in which the driver takes them.

    Notes
    -----
    As a whole where the form is known.
    """
    kind = column.type
    if isinstance(kind, sa.Uuid) and not row_of(conn).has_uuid:
        if None not in values:
            return uuid_texts([value.bytes for value in values])
        return [None if value is None else value.hex for value in values]
    process = _bind_processor(kind, conn)
    return values if process is None else list(map(process, values))


def select_by_keys(
    conn: Connection,
    query: sa.Select[Any] | Query,
    column: sa.ColumnElement[Any],
    keys: Sequence[Any],
    raw: Sequence[str] = (),
) -> list[list[Any]]:
    """Run a query for the rows whose `column` is one of `keys`; return columns as lists.

    Parameters
    ----------
    conn, query, column, keys
        What to run, where, and for which rows.
    raw
        As in `columns_of`; if it names `column`, the keys are in the driver's form too.

    Notes
    -----
    One statement where the engine takes them in one parameter; elsewhere one per 500.
    """
    asked = query if isinstance(query, Query) else Query(query)
    if not keys:
        return [[] for _ in asked.columns]
    plain = getattr(column, "name", None) in raw
    if row_of(conn).keys_as:
        given = {KEYS: _keys(conn, column, keys, plain)}
        return columns_of(conn, asked.among(conn, column), raw, given=given)
    if plain:
        keys = _from_driver(conn, column, keys)
    parts = [
        columns_of(conn, asked.query.where(column.in_(keys[start : start + CHUNK])), raw)
        for start in range(0, len(keys), CHUNK)
    ]
    return [[value for part in parts for value in part[n]] for n in range(len(parts[0]))]


def _from_driver(conn: Connection, column: sa.ColumnElement[Any], keys: Sequence[Any]) -> list[Any]:
    process = _result_processor(column.type, conn, None)
    return list(keys) if process is None else [process(key) for key in keys]


def key_condition(
    conn: Connection, column: sa.ColumnElement[Any], keys: Sequence[Any], plain: bool = False
) -> sa.ColumnElement[bool]:
    """Return "`column` is one of `keys`", with one parameter however many the keys.

    The keys are `plain` if they have the driver's form already.
    """
    if row_of(conn).keys_as:
        return _is_among(conn, column, sa.bindparam(None, _keys(conn, column, keys, plain)))
    return column.in_(keys)


def _keys(conn: Connection, column: sa.ColumnElement[Any], keys: Sequence[Any], plain: bool) -> Any:
    """Return keys as the one parameter of `_is_among`."""
    if row_of(conn).keys_as == "array":
        return list(keys)
    return json.dumps(list(keys) if plain else as_driver(conn, column, list(keys)))


def _is_among(
    conn: Connection, column: sa.ColumnElement[Any], keys: sa.BindParameter[Any]
) -> sa.ColumnElement[bool]:
    if row_of(conn).keys_as == "array":
        return column == sa.any_(sa.type_coerce(keys, sa.ARRAY(column.type)))
    each = sa.func.json_each(keys).table_valued("value")
    return column.in_(sa.select(sa.type_coerce(each.c.value, column.type)))


def insert_rows(
    conn: Connection, table: sa.Table, columns: Sequence[sa.Column[Any]], rows: Iterable[Any]
) -> None:
    """Insert rows, given as tuples in the order of `columns`, with one statement."""
    batch = list(rows)
    if batch:
        _insert_columns(conn, table, columns, _as_columns(conn, columns, batch))


def insert_columns(
    conn: Connection,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    values: Sequence[list[Any]],
) -> None:
    """Insert rows, given column by column in the driver's form.

    Notes
    -----
    Through psycopg by COPY, if there are enough of them.
    """
    if is_worth_copying(conn, len(values[0])):
        copy_columns(conn, table, columns, values)
    else:
        _insert_columns(conn, table, columns, values)


def _insert_columns(
    conn: Connection,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    values: Sequence[list[Any]],
) -> None:
    if row_of(conn).is_sqlite and len(values[0]) >= WORTH_COMPILING:
        by_name = {column.name: part for column, part in zip(columns, values, strict=True)}
        same = {name: text for name, part in by_name.items() if (text := _literal(part))}
        keys = (column.name for column in table.primary_key.columns)
        key = next((name for name in keys if name in by_name and name not in same), None)
        if key is not None:
            _insert_many(conn, table, by_name, same, key)
            return
    _run_columns(conn, _insert(conn, table, columns), values)


def _insert_many(
    conn: Connection,
    table: sa.Table,
    values: dict[str, list[Any]],
    same: dict[str, str],
    key: str,
) -> None:
    """Insert many rows into SQLite, several at a time.

    Parameters
    ----------
    conn, table
        Where to.
    values
        The rows, column by column in the driver's form.
    same
        What is the same in all of them, as it stands in a statement.
    key
        A column of the primary key that is not.

    Notes
    -----
    To begin and end a statement takes a third of the time, and parameters another: so one takes
    many rows, and what is the same in all of them (of a new graph versions, revisions and parents)
    stands in its text. The last is filled up with rows without a key, which it passes over.
    """
    names = [name for name in values if name not in same]
    literals: dict[str, Any] = {name: sa.literal_column(text) for name, text in same.items()}
    statement = _compiled(conn, sa.insert(table).values(literals).inline(), [*values], names)
    assert statement.order is not None
    parts = [values[names[n]] for n in statement.order]
    rows = max(1, PARAMETERS // len(parts))
    start, _, marks = statement.text.rpartition(" VALUES ")
    place = [c.name for c in table.columns if c.name in values].index(key) + 1
    some = f"(VALUES {', '.join([marks] * rows)})"
    text = f"{start} SELECT * FROM {some} WHERE column{place} IS NOT NULL"  # noqa: S608 - marks
    lacking = -len(parts[0]) % rows * len(parts)
    each = chain(chain.from_iterable(zip(*parts, strict=True)), repeat(None, lacking))
    conn.exec_driver_sql(text, list(zip(*[each] * (rows * len(parts)), strict=True)))


def _literal(values: list[Any]) -> str | None:
    """Return what a column is in a statement, if it is the same number or NULL in all rows."""
    first = values[0]
    if first is None:
        return "NULL" if values[-1] is None and values.count(None) == len(values) else None
    if type(first) is not int or abs(first) > LARGE:
        return None
    same = values[-1] == first and values.count(first) == len(values)
    return str(first) if same and set(map(type, values)) == {int} else None


def update_rows(
    conn: Connection, table: sa.Table, columns: Sequence[sa.Column[Any]], rows: Iterable[Any]
) -> None:
    """Update rows by primary key, given as tuples: the values of `columns`, then the key."""
    statement = _update(conn, table, columns)
    run_many(conn, statement, [*columns, *table.primary_key.columns], rows)


def update_columns(
    conn: Connection,
    table: sa.Table,
    columns: Sequence[sa.Column[Any]],
    values: Sequence[list[Any]],
) -> None:
    """Update rows by primary key, given column by column in the driver's form, the key last."""
    _run_columns(conn, _update(conn, table, columns), values)


def delete_rows(conn: Connection, table: sa.Table, rows: Iterable[Any]) -> None:
    """Delete rows by primary key, given as tuples."""
    keys = list(table.primary_key.columns)

    def make() -> tuple[Any, list[str]]:
        named = bound(keys, "ecs_key_")
        return sa.delete(table).where(*map(operator.eq, keys, named)), [n.key for n in named]

    run_many(conn, prepared(conn, table, "delete", keys, make), keys, rows)


def _insert(conn: Connection, table: sa.Table, columns: Sequence[sa.Column[Any]]) -> Prepared:
    names = [c.name for c in columns]
    return prepared(conn, table, "insert", columns, lambda: (sa.insert(table), names))


def _update(conn: Connection, table: sa.Table, columns: Sequence[sa.Column[Any]]) -> Prepared:
    def make() -> tuple[Any, list[str]]:
        keys = list(table.primary_key.columns)
        named, values = bound(keys, "ecs_key_"), bound(columns, "v_")
        statement = (
            sa.update(table)
            .where(*map(operator.eq, keys, named))
            .values({c.name: value for c, value in zip(columns, values, strict=True)})
        )
        return statement, [n.key for n in (*values, *named)]

    return prepared(conn, table, "update", columns, make)


def bound(columns: Iterable[sa.Column[Any]], prefix: str) -> list[sa.BindParameter[Any]]:
    """Return a parameter for each column, of its type."""
    return [sa.bindparam(f"{prefix}{n}", type_=c.type) for n, c in enumerate(columns)]


class Prepared(NamedTuple):
    """A statement as a driver takes it.

    Attributes
    ----------
    text
        The statement.
    names
        The parameters, in the order in which values are given.
    order
        For each mark in the text the number of its parameter; None if the driver goes by names.
    """

    text: str
    names: list[str]
    order: list[int] | None


def prepared(
    conn: Connection,
    table: sa.Table,
    what: str,
    columns: Iterable[sa.Column[Any]],
    make: Callable[[], tuple[Any, list[str]]],
) -> Prepared:
    """Return what one kind of statement on columns of a table is for a driver.

    Parameters
    ----------
    conn, table, what, columns
        Where it is to run, and which it is.
    make
        Returns the statement, and the names of its parameters; called the first time alone, since
        compiling it takes longer than to save one entity with it.
    """
    kept: dict[Any, Prepared] = table.info.setdefault("prepared", {})
    key = conn.dialect, what, *columns
    found = kept.get(key)
    if found is None:
        statement, names = make()
        found = kept[key] = _compiled(conn, statement, names, names)
    return found


def _compiled(conn: Connection, statement: Any, columns: list[str], names: list[str]) -> Prepared:
    compiled = statement.compile(dialect=conn.dialect, column_keys=columns)
    order = [names.index(n) for n in compiled.positiontup] if compiled.positional else None
    return Prepared(str(compiled), names, order)


def run_many(
    conn: Connection, statement: Prepared, columns: Sequence[sa.Column[Any]], rows: Iterable[Any]
) -> None:
    """Run one statement for many rows through the driver's executemany.

    The rows are converted by column with the types' own processors and handed to the driver as
    they are: a quarter of the time that dictionaries through SQLAlchemy take.
    """
    batch = list(rows)
    if batch:
        _run_columns(conn, statement, _as_columns(conn, columns, batch))


def _as_columns(
    conn: Connection, columns: Sequence[sa.Column[Any]], batch: list[Any]
) -> list[list[Any]]:
    """Return rows as columns in the driver's form."""
    return [
        as_driver(conn, column, list(part))
        for column, part in zip(columns, zip(*batch, strict=True), strict=True)
    ]


def _run_columns(conn: Connection, statement: Prepared, values: Sequence[list[Any]]) -> None:
    """Run one statement for many rows, given column by column in the driver's form."""
    if not values[0]:
        return
    text, names, order = statement
    if order is not None:
        conn.exec_driver_sql(text, list(zip(*(values[n] for n in order), strict=True)))
    else:
        rows = zip(*values, strict=True)
        conn.exec_driver_sql(text, [dict(zip(names, row, strict=True)) for row in rows])


def _bind_processor(kind: Any, conn: Connection) -> Callable[[Any], Any] | None:
    if isinstance(kind, (sa.JSON, JsonColumn)):
        return None  # already text
    found: Callable[[Any], Any] | None = kind.dialect_impl(conn.dialect).bind_processor(
        conn.dialect
    )
    return found


WORTH_COMPILING = 1_000
"""From how many rows on an INSERT is made for them alone: to compile it takes a millisecond."""

PARAMETERS = 500
"""How many parameters a statement of many rows has; SQLite takes 999 everywhere."""

LARGE = 2**31
"""Numbers up to here are the same in every SQL text."""

WORTH_COPYING = 200
"""From how many rows on COPY is used: below, to begin and end it takes longer than it saves."""


def is_worth_copying(conn: Connection, rows: int) -> bool:
    """Tell whether rows should go by COPY: psycopg has it, and there are enough of them."""
    return rows >= WORTH_COPYING and row_of(conn).copies and through_own_driver(conn)
