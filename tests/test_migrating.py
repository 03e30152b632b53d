"""migrate(): tables are made to fit changed classes, on SQLite and on PostgreSQL."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from pydantic import Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.isomorphic import find_difference
from tests.conformance.conftest import OPENERS, Open


@pytest.fixture(params=["sqlite", "engine", "postgresql"])
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Open:
    return OPENERS[request.param](tmp_path, request)


@pytest.fixture
def store(reopen: Open) -> ev.SQLAlchemyEntityStorage:
    store = reopen()
    assert isinstance(store, ev.SQLAlchemyEntityStorage)
    return store


_defined: list[Any] = []
"""What a notebook would hold by name: a class that nothing holds is gone."""


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    _defined.clear()


def define(name: str, base: type = ev.Entity, /, **fields: Any) -> Any:
    """Define a class; a tuple is an annotation and a default."""
    annotations = {n: f[0] if isinstance(f, tuple) else f for n, f in fields.items()}
    defaults = {n: f[1] for n, f in fields.items() if isinstance(f, tuple)}
    namespace = {"__module__": "cook", "__annotations__": annotations, **defaults}
    _defined.append(type(name, (base,), namespace))
    return _defined[-1]


def shape(store: ev.SQLAlchemyEntityStorage) -> dict[str, Any]:
    """Return columns, keys and indexes of all tables of entities, as the database tells them."""
    with store.engine.connect() as conn:
        inspector = sa.inspect(conn)
        schema = store.metadata.schema
        result = {}
        for table in inspector.get_table_names(schema=schema):
            if table.startswith("ecs_"):
                continue
            keys = inspector.get_foreign_keys(table, schema=schema)
            result[table] = {
                "columns": {
                    c["name"]: (str(c["type"]), c["nullable"])
                    for c in inspector.get_columns(table, schema=schema)
                },
                "primary": inspector.get_pk_constraint(table, schema=schema)["constrained_columns"],
                "keys": sorted(
                    (k["constrained_columns"], k["referred_table"], k["options"].get("initially"))
                    for k in keys
                ),
                "indexes": sorted(
                    (i["name"], i["column_names"])
                    for i in inspector.get_indexes(table, schema=schema)
                    if not i["unique"]
                ),
            }
        return result


def fresh_shape(*entities: Any) -> dict[str, Any]:
    """Return what the tables would be in a new store (of SQLite)."""
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(entities)
    return shape(store)


def names_only(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out how a database writes its types."""
    return {
        table: {
            **parts,
            "columns": {name: nullable for name, (_, nullable) in parts["columns"].items()},
        }
        for table, parts in found.items()
    }


def check(reopen: Open, entities: list[Any], versions: list[int]) -> None:
    """Reading gives what is expected; registering that is no change; the tables are as new."""
    again = reopen()
    assert isinstance(again, ev.SQLAlchemyEntityStorage)
    got = again.get_many([e.ecs_id for e in entities])
    assert [e.version for e in got] == versions
    assert not again.explain(got), "what was only migrated has not changed"
    again.register(got)
    assert [e.version for e in got] == versions
    problems = again.verify()
    assert not len(problems), problems.to_string()
    # Copies of version 0, so that a new store takes them.
    copies = [e.model_copy(deep=True) for e in got]
    assert names_only(shape(again)) == names_only(fresh_shape(*copies))


def rows_of(store: ev.SQLAlchemyEntityStorage) -> dict[str, list[tuple[Any, ...]]]:
    with store.engine.connect() as conn:
        schema = store.metadata.schema
        found = {}
        for table in sorted(sa.inspect(conn).get_table_names(schema=schema)):
            of = sa.Table(table, sa.MetaData(), autoload_with=conn, schema=schema)
            found[table] = sorted(map(repr, conn.execute(sa.select(of)).all()))
        return found


# -- fields that hold values -----------------------------------------------------------------


