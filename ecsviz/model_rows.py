"""Rows of hand-written models: made, read and deleted through the user's own methods.

The methods may be as plain as they like: one that makes its children's rows too, or one that
follows a back-reference round in a circle. Here every entity gets one row, and every row one
entity.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from ecsviz.errors import BrokenReferenceError, ValueNotStorableError
from ecsviz.handwritten import Handwritten, as_uuid, loading
from ecsviz.references import walk

BATCH = 500
"""How many ids are asked for at once."""


class Running(Protocol):
    """What a save or a load offers to the user's methods while it runs."""

    def row_of(self, entity: Any) -> int | None:
        """Return the row id of an entity that is being saved."""

    def promise(self, type_name: str, row_id: int) -> Any:
        """Return the entity of a row as it will be at the end of the load."""


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
        _join_stored(session, made)
        session.flush()


def _make_rows(
    session: Session, models: Handwritten, entities: list[Any]
) -> dict[tuple[Any, UUID], Any]:
    """Call ``from_entity`` for every entity whose row no other call has made already."""
    made: dict[tuple[Any, UUID], Any] = {}
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


def _join_stored(session: Session, made: dict[tuple[Any, UUID], Any]) -> None:
    """Let rows that exist already take over the state of those that were just made."""
    by_model: dict[Any, dict[UUID, Any]] = {}
    for (model, ecs_id), row in made.items():
        by_model.setdefault(model, {})[ecs_id] = row
    for model, rows in by_model.items():
        wanted = [stored_id(model, ecs_id) for ecs_id in rows]
        for start in range(0, len(wanted), BATCH):
            query = sa.select(model).where(model.ecs_id.in_(wanted[start : start + BATCH]))
            for stored in session.scalars(query).all():
                row = rows[as_uuid(stored.ecs_id)]
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
        self._session: Session

    @contextlib.contextmanager
    def open(self, load: Any) -> Iterator[None]:
        """Hold the session in which the rows are read, and the memory of what was made."""
        with Session(self.conn, autoflush=False) as session, loading(), runs(load):
            self._session = session
            yield

    def make(self, cls: type, ids: Iterable[UUID]) -> None:
        """Make the entities of some ids."""
        model = self.models.model_of(cls)
        wanted = [ecs_id for ecs_id in ids if ecs_id not in self.made]
        rows: dict[UUID, Any] = {}
        for start in range(0, len(wanted), BATCH):
            part = [stored_id(model, ecs_id) for ecs_id in wanted[start : start + BATCH]]
            query = sa.select(model).where(model.ecs_id.in_(part))
            rows.update({as_uuid(row.ecs_id): row for row in self._session.scalars(query)})
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


def stored_id(model: Any, ecs_id: UUID) -> Any:
    """Return an id in the type of the model's column: UUIDs, or texts as in ``str(uuid)``."""
    return ecs_id if isinstance(model.ecs_id.type, sa.Uuid) else str(ecs_id)
