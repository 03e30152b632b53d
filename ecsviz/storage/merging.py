"""Three states of a graph made one: what both sides changed since they had the same, by field."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Mapping as MappingOf
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.text import counted
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.equality import by_id, identical
from ecsviz.domain.fields import class_plan
from ecsviz.domain.objects import (
    add_fields_set,
    fill_private,
    forget_computed,
    is_lazy,
    is_placeholder,
)
from ecsviz.domain.paths import held_in
from ecsviz.domain.walk import walk
from ecsviz.errors import InvalidArgumentError, MergeConflictError, short_repr
from ecsviz.storage.as_of import AsOf, said_as
from ecsviz.storage.copies import copied
from ecsviz.storage.looking import Inside
from ecsviz.storage.renewal import renew, walk_to_save

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "(nothing)"})()
"""Stands for what is not there."""

Choose = Callable[["Conflict"], str]
"""Tells which side of a conflict is taken: one of its ``choices``."""

BOTH: Final = "both"
SIDES: Final = ("mine", "theirs", BOTH)


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that two sides have changed to different values.

    Attributes
    ----------
    type_name, ecs_id, field
        Where; the field is empty if the entity itself was deleted.
    base, mine, theirs
        The value both began with, and what each has made of it.
    deleted
        The ids of what mine leads to and was deleted in the store: then it cannot be taken.
    """

    type_name: str
    ecs_id: UUID
    field: str
    base: Any
    mine: Any
    theirs: Any
    deleted: frozenset[UUID] = frozenset()

    @property
    def choices(self) -> tuple[str, ...]:
        """What one may take: ``"mine"``, ``"theirs"``; of two lists of entities also ``"both"``.

        Both is mine, without what they took out or deleted, and what they have added behind it.
        There is no choice where the entity itself was deleted.
        """
        if not self.field:
            return ()
        lists = all(
            type(side) is list and all(is_entity_class(type(part)) for part in side)
            for side in (self.base, self.mine, self.theirs)
        )
        return (SIDES if lists else SIDES[:2])[bool(self.deleted) :]

    def taken(self, choice: Any) -> Any:
        """Return the value that a choice gives.

        Parameters
        ----------
        choice
            One of the ``choices``.

        Raises
        ------
        InvalidArgumentError
            If it is none of them.
        """
        if choice not in self.choices:
            listed = ", ".join(map(repr, self.choices)) or "none; refresh() takes over all"
            raise InvalidArgumentError(
                f"{short_repr(choice)} is no choice for {self}. Its choices: {listed}.",
                argument="choose",
                value=choice,
            )
        if choice != BOTH:
            return self.mine if choice == "mine" else self.theirs
        base, theirs = ({part.ecs_id for part in side} for side in (self.base, self.theirs))
        out = (base - theirs) | self.deleted
        mine = [part for part in self.mine if part.ecs_id not in out]
        added = Counter(part.ecs_id for part in self.theirs)
        added.subtract(part.ecs_id for part in self.base)  # they may hold one again
        added.subtract({part.ecs_id for part in mine} - base)  # which both have added
        behind = []
        for part in reversed(self.theirs):
            if added[part.ecs_id] > 0:
                added[part.ecs_id] -= 1
                behind.append(part)
        return mine + behind[::-1]

    def __str__(self) -> str:
        where = f"{self.type_name} …{str(self.ecs_id)[-6:]}"
        if not self.field:
            return f"{where}: changed here, deleted in the store"
        if self.deleted:
            return f"{where}.{self.field}: leads here to what was deleted in the store"
        return (
            f"{where}.{self.field}: {_said(self.base)} → here {_said(self.mine)},"
            f" in the store {_said(self.theirs)}"
        )


def fields_of(cls: type) -> list[str]:
    """Return the fields of a class that a merge compares."""
    plan = class_plan(cls)
    return [*plan.values, *(item.name for item in plan.fields)]


