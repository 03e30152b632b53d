"""What a search looks for, and its checks: the same for every storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from ecsviz.basics.arguments import listed, natural_number
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.storage.criteria import Criterion, Fields, criteria_of


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for.

    Attributes
    ----------
    cls
        The class that is asked for.
    criteria
        What fields have to be like.
    order_by
        Fields, with a minus in front for falling order. After them, the order of storing.
    limit, offset
        How many at most, and how many to pass over.
    """

    cls: type
    criteria: tuple[Criterion, ...] = ()
    order_by: tuple[str, ...] = ()
    limit: int | None = None
    offset: int = 0

    def check(self) -> None:
        """Raise for what cannot be asked of the class; for where nothing of it is stored."""
        for asked in self.criteria:
            asked.check()
        check_order([Fields.of(self.cls)], self)


def search(
    cls: type, asked: Mapping[str, Any], order_by: Any = None, limit: Any = None, offset: Any = 0
) -> Search:
    """Return a search, its options checked.

    Raises
    ------
    InvalidArgumentError
        If an option has a value that it cannot have, or there is no such field or lookup.
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
    most, first = (None if n is None else min(int(n), _MOST) for n in (limit, offset))
    return Search(cls, criteria_of(cls, asked), tuple(order), most, first or 0)


_MOST = 2**62


def conditions(where: Any) -> Mapping[str, Any]:
    """Return the keywords of `find` that stand in a dictionary; none for None.

    Raises
    ------
    InvalidArgumentError
        If it is none, or has other keys than names.
    """
    if where is None:
        return {}
    if isinstance(where, Mapping) and all(isinstance(name, str) for name in where):
        return where
    raise InvalidArgumentError(
        f"where is {short_repr(where)}. Give a dictionary of what find() takes, such as"
        ' {"role__in": ["user"]}.',
        argument="where",
        value=where,
    )


_NUMBERS = ("BIGINT", "DOUBLE", "NUMERIC")


def check_order(classes: Sequence[Fields], wanted: Search) -> None:
    """Raise if a field has no order, or none that is the same in all of the classes.

    Raises
    ------
    InvalidArgumentError
        Naming the field, and two of the classes.
    """
    for name in wanted.order_by:
        kinds: dict[str, Fields] = {}
        for fields in classes:
            codec = fields.check_order(name.removeprefix("-"))
            kind = "number" if codec.sql_name in _NUMBERS else codec.sql_name
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
