"""Entity: identity, equality, text, fork; and the seed's two classes in a notebook."""

from __future__ import annotations

import collections
import copy
import functools
import json
import subprocess
import sys
import time
import uuid
from typing import Any, Generic, List, Self, TypeVar  # noqa: UP035 - the seed writes List

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, computed_field

import ecsviz as ev
from ecsviz import errors
from ecsviz.errors import UnsupportedFieldError
from tests.cells import notebook
from tests.conftest import require_optional

T = TypeVar("T")


class Node(ev.Entity):
    name: str = ""
    next: Node | None = None
    links: list[Node] = ev.reference(inverse=None, default_factory=list)
    by_name: dict[str, Node] = Field(default_factory=dict)
    anything: Any = None


class Other(ev.Entity):
    pass


class TestIdentity:
    def test_ids_are_uuid_7(self) -> None:
        before = time.time_ns() // 1_000_000
        ids = [Node().ecs_id for _ in range(1_000)]
        assert all(type(i) is uuid.UUID for i in ids)
        # RFC 9562: version and variant bits, and milliseconds in the first 48.
        assert {(i.version, i.variant) for i in ids} == {(7, uuid.RFC_4122)}
        assert all(before <= i.int >> 80 for i in ids)
        assert len(set(ids)) == 1_000
        assert ids == sorted(ids)

    def test_a_new_entity_founds_a_family(self) -> None:
        node = Node()
        assert node.lineage_id == node.ecs_id
        assert node.parent_id is None
        assert node.version == 0

    def test_a_given_id_founds_the_family_too(self) -> None:
        given = uuid.uuid4()
        assert Node(ecs_id=given).lineage_id == given
        assert Node(ecs_id=given, lineage_id=uuid.UUID(int=1)).lineage_id == uuid.UUID(int=1)
        assert Node(ecs_id=str(given)).ecs_id == given  # type: ignore[arg-type]  # as JSON has it

    def test_equality_and_hash_go_by_the_id(self) -> None:
        node = Node(name="a")
        same = Node(name="b", ecs_id=node.ecs_id)
        assert node == same
        assert hash(node) == hash(same)
        assert node != Node(name="a")
        assert node != "a"
        assert node != node.ecs_id
        assert node == Other(ecs_id=node.ecs_id)
        assert {node, same} == {node}
        assert (node == 5) is False

    def test_cycles_compare_and_hash(self) -> None:
        a, b = Node(), Node()
        a.next, b.next = b, a
        assert a == copy.deepcopy(a)
        assert {a: 1}[copy.deepcopy(a)] == 1
        assert b in [a, b]
        assert a not in {b: 1}

    def test_the_id_is_frozen(self) -> None:
        node = Node()
        with pytest.raises(ValidationError, match="frozen"):
            node.ecs_id = uuid.uuid4()

    @pytest.mark.parametrize("bad", ["abc", 5, ""])
    def test_a_malformed_id_is_refused(self, bad: Any) -> None:
        with pytest.raises(ValidationError, match="ecs_id"):
            Node(ecs_id=bad)

    def test_a_negative_version_is_refused(self) -> None:
        with pytest.raises(ValidationError, match="version"):
            Node(version=-1)

    def test_the_constructor_keeps_what_it_is_given(self) -> None:
        a = Node()
        b = Node(next=a, links=[a, a], by_name={"x": a})
        assert b.next is a
        assert b.links[0] is b.links[1] is b.by_name["x"] is a

    def test_configured_classes(self) -> None:
        class Frozen(ev.Entity):
            model_config = ConfigDict(frozen=True)
            other: Self | None = None

        node = Frozen()
        assert hash(node) == hash(Frozen(ecs_id=node.ecs_id))
        assert Frozen(other=node).other is node
        assert node.fork().parent_id == node.ecs_id

        class Checked(ev.Entity):
            model_config = ConfigDict(validate_assignment=True)
            other: Checked | None = None

        one, two = Checked(), Checked()
        one.other, two.other = two, one
        assert one.other.other is one
        assert copy.deepcopy(one).fork().version == 0

        class Camel(ev.Entity):
            model_config = ConfigDict(alias_generator=str.upper)
            name: str = ""

        assert Camel(NAME="x").name == "x"  # type: ignore[call-arg]  # by its alias

    def test_generic_entities(self) -> None:
        class Box(ev.Entity, Generic[T]):
            item: T

        node = Node()
        assert Box[Node](item=node).item is node
        assert Box[int](item=3) != Box[int](item=3)
        assert isinstance(Box[int](item=3), Box)