def test_an_added_field_gets_its_default(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    soup = store.register(define("Recipe", title=str)(title="Soup"))
    at = datetime(2024, 5, 1, 12, tzinfo=UTC)
    define(
        "Recipe",
        title=str,
        minutes=(int, 10),
        rating=(float, math.nan),
        price=(Decimal, Decimal("1.10")),
        at=(datetime | None, None),
        since=(datetime, at),
        tags=(list[str], []),
        key=(UUID, Field(default_factory=uuid4)),
    )
    migration = store.migrate()
    assert migration.applied
    assert [c.what for c in migration.changes] == ["added"] * 7
    got = reopen().get(soup.ecs_id)
    assert (got.title, got.minutes, got.price, got.at, got.since, got.tags) == (
        "Soup", 10, Decimal("1.10"), None, at, [],
    )  # fmt: skip
    assert math.isnan(got.rating)
    assert isinstance(got.key, UUID)
    check(reopen, [got], [1])


def test_a_default_factory_is_called_for_every_row(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    recipe = define("Recipe", title=str)
    store.register([recipe(title=str(n)) for n in range(5)])
    recipe = define("Recipe", title=str, key=(UUID, Field(default_factory=uuid4)))
    store.migrate(recipe)
    assert len({r.key for r in reopen().list_by_type(recipe)}) == 5


def test_a_field_without_a_default_is_added_where_nothing_is_stored(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    soup = store.register(define("Recipe", title=str)(title="Soup"))
    define("Recipe", title=str, minutes=int)
    with pytest.raises(errors.MigrationRefusedError) as caught:
        store.migrate()
    assert "Recipe.minutes: added (BIGINT)" in str(caught.value)
    assert "1 stored entity has no value; give the field a default" in str(caught.value)
    assert isinstance(caught.value, ValueError)
    define("Recipe", title=str)
    store.delete(soup.ecs_id)
    define("Recipe", title=str, minutes=int)
    with pytest.raises(errors.MigrationRefusedError, match="1 states of the past have no value"):
        store.migrate()
    store.prune()
    recipe = _defined[-1]
    store.migrate()
    check(reopen, [reopen().register(recipe(title="Stew", minutes=7))], [1])


def test_a_renamed_field_keeps_its_values(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    recipe = define("Recipe", title=str, minutes=int, old=(str, "x"))
    soup = recipe(title="a\0b", minutes=2**70)
    stew = store.register([soup, recipe(title="Stew", minutes=7)])[1]
    define("Recipe", name=str, time=int, old=(str, "x"))
    store.migrate(rename={"Recipe.title": "name", "Recipe.minutes": "time"})
    got = reopen().get_many([soup.ecs_id, stew.ecs_id])
    assert [(r.name, r.time) for r in got] == [("a\0b", 2**70), ("Stew", 7)]
    check(reopen, got, [1, 1])


def test_what_stands_beside_the_columns_comes_in_the_order_of_the_class(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    soup = store.register(define("Recipe", a=int, b=str, c=str)(a=2**70, b="b\0", c="c\0"))
    define("Recipe", first=(float, math.nan), a=int, b=str, c=str)
    store.migrate(rename={"Recipe.b": "c", "Recipe.c": "b"})
    got = reopen().get(soup.ecs_id)
    assert (got.a, got.b, got.c) == (2**70, "c\0", "b\0")
    check(reopen, [got], [1])


def test_a_field_is_dropped_by_name_only(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    soup = store.register(define("Recipe", title=str, note=str)(title="Soup", note="a\0"))
    define("Recipe", title=str)
    before = rows_of(store)
    with pytest.raises(errors.MigrationRefusedError, match=r"drop=\['Recipe.note'\]") as caught:
        store.migrate()
    assert [c.field for c in caught.value.migration.refused] == ["note"]
    assert rows_of(store) == before
    store.migrate(drop=["Recipe.note"])
    got = reopen().get(soup.ecs_id)
    assert not hasattr(got, "note")
    check(reopen, [got], [1])


def test_none_is_allowed_and_forbidden(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    soup = store.register(define("Recipe", minutes=int)(minutes=3))
    recipe = define("Recipe", minutes=(int | None, None))
    assert [c.what for c in store.migrate().changes] == ["optional"]
    check(reopen, [soup], [1])
    stew = reopen().register(recipe())
    define("Recipe", minutes=int)
    with pytest.raises(errors.MigrationRefusedError, match="1 stored value is None; fill"):
        store.migrate()
    define("Recipe", minutes=(int | None, None))
    store.delete(stew.ecs_id)
    define("Recipe", minutes=int)
    assert [c.what for c in store.migrate().changes] == ["required"]
    check(reopen, [soup], [1])


@pytest.mark.parametrize("name", ["rating", "stars"])
def test_nan_is_not_none(store: ev.SQLAlchemyEntityStorage, reopen: Open, name: str) -> None:
    soup = store.register(define("Recipe", rating=(float | None, None))(rating=math.nan))
    define("Recipe", **{name: float})
    store.migrate(rename={} if name == "rating" else {"Recipe.rating": name})
    assert math.isnan(getattr(reopen().get(soup.ecs_id), name))


@pytest.mark.parametrize("kind", [float, str, list[int], datetime])
def test_another_type_is_refused(store: ev.SQLAlchemyEntityStorage, kind: Any) -> None:
    store.register(define("Recipe", minutes=int)(minutes=3))
    define("Recipe", minutes=kind)
    with pytest.raises(errors.MigrationRefusedError, match=r"retyped .*\n.*would have to be conv"):
        store.migrate()


@pytest.mark.parametrize("back", [False, True])
def test_one_that_becomes_several_is_refused(store: ev.SQLAlchemyEntityStorage, back: bool) -> None:
    """The column of the one may have the name of what a list's own table calls its holder."""
    one: Any = ("Recipe | None", None)
    several: Any = ("list[Recipe]", Field(default_factory=list))
    store.register(define("Recipe", recipe=several if back else one)())
    define("Recipe", recipe=one if back else several)
    with pytest.raises(errors.MigrationRefusedError, match=r"retyped .*\n.*would have to be conv"):
        store.migrate()
    assert len(store.list_by_type(define("Recipe", recipe=several if back else one))) == 1


@pytest.mark.parametrize(
    ("field", "why"),
    [
        ((int, Field(default_factory=lambda data: 3)), "depends on other fields"),
        ((int, None), "its default is None, but the field is not optional"),
        ((str, 3), "its default is of type int, but must be str"),
    ],
)
def test_a_default_that_cannot_be_stored_is_refused(
    store: ev.SQLAlchemyEntityStorage, field: Any, why: str
) -> None:
    store.register(define("Recipe", title=str)(title="Soup"))
    define("Recipe", title=str, more=field)
    with pytest.raises(errors.MigrationRefusedError, match=why):
        store.migrate()


# -- fields that hold entities ---------------------------------------------------------------


def test_added_references_are_empty(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    cook = define("Cook", name=str)
    soup = store.register(define("Recipe", title=str)(title="Soup"))
    recipe = define(
        "Recipe",
        title=str,
        cook=(cook | None, None),
        helpers=(list[cook], []),
        by_name=(dict[str, cook], {}),
        nested=(list[list[cook | None]], []),
        maybe=(list[list[cook]] | None, None),
    )
    store.migrate()
    got = reopen().get(soup.ecs_id)
    assert (got.cook, got.helpers, got.by_name, got.nested, got.maybe) == (None, [], {}, [], None)
    check(reopen, [got], [1])
    ann = cook(name="Ann")
    got.cook, got.helpers, got.by_name, got.nested = ann, [ann, ann], {"a": ann}, [[ann, None]]
    reopen().register(got)
    assert find_difference(reopen().get(soup.ecs_id), got) is None
    assert recipe is type(got)


def test_an_added_list_with_its_back_reference(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    step = define("Step", text=str)
    recipe = define("Recipe", title=str)
    soup = store.register([recipe(title="Soup"), step(text="cook")])[0]
    recipe = define("Recipe", title=str, steps=(list["Step"], []))  # noqa: F821 - defined below
    step = define("Step", text=str, recipe=(recipe | None, None))
    recipe.model_rebuild(_types_namespace={"Step": step})
    store.migrate()
    got = reopen().get(soup.ecs_id)
    assert got.steps == []
    got.steps.append(step(text="eat", recipe=got))
    reopen().register(got)
    assert reopen().get(soup.ecs_id).steps[0].recipe.steps[0].text == "eat"
    check(reopen, [got], [2])


def test_renamed_references_keep_what_they_hold(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    cook = define("Cook", name=str)
    chef = define("Chef", cook, stars=(int, 0))
    recipe = define(
        "Recipe", cook=cook, helpers=list[cook], by=dict[str, cook], deep=list[list[cook]]
    )
    ann, bob = cook(name="Ann"), chef(name="Bob")
    one = recipe(cook=bob, helpers=[bob, ann, bob], by={"b": bob, "a": ann}, deep=[[ann], [bob]])
    store.register(one)
    define("Recipe", who=cook, team=list[cook], named=dict[str, cook], rows=list[list[cook]])
    store.migrate(
        rename={
            "Recipe.cook": "who",
            "Recipe.helpers": "team",
            "Recipe.by": "named",
            "Recipe.deep": "rows",
        }
    )
    got = reopen().get(one.ecs_id)
    assert type(got.who) is chef
    assert got.who.name == "Bob"
    assert [m.name for m in got.team] == ["Bob", "Ann", "Bob"]
    assert {k: v.name for k, v in got.named.items()} == {"b": "Bob", "a": "Ann"}
    assert [[m.name for m in row] for row in got.rows] == [["Ann"], ["Bob"]]
    assert got.rows[1][0] is got.who
    check(reopen, [got], [1])


def chat(list_name: str, back_name: str) -> tuple[Any, Any]:
    recipe = define("Recipe", title=str, **{list_name: (list["Step"], [])})  # noqa: F821 - defined below
    step = define("Step", text=str, **{back_name: recipe})
    recipe.model_rebuild(_types_namespace={"Step": step})
    return recipe, step


def test_both_sides_of_a_list_are_renamed(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    recipe, step = chat("steps", "recipe")
    soup = recipe(title="Soup")
    soup.steps = [step(text=str(n), recipe=soup) for n in range(3)]
    store.register(soup)
    chat("todo", "of")
    store.migrate(rename={"Recipe.steps": "todo", "Step.recipe": "of"})
    got = reopen().get(soup.ecs_id)
    assert [s.text for s in got.todo] == ["0", "1", "2"]
    assert all(s.of is got for s in got.todo)
    check(reopen, [got], [1])


def test_a_list_and_its_back_reference_are_dropped(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    recipe, step = chat("steps", "recipe")
    soup = recipe(title="Soup")
    soup.steps = [step(text="cook", recipe=soup)]
    store.register(soup)
    define("Recipe", title=str)
    define("Step", text=str)
    with pytest.raises(errors.MigrationRefusedError):
        store.migrate(drop=["Recipe.steps"])
    store.migrate(drop=["Recipe.steps", "Step.recipe"])
    check(reopen, reopen().get_many([soup.ecs_id, soup.steps[0].ecs_id]), [1, 1])


def test_a_list_is_dropped_and_the_back_reference_stays(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    recipe, step = chat("steps", "recipe")
    soup = recipe(title="Soup")
    soup.steps = [step(text="cook", recipe=soup)]
    store.register(soup)
    recipe = define("Recipe", title=str)
    define("Step", text=str, recipe=recipe)
    store.migrate(drop=["Recipe.steps"])
    got = reopen().get(soup.steps[0].ecs_id)
    assert got.recipe.title == "Soup"
    check(reopen, [got], [1])


def test_a_list_cannot_take_over_back_references(store: ev.SQLAlchemyEntityStorage) -> None:
    recipe = define("Recipe", title=str)
    step = define("Step", text=str, recipe=recipe)
    store.register(step(text="cook", recipe=recipe(title="Soup")))
    chat("steps", "recipe")
    with pytest.raises(errors.MigrationRefusedError, match="1 stored references would have no"):
        store.migrate()


def test_dropped_collections_lose_their_tables(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    cook = define("Cook", name=str)
    recipe = define("Recipe", title=str, who=cook, helpers=list[cook], deep=list[list[cook]])
    ann = cook(name="Ann")
    soup = store.register(recipe(title="Soup", who=ann, helpers=[ann], deep=[[ann]]))
    define("Recipe", title=str)
    store.migrate(drop=["Recipe.who", "Recipe.helpers", "Recipe.deep"])
    check(reopen, reopen().get_many([soup.ecs_id, ann.ecs_id]), [1, 1])


def test_a_reference_holds_more_and_fewer_classes(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    cook, robot = define("Cook", name=str), define("Robot", model=str)
    recipe = define("Recipe", who=cook, team=list[cook])
    ann = cook(name="Ann")
    soup = store.register(recipe(who=ann, team=[ann]))
    recipe = define("Recipe", who=cook | robot, team=list[cook | robot])
    assert [c.what for c in store.migrate().changes] == ["holds more"] * 2
    r2 = robot(model="R2")
    stew = reopen().register(recipe(who=r2, team=[r2, ann]))
    assert find_difference(reopen().get(stew.ecs_id), stew) is None
    define("Recipe", who=cook, team=list[cook])
    with pytest.raises(errors.MigrationRefusedError, match="1 stored references lead to a Robot"):
        store.migrate()
    define("Recipe", who=cook | robot, team=list[cook | robot])
    store.delete(stew.ecs_id)
    define("Recipe", who=cook, team=list[cook])
    assert [c.what for c in store.migrate().changes] == ["holds fewer"] * 2
    assert reopen().get(soup.ecs_id).who == ann


def test_a_required_reference_becomes_optional_and_required_again(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    cook = define("Cook", name=str)
    soup = store.register(define("Recipe", who=cook)(who=cook(name="Ann")))
    recipe = define("Recipe", who=(cook | None, None))
    store.migrate()
    check(reopen, [reopen().get(soup.ecs_id)], [1])
    stew = reopen().register(recipe())
    define("Recipe", who=cook)
    with pytest.raises(errors.MigrationRefusedError, match="1 stored value is None"):
        store.migrate()
    define("Recipe", who=(cook | None, None))
    store.delete(stew.ecs_id)
    define("Recipe", who=cook)
    store.migrate()
    assert reopen().get(soup.ecs_id).who.name == "Ann"


def test_a_required_cycle_is_migrated(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    def pair(**more: Any) -> tuple[Any, Any]:
        man = define("Man", wife="Woman", **more)
        woman = define("Woman", husband=man)
        man.model_rebuild(_types_namespace={"Woman": woman})
        return man, woman

    man, woman = pair()
    adam, eve = man.model_construct(), woman.model_construct()
    adam.__dict__.update(wife=eve)
    eve.__dict__.update(husband=adam)
    store.register(adam)
    pair(age=(int, 930))
    store.migrate()
    got = reopen().get(adam.ecs_id)
    assert got.wife.husband is got
    assert got.age == 930
    check(reopen, [got], [1])


def test_collections_of_another_kind_are_refused(store: ev.SQLAlchemyEntityStorage) -> None:
    cook = define("Cook", name=str)
    store.register(define("Recipe", team=list[cook])(team=[cook(name="Ann")]))
    for kind in (set[cook], dict[str, cook], cook, list[str]):
        define("Recipe", team=kind)
        with pytest.raises(errors.MigrationRefusedError, match="retyped"):
            store.migrate()


# -- several classes -------------------------------------------------------------------------


def test_a_base_class_stands_for_its_subclasses(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    dish = define("Dish", title=str, note=(str, ""))
    soup = define("Soup", dish, spoons=(int, 1))
    stored = store.register([dish(title="a"), soup(title="b")])
    dish = define("Dish", name=str)
    define("Soup", dish, spoons=(int, 1))
    store.migrate(dish, rename={"Dish.title": "name"}, drop=["Dish.note"])
    got = reopen().get_many([e.ecs_id for e in stored])
    assert [e.name for e in got] == ["a", "b"]
    check(reopen, got, [1, 1])


def test_only_what_is_named_is_migrated(store: ev.SQLAlchemyEntityStorage, reopen: Open) -> None:
    cook, recipe = define("Cook", name=str), define("Recipe", title=str)
    ann, soup = store.register([cook(name="Ann"), recipe(title="Soup")])
    cook, recipe = define("Cook", age=int), define("Recipe", title=str, minutes=(int, 1))
    store.migrate(recipe)
    assert reopen().get(soup.ecs_id).minutes == 1
    with pytest.raises(errors.SchemaOutdatedError, match=r"store\.migrate\(dry_run=True\)"):
        reopen().get(ann.ecs_id)


def test_other_tables_may_refer_to_what_is_made_anew(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    cook = define("Cook", name=str, old=(str, ""))
    recipe = define("Recipe", who=cook, team=list[cook])
    ann = cook(name="Ann")
    soup = store.register(recipe(who=ann, team=[ann]))
    define("Cook", title=str)
    store.migrate(rename={"Cook.name": "title"}, drop=["Cook.old"])
    # Foreign keys are enforced again, and still lead there.
    with pytest.raises(errors.BrokenReferenceError):
        store.delete(ann.ecs_id)
    assert find_difference(reopen().get(soup.ecs_id).who, reopen().get(ann.ecs_id)) is None
    with store.session_factory() as session, pytest.raises(sa.exc.IntegrityError):
        session.execute(sa.delete(store.sql_model(type(ann)).__table__))


def test_a_rename_elsewhere_leaves_a_field_of_the_new_name_alone(
    store: ev.SQLAlchemyEntityStorage, reopen: Open
) -> None:
    """A field that has learned to hold a subclass keeps the column for it."""
    cook = define("Cook", name=str)
    chef = define("Chef", cook, stars=(int, 0))
    recipe, meal = define("Recipe", cook=cook), define("Meal", who=cook)
    bob = chef(name="Bob")
    soup, lunch = store.register([recipe(cook=bob), meal(who=bob)])
    define("Recipe", who=cook)
    define("Meal", who=cook, guests=(int, 2))
    store.migrate(rename={"Recipe.cook": "who"})
    got = reopen().get_many([soup.ecs_id, lunch.ecs_id])
    assert [type(e.who) for e in got] == [chef, chef]
    assert got[1].guests == 2
    assert got[0].who is got[1].who


# -- nothing by halves -----------------------------------------------------------------------


def test_a_dry_run_changes_nothing(store: ev.SQLAlchemyEntityStorage) -> None:
    store.register(define("Recipe", title=str, note=(str, ""))(title="Soup"))
    define("Recipe", title=str, minutes=(int, 3))
    before = rows_of(store), shape(store)
    migration = store.migrate(dry_run=True)
    assert (rows_of(store), shape(store)) == before
    assert not migration.applied
    assert [c.refused != "" for c in migration.changes] == [True, False]
    assert "2 changes, 1 refused, not applied" in repr(migration)
    assert list(migration.to_frame()["change"]) == ["dropped", "added"]
    assert "minutes" in migration._repr_html_()


@pytest.mark.parametrize("broken", ["_fill", "_set_types", "_rename_exact"])
def test_what_fails_is_undone(
    store: ev.SQLAlchemyEntityStorage, reopen: Open, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soup = store.register(define("Recipe", title=str, note=(str, ""))(title="Soup"))
    recipe = define("Recipe", name=str, minutes=(int, 3))
    before = rows_of(store), shape(store)

    def fail(*_: Any) -> None:
        raise RuntimeError("power cut")

    options: dict[str, Any] = {"rename": {"Recipe.title": "name"}, "drop": ["Recipe.note"]}
    with monkeypatch.context() as patch:
        patch.setattr(f"ecsviz.storage.relational.upkeep.migrate.Alter.{broken}", fail)
        with pytest.raises(RuntimeError):
            store.migrate(**options)
    assert (rows_of(store), shape(store)) == before
    store.migrate(**options)
    got = store.get(soup.ecs_id)
    assert (type(got), got.name, got.minutes) == (recipe, "Soup", 3)
    check(reopen, [got], [1])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda s, c: s.migrate(drop=["Recipe.titel"]), r"Recipe\.title"),
        (lambda s, c: s.migrate(drop=["Recipe.title"]), "has that field. Take it out"),
        (lambda s, c: s.migrate(drop="Recipe.title"), r"drop=\['Recipe.title'\]"),
        (lambda s, c: s.migrate(rename={"Recipe.title": "x"}), "has no such field"),
        (lambda s, c: s.migrate(rename={"Recipe.a": "title"}), "is stored already"),
        (lambda s, c: s.migrate(rename={"title": "x"}), "Write 'Class.field'"),
        (lambda s, c: s.migrate(c), "none of its entities is stored"),
        (lambda s, c: s.migrate(rename={"Recipe.c": "b"}, drop=["Recipe.c"]), "both dropped and"),
    ],
)
def test_bad_arguments(
    store: ev.SQLAlchemyEntityStorage, call: Callable[[Any, Any], Any], told: str
) -> None:
    store.register(define("Recipe", title=str, a=(str, ""), c=(str, ""))(title="Soup"))
    define("Recipe", title=str, a=(str, ""), b=(str, ""))
    before = rows_of(store)
    with pytest.raises(errors.InvalidArgumentError, match=told):
        call(store, define("Stranger", x=int))
    assert rows_of(store) == before


def test_a_store_that_nobody_has_written_has_nothing_to_migrate(tmp_path: Path) -> None:
    for where in (tmp_path / "fresh.db", ":memory:"):
        for dry_run in (True, False):
            assert not ev.SQLAlchemyEntityStorage(where).migrate(dry_run=dry_run)


# -- what every store on SQLAlchemy offers, and what leaves it alone -------------------------


def test_nothing_to_migrate(store: ev.SQLAlchemyEntityStorage, tmp_path: Any) -> None:
    recipe = define("Recipe", title=str)
    store.register(recipe(title="Soup"))
    before = rows_of(store)
    assert not store.migrate()
    assert "classes and tables agree" in repr(store.migrate())
    assert rows_of(store) == before
    path = tmp_path / "none.db"
    assert not ev.SQLAlchemyEntityStorage(path).migrate()
    assert not path.exists()


def test_a_class_that_is_no_entity(store: ev.SQLAlchemyEntityStorage) -> None:
    with pytest.raises(errors.NotAnEntityError):
        store.migrate(int)  # type: ignore[arg-type]  # a mistake


def test_every_option_goes_with_every_other(store: ev.SQLAlchemyEntityStorage) -> None:
    soup = store.register(
        define("Recipe", title=str, minutes=str, note=str)(title="Soup", minutes="7", note="")
    )
    recipe = define("Recipe", title=str, time=int, more=(int, 1))
    options: dict[str, Any] = {
        "drop": ["Recipe.note"],
        "rename": {"Recipe.minutes": "time"},
        "convert": {"Recipe.time": int},
    }
    before = rows_of(store)
    found = store.migrate(recipe, **options, dry_run=True)
    assert rows_of(store) == before
    assert sorted(c.what for c in found.changes) == ["added", "converted", "dropped", "renamed"]
    assert store.migrate(recipe, **options).applied
    got = store.get(soup.ecs_id)
    assert (got.title, got.time, got.more) == ("Soup", 7, 1)


def test_what_is_read_with_the_new_class_can_be_registered_at_once(
    store: ev.SQLAlchemyEntityStorage,
) -> None:
    """The store that has migrated knows the new tables; no need to open it again."""
    soup = store.register(define("Recipe", minutes=str)(minutes="7"))
    define("Recipe", minutes=int)
    with pytest.raises(errors.SchemaOutdatedError, match=r"store\.migrate\(\)"):
        store.get(soup.ecs_id)
    store.migrate(convert={"Recipe.minutes": int})
    got = store.get(soup.ecs_id)
    got.minutes += 1
    store.register(got)
    assert [store.get(soup.ecs_id, as_of=n).minutes for n in (1, 2)] == [7, 8]
    assert not len(store.verify())
