"""Hand-written models: storing through the ``from_entity`` and ``to_entity`` of a user's classes.

The user's methods may be as plain as they like: one that makes its children's rows too, or one
that follows a back-reference round in a circle. Here every entity gets one row, and every row
one entity.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from collections.abc import Mapping as MappingOf
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import BaseModel
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from ecsviz.catalog import Catalog
from ecsviz.errors import StaleVersionError, UnsupportedFieldError, ValueNotStorableError
from ecsviz.fields import complete_fields
from ecsviz.graph import EntityDependencyGraph
from ecsviz.identity import is_entity_class, same_type, type_key
from ecsviz.inverse import check_agreement
from ecsviz.plan import SavePlan, Step
from ecsviz.references import Walk, walk
from ecsviz.state import shell
from ecsviz.statements import columns_of, delete_rows, insert_rows, select_by_keys, update_rows
from ecsviz.values import JsonCodec, Refused, json_text, not_storable

NEEDED = ("from_entity", "to_entity")


class Handwritten:
    """The hand-written models of one store.

    Parameters
    ----------
    models
        Entity class → declarative class with an ``ecs_id`` column, a ``from_entity(entity,
        session)`` class method and a ``to_entity()`` method.
    catalog
        The store's catalog: ``ecs_handwritten`` keeps versions and checksums.

    Raises
    ------
    UnsupportedFieldError
        If a model lacks one of these.
    """

    def __init__(self, models: MappingOf[type, Any], catalog: Catalog) -> None:
        self.catalog = catalog
        self.by_key: dict[tuple[str, str], Any] = {}
        self.by_name: dict[str, tuple[type, Any]] = {}
        for cls, model in models.items():
            _check_model(cls, model)
            _patch_to_entity(cls, model)
            self.by_key[type_key(cls)] = model
            self.by_name[cls.__name__] = (cls, model)

    def __bool__(self) -> bool:
        return bool(self.by_key)

    def model_of(self, cls: type) -> Any:
        """Return the model of an entity class, or of the nearest base that has one; or None."""
        for base in cls.__mro__:
            model = self.by_key.get(type_key(base))
            if model is not None:
                return model
        return None

    def takes(self, found: Walk) -> bool:
        """Tell whether a walk is stored here.

        Raises
        ------
        UnsupportedFieldError
            If some of its classes have hand-written models and others do not.
        """
        classes = list(dict.fromkeys(map(type, found.entities)))
        without = [cls.__name__ for cls in classes if self.model_of(cls) is None]
        if without and len(without) < len(classes):
            raise UnsupportedFieldError(
                f"The graph holds classes with a hand-written model and others without:"
                f" {', '.join(sorted(without))}. Give models= for all classes of one graph, or"
                " for none.",
                cls=None,
                field=None,
                without=without,
            )
        return not without

    # -- saving ------------------------------------------------------------------------------

    def save(self, conn: Connection | None, found: Walk, note: str | None) -> HandwrittenSave:
        """Find out what is to be written; see `HandwrittenSave`."""
        return HandwrittenSave(self, conn, found, note)

    # -- loading -----------------------------------------------------------------------------

    def find(self, conn: Connection, ids: list[UUID]) -> dict[UUID, str]:
        """Return the type of each id that is stored here."""
        table = self.catalog.handwritten
        found = select_by_keys(
            conn, sa.select(table.c.ecs_id, table.c.type_name), table.c.ecs_id, ids
        )
        return dict(zip(*found, strict=True))

    def ids_of_types(self, conn: Connection, cls: type) -> list[UUID]:
        """Return the ids of all entities of a class and its subclasses."""
        table = self.catalog.handwritten
        ids, names, _ = columns_of(
            conn,
            sa.select(table.c.ecs_id, table.c.type_name, table.c.revision).order_by(
                table.c.revision, table.c.ecs_id
            ),
        )
        known = {
            name
            for name, (kind, _) in self.by_name.items()
            if any(same_type(cls, base) for base in kind.__mro__)
        }
        return [ecs_id for ecs_id, name in zip(ids, names, strict=True) if name in known]

    def load(self, conn: Connection, ids: list[UUID]) -> list[Any]:
        """Return the entities of some ids, with all they lead to."""
        types = self.find(conn, ids)
        with Session(conn, autoflush=False) as session, _loading():
            rows = {}
            for name in dict.fromkeys(types.values()):
                model = self.by_name[name][1]
                wanted = [_stored_id(model, i) for i in ids if types[i] == name]
                query = sa.select(model).where(model.ecs_id.in_(wanted))
                rows.update({_as_uuid(row.ecs_id): row for row in session.scalars(query)})
            entities = [rows[ecs_id].to_entity() for ecs_id in ids]
        _unite(entities)
        self._set_versions(conn, entities)
        return entities

    def _set_versions(self, conn: Connection, entities: list[Any]) -> None:
        every = walk(entities, strict=False)
        table = self.catalog.handwritten
        query = sa.select(table.c.ecs_id, table.c.lineage_id, table.c.parent_id, table.c.version)
        known = {
            row[0]: row[1:]
            for row in zip(*select_by_keys(conn, query, table.c.ecs_id, every.ids), strict=True)
        }
        for entity in every.entities:
            if entity.ecs_id in known:
                lineage, parent, version = known[entity.ecs_id]
                entity.__dict__.update(lineage_id=lineage, parent_id=parent, version=version)

    # -- deleting ----------------------------------------------------------------------------

    def delete(self, conn: Connection, types: dict[UUID, str]) -> None:
        """Delete rows through the session, so that the user's own cascades apply."""
        with Session(conn) as session:
            for ecs_id, name in types.items():
                model = self.by_name[name][1]
                query = sa.select(model).where(model.ecs_id == _stored_id(model, ecs_id))
                for row in session.scalars(query):
                    session.delete(row)
            session.flush()
        delete_rows(conn, self.catalog.handwritten, [(ecs_id,) for ecs_id in types])
        revision = self.catalog.next_revision(conn)
        self.catalog.add_revision(conn, revision, None, 0, 0, len(types))