class TestOwnFields:
    """The four own fields cannot be defined anew: storage and references go by them."""

    @pytest.mark.parametrize("name", ["ecs_id", "lineage_id", "parent_id", "version"])
    def test_a_field_of_that_name(self, name: str) -> None:
        with notebook() as cells, pytest.raises(UnsupportedFieldError) as caught:
            cells.run(f"class Page(ev.Entity):\n    {name}: str = ''\n")
        assert f"Page.{name} would replace a field that every entity has" in str(caught.value)
        assert f"alias={name!r}" in str(caught.value)
        assert caught.value.field == name
        assert caught.value.cls.__name__ == "Page"

    def test_another_default(self) -> None:
        with pytest.raises(UnsupportedFieldError, match=r"Page\.version"):

            class Page(ev.Entity):
                version: int = 5

    @pytest.mark.parametrize("first", [True, False])
    def test_a_mixin_with_that_field(self, first: bool) -> None:
        class Versioned(BaseModel):
            version: str = "1"

        bases = (Versioned, ev.Entity) if first else (ev.Entity, Versioned)
        with pytest.raises(UnsupportedFieldError, match=r"Page\.version"):
            type("Page", bases, {"__module__": __name__})

    def test_the_way_out_that_the_message_names(self) -> None:
        class Page(ev.Entity):
            page_version: str = Field(alias="version", default="")

        assert Page.model_fields["page_version"].alias == "version"

    def test_other_mixins_and_subclasses_pass(self) -> None:
        class Titled(BaseModel):
            title: str = ""

        class Page(Titled, ev.Entity):
            pass

        class More(Page):
            number: int = 0

        assert More(title="x").title == "x"
        assert More().version == 0


class TestRepr:
    def test_what_it_shows(self) -> None:
        node = Node(name="a", links=[Node(), Node(), Node(), Node()])
        text = repr(node)
        assert text.startswith("Node(name='a', next=None, links=[<Node …")
        assert "… 1 more]" in text
        assert f"ecs_id=…{str(node.ecs_id)[-6:]}, version=0)" in text
        assert str(node) == text
        assert "parent_id" not in text

    def test_it_is_bounded(self) -> None:
        node = Node(
            name="x" * 10_000,
            links=[Node() for _ in range(10_000)],
            by_name={"k" * 1_000 + str(number): Node() for number in range(1_000)},
            anything=[[1] * 1_000] * 1_000,
        )
        assert len(repr(node)) < 600

    @pytest.mark.parametrize(
        "wrap",
        [
            lambda node: node,
            lambda node: [node, node],
            lambda node: {"x": [node]},
            lambda node: {node: node},
            lambda node: collections.deque([node, node]),
            lambda node: collections.OrderedDict(x=node),
            lambda node: (node, [node]),
            lambda node: {node},
            lambda node: Wrapper(node=node),
            lambda node: collections.UserList([node, node]),
        ],
    )
    def test_it_never_goes_on_to_others(self, wrap: Any) -> None:
        """A chain of 40 in which every one is shown twice would be 2⁴⁰ long."""
        nodes = [Node(name=f"name-{number}") for number in range(40)]
        for one, other in zip(nodes, [*nodes[1:], nodes[0]], strict=True):
            one.anything = wrap(other)
        text = repr(nodes[0])
        assert len(text) < 300
        assert "name-0" in text
        assert "name-1" not in text

    def test_others_in_a_list_are_shown_whole(self) -> None:
        a, b = Node(name="a"), Node(name="b")
        assert repr([a, b]).count("Node(name=") == 2
        repr(a)
        assert repr(b).startswith("Node(name='b'")

    def test_an_error_on_the_way_leaves_no_trace(self) -> None:
        class Broken(ev.Entity):
            name: str = ""

            def __repr_args__(self) -> Any:
                raise RuntimeError("no repr")

        with pytest.raises(RuntimeError, match="no repr"):
            repr(Broken())
        assert repr(Node(name="a")).startswith("Node(name='a'")

    def test_hidden_and_computed_fields_stay_hidden(self) -> None:
        class Login(ev.Entity):
            user: str
            password: str = Field(repr=False)
            token: SecretStr = SecretStr("abc")

            @computed_field  # type: ignore[prop-decorator]  # the order that pydantic asks for
            @property
            def evaluated(self) -> str:
                raise AssertionError("evaluated")

            @functools.cached_property
            def cached(self) -> str:
                return "cached"

        login = Login(user="a", password="hidden")
        assert login.cached == "cached"
        text = repr(login)
        assert "hidden" not in text
        assert "abc" not in text
        assert "cached" not in text

    def test_extras_are_shown(self) -> None:
        class Open(ev.Entity):
            model_config = ConfigDict(extra="allow")

        assert "more=3" in repr(Open(more=3))  # type: ignore[call-arg]  # extras are the point

    def test_half_made_entities_have_one_too(self) -> None:
        node = Node.model_construct()
        node.__dict__.clear()
        assert repr(node) == "Node(ecs_id=…None, version=None)"

    def test_rich_sees_the_same(self) -> None:
        node = Node(name="a", next=Node())
        shown = {name: repr(value) for name, value in node.__rich_repr__()}
        assert shown["name"] == "'a'"
        assert shown["next"].startswith("<Node …")


