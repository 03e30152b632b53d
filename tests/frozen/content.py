"""What the frozen files hold, as plain data. An entity is ``E(number)``, by its ``ecs_id``."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from pydantic import BaseModel

import ecsviz as ev
from tests.frozen.classes import FrozenColour, FrozenSize

FIRST = 0x0190_0000_0000_7000_8000_0000_0000_0000


class E(NamedTuple):
    number: int


def plain(given: Any) -> dict[int, dict[str, Any]]:
    """Return the fields of all that an entity, or a list of them, leads to."""
    todo = list(given) if isinstance(given, (list, tuple)) else [given]
    found: dict[int, dict[str, Any]] = {}

    def of(value: Any) -> Any:
        if isinstance(value, ev.Entity):
            todo.append(value)
            return E(value.ecs_id.int - FIRST)
        if isinstance(value, BaseModel):
            return {"": type(value).__name__} | {k: of(v) for k, v in value}
        if isinstance(value, dict):
            return {k: of(v) for k, v in value.items()}
        if type(value) in {list, tuple, set}:
            return type(value)(of(v) for v in value)
        return "nan" if isinstance(value, float) and math.isnan(value) else value

    while todo:
        entity = todo.pop()
        number = entity.ecs_id.int - FIRST
        if number not in found:
            found[number] = {"": type(entity).__name__}
            found[number] |= {name: of(getattr(entity, name)) for name in type(entity).model_fields}
    return found


def entity(kind: str, n: int, /, **fields: Any) -> dict[str, Any]:
    ecs_id = UUID(int=FIRST + n)
    own = {"ecs_id": ecs_id, "lineage_id": ecs_id, "parent_id": None, "version": 0}
    return {"": kind, **own, **fields}


def message(number: int, **fields: Any) -> dict[str, Any]:
    usual = {
        "thread": E(10),
        "parent": None,
        "replies": [],
        "author": None,
        "model": None,
        "hidden": False,
        "source_id": None,
        "metadata": {},
        "created_at": dt.datetime(2024, 5, number, 12, tzinfo=dt.UTC),
    }
    return entity("ChatMessage", number, **usual | fields)


CHAT = {
    10: entity(
        "ChatThread",
        10,
        title="Cycles",
        messages=[E(11), E(12), E(13), E(14)],
        created_at=None,
        updated_at=None,
        source=None,
        source_id=None,
        metadata={"model": "none", "n": [1, 2.5, None]},
    ),
    11: message(11, role="user", content="hello", author="Ann", replies=[E(12), E(13)]),
    12: message(12, role="assistant", content="one answer", parent=E(11)),
    13: message(
        13, role="assistant", content="another: ½ \U0001f600", parent=E(11), replies=[E(14)]
    ),
    14: message(14, role="user", content="thanks", parent=E(13)),
}

VALUES = entity(
    "FrozenValues",
    20,
    whole=1180591620717411303424,
    maybe=-7,
    real=-math.inf,
    flag=True,
    text="a\nb \0 ½ \U0001f600",
    data=b"\0\xff",
    money=Decimal("12.340"),
    day=dt.date(2024, 2, 29),
    clock=dt.time(23, 59, 58, 7),
    at=dt.datetime(2024, 5, 6, 7, 8, 9, 10),  # noqa: DTZ001 - a wall clock
    zoned=dt.datetime(2024, 5, 6, 7, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
    lasting=dt.timedelta(days=-1, microseconds=3),
    number=UUID(int=5),
    colour=FrozenColour.BLUE,
    side="right",
    row=(3, 1, 2),
    names={"x", "y"},
    several=[0.1, "nan", 1e300],
    table={"b": [2, 1], "a": []},
    by_day={dt.date(2024, 1, 1): 1},
    anything={"t": (1, 2.0), "s": {"z"}, "n": None, "b": b"\1", "d": Decimal("1.0")},
    more=[dt.date(2024, 3, 1), UUID(int=6), True, 10**30],
)


def exhibit(number: int, label: str, kind: str = "FrozenExhibit", **fields: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"keeper": E(30), "beside": None, "like": [], "by_name": {}}
    usual |= {"bag": set(), "gaps": [], "groups": {}, "pair": None, "either": None, "note": None}
    return entity(kind, number, label=label, **usual | fields)


MUSEUM = {
    20: VALUES,
    30: entity("FrozenKeeper", 30, name="Kay", exhibits=[E(31), E(34), E(32)]),
    31: exhibit(
        31,
        "vase",
        beside=E(34),
        like=[E(32), E(31), E(32), E(33)],
        by_name={"second": E(34), "first": E(32)},
        bag={E(32), E(34)},
        gaps=[None, E(32), None],
        groups={"all": [E(31), E(34), E(32)], "none": []},
        pair=(E(34), 5),
    ),
    32: exhibit(32, "coin", beside=E(32), either=E(20)),
    33: exhibit(33, "bowl", keeper=None),
    34: exhibit(
        34,
        "view",
        "FrozenPainting",
        painter="Pat",
        size=FrozenSize(3, 4),
        beside=E(31),
        either=E(30),
        note={"": "FrozenNote", "text": "new", "about": E(32), "tags": ("a", "b")},
    ),
}


def in_order(found: Any) -> Any:
    """Return plain data in which dictionaries are lists of pairs: their order is a value too."""
    if isinstance(found, dict):
        return [(key, in_order(value)) for key, value in found.items()]
    return type(found)(map(in_order, found)) if type(found) in {list, tuple} else found


def versions(content: dict[int, dict[str, Any]], **changed: int) -> dict[int, dict[str, Any]]:
    """Return the content as it is once stored: in version 1, or in the one that is given."""
    return {n: {**each, "version": changed.get(f"v{n}", 1)} for n, each in content.items()}
