"""Random sets of classes that hold each other, and chains, ladders, rings and trees of them."""

from __future__ import annotations

import functools
import itertools
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import strategies as st

import ecsviz as ev

OPTION = "ev.reference(inverse=None, default{})"
FIELDS: dict[str, str] = {
    # How a field is written; {0} and {1} are the classes that it holds.
    "one": "{0} | None = " + OPTION.format("=None"),
    "either": "{0} | {1} | None = " + OPTION.format("=None"),
    "many": "list[{0}] = " + OPTION.format("_factory=list"),
    "mixed": "list[{0} | {1}] = " + OPTION.format("_factory=list"),
    "row": "tuple[{0}, ...] = ()",
    "by": "dict[str, {0} | {1}] = {{}}",
    "group": "set[{0}] = set()",
    "grid": "list[list[{0} | None]] = []",
    "spot": "{0}Spot | None = None",
}
SINGLE = ("one", "either", "back", "of")
SPACIOUS = ("many", "mixed", "row", "by", "group", "grid", "items", "owned")
"""The kinds that take one more."""


@dataclass(frozen=True)
class Field:
    """A field of one class of a set, and what it holds; classes go by their number.

    Attributes
    ----------
    kind
        One of `FIELDS`. Or half of a pair: ``items`` with ``back``, which may be None, ``owned``
        with ``of``, which is required.
    pair
        The number of the pair.
    """

    name: str
    owner: int
    kind: str
    targets: tuple[int, ...]
    pair: int = 0

    def written(self) -> str:
        names = [f"K{n}" for n in self.targets]
        if self.kind in {"items", "owned"}:
            back = "back" if self.kind == "items" else "of"
            option = f"ev.reference(inverse='{back}_{self.pair}', default_factory=list)"
            return f"list[{names[0]}] = {option}"
        if self.kind == "back":
            return f"{names[0]} | None = ev.reference(inverse='items_{self.pair}', default=None)"
        if self.kind == "of":
            return f"{names[0]} = ev.reference(inverse='owned_{self.pair}')"
        return FIELDS[self.kind].format(*names)


@dataclass(frozen=True)
class Plan:
    """The bases of two to five classes, None for a class of its own, and all their fields."""

    bases: tuple[int | None, ...]
    fields: tuple[Field, ...]


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    """Return the plan of a set in which every class leads to every other."""
    count = draw(st.integers(2, 5))
    every = range(count)
    bases = [None, *(draw(st.none() | st.integers(0, n - 1)) for n in range(1, count))]
    fields, numbers = [], itertools.count()

    def add(owner: int, kind: str, first: int) -> None:
        number = next(numbers)
        if kind in {"items", "owned"}:
            back = "back" if kind == "items" else "of"
            fields.append(Field(f"{kind}_{number}", owner, kind, (first,), number))
            fields.append(Field(f"{back}_{number}", first, back, (owner,), number))
            return
        second = draw(st.sampled_from(every)) if "{1}" in FIELDS[kind] else first
        fields.append(Field(f"{kind}_{number}", owner, kind, (first, second)))

    for n in every:
        other = (n + 1) % count
        add(n, draw(st.sampled_from(["many", "mixed", "row", "by", "group", "grid"])), other)
    for _ in range(draw(st.integers(1, 2 * count))):
        owner, target = draw(st.sampled_from(every)), draw(st.sampled_from(every))
        # What is required leads to classes that come before: else no first one could be made.
        pairs = ["items", "owned"] if owner < target else ["items"]
        add(owner, draw(st.sampled_from([*FIELDS, *pairs])), target)
    return Plan(tuple(bases), tuple(fields))


class ClassSet:
    """The classes of a plan.

    Attributes
    ----------
    classes
        The classes, in the order of their numbers.
    """

    def __init__(self, plan: Plan, module: str) -> None:
        self.plan = plan
        parts = ["from __future__ import annotations", "import ecsviz as ev"]
        parts.append("from pydantic import BaseModel")
        for n, base in enumerate(plan.bases):
            own = [f for f in plan.fields if f.owner == n]
            parts.append(f"class K{n}Spot(BaseModel):\n    who: K{n} | None = None")
            parts.append(f"class K{n}({'ev.Entity' if base is None else f'K{base}'}):")
            parts += ["    name: str = ''"] * (base is None)
            parts += [f"    only_{n}: int = 0", *(f"    {f.name}: {f.written()}" for f in own)]
        self._module = sys.modules[module] = types.ModuleType(module)  # annotations look there
        exec("\n".join(parts), self._module.__dict__)
        every = vars(self._module)
        self.classes: list[Any] = [every[f"K{n}"] for n in range(len(plan.bases))]
        self._spots: list[Any] = [every[f"K{n}Spot"] for n in range(len(plan.bases))]
        for cls in [*self.classes, *self._spots]:
            cls.model_rebuild()

    def fields_of(self, entity: Any) -> list[Field]:
        """Return the fields of an entity that hold others."""
        return [f for f in self.plan.fields if isinstance(entity, self.classes[f.owner])]

    def could_hold(self, field: Field, cls: type) -> bool:
        return any(issubclass(cls, self.classes[n]) for n in field.targets)

    def put(self, source: Any, field: Field, target: Any) -> bool:
        """Let one entity hold another in one of its fields; tell whether it could."""
        value = getattr(source, field.name, None)
        kind, name = field.kind, field.name
        if kind in {"items", "owned"}:
            back = f"{'back' if kind == 'items' else 'of'}_{field.pair}"
            if getattr(target, back, None) is not None:
                return False
            setattr(target, back, source)
            value.append(target)
        elif kind == "back":
            return value is None and self.put(target, self._other(field), source)
        elif kind in {"one", "either"} and value is None:
            setattr(source, name, target)
        elif kind == "spot" and value is None:
            setattr(source, name, self._spots[field.targets[0]](who=target))
        elif kind == "row":
            setattr(source, name, (*value, target))
        elif kind in {"many", "mixed"}:
            value.append(target)
        elif kind == "group":
            value.add(target)
        elif kind == "by":
            value[f"k{len(value)}"] = target
        elif kind == "grid":
            value.append([None, target])
        else:
            return False
        return True

    def _other(self, field: Field) -> Field:
        return next(f for f in self.plan.fields if f.pair == field.pair and f.kind == "items")

    def clear(self, entity: Any, field: Field) -> None:
        """Let an entity hold nothing in a field that is no half of a pair."""
        empty: dict[str, Any] = {"many": [], "mixed": [], "grid": [], "row": (), "by": {}}
        setattr(entity, field.name, set() if field.kind == "group" else empty.get(field.kind))


