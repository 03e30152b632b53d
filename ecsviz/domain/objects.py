"""The state of entities in memory: shells, copies, pickles.

All of these reach a whole graph iteratively, whatever holds its entities (fields of any type,
private attributes, extras), so that cycles and chains of any length pass.
"""

from __future__ import annotations

import copy
import datetime as dt
import enum
import fractions
import operator
import pathlib
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import repeat
from types import FrameType
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ecsviz.basics.garbage import collector_paused
from ecsviz.basics.once import making
from ecsviz.domain.entity_class import is_entity_class, newest_definition
from ecsviz.domain.scalars import SCALARS
from ecsviz.errors import NotLoadedError

ATOMS = frozenset(
    {
        *SCALARS,
        *(complex, fractions.Fraction, range, type, dt.timezone),
        *(pathlib.PosixPath, pathlib.WindowsPath),
    }
)
"""Types whose values never change and hold nothing: a copy may share them."""


def is_atom(kind: type) -> bool:
    """Tell whether the values of a type never change and hold nothing: members of enums, too."""
    return kind in ATOMS or issubclass(kind, enum.Enum)


def shell(cls: Any, ecs_id: Any) -> Any:
    """Return an instance of `cls` that has an id and nothing else yet."""
    entity = cls.__new__(cls)
    _set(entity, "__dict__", {"ecs_id": ecs_id})
    _set(entity, "__pydantic_fields_set__", set())
    _set(entity, "__pydantic_extra__", None)
    _set(entity, "__pydantic_private__", None)
    return entity


def shells(cls: Any, ids: Sequence[Any]) -> list[Any]:
    """Return an instance of `cls` for each id, as `shell` does."""
    entities = blanks(cls, len(ids))
    _put(entities, "__dict__", [{"ecs_id": ecs_id} for ecs_id in ids])
    _put(entities, _FIELDS_SET, repeat(set[str]()))  # one for all until they are filled
    return entities


def blanks(cls: Any, count: int) -> list[Any]:
    """Return instances of `cls` that are nothing until `fill_all` fills them."""
    # A column at a time, here and there.
    entities = list(map(cls.__new__, repeat(cls, count)))
    _put(entities, "__pydantic_extra__", repeat(None))
    _put(entities, "__pydantic_private__", repeat(None))
    return entities


_set = object.__setattr__


def is_placeholder(entity: Any) -> bool:
    """Tell whether an entity only stands for one that was left out of a partial reading.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> _ = store.register(thread)
    >>> part = store.get(thread.ecs_id, hops=0)
    >>> is_placeholder(part), is_placeholder(part.messages[0])
    (False, True)
    """
    state = entity.__dict__  # in which a cached property may stand that looks at no field
    return "version" not in state and "lineage_id" not in state and "ecs_id" in state


def any_placeholder(entities: Sequence[Any]) -> bool:
    """Tell whether one of some entities is a placeholder; who has a version is none.

    Examples
    --------
    >>> import ecsviz as ev
    >>> any_placeholder([ev.ChatThread(title="Cycles")])
    False
    """
    states = map(operator.attrgetter("__dict__"), entities)
    if all(map(operator.contains, states, repeat("version"))):
        return False
    return any(map(is_placeholder, entities))


class Unread(set[str]):
    """The fields that are set of a placeholder that loads on first touch: none, and who loads it.

    Notes
    -----
    Many placeholders share one, so that what is loaded costs nothing, and what is not yet costs no
    more than a placeholder that is never loaded. Copies and pickles have a plain set, and never
    load.
    """

    __slots__ = ()

    def load(self, entity: Any, name: str) -> None:
        """Load an entity, of which a field is touched."""
        raise NotImplementedError

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return set, ()


class Whole(set[str]):
    """The fields that are set of entities that were read: all of them, so that one set does."""

    __slots__ = ()

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return set, (list(self),)


