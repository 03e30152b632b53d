"""The walk: every reference with its place, found without recursion."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

import ecsviz as ev
from ecsviz.domain.field_entities import refuse_hidden
from ecsviz.domain.fields import Shape
from ecsviz.domain.paths import MAX_VALUE_DEPTH, Attr, Steps, format_path, nested_entities
from ecsviz.domain.walk import Reference, node_name, walk
from ecsviz.errors import (
    DuplicateIdError,
    InvalidIdError,
    NotAnEntityError,
    UnsupportedFieldError,
)
from tests.dump_classes import Color, Data, Every, Leaf, Meta, Named, Other, Special


class Typed(TypedDict):
    author: Leaf


class Walked(Every):
    """What dumps are shown of, and fields that only a walk tells apart."""

    by_place: dict[tuple[int, str], Leaf] = Field(default_factory=dict)
    matrix: list[list[Leaf | None]] = Field(default_factory=list)
    sequence: Sequence[Leaf] = ()
    mapping: Mapping[str, Leaf] = Field(default_factory=dict)
    metas: list[Meta] = Field(default_factory=list)
    typed: Typed | None = None


def paths(entity: ev.Entity) -> list[str]:
    return [reference.path for reference in walk([entity])]


# Ids that do not change: they stand in the names of tests, which all workers must agree on.
A, B, C = (Leaf(name=name, ecs_id=UUID(int=number)) for number, name in enumerate("abc", 1))
D = Other(ecs_id=UUID(int=4))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"one": A}, {"one": A}),
        ({"many": [A, B, A]}, {"many[0]": A, "many[1]": B, "many[2]": A}),
        ({"row": (B, A)}, {"row[0]": B, "row[1]": A}),
        ({"bag": {A}}, {f"bag[{A.ecs_id!r}]": A}),
        ({"frozen": frozenset({A})}, {f"frozen[{A.ecs_id!r}]": A}),
        ({"by_name": {"x": A, "y'z": B}}, {"by_name['x']": A, 'by_name["y\'z"]': B}),
        ({"by_number": {3: A, -1: B}}, {"by_number[3]": A, "by_number[-1]": B}),
        ({"by_color": {Color.RED: A}}, {"by_color[<Color.RED: 'red'>]": A}),
        ({"by_place": {(1, "x"): A}}, {"by_place[(1, 'x')]": A}),
        ({"gaps": [None, A, None, B]}, {"gaps[1]": A, "gaps[3]": B}),
        ({"pair": (A, 1, D)}, {"pair[0]": A, "pair[2]": D}),
        ({"groups": {"g": [A, B], "h": []}}, {"groups['g'][0]": A, "groups['g'][1]": B}),
        ({"matrix": [[None, A], [B]]}, {"matrix[0][1]": A, "matrix[1][0]": B}),
        ({"queue": [A, B]}, {"queue[0]": A, "queue[1]": B}),
        ({"sequence": [A]}, {"sequence[0]": A}),
        ({"mapping": {"x": A}}, {"mapping['x']": A}),
        ({"maybe": A}, {"maybe": A}),
        ({"maybe": 3}, {}),
        ({"mixed": {A, 1}}, {f"mixed[{A.ecs_id!r}]": A}),
        ({"meta": Meta(author=A, tags=[B])}, {"meta.author": A, "meta.tags[0]": B}),
        ({"meta": Meta(inner=Meta(author=A))}, {"meta.inner.author": A}),
        ({"metas": [Meta(), Meta(author=A)]}, {"metas[1].author": A}),
        ({"data": Data(A, 1, B)}, {"data.author": A, "data.other": B}),
        ({"named": Named(A)}, {"named.author": A}),
        ({"typed": {"author": A}}, {"typed['author']": A}),
        ({"one": Special()}, {"one": "Special"}),
    ],
    ids=lambda value: ",".join(value) or "nothing" if isinstance(value, dict) else "",
)
def test_every_shape(values: dict[str, Any], expected: dict[str, Any]) -> None:
    holder = Walked(**values)
    found = walk([holder])
    targets = {reference.path: reference.target for reference in found}
    assert list(targets) == list(expected)
    for path, target in expected.items():
        if isinstance(target, str):
            assert type(targets[path]).__name__ == target
        else:
            assert targets[path] is target
    assert all(r.source is holder and r.path.startswith(r.field) for r in found)
    assert len(found) == 1 + len({id(target) for target in targets.values()})


def test_sets_are_walked_by_id() -> None:
    leaves = [Leaf() for _ in range(20)]
    found = walk([Walked(bag=set(leaves), mixed={*leaves, 1, 2})])
    ids = [leaf.ecs_id for leaf in sorted(leaves, key=lambda leaf: leaf.ecs_id.int)]
    assert [r.target.ecs_id for r in found if r.field == "bag"] == ids
    assert [r.target.ecs_id for r in found if r.field == "mixed"] == ids
    assert found.keys[:20] == ids


def test_a_self_reference_and_a_cycle() -> None:
    node = Walked()
    node.itself = node
    found = walk([node])
    assert len(found) == 1
    assert list(found.sources) == list(found.targets) == [0]
    assert paths(node) == ["itself"]


def test_the_arrays() -> None:
    holder = Walked(one=A, many=[B, A])
    found = walk([holder, holder, C])
    assert found.entities == [holder, C, A, B]
    assert found.ids == [e.ecs_id for e in found.entities]
    assert list(found.sources) == [0, 0, 0]
    assert list(found.targets) == [2, 3, 2]
    assert found.keys == [None, 0, 1]
    assert [found.fields[slot].name for slot in found.slots] == ["one", "many", "many"]
    assert [found.fields[slot].shape for slot in found.slots] == [Shape.SINGLE] + [Shape.LIST] * 2
    assert found.sources.itemsize == 4
    assert found.position(B) == 3
    assert found.position(Leaf(ecs_id=B.ecs_id)) is None
    assert found.place_of(1) == "Walked.many[0]"
    assert [found.place(n) for n in range(3)] == ["Walked (given)", "Leaf (given)", "Walked.one"]


def test_not_strictly() -> None:
    """Without the checks that storing needs: for a look at what is there."""

    class Loose(ev.Entity):
        anything: Any = None
        one: Leaf | None = None

    loose = Loose(anything=B, one=A)
    assert [r.path for r in walk([loose], strict=False)] == ["one"]
    assert len(walk([A, A.model_copy()], strict=False)) == 2
    assert walk([Leaf.model_construct(ecs_id="bad")], strict=False).ids == ["bad"]


def test_properties_are_never_evaluated() -> None:
    class Lazy(ev.Entity):
        one: Leaf | None = None

        @property
        def broken(self) -> Leaf:
            raise AssertionError("evaluated")

        @functools.cached_property
        def cached(self) -> Leaf:
            return C

        def __bool__(self) -> bool:
            raise AssertionError("evaluated")

        def __len__(self) -> int:
            raise AssertionError("evaluated")

    class LazyMeta(Meta):
        @functools.cached_property
        def cached(self) -> Leaf:
            return C

    node, meta = Lazy(one=A), LazyMeta(author=A)
    assert node.cached is meta.cached is C
    holder = Walked(meta=meta)
    assert paths(node) == ["one"]
    assert paths(holder) == ["meta.author"]


class CountingList(list[Any]):
    """Counts how often its members are asked for."""

    read = 0

    def __iter__(self) -> Any:
        for item in super().__iter__():
            type(self).read += 1
            yield item


@pytest.mark.parametrize("n", [10, 1_000])
def test_every_member_is_looked_at_once(n: int) -> None:
    """Linear: in a complete graph, as many steps as references."""

    class Node(ev.Entity):
        links: list[Node] = Field(default_factory=list)

    nodes = [Node() for _ in range(n)]
    each = 5
    for number, node in enumerate(nodes):
        node.links = CountingList(nodes[(number + k) % n] for k in range(each))
    CountingList.read = 0
    found = walk(nodes)
    assert len(found.sources) == CountingList.read == n * each
    assert len(found) == n


@pytest.mark.scale
def test_a_chain_of_100_000() -> None:
    chain = ev.sample("chain", n=100_000)
    found = walk(chain[:1])
    assert len(found) == 100_000
    assert len(found.sources) == 99_999
    assert found.entities == chain


def test_keys_make_different_paths() -> None:
    long = "https://example.org/" + "x" * 200
    holder = Walked(by_name={long + "1": A, long + "2": A, "short": A})
    found = paths(holder)
    assert len(set(found)) == 3
    assert all(len(path) <= 100 for path in found)
    assert found == paths(holder)


class Mixed(ev.Entity):
    """Entities whose fields hold one, several, or something else."""

    one: Mixed | Leaf | None = None
    some: list[Mixed] = ev.reference(inverse=None, default_factory=list)
    pair: tuple[Leaf, ...] = ()
    named: dict[str, Leaf] = Field(default_factory=dict)


def tangle(seed: int, count: int, share: float) -> list[Any]:
    """Make a random graph; with a share of fields that are gone through one by one."""
    chance = random.Random(seed)
    leaves = [Leaf() for _ in range(count // 4)]
    nodes = [Mixed() for _ in range(count)]
    for node in nodes:
        if chance.random() < 0.7:
            node.one = chance.choice([*nodes, *leaves])
        node.some = chance.choices(nodes, k=chance.choice([0, 0, 1, 3, 12]))
        node.pair = tuple(chance.choices(leaves, k=chance.choice([0, 2])))
        if chance.random() < share:
            node.named = {"a": chance.choice(leaves)}
    return nodes[:1] if seed % 2 else [*nodes, *leaves]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5])
@pytest.mark.parametrize("seed", range(6))
def test_many_are_walked_as_one_by_one(
    seed: int, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    roots = tangle(seed, 200, share)
    monkeypatch.setattr("ecsviz.domain.walk.MANY", 70)
    found = walk(roots)
    monkeypatch.setattr("ecsviz.domain.walk.SHORT_RUN", 10**9)
    expected = walk(roots)
    assert found.entities == expected.entities
    for name in ("sources", "targets", "slots", "kinds", "keys", "classes", "ids"):
        assert getattr(found, name) == getattr(expected, name), name


def test_what_stands_twice_among_many_new_ones_is_one() -> None:
    nodes = [Mixed() for _ in range(30)]
    root = Mixed(some=[*nodes, nodes[3], nodes[3]])
    found = walk([root])
    assert found.entities == [root, *nodes]
    assert list(found.targets) == [*range(1, 31), 4, 4]


def test_another_container_among_many() -> None:
    nodes = [Mixed(some=[Mixed()]) for _ in range(40)]
    nodes[30].__dict__["some"] = CountingList([nodes[0]])
    assert walk(nodes).path(30) == "some[0]"
    nodes[30].__dict__["some"] = {nodes[0]}
    with pytest.raises(NotAnEntityError, match=r"Mixed\.some holds a set where a list"):
        walk(nodes)


def test_placeholders_stand_among_many(tmp_path: Any) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    thread = ev.ChatThread(title="Cycles")
    for number in range(50):
        thread.say("user", f"{number}")
    store.register(thread)
    assert len(walk([store.get(thread.ecs_id, hops=0)])) == 51


def test_entities_are_never_compared_by_the_walk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object, other: object) -> bool:
        raise AssertionError("compared")

    roots = tangle(0, 100, 0.1)
    monkeypatch.setattr(Mixed, "__eq__", refuse)
    assert len(walk(roots)) == 125


class TestRefused:
    """What the walk refuses, with the place."""

    def test_a_root_that_is_none(self) -> None:
        with pytest.raises(NotAnEntityError, match="5 is not an entity, but of type int") as caught:
            walk([A, 5])
        assert caught.value.value == 5
        with pytest.raises(NotAnEntityError, match="Meta"):
            walk([Meta()])
        with pytest.raises(NotAnEntityError, match="EntityMeta"):
            walk([Leaf])

    @pytest.mark.parametrize(
        ("field", "value", "place"),
        [
            ("one", 5, r"Walked\.one holds an int, which is no entity"),
            ("one", Leaf, r"Walked\.one holds an EntityMeta"),
            ("one", [A], r"Walked\.one holds a list"),
            ("many", [A, "chat content"], r"Walked\.many\[1\] holds a str"),
            ("many", [None], r"Walked\.many\[0\] holds None"),
            ("many", "chat content", r"Walked\.many holds a str where a list of entities"),
            ("many", A, r"Walked\.many holds a Leaf where a list"),
            ("many", 5, r"Walked\.many holds an int where a list"),
            ("row", {1: A}, r"Walked\.row holds a dict where a tuple"),
            ("bag", {1}, r"Walked\.bag holds an int, which is no entity"),
            ("bag", [A], r"Walked\.bag holds a list where a set"),
            ("by_name", [A], r"Walked\.by_name holds a list where a dict"),
            ("by_name", {"x": 1}, r"Walked\.by_name\['x'\] holds an int"),
        ],
    )
    def test_what_is_no_entity_in_a_field(self, field: str, value: Any, place: str) -> None:
        holder = Walked()
        setattr(holder, field, value)
        with pytest.raises(NotAnEntityError, match=place) as caught:
            walk([holder])
        assert "chat content" not in str(caught.value)
        assert caught.value.place.startswith(f"Walked.{field}")

    def test_an_entity_in_any(self) -> None:
        class Loose(ev.Entity):
            anything: Any = None
            things: list[Any] = Field(default_factory=list)

        for value, place in [
            (A, r"Loose\.anything holds a Leaf"),
            ({"deep": [1, (A,)]}, r"Loose\.anything\['deep'\]\[1\]\[0\] holds a Leaf"),
            (Meta(author=A), r"Loose\.anything\.author holds a Leaf"),
            ({(A, 1)}, r"Loose\.anything\[0\]\[0\] holds a Leaf"),
        ]:
            with pytest.raises(UnsupportedFieldError, match=place) as caught:
                walk([Loose(anything=value)])
            assert "is annotated Any" in str(caught.value)
            assert "Annotate the field with the entity's class" in str(caught.value)
            assert (caught.value.cls, caught.value.field) == (Loose, "anything")
        with pytest.raises(UnsupportedFieldError, match=r"Loose.things is annotated list\[Any\]"):
            walk([Loose(things=[A])])

    @pytest.mark.parametrize(
        "value", [None, 0, "", [], {}, np.zeros(3), Color.RED, Leaf, Data, range(10**12), object()]
    )
    def test_values_in_any_are_fine(self, value: Any) -> None:
        class Loose(ev.Entity):
            anything: Any = None

        assert len(walk([Loose(anything=value)])) == 1

    def test_an_entity_as_a_key(self) -> None:
        class Keyed(ev.Entity):
            anything: Any = None
            loose: dict[Any, Leaf] = Field(default_factory=dict)
            nested: dict[Any, list[Leaf]] = Field(default_factory=dict)

        for field, value in [
            ("anything", {A: 1}),
            ("anything", {(A, 1): 1}),
            ("loose", {A: B}),
            ("nested", {A: [B]}),
            ("nested", {(1, A): [B]}),
        ]:
            with pytest.raises(UnsupportedFieldError, match="as the key of a dict") as caught:
                walk([Keyed(**{field: value})])
            assert f"Keyed.{field}" in str(caught.value)
            assert "ecs_id" in str(caught.value)

        class Declared(ev.Entity):
            scores: dict[Leaf, int] = Field(default_factory=dict)

        with pytest.raises(UnsupportedFieldError, match=r"Declared\.scores holds entities as dict"):
            walk([Declared()])

    def test_an_entity_in_an_extra_field(self) -> None:
        class Open(ev.Entity):
            model_config = ConfigDict(extra="allow")

        assert len(walk([Open(number=1)])) == 1  # type: ignore[call-arg]  # extras are the point
        node = Open(friends=[A])  # type: ignore[call-arg]  # see above
        with pytest.raises(
            UnsupportedFieldError, match=r"Open\.friends\[0\] holds a Leaf"
        ) as caught:
            walk([node])
        assert "Declare 'friends' in Open" in str(caught.value)
        with pytest.raises(UnsupportedFieldError, match="extra field"):
            refuse_hidden(node)

    def test_a_subclass_of_a_plain_model_that_holds_an_entity(self) -> None:
        class Base(BaseModel):
            number: int = 0

        class More(Base):
            author: Leaf

        class Holder(ev.Entity):
            base: Base

        assert len(walk([Holder(base=Base())])) == 1
        with pytest.raises(UnsupportedFieldError, match=r"Holder\.base\.author holds a Leaf"):
            walk([Holder(base=More(author=A))])

    def test_two_objects_with_one_id(self) -> None:
        copied = Leaf(ecs_id=A.ecs_id)
        with pytest.raises(DuplicateIdError) as caught:
            walk([Walked(one=A, by_name={"x": copied})])
        assert caught.value.places == ("Walked.one", "Walked.by_name['x']")
        assert caught.value.ecs_id == A.ecs_id
        for part in ("Walked.one", "Walked.by_name['x']", str(A.ecs_id), "fork()"):
            assert part in str(caught.value)
        with pytest.raises(DuplicateIdError, match=r"Leaf \(given\) and Leaf \(given\)"):
            walk([A, copied])

    @pytest.mark.parametrize("ecs_id", ["abc", 5, None])
    def test_a_malformed_id(self, ecs_id: Any) -> None:
        bad = Leaf.model_construct(ecs_id=ecs_id)
        with pytest.raises(InvalidIdError, match=r"Leaf\.ecs_id is .* not a UUID") as caught:
            walk([Walked(one=A, many=[A], itself=Walked.model_construct(one=bad))])
        assert caught.value.value == ecs_id

    def test_a_missing_id(self) -> None:
        bad = Leaf()
        del bad.__dict__["ecs_id"]
        with pytest.raises(InvalidIdError, match="not a UUID"):
            walk([bad])

    def test_a_container_in_itself(self) -> None:
        ring: list[Any] = [A]
        ring.append(ring)
        holder = Walked()
        holder.matrix = [ring]
        with pytest.raises(UnsupportedFieldError, match=r"Walked\.matrix nests values more than"):
            walk([holder])
        meta = Meta()
        meta.inner = meta
        with pytest.raises(UnsupportedFieldError, match="or holds itself"):
            walk([Walked(meta=meta)])

    def test_values_may_nest_up_to_the_limit(self) -> None:
        deep: Any = [A]
        for _ in range(MAX_VALUE_DEPTH - 1):
            deep = [deep]
        found = list(nested_entities(deep, "Walked.matrix"))
        assert [target for _, target in found] == [A]
        assert len(found[0][0]) == MAX_VALUE_DEPTH
        with pytest.raises(UnsupportedFieldError):
            list(nested_entities([deep], "Walked.matrix"))


class TestText:
    def test_paths(self) -> None:
        assert format_path("one", None) == "one"
        assert format_path("many", 3) == "many[3]"
        assert format_path("by", "x") == "by['x']"
        assert format_path("by", True) == "by[True]"
        assert format_path("by", (1, "x")) == "by[(1, 'x')]"
        assert format_path("by", Steps((Attr("a"), 0, "k"))) == "by.a[0]['k']"
        assert format_path("by", UUID(int=1)).startswith("by[UUID('00000000-0000")

    def test_names_of_nodes(self) -> None:
        assert node_name(A) == "Leaf"
        assert node_name(Leaf) == "Leaf"
        assert node_name("table") == "table"

    def test_a_reference_shows_no_values(self) -> None:
        holder = Walked(one=Leaf(name="secret"))
        assert repr(next(iter(walk([holder])))) == "Reference(Walked.one -> Leaf)"
        assert isinstance(next(iter(walk([holder]))), Reference)
