"""An open store: what analysts and users of SQLAlchemy look at, without entities being made."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from collections.abc import Mapping as MappingOf
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker
from sqlalchemy.pool import NullPool

from ecsviz.basics.addresses import Journal
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.views import view
from ecsviz.domain.entity import Entity
from ecsviz.domain.isomorphic import find_difference
from ecsviz.errors import BrokenReferenceError, InvalidArgumentError, StoredDataInvalidError
from ecsviz.graph.dependency_graph import EntityDependencyGraph
from ecsviz.storage.as_of import AsOf, check_as_of
from ecsviz.storage.cells import store_html
from ecsviz.storage.protocol import Contents, as_id, check_entity_class
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.look import frames as store_frames
from ecsviz.storage.relational.look.graph import stored_graph
from ecsviz.storage.relational.models.handwritten_rows import running
from ecsviz.storage.relational.models.models import Models
from ecsviz.storage.relational.models.python_source import python_source
from ecsviz.storage.relational.past.history import events_of, first_revisions, moments_of
from ecsviz.storage.relational.past.past_catalog import PastCatalog, revision_of
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.handwritten import Handwritten
from ecsviz.storage.relational.schema.history_tables import history_name
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.relational.schema.stored_types import Tell
from ecsviz.storage.relational.upkeep.verify import Verify
from ecsviz.storage.reports import Problem, history_frame, problems_frame, revisions_frame
from ecsviz.storage.sql.engine import Database

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


class OpenStore:
    """A store that is open: its tables, models, frames and graph.

    Notes
    -----
    `SQLAlchemyEntityStorage` adds saving, getting and deleting of entities.
    """

    def __init__(
        self,
        target: str | os.PathLike[str] | URL | Engine,
        *,
        models: MappingOf[type[Entity], Any] | None = None,
        journal: Journal = "delete",
        timeout: float = 5.0,
        deadline: float = 60.0,
        schema: str | None = None,
    ) -> None:
        self._database = Database(target, journal, timeout, deadline)
        self._handwritten = Handwritten(models)
        # As the last transaction has found the store: each looks what it finds itself.
        self._catalog = Catalog(self._database, Mapping(schema, self._handwritten))
        self._models = Models(self, lambda: self._catalog.mapping)
        self._begun = threading.local()  # what `_reading` holds, per thread
        try:
            if self._database.exists():
                with self._database.reading() as conn:
                    # What cannot be read is told by the first call; verify lists all of it.
                    self._found(conn, lambda *_: None)
        except BaseException:  # also of an interrupt: nobody has the store, to close it
            self._database.close()
            raise

    def __repr__(self) -> str:
        closed = ", closed" if self._database.closed else ""
        return f"SQLAlchemyEntityStorage({str(self._database)!r}{closed})"

    def _repr_html_(self) -> str:
        return store_html(type(self).__name__, self._contents)

    def _contents(self) -> Contents:
        """Return what is stored: a statement per type, and two for the revisions."""
        with self._reading() as (conn, catalog):
            if not self._is_made(conn):
                return Contents(str(self._database), [])
            return store_frames.stored_contents(conn, catalog, str(self._database))

    def close(self) -> None:
        """Close what was opened; using the store afterwards raises StorageClosedError.

        An Engine that was handed in stays open. A store that is dropped closes by itself.
        """
        self._database.close()

    def _check_open(self) -> None:
        self._database.check_open()

    @property
    def engine(self) -> Engine:
        """The SQLAlchemy engine."""
        return self._database.engine

    @property
    def session_factory(self) -> sessionmaker[Session]:
        """Makes SQLAlchemy sessions on this store: foreign keys enforced, errors SQLAlchemy's own.

        Examples
        --------
        >>> import ecsviz as ev
        >>> from sqlalchemy import select
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> ChatThreadSQL = store.sql_model(ev.ChatThread)
        >>> with store.session_factory() as session:
        ...     row = session.scalars(select(ChatThreadSQL)).one()
        ...     [m.content for m in row.messages], row.to_entity() == thread
        (['hello'], True)
        """
        made = sessionmaker(self._database.session_engine())
        sa.event.listen(made, "after_begin", self._check_session)
        return made

    def _check_session(self, _: Session, __: SessionTransaction, conn: Connection) -> None:
        """See to it that a session, too, looks at the store that was opened."""
        self._database.check_moved()
        if self._is_made(conn) and self._catalog.seen.acts(conn):
            self._found(conn)

    def sql_model(self, cls: type[Entity]) -> Any:
        """Return the declarative class of an entity class: hand-written, or made here.

        Parameters
        ----------
        cls
            An entity class.

        Returns
        -------
        type
            Named ``ChatThreadSQL``; with ``relationship``s, ``to_entity()`` and
            ``from_entity(entity, session)``, for ``select(...)`` and everything else of
            SQLAlchemy. A column called ``metadata`` is the attribute ``metadata_``.

        Raises
        ------
        UnsupportedFieldError
            If the class cannot be mapped.

        Notes
        -----
        A column gives one Python type: JSON columns the value as its field has it (lists,
        tuples, sets, models, …), and they take such values, in ``where`` too; times UTC without
        a zone, durations microseconds, enums their value (or their name, where the values are
        neither texts nor integers), Decimals what the database computes with (on SQLite floats),
        everything else its own type. What a column cannot hold exactly stands in ``ecs_exact``,
        and nested values with entities in them are JSON texts: ``to_entity()`` gives those.

        An edit of a row in a session is not seen by the store: it has no revision, and `verify`
        tells it as damage until ``store.adopt_changes()`` makes a revision of it.
        ``from_entity`` saves as `register` does.
        """
        check_entity_class(cls)
        return self._handwritten.model_of(cls) or self._models.of(cls)

    @property
    def models(self) -> dict[type, Any]:
        """The declarative classes of all classes mapped so far."""
        return {**self._models.all(), **self._handwritten.by_class}

    def to_python(self, *classes: type[Entity]) -> str:
        """Return the declarative models as a Python module, to be kept and edited.

        Parameters
        ----------
        *classes
            Entity classes; what they refer to is added. By default everything that is stored.

        Returns
        -------
        str
            The module's text. It imports SQLAlchemy alone; its ``Base.metadata`` describes this
            store's tables. Of hand-written models it has what the store keeps (``ecs_of_…``).

        Raises
        ------
        UnknownTypeError
            If the store holds a type for which no class is defined here.
        UnsupportedFieldError
            If a class cannot be mapped.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Page(ev.Entity):
        ...     number: int
        >>> text = ev.SQLAlchemyEntityStorage(":memory:").to_python(Page)
        >>> print(text[text.index("class PageSQL") :])
        class PageSQL(Base):
            \"\"\"Rows of pages: the entity class Page.\"\"\"
        <BLANKLINE>
            __tablename__ = 'pages'
        ...
            number: Mapped[int] = mapped_column(sa.BigInteger(), nullable=False)
        <BLANKLINE>
        """
        for cls in classes:
            check_entity_class(cls)
        with self._reading() as (_, catalog):
            mapping = catalog.mapping
            maps = catalog.classes_of(mapping.stored) if not classes else []
            return python_source(mapping, maps or mapping.map_classes(classes))

    @property
    def metadata(self) -> sa.MetaData:
        """The tables of all classes mapped so far."""
        mapping = self._catalog.mapping
        mapping.map_met()
        return mapping.metadata

    # -- looking -----------------------------------------------------------------------------

    @view
    def draw_schema(self, ax: Axes | None = None, **options: Any) -> Axes:
        """Draw the tables with their columns, keys and crow's feet.

        Parameters
        ----------
        ax
            Where to draw. None makes a figure.
        **options
            ``title`` and ``legend``: those of ``ecsviz.draw.draw_schema``, which draws entity
            classes and any SQLAlchemy ``MetaData`` as well.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> _ = store.register(ev.ChatThread(title="Cycles"))
        >>> store.draw_schema().get_title(loc="left")
        '2 tables, 2 foreign keys, 1 cyclic component'
        """
        raise NotImplementedError

    def _tables(self) -> sa.MetaData:
        """Return the tables, also of classes that are not defined here: as the database says."""
        with self._reading() as (conn, catalog):
            mapping = catalog.mapping
            mapping.map_met()
            if not self._is_made(conn) or all(name in mapping.by_type for name in mapping.stored):
                return mapping.metadata
            found = sa.MetaData()
            found.reflect(conn, schema=mapping.metadata.schema)
            return found

    def frame(self, cls_or_table: type[Entity] | str, *, as_of: AsOf = None) -> pd.DataFrame:
        """Return the entities of one class, or any table, as a DataFrame.

        Parameters
        ----------
        cls_or_table
            An entity class, or the name of a table, which is given as it stands.
        as_of
            A revision or an aware time: the class's entities as they were then.

        Returns
        -------
        DataFrame
            A row per entity in the order of storing, without its subclasses' entities. Columns:
            ``ecs_id``, ``lineage_id``, ``parent_id`` (UUID objects), ``version`` (int64); a
            column per field that holds no entity; ``<field>_ecs_id`` (UUID objects or None) per
            reference, to join with ``ecs_id``; ``<field>_position`` (Int64) where it is the
            place in a list. Texts are ``str``, optional integers and booleans ``Int64`` and
            ``boolean``, times ``datetime64[us, UTC]``, enums and Literals categories; what pandas
            has no type for stays Python's. `references_frame` has lists of entities.

        Raises
        ------
        UnknownTypeError
            If there is no such class or table.

        Notes
        -----
        One query with a join per reference; no objects are made. O(rows).

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
        """
        if isinstance(cls_or_table, str) and as_of is not None:
            raise InvalidArgumentError(
                f"as_of goes with an entity class, not with the table {cls_or_table!r}."
                f" The rows of the past are in {history_name(cls_or_table)!r}."
            )
        with self._reading(as_of) as (conn, catalog):
            if isinstance(cls_or_table, str):
                return store_frames.table_frame(conn, catalog, cls_or_table)
            known = store_frames.wanted_class(catalog, cls_or_table)
            if known is None:
                with contextlib.closing(OpenStore(":memory:")) as empty:
                    return empty._empty_frame(cls_or_table)
            return store_frames.class_frame(conn, catalog, known)

    def _empty_frame(self, cls: type) -> pd.DataFrame:
        """Return the frame of a class of which nothing is stored: the columns alone."""
        catalog = self._catalog
        with self._database.writing() as conn:
            catalog.create(conn)
            known = catalog.mapping.map_classes([cls])[0]
            with catalog.synced(conn, [known]):
                return store_frames.class_frame(conn, catalog, known)

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
        with self._reading() as (conn, catalog):
            if not self._is_made(conn):
                return revisions_frame([])
            return store_frames.stored_revisions(conn, catalog)

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
        with self._reading() as (conn, catalog):
            events = events_of(conn, catalog, wanted)
            if not events:
                raise store_frames.not_stored(conn, catalog, wanted)
            return history_frame(events, moments_of(conn, catalog))

    def _first_revisions(self, ids: list[UUID]) -> dict[tuple[UUID, int], int]:
        with self._reading() as (conn, catalog):
            return first_revisions(conn, catalog, ids)

    def verify(self, entity: Any = None) -> pd.DataFrame:
        """Verify that the store is as it was written.

        Parameters
        ----------
        entity
            A live graph: that the stored one is isomorphic to it is proved too.

        Returns
        -------
        DataFrame
            A row per problem, none if all is well: ``table``, ``row`` (str), ``ecs_id`` (UUID
            or None), ``problem`` (``file``, ``schema``, ``content``, ``seal``, ``outside``,
            ``reference``, ``position``, ``pair``, ``history``, ``revision``, ``graph`` or
            ``foreign``) and ``detail``. ``pair``: a list and a back-reference differ; give the
            entity another holder, or put it into the list. ``foreign``: somebody's trigger or view.

        Notes
        -----
        Every row carries a checksum of its content and a seal over the rest; they are computed
        anew from what is stored. Rows that were written through SQL or a session show up as
        ``content`` or ``outside``: those of the present until their entities are registered
        again, those of the past until they are pruned. Of hand-written
        models, only what the store keeps of them is verified. Damage beyond reading raises
        StorageCorruptError. O(rows of the present and the past).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="Cycles"))
        >>> len(store.verify(thread))
        0
        >>> with store.engine.begin() as conn:
        ...     _ = conn.exec_driver_sql("UPDATE chat_threads SET title = 'Rings'")
        >>> store.verify(thread)[["table", "problem"]]
                  table  problem
        0  chat_threads  content
        1                  graph
        """
        problems: list[Problem] = []

        def tell(name: str, why: str) -> None:
            problems.append(Problem("ecs_types", name, None, "schema", f"cannot be read: {why}"))

        with collector_paused(), self._reading(tell=tell) as (conn, catalog):
            if self._is_made(conn):
                problems += Verify(conn, catalog).run()
            if entity is not None and not any(p.table == "ecs_types" for p in problems):
                problems += self._differs(conn, catalog, entity)
            return problems_frame(problems)

    def _differs(self, conn: Connection, catalog: Catalog, entity: Any) -> list[Problem]:
        load = Load(conn, catalog)
        wanted = as_id(entity)
        found = load.find([wanted])
        if not found:
            raise store_frames.not_stored(conn, catalog, wanted)
        name, row_id = found[wanted]
        try:
            there = load.load({name: [row_id]})(name, row_id)
        except (StoredDataInvalidError, BrokenReferenceError) as err:
            return [Problem("", "", wanted, "graph", f"cannot be read: {err}")]
        difference = find_difference(there, entity)
        return [] if difference is None else [Problem("", "", wanted, "graph", difference)]

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
        A query per reference field and target class; no objects are made. (Where entities stand
        in nested values, these are read, with placeholders for the entities. If a validator of
        such a value looks at the entity, the path tells the number of the reference instead.)
        """
        with self._reading(as_of) as (conn, catalog):
            return store_frames.stored_references(conn, catalog)

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
            Its nodes carry ``ecs_id`` and ``type_name``.

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
        with self._reading(as_of) as (conn, catalog):
            if start is not None and not Load(conn, catalog).find([start]):
                raise store_frames.not_stored(conn, catalog, start)
            return stored_graph(conn, catalog, start, hops)

    @contextlib.contextmanager
    def _reading(
        self, as_of: AsOf = None, tell: Tell | None = None
    ) -> Iterator[tuple[Connection, Catalog]]:
        """Hold a transaction to read in, with the catalog as it finds it, or as of a revision.

        Whatever its thread reads inside is read in it: what several calls return fits together.
        """
        outer: Any = getattr(self._begun, "state", None)
        fresh = outer is None or outer[0].closed or tell  # an interrupt may have left one behind
        with self._begin(tell) if fresh else contextlib.nullcontext(outer) as state:
            try:
                self._begun.state = state
                yield state[0], self._at(state[0], state[1], as_of)
            finally:
                self._begun.state = outer

    @contextlib.contextmanager
    def _begin(self, tell: Tell | None) -> Iterator[tuple[Connection, Catalog]]:
        """Begin a transaction to read in; an empty database stands for a missing file."""
        if self._database.exists():
            with self._database.reading() as conn:
                yield conn, self._found(conn, tell)[0]
            return
        with sa.create_engine("sqlite://", poolclass=NullPool).connect() as conn:
            yield conn, self._catalog.at({})

    def _at(self, conn: Connection, catalog: Catalog, as_of: AsOf) -> Catalog:
        if as_of is not None and self._is_made(conn):
            return PastCatalog(catalog, revision_of(conn, catalog, as_of))
        if as_of is not None:
            check_as_of(as_of, 0)
        return catalog

    # -- for the declarative models ----------------------------------------------------------

    def load_rows(self, conn: Connection, roots: dict[str, list[int]]) -> list[Any]:
        """Return the entities of some rows, given per type by row id, in a transaction."""
        now = running.get()
        if isinstance(now, Load) and now.catalog.database is self._database:
            return [now.promise(name, row_id) for name, ids in roots.items() for row_id in ids]
        with self._database.translated():  # the session is the user's
            entity = Load(conn, self._found(conn)[0]).load(roots)
        return [entity(name, row_id) for name, ids in roots.items() for row_id in ids]

    def save_in(self, session: Session, entity: Entity) -> int:
        """Save an entity in a session's transaction; return its row id."""
        raise NotImplementedError  # SQLAlchemyEntityStorage saves

    # -- opening ----------------------------------------------------------------------------

    def _is_made(self, conn: Connection) -> bool:
        return self._catalog.check(conn, shared=bool(self._handwritten))

    def _found(self, conn: Connection, tell: Tell | None = None) -> tuple[Catalog, dict[str, int]]:
        """Return the catalog as a transaction finds it, and the next free row ids.

        Other threads and processes may have stored types since the transaction before, and one
        that stored some may have failed: what is known of them belongs to a transaction.
        """
        made = self._is_made(conn)
        stored, next_ids = self._catalog.read_types(conn, tell) if made else ({}, {})
        found = self._catalog = self._catalog.at(stored)
        return found, next_ids
