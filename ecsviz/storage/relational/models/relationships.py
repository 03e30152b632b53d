"""What the relationships and foreign keys of hand-written models say of an entity's references.

A user's methods may handle values alone. What a model can hold of the rest is found here, by the
name of the field or by the class that it leads to, and set and read for them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import MANYTOONE, Session, selectinload

from ecsviz.basics import order
from ecsviz.domain.entity_class import newest_definition
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.errors import StorageError
from ecsviz.storage.relational.schema.handwritten import Handwritten, as_uuid, stored_id

BATCH = 500
"""How many keys are asked for at once."""

Row = Any
RowOf = dict[tuple[Any, UUID], Row]
"""Model and ``ecs_id`` → row."""


@dataclass(slots=True)
class Link:
    """Where the model of a class keeps one of its fields.

    Attributes
    ----------
    relation
        The name of the relationship; None where there is only a foreign key.
    column, remote
        For one entity: the attribute with the foreign key, and the one of the target's model
        that it refers to. For a list: those of its members, which say it.
    member
        The model of what is held.
    position
        For a list: the attribute of the members' model that holds the place.
    said
        Whether the members' references say the list.
    ordered
        For a list: whether the relationship says in which order it is read.
    late
        Whether it is written once all rows exist: it may be NULL, and closes a cycle of models.
    """

    plan: FieldPlan
    member: Any
    relation: str | None = None
    column: str | None = None
    remote: str | None = None
    position: str | None = None
    said: bool = False
    ordered: bool = False
    late: bool = False

    @property
    def single(self) -> bool:
        """Whether it holds one entity."""
        return self.plan.shape == Shape.SINGLE


def links_of(models: Handwritten, cls: type) -> list[Link]:
    """Return where the model of a class keeps its references to other hand-written classes."""
    known: list[Link] | None = models.links.get(cls)
    if known is None:
        known = models.links[cls] = [
            link for plan in _plans(models, cls) if (link := _find(models, cls, plan)) is not None
        ]
        late = _cyclic(models)
        for link in known:
            link.late = link.single and (models.model_of(cls), link.member) in late
            link.late = link.late and _nullable(models.model_of(cls), link)
    return known


def _plans(models: Handwritten, cls: type) -> list[FieldPlan]:
    """Return the fields whose references only the user's tables can keep."""
    kept = {plan.name for plan in models.kept_fields(cls)}
    flat = (Shape.SINGLE, Shape.LIST, Shape.SET)
    return [p for p in class_plan(cls).fields if p.shape in flat and p.name not in kept]


def _mapper(model: Any) -> Any:
    return sa.inspect(model)


def _member(models: Handwritten, plan: FieldPlan) -> Any:
    return models.model_of(newest_definition(plan.targets[0]))


def _related(one: Any, other: Any) -> bool:
    return issubclass(one, other) or issubclass(other, one)


def _fits(relation: Any, plan: FieldPlan, member: Any) -> bool:
    return (
        relation.uselist == (plan.shape != Shape.SINGLE)
        and not relation.viewonly
        and relation.lazy not in ("dynamic", "write_only")
        and _related(relation.mapper.class_, member)
        and (not relation.uselist or issubclass(relation.collection_class or list, (list, set)))
    )


def _relation(models: Handwritten, cls: type, plan: FieldPlan) -> Any:
    """Return the relationship of a field: the one of its name, or the only one to its class."""
    relations = _mapper(models.model_of(cls)).relationships
    member = _member(models, plan)
    by_name = relations.get(plan.name)
    if by_name is not None and _fits(by_name, plan, member):
        return by_name
    plans = _plans(models, cls)
    named = {p.name for p in plans}
    free = [r for r in relations if r.key not in named and _fits(r, plan, member)]
    rivals = [
        p
        for p in plans
        if p.name not in relations
        and p is not plan
        and len(free) == 1
        and _fits(free[0], p, _member(models, p))
    ]
    return free[0] if len(free) == 1 and not rivals else None


def _find(models: Handwritten, cls: type, plan: FieldPlan) -> Link | None:
    relation, member = _relation(models, cls, plan), _member(models, plan)
    link = Link(plan, member, None if relation is None else relation.key)
    link.ordered = relation is not None and bool(relation.order_by)
    model = models.model_of(cls)
    if link.single:
        if relation is None:
            link.column, link.remote = _foreign_key(models, cls, plan)
        elif relation.direction is MANYTOONE and len(relation.local_remote_pairs) == 1:
            local, remote = relation.local_remote_pairs[0]
            link.column = _key_of(model, local)
            link.remote = _key_of(relation.mapper.class_, remote)
        return link if link.relation or link.column else None
    back = inverse_of(plan)
    if back is not None:
        said = _find(models, newest_definition(plan.targets[0]), back)
        if said is not None and said.column is not None:
            link.said, link.column, link.remote = True, said.column, said.remote
    if plan.shape == Shape.LIST:
        link.position = _position(models, plan, relation, back)
    return link if link.relation or link.said else None


