"""``read_database``: copies in a store, and real databases."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers.database import Database, kinds
from ecsviz.importers.database.making import NAMESPACE
from ecsviz.isomorphic import find_difference
from tests.databases import SHOP, execute, read, tables_in
from tests.processes import in_a_new_process
from tests.test_read_database import check_figures

# -- copies ----------------------------------------------------------------------------------


def rows_of(db: Database, entities: list[Any], table: str) -> list[tuple[Any, ...]]:
    """The entities' own values as rows of the table they come from, in an order of their own."""
    columns = db.columns_frame()
    fields = columns.loc[columns["table"] == table, "field"].to_list()
    rows = [tuple(getattr(entity, field) for field in fields) for entity in entities]
    return sorted(rows, key=repr)


def plain_rows(db: Database, table: str) -> list[tuple[Any, ...]]:
    """The rows of a table as SQLite holds them, read past all of ours."""
    with db._source.reading() as conn:
        query = sa.text('SELECT * FROM "' + table.replace('"', '""') + '"')
        return sorted((tuple(row) for row in conn.execute(query)), key=repr)


def test_a_copy_is_the_same_graph(shop: Database, tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    copied = shop.copy_to(store, note="the shop")
    assert store.revisions()["note"].to_list() == ["the shop"]
    assert {name: len(entities) for name, entities in copied.items()} == {
        name: len(shop.frame(name)) for name in shop.tables
    }
    for name, entities in copied.items():
        again = store.list_by_type(shop.classes[name])
        assert rows_of(shop, again, name) == rows_of(shop, entities, name)
        by_id = {entity.ecs_id: entity for entity in again}
        for entity in entities:
            assert find_difference(entity, by_id[entity.ecs_id]) is None
    assert store.verify().empty
    assert len(store.graph()) == 15


def test_copying_again_writes_what_changed(tmp_path: Path) -> None:
    path = execute(tmp_path / "shop.db", SHOP)
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    ev.read_database(path).copy_to(store)
    ev.read_database(path).copy_to(store)
    assert len(store.revisions()) == 1
    execute(path, "UPDATE customers SET name = 'Anna' WHERE id = 1")
    db = ev.read_database(path)
    db.copy_to(store)
    assert store.revisions()[["added", "changed"]].values.tolist() == [[15, 0], [0, 1]]
    assert store.find(db.classes["customers"], id=1)[0].name == "Anna"
    execute(path, "UPDATE customers SET name = 'Annika', seen = NULL WHERE id = 1")
    execute(path, "DELETE FROM orders WHERE year = 2025")
    db = ev.read_database(path)
    db.copy_to(store)
    assert store.revisions()[["added", "changed", "deleted"]].values.tolist()[-1] == [0, 1, 0]
    (anna,) = store.find(db.classes["customers"], id=1)
    assert (anna.name, anna.seen, anna.version) == ("Annika", None, 3)


def test_a_table_that_is_too_wide_for_the_store_is_told_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    columns = ", ".join(f"c{n}" for n in range(1_999))
    db = read(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY); INSERT INTO a VALUES (1);",
        f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {columns}); INSERT INTO wide (c7) VALUES (5);",
    )
    told = r"wide\w* would have 2,\d+ columns, and SQLite takes 2,000 at the most"
    for chunks in (None, 1):
        path = tmp_path / f"{chunks}.db"
        with ev.SQLAlchemyEntityStorage(path) as store:
            with pytest.raises(errors.UnsupportedFieldError, match=told):
                db.copy_to(store, chunks=chunks)
            assert len(store) == 0
        assert not {name for name in tables_in(path) if name.startswith(("a", "wide"))}
    memory = ev.InMemoryEntityStorage()
    assert db.copy_to(memory)["wide"][0].c7 == 5
    db.close()


def test_the_classes_of_a_copy_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = execute(
        tmp_path / "a.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INT, t INT NOT NULL REFERENCES t)",
        "INSERT INTO t VALUES (1, 1, 1), (2, 'x', 1), (3, 3, 9)",
    )
    monkeypatch.setattr(kinds, "LOOKED_AT", 1)
    for chunks, kind in ((None, ev.InMemoryEntityStorage), (1, ev.SQLAlchemyEntityStorage)):
        empty, store = (kind(*[":memory:"] * (chunks == 1)) for _ in range(2))
        with ev.read_database(path) as db:
            db.copy_to(store, chunks=chunks)
        with ev.read_database(path) as db:
            cls = db.classes["t"]
            assert not empty.list_by_type(cls)
            for ask in (store.list_by_type, store.find, store.count):
                with pytest.raises(errors.UnknownTypeError, match=r"first rows .* look_at_all"):
                    ask(cls)
            db.look_at_all()
            assert store.count(db.classes["t"]) == 3
            assert not empty.list_by_type(db.classes["t"])
            assert sorted(str(one.n) for one in store.list_by_type(db.classes["t"])) == [
                *("1", "3", "x"),
            ]


def test_ids_are_named_by_table_and_key(tmp_path: Path) -> None:
    keys = [1, -5, 2**62, 1.5, "x", 'x"é\n\U0001f600', b"ab", ""]
    path = execute(tmp_path / "a.db", 'CREATE TABLE "a é" (k, n, PRIMARY KEY (k, n))')
    with contextlib.closing(sqlite3.connect(path)) as conn, conn:
        conn.executemany('INSERT INTO "a é" VALUES (?, ?)', [(k, n) for k in keys for n in keys])
    with ev.read_database(path) as db:
        found = {(one.k, one.n): one.ecs_id for one in db.entities("a é")}
    assert len(found) == len(keys) ** 2
    for key, ecs_id in found.items():
        told = [["bytes", part.hex()] if isinstance(part, bytes) else part for part in key]
        assert ecs_id == uuid.uuid5(NAMESPACE, json.dumps(["a é", "key", *told]))


