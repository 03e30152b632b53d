"""Which two fields are each other's inverse, and what is refused."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.fields import class_plan
from ecsviz.domain.inverse import check_agreement, inverse_of
from ecsviz.domain.walk import walk


def pair(cls: Any, name: str) -> str | None:
    plan = next(plan for plan in class_plan(cls).fields if plan.name == name)
    found = inverse_of(plan)
    return None if found is None else found.place


def define(**spaces: dict[str, Any]) -> SimpleNamespace:
    """Define classes that refer to each other, away from all others."""
    made: dict[str, Any] = {}
    for name, space in spaces.items():
        bases = space.pop("bases", (ev.Entity,))
        bases = tuple(made.get(base, base) for base in bases)
        made[name] = type(name, bases, {"__module__": __name__, **space})
    for cls in made.values():
        cls.model_rebuild(_types_namespace=made)
    return SimpleNamespace(**made)


def field(annotation: str, **options: Any) -> dict[str, Any]:
    return {"annotation": annotation, "options": options}


def space(bases: tuple[Any, ...] = (ev.Entity,), **fields: Any) -> dict[str, Any]:
    annotations, result = {}, {}
    for name, given in fields.items():
        spec = given if isinstance(given, dict) else field(given)
        annotations[name] = spec["annotation"]
        if spec["options"]:
            result[name] = ev.reference(default=None, **spec["options"])
    return {"__annotations__": annotations, "bases": bases, **result}


def test_one_list_and_one_back_reference_are_a_pair() -> None:
    made = define(A=space(items="list[B]"), B=space(owner="A"))
    assert pair(made.A, "items") == "B.owner"
    assert pair(made.B, "owner") == "A.items"


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (space(items="list[B]", others="list[B]"), space(owner="A")),
        (space(items="list[B]"), space(owner="A", second="A | None")),
        (space(items="list[B]"), space(owner="A | B")),
        (space(items="tuple[B, ...]"), space(owner="A")),
        (space(items="set[B]"), space(owner="A")),
        (space(items=field("list[B]", inverse=None)), space(owner="A")),
        (space(items="list[B]"), space(owner=field("A", inverse=None))),
    ],
)
def test_where_it_is_not_clear_there_is_none(a: Any, b: Any) -> None:
    made = define(A=dict(a), B=dict(b))
    assert pair(made.A, "items") is None
    assert pair(made.B, "owner") is None


def test_in_one_class_it_must_be_declared() -> None:
    made = define(Person=space(best="Person | None", friends="list[Person]"))
    assert pair(made.Person, "best") is None
    made = define(
        Node=space(up=field("Node | None", inverse="down"), down="list[Node]", others="list[Node]")
    )
    assert (pair(made.Node, "up"), pair(made.Node, "down"), pair(made.Node, "others")) == (
        "Node.down",
        "Node.up",
        None,
    )


@pytest.mark.parametrize("declared_by", ["list", "reference", "both"])
def test_either_side_may_declare_it_and_what_is_left_is_a_pair_again(declared_by: str) -> None:
    items = field("list[B]", inverse="owner") if declared_by != "reference" else "list[B]"
    owner = field("A", inverse="items") if declared_by != "list" else "A"
    made = define(A=space(items=items, more="list[B]"), B=space(owner=owner, other="A | None"))
    assert (pair(made.A, "items"), pair(made.B, "owner")) == ("B.owner", "A.items")
    assert (pair(made.A, "more"), pair(made.B, "other")) == ("B.other", "A.more")


def test_subclasses_inherit_the_pair() -> None:
    made = define(
        A=space(items="list[B]"),
        B=space(owner="A"),
        SubA=space(("A",), extra="int"),
        SubB=space(("B",), extra="int"),
    )
    assert pair(made.SubA, "items") == "B.owner"
    assert pair(made.SubB, "owner") in ("A.items", "SubA.items")


@pytest.mark.parametrize(
    ("a", "b", "told"),
    [
        (space(items=field("list[B]", inverse="ownr")), space(owner="A"), "'owner'"),
        (space(items=field("list[B]", inverse="name")), space(owner="A", name="str"), "'name'"),
        (space(items=field("list[B]", inverse="twin")), space(twin="B"), "does not hold one A"),
        (space(items=field("set[B]", inverse="owner")), space(owner="A"), "only a list"),
        (space(items="set[B]"), space(owner=field("A", inverse="items")), "is no list"),
        (
            space(items=field("list[B]", inverse="owner"), others="list[B]"),
            space(owner=field("A", inverse="others")),
            "inverse='others'",
        ),
        (
            space(
                items=field("list[B]", inverse="owner"), others=field("list[B]", inverse="owner")
            ),
            space(owner="A"),
            "says the same",
        ),
        (
            space(items="list[B]"),
            space(owner=field("A", inverse="items"), second=field("A", inverse="items")),
            "says the same",
        ),
    ],
)
def test_declarations_that_cannot_be_are_refused(a: Any, b: Any, told: str) -> None:
    made = define(A=dict(a), B=dict(b))
    plans = [plan for cls in (made.A, made.B) for plan in class_plan(cls).fields]
    with pytest.raises(errors.UnsupportedFieldError) as caught:
        list(map(inverse_of, plans))
    assert told in str(caught.value)
    assert "Name the field" in str(caught.value)


def test_a_list_that_the_back_reference_cannot_see_is_refused() -> None:
    """The members' rows could not say which list of which class they stand in."""
    made = define(
        A=space(name="str"),
        B=space(owner="A"),
        SubA=space(("A",), items=field("list[B]", inverse="owner")),
    )
    with pytest.raises(errors.UnsupportedFieldError, match=r"B\.owner"):
        pair(made.SubA, "items")


