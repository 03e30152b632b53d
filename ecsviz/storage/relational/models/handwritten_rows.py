"""Rows of hand-written models: made, read and deleted through the user's own methods.

The methods may be as plain as they like: one that makes its children's rows too, or one that
follows a back-reference round in a circle. Here every entity gets one row, and every row one
entity.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as MappingOf
from contextvars import ContextVar
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from pydantic import ValidationError as PydanticValidationError
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from ecsviz.domain.fields import class_plan, complete_fields
from ecsviz.domain.inverse import inverse_of
from ecsviz.domain.objects import shell
from ecsviz.domain.walk import walk
from ecsviz.errors import BrokenReferenceError, StoredDataInvalidError, ValueNotStorableError
from ecsviz.storage.relational.models.relationships import (
    Link,
    LinkRows,
    ReadLinks,
    RowOf,
    links_of,
    rows_by_id,
)
from ecsviz.storage.relational.schema.handwritten import Handwritten, as_uuid, loading, stored_id
from ecsviz.values.column_codecs import Refused
from ecsviz.values.field_codecs import field_text

running: ContextVar[Any] = ContextVar("running", default=None)
"""The save or load that calls the user's methods just now."""


@contextlib.contextmanager
def runs(what: Any) -> Iterator[None]:
    """Let the user's methods find the save or load that calls them."""
    token = running.set(what)
    try:
        yield
    finally:
        running.reset(token)


# -- saving ----------------------------------------------------------------------------------


def write_rows(conn: Connection, models: Handwritten, entities: list[Any]) -> None:
    """Write entities through ``from_entity``: one row each, however often it is made.

    Parameters
    ----------
    conn
        The transaction; what the entities refer to is written already, or is among them.
    models
        The models.
    entities
        What is new or changed, dependencies first.

    Raises
    ------
    ValueNotStorableError
        If a method makes no row with the entity's id.
    """
    for metadata in dict.fromkeys(m.metadata for m in models.by_key.values()):
        metadata.create_all(conn)
    with Session(conn, autoflush=False) as session:
        made = _make_rows(session, models, entities)
        rows = _join_stored(session, made)
        LinkRows(session, models, entities, rows).run()


def _make_rows(session: Session, models: Handwritten, entities: list[Any]) -> RowOf:
    """Call ``from_entity`` for every entity whose row no other call has made already."""
    made: RowOf = {}
    twice: list[tuple[Any, Any]] = []

    def note(_: Session, row: Any) -> None:
        ecs_id = getattr(row, "ecs_id", None)
        if ecs_id is not None:
            first = made.setdefault((type(row), as_uuid(ecs_id)), row)
            if first is not row:
                twice.append((first, row))

    sa.event.listen(session, "transient_to_pending", note)
    for entity in entities:
        model = models.model_of(type(entity))
        if (model, entity.ecs_id) in made:
            continue
        row = model.from_entity(entity, session)
        if row is not None and row not in session:
            session.add(row)
        found = getattr(row, "ecs_id", None)
        if found is not None and as_uuid(found) == entity.ecs_id:
            made.setdefault((model, entity.ecs_id), row)  # perhaps one that was there already
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


def _join_stored(session: Session, made: RowOf) -> RowOf:
    """Let rows that exist already take over the state of those that were just made.

    Returns
    -------
    dict
        The rows that stay.
    """
    by_model: dict[Any, dict[UUID, Any]] = {}
    for (model, ecs_id), row in made.items():
        by_model.setdefault(model, {})[ecs_id] = row
    result = dict(made)
    for model, rows in by_model.items():
        for ecs_id, stored in rows_by_id(
            session, model, rows, but=set(map(id, made.values()))
        ).items():
            row = rows[ecs_id]
            written = sa.inspect(row).persistent  # the method has flushed or committed
            _take_over(stored, row)
            _replace(session, row, stored)
            if written:
                session.add(row)
                session.delete(row)
            result[model, ecs_id] = stored
    return result


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


CHECKED = 10
"""How many new rows of each class are read back in every save."""


