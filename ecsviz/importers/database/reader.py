"""Any database that SQLAlchemy reflects → graphs, frames and entities; only ever read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn, Self

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine

from ecsviz.basics.text import counted
from ecsviz.basics.views import view
from ecsviz.errors import (
    StoragePickleError,
)
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers.database import frames, graphs
from ecsviz.importers.database.advice import WithAdvice
from ecsviz.importers.database.classes import Made, make_classes
from ecsviz.importers.database.graphs import MAX_ROWS, Direction, RowGraph
from ecsviz.importers.database.lacking import lacking_columns, lacking_rows
from ecsviz.importers.database.making import MAX_ENTITIES, EntityMaking
from ecsviz.importers.database.names import naming_columns
from ecsviz.importers.database.options import check_limit, checked_schemas, known_table
from ecsviz.importers.database.picture import drawn_schema, uniques_of
from ecsviz.importers.database.reflect import reflect
from ecsviz.importers.database.rows import TableRows, Where
from ecsviz.importers.database.schema import ForeignKey
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.importers.database.values import Fit, expected, fits_of
from ecsviz.importers.files import MAX_BYTES
from ecsviz.storage.protocol import EntityStorage

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ecsviz.draw.tables import DrawnSchema as Drawn

TIMEOUT = 60.0
"""Seconds that one call may take on a SQLite file: a hostile one can keep a query busy for ever."""


def read_database(
    url_or_path: str | os.PathLike[str] | URL | Engine,
    *,
    schema: str | None = None,
    schemas: Sequence[str] | None = None,
    timeout: float = TIMEOUT,
    max_bytes: int = MAX_BYTES,
) -> Database:
    """Open any database that SQLAlchemy reflects, to look at it; it is never written.

    Parameters
    ----------
    url_or_path
        The path of a SQLite or DuckDB file, a SQLAlchemy URL
        (``"postgresql+psycopg://user@host/name"``), or an Engine.
    schema
        The one database schema whose tables are read, without its name before theirs.
    schemas
        The schemas whose tables are read: of MySQL its databases, of SQLite those attached. By
        default all that are not the system's; of MySQL the database that the URL names, and
        those to which its keys lead. Tables outside the default schema are called
        ``schema.table``.
    timeout
        Seconds that each call may take on a SQLite file; 60 by default.
    max_bytes
        How many bytes a SQLite file may have; 1 GiB by default, since it is copied.

    Returns
    -------
    Database
        Its ``graph()``, ``draw_schema()``, ``row_graph()``, ``frame()``, ``entities()`` and
        ``copy_to()`` go on from there.

    Raises
    ------
    StorageUrlError, StorageOpenError, StorageAuthError
        If it cannot be reached; passwords are not shown.
    ImportSourceError, ImportFormatError
        If a file cannot be opened, or is no SQLite database.
    ImportLimitError, ImportTimeoutError
        If it exceeds what is allowed.

    Notes
    -----
    A SQLite file is read as it is at this moment: from a private copy with its journal, on which
    nothing can be written, attached or loaded. Elsewhere each call reads in a transaction of its
    own, on PostgreSQL and MySQL a read-only one; DuckDB's file is opened to be read alone.
    Reflection is O(tables + columns + keys); rows are read when they are asked for.

    Examples
    --------
    >>> import contextlib, pathlib, sqlite3, tempfile
    >>> import ecsviz as ev
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = pathlib.Path(folder.name, "shop.db")
    >>> with contextlib.closing(sqlite3.connect(path)) as made:
    ...     _ = made.executescript('''
    ...         create table staff (id integer primary key, name text,
    ...             store_id integer not null references store);
    ...         create table store (id integer primary key,
    ...             manager_id integer references staff);
    ...         insert into staff values (1, 'Ann', 1), (2, 'Bo', 1), (3, 'Cy', 9);
    ...         insert into store values (1, 2)''')
    >>> db = ev.read_database(path)
    >>> db
    <Database shop.db: 2 tables, 2 keys>
    >>> db.graph().get_cycles()
    [Cycle(staff.store_id -> store.manager_id)]
    >>> db.row_graph("staff", where={"id": 2}, hops=1).nodes
    ['staff 2', 'store 1']
    >>> bo = db.entities("staff", where={"name": "Bo"})[0]
    >>> bo.store.manager is bo
    True
    >>> db.problems[["table", "columns", "rows"]].values.tolist()
    [['staff', 'store_id', 1]]
    >>> db.close()
    >>> folder.cleanup()
    """
    return Database(DatabaseSource(url_or_path, timeout, max_bytes), schema, schemas)


class Database(WithAdvice):
    """A database of others: its tables, the graphs of its keys, its rows as frames and entities.

    Made by `read_database`. It can stand in a ``with`` statement, which closes it.

    Attributes
    ----------
    name
        The file's name, or the URL without its password.
    tables, views
        Their names. Views are listed, not followed.
    keys
        The foreign keys, as `ForeignKey`: ``table``, ``columns``, ``target``,
        ``target_columns``, and ``fault`` if it cannot be followed.
    """

    def __init__(
        self, source: DatabaseSource, schema: str | None, schemas: Sequence[str] | None = None
    ) -> None:
        self._source = source
        self._lacking: dict[str, frozenset[str]] = {}
        self._named_by: dict[str, tuple[str, ...]] | None = None
        self._row_ids: dict[str, str | None] = {}
        self._fits: dict[str, list[Fit]] = {}
        self._kinds_made: dict[Any, Made] = {}
        self.name = source.name
        try:
            with source.reading() as conn:
                self._schema = reflect(conn, checked_schemas(schema, schemas))
        except BaseException:  # also of an interrupt: nobody has the database, to close it
            source.close()
            raise
        self.tables: list[str] = list(self._schema.tables)
        self.views: list[str] = list(self._schema.views)
        self.keys: list[ForeignKey] = list(self._schema.keys)

    def __repr__(self) -> str:
        views = f", {counted(len(self.views), 'view')}" if self.views else ""
        return (
            f"<Database {self.name}: {counted(len(self.tables), 'table')},"
            f" {counted(len(self.keys), 'key')}{views}>"
        )

    def _repr_html_(self) -> str:
        from ecsviz.basics import html

        out = [key.table for key in self.keys]
        listed = [
            (table.name, len(table.columns), ", ".join(table.primary_key), out.count(table.name))
            for table in list(self._schema.tables.values())[:_SHOWN]
        ]
        note = html.shown_of(len(listed), len(self.tables), "tables")
        return str(
            html.block(
                html.element("p", repr(self)[1:-1], look="line"),
                html.table(
                    ["table", "columns", "primary key", "keys"],
                    listed,
                    note=note if len(self.tables) > _SHOWN else None,
                ),
            )
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        raise StoragePickleError(
            f"{self.name} cannot be pickled or copied: it is open in this process, as it was at"
            " one moment. Call ev.read_database in the other process."
        )

    def close(self) -> None:
        """Give back the connection, and remove the private copy of a SQLite file."""
        self._source.close()

    # -- what there is -----------------------------------------------------------------------

    def tables_frame(self) -> pd.DataFrame:
        """Return one row for every table.

        Returns
        -------
        DataFrame
            ``table``, ``rows``, ``columns`` (int64), ``primary_key`` (its columns), ``keys``
            (how many it has) and ``referred_by`` (how many lead to it). A statement a table.
        """
        with self._source.reading() as conn:
            return frames.tables_frame(self._schema, self._rows(conn))

    def columns_frame(self) -> pd.DataFrame:
        """Return one row for every column.

        Returns
        -------
        DataFrame
            ``table``, ``column``, ``field`` (what it is called on the entity class), ``type``
            (as declared), ``nullable`` (bool), ``primary_key`` (Int64: the place in it, from 1).
        """
        return frames.columns_frame(self._schema)

    def keys_frame(self) -> pd.DataFrame:
        """Return one row for every foreign key.

        Returns
        -------
        DataFrame
            ``table``, ``columns``, ``target``, ``target_columns``, ``field`` (the reference on
            the entity class; NA for a key that cannot be followed), and how many rows refer to
            a row (``linked``), to none (``dangling``), or have a NULL in the key (``null``), all
            Int64. A statement a key, at the first call.
        """
        return frames.keys_frame(self._schema, self._counts)

    @property
    def problems(self) -> pd.DataFrame:
        """What could not be placed, as a frame: ``table``, ``columns``, ``target``, ``problem``.

        Dangling values, with the number of ``rows`` that have them; keys to tables or columns
        that are not there; tables that cannot be read. The values themselves are in `frame`.
        """
        with self._source.reading() as conn:
            lacking = [
                (
                    self._schema.tables[name],
                    column,
                    *lacking_rows(conn, self._schema.tables[name], column, 5),
                )
                for name in self.tables
                for column in sorted(self._lacking_in(conn, name))
            ]
        return frames.faults_frame(self._schema, self._counts, lacking)

    @cached_property
    def _counts(self) -> Mapping[ForeignKey, tuple[int, int, int]]:
        with self._source.reading() as conn:
            rows = self._rows(conn)
            return {key: rows.count_links(key) for key in self._schema.sound_keys}

    def sql_table(self, table: str) -> sa.TableClause:
        """Return a table for conditions: ``db.sql_table("customer").c.age > 30``.

        Raises
        ------
        UnknownTypeError
            If there is no such table.
        """
        return self._schema.tables[self._known(table)].sql

    # -- graphs ------------------------------------------------------------------------------

    def graph(self) -> EntityDependencyGraph:
        """Return the dependency graph of the tables: an arrow for every foreign key.

        Returns
        -------
        EntityDependencyGraph
            Its nodes are the names of the tables, its references the columns of the keys. Its
            topological order is an order in which the tables can be loaded; keys that close a
            cycle are its ``deferred`` references.

        Notes
        -----
        Keys to tables or columns that are not there are left out; `problems` lists them.
        """
        return graphs.table_graph(self._schema)

    @view
    def draw_schema(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the tables with their columns, keys and crow's feet.

        Parameters
        ----------
        ax
            Where to draw. None makes a figure.
        **options
            ``title`` and ``legend``: those of ``ecsviz.draw.draw_schema``.

        Notes
        -----
        A line below says how many keys cannot be followed, and that views are not shown;
        `problems` lists them. Of rows nothing is read.

        Examples
        --------
        >>> import contextlib, pathlib, sqlite3, tempfile
        >>> import ecsviz as ev
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = pathlib.Path(folder.name, "shop.db")
        >>> with contextlib.closing(sqlite3.connect(path)) as made:
        ...     _ = made.executescript('''
        ...         create table staff (id integer primary key, store_id integer references store);
        ...         create table store (id integer primary key);''')
        >>> with ev.read_database(path) as db:
        ...     db.draw_schema().get_title(loc="left")
        '2 tables, 1 foreign key, no cycle'
        >>> folder.cleanup()
        """
        raise NotImplementedError

    def drawn(self) -> Drawn:
        """Return what `draw_schema` shows: no promise."""
        with self._source.reading() as conn:
            return drawn_schema(self._schema, uniques_of(conn, self._schema))

    def row_graph(
        self,
        table: str | None = None,
        *,
        where: Where = None,
        hops: int | None = 1,
        direction: Direction = "both",
        limit: int | None = MAX_ROWS,
    ) -> EntityDependencyGraph:
        """Return the dependency graph of rows, without making entities.

        Parameters
        ----------
        table
            Where to begin; None takes all rows of all tables.
        where
            Which of its rows: a dictionary of column values (a list means any of them), or an
            expression of SQLAlchemy; None takes all.
        hops
            How many keys away from these; 1 by default, None for as far as the keys lead.
        direction
            ``"dependencies"`` follows the keys, ``"dependents"`` goes from a row to those that
            refer to it, ``"both"`` does both.
        limit
            How many rows there may be; 100,000 by default, None for any number.

        Returns
        -------
        EntityDependencyGraph
            Its nodes are texts such as ``"customer 5"``, with ``table`` and ``key``; where there
            is no primary key, ``"log #7"``. Pictures write what a row is called (``node.called``):
            its name or title, or a text that is unique. Between the rows it has all references,
            not only those that were followed.

        Raises
        ------
        GraphTooLargeError
            If there are more rows than `limit`.
        UnknownTypeError, InvalidArgumentError
            If there is no such table or column.

        Notes
        -----
        At each hop a statement for every key of the tables reached, and one for every key at the
        end: however many the rows are, up to 30,000 (15,000 for keys of two columns) a statement.
        """
        known = None if table is None else self._known(table)
        start = graphs.checked_start(known, where, hops, direction, self.tables)
        with self._source.reading() as conn:
            if self._named_by is None:
                uniques = uniques_of(conn, self._schema).items()
                tables = self._schema.tables
                self._named_by = {name: naming_columns(tables[name], u) for name, u in uniques}
            return RowGraph(self._rows(conn), limit, self._named_by).build(start)

    # -- rows --------------------------------------------------------------------------------

    def frame(self, table: str, *, where: Where = None, limit: int | None = None) -> pd.DataFrame:
        """Return the rows of a table as a DataFrame, with the columns as they are called there.

        Parameters
        ----------
        table
            Its name.
        where, limit
            As in `row_graph`; how many rows at the most.

        Returns
        -------
        DataFrame
            In the table's order. ``int64`` or, with NULLs, ``Int64``; likewise ``bool`` and
            ``boolean``; ``float64``, ``str``, ``datetime64[us]`` (in UTC where there is an
            offset), dates as ``datetime64[s]``; all else, and values of several types, as
            Python's objects.

        Notes
        -----
        What a column is in Python, here as in entities and copies:

        ===================  ===================================================================
        Python               database
        ===================  ===================================================================
        ``bool``             BOOLEAN
        ``int``              integers of any size; YEAR and BIT of MySQL
        ``float``            REAL, DOUBLE; FLOAT as the shortest number that is rounded to it
        ``Decimal``          DECIMAL, NUMERIC (of SQLite ``float`` or ``int``, as it keeps them)
        ``str``              texts, ENUM; SET of MySQL as ``"a,b"``
        ``bytes``            BLOB, BYTEA, BINARY, VARBINARY; shapes of MySQL
        ``date``             DATE
        ``datetime``         DATETIME, TIMESTAMP, with an offset where the type has one
        ``time``             TIME
        ``timedelta``        INTERVAL; TIME of MySQL, which goes from -838 to 838 hours
        ``UUID``             UUID
        lists, dicts         JSON, arrays; STRUCT, MAP and UNION of DuckDB
        ``str``              all else, as the database writes it: ranges, composites, bits, …
        ===================  ===================================================================

        A value that Python's type lacks is the database's text, and a line in `problems`:
        ``infinity``, days before Christ, ``24:00:00``, spans with months, dates such as
        ``0000-00-00``. A time or date in an array of PostgreSQL is text, too.
        """
        name = self._known(table)
        check_limit(limit)
        with self._source.reading() as conn:
            return frames.rows_frame(self._rows(conn), name, where, limit)

    @property
    def classes(self) -> Mapping[str, Any]:
        """Table → the entity class of its rows.

        Each column is a field, under its own name or one that Python and ``Entity`` allow
        (``version`` becomes ``version_``; ``columns_frame().field`` tells). Each foreign key is
        a reference beside it (``customer_id`` → ``customer``; ``keys_frame().field``), which is
        None where the row that it names is not there.

        Notes
        -----
        Made at the first call. On SQLite that reads every table once, to see which values its
        columns hold, and whether keys that are NOT NULL have dangling values. Rows that were read
        before, with ``where=`` or ``limit=``, are of these very classes if what they hold did
        not look narrower.
        """
        return self._made.classes

    @cached_property
    def _made(self) -> Made:
        with self._source.reading() as conn:
            fits = self._fits_of(conn, self.tables)
            rows = self._rows(conn)
            dangling = {
                key
                for key in self._schema.sound_keys
                if graphs.is_required(self._schema, key) and rows.has_dangling(key)
            }
        return self._classes_of(fits, dangling)

    def _classes_of(self, fits: Mapping[str, list[Fit]], dangling: set[ForeignKey]) -> Made:
        """Return the classes; those that were made before, if they are the same."""
        required = {key for key in dangling if graphs.is_required(self._schema, key)}
        told = ((name, tuple((f.types, f.nullable) for f in fits[name])) for name in self.tables)
        known = tuple(told), frozenset(required)
        if known not in self._kinds_made:
            made = make_classes(self._source.stem, self._schema, fits, required)
            self._kinds_made[known] = made
        return self._kinds_made[known]

    def _made_of(
        self, conn: sa.Connection, fits: Mapping[str, list[Fit]], dangling: set[ForeignKey]
    ) -> Made:
        """Return classes for rows that were read, without a look at any other."""
        if "_made" in self.__dict__:
            return self._made
        rest = {
            name: self._fits.get(name) or expected(conn, self._schema.tables[name])
            for name in self.tables
            if name not in fits
        }
        return self._classes_of({**rest, **fits}, dangling)

    def entities(
        self,
        table: str,
        *,
        where: Where = None,
        limit: int | None = None,
        max_entities: int | None = MAX_ENTITIES,
    ) -> list[Any]:
        """Return rows as entities, which hold the entities of the rows that they refer to.

        Parameters
        ----------
        table
            Its name.
        where, limit
            Which of its rows, as in `row_graph`; how many of them at the most.
        max_entities
            How many entities may be made in all; 1,000,000 by default, None for any number.

        Returns
        -------
        list
            Entities of ``classes[table]``, connected to all that they lead to, cycles included.
            Their ``ecs_id`` is a UUIDv5 of table and primary key (without one: of the values),
            and so the same in every reading and in every copy of the database.

        Raises
        ------
        GraphTooLargeError
            If there are more rows than `max_entities`.
        UnknownTypeError, InvalidArgumentError
            If there is no such table or column.
        """
        name = self._known(table)
        check_limit(limit)
        if where is None and limit is None:
            _ = self.classes  # of all that the tables hold
        with self._source.reading() as conn:
            making = self._making(conn, max_entities)
            return making.some(name, where, limit)

    def _making(self, conn: sa.Connection, max_entities: int | None) -> EntityMaking:
        made = partial(self._made_of, conn)
        fits = self._fits if "_made" in self.__dict__ else {}
        return EntityMaking(self._rows(conn), made, fits, max_entities)

    def copy_to(
        self,
        store: EntityStorage,
        note: str | None = None,
        *,
        max_entities: int | None = MAX_ENTITIES,
    ) -> dict[str, list[Any]]:
        """Register all rows of all tables in a store, in one transaction.

        Parameters
        ----------
        store
            Any storage of ecsviz.
        note
            What the revision is about; the name of the database by default.
        max_entities
            As in `entities`.

        Returns
        -------
        dict
            Table → the entities of its rows.

        Notes
        -----
        The ids do not change from one reading to the next, so copying again writes what has
        changed and nothing else; rows that are gone stay in the store. A process that is to
        ``get`` them needs their classes: those of ``read_database(…).classes``.
        """
        _ = self.classes
        with self._source.reading() as conn:
            found = self._making(conn, max_entities).everything()
        everyone = [entity for entities in found.values() for entity in entities]
        store.register(everyone, note=note or f"copied from {self.name}")
        return found

    # -- inside ------------------------------------------------------------------------------

    def _rows(self, conn: sa.Connection) -> TableRows:
        return TableRows(conn, self._schema, self._row_ids)

    def _fits_of(self, conn: sa.Connection, tables: Iterable[str]) -> dict[str, list[Fit]]:
        for name in tables:
            if name not in self._fits:
                table, lacking = self._schema.tables[name], self._lacking_in(conn, name)
                self._fits[name] = fits_of(conn, table, lacking)
        return self._fits

    def _lacking_in(self, conn: sa.Connection, name: str) -> frozenset[str]:
        if name not in self._lacking:
            self._lacking[name] = lacking_columns(conn, self._schema.tables[name])
        return self._lacking[name]

    def _known(self, table: str) -> str:
        return known_table(table, self.name, self.tables, self.views)


_SHOWN = 20
"""How many tables a notebook shows."""