class Merge:
    """One merge of the state that was read (`base`), `mine` and `theirs`.

    Parameters
    ----------
    mine, base, theirs
        Entities of the three states; `mine` are the live ones.
    """

    def __init__(self, mine: Iterable[Any], base: Iterable[Any], theirs: Iterable[Any]) -> None:
        self.mine = {e.ecs_id: e for e in mine}
        self.base = {e.ecs_id: e for e in base}
        self.theirs = {e.ecs_id: e for e in theirs}
        self.gone = self.base.keys() - self.theirs.keys()  # deleted by others
        self.conflicts: list[Conflict] = []

    def look(self, choose: Choose | None = None) -> dict[UUID, dict[str, Any]]:
        """Return the merged values of entities; what cannot be merged is in ``conflicts`` then.

        Parameters
        ----------
        choose
            Decides what would be a conflict.
        """
        self.conflicts = []
        merged = {
            ecs_id: self._entity(entity, choose)
            for ecs_id, entity in self.mine.items()
            if ecs_id in self.theirs and not is_placeholder(entity)
        }
        for ecs_id, entity in self.mine.items():
            if ecs_id in self.base and ecs_id not in self.theirs and self._changed(entity):
                kind = type(entity).__name__
                self.conflicts.append(Conflict(kind, ecs_id, "", MISSING, MISSING, MISSING))
        return merged

    def run(self, choose: Choose | None = None) -> None:
        """Change the live entities, or raise.

        Parameters
        ----------
        choose
            Decides what would be a conflict.

        Raises
        ------
        MergeConflictError
            If a field cannot be merged. Nothing is changed then.
        """
        merged = self.look(choose)
        if self.conflicts:
            lines = "\n  ".join(str(c) for c in self.conflicts[:10])
            way = "Set each to what it should be in"
            if all(each.choices for each in self.conflicts):
                way = (
                    'Choose with store.resolve(), or say store.merge(…, choose="mine") or "theirs".'
                    " Or set each to what it should be in"
                )
            were = "was" if len(self.conflicts) == 1 else "were"
            raise MergeConflictError(
                f"{counted(len(self.conflicts), 'field')} {were} changed here and in the store, so"
                f" nothing was merged:\n  {lines}\n{way} the entity that"
                " store.get() gives, or refresh() and repeat your changes.",
                conflicts=self.conflicts,
            )
        for ecs_id, values in merged.items():
            live, theirs = self.mine[ecs_id], self.theirs[ecs_id]
            for name, value in values.items():
                live.__dict__[name] = copied(value, self._live)
            live.__dict__["version"] = theirs.version
            forget_computed(live)
        for ecs_id, entity in self.theirs.items():
            live = self.mine.get(ecs_id, entity)
            if live is entity or is_lazy(live):  # which would load as it was when it was read
                _redirect(entity, live, self.mine)

    def _live(self, part: Any) -> Any:
        if not is_entity_class(type(part)):
            return NotImplemented
        return self.mine.get(part.ecs_id, self.theirs.get(part.ecs_id, part))

    def _changed(self, entity: Any) -> bool:
        if is_placeholder(entity):
            return False
        base = self.base[entity.ecs_id].__dict__
        return any(
            not identical(base.get(n, MISSING), entity.__dict__.get(n, MISSING), by_id)
            for n in fields_of(type(entity))
        )

    def _entity(self, entity: Any, choose: Choose | None) -> dict[str, Any]:
        """Return the merged values of an entity's fields, noting conflicts."""
        mine, theirs = entity.__dict__, self.theirs[entity.ecs_id].__dict__
        before = self.base.get(entity.ecs_id)
        base = {} if before is None else before.__dict__
        result = {}
        plans = {plan.name: plan for plan in class_plan(type(entity)).fields} if self.gone else {}
        for name in fields_of(type(entity)):
            values = [state.get(name, MISSING) for state in (base, mine, theirs)]
            found = _three_way(*values)
            held = values[1] if found is MISSING else found
            led_to = held_in(plans[name], held) if name in plans and held is not MISSING else ()
            lost = frozenset(other.ecs_id for other in led_to if other.ecs_id in self.gone)
            if found is MISSING or lost:
                was, own, there = values
                kind = type(entity).__name__
                conflict = Conflict(kind, entity.ecs_id, name, was, own, there, lost)
                side = None if choose is None else choose(conflict)
                if choose is None or (lost and side not in conflict.choices):
                    self.conflicts.append(conflict)
                else:
                    found = conflict.taken(side)
            result[name] = found
        return result

    @staticmethod
    def take_over(live: MappingOf[UUID, Any], fresh: Iterable[Any]) -> None:
        """Give live entities the state of others with the same ids; new ones stay what they are."""
        for entity in fresh:
            _redirect(entity, live.get(entity.ecs_id, entity), live)