@functools.lru_cache(maxsize=64)
def class_set(plan: Plan) -> ClassSet:
    """Return the classes of a plan: made once, so that there are not more and more of them."""
    return ClassSet(plan, f"class_set_{next(_numbers)}")


_numbers = itertools.count(1)


def forget() -> None:
    """Let go of the classes that `class_set` has made."""
    class_set.cache_clear()
    for name in [name for name in sys.modules if name.startswith("class_set_")]:
        del sys.modules[name]


class Grown:
    """A graph that grows from one entity, the first of `made`, which leads to all.

    Parameters
    ----------
    classes
        What it is made of.
    r
        Chooses.
    first
        The number of the first one's class.
    """

    def __init__(self, classes: ClassSet, r: Random, first: int | None = None) -> None:
        self.set = classes
        self.r = r
        self.made: list[Any] = []
        self.new(r.choice(classes.classes) if first is None else classes.classes[first])

    def new(self, cls: Any, **given: Any) -> Any:
        """Make an entity, and those that it cannot be without."""
        required = [
            f
            for f in self.set.plan.fields
            if f.kind == "of" and issubclass(cls, self.set.classes[f.owner])
        ]
        for field in required:
            if field.name not in given:
                given[field.name] = self.new(self.set.classes[field.targets[0]])
        entity = cls(name=str(len(self.made)), **given)
        for field in required:
            getattr(given[field.name], f"owned_{field.pair}").append(entity)
        self.made.append(entity)
        return entity

    def grow(
        self, source: Any, kinds: tuple[str, ...] = (*FIELDS, "items", "owned", "back")
    ) -> Any:
        """Let an entity hold a new one, of any class, in any field that takes one more."""
        fields = [f for f in self.set.fields_of(source) if f.kind in kinds]
        for field in self.r.sample(fields, len(fields)):
            cls = self.r.choice([c for c in self.set.classes if self.set.could_hold(field, c)])
            if field.kind == "owned":
                return self.new(cls, **{f"of_{field.pair}": source})
            if field.kind in SPACIOUS or not getattr(source, field.name):
                target = self.new(cls)
                if self.set.put(source, field, target):
                    return target
        return None

    def join(self, source: Any, target: Any) -> bool:
        """Let an entity hold another one, if a field of it can."""
        fields = [f for f in self.set.fields_of(source) if self.set.could_hold(f, type(target))]
        fields = [f for f in fields if f.kind not in {"owned", "of"}]
        return any(self.set.put(source, f, target) for f in self.r.sample(fields, len(fields)))

    def shape(self, shape: str, depth: int) -> list[Any]:
        """Grow to a depth; return what stands at the end."""
        ends = [self.made[0]]
        if shape == "ladder":
            ends = [self.grow(ends[0]) for _ in range(2)]
        for _ in range(depth - (shape == "ladder")):
            if shape == "tree" and len(ends) < 4:
                ends = [self.grow(end) for end in ends for _ in range(2)]
            else:
                ends = [self.grow(end) for end in ends]
            if shape == "ladder" and self.r.random() < 0.3:
                self.join(*self.r.sample(ends, 2))
        if shape == "ring":
            while not self.join(ends[0], self.made[0]):
                ends = [self.grow(ends[0])]
        return ends


# -- what there is, in plain Python --------------------------------------------------------------


def held(value: Any) -> Iterator[Any]:
    """Yield the entities in a value, in order."""
    if isinstance(value, ev.Entity):
        yield value
    elif isinstance(value, dict):
        yield from held(list(value.values()))
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from held(part)
    elif hasattr(value, "who"):
        yield from held(value.who)


def targets_of(entity: Any) -> list[Any]:
    """Return what an entity holds."""
    return [e for name in type(entity).model_fields for e in held(entity.__dict__.get(name))]


def within(roots: list[Any], hops: int | None = None, only: Any = None) -> tuple[Any, Any]:
    """Return what a reading loads, and what stands at its frontier: by id, breadth first.

    Parameters
    ----------
    roots
        Live entities, which are loaded in any case.
    hops
        How many references are followed.
    only
        The classes of what is loaded.
    """
    loaded: dict[Any, Any] = {e.ecs_id: e for e in roots}
    beyond: dict[Any, Any] = {}
    now, done = list(loaded.values()), 0
    while now:
        done += 1
        fresh = {e.ecs_id: e for holder in now for e in targets_of(holder)}
        fresh = {i: e for i, e in fresh.items() if i not in loaded and i not in beyond}
        near = hops is None or done <= hops
        taken = {
            i: e for i, e in fresh.items() if near and (only is None or isinstance(e, tuple(only)))
        }
        beyond |= {i: e for i, e in fresh.items() if i not in taken}
        loaded |= taken
        now = list(taken.values())
    return loaded, beyond