def _key_of(model: Any, column: Any) -> str:
    key: str = _mapper(model).get_property_by_column(column).key
    return key


def _foreign_key(models: Handwritten, cls: type, plan: FieldPlan) -> tuple[str | None, str | None]:
    """Return the attribute of a field's foreign key and the one that it refers to."""
    model, member = models.model_of(cls), _member(models, plan)
    mapper, tables = _mapper(model), set(_mapper(member).tables)
    taken = {
        column
        for p in _plans(models, cls)
        if p.shape == Shape.SINGLE and (relation := _relation(models, cls, p)) is not None
        for column in relation.local_columns
    }
    found = {
        attribute.key: key.column
        for attribute in mapper.column_attrs
        for column in attribute.columns
        for key in column.foreign_keys
        if key.column.table in tables and column not in taken and not column.primary_key
    }
    names = [n for n in (f"{plan.name}_id", plan.name, f"{plan.name}_ecs_id") if n in found]
    name = names[0] if names else next(iter(found)) if len(found) == 1 else None
    return (None, None) if name is None else (name, _key_of(member, found[name]))


def _position(models: Handwritten, plan: FieldPlan, relation: Any, back: Any) -> str | None:
    """Return the attribute of a list's members that holds their place, if the list has one."""
    if relation is not None and relation.secondary is not None:
        return None
    member, cls = _member(models, plan), newest_definition(plan.targets[0])
    columns = {a.key: a.columns[0] for a in _mapper(member).column_attrs}
    ordered = () if relation is None else relation.order_by or ()
    wanted = [_key_of(member, c) for c in ordered if c in columns.values()]
    if len(wanted) != 1 or len(ordered) != 1:
        wanted = ["position", f"{plan.name}_position"]
        wanted += [f"{back.name}_position"] if back is not None else []
    fields = cls.model_fields  # type: ignore[attr-defined]  # a pydantic model
    for name in wanted:
        column = columns.get(name)
        if column is None or not isinstance(column.type, sa.Integer):
            continue
        if not column.primary_key and not column.foreign_keys and name not in fields:
            return name
    return None


def _nullable(model: Any, link: Link) -> bool:
    if link.column is None:
        return True
    return bool(_mapper(model).attrs[link.column].columns[0].nullable)


def _cyclic(models: Handwritten) -> set[tuple[Any, Any]]:
    """Return the pairs of models that refer to each other, perhaps by way of others."""
    classes = list(models.by_class)
    every = list(dict.fromkeys(models.by_class.values()))
    number = {model: n for n, model in enumerate(every)}
    edges = [
        (number[models.model_of(cls)], number[_member(models, plan)])
        for cls in classes
        for plan in _plans(models, newest_definition(cls))
        if plan.shape == Shape.SINGLE
    ]
    ends = np.array(edges, dtype=np.int64).reshape(-1, 2)
    labels = order.strong_components(len(every), ends[:, 0], ends[:, 1])
    return {(every[a], every[b]) for a, b in edges if labels[a] == labels[b]}


def batches(values: Iterable[Any]) -> Iterator[list[Any]]:
    """Return values in parts that one statement takes."""
    left = list(values)
    for start in range(0, len(left), BATCH):
        yield left[start : start + BATCH]


def rows_by_id(
    session: Session,
    model: Any,
    ids: Iterable[UUID],
    relations: Iterable[str] = (),
    but: Container[int] = (),
) -> dict[UUID, Row]:
    """Return the stored rows of some ids.

    Parameters
    ----------
    session, model, ids
        Whose rows, and which.
    relations
        What they lead to by these relationships is read too.
    but
        The ``id()`` of rows to pass over.
    """
    options = [selectinload(getattr(model, name)) for name in relations]
    result: dict[UUID, Row] = {}
    for part in batches(ids):
        wanted = [stored_id(model, ecs_id) for ecs_id in part]
        query = sa.select(model).where(model.ecs_id.in_(wanted)).options(*options)
        for row in session.scalars(query):
            if id(row) not in but:
                result[as_uuid(row.ecs_id)] = row
    return result