def test_databases_with_tables_of_one_name_stand_side_by_side(tmp_path: Path) -> None:
    one = ev.read_database(
        execute(tmp_path / "one.db", "CREATE TABLE t (a INTEGER)", "INSERT INTO t VALUES (1)")
    )
    two = ev.read_database(
        execute(
            tmp_path / "two.db",
            "CREATE TABLE t (a TEXT, b TEXT)",
            "INSERT INTO t VALUES ('x', 'y')",
        )
    )
    (first,), (second,) = one.entities("t"), two.entities("t")
    assert not isinstance(first, type(second))
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    one.copy_to(store)
    two.copy_to(store)
    assert store.get(first.ecs_id).a == 1
    assert store.get(second.ecs_id).b == "y"


FRESH = """
import json, sys
import ecsviz as ev

with ev.read_database(sys.argv[1]) as db:
    store = ev.SQLAlchemyEntityStorage(sys.argv[2])
    classes = db.classes
    ids = [entity.ecs_id for table in db.tables for entity in db.entities(table)]
    from ecsviz.isomorphic import find_difference
    pairs = [
        (entity, store.get(entity.ecs_id)) for table in db.tables for entity in db.entities(table)
    ]
    told = [find_difference(entity, there, versions=False) for entity, there in pairs]
    wrong = [where for where in told if where is not None]
    db.copy_to(store)
    print(json.dumps([len(ids), len(store.get_many(ids)), wrong, len(store.revisions())]))
"""


def test_another_process_reads_the_copy(tmp_path: Path) -> None:
    path = execute(tmp_path / "shop.db", SHOP)
    with ev.read_database(path) as db:
        db.copy_to(ev.SQLAlchemyEntityStorage(tmp_path / "store.db"))
    assert json.loads(in_a_new_process(FRESH, path, tmp_path / "store.db")) == [15, 15, [], 1]


# -- real databases --------------------------------------------------------------------------


EIGHTHS = range(8)
"""The databases of SQLAlchemy's tests in parts, so that several processes can share them."""
ROWS = 1_983


@pytest.mark.parametrize("part", EIGHTHS)
def test_the_databases_of_sqlalchemys_own_tests(shared: Path, tmp_path: Path, part: int) -> None:
    told = json.loads((shared / "data/peer/sqlalchemy_orm_databases.json").read_text())
    every = told["databases"]
    inserts = sum(line.startswith("INSERT") for case in every for line in case["sql"])
    assert (len(every), inserts) == (98, ROWS)
    cases = every[part :: len(EIGHTHS)]
    rows = 0
    for number, case in enumerate(cases):
        path = execute(tmp_path / f"{number}.db", "\n".join(case["sql"]))
        target = tmp_path / f"{number}.store"
        with ev.read_database(path) as db:
            check_figures(db, case["ground_truth"])
            db.copy_to(ev.SQLAlchemyEntityStorage(target))
        with ev.read_database(path) as again:
            store = ev.SQLAlchemyEntityStorage(target)
            for table in again.tables:
                read = store.list_by_type(again.classes[table])
                assert rows_of(again, read, table) == plain_rows(again, table), case["test"]
                rows += len(read)
                by_id = {entity.ecs_id: entity for entity in read}
                for entity in again.entities(table):
                    assert find_difference(entity, by_id[entity.ecs_id], versions=False) is None, (
                        case["test"]
                    )
    assert rows == sum(line.startswith("INSERT") for case in cases for line in case["sql"]) > 0


def test_sakila(shared: Path) -> None:
    with ev.read_database(shared / "data/sql/sakila.sqlite") as db:
        graph = db.graph()
        (cycle,) = graph.get_cycles()
        assert str(cycle) == "Cycle(staff.store_id -> store.manager_staff_id)"
        axes = graph.draw()
        assert axes.get_title(loc="left") == "16 tables, 22 references, 1 cyclic component"
        drawn = {child.get_gid() for child in axes.get_children()}
        assert {"cyclic components", "cycle references", "deferred references"} <= drawn
        customer = db.row_graph("customer", where={"customer_id": 5})
        assert len(customer.dependencies("customer 5")) == 2
        assert len(customer.dependents("customer 5")) == 76
        (five,) = db.entities("customer", where={"customer_id": 5})
        assert five.store.manager_staff.store is five.store
        assert five.address.city.country.country == "Taiwan"


def test_chinook(shared: Path) -> None:
    with ev.read_database(shared / "data/sql/chinook.sqlite") as db:
        assert db.graph().cyclic_components() == [["Employee"]]
        assert db.graph().draw().get_title(loc="left").startswith("11 tables, 11 references")
        graph = db.row_graph("Customer", where={"CustomerId": 5}, hops=2)
        kinds = graph.nodes_frame()["type"].value_counts().to_dict()
        assert kinds["Customer"] > 1  # of the same employee
        assert len(graph.dependents("Customer 5")) == 7
        (track,) = db.entities("Track", where={"TrackId": 1})
        assert track.Album.Artist.Name == "AC/DC"
