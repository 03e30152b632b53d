"""migrate(convert=): values are made by a function, on SQLite and on PostgreSQL."""

from __future__ import annotations

import enum
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

import pydantic
import pytest
import sqlalchemy as sa
import sqlalchemy.orm
from pydantic import Field

import ecsviz as ev
from ecsviz import errors
from ecsviz.storage.relational.upkeep.convert import Marks, mark_of
from tests.conformance.conftest import Open
from tests.databases import counted
from tests.test_migrating import (
    _defined,
    _forget,
    check,
    define,
    reopen,
    rows_of,
    shape,
    store,
)

__all__ = ["_forget", "reopen", "store"]

Store = ev.SQLAlchemyEntityStorage


NAIVE = datetime(2024, 5, 1, 12, tzinfo=UTC).replace(tzinfo=None)


class Status(enum.Enum):
    OPEN = "o"
    DONE = "d"


class Point(pydantic.BaseModel):
    x: int
    y: int = 0


@pytest.mark.parametrize(
    ("before", "value", "after", "function", "result"),
    [
        (str, "7", int, int, 7),
        (str, "7" * 30, int, int, int("7" * 30)),  # beside the new column
        (int, 2**70, str, str, str(2**70)),  # beside the old column
        (str, "a\0b", list[str], list, ["a", "\0", "b"]),
        (str, "a,b", list[str], lambda v: v.split(","), ["a", "b"]),
        (list[str], ["a", "b"], str, ",".join, "a,b"),
        (set[int], {1, 2}, int, sum, 3),
        (str, "open", Status, lambda v: Status[v.upper()], Status.OPEN),
        (Status, Status.DONE, Literal["open", "done"], lambda v: {"d": "done"}[v], "done"),
        (float, 1.1, Decimal, lambda v: Decimal(str(v)), Decimal("1.1")),
        (float, -0.0, str, repr, "-0.0"),
        (float, 3.0, Decimal, lambda v: Decimal("3.000"), Decimal("3.000")),
        (Decimal, Decimal("1.10"), float, float, 1.1),
        (Decimal, Decimal("1.10"), str, str, "1.10"),
        (int, 90, timedelta, lambda v: timedelta(minutes=v), timedelta(minutes=90)),
        (timedelta, timedelta(minutes=90), int, lambda v: v // 60_000_000, 90),
        (timedelta, timedelta.max, str, str, "86399999999999999999"),
        (datetime, datetime(2024, 5, 1, 12, tzinfo=UTC), date, datetime.date, date(2024, 5, 1)),
        (datetime, NAIVE, str, datetime.isoformat, "2024-05-01T12:00:00"),
        (bool, True, str, str, "True"),
        (bytes, b"\0x", list[int], list, [0, 120]),
        (UUID, UUID(int=7), int, lambda v: v.int, 7),
        (Point, Point(x=1), list[int], lambda v: [v["x"], v["y"]], [1, 0]),
        (str, "1 2", Point, lambda v: {"x": v[0], "y": v[2]}, Point(x=1, y=2)),
        (Any, {"a": (1, None)}, str, repr, "{'a': (1, None)}"),
    ],
)
def test_values_are_converted_in_the_present_and_in_the_past(
    store: Store, reopen: Open, before: Any, value: Any, after: Any, function: Any, result: Any
) -> None:
    recipe = store.register(define("Recipe", title=str, what=before)(title="Soup", what=value))
    recipe.title = "Stew"
    store.register(recipe)
    gone = store.register(type(recipe)(title="gone", what=value))
    store.delete(gone.ecs_id)
    define("Recipe", title=str, what=after)
    assert store.migrate(convert={"Recipe.what": function}).applied
    again = reopen()
    assert isinstance(again, Store)
    got = again.get(recipe.ecs_id)
    assert (got.title, got.what, type(got.what)) == ("Stew", result, type(result))
    old = again.get(recipe.ecs_id, as_of=1)
    assert (old.title, old.what, str(old.what)) == ("Soup", result, str(result))
    assert again.get(gone.ecs_id, as_of=3).what == result
    assert list(again.diff(1, 2).to_frame()["field"].dropna()) == ["title"]
    check(reopen, [got], [2])


def test_every_state_gets_its_own_value(store: Store, reopen: Open) -> None:
    recipe = define("Recipe", n=str, key=int)
    items = [recipe(n=str(10 * k), key=2**70 + k) for k in range(3)]
    store.register(items)
    for step in (1, 2):
        for k in (2, 0):
            items[k].n, items[k].key = str(10 * k + step), 2**70 + 10 * step + k
        store.register(items)
    define("Recipe", n=int, key=str)
    store.migrate(convert={"Recipe.n": int, "Recipe.key": lambda v: f"{v}\0"})
    ids = [item.ecs_id for item in items]
    again = reopen()
    for revision in (1, 2, 3):
        got = again.get_many(ids, as_of=revision)
        step = revision - 1
        assert [r.n for r in got] == [step, 10, 20 + step]
        keys = [2**70 + 10 * step, 2**70 + 1, 2**70 + 10 * step + 2]
        assert [r.key for r in got] == [f"{key}\0" for key in keys]
    check(reopen, again.get_many(ids), [3, 1, 3])


def test_what_is_converted_may_be_renamed_and_other_fields_change_too(
    store: Store, reopen: Open
) -> None:
    soup = define("Recipe", minutes=str, note=str, key=(int, 2**80))(minutes="7", note="a\0")
    store.register(soup)
    define("Recipe", time=int, text=str, key=(int, 2**80), more=(float, math.nan))
    migration = store.migrate(
        rename={"Recipe.minutes": "time", "Recipe.note": "text"},
        convert={"Recipe.time": lambda text: int(text) * 2**70},
    )
    assert "Recipe.time: renamed from minutes (TEXT → BIGINT)" in repr(migration)
    assert "Recipe.time: converted, 1 value (TEXT → BIGINT)" in repr(migration)
    assert "converted, 1 value" in migration._repr_html_()
    got = reopen().get(soup.ecs_id)
    assert (got.time, got.text, got.key) == (7 * 2**70, "a\0", 2**80)
    assert math.isnan(got.more)
    check(reopen, [got], [1])


def test_fields_exchange_their_names_and_one_is_converted(store: Store, reopen: Open) -> None:
    soup = store.register(define("Recipe", a=str, b=int)(a="1\0", b=2**70))
    define("Recipe", a=str, b=str)
    store.migrate(
        rename={"Recipe.a": "b", "Recipe.b": "a"}, convert={"Recipe.a": lambda v: f"{v:x}\0"}
    )
    got = reopen().get(soup.ecs_id)
    assert (got.a, got.b) == (f"{2**70:x}\0", "1\0")
    check(reopen, [got], [1])


def test_none_stays_where_it_may_and_is_asked_for_where_it_may_not(
    store: Store, reopen: Open
) -> None:
    recipe = define("Recipe", minutes=(str | None, None), rating=(float | None, None))
    items = [recipe(), recipe(minutes="7", rating=math.nan)]
    store.register(items)
    define("Recipe", minutes=int | None, rating=str)
    asked: list[Any] = []
    migration = store.migrate(
        convert={
            "Recipe.minutes": lambda v: asked.append(v) or int(v),  # type: ignore[func-returns-value]  # to note it
            "Recipe.rating": lambda v: "none" if v is None else str(v),
        }
    )
    assert [change.values for change in migration.changes] == [1, 2]
    assert asked == ["7"]
    got = reopen().get_many([item.ecs_id for item in items])
    assert [(r.minutes, r.rating) for r in got] == [(None, "none"), (7, "nan")]
    check(reopen, got, [1, 1])


def test_an_optional_field_becomes_required_by_a_function_that_takes_none(
    store: Store, reopen: Open
) -> None:
    soup = store.register(define("Recipe", minutes=(str | None, None))())
    define("Recipe", minutes=int)
    with pytest.raises(errors.MigrationRefusedError, match="the function raises TypeError"):
        store.migrate(convert={"Recipe.minutes": int})
    with pytest.raises(errors.MigrationRefusedError, match="pydantic says int_type"):
        store.migrate(convert={"Recipe.minutes": lambda v: v})
    store.migrate(convert={"Recipe.minutes": lambda v: int(v or 0)})
    check(reopen, [reopen().get(soup.ecs_id)], [1])


def test_a_base_class_stands_for_its_subclasses(store: Store, reopen: Open) -> None:
    dish = define("Dish", minutes=str)
    soup = define("Soup", dish, spoons=(str, "1"))
    stored = store.register([dish(minutes="1"), soup(minutes="2")])
    dish = define("Dish", minutes=int)
    define("Soup", dish, spoons=(int, 1))
    store.migrate(convert={"Dish.minutes": int, "Soup.spoons": int})
    got = reopen().get_many([e.ecs_id for e in stored])
    assert [e.minutes for e in got] == [1, 2]
    check(reopen, got, [1, 1])


def test_the_class_itself_says_what_fits(store: Store, reopen: Open) -> None:
    """Constraints, validators of the field and settings of the class; of a class with cycles."""

    def checked(kind: Any, **more: Any) -> Any:
        def even(cls: Any, value: int, info: pydantic.ValidationInfo) -> int:
            if value % 2:
                raise ValueError(f"{value} is odd")
            return value + 100

        config = pydantic.ConfigDict(title="x", **more)
        check = pydantic.field_validator("minutes")(classmethod(even))
        fields = {"even": check} if kind is not str else {}
        made = type(
            "Recipe",
            (ev.Entity,),
            {
                "__module__": "cook",
                "__annotations__": {"minutes": kind, "other": "Recipe | None"},
                "other": None,
                "model_config": config,
                "minutes": Field(alias="Minuten"),
                **fields,
            },
        )
        made.model_rebuild(_types_namespace={"Recipe": made})  # type: ignore[attr-defined]  # made by type()
        kept.append(made)
        return made

    kept: list[Any] = []
    soup = store.register(checked(str)(Minuten="8"))
    checked(Annotated[int, Field(lt=10)])
    before = rows_of(store)
    for value, told in [
        (9, "pydantic says value_error"),
        (10, "pydantic says less_than"),
        ("x", "pydantic says int_parsing"),
    ]:
        with pytest.raises(errors.MigrationRefusedError, match=told):
            store.migrate(convert={"Recipe.minutes": lambda _, value=value: value})
    checked(Annotated[int, Field(lt=10)], strict=True)
    with pytest.raises(errors.MigrationRefusedError, match="pydantic says int_type"):
        store.migrate(convert={"Recipe.minutes": str})
    assert rows_of(store) == before
    store.migrate(convert={"Recipe.minutes": int})
    assert reopen().get(soup.ecs_id).minutes == 108


# -- nothing by halves -----------------------------------------------------------------------


def test_what_cannot_be_converted_is_told_and_nothing_is_changed(store: Store) -> None:
    recipe = define("Recipe", n=int, minutes=str)
    items = [recipe(n=n, minutes=text) for n, text in enumerate(["1", "secret", "2", "secret"])]
    store.register(items)
    define("Recipe", n=int, minutes=int)
    before = rows_of(store), shape(store)
    with pytest.raises(errors.MigrationRefusedError) as caught:
        store.migrate(convert={"Recipe.minutes": int})
    told = str(caught.value)
    assert "Recipe.minutes: converted, 4 values (TEXT → BIGINT)" in told
    assert f"2 of 4 stored values cannot be converted, first that of {items[1].ecs_id}" in told
    assert "the function raises ValueError" in told
    assert "secret" not in told
    assert caught.value.__cause__ is None
    assert (rows_of(store), shape(store)) == before
    with pytest.raises(errors.MigrationRefusedError, match=r"2 of 4 .*pydantic says int_parsing"):
        store.migrate(convert={"Recipe.minutes": str})
    assert (rows_of(store), shape(store)) == before


def test_a_value_of_the_past_that_cannot_be_converted_is_told(store: Store) -> None:
    soup = store.register(define("Recipe", minutes=str)(minutes="seven"))
    soup.minutes = "7"
    store.register(soup)
    define("Recipe", minutes=int)
    told = f"1 of 2 .* first that of {soup.ecs_id}, as of revision 1: the function raises"
    with pytest.raises(errors.MigrationRefusedError, match=told):
        store.migrate(convert={"Recipe.minutes": int})


def test_what_the_store_would_not_take_is_refused(store: Store) -> None:
    """Values that the class takes, and of which JSON gives no exact copy."""
    store.register(define("Recipe", what=str)(what="a"))
    define("Recipe", what=Any)
    with pytest.raises(errors.MigrationRefusedError, match=r"1 of 1 stored value .* type object"):
        store.migrate(convert={"Recipe.what": lambda _: object()})


def test_what_a_validator_makes_none_is_refused(store: Store) -> None:
    store.register(define("Recipe", what=str)(what="a"))
    define("Recipe", what=Annotated[int, pydantic.AfterValidator(lambda _: None)])
    with pytest.raises(errors.MigrationRefusedError, match="returns is None, but the field is not"):
        store.migrate(convert={"Recipe.what": len})


def test_a_table_of_ones_own_is_left_alone(tmp_path: Any) -> None:
    class Base(sa.orm.DeclarativeBase):
        pass

    class NoteSQL(Base):
        __tablename__ = "my_notes"
        id = sa.orm.mapped_column(sa.Integer, primary_key=True)
        ecs_id = sa.orm.mapped_column(sa.Text)
        text = sa.orm.mapped_column(sa.Text)

        def to_entity(self) -> Any:
            return _defined[-1](ecs_id=UUID(self.ecs_id), text=self.text)

        @classmethod
        def from_entity(cls, entity: Any, session: Any) -> NoteSQL:
            row = cls(ecs_id=str(entity.ecs_id), text=str(entity.text))
            session.add(row)
            return row

    note = define("Note", text=str)
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'mine.db'}")
    Base.metadata.create_all(engine)
    store = Store(engine, models={note: NoteSQL})
    store.register(note(text="7"))
    with pytest.raises(errors.InvalidArgumentError, match=r"a table of your own \(models=\)"):
        store.migrate(convert={"Note.text": int})
    engine.dispose()


