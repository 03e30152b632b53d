"""``read_database`` on PostgreSQL: its types, schemas, partitions, and that nothing is written."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from uuid import UUID

import pandas as pd
import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.draw.tables import schema_of
from ecsviz.isomorphic import find_difference
from tests.databases import counted

TABLES = """
    CREATE TYPE mood AS ENUM ('fine', 'bad');
    CREATE TABLE region (code CHAR(3) PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE "Customers" (
        id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "Full Name" VARCHAR(40) NOT NULL,
        version INTEGER, balance NUMERIC(30, 10), score DOUBLE PRECISION, active BOOLEAN NOT NULL,
        born DATE, seen TIMESTAMP, since TIMESTAMPTZ, at TIME, took INTERVAL, token UUID,
        photo BYTEA, extra JSONB, tags TEXT[], mood mood, address INET, span INT4RANGE,
        region_name TEXT REFERENCES region (name), referred_by BIGINT REFERENCES "Customers");
    CREATE TABLE a (id INT PRIMARY KEY, b_id INT NOT NULL);
    CREATE TABLE b (id INT PRIMARY KEY, a_id INT NOT NULL
        REFERENCES a DEFERRABLE INITIALLY DEFERRED);
    ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b DEFERRABLE INITIALLY DEFERRED;
    CREATE TABLE pair (x INT, y TEXT, PRIMARY KEY (x, y));
    CREATE TABLE log (x INT, y TEXT, said TEXT, FOREIGN KEY (x, y) REFERENCES pair);
    CREATE TABLE part (id INT, k INT REFERENCES a) PARTITION BY RANGE (id);
    CREATE TABLE part_low PARTITION OF part FOR VALUES FROM (0) TO (10);
    CREATE TABLE part_high PARTITION OF part FOR VALUES FROM (10) TO (20);
    CREATE VIEW everyone AS SELECT * FROM "Customers";
    CREATE MATERIALIZED VIEW regions AS SELECT * FROM region;

    INSERT INTO region VALUES ('eu', 'Europe');
    INSERT INTO "Customers" ("Full Name", version, balance, score, active, born, seen, since, at,
        took, token, photo, extra, tags, mood, address, span, region_name, referred_by)
    VALUES ('Ann', 3, 12345678901234567890.0123456789, 'NaN', true, '2024-02-29',
        '2024-02-29 01:02:03.000004', '2024-02-29 01:02:03+02', '01:02:03', '1 day 2 hours',
        '12345678-1234-5678-1234-567812345678', '\\x00ff', '{"a": [1, null]}', '{x,"y z"}', 'bad',
        '10.0.0.1', '[1,5)', 'Europe', 1);
    INSERT INTO "Customers" ("Full Name", active) VALUES ('Bo', false);
    BEGIN;
    INSERT INTO a VALUES (1, 1); INSERT INTO b VALUES (1, 1);
    COMMIT;
    INSERT INTO pair VALUES (1, 'a'), (1, 'b');
    INSERT INTO log VALUES (1, 'a', 'hi'), (1, 'a', 'hi'), (1, 'b', 'ho'), (1, NULL, 'x');
    INSERT INTO part VALUES (1, 1), (11, 1);
"""


@pytest.fixture(scope="module")
def url(postgres_url: str) -> str:
    engine = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        # A process that shares its tests with others may come back to this module.
        conn.exec_driver_sql("DROP DATABASE IF EXISTS shop WITH (FORCE)")
        conn.exec_driver_sql("DROP SCHEMA IF EXISTS other")
        conn.exec_driver_sql("CREATE DATABASE shop")
        conn.exec_driver_sql("CREATE SCHEMA other")
    engine.dispose()
    made = sa.make_url(postgres_url).set(database="shop")
    engine = sa.create_engine(made, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        for statement in TABLES.split(";\n"):
            if statement.strip():
                conn.exec_driver_sql(statement)
        conn.exec_driver_sql("CREATE SCHEMA other")
        conn.exec_driver_sql("CREATE TABLE other.t (id INT PRIMARY KEY, a INT REFERENCES a)")
        conn.exec_driver_sql("CREATE TABLE other.u (t INT REFERENCES other.t)")
        conn.exec_driver_sql("INSERT INTO other.t VALUES (1, 1); INSERT INTO other.u VALUES (1)")
    engine.dispose()
    return made.render_as_string(hide_password=False)


def test_tables_and_their_graph(url: str) -> None:
    db = ev.read_database(url, schema="public")
    assert db.views == ["everyone", "regions"]
    assert db.tables == ["Customers", "a", "b", "log", "pair", "part", "region"]
    graph = db.graph()
    assert sorted(map(sorted, graph.cyclic_components())) == [["Customers"], ["a", "b"]]
    keys = {str(key) for key in db.keys}
    assert "log(x, y) -> pair(x, y)" in keys
    assert "Customers(region_name) -> region(name)" in keys
    assert db.problems.empty
    counts = db.keys_frame().set_index("table")[["linked", "dangling", "null"]]
    assert counts.loc["log"].to_list() == [3, 0, 1]


def test_the_picture_tells_which_keys_are_of_one_row(url: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.exec_driver_sql(
            "CREATE SCHEMA picture; CREATE TABLE picture.t (id INT PRIMARY KEY);"
            "CREATE TABLE picture.a (one INT UNIQUE REFERENCES picture.t,"
            " own INT REFERENCES picture.t, few INT REFERENCES picture.t,"
            " low INT REFERENCES picture.t, many INT NOT NULL REFERENCES picture.t);"
            "CREATE UNIQUE INDEX ON picture.a (own);"
            "CREATE UNIQUE INDEX ON picture.a (few) WHERE few > 5;"
            "CREATE UNIQUE INDEX ON picture.a (abs(low));"
        )
    engine.dispose()
    db = ev.read_database(url, schema="picture")
    several = {link.name for link in schema_of(db).links if link.many_sources}
    assert several == {"few", "low", "many"}
    told = "2 tables, 5 foreign keys, no cycle"
    assert db.draw_schema().get_title(loc="left") == told
    assert "Customers" in [text.get_text() for text in ev.read_database(url).draw_schema().texts]


def test_values_and_dtypes(url: str) -> None:
    db = ev.read_database(url)
    frame = db.frame("Customers")
    assert frame.dtypes.astype(str).to_dict() == {
        "id": "int64",
        "Full Name": "str",
        "version": "Int64",
        "balance": "object",
        "score": "float64",
        "active": "bool",
        "born": "datetime64[s]",
        "seen": "datetime64[us]",
        "since": "datetime64[us, UTC]",
        "at": "object",
        "took": "timedelta64[us]",
        "token": "object",
        "photo": "object",
        "extra": "object",
        "tags": "object",
        "mood": "str",
        "address": "str",
        "span": "str",
        "region_name": "str",
        "referred_by": "Int64",
    }
    ann, bo = db.entities("Customers")
    assert ann.Full_Name == "Ann"
    assert ann.balance == Decimal("12345678901234567890.0123456789")
    assert (ann.version_, ann.version) == (3, 0)
    assert ann.born == dt.date(2024, 2, 29)
    assert ann.seen == dt.datetime.fromisoformat("2024-02-29T01:02:03.000004")
    assert ann.since == dt.datetime.fromisoformat("2024-02-29T01:02:03+02:00")
    assert ann.took == dt.timedelta(days=1, hours=2)
    assert ann.token == UUID("12345678-1234-5678-1234-567812345678")
    assert (ann.photo, ann.extra, ann.tags) == (b"\x00\xff", {"a": [1, None]}, ["x", "y z"])
    assert (ann.mood, ann.address, ann.span) == ("bad", "10.0.0.1", "[1,5)")
    assert ann.region_name_region.code.strip() == "eu"
    assert ann.referred_by_Customer is ann
    assert (bo.score, bo.extra, bo.region_name_region) == (None, None, None)
    assert db.frame("Customers", where={"Full Name": ["Bo"]})["id"].to_list() == [2]
    since = db.sql_table("Customers").c.since
    assert len(db.frame("Customers", where=since > dt.datetime(2024, 1, 1, tzinfo=dt.UTC))) == 1


def test_rows(url: str) -> None:
    db = ev.read_database(url)
    graph = db.row_graph("log")
    assert sorted(graph.nodes) == ["log #1", "log #2", "log #3", "log #4", "pair 1, a", "pair 1, b"]
    assert len(graph.references) == 3
    assert sorted(db.row_graph("pair", where={"y": "a"}).nodes) == ["log #1", "log #2", "pair 1, a"]
    (a,) = db.entities("a")
    assert a.b.a is a
    parts = db.entities("part")
    assert [part.id for part in parts] == [1, 11]
    assert parts[0].k_a is parts[1].k_a


def test_a_schema(url: str) -> None:
    db = ev.read_database(url, schema="other")
    assert db.tables == ["t", "u"]
    assert len(db.row_graph().references) == 1
    (told,) = db.problems["problem"]
    assert told == (
        "not followed: there is no table 'public.a' in what was read;"
        " schemas=[…, 'public'] reads its schema too"
    )
    assert db.entities("u")[0].t_t.id == 1
    with pytest.raises(errors.StorageOpenError, match="There is no schema 'third'"):
        ev.read_database(url, schema="third")


def test_a_copy_in_a_store(url: str) -> None:
    db = ev.read_database(url)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    copied = db.copy_to(store)
    for name, entities in copied.items():
        again = {entity.ecs_id: entity for entity in store.list_by_type(db.classes[name])}
        assert len(again) == len(entities)
        for entity in entities:
            assert find_difference(entity, again[entity.ecs_id]) is None
    ev.read_database(url).copy_to(store)
    assert len(store.revisions()) == 1


def test_nothing_can_be_written(url: str) -> None:
    db = ev.read_database(url)
    with (
        pytest.raises(errors.EcsvizError, match="only be read"),
        db._source.reading() as conn,
    ):
        conn.exec_driver_sql("INSERT INTO region VALUES ('us', 'America')")
    with pytest.raises(errors.InvalidArgumentError, match="read-only"):
        db.frame("region", where=sa.text("nextval('\"Customers_id_seq\"') > 0"))
    assert len(db.frame("region")) == 1


def test_a_date_that_python_does_not_have(url: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE SCHEMA late; CREATE TABLE late.t (id INT PRIMARY KEY, d DATE)")
        conn.exec_driver_sql("INSERT INTO late.t VALUES (1, 'infinity'), (2, '2024-01-01')")
    engine.dispose()
    db = ev.read_database(url, schema="late")
    assert db.frame("t")["d"].to_list() == ["infinity", dt.date(2024, 1, 1)]
    assert db.frame("t", where={"id": 2})["d"].dtype == "datetime64[s]"
    assert [one.d for one in db.entities("t")] == ["infinity", dt.date(2024, 1, 1)]
    assert db.problems[["table", "columns", "rows", "problem"]].values.tolist() == [
        ["t", "d", 1, "kept as text, since Python has no such value: 'infinity' in row 1"]
    ]
    assert len(db.row_graph()) == 2


def test_an_engine(url: str) -> None:
    engine = sa.create_engine(url)
    pd.testing.assert_frame_equal(
        ev.read_database(engine).frame("region"), ev.read_database(url).frame("region")
    )
    engine.dispose()


def test_a_condition_that_fails_is_told(url: str) -> None:
    db = ev.read_database(url)
    conditions: list[Any] = [sa.text("nothing = 1"), {"id": "no number"}, sa.text("1/0 = 1")]
    for where in conditions:
        with pytest.raises(errors.InvalidArgumentError, match="cannot be applied"):
            db.frame("a", where=where)
    assert len(db.frame("a")) == 1


def test_a_wrong_password_is_not_shown(url: str) -> None:
    wrong = sa.make_url(url).set(username="nobody", password="secret")
    with pytest.raises(errors.StorageError) as caught:
        ev.read_database(wrong)
    assert "secret" not in str(caught.value)


def test_reflection_takes_a_fixed_number_of_statements(url: str) -> None:
    sent = []
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE SCHEMA few; CREATE SCHEMA many")
        for schema, count in (("few", 2), ("many", 40)):
            for n in range(count):
                conn.exec_driver_sql(
                    f"CREATE TABLE {schema}.t{n} (id INT PRIMARY KEY,"
                    f" r INT REFERENCES {schema}.t{max(n - 1, 0)})"
                )
    for schema, count in (("few", 2), ("many", 40)):
        ev.read_database(engine, schema=schema)
        with counted() as statements:
            db = ev.read_database(engine, schema=schema)
        assert len(db.keys) == count
        sent.append(len(statements))
    engine.dispose()
    assert sent[0] == sent[1]
