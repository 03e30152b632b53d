"""A database of others → graphs, frames and entities; only ever read."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, overload

import sqlalchemy as sa

from ecsviz.basics.files import local_folder, writing
from ecsviz.basics.text import counted
from ecsviz.basics.views import view
from ecsviz.errors import StoragePickleError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.importers.database import frames, graphs
from ecsviz.importers.database.advice import WithAdvice
from ecsviz.importers.database.arrow import file_names, write_parquet
from ecsviz.importers.database.conditions import Where
from ecsviz.importers.database.copying import WithCopies
from ecsviz.importers.database.graphs import MAX_ROWS, Direction, RowGraph
from ecsviz.importers.database.keys import Keys, add_keys
from ecsviz.importers.database.kinds import TableKinds
from ecsviz.importers.database.making import MAX_ENTITIES, EntityMaking
from ecsviz.importers.database.names import naming_columns
from ecsviz.importers.database.options import (
    Form,
    checked_chunks,
    checked_columns,
    checked_limit,
    checked_schemas,
    known_table,
    most_rows,
)
from ecsviz.importers.database.picture import drawn_schema, uniques_of
from ecsviz.importers.database.reflect import reflect
from ecsviz.importers.database.schema import ForeignKey
from ecsviz.importers.database.source import DatabaseSource
from ecsviz.storage.relational.look.arrow import check_form

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from ecsviz.draw.tables import DrawnSchema as Drawn


class Database(WithAdvice, WithCopies):
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
        self,
        source: DatabaseSource,
        schema: str | None,
        schemas: Sequence[str] | None = None,
        keys: Keys = None,
    ) -> None:
        self._source = source
        self._named_by: dict[str, tuple[str, ...]] | None = None
        self.name = source.name
        try:
            with source.reading() as conn:
                self._schema = reflect(conn, checked_schemas(schema, schemas))
                self._schema.unreadable |= source.unreadable
                self._kinds = TableKinds(source, self._schema)
                if keys is not None or source.of_files:
                    add_keys(
                        self._kinds.rows(conn), self._schema, "guess" if keys is None else keys
                    )
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
            return frames.tables_frame(self._schema, self._kinds.rows(conn))

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
            Int64; ``guessed`` (bool). A statement a key, at the first call.
        """
        return frames.keys_frame(self._schema, self._counts)

    @property
    def problems(self) -> pd.DataFrame:
        """What could not be placed, as a frame: ``table``, ``columns``, ``target``, ``problem``.

        Dangling values, with the number of ``rows`` that have them; keys to tables or columns
        that are not there; tables that cannot be read; what is odd in files, such as rows with
        too few values; columns of which `classes` turned out too narrow. The values themselves
        are in `frame`.
        """
        with self._source.reading() as conn:
            lacking = self._kinds.lacking(conn)
        return frames.faults_frame(
            self._schema, self._counts, lacking, self._kinds.wider(), self._source.odd
        )

    @cached_property
    def _counts(self) -> Mapping[ForeignKey, tuple[int, int, int]]:
        with self._source.reading() as conn:
            rows = self._kinds.rows(conn)
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
            Which of its rows: a dictionary of column values (a list or an array means any of them,
            None a NULL), as `frame` gives them, or an expression of SQLAlchemy; None takes all.
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
        limit = most_rows(limit, "limit")
        with self._source.reading() as conn:
            if self._named_by is None:
                uniques = uniques_of(conn, self._schema).items()
                tables = self._schema.tables
                self._named_by = {name: naming_columns(tables[name], u) for name, u in uniques}
            return RowGraph(self._kinds.rows(conn), limit, self._named_by).build(start)

    # -- rows --------------------------------------------------------------------------------

    @overload
    def frame(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Where = None,
        limit: int | None = None,
        chunks: None = None,
        as_: Literal["pandas"] = "pandas",
    ) -> pd.DataFrame: ...

    @overload
    def frame(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Where = None,
        limit: int | None = None,
        chunks: int | None = None,
        as_: Form = "pandas",
    ) -> Any: ...

    def frame(
        self,
        table: str,
        *,
        columns: Sequence[str] | None = None,
        where: Where = None,
        limit: int | None = None,
        chunks: int | None = None,
        as_: Form = "pandas",
    ) -> pd.DataFrame:
        """Return the rows of a table as a DataFrame, with the columns as they are called there.

        Parameters
        ----------
        table
            Its name.
        columns
            Which of its columns, in that order; None for all.
        where, limit
            As in `row_graph`; how many rows at the most.
        chunks
            How many rows at a time: an iterator of frames comes back, which holds no more than
            one in memory. All have the same types, those of the whole table. They are of one
            moment: on a server, its transaction stays open until the last was taken, or the
            iterator is closed.
        as_
            ``"pandas"``, ``"arrow"`` for a ``pyarrow.Table``, or ``"polars"``, where numbers of
            more than 38 digits are texts.

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
        ``0000-00-00``. So is it in a struct, a list or a map of DuckDB, whose other parts are what
        they are elsewhere; keys of maps are texts, and so are times and dates in an array of
        PostgreSQL and a UNION of DuckDB. A number in JSON that a float would round is a Decimal.
        JSON of which an object has a name twice stays text. A list has no indices of its own, as an
        array of PostgreSQL may: such are in `problems`.
        """
        name, form = self._known(table), check_form(as_)
        limit = checked_limit(limit)
        columns = checked_columns(self._schema.tables[name], columns)
        if chunks is not None:
            parts: Any = self._chunks(name, columns, where, limit, checked_chunks(chunks), form)
            return parts  # type: ignore[no-any-return]  # as the second signature says
        with self._source.reading() as conn:
            rows = self._kinds.rows(conn)
            whole: pd.DataFrame = frames.rows_frame(rows, name, columns, where, limit, form)
            return whole

    def _chunks(
        self,
        name: str,
        columns: Sequence[str],
        where: Where,
        limit: int | None,
        size: int,
        form: str,
    ) -> Iterator[Any]:
        with self._source.reading() as conn:
            fits = self._kinds.fits(conn, [name])[name]
            rows = self._kinds.rows(conn)
            for frame in frames.frames_of(rows, name, columns, where, limit, fits, size, form):
                with self._source.resting():
                    yield frame

    def to_parquet(self, folder: str | os.PathLike[str]) -> Path:
        r"""Write every table as a Parquet file, in the memory of some ten thousand rows.

        Parameters
        ----------
        folder
            Where to; it is made where it is missing. Files of the tables' names are replaced.

        Returns
        -------
        Path
            The folder, which `read_database` reads as a database. Columns have the types of
            ``frame(table, as_="arrow")``: JSON, UUIDs and what Parquet has no type for are texts.

        Raises
        ------
        NotInstalledError
            Without pyarrow (``pip install 'ecsviz[parquet]'``).

        Examples
        --------
        >>> import pathlib, tempfile
        >>> import ecsviz as ev
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     place = pathlib.Path(folder, "shop.csv")
        ...     _ = place.write_text("id,name,boss_id\n1,Ann,\n2,Bo,1\n")
        ...     with ev.read_database(place) as db:
        ...         sorted(file.name for file in db.to_parquet(folder).iterdir())
        ['shop.csv', 'shop.parquet']
        """
        place = local_folder(folder)
        check_form("arrow")
        with writing(place):
            place.mkdir(parents=True, exist_ok=True)
        for name, file in file_names(self.tables).items():
            write_parquet(place / file, self.frame(name, chunks=_WRITTEN, as_="arrow"))
        return place

    @property
    def classes(self) -> Mapping[str, Any]:
        """Table → the entity class of its rows.

        Each column is a field, under its own name or one that Python and ``Entity`` allow
        (``version`` becomes ``version_``; ``columns_frame().field`` tells). Each foreign key is
        a reference beside it (``customer_id`` → ``customer``; ``keys_frame().field``), which is
        None where the row that it names is not there.

        Notes
        -----
        Of declared types and the first 10,000 rows of each table: which values columns of SQLite
        hold, and whether keys that are NOT NULL have dangling values. So they are the same
        whatever was read before. Where a value is read further on that does not fit them, its
        whole table is looked at; the classes that fit it take their place, and `problems` tells.
        `copy_to` looks at all rows, if they come in chunks before it writes any; `look_at_all`
        does so in a process that reads a copy.
        """
        return self._kinds.made.classes

    def look_at_all(self) -> None:
        """Look at all rows of all tables, so that `classes` fit each, as those of a copy do.

        Notes
        -----
        For a process that reads what `copy_to` has stored in another, where a table has more than
        10,000 rows: what the first of them hold may be less than all, and a store that is asked
        for such a class says so. A statement a column.
        """
        self._kinds.look_at_all()

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
        limit, most = checked_limit(limit), most_rows(max_entities, "max_entities")
        with self._source.reading() as conn:
            return EntityMaking(conn, self._kinds, most).some(name, where, limit)

    # -- inside ------------------------------------------------------------------------------

    def _known(self, table: str) -> str:
        return known_table(table, self.name, self.tables, self.views)


_WRITTEN = 50_000
"""How many rows are written at a time."""

_SHOWN = 20
"""How many tables a notebook shows."""
