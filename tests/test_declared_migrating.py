"""What classes declare of columns, in the tables: as it is made, and as migrate changes it."""

from __future__ import annotations

import gc
import itertools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable

import ecsviz as ev
from ecsviz import errors
from ecsviz.storage.relational.classless import BareStore
from tests.conformance.conftest import OPENERS
from tests.databases import counted
from tests.test_python_source import execute

_defined: list[Any] = []


@pytest.fixture(params=["sqlite", "engine", "postgresql"])
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Callable[[], Any]:
    _defined.clear()
    return OPENERS[request.param](tmp_path, request)


def define(name: str, base: type = ev.Entity, /, **fields: Any) -> Any:
    """Define a class; a tuple is an annotation and a default."""
    annotations = {n: f[0] if isinstance(f, tuple) else f for n, f in fields.items()}
    defaults = {n: f[1] for n, f in fields.items() if isinstance(f, tuple)}
    space = {"__module__": "league", "__annotations__": annotations, **defaults}
    _defined.append(type(name, (base,), space))
    return _defined[-1]


def declared(**said: Any) -> Any:
    return Annotated[str, ev.column(**said)]


def made(store: Any, table: str = "sides") -> dict[str, Any]:
    """Return what the database says of the columns and of what is unique or indexed."""
    with store.engine.connect() as conn:
        inspector, schema = sa.inspect(conn), store.metadata.schema
        found = inspector.get_indexes(table, schema=schema)
        indexes = [i for i in found if not i.get("duplicates_constraint")]
        unique = inspector.get_unique_constraints(table, schema=schema)
        columns = inspector.get_columns(table, schema=schema)
    names = {(u["name"], *u["column_names"]) for u in unique}
    names |= {(i["name"], *i["column_names"]) for i in indexes if i["unique"]}
    return {
        "unique": {each[0] for each in names if "ecs_id" not in each},
        "indexes": {i["name"] for i in indexes if not i["unique"]},
        "lengths": {c["name"]: getattr(c["type"], "length", None) for c in columns},
    }


def rows_of(store: Any) -> dict[str, list[str]]:
    with store.engine.connect() as conn:
        schema = store.metadata.schema
        names = sorted(sa.inspect(conn).get_table_names(schema=schema))
        tables = [sa.Table(n, sa.MetaData(), autoload_with=conn, schema=schema) for n in names]
        return {t.name: sorted(map(repr, conn.execute(sa.select(t)).all())) for t in tables}


def test_what_is_declared_is_in_the_tables(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True, max_length=20), city=declared(index=True))
    store.register(side(slug="a", city="b"))
    found = made(store)
    assert found["unique"] == {"uq_sides_slug"}
    assert found["indexes"] == {"ix_sides_city"}
    assert (found["lengths"]["slug"], found["lengths"]["city"]) == (20, None)
    past = made(store, "sides_history")
    assert past["unique"] == set()
    assert past["lengths"]["slug"] is None
    table = store.sql_model(side).__table__
    assert table.c.slug.type.length == 20
    for text in ("length=20", "uq_sides_slug", "sa.Index(None, 'city')"):
        assert text in store.to_python()
    (kept,) = (
        each.__table__
        for each in vars(execute(store.to_python())).values()
        if getattr(each, "__tablename__", "") == "sides"
    )
    assert made_again(kept, store.engine.dialect) == made_again(table, store.engine.dialect)


def made_again(table: Any, dialect: Any) -> set[str]:
    """Return what makes a table, statement by statement."""
    made: list[Any] = [CreateTable(table), *map(CreateIndex, table.indexes)]
    texts = [str(each.compile(dialect=dialect)) for each in made]
    return {line.strip(" ,\t") for text in texts for line in text.split("\n")}


def test_the_database_refuses_what_comes_past_the_store(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True))
    one, two = store.register([side(slug="a"), side(slug="b")])
    model = store.sql_model(side)
    with store.session_factory() as session:
        row = session.scalars(sa.select(model).where(model.slug == "b")).one()
        row.slug = "a"
        with pytest.raises(sa.exc.IntegrityError):
            session.commit()
    with store.session_factory() as session:
        clash = side(slug="a")
        with pytest.raises(errors.UniqueValueError):
            model.from_entity(clash, session)
    assert [each.slug for each in store.get_many([one.ecs_id, two.ecs_id])] == ["a", "b"]