class HandwrittenSave:
    """One save through hand-written models.

    Attributes
    ----------
    plan
        What is to be written.
    """

    def __init__(
        self, models: Handwritten, conn: Connection | None, found: Walk, note: str | None
    ) -> None:
        self.models = models
        self.conn = conn
        self.found = found
        self.note = note
        self.stored: dict[UUID, tuple[int, bytes]] = {}
        if conn is not None:
            table = models.catalog.handwritten
            query = sa.select(table.c.ecs_id, table.c.version, table.c.checksum)
            rows = zip(*select_by_keys(conn, query, table.c.ecs_id, found.ids), strict=True)
            self.stored = {ecs_id: (version, checksum) for ecs_id, version, checksum in rows}
        self.checksums = [_checksum(found, n) for n in range(len(found))]
        self.versions: dict[int, int] = {}
        self.plan = SavePlan()
        self._compare()
        check_agreement(found, self.versions.__contains__)
        self._describe()

    def _compare(self) -> None:
        for position, entity in enumerate(self.found.entities):
            known = self.stored.get(entity.ecs_id)
            if known is None:
                self.versions[position] = max(1, entity.version)
                self.plan.added += 1
                continue
            version, checksum = known
            if entity.version not in (0, version):
                raise StaleVersionError(
                    f"{type(entity).__name__} {entity.ecs_id} was read at version"
                    f" {entity.version}, but the store holds version {version}. Nothing was"
                    " saved. Get it anew, repeat the change, and register that.",
                    ecs_id=entity.ecs_id,
                    version=entity.version,
                    stored_version=version,
                )
            if checksum != self.checksums[position]:
                self.versions[position] = version + 1
                self.plan.changed += 1
            else:
                self.plan.unchanged += 1

    def _describe(self) -> None:
        counts: dict[str, int] = {}
        for position in self.versions:
            model = self.models.model_of(type(self.found.entities[position]))
            name = model.__tablename__ if hasattr(model, "__tablename__") else str(model.__table__)
            counts[name] = counts.get(name, 0) + 1
        for name, count in counts.items():
            self.plan.steps.append(Step("model", name, count, "from_entity(…) in a session"))
        self.plan.order = list(
            dict.fromkeys(type(self.found.entities[p]).__name__ for p in self._sequence())
        )

    def _sequence(self) -> list[int]:
        """Return the positions of what is to be written, dependencies first."""
        graph = EntityDependencyGraph(self.found.entities)
        position = {id(entity): n for n, entity in enumerate(self.found.entities)}
        order = [position[id(entity)] for entity in graph.get_topological_sort()]
        return [p for p in order if p in self.versions]

    def write(self) -> None:
        """Write through ``from_entity``: one row per entity, however often it is made."""
        if not self.plan:
            return
        assert self.conn is not None
        for metadata in dict.fromkeys(m.metadata for m in self.models.by_key.values()):
            metadata.create_all(self.conn)
        with Session(self.conn, autoflush=False) as session:
            made = self._make_rows(session)
            _join_stored(session, made)
            session.flush()
        self._write_versions()

    def _make_rows(self, session: Session) -> dict[tuple[Any, UUID], Any]:
        """Call ``from_entity`` for every entity whose row no other call has made already."""
        made: dict[tuple[Any, UUID], Any] = {}
        twice: list[tuple[Any, Any]] = []

        def note(_: Session, row: Any) -> None:
            ecs_id = getattr(row, "ecs_id", None)
            if ecs_id is not None:
                first = made.setdefault((type(row), _as_uuid(ecs_id)), row)
                if first is not row:
                    twice.append((first, row))

        sa.event.listen(session, "transient_to_pending", note)
        for position in self._sequence():
            entity = self.found.entities[position]
            model = self.models.model_of(type(entity))
            if (model, entity.ecs_id) in made:
                continue
            row = model.from_entity(entity, session)
            if row is not None and row not in session:
                session.add(row)
            if (model, entity.ecs_id) not in made:
                raise ValueNotStorableError(
                    f"{model.__name__}.from_entity made no row with the ecs_id of the"
                    f" {type(entity).__name__} that it was given. Set ecs_id in it.",
                    ecs_id=entity.ecs_id,
                    place=model.__name__,
                )
        sa.event.remove(session, "transient_to_pending", note)
        for first, second in twice:
            _replace(session, second, first)
        return made

    def _write_versions(self) -> None:
        assert self.conn is not None
        catalog, table = self.models.catalog, self.models.catalog.handwritten
        revision = catalog.next_revision(self.conn)
        new, changed = [], []
        for position, version in self.versions.items():
            entity = self.found.entities[position]
            state = (
                entity.lineage_id,
                entity.parent_id,
                version,
                revision,
                self.checksums[position],
            )
            if entity.ecs_id in self.stored:
                changed.append((*state, entity.ecs_id))
            else:
                new.append((entity.ecs_id, self._type_name(type(entity)), *state))
        c = table.c
        columns = [c.lineage_id, c.parent_id, c.version, c.revision, c.checksum]
        insert_rows(self.conn, table, [c.ecs_id, c.type_name, *columns], new)
        update_rows(self.conn, table, columns, changed)
        catalog.add_revision(self.conn, revision, self.note, self.plan.added, self.plan.changed, 0)

    def _type_name(self, cls: type) -> str:
        model = self.models.model_of(cls)
        return next(n for n, (_, other) in self.models.by_name.items() if other is model)

    def finish(self) -> None:
        """Tell the entities their versions, after the transaction has ended well."""
        for position, entity in enumerate(self.found.entities):
            version = self.versions.get(position)
            if version is None:
                version = self.stored[entity.ecs_id][0]
            entity.__dict__["version"] = version


