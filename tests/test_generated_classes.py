"""Random classes, with random entities of them, survive storing: here and in another process."""

from __future__ import annotations

import gc
import itertools
import pickle
import sys
import types
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.domain.fields import Shape, class_plan
from ecsviz.domain.inverse import inverse_of
from ecsviz.isomorphic import find_difference
from tests.entity_graphs import graphs
from tests.processes import in_a_new_process

MOST = settings.default.max_examples
EXAMPLES = 2000 if MOST >= 500 else min(MOST, 40)

HEAD = """
from __future__ import annotations
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Optional
from uuid import UUID
from pydantic import BaseModel, ConfigDict, Field
import ecsviz as ev

class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"

class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2

class Plain(BaseModel):
    number: int
    text: str | None = None
"""

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=6)
keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=4)
zones = st.sampled_from([None, UTC, timezone(timedelta(hours=2)), timezone(-timedelta(minutes=90))])
floats = st.floats(allow_nan=True, allow_infinity=True)

VALUES: dict[str, Any] = {
    "bool": lambda m: st.booleans(),
    "int": lambda m: st.integers(),
    "float": lambda m: floats,
    "Decimal": lambda m: st.decimals(),
    "str": lambda m: texts,
    "bytes": lambda m: st.binary(max_size=5),
    "datetime": lambda m: st.datetimes(timezones=zones),
    "date": lambda m: st.dates(),
    "time": lambda m: st.times(timezones=zones),
    "timedelta": lambda m: st.timedeltas(),
    "UUID": lambda m: st.uuids(),
    "Color": lambda m: st.sampled_from(m.Color),
    "Level": lambda m: st.sampled_from(m.Level),
    "Literal['a', 'b']": lambda m: st.sampled_from("ab"),
    "PurePosixPath": lambda m: keys.map(PurePosixPath),
    "IPv4Address": lambda m: st.ip_addresses(v=4),
    "Annotated[int, Field(ge=0)]": lambda m: st.integers(0),
    "list[int]": lambda m: st.lists(st.integers(), max_size=3),
    "tuple[int, str]": lambda m: st.tuples(st.integers(), texts),
    "dict[int, list[str]]": lambda m: st.dictionaries(
        st.integers(), st.lists(texts, max_size=2), max_size=2
    ),
    "set[str]": lambda m: st.sets(texts, max_size=3),
    "Plain": lambda m: st.builds(m.Plain, number=st.integers(), text=st.none() | texts),
    "list[Plain]": lambda m: st.lists(st.builds(m.Plain, number=st.integers()), max_size=2),
    "Any": lambda m: st.recursive(
        st.none() | texts | floats | st.integers(), lambda s: st.lists(s, max_size=2), max_leaves=4
    ),
}

# {0} and {1} are classes; the strategies take what may be held in their places.
HOLDERS: dict[str, Any] = {
    "{0}": lambda a, b: a,
    "{0} | None": lambda a, b: st.none() | a,
    "Optional[{0}]": lambda a, b: st.none() | a,
    "Annotated[{0}, Field(description='x')]": lambda a, b: a,
    "{0} | {1} | None": lambda a, b: st.none() | a | b,
    "list[{0}]": lambda a, b: st.lists(a, max_size=4),
    "list[{0} | {1}]": lambda a, b: st.lists(a | b, max_size=4),
    "list[{0} | None]": lambda a, b: st.lists(st.none() | a, max_size=3),
    "list[{0}] | None": lambda a, b: st.none() | st.lists(a, max_size=3),
    "tuple[{0}, ...]": lambda a, b: st.lists(a, max_size=3).map(tuple),
    "tuple[{0}, int]": lambda a, b: st.tuples(a, st.integers()),
    "set[{0}]": lambda a, b: st.sets(a, max_size=3),
    "frozenset[{0}]": lambda a, b: st.frozensets(a, max_size=3),
    "dict[str, {0}]": lambda a, b: st.dictionaries(keys, a, max_size=3),
    "dict[int, {0} | {1}]": lambda a, b: st.dictionaries(st.integers(-9, 9), a | b, max_size=3),
    "dict[UUID, {0}]": lambda a, b: st.dictionaries(st.uuids(), a, max_size=2),
    "dict[str, list[{0}]]": lambda a, b: st.dictionaries(keys, st.lists(a, max_size=2), max_size=2),
    "list[list[{0} | None]]": lambda a, b: st.lists(
        st.lists(st.none() | a, max_size=2), max_size=2
    ),
    "Sequence[{0}]": lambda a, b: st.lists(a, max_size=2) | st.lists(a, max_size=2).map(tuple),
    "Mapping[str, {0}]": lambda a, b: st.dictionaries(keys, a, max_size=2),
}

