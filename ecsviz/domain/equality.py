"""Whether two values are exactly the same, and where they first differ.

There is one answer for all that ask: what a storage takes for a change, what it refuses since it
would come back otherwise, what `diff` and a merge tell, what `isomorphic` and `verify` compare.

The same means: of one type, ``1`` is not ``True``; ``0.0`` is not ``-0.0``, NaN is NaN;
``Decimal("1.0")`` is not ``Decimal("1.00")``; an aware time has its clock, its offset, its zone
and its fold; order counts in lists and dictionaries, not in sets; a deque has its ``maxlen``.
"""

from __future__ import annotations

import dataclasses
import enum
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel

from ecsviz.domain.entity_class import is_entity_class, same_type, type_key
from ecsviz.domain.scalars import SCALARS, Scalar
from ecsviz.errors import short_repr

PLAIN = frozenset(kind for kind, row in SCALARS.items() if row.equal_is_same)
"""Types of which two values are the same where they are equal."""
MISSING: Any = type("Missing", (), {"__repr__": lambda _: "nothing"})()

MAX_SHOWN = 60
"""Of texts that are longer, only the part that differs is shown."""


def identical(a: Any, b: Any, entities: Callable[[Any], Any] = id) -> bool:
    """Tell whether two values are the same in type and content, down to the last part.

    Parameters
    ----------
    a, b
        The values.
    entities
        What two entities inside must have in common; by default that they are one object.

    Notes
    -----
    O(size), iterative; a value that holds itself passes. No ``==`` of a user's or an array's
    class is taken for true unless it is the very ``True``.

    Examples
    --------
    >>> identical({"a": (1, float("nan"))}, {"a": (1, float("nan"))}), identical([1], [True])
    (True, False)
    >>> identical({0.0}, {-0.0}), identical({frozenset({1})}, {frozenset({True})})
    (False, False)
    """
    if a is b:
        return True
    if type(a) is type(b) and type(a) in PLAIN:
        return bool(a == b)
    return Comparison(entities).differ(a, b) is None


def by_id(entity: Any) -> Any:
    """Return the ``ecs_id``: two entities with one id count as the same."""
    return entity.ecs_id


def of_any(entity: Any) -> Any:  # noqa: ARG001 - whichever it is
    """Return nothing: entities do not count, only what stands around them."""
    return None


class ComparedStep(NamedTuple):
    """A step into a value; made into text only where something differs."""

    before: ComparedStep | None
    form: str
    part: Any = None

    def __str__(self) -> str:
        steps = [self]
        while steps[-1].before is not None:
            steps.append(steps[-1].before)
        return "".join(step.form.format(_short(step.part)) for step in reversed(steps))


Pair = tuple[ComparedStep | None, Any, Any]


