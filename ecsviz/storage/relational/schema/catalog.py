"""What a store says about itself: its version, its types, its revisions, what was deleted."""

from __future__ import annotations

import copy
import json
import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.pool import SingletonThreadPool, StaticPool
from sqlalchemy.schema import CreateTable, ExecutableDDLElement

from ecsviz import errors
from ecsviz.domain.entity_class import classes_named, derives_from, newest_definition
from ecsviz.domain.walk import Walk
from ecsviz.storage.checks import SideEffects, differences, outdated
from ecsviz.storage.relational.schema.arcs import Arc, Kind, arcs_in
from ecsviz.storage.relational.schema.ddl import add_column, add_keys, allow_null, make_tables
from ecsviz.storage.relational.schema.foreign import Seen
from ecsviz.storage.relational.schema.history_tables import history_name, history_of
from ecsviz.storage.relational.schema.mapping import ClassMap, InverseList, Mapping, StoredType
from ecsviz.storage.relational.schema.own_tables import IDENTITY, OwnTables
from ecsviz.storage.relational.schema.seals import digest, revision_seal
from ecsviz.storage.relational.schema.store_identity import NEWEST, SEEN, StoreIdentity
from ecsviz.storage.relational.schema.stored_types import (
    Tell,
    fields_of,
    otherwise_stored,
    read_types,
    setting_number,
    setting_object,
    unknown_type,
)
from ecsviz.storage.relational.schema.system_columns import origins_of
from ecsviz.storage.relational.schema.text_index import TEXTS, inherit, keep_in_step
from ecsviz.storage.relational.schema.text_tables import changes_of
from ecsviz.storage.remembered import Remembered
from ecsviz.storage.sql.dialects import APPLICATION_ID
from ecsviz.storage.sql.engine import PROOF, OpenDatabase
from ecsviz.storage.sql.sqlite_errors import DAMAGED
from ecsviz.storage.sql.statements import (
    columns_of,
    delete_rows,
    insert_rows,
    update_rows,
    value_of,
)
from ecsviz.storage.together import TOGETHER, Together

SCHEMA_VERSION = 2
"""Which layout of tables this release writes."""

_SEALED = "ecs_sealed"
"""Where a transaction keeps the seal of the tables, as long as it holds."""