def own_fields_set(entity: Any) -> set[str]:
    """Return which fields of an entity are set, as a set of its own, which may be changed."""
    found: set[str] = entity.__pydantic_fields_set__
    if type(found) is Whole:
        with making:
            found = entity.__pydantic_fields_set__
            if type(found) is Whole:
                found = set(found)
                _set(entity, _FIELDS_SET, found)
    return found


def is_lazy(entity: Any) -> bool:
    """Tell whether an entity is a placeholder that loads on first touch."""
    return is_placeholder(entity) and isinstance(entity.__pydantic_fields_set__, Unread)


def touch(entity: Any, name: str) -> None:
    """Load a placeholder of which a field is touched.

    Raises
    ------
    NotLoadedError
        If it only stands for what a reading left out, or a completer asks.
    """
    unread = entity.__pydantic_fields_set__
    if isinstance(unread, Unread):
        if _is_completing(sys._getframe(1)):
            raise not_loaded(entity, name)
        unread.load(entity, name)
    elif is_placeholder(entity):  # or another thread has loaded it just now
        raise not_loaded(entity, name)


def _is_completing(frame: FrameType | None) -> bool:
    """Tell whether a completer asks: jedi looks at what stands before a point, as it is typed."""
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_COMPLETERS):
            return True
        frame = frame.f_back
    return False


_COMPLETERS: Final = ("jedi.", "IPython.core.completer", "IPython.core.guarded_eval")


def not_loaded(entity: Any, name: str) -> NotLoadedError:
    """Return the error for a field of a placeholder."""
    kind, ecs_id = type(entity).__name__, entity.__dict__["ecs_id"]
    why = (
        "was left out when its neighbourhood was read, and only stands for it. Get it by its"
        " ecs_id, or read more hops."
    )
    if is_lazy(entity):
        why = (
            "is not loaded yet, and this does not load it. Look at a field of it first, which"
            " does, or read it without lazy=True."
        )
    return NotLoadedError(
        f"{kind}.{name} is not here: this {kind} ({ecs_id}) {why}",
        ecs_id=ecs_id,
        type_name=kind,
        field=name,
    )


def not_set(entity: Any, name: str) -> NotLoadedError:
    """Return the error for a private attribute that nobody has set."""
    kind, ecs_id = type(entity).__name__, entity.__dict__.get("ecs_id")
    return NotLoadedError(
        f"{kind}.{name} was not set in this {kind} ({ecs_id}). It is a private attribute, which no"
        " storage and no dump keeps. Give it a default, or set it in model_post_init, which runs"
        " for entities that are read, too; where it leads to what was left out, or round in a"
        " circle, compute it when it is asked for (functools.cached_property).",
        ecs_id=ecs_id,
        type_name=kind,
        field=name,
    )


def fill(entity: Any, values: dict[str, Any], fields_set: set[str]) -> None:
    """Give a shell its state, private attributes at their defaults."""
    _set(entity, "__dict__", values)
    _set(entity, "__pydantic_fields_set__", fields_set)
    fill_private(entity, values)


def take_place_of(made: Any, entity: Any) -> None:
    """Give an entity, which others hold already, the class and the state of the one made for it."""
    if is_entity_class(type(made)):
        _set(entity, "__class__", type(made))
        # One state for both, should anything hold the one that was made.
        BaseModel.__setstate__(entity, BaseModel.__getstate__(made))


def fill_all(
    cls: Any, entities: Sequence[Any], names: Sequence[str], columns: Sequence[list[Any]]
) -> list[tuple[Any, ...]]:
    """Give shells of one class their state, as columns in the order of `names`; return the rows.

    Notes
    -----
    A slot at a time, by functions that are written in C and call each other: a third less time
    than a loop over the entities. A set takes more memory than all else in a small entity.
    """
    rows = list(zip(*columns, strict=True))
    states = list(map(dict, map(zip, repeat(names), rows)))
    if len(states) != len(entities):
        raise ValueError(f"{len(entities):,} entities and {len(states):,} rows")
    put_states(cls, entities, states, names)
    return rows