class Comparison:
    """One comparison of values, part by part.

    Parameters
    ----------
    entities
        What stands for an entity: two of which it is the same are the same.

    Notes
    -----
    Members of sets and keys of dictionaries are numbered, so that what is the same has one number
    on both sides, whatever Python's own ``==`` says of ``1`` and ``True`` or of two NaN.
    """

    enters = False
    """Whether entities that stand for each other in a set are to be given to `meet`."""

    def __init__(self, entities: Callable[[Any], Any] = id) -> None:
        self.entities = entities
        self.compared: dict[tuple[int, int], Any] = {}  # with the values, lest their ids go on
        self._numbers: dict[int, tuple[int, Any]] = {}  # by id, with the value for the same reason
        self._forms: dict[Any, int] = {}

    def differ(
        self, a: Any, b: Any, step: ComparedStep | None = None
    ) -> tuple[ComparedStep | None, str] | None:
        """Return where two values first differ and what stands there, or None."""
        todo: list[Pair] = [(step, a, b)]
        while todo:
            step, a, b = todo.pop()
            found: list[Pair] = []
            if is_entity_class(type(a)) and is_entity_class(type(b)):
                told = self.meet(step, a, b)
            elif not same_type(type(a), type(b)):
                told = f"{_with_type(a)} != {_with_type(b)}"
            else:
                told = self._same_type(step, a, b, found)
            if told is not None:
                return step, told
            todo += reversed(found)
        return None

    def meet(self, step: ComparedStep | None, a: Any, b: Any) -> str | None:  # noqa: ARG002 - for those that go by the place
        """Tell what is wrong with taking one entity for the other."""
        return None if self.entities(a) == self.entities(b) else "other entities"

    def _same_type(
        self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]
    ) -> str | None:
        compare = self._parts_of(a)
        if compare is None:
            same = _same_scalar(a, b)
            if same is None:  # its == gives no truth value, as that of an array
                found.append((step, vars(a), vars(b)))
            return None if same is not False else _unequal(a, b)
        if (id(a), id(b)) in self.compared:
            return None  # one container in two places, or one that holds itself
        self.compared[id(a), id(b)] = (a, b)
        told: str | None = compare(step, a, b, found)
        return told

    def _parts_of(self, a: Any) -> Any:
        """Return how to compare what a value holds; None if it holds nothing."""
        if type(a) in PLAIN:
            return None
        if isinstance(a, enum.Enum):
            return self._members
        if isinstance(a, (list, tuple, deque)):
            return self._sequences
        if isinstance(a, Mapping):
            return self._mappings
        if isinstance(a, AbstractSet):
            return self._sets
        if _names_fields(a):
            return self._objects
        return self._arrays if _is_array(a) else None

    # -- two containers of one type ----------------------------------------------------------

    def _sequences(
        self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]
    ) -> str | None:
        found += [
            (ComparedStep(step, "[{}]", place), x, y)
            for place, (x, y) in enumerate(zip(a, b, strict=False))
            if not (type(x) is type(y) and type(x) in PLAIN and x == y)
        ]
        if len(a) != len(b):
            # What differs before the end says more than the length does, so it goes first.
            found.append((ComparedStep(step, ": length"), len(a), len(b)))
        elif isinstance(a, deque) and a.maxlen != b.maxlen:
            found.append((ComparedStep(step, ".maxlen"), a.maxlen, b.maxlen))
        return None

    def _mappings(self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]) -> str | None:
        if list(map(self.number, a)) == list(map(self.number, b)):
            for (x, one), (y, other) in zip(a.items(), b.items(), strict=True):
                if type(one) is type(other) and type(one) in PLAIN and one == other:
                    continue
                if self.enters and type(x) not in PLAIN:
                    found.append((ComparedStep(step, " (a key)"), x, y))
                found.append((ComparedStep(step, "[{}]", x), one, other))
            return None
        told = self._unmatched(step, a, b, found, "the key ", " (a key)")
        return told if told or found else "the keys stand in another order"

    def _sets(self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]) -> str | None:
        numbers = list(map(self.number, a)), list(map(self.number, b))
        if Counter(numbers[0]) != Counter(numbers[1]):
            return self._unmatched(step, a, b, found, "", "{{{}}}")
        if self.enters:
            ours, theirs = (
                sorted(zip(n, v, strict=True), key=lambda item: item[0])
                for n, v in zip(numbers, (a, b), strict=True)
            )
            pairs = [(x, y) for (_, x), (_, y) in zip(ours, theirs, strict=True)]
            pairs = [(x, y) for x, y in pairs if type(x) not in PLAIN]
            found += [
                (ComparedStep(step, "{{{}}}", x), x, y) for x, y in sorted(pairs, key=_by_text)
            ]
        return None

    def _unmatched(
        self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair], what: str, form: str
    ) -> str | None:
        """Tell of a member or key that only one side has."""
        ours, theirs = ({self.number(x): x for x in each} for each in (a, b))
        counts = Counter(map(self.number, a)), Counter(map(self.number, b))
        gone = [x for number, x in ours.items() if counts[0][number] > counts[1][number]]
        new = [y for number, y in theirs.items() if counts[1][number] > counts[0][number]]
        if isinstance(a, AbstractSet):  # which have no order: every run tells of the same one
            gone, new = sorted(gone, key=_text_of), sorted(new, key=_text_of)
        for x in gone:
            other = _equal_one(x, new)
            if other is MISSING:
                return f"{what}{_short(x)} is only in the first graph"
            found.append((ComparedStep(step, form, x), x, other))
            return None
        for y in new:
            return f"{what}{_short(y)} is only in the second graph"
        return None

    def _objects(self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]) -> str | None:
        """Plain models and dataclasses."""
        state_a, state_b = state_of(a), state_of(b)
        found += [
            (
                ComparedStep(step, ".{}", _Name(name)),
                state_a.get(name, MISSING),
                state_b.get(name, MISSING),
            )
            for name in dict.fromkeys((*state_a, *state_b))
        ]
        return None

    def _members(self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]) -> str | None:
        """Members of an enum, of which the class may have been defined anew."""
        if a is b:
            return None
        if a.name != b.name or type(a) is type(b):
            return _unequal(a, b)
        found.append((ComparedStep(step, ".value"), a.value, b.value))
        return None

    def _arrays(self, step: ComparedStep | None, a: Any, b: Any, found: list[Pair]) -> str | None:
        """Arrays and tables: by what they hold, since their ``==`` gives an array."""
        equals = getattr(a, "equals", None)
        if callable(equals):
            return None if _is_true(lambda: equals(b)) else _unequal(a, b)
        one, other = _array_parts(a), _array_parts(b)
        if one is None or other is None:
            return _unequal(a, b)
        found.append((step, one, other))
        return None

    # -- members of sets and keys ------------------------------------------------------------

    def number(self, value: Any) -> int:
        """Return a number that this value and all that are the same have, and no others."""
        if type(value) in PLAIN:
            return self._of_form((type(value), value))
        todo, opened = [value], set[int]()
        while todo:
            item = todo[-1]
            if id(item) in self._numbers:
                todo.pop()
                continue
            parts = _inside(item)
            missing = [part for part in parts or () if id(part) not in self._numbers]
            if missing and id(item) not in opened:
                opened.add(id(item))
                todo += missing
                continue
            todo.pop()
            # A part that has none yet holds this very value.
            inner = [self._numbers.get(id(part), (-1,))[0] for part in parts or ()]
            form = self._form(item, None if parts is None else inner)
            self._numbers[id(item)] = self._of_form(form), item
        return self._numbers[id(value)][0]

    def _of_form(self, form: Any) -> int:
        return self._forms.setdefault(form, len(self._forms))

    def _form(self, value: Any, parts: list[int] | None) -> Any:
        kind = type(value)
        if is_entity_class(kind):
            return "entity", self.entities(value)
        if parts is not None:
            more = value.maxlen if isinstance(value, deque) else None
            if isinstance(value, AbstractSet):
                return type_key(kind), frozenset(Counter(parts).items())
            return type_key(kind), more, tuple(parts)
        form = scalar_form(value)
        if form is not MISSING:
            return type_key(kind), form
        # Whatever its own == and hash say, or, where they fail, that it is this very object.
        said = type_key(kind), "object", value
        return said if _is_true(lambda: said in {said: None}) else (type_key(kind), "id", id(value))