CLASS_NAMES = ["Alpha", "Beta", "Order", "Select", "Größe", "User", "HTTPServer", "L" + "ong" * 30]
FIELD_NAMES = [
    "a", "b", "id", "metadata", "registry", "select", "größe", "user_id", "position", "key",
    "n" * 70, "order", "class_", "ecs_kind", "alpha_id", "table", "self_", "Name", "name", "values",
]  # fmt: skip

_numbers = itertools.count(1)


@st.composite
def sources(draw: st.DrawFn) -> str:
    """Return the text of a module with one to four entity classes."""
    names = draw(st.lists(st.sampled_from(CLASS_NAMES), min_size=1, max_size=4, unique=True))
    parts = [HEAD]
    fields_of: dict[str, set[str]] = {}
    for number, name in enumerate(names):
        base = draw(st.none() | st.sampled_from(names[:number])) if number else None
        inherited = fields_of[base] if base else set()
        free = [f for f in FIELD_NAMES if f.casefold() not in {i.casefold() for i in inherited}]
        own = draw(st.lists(st.sampled_from(free), max_size=4, unique_by=str.casefold))
        lines = [f"class {name}({base or 'ev.Entity'}):"]
        for field in own:
            if draw(st.booleans()):
                said = draw(st.sampled_from(sorted(VALUES)))
                if draw(st.booleans()) and said != "Any":
                    said += " | None"
            else:
                said = draw(st.sampled_from(sorted(HOLDERS)))
                said = said.format(draw(st.sampled_from(names)), draw(st.sampled_from(names)))
            lines.append(f"    {field}: {said}")
        fields_of[name] = inherited | set(own)
        parts.append("\n".join([*lines, "    pass"]))
    return "\n\n".join(parts)


