"""The upkeep of a store on SQLAlchemy: verified, adopted, fitted to changed classes, pruned."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.engine import Connection

from ecsviz.basics.arguments import file_path, flag, listed
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.result_frames import typed_frame
from ecsviz.basics.views import view
from ecsviz.domain.entity import Entity
from ecsviz.domain.isomorphic import find_difference
from ecsviz.errors import (
    BrokenReferenceError,
    InvalidArgumentError,
    StorageError,
    StoredDataInvalidError,
    short_repr,
)
from ecsviz.storage.as_of import AsOf, check_as_of, said_as
from ecsviz.storage.checks import check_note
from ecsviz.storage.protocol import EntityStorage, as_id, check_entity_class, check_repairs_to
from ecsviz.storage.relational.inside import SqlInside
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.past.past_catalog import prune
from ecsviz.storage.relational.schema.catalog import Catalog
from ecsviz.storage.relational.upkeep.adopt import ADOPTED, Adopt
from ecsviz.storage.relational.upkeep.backup import backup, refused
from ecsviz.storage.relational.upkeep.class_changes import Migration
from ecsviz.storage.relational.upkeep.mended_schema import mended
from ecsviz.storage.relational.upkeep.migrate import Migrate
from ecsviz.storage.relational.upkeep.repair import StoreRepair
from ecsviz.storage.relational.upkeep.verify import Verify
from ecsviz.storage.reports import (
    Problem,
    Repaired,
    lost_type,
    problems_frame,
    repaired_frame,
)
from ecsviz.storage.saved import tell
from ecsviz.storage.sql.sqlite_errors import is_damaged

if TYPE_CHECKING:
    import pandas as pd


class StoreUpkeep:
    """The part of `SQLAlchemyEntityStorage` that keeps a store in order."""

    inside: SqlInside

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
            ``reference``, ``position``, ``unique``, ``pair``, ``history``, ``revision``, ``graph``,
            ``text``, ``origin`` or ``foreign``) and ``detail``. ``unique``: two entities have a
            value of which each needs its own. ``pair``: a list and a back-reference differ; give
            the entity another holder, or put it into the list. ``text``: an index of words is not
            that of the texts; `drop_text_index` and `index_text` make it anew. ``origin``: what the
            source of an import has said is not known any more; where somebody has edited it, the
            next import tells of a conflict. ``foreign``: somebody's trigger or view.

        Notes
        -----
        Every row carries a checksum of its content and a seal over the rest; they are computed
        anew from what is stored. Rows that were written through SQL or a session show up as
        ``content`` or ``outside``: those of the present until their entities are got and
        registered again, or `adopt_changes` takes them over; those of the past until they are
        pruned. A row that SQL has deleted is missing (``history``) if it has a past; of one that
        never was otherwise, only `entity` tells. Of hand-written models, only what the store keeps
        of them is verified. Damage beyond reading raises StorageCorruptError. O(rows of the
        present and the past).

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

        with collector_paused(), self.inside.reading(tell=tell) as (conn, catalog):
            if self.inside.is_made(conn):
                problems += Verify(conn, catalog).run()
                present = {name for of in catalog.mapping.stored.values() for name in of.tables}
                edited = [p for p in problems if p.table in present]
                doubtful = [p.ecs_id for p in edited if p.problem == "content" and p.ecs_id]
                catalog.remembered.trust(not edited, doubtful)
            if entity is not None and not any(p.table == "ecs_types" for p in problems):
                catalog.remembered.forget()  # the next save writes what is not there any more
                problems += _differences(conn, catalog, entity)
            return problems_frame(problems)

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Copy the whole store into a new file, as it is at one moment, past included.

        Parameters
        ----------
        path
            Where there is nothing yet. The file appears whole or not at all.

        Returns
        -------
        Path
            The file: a store like this one.

        Raises
        ------
        InvalidArgumentError
            If there is something at `path` already.
        FileNotWrittenError, StorageFullError, StorageIOError
            If it cannot be written. Nothing is left behind.
        StorageError
            If the store is on PostgreSQL: the message names ``pg_dump``.
        TransactionError
            Inside ``with store.transaction()``, whose changes nobody else may see yet.

        Notes
        -----
        SQLite's online backup: others go on reading, and with a write-ahead log writing. What
        `verify` says of the copy is what it says of the store. O(size of the store).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="Cycles"))
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with ev.SQLAlchemyEntityStorage(store.backup(f"{folder}/copy.db")) as copy:
        ...         copy.get(thread.ecs_id).title, len(copy.verify())
        ('Cycles', 0)
        """
        self.inside.check_alone("backup()")
        file = file_path(path)
        database = self.inside.database
        if not database.is_sqlite:
            raise refused(database.url, database.row.title)
        if not database.exists():
            raise StorageError("There is nothing to back up yet: nothing was registered.")
        with database.reading() as conn:
            return backup(conn, file)

    def repair(self, to: EntityStorage, *, doubtful: bool = False) -> pd.DataFrame:
        """Save in another store all that is sound of this one, and return what is not as it was.

        Parameters
        ----------
        to
            A storage that holds nothing yet.
        doubtful
            Whether an entity of which no state is sound, but can be read, is saved as it stands.
            By default it is not: nothing that was never stored is invented.

        Returns
        -------
        DataFrame
            A row for every entity that `to` has otherwise, or not, none if it has all of them as
            they were stored last: ``class``, ``ecs_id`` (None where nobody knows), ``what``, the
            ``version`` here that was saved (0 for none) and ``detail``. ``gone``: no sound state,
            or it requires what is gone. ``doubtful``: saved as it stands. ``past``: saved as its
            newest sound state of the past. ``cut``: saved without references to what is gone.

        Raises
        ------
        InvalidArgumentError
            If `to` is no storage, or holds something.
        UnknownTypeError, SchemaOutdatedError
            If a class is not defined here, or otherwise than it was stored.
        StorageCorruptError
            If not even what the store says of its types can be read: take a backup.
        StorageError
            If a class is kept in a hand-written model, whose values have no checksums.

        Notes
        -----
        Nothing is written here. A row is sound if its checksum and its seal are those of what
        stands in it; where pages of a file cannot be read, the rows around them are. What `to` gets
        has no past; it is one revision, or, on an error, nothing. O(rows of the present and the
        past), and all entities in memory.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="Plan"))
        >>> thread.title = "A better plan"
        >>> _ = store.register(thread)
        >>> with store.engine.begin() as conn:
        ...     _ = conn.exec_driver_sql("UPDATE chat_threads SET title = 'A bitter plan'")
        >>> new = ev.SQLAlchemyEntityStorage(":memory:")
        >>> store.repair(to=new)[["class", "what", "version"]]
                class  what  version
        0  ChatThread  past        1
        >>> new.get(thread.ecs_id).title
        'Plan'
        """
        check_repairs_to(to)
        doubtful = flag(doubtful, "doubtful")
        self.inside.check_open()
        with collector_paused():
            found, told, whole = list[Any](), list[Repaired](), False
            try:
                found, told, whole = _repaired(self.inside, doubtful)
            except StorageError as err:
                if not (self.inside.database.path and is_damaged(err)):
                    raise
            if self.inside.database.path and not whole and self.inside.here() is None:
                own, models = self.inside.catalog.metadata.tables, self.inside.handwritten.by_class
                opened = partial(SqlInside, models=models, deadline=self.inside.database.deadline)
                with mended(self.inside.database, own.values(), opened) as copy:
                    found, told, _ = _repaired(copy, doubtful)
        if found:
            to.register(found, note=f"repaired from {self.inside.database}")
        return repaired_frame(told)

    @view
    def from_parquet(
        self,
        folder: str | os.PathLike[str],
        *,
        note: str | None = None,
        progress: bool | None = None,
    ) -> int:
        """Fill the store from a folder that ``to_parquet`` wrote, in one revision.

        Parameters
        ----------
        folder
            The folder.
        note
            What the revision is about.
        progress
            As of ``to_parquet``.

        Returns
        -------
        int
            How many entities were stored.

        Raises
        ------
        InvalidArgumentError
            If the store holds entities of one of the classes already.
        UnknownTypeError
            If one of them is not defined here.
        SchemaOutdatedError
            If it has other fields here.
        ImportFormatError
            If it is no such folder, or files are missing or damaged: all are held against the
            digests in ``graph.json`` before anything is stored.
        NotInstalledError
            Without DuckDB and pyarrow (``pip install 'ecsviz[scale]'``).

        Notes
        -----
        Ids and versions are what they were; the past is not in the folder. In the memory of some
        rows, and of what DuckDB holds (500 MB) to join and sort.

        Examples
        --------
        >>> import ecsviz as ev, tempfile
        >>> store, other = (ev.SQLAlchemyEntityStorage(":memory:") for _ in range(2))
        >>> thread = store.register(ev.sample("thread"))
        >>> with tempfile.TemporaryDirectory() as place:
        ...     other.from_parquet(store.to_parquet(f"{place}/graph"))
        19
        >>> len(other.verify(thread))
        0
        """
        raise NotImplementedError

    def adopt_changes(self, note: str | None = None, *, dry_run: bool = False) -> pd.DataFrame:
        """Take over rows that were changed, added or deleted through SQL, as one revision.

        Parameters
        ----------
        note
            What the revision is about.
        dry_run
            Only tell what would be adopted, or why it cannot be.

        Returns
        -------
        DataFrame
            A row per entity: ``class``, ``ecs_id``, ``what`` (``added``, ``changed`` or
            ``deleted``) and the new ``version``. Empty if nothing was changed; there is no new
            revision then.

        Raises
        ------
        StoredDataInvalidError, BrokenReferenceError, InverseMismatchError
            If a row cannot be read as an entity of its class, refers to what is not there, or a
            list and its back-reference disagree. Nothing is written then.

        Notes
        -----
        SQL overwrites in place, so what a row said before is not known any more. The history
        says: from the revision that last wrote the row, and from this one on, what was found
        now. An entity that was deleted keeps its last archived state until this revision; of one
        that was deleted before it ever changed, no trace is left to adopt. A holder whose list
        gained or changed a member gets a new version with it. Objects in memory are at the old
        version: `register` raises StaleVersionError for them. Added rows need an ``ecs_id``, an
        ``ecs_lineage_id``, any number as ``ecs_version`` and ``ecs_revision``, and on PostgreSQL a
        free ``id``. The tables of
        hand-written models are not looked at. O(all rows, present and past); statements per
        class.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="Cycles"))
        >>> with store.session_factory.begin() as session:
        ...     row = session.query(store.sql_model(ev.ChatThread)).one()
        ...     row.title = "Rings"
        >>> len(store.verify())
        1
        >>> store.adopt_changes(note="by hand")[["class", "what", "version"]]
                class     what  version
        0  ChatThread  changed        2
        >>> len(store.verify()), store.get(thread.ecs_id).title
        (0, 'Rings')
        """
        self.inside.check_writable(alone="adopt_changes()")
        only_told = flag(dry_run, "dry_run")
        check_note(note)
        rows: list[tuple[str, UUID, str, int]] = []
        if self.inside.database.exists():
            with self.inside.database.writing() as conn:
                catalog, next_ids = self.inside.found(conn)
                found = Adopt(conn, catalog, next_ids) if self.inside.is_made(conn) else None
                if found:
                    catalog.remembered.trust(True)
                    found.run(note)
                    rows = found.rows()
                if only_told:
                    conn.rollback()
            if rows and not only_told:
                tell(self.inside, [row[1] for row in rows])
        return typed_frame(rows, dict(zip(ADOPTED, ("str", object, "str", "int64"), strict=True)))

    def migrate(
        self,
        *classes: type[Entity],
        drop: Iterable[str] = (),
        rename: MappingOf[str, str] | None = None,
        convert: MappingOf[str, Callable[[Any], Any]] | None = None,
        dry_run: bool = False,
    ) -> Migration:
        """Make the tables fit classes that have changed since they were stored.

        Parameters
        ----------
        *classes
            What to migrate, with subclasses; by default every class that is defined here.
        drop
            Fields that are gone and whose values may be lost, as ``"Class.field"``. Nothing else
            is dropped.
        rename
            What fields are called now: ``{"Class.old": "new"}``.
        convert
            How fields that have another type get their values: ``{"Class.field": function}``, by
            the present name. The function gets every stored value, of the past as well, as its
            column holds it: of an enum its value, of a duration microseconds, of models and other
            structures lists and dictionaries. What it returns is validated as the class validates
            the field. None stays None where the field may be None; where it may not, the function
            gets it too.
        dry_run
            Only tell what would be done, and what is refused. Functions of `convert` are
            called, and nothing is written.

        Returns
        -------
        Migration
            Every difference, and ``kept``: what of your own was in the way; shows as a table.

        Raises
        ------
        MigrationRefusedError
            If a change would lose or invent something, a value cannot be converted, or a view,
            trigger or index of your own could not work any more. Nothing is changed then.
        InvalidArgumentError
            If `drop` or `rename` names what is not stored, or `convert` what cannot be converted:
            unknown fields, references, fields whose type has not changed.

        Notes
        -----
        Safe are: a field with a default added, a field renamed or dropped by name, None allowed
        or (where no value is None) no longer allowed, further classes in a reference; and
        another type, with a function. One transaction, through Alembic's operations; on SQLite,
        altered tables are made anew. Views, triggers, indexes and foreign keys of your own are
        there afterwards with the text they had (where they are in the way, they are dropped and
        made again, and no trigger fires meanwhile); what speaks of a column that goes is named,
        and the migration refused. PostgreSQL renames a column in them by itself. The entities
        keep their versions. O(rows of the classes that changed).

        A change between types that SQL does not tell apart (a number of minutes that becomes a
        duration, a text that becomes an enum) is no difference of tables: nothing reminds of it,
        so convert before anything is registered. What was converted is noted, and not converted
        to the same type twice.

        Examples
        --------
        >>> import ecsviz as ev
        >>> class Recipe(ev.Entity):
        ...     title: str
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> soup = store.register(Recipe(title="Soup"))
        >>> class Recipe(ev.Entity):  # the cell is edited and run again
        ...     name: str
        ...     minutes: int = 30
        >>> store.migrate(rename={"Recipe.title": "name"})
        Migration: 2 changes, applied
          Recipe.name: renamed from title (TEXT → TEXT)
          Recipe.minutes: added (BIGINT)
        >>> store.get(soup.ecs_id).name, store.get(soup.ecs_id).minutes
        ('Soup', 30)

        A field with another type (and another name):

        >>> class Recipe(ev.Entity):
        ...     name: str
        ...     hours: float
        >>> store.migrate(
        ...     rename={"Recipe.minutes": "hours"},
        ...     convert={"Recipe.hours": lambda minutes: minutes / 60},
        ... )
        Migration: 2 changes, applied
          Recipe.hours: renamed from minutes (BIGINT → DOUBLE)
          Recipe.hours: converted, 1 value (BIGINT → DOUBLE)
        >>> store.get(soup.ecs_id).hours
        0.5
        """
        for cls in classes:
            check_entity_class(cls)
        few = f"Give a list: drop=[{drop!r}]." if isinstance(drop, str) else None
        drop = listed(drop, "drop", few or "Give a list of 'Class.field'.")
        rename, convert = (
            _mapping(given, name) for given, name in ((rename, "rename"), (convert, "convert"))
        )
        dry_run = flag(dry_run, "dry_run")
        if not dry_run:
            self.inside.check_writable(alone="migrate()")
        if not self.inside.database.exists():
            return Migration()
        with self.inside.looking() if dry_run else self.inside.database.altering() as conn:
            catalog, _ = self.inside.found(conn)
            if not self.inside.is_made(conn):
                return Migration()
            found = Migrate(conn, catalog, classes or None, drop, rename, convert)
            if not dry_run:
                catalog.remembered.forget()
                found.apply()
        if not dry_run:
            tell(self.inside)
        return found.migration

    def prune(self, before: AsOf = None) -> int:
        """Forget the past, in one transaction.

        Parameters
        ----------
        before
            A revision or an aware time from which on the past is kept; None forgets all of it.

        Returns
        -------
        int
            How many superseded rows are gone.

        Raises
        ------
        InvalidArgumentError
            If there is no such revision.

        Notes
        -----
        What is stored now stays as it is, with its versions, and so does every state from
        `before` on. O(rows that go).

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = store.register(ev.ChatThread(title="a"))
        >>> for title in "bcd":
        ...     thread.title = title
        ...     _ = store.register(thread)
        >>> store.prune(before=3), store.get(thread.ecs_id, as_of=3).title
        (2, 'c')
        """
        self.inside.check_writable(alone="prune()")
        with said_as("before"):
            if self.inside.database.exists():
                with self.inside.database.writing() as conn:
                    catalog, _ = self.inside.found(conn)
                    made = self.inside.is_made(conn)
                    gone = prune(conn, catalog, before) if made else 0
                if made:
                    tell(self.inside)
                    return gone
            if before is not None:
                check_as_of(before, 0)
            return 0


