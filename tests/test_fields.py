"""The plan of a class: which of its fields the walk touches, and how."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Generic, Optional, Self, TypeVar, Union

import pytest
from pydantic import BaseModel, ConfigDict, Field

import ecsviz as ev
from ecsviz.domain.fields import OWN_FIELDS, Shape, class_plan, option_of
from ecsviz.errors import NotAnEntityError, UnsupportedFieldError
from tests.cells import notebook


class A(ev.Entity):
    pass


class B(A):
    pass


class Plain(BaseModel):
    author: A | None = None


class Values(BaseModel):
    number: int = 0


T = TypeVar("T")
Bound = TypeVar("Bound", bound=A)


class Every(ev.Entity):
    """One field for every shape."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    required: A
    optional: A | None = None
    old_optional: Optional[A] = None  # noqa: UP045 - the old spelling is what users may have written
    either: Union[A, B, None] = None  # noqa: UP007 - see above
    myself: Self | None = None
    annotated: Annotated[A | None, "text"] = None
    many: list[A] = Field(default_factory=list)
    row: tuple[A, ...] = ()
    bag: set[A] = Field(default_factory=set)
    frozen: frozenset[A] = frozenset()
    by_name: dict[str, A] = Field(default_factory=dict)
    maybe_list: list[A] | None = None
    with_gaps: list[A | None] = Field(default_factory=list)
    pair: tuple[A, int] | None = None
    by_group: dict[str, list[A]] = Field(default_factory=dict)
    queue: collections.deque[A] = Field(default_factory=collections.deque)
    sequence: Sequence[A] = ()
    mapping: Mapping[str, A] = Field(default_factory=dict)
    mixed: A | int | None = None
    plain: Plain | None = None
    anything: Any = None
    things: list[Any] = Field(default_factory=list)
    number: int = 0
    values: Values | None = None


SHAPES = {
    "required": (Shape.SINGLE, None, True),
    "optional": (Shape.SINGLE, None, False),
    "old_optional": (Shape.SINGLE, None, False),
    "either": (Shape.SINGLE, None, False),
    "myself": (Shape.SINGLE, None, False),
    "annotated": (Shape.SINGLE, None, False),
    "many": (Shape.LIST, list, False),
    "row": (Shape.LIST, tuple, False),
    "bag": (Shape.SET, set, False),
    "frozen": (Shape.SET, frozenset, False),
    "by_name": (Shape.DICT, dict, False),
    "maybe_list": (Shape.NESTED, None, False),
    "with_gaps": (Shape.NESTED, None, False),
    "pair": (Shape.NESTED, None, False),
    "by_group": (Shape.NESTED, None, False),
    "queue": (Shape.NESTED, None, False),
    "sequence": (Shape.NESTED, None, False),
    "mapping": (Shape.NESTED, None, False),
    "mixed": (Shape.NESTED, None, False),
    "plain": (Shape.NESTED, None, False),
    "anything": (Shape.OPAQUE, None, False),
    "things": (Shape.OPAQUE, None, False),
}


def test_the_shape_of_every_field() -> None:
    plan = class_plan(Every).check()
    assert {f.name: (f.shape, f.container, f.required) for f in plan.fields} == SHAPES
    assert plan.values == ("number", "values")
    assert [f.name for f in plan.watched] == ["values"]
    assert [f.name for f in plan.hidden] == ["anything", "things", "values"]
    assert all(f.owner is Every and f.place == f"Every.{f.name}" for f in plan.fields)


def test_targets_in_the_order_of_the_annotation() -> None:
    targets = {f.name: f.targets for f in class_plan(Every).fields}
    assert targets["either"] == (A, B)
    assert targets["myself"] == (Every,)
    assert targets["by_group"] == (A,)
    assert targets["anything"] == ()
    assert {f.key_type for f in class_plan(Every).fields} == {None, str}