def merge_of(store: Any, roots: list[Any], base: AsOf) -> Merge:
    """Return the merge of live entities with what a store has.

    Parameters
    ----------
    store
        The store.
    roots
        The live entities.
    base
        The revision at which they were read; None: that which their versions tell.
    """
    mine, ids = walk_to_save(roots).entities, [root.ecs_id for root in roots]
    with store.inside.one_state():
        theirs = walk(store.get_many(ids)).entities
        if base is None:
            base = _read_at(store.inside, mine)
        with said_as("base"):
            before = walk(store.get_many(ids, as_of=base)).entities
        extra = {e.ecs_id for e in (*mine, *before)} - {e.ecs_id for e in theirs}
        there = store.inside.stored_versions(sorted(extra))
        theirs = walk(store.get_many([*ids, *there])).entities
    return Merge(mine, before, theirs)


def _read_at(inside: Inside, entities: list[Any]) -> int:
    """Return the revision as of which entities have the versions that they have."""
    read = [entity for entity in entities if not is_placeholder(entity) and entity.version]
    stored = inside.stored_versions([entity.ecs_id for entity in read])
    read = [entity for entity in read if entity.ecs_id in stored]
    made = inside.first_revisions([entity.ecs_id for entity in read])
    for entity in read:
        if (entity.ecs_id, entity.version) not in made:
            raise InvalidArgumentError(
                f"The store knows no version {entity.version} of {type(entity).__name__}"
                f" {entity.ecs_id} (any more). Say with base= at which revision it was read.",
                ecs_id=entity.ecs_id,
            )
    return max((made[entity.ecs_id, entity.version] for entity in read), default=0)


def chooser(choose: Any) -> Choose | None:
    """Return what decides about conflicts, from what a user gives: a side, or a function.

    Raises
    ------
    InvalidArgumentError
        If it is neither.
    """
    if choose is None or callable(choose):
        return choose  # type: ignore[no-any-return]  # what it returns is checked where it is used
    if isinstance(choose, str) and choose in SIDES[:2]:
        return lambda _: choose
    raise InvalidArgumentError(
        f'choose is {short_repr(choose)}. Give "mine", "theirs", or a function that returns one of'
        " the choices of a conflict.",
        argument="choose",
        value=choose,
    )


def _redirect(entity: Any, target: Any, live: MappingOf[UUID, Any]) -> None:
    """Copy an entity's state, with live entities in the places of others of the same id."""

    def swap(part: Any) -> Any:
        return live.get(part.ecs_id, part) if is_entity_class(type(part)) else NotImplemented

    state = {name: copied(value, swap) for name, value in entity.__dict__.items()}
    if type(target) is not type(entity):  # of an earlier definition of the class
        for name in type(target).model_fields.keys() - state.keys():
            target.__dict__.pop(name, None)
        renew(target, type(entity), {})
    target.__dict__.update(state)
    fill_private(target, state)
    forget_computed(target)
    add_fields_set(target, state)


def _three_way(base: Any, mine: Any, theirs: Any) -> Any:
    """Return the merged value, `MISSING` where there is none that both sides would accept."""
    if identical(mine, theirs, by_id) or identical(base, theirs, by_id):
        return mine
    if identical(base, mine, by_id):
        return theirs
    kinds = {type(base), type(mine), type(theirs)}
    if len(kinds) == 1 and isinstance(base, AbstractSet):
        made: Any = type(mine)
        return made((mine - (base - theirs)) | (theirs - base))
    if kinds == {dict}:
        return _merged_dict(base, mine, theirs)
    return MISSING


def _merged_dict(base: Any, mine: Any, theirs: Any) -> Any:
    result = {}
    for key in dict.fromkeys([*mine, *theirs]):
        values = [side.get(key, MISSING) for side in (base, mine, theirs)]
        found = _three_way(*values)
        if found is MISSING and not (values[1] is MISSING or values[2] is MISSING):
            return MISSING
        if found is MISSING and not all(_gone(values[0], side) for side in values[1:]):
            return MISSING  # one side has deleted what the other has changed
        if found is not MISSING:
            result[key] = found
    return result


def _gone(base: Any, side: Any) -> bool:
    return side is MISSING or identical(base, side, by_id)


def _said(value: Any) -> str:
    if is_entity_class(type(value)):
        return f"{type(value).__name__} …{str(value.ecs_id)[-6:]}"
    if isinstance(value, (list, tuple, set, frozenset, dict)) and value:
        return f"<{type(value).__name__} of {len(value)}>"
    return short_repr(value)
