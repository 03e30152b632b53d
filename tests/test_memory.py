"""InMemoryEntityStorage: what the conformance suite does not see."""

from __future__ import annotations

import os
import signal
from collections import OrderedDict, defaultdict, deque
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel, ConfigDict

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.equality import identical
from ecsviz.storage.copies import copied
from tests.conformance import classes as c


class Named(NamedTuple):
    a: Any
    b: Any


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow")
    a: Any = None


VALUES: list[Any] = [
    None,
    [1, [2, {"a": {3}}], (4, frozenset({5}))],
    Named([1], {"x": 1}),
    OrderedDict(b=[1], a=2),
    defaultdict(list, b=[1]),
    deque([[1], 2], maxlen=5),
    Frozen(a=[1, 2], b={"c": 1}),
    c.Span(1, ["a"]),
    bytearray(b"x"),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_copies_are_the_same_and_share_nothing_that_can_change(value: Any) -> None:
    again = copied(value, lambda part: NotImplemented)
    assert identical(value, again)
    for name in ("maxlen", "default_factory"):
        assert getattr(value, name, None) == getattr(again, name, None)
    if isinstance(value, (list, deque, bytearray, OrderedDict)):
        assert again is not value
        again.clear()
        assert len(value)
    if isinstance(value, (Frozen, Named)):
        again.a.append("more")
        assert "more" not in value.a


def test_states_are_kept_as_data() -> None:
    store = ev.InMemoryEntityStorage()
    node = c.Node(name="a", links=[c.Node(name="b")])
    values = c.Values(listed=[1], point=c.Point(x=1))
    store.register([node, values])
    node.links.clear()
    values.listed.append(2)
    values.point.x = 5  # type: ignore[union-attr]
    again = store.get(values.ecs_id)
    assert (again.listed, again.point.x) == ([1], 1)
    again.listed.append(3)
    assert store.get(values.ecs_id).listed == [1]
    assert len(store.get(node.ecs_id).links) == 1


def test_a_class_with_other_fields_is_told_what_differs() -> None:
    def make(**fields: Any) -> Any:
        return type("Recipe", (ev.Entity,), {"__module__": "cook", "__annotations__": fields})

    store = ev.InMemoryEntityStorage()
    first = make(title=str)
    recipe = store.register(first(title="soup"))
    other = make(title=str, minutes=int)
    for ask in (
        lambda: store.get(recipe.ecs_id),
        lambda: store.register(other(title="x", minutes=1)),
        lambda: store.list_by_type(other),
    ):
        with pytest.raises(errors.SchemaOutdatedError, match=r"minutes: stored '\(nothing\)'"):
            ask()
    again = make(title=str)
    assert type(store.get(recipe.ecs_id)) is again


def test_an_interrupt_waits_until_all_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ev.InMemoryEntityStorage()
    node = c.Node(links=[c.Node() for _ in range(5)])
    seen = []
    update = dict.update

    class Slow(dict[Any, Any]):
        def update(self, *args: Any, **kwargs: Any) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            seen.append(len(self))
            update(self, *args, **kwargs)

    store.inside.kept.records = Slow()
    with pytest.raises(KeyboardInterrupt):
        store.register(node)
    assert seen == [0]
    assert len(store.inside.kept.records) == 6
    assert node.version == 1


def test_it_says_how_much_it_holds() -> None:
    store = ev.InMemoryEntityStorage()
    store.register(c.thread(3), note="first")
    assert repr(store) == "InMemoryEntityStorage(4 entities)"


@pytest.mark.scale
def test_long_chains_need_no_recursion() -> None:
    store = ev.InMemoryEntityStorage()
    last = c.Node()
    for _ in range(20_000):
        last = c.Node(next=last)
    store.register(last)
    assert len(ev.EntityDependencyGraph(store.get(last.ecs_id))) == 20_001
