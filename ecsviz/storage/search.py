"""What a search looks for, and its checks: the same for every storage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

from ecsviz.basics.arguments import listed, natural_number
from ecsviz.domain.entity_class import is_entity_class
from ecsviz.domain.fields import Shape, class_plan
from ecsviz.errors import InvalidArgumentError, did_you_mean, short_repr
from ecsviz.storage.protocol import as_id
from ecsviz.values.codecs import JsonCodec, Refused, scalar_types
from ecsviz.values.column_codecs import Codec, clock, instant
from ecsviz.values.field_codecs import codec_of, opaque_names

OWN: Final = ("ecs_id", "lineage_id", "parent_id", "version")
"""An entity's own fields, which can be searched for as well."""


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes
    ----------
    fields
        Field → the value that it must have; None for no value.
    order_by
        Fields, with a minus in front for falling order. After them, the order of storing.
    limit, offset
        How many at most, and how many to pass over.
    """

    fields: Mapping[str, Any]
    order_by: tuple[str, ...]
    limit: int | None
    offset: int


def search(fields: Mapping[str, Any], order_by: Any, limit: Any, offset: Any) -> Search:
    """Return a search, its options checked.

    Raises
    ------
    InvalidArgumentError
        If an option has a value that it cannot have.
    """
    order = [order_by] if isinstance(order_by, str) or order_by is None else order_by
    order = [] if order_by is None else listed(order, "order_by", "Give names of fields.")
    for name in order:
        if not isinstance(name, str):
            raise InvalidArgumentError(
                f"order_by holds {short_repr(name)}. Give names of fields; for falling order,"
                " with a minus in front.",
                value=name,
            )
    for option, value in (("limit", limit), ("offset", offset)):
        if natural_number(value) is None and not (option == "limit" and value is None):
            raise InvalidArgumentError(
                f"{option} is {short_repr(value)}. Give a whole number from 0.", value=value
            )
    # No database has more rows, nor takes a larger number.
    limit, offset = (None if n is None else min(int(n), _MOST) for n in (limit, offset))
    return Search(dict(fields), tuple(order), limit, offset)


_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields of a class, as a search sees them.

    Attributes
    ----------
    cls
        The class.
    codecs
        Field without entities → the codec of its values.
    singles
        The fields that hold one entity.
    several
        Those that hold several, which cannot be compared.
    """

    cls: type
    codecs: Mapping[str, Codec]
    singles: Sequence[str]
    several: Sequence[str]

    @classmethod
    def of(cls, entity_class: type) -> Fields:
        """Return those of a class."""
        plan = class_plan(entity_class)
        values = dict.fromkeys((*plan.values, *opaque_names(entity_class)))
        held = [field for field in plan.fields if field.shape != Shape.OPAQUE]
        return cls(
            entity_class,
            {name: codec_of(entity_class, name)[0] for name in values},
            [field.name for field in held if field.shape == Shape.SINGLE],
            [field.name for field in held if field.shape != Shape.SINGLE],
        )

    def codec(self, name: str) -> Codec | None:
        """Return the codec of a field; None for an own one, or one that holds an entity.

        Raises
        ------
        InvalidArgumentError
            If there is no such field, or one that cannot be compared.
        """
        if name in OWN or name in self.singles:
            return None
        codec = self.codecs.get(name)
        if codec is not None:
            if isinstance(codec, JsonCodec) and scalar_types(codec.annotation) is None:
                raise self._not_comparable(name, "holds what may be several values")
            return codec
        if name in self.several:
            raise self._not_comparable(name, "holds several values")
        names = [*OWN, *self.codecs, *self.singles]
        raise InvalidArgumentError(
            f"{self.cls.__name__} has no field {short_repr(name)}.{did_you_mean(name, names)}",
            field=name,
            fields=names,
        )

    def _not_comparable(self, name: str, why: str) -> InvalidArgumentError:
        return InvalidArgumentError(
            f"{self.cls.__name__}.{name} {why}, which find() cannot compare. Write a"
            f" select() on store.sql_model({self.cls.__name__}); its rows have to_entity().",
            field=name,
        )

    def check(self, wanted: Search) -> None:
        """Raise if the class has no such field, or one without an order, or no such value.

        Raises
        ------
        InvalidArgumentError
            Naming the field and what there is.
        """
        for name in wanted.fields:
            self.codec(name)
        for name in wanted.order_by:
            field = name.removeprefix("-")
            codec = self.codec(field)
            if field in self.singles:
                why = "holds an entity, and entities"
            elif isinstance(codec, JsonCodec):
                why = "holds values of several types, which"
            else:
                continue
            raise InvalidArgumentError(
                f"{self.cls.__name__}.{field} {why} have no order. Order by a field that holds"
                " values of one type.",
                field=field,
            )
        for name, value in wanted.fields.items():
            self._check_value(name, value)

    def _check_value(self, name: str, value: Any) -> None:
        if name in self.singles:
            if value is not None and not _is_entity(value):
                raise InvalidArgumentError(
                    f"{self.cls.__name__}.{name} holds an entity, not a {type(value).__name__}."
                    " Give an entity, its ecs_id, or None.",
                    field=name,
                )
            if value is not None:
                as_id(value)
        elif name == "version":
            if value is not None and type(value) is not int:
                raise InvalidArgumentError(
                    f"{self.cls.__name__}.version is a whole number, not {short_repr(value)}.",
                    field=name,
                )
        elif name in OWN:
            if value is not None:
                as_id(value)
        else:
            self.encoded(name, value)

    def encoded(self, name: str, wanted: Any) -> tuple[Any, bool]:
        """Return what a column holds for a value, and whether it only stands in for it."""
        codec = self.codecs[name]
        kinds = scalar_types(codec.annotation) if isinstance(codec, JsonCodec) else None
        try:
            if kinds is not None and wanted is not None and type(wanted) not in kinds:
                raise Refused(0, wanted, f"has no values of type {type(wanted).__name__}")
            stored, exact = codec.encode([wanted])
        except Refused as refused:
            raise InvalidArgumentError(
                f"{self.cls.__name__}.{name} {refused.why}. Give a value of the field's type.",
                field=name,
            ) from refused.__cause__
        return stored[0], bool(exact)