def held_by(plan: FieldPlan, entity: Any) -> list[Any]:
    """Return the entities in a field of an entity, in order; none if it was left out."""
    held = entity.__dict__.get(plan.name)
    if held is None:
        return []
    return [held] if plan.shape == Shape.SINGLE else list(held)


# -- writing ---------------------------------------------------------------------------------


class LinkRows:
    """Sets the relationships and foreign keys of rows as their entities say.

    Parameters
    ----------
    session
        The session that holds the rows, not flushed yet.
    models
        The models.
    entities
        What is written.
    rows
        Their rows.

    Notes
    -----
    A statement per model and batch for what is referred to and was not written itself; what is
    right already is left alone.
    """

    def __init__(
        self, session: Session, models: Handwritten, entities: list[Any], rows: RowOf
    ) -> None:
        self.session = session
        self.models = models
        self.entities = entities
        self.rows = dict(rows)
        self._fetch()

    def run(self) -> None:
        """Set them, and write all rows."""
        late, keys = [], []
        for entity in self.entities:
            row = self.row(entity)
            for link in links_of(self.models, type(entity)):
                if not link.single:
                    self._set_list(row, link, entity)
                elif link.late:
                    late.append((row, link, entity))
                elif not self._set_single(row, link, entity):
                    keys.append((row, link, entity))
        self._flush_without(keys)
        for row, link, entity in late:
            self._set_single(row, link, entity)
        if late:
            self._flush()

    def row(self, entity: Any) -> Row:
        """Return the row of an entity."""
        return self.rows[self.models.model_of(type(entity)), entity.ecs_id]

    def _fetch(self) -> None:
        """Read the rows of what is referred to, and the lists that rows have now."""
        missing: dict[Any, dict[UUID, None]] = {}
        lists: dict[Any, tuple[set[str], list[UUID]]] = {}
        for entity in self.entities:
            model = self.models.model_of(type(entity))
            for link in links_of(self.models, type(entity)):
                if not link.single and link.said and link.position is None:
                    continue
                for target in held_by(link.plan, entity):
                    key = (self.models.model_of(type(target)), target.ecs_id)
                    if key not in self.rows:
                        missing.setdefault(key[0], {})[key[1]] = None
                if not link.single and not link.said:
                    names, ids = lists.setdefault(model, (set(), []))
                    names.add(str(link.relation))
                    ids.append(entity.ecs_id)
        for model, wanted in missing.items():
            found = rows_by_id(self.session, model, wanted)
            self.rows |= {(model, ecs_id): row for ecs_id, row in found.items()}
        for model, (names, ids) in lists.items():
            rows_by_id(self.session, model, ids, names)

    def _set_single(self, row: Row, link: Link, entity: Any) -> bool:
        """Set a reference; False if what it leads to has to be written first."""
        held = held_by(link.plan, entity)
        target = self.row(held[0]) if held else None
        if link.column is not None and link.remote is not None:
            there = target is None or sa.inspect(target).persistent
            key = None if target is None else getattr(target, link.remote)
            if there and getattr(row, link.column) == key:
                return True
            if there and (link.relation is None or link.late):
                # Alone, the key closes no circle in SQLAlchemy's order of writing.
                setattr(row, link.column, key)
                return True
        if link.relation is None:
            return False
        if getattr(row, link.relation) is not target:
            setattr(row, link.relation, target)
        return True

    def _set_list(self, row: Row, link: Link, entity: Any) -> None:
        members = [
            self.rows.get((self.models.model_of(type(e)), e.ecs_id))
            for e in held_by(link.plan, entity)
        ]
        if link.position is not None:
            places = [getattr(member, link.position) for member in members]
            rising = None not in places and all(a < b for a, b in pairwise(places))
            if not rising:
                for place, member in enumerate(members):
                    setattr(member, link.position, place)
        if link.said or link.relation is None:
            return
        now = getattr(row, link.relation)
        if list(now) != members:
            setattr(row, link.relation, type(now)(members))

    def _flush_without(self, keys: list[tuple[Row, Link, Any]]) -> None:
        """Write rows whose keys are known first, then those that wait for them."""
        while keys:
            held = [row for row, link, _ in keys if not _nullable(type(row), link)]
            for row in held:
                if row in self.session:
                    self.session.expunge(row)
            self._flush()
            left = [item for item in keys if not self._set_single(*item)]
            waiting = {id(row) for row, _, _ in left}
            self.session.add_all(row for row in held if id(row) not in waiting)
            if len(left) == len(keys):
                self.session.add_all(held)
                break
            keys = left
        self._flush()

    def _flush(self) -> None:
        try:
            self.session.flush()
        except sa.exc.CircularDependencyError as err:
            raise StorageError(
                "Rows of your models refer to each other in a circle that cannot be written in"
                " one go. Give the relationship post_update=True, or let from_entity leave it out:"
                " it is set afterwards then."
            ) from err