class Wrapper(BaseModel):
    node: Node


class TestFork:
    def test_a_fork_is_a_new_entity_of_the_family(self) -> None:
        node = Node(name="a", version=3)
        fork = node.fork()
        assert fork != node
        assert fork.ecs_id.version == 7
        assert fork.parent_id == node.ecs_id
        assert fork.lineage_id == node.lineage_id
        assert (fork.version, fork.name) == (0, "a")
        again = fork.fork()
        assert again.parent_id == fork.ecs_id
        assert again.lineage_id == node.lineage_id
        assert node.version == 3
        assert node.parent_id is None

    def test_it_holds_the_same_entities_in_containers_of_its_own(self) -> None:
        a, b = Node(), Node()
        node = Node(next=a, links=[a, b], by_name={"x": b}, anything={"deep": [1, a]})
        node.links.append(node)
        fork = node.fork()
        assert fork.next is a
        assert fork.links == [a, b, node]
        assert fork.links[0] is a
        assert fork.links[2] is node
        fork.links.append(fork)
        fork.by_name["y"] = a
        fork.anything["deep"].append(2)
        assert node.links == [a, b, node]
        assert node.by_name == {"x": b}
        assert node.anything == {"deep": [1, a]}
        assert fork.anything["deep"][1] is a

    def test_a_whole_graph_is_forked(self) -> None:
        a, b = Node(name="a"), Node(name="b")
        node = Node(next=a, links=[a, b], by_name={"x": b}, anything={"deep": [1, a]})
        a.next, b.next = node, a
        a.links.append(a)
        fork = node.fork(deep=True)
        assert {fork, fork.next, fork.links[1]}.isdisjoint({node, a, b})
        assert fork.links[0] is fork.next
        assert fork.next.next is fork
        assert fork.next.links[0] is fork.next
        assert fork.by_name["x"] is fork.links[1]
        assert fork.links[1].next is fork.next
        assert fork.links[1].parent_id == b.ecs_id
        assert fork.links[1].lineage_id == b.lineage_id
        assert [n.version for n in fork.links] == [0, 0]
        assert (node.next, node.links, a.next) == (a, [a, b], node)

    def test_a_named_part_is_forked(self) -> None:
        class Leaf(Node):
            pass

        a, b, leaf = Node(name="a"), Node(name="b"), Leaf(name="leaf")
        node = Node(next=a, links=[a, b, leaf])
        a.next = b
        fork = node.fork(only=[a])
        assert fork.next is not a
        assert fork.links == [fork.next, b, leaf]
        assert fork.next.next is b
        fork = node.fork(only=[Leaf])
        assert fork.links[:2] == [a, b]
        assert fork.links[2].parent_id == leaf.ecs_id
        assert node.fork(only=[]).links == [a, b, leaf]
        with pytest.raises(errors.NotAnEntityError, match="Name entity classes and entities"):
            node.fork(only=["a"])

    def test_sets_of_forks_find_them(self) -> None:
        class Group(ev.Entity):
            members: set[Node] = Field(default_factory=set)

        group = Group(members={Node(name=str(n)) for n in range(20)})
        fork = group.fork(deep=True)
        assert len(fork.members) == 20
        assert fork.members.isdisjoint(group.members)
        assert all(member in fork.members for member in list(fork.members))

    def test_a_long_chain_is_forked(self) -> None:
        chain = Node()
        for _ in range(20_000):
            chain = Node(next=chain)
        fork = chain.fork(deep=True)
        count = 0
        while fork is not None:
            assert fork is not chain
            fork, chain, count = fork.next, chain.next, count + 1
        assert count == 20_001

    def test_it_looks_at_nothing_else(self) -> None:
        """Forking every one of many entities must not be quadratic."""

        class Watched(ev.Entity):
            def __deepcopy__(self, memo: Any = None) -> Watched:
                raise AssertionError("copied")

        outer = Node(next=Node(anything=Watched()))
        with pytest.raises(AssertionError, match="copied"):
            copy.deepcopy(outer)
        assert outer.fork().next is outer.next

    def test_a_fork_says_who_it_is_even_in_a_short_dump(self) -> None:
        node = Node()
        fork = node.fork()
        short = fork.model_dump(exclude_unset=True)
        assert short["parent_id"] == node.ecs_id
        again = Node.model_validate(short)
        assert (again.ecs_id, again.lineage_id) == (fork.ecs_id, fork.lineage_id)


