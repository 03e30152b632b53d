"""Random cyclic graphs survive storing, in this process and in another one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz.isomorphic import find_difference
from tests.conformance import classes as c
from tests.processes import in_a_new_process

texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=8)
floats = st.floats(allow_nan=True, allow_infinity=True)


@st.composite
def graphs(draw: st.DrawFn) -> list[Any]:
    """Nodes, animals, threads and values that hold each other at random."""
    size = draw(st.integers(1, 7))
    nodes = [c.Node(name=draw(texts)) for _ in range(size)]
    pick = st.sampled_from(nodes)
    for node in nodes:
        for field in draw(st.sets(st.sampled_from(sorted(FIELDS)), max_size=4)):
            setattr(node, field, draw(FIELDS[field](pick)))
    animals = [
        draw(st.sampled_from([c.Animal, c.Dog, c.Puppy]))(name=draw(texts)) for _ in range(3)
    ]
    for animal in animals:
        animal.friend = draw(st.none() | st.sampled_from(animals))
    dogs = [animal for animal in animals if isinstance(animal, c.Dog)]
    if dogs and isinstance(animals[0], c.Puppy):
        animals[0].mother = draw(st.sampled_from(dogs))
    shelf = c.Shelf(
        top=draw(st.none() | st.sampled_from([*dogs, c.Stone(weight=draw(floats))])),
        things=draw(st.lists(st.sampled_from([*animals, c.Stone()]), max_size=4)),
        keeper=draw(st.sampled_from(animals)),
    )
    boxes = c.Boxes(
        holder=c.Holder(who=draw(st.none() | pick), note=draw(texts)),
        holders=draw(st.lists(st.builds(c.Holder, who=st.none() | pick), max_size=3)),
        pair=draw(st.none() | st.builds(c.Pair, pick, st.none() | pick)),
    )
    values = c.Values(
        integer=draw(st.integers()),
        floating=draw(floats),
        text=draw(texts),
        raw=draw(st.binary(max_size=4)),
        anything=draw(st.recursive(st.none() | texts | floats, st.lists, max_leaves=5)),
    )
    return [*nodes, shelf, boxes, values, draw(threads()), c.mutual()]


@st.composite
def threads(draw: st.DrawFn) -> c.Thread:
    thread = c.Thread(title=draw(texts))
    for _ in range(draw(st.integers(0, 5))):
        parent = draw(st.none() | st.sampled_from(thread.messages)) if thread.messages else None
        kind = draw(st.sampled_from([c.Message, c.Report]))
        message = kind(thread=thread, text=draw(texts), parent=parent)
        if parent is not None:
            parent.replies.append(message)
        thread.messages.append(message)
    thread.messages = draw(st.permutations(thread.messages))
    return thread


FIELDS: dict[str, Any] = {
    "next": lambda pick: st.none() | pick,
    "links": lambda pick: st.lists(pick, max_size=5),
    "row": lambda pick: st.lists(pick, max_size=3).map(tuple),
    "pair": lambda pick: st.none() | st.tuples(pick, st.integers()),
    "group": lambda pick: st.sets(pick, max_size=4),
    "fixed": lambda pick: st.frozensets(pick, max_size=3),
    "by_name": lambda pick: st.dictionaries(
        st.text(max_size=3).filter(_is_storable), pick, max_size=3
    ),
    "by_number": lambda pick: st.dictionaries(st.integers(-9, 9), pick, max_size=3),
    "by_pair": lambda pick: st.dictionaries(
        st.tuples(st.integers(), st.text(max_size=2)), pick, max_size=2
    ),
    "lists": lambda pick: st.dictionaries(
        st.text(max_size=2), st.lists(pick, max_size=3), max_size=2
    ),
    "grid": lambda pick: st.lists(st.lists(st.none() | pick, max_size=3), max_size=3),
    "optional": lambda pick: st.none() | st.lists(pick, max_size=2),
    "sequence": lambda pick: st.lists(pick, max_size=2) | st.lists(pick, max_size=2).map(tuple),
    "mapping": lambda pick: st.dictionaries(st.text(max_size=2), pick, max_size=2),
    "me": lambda pick: st.none() | pick,
}


def _is_storable(text: str) -> bool:
    """Keys are columns: a text that no column holds exactly is refused, and tested elsewhere."""
    return "\0" not in text


@given(graph=graphs())
def test_in_this_process(graph: list[Any]) -> None:
    for store in (ev.SQLAlchemyEntityStorage(":memory:"), ev.InMemoryEntityStorage()):
        for entity in ev.EntityDependencyGraph(graph).nodes:
            entity.version = 0
        store.register(graph)
        again = store.get_many([entity.ecs_id for entity in graph])
        assert find_difference(graph, again) is None


@given(graph=graphs(), other=graphs(), data=st.data())
@settings(max_examples=min(100, settings.default.max_examples))  # each saves six times
def test_editing_and_saving_again(graph: list[Any], other: list[Any], data: st.DataObject) -> None:
    """Both storages agree on every version after every edit."""
    sql, memory = ev.SQLAlchemyEntityStorage(":memory:"), ev.InMemoryEntityStorage()
    everything = ev.EntityDependencyGraph([*graph, *other]).nodes
    nodes = [entity for entity in everything if type(entity) is c.Node]
    for _ in range(3):
        before = {entity.ecs_id: entity.version for entity in everything}
        sql.register(graph)
        after = {entity.ecs_id: entity.version for entity in everything}
        for entity in everything:
            entity.version = before[entity.ecs_id]
        memory.register(graph)
        assert {entity.ecs_id: entity.version for entity in everything} == after
        for store in (sql, memory):
            again = store.get_many([entity.ecs_id for entity in graph])
            assert find_difference(graph, again) is None
        node = data.draw(st.sampled_from(nodes))
        field = data.draw(st.sampled_from(sorted(FIELDS)))
        setattr(node, field, data.draw(FIELDS[field](st.sampled_from(nodes))))
        thread = next(entity for entity in graph if type(entity) is c.Thread)
        thread.messages = data.draw(st.permutations(thread.messages))
        if data.draw(st.booleans()):
            thread.messages.append(c.Message(thread=thread))
        everything = ev.EntityDependencyGraph([*graph, *everything]).nodes


READER = """
import pickle, sys
import ecsviz as ev
from tests.conformance import classes
store = ev.SQLAlchemyEntityStorage(sys.argv[1])
wanted = pickle.loads(open(sys.argv[2], "rb").read())
found = [store.get_many(ids) for ids in wanted]
open(sys.argv[3], "wb").write(pickle.dumps(found))
"""


def test_in_another_process(tmp_path: Path) -> None:
    """All examples go into one file, which one fresh process reads as a whole."""
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    stored: list[list[Any]] = []

    @given(graph=graphs())
    def save(graph: list[Any]) -> None:
        store.register(graph)
        stored.append(graph)

    save()
    wanted, found = tmp_path / "wanted", tmp_path / "found"
    wanted.write_bytes(pickle.dumps([[entity.ecs_id for entity in graph] for graph in stored]))
    in_a_new_process(READER, tmp_path / "store.db", wanted, found)
    graphs_read = pickle.loads(found.read_bytes())
    assert len(graphs_read) == len(stored) >= settings.default.max_examples // 2
    for before, after in zip(stored, graphs_read, strict=True):
        assert find_difference(before, after) is None