def test_what_the_database_alone_knows_is_told(reopen: Callable[[], Any], monkeypatch: Any) -> None:
    from ecsviz.storage.relational.save.unique import UniqueValues

    store: Any = reopen()
    side = define("Side", slug=declared(unique=True))
    store.register(side(slug="a"))
    monkeypatch.setattr(UniqueValues, "find", lambda *_: None)  # as somebody who writes meanwhile
    late = side(slug="a")
    with pytest.raises(errors.UniqueValueError, match="Nothing was saved") as caught:
        store.register(late)
    assert "slug" in str(caught.value.field)
    assert late.version == 0
    assert len(store.list_by_type(side)) == 1


def test_it_is_declared_of_what_is_stored(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", slug=str, city=(str, ""))
    ids = [e.ecs_id for e in store.register([plain(slug=s, city="x") for s in "ab"])]
    side = define("Side", slug=declared(unique=True, max_length=9), city=(declared(index=True), ""))
    store = reopen()
    with pytest.raises(errors.SchemaOutdatedError, match=r"TEXT \[unique, max_length=9\]"):
        store.list_by_type(side)
    told = store.migrate(dry_run=True)
    assert [c.row()[:3] for c in told.changes] == [
        ("Side", "slug", "declared"),
        ("Side", "city", "declared"),
    ]
    assert made(store)["unique"] == set()
    assert store.migrate().applied
    found = made(reopen())
    assert (found["unique"], found["indexes"]) == ({"uq_sides_slug"}, {"ix_sides_city"})
    assert found["lengths"]["slug"] == 9
    again = reopen().get_many(ids)
    assert [e.version for e in again] == [1, 1]
    again[0].slug, again[1].slug = again[1].slug, again[0].slug
    store.register(again)
    with pytest.raises(errors.UniqueValueError):
        store.register(side(slug="a"))
    assert store.verify().empty
    # And back, by which all of it goes.
    define("Side", slug=str, city=(str, ""))
    store = reopen()
    store.migrate()
    found = made(store)
    assert (found["unique"], found["indexes"], found["lengths"]["slug"]) == (set(), set(), None)
    (first, _) = store.get_many(ids)
    first.slug = "a" * 100
    store.register(first)
    assert store.verify().empty


def test_values_that_stand_twice_are_named(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", slug=str)
    one, two, _ = store.register([plain(slug="a"), plain(slug="a"), plain(slug="b")])
    define("Side", slug=declared(unique=True))
    store, before = reopen(), rows_of(store)
    with pytest.raises(errors.MigrationRefusedError, match="a value stands in several") as caught:
        store.migrate()
    for part in ("'a'", str(one.ecs_id), str(two.ecs_id)):
        assert part in str(caught.value)
    assert rows_of(store) == before
    assert store.migrate(dry_run=True).refused
    (change,) = caught.value.migration.refused
    assert (change.what, change.field) == ("declared", "slug")


def test_subclasses_are_looked_at_too(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", slug=str)
    young = define("Young", plain, age=(int, 0))
    store.register([plain(slug="a"), young(slug="a")])
    side = define("Side", slug=declared(unique=True))
    define("Young", side, age=(int, 0))
    with pytest.raises(errors.MigrationRefusedError, match="Young"):
        reopen().migrate()


def test_who_is_not_migrated_is_looked_at_too(reopen: Callable[[], Any]) -> None:
    """Of a base of which nothing is stored: its other classes, migrated or not, here or not."""
    store: Any = reopen()
    plain = define("Side", slug=str)
    young, old = define("Young", plain, age=(int, 0)), define("Old", plain)
    one, _ = store.register([young(slug="a"), old(slug="b")])
    side = define("Side", slug=declared(unique=True))
    young, old = define("Young", side, age=(int, 0)), define("Old", side)
    store = reopen()
    store.migrate(young)
    schema = f"{store.metadata.schema}." if store.metadata.schema else ""

    def write(value: str) -> None:
        with store.engine.begin() as conn:
            conn.exec_driver_sql(f"UPDATE {schema}olds SET slug = '{value}'")

    write("a")
    for given in ((old,), ()):
        with pytest.raises(errors.MigrationRefusedError, match=f"Young {one.ecs_id}"):
            store.migrate(*given)
    write("b")
    store.migrate(old)
    # A process that does not know one of them.
    del plain, young
    _defined[:] = [side, old]
    gc.collect()
    store, gone = reopen(), errors.UniqueValueError
    with pytest.raises(gone, match=f"stored Young {one.ecs_id}"):
        store.register(old(slug="a"))
    with pytest.raises(gone, match=f"stored Young {one.ecs_id}"):
        store.register(side(slug="a"))
    store.register(side(slug="c"))
    stranger = define("Stranger", slug=declared(unique=True))
    store.register(stranger(slug="a"))
    define("Young", side, age=(int, 0))
    store = reopen()
    assert store.get(one.ecs_id).slug == "a"
    assert store.verify().empty


def test_texts_that_are_too_long_are_named(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", slug=str)
    long, short = store.register([plain(slug="ä" * 10), plain(slug="b")])
    short.slug = "c" * 10
    store.register(short)
    short.slug = "d"
    store.register(short)
    define("Side", slug=declared(max_length=5))
    store = reopen()
    with pytest.raises(errors.MigrationRefusedError, match=f"that of {long.ecs_id} is 10 char"):
        store.migrate()
    side = define("Side", slug=declared(max_length=10))
    store = reopen()
    store.migrate()
    assert made(store)["lengths"]["slug"] == 10
    assert store.get(short.ecs_id, as_of=2).slug == "c" * 10  # the past is as long as it was
    with pytest.raises(errors.ValueNotStorableError):
        store.register(side.model_construct(**{**short.__dict__, "slug": "x" * 11}))
    define("Side", slug=declared(max_length=30))
    store = reopen()
    store.migrate()
    assert made(store)["lengths"]["slug"] == 30
    assert store.verify().empty


def test_what_a_column_cannot_hold_exactly_is_named(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", slug=str)
    odd, _ = store.register([plain(slug="\ud800"), plain(slug="?")])
    define("Side", slug=declared(unique=True))
    with pytest.raises(errors.MigrationRefusedError, match=f"that of {odd.ecs_id} is a value of"):
        reopen().migrate()


def test_columns_come_go_and_are_renamed_with_it(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True), note=(declared(index=True), ""))
    first, second = store.register([side(slug="a"), side(slug="b", note="x")])
    uids = itertools.count(1)
    define(
        "Side",
        code=declared(unique=True, max_length=3),
        note=(declared(index=True), ""),
        uid=(Annotated[UUID, ev.column(unique=True, default_factory=lambda: UUID(int=next(uids)))]),
        more=(Annotated[int | None, ev.column(unique=True)], None),
    )
    store = reopen()
    store.migrate(rename={"Side.slug": "code"})
    found = made(store)
    assert found["unique"] == {"uq_sides_code", "uq_sides_uid", "uq_sides_more"}
    assert found["indexes"] == {"ix_sides_note"}
    assert found["lengths"]["code"] == 3
    one, two = store.get_many([first.ecs_id, second.ecs_id])
    assert (one.code, two.code, one.uid != two.uid) == ("a", "b", True)
    one.code, two.code = "b", "a"
    store.register([one, two])
    assert store.verify().empty
    define("Side", code=declared(unique=True, max_length=3))
    store = reopen()
    store.migrate(drop=["Side.note", "Side.uid", "Side.more"])
    found = made(store)
    assert (found["unique"], found["indexes"]) == ({"uq_sides_code"}, set())
    assert store.get(first.ecs_id).code == "b"
    assert store.verify().empty


def test_names_change_places(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", one=declared(unique=True), two=declared(index=True))
    first = store.register(side(one="a", two="b"))
    define("Side", two=declared(unique=True), one=declared(index=True))
    store = reopen()
    store.migrate(rename={"Side.one": "two", "Side.two": "one"})
    found = made(store)
    assert (found["unique"], found["indexes"]) == ({"uq_sides_two"}, {"ix_sides_one"})
    assert (store.get(first.ecs_id).one, store.get(first.ecs_id).two) == ("b", "a")
    assert store.verify().empty


def test_one_default_for_all_is_refused(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", name=str)
    one = store.register(plain(name="x"))
    define("Side", name=str, slug=(declared(unique=True), "same"))
    store = reopen()
    store.migrate()  # of one there is no second
    assert store.get(one.ecs_id).slug == "same"
    define("Side", name=str)
    store = reopen()
    store.migrate(drop=["Side.slug"])
    store.register(_defined[-1](name="y"))
    define("Side", name=str, slug=(declared(unique=True), "same"))
    with pytest.raises(errors.MigrationRefusedError, match="'same'"):
        reopen().migrate()
    define("Side", name=str, slug=(declared(max_length=3), "same"))
    with pytest.raises(errors.MigrationRefusedError, match="its default is 4 characters long"):
        reopen().migrate()


def test_what_is_converted_is_looked_at(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", number=int)
    one, two = store.register([plain(number=1), plain(number=2)])
    define("Side", number=declared(unique=True, max_length=2))
    for function in (lambda _: "a", lambda n: "x" * n * 2):
        with pytest.raises(errors.MigrationRefusedError):
            reopen().migrate(convert={"Side.number": function})
    store = reopen()
    store.migrate(convert={"Side.number": str})
    assert made(store)["unique"] == {"uq_sides_number"}
    found = store.get_many([one.ecs_id, two.ecs_id])
    assert [each.number for each in found] == ["1", "2"]
    found[0].number, found[1].number = "2", "1"
    store.register(found)
    assert store.verify().empty


def test_an_index_of_the_users_own_is_kept(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    plain = define("Side", slug=str, city=str)
    store.register(plain(slug="a", city="b"))
    schema = f"{store.metadata.schema}." if store.metadata.schema else ""
    with store.engine.begin() as conn:
        conn.exec_driver_sql(f"CREATE UNIQUE INDEX mine ON {schema}sides (city)")
    define("Side", slug=declared(unique=True, max_length=3), city=str)
    store = reopen()
    store.migrate()
    assert made(store)["unique"] == {"uq_sides_slug", "mine"}


def test_verify_tells_of_what_is_not_as_declared(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True), city=(declared(index=True), ""))
    young = define("Young", side, age=(int, 0))
    one, two = store.register([side(slug="a"), young(slug="b")])
    schema = f"{store.metadata.schema}." if store.metadata.schema else ""
    with store.engine.begin() as conn:
        conn.exec_driver_sql(f"UPDATE {schema}youngs SET slug = 'a'")
        conn.exec_driver_sql(f"DROP INDEX {schema}ix_sides_city")
    found = store.verify()
    (row,) = found[found["problem"] == "unique"].to_dict("records")
    assert {row["ecs_id"], one.ecs_id, two.ecs_id} == {one.ecs_id, two.ecs_id}
    assert "Side.slug is unique" in row["detail"]
    (row,) = found[found["problem"] == "schema"].to_dict("records")
    assert (row["row"], "CREATE INDEX" in row["detail"]) == ("ix_sides_city", True)
    with pytest.raises(errors.EcsvizError):
        store.adopt_changes()
    with store.engine.begin() as conn:
        conn.exec_driver_sql(f"UPDATE {schema}youngs SET slug = 'c'")
        conn.exec_driver_sql(f"CREATE INDEX ix_sides_city ON {schema}sides (city)")
    store.adopt_changes()
    assert store.verify().empty


def test_in_memory_it_is_declared_of_what_fits() -> None:
    _defined.clear()
    store = ev.InMemoryEntityStorage()
    plain = define("Side", slug=str)
    one, two = store.register([plain(slug="a"), plain(slug="abc")])
    define("Side", slug=declared(max_length=2))
    with pytest.raises(errors.SchemaOutdatedError, match="max_length=2"):
        store.get(one.ecs_id)
    side = define("Side", slug=declared(unique=True, max_length=3))
    assert store.get(two.ecs_id).slug == "abc"
    with pytest.raises(errors.UniqueValueError):
        store.register(side(slug="a"))
    define("Side", slug=declared(unique=True), more=(declared(unique=True), "same"))
    with pytest.raises(errors.SchemaOutdatedError):
        store.get(one.ecs_id)
    define("Side", slug=str)
    store.register(_defined[-1](slug="a"))
    define("Side", slug=declared(unique=True))
    with pytest.raises(errors.SchemaOutdatedError):
        store.get(one.ecs_id)


def test_a_picture_shows_what_is_unique(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True), city=declared(index=True))
    store.register(side(slug="a", city="b"))
    for what in (store, side):
        marks = [text.get_text() for text in ev.draw.draw_schema(what).texts]
        assert "UQ" in marks


def test_a_plan_foresees_it(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True))
    one, two = store.register([side(slug="a"), side(slug="b")])
    with pytest.raises(errors.UniqueValueError) as caught:
        store.explain(side(slug="a"))
    assert caught.value.other == one.ecs_id
    assert store.explain(side(slug="a"), match="slug").changed == 0
    one.slug, two.slug = "b", "a"
    plan = store.explain([one, two])
    free = [(step.table, step.rows) for step in plan.steps if step.what == "free"]
    assert free == ([] if store.engine.dialect.name == "postgresql" else [("sides", 2)])
    assert not store.explain(store.register([one, two]))


def test_an_index_of_words_keeps_step(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True, max_length=30))
    sides = store.register([side(slug="first word"), side(slug="second word")])
    store.index_text(side)
    sides[0].slug, sides[1].slug = sides[1].slug, sides[0].slug
    store.register(sides)
    assert [hit.ecs_id for hit in store.search("second", side)] == [sides[0].ecs_id]
    assert len(store.search("word")) == 2
    assert store.verify().empty


def test_it_is_read_without_the_class(reopen: Callable[[], Any]) -> None:
    store: Any = reopen()
    side = define("Side", slug=declared(unique=True, max_length=30), city=declared(index=True))
    one = store.register(side(slug="a", city="b"))
    bare = BareStore(store)
    assert bare.types()["Side"].fields["slug"] == "TEXT [unique, max_length=30]"
    (node,) = bare.graph().nodes
    assert (node.ecs_id, node.label_state["slug"]) == (one.ecs_id, "a")
    assert [c.kind for c in store.inside.columns("Side")] == ["text", "text", "number"]
    assert store.frame(side)["slug"].tolist() == ["a"]


class OwnBase(DeclarativeBase):
    pass


class OwnSideSQL(OwnBase):
    __tablename__ = "own_sides"
    id: Mapped[int] = mapped_column(primary_key=True)
    ecs_id: Mapped[str] = mapped_column(index=True)
    slug: Mapped[str] = mapped_column(unique=True)

    def to_entity(self) -> Any:
        return _defined[0](ecs_id=UUID(self.ecs_id), slug=self.slug)

    @classmethod
    def from_entity(cls, entity: Any, session: Any) -> OwnSideSQL:
        row = cls(ecs_id=str(entity.ecs_id), slug=entity.slug)
        session.add(row)
        return row


def test_a_table_of_ones_own_keeps_its_own(tmp_path: Any) -> None:
    _defined.clear()
    side = define("OwnSide", slug=declared(unique=True))
    store = ev.SQLAlchemyEntityStorage(tmp_path / "own.db", models={side: OwnSideSQL})
    store.register(side(slug="a"))
    late = side(slug="a")
    with pytest.raises(errors.UniqueValueError, match=r"own_sides\.slug"):
        store.register(late)
    assert (late.version, len(store)) == (0, 1)


def test_statements_do_not_grow(tmp_path: Any) -> None:
    _defined.clear()
    side = define("Side", slug=declared(unique=True), nick=(declared(unique=True), ""))
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    counts = []
    for size in (4, 400):
        sides = [side(slug=f"{size} {n}", nick=f"{size} {n}") for n in range(size)]
        with counted() as first:
            store.register(sides)
        slugs = [each.slug for each in sides]
        for each, slug in zip(sides, [*slugs[1:], slugs[0]], strict=True):
            each.slug = slug
        with counted() as second:
            store.register(sides)
        counts.append((len(first) if size == 400 else 0, len(second)))
        asked = [
            text for text in second if text.startswith("SELECT sides.id, sides.ecs_id, sides.")
        ]
        assert len(asked) == 2  # one for each unique column
    assert counts[0][1] == counts[1][1]


MEETING = """
import sys, time
from pathlib import Path
from typing import Annotated
import ecsviz as ev

class Meeter(ev.Entity):
    slug: Annotated[str, ev.column(unique=True)]
    said: int = 0

address, schema, me = sys.argv[1], sys.argv[2] or None, int(sys.argv[3])
store = ev.SQLAlchemyEntityStorage(address, schema=schema, timeout=30)
Path(f"here{me}").touch()
while not Path(f"here{1 - me}").exists():
    time.sleep(0.01)
counts = {"saved": 0, "taken": 0}
for number in range(20):
    try:
        store.register(Meeter(slug=str(number), said=me))
        counts["saved"] += 1
    except ev.errors.UniqueValueError as error:
        assert error.other is not None
        counts["taken"] += 1
for number in range(20, 40):
    store.register(Meeter(slug=str(number), said=me), match="slug")
print(counts["saved"], counts["taken"])
"""


@pytest.mark.process
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_processes_that_meet(kind: str, tmp_path: Any, request: pytest.FixtureRequest) -> None:
    address, schema = str(tmp_path / "met.db"), ""
    if kind == "postgresql":
        store: Any = OPENERS[kind](tmp_path, request)()
        address = store.engine.url.render_as_string(hide_password=False)
        schema = store.metadata.schema
    started = [
        subprocess.Popen(
            [sys.executable, "-c", MEETING, address, schema, str(me)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(Path(ev.__file__).parents[1])},
        )
        for me in (0, 1)
    ]
    said = [each.communicate(timeout=300) for each in started]
    assert [each.returncode for each in started] == [0, 0], said
    counts = [tuple(map(int, out.split())) for out, _ in said]
    assert sum(saved for saved, _ in counts) == sum(taken for _, taken in counts) == 20
    rows = rows_of(ev.SQLAlchemyEntityStorage(address, schema=schema or None))["meeters"]
    assert len(rows) == 40