def test_two_holders_call_their_lists_alike_or_are_refused() -> None:
    made = define(
        A=space(items=field("list[B]", inverse="owner")),
        B=space(owner="A | C"),
        C=space(others=field("list[B]", inverse="owner")),
    )
    with pytest.raises(errors.UnsupportedFieldError, match="says the same"):
        pair(made.A, "items")
    with pytest.raises(errors.UnsupportedFieldError, match="says the same"):
        pair(made.C, "others")
    made = define(
        A=space(items=field("list[B]", inverse="owner")),
        B=space(owner="A | C"),
        C=space(items=field("list[B]", inverse="owner")),
    )
    assert (pair(made.A, "items"), pair(made.C, "items")) == ("B.owner", "B.owner")


def test_a_holder_without_the_list_is_no_mismatch() -> None:
    """A message may answer a thread, which has a list, or a message, which has none."""
    made = define(A=space(items=field("list[B]", inverse="owner")), B=space(owner="A | B | None"))
    a = made.A(items=[])
    first = made.B(owner=a)
    a.items.append(first)
    found = walk([a, made.B(owner=first)])
    check_agreement(found, lambda position: True)


def test_only_what_concerns_is_checked() -> None:
    made = define(A=space(items="list[B]"), B=space(owner="A"))
    a = made.A(items=[])
    b = made.B(owner=a)
    found = walk([b])
    check_agreement(found, lambda position: False)
    with pytest.raises(errors.InverseMismatchError) as caught:
        check_agreement(found, lambda position: position == 0)
    assert caught.value.places == ("A.items", "B.owner")


def test_a_base_class_has_no_place_in_a_list_of_its_subclass(tmp_path: Path) -> None:
    class Beta(ev.Entity):
        items: list[Special] = []

    class Plain(ev.Entity):
        beta: Beta

    class Special(Plain):
        pass

    Beta.model_rebuild(_types_namespace={"Special": Special})
    beta = Beta()
    plain, special = Plain(beta=beta), Special(beta=beta)
    beta.items.append(special)
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register([plain, special])
    got = ev.SQLAlchemyEntityStorage(tmp_path / "a.db").get(plain.ecs_id)
    assert type(got) is Plain
    assert [type(item) for item in got.beta.items] == [Special]
    assert got.beta.items[0].beta is got.beta