# -- rows ------------------------------------------------------------------------------------


def _join_stored(session: Session, made: dict[tuple[Any, UUID], Any]) -> None:
    """Let rows that exist already take over the state of those that were just made."""
    by_model: dict[Any, dict[UUID, Any]] = {}
    for (model, ecs_id), row in made.items():
        by_model.setdefault(model, {})[ecs_id] = row
    for model, rows in by_model.items():
        wanted = [_stored_id(model, ecs_id) for ecs_id in rows]
        for start in range(0, len(wanted), 500):
            query = sa.select(model).where(model.ecs_id.in_(wanted[start : start + 500]))
            for stored in session.scalars(query).all():
                row = rows[_as_uuid(stored.ecs_id)]
                if row is not stored:
                    _take_over(stored, row)
                    _replace(session, row, stored)


def _take_over(stored: Any, row: Any) -> None:
    """Give a stored row the plain values of a new one."""
    mapper = sa.inspect(type(row))
    keys = {column.name for column in mapper.primary_key}
    for attribute in mapper.column_attrs:
        is_key = any(c.name in keys for c in attribute.columns)
        if is_key or attribute.key not in row.__dict__:
            continue
        value = row.__dict__[attribute.key]
        if getattr(stored, attribute.key) != value:  # setting it anyway would be an UPDATE
            setattr(stored, attribute.key, value)


