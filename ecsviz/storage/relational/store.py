"""SQLAlchemyEntityStorage: entities saved, got, found and deleted in a relational database."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from collections.abc import Mapping as MappingOf
from contextlib import nullcontext
from typing import Any
from uuid import UUID

from sqlalchemy.engine import URL, Engine

from ecsviz.basics.addresses import Journal
from ecsviz.basics.arguments import flag
from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.progress import steps
from ecsviz.domain.entity import Entity
from ecsviz.errors import StorageMovedError
from ecsviz.graph.arrays import as_roots
from ecsviz.storage.arriving import save, walk_to_plan
from ecsviz.storage.as_of import AsOf
from ecsviz.storage.asking import AskingStorage
from ecsviz.storage.catching_up import CatchingUp
from ecsviz.storage.comparing import VersionedStorage
from ecsviz.storage.matching import matched, would_match
from ecsviz.storage.protocol import (
    E_,
    Extent,
    Match,
    as_id,
    as_registered,
    check_alone,
    check_entity_class,
    check_type,
    ids_in_order,
    ids_of,
    not_found,
    registers_itself,
)
from ecsviz.storage.relational.inside import SqlInside
from ecsviz.storage.relational.load.ids import every_id, types_of
from ecsviz.storage.relational.load.load import Load
from ecsviz.storage.relational.rehearsal import rehearsed
from ecsviz.storage.relational.save.delete import Delete
from ecsviz.storage.relational.store_frames import StoreFrames
from ecsviz.storage.relational.store_tables import StoreTables
from ecsviz.storage.relational.store_texts import StoreTexts
from ecsviz.storage.relational.store_upkeep import StoreUpkeep
from ecsviz.storage.renewal import walk_of_given, walk_to_save
from ecsviz.storage.save_plan import SavePlan
from ecsviz.storage.saved import listening, met, tell


class SQLAlchemyEntityStorage(
    VersionedStorage, CatchingUp, AskingStorage, StoreTables, StoreFrames, StoreUpkeep, StoreTexts
):
    """Entity graphs in a relational database, one conventional table per class.

    Parameters
    ----------
    target
        A path (made at the first `register`), a SQLAlchemy URL, an Engine, or ``":memory:"``.
    models
        Hand-written declarative models for some classes, with an ``ecs_id`` column,
        ``from_entity(entity, session)`` and ``to_entity()``. They keep values, and references
        to classes that have a model too; those that the methods leave out, the store sets and
        reads through the model's relationships and foreign keys: the one of the field's name, or
        the only one to its class; a list's order through ``position`` or the column of
        ``order_by``. References to other classes need no column: the store
        keeps them, in ``ecs_of_…`` tables, and fills them in after ``to_entity()`` (which may
        leave out a required one with ``model_construct``).
    journal
        For SQLite files: ``"delete"`` (the default: no acknowledged save was lost in simulated
        power cuts, and a file moved away is noticed) or ``"wal"`` (reading while writing).
    timeout, deadline
        Seconds: for another writer; for a statement where a file has triggers or views of others.
    schema
        The database schema for all tables, where the database has such.
    read_only
        Whether nothing may be written: what would write raises StorageReadOnlyError before it does
        anything, a missing file is an error, and the database itself is opened to be read. So it
        is too with a URL that says ``?mode=ro&uri=true``.
    unsupported
        Whether another engine than SQLite and PostgreSQL is tried. It lacks what a store needs
        (the error says what), so that a save which fails may leave half of itself.

    Raises
    ------
    StorageOpenError
        If the target cannot be opened, or is of an engine on which no store can lie.

    Notes
    -----
    Nothing is stored before `register`; everything in one transaction; the number of statements
    grows with classes, not with entities. It can stand in a ``with`` statement, which closes it.
    It can be pickled, and is opened by its URL where it is unpickled (the password in a URL goes
    with it); one in memory, or on an Engine, cannot. Every method may be called from any thread:
    in asynchronous code, ``asyncio.to_thread`` does, and the event loop goes on meanwhile.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> store.register(thread) is thread
    True
    >>> again = store.get(thread.ecs_id)
    >>> again.messages[0].thread is again, again.version
    (True, 1)

    In asynchronous code (in a notebook, ``await`` stands in the cell itself):

    >>> import asyncio
    >>> async def rename(title: str) -> int:
    ...     there = await asyncio.to_thread(store.get, thread.ecs_id)
    ...     there.title = title
    ...     return (await asyncio.to_thread(store.register, there)).version
    >>> asyncio.run(rename("Rings"))
    2
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
        self.inside: SqlInside = SqlInside(
            target,
            models=models,
            journal=journal,
            timeout=timeout,
            deadline=deadline,
            schema=schema,
            read_only=read_only,
            unsupported=unsupported,
        )

    def __repr__(self) -> str:
        database = self.inside.database
        told = ", read_only=True" * database.read_only + ", closed" * database.closed
        return f"SQLAlchemyEntityStorage({str(database)!r}{told})"

    def close(self) -> None:
        """Close what was opened; using the store afterwards raises StorageClosedError.

        An Engine that was handed in stays open. A store that is dropped closes by itself. In the
        block of a transaction it is a TransactionError, and the block goes on.
        """
        self.inside.close()

    def __reduce__(self) -> tuple[Any, ...]:
        options = {
            "models": dict(self.inside.handwritten.by_class),
            "journal": self.inside.database.journal,
            "timeout": self.inside.database.timeout,
            "deadline": self.inside.database.deadline,
            "schema": self.inside.catalog.metadata.schema,
            "read_only": self.inside.database.read_only,
            "unsupported": self.inside.unsupported,
        }
        address, made = self.inside.database.address(), self.inside.database.exists()
        return _reopened, (type(self), address, made, options, self.inside.catalog.identity)

    # -- saving ------------------------------------------------------------------------------

    def explain(
        self, entity_or_entities: Any, *, match: Match | None = None, sql: bool = False
    ) -> SavePlan:
        """Return what `register` would do, without doing it.

        Parameters
        ----------
        entity_or_entities, match
            As for `register`.
        sql
            Whether the plan has the ``statements`` as well, with their parameters: the save runs in
            a transaction that is taken back, and waits for others who write.

        Returns
        -------
        SavePlan
            Steps, order of the types, deferred references; shows as a table.

        Raises
        ------
        EcsvizError
            Whatever `register` would raise.

        Notes
        -----
        Rows that PostgreSQL gets by COPY are no statements with parameters, and not among them.
        Where there is no database yet, the statements are those of a new one in memory.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> plan = store.explain(ev.ChatThread(title="Cycles"), sql=True)
        >>> [each.parameters[5] for each in plan.statements if "INTO chat_threads" in each.text]
        [1]
        >>> store.revisions().empty
        True
        """
        roots = as_roots(entity_or_entities)
        told = flag(sql, "sql")
        with (
            nullcontext() if match is None else would_match(self.inside, roots, match, walk_to_save)
        ):
            plan = self.inside.plan(walk_to_plan(self, roots))
            if told:
                plan.statements = rehearsed(self, roots)
            return plan

    def register(
        self,
        entity_or_entities: Any,
        note: str | None = None,
        *,
        hops: int | None = None,
        match: Match | None = None,
        progress: bool | None = None,
    ) -> Any:
        """Store entities with everything they lead to, in one transaction.

        Parameters
        ----------
        entity_or_entities
            An entity or an iterable of entities; or an id, which is looked up as by `get`.
        note
            What this revision is about.
        hops
            0 saves the given entities alone. What they hold must be stored; a list that
            back-references say is saved with its members, who come at its end. None saves
            everything that they lead to.
        match
            The name of the field that is a natural key, or a tuple of names: of the class of what
            is given, or by class, ``{Team: "slug"}``. Every new entity of that class, wherever in
            the graph, whose key is stored becomes the one that has it, with its ``ecs_id`` and
            version, so that it is updated; others are added. Fields that were not given (see
            pydantic's ``model_fields_set``) keep, and get, what is stored. None in all of the key
            is no key.
        progress
            Whether a bar is shown; None shows one if it takes longer than a second.

        Returns
        -------
        Entity
            What was given, its versions brought up to date.

        Raises
        ------
        StaleVersionError
            If the store has moved on since an entity was read. Nothing is written.
        InverseMismatchError
            If a list and its back-reference disagree, or a list has lost what needs its holder.
        BrokenReferenceError
            If entities that are saved alone hold what is not stored.
        UniqueValueError, SeveralFoundError
            With `match`, if two entities that are given, or that are stored, have one key.
        NotAnEntityError, DuplicateIdError, UnsupportedFieldError, ValueNotStorableError,
        SchemaOutdatedError
            If something cannot be stored, or does not come back from a hand-written model (the
            first new rows of each class are read back). Nothing is written.

        Notes
        -----
        What a list has lost, and is not saved with it, has no holder from then on. What changed is
        written; else there is no revision. O(entities + references), statements per class. A store
        remembers, in the entities themselves, what they looked like when it read or saved them:
        what has not changed is only compared with that, unless somebody else has saved since.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread, note="first")
        >>> message.content = thread.title = "edited"
        >>> store.register(message, hops=0).version, thread.version
        (2, 1)
        >>> store.get(thread.ecs_id).title, store.register(thread).version
        ('Cycles', 2)
        >>> again = ev.ChatThread(title="edited", source="a file")
        >>> store.register(again, match="title") == thread, again.version, again.messages[0]
        (True, 3, ChatMessage(ecs_id=..., not loaded))
        """
        if isinstance(entity_or_entities, (UUID, str)):
            return self.get(entity_or_entities)
        if (in_parts := registers_itself(entity_or_entities)) is not None:
            return in_parts(
                entity_or_entities, self, note, hops=hops, match=match, progress=progress
            )
        self.inside.check_writable()
        alone = check_alone(hops)
        walk = walk_of_given if alone else walk_to_save
        given, roots = as_registered(entity_or_entities)
        matching = nullcontext() if match is None else matched(self.inside, roots, match, walk)
        with collector_paused(), steps("saving", progress), matching:
            found = save(self, roots, note, alone)
        if listening:
            tell(self.inside, met(found))
        return given

    # -- getting -----------------------------------------------------------------------------

    def get(
        self,
        ecs_id: UUID | str,
        expected_type: type[E_] | None = None,
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        check: bool = False,
        progress: bool | None = None,
    ) -> Any:
        """Return the entity of an id, with everything it leads to.

        Parameters
        ----------
        ecs_id
            A UUID or its text.
        expected_type
            The class that it must be of.
        hops
            How many references to follow; None for all. What lies beyond is there as
            placeholders.
        only
            Classes, with their subclasses, whose entities are read; others are placeholders. What
            was asked for by its id is read in any case.
        lazy
            Whether placeholders load when they are touched, as the Notes say; `hops` is 0 then,
            unless `hops` or `only` say what is read at once.
        as_of
            A revision or an aware time: everything as it was then, deleted entities included.
        check
            Whether every row that is read is held against its checksum and seal, as `verify` does,
            with `lazy` also what loads later: CorruptEntityError. Reading takes about twice as
            long. A storage in memory has nothing to check.
        progress
            Whether a bar is shown; None shows one if it takes longer than a second.

        Raises
        ------
        EntityNotFoundError
            If the id is not stored.
        InvalidIdError
            If it is no UUID.
        UnknownTypeError
            If the store holds a type for which no class is defined here, or the entity is not
            of the expected one.
        CorruptEntityError
            With `check`, if a row is not as it was written.

        Notes
        -----
        Every call makes new objects. O(what is read); a constant number of statements per class,
        with `hops` per class and hop. Values are checked for their types, JSON is validated; that
        limits and validators of fields held when it was saved is trusted: `verify` tells by its
        checksum what was not written here. A placeholder is an object of its class that has its
        ``ecs_id`` and nothing else: looking at another field raises NotLoadedError. Registering
        the part leaves what was left out as it is; a change that would have to change it too is
        refused.

        With `lazy` it loads, and stays the object that it is, when one of its fields is looked at
        or set: with all members of the list (or set, …) in which it stands, and with up to 1,000
        others of its class that came with it; what these hold are placeholders again. All of it is
        read as the revision left it at which the first was read, whatever others write, without an
        open transaction. Once that past was pruned, or the store is closed or gone, the error says
        to read again. Nothing else loads: not ``repr``, ``==``, ``dir()``, graphs, pictures,
        `diff`, `register`, `fork`, and not ``model_post_init`` of what is read; in copies and
        pickles, and to dumps, a placeholder is one for good. (`refresh` and `merge` read all;
        ``model_copy(update=)`` and ``dict()`` look at every field. A plain model that holds a
        placeholder is dumped by pydantic itself, whose error says what is not loaded.)

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="Cycles")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> part = store.get(thread.ecs_id, hops=0)
        >>> part.title, part.messages == [message], hasattr(part.messages[0], "content")
        ('Cycles', True, False)
        >>> part.title = "Rings"
        >>> store.register(part).version, store.get(message.ecs_id).content
        (2, 'hello')
        >>> lazy = store.get(thread.ecs_id, lazy=True)
        >>> "not loaded" in repr(lazy.messages[0]), lazy.messages[0].content
        (True, 'hello')
        >>> lazy.messages[0].thread is lazy
        True
        """
        (found,) = self.get_many(
            [ecs_id],
            hops=hops,
            only=only,
            lazy=lazy,
            as_of=as_of,
            check=check,
            progress=progress,
        )
        return check_type(found, expected_type)

    def get_many(
        self,
        ecs_ids: Iterable[UUID | str],
        *,
        hops: int | None = None,
        only: Iterable[type[Entity]] | None = None,
        lazy: bool = False,
        as_of: AsOf = None,
        check: bool = False,
        progress: bool | None = None,
    ) -> list[Any]:
        """Return several entities, in the given order; what they share is one object.

        Parameters
        ----------
        ecs_ids
            UUIDs or their texts.
        hops, only, lazy, as_of, check, progress
            As in `get`.
        """
        ids, extent = ids_in_order(ecs_ids), Extent.of(hops, only, lazy, check)
        with steps("loading", progress):
            return self.inside.read(ids, extent, as_of) if ids else []

    def list_by_type(self, cls: type[E_], *, as_of: AsOf = None) -> list[E_]:
        """Return all entities of a class and its subclasses.

        Parameters
        ----------
        cls
            An entity class.
        as_of
            When; as in `get`.

        Returns
        -------
        list
            Class by class, in the order of their names; each in the order of storing.

        Raises
        ------
        NotAnEntityError
            If `cls` is no entity class.
        """
        check_entity_class(cls)
        with self.inside.reading(as_of) as (conn, catalog):
            load = Load(conn, catalog, remembers=True)
            names = types_of(cls, catalog.mapping)
            rows = [(name, n) for name in names for n in load.all_ids(name)]
            return load.entities(rows)

    def has_entity(self, ecs_id: UUID | str) -> bool:
        """Tell whether an id is stored."""
        wanted = as_id(ecs_id)
        with self.inside.reading() as (conn, catalog):
            return bool(Load(conn, catalog).find([wanted]))

    def get_lineage_entities(self, lineage_id: UUID | str) -> list[Any]:
        """Return all entities of one family, in the order of their ids.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> first = store.register(ev.ChatThread(title="a"))
        >>> second = store.register(first.fork())
        >>> store.get_lineage_entities(first.lineage_id) == [first, second]
        True
        """
        wanted = as_id(lineage_id)
        with self.inside.reading() as (conn, catalog):
            return self.get_many(sorted(every_id(conn, catalog, wanted)))

    # -- deleting ----------------------------------------------------------------------------

    def delete(self, entities_or_ids: Any) -> None:
        """Delete entities that nothing else refers to, in one transaction.

        Parameters
        ----------
        entities_or_ids
            An entity or an id, or several: those that hold each other are deleted together.

        Raises
        ------
        BrokenReferenceError
            If something that is not deleted refers to one of them; nothing is deleted then. A list
            says no more than its back-reference: it has one less, and its holder a new version.
        EntityNotFoundError
            If an id is not stored.

        Examples
        --------
        >>> import ecsviz as ev
        >>> store = ev.SQLAlchemyEntityStorage(":memory:")
        >>> thread = ev.ChatThread(title="a")
        >>> message = thread.say("user", "hello")
        >>> _ = store.register(thread)
        >>> store.delete([thread, *thread.messages])
        >>> store.has_entity(thread.ecs_id)
        False
        """
        self.inside.check_writable()
        ids = ids_of(entities_or_ids)
        if not ids:
            return
        if not self.inside.database.exists():  # and must not be made in order to delete from it
            raise not_found(ids[0], (), str(self.inside.database))
        with self.inside.writing() as conn:
            catalog, _ = self.inside.found(conn)
            load = Load(conn, catalog)
            found = load.find_all(ids)
            catalog.seen.warn_of_triggers(conn, catalog.mapping.stored.values())
            raised = Delete(conn, catalog, found).run()
            self.inside.after(conn, functools.partial(catalog.effects.note, raised))
        tell(self.inside, ids)


def _reopened(
    cls: type[SQLAlchemyEntityStorage],
    address: URL,
    made: bool,
    options: dict[str, Any],
    identity: str | None = None,
) -> SQLAlchemyEntityStorage:
    """Open a store that was pickled."""
    store = cls(address, **options)
    if made and not store.inside.database.exists():
        raise StorageMovedError(
            f"{store.inside.database} is not there, but was when this storage was pickled. Another"
            " machine needs the same file under the same path, or a database with a server.",
            path=store.inside.database.path,
        )
    try:
        store.inside.catalog.expect(identity)
    except StorageMovedError:
        store.close()
        raise
    return store
