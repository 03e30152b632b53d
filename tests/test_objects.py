"""Copies and pickles of whole graphs: sharing, cycles, any length."""

from __future__ import annotations

import collections
import copy
import dataclasses
import datetime as dt
import functools
import gc
import io
import pickle
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

import ecsviz as ev
from ecsviz.domain import objects as state
from ecsviz.isomorphic import find_difference
from tests.cells import notebook
from tests.processes import in_a_new_process

LONG = 100_000


class Plain(BaseModel):
    node: Node | None = None


@dataclasses.dataclass
class Data:
    node: Node | None = None


class Node(ev.Entity):
    model_config = ConfigDict(extra="allow", arbitrary_types_allowed=True)

    name: str = ""
    next: Node | None = None
    links: list[Node] = ev.reference(inverse=None, default_factory=list)
    bag: set[Node] = Field(default_factory=set)
    by_name: dict[str, Node] = Field(default_factory=dict)
    row: tuple[Node, ...] = ()
    plain: Plain | None = None
    data: Data | None = None
    anything: Any = None
    queue: collections.deque[Node] = Field(default_factory=collections.deque)
    _private: Any = PrivateAttr(default=None)
    _made: list[int] = PrivateAttr(default_factory=list)
    _unset: int = PrivateAttr()


def chain(n: int, link: Callable[[Node, Node], None]) -> Node:
    first = last = Node(name="0")
    for number in range(1, n):
        node = Node(name=str(number))
        link(last, node)
        last = node
    link(last, first)
    return first


class Slim(ev.Entity):
    next: Slim | None = None
    links: list[Slim] = ev.reference(inverse=None, default_factory=list)


def rich() -> Node:
    """One graph in which every kind of field holds every entity, twice."""
    a, b = Node(name="a"), Node(name="b")
    for one, other in [(a, b), (b, a)]:
        one.next = other
        one.links = [other, one, other]
        one.bag = {one, other}
        one.by_name = {"x": other, "y": one}
        one.row = (one, other)
        one.plain = Plain(node=other)
        one.data = Data(node=one)
        one.queue = collections.deque([one, other])
    return a


LINKS: dict[str, Callable[[Node, Node], None]] = {
    "single": lambda a, b: setattr(a, "next", b),
    "list": lambda a, b: a.links.append(b),
    "set": lambda a, b: a.bag.add(b),
    "dict": lambda a, b: a.by_name.update(x=b),
    "plain": lambda a, b: setattr(a, "plain", Plain(node=b)),
    "any": lambda a, b: setattr(a, "anything", [b]),
    "private": lambda a, b: setattr(a, "_private", b),
    "extra": lambda a, b: setattr(a, "more", b),
    "cached": lambda a, b: a.__dict__.__setitem__("cached", b),
    "queue": lambda a, b: a.queue.append(b),
}

WAYS: dict[str, Callable[[Any], Any]] = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
}