def scalar_form(value: Any) -> Any:
    """Return what two scalars of one type must have in common; `MISSING` for unknown types.

    Examples
    --------
    >>> from decimal import Decimal
    >>> scalar_form(-0.0), scalar_form(Decimal("1.10"))
    ('-0.0', '1.10')
    """
    row = SCALARS.get(type(value)) or _row_of_subclass(value)
    if row is not None:
        return value if row.form is None else row.form(value)
    if isinstance(value, bytearray):
        return bytes(value)
    return complex.__repr__(value) if isinstance(value, complex) else MISSING


def _row_of_subclass(value: Any) -> Scalar | None:
    return next((row for kind, row in SCALARS.items() if isinstance(value, kind)), None)


def _same_scalar(a: Any, b: Any) -> bool | None:
    """Tell whether two values of one type are the same; None if only their attributes can tell."""
    form = scalar_form(a)
    if form is not MISSING:
        return bool(form == scalar_form(b))
    if isinstance(a, type):
        return same_type(a, b)
    if a is b:
        return True
    try:
        found = a == b
    except Exception:  # noqa: BLE001 - whatever a foreign __eq__ raises, equal they are not
        return False
    if isinstance(found, bool):
        return found
    return None if hasattr(a, "__dict__") else False


def _is_true(ask: Callable[[], Any]) -> bool:
    try:
        return ask() is True
    except Exception:  # noqa: BLE001 - whatever a foreign __eq__ raises, equal they are not
        return False


