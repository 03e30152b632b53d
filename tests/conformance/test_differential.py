"""The same random edits on every storage: they agree on versions, values, differences, errors."""

from __future__ import annotations

import copy
import datetime as dt
import enum
import math
import random
from collections import OrderedDict, deque
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import Field, RootModel

import ecsviz as ev
from ecsviz.isomorphic import find_difference
from tests.conformance.conftest import KINDS, OPENERS

BERLIN = ZoneInfo("Europe/Berlin")
BACK = dt.datetime(2024, 10, 27, 2, 30, tzinfo=BERLIN)


class Colour(enum.Enum):
    RED = 1
    BLUE = "1"


class Tags(RootModel[list[Any]]):
    pass


class Thing(ev.Entity):
    """Fields of each kind of value and of each kind of reference."""

    number: int = 0
    floating: float | None = None
    exact: Decimal | None = None
    text: str = ""
    raw: bytes = b""
    at: dt.datetime | None = None
    clock: dt.time | None = None
    lasts: dt.timedelta | None = None
    colour: Colour | None = None
    either: int | float | bool | str | None = None
    anything: Any = None
    listed: list[Any] = Field(default_factory=list)
    members: set[Any] = Field(default_factory=set)
    frozen: frozenset[Any] = frozenset()
    mapped: dict[Any, Any] = Field(default_factory=dict)
    ordered: OrderedDict[str, int] = Field(default_factory=OrderedDict)
    recent: deque[Any] = Field(default_factory=deque)
    tags: Tags | None = None
    friend: Thing | None = None
    friends: list[Thing] = ev.reference(inverse=None, default_factory=list)
    row: tuple[Thing, ...] = ()
    circle: set[Thing] = Field(default_factory=set)
    by_name: dict[str, Thing] = Field(default_factory=dict)
    nested: dict[str, list[Thing | float]] = Field(default_factory=dict)
    owner: Owner | None = None


class Owner(ev.Entity):
    """A list that its members' back-references say."""

    things: list[Thing] = Field(default_factory=list)


# Values that are equal, or written alike, and yet are not the same, stand side by side.
SCALARS: list[Any] = [
    *(0, False, 0.0, -0.0, 1, True, 1.0, math.nan, math.inf, 2**53 + 1, 2**70, None, "", "1", b"1"),
    *(Decimal(1), Decimal("1.0"), Decimal("NaN"), "\0", "\ufffd", "\ud800", "\ud800\udc00"),
    *(BACK, BACK.replace(fold=1), BACK.astimezone(dt.UTC), BACK.replace(tzinfo=None)),
    *(BACK.replace(tzinfo=dt.timezone(BACK.utcoffset() or dt.timedelta(0))), dt.time(1)),
    *(dt.time(1, fold=1), dt.time(1, tzinfo=BERLIN), dt.date(2024, 1, 1), dt.timedelta(1)),
]
OF_FIELD: dict[str, list[Any]] = {
    "number": [0, 1, 2**63, 2**63 - 1, -(2**70), True],
    "floating": [0.0, -0.0, math.nan, -math.nan, math.inf, 1, 1.0, 2**53 + 1, None, True],
    "exact": [Decimal(t) for t in ("1", "1.0", "0", "-0", "NaN", "sNaN", "1E+400")] + [None, 1.0],
    "text": ["", "a", "a\0", "\ud800", "\ud800\udc00", "\U00010000", "?", None],
    "raw": [b"", b"1", bytearray(b"1")],
    "at": [*(v for v in SCALARS if isinstance(v, dt.datetime)), None, dt.date(2024, 1, 1)],
    "clock": [*(v for v in SCALARS if isinstance(v, dt.time)), None],
    "lasts": [dt.timedelta.max, dt.timedelta(0), None, 1],
    "colour": [*Colour, 1, None],
    "either": [0, False, 0.0, -0.0, "0", None, math.nan, b"0"],
}


def a_value(r: random.Random, depth: int = 2) -> Any:
    if depth == 0 or r.random() < 0.4:
        return r.choice([*SCALARS, object()] if r.random() < 0.05 else SCALARS)
    parts = [a_value(r, depth - 1) for _ in range(r.randint(0, 3))]
    keys = [a_member(r) for _ in range(r.randint(0, 3))]
    made: list[Any] = [parts, tuple(parts), set(keys), frozenset(keys)]
    made += [dict.fromkeys(keys, 1), deque(parts, maxlen=r.choice([None, 3]))]
    return r.choice(made)


def a_member(r: random.Random) -> Any:
    """A value that a set may hold."""
    if r.random() < 0.6:
        return r.choice(SCALARS)
    parts = [r.choice(SCALARS) for _ in range(r.randint(0, 2))]
    return r.choice([tuple(parts), frozenset(parts)])