def _is_entity(value: Any) -> bool:
    return isinstance(value, (UUID, str)) or is_entity_class(type(value))


_NUMBERS = ("BIGINT", "DOUBLE", "NUMERIC")


def check_order(classes: Sequence[Fields], wanted: Search) -> None:
    """Raise if a field holds, in some of the classes, what has no order with that of the others.

    Raises
    ------
    InvalidArgumentError
        Naming the field and two of the classes.
    """
    for name in wanted.order_by:
        kinds: dict[str, Fields] = {}
        for fields in classes:
            codec = fields.codec(name.removeprefix("-"))
            kind = "number" if codec is None or codec.sql_name in _NUMBERS else codec.sql_name
            kinds.setdefault(kind, fields)
        if len(kinds) > 1:
            one, other = list(kinds.values())[:2]
            raise InvalidArgumentError(
                f"{name.removeprefix('-')} is of another type in {one.cls.__name__} than in"
                f" {other.cls.__name__}, so their values have no order. Find each class by itself.",
                field=name,
            )


def in_order(rows: list[tuple[Any, ...]], wanted: Search) -> list[tuple[Any, ...]]:
    """Order rows that end with what they are ordered by; those that are alike stay as they are."""
    first = -len(wanted.order_by)
    for n, name in reversed(list(enumerate(wanted.order_by, first))):
        some = [row for row in rows if row[n] is not None]
        none = [row for row in rows if row[n] is None]
        rows = sorted(some, key=itemgetter(n), reverse=name.startswith("-")) + none
    return rows


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
    return isinstance(value, float) and math.isnan(value)


def has_offset(value: datetime | time) -> bool:
    """Tell whether a time says what its zone is."""
    return value.utcoffset() is not None