# -- what values hold ------------------------------------------------------------------------


def _names_fields(value: Any) -> bool:
    return isinstance(value, BaseModel) or (
        hasattr(type(value), "__dataclass_fields__") and not isinstance(value, type)
    )


def state_of(value: Any) -> dict[str, Any]:
    """Return the fields of a plain model, an entity or a dataclass, extra ones too.

    Notes
    -----
    Not the whole of ``__dict__``: it also holds what cached properties have computed.
    """
    if not isinstance(value, BaseModel):
        kind: Any = type(value)
        names = _dataclass_names(kind)
        return {name: getattr(value, name) for name in names if hasattr(value, name)}
    state = value.__dict__
    named = {name: state[name] for name in type(value).model_fields if name in state}
    return {**named, **extra_of(value)}


def extra_of(model: BaseModel) -> dict[str, Any]:
    """Return the extra fields of a model; root models have no place for any."""
    return getattr(model, "__pydantic_extra__", None) or {}


@lru_cache(maxsize=256)
def _dataclass_names(kind: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


def _inside(value: Any) -> Iterable[Any] | None:
    """Return the parts of a value, in an order; None if it has none."""
    if type(value) in PLAIN or is_entity_class(type(value)):
        return None
    if isinstance(value, enum.Enum):
        return [value.name, value.value]
    if isinstance(value, (list, tuple, deque, AbstractSet)):
        return list(value)
    if isinstance(value, Mapping):
        return [part for item in value.items() for part in item]
    if _names_fields(value):
        return [part for item in state_of(value).items() for part in item]
    return None


def _is_array(value: Any) -> bool:
    kind = type(value)
    return hasattr(kind, "__array__") and scalar_form(value) is MISSING


def _array_parts(value: Any) -> Any:
    import numpy as np

    try:
        array = np.asarray(value)
        return str(array.dtype), array.shape, array.tolist()
    except Exception:  # noqa: BLE001 - a foreign class may refuse for any reason
        return None


# -- telling ---------------------------------------------------------------------------------


class _Name(str):
    """A step that is shown as it is."""

    __slots__ = ()


def _short(item: Any) -> str:
    if isinstance(item, _Name):
        return str(item)
    return f"ecs_id {item.ecs_id}" if is_entity_class(type(item)) else short_repr(item)


def _text_of(item: Any) -> tuple[str, str]:
    return type(item).__name__, _short(item)


def _by_text(pair: tuple[Any, Any]) -> tuple[str, str]:
    return _text_of(pair[0])


def _equal_one(value: Any, others: Iterable[Any]) -> Any:
    """Return which of some hashable values is equal by ``==``, though not the same."""
    try:
        return {other: other for other in others}.get(value, MISSING)
    except Exception:  # noqa: BLE001 - a foreign __eq__ or __hash__ may raise anything
        return MISSING


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
    if value is None or value is MISSING:
        return repr(value)
    return f"{_short(value)} ({type(value).__name__})"
