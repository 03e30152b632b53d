"""What analysts look at: frames of classes, tables, references and revisions; the graph."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload
from uuid import UUID

from ecsviz.basics.arguments import count_or_none
from ecsviz.basics.views import view
from ecsviz.domain.entity import Entity
from ecsviz.errors import InvalidArgumentError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.protocol import as_id
from ecsviz.storage.relational.inside import SqlInside
from ecsviz.storage.relational.load.ids import not_stored
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.look import frames
from ecsviz.storage.relational.look.arrow import check_form, in_form, names_listed
from ecsviz.storage.relational.look.class_frames import ClassFrame
from ecsviz.storage.relational.look.graph import stored_graph
from ecsviz.storage.relational.past.history import events_of, moments_of
from ecsviz.storage.relational.schema.history_tables import history_name
from ecsviz.storage.reports import history_frame, revisions_frame
from ecsviz.storage.search import conditions, search

if TYPE_CHECKING:
    import pandas as pd


class StoreFrames:
    """The part of `SQLAlchemyEntityStorage` for analysts: no entities are made."""

    inside: SqlInside

    @overload
    def frame(
        self,
        cls_or_table: type[Entity] | str,
        *,
        columns: Iterable[str] | None = None,
        where: Mapping[str, Any] | None = None,
        limit: int | None = None,
        order_by: str | Iterable[str] | None = None,
        as_: Literal["pandas"] = "pandas",
        as_of: AsOf = None,
    ) -> pd.DataFrame: ...

    @overload
    def frame(
        self,
        cls_or_table: type[Entity] | str,
        *,
        columns: Iterable[str] | None = None,
        where: Mapping[str, Any] | None = None,
        limit: int | None = None,
        order_by: str | Iterable[str] | None = None,
        as_: Literal["arrow", "polars"],
        as_of: AsOf = None,
    ) -> Any: ...

    def frame(
        self,
        cls_or_table: type[Entity] | str,
        *,
        columns: Iterable[str] | None = None,
        where: Mapping[str, Any] | None = None,
        limit: int | None = None,
        order_by: str | Iterable[str] | None = None,
        as_: Literal["pandas", "arrow", "polars"] = "pandas",
        as_of: AsOf = None,
    ) -> pd.DataFrame:
        """Return the entities of a class and its subclasses, or any table, as a DataFrame.

        Parameters
        ----------
        cls_or_table
            An entity class, or the name of a table, which is given as it stands.
        columns
            Which columns, in this order; only these are read. None for all.
        where, order_by, limit
            Which entities, and in which order: as in `find`, its keywords as a dictionary. By
            default all, class by class in the order of storing. A table takes ``limit`` alone.
        as_
            ``"pandas"``; or ``"arrow"``, a ``pyarrow.Table``, or ``"polars"``, a
            ``polars.DataFrame`` of it (extras ``parquet`` and ``polars``).
        as_of
            A revision or an aware time: the class's entities as they were then.

        Returns
        -------
        DataFrame
            A row per entity. Columns: one per field of the class that holds no entity;
            ``<field>_ecs_id`` (UUID objects or None) per reference, to join with ``ecs_id``;
            ``<field>_position`` (Int64) where it is the place in a list; ``type`` (category;
            ``type_`` beside a field of that name), where there are entities of subclasses;
            ``ecs_id``, ``lineage_id``, ``parent_id`` (UUID objects), ``version`` (int64). Texts
            are ``str``, optional integers and booleans
            ``Int64`` and ``boolean``, times ``datetime64[us, UTC]``, enums and Literals
            categories; what pandas has no type for stays Python's. `references_frame` has lists
            of entities. For Arrow ids are UUIDs, enums what is written of them, and what has no
            type there is JSON, as in files for Parquet; of a text beyond UTF-8 a stand-in.

        Raises
        ------
        UnknownTypeError
            If there is no such class or table.
        InvalidArgumentError
            If there is no such column, or what `find` would not take.
        NotInstalledError
            If the package of the form is not installed.

        Notes
        -----
        One query with a join per reference for each type, and one that finds the rows; no objects
        are made. O(rows). Every frame, also of graphs, has ``__arrow_c_stream__`` from pandas, so
        that DuckDB, Polars and others take it as it is, where Arrow has a type for its values.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> store.frame(ev.ChatMessage)[["role", "content", "thread_position"]]
           role content  thread_position
        0  user   hello                0
        >>> store.frame(ev.ChatMessage, columns=["content"], where={"role__ne": "user"})
        Empty DataFrame
        Columns: [content]
        Index: []
        """
        form, names = check_form(as_), names_listed(columns)
        if isinstance(cls_or_table, str):
            most = count_or_none(limit, "limit")
            if as_of is not None:
                raise InvalidArgumentError(
                    f"as_of goes with an entity class, not with the table {cls_or_table!r}."
                    f" The rows of the past are in {history_name(cls_or_table)!r}."
                )
            if where is not None or order_by is not None:
                raise InvalidArgumentError(
                    f"where and order_by go with an entity class, not with the table"
                    f" {cls_or_table!r}. Choose among the rows of the frame."
                )
            with self.inside.reading() as (conn, catalog):
                found = frames.table_frame(conn, catalog, cls_or_table, names, most)
            table: pd.DataFrame = in_form(found, form, {})
            return table
        with self.inside.reading(as_of) as (conn, catalog):
            frames.check_class_asked(catalog, cls_or_table)
            wanted = None
            if where is not None or order_by is not None or limit is not None:
                wanted = search(cls_or_table, conditions(where), order_by, limit)
            reading = ClassFrame(conn, catalog, cls_or_table, names)
            frame: pd.DataFrame = in_form(reading.read(wanted), form, reading.codecs)
            return frame

    def revisions(self) -> pd.DataFrame:
        """Return every change of the store, oldest first.

        Returns
        -------
        DataFrame
            A row per `register` that changed something and per `delete`: ``revision`` (int64, from
            1), ``at`` (datetime64[us, UTC]), ``note`` (str, missing where there is none),
            ``added``, ``changed`` and ``deleted`` (int64: how many entities).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"), note="first")
        >>> thread.title = "b"
        >>> _ = store.register(thread, note="a better title")
        >>> _ = store.register(thread, note="nothing has changed: no revision")
        >>> store.revisions()[["revision", "note", "added", "changed", "deleted"]]
           revision            note  added  changed  deleted
        0         1           first      1        0        0
        1         2  a better title      0        1        0
        """
        with self.inside.reading() as (conn, catalog):
            if not self.inside.is_made(conn):
                return revisions_frame([])
            return frames.stored_revisions(conn, catalog)

    def history(self, ecs_id: UUID | str | Entity) -> pd.DataFrame:
        """Return the versions of an entity, oldest first.

        Parameters
        ----------
        ecs_id
            An entity or its id; it may have been deleted.

        Returns
        -------
        DataFrame
            A row per version, and one per deletion: ``version``, ``revision`` (int64), ``at``
            (datetime64[us, UTC]), ``note`` (str), ``what`` (``added``, ``changed`` or
            ``deleted``) and ``fields`` (str: those that this version changed, with commas).

        Raises
        ------
        EntityNotFoundError
            If it was never stored, or all of it has been pruned.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread, note="a greeting")
        >>> store.history(thread)[["version", "revision", "what", "fields", "note"]]
           version  revision     what    fields        note
        0        1         1    added                   NaN
        1        2         2  changed  messages  a greeting
        """
        wanted = as_id(ecs_id)
        with self.inside.reading() as (conn, catalog):
            events = events_of(conn, catalog, wanted)
            if not events:
                raise not_stored(conn, catalog, wanted)
            return history_frame(events, moments_of(conn, catalog))

    def references_frame(self, *, as_of: AsOf = None) -> pd.DataFrame:
        """Return every stored reference.

        Parameters
        ----------
        as_of
            A revision or an aware time: the references as they were then.

        Returns
        -------
        DataFrame
            A row per reference: ``source``, ``target`` (UUID objects, to join with ``ecs_id``),
            ``source_type``, ``target_type``, ``field`` (categories), ``path`` (str, such as
            ``messages[3]``, as the live graph says it) and ``kind`` (int64: 0 out of a
            collection, 1 optional, 2 required).

        Notes
        -----
        A query per class, and one per reference field and target class; no objects are made.
        (Where entities stand in nested values, these are read, with placeholders for the
        entities. If a validator of such a value looks at the entity, the path tells the number of
        the reference instead.)
        """
        with self.inside.reading(as_of) as (conn, catalog):
            return frames.stored_references(conn, catalog)

    def graph(
        self,
        root: Entity | UUID | str | None = None,
        hops: int | None = None,
        *,
        as_of: AsOf = None,
    ) -> EntityDependencyGraph:
        """Return the dependency graph of what is stored, without making the entities.

        Parameters
        ----------
        root
            Where to begin; None for everything.
        hops
            How many references to follow from the root; None for all.
        as_of
            A revision or an aware time: the graph as it was then.

        Returns
        -------
        EntityDependencyGraph
            Its nodes carry ``ecs_id`` and ``type_name``, and of 100,000 or fewer the beginnings
            of the texts by which they are called in pictures.

        Raises
        ------
        EntityNotFoundError
            If the root is not stored.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> store.graph()
        EntityDependencyGraph(2 nodes, 2 references, 1 cyclic component)
        """
        start = None if root is None else as_id(root)
        with self.inside.reading(as_of) as (conn, catalog):
            if start is not None and not Load(conn, catalog).find([start]):
                raise not_stored(conn, catalog, start)
            return stored_graph(conn, catalog, start, hops)

    @view
    def to_parquet(
        self, folder: str | os.PathLike[str], as_of: AsOf = None, *, progress: bool | None = None
    ) -> Path:
        """Write the whole graph as a folder of Parquet files, in the memory of some rows.

        Parameters
        ----------
        folder
            Where to: a new folder, or one that this wrote before, which is replaced. It appears
            when it is whole.
        as_of
            A revision or an aware time: the graph as it was then.
        progress
            None shows a bar after a second, in a notebook or a terminal; True from the first step
            on; False never.

        Returns
        -------
        Path
            The folder. ``graph.json`` says the revision, the classes with their offsets and
            counts, the kinds of references, and a digest of every file.
            ``nodes/class=…/part-….parquet`` hold a row per entity: ``node`` (int64, the offset of
            its class and its row id), ``ecs_id`` (16 bytes) with the other ids and the version,
            and a column per field that holds no entity. ``references/part-….parquet`` hold
            ``source`` and ``target`` (nodes), ``field``, ``position`` in a list and ``key`` of a
            dictionary.

        Raises
        ------
        NotInstalledError
            Without pyarrow (``pip install 'ecsviz[scale]'``).
        FileNotWrittenError
            If the system refuses the folder.

        Notes
        -----
        A column has the type of its field, whatever the rows hold; what no column of SQL holds
        exactly (NaN, an offset of a time) stands beside it in ``ecs_exact``, as in the store. A
        field that is called like one of our columns gets a ``_``. All in one transaction: who
        saves meanwhile into a file waits. O(entities + references), and sorting by the database.

        Examples
        --------
        >>> import ecsviz as ev, tempfile
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> with tempfile.TemporaryDirectory() as place:
        ...     folder = store.to_parquet(f"{place}/graph")
        ...     sorted(part.name for part in folder.iterdir())
        ['graph.json', 'nodes', 'references']
        """
        raise NotImplementedError