class Catalog:
    """The tables whose names begin with ``ecs_``, with the mapping of what they say.

    Attributes
    ----------
    store, types, revisions, deleted
        See `OwnTables`.
    identity
        Which store this is, as it was found; None while it is not made, empty if it was made by
        a release that gave none.
    effects
        What the saves of this very store have changed beside what they were given.
    remembered
        What this very store remembers of entities that it has read or saved.
    seen
        What else is in the store's file.
    """

    def __init__(self, database: OpenDatabase, mapping: Mapping) -> None:
        self.database = database
        self.mapping = mapping
        shared = isinstance(database.engine.pool, (StaticPool, SingletonThreadPool))
        self._identity = StoreIdentity(remembers=not shared)
        self.effects = SideEffects()
        self.remembered = Remembered()
        if database.file is not None:
            database.file.on_touched = self.remembered.forget
        self._own = OwnTables(mapping.metadata.schema)
        self.metadata, self.store = self._own.metadata, self._own.store
        self.types, self.revisions = self._own.types, self._own.revisions
        self.deleted = self._own.deleted
        tables = [*self.metadata.tables.values(), changes_of(None), origins_of(None)]
        own = {table.name: table.c.keys() for table in tables}
        self.seen = Seen(str(database), own)

    # -- opening -----------------------------------------------------------------------------

    def at(self, stored: dict[str, StoredType]) -> Catalog:
        """Return the catalog of another state of the store; this one if it is the same."""
        return self if stored == self.mapping.stored else self.fork(stored)

    def fork(self, stored: dict[str, StoredType] | None = None) -> Catalog:
        """Return a catalog with a mapping of its own, for a transaction that changes the types."""
        return self.over(self.mapping.fork(self.mapping.stored if stored is None else stored))

    def over(self, mapping: Mapping) -> Catalog:
        """Return this catalog with another mapping; what it knows of the store they share."""
        made = copy.copy(self)
        made.mapping = mapping
        return made

    def check(self, conn: Connection, *, shared: bool) -> bool:
        """Tell whether the database is a store already; False if it is still empty.

        Parameters
        ----------
        shared
            Whether other tables may stand beside ours (hand-written models).

        Raises
        ------
        NotAnEcsvizStoreError, SchemaTooNewError, SchemaOutdatedError
            If it is not one of ours, or not of this release.
        StorageMovedError
            If it is not the store that was found here before.
        """
        # Before anything is read, which is when the transaction's state of the store is fixed.
        begun = self._identity.begin(conn)
        known = begun.known
        conn.info.pop(TEXTS, None)
        tables = self._tables(conn)
        if self.store.name not in tables:
            if known is not None:
                raise self._moved("it is empty" if not tables else "it holds other tables")
            if self.database.is_sqlite and is_marked(conn):
                raise errors.StorageCorruptError(
                    f"{self.database}: there is no table {self.store.name}: {DAMAGED}",
                    path=self.database.path,
                    code="SQLITE_CORRUPT",
                )
            if tables and not shared:
                named = ", ".join(sorted(tables)[:5])
                raise errors.NotAnEcsvizStoreError(
                    f"{self.database} was not made by ecsviz: it holds the tables {named}."
                    " Name another file; to look at this one, use ev.read_database.",
                    tables=tables,
                )
            return False
        given = {SEEN: 0 if begun.newest is None else begun.newest[0]}
        try:  # in the same statement
            found_all = columns_of(conn, self._own.first, raw=NEWEST, given=given)
        except sa.exc.OperationalError:  # a column less, of which verify tells
            if not self.database.is_sqlite:
                raise
            found_all = columns_of(conn, self._own.settings)
        keys, values, *newest = found_all
        settings = dict(zip(keys, values, strict=True))
        conn.info[TEXTS], conn.info[_SEALED] = settings.get(TEXTS), settings.get("seal")
        self._recognise(conn, known, settings.get(IDENTITY, ""))
        if keys and newest:
            at = settings.get("seal")
            self._identity.look_back(begun, at, *(column[0] for column in newest))
        found = setting_number("schema_version", settings.get("schema_version"))
        if found > SCHEMA_VERSION:
            raise errors.SchemaTooNewError(
                f"{self.database} was written by a newer ecsviz (tables of version {found}; this"
                f" release knows {SCHEMA_VERSION}). Update: pip install --upgrade ecsviz.",
                found=found,
                known=SCHEMA_VERSION,
            )
        if found < SCHEMA_VERSION:
            raise errors.SchemaOutdatedError(
                f"{self.database} has tables of version {found}; this release writes"
                f" {SCHEMA_VERSION}. Open it with the release that made it.",
                found=found,
                known=SCHEMA_VERSION,
            )
        return True

    def _tables(self, conn: Connection) -> list[str]:
        """Return the names of the real tables; of a SQLite file, see what else is in it."""
        if not self.database.is_sqlite:
            return sa.inspect(conn).get_table_names(schema=self.metadata.schema)
        found = self.seen.look(conn)
        if found.acts:
            self.database.bound(conn)
            self.seen.check(conn, ())
        return found.tables

    @property
    def identity(self) -> str | None:
        """Which store this is, as it was found; see the attributes."""
        return self._identity.known

    @property
    def given_identity(self) -> str | None:
        """Which store this is, or will be once a transaction has ended well."""
        return self._identity.known or self._identity.given

    def expect(self, identity: str | None) -> None:
        """Raise StorageMovedError if this is another store than the one that was pickled."""
        if identity and self._identity.known != identity:
            raise self._moved("another store is there than when this storage was pickled")

    def _recognise(self, conn: Connection, known: str | None, found: str) -> None:
        """Raise if this is another store than before; remember the one that it is."""
        if known and found != known:
            raise self._moved("it is another store")
        giving = self._identity.giving
        # Or it may be rolled back yet; or another thread knows more by now.
        if (giving is None or giving() is not conn) and not self._identity.known:
            self._identity.known = found

    def _moved(self, why: str) -> errors.StorageMovedError:
        return errors.StorageMovedError(
            f"{self.database} is not the store any more that was opened here: {why}. Nothing was"
            " read or saved. Put the store back, or open this one anew.",
            path=self.database.path,
        )

    def _check_back(self, conn: Connection) -> None:
        if self._identity.begin(conn).went_back:
            raise self._moved(
                "it is older than what was seen of it, since a backup was put back in its place"
            )

    def carried_out(self, made: tuple[int, bytes] | None) -> None:
        """Remember the revision that a transaction has made, which has ended well."""
        if made is not None:
            self._identity.remember(*made)

    def _give_identity(self, conn: Connection) -> None:
        given, self._identity.giving = uuid4().hex, weakref.ref(conn)
        self._identity.given = given
        conn.execute(sa.insert(self.store).values(key=IDENTITY, value=given))

    def settle(self, conn: Connection | None) -> None:
        """Remember what a transaction has made, after it has ended well."""
        of = self._identity
        if of.giving is not None and of.giving() is conn:
            of.known, of.given, of.giving = of.given, None, None

    def create(self, conn: Connection) -> None:
        """Make our tables; the file of a user's own tables is not marked as ours."""
        ours = not self._tables(conn)
        self._identity.begin(conn).looked = True  # from now on, it sees a revision of its own
        for table in self.metadata.tables.values():
            conn.execute(CreateTable(table))
        conn.execute(sa.insert(self.store).values(key="schema_version", value=str(SCHEMA_VERSION)))
        self._give_identity(conn)
        if self.database.is_sqlite and ours:
            conn.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
            conn.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")

    # -- settings ----------------------------------------------------------------------------

    def setting(self, conn: Connection, key: str) -> str | None:
        """Return what ``ecs_store`` says under a key; None if it says nothing."""
        c = self.store.c
        found: str | None = value_of(conn, sa.select(c.value).where(c.key == key))
        return found

    def number_setting(self, conn: Connection, key: str) -> int:
        """Return a number that ``ecs_store`` says; 0 if it says nothing."""
        return setting_number(key, self.setting(conn, key))

    def object_setting(self, conn: Connection, key: str) -> dict[str, Any]:
        """Return an object that ``ecs_store`` says as JSON; an empty one if it says nothing."""
        return setting_object(key, self.setting(conn, key))

    # -- types -------------------------------------------------------------------------------

    def load_types(self, conn: Connection) -> dict[str, int]:
        """Read which types are stored into the mapping; return their next free row ids."""
        stored, next_ids = self.read_types(conn)
        if stored != self.mapping.stored:  # this transaction has made some
            self.mapping.set_stored(stored)
        return next_ids

    def read_types(
        self, conn: Connection, tell: Tell | None = None
    ) -> tuple[dict[str, StoredType], dict[str, int]]:
        """Return which types are stored, and their next free row ids; see `read_types`."""
        found, next_ids = read_types(conn, self.types, str(self.database), tell)
        self.seen.check(conn, found.values())
        return found, next_ids

    def classes_of(self, names: Iterable[str]) -> list[ClassMap]:
        """Map the classes of stored types.

        Raises
        ------
        UnknownTypeError
            If no class is defined for one; nothing is ever imported by name.
        """
        return [self._map_stored(self.mapping.stored[name]) for name in names]

    def _map_stored(self, stored: StoredType) -> ClassMap:
        known = self.mapping.by_type.get(stored.name)
        cls = newest_definition(known.cls) if known else find_class(stored)
        if cls is None or self.mapping.type_name(cls) != stored.name:
            raise unknown_type(stored)
        found = self.mapping.map_classes([cls])[0]
        self.check_fields(found)
        return found

    def arcs_from(self, known: ClassMap) -> list[Arc]:
        """Return what the entities of a class hold, as arcs: one entity, then lists, then the rest.

        Raises
        ------
        UnknownTypeError
            If no class is defined for what can stand in a list.
        """
        own = arcs_in(known)
        lists = [arc for item in known.inverse_lists for arc in self._arcs_of_list(known, item)]
        links = [arc for arc in own if arc.has_table]
        return [*(arc for arc in own if arc.kind is Kind.SINGLE), *lists, *links]

    def _arcs_of_list(self, known: ClassMap, item: InverseList) -> list[Arc]:
        """Return the arcs of a list, one for every stored class whose rows can stand in it."""
        holder, back = known.type_name, item.back.name
        names = [
            name
            for name, stored in self.mapping.stored.items()
            if (place := stored.layout.get(back)) is not None
            and place.get("inverse") == item.name
            and holder in place["columns"]
        ]
        return [
            arc
            for other in self.classes_of(names)
            if derives_from(other.cls, item.plan.targets[0])
            for arc in arcs_in(other, Kind.LIST)
            if arc.item.name == back and arc.source == holder
        ]

    def check_fields(self, known: ClassMap) -> None:
        """Raise if a class and its table differ."""
        stored = self.mapping.stored.get(known.type_name)
        if stored is None:
            return
        if stored.by_hand != known.by_hand:
            raise otherwise_stored(stored, known)
        lines = differences(stored.fields, self.mapping.models.describe(known.cls))
        if lines:
            raise outdated(
                known.cls,
                lines,
                f"table {stored.table!r}",
                "store.migrate(dry_run=True) shows what can be done about it, store.migrate() does"
                " it; or define the class as it was stored, or give it another name.",
                table=stored.table,
            )

    def lacks(self, found: Walk) -> bool:
        """Tell whether a walk needs types, or targets of fields, that are not stored yet."""
        stored = self.mapping.stored
        return any(
            known.type_name not in stored or known.layout() != stored[known.type_name].layout
            for known in self._with_targets(self.mapping.map_classes(found.classes))
        ) or bool(self.mapping.new_arcs(found))

    @contextmanager
    def synced(
        self,
        conn: Connection,
        maps: Iterable[ClassMap],
        next_ids: dict[str, int],
        *,
        any_order: bool = False,
    ) -> Iterator[dict[str, int]]:
        """Make what tables and columns are missing; give every type's next free row id.

        Parameters
        ----------
        conn, maps
            A transaction, and the classes.
        next_ids
            As the transaction has found them.
        any_order
            Whether rows are written before others that they refer to.

        Notes
        -----
        Rows are written inside: new tables get their foreign keys and indexes at the end, which
        on PostgreSQL takes a third off the first save of a large graph.
        """
        self.seen.warn_of_triggers(conn, self.mapping.stored.values())
        wider: list[tuple[ClassMap, StoredType]] = []
        every = self._with_targets(maps)
        for known in every:
            self.check_fields(known)
            stored = self.mapping.stored.get(known.type_name)
            if stored is not None and known.layout() != stored.layout:
                wider.append((known, stored))
        fresh = [known for known in every if known.type_name not in self.mapping.stored]
        keys = self._create_types(conn, every, any_order=any_order)
        if wider:  # their new keys may lead to the tables just made
            add_keys(conn, keys)
            keys = []
        for known, stored in wider:
            self._add_arcs(conn, known, stored)
        if fresh or wider:
            conn.info[_SEALED] = None
            next_ids = self.load_types(conn)
        if fresh and conn.info.get(TEXTS):
            inherit(conn, self.store, self.mapping, fresh)
        yield next_ids
        add_keys(conn, keys)

    def create_targets(self, conn: Connection, maps: Iterable[ClassMap]) -> None:
        """Make the tables of classes that others hold for the first time."""
        add_keys(conn, self._create_types(conn, self._with_targets(maps)))

    def _create_types(
        self, conn: Connection, maps: Iterable[ClassMap], *, any_order: bool = False
    ) -> list[ExecutableDDLElement]:
        fresh = [known for known in maps if known.type_name not in self.mapping.stored]
        keys = make_tables(conn, [t for known in fresh for t in known.tables], any_order=any_order)
        if fresh:
            conn.execute(sa.insert(self.types), [self._type_row(known) for known in fresh])
        return keys

    def write_type(self, conn: Connection, known: ClassMap) -> None:
        """Note what a class is like now."""
        row = self._type_row(known)
        conn.execute(
            sa.update(self.types)
            .where(self.types.c.name == known.type_name)
            .values({name: row[name] for name in ("module", "fields", "layout")})
        )

    def _with_targets(self, maps: Iterable[ClassMap]) -> list[ClassMap]:
        """Return the maps and those of every class that their tables refer to."""
        found = {known.type_name: known for known in maps}
        queue = list(found.values())
        for known in queue:
            for name in self.mapping.targets_of(known):
                other = self.mapping.by_type.get(name)
                if other is not None and name not in found:
                    found[name] = other
                    queue.append(other)
        return queue

    def _type_row(self, known: ClassMap) -> dict[str, Any]:
        return {
            "name": known.type_name,
            "module": known.cls.__module__,
            "table_name": known.table.name,
            "by_hand": known.by_hand,
            "fields": json.dumps(self.mapping.models.describe(known.cls)),
            "layout": json.dumps(known.layout()),
            "next_id": 1,
        }

    def create_tables(self, conn: Connection, tables: list[sa.Table]) -> None:
        """Make tables that may refer to each other."""
        add_keys(conn, make_tables(conn, tables))

    def _add_arcs(self, conn: Connection, known: ClassMap, stored: StoredType) -> None:
        """Add the foreign keys of classes that a field holds for the first time."""
        for arc in arcs_in(known):
            place = stored.layout.get(arc.field, {})
            if arc.kind is Kind.LIST:
                continue
            if arc.target not in place.get("columns", {}):
                add_column(conn, arc.table, arc.held)
                past = history_of(arc.table)
                add_column(conn, past, past.c[arc.held.name])
            elif place.get("required") and not arc.required:
                allow_null(conn, arc.table, arc.held)
        conn.execute(
            sa.update(self.types)
            .where(self.types.c.name == known.type_name)
            .values(layout=json.dumps(known.layout()))
        )

    # -- revisions ---------------------------------------------------------------------------

    def oldest_revision(self, conn: Connection) -> int:
        """Return the oldest revision that can be looked at: what was before has been pruned."""
        return self.number_setting(conn, "oldest_revision")

    def set_oldest_revision(self, conn: Connection, number: int) -> None:
        """Note from where on there is a past."""
        conn.execute(sa.delete(self.store).where(self.store.c.key == "oldest_revision"))
        conn.execute(sa.insert(self.store).values(key="oldest_revision", value=str(number)))

    def found_revision(self, conn: Connection) -> tuple[int, bytes, str | None] | None:
        """Return the newest revision that a transaction has found; None if not surely committed."""
        alone = self.database.is_alone and TOGETHER not in conn.info
        return self._identity.begin(conn).found if alone else None

    def next_revision(self, conn: Connection) -> int:
        """Return the number of the revision that is about to be made."""
        together: Together | None = conn.info.get(TOGETHER)
        if together is not None and together.number:
            return together.number
        self._check_back(conn)
        number = self.newest_revision(conn) + 1
        if together is not None:
            together.number = number
        return number

    def newest_revision(self, conn: Connection) -> int:
        """Return the number of the newest revision, 0 if there is none."""
        return value_of(conn, self._own.newest) or 0

    def add_revision(
        self, conn: Connection, number: int, note: str | None, added: int, changed: int, gone: int
    ) -> tuple[int, bytes]:
        """Note a revision; return its number and its seal.

        In a transaction of several calls, it is theirs: what was noted before is noted anew.
        """
        together: Together | None = conn.info.get(TOGETHER)
        if together is not None:
            together.say(note)
            note, (added, changed, gone) = together.text, together.counts
            conn.execute(sa.delete(self.revisions).where(self.revisions.c.number == number))
        now = datetime.now(UTC).replace(tzinfo=None)
        row = (number, now, note, added, changed, gone)
        seal, c = revision_seal(*row), self.revisions.c
        insert_rows(conn, self.revisions, list(c), [(*row, seal)])
        query = sa.select(c.seal).where(c.number == number)
        conn.info[PROOF] = (self.revisions, query, seal)
        return number, seal

    # -- seals -------------------------------------------------------------------------------

    def seal(self, conn: Connection, *, as_found: bool = False) -> str:
        """Seal what the store says of itself, at the end of every transaction that writes.

        Parameters
        ----------
        conn
            The transaction.
        as_found
            Whether nothing of that was written but types that `synced` has made.
        """
        self._check_back(conn)
        if conn.info.get(TEXTS):
            keep_in_step(conn, self.mapping)
        found = self.sealed(conn)
        if as_found and found and self._identity.known:
            return found
        if self._identity.known == "":
            self._give_identity(conn)
        delete_rows(conn, self.store, [("seal",)])
        value, c = self.digest(conn), self.store.c
        insert_rows(conn, self.store, [c.key, c.value], [("seal", value)])
        conn.info[_SEALED] = value
        query = sa.select(c.value).where(c.key == "seal")
        conn.info.setdefault(PROOF, (self.store, query, value))
        return value

    def sealed(self, conn: Connection) -> str | None:
        """Return the seal of the tables as a transaction has found or written it."""
        found: str | None = conn.info.get(_SEALED)
        return found

    def digest(self, conn: Connection) -> str:
        """Return a digest of the types, of the tables as they were made, and of the settings."""
        parts: list[tuple[Any, ...]] = []
        for query in self._own.sealed:
            # Also of what does not fit: a digest is over whatever is there.
            parts += zip(*columns_of(conn, query, unfit=lambda *_: None), strict=True)
        if self.database.is_sqlite:
            names = {name for stored in self.mapping.stored.values() for name in stored.tables}
            names |= {history_name(name) for name in names}
            names |= {table.name for table in self.metadata.tables.values()}
            text = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name"
            made = conn.exec_driver_sql(text).all()
            parts += [tuple(row) for row in made if row[0] in names]
        return digest(tuple(parts)).hex()

    def set_next_ids(self, conn: Connection, next_ids: dict[str, int]) -> None:
        """Note the next free row ids. A row id is never given twice."""
        rows = [(number, name) for name, number in next_ids.items()]
        update_rows(conn, self.types, [self.types.c.next_id], rows)


def is_marked(conn: Connection) -> bool:
    """Tell whether a SQLite file says that it was made as a store of ours."""
    return conn.exec_driver_sql("PRAGMA application_id").scalar() == APPLICATION_ID


def find_class(stored: StoredType) -> type | None:
    """Return the class that is defined here for a stored type, if there is one."""
    found = classes_named(stored.name.rpartition(".")[2] if "[" not in stored.name else stored.name)
    same_module = [cls for cls in found if cls.__module__ == stored.module]
    same_fields = [cls for cls in found if fields_of(cls) == stored.fields]
    both = [cls for cls in same_module if cls in same_fields]
    for candidates in (both, same_fields, same_module):
        if candidates:
            return candidates[0]
    return None
