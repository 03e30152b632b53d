"""``read_database(…).draw_schema()``: tables, keys, and how many lead to how many."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

import ecsviz as ev
from ecsviz import read_database
from ecsviz.domain.labels import label_of
from ecsviz.draw.tables import schema_of
from ecsviz.importers.database import Database
from tests.databases import counted, execute, read
from tests.test_draw import texts


def test_the_picture_of_a_schema(shop: Database) -> None:
    ax = shop.draw_schema(title="Shop")
    lines = ["Shop", "6 tables, 6 foreign keys, 2 cyclic components"]
    assert ax.get_title(loc="left").splitlines() == lines
    assert sorted(texts(ax, "label")) == shop.tables
    assert sum("FK" in mark for mark in texts(ax, "key")) == 7
    assert {"VARCHAR(40)", "NUMERIC(10, 2)?", "TEXT?"} <= set(texts(ax, "kind"))
    assert " ".join("".join(texts(ax, "note")).split()).endswith("Not shown is 1 view.")
    assert ax.get_legend() is not None
    assert shop.draw_schema(legend=False).get_legend() is None
    again = ev.draw.draw_schema(shop)
    assert [text.get_text() for text in again.texts] == [text.get_text() for text in ax.texts]


def drawn(db: Database) -> dict[str, tuple[bool, bool]]:
    """Return per key whether several rows may lead to the same one, and some to none."""
    return {link.name: (link.many_sources, link.optional) for link in schema_of(db).links}


def test_the_picture_tells_which_keys_are_of_one_row(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY);
        CREATE TABLE a (
            one INTEGER NOT NULL UNIQUE REFERENCES t, many INTEGER NOT NULL REFERENCES t,
            own INTEGER REFERENCES t, some INTEGER REFERENCES t, low INTEGER REFERENCES t,
            with_more INTEGER REFERENCES t, UNIQUE (with_more, many));
        CREATE UNIQUE INDEX by_own ON a (own);
        CREATE UNIQUE INDEX by_some ON a (some) WHERE some > 5;
        CREATE UNIQUE INDEX by_low ON a (abs(low));
        CREATE TABLE child (id INTEGER PRIMARY KEY REFERENCES t);
        """,
    )
    with db, counted() as statements:
        assert drawn(db) == {
            "one": (False, False),
            "many": (True, False),
            "own": (False, True),
            "some": (True, True),
            "low": (True, True),
            "with_more": (True, True),
            "id": (False, False),
        }
    assert len(statements) == 1


def test_keys_that_lead_nowhere_do_not_break_the_picture(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        """
        CREATE TABLE a (x INTEGER PRIMARY KEY, y INTEGER REFERENCES gone (id), z REFERENCES b (no));
        CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a);
        INSERT INTO b VALUES (1, 77);
        """,
    )
    with db:
        ax = db.draw_schema()
        assert ax.get_title(loc="left") == "2 tables, 1 foreign key, no cycle"
        told = "Not shown are 2 foreign keys that cannot be followed."
        assert " ".join(" ".join(texts(ax, "note")).split()).endswith(told)
        assert texts(ax, "key").count("FK") == 3
    empty = ev.read_database(execute(tmp_path / "empty.db", "CREATE VIEW v AS SELECT 1"))
    with empty:
        assert "there are no tables" in texts(empty.draw_schema(), "note")[0]


@pytest.mark.parametrize("name", ["sakila", "chinook"])
def test_well_known_databases_are_drawn(shared: Path, name: str) -> None:
    with ev.read_database(shared / "data" / "sql" / f"{name}.sqlite") as db:
        ax = db.draw_schema()
        assert ax.get_title(loc="left").startswith(f"{len(db.tables)} tables, {len(db.keys)} ")
        assert sorted(texts(ax, "label")) == db.tables


def test_rows_are_labelled_by_what_they_are_called(tmp_path: Path) -> None:
    script = """
        create table city (id integer primary key, city text);
        create table person (id integer primary key, first_name text, last_name text, city_id
            references city);
        create table part (code text unique, notes text, id integer primary key, maker
            references person);
        create table log (id integer primary key, text text, part_id references part (id));
        insert into city values (1, 'Ulm');
        insert into person values (1, 'Ann', 'Lee', 1), (2, 'Bo', null, 1), (3, null, x'ff', 1);
        insert into part values ('AB-7', 'x', 9, 1), (null, 'y', 10, 2);
        insert into log values (1, 'seen', 9);
    """
    with read_database(execute(tmp_path / "a.db", script)) as db:
        for graph in (db.row_graph(), db.row_graph("part", hops=None)):
            labels = {str(node): label_of(node, with_type=False) for node in graph.nodes}
            assert labels == {
                "city 1": "Ulm",
                "person 1": "Ann Lee",
                "person 2": "Bo",
                "person 3": "person 3",
                "part 9": "AB-7",
                "part 10": "part 10",
                "log 1": "log 1",
            }
            again = pickle.loads(pickle.dumps(graph.nodes))
            assert {str(node): label_of(node, with_type=False) for node in again} == labels
        assert label_of(db.row_graph("city").nodes[0]) == "city 1 Ulm"
        assert "Ann Lee" in [text.get_text() for text in db.row_graph().draw().texts]