def put_states(
    cls: Any, entities: Sequence[Any], states: Sequence[dict[str, Any]], names: Sequence[str]
) -> None:
    """Give shells of one class their states, of which each has the same names."""
    _put(entities, "__dict__", states)
    whole = cls.model_fields.keys() == set(names)  # or what is set later would be so for all
    fields_sets = repeat(Whole(names)) if whole else map(set, repeat(names, len(states)))
    _put(entities, _FIELDS_SET, fields_sets)
    if cls.__private_attributes__:
        for entity, values in zip(entities, states, strict=True):
            fill_private(entity, values)


def take_states(entities: Sequence[Any], others: Sequence[Any]) -> None:
    """Give placeholders the states of other objects, each whole from the moment it has one."""
    for entity, other in zip(entities, others, strict=True):
        if type(entity) is not type(other):  # of an earlier definition of its class
            _set(entity, "__class__", type(other))
    # The fields last but one, since who sees any takes the entity for loaded.
    for slot in ("__pydantic_extra__", "__pydantic_private__", "__dict__", _FIELDS_SET):
        _put(entities, slot, map(_SLOTS[slot].__get__, others))


def add_fields_set(entity: Any, names: Iterable[str]) -> None:
    """Note that fields of an entity are set, which may have been a placeholder up to now."""
    _set(entity, _FIELDS_SET, {*entity.__pydantic_fields_set__, *names})  # others may share the old


def read_by(entities: Sequence[Any], unread: Unread) -> None:
    """Let placeholders load on first touch."""
    _put(entities, _FIELDS_SET, repeat(unread))


def empty(entities: Sequence[Any], unread: Iterable[set[str]]) -> None:
    """Make placeholders of entities, each with what loads it or an empty set."""
    _put(entities, _FIELDS_SET, unread)
    _put(entities, "__dict__", [{"ecs_id": entity.__dict__["ecs_id"]} for entity in entities])
    _put(entities, "__pydantic_private__", repeat(None))


def _put(entities: Sequence[Any], slot: str, values: Iterable[Any]) -> None:
    """Set a slot of each entity, past what assigning to a field does."""
    consume(map(_SLOTS[slot].__set__, entities, values))


_FIELDS_SET: Final = "__pydantic_fields_set__"


_SLOTS: Final = {
    name: vars(BaseModel)[name]
    for name in (
        "__dict__",
        "__pydantic_fields_set__",
        "__pydantic_extra__",
        "__pydantic_private__",
    )
}
consume = deque[Any](maxlen=0).extend
"""Runs through an iterator and keeps nothing, as of a `map` that is called for what it does."""


def forget_computed(entity: Any) -> None:
    """Drop what cached properties have computed from fields that are replaced in place."""
    state, cls = entity.__dict__, type(entity)
    for name in state.keys() - cls.model_fields.keys():
        if isinstance(getattr(cls, name, None), cached_property):
            del state[name]


def fill_private(entity: Any, values: dict[str, Any]) -> None:
    """Give private attributes their defaults, where they have no value yet."""
    private = type(entity).__private_attributes__
    if private:
        have = entity.__pydantic_private__ or {}
        defaults = {n: default_of(item, values) for n, item in private.items() if n not in have}
        found = {name: v for name, v in defaults.items() if v is not PydanticUndefined}
        _set(entity, "__pydantic_private__", {**found, **have})


def default_of(attribute: Any, values: dict[str, Any]) -> Any:
    """Return the default of a field or a private attribute, a new one each time."""
    # get_default() differs between pydantic's releases in whether it calls the factory.
    factory = attribute.default_factory
    if factory is None:
        return copy.deepcopy(attribute.default)
    takes_values = getattr(attribute, "default_factory_takes_validated_data", False)
    return factory(values) if takes_values else factory()


# -- deep copy -------------------------------------------------------------------------------