def test_a_dry_run_tells_it_and_changes_nothing(store: Store) -> None:
    soup = store.register(define("Recipe", minutes=str)(minutes="7"))
    define("Recipe", minutes=int)
    before = rows_of(store), shape(store)
    assert "convert={'Recipe.minutes': …}" in repr(store.migrate(dry_run=True))
    found = store.migrate(convert={"Recipe.minutes": int}, dry_run=True)
    assert (found.applied, found.refused) == (False, [])
    assert list(found.to_frame()["change"]) == ["converted, 1 value"]
    found = store.migrate(convert={"Recipe.minutes": repr}, dry_run=True)
    assert "pydantic says int_parsing" in found.refused[0].refused
    assert (rows_of(store), shape(store)) == before
    store.migrate(convert={"Recipe.minutes": int})
    assert store.get(soup.ecs_id).minutes == 7


@pytest.mark.parametrize("broken", ["Conversion.write", "Marks.write", "update_rows"])
def test_what_fails_is_undone(
    store: Store, reopen: Open, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    soup = store.register(define("Recipe", minutes=str)(minutes="7"))
    define("Recipe", minutes=int)
    before = rows_of(store), shape(store)

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(f"ecsviz.storage.relational.upkeep.convert.{broken}", fail)
        with pytest.raises(RuntimeError):
            store.migrate(convert={"Recipe.minutes": int})
    assert (rows_of(store), shape(store)) == before
    store.migrate(convert={"Recipe.minutes": int})
    check(reopen, [store.get(soup.ecs_id)], [1])


def test_a_stored_value_that_cannot_be_read_is_told(store: Store) -> None:
    soup = store.register(define("Recipe", tags=list[str])(tags=["a"]))
    define("Recipe", tags=str)
    with store.engine.begin() as conn:
        table = sa.table("recipes", sa.column("tags"), schema=store.metadata.schema)
        broken = sa.literal_column("""'{"$no": 1}'""")
        conn.execute(sa.update(table).values(tags=broken))
    with pytest.raises(
        errors.MigrationRefusedError, match=f"of {soup.ecs_id} is no JSON of a value"
    ):
        store.migrate(convert={"Recipe.tags": str})


def test_an_index_of_ones_own_does_not_stand_in_the_way(store: Store, reopen: Open) -> None:
    soup = store.register(define("Recipe", minutes=str)(minutes="7"))
    with store.engine.begin() as conn:
        table = sa.Table("recipes", sa.MetaData(), autoload_with=conn, schema=store.metadata.schema)
        sa.Index("mine", table.c.minutes).create(conn)
    define("Recipe", minutes=int)
    assert "mine" in repr(store.migrate(convert={"Recipe.minutes": int}))
    assert "mine" in {
        i["name"]
        for i in sa.inspect(store.engine).get_indexes("recipes", schema=store.metadata.schema)
    }
    with store.engine.begin() as conn:
        table.indexes.pop().drop(conn)
    check(reopen, [reopen().get(soup.ecs_id)], [1])


def test_the_statements_do_not_grow_with_the_entities(tmp_path: Any) -> None:
    sent = []
    for many in (3, 30):
        recipe = define("Recipe", n=str, key=(int, 2**70))
        store = Store(tmp_path / f"{many}.db")
        store.register([recipe(n=str(n)) for n in range(many)])
        define("Recipe", n=int, key=(str, ""))
        with counted() as statements:
            store.migrate(convert={"Recipe.n": lambda v: 2**70 + int(v), "Recipe.key": str})
        sent.append(len(statements))
    assert sent[0] == sent[1]


# -- types that SQL does not tell apart ------------------------------------------------------


def test_a_conversion_is_not_made_twice(store: Store, reopen: Open) -> None:
    def minutes(number: int) -> timedelta:
        return timedelta(minutes=number)

    soup = store.register(define("Recipe", minutes=int)(minutes=3))
    define("Recipe", minutes=timedelta)
    assert not store.migrate(), "nothing shows that it is another type"
    store.migrate(convert={"Recipe.minutes": minutes})
    for again in (store, reopen()):
        assert isinstance(again, Store)
        with pytest.raises(errors.InvalidArgumentError, match=r"Recipe\.minutes has not changed"):
            again.migrate(convert={"Recipe.minutes": minutes})
    assert reopen().get(soup.ecs_id).minutes == timedelta(minutes=3)
    check(reopen, [reopen().get(soup.ecs_id)], [1])
    # It is known by its new name too, and forgotten with the field.
    define("Recipe", time=timedelta)
    store.migrate(rename={"Recipe.minutes": "time"})
    with pytest.raises(errors.InvalidArgumentError, match="converted to it before"):
        store.migrate(convert={"Recipe.time": minutes})
    define("Recipe", time=int)
    store.migrate(convert={"Recipe.time": lambda micros: micros // 60_000_000})
    assert reopen().get(soup.ecs_id).time == 3
    define("Recipe", title=(str, ""))
    store.migrate(drop=["Recipe.time"])
    with store.engine.connect() as conn:
        assert Marks(conn, store.inside.catalog).before == {"Recipe": {}}


def test_an_enum_gets_other_members_twice(store: Store, reopen: Open) -> None:
    def status(*values: str) -> Any:
        return enum.Enum("Status", {value.upper(): value for value in values})

    soup = store.register(define("Recipe", status=status("open"))(status="open"))
    for old, new in [("open", "begun"), ("begun", "made")]:
        define("Recipe", status=status(new))
        store.migrate(convert={"Recipe.status": {old: new}.__getitem__})
        assert reopen().get(soup.ecs_id).status.value == new
    check(reopen, [reopen().get(soup.ecs_id)], [1])


def test_values_that_stay_are_no_conversion(store: Store) -> None:
    recipe = define("Recipe", title=str, tags=(list[int], [1]), n=(int, 2**70))
    store.register(recipe(title="Soup\0"))
    for name, function in [("title", str), ("tags", list), ("n", int)]:
        with pytest.raises(errors.InvalidArgumentError, match="returned as it is stored"):
            store.migrate(convert={f"Recipe.{name}": function})


def test_marks_tell_types_apart() -> None:
    kinds = [int, timedelta, Annotated[int, Field(gt=1)], list[int], Literal["a"], Literal["b"]]
    marks = [mark_of(define("Recipe", what=kind), "what") for kind in kinds]
    assert len(set(marks)) == len(kinds)
    assert marks == [mark_of(define("Recipe", what=kind), "what") for kind in kinds]


# -- what is asked for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("convert", "told"),
    [
        ({"Recipe.minuts": int}, r"Recipe\.minutes"),
        ({"Recip.minutes": int}, "no class that is stored has such a field"),
        ({"minutes": int}, "Write 'Class.field'"),
        ({"Recipe.minutes": 3}, "a int, which cannot be called"),
        ({"Recipe.more": int}, "nothing is stored of it yet. Give it a default"),
        ({"Recipe.who": str}, "it holds entities, .* Give the new field another name"),
        ({"Recipe.team": str}, "it holds entities"),
        ({"Recipe.deep": str}, "it holds entities"),
        ({"Recipe.cook": str}, "it holds entities"),
        ({"Recipe.old": str}, "It is called 'new' now"),
        ({"Recipe.minutes": int, "Dish.minutes": int}, "twice"),
        ([("Recipe.minutes", int)], "Give a dictionary with"),
    ],
)
def test_bad_arguments(store: Store, convert: Any, told: str) -> None:
    def dish(kind: Any, **more: Any) -> Any:
        return define("Recipe", define("Dish", minutes=kind), **more)

    cook = define("Cook", name=str)
    refs = {"team": (list[cook], []), "deep": (list[list[cook]], [])}
    recipe = dish(str, who=(cook | None, None), cook=(str, ""), old=(str, ""), **refs)
    store.register(recipe(minutes="7"))
    refs["cook"] = (cook | None, None)
    dish(int, who=(str, ""), new=(str, ""), more=(int, 1), **refs)
    before = rows_of(store)
    with pytest.raises(errors.InvalidArgumentError, match=told):
        store.migrate(rename={"Recipe.old": "new"}, convert=convert)
    assert rows_of(store) == before


def test_nothing_stored_is_no_error(store: Store, reopen: Open) -> None:
    recipe = define("Recipe", minutes=str, same=(int, 1))
    store.delete(store.register(recipe(minutes="7")).ecs_id)
    store.prune()
    recipe = define("Recipe", minutes=int, same=(timedelta, timedelta(1)))
    fail: Callable[[Any], Any] = pytest.fail
    migration = store.migrate(convert={"Recipe.minutes": fail, "Recipe.same": fail})
    assert [change.values for change in migration.changes] == [0, 0]
    check(reopen, [reopen().register(recipe(minutes=7))], [1])