# -- reading ---------------------------------------------------------------------------------


class ReadLinks:
    """Reads what the rows of some entities say of their references.

    Attributes
    ----------
    said
        By id and field: the ids of what it holds, in order.
    """

    def __init__(self, session: Session, models: Handwritten) -> None:
        self.session = session
        self.models = models
        self.said: dict[tuple[UUID, str], list[UUID]] = {}
        self.found: dict[UUID, Any] = {}  # what is held, and its model

    def read(self, entities: list[Any]) -> None:
        """Read the links of some more entities."""
        by_class: dict[type, list[Any]] = {}
        for entity in entities:
            by_class.setdefault(type(entity), []).append(entity)
        for cls, some in by_class.items():
            links = links_of(self.models, cls)
            if links:
                self._read(cls, links, [entity.ecs_id for entity in some])

    def _read(self, cls: type, links: list[Link], ids: list[UUID]) -> None:
        attributes = [link.relation for link in links if link.relation and self._by_relation(link)]
        rows = rows_by_id(self.session, self.models.model_of(cls), ids, attributes)
        for link in links:
            if self._by_relation(link):
                for ecs_id, row in rows.items():
                    held = getattr(row, str(link.relation))
                    members = [held] if link.single else list(held)
                    members = [member for member in members if member is not None]
                    if link.position is not None:
                        members.sort(key=lambda m: _place(getattr(m, str(link.position))))
                    elif not link.single and not link.ordered:
                        # In the order of making, where the database gives them in any.
                        members.sort(key=_mapper(link.member).primary_key_from_instance)
                    self._note(link, ecs_id, [(type(m), as_uuid(m.ecs_id)) for m in members])
            elif link.single:
                self._read_keys(link, rows)
            else:
                self._read_members(link, rows)

    def _by_relation(self, link: Link) -> bool:
        # The key of one entity is in the row already; a list is read with what it holds.
        return link.relation is not None and not (link.single and link.column)

    def _note(self, link: Link, ecs_id: UUID, held: list[tuple[Any, UUID]]) -> None:
        self.said[ecs_id, link.plan.name] = [target for _, target in held]
        self.found.update((target, model) for model, target in held)

    def _read_keys(self, link: Link, rows: dict[UUID, Row]) -> None:
        keys = {ecs_id: getattr(row, str(link.column)) for ecs_id, row in rows.items()}
        remote = getattr(link.member, str(link.remote))
        ids: dict[Any, UUID] = {}
        for part in batches({key: None for key in keys.values() if key is not None}):
            query = sa.select(remote, link.member.ecs_id).where(remote.in_(part))
            ids.update((key, as_uuid(i)) for key, i in self.session.execute(query))
        for ecs_id, key in keys.items():
            self._note(link, ecs_id, [(link.member, ids[key])] if key in ids else [])

    def _read_members(self, link: Link, rows: dict[UUID, Row]) -> None:
        """Read a list that has no relationship: those that refer to its holder."""
        holder = {getattr(row, str(link.remote)): ecs_id for ecs_id, row in rows.items()}
        key = getattr(link.member, str(link.column))
        held: dict[UUID, list[tuple[Any, UUID]]] = {ecs_id: [] for ecs_id in rows}
        first = list(_mapper(link.member).primary_key)
        ordered = [getattr(link.member, link.position), *first] if link.position else first
        for part in batches(holder):
            query = sa.select(key, link.member.ecs_id).where(key.in_(part)).order_by(*ordered)
            for value, ecs_id in self.session.execute(query):
                held[holder[value]].append((link.member, as_uuid(ecs_id)))
        for ecs_id, members in held.items():
            self._note(link, ecs_id, members)

    def settle(self, entity: Any, link: Link) -> list[UUID] | None:
        """Return what a field holds, by the ids; None if it is as the user's method left it."""
        ids = self.said.get((entity.ecs_id, link.plan.name))
        if ids is None:
            return None
        held = [target.ecs_id for target in held_by(link.plan, entity)]
        left_out = not held
        reordered = link.position is not None and sorted(held) == sorted(ids) and held != ids
        return ids if left_out or reordered else None


def _place(value: int | None) -> tuple[bool, int]:
    return (value is None, value or 0)