def test_the_own_fields_belong_to_no_plan() -> None:
    plan = class_plan(A)
    assert plan.fields == plan.values == ()
    assert set(OWN_FIELDS) == set(ev.Entity.model_fields)


def test_self_is_the_subclass_in_a_subclass() -> None:
    class More(Every):
        pass

    fields = {f.name: f for f in class_plan(More).fields}
    assert fields["myself"].targets == (More,)
    assert fields["required"].owner is More


def test_generic_entities() -> None:
    class Box(ev.Entity, Generic[T]):
        item: T | None = None

    class Bounded(ev.Entity, Generic[Bound]):
        item: Bound

    assert class_plan(Box[A]).fields[0].targets == (A,)
    assert class_plan(Box[A]).fields[0].shape == Shape.SINGLE
    assert class_plan(Box[int]).values == ("item",)
    assert class_plan(Box).fields[0].shape == Shape.OPAQUE
    assert class_plan(Bounded).fields[0].targets == (A,)
    assert class_plan(Bounded[B]).fields[0].targets == (B,)


def test_a_plan_is_made_once_and_not_inherited() -> None:
    class More(Every):
        extra: list[B] = Field(default_factory=list)

    assert class_plan(Every) is class_plan(Every)
    assert class_plan(More) is not class_plan(Every)
    assert class_plan(More).fields[-1].name == "extra"


def test_a_plan_waits_for_a_forward_reference() -> None:
    with notebook() as cells:
        cells.run("class One(ev.Entity):\n    other: 'Two | None' = None\n")
        with pytest.raises(UnsupportedFieldError, match=r"Define 'Two' first \(in a notebook"):
            class_plan(cells.One)
        cells.run("class Two(ev.Entity):\n    one: One\n")
        assert class_plan(cells.One).fields[0].targets == (cells.Two,)


def test_only_entity_classes_have_plans() -> None:
    with pytest.raises(NotAnEntityError, match="Plain is not an entity class") as caught:
        class_plan(Plain)
    assert caught.value.cls is Plain


@pytest.mark.parametrize("annotation", [Iterable[A], set[tuple[A, int]]])
def test_a_place_where_nobody_can_look_is_refused(annotation: Any) -> None:
    class Blind(ev.Entity):
        field: annotation

    with pytest.raises(
        UnsupportedFieldError, match=r"Blind\.field holds entities inside"
    ) as caught:
        class_plan(Blind).check()
    assert caught.value.field == "field"
    assert "Use a list" in str(caught.value)


class TestReference:
    def test_without_arguments_it_says_nothing(self) -> None:
        class Node(ev.Entity):
            next: A | None = ev.reference(default=None)

        option = class_plan(Node).fields[0].option
        assert not option.says_inverse
        assert option.name is None

    def test_in_every_position(self) -> None:
        class Node(ev.Entity):
            one: A | None = ev.reference(inverse=None, name="first", default=None)
            two: Annotated[A | None, ev.reference(inverse="x")] = None
            three: Annotated[list[A], ev.reference(name="y")] = Field(default_factory=list)

        class More(Node):
            pass

        for cls in (Node, More):
            options = [f.option for f in class_plan(cls).fields]
            assert [o.says_inverse for o in options] == [True, True, False]
            assert options[0].inverse is None
            assert options[1].inverse == "x"
            assert [o.name for o in options] == ["first", None, "y"]

    def test_it_takes_what_field_takes(self) -> None:
        info = ev.reference(inverse="x", default=None, description="text", alias="other")
        assert (info.description, info.alias, info.default) == ("text", "other", None)
        assert option_of(info).inverse == "x"
        assert not option_of(Field()).says_inverse

    def test_it_changes_nothing_for_pydantic(self) -> None:
        class Node(ev.Entity):
            next: Node | None = ev.reference(inverse=None, default=None)

        node = Node()
        assert Node(next=node).next is node
        with pytest.raises(ValueError, match="Node"):
            Node(next=5)  # type: ignore[arg-type]  # that is the point
