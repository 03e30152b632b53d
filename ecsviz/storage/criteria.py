"""What the keywords of `find` ask, in Python's terms: a field, a way to compare, and a value.

``thread__title__icontains="plan"`` leads through ``thread`` to ``title``, and looks there for a
text. Storages find in their own way; what fits is what `fitting` says.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.arguments import listed
from ecsviz.domain.entity_class import (
    derives_from,
    is_entity_class,
    known_entity_classes,
    newest_definition,
)
from ecsviz.domain.equality import identical
from ecsviz.domain.fields import FieldPlan, Shape, class_plan
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.protocol import as_id
from ecsviz.values.codecs import JsonCodec, Refused, scalar_types
from ecsviz.values.column_codecs import Codec, IntCodec, PlainCodec, clock, instant
from ecsviz.values.field_codecs import codec_of, has_table, opaque_names

ORDERED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
TEXTS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "contains": operator.contains,
    "startswith": str.startswith,
    "endswith": str.endswith,
}
FOLDED: Final = {f"i{name}": name for name in TEXTS}
"""Those of `TEXTS` that compare what ``str.casefold`` makes of both texts."""
_SAME = ("eq", "ne", "in", "isnull")
LOOKUPS: Final = (*_SAME, *ORDERED, *TEXTS, *FOLDED)

MAX_STEPS: Final = 16
"""Through how many references one keyword may lead."""

ID, NUMBER = PlainCodec("CHAR(32)", UUID), IntCodec()
OWN: Final[Mapping[str, Codec]] = {
    "ecs_id": ID,
    "lineage_id": ID,
    "parent_id": ID,
    "version": NUMBER,
}
"""An entity's own fields, which can be asked for as well."""


@dataclass(frozen=True, slots=True)
class Criterion:
    """One keyword of `find`.

    Attributes
    ----------
    said
        The keyword.
    path
        The fields with entities that it leads through.
    field
        The field that is compared.
    lookup
        How; one of `LOOKUPS`.
    value
        With what.
    classes
        Those that are declared to have the field.
    """

    said: str
    path: tuple[str, ...]
    field: str
    lookup: str
    value: Any
    classes: tuple[type, ...]

    @classmethod
    def of(cls, entity_class: type, said: str, value: Any) -> Criterion:
        """Read a keyword: the longest name of a field first, and a field before a lookup.

        Raises
        ------
        InvalidArgumentError
            If there is no such field or lookup.
        """
        rest = said.split("__")
        steps: list[tuple[str, list[type]]] = []
        classes = [newest_definition(entity_class)]
        while True:
            size = _known_parts(classes, rest)
            if not size and steps and len(rest) == 1 and rest[0] in LOOKUPS:
                field, classes = steps.pop()
                break
            if not size:
                raise _no_field(classes, rest[0], said, bool(steps))
            field, rest = "__".join(rest[:size]), rest[size:]
            targets = _targets(classes, field)
            if not rest or not targets:
                break
            steps.append((field, classes))
            classes = targets
            if len(steps) > MAX_STEPS:
                raise InvalidArgumentError(
                    f"{short_repr(said)} leads through more than {MAX_STEPS} references. Find what"
                    " it leads to first, and ask with field__in=[…].",
                    argument=said,
                )
        if len(rest) > 1 or (rest and rest[0] not in LOOKUPS):
            asked = "__".join(rest)
            raise InvalidArgumentError(
                f"{classes[0].__name__}.{field} has no lookup {short_repr(asked)}."
                f"{did_you_mean(asked, LOOKUPS)}",
                argument=said,
                field=field,
            )
        path = tuple(name for name, _ in steps)
        if isinstance(value, Iterator):  # it is looked at for each class
            value = list(value)
        found = cls(said, path, field, rest[0] if rest else "eq", value, tuple(classes))
        if path:
            found.check()
        return found

    def check(self) -> None:
        """Raise if the classes that are declared to have the field cannot be asked for this."""
        for known in self.classes:
            fields = Fields.of(known)
            if has_table(known) and fields.has(self.field):
                fields.checked(self)