def check_rows(conn: Connection, models: Handwritten, entities: list[Any]) -> None:
    """Read the first rows of each class back, and compare them with what was given.

    Raises
    ------
    ValueNotStorableError
        If a field does not come back as it was given.

    Notes
    -----
    Of what the rows lead to, only the ids are made, as far as ``to_entity`` allows.
    """
    first: dict[type, list[Any]] = {}
    for entity in entities:
        some = first.setdefault(type(entity), [])
        if len(some) < CHECKED:
            some.append(entity)
    given = {entity.ecs_id: entity for some in first.values() for entity in some}
    try:
        _compare(conn, models, first, given)
    except (AttributeError, PydanticValidationError):  # to_entity looks into what it holds
        _compare(conn, models, first, None)


def _compare(
    conn: Connection,
    models: Handwritten,
    first: MappingOf[type, list[Any]],
    whole: MappingOf[UUID, Any] | None,
) -> None:
    with Session(conn, autoflush=False) as session, loading(whole):
        links = ReadLinks(session, models)
        for cls, some in first.items():
            model = models.model_of(cls)
            rows = rows_by_id(session, model, [entity.ecs_id for entity in some])
            made = [rows[entity.ecs_id].to_entity() for entity in some]
            links.read([entity for entity in made if type(entity) is cls])
            for entity, again in zip(some, made, strict=True):
                for link in links_of(models, cls):
                    _settle(links, again, link)
                _compare_fields(models, entity, again)


def _settle(links: ReadLinks, entity: Any, link: Link) -> None:
    """Set a reference that the user's method left out, to what has the right id."""
    ids = links.settle(entity, link)
    if ids is not None:
        held = [shell(link.plan.targets[0], ecs_id) for ecs_id in ids]
        value: Any = (held or [None])[0] if link.single else None
        container: Any = link.plan.container
        entity.__dict__[link.plan.name] = value if link.single else container(held)


def _compare_fields(models: Handwritten, entity: Any, again: Any) -> None:
    cls, model = type(entity), models.model_of(type(entity))
    if type(again) is not cls:
        return  # told when it is read, with the way out
    kept = {"ecs_id", "lineage_id", "parent_id", "version"}
    kept |= {plan.name for plan in models.kept_fields(cls)}
    for name, info in complete_fields(cls).items():
        if name in kept:
            continue
        try:
            same = field_text(entity, name, info.annotation) == field_text(
                again, name, info.annotation
            )
        except Refused:
            same = False
        if not same:
            plan = next((plan for plan in class_plan(cls).fields if plan.name == name), None)
            other = None if plan is None else inverse_of(plan)
            raise ValueNotStorableError(
                f"{cls.__name__}.{name} does not come back from {model.__name__}: its from_entity"
                " does not set it, its to_entity does not give it back, or a column or"
                " relationship cannot hold it as it is. Nothing was saved; complete the model"
                f" (of a reference, a relationship called {name!r} is enough)."
                + (f" Of a pair, set {other.place} too and register both ends." if other else ""),
                ecs_id=entity.ecs_id,
                place=f"{cls.__name__}.{name}",
                model=model,
            )


def row_problems(
    conn: Connection, models: Handwritten, cls: type, ids: Iterable[UUID]
) -> Iterator[tuple[UUID | None, str]]:
    """Return what is wrong with the rows of a model, for ``store.verify()``.

    Parameters
    ----------
    conn, models
        Where, and how they are read.
    cls, ids
        What the store knows of.

    Returns
    -------
    Iterator
        Ids, and what is wrong in words.
    """
    model = models.model_of(cls)
    known = set(ids)
    with Session(conn, autoflush=False) as session:
        rows = rows_by_id(session, model, known)
        for ecs_id in sorted(known - rows.keys()):
            yield ecs_id, f"has no row in {model.__table__.name} any more"
        for ecs_id, row in rows.items():
            why = _unreadable(cls, row, {ecs_id})
            if why:
                yield ecs_id, why


def _unreadable(cls: type, row: Any, only: set[UUID]) -> str:
    why = ""
    for whole in (only, None):  # alone, or with what it leads to if the method looks into that
        try:
            with loading(whole):
                made = row.to_entity()
            return "" if isinstance(made, cls) else f"to_entity() makes a {type(made).__name__}"
        except Exception as err:  # noqa: BLE001 - whatever the user's method raises is told
            why = f"to_entity() cannot read it ({type(err).__name__})"
    return why


# -- loading ---------------------------------------------------------------------------------