def _differences(conn: Connection, catalog: Catalog, entity: Any) -> list[Problem]:
    """Return in what the stored graph is not isomorphic to a live one."""
    load = Load(conn, catalog)
    wanted = as_id(entity)
    rows = list(load.find_all([wanted]).values())
    try:
        (there,) = load.entities(rows)
    except (StoredDataInvalidError, BrokenReferenceError) as err:
        return [Problem("", "", wanted, "graph", f"cannot be read: {err}")]
    difference = find_difference(there, entity)
    return [] if difference is None else [Problem("", "", wanted, "graph", difference)]


def _mapping(given: Any, name: str) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, MappingOf):
        raise InvalidArgumentError(
            f"{name} is {short_repr(given)}. Give a dictionary with 'Class.field' as keys.",
            value=given,
        )
    return dict(given)


def _repaired(inside: SqlInside, doubtful: bool) -> tuple[list[Any], list[Repaired], bool]:
    """Return what a repair finds, what it tells, and whether the tables are as they were made."""
    told: list[Repaired] = []
    with inside.reading(tell=lambda name, why: told.append(lost_type(name, why))) as state:
        conn, catalog = state
        if not inside.is_made(conn):
            return [], [], True
        repair = StoreRepair(conn, catalog, doubtful=doubtful)
        found = repair.run()
        return found, told + repair.told, repair.whole