class Side:
    """One storage, and the live entities of the process that uses it."""

    def __init__(self, store: Any, entities: list[Any]) -> None:
        self.store = store
        self.live = {e.ecs_id: e for e in entities}

    def things(self) -> list[Any]:
        return [e for e in self.live.values() if isinstance(e, Thing)]

    def edit(self, r: random.Random) -> None:
        """Change one thing, as the numbers that `r` gives have it."""
        thing, other = r.choice(self.things()), r.choice(self.things())
        kind = r.randint(0, 5)
        if kind == 0:
            name = r.choice([*OF_FIELD])
            thing.__dict__[name] = r.choice(OF_FIELD[name])
        elif kind == 1:
            self._assign(thing, r)
        elif kind == 2:
            self._change(thing, r)
        elif kind == 3:
            self._refer(thing, other, r)
        elif kind == 4:
            self._move(thing, r)
        else:  # and nothing that differs
            thing.listed = copy.deepcopy(thing.listed)
            thing.circle = set(thing.circle)

    def _assign(self, thing: Any, r: random.Random) -> None:
        members = [a_member(r) for _ in range(r.randint(0, 3))]
        value = a_value(r)
        thing.__dict__.update(
            r.choice(
                [
                    {"anything": value},
                    {"listed": [value]},
                    {"members": set(members)},
                    {"frozen": frozenset(members)},
                    {"mapped": dict.fromkeys(members, value)},
                    {"recent": deque([value], maxlen=r.choice([None, 1, 2]))},
                    {"tags": r.choice([None, Tags([value])])},
                    {
                        "ordered": OrderedDict.fromkeys(
                            r.choice(["ab", "ba", "a"]), r.choice([1, True])
                        )
                    },
                ]
            )
        )

    def _change(self, thing: Any, r: random.Random) -> None:
        """Edit in place."""
        value, member, what = a_value(r), a_member(r), r.randint(0, 5)
        if what == 0:
            thing.listed.append(value)
        elif what == 1 and thing.listed:
            thing.listed[-1] = value
        elif what == 2:
            thing.members.discard(member)  # equal, yet not the same, takes its place
            thing.members.add(member)
        elif what == 3:
            thing.mapped.pop(member, None)
            thing.mapped[member] = value
        elif what == 4:
            thing.recent.append(value)
        elif thing.tags is not None:
            thing.tags.root.append(value)

    def _refer(self, thing: Any, other: Any, r: random.Random) -> None:
        what = r.randint(0, 6)
        if what == 0:
            thing.friend = r.choice([None, other])
        elif what == 1:
            thing.friends.insert(0, other)
        elif what == 2 and thing.friends:
            thing.friends.append(thing.friends.pop(0))
        elif what == 3:
            thing.circle ^= {other}
        elif what == 4:
            thing.by_name.pop("x", None)
            thing.by_name[r.choice("xyz")] = other
        elif what == 5:
            thing.row = (*thing.row[-1:], other)
        else:
            thing.nested[r.choice("ab")] = [other, r.choice([0.0, -0.0, 1.0])]

    def _move(self, thing: Any, r: random.Random) -> None:
        """Move a thing to another owner, mostly on both sides."""
        owners = [e for e in self.live.values() if isinstance(e, Owner)]
        owner = r.choice([None, *owners])
        if thing.owner is not None and thing in thing.owner.things:
            thing.owner.things.remove(thing)
        thing.owner = owner
        if owner is not None and r.random() < 0.9:
            owner.things.append(thing)

    def save(self, r: random.Random) -> str:
        """Save all, or one; return what came of it."""
        chosen = r.choice([[*self.live.values()], [r.choice([*self.live.values()])]])
        try:
            self.store.register(chosen)
        except ev.EcsvizError as err:
            self.read()
            # What a message says of the storage itself ("this storage", a file) differs.
            return f"{type(err).__name__} {getattr(err, 'field', None)}"
        return f"versions {[e.version for e in self.live.values()]}"

    def read(self) -> None:
        """Get everything anew; what was never stored comes as it first was."""
        known = [i for i in self.live if self.store.has_entity(i)]
        found = {e.ecs_id: e for e in self.store.get_many(known)}
        fresh = {i: type(e)(ecs_id=i, lineage_id=i) for i, e in self.live.items() if i not in found}
        self.live = {i: found.get(i) or fresh[i] for i in self.live}

    def told(self) -> dict[str, Any]:
        """What the storage tells of all that happened."""
        revisions, ids = self.store.revisions(), [i for i in self.live if self.store.has_entity(i)]
        newest = int(revisions["revision"].max()) if len(revisions) else 0
        spans = [(n, n + 1) for n in range(1, newest)]
        return {
            "revisions": text_of(revisions),
            "history": [text_of(self.store.history(i)) for i in ids],
            "diffs": [
                sorted(
                    (d.what, d.type_name, str(d.ecs_id), d.field) for d in self.store.diff(*span)
                )
                for span in spans
            ],
            "problems": len(self.store.verify()),
        }


def text_of(frame: Any) -> str:
    return str(frame.drop(columns=["at"]).to_csv())


def by_id(entity: Any) -> int:
    return int(entity.ecs_id.int)


@pytest.mark.parametrize("seed", range(5))
def test_storages_agree(seed: int, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    entities = [*(Thing() for _ in range(4)), Owner(), Owner()]
    sides = [Side(OPENERS[name](tmp_path, request)(), copy.deepcopy(entities)) for name in KINDS]
    for step in range(20):
        told = []
        for side in sides:
            r = random.Random(f"{seed} {step}")
            for _ in range(r.randint(1, 3)):
                side.edit(r)
            told.append(side.save(r))
            if r.random() < 0.3:
                side.read()
        assert told[1:] == told[:1] * 2, f"step {step}"
        first, *others = sides
        for side in others:
            for ecs_id, entity in first.live.items():
                assert find_difference(entity, side.live[ecs_id]) is None, f"step {step}"
    stored = [side.told() for side in sides]
    for what, expected in stored[0].items():
        assert [other[what] for other in stored[1:]] == [expected] * 2, what
    assert stored[0]["problems"] == 0
    for number in range(1, len(stored[0]["diffs"]) + 2, 5):
        then = [
            sorted(
                (e for cls in (Thing, Owner) for e in side.store.list_by_type(cls, as_of=number)),
                key=by_id,
            )
            for side in sides
        ]
        for some in then[1:]:
            assert find_difference(then[0], some) is None