class Making:
    """The entities of one load that ``to_entity`` makes.

    Attributes
    ----------
    made
        By id: whatever the methods have made so far, and all that it leads to.
    """

    def __init__(self, conn: Connection, models: Handwritten) -> None:
        self.conn = conn
        self.models = models
        self.made: dict[UUID, Any] = {}
        self.links: ReadLinks
        self._session: Session
        self._read = 0  # how many of `made` have had their links read

    @contextlib.contextmanager
    def open(self, load: Any) -> Iterator[None]:
        """Hold the session in which the rows are read, and the memory of what was made."""
        with Session(self.conn, autoflush=False) as session, loading(), runs(load):
            self._session, self.links = session, ReadLinks(session, self.models)
            yield

    def make(self, cls: type, ids: Iterable[UUID]) -> None:
        """Make the entities of some ids."""
        model = self.models.model_of(cls)
        wanted = [ecs_id for ecs_id in ids if ecs_id not in self.made]
        rows = rows_by_id(self._session, model, wanted)
        fresh = []
        for ecs_id in wanted:
            if ecs_id not in rows:
                raise BrokenReferenceError(
                    f"{cls.__name__} {ecs_id} is stored, but {model.__name__} has no row of it"
                    " any more. It was deleted outside ecsviz; delete() it here too.",
                    ecs_id=ecs_id,
                    type_name=cls.__name__,
                )
            fresh.append(rows[ecs_id].to_entity())
        self._add(fresh)
        self._check_made(model, wanted)

    def _check_made(self, model: Any, ids: Iterable[UUID]) -> None:
        for ecs_id in ids:
            if ecs_id not in self.made:
                raise StoredDataInvalidError(
                    f"{model.__name__}.to_entity() made no entity with the ecs_id of its row,"
                    f" {ecs_id}. Give the entity the ecs_id of the row.",
                    ecs_id=ecs_id,
                )

    def read_links(self) -> list[UUID]:
        """Read what the rows say of references; return the ids that are not made yet."""
        fresh = list(self.made.values())[self._read :]
        self._read = len(self.made)
        self.links.read(fresh)
        return [ecs_id for ecs_id in self.links.found if ecs_id not in self.made]

    def make_strangers(self, ids: Iterable[UUID]) -> None:
        """Make entities of rows that others have added, and that the store has no row of."""
        rows: dict[Any, list[UUID]] = {}
        for ecs_id in ids:
            rows.setdefault(self.links.found[ecs_id], []).append(ecs_id)
        for model, wanted in rows.items():
            found = rows_by_id(self._session, model, wanted)
            self._add([row.to_entity() for row in found.values()])
            self._check_made(model, wanted)

    def connect(self) -> None:
        """Set the references that the user's methods left out."""
        for entity in self.made.values():
            for link in links_of(self.models, type(entity)):
                ids = self.links.settle(entity, link)
                if ids is None:
                    continue
                held = [self.made[ecs_id] for ecs_id in ids]
                if link.single:
                    entity.__dict__[link.plan.name] = held[0] if held else None
                else:
                    container: Any = link.plan.container
                    entity.__dict__[link.plan.name] = container(held)

    def _add(self, fresh: list[Any]) -> None:
        """Note what was made; a stand-in of an entity that is here already gives way to it."""
        found = walk(fresh, strict=False)
        for entity in found.entities:
            if self.models.model_of(type(entity)) is not None:
                self.made.setdefault(entity.ecs_id, entity)
        for source, target, slot, key in zip(
            found.sources, found.targets, found.slots, found.keys, strict=True
        ):
            held = found.entities[target]
            kept = self.made.get(held.ecs_id, held)
            if kept is held:
                continue
            state, name = found.entities[source].__dict__, found.fields[slot].name
            if key is None:
                state[name] = kept
            elif isinstance(state[name], list):
                state[name][key] = kept


# -- deleting --------------------------------------------------------------------------------


def delete_rows_of(conn: Connection, models: Handwritten, cls: type, ids: Iterable[UUID]) -> None:
    """Delete rows through a session, so that the user's own cascades apply."""
    model = models.model_of(cls)
    with Session(conn) as session:
        for ecs_id in ids:
            query = sa.select(model).where(model.ecs_id == stored_id(model, ecs_id))
            for row in session.scalars(query):
                session.delete(row)
        session.flush()
