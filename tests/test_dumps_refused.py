"""Loading what contradicts itself, what is no dump, and which class a name means."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
)

import ecsviz as ev
from ecsviz.errors import (
    BrokenReferenceError,
    DuplicateIdError,
    InvalidIdError,
    UnknownTypeError,
    UnsupportedFieldError,
)
from ecsviz.isomorphic import find_difference
from tests.cells import notebook
from tests.dump_classes import (
    Box,
    Every,
    Leaf,
    Link,
    Meta,
    Other,
    Special,
    Way,
    a,
    again,
    same,
)
from tests.processes import in_a_new_process

__all__ = ["again"]


class TestErrors:
    def dump(self) -> Any:
        whole = Every(one=Leaf(name="a"), many=[Special()])
        return whole.model_dump(mode="json")

    def test_an_unknown_type(self) -> None:
        data = self.dump()
        data["many"][0]["$type"] = "Speciall"
        with pytest.raises(UnknownTypeError) as caught:
            Every.model_validate(data)
        assert "Every.many[0] is of type 'Speciall'" in str(caught.value)
        assert "Did you mean 'Special'?" in str(caught.value)
        assert caught.value.type_name == "Speciall"

    def test_a_type_that_does_not_belong_there(self) -> None:
        data = self.dump()
        data["one"]["$type"] = "Other"
        with pytest.raises(
            UnknownTypeError, match=r"Every\.one is of type 'Other', which is no Le"
        ):
            Every.model_validate(data)
        with pytest.raises(UnknownTypeError, match=r"which is no Link\. Validate with Leaf"):
            Link.model_validate(a().model_dump())

    @pytest.mark.parametrize("bad", [5, None, ["Leaf"], ""])
    def test_a_type_that_is_no_name(self, bad: Any) -> None:
        data = self.dump()
        data["$entities"] = [{"$type": bad}]
        with pytest.raises(UnknownTypeError, match=r"\$entities\[0\]"):
            Every.model_validate(data)

    @pytest.mark.parametrize("item", [{}, "text", None, []])
    def test_an_entity_without_a_type(self, item: Any) -> None:
        data = self.dump()
        data["$entities"] = [item]
        with pytest.raises(UnknownTypeError, match=r"\$entities\[0\] does not say its \$type, the"):
            Every.model_validate(data)

    def test_a_dangling_reference(self) -> None:
        data = self.dump()
        gone = str(uuid4())
        for field, value in [
            ("one", {"$ref": gone}),
            ("many", [{"$ref": gone}]),
            ("by_name", {"x": {"$ref": gone}}),
            ("groups", {"x": [{"$ref": gone}]}),
            ("meta", {"author": {"$ref": gone}}),
        ]:
            with pytest.raises(BrokenReferenceError) as caught:
                Every.model_validate({**data, field: value})
            assert f"Every.{field} refers to" in str(caught.value)
            assert gone in str(caught.value)
            assert caught.value.ecs_id == UUID(gone)

    def test_an_entity_that_is_written_twice(self) -> None:
        data = self.dump()
        data["by_name"] = {"x": data["one"]}
        with pytest.raises(DuplicateIdError, match="a second time") as caught:
            Every.model_validate(data)
        assert caught.value.ecs_id == UUID(data["one"]["ecs_id"])
        assert "$ref" in str(caught.value)

    @pytest.mark.parametrize("bad", ["abc", 5, ["x"]])
    def test_a_malformed_id(self, bad: Any) -> None:
        data = self.dump()
        data["one"]["ecs_id"] = bad
        with pytest.raises(InvalidIdError, match=r"Every\.one has the ecs_id .* not a UUID"):
            Every.model_validate(data)
        with pytest.raises(InvalidIdError, match=r"Every\.one"):
            Every.model_validate({**self.dump(), "one": {"$ref": bad}})

    def test_an_entity_where_no_reference_can_be(self) -> None:
        class Loose(ev.Entity):
            model_config = ConfigDict(extra="allow")
            anything: Any = None
            meta: BaseModel | None = None

        for values in ({"anything": [a()]}, {"meta": Meta(author=a())}, {"more": a()}):
            with pytest.raises(UnsupportedFieldError, match="Loose"):
                Loose(**values).model_dump()

        class Keyed(ev.Entity):
            scores: dict[Leaf, int] = Field(default_factory=dict)

        with pytest.raises(UnsupportedFieldError, match="dict keys"):
            Keyed().model_dump()

    def test_values_that_hold_themselves(self) -> None:
        ring: list[Any] = []
        ring.append(ring)
        whole = Every()
        whole.gaps = ring
        with pytest.raises(UnsupportedFieldError, match=r"Every\.gaps nests values"):
            whole.model_dump()
        data: dict[str, Any] = {"$type": "Every", "gaps": ring}
        with pytest.raises(UnsupportedFieldError, match=r"Every\.gaps nests values"):
            Every.model_validate(data)

    @pytest.mark.parametrize("bad", ["{", "[1,", "nothing", ""])
    def test_what_is_no_json(self, bad: str) -> None:
        with pytest.raises(ValidationError, match="Invalid JSON"):
            Every.model_validate_json(bad)


class TestPlainData:
    """What is no dump goes to pydantic as it is."""

    def test_plain_data(self) -> None:
        whole = Every.model_validate({"one": {"name": "x"}, "many": [{"name": "y"}]})
        assert whole.one is not None
        assert (whole.one.name, whole.many[0].name) == ("x", "y")
        assert Every.model_validate_json('{"either": {"number": 3}}').either.number == 3  # type: ignore[union-attr]  # see test

    def test_an_instance_is_itself(self) -> None:
        leaf = a()
        assert Leaf.model_validate(leaf) is leaf

    def test_a_ref_in_a_value_is_a_value(self) -> None:
        whole = Every.model_validate({"metadata": {"$ref": "#/x"}, "either": {"number": 3}})
        assert whole.metadata == {"$ref": "#/x"}
        assert type(whole.either) is Other

    def test_hand_written_references(self) -> None:
        ecs_id = str(uuid4())
        whole = Every.model_validate({"one": {"ecs_id": ecs_id}, "many": [{"$ref": ecs_id}]})
        assert whole.many[0] is whole.one

    def test_live_entities_in_a_dump(self) -> None:
        leaf = a()
        whole = Every.model_validate({"$type": "Every", "one": leaf, "many": [leaf]})
        assert whole.one is whole.many[0] is leaf

    def test_data_that_hold_themselves(self) -> None:
        ring: dict[str, Any] = {}
        ring["inner"] = ring
        with pytest.raises(ValidationError):
            Every.model_validate({"meta": ring, "one": 5})

    def test_from_attributes(self) -> None:
        class Row:
            name = "x"

        assert Leaf.model_validate(Row(), from_attributes=True).name == "x"

    def test_a_class_that_waits_for_another(self) -> None:
        with notebook() as cells:
            cells.run("class One(ev.Entity):\n    two: 'Two | None' = None\n")
            with pytest.raises(UnsupportedFieldError, match="Define 'Two' first"):
                cells.One.model_validate({})


class TestNames:
    """Which class a `$type` means."""

    def test_the_name_alone_where_it_is_clear(self) -> None:
        with notebook() as cells:
            cells.run("class OnlyOneOfThatName(ev.Entity):\n    pass\n")
            assert cells.OnlyOneOfThatName().model_dump()["$type"] == "OnlyOneOfThatName"

    def test_namesakes_of_two_modules(self) -> None:
        source = "class Twin(ev.Entity):\n    next: 'ev.Entity | None' = None\n    word: str = ''\n"
        with notebook() as one, notebook() as two:
            one.run(source)
            two.run(source)
            node = one.Twin(next=two.Twin(next=one.Twin()))
            data = node.model_dump(mode="json")
            assert data["$type"] == f"{one.module.__name__}.Twin"
            result = ev.Entity.model_validate(data)
            assert type(result) is one.Twin
            assert type(result.next) is two.Twin
            with pytest.raises(UnknownTypeError, match="several classes have that name, in note"):
                ev.Entity.model_validate({"$type": "Twin"})

    def test_namesakes_of_two_functions(self) -> None:
        def make() -> Any:
            class Local(ev.Entity):
                other: ev.Entity | None = None

            return Local

        class Local(ev.Entity):
            other: ev.Entity | None = None

        chain: Any = Local()
        for _ in range(100):
            chain = make()(other=Local(other=chain))
        result = ev.Entity.model_validate(chain.model_dump())
        assert find_difference(chain, result) is None

    def test_a_class_of_the_users_goes_before_a_ready_made_one(self) -> None:
        program = (
            "import ecsviz as ev\n"
            "from ecsviz.domain.entity_class import type_name\n"
            "from ecsviz.isomorphic import find_difference\n"
            "thread = ev.sample('thread')\n"
            "assert thread.model_dump()['$type'] == 'ChatThread'\n"
            "class ChatThread(ev.Entity):\n"
            "    title: str = 'mine'\n"
            "assert ev.Entity.model_validate({'$type': 'ChatThread'}).title == 'mine'\n"
            "assert type_name(ChatThread) == 'ChatThread'\n"
            "data = thread.model_dump()\n"
            "assert data['$type'] == 'ecsviz.chat.ChatThread'\n"
            "assert find_difference(thread, ev.Entity.model_validate(data)) is None\n"
        )
        # In a process of its own: other tests have classes of that name too.
        in_a_new_process(program)

    def test_the_newest_definition(self) -> None:
        source = "class Cell(ev.Entity):\n    name: str = ''\nclass Sub(Cell):\n    pass\n"
        with notebook() as cells:
            cells.run(source)
            old = cells.Cell
            data = {"$type": "Sub"}
            cells.run("class Cell(ev.Entity):\n    name: str = ''\n")  # the cell of Sub is not run
            assert type(cells.Cell.model_validate(data)) is cells.Sub
            assert type(old.model_validate({"$type": "Cell"})) is old
            assert type(ev.Entity.model_validate({"$type": "Cell"})) is cells.Cell

    def test_generic_classes(self, again: Way) -> None:
        result = same(Box[Leaf](item=a(), boxes=[Box[int](item=3)]), again)
        assert type(result.boxes[0]) is Box[int]
