"""``db.problems_frame()``: what is amiss in a database, and what to do about it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest
import sqlalchemy as sa

from ecsviz import read_database
from tests.databases import execute

SCRIPT = """
    create table country (code char(2) primary key);
    create table "the staff" (id integer primary key, store_id integer not null,
        country char(2), foreign key (store_id) references store (id),
        foreign key (country) references country (code));
    create table store (id integer primary key, manager_id integer,
        foreign key (manager_id) references "the staff" (id));
    create index by_manager on store (manager_id, id);
    create table lines (year integer, number integer, what integer,
        foreign key (what) references store (id), primary key (what, number));
    create table notes (id integer primary key, text varchar(40));
"""
ROWS = """
    insert into country values ('de');
    insert into "the staff" values (1, 1, 'de'), (2, 9, 'fr'), (3, 8, null);
    insert into store values (1, 1);
"""


def told(frame: pd.DataFrame, kind: str) -> list[list[object]]:
    here = frame[frame["kind"] == kind]
    return here[["table", "columns", "target"]].values.tolist()


def test_what_is_amiss_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = execute(tmp_path / "a.db", SCRIPT, ROWS)
    with read_database(path) as db:
        found = db.problems_frame()
        assert list(found) == ["kind", "table", "columns", "target", "problem", "remedy", "rows"]
        store = ["the staff", "store_id", "store"]
        country = ["the staff", "country", "country"]
        assert told(found, "dangling") == [store, country]
        assert found[found["kind"] == "dangling"]["rows"].tolist() == [2, 1]
        assert told(found, "no index") == [store, country]
        assert told(found, "alone") == [["notes", "", ""]]
        ((_, cyclic),) = found[found["kind"] == "closes a cycle"].iterrows()
        assert cyclic["table"] == "store", "its key may be NULL"
        assert cyclic["remedy"] == (
            "load store, the staff, with NULL in store.manager_id, which is set at the end"
        )
        assert len(found) == 6
        by_key = found.set_index(["kind", "columns"])["remedy"]
    conn = sqlite3.connect(path)
    assert [row[0] for row in conn.execute(by_key["dangling", "store_id"])] == [2, 3]
    assert [row[0] for row in conn.execute(by_key["dangling", "country"])] == [2]
    for statement in by_key["no index"]:
        conn.execute(statement)
    conn.execute('delete from "the staff" where id > 1')
    conn.commit()
    conn.close()
    with read_database(path) as db:
        assert db.problems_frame()["kind"].tolist() == ["closes a cycle", "alone"]


def test_what_problems_lists_is_there_with_its_kind(tmp_path: Path) -> None:
    script = "create table a (id integer primary key, b_id references gone (id));"
    with read_database(execute(tmp_path / "a.db", script)) as db:
        found = db.problems_frame()
        assert found["kind"].tolist() == ["not followed"]
        assert found["problem"].tolist() == db.problems["problem"].tolist()


def test_guessed_keys_are_told_until_they_are_declared(tmp_path: Path) -> None:
    made = "create table customers (id integer primary key);"
    orders = "create table orders (id integer primary key, customer_id integer{});"
    rows = "insert into customers values (1), (2); insert into orders values (1, 1), (2, 2);"
    index = "create index i on orders (customer_id);"
    path = execute(tmp_path / "a.db", made, orders.format(""), rows, index)
    with read_database(path, keys="guess") as db:
        ((_, guessed),) = db.problems_frame().iterrows()
        assert guessed[["kind", "table", "columns", "target"]].tolist() == [
            *("guessed", "orders", "customer_id", "customers")
        ]
        assert guessed["remedy"] == (
            'ALTER TABLE "orders" ADD FOREIGN KEY ("customer_id") REFERENCES "customers" ("id")'
        )
    declared = orders.format(" references customers")
    with read_database(execute(tmp_path / "b.db", made, declared, rows, index), keys="guess") as db:
        assert db.problems_frame().empty


def test_a_database_in_order_has_an_empty_frame(tmp_path: Path) -> None:
    with read_database(execute(tmp_path / "a.db", "create view v as select 1")) as db:
        found = db.problems_frame()
        assert found.empty
        assert str(found.dtypes["rows"]) == "Int64"


@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_servers_tell_the_same(engine: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue(f"{engine}_url")
    name = "amiss"
    made = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with made.connect() as conn:
        conn.exec_driver_sql(f"create schema {name}")
        conn.exec_driver_sql(f"create table {name}.b (id integer primary key)")
        conn.exec_driver_sql(
            f"create table {name}.a (id integer primary key, b_id integer not null,"
            f" c_id integer, foreign key (b_id) references {name}.b (id))"
        )
        conn.exec_driver_sql(f"create table {name}.lone (id integer primary key)")
    with read_database(url, schema=name) as db:
        found = db.problems_frame()
        assert told(found, "alone") == [["lone", "", ""]]
        missing = told(found, "no index")
        # InnoDB makes an index for every key by itself.
        assert missing == ([["a", "b_id", "b"]] if engine == "postgres" else [])
    with made.connect() as conn:
        for statement in found[found["kind"] == "no index"]["remedy"]:
            conn.exec_driver_sql(statement)
        conn.exec_driver_sql(f"drop schema {name}" + " cascade" * (engine == "postgres"))
    made.dispose()
