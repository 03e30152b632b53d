"""The inside of a store on SQLAlchemy: its database, its catalog, and its transactions.

What happens in a transaction are functions of the rooms below, which take (connection, catalog).
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Mapping as MappingOf
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from ecsviz.basics.addresses import Journal
from ecsviz.basics.arguments import flag
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.interrupts import deferred_interrupt
from ecsviz.basics.once import remembering
from ecsviz.domain.entity import Entity
from ecsviz.domain.walk import Walk
from ecsviz.errors import EcsvizError
from ecsviz.graph.arrays import as_roots
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.checks import check_note
from ecsviz.storage.kept_walks import gone_again, keep, walk_known
from ecsviz.storage.looking import Contents, Identity, Page, PageColumn, StoredClass, Wanted
from ecsviz.storage.protocol import Extent
from ecsviz.storage.relational.load import ids as stored_ids
from ecsviz.storage.relational.load.batches import chosen_of, in_batches
from ecsviz.storage.relational.load.by_key import identities
from ecsviz.storage.relational.load.find import Rows, by_hand, count_rows, find_rows
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.load.loaded_rows import whole_rows
from ecsviz.storage.relational.load.moment import Moment
from ecsviz.storage.relational.load.on_touch import load_lazily
from ecsviz.storage.relational.look import holders, pages
from ecsviz.storage.relational.look.frames import stored_contents
from ecsviz.storage.relational.models.handwritten_rows import check_rows, running, runs
from ecsviz.storage.relational.models.models import Models
from ecsviz.storage.relational.models.sessions import unfinished, when_committed
from ecsviz.storage.relational.open_transaction import SqlTogether, forked
from ecsviz.storage.relational.origins import WithOrigins
from ecsviz.storage.relational.past.history import first_revisions
from ecsviz.storage.relational.past.past_catalog import catalog_as_of
from ecsviz.storage.relational.past.reach import past_of
from ecsviz.storage.relational.save.checked import check_sums
from ecsviz.storage.relational.save.in_session import InSession
from ecsviz.storage.relational.save.part import Part, WholeNeededError, changed_part, part_alone
from ecsviz.storage.relational.save.save import Save
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.schema.handwritten import Handwritten
from ecsviz.storage.relational.schema.mapping import Mapping
from ecsviz.storage.relational.schema.stored_types import Tell
from ecsviz.storage.relational.schema.text_tables import PREFIX as INDEXES
from ecsviz.storage.renewal import walk_to_save
from ecsviz.storage.save_plan import SavePlan
from ecsviz.storage.search import Search
from ecsviz.storage.spans import Past
from ecsviz.storage.sql.dialects import check_kin, check_supported
from ecsviz.storage.sql.engine import AFTER, OpenDatabase
from ecsviz.storage.sql.sqlite_errors import is_damaged


class SqlInside(WithOrigins):
    """A database with what is known of the store in it; see `looking.Inside`.

    Parameters
    ----------
    target, models, journal, timeout, deadline, schema, read_only, unsupported
        As of `SQLAlchemyEntityStorage`.

    Attributes
    ----------
    database
        The database.
    handwritten, models
        The declarative models: those that were given, and those that are made here.
    catalog
        As the last transaction has found the store: each looks what it finds itself.
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
        read_only: bool = False,
        unsupported: bool = False,
    ) -> None:
        self.unsupported = flag(unsupported, "unsupported")
        if not self.unsupported:
            check_supported(target)
        only = flag(read_only, "read_only")
        self.database = OpenDatabase(target, journal, timeout, deadline, only)
        self.handwritten = Handwritten(models)
        mapping = Mapping(schema, self.handwritten, defers=self.database.row.unique_waits)
        self.catalog = Catalog(self.database, mapping)
        self.models = Models(self, lambda: self.catalog.mapping)
        self._begun = threading.local()  # what `reading` holds, per thread
        self.blocks: list[Any] = []
        self._together: SqlTogether | None = None  # of whoever has the database's turn
        try:
            if self.database.exists():
                with self.database.reading() as conn:
                    if not self.unsupported:
                        check_kin(conn)
                    self.found(conn, lambda *_: None)
        except BaseException as err:  # also of an interrupt: nobody has the store, to close it
            # What cannot be read is told by the first call; verify lists it, repair works on it.
            if not is_damaged(err):
                self.database.close()
                raise

    def check_open(self) -> None:
        """Raise StorageClosedError if the store was closed."""
        self.database.check_open()

    def close(self) -> None:
        """Close what was opened; TransactionError is raised in the midst of a transaction."""
        if (open_ := self._together) is not None and open_.of_this_process:
            raise open_.not_at_its_end()
        self.database.close()

    def check_writable(self, alone: str = "") -> None:
        """Raise StorageReadOnlyError if nothing may be written; see `looking.Inside`."""
        self.database.check_writable()
        self.check_alone(alone)

    def check_alone(self, what: str) -> None:
        """Raise TransactionError if something is called that cannot be one of several calls."""
        # Which tells of another thread or task, before that waits.
        if (open_ := self.here()) is not None and what:
            raise open_.cannot_have(what)

    # -- transactions ------------------------------------------------------------------------

    @contextlib.contextmanager
    def reading(
        self, as_of: AsOf = None, tell: Tell | None = None
    ) -> Iterator[tuple[Connection, Catalog]]:
        """Hold a transaction to read in, with the catalog as it finds it, or as of a revision.

        Whatever its thread reads inside is read in it: what several calls return fits together.
        """
        outer: Any = getattr(self._begun, "state", None)
        fresh = outer is None or outer[0].closed or tell  # an interrupt may have left one behind
        with self._begin(tell) if fresh else contextlib.nullcontext(outer) as state:
            try:
                self._begun.state = conn, catalog = state
                if as_of is not None:
                    catalog = catalog_as_of(conn, catalog, as_of, self.is_made(conn))
                yield conn, catalog
            finally:
                self._begun.state = outer

    @contextlib.contextmanager
    def _begin(self, tell: Tell | None) -> Iterator[tuple[Connection, Catalog]]:
        """Begin a transaction to read in; an empty database stands for a missing file."""
        if self.database.exists():
            with self.looking() as conn:
                yield conn, self.found(conn, tell)[0]
            return
        with sa.create_engine("sqlite://", poolclass=NullPool).connect() as conn:
            yield conn, self.catalog.at({})

    @contextlib.contextmanager
    def looking(self) -> Iterator[Connection]:
        """Hold a connection to read with: that of the open transaction, if there is one."""
        open_ = self.here()
        if open_ is None or open_.conn is None:
            with self.database.reading() as conn:
                yield conn
            return
        with self.database.told(conn := open_.connect()):
            yield conn

    def one_state(self) -> contextlib.AbstractContextManager[Any]:
        """Hold one state of the store: what is read inside fits together."""
        return self.reading()

    def is_made(self, conn: Connection) -> bool:
        """Tell whether the database is a store already; False if it is still empty."""
        return self.catalog.check(conn, shared=bool(self.handwritten))

    def found(self, conn: Connection, tell: Tell | None = None) -> tuple[Catalog, dict[str, int]]:
        """Return the catalog as a transaction finds it, and the next free row ids.

        Other threads and processes may have stored types since the transaction before, and one
        that stored some may have failed: what is known of them belongs to a transaction.
        """
        return self._types(conn, self.is_made(conn), tell)

    def _types(
        self, conn: Connection, made: bool, tell: Tell | None = None
    ) -> tuple[Catalog, dict[str, int]]:
        stored, next_ids = self.catalog.read_types(conn, tell) if made else ({}, {})
        open_ = self._holding(conn)
        if open_ is not None:  # nobody else knows of what it makes
            open_.catalog = open_.catalog.at(stored)
            return open_.catalog, next_ids
        found = self.catalog = self.catalog.at(stored)
        return found, next_ids

    # -- several calls -----------------------------------------------------------------------

    def here(self) -> SqlTogether | None:
        """Return the open transaction of several calls, if this call belongs to it."""
        open_ = self._together
        if open_ is None or not open_.is_here():
            return None
        if not open_.of_this_process:
            raise forked(open_)
        return open_

    def _holding(self, conn: Connection) -> SqlTogether | None:
        open_ = self._together
        return open_ if open_ is not None and open_.conn is conn else None

    def begin(self, note: str | None) -> None:
        """Begin a transaction of several calls, or a part of the open one; see `together`."""
        self.check_writable()
        open_ = self.here()
        if open_ is not None:
            open_.begin_part()
            open_.say(note)
            return
        open_ = SqlTogether(self.database, self.catalog)
        open_.say(note)
        self._together = open_
        try:
            if self.database.exists():
                self.found(open_.connect())
        except BaseException:
            self._together = None
            open_.drop()
            open_.leave(back=True)
            raise

    def on_back(self, call: Callable[[], None]) -> None:
        """Call something if the open transaction is taken back; see `looking.Inside`."""
        if (open_ := self.here()) is not None:
            open_.on_back(call)

    def watch(self, entities: Iterable[Any]) -> None:
        """Note live objects that have taken over what was read; see `looking.Inside`."""
        if (open_ := self.here()) is not None:
            open_.watch(entities)

    def end(self, *, well: bool) -> None:
        """End what was begun last; see `together`."""
        open_ = self._together
        assert open_ is not None
        if open_.parts:
            open_.end_part(well=well)
            return
        self._together = None  # before another thread may begin one
        done = False

        def carried_out() -> None:
            nonlocal done
            done = True
            self.catalog.effects.take(open_.catalog.effects)
            open_.catalog.effects = self.catalog.effects
            self.catalog = open_.catalog
            self.catalog.carried_out(open_.made)
            self.catalog.settle(open_.conn)

        try:
            if well and open_.of_this_thread and open_.of_this_process:
                open_.commit(carried_out)
        finally:
            open_.drop()
            open_.leave(back=not done)
        if well and not open_.of_this_process:
            raise forked(open_)
        if well and not open_.of_this_thread:
            raise open_.left_elsewhere()

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """Hold a transaction to write in; what fails in one of several calls is taken back."""
        if (open_ := self.here()) is None:
            with self.database.writing() as conn:
                yield conn
            return
        with deferred_interrupt(), open_.step() as conn:
            yield conn

    def after(self, conn: Connection, call: Callable[[], None]) -> None:
        """Call something when a call's transaction is carried out; of several calls, at once."""
        if self._holding(conn) is not None:
            call()
        else:
            conn.info.setdefault(AFTER, []).append(call)

    # -- saving ------------------------------------------------------------------------------

    def walk(self, roots: list[Any]) -> Walk:
        """Walk entities that are to be saved; see `looking.Inside`."""
        return walk_to_save(roots) if self.here() else walk_known(roots, self.catalog.remembered)

    def plan(self, found: Walk) -> SavePlan:
        """Return what saving a walk would do."""
        if not self.database.exists():
            return self._plan(None, self.catalog.at({}), {}, found)
        with self.looking() as conn:
            return self._plan(conn, *self.found(conn), found)

    def _plan(
        self, conn: Connection | None, catalog: Catalog, next_ids: dict[str, int], found: Walk
    ) -> SavePlan:
        for known in catalog.mapping.map_classes(found.classes):
            catalog.check_fields(known)
        return Save(conn, catalog, found, next_ids).prepare()

    def save(
        self,
        found: Walk,
        note: str | None,
        added_since: AsOf = None,
        alone: int | None = None,
    ) -> None:
        """Store a walk in one transaction; see `looking.Inside`."""
        check_note(note)
        if not found.entities:
            return
        # An interrupt, and the next writer, wait until the entities know their versions.
        with deferred_interrupt(), collector_paused(), self.database.turn():
            # Before there is a file: what cannot be stored must not leave an empty one behind.
            part = None if alone is None else part_alone(found, alone)
            early = None
            if not self.database.exists():
                found = gone_again(found)
                early = self._prepare(found, part)
            with self.writing() as conn:
                made = self.is_made(conn)
                if made and added_since is None and part is None:
                    part = self._changed_part(conn, found)
                if part is None:
                    found = gone_again(found)
                elif not part.found.entities:
                    self._keep(conn, part)
                    return
                save = self._save(conn, made, found, note, early, added_since, part)
                self.after(conn, functools.partial(self._carried_out, save))

    def _changed_part(self, conn: Connection, found: Walk) -> Part | None:
        """Return what of a walk is not as it is stored, where that is known."""
        era = self.catalog.remembered.era_of(self.catalog.found_revision(conn))
        return None if era is None else changed_part(found, era, self.catalog.mapping)

    def _keep(self, conn: Connection, part: Part) -> None:
        """Keep the walk of what has not changed."""
        remembered = self.catalog.remembered
        with remembering:
            era = remembered.era_of(self.catalog.found_revision(conn))
            if era is not None and part.whole is not None and self._holding(conn) is None:
                keep(part.whole, remembered, era)

    def _carried_out(self, save: Save) -> None:
        open_ = None if save.conn is None else self._holding(save.conn)
        if open_ is not None:
            open_.saved(save)
            return
        self.catalog = save.catalog
        self.catalog.carried_out(save.made)
        save.finish()

    def _save(
        self,
        conn: Connection,
        made: bool,
        found: Walk,
        note: str | None,
        early: Save | None = None,
        added_since: AsOf = None,
        part: Part | None = None,
        session: InSession | None = None,
    ) -> Save:
        if not made:
            self.catalog.create(conn)
        save = None if made else early
        catalog, free = self._types(conn, made=True) if save is None else (save.catalog, {})
        walk = found if part is None else part.found
        if save is None and catalog.lacks(walk):
            catalog = catalog.fork()  # it may fail, and what it makes is not there for others yet
        with catalog.synced(conn, catalog.mapping.map_walk(walk), free) as next_ids:
            if save is None and part is not None:
                save = Save(conn, catalog, found, next_ids, part=part)
                try:
                    save.prepare()
                except (EcsvizError, WholeNeededError):
                    if part.alone:
                        raise
                    save = None  # whatever it is, who looks at the whole tells it
            if save is None:
                save = Save(
                    conn, catalog, gone_again(found), next_ids, added_since, session=session
                )
                save.prepare()
            save.write(conn, note)
            if save.written_by_hand:
                with runs(Load(conn, catalog)):
                    check_rows(conn, self.handwritten, save.written_by_hand)
        return save

    def _prepare(self, found: Walk, part: Part | None) -> Save:
        """Find out what a walk changes where nothing is stored yet."""
        open_ = self.here()
        catalog = (self if open_ is None else open_).catalog.fork({})
        catalog.mapping.map_walk(found)
        save = Save(None, catalog, found, {}, part=part)
        save.prepare()
        return save

    # -- for the declarative models ----------------------------------------------------------

    def running_load(self) -> Load | None:
        """Return the load of this store that calls the user's methods just now, if one does."""
        now = running.get()
        here = isinstance(now, Load) and now.catalog.database is self.database
        return now if here else None

    def load_rows(self, conn: Connection, roots: dict[str, list[int]]) -> list[Any]:
        """Return the entities of some rows, given per type by row id, in a transaction."""
        rows = [(name, row_id) for name, ids in roots.items() for row_id in ids]
        if (now := self.running_load()) is not None:
            return [now.promise(*row) for row in rows]
        with self.database.translated():  # the session is the user's
            return Load(conn, self.found(conn)[0]).entities(rows)

    def save_in(self, session: Session, entity: Entity) -> int:
        """Save an entity in a session's transaction; return its row id.

        The entity gets its version when the session commits.
        """
        now = running.get()
        if isinstance(now, Save) and now.catalog.database is self.database:
            row_id = now.row_of(entity)
            if row_id is not None:  # a hand-written from_entity() asks for what is being saved
                return row_id
        self.check_writable()
        conn = session.connection()
        saves = (save for save in unfinished(session) if isinstance(save, Save))
        before = [save for save in saves if save.catalog.database is self.database]
        done = InSession(before, self.catalog.effects) if before else None
        walk = walk_to_save(as_roots(entity))
        save = self._save(conn, self.is_made(conn), walk, None, session=done)
        when_committed(session, save)
        return save.rows.row_id(0)

    # -- asking ------------------------------------------------------------------------------

    def read(self, ids: list[UUID], extent: Extent, as_of: AsOf) -> list[Any]:
        """Return the entities of some ids; see `looking.Inside`."""
        if (
            now := self.running_load()
        ) is not None:  # a hand-written to_entity() asks for what will be there
            there = now.find_all(ids)
            return [now.promise(*there[ecs_id]) for ecs_id in ids]
        with self.reading(as_of) as (conn, catalog):
            there = Load(conn, catalog).find_all(ids)
            return self._read(conn, catalog, [there[ecs_id] for ecs_id in ids], extent)

    def find(self, wanted: Search, extent: Extent, as_of: AsOf) -> list[Any]:
        """Return the entities that fit; see `looking.Inside`."""
        with self.reading(as_of) as (conn, catalog):
            rows = find_rows(conn, catalog, self._asked(wanted, catalog), wanted)
            return self._read(conn, catalog, rows, extent)

    def _read(self, conn: Connection, catalog: Catalog, rows: Rows, extent: Extent) -> list[Any]:
        names = None if extent.only is None else stored_ids.names_of(extent.only, catalog.mapping)
        if extent.lazy:
            self.check_alone("lazy=True")
            moment = Moment(self.reading, conn, catalog)
            return load_lazily(moment, conn, catalog, rows, extent, names, check_sums)
        load = Load(conn, catalog, remembers=True)
        found = load.entities(rows, extent.hops, names)
        if extent.check:
            check_sums(conn, catalog, whole_rows(load.loaded, load.left_out))
        return found

    def count(self, wanted: Search, as_of: AsOf) -> int:
        """Return how many fit, up to the limit; one statement."""
        with self.reading(as_of) as (conn, catalog):
            return count_rows(conn, catalog, self._asked(wanted, catalog), wanted)

    def batches(
        self, wanted: Search, size: int, extent: Extent, as_of: AsOf
    ) -> Iterator[list[Any]]:
        """Yield the entities that fit, some at a time; see `looking.Inside`."""
        with self.reading(as_of) as (conn, catalog):
            names = self._asked(wanted, catalog)
            parts: Iterable[tuple[str, array[int] | None]] = [(name, None) for name in names]
            if wanted.criteria or not names:  # which says what cannot be asked
                parts = chosen_of(names, find_rows(conn, catalog, names, wanted)).items()
            if not names or not self.is_made(conn):
                return iter(())
            moment, open_ = Moment(self.reading, conn, catalog), self._holding(conn)
            check = None if open_ is None else open_.seen()
        read = functools.partial(self._read, extent=extent)
        return in_batches(moment, parts, size, read, check)

    def _asked(self, wanted: Search, catalog: Catalog) -> list[str]:
        """Return the stored types of the class that is asked for."""
        if self.handwritten.model_of(wanted.cls) is not None:
            raise by_hand(wanted.cls)
        return stored_ids.types_of(wanted.cls, catalog.mapping)

    # -- ids and versions --------------------------------------------------------------------

    def identities(
        self, cls: type, names: Sequence[str], columns: Sequence[list[Any]], ids: Collection[UUID]
    ) -> list[Identity]:
        """Return who is stored of a class with some values; see `looking.Inside`."""
        with self.reading() as (conn, catalog):
            return identities(conn, catalog, cls, names, columns, ids)

    def every_id(self, as_of: AsOf) -> list[UUID]:
        """Return the ids of everything that is, or was, stored."""
        with self.reading(as_of) as (conn, catalog):
            return stored_ids.every_id(conn, catalog)

    def stored_versions(self, ids: list[UUID]) -> dict[UUID, int]:
        """Return the versions of those that are stored."""
        with self.reading() as (conn, catalog):
            return stored_ids.stored_versions(conn, catalog, ids)

    def first_revisions(self, ids: list[UUID]) -> dict[tuple[UUID, int], int]:
        """Return for every version of some entities the revision that made it."""
        with self.reading() as (conn, catalog):
            return first_revisions(conn, catalog, ids)

    def past(self, ecs_id: UUID) -> tuple[Past, int]:
        """Return the past of an entity, and the oldest revision that is kept of the store."""
        with self.reading() as (conn, catalog):
            return past_of(conn, catalog, ecs_id), catalog.oldest_revision(conn)

    # -- looking -----------------------------------------------------------------------------

    def contents(self) -> Contents:
        """Return what is stored: a statement per type, and two for the revisions."""
        with self.reading() as (conn, catalog):
            if not self.is_made(conn):
                return Contents(str(self.database), [])
            return stored_contents(conn, catalog, str(self.database))

    def drawn(self) -> sa.MetaData:
        """Return the tables, also of classes that are not defined here: as the database says."""
        with self.reading() as (conn, catalog):
            mapping = catalog.mapping
            mapping.map_met()
            if not self.is_made(conn) or all(name in mapping.by_type for name in mapping.stored):
                return mapping.metadata
            found, schema = sa.MetaData(), mapping.metadata.schema
            found.reflect(conn, schema, only=lambda name, _: not name.startswith(INDEXES))
            return found

    def classes(self) -> list[StoredClass]:
        """Return the stored classes, by name."""
        with self.reading() as (conn, catalog):
            return pages.stored_classes(conn, catalog)

    def columns(self, name: str) -> list[PageColumn]:
        """Return the columns that pages of a class have."""
        with self.reading() as (_, catalog):
            return pages.columns_in_pages(catalog, name)

    def page(self, name: str, wanted: Wanted) -> Page:
        """Return a page of a class."""
        with self.reading() as (conn, catalog):
            return pages.page_of(conn, catalog, name, wanted)

    def class_of(self, ecs_id: UUID) -> str | None:
        """Return the name of the class of an entity, None if it is not stored."""
        with self.reading() as (conn, catalog):
            return pages.class_of(conn, catalog, ecs_id)

    def place(self, name: str, ecs_id: UUID) -> int:
        """Return how many entities of a class were stored before one; 0 if it is gone."""
        with self.reading() as (conn, catalog):
            return pages.place_of(conn, catalog, name, ecs_id)

    def holders(self, ecs_id: UUID, limit: int) -> tuple[list[UUID], int]:
        """Return the first entities that hold one, and how many do; see `looking.Inside`."""
        with self.reading() as (conn, catalog):
            return holders.holders_of(conn, catalog, ecs_id, limit)
