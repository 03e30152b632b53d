"""Pairs: a list and the back-references of its members, which say one thing twice.

Such a pair is a cycle of two, and in a chat or an organisation every reference belongs to one.
What is left without the back-references shows the cycles that mean something.
"""

from __future__ import annotations

from collections.abc import Iterable

from ecsviz.domain.fields import FieldPlan, Shape
from ecsviz.domain.inverse import inverse_of
from ecsviz.errors import UnsupportedFieldError


def sides_of(fields: Iterable[FieldPlan]) -> list[int]:
    """Return the side that each field is of a pair of fields.

    Returns
    -------
    list of int
        ``k`` for a list, ``-k`` for the back-reference that says the same, 0 for other fields.

    Examples
    --------
    >>> import ecsviz as ev
    >>> from ecsviz.domain.fields import class_plan
    >>> fields = [f for cls in (ev.ChatThread, ev.ChatMessage) for f in class_plan(cls).fields]
    >>> [(f.name, side) for f, side in zip(fields, sides_of(fields))]
    [('messages', 1), ('thread', -1), ('parent', -2), ('replies', 2)]
    """
    numbers: dict[tuple[str, str], int] = {}
    sides: list[int] = []
    for field in fields:
        other = _other_side(field)
        if other is None:
            sides.append(0)
        elif field.shape == Shape.LIST:
            sides.append(numbers.setdefault((field.name, other.name), len(numbers) + 1))
        else:
            sides.append(-numbers.setdefault((other.name, field.name), len(numbers) + 1))
    return sides


def _other_side(field: FieldPlan) -> FieldPlan | None:
    try:
        return inverse_of(field) if field.shape in (Shape.SINGLE, Shape.LIST) else None
    except UnsupportedFieldError:  # `inverse=` names what cannot be one: saving says so
        return None