# Keys in the memo of ``copy.deepcopy``, beside the ids of objects that are its own keys.
_WAITING: Any = "ecsviz: entities whose state is still to be copied"
_SHARED: Any = "ecsviz: entities are shared, not copied"


def deep_copy(entity: Any, memo: dict[int, Any]) -> Any:
    """Return a deep copy of an entity and of everything it leads to.

    Notes
    -----
    The outermost call copies states one after the other. A state that holds an entity meets
    this function again, which then only makes a shell and puts its state on the list: nothing
    goes from one entity to the next by recursion. O(entities + what they hold).
    """
    known = memo.get(id(entity))
    if known is not None:
        return known
    if _SHARED in memo:
        return entity
    if _WAITING in memo:
        return _announce(entity, memo)
    waiting: deque[Any] = deque()
    memo[_WAITING] = waiting
    try:
        with collector_paused():
            result = _announce(entity, memo)
            while waiting:
                _copy_state(waiting.popleft(), memo)
    finally:
        del memo[_WAITING]
    return result


def fork_copy(entity: Any, chosen: Mapping[int, tuple[Any, Any]], *, together: bool) -> Any:
    """Return a fork of an entity, and of all that is forked with it.

    Parameters
    ----------
    entity
        The entity.
    chosen
        By ``id()`` each entity that is forked, and its new ``ecs_id``. All others are shared.
    together
        Whether forks hold the forks; otherwise they hold what is held now, themselves too.

    Notes
    -----
    The new ids stand in the shells from the beginning, since sets go by them. Nothing goes from
    one entity to the next by recursion.
    """
    forks = {key: shell(type(part), new) for key, (part, new) in chosen.items()}
    memo: dict[Any, Any] = {_SHARED: True, **(forks if together else {})}
    with collector_paused():
        for key, (part, new) in chosen.items():
            copied = forks[key]
            _copy_into(copied, part, memo)
            # Set where others cannot: the id is frozen, and the class may validate assignments.
            copied.__dict__.update(ecs_id=new, parent_id=part.ecs_id, version=0)
            copied.__pydantic_fields_set__.update(("ecs_id", "lineage_id", "parent_id"))
    return forks[id(entity)]


_GETSTATE: Any = BaseModel.__getstate__


def _announce(entity: Any, memo: dict[Any, Any]) -> Any:
    copied = memo[id(entity)] = shell(type(entity), entity.__dict__.get("ecs_id"))
    memo[_WAITING].append(entity)
    return copied


def _copy_state(entity: Any, memo: dict[Any, Any]) -> None:
    _copy_into(memo[id(entity)], entity, memo)


def _copy_into(copied: Any, entity: Any, memo: dict[Any, Any]) -> None:
    if type(entity).__getstate__ is not _GETSTATE:  # the class's own, which may give anything
        copied.__setstate__(copy.deepcopy(entity.__getstate__(), memo))
        return
    state = entity.__getstate__()
    for part in ("__dict__", "__pydantic_extra__", "__pydantic_private__"):
        if state[part]:
            state[part] = {name: _copied(value, memo) for name, value in state[part].items()}
    state["__pydantic_fields_set__"] = set(state["__pydantic_fields_set__"])
    copied.__setstate__(state)


def _copied(value: Any, memo: dict[Any, Any]) -> Any:
    """Return ``copy.deepcopy(value, memo)``, in a fraction of the time for what is common."""
    kind = type(value)
    if kind in ATOMS:
        return value
    known = memo.get(id(value))
    if known is not None:
        return known
    if kind is list:
        # In the memo first: a list may hold itself, and two entities may share one list.
        made: list[Any] = []
        memo[id(value)] = made
        made.extend([v if type(v) in ATOMS else copy.deepcopy(v, memo) for v in value])
        return made
    if kind is dict:
        result: dict[Any, Any] = {}
        memo[id(value)] = result
        for key, part in value.items():
            name = key if type(key) in ATOMS else copy.deepcopy(key, memo)
            result[name] = part if type(part) in ATOMS else copy.deepcopy(part, memo)
        return result
    return copy.deepcopy(value, memo)


