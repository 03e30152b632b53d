"""adopt_changes(): what was changed through SQL becomes a revision, or is refused as a whole."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from tests.conformance.conftest import OPENERS, Open
from tests.databases import counted

Store = ev.SQLAlchemyEntityStorage


class Crew(ev.Entity):
    name: str
    sailors: list[Sailor] = []
    guests: list[Sailor] = ev.reference(inverse=None, default_factory=list)
    by_role: dict[str, Sailor] = {}


class Sailor(ev.Entity):
    crew: Crew
    name: str
    meta: dict[str, Any] = {}
    age: int | None = None


Crew.model_rebuild()


@pytest.fixture(params=["sqlite", "engine", "postgresql"])
def reopen(request: pytest.FixtureRequest, tmp_path: Any) -> Open:
    return OPENERS[request.param](tmp_path, request)


@pytest.fixture
def store(reopen: Open) -> Any:
    return reopen()


def crew(names: str = "abc") -> Crew:
    made = Crew(name="red")
    made.sailors = [Sailor(name=name, crew=made) for name in names]
    made.guests = [made.sailors[0], made.sailors[1]]
    made.by_role = {"cook": made.sailors[2]}
    return made


def sql(store: Any, text: str, **values: Any) -> None:
    schema = f"{store.metadata.schema}." if store.metadata.schema else ""
    with store.session_factory.begin() as session:
        session.execute(sa.text(text.replace("{s}", schema)), values)


def what(frame: Any) -> list[tuple[str, str, int]]:
    return sorted(zip(frame["class"], frame["what"], frame["version"], strict=True))


def everything(store: Any) -> Any:
    with store.engine.connect() as conn:
        found = {}
        inspector = sa.inspect(conn)
        for name in sorted(inspector.get_table_names(schema=store.metadata.schema)):
            table = sa.Table(name, sa.MetaData(), autoload_with=conn, schema=store.metadata.schema)
            found[name] = sorted(map(repr, conn.execute(sa.select(table)).all()))
        return found


def test_nothing_changed_is_no_revision(store: Any) -> None:
    assert not len(store.adopt_changes())
    store.register(crew())
    assert not len(store.adopt_changes(note="nothing"))
    assert len(store.revisions()) == 1


def test_a_changed_row(store: Any, reopen: Open) -> None:
    one = store.register(crew())
    one.sailors[0].name = "A"
    store.register(one)
    sql(store, "UPDATE {s}sailors SET name = 'ANN', age = 40 WHERE name = 'A'")
    assert len(store.verify())
    before = everything(store)
    told = store.adopt_changes(dry_run=True)
    assert everything(store) == before
    done = store.adopt_changes(note="by hand")
    assert what(done) == what(told) == [("Crew", "changed", 2), ("Sailor", "changed", 3)]
    assert not len(store.verify())
    assert store.revisions()["note"].iloc[-1] == "by hand"
    again: Any = reopen()
    got = again.get(one.ecs_id)
    assert (got.sailors[0].name, got.sailors[0].age) == ("ANN", 40)
    assert not again.explain(got)
    # What is known of the past stays; what was overwritten is told as it was found.
    assert again.get(one.ecs_id, as_of=1).sailors[0].name == "a"
    assert again.get(one.ecs_id, as_of=2).sailors[0].name == "ANN"
    assert list(again.history(one.sailors[0].ecs_id)["version"]) == [1, 2, 3]
    with pytest.raises(errors.StaleVersionError):
        store.register(one)
    assert not len(store.adopt_changes())


def test_association_rows(store: Any, reopen: Open) -> None:
    one = store.register(crew())
    sql(store, "DELETE FROM {s}crew_guests WHERE position = 0")
    sql(store, "UPDATE {s}crew_by_role SET key = 'mate'")
    assert what(store.adopt_changes()) == [("Crew", "changed", 2)]
    got: Any = reopen().get(one.ecs_id)
    assert [s.name for s in got.guests] == ["b"]
    assert list(got.by_role) == ["mate"]
    assert not len(store.verify())
    with pytest.raises(errors.StaleVersionError):
        store.register(one)


def test_added_rows(store: Any, reopen: Open) -> None:
    one = store.register(crew())
    new = uuid4()
    with store.session_factory.begin() as session:
        row = session.scalars(sa.select(store.sql_model(Crew))).one()
        own = {"id": 99, "ecs_id": new, "ecs_lineage_id": new, "ecs_version": 0, "ecs_revision": 0}
        row.sailors.append(store.sql_model(Sailor)(**own, name="d", meta={}))
    found = store.adopt_changes()
    assert what(found) == [("Crew", "changed", 2), ("Sailor", "added", 1)]
    assert not len(store.verify())
    again: Any = reopen()
    got = again.get(one.ecs_id)
    assert [s.name for s in got.sailors] == list("abcd")
    assert got.sailors[3].version == 1
    got.sailors.append(Sailor(name="e", crew=got))
    again.register(got)
    assert not len(again.verify())
    with pytest.raises(errors.StaleVersionError):
        store.register(one)


def test_a_row_without_our_columns_does_not_get_in(store: Any) -> None:
    store.register(crew())
    with pytest.raises(sa.exc.IntegrityError):
        sql(store, "INSERT INTO {s}sailors (name) VALUES ('d')")


def test_deleted_rows(store: Any) -> None:
    one = store.register(crew())
    one.sailors[1].name = "B"
    store.register(one)
    sql(store, "DELETE FROM {s}crew_guests WHERE position = 1")
    sql(store, "DELETE FROM {s}sailors WHERE name = 'B'")
    found = store.adopt_changes()
    assert ("Sailor", "deleted", 2) in what(found)
    assert not len(store.verify())
    assert not store.has_entity(one.sailors[1].ecs_id)
    assert [s.name for s in store.get(one.ecs_id).sailors] == ["a", "c"]
    assert [s.name for s in store.get(one.ecs_id, as_of=1).sailors] == ["a", "b", "c"]
    with pytest.raises(errors.EcsvizError):
        store.register(one)


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE {s}sailors SET meta = '7' WHERE name = 'a'", "meta in row 1"),
        ("UPDATE {s}sailors SET crew_position = 0 WHERE name = 'b'", "taken twice"),
        ("UPDATE {s}sailors SET ecs_version = 0 WHERE name = 'b'", "ecs_version of row 2"),
        ("UPDATE {s}sailors SET ecs_revision = 77 WHERE name = 'b'", "ecs_revision of row 2"),
        ("UPDATE {s}crew_guests SET sailor_id = NULL", "refers to nothing"),
    ],
)
def test_what_cannot_be_taken_over_is_refused(store: Any, statement: str, told: str) -> None:
    one = store.register(crew())
    sql(store, statement)
    sql(store, "UPDATE {s}crews SET name = 'blue'")
    before = everything(store)
    with pytest.raises(errors.EcsvizError, match=told):
        store.adopt_changes()
    assert everything(store) == before
    assert len(store.revisions()) == 1
    assert one.version == 1


def test_dangling_references_are_refused(tmp_path: Any) -> None:
    store = Store(tmp_path / "a.db")
    store.register(crew())
    with store.engine.begin() as conn:  # without foreign keys enforced
        conn.exec_driver_sql("UPDATE sailors SET crew_id = 99 WHERE name = 'a'")
    with pytest.raises(errors.EcsvizError, match="99"):
        store.adopt_changes()


def test_damage_of_the_past_is_not_made_good(tmp_path: Any) -> None:
    store = Store(tmp_path / "a.db")
    one = store.register(crew())
    one.sailors[0].name = "A"
    store.register(one)
    sql(store, "UPDATE sailors_history SET name = 'forged'")
    assert not len(store.adopt_changes())
    sql(store, "UPDATE sailors SET name = 'Z' WHERE name = 'A'")
    store.adopt_changes()
    assert set(store.verify()["table"]) == {"sailors_history"}


def test_the_statements_do_not_grow_with_the_rows(tmp_path: Any) -> None:
    sent = []
    for count in (5, 200):
        store = Store(tmp_path / f"{count}.db")
        one = Crew(name="red")
        one.sailors = [Sailor(name=str(n), crew=one) for n in range(count)]
        store.register(one)
        sql(store, "UPDATE sailors SET age = 3")
        with counted() as statements:
            assert len(store.adopt_changes()) == count + 1
        sent.append(len(statements))
    assert sent[0] == sent[1]