def _replace(session: Session, old: Any, new: Any) -> None:
    """Let everything that is related to one row be related to another, and drop the first."""
    for relation in sa.inspect(type(old)).relationships:
        if relation.viewonly or relation.key not in old.__dict__:
            continue
        value = old.__dict__[relation.key]
        if relation.uselist:
            members = list(value)
            if [id(m) for m in members] != [id(m) for m in getattr(new, relation.key)]:
                setattr(old, relation.key, [])
                setattr(new, relation.key, members)
        elif value is not None:
            setattr(old, relation.key, None)
            setattr(new, relation.key, value)
    if old in session:
        session.expunge(old)


def _as_uuid(value: Any) -> UUID:
    return value if isinstance(value, UUID) else UUID(str(value))


def _stored_id(model: Any, ecs_id: UUID) -> Any:
    """Return an id in the type of the model's column: UUIDs, or texts as in ``str(uuid)``."""
    return ecs_id if isinstance(model.ecs_id.type, sa.Uuid) else str(ecs_id)


def _checksum(found: Walk, position: int) -> bytes:
    """Return 8 bytes of what an entity says of itself, references by id."""
    entity = found.entities[position]

    def refer(part: Any) -> Any:
        return {"$ref": str(part.ecs_id)} if is_entity_class(type(part)) else NotImplemented

    parts = []
    for name, info in complete_fields(type(entity)).items():
        if name == "version":
            continue
        try:
            parts.append(JsonCodec(info.annotation).write(entity.__dict__.get(name), 0, refer))
        except Refused as refused:
            place = f"{found.place(position)}.{name}"
            raise not_storable(refused, place, ecs_id=entity.ecs_id) from refused.__cause__
    return hashlib.blake2b(json_text(parts).encode(), digest_size=8).digest()


def _check_model(cls: type, model: Any) -> None:
    missing = [name for name in (*NEEDED, "ecs_id") if not hasattr(model, name)]
    if missing:
        raise UnsupportedFieldError(
            f"{getattr(model, '__name__', model)} cannot store {cls.__name__}: it has no"
            f" {' and no '.join(missing)}. A hand-written model has an ecs_id column,"
            " from_entity(entity, session) and to_entity().",
            cls=cls,
            field=None,
            missing=missing,
        )


# -- from rows to entities -------------------------------------------------------------------

_memo: ContextVar[dict[int, tuple[Any, Any]] | None] = ContextVar("to_entity", default=None)
"""While loading: the id of a row → the row (kept alive) and its entity."""


@contextlib.contextmanager
def _loading() -> Iterator[None]:
    token = _memo.set({})
    try:
        yield
    finally:
        _memo.reset(token)


def _patch_to_entity(cls: type, model: Any) -> None:
    """Let ``to_entity`` give one entity per row, also while it is still being made.

    Outside a load, the method does what it always did.
    """
    plain: Callable[[Any], Any] = model.to_entity
    if hasattr(plain, "ecsviz_plain"):
        return

    def to_entity(self: Any) -> Any:
        memo = _memo.get()
        if memo is None:
            return plain(self)
        if id(self) not in memo:
            # Who comes back here while the entity is made gets it as it will be.
            entity = shell(cls, _as_uuid(self.ecs_id))
            memo[id(self)] = (self, entity)
            made = plain(self)
            if made is not entity:
                entity.__class__ = type(made)
                # One state for both, should anything hold the one that the method made.
                BaseModel.__setstate__(entity, BaseModel.__getstate__(made))
        return memo[id(self)][1]

    to_entity.ecsviz_plain = plain  # type: ignore[attr-defined]  # marks the method as patched
    to_entity.__doc__ = plain.__doc__
    model.to_entity = to_entity


def _unite(entities: list[Any]) -> None:
    """Let references that hold a stand-in of an entity hold the entity itself."""
    found = walk(entities, strict=False)
    first: dict[UUID, Any] = {}
    for entity in found.entities:
        first.setdefault(entity.ecs_id, entity)
    if len(first) == len(found):
        return
    for source, target, slot, key in zip(
        found.sources, found.targets, found.slots, found.keys, strict=True
    ):
        held = found.entities[target]
        kept = first[held.ecs_id]
        if kept is held:
            continue
        state, name = found.entities[source].__dict__, found.fields[slot].name
        if key is None:
            state[name] = kept
        elif isinstance(state[name], list):
            state[name][key] = kept
