"""Whether one graph is the same as another: classes, ids, values, sharing and order.

What a storage promises (``get(register(x))`` is isomorphic to ``x``) is proved with this, in the
tests and in the demo.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import math
import uuid
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from typing_extensions import override

from ecsviz.errors import NotAnEntityError, short_repr
from ecsviz.fields import OWN_FIELDS
from ecsviz.identity import is_entity_class, same_type

__all__ = ["find_difference", "isomorphic"]

_PLAIN = frozenset({type(None), bool, int, str, bytes, uuid.UUID, dt.date, dt.timedelta})
"""Types of which two values are the same where they are equal."""
_MISSING: Any = type("Missing", (), {"__repr__": lambda _: "nothing"})()
_NAN: Any = object()

MAX_STEPS = 12
"""How many steps of a path a place shows; of a longer one the first and the last."""
MAX_SHOWN = 60
"""Of texts that are longer, only the part that differs is shown."""


def isomorphic(a: Any, b: Any, *, versions: bool = True) -> bool:
    """Tell whether two graphs are the same; see `find_difference`.

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> from ecsviz.isomorphic import isomorphic
    >>> thread = ev.sample("thread")
    >>> isomorphic(thread, copy.deepcopy(thread))
    True
    """
    return find_difference(a, b, versions=versions) is None


def find_difference(a: Any, b: Any, *, versions: bool = True) -> str | None:
    """Return where two graphs of entities first differ, or None if they are the same.

    Parameters
    ----------
    a, b
        An entity, or an iterable of them.
    versions
        Whether the entities' versions must agree too. True by default; a graph that was read
        from a file and never stored differs from the stored one in nothing else.

    Returns
    -------
    str or None
        The place, by the shortest path from the root, and what stands there:
        ``"ChatThread.messages[3].content: 'a' != 'b'"``.

    Raises
    ------
    NotAnEntityError
        If `a` or `b` holds something else.

    Notes
    -----
    The same means: entities of the same classes with the same ids, one object where the other
    graph has one object, the same values of the same Python types (``1`` is not ``True``, ``0.0``
    is not ``-0.0``, NaN is NaN, a time has its offset), the same order in lists and dicts. What
    no storage keeps is not compared: private attributes, ``model_fields_set``, and whether two
    entities share one list. Breadth first, iterative; O(entities + values).

    Examples
    --------
    >>> import copy, ecsviz as ev
    >>> from ecsviz.isomorphic import find_difference
    >>> thread = ev.ChatThread(title="Cycles")
    >>> message = thread.say("user", "hello")
    >>> other = copy.deepcopy(thread)
    >>> print(find_difference(thread, other))
    None
    >>> other.messages[0].content = "Hello"
    >>> find_difference(thread, other)
    "ChatThread.messages[0].content: 'hello' != 'Hello'"
    """
    return _Comparison(versions).run(a, b)


def roots_of(given: Any) -> tuple[list[Any], bool]:
    """Return the entities that were given, and whether there was only one, not in a list."""
    single = is_entity_class(type(given))
    roots = [given] if single else list(given) if isinstance(given, Iterable) else None
    for root in [given] if roots is None else roots:
        if not is_entity_class(type(root)):
            raise NotAnEntityError(
                f"{short_repr(root)} is not an entity, but of type {type(root).__name__}."
                " Compare instances of subclasses of ev.Entity, or lists of them.",
                value=root,
            )
    assert roots is not None
    return roots, single


def same_value(a: Any, b: Any, *, entities: bool = True) -> bool:
    """Tell whether two values of a field are the same; entities in them count by their ids.

    Parameters
    ----------
    a, b
        The values.
    entities
        Whether the entities in them count at all.

    Examples
    --------
    >>> same_value([1, 2.0], [1, 2.0]), same_value(1, True), same_value(0.0, -0.0)
    (True, False, False)
    """
    if type(a) is type(b) and type(a) in _PLAIN:
        return bool(a == b)
    comparison = _ValueComparison(versions=False)
    comparison.by_id = entities
    return comparison.value(-1, "", a, b) is None


class _Comparison:
    """One comparison: which entity was found to stand for which, and how each was reached."""

    def __init__(self, versions: bool) -> None:
        self.skipped = () if versions else ("version",)
        self.pairs: list[tuple[Any, Any]] = []
        self.reached: list[tuple[int, str]] = []  # per pair: from which pair, by which step
        self.first: dict[int, int] = {}  # id of an entity -> its pair
        self.second: dict[int, int] = {}
        self.compared: set[tuple[int, int]] = set()  # ids of containers
        self.todo: list[tuple[str, Any, Any]] = []

    def run(self, a: Any, b: Any) -> str | None:
        (roots_a, single_a), (roots_b, single_b) = roots_of(a), roots_of(b)
        if single_a != single_b or len(roots_a) != len(roots_b):
            return f"{len(roots_a):,} given entities != {len(roots_b):,}"
        for number, (x, y) in enumerate(zip(roots_a, roots_b, strict=True)):
            step = type(x).__name__ if single_a else f"[{number}] {type(x).__name__}"
            told = self.meet(-1, step, x, y)
            if told is not None:
                return told
        for number, (x, y) in enumerate(self.pairs):  # grows while it is read
            told = self.entity(number, x, y)
            if told is not None:
                return told
        return None

    # -- entities ----------------------------------------------------------------------------

    def meet(self, number: int, step: str, a: Any, b: Any) -> str | None:
        """Take `a` for the counterpart of `b`, or tell why it cannot be."""
        in_first, in_second = self.first.get(id(a)), self.second.get(id(b))
        if in_first is not None and in_first == in_second:
            return None
        if not same_type(type(a), type(b)):
            return self.told(number, step, f"{type(a).__name__} != {type(b).__name__}")
        if a.ecs_id != b.ecs_id:
            return self.told(number, step, f"ecs_id {a.ecs_id} != {b.ecs_id}")
        if in_first is not None or in_second is not None:
            known = in_first if in_first is not None else in_second
            assert known is not None
            has, lacks = ("first", "second") if in_first is not None else ("second", "first")
            return self.told(
                number,
                step,
                f"in the {has} graph the same object as {self.place(known)},"
                f" in the {lacks} another one",
            )
        self.first[id(a)] = self.second[id(b)] = len(self.pairs)
        self.pairs.append((a, b))
        self.reached.append((number, step))
        return None

    def entity(self, number: int, a: Any, b: Any) -> str | None:
        """Compare all fields of two entities."""
        state_a, state_b = _state(a), _state(b)
        for name in _names(a, b, first=OWN_FIELDS):
            x, y = state_a.get(name, _MISSING), state_b.get(name, _MISSING)
            if name in self.skipped or (type(x) is type(y) and type(x) in _PLAIN and x == y):
                continue
            told = self.value(number, f".{name}", x, y)
            if told is not None:
                return told
        return None

    # -- values ------------------------------------------------------------------------------

    def value(self, number: int, step: str, a: Any, b: Any) -> str | None:
        """Compare two values, whatever they hold, up to the entities in them."""
        self.todo = [(step, a, b)]
        while self.todo:
            step, a, b = self.todo.pop()
            if is_entity_class(type(a)) and is_entity_class(type(b)):
                told = self.meet(number, step, a, b)
            elif not same_type(type(a), type(b)):
                told = self.told(number, step, f"{_with_type(a)} != {_with_type(b)}")
            else:
                told = self.same_type(number, step, a, b)
            if told is not None:
                return told
        return None

    def same_type(self, number: int, step: str, a: Any, b: Any) -> str | None:
        parts: Any = None
        if isinstance(a, (list, tuple, deque)):
            parts = self.sequences
        elif isinstance(a, Mapping):
            parts = self.mappings
        elif isinstance(a, AbstractSet):
            parts = self.sets
        elif isinstance(a, BaseModel) or (dataclasses.is_dataclass(a) and not isinstance(a, type)):
            parts = self.objects
        if parts is None:
            return None if _equal(a, b) else self.told(number, step, _unequal(a, b))
        if (id(a), id(b)) in self.compared:
            return None  # one container in two places, or one that holds itself
        self.compared.add((id(a), id(b)))
        found: list[tuple[str, Any, Any]] = []
        told: str | None = parts(step, a, b, found)
        self.todo += reversed(found)
        return None if told is None else self.told(number, step, told)

    def sequences(self, step: str, a: Any, b: Any, found: list[Any]) -> str | None:
        found += [
            (f"{step}[{place}]", x, y)
            for place, (x, y) in enumerate(zip(a, b, strict=False))
            if not (type(x) is type(y) and type(x) in _PLAIN and x == y)
        ]
        if len(a) == len(b):
            return None
        # What differs before the end says more than the length does, so it goes first.
        found.append((f"{step}: length", len(a), len(b)))
        return None

    def mappings(self, step: str, a: Any, b: Any, found: list[Any]) -> str | None:
        names_a, names_b = {_key(k): k for k in a}, {_key(k): k for k in b}
        for key, name in names_a.items():
            if key not in names_b:
                return f"the key {short_repr(name)} is only in the first graph"
        for key, name in names_b.items():
            if key not in names_a:
                return f"the key {short_repr(name)} is only in the second graph"
        for key, name in names_a.items():
            other = names_b[key]
            if type(name) is not str or type(other) is not str:
                found.append((f"{step} (a key)", name, other))
            found.append((f"{step}[{short_repr(name)}]", a[name], b[other]))
        if list(names_a) != list(names_b):
            return "the keys stand in another order"
        return None

    def sets(self, step: str, a: Any, b: Any, found: list[Any]) -> str | None:
        in_a, in_b = {_key(x): x for x in a}, {_key(x): x for x in b}
        for key, x in sorted(in_a.items(), key=_by_text):
            if key not in in_b:
                return f"{short_repr(x)} is only in the first graph"
            found.append((f"{step}{{{_short(x)}}}", x, in_b[key]))
        for key, y in sorted(in_b.items(), key=_by_text):
            if key not in in_a:
                return f"{short_repr(y)} is only in the second graph"
        return None

    def objects(self, step: str, a: Any, b: Any, found: list[Any]) -> str | None:
        """Plain models and dataclasses."""
        if isinstance(a, BaseModel):
            names, state_a, state_b = _names(a, b), _state(a), _state(b)
        else:
            names = [each.name for each in dataclasses.fields(a)]
            state_a, state_b = (
                {name: getattr(x, name) for name in names if hasattr(x, name)} for x in (a, b)
            )
        found += [
            (f"{step}.{name}", state_a.get(name, _MISSING), state_b.get(name, _MISSING))
            for name in names
        ]
        return None

    # -- telling -----------------------------------------------------------------------------

    def told(self, number: int, step: str, what: str) -> str:
        return f"{self.place(number, step)}: {what}"

    def place(self, number: int, step: str = "") -> str:
        steps = [step] if step else []
        while number >= 0:
            number, by = self.reached[number]
            steps.append(by)
        steps.reverse()
        if len(steps) > MAX_STEPS:
            left_out = f" … {len(steps) - 8:,} steps … "
            steps = [*steps[:4], left_out, *steps[-4:]]
        return "".join(steps)


class _ValueComparison(_Comparison):
    """A comparison of values alone: the entities in them are not entered."""

    by_id = True

    @override
    def meet(self, number: int, step: str, a: Any, b: Any) -> str | None:
        same = not self.by_id or a.ecs_id == b.ecs_id
        return None if same else self.told(number, step, "other entities")


def _names(a: Any, b: Any, first: Sequence[str] = ()) -> list[str]:
    """Return the names of all fields; two definitions of one class may have different ones."""
    declared = (*first, *type(a).model_fields, *type(b).model_fields)
    return list(
        dict.fromkeys((*declared, *(a.__pydantic_extra__ or ()), *(b.__pydantic_extra__ or ())))
    )


def _state(model: Any) -> dict[str, Any]:
    extra = model.__pydantic_extra__
    return {**model.__dict__, **extra} if extra else model.__dict__


def _key(item: Any) -> Any:
    """Return what finds the counterpart of a set's member or a dict's key."""
    is_nan = isinstance(item, (float, Decimal)) and math.isnan(item)
    return _NAN if is_nan else item


def _by_text(item: tuple[Any, Any]) -> tuple[str, str]:
    # Sets have no order: by type and text, so that every run tells of the same difference.
    return type(item[1]).__name__, _short(item[1])


def _short(item: Any) -> str:
    return f"ecs_id {item.ecs_id}" if is_entity_class(type(item)) else short_repr(item)


def _equal(a: Any, b: Any) -> bool:
    """Tell whether two values of one type, which hold nothing, are the same."""
    if isinstance(a, enum.Enum):
        # Not by ==: the class may have been defined anew.
        return (a.name, a.value) == (b.name, b.value)
    if isinstance(a, float):
        return _same_float(a, b)
    if isinstance(a, complex):
        return _same_float(a.real, b.real) and _same_float(a.imag, b.imag)
    if isinstance(a, Decimal):
        return bool(a.as_tuple() == b.as_tuple())  # 1.0 is not 1.00
    if isinstance(a, (dt.datetime, dt.time)):
        # Equal times may have different offsets; and how a zone is called is not stored.
        offsets = a.utcoffset() == b.utcoffset() and a.fold == b.fold
        return bool(offsets and a.replace(tzinfo=None) == b.replace(tzinfo=None))
    try:
        return bool(a == b)
    except Exception:  # noqa: BLE001 - whatever a foreign __eq__ raises, equal they are not
        return False


def _same_float(a: float, b: float) -> bool:
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b and math.copysign(1.0, a) == math.copysign(1.0, b)


def _unequal(a: Any, b: Any) -> str:
    if isinstance(a, (str, bytes)) and max(len(a), len(b)) > MAX_SHOWN:
        same = 0
        for x, y in zip(a, b, strict=False):
            if x != y:
                break
            same += 1
        unit = "character" if isinstance(a, str) else "byte"
        part_a, part_b = a[same : same + 20], b[same : same + 20]
        return f"from {unit} {same:,} on {part_a!r} != {part_b!r}"
    return f"{short_repr(a)} != {short_repr(b)}"


def _with_type(value: Any) -> str:
    if value is None or value is _MISSING:
        return repr(value)
    return f"{_short(value)} ({type(value).__name__})"