# -- the seed's code, as the design writes it ------------------------------------------------


class ChatThread(ev.Entity):
    title: str
    messages: List[ChatMessage] = Field(default_factory=list)  # noqa: UP006 - as in the seed

    def add_message(self, message: ChatMessage) -> None:
        self.messages.append(message)


class ChatMessage(ev.Entity):
    thread: ChatThread
    content: str
    role: str


def test_the_seeds_code_in_a_module() -> None:
    thread = ChatThread(title="Cycles")
    thread.add_message(ChatMessage(thread=thread, content="hello", role="user"))
    assert thread.messages[0].thread is thread
    graph = ev.EntityDependencyGraph().build_graph(thread)
    assert graph.status is ev.CycleStatus.CYCLE_DETECTED
    assert repr(graph.get_cycles()) == "[Cycle(ChatThread.messages[0] -> ChatMessage.thread)]"
    assert graph.get_topological_sort() == [thread, thread.messages[0]]
    assert [r.path for r in graph.deferred] == ["messages[0]"]


def test_building_a_message_does_not_append_it() -> None:
    thread = ChatThread(title="")
    ChatMessage(thread=thread, content="", role="user")
    assert thread.messages == []


IMPORTS = "import ecsviz as ev\nfrom pydantic import Field\n"
THREAD = """\
class ChatThread(ev.Entity):
    title: str
    messages: list["ChatMessage"] = Field(default_factory=list)
    def add_message(self, message: "ChatMessage") -> None:
        self.messages.append(message)
"""
MESSAGE = """\
class ChatMessage(ev.Entity):
    thread: ChatThread                      # required back-reference: a cycle
    content: str
    role: str
"""
USE = """\
thread = ChatThread(title="Cycles")
thread.add_message(ChatMessage(thread=thread, content="hello", role="user"))
old = globals().get("kept")
if old is not None:  # a message of an older definition in a thread of the newest, and back
    old.messages.append(thread.messages[0])
    thread.messages.extend(old.messages[:1])
    ChatThread(title="by validation", messages=old.messages)
    ChatMessage(thread=old, content="", role="user")
kept = kept if old is not None else thread
graph = ev.EntityDependencyGraph(thread)
again = ChatThread.model_validate_json(thread.model_dump_json())
import copy, pickle
for other in (again, copy.deepcopy(thread), pickle.loads(pickle.dumps(thread))):
    assert all(m.thread in (thread, old) for m in other.messages)
    assert other.messages[0].thread is other
out.append((len(graph), len(graph.references), graph.status.name, len(graph.get_cycles())))
"""

RUNNER = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.user_ns["out"] = []
for cell in json.loads(sys.stdin.read()):
    shell.run_cell(cell, store_history=True).raise_error()
print(json.dumps(shell.user_ns["out"]))
"""


def run_cells(cells: list[str]) -> Any:
    """Run cells in an IPython of another process; return what they appended to `out`."""
    require_optional("IPython")
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


ONE = [2, 2, "CYCLE_DETECTED", 1]
"""A thread and its message: entities, references, status, cycles."""
MIXED = [4, 6, "CYCLE_DETECTED", 3]
"""Two threads, each of which also holds the other's message."""


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ([], [ONE]),
        ([THREAD], [ONE, MIXED]),
        ([MESSAGE], [ONE, MIXED]),
        ([THREAD, MESSAGE], [ONE, MIXED]),
        ([MESSAGE, THREAD], [ONE, MIXED]),
        ([THREAD + MESSAGE], [ONE, MIXED]),
        ([IMPORTS], [ONE, MIXED]),
    ],
    ids=["once", "first", "second", "both", "backwards", "in one", "imports only"],
)
def test_the_seeds_code_in_a_notebook(again: list[str], expected: list[Any]) -> None:
    cells = [IMPORTS, THREAD, MESSAGE, USE, *again, *([USE] if again else [])]
    assert run_cells(cells) == expected


def test_a_cell_that_needs_a_later_one_says_so() -> None:
    check = (
        "try:\n    ev.EntityDependencyGraph(ChatThread.model_construct())\n"
        "except ev.errors.EcsvizError as error:\n    out.append(str(error))\n"
    )
    [text] = run_cells([IMPORTS + "import ecsviz.errors", THREAD, check])
    assert "Define 'ChatMessage' first (in a notebook: run its cell)" in text
