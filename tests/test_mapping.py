"""Classes and their tables: names, what is shared with a store, what changes later."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from ecsviz.storage.relational.schema.mapping import Mapping, StoredType


def tables(store: ev.SQLAlchemyEntityStorage) -> dict[str, dict[str, Any]]:
    inspector = sa.inspect(store.engine)
    return {
        name: {column["name"]: column for column in inspector.get_columns(name)}
        for name in inspector.get_table_names()
        if not name.startswith("ecs_")
    }


def foreign_keys(store: ev.SQLAlchemyEntityStorage, table: str) -> dict[str, str]:
    found = sa.inspect(store.engine).get_foreign_keys(table)
    return {key["constrained_columns"][0]: key["referred_table"] for key in found}


class Author(ev.Entity):
    name: str
    mentor: Author | None = None


class Novel(ev.Entity):
    title: str
    pages: int | None = None
    author: Author
    editors: list[Author] = []
    cast: dict[str, Author] = {}
    notes: list[dict[str, Author]] = []
    chapters: list[Chapter] = []


class Chapter(ev.Entity):
    novel: Novel
    text: str = ""


Novel.model_rebuild()


def novel() -> Novel:
    author = Author(name="a")
    made = Novel(title="t", author=author, editors=[author], cast={"x": author})
    made.chapters.append(Chapter(novel=made))
    made.notes.append({"y": author})
    return made


def test_the_tables_are_conventional(tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register(novel())
    found = tables(store)
    present = {"authors", "novels", "chapters", "novel_editors", "novel_cast", "novel_notes"}
    assert set(found) == present | {f"{name}_history" for name in present}
    for name in present:
        assert set(found[f"{name}_history"]) == {*found[name], "ecs_until"}
    assert not found["novels"]["title"]["nullable"]
    assert found["novels"]["pages"]["nullable"]
    assert not found["novels"]["author_id"]["nullable"]
    assert found["authors"]["mentor_id"]["nullable"]
    assert {"novel_id", "novel_position"} <= set(found["chapters"])
    assert set(found["novel_cast"]) == {"novel_id", "position", "author_id", "key", "ecs_revision"}
    assert foreign_keys(store, "chapters") == {"novel_id": "novels"}
    assert foreign_keys(store, "novel_editors") == {"novel_id": "novels", "author_id": "authors"}
    unique = sa.inspect(store.engine).get_unique_constraints("novels")
    assert [one["column_names"] for one in unique] == [["ecs_id"]]
    assert unique[0]["name"] == "uq_novels_ecs_id"


class Awkward(ev.Entity):
    id: int = 0
    ID: str = ""
    metadata: str = ""
    registry: str = ""
    select: int = 0
    from_: str = ""
    order: str = ""
    größe: float = 1.0  # noqa: PLC2401 - what a user may write
    ecs_revision: int = 5
    group: Awkward | None = None
    group_id: str = "text"
    position: int = 0
    a_very_long_name_that_no_database_takes_as_it_is_because_it_is_much_too_long: str = ""
    a_very_long_name_that_no_database_takes_as_it_is_because_it_is_much_too_lonG: str = ""  # noqa: N815 - another case is another name in Python
    table: list[Awkward] = ev.reference(inverse=None, default_factory=list)
    key: dict[str, Awkward] = {}


class EcsThing(ev.Entity):
    name: str = ""


class SqliteThing(ev.Entity):
    name: str = ""


class Order(ev.Entity):
    select: list[EcsThing] = []


def test_names_that_sql_takes_amiss(path: Path) -> None:
    fields: dict[str, Any] = dict.fromkeys(("id", "select", "position", "ecs_revision"), 7)
    entity = Awkward(**fields, ID="x", metadata="m", registry="r", order="o", group_id="g")
    entity.group, entity.table, entity.key = entity, [entity], {"k": entity}
    entity.a_very_long_name_that_no_database_takes_as_it_is_because_it_is_much_too_long = "1"
    entity.a_very_long_name_that_no_database_takes_as_it_is_because_it_is_much_too_lonG = "2"
    things: list[Any] = [EcsThing(name="e"), SqliteThing(name="s"), Order(select=[EcsThing()])]
    ev.SQLAlchemyEntityStorage(path).register([entity, *things])
    again = ev.SQLAlchemyEntityStorage(path).get_many([e.ecs_id for e in [entity, *things]])
    assert find_difference([entity, *things], again) is None


def make(name: str, module: str, /, **fields: Any) -> Any:
    return type(name, (ev.Entity,), {"__module__": module, "__annotations__": fields})


def test_two_classes_of_one_name_keep_their_tables_in_every_order(path: Path) -> None:
    one, two = make("Twin", "first", x=int), make("Twin", "second", x=int)
    a, b = one(x=1), two(x=2)
    ev.SQLAlchemyEntityStorage(path).register([a, b])
    store = ev.SQLAlchemyEntityStorage(path)
    c, d = two(x=4), one(x=3)
    store.register(c)  # this time, the second comes first
    store.register(d)
    again = ev.SQLAlchemyEntityStorage(path).get_many([e.ecs_id for e in (a, b, c, d)])
    assert [type(e) for e in again] == [one, two, two, one]
    assert set(ev.SQLAlchemyEntityStorage(path).list_by_type(two)) == {b, c}


def test_a_class_from_another_module_takes_its_table_along() -> None:
    mapping = Mapping()
    here = make("Moved", "here", x=int)
    mapping.set_stored({"Moved": StoredType("Moved", "notebook", "moveds", {"x": "BIGINT"})})
    assert mapping.type_name(here) == "Moved"
    other = make("Moved", "elsewhere", y=str)
    assert mapping.type_name(other) == "elsewhere.Moved"


def test_a_third_class_of_a_name_is_refused() -> None:
    mapping = Mapping()
    mapping.set_stored(
        {
            "Thing": StoredType("Thing", "one", "things", {"a": "TEXT"}),
            "two.Thing": StoredType("two.Thing", "three", "two_things", {"b": "TEXT"}),
        }
    )
    with pytest.raises(errors.DuplicateTypeError, match="one"):
        mapping.type_name(make("Thing", "two", c=int))


def test_association_tables_of_one_name_keep_their_fields(path: Path) -> None:
    """Who is called first in a process decides the name; the store remembers it for the next."""

    def classes() -> tuple[Any, Any]:
        def cls(name: str) -> Any:
            space = {
                "__module__": "links",
                "__annotations__": {"links": list[Author]},
                "links": ev.reference(name="links", default_factory=list),
            }
            return type(name, (ev.Entity,), space)

        return cls("One"), cls("Two")

    one, two = classes()
    a, b = one(links=[Author(name="a")]), two(links=[Author(name="b"), Author(name="c")])
    ev.SQLAlchemyEntityStorage(path).register([a, b])
    store = ev.SQLAlchemyEntityStorage(path)
    b.links.reverse()
    store.register(b)
    assert find_difference([b, a], store.get_many([b.ecs_id, a.ecs_id])) is None
    assert {"links", "links_2"} <= set(tables(store))


def test_fields_in_another_order_keep_their_columns(path: Path) -> None:
    first = make("Cased", "cased", name=str, Name=str)
    entity = first(name="small", Name="large")
    ev.SQLAlchemyEntityStorage(path).register(entity)
    second = make("Cased", "cased", Name=str, name=str)
    again = ev.SQLAlchemyEntityStorage(path).get(entity.ecs_id)
    assert (type(again), again.name, again.Name) == (second, "small", "large")


# -- classes that a field holds later --------------------------------------------------------


class Animal(ev.Entity):
    name: str = ""


class Owner(ev.Entity):
    pet: Animal
    others: list[Animal] = []
    nested: list[list[Animal]] = []


def subclass(name: str, base: Any = Animal) -> Any:
    space = {"__module__": __name__, "__annotations__": {"tricks": int}, "tricks": 0}
    return type(name, (base,), space)


def test_a_required_reference_takes_a_subclass_that_was_defined_later(path: Path) -> None:
    first = Owner(pet=Animal(name="cat"))
    ev.SQLAlchemyEntityStorage(path).register(first)
    store = ev.SQLAlchemyEntityStorage(path)
    assert not tables(store)["owners"]["pet_id"]["nullable"]
    dog = subclass("LaterDog")(name="dog", tricks=3)
    second = Owner(pet=dog, others=[dog, first.pet], nested=[[dog], [first.pet]])
    store.register(second)
    assert tables(store)["owners"]["pet_id"]["nullable"]
    for opened in (store, ev.SQLAlchemyEntityStorage(path)):
        again = opened.get_many([first.ecs_id, second.ecs_id])
        assert find_difference([first, second], again) is None
    store.register([first, second])
    assert (first.version, second.version) == (1, 1), "a new column is no change of an entity"
    with store.engine.connect() as conn:
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert conn.exec_driver_sql("PRAGMA foreign_key_check").all() == []
    first.pet = dog
    store.register(first)
    assert find_difference(first, store.get(first.ecs_id)) is None


def test_another_storage_learns_of_new_columns(path: Path) -> None:
    one, two = ev.SQLAlchemyEntityStorage(path), ev.SQLAlchemyEntityStorage(path)
    first = one.register(Owner(pet=Animal()))
    assert two.get(first.ecs_id) == first
    dog = subclass("SharedDog")(tricks=1)
    second = one.register(Owner(pet=dog))
    assert find_difference(second, two.get(second.ecs_id)) is None
    third = two.register(Owner(pet=dog))
    assert find_difference(third, one.get(third.ecs_id)) is None


def test_what_a_failed_save_has_learned_is_forgotten(path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(path)
    owner = store.register(Owner(pet=Animal(name="cat")))
    dog = subclass("FailedDog")(tricks=1)
    bad = Owner(pet=dog)
    bad.others = None  # type: ignore[assignment]
    with pytest.raises(errors.ValueNotStorableError):
        store.register(bad)
    assert set(foreign_keys(store, "owners").values()) == {"animals"}
    assert find_difference(owner, store.get(owner.ecs_id)) is None
    assert store.list_by_type(Owner) == [owner]
    owner.pet.name = "tom"
    store.register(owner)
    bad.others = []
    store.register(bad)
    assert find_difference(bad, store.get(bad.ecs_id)) is None


class Anything(ev.Entity):
    what: ev.Entity | None = None
    many: list[ev.Entity] = []


def test_a_field_of_any_entity(path: Path) -> None:
    entity = Anything(many=[Author(name="a"), Animal(name="b"), Anything()])
    entity.what = entity
    ev.SQLAlchemyEntityStorage(path).register(entity)
    again = ev.SQLAlchemyEntityStorage(path).get(entity.ecs_id)
    assert find_difference(entity, again) is None


def test_a_refused_class_maps_nothing() -> None:
    mapping = Mapping()
    with pytest.raises(errors.UnsupportedFieldError):
        mapping.map_classes([Author, make("Refused", "m", f=object.__class__)])
    assert mapping.by_type == {}
    assert mapping.metadata.tables == {}
