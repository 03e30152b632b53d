"""What a database consists of: tables, columns and foreign keys, as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Literal, TypeAlias

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.sql.elements import quoted_name

Kind = Literal[
    "bits",
    "bool",
    "bytes",
    "date",
    "datetime",
    "decimal",
    "float",
    "int",
    "json",
    "number",
    "other",
    "single",
    "str",
    "time",
    "timedelta",
    "unknown",
    "uuid",
    "zoned",
]
"""What a declared type stands for in Python. ``"bits"``: an integer that is given as bytes;
``"number"``: integers or floats, as they come; ``"other"``: a type of one database, kept as text;
``"single"``: a float of four bytes; ``"unknown"``: nothing is declared, the values tell;
``"zoned"``: a datetime with an offset."""

DENIED: Final = "it may not be read: this login has no right to SELECT from it"

Located = Literal["key", "number", "place", "row id"]
"""What tells a row of a table from all others: its key; its number, where rows are numbered by all
that they hold; where it lies (PostgreSQL); or the id that the database has given it."""


class AsItComes(sa.types.UserDefinedType[Any]):
    """The type of columns whose values are taken as the driver gives them."""

    cache_ok = True


def as_text(column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
    """Return a value as the database writes it."""
    return sa.cast(column, sa.Text())


def shortest_single(value: Any) -> float:
    """Return a float of four bytes as the shortest number that is rounded to it.

    Examples
    --------
    >>> shortest_single(0.10000000149011612)
    0.1
    """
    import numpy as np

    return float(str(np.float32(value)))


class AsWritten(sa.types.UserDefinedType[Any]):
    """A type by the name that its database has for it."""

    cache_ok = True

    def __init__(self, spec: str) -> None:
        self.spec = spec

    def get_col_spec(self, **_: Any) -> str:
        """Return how it stands in SQL."""
        return self.spec


@dataclass(frozen=True, slots=True)
class Nested:
    """How values with parts are read: structs, lists and maps of DuckDB.

    Attributes
    ----------
    type
        As what they are selected: what Python may lack is a text.
    read
        Makes a value of what the driver gives then, which is not None.
    lacks
        Expression → when its value holds one that Python lacks; None where that cannot be.
    """

    type: str
    read: Callable[[Any], Any]
    lacks: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class ForeignColumn:
    """One column of a table.

    Attributes
    ----------
    type
        As declared, in the database's own words.
    kind
        What that stands for in Python.
    nullable
        Whether it may be NULL, as declared.
    sql_type
        With which the driver's values are converted; none for SQLite, where any value may stand
        in any column.
    asked
        How it is selected, where the driver would not give all of its values: as text, for one.
    nested
        How its parts are read, of a struct, a list or a map of DuckDB.
    """

    name: str
    type: str
    kind: Kind
    nullable: bool
    sql_type: Any = None
    asked: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[Any]] | None = None
    nested: Nested | None = None


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One foreign key: columns whose values name a row of another table, or of the same.

    Attributes
    ----------
    table, columns
        Where it is declared.
    target, target_columns
        What it refers to: a primary key, or other columns.
    fault
        Why it cannot be followed, None if it can.
    guessed
        Whether nobody declares it: the names and values of its columns suggest it.
    """

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    fault: str | None = None
    guessed: bool = False

    @property
    def path(self) -> str:
        """The columns as one text: the name of the reference in a graph.

        Examples
        --------
        >>> ForeignKey("lines", ("order_id", "year"), "orders", ("id", "year")).path
        'order_id, year'
        """
        return ", ".join(self.columns)

    def __str__(self) -> str:
        mark = " (guessed)" * self.guessed
        return f"{self.table}({self.path}) -> {self.target}({', '.join(self.target_columns)}){mark}"


@dataclass(frozen=True)
class ForeignTable:
    """One table.

    Attributes
    ----------
    primary_key
        The names of its columns, in the key's order; empty if there is none.
    schema
        The database schema in which it stands, where it was asked for.
    located
        By what its rows are told apart.
    key
        With ``"key"``: its columns, which are unique and never NULL.
    own_name
        What the database calls it within its schema, if that is not `name`.
    only
        Whether other tables inherit from it (PostgreSQL), whose rows are theirs.
    """

    name: str
    columns: tuple[ForeignColumn, ...]
    primary_key: tuple[str, ...]
    schema: str | None = None
    located: Located = "row id"
    key: tuple[str, ...] = ()
    own_name: str | None = None
    only: bool = False

    @cached_property
    def sql(self) -> sa.TableClause:
        """The table for SQLAlchemy's expressions: one object, or two would be joined."""
        return sa.table(
            quoted_name(self.own_name or self.name, quote=True),
            *(
                sa.column(quoted_name(column.name, quote=True), column.sql_type)
                for column in self.columns
            ),
            schema=None if self.schema is None else quoted_name(self.schema, quote=True),
        )


def literal(conn: Connection, quoted: str, kind: Any = None) -> sa.ColumnClause[Any]:
    """Return what names that are quoted for a database stand in, as it is.

    Where drivers take ``%`` for the beginning of a parameter, SQLAlchemy doubles it in names, and
    would once more.
    """
    doubled = "%%" in conn.dialect.identifier_preparer.quote_identifier("%")
    return sa.literal_column(quoted.replace("%%", "%") if doubled else quoted, kind)