def run(source: str, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def entity_classes(module: types.ModuleType) -> list[Any]:
    found = [v for v in vars(module).values() if isinstance(v, type) and issubclass(v, ev.Entity)]
    for cls in found:
        cls.model_rebuild()
    return found


def annotated(cls: Any) -> dict[str, str]:
    """Return what the text says of each field of a class."""
    bases = [base for base in reversed(cls.__mro__) if base.__module__ == cls.__module__]
    # Not `base.__annotations__`: it is inherited once anybody asked the metaclass for its own.
    said = [vars(base).get("__annotations__", {}) for base in bases]
    return {name: text for each in said for name, text in each.items()}


@st.composite
def entities_of(draw: st.DrawFn, module: types.ModuleType) -> list[Any]:
    """Return at least one entity of each class, holding each other at random."""
    classes = entity_classes(module)
    made = [cls.model_construct() for cls in classes for _ in range(draw(st.integers(1, 3)))]
    by_name = {cls.__name__: [e for e in made if isinstance(e, cls)] for cls in classes}
    for entity in made:
        for name, said in annotated(type(entity)).items():
            entity.__dict__[name] = draw(_value(module, said, by_name))
            entity.__pydantic_fields_set__.add(name)
    _agree(draw, made)
    return made


def _value(module: types.ModuleType, said: str, by_name: dict[str, list[Any]]) -> Any:
    if said in VALUES:
        return VALUES[said](module)
    if said.removesuffix(" | None") in VALUES:
        return st.none() | VALUES[said.removesuffix(" | None")](module)
    for text, strategy in HOLDERS.items():
        for one, other in itertools.product(by_name, repeat=2):
            if text.format(one, other) == said:
                return strategy(st.sampled_from(by_name[one]), st.sampled_from(by_name[other]))
    raise AssertionError(said)


def _agree(draw: st.DrawFn, made: list[Any]) -> None:
    """Let lists say what the back-references say, where each is the other's inverse."""
    for entity in made:
        for plan in class_plan(type(entity)).check().fields:
            back = inverse_of(plan) if plan.shape == Shape.LIST else None
            if back is not None:
                kind = plan.targets[0]
                members = [
                    m for m in made if isinstance(m, kind) and m.__dict__[back.name] is entity
                ]
                entity.__dict__[plan.name] = draw(st.permutations(members))


READER = """
import pathlib, pickle, sys
import ecsviz as ev
from ecsviz.isomorphic import find_difference
from tests.test_generated_classes import run

folder = pathlib.Path(sys.argv[1])
count = 0
for number in pickle.loads((folder / "numbers.pickle").read_bytes()):
    source = (folder / f"{number}.py").read_text(encoding="utf-8")
    module = run(source, f"generated_{number}")
    wanted = pickle.loads((folder / f"{number}.pickle").read_bytes())
    got = ev.SQLAlchemyEntityStorage(folder / f"{number}.db").get_many([e.ecs_id for e in wanted])
    told = find_difference(wanted, got)
    assert told is None, f"{told}\\n{source}"
    del sys.modules[module.__name__]
    count += 1
print(count)
"""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith("generated_")]:
        del sys.modules[name]
    gc.collect()


# Which of their references might be meant as a pair is left to chance.
@pytest.mark.filterwarnings("ignore::ecsviz.errors.UnpairedReferencesWarning")
def test_generated_classes(tmp_path: Path) -> None:
    """Every example is stored in a file of its own; a fresh process reads them all."""
    numbers: list[int] = []

    @settings(
        max_examples=EXAMPLES,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(source=sources(), data=st.data())
    def save(source: str, data: st.DataObject) -> None:
        number = next(_numbers)
        name = f"generated_{number}"
        module = run(source, name)
        made = data.draw(entities_of(module))
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{number}.db")
        store.register(made)
        again = ev.SQLAlchemyEntityStorage(tmp_path / f"{number}.db")
        got = again.get_many([entity.ecs_id for entity in made])
        assert find_difference(made, got) is None
        assert not again.explain(got), "what was read is what is stored"
        memory = ev.InMemoryEntityStorage()
        for entity in made:
            entity.__dict__["version"] = 0
        memory.register(made)
        assert find_difference(made, memory.get_many([e.ecs_id for e in made])) is None
        (tmp_path / f"{number}.py").write_text(source, encoding="utf-8")
        (tmp_path / f"{number}.pickle").write_bytes(pickle.dumps(made))
        numbers.append(number)
        del sys.modules[name]

    save()
    assert len(set(numbers)) >= EXAMPLES // 2
    (tmp_path / "numbers.pickle").write_bytes(pickle.dumps(numbers))
    assert int(in_a_new_process(READER, tmp_path)) == len(numbers)


@settings(max_examples=EXAMPLES)
@given(graph=graphs())
def test_graphs_of_every_shape(graph: list[Any]) -> None:
    for store in (ev.SQLAlchemyEntityStorage(":memory:"), ev.InMemoryEntityStorage()):
        for entity in ev.EntityDependencyGraph(graph).nodes:
            entity.version = 0
        store.register(graph)
        again = store.get_many([entity.ecs_id for entity in graph])
        assert find_difference(graph, again) is None