@pytest.fixture(params=WAYS.values(), ids=WAYS.keys())
def again(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    way: Callable[[Any], Any] = request.param
    return way


class TestBoth:
    """What a deep copy and a pickle have in common."""

    def test_everything_is_kept(self, again: Callable[[Any], Any]) -> None:
        first = rich()
        second = again(first)
        assert second is not first
        assert second == first
        assert find_difference(first, second) is None
        b = second.next
        assert second.links == [b, second, b]
        assert all(x is y for x, y in zip(second.links, (b, second, b), strict=True))
        assert {id(e) for e in second.bag} == {id(second), id(b)}
        assert second.plain.node is b
        assert second.data.node is second
        assert list(second.queue) == [second, b]
        assert type(second.queue) is collections.deque
        assert type(second.row) is tuple

    @pytest.mark.parametrize("link", LINKS.values(), ids=LINKS.keys())
    def test_a_cycle_of_2_000_through_any_kind_of_field(
        self, again: Callable[[Any], Any], link: Callable[[Node, Node], None]
    ) -> None:
        first = chain(2_000, link)
        second = again(first)
        names = []
        node = second
        for _ in range(2_000):
            names.append(node.name)
            node = next(state._held(node.__getstate__()))
        assert names == [str(number) for number in range(2_000)]
        assert node is second

    @pytest.mark.scale
    def test_a_cycle_of_100_000(self, again: Callable[[Any], Any]) -> None:
        nodes = [Slim() for _ in range(LONG)]
        for one, other in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            one.next = other
        first = nodes[0]
        node = second = again(first)
        for _ in range(LONG):
            node = node.next
        assert node is second
        assert node is not first

    @pytest.mark.scale
    def test_a_star_of_100_000(self, again: Callable[[Any], Any]) -> None:
        hub = Slim(links=[Slim() for _ in range(LONG)])
        for leaf in hub.links:
            leaf.next = hub
        second = again(hub)
        assert len(second.links) == LONG
        assert all(leaf.next is second for leaf in second.links)

    def test_containers_of_entities_of_one_graph(self, again: Callable[[Any], Any]) -> None:
        a = rich()
        b = a.next
        assert b is not None
        other = Node()
        value = {
            "list": [a, b, a],
            "set": {a, b},
            "key": {a: 1},
            "plain": Plain(node=b),
            "o": other,
        }
        result = again(value)
        new_a, new_b = result["list"][:2]
        assert result["list"][2] is new_a
        assert new_a.next is new_b
        assert result["set"] == {new_a, new_b}
        assert {id(e) for e in result["set"]} == {id(new_a), id(new_b)}
        assert next(iter(result["key"])) is new_a
        assert result["key"][new_a] == 1
        assert result["plain"].node is new_b
        assert result["o"] == other

    def test_a_container_that_is_shared_stays_shared(self, again: Callable[[Any], Any]) -> None:
        shared: list[Any] = [1]
        a, b = Node(anything=shared), Node(anything=shared)
        a.next = b
        shared.append(shared)
        second = again(a)
        assert second.anything is second.next.anything
        assert second.anything[1] is second.anything
        assert second.anything is not shared

    def test_private_attributes(self, again: Callable[[Any], Any]) -> None:
        node = Node()
        node._private = [node]
        node._made.append(7)
        second = again(node)
        assert second._private[0] is second
        assert second._made == [7]
        assert second._made is not node._made
        assert not hasattr(second, "_unset")

    def test_extras_and_fields_set(self, again: Callable[[Any], Any]) -> None:
        node = Node(name="x", more={"deep": [1]})  # type: ignore[call-arg]  # extras are the point
        second = again(node)
        assert second.more == {"deep": [1]}
        assert second.more is not node.more  # type: ignore[attr-defined]  # see above
        assert second.model_fields_set == {"name", "more"}
        second.model_fields_set.add("next")
        assert "next" not in node.model_fields_set

    def test_what_validation_would_refuse(self, again: Callable[[Any], Any]) -> None:
        node = Node.model_construct(next="text", links=None)
        second = again(node)
        assert (second.next, second.links) == ("text", None)

    def test_a_class_with_a_state_of_its_own(self, again: Callable[[Any], Any]) -> None:
        node = Locked(name="x")
        node.other = node
        node.__dict__["lock"] = threading.Lock()
        second = again(node)
        assert second.other is second
        assert "lock" not in second.__dict__

    def test_the_collector_is_left_as_it_was(self, again: Callable[[Any], Any]) -> None:
        for switch in (gc.disable, gc.enable):
            switch()
            enabled = gc.isenabled()
            again(rich())
            assert gc.isenabled() is enabled
        gc.enable()


class Locked(ev.Entity):
    name: str
    other: Locked | None = None

    def __getstate__(self) -> dict[Any, Any]:
        found = dict(super().__getstate__())
        values = {key: value for key, value in found["__dict__"].items() if key != "lock"}
        return {**found, "__dict__": values}


class TestDeepCopy:
    def test_values_are_copied_and_constants_shared(self) -> None:
        value = {"list": [1, [2]], "when": dt.datetime(2024, 1, 1, tzinfo=dt.UTC)}
        node = Node(name="x", anything=value)
        second = copy.deepcopy(node)
        assert second.anything == value
        assert second.anything is not value
        assert second.anything["list"][1] is not value["list"][1]  # type: ignore[index]  # a list
        assert second.name is node.name

    def test_model_copy(self) -> None:
        first = rich()
        shallow = first.model_copy()
        assert shallow == first
        assert shallow is not first
        assert shallow.next is first.next
        assert shallow.links is first.links
        deep = first.model_copy(deep=True, update={"name": "new"})
        assert deep.name == "new"
        assert deep.next is not first.next
        assert deep.next == first.next

    def test_copy_is_shallow(self) -> None:
        first = rich()
        second = copy.copy(first)
        second.name = "changed"
        assert first.name == "a"
        assert second.next is first.next

    def test_a_memo_is_respected_and_left_clean(self) -> None:
        first = rich()
        stand_in = Node()
        memo: dict[Any, Any] = {id(first.next): stand_in}
        second = copy.deepcopy(first, memo)
        assert second.next is stand_in
        assert copy.deepcopy(first, memo) is first.__deepcopy__(memo) is second
        assert all(isinstance(key, int) for key in memo)

    def test_an_error_on_the_way_leaves_no_trace(self) -> None:
        class Uncopyable:
            def __deepcopy__(self, memo: Any) -> Any:
                raise RuntimeError("not me")

        memo: dict[Any, Any] = {}
        with pytest.raises(RuntimeError, match="not me"):
            copy.deepcopy(Node(anything=Uncopyable()), memo)
        assert all(isinstance(key, int) for key in memo)
        assert gc.isenabled()


class TestPickle:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_every_protocol(self, protocol: int) -> None:
        first = rich()
        second = pickle.loads(pickle.dumps([first, first.next], protocol))
        assert find_difference([first, first.next], second) is None
        assert second[0].next is second[1]

    def test_the_python_pickler_too(self) -> None:
        buffer = io.BytesIO()
        pickle._Pickler(buffer).dump(chain(2_000, LINKS["single"]))  # type: ignore[attr-defined]  # it has no stub
        second = pickle._loads(buffer.getvalue())  # type: ignore[attr-defined]  # see above
        assert second.next.next.name == "2"

    def test_another_process_reads_it(self, tmp_path: Any) -> None:
        path = tmp_path / "graph.pickle"
        path.write_bytes(pickle.dumps(ev.sample("thread")))
        program = (
            "import pickle, sys, ecsviz as ev\n"
            "thread = pickle.load(open(sys.argv[1], 'rb'))\n"
            "assert all(m.thread is thread for m in thread.messages)\n"
            "print(len(ev.EntityDependencyGraph(thread)))\n"
        )
        assert int(in_a_new_process(program, path)) == len(
            ev.EntityDependencyGraph(ev.sample("thread"))
        )

    def test_what_changed_between_two_pickles_is_in_the_second(self) -> None:
        first = rich()
        pickle.dumps(first)
        new = Node(name="new")
        first.links.append(new)
        first.name = "changed"
        second = pickle.loads(pickle.dumps(first))
        assert second.name == "changed"
        assert second.links[-1].name == "new"

    def test_what_changed_while_another_pickler_lives(self) -> None:
        """A pickler that is kept open keeps its bundle alive; others must not be misled by it."""
        first = rich()
        b = first.next
        assert b is not None
        kept = pickle.Pickler(io.BytesIO())
        kept.dump(first)
        new = Node(name="new", next=first, links=[b])
        first.links.append(new)
        b.next = new
        second = pickle.loads(pickle.dumps([first, b, new]))
        assert find_difference([first, b, new], second) is None
        assert second[0].links[-1] is second[2] is second[1].next
        assert second[2].next is second[0]

    def test_one_pickler_two_dumps(self) -> None:
        first = rich()
        buffer = io.BytesIO()
        pickler = pickle.Pickler(buffer)
        pickler.dump(first)
        pickler.dump([first.next, first])
        buffer.seek(0)
        unpickler = pickle.Unpickler(buffer)
        one = unpickler.load()
        two = unpickler.load()
        assert two[1] is one
        assert two[0] is one.next

    def test_nothing_is_left_behind(self) -> None:
        gc.collect()
        before = len(state._bundles)
        first = rich()
        pickle.dumps([first, first.next])
        pickle.dumps([Node() for _ in range(100)])
        gc.collect()
        assert len(state._bundles) == before

    def test_many_graphs_in_one_pickle(self) -> None:
        """Bundles are found by entity: as many graphs as entities must not be quadratic."""
        nodes = [Slim() for _ in range(20_000)]
        assert pickle.loads(pickle.dumps(nodes)) == nodes

    def test_a_class_that_was_defined_anew(self) -> None:
        source = "class Cell(ev.Entity):\n    name: str = ''\n    other: 'Cell | None' = None\n"
        with notebook() as cells:
            cells.run(source)
            old = cells.Cell(name="old")
            cells.run(source)
            old.other = cells.Cell(name="new", other=old)
            second = pickle.loads(pickle.dumps(old))
            assert type(second) is type(second.other) is cells.Cell
            assert second.other.other is second


class TestShells:
    def test_a_shell_has_an_id_and_nothing_else(self) -> None:
        node = Node()
        shell = state.shell(Node, node.ecs_id)
        assert shell == node
        assert hash(shell) == hash(node)
        assert shell.__dict__ == {"ecs_id": node.ecs_id}
        assert shell.model_fields_set == set()

    def test_many_at_once_share_nothing(self) -> None:
        ids = [Node().ecs_id for _ in range(2)]
        first, second = state.shells(Node, ids)
        assert [first.ecs_id, second.ecs_id] == ids
        assert first.model_fields_set == second.model_fields_set == set()
        names = ["ecs_id", "version", "name"]
        state.fill_all(Node, [first, second], names, [ids, [1, 1], ["a", "b"]])
        assert (first.name, second.name) == ("a", "b")
        assert first.__dict__ == {"ecs_id": ids[0], "version": 1, "name": "a"}
        assert first.model_fields_set == set(names)
        assert first._made == []
        assert first._made is not second._made
        first.model_fields_set.clear()
        assert second.model_fields_set == set(names)

    def test_as_many_rows_as_shells(self) -> None:
        shells = state.shells(Node, [Node().ecs_id, Node().ecs_id])
        with pytest.raises(ValueError, match="2 entities and 1 rows"):
            state.fill_all(Node, shells, ["name"], [["a"]])


def test_a_cached_property_is_copied_with_its_entity() -> None:
    class Lazy(ev.Entity):
        next: Lazy | None = None

        @functools.cached_property
        def again(self) -> Lazy | None:
            return self.next

    node = Lazy()
    node.next = node
    assert node.again is node
    second = copy.deepcopy(node)
    assert second.again is second
