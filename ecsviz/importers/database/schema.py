"""What a database consists of: tables, columns and foreign keys, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.sql.elements import quoted_name

Kind = Literal[
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
    "str",
    "time",
    "timedelta",
    "unknown",
    "uuid",
    "zoned",
]
"""What a declared type stands for in Python. ``"number"``: integers or floats, as they come;
``"zoned"``: a datetime with an offset; ``"other"``: a type of one database, kept as text;
``"unknown"``: nothing is declared, the values tell."""


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
    """

    name: str
    type: str
    kind: Kind
    nullable: bool
    sql_type: Any = None


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
    """

    table: str
    columns: tuple[str, ...]
    target: str
    target_columns: tuple[str, ...]
    fault: str | None = None

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
        return f"{self.table}({self.path}) -> {self.target}({', '.join(self.target_columns)})"


@dataclass(frozen=True)
class ForeignTable:
    """One table.

    Attributes
    ----------
    primary_key
        The names of its columns, in the key's order; empty if there is none.
    schema
        The database schema in which it stands, where it was asked for.
    """

    name: str
    columns: tuple[ForeignColumn, ...]
    primary_key: tuple[str, ...]
    schema: str | None = None

    @cached_property
    def sql(self) -> sa.TableClause:
        """The table for SQLAlchemy's expressions: one object, or two would be joined."""
        return sa.table(
            quoted_name(self.name, quote=True),
            *(
                sa.column(quoted_name(column.name, quote=True), column.sql_type)
                for column in self.columns
            ),
            schema=self.schema,
        )


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
    """

    tables: dict[str, ForeignTable] = field(default_factory=dict)
    keys: list[ForeignKey] = field(default_factory=list)
    views: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)

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
