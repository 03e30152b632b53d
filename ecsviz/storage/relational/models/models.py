"""The declarative models: every mapped class as a class of SQLAlchemy's ORM."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.ext.orderinglist import ordering_list
from sqlalchemy.orm import Session, foreign, object_session, registry, relationship, remote

from ecsviz.basics.once import making
from ecsviz.errors import StorageError
from ecsviz.storage.relational.models.handwritten_rows import running
from ecsviz.storage.relational.models.sessions import when_committed
from ecsviz.storage.relational.schema.mapping import (
    ClassMap,
    Collection,
    InverseList,
    Mapping,
    RefColumn,
)
from ecsviz.storage.relational.schema.naming import snake
from ecsviz.storage.saved import Telling

RESERVED = frozenset({"metadata", "registry", "to_entity", "from_entity"})
"""Names that a declarative class has of its own: a column of that name gets an underscore."""


class EntityRows(Protocol):
    """What the declarative classes need of a storage."""

    def load_rows(self, conn: Connection, roots: dict[str, list[int]]) -> list[Any]:
        """Return the entities of some rows."""

    def save_in(self, session: Session, entity: Any) -> int:
        """Save an entity in a session's transaction; return its row id."""


class Models:
    """The declarative classes of one store, made anew when a table or a class changes.

    Parameters
    ----------
    storage
        The store, whose own saving and loading ``from_entity`` and ``to_entity`` use.
    mapping
        Returns its mapping of today.
    """

    def __init__(self, storage: EntityRows, mapping: Callable[[], Mapping]) -> None:
        self._storage = storage
        self._now = mapping
        self._mapping = mapping()
        self._made: dict[str, Any] = {}
        self._classes: dict[str, type] = {}

    def of(self, cls: type) -> Any:
        """Return the declarative class of an entity class."""
        with making:
            mapping = self._mapping = self._now()
            mapping.map_met()
            known = mapping.map_classes([cls])[0]
            self._make_missing()
            return self._made[known.type_name]

    def all(self) -> dict[type, Any]:
        """Return the declarative classes of all classes mapped so far."""
        with making:
            mapping = self._mapping = self._now()
            mapping.map_met()
            self._make_missing()
            return {known.cls: self._made[name] for name, known in mapping.by_type.items()}

    def _make_missing(self) -> None:
        maps = self._mapping.by_type
        if self._made.keys() < maps.keys() or any(
            # A newer definition with the same fields keeps its table, but has classes of its own.
            made.__table__ is not maps[name].table or self._classes[name] is not maps[name].cls
            for name, made in self._made.items()
            if name in maps
        ):
            self._make_all()

    def _make_all(self) -> None:
        self._classes = {name: known.cls for name, known in self._mapping.by_type.items()}
        base: Any = registry(metadata=self._mapping.metadata).generate_base()
        self._made = {}  # a new one: relationships of those made before look theirs up in the old
        for known in self._mapping.by_type.values():
            namespace = {
                "__table__": known.table,
                "__doc__": f"Rows of {known.table.name!r}: the entity class {known.cls.__name__}.",
                "__module__": __name__,
                **self._attributes(known),
                **self._methods(known),
            }
            name = f"{known.type_name.rpartition('.')[2]}SQL"
            self._made[known.type_name] = type(name, (base,), namespace)
        for known in self._mapping.by_type.values():
            for attribute in _looked_at(self._made[known.type_name]):
                for change in ("append", "remove", "set"):
                    sa.event.listen(attribute, change, _refuse_change)

    def _target(self, name: str) -> Callable[[], Any]:
        made = self._made
        return lambda: made[name]

    # -- attributes --------------------------------------------------------------------------

    def _attributes(self, known: ClassMap) -> dict[str, Any]:
        result: dict[str, Any] = {
            f"{column.name}_": column for column in known.table.columns if column.name in RESERVED
        }
        taken = {column.name for column in known.table.columns}
        for ref in known.singles:
            for target in ref.arcs:
                if target in self._mapping.by_type:
                    result[free_name(arc_name(ref, target), taken)] = self._single(
                        known, ref, target
                    )
        for item in known.inverse_lists:
            listed = self._list(known, item)
            if listed is not None:
                result[free_name(item.name, taken)] = listed
        for collection in known.collections:
            for target in collection.arcs:
                if target in self._mapping.by_type:
                    name = arc_name(collection, target)
                    result[free_name(name, taken)] = self._collection(known, collection, target)
        return result

    def _single(self, known: ClassMap, ref: RefColumn, target: str) -> Any:
        key = ref.arcs[target]
        other = self._mapping.by_type[target]
        options: dict[str, Any] = {}
        if ref.inverse is not None and self._back_of(other, ref) is known:
            options["back_populates"] = ref.inverse
        # On a cycle of tables, what may be NULL at first is filled in by a second statement.
        options["post_update"] = bool(key.nullable)
        return relationship(
            self._target(target),
            primaryjoin=key == other.table.c.id,
            foreign_keys=[key],
            remote_side=[other.table.c.id],
            overlaps=_both_sides(ref, target),
            **options,
        )

    def _back_of(self, holder: ClassMap, ref: RefColumn) -> ClassMap | None:
        """Return the class whose back-reference a holder's list is bound to."""
        for item in holder.inverse_lists:
            if item.name == ref.inverse:
                return self._mapping.by_type.get(self._mapping.type_name(item.plan.targets[0]))
        return None

    def _list(self, known: ClassMap, item: InverseList) -> Any:
        member = self._mapping.by_type.get(self._mapping.type_name(item.plan.targets[0]))
        if member is None:
            return None
        ref = next(r for r in member.singles if r.name == item.back.name)
        key = ref.arcs.get(known.type_name)
        if key is None or ref.position is None:
            return None
        name = arc_name(ref, known.type_name)
        return relationship(
            self._target(member.type_name),
            # The marks tell the two sides apart where a table refers to itself.
            primaryjoin=sa.and_(
                remote(foreign(key)) == known.table.c.id, remote(ref.position).is_not(None)
            ),
            order_by=ref.position,
            collection_class=ordering_list(ref.position.name),
            back_populates=name,
            overlaps=_both_sides(ref, known.type_name),
            post_update=bool(key.nullable),
        )

    def _collection(self, known: ClassMap, item: Collection, target: str) -> Any:
        owner, position = item.columns[:2]
        other = self._mapping.by_type[target].table
        # Only to look at: a row of the association carries a position, and perhaps a key.
        return relationship(
            self._target(target),
            secondary=item.table,
            primaryjoin=owner == known.table.c.id,
            secondaryjoin=item.arcs[target] == other.c.id,
            order_by=position,
            viewonly=True,
        )

    # -- methods -----------------------------------------------------------------------------

    def _methods(self, known: ClassMap) -> dict[str, Any]:
        storage, type_name = self._storage, known.type_name

        def to_entity(self: Any) -> Any:
            """Return the entity of this row, with everything it leads to."""
            session = object_session(self)
            if session is None:
                raise StorageError(
                    f"This {type(self).__name__} belongs to no session, so what it refers to"
                    " cannot be read. Query it in a session of store.session_factory."
                )
            session.flush()
            return storage.load_rows(session.connection(), {type_name: [self.id]})[0]

        def from_entity(cls: Any, entity: Any, session: Session) -> Any:
            """Save an entity in a session's transaction, and return its row."""
            if running.get() is not None:  # a hand-written from_entity() asks for this row
                return session.get(cls, storage.save_in(session, entity))
            session.flush()
            row_id = storage.save_in(session, entity)
            when_committed(session, Telling(storage, None))
            session.expire_all()
            return session.get(cls, row_id)

        def text(self: Any) -> str:
            return f"<{type(self).__name__} {self.id}>"

        return {
            "to_entity": to_entity,
            "from_entity": classmethod(from_entity),
            "__repr__": text,
        }


def _both_sides(ref: RefColumn, target: str) -> str:
    """Return the names of the relationships that write a reference's column.

    Classes made before may still be used by whoever holds them; SQLAlchemy would warn that theirs
    write it too.
    """
    names = [arc_name(ref, target)] + ([ref.inverse] if ref.inverse is not None else [])
    return ",".join(f"{name},{name}_" for name in names)


def _looked_at(model: Any) -> list[Any]:
    """Return the relationships of a model that only show what an association table holds."""
    mapper: Any = sa.inspect(model)
    return [getattr(model, r.key) for r in mapper.relationships if r.viewonly]


def _refuse_change(row: Any, *_: Any) -> None:
    # SQLAlchemy would forget the change without a word.
    raise StorageError(
        f"This list of a {type(row).__name__} can only be looked at: its rows carry positions or"
        " keys. Change the entity and register it, or write to the association table."
    )


def arc_name(ref: RefColumn | Collection, target: str) -> str:
    """Return the name of the relationship from a field to one of the classes that it holds."""
    return ref.name if len(ref.arcs) == 1 else f"{ref.name}_{snake(target)}"


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return a name, with an underscore behind it if a column or SQLAlchemy has it."""
    return f"{name}_" if name in taken or name in RESERVED else name
