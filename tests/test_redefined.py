"""Cells that define classes which name each other, run again and again."""

from __future__ import annotations

import gc
import json
import typing
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

import ecsviz as ev
from ecsviz.domain.entity_class import newest_definition
from ecsviz.domain.fields import class_plan
from tests.cells import Cells, notebook

PAIR = """
class Dish(ev.Entity):
    name: str = ""
    parts: list["Part"] = []
class Part(ev.Entity):
    dish: "Dish | None" = None
    weight: int = 0
"""
MAKE = """
made = Dish(parts=[Part(), {"weight": 5}])
for part in made.parts:
    part.dish = made
"""
THREE = """
class Dish(ev.Entity):
    parts: list["Part"] = []
class Kind(ev.Entity):
    dish: Dish | None = None
    best: "Spice | None" = None
class Part(Kind):
    weight: int = 0
class Spice(Part):
    hot: bool = True
"""
GENERIC = """
from typing import Generic, TypeVar
T = TypeVar("T")
class Dish(ev.Entity):
    parts: list["Part"] = []
    box: "Box[Part] | None" = None
class Part(ev.Entity):
    dish: "Dish | None" = None
    weight: int = 0
class Box(ev.Entity, Generic[T]):
    item: T
"""
NESTED = """
from typing import Annotated
from pydantic import BaseModel
class Dish(ev.Entity):
    parts: list["Part"] = []
    named: dict[str, list["Part"]] = {}
    boxes: tuple["Box", ...] = ()
    some: "Annotated[Part | None, Field(title='x')] | int" = None
class Part(ev.Entity):
    dish: "Dish | None" = ev.reference(inverse="parts", default=None)
    weight: int = 0
class Box(BaseModel):
    part: "Part | None" = None
    dish: "Dish | None" = None
"""
USE = {
    "pair": "",
    "three": "made.parts.append(Spice(dish=made, best=Spice()))",
    "generic": "made.box = Box[Part](item={'weight': 3})",
    "nested": "made.named['a'] = [*made.parts]\nmade.boxes = (Box(part=made.parts[0]),)",
}
COUNTS = {"pair": 2, "three": 4, "generic": 4, "nested": 2}
CELLS = {"pair": PAIR, "three": THREE, "generic": GENERIC, "nested": NESTED}


def alive(cells: Cells) -> list[type]:
    """Return every definition of the notebook's classes that somebody holds."""
    for forget in typing._cleanups:  # type: ignore[attr-defined]  # typing remembers 128 unions
        forget()
    gc.collect()
    gc.collect()
    todo, found = [ev.Entity], set()
    while todo:
        new = set(todo.pop().__subclasses__()) - found
        found |= new
        todo.extend(new)
    return [cls for cls in found if cls.__module__ == cells.module.__name__]


@pytest.mark.parametrize("name", CELLS)
def test_only_the_newest_definitions_live(name: str) -> None:
    with notebook() as cells:
        for _ in range(30 if name == "pair" else 8):
            cells.run(CELLS[name])
            cells.run(MAKE + USE[name])
        found = alive(cells)
        assert len(found) == COUNTS[name]
        assert all(newest_definition(cls) is cls for cls in found)


def test_cells_that_take_turns_and_are_used_between() -> None:
    thread = "class T(ev.Entity):\n    title: str = ''\n    messages: list['M'] = []\n"
    message = "class M(ev.Entity):\n    thread: T\n    text: str = ''\n"
    with notebook() as cells:
        cells.run(thread)
        cells.run(message)
        for _ in range(8):
            for cell in (thread, message):
                cells.run(cell)
                cells.run(
                    "message = T(messages=[{'thread': {'title': 'x'}}]).messages[0]\n"
                    "fits = type(message) is M and type(message.thread) is T\n"
                    "len(ev.EntityDependencyGraph(message))"  # which makes plans of the classes
                )
                assert cells.fits
        assert sorted(cls.__name__ for cls in alive(cells)) == ["M", "T"]


def test_who_keeps_an_entity_keeps_its_class_and_no_later_one() -> None:
    with notebook() as cells:
        kept = []
        for _ in range(12):
            cells.run(PAIR + MAKE)
            if len(kept) < 2:
                kept.append(cells.made)
        names = [cls.__name__ for cls in alive(cells)]
        # Two are kept, with their parts; the third is the newest.
        assert sorted(names) == ["Dish"] * 3 + ["Part"] * 3


def test_a_store_keeps_no_more_definitions_than_it_has_seen_last(path: Path) -> None:
    with notebook() as cells:
        store = ev.SQLAlchemyEntityStorage(path)
        for _ in range(6):
            cells.run(NESTED + MAKE + USE["nested"])
            store.register(cells.made)
            assert len(store.get(cells.made.ecs_id).parts) == 2
            store.find(cells.Part, weight=5)
            store.frame(cells.Part)
        assert len(alive(cells)) <= 4