def only(query: sa.Select[Any], table: ForeignTable, at: Any) -> sa.Select[Any]:
    """Leave out the rows of tables that inherit from this one."""
    return query.with_hint(at, "ONLY", "postgresql") if table.only else query


@dataclass(slots=True)
class ForeignSchema:
    """All of a database that was reflected.

    Attributes
    ----------
    tables
        By name, in the order of the names.
    keys
        By table, and within a table as declared.
    views
        Their names. Views are listed and not followed.
    unreadable
        Table → why it could not be reflected.
    uniques
        Table → columns of which no two rows have the same values, if that was told meanwhile.
    hidden
        Table → its columns that may not be read, while others may.
    collated
        Tables with a collation that is none of SQLite's own, and so may not be here.
    """

    tables: dict[str, ForeignTable] = field(default_factory=dict)
    keys: list[ForeignKey] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    uniques: dict[str, list[list[str]]] = field(default_factory=dict)
    hidden: dict[str, list[str]] = field(default_factory=dict)
    collated: set[str] = field(default_factory=set)

    @property
    def sound_keys(self) -> list[ForeignKey]:
        """The keys that can be followed."""
        return [key for key in self.keys if key.fault is None]

    def led_to(self, table: str) -> list[str]:
        """Return a table and all that its keys lead to, over however many steps."""
        targets: dict[str, list[str]] = {}
        for key in self.sound_keys:
            targets.setdefault(key.table, []).append(key.target)
        found = {table: None}
        queue = [table]
        for name in queue:
            for target in targets.get(name, ()):
                if target not in found:
                    found[target] = None
                    queue.append(target)
        return queue


def tables_within(schema: ForeignSchema) -> dict[str | None, dict[str, str]]:
    """Return database schema → what a table is called there → its name."""
    found: dict[str | None, dict[str, str]] = {}
    for name, table in schema.tables.items():
        found.setdefault(table.schema, {})[table.own_name or name] = name
    return found


Parts: TypeAlias = "tuple[list[tuple[str | None, ForeignSchema]], str | None, list[str]]"
"""Schema → what is in it; the default schema; and the names of all schemas that there are."""


def placed(schema: str | None, table: str) -> str:
    """Return a table's place as one text: what a key leads to, until all tables have names."""
    return f"{schema or ''}\0{table}"


def merged(parts: Sequence[tuple[str | None, ForeignSchema]], default: str | None) -> ForeignSchema:
    """Return several schemas as one.

    Parameters
    ----------
    parts
        Schema → what is in it; tables as they are called there, keys that lead to places.
    default
        The schema whose tables need not be called by it.

    Notes
    -----
    A table of another schema is called ``schema.table``, unless only one has tables or views.
    """
    filled = [name for name, part in parts if part.tables or part.views or part.unreadable]
    plain = set(filled) if len(filled) < 2 else {default}
    names = _names(parts, plain)
    found = ForeignSchema()
    for schema, part in parts:

        def called(name: str, schema: str | None = schema) -> str:
            return names[placed(schema, name)]

        found.tables |= {
            called(name): replace(table, name=called(name), own_name=name)
            for name, table in part.tables.items()
        }
        found.uniques |= {called(n): told for n, told in part.uniques.items() if n in part.tables}
        found.unreadable |= {called(name): why for name, why in part.unreadable.items()}
        found.views += map(called, part.views)
        found.hidden |= {called(name): told for name, told in part.hidden.items()}
        found.collated |= set(map(called, part.collated))
        found.keys += [replace(key, table=called(key.table)) for key in part.keys]
    for number, key in enumerate(found.keys):
        schema, _, own = key.target.partition("\0")
        missing = own if schema in plain or not schema else f"{schema}.{own}"
        found.keys[number] = replace(key, target=names.get(key.target, missing))
    found.tables = dict(sorted(found.tables.items()))
    found.keys.sort(key=lambda key: key.table)
    return found


def _names(
    parts: Sequence[tuple[str | None, ForeignSchema]], plain: Container[str | None]
) -> dict[str, str]:
    """Return place → what a table or view is called: no two of them have one name.

    Where two would, parts with a dot stand in double quotes: a table "sales.o" beside sales.o.
    """
    told: dict[str, list[str]] = {}
    for schema, part in parts:
        for name in (*part.tables, *part.views, *part.unreadable):
            told[placed(schema, name)] = [name] if schema in plain else [schema or "", name]
    names, again = {place: ".".join(told[place]) for place in told}, set(told)
    while again:  # what is quoted may be another's plain name
        often = Counter(names.values())
        again = {p for p in told if often[names[p]] > 1 and names[p] != _in_quotes(told[p])}
        names |= {place: _in_quotes(told[place]) for place in again}
    return names


def _in_quotes(parts: Iterable[str]) -> str:
    doubled = [part.replace('"', '""') for part in parts]
    return ".".join(f'"{part}"' if "." in part or '"' in part else part for part in doubled)