def criteria_of(cls: type, asked: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """Return what keywords ask of a class."""
    return tuple(Criterion.of(cls, name, value) for name, value in asked.items())


def _names(cls: type) -> set[str]:
    return {*OWN, *class_plan(cls).values, *(plan.name for plan in class_plan(cls).fields)}


def _known_parts(classes: list[type], parts: list[str]) -> int:
    """Return how many of the parts of a keyword name one field; 0 for none."""
    for known in (classes, _subclasses(classes)):
        names = set().union(*map(_names, known))
        for size in range(len(parts), 0, -1):
            if "__".join(parts[:size]) in names:
                return size
    return 0


def _subclasses(classes: Iterable[type]) -> list[type]:
    bases = tuple(classes)
    return [kind for kind in known_entity_classes() if any(derives_from(kind, b) for b in bases)]


def _plans(classes: list[type], field: str) -> list[FieldPlan]:
    known = [*classes, *_subclasses(classes)] if field not in _names(classes[0]) else classes
    plans = [plan for cls in known for plan in class_plan(cls).fields if plan.name == field]
    return [plan for plan in plans if plan.shape not in (Shape.OPAQUE, Shape.NESTED)]


def _targets(classes: list[type], field: str) -> list[type]:
    """Return the classes that a field names; none for one that holds no entity."""
    held = (target for plan in _plans(classes, field) for target in plan.targets)
    return list(dict.fromkeys(map(newest_definition, held)))


def _no_field(classes: list[type], name: str, said: str, held: bool) -> InvalidArgumentError:
    names = [*OWN, *sorted(set().union(*map(_names, classes)) - set(OWN))]
    kinds = " or ".join(cls.__name__ for cls in classes)
    lookups = list(_SAME) if held else []
    return InvalidArgumentError(
        f"{kinds} has no field {short_repr(name)}.{did_you_mean(name, [*names, *lookups])}",
        argument=said,
        field=name,
        fields=names,
    )


# -- what a class has ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a class, as a search sees them.

    Attributes
    ----------
    cls
        The class.
    codecs
        Field without entities → the codec of its values.
    plans
        Field with entities → what it holds.
    """

    cls: type
    codecs: Mapping[str, Codec]
    plans: Mapping[str, FieldPlan]

    @classmethod
    def of(cls, entity_class: type) -> Fields:
        """Return those of a class."""
        plan = class_plan(entity_class)
        values = dict.fromkeys((*plan.values, *opaque_names(entity_class)))
        return cls(
            entity_class,
            {**OWN, **{name: codec_of(entity_class, name)[0] for name in values}},
            {field.name: field for field in plan.fields if field.shape != Shape.OPAQUE},
        )

    def has(self, name: str) -> bool:
        """Tell whether there is a field of a name."""
        return name in self.codecs or name in self.plans

    def codec(self, name: str) -> Codec:
        """Return the codec by which a field's values are compared: of an entity, its id.

        Raises
        ------
        InvalidArgumentError
            If there is no such field, or one that cannot be compared.
        """
        if name in self.plans:
            shape = self.plans[name].shape
            if shape == Shape.NESTED:
                raise self._not_comparable(name, "holds entities inside of other values")
            return ID
        codec = self.codecs.get(name)
        if codec is None:
            raise _no_field([self.cls], name, name, False)
        if isinstance(codec, JsonCodec) and scalar_types(codec.annotation) is None:
            raise self._not_comparable(name, "holds what may be several values")
        return codec

    def _not_comparable(self, name: str, why: str) -> InvalidArgumentError:
        return self._error(
            name,
            f"{why}, which find() cannot compare. Write a select() on"
            f" store.sql_model({self.cls.__name__}); its rows have to_entity().",
        )

    def _error(self, name: str, why: str) -> InvalidArgumentError:
        return InvalidArgumentError(f"{self.cls.__name__}.{name} {why}", field=name)

    def checked(self, asked: Criterion) -> Criterion:
        """Return a criterion with its value as it is compared, or raise.

        Raises
        ------
        InvalidArgumentError
            If the field cannot be compared in this way, or with this value.
        """
        codec, lookup, value = self.codec(asked.field), asked.lookup, asked.value
        if lookup not in self._lookups(asked.field, codec):
            raise self._wrong_lookup(asked.field, codec, lookup)
        if lookup == "isnull":
            if not isinstance(value, bool):
                raise self._error(asked.field, f"is asked for isnull={short_repr(value)}." + _YES)
        elif lookup in TEXTS or lookup in FOLDED:
            if not isinstance(value, str):
                raise self._error(
                    asked.field,
                    f"is a text, in which there is no {short_repr(value)}. Give a text.",
                )
            value = str.__str__(value)
        elif lookup == "in":
            name = f"{self.cls.__name__}.{asked.field}__in"
            if isinstance(value, Mapping):  # of which one may mean the keys, or the values
                raise InvalidArgumentError(
                    f"{name} is {short_repr(value)}. Give a list of values.", field=asked.field
                )
            values = listed(value, name, "Give a list of values.")
            value = [self._value(asked.field, one) for one in values]
        else:
            value = self._value(asked.field, value)
            if value is None and lookup in ORDERED:
                raise self._error(
                    asked.field,
                    f"is asked for {lookup}=None, but None has no order. isnull= asks for None.",
                )
        return replace(asked, value=value)

    def _lookups(self, name: str, codec: Codec) -> tuple[str, ...]:
        if name in self.plans:
            return _SAME if self.plans[name].shape == Shape.SINGLE else ("isnull",)
        if isinstance(codec, JsonCodec):
            return _SAME
        return LOOKUPS if codec.sql_name == "TEXT" else (*_SAME, *ORDERED)

    def _wrong_lookup(self, name: str, codec: Codec, lookup: str) -> InvalidArgumentError:
        if name in self.plans and self.plans[name].shape != Shape.SINGLE:
            return self._error(
                name,
                f"holds several values. Ask for one of them by its fields, as in {name}__ecs_id=…,"
                f" or with {name}__isnull=True whether there is none.",
            )
        if lookup in ORDERED:
            several = "an entity, and entities" if name in self.plans else _SEVERAL
            return self._error(name, f"holds {several} have no order: {lookup!r} cannot be asked.")
        known = ", ".join(map(repr, self._lookups(name, codec)))
        return self._error(name, f"holds no texts: {lookup!r} cannot be asked. There are: {known}.")

    def _value(self, name: str, value: Any) -> Any:
        """Return one value as it is compared."""
        if value is None:
            return None
        if name in self.plans and not _names_entity(value):
            raise self._error(
                name,
                f"holds an entity, not a {type(value).__name__}. Give an entity, its ecs_id, or"
                " None.",
            )
        if name in self.plans or OWN.get(name) is ID:
            return as_id(value)
        self.encoded(name, value)
        return value

    def encoded(self, name: str, wanted: Any) -> tuple[Any, bool]:
        """Return what a column holds for a value, and whether it only stands in for it."""
        codec = self.codecs[name]
        kinds = scalar_types(codec.annotation) if isinstance(codec, JsonCodec) else None
        try:
            if kinds is not None and wanted is not None and type(wanted) not in kinds:
                raise Refused(0, wanted, f"has no values of type {type(wanted).__name__}")
            stored, exact = codec.encode([wanted])
        except Refused as refused:
            raise self._error(
                name, f"{refused.why}. Give a value of the field's type."
            ) from refused.__cause__
        return stored[0], bool(exact)

    def check_order(self, name: str) -> Codec:
        """Return the codec of a field that orders.

        Raises
        ------
        InvalidArgumentError
            If its values have no order.
        """
        codec = self.codec(name)
        if name in self.plans:
            several = self.plans[name].shape != Shape.SINGLE
            why = "holds several values, which" if several else "holds an entity, and entities"
        elif isinstance(codec, JsonCodec):
            why = f"holds {_SEVERAL}"
        else:
            return codec
        raise self._error(
            name, f"{why} have no order. Order by a field that holds values of one type."
        )


_YES = " Give True or False."
_SEVERAL = "values of several types, which"


def _names_entity(value: Any) -> bool:
    return isinstance(value, (UUID, str)) or is_entity_class(type(value))


# -- what fits -------------------------------------------------------------------------------


def fitting(codec: Codec, values: Sequence[Any], lookup: str, wanted: Any) -> list[bool]:
    """Tell for each value whether it fits.

    Parameters
    ----------
    codec
        Of the field: what `find` orders by is what values are compared by, see `Codec.order`.
    values, lookup, wanted
        What there is, how it is compared, and with what.
    """
    if lookup == "isnull":
        return [(value is None) == wanted for value in values]
    if lookup == "in":
        return [any(is_same(codec, value, one) for one in wanted) for value in values]
    if lookup in ("eq", "ne"):
        return [is_same(codec, value, wanted) == (lookup == "eq") for value in values]
    found = codec.order(list(values))
    if lookup in ORDERED:
        (limit,), holds = codec.order([wanted]), ORDERED[lookup]
        return [limit is not None and each is not None and holds(each, limit) for each in found]
    if lookup in FOLDED:
        found = [None if text is None else text.casefold() for text in found]
        lookup, wanted = FOLDED[lookup], wanted.casefold()
    holds = TEXTS[lookup]
    return [text is not None and holds(text, wanted) for text in found]


def is_same(codec: Codec, one: Any, other: Any) -> bool:
    """Tell whether two values of a field are the same to `find`."""
    return identical(one, other) if isinstance(codec, JsonCodec) else is_sought(one, other)


def alike(codec: Codec, values: Sequence[Any]) -> list[Hashable]:
    """Return for each value what is equal, and has one hash, where `is_same` says so.

    Parameters
    ----------
    codec, values
        Of a field, and what it can hold.
    """
    if isinstance(codec, JsonCodec):  # whose text is the same for the same value
        return [None if value is None else codec.write(value) for value in values]
    found: list[Hashable] = []
    for value, place in zip(values, codec.order(list(values)), strict=True):
        if isinstance(value, (datetime, time)):
            found.append((has_offset(value), place))
        else:
            found.append("nan" if _is_nan(value) else place)
    return found


def is_sought(one: Any, other: Any) -> bool:
    """Tell whether a value is what is looked for; of times, the instant counts, not the zone."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return has_offset(one) == has_offset(other) and instant(one) == instant(other)
    if isinstance(one, time) and isinstance(other, time):
        return has_offset(one) == has_offset(other) and clock(one) == clock(other)
    if _is_nan(one) or _is_nan(other):
        return _is_nan(one) and _is_nan(other)
    return bool(one == other)


def _is_nan(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and value != value  # noqa: PLR0124 - NaN


def has_offset(value: datetime | time) -> bool:
    """Tell whether a time says what its zone is."""
    return value.utcoffset() is not None