@pytest.mark.parametrize("name", CELLS)
def test_what_is_given_as_a_dict_is_of_the_newest_definition(name: str) -> None:
    """The cell was edited: what stands further above in it knows the field that was added."""
    with notebook() as cells:
        cells.run(CELLS[name])
        cells.run(CELLS[name].replace("weight: int = 0", "weight: int = 0\n    colour: str = ''"))
        dump = {"parts": [{"weight": 1, "colour": "red"}]}
        for made in (
            cells.Dish(**dump),
            cells.Dish.model_validate(dump),
            cells.Dish.model_validate_json(json.dumps(dump)),
            TypeAdapter(cells.Dish).validate_python(dump),
        ):
            assert type(made.parts[0]) is cells.Part
            assert made.parts[0].colour == "red"
        made.parts[0].dish = made
        again = cells.Dish.model_validate(made.model_dump())
        assert again.parts[0].colour == "red"
        assert again.parts[0].dish is again
        properties = cells.Dish.model_json_schema()["$defs"]["Part"]["properties"]
        assert "colour" in properties


def test_entities_of_before_pass_as_before(path: Path) -> None:
    with notebook() as cells:
        cells.run(PAIR + MAKE)
        old = cells.made
        cells.run(PAIR.replace("weight: int", "colour: str = 'red'\n    weight: int"))
        assert type(old) is not cells.Dish
        new = cells.Part(dish=old)
        old.parts.append(new)
        assert new.dish is old
        assert type(old).model_validate({"name": "x", "parts": [new]}).parts[0] is new
        store = ev.SQLAlchemyEntityStorage(path)
        store.register(old)
        assert [part.colour for part in old.parts] == ["red"] * 3, "they are of the newest class"
        got = store.get(old.ecs_id)
        assert type(got) is cells.Dish
        assert {type(part) for part in got.parts} == {cells.Part}


def test_what_a_field_says_besides_is_kept() -> None:
    cell = """
class Dish(ev.Entity):
    first: "Part | None" = ev.reference(inverse=None, default=None, description="best")
    parts: list["Part"] = Field(default_factory=list, max_length=2, alias="pieces")
class Part(ev.Entity):
    weight: int = 0
"""
    with notebook() as cells:
        cells.run(cell)
        cells.run(cell)
        fields = cells.Dish.model_fields
        assert fields["first"].annotation == cells.Part | None
        assert fields["first"].description == "best"
        assert fields["parts"].annotation == list[cells.Part]
        assert len(cells.Dish(pieces=[{}, {}]).parts) == 2
        with pytest.raises(ValidationError, match="at most 2 items"):
            cells.Dish(pieces=[{}, {}, {}])
        assert class_plan(cells.Dish).fields[0].option.inverse is None


@pytest.mark.parametrize(
    "form",
    [
        "Part",
        "Part | None",
        "typing.Optional[Part]",
        "typing.Union[int, Part, None]",
        "list[Part]",
        "tuple[Part, ...]",
        "dict[str, tuple[int, list[Part | None]]]",
        "typing.Annotated[Part, Field(title='x')]",
        "typing.Annotated[list[Part], Field(max_length=3)] | None",
        "dict[typing.Literal['a', 'b'], Part]",
    ],
)
def test_every_form_of_an_annotation(form: str) -> None:
    """Nothing else of the annotation changes."""
    cell = f"""
import typing
class Dish(ev.Entity):
    field: "{form}"
class Part(ev.Entity):
    weight: int = 0
"""
    with notebook() as cells:
        cells.run(cell)
        before = cells.Dish.model_json_schema()
        cells.run(cell)
        assert found_in(cells.Dish.model_fields["field"].annotation) == {cells.Part}
        assert cells.Dish.model_json_schema() == before


def found_in(annotation: Any) -> set[type]:
    if isinstance(annotation, type) and issubclass(annotation, ev.Entity):
        return {annotation}
    return {cls for part in typing.get_args(annotation) for cls in found_in(part)}


def test_local_classes_of_one_name_stay_apart() -> None:
    def make() -> tuple[Any, Any]:
        class Inner(ev.Entity):
            name: str = ""

        class Outer(ev.Entity):
            inner: Inner | None = None

        Outer.model_rebuild(_types_namespace={"Inner": Inner})
        return Outer, Inner

    (outer, inner), (other, another) = make(), make()
    assert type(outer(inner={}).inner) is inner
    assert type(other(inner={}).inner) is another


def test_another_class_of_the_name_is_another() -> None:
    with notebook() as cells:
        cells.run("class Part(ev.Entity):\n    weight: int = 0\n")
        before = cells.Part
        cells.run(
            "from dataclasses import dataclass\n@dataclass\nclass Part:\n    size: int = 0\n"
            "class Dish(ev.Entity):\n    part: Part | None = None\n"
        )
        for _ in range(2):
            cells.run("class Dish(ev.Entity):\n    part: Part | None = None\n")
            assert cells.Dish.model_fields["part"].annotation == cells.Part | None
            assert cells.Dish(part=cells.Part(2)).part.size == 2
            with pytest.raises(ValidationError):
                cells.Dish(part=before())