def copy_of_state(entity: Any) -> dict[str, Any]:
    """Return copies of what an entity's fields hold, with the same entities in them."""
    memo = {_SHARED: True}
    return {name: _copied(value, memo) for name, value in entity.__dict__.items()}


# -- pickle ----------------------------------------------------------------------------------


class Bundle:
    """A whole graph in one pickle.

    An entity pickles as (its bundle, its position). The bundle pickles the classes and ids of
    all its entities first and their states second: a state that holds another entity then meets
    a bundle that the pickler already knows, so that nothing nests.
    """

    def __init__(self, shells: list[tuple[type, Any]]) -> None:
        self.entities = [shell(cls, ecs_id) for cls, ecs_id in shells]
        self.positions: dict[int, int] = {}

    def __getitem__(self, position: int) -> Any:
        return self.entities[position]

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # By the newest definition: pickle refuses a class that its module no longer names.
        newest = {cls: newest_definition(cls) for cls in {type(e) for e in self.entities}}
        shells = [(newest[type(e)], e.__dict__.get("ecs_id")) for e in self.entities]
        for entity in self.entities:
            own_fields_set(entity)  # or the unpickled would share one
        return Bundle, (shells,), [e.__getstate__() for e in self.entities]

    def __setstate__(self, states: list[dict[Any, Any]]) -> None:
        for entity, state in zip(self.entities, states, strict=True):
            entity.__setstate__(state)


# A pickler keeps every object that it has met alive until it ends. As long as a bundle lives,
# the other entities of its graph are found in it here, and are pickled as part of it.
_bundles: dict[int, weakref.ref[Bundle]] = {}
_bundling = threading.RLock()  # held for the dictionary alone: a bundle may end in any thread


def reduce_entity(entity: Any) -> tuple[Any, ...]:
    """Return how an entity pickles: as one of a bundle."""
    known = _bundles.get(id(entity))
    bundle = known() if known is not None else None
    if bundle is None or bundle.entities[bundle.positions[id(entity)]] is not entity:
        bundle = _bundle_of(entity)
    return Bundle.__getitem__, (bundle, bundle.positions[id(entity)])


def _bundle_of(entity: Any) -> Bundle:
    bundle = Bundle([])
    entities, positions = bundle.entities, bundle.positions
    entities.append(entity)
    positions[id(entity)] = 0
    for member in entities:  # grows while it is read
        for other in _held(member.__getstate__()):
            if id(other) not in positions:
                positions[id(other)] = len(entities)
                entities.append(other)

    def forget(ref: weakref.ref[Bundle]) -> None:
        with _bundling:
            for key in positions:
                if _bundles.get(key) is ref:
                    del _bundles[key]

    found = dict.fromkeys(positions, weakref.ref(bundle, forget))
    with _bundling:
        _bundles.update(found)
    return bundle


def _held(state: Any) -> Iterator[Any]:
    """Yield the entities that a state holds, however they are nested."""
    stack = list(state.values()) if isinstance(state, dict) else [state]
    seen: dict[int, Any] = {}  # with the containers, lest a new one gets the id of an old one
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind in ATOMS:
            continue
        if is_entity_class(kind):
            yield item
            continue
        if id(item) not in seen:
            seen[id(item)] = item
            stack += [part for part in _parts(item) if type(part) not in ATOMS]


def _parts(item: Any) -> list[Any]:
    if isinstance(item, (list, tuple, set, frozenset, deque)):
        return list(item)
    if isinstance(item, Mapping):
        return [*item.keys(), *item.values()]
    if isinstance(item, BaseModel):
        return list(item.__getstate__().values())
    if hasattr(type(item), "__dataclass_fields__"):
        return [getattr(item, name, None) for name in type(item).__dataclass_fields__]
    return []
