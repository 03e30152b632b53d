"""find(): by the values of fields, in order, in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal

import numpy as np
import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.objects import is_placeholder
from tests.conformance import classes as c
from tests.conformance.conftest import KINDS, OPENERS, Open
from tests.databases import counted


@pytest.fixture(params=KINDS)
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Open:
    return OPENERS[request.param](tmp_path, request)


def store_of(reopen: Open) -> Any:
    return reopen()


@pytest.mark.parametrize(
    ("field", "value", "other"),
    [
        ("either", 1, "1"),
        ("either", "1", 1),
        ("either", None, "null"),
        ("either", "null", None),
        ("either", 2**70, 2**70 + 1),
        ("either", "a\0b", "a\\u0000b"),
        ("either", '"\ud800 ü', '"'),
        ("colour", c.Colour.BLUE, c.Colour.RED),
        ("level", c.Level.HIGH, c.Level.LOW),
        ("where", PurePosixPath("/a"), PurePosixPath("/b")),
    ],
)
def test_values_of_fields_of_several_types_enums_and_paths(
    reopen: Open, field: str, value: Any, other: Any
) -> None:
    wanted, unwanted = c.Values(**{field: value}), c.Values(**{field: other})
    reopen().register([unwanted, wanted])
    store = store_of(reopen)
    assert store.find(c.Values, **{field: value}) == [wanted]
    assert store.find(c.Values, **{field: value}, limit=1) == [wanted]
    assert store.find(c.Values, **{field: other}) == [unwanted]


class Reading(ev.Entity):
    """Values of several types in one field."""

    value: int | float | bool | c.Colour | datetime | Literal["none"] | None = None


READINGS: list[Any] = [
    *(1, 1.0, True, 0.0, -0.0, float("nan"), "none", None, c.Colour.RED),
    *(datetime(2024, 5, 1, 12, tzinfo=UTC), datetime(2024, 5, 1, 12, tzinfo=UTC).replace(fold=1)),
]


def test_values_of_several_types_are_told_apart(reopen: Open) -> None:
    made = [Reading(value=value) for value in READINGS]
    reopen().register(made)
    store = store_of(reopen)
    for entity in made:
        assert store.find(Reading, value=entity.value) == [entity], repr(entity.value)
    with pytest.raises(errors.InvalidArgumentError, match="has no values of type bytes"):
        store.find(Reading, value=b"1")
    with pytest.raises(errors.InvalidArgumentError, match="several types, which have no order"):
        store.find(Reading, order_by="value")


def test_several_conditions_all_hold(reopen: Open) -> None:
    both = c.Values(integer=1, text="x")
    reopen().register([c.Values(integer=1), both, c.Values(text="x")])
    assert store_of(reopen).find(c.Values, integer=1, text="x") == [both]


def test_references(reopen: Open) -> None:
    threads = [c.thread(), c.thread()]
    reopen().register(threads)
    store = store_of(reopen)
    mine = threads[1].messages
    for given in (threads[1], threads[1].ecs_id, str(threads[1].ecs_id)):
        assert store.find(c.Message, thread=given) == mine
    assert store.find(c.Message, parent=None) == [t.messages[0] for t in threads]
    assert store.find(c.Message, thread=threads[1], text="1") == [mine[1]]
    assert store.find(c.Message, thread=c.thread()) == []
    found = store.find(c.Message, thread=threads[1])
    assert len({id(message.thread) for message in found}) == 1, "what they share is one object"


def test_references_to_several_classes(reopen: Open) -> None:
    dog, animal = c.Dog(name="Rex"), c.Animal(name="Cat")
    first, second = c.Shelf(keeper=dog), c.Shelf(keeper=animal)
    reopen().register([first, second])
    assert store_of(reopen).find(c.Shelf, keeper=dog) == [first]
    assert store_of(reopen).find(c.Shelf, keeper=animal) == [second]


def test_own_fields(reopen: Open) -> None:
    first = reopen().register(c.Values(text="a"))
    second = reopen().register(first.fork())
    second.text = "b"
    reopen().register(second)
    store = store_of(reopen)
    assert store.find(c.Values, ecs_id=first.ecs_id) == [first]
    assert store.find(c.Values, lineage_id=first.lineage_id) == [first, second]
    assert store.find(c.Values, parent_id=first) == [second]
    assert store.find(c.Values, parent_id=None) == [first]
    assert store.find(c.Values, version=2) == [second]


def test_subclasses_are_searched_too(reopen: Open) -> None:
    rex, cat, dog = c.Dog(name="Rex", tricks=2), c.Animal(name="Rex"), c.Dog(name="Ada")
    reopen().register([rex, cat, dog])
    store = store_of(reopen)
    assert set(store.find(c.Animal, name="Rex")) == {rex, cat}
    assert [type(e).__name__ for e in store.find(c.Animal, order_by="name")] == [
        "Dog",
        "Animal",
        "Dog",
    ]
    assert store.find(c.Dog, tricks=2) == [rex]


def test_order_limit_and_offset(reopen: Open) -> None:
    texts = ["b", "B", "ä", "a", "z"]
    entities = [c.Values(text=text, integer=n % 2) for n, text in enumerate(texts)]
    reopen().register(entities)
    store = store_of(reopen)

    def found(**options: Any) -> list[str]:
        return [entity.text for entity in store.find(c.Values, **options)]

    assert found() == texts, "in the order of storing"
    assert found(order_by="text") == ["B", "a", "b", "z", "ä"], "by code point"
    assert found(order_by="-text") == ["ä", "z", "b", "a", "B"]
    assert found(order_by=["integer", "-text"]) == ["ä", "z", "b", "a", "B"]
    assert found(order_by="text", limit=2) == ["B", "a"]
    assert found(order_by="text", limit=2, offset=2) == ["b", "z"]
    assert found(order_by="text", offset=4) == ["ä"]
    assert found(limit=0) == []
    assert found(order_by="-version", limit=1) == ["b"]


def test_a_limit_counts_what_fits(reopen: Open) -> None:
    """Rows whose column only stands in for another value do not use up the limit."""
    others = [c.Values(integer=2**70 + n) for n in range(5)]
    wanted = [c.Values(integer=2**63 - 1) for _ in range(3)]
    reopen().register([*others, *wanted])
    store = store_of(reopen)
    assert store.find(c.Values, integer=2**63 - 1, limit=2) == wanted[:2]
    assert store.find(c.Values, integer=2**63 - 1, limit=2, offset=2) == wanted[2:]


def test_a_neighbourhood(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    (message,) = store_of(reopen).find(c.Message, text="1", hops=0)
    assert is_placeholder(message.thread)
    (message,) = store_of(reopen).find(c.Message, text="1", only=[c.Thread])
    assert message.thread.title == thread.title
    assert is_placeholder(message.thread.messages[0])


def test_the_past_is_searched_as_it_was(reopen: Open) -> None:
    thread = reopen().register(c.thread())
    thread.messages[0].text = "1"
    reopen().register(thread)
    reopen().delete([thread, *thread.messages])
    store = store_of(reopen)
    assert store.find(c.Message, text="1") == []
    assert store.find(c.Message, text="1", as_of=2) == thread.messages[:2]
    assert store.find(c.Message, text="1", as_of=1) == thread.messages[1:2]
    (first,) = store.find(c.Message, order_by="text", limit=1, as_of=1)
    assert (first.text, first.thread.title) == ("0", "t")


def test_nothing_is_stored(reopen: Open) -> None:
    assert store_of(reopen).find(c.Values, integer=1) == []
    with pytest.raises(errors.InvalidArgumentError, match="no field 'integr'"):
        store_of(reopen).find(c.Values, integr=1)


def test_as_many_statements_for_few_as_for_many(reopen: Open) -> None:
    counts = []
    if isinstance(reopen(), ev.InMemoryEntityStorage):
        return  # has none
    for size in (3, 300):
        thread = reopen().register(c.thread(size))
        store = store_of(reopen)
        with counted() as said:
            assert len(store.find(c.Message, thread=thread)) == size
        counts.append(len(said))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"integr": 1}, "has no field 'integr'. Did you mean 'integer'?"),
        ({"integer": "seven"}, "Values.integer"),
        ({"text": 7}, "Values.text"),
        ({"listed": [1]}, "Values.listed holds what may be several values"),
        ({"order_by": "listed"}, "Values.listed holds what may be several values"),
        ({"point": None}, "Values.point holds what may be several values"),
        ({"anything": 1}, "Values.anything holds what may be several values"),
        ({"either": 1.0}, "Values.either has no values of type float"),
        ({"order_by": "-either"}, "Values.either holds values of several types, which have no"),
        ({"order_by": "-txt"}, "has no field 'txt'. Did you mean 'text'?"),
        ({"order_by": [1]}, "order_by holds 1"),
        ({"limit": -1}, "limit is -1"),
        ({"limit": True}, "limit is True"),
        ({"offset": None}, "offset is None"),
        ({"hops": -1}, "hops is -1"),
        ({"version": "two"}, "Values.version"),
    ],
)
def test_what_cannot_be_asked(reopen: Open, fields: dict[str, Any], told: str) -> None:
    reopen().register(c.Values())
    with pytest.raises(errors.InvalidArgumentError) as caught:
        store_of(reopen).find(c.Values, **fields)
    assert told in str(caught.value)


def test_what_cannot_be_compared(reopen: Open) -> None:
    reopen().register([c.thread(), c.Node()])
    store = store_of(reopen)
    with pytest.raises(errors.InvalidArgumentError, match="holds several values"):
        store.find(c.Node, links=[])
    with pytest.raises(errors.InvalidArgumentError, match="holds several values"):
        store.find(c.Thread, messages=None)
    with pytest.raises(errors.InvalidArgumentError, match="entities have no order"):
        store.find(c.Message, order_by="thread")
    with pytest.raises(errors.InvalidArgumentError, match="holds an entity, not a int"):
        store.find(c.Message, thread=7)
    with pytest.raises(errors.InvalidIdError):
        store.find(c.Message, thread="no id")
    with pytest.raises(errors.NotAnEntityError):
        store.find(dict, a=1)
    with pytest.raises(errors.NotAnEntityError):
        store.find(c.Node, only=[int])


def test_what_is_beside_a_column_is_no_code(reopen: Open) -> None:
    """What stands beside a column is data: a text that looks like JSON finds only itself."""
    text = json.dumps({"text": "x"})
    entity = reopen().register(c.Values(text=text))
    assert store_of(reopen).find(c.Values, text=text) == [entity]
    assert store_of(reopen).find(c.Values, text="x") == []


@pytest.mark.parametrize(
    "value", [pd.DataFrame({"title": ["b"]}), {"title": "b"}, np.array("title"), "title"]
)
def test_the_names_of_columns_are_no_values(value: Any) -> None:
    store = ev.InMemoryEntityStorage()
    store.register(ev.ChatThread(title="title"))
    with pytest.raises(errors.InvalidArgumentError, match="Give a list of values"):
        store.find(ev.ChatThread, title__in=value)
