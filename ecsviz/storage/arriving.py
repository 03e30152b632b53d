"""What was read elsewhere and arrives in a store: it is fitted to what is stored, then saved.

A reader notes with an entity where it comes from (`come_from`). Whoever gives such an entity to a
store, alone or in whatever holds it, has it fitted in the transaction that saves it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol, Self
from weakref import WeakSet

from ecsviz.domain.entity import Entity
from ecsviz.domain.walk import Walk, walk
from ecsviz.storage.kept_walks import gone_again
from ecsviz.storage.renewal import walk_of_given, walk_to_save

_ORIGIN = vars(Entity)["__ecs_origin__"]

_classes: WeakSet[type] = WeakSet()
"""The classes of which some entities come from elsewhere: others are not looked at."""


class Fitted(Protocol):
    """What came of fitting: it is asked what is to be saved, and told when that is done.

    Attributes
    ----------
    is_linked_anew
        Whether any reference is another one than before.
    """

    is_linked_anew: bool

    def is_left_out(self, entity: Any) -> bool:
        """Tell whether an entity is as it is stored, or is not to be stored."""

    def begin(self, found: Walk | None) -> None:
        """Take note of what is going to be saved; None for nothing."""

    def settle(self, alone: list[Any] | None, left_out: list[Any]) -> None:
        """Note in the store what was said, now that it is saved: all, or some entities alone.

        Of what was given itself and is left out, it warns where that is not stored.
        """


class Origin(Protocol):
    """Where an entity comes from."""

    def is_settled(self, store: Any, entity: Any) -> bool:
        """Tell whether an entity was fitted to a store and saved there: it goes on as any other."""

    def twin(self, of: Callable[[Any], Any]) -> Self:
        """Return the origin of a copy, given what returns the copy of an entity."""

    @classmethod
    def fit(cls, store: Any, arriving: Sequence[tuple[Any, Self]]) -> Fitted:
        """Fit entities, each with its origin, to what a store has. Nothing is written."""


def come_from(entity: Any, origin: Origin) -> None:
    """Note where an entity comes from. No copy, dump or pickle takes that along."""
    _classes.add(type(entity))
    _ORIGIN.__set__(entity, origin)


def origin_of(entity: Any) -> Any:
    """Return where an entity comes from; None if nothing was noted."""
    try:
        return _ORIGIN.__get__(entity)
    except AttributeError:
        return None


def arriving(store: Any, found: Walk) -> list[tuple[Any, Any]]:
    """Return what of a walk arrives in a store, each with its origin."""
    kinds = [cls for cls in found.classes if cls in _classes]
    if not kinds:
        return []
    some = [(entity, origin_of(entity)) for entity in found.entities if type(entity) in kinds]
    return [(e, origin) for e, origin in some if origin and not origin.is_settled(store, e)]


def fit(store: Any, some: list[tuple[Any, Any]]) -> list[Fitted]:
    """Fit what arrives, all of one kind of origin at once."""
    kinds = dict.fromkeys(type(origin) for _, origin in some)
    return [kind.fit(store, [pair for pair in some if type(pair[1]) is kind]) for kind in kinds]


def save(store: Any, roots: list[Any], note: str | None, alone: bool) -> Walk:
    """Save entities; what arrives is fitted in the same transaction. Return the walk.

    Parameters
    ----------
    store, roots, note
        As for `register`.
    alone
        Whether they are saved without what they hold.
    """

    def walked(given: list[Any]) -> tuple[Walk, int | None]:
        if alone:
            return walk_of_given(given), len(set(map(id, given)))
        return store.inside.walk(given), None

    found, count = walked(roots)
    if not arriving(store, found):
        store.inside.save(found, note, alone=count)
        return found
    with store.inside.origins.hold():
        found = gone_again(found)  # which knows nothing of what fitting changes
        some = arriving(store, found)
        fitted = fit(store, some)
        rest = _left_of(roots, [] if alone else some, fitted)
        if len(rest) < len(roots) or any(each.is_linked_anew for each in fitted):
            found, count = walked(rest)
            found = gone_again(found)
        for each in fitted:
            each.begin(found)
        if rest:
            store.inside.save(found, note, alone=count)
        for each in fitted:
            left_out = [root for root in roots if each.is_left_out(root)]
            each.settle(rest if alone else None, left_out)
    return found


def _left_of(roots: list[Any], some: list[tuple[Any, Any]], fitted: list[Fitted]) -> list[Any]:
    """Return what is to be saved of what was given, and of what arrives with what is left out."""

    def is_kept(entity: Any) -> bool:
        return not any(each.is_left_out(entity) for each in fitted)

    rest = list(filter(is_kept, roots))
    if len(rest) < len(roots):  # who leads to all else may be what is left out
        given = set(map(id, roots))
        rest += [entity for entity, _ in some if id(entity) not in given and is_kept(entity)]
    return rest


def fit_in_place(store: Any, roots: list[Any]) -> list[Any]:
    """Fit what arrives to a store, in which nothing is written; return the other roots."""
    some = arriving(store, walk_to_save(roots))
    for each in fit(store, some) if some else ():
        each.begin(None)
    fitted = {id(entity) for entity, _ in some}
    return [root for root in roots if id(root) not in fitted]


def walk_to_plan(store: Any, roots: list[Any]) -> Walk:
    """Walk entities as they would be saved; of what arrives, fitted copies."""
    found = walk_to_save(roots)
    if not arriving(store, found):
        return found
    copies = copy.deepcopy(roots)
    twins = dict(zip(map(id, found.entities), walk(copies).entities, strict=True))
    for entity, origin in arriving(store, found):
        come_from(twins[id(entity)], origin.twin(lambda each: twins.get(id(each), each)))
    with store.inside.one_state():
        some = arriving(store, walk(copies))
        fitted = fit(store, some)
    made = walk_to_save(_left_of(copies, some, fitted))
    for each in fitted:
        each.begin(made)
    return made
