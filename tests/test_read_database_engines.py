"""``read_database`` on MariaDB, PostgreSQL and DuckDB: every row once, and every value as it is."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.pool import QueuePool, SingletonThreadPool, StaticPool

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers.database import Database, conditions, kinds
from ecsviz.importers.database.making import key_ids
from ecsviz.isomorphic import find_difference
from ecsviz.storage.looking import Wanted
from tests.databases import SHOP, counted, execute, read

Maker = Callable[..., str]
"""Runs statements in a new database, and returns what opens it."""


def run(url: Any, statements: str) -> None:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        for statement in statements.split(";\n"):
            if statement.strip():
                conn.exec_driver_sql(statement.replace("%", "%%"))
    engine.dispose()


@pytest.fixture
def mariadb(mariadb_url: str) -> Iterator[Maker]:
    made = []

    def make(statements: str, name: str = "m1") -> str:
        run(mariadb_url, f"DROP DATABASE IF EXISTS {name};\nCREATE DATABASE {name};\n")
        made.append(name)
        url = sa.make_url(mariadb_url).set(database=name)
        run(url, statements)
        return url.render_as_string(hide_password=False)

    yield make
    for name in reversed(made):
        run(mariadb_url, f"DROP DATABASE IF EXISTS {name}")


@pytest.fixture
def postgresql(postgres_url: str) -> Iterator[Maker]:
    def make(statements: str) -> str:
        drop = "DROP DATABASE IF EXISTS engines WITH (FORCE);\n"
        run(postgres_url, f"{drop}CREATE DATABASE engines;\n")
        url = sa.make_url(postgres_url).set(database="engines")
        run(url, statements)
        return url.render_as_string(hide_password=False)

    yield make
    run(postgres_url, "DROP DATABASE IF EXISTS engines WITH (FORCE)")


@pytest.fixture
def duckdb(tmp_path: Path, require_optional: Any) -> Maker:
    driver = require_optional("duckdb")

    def make(statements: str) -> str:
        path = tmp_path / "a.duckdb"
        path.unlink(missing_ok=True)
        with driver.connect(str(path)) as conn:
            conn.execute(statements)
        return str(path)

    return make


@pytest.fixture(params=["mariadb", "postgresql", "duckdb"])
def maker(request: pytest.FixtureRequest) -> Maker:
    made: Maker = request.getfixturevalue(request.param)
    return made


@pytest.fixture(params=["mariadb", "postgresql", "duckdb", "sqlite"])
def any_maker(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    if request.param == "sqlite":
        return lambda statements: str(execute(tmp_path / "a.db", statements))
    made: Maker = request.getfixturevalue(request.param)
    return made


def agree(db: Database) -> None:
    """Compare what the frame, the entities and a copy say of every value."""
    agree_in_chunks(db)
    agree_in_conditions(db)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    copied = db.copy_to(store)
    for name in db.tables:
        frame, cls = db.frame(name), db.classes[name]
        entities = db.entities(name)
        fields = db.columns_frame().set_index(["table", "column"])["field"]
        assert len(frame) == len(entities) == len(copied[name]) == len(db.row_graph(name, hops=0))
        for column in frame:
            given = sorted(map(_plain, frame[column].tolist()), key=repr)
            assert given == sorted(
                (_plain(getattr(one, fields[name, column])) for one in entities), key=repr
            )
        again = {one.ecs_id: one for one in store.list_by_type(cls)}
        assert len(again) == len(entities)
        assert {one.ecs_id for one in entities} == set(again)
        for one in copied[name]:
            assert type(one) is cls
            assert find_difference(one, again[one.ecs_id]) is None


def agree_in_conditions(db: Database) -> None:
    """Let every value that a frame gives find its rows, as numpy's, pandas' and Python's."""
    for name, column, declared in db.columns_frame()[["table", "column", "type"]].values.tolist():
        given = db.frame(name, columns=[column])[column]
        for value in [*given.tolist(), *given.to_numpy()]:
            where = {column: [value] if isinstance(value, list) else value}
            parts = declared.startswith("UNION") or (
                isinstance(value, (dict, list)) and "duckdb" in db.name
            )
            if ("JSON" in declared.upper() or parts) and _plain(value) is not None:
                with pytest.raises(errors.InvalidArgumentError, match=r"with parts .*sa\.text"):
                    db.frame(name, where=where)
                continue
            found = map(_plain, db.frame(name, columns=[column], where=where)[column].tolist())
            assert _plain(value) in list(found), (name, column, value)


def agree_in_chunks(db: Database) -> None:
    """Compare a copy that was made some rows at a time with one of all at once."""
    whole, parts = (ev.SQLAlchemyEntityStorage(":memory:") for _ in range(2))
    counts = db.copy_to(parts, chunks=2)
    assert counts == {name: len(found) for name, found in db.copy_to(whole).items()}
    told = ["added", "changed", "deleted"]
    assert parts.revisions()[told].values.tolist() == whole.revisions()[told].values.tolist()
    assert len(parts.revisions()) == (1 if any(counts.values()) else 0)
    assert parts.verify().empty
    for name in db.tables:
        cls = db.classes[name]
        expected = {one.ecs_id: one for one in whole.list_by_type(cls)}
        found = {one.ecs_id: one for one in parts.list_by_type(cls)}
        assert found.keys() == expected.keys()
        for ecs_id, one in found.items():
            assert find_difference(one, expected[ecs_id]) is None
    db.copy_to(parts, chunks=3)
    assert len(parts.revisions()) == len(whole.revisions())


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or value is pd.NA or value != value:  # noqa: PLR0124 - NaN
        return None
    if isinstance(value, np.generic):
        value = pd.Timestamp(value) if isinstance(value, np.datetime64) else value.item()
    if isinstance(value, (pd.Timestamp, dt.datetime)):
        stamp = pd.Timestamp(value)
        return stamp if stamp.tzinfo is None else stamp.tz_convert("UTC")
    if isinstance(value, dt.date):
        return pd.Timestamp(value)
    return pd.Timedelta(value) if isinstance(value, dt.timedelta) else value


# -- rows ------------------------------------------------------------------------------------


def test_columns_may_be_called_as_those_of_a_store(any_maker: Maker) -> None:
    db = ev.read_database(
        any_maker(
            """CREATE TABLE t (id INT, ecs_id VARCHAR(9), ecs_version INT, version INT);
CREATE TABLE u (id INT PRIMARY KEY, ecs_revision INT, ecs_lineage_id VARCHAR(9));
INSERT INTO t VALUES (NULL, NULL, NULL, NULL), (1, 'x', 2, 3), (NULL, NULL, NULL, NULL);
INSERT INTO u VALUES (1, NULL, NULL), (2, 7, 'y');
"""
        )
    )
    assert db.frame("t")["id"].count() == 1
    agree(db)
    assert db.explore().table == "t"


def test_names_may_hold_what_drivers_take_for_parameters(any_maker: Maker) -> None:
    where = any_maker("CREATE TABLE k (id INT PRIMARY KEY);\n")
    name, day = ("`a%b`", "`d%:x`") if where.startswith("mysql") else ('"a%b"', '"d%:x"')
    made = f"CREATE TABLE {name} ({day} DATE, n VARCHAR(9));\n"
    made += f"INSERT INTO {name} VALUES ('2024-02-29', 'x'), ('2024-02-29', 'x'), (NULL, NULL);\n"
    with ev.read_database(any_maker(made)) as db:
        assert list(db.frame("a%b")) == ["d%:x", "n"]
        assert len(db.entities("a%b")) == len(db.row_graph("a%b")) == 3
        assert db.problems.empty
        agree(db)


def test_rows_that_nothing_tells_apart_count_once_each(maker: Maker) -> None:
    db = ev.read_database(
        maker(
            """CREATE TABLE country (code VARCHAR(3) PRIMARY KEY);
CREATE TABLE log (a INT, b VARCHAR(3000), c DOUBLE PRECISION, country VARCHAR(3),
  FOREIGN KEY (country) REFERENCES country (code));
INSERT INTO country VALUES ('fr'), ('jp');
INSERT INTO log VALUES (1, 'x', 0.1, 'fr'), (1, 'x', 0.1, 'fr'), (1, 'X', 0.1, 'fr'),
  (NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL), (2, 'a ', 1, 'jp'), (2, 'a', 1, 'jp');
"""
        )
    )
    assert len(db.frame("log")) == len(db.entities("log")) == 7
    assert db.tables_frame().set_index("table")["rows"].to_dict() == {"country": 2, "log": 7}
    graph = db.row_graph()
    assert len(graph) == 9
    assert len(graph.references) == 5
    french = db.row_graph("country", where={"code": "fr"}, hops=1)
    assert len(french) == 4
    assert [len(db.frame("log", where={"a": 2})), len(db.entities("log", where={"a": 2}))] == [2, 2]
    at = db.sql_table("log").c
    assert len(db.entities("log", where=at.b.is_(None))) == 2
    assert len(db.entities("log", where=sa.text("a = 1"))) == 3
    assert len({one.ecs_id for one in db.entities("log")}) == 7
    agree(db)


def test_many_rows_without_a_key(mariadb: Maker) -> None:
    db = ev.read_database(
        mariadb(
            """CREATE TABLE log (a INT, b FLOAT);
INSERT INTO log SELECT seq DIV 3, seq DIV 2 / 7 FROM seq_1_to_3000;
"""
        )
    )
    entities = db.entities("log", where=db.sql_table("log").c.a < 500)
    assert len(entities) == len(db.frame("log", where=sa.text("a < 500"))) == 1_499
    assert len(db.row_graph()) == 3_000


def test_a_thousand_columns_without_a_key(mariadb: Maker) -> None:
    columns = ", ".join(f"c{n} INT" for n in range(1_000))
    rows = ", ".join(f"({', '.join(map(str, range(at, at + 1_000)))})" for at in (0, 0, 5))
    with ev.read_database(
        mariadb(f"CREATE TABLE t ({columns});\nINSERT INTO t VALUES {rows}")
    ) as db:
        assert [one.c7 for one in db.entities("t", where={"c999": 999})] == [7, 7]
        assert len(db.row_graph("t", hops=0)) == 3


def test_a_list_of_values_may_be_of_any_length(
    any_maker: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = any_maker(
        """CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(9), c CHAR(5), d DECIMAL(10, 2),
  f DOUBLE PRECISION, dt DATE, ts TIMESTAMP);
INSERT INTO t VALUES (1, 'a', 'x', 1.25, 0.1, '2024-02-29', '2024-02-29 10:11:12'),
  (2, 'it''s', 'yy', 2, -2, '1999-12-31', '2024-03-01 00:00:00'),
  (3, '5', '5.0', 5, 5, '2024-01-01', '2024-01-01 00:00:00');
"""
    )
    with ev.read_database(url) as db:
        for where in (
            {"id": [*range(2, 70_000), None, *range(9)]},
            {"s": [f"n{n}" for n in range(70_000)] + ["a", "a", "it's", "5"]},
        ):
            assert len(db.frame("t", columns=["id"], where=where)) == 3
        frame = db.frame("t")
        given = [*frame.items(), ("id", frame["id"].astype(float)), ("dt", frame["dt"].astype(str))]
        found = [
            [len(db.frame("t", where={name: some[:n]})) for n in (1, 2, 3)] for name, some in given
        ]
        assert found == [[1, 2, 3]] * len(found)
        monkeypatch.setattr(conditions, "_MANY", 2)  # then so are all lists handed over
        for (name, some), before in zip(given, found, strict=True):
            assert [len(db.frame("t", where={name: some[:n]})) for n in (1, 2, 3)] == before


def test_texts_and_numbers_are_not_one_in_conditions(mariadb: Maker) -> None:
    db = ev.read_database(
        mariadb(
            """CREATE TABLE t (id INT PRIMARY KEY, s VARCHAR(9));
INSERT INTO t VALUES (0, 'x'), (1, 'y'), (2, '2'), (3, '1e1')"""
        )
    )

    def found(**where: Any) -> list[int]:
        ids: list[int] = db.frame("t", where=where)["id"].to_list()
        return ids

    assert found(s=0) == found(id="x") == found(s=[0, False, 10]) == []
    assert found(s=[2, 0]) == found(id=["2", "x", "1y"]) == found(id=" 2 ") == [2]
    assert found(id=[True, 2.0]) == [1, 2]
    db.close()


def test_keys_of_columns_that_are_not_compared_are_told(maker: Maker) -> None:
    url = maker(
        """CREATE TABLE a (id INT PRIMARY KEY, t VARCHAR(9), b_id JSON, n DECIMAL(5, 1));
CREATE TABLE b (id JSON);
INSERT INTO a VALUES (1, 'x', '{}', 1.0);
INSERT INTO b VALUES ('{}')"""
    )
    with ev.read_database(url, keys={"a.n": "a.id"}) as db:
        assert len(db.row_graph().references) == 1
    if db.name.startswith("mysql"):  # which compares all that there is
        return
    with ev.read_database(url, keys="guess") as db:
        assert db.keys == []
    wanted = {"a.t": "a.id"} if "duckdb" in db.name else {"a.t": "a.id", "a.b_id": "b.id"}
    for own, led_to in wanted.items():
        with pytest.raises(errors.InvalidArgumentError, match=r"does not compare .* like types"):
            ev.read_database(url, keys={own: led_to})


def test_thousands_of_rows_are_found_by_keys_of_several_columns(postgresql: Maker) -> None:
    """PostgreSQL takes no chain of 9,000 conditions: "stack depth limit exceeded"."""
    db = ev.read_database(
        postgresql(
            """CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TABLE c (p CHAR(5), q mood, n INT, u UUID, PRIMARY KEY (p, q, n, u));
CREATE TABLE d (p CHAR(5), q mood, n INT, u UUID, FOREIGN KEY (p, q, n, u) REFERENCES c);
INSERT INTO c SELECT 'x' || i % 9, 'ok', i, '123e4567-e89b-12d3-a456-426614174000'
  FROM generate_series(1, 9000) AS i;
INSERT INTO d SELECT * FROM c;
"""
        )
    )
    assert len(db.row_graph("d", where=sa.text("n <= 9"))) == 18
    led = db.entities("d")
    assert len(led) == len({one.ecs_id for one in led}) == 9_000
    assert [one.c.n for one in led] == [one.n for one in led]


def test_keys_of_two_columns_beside_a_column_called_rowid(duckdb: Maker) -> None:
    db = ev.read_database(
        duckdb(
            """CREATE TABLE c (rowid INT, q VARCHAR, PRIMARY KEY (rowid, q));
INSERT INTO c VALUES (1, 'a'), (1, 'b'), (2, 'b')"""
        )
    )
    assert [one.q for one in db.entities("c", where={"rowid": 1})] == ["a", "b"]


@pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool, QueuePool])
def test_an_engine_with_one_connection_is_enough(any_maker: Maker, pool: type[Any]) -> None:
    url = any_maker(
        """CREATE TABLE c (id INT PRIMARY KEY);
CREATE TABLE d (c INT REFERENCES c (id));
INSERT INTO c VALUES (1), (2);
INSERT INTO d VALUES (1), (1);
"""
    )
    only: dict[str, Any] = {"pool_size": 1, "max_overflow": 0, "pool_timeout": 1}
    given = {"poolclass": pool, **(only if pool is QueuePool else {})}
    of_file = url.endswith(".duckdb")  # which has one connection in any case
    address = url if "://" in url else f"sqlite:///{url}"
    engine = sa.create_engine("sqlite://" if of_file else address, **given)
    try:
        db = ev.read_database(url if of_file else engine)
        assert len(db.entities("d")) == len(db.frame("d")) == 2
        db.look_at_all()
        assert db.problems.empty
        counts = db.copy_to(ev.SQLAlchemyEntityStorage(":memory:"), chunks=1)
        assert counts == {"c": 2, "d": 2}
        parts = db.frame("c", chunks=1)
        found = [next(parts)]
        if not of_file and (pool is QueuePool or "mysql" in url):
            with pytest.raises(errors.StorageBusyError, match="connection"):
                db.frame("d")  # would lose the rest
        else:
            assert len(db.entities("d")) == 2
        found += parts
        assert [part["id"].tolist() for part in found] == [[1], [2]]
        assert len(db.entities("d")) == 2
    finally:
        engine.dispose()


TEMPORAL = {
    "DATE": ("infinity", "0044-03-15 BC", "2024-02-29"),
    "TIMESTAMP": ("-infinity", "0044-03-15 01:02:03 BC", "2024-02-29 01:02:03.5"),
    "TIMESTAMPTZ": ("infinity", "10000-01-01 00:00:00+00", "2024-02-29 01:02:03+02"),
    "TIME": ("24:00:00", "23:59:59.5"),
    "INTERVAL": ("1 month", "3 days"),
}


@pytest.mark.parametrize("maker", ["postgresql", "duckdb"], indirect=True)
def test_keys_may_hold_what_python_lacks(maker: Maker, request: pytest.FixtureRequest) -> None:
    """In names of rows, in what refers to them, and in what they are called in a store."""
    statements, server = [], "postgres" in request.node.name
    kinds = {name: told for name, told in TEMPORAL.items() if server or name != "INTERVAL"}
    for number, (declared, values) in enumerate(kinds.items()):
        told = [
            v.replace(" BC", " (BC)").replace("15 01:02:03 (BC)", "15 (BC) 01:02:03")
            for v in values
        ]
        given = values if server else told
        listed = ", ".join(f"('{value}')" for value in given)
        statements.append(
            f"""CREATE TABLE a{number} (d {declared} PRIMARY KEY);
CREATE TABLE b{number} (d {declared} REFERENCES a{number} (d), n INT, PRIMARY KEY (d, n));
INSERT INTO a{number} VALUES {listed};
INSERT INTO b{number} SELECT d, 1 FROM a{number};
"""
        )
    db = ev.read_database(maker("".join(statements)))
    agree(db)
    for number, values in enumerate(kinds.values()):
        assert len(db.row_graph(f"a{number}")) == 2 * len(values)
        assert None not in [getattr(e, f"d_a{number}") for e in db.entities(f"b{number}")]
        page = db.looking().page(f"a{number}", Wanted(first=0, size=9))
        assert len(set(page.ids)) == len(values)
    assert "a0 infinity" in db.row_graph("a0").nodes
    # What a row is called does not depend on which others were looked at.
    several = {one.ecs_id for one in db.entities("a0")}
    (alone,) = db.entities("a0", where={"d": dt.date(2024, 2, 29)})
    assert alone.ecs_id in several
    assert alone.ecs_id == key_ids(db._schema.tables["a0"], [(dt.date(2024, 2, 29),)])[0]


def test_keys_that_look_alike_to_python_are_two_rows(postgresql: Maker) -> None:
    """Arrays whose indices begin elsewhere are other values, and the same lists."""
    url = postgresql(
        """CREATE TABLE t (a INT[] PRIMARY KEY, n INT);
INSERT INTO t VALUES ('{1,2}', 1), ('[0:1]={1,2}', 2), ('{3}', 3);
CREATE TABLE u (id INT PRIMARY KEY, a INT[] REFERENCES t);
INSERT INTO u VALUES (1, '{1,2}'), (2, '{3}');
"""
    )
    with ev.read_database(url) as db, ev.SQLAlchemyEntityStorage("sqlite://") as store:
        agree(db)
        assert sorted(one.n for one in db.entities("t")) == [1, 2, 3]
        assert len({one.ecs_id for one in db.entities("t")}) == 3
        assert {name: len(rows) for name, rows in db.copy_to(store).items()} == {"t": 3, "u": 2}
        (cls,) = {type(one) for one in db.entities("t")}
        assert sorted(one.n for one in store.list_by_type(cls)) == [1, 2, 3]
        db.copy_to(store)
        assert store.count(cls) == 3


def test_a_server_that_rounds_floats_rounds_none(postgresql: Maker) -> None:
    url = postgresql(
        """ALTER DATABASE engines SET extra_float_digits = 0;
CREATE TABLE t (f FLOAT8, s REAL, a FLOAT8[]);
INSERT INTO t VALUES (0.1::float8 + 0.2, 0.1, ARRAY[0.1::float8 + 0.2]);
"""
    )
    assert ev.read_database(url).frame("t").values.tolist() == [[0.1 + 0.2, 0.1, [0.1 + 0.2]]]


def test_numbers_in_json_keep_all_their_digits(postgresql: Maker) -> None:
    big = "9" * 5_000  # Python makes no integer of so many digits
    db = ev.read_database(
        postgresql(
            f"""CREATE DOMAIN json_document AS JSONB;
CREATE TABLE t (id INT PRIMARY KEY, j JSON, b JSONB, a JSONB[], d json_document);
INSERT INTO t VALUES (1, '12345678901234567890.5', '[1.10, 0.1234567890123456789]',
  ARRAY['12345678901234567890.5'::jsonb, '"5"', NULL], '"5"'), (2, '1e400', '{big}', NULL, 'true'),
  (3, '"s"', '{{"a": 1.5}}', '{{}}', '5');
"""
        )
    )
    one, two, three = db.entities("t")
    assert (one.j, one.b) == (
        Decimal("12345678901234567890.5"),
        [1.1, Decimal("0.1234567890123456789")],
    )
    assert (one.a, one.d) == ([Decimal("12345678901234567890.5"), "5", None], "5")
    assert (two.j, two.b, two.d) == (Decimal("1e400"), Decimal(big), True)
    assert (three.j, three.b, three.a, three.d) == ("s", {"a": 1.5}, [], 5)
    agree(db)


def test_json_with_a_name_twice_and_arrays_with_indices_are_told(postgresql: Maker) -> None:
    twice = '{"a": [{"b": 1, "b": 2}]}'
    db = ev.read_database(
        postgresql(
            f"""CREATE DOMAIN json_paper AS JSON;
CREATE TABLE t (id INT PRIMARY KEY, j JSON, d json_paper, b JSONB, a INT[], m JSON[]);
INSERT INTO t VALUES (1, '{twice}', '{twice}', '{twice}', '[0:1]={{7,8}}', ARRAY['{twice}'::json]),
  (2, '{{"b": {{"b": 1}}}}', '5', '[]', '{{7,8}}', '[5:5]={{3}}'),
  (3, NULL, NULL, NULL, '{{}}', '{{}}');
"""
        )
    )
    one, two, _ = db.entities("t")
    assert (one.j, one.d, one.b, one.a) == (twice, twice, {"a": [{"b": 2}]}, [7, 8])
    assert (one.m, two.m) == ([twice], [3])
    assert (two.j, two.d, two.b, two.a) == ({"b": {"b": 1}}, 5, [], [7, 8])
    told = {row.columns: (row.problem, row.rows) for row in db.problems.itertuples()}
    why = "kept as text, since Python has no such value: "
    assert told == {
        "j": (f"{why}{twice!r} in row 1", 1),
        "d": (f"{why}{twice!r} in row 1", 1),
        "a": ("given as lists, which have no such indices: '[0:1]={7,8}' in row 1", 1),
        "m": ("given as lists, which have no such indices: '[5:5]={3}' in row 2", 1),
    }
    kinds = db.problems_frame()["kind"].to_list()
    assert sorted(kinds) == ["alone", *["indices left out"] * 2, *["kept as text"] * 2]
    agree(db)


@pytest.mark.parametrize(
    ("maker", "binary"), [("mariadb", "BLOB"), ("postgresql", "BYTEA")], indirect=["maker"]
)
def test_no_driver_is_given_what_it_cannot_take(maker: Maker, binary: str) -> None:
    db = ev.read_database(maker(f"CREATE TABLE t (i INT, b {binary}, d DATE);\n"))
    asked: list[Any] = [{}, [{"a": 1}], [[1, [2]]], object(), 3 + 4j, Decimal("sNaN"), iter([1])]
    for column in ("i", "b", "d"):
        for value in asked:
            with contextlib.suppress(errors.InvalidArgumentError):  # and no other error
                assert len(db.frame("t", where={column: value})) == 0
    with pytest.raises(errors.InvalidArgumentError, match=r"where= (asks|cannot)"):
        db.frame("t", where={"b": {"a": 1}})


def test_keys_of_four_bytes_are_not_rounded(mariadb: Maker) -> None:
    """In names of rows and pages either: MySQL writes six digits of a FLOAT."""
    db = ev.read_database(
        mariadb("CREATE TABLE t (f FLOAT PRIMARY KEY);\nINSERT INTO t VALUES (16777216), (0.1)\n")
    )
    assert sorted(db.row_graph("t").nodes) == ["t 0.1", "t 16777216.0"]
    page = db.looking().page("t", Wanted(first=0, size=9))
    assert sorted(page.ids) == ["t 0.1", "t 16777216.0"]


def test_where_rows_cannot_be_numbered_the_table_is_a_problem(
    mariadb: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = mariadb("CREATE TABLE log (a INT);\nCREATE TABLE t (a INT NOT NULL UNIQUE);\n")
    monkeypatch.setattr("ecsviz.importers.database.reflect_mysql._has_windows", lambda conn: False)
    db = ev.read_database(url)
    assert db.tables == ["t"]
    (told,) = db.problems["problem"]
    assert told == "left out: it has no primary key, and this server cannot number its rows"


# -- values ----------------------------------------------------------------------------------


def test_values_of_mariadb(mariadb: Maker) -> None:
    db = ev.read_database(
        mariadb(
            """CREATE TABLE t (id INT PRIMARY KEY, d DOUBLE, r REAL, f FLOAT, ta TINYBLOB,
  me MEDIUMBLOB, lo LONGBLOB, va VARBINARY(9), bi BINARY(3), one BIT(1), many BIT(64), ti TIME(6),
  y YEAR, days SET('mo','tu','we'), mood ENUM('ok','bad'), de DECIMAL(30,10), dt DATETIME(6),
  u UUID, ip INET6, p POINT, big BIGINT UNSIGNED, tiny TINYINT(1));
INSERT INTO t VALUES (1, 1e-12, 2.5e-11, 0.1, x'00ff', x'00ff', x'00ff', x'00ff', x'00ff01', b'1',
  x'ffffffffffffffff', '-30:00:00.5', 2024, 'we,mo', 'ok', 12345678901234567890.0123456789,
  '2024-02-29 01:02:03.000004', '12345678-1234-5678-1234-567812345678', '::1', point(1, 2),
  18446744073709551615, 1);
INSERT INTO t (id, d, f, ti) VALUES (2, 123456789.123456789, 1.2345678, '838:59:59');
INSERT INTO t (id, d) VALUES (3, 1e300);
"""
        )
    )
    one, two, three = db.entities("t")
    assert (one.d, one.r, one.f) == (1e-12, 2.5e-11, 0.1)
    assert (two.d, two.f, three.d) == (123456789.12345679, 1.2345678, 1e300)
    assert {one.ta, one.me, one.lo, one.va} == {b"\x00\xff"}
    assert (one.bi, one.one, one.many, one.y) == (b"\x00\xff\x01", 1, 2**64 - 1, 2024)
    assert one.ti == -dt.timedelta(hours=30, microseconds=500_000)
    assert two.ti == dt.timedelta(hours=838, minutes=59, seconds=59)
    assert (one.days, one.mood, one.ip) == ("mo,we", "ok", "::1")
    assert one.de == Decimal("12345678901234567890.0123456789")
    assert (one.big, one.tiny, len(one.p)) == (2**64 - 1, 1, 25)
    assert db.problems.empty
    agree(db)
    db.close()


def test_keys_of_mariadb_that_python_reads_otherwise(mariadb: Maker) -> None:
    db = ev.read_database(
        mariadb(
            """CREATE TABLE f (x FLOAT PRIMARY KEY, y INT);
CREATE TABLE b (x BIT(4) PRIMARY KEY);
CREATE TABLE v (x VARBINARY(4) PRIMARY KEY);
CREATE TABLE d (x DATE PRIMARY KEY);
INSERT INTO f VALUES (0.1, 1), (0.2, 2);
INSERT INTO b VALUES (b'101');
INSERT INTO v VALUES (x'00ff'), (x'00');
INSERT INTO d VALUES ('0000-00-00'), ('2024-02-29');
"""
        )
    )
    assert {name: len(db.entities(name)) for name in db.tables} == {"b": 1, "d": 2, "f": 2, "v": 2}
    assert len(db.row_graph()) == 7
    agree(db)


@pytest.mark.parametrize(
    ("engine", "tables", "lacking", "fine"),
    [
        (
            "mariadb",
            """CREATE TABLE t (id INT PRIMARY KEY, d DATE, m DATETIME);
SET sql_mode = '';
INSERT INTO t VALUES (1, '0000-00-00', '2024-00-10 01:02:03'), (2, '2024-02-29', '2024-01-01'),
  (3, NULL, NULL);
""",
            {"d": "0000-00-00", "m": "2024-00-10 01:02:03"},
            {"d": dt.date(2024, 2, 29), "m": dt.datetime(2024, 1, 1)},  # noqa: DTZ001
        ),
        (
            "postgresql",
            """CREATE TABLE t (id INT PRIMARY KEY, d DATE, m TIMESTAMP, z TIMESTAMPTZ, c TIME,
  s INTERVAL);
INSERT INTO t VALUES (1, '0044-03-15 BC', '-infinity', 'infinity', '24:00', '1 mon 2 days'),
  (2, '2024-02-29', '2024-01-01', '2024-01-01 00:00+02', '01:02:03.5', '-1 day +02:00'),
  (3, NULL, NULL, NULL, NULL, NULL);
""",
            {
                "d": "0044-03-15 BC",
                "m": "-infinity",
                "z": "infinity",
                "c": "24:00:00",
                "s": "1 mon 2 days",
            },
            {
                "d": dt.date(2024, 2, 29),
                "m": dt.datetime(2024, 1, 1),  # noqa: DTZ001
                "z": dt.datetime.fromisoformat("2024-01-01T00:00+02:00"),
                "c": dt.time(1, 2, 3, 500_000),
                "s": dt.timedelta(days=-1, hours=2),
            },
        ),
        (
            "duckdb",
            """CREATE TABLE t (id INT PRIMARY KEY, d DATE, m TIMESTAMP, z TIMESTAMPTZ, c TIME,
  s INTERVAL,  n TIMESTAMP_NS);
INSERT INTO t VALUES (1, '0044-03-15 (BC)', 'infinity', '-infinity', '24:00', '1 month',
    '2024-01-01 01:02:03.123456789'),
  (2, '2024-02-29', '2024-01-01', '2024-01-01 00:00+02', '01:02:03.5', '5 days', '2024-01-01'),
  (3, NULL, NULL, NULL, NULL, NULL, NULL);
""",
            {
                "d": "0044-03-15 (BC)",
                "m": "infinity",
                "z": "-infinity",
                "c": "24:00:00",
                "s": "1 month",
                "n": "2024-01-01 01:02:03.123456789",
            },
            {
                "d": dt.date(2024, 2, 29),
                "m": dt.datetime(2024, 1, 1),  # noqa: DTZ001
                "z": dt.datetime.fromisoformat("2024-01-01T00:00+02:00"),
                "c": dt.time(1, 2, 3, 500_000),
                "s": dt.timedelta(days=5),
                "n": dt.datetime(2024, 1, 1),  # noqa: DTZ001
            },
        ),
    ],
)
def test_what_python_lacks_is_text_and_told(
    request: pytest.FixtureRequest,
    engine: str,
    tables: str,
    lacking: dict[str, str],
    fine: dict[str, Any],
) -> None:
    db = ev.read_database(request.getfixturevalue(engine)(tables))
    frame = db.frame("t")  # before anything else has looked
    assert frame[list(lacking)].iloc[0].to_dict() == lacking
    one, two, three = db.entities("t")
    assert {name: getattr(one, name) for name in lacking} == lacking
    assert {name: getattr(two, name) for name in fine} == fine
    assert {getattr(three, name) for name in fine} == {None}
    told = db.problems
    assert told[["table", "columns", "rows"]].values.tolist() == [
        ["t", name, 1] for name in sorted(lacking)
    ]
    for name, problem in zip(told["columns"], told["problem"], strict=True):
        assert (
            problem == f"kept as text, since Python has no such value: {lacking[name]!r} in row 1"
        )
    # Without that row, everything is as it is declared.
    whole = db.frame("t", where={"id": [2, 3]})
    assert not set(whole.dtypes.astype(str)) & {"str"}
    agree(db)
    db.close()


def test_values_of_postgresql(postgresql: Maker) -> None:
    db = ev.read_database(
        postgresql(
            """CREATE DOMAIN year AS INT CHECK (VALUE > 1900);
CREATE DOMAIN tags AS TEXT[];
CREATE TYPE mood AS ENUM ('ok', 'bad');
CREATE TYPE addr AS (street TEXT, zip INT);
CREATE TABLE t (k INT[] PRIMARY KEY, y year, g tags, v BIT VARYING(9), b BIT(3), r INT4MULTIRANGE,
  p INT4RANGE, a addr, moods mood[], days DATE[], n NUMERIC);
INSERT INTO t VALUES ('{1,2}', 2006, '{a,"b c"}', '101', '011', '{[1,2),[5,9)}', '[1,5)',
  ROW('s', 1), '{ok,bad}', '{2024-02-29,infinity}', 'NaN'), ('{1}', NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, 1.50);
CREATE TABLE u (id REAL PRIMARY KEY, k INT[] REFERENCES t);
INSERT INTO u VALUES (0.1, '{1,2}'), (0.2, '{1,2}');
"""
        )
    )
    one, two = db.entities("t")
    assert (one.k, one.y, one.g, one.v, one.b) == ([1, 2], 2006, ["a", "b c"], "101", "011")
    assert (one.r, one.p, one.a) == ("{[1,2),[5,9)}", "[1,5)", "(s,1)")
    assert (one.moods, one.days) == (["ok", "bad"], ["2024-02-29", "infinity"])
    assert two.n == Decimal("1.50")
    assert [held.k_t for held in db.entities("u")] == [one, one]
    assert sorted(db.row_graph("t", where=sa.text("y = 2006")).nodes) == [
        "t [1, 2]",
        "u 0.1",
        "u 0.2",
    ]
    assert db.problems.empty
    agree(db)


def test_values_of_duckdb(duckdb: Maker, require_optional: Any) -> None:
    db = ev.read_database(
        duckdb(
            """CREATE TABLE staff (id INTEGER PRIMARY KEY, name VARCHAR, mood ENUM('ok', 'bad'),
  tags INTEGER[], s STRUCT(a INT, b DATE), m MAP(VARCHAR, INT), d DECIMAL(9,2), u UUID, h HUGEINT,
  f FLOAT, j JSON, bits BIT, raw BLOB, fixed INTEGER[2], boss INTEGER REFERENCES staff (id));
INSERT INTO staff VALUES (1, 'Ann', 'ok', [1, NULL], {'a': 1, 'b': '2024-02-29'}, map {'k': 1}, 1.5,
  '12345678-1234-5678-1234-567812345678', 170141183460469231731687303715884105727, 0.1,
  '{"a": [1, null]}', '101', '\\x00\\xFF', [1, 2], NULL);
INSERT INTO staff VALUES (2, NULL, NULL, NULL, NULL, NULL, NULL,
  NULL, NULL, NULL, NULL, NULL, NULL, NULL, 1);
CREATE VIEW v AS SELECT * FROM staff;
CREATE SCHEMA other;
CREATE TABLE other.t (a INT);
INSERT INTO other.t VALUES (1), (1);
"""
        )
    )
    assert (db.tables, db.views) == (["other.t", "staff"], ["v"])
    ann, bo = db.entities("staff")
    assert (ann.mood, ann.tags, ann.m) == ("ok", [1, None], {"k": 1})
    assert ann.s == {"a": 1, "b": dt.date(2024, 2, 29)}
    assert (ann.d, ann.h, ann.f) == (Decimal("1.50"), 2**127 - 1, 0.1)
    assert (ann.j, ann.bits, ann.raw, ann.fixed) == ({"a": [1, None]}, "101", b"\x00\xff", [1, 2])
    assert bo.boss_staff is ann
    require_optional("polars")
    assert db.frame("staff", as_="polars")["h"].to_list() == [str(2**127 - 1), None]
    assert len(db.entities("other.t")) == 2
    assert db.graph().cyclic_components() == [["staff"]]
    db.draw_schema()
    assert db.problems.empty
    agree(db)
    db.close()


def test_what_python_lacks_is_told_within_structs_lists_and_maps(
    duckdb: Maker, require_optional: Any
) -> None:
    deep = "STRUCT(a " * 60 + "DATE" + ")" * 60
    db = ev.read_database(
        duckdb(
            f"""CREATE TABLE t (id INTEGER PRIMARY KEY, s STRUCT(a DATE, "b'"" c" TIMESTAMPTZ[],
  f FLOAT), l TIMESTAMP_NS[], m MAP(DATE, INTERVAL), u UNION(d DATE, v VARCHAR),
  w STRUCT(a MAP(INTEGER, TIME[2])[])[], j JSON[], b BIGNUM[], k MAP(STRUCT(a INT), TIME_NS),
  d DATE[], o MAP(UNION(a INT, b VARCHAR), INT), deep {deep});
INSERT INTO t VALUES (1, {{'a': 'infinity', 'b''" c': ['2024-01-01 00:00+02', '-infinity'],
  'f': 0.1}}, ['2024-01-01 01:02:03.123456789', '2024-01-01', NULL],
  map {{'infinity': '1 month', '2024-01-01': '5 days'}}, union_value(d := DATE 'infinity'),
  [{{'a': [map {{1: ['24:00', '01:02:03']}}]}}, NULL], ['{{"a": 1}}'], [123],
  map {{{{'a': 1}}: '01:02:03.123456789'}}, ['2024-02-29', '0044-03-15 (BC)'], NULL, NULL),
  (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (3, {{'a': '2024-02-29', 'b''" c': NULL, 'f': NULL}}, [], map {{}},
  union_value(v := '2024-01-01'), [], [], [], map {{}}, [NULL],
  map {{union_value(a := 1): 2, union_value(b := '1'): 3}}, NULL);
CREATE TABLE v (id INTEGER PRIMARY KEY, s INTERVAL);
INSERT INTO v VALUES (1, '2000000000 days'), (2, '-100000 days');
"""
        )
    )
    frame = db.frame("t").set_index("id").astype(object)
    stamp = dt.datetime.fromisoformat("2024-01-01T00:00+02:00")
    one = {
        "s": {"a": "infinity", "b'\" c": [stamp, "-infinity"], "f": 0.1},
        "l": ["2024-01-01 01:02:03.123456789", dt.datetime(2024, 1, 1), None],  # noqa: DTZ001
        "m": {"infinity": "1 month", "2024-01-01": dt.timedelta(days=5)},
        "u": "infinity",
        "w": [{"a": [{"1": ["24:00:00", dt.time(1, 2, 3)]}]}, None],
        "j": [{"a": 1}],
        "b": [123],
        "k": {"{'a': 1}": "01:02:03.123456789"},
        "d": [dt.date(2024, 2, 29), "0044-03-15 (BC)"],
    }
    assert frame.loc[1, list(one)].to_dict() == one
    assert not frame.loc[2].notna().any()
    assert frame.loc[3, "s"] == {"a": dt.date(2024, 2, 29), "b'\" c": None, "f": None}
    assert (frame.loc[3, "u"], frame.loc[3, "o"]) == ("2024-01-01", "{1=2, 1=3}")
    told = db.problems
    assert told[["table", "columns", "rows"]].values.tolist() == [
        *(["t", name, 1] for name in ("d", "l", "m", "s", "w")),
        ["v", "s", 1],
    ]
    assert told["problem"][0] == (
        "kept as text within, since Python has no such value:"
        " \"[2024-02-29, '0044-03-15 (BC)']\" in row 1"
    )
    assert db.frame("v")["s"].to_list() == ["2000000000 days", dt.timedelta(days=-100_000)]
    agree(db)
    db.close()
    db = ev.read_database(duckdb("CREATE TABLE x AS SELECT INTERVAL '900000000 days' AS s"))
    assert db.frame("x")["s"].to_list() == [dt.timedelta(days=900_000_000)]
    require_optional("pyarrow")
    with pytest.raises(errors.InvalidArgumentError, match=r"'s' .* duration.* columns="):
        db.frame("x", as_="arrow")
    db.close()


def test_what_a_frame_gives_finds_its_rows(tmp_path: Path) -> None:
    """On the other engines `agree` tries the same."""
    db = read(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT, d DATE, m DATETIME, c TIME, x REAL,"
        " b BLOB, n NUMERIC(10, 2), f BOOLEAN, y, u UUID)",
        "INSERT INTO t VALUES (1, 'a', '2024-01-01', '2024-01-01 10:11:12', '10:11:12', 1.5, x'00',"
        " 2.5, 1, 7, '12345678-1234-5678-1234-567812345678'), (2, 'é', '2024-02-29',"
        " '2024-01-01T10:11:12.5', '10:11:12.25', 9e999, x'', 9007199254740993, 0, 'x', NULL),"
        " (3, '', '2024-02-01', '2024-01-01 00:00:00', '10:11:12.000001', -0.0, x'78', 0.1, 0,"
        " x'79', ''), (4, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
        " (5, CAST(x'636166e9' AS TEXT), NULL, NULL, NULL, 1e20, NULL, 1, 1,"
        " CAST(x'00ff' AS TEXT), 1)",
    )
    agree_in_conditions(db)

    def found(**where: Any) -> list[int]:
        given: list[int] = db.frame("t", columns=["id"], where=where)["id"].to_list()
        return given

    assert found(id=np.int64(2)) == found(id=np.array([2, 9])) == found(id=pd.Series([2])) == [2]
    assert found(s=[None, "é"]) == found(s=[pd.NA, "é"]) == [2, 4]
    assert found(x=float("nan")) == [4]
    assert found(n=[Decimal("sNaN"), Decimal("1e400"), Decimal("2.5")]) == [1]
    assert found(id=[2.0**70, "x", 1]) == [1]
    assert found(s=["\udcff", "caf\udce9"]) == [5]
    for value in ("\ud800", {"a": 1}, [[1]], object(), slice(1), dt.timedelta(1), iter([1])):
        with pytest.raises(
            errors.InvalidArgumentError, match=r"where= .* in t\.s: .*\. Give a num"
        ):
            found(s=value)
    with pytest.raises(errors.InvalidArgumentError, match=r"columns_frame.*sa\.text"):
        db.frame("t", where=sa.text("nothing = 1"))


def test_a_wrong_condition_is_told_beside_values_that_are_read_again(postgresql: Maker) -> None:
    db = ev.read_database(
        postgresql("CREATE TABLE t (d DATE);\nINSERT INTO t VALUES ('infinity');")
    )
    with pytest.raises(errors.InvalidArgumentError, match="invalid input syntax for type date"):
        db.frame("t", where={"d": "soon"})
    assert len(db.frame("t", where={"d": "infinity"})) == 1


# -- nothing is written ------------------------------------------------------------------------


def test_nothing_can_be_written(maker: Maker) -> None:
    db = ev.read_database(maker("CREATE TABLE t (a INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n"))
    with (
        pytest.raises(errors.EcsvizError, match=r"read|READ|INSERT"),
        db._source.reading() as conn,
    ):
        conn.exec_driver_sql("INSERT INTO t VALUES (9)")
    assert len(db.frame("t")) == 1
    db.close()


def test_reflection_takes_a_fixed_number_of_statements(maker: Maker) -> None:
    sent = []
    for count in (2, 30):
        tables = "".join(
            f"CREATE TABLE t{n} (id INT PRIMARY KEY, r INT, FOREIGN KEY (r) REFERENCES"
            f" t{max(n - 1, 0)} (id));\n"
            for n in range(count)
        )
        with counted() as statements:
            db = ev.read_database(maker(tables))
        assert len(db.keys) == count
        sent.append(len([s for s in statements if not s.startswith(("CREATE", "DROP"))]))
        db.close()
    assert sent[0] == sent[1]


# -- several schemas -------------------------------------------------------------------------


def test_schemas_are_read_together_with_keys_from_one_to_another(postgresql: Maker) -> None:
    url = postgresql(
        """CREATE SCHEMA sales;
CREATE SCHEMA "Staff";
CREATE TABLE "Staff".person (id INT PRIMARY KEY, name TEXT);
CREATE TABLE sales.orders (id INT PRIMARY KEY, by INT NOT NULL REFERENCES "Staff".person);
CREATE TABLE orders (id INT PRIMARY KEY, of INT REFERENCES sales.orders);
CREATE VIEW sales.v AS SELECT 1;
INSERT INTO "Staff".person VALUES (1, 'Ann');
INSERT INTO sales.orders VALUES (7, 1);
INSERT INTO orders VALUES (1, 7), (2, NULL);
"""
    )
    db = ev.read_database(url)
    assert db.tables == ["Staff.person", "orders", "sales.orders"]
    assert db.views == ["sales.v"]
    assert [str(key) for key in db.keys] == [
        "orders(of) -> sales.orders(id)",
        "sales.orders(by) -> Staff.person(id)",
    ]
    one, _ = db.entities("orders")
    assert one.of_sales_order.by_Staff_person.name == "Ann"
    assert len(db.row_graph().references) == 2
    assert db.draw_schema().get_title(loc="left") == "3 tables, 2 foreign keys, no cycle"
    agree(db)
    some = ev.read_database(url, schemas=["sales", "Staff"])
    assert some.tables == ["Staff.person", "sales.orders"]
    alone = ev.read_database(url, schemas=["sales"])
    assert (alone.tables, alone.views) == (["orders"], ["v"])
    assert "schemas=[…, 'Staff']" in alone.problems["problem"].iloc[0]
    with pytest.raises(errors.StorageOpenError, match=r"no schema 'third'\. There are: 'Staff'"):
        ev.read_database(url, schemas=["sales", "third"])
    wrong: list[dict[str, Any]] = [
        {"schemas": "sales"},
        {"schemas": []},
        {"schemas": [1]},
        {"schema": 3},
        {"schema": "sales", "schemas": ["sales"]},
    ]
    for given in wrong:
        with pytest.raises(errors.InvalidArgumentError, match="schema"):
            ev.read_database(url, **given)


def test_a_database_whose_tables_are_all_in_one_other_schema(postgresql: Maker) -> None:
    url = postgresql("CREATE SCHEMA music;\nCREATE TABLE music.artist (id INT PRIMARY KEY);\n")
    assert ev.read_database(url).tables == ["artist"]


def test_databases_of_one_server_are_read_where_keys_lead(mariadb: Maker) -> None:
    mariadb("CREATE TABLE far (id INT PRIMARY KEY, n VARCHAR(9));\n", "m2")
    mariadb("CREATE TABLE other (id INT PRIMARY KEY);\n", "m3")
    url = mariadb(
        """CREATE TABLE near (id INT PRIMARY KEY, far_id INT,
  FOREIGN KEY (far_id) REFERENCES m2.far (id));
INSERT INTO m2.far VALUES (1, 'x');
INSERT INTO near VALUES (1, 1);
"""
    )
    db = ev.read_database(url)
    assert db.tables == ["m2.far", "near"]
    assert db.entities("near")[0].far.n == "x"
    assert db.problems.empty
    assert ev.read_database(url, schemas=["m1", "m3"]).tables == ["m3.other", "near"]
    assert ev.read_database(url, schema="m2").tables == ["far"]
    # Of an empty one, or of none, all are read.
    nowhere = url.replace("/m1?", "/?")
    assert {"m1.near", "m2.far", "m3.other"} <= set(ev.read_database(nowhere).tables)
    empty = mariadb("", "m4")
    assert {"m1.near", "m2.far", "m3.other"} <= set(ev.read_database(empty).tables)
    run(url, "DROP TABLE near")


@pytest.mark.parametrize(
    ("engine", "options"),
    [
        ("mariadb", ["charset=nope", "conv=1", "client_flag=99999999999999999999", "named_pipe=1"]),
        ("mariadb", ["read_timeout=99999999999999999999", "ssl_ca=nope", "port=x", "nope=1"]),
        ("postgresql", ["cursor_factory=x", "connect_timeout=x", "client_encoding=x", "nope=1"]),
    ],
)
def test_an_option_of_a_url_that_no_driver_takes_is_told(
    request: pytest.FixtureRequest, engine: str, options: list[str]
) -> None:
    url = request.getfixturevalue(f"{engine.removesuffix('ql')}_url")
    for option in options:
        with pytest.raises(errors.EcsvizError):
            ev.read_database(f"{url}&{option}")


def test_as_many_rows_as_no_database_has_may_be_asked_for(any_maker: Maker) -> None:
    with ev.read_database(
        any_maker("CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n"),
        timeout=10**400,
        max_bytes=10**400,
    ) as db:
        for many in (2**31, 2**63 - 1, 2**63, 10**30):
            assert len(db.frame("t", limit=many)) == len(db.entities("t", limit=many)) == 1
            assert [len(part) for part in db.frame("t", chunks=many)] == [1]
            assert len(db.entities("t", max_entities=many)) == len(db.row_graph(limit=many)) == 1
            store = ev.InMemoryEntityStorage()
            assert db.copy_to(store, max_entities=many, chunks=many) == {"t": 1}
        for wrong in ("x.db", Path("x.db"), None, ev.InMemoryEntityStorage):
            with pytest.raises(errors.InvalidArgumentError, match="is no open store"):
                db.copy_to(wrong)  # type: ignore[call-overload]


def test_a_call_on_duckdb_takes_no_longer_than_it_may(duckdb: Maker) -> None:
    path = duckdb("CREATE TABLE t AS SELECT range AS a FROM range(9);")
    endless = sa.text(
        "(SELECT count(*) FROM range(10000000) x, range(10000000) y"
        " WHERE (x.range * y.range) % 7 = a) > 0"
    )
    with ev.read_database(path, timeout=0.2) as db:
        for call in (
            lambda: db.frame("t", where=endless),
            lambda: next(db.frame("t", where=endless, chunks=2)),
            lambda: db.row_graph("t", where=endless),
        ):
            with pytest.raises(errors.ImportTimeoutError, match=r"a.duckdb.*timeout=0.8"):
                call()
        assert len(db.frame("t")) == 9
        parts = db.frame("t", chunks=4)
        assert len(next(parts)) == 4
        time.sleep(0.4)  # no doing of the database
        assert [len(part) for part in parts] == [4, 1]


def test_databases_that_are_attached_to_an_engine(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{execute(tmp_path / 'a.db', SHOP)}")
    other = execute(
        tmp_path / "b.db", "CREATE TABLE t (a, b REFERENCES t)", "INSERT INTO t VALUES (1, 2)"
    )
    sa.event.listen(engine, "connect", lambda c, _: c.execute(f"ATTACH '{other}' AS b"))
    db = ev.read_database(engine)
    assert "b.t" in db.tables
    assert "customers" in db.tables
    assert db.frame("b.t")["a"].to_list() == [1]
    assert len(db.entities("b.t")) == 1
    assert ev.read_database(engine, schema="b").tables == ["t"]
    db.draw_schema()
    engine.dispose()


def test_rows_of_duckdb_without_row_ids_are_found_by_keys_of_several_columns(
    duckdb: Maker,
) -> None:
    db = ev.read_database(
        duckdb(
            """CREATE TABLE t (rowid INT, a INT, b DATE, PRIMARY KEY (a, b));
CREATE TABLE r (a INT, b DATE, FOREIGN KEY (a, b) REFERENCES t (a, b));
INSERT INTO t VALUES (1, 1, '2024-01-02'), (2, 1, '2024-01-03'), (3, 2, '2024-01-02');
INSERT INTO r VALUES (1, '2024-01-03'), (2, '2024-01-02');"""
        )
    )
    assert [row.t.rowid for row in db.entities("r")] == [2, 3]
    agree(db)
    db.close()


def test_two_tables_whose_names_are_one_text_are_two(any_maker: Maker, tmp_path: Path) -> None:
    begin = "CREATE TABLE k (id INT PRIMARY KEY);\n"
    where = any_maker(begin)
    sqlite, server = where.endswith(".db"), "://" in where
    one, two = ("`m3.o`", '`"m3.o"`') if where.startswith("mysql") else ('"m3.o"', '"""m3.o"""')
    far = "CREATE TABLE {0}o (id INT PRIMARY KEY);\nINSERT INTO {0}o VALUES (1);\n"
    near = far.replace("{0}o", one).replace("1", "2") + far.replace("{0}o", two).replace("1", "3")
    near += "CREATE TABLE r (o INT, FOREIGN KEY (o) REFERENCES m3.o (id));\n" * server
    opened: Any = where
    if sqlite:
        execute(tmp_path / "a.db", near)
        execute(tmp_path / "b.db", far.format(""))
        opened = sa.create_engine(f"sqlite:///{where}")
        attach = f"ATTACH '{tmp_path / 'b.db'}' AS m3"
        sa.event.listen(opened, "connect", lambda conn, _: conn.execute(attach))
    else:
        schema = "DATABASE" if where.startswith("mysql") else "SCHEMA"
        opened = any_maker(f"{begin}CREATE {schema} m3;\n{far.format('m3.')}{near}")
    db = ev.read_database(opened)
    rows = {name: [row.id for row in db.entities(name)] for name in db.tables if "o" in name}
    assert rows == {"m3.o": [1], '"m3.o"': [2], '"""m3.o"""': [3]}
    assert [str(key) for key in db.keys] == ["r(o) -> m3.o(id)"] * server
    assert db.problems.empty
    assert sum(map(len, db.copy_to(ev.InMemoryEntityStorage()).values())) == 3
    db.close()
    if sqlite:
        opened.dispose()
    if where.startswith("mysql"):
        run(where, "DROP TABLE r;\nDROP DATABASE m3")


def test_names_that_differ_only_by_case_or_accent(mariadb: Maker) -> None:
    mariadb("CREATE TABLE t (id INT PRIMARY KEY, a INT);\n", "M1")
    url = mariadb(
        """CREATE TABLE Foo (id INT PRIMARY KEY, a INT);
CREATE TABLE foo (id INT PRIMARY KEY, r INT, `á` INT, a INT, FOREIGN KEY (r) REFERENCES Foo (ID));
CREATE TABLE `fóo` (a INT, `á` INT, FOREIGN KEY (a) REFERENCES foo (id));
CREATE TABLE t (id INT PRIMARY KEY, b INT);
INSERT INTO Foo VALUES (1, 2);
INSERT INTO foo VALUES (7, 1, 3, 4);
INSERT INTO `fóo` VALUES (7, 5), (7, 5), (NULL, 6);
"""
    )
    db = ev.read_database(url)
    assert [str(key) for key in db.keys] == ["foo(r) -> Foo(id)", "fóo(a) -> foo(id)"]
    assert {name: list(db.frame(name)) for name in db.tables} == {
        "Foo": ["id", "a"],
        "foo": ["id", "r", "á", "a"],
        "fóo": ["a", "á"],
        "t": ["id", "b"],
    }
    agree(db)
    both = ev.read_database(url, schemas=["M1", "m1"])
    assert list(both.frame("M1.t")) == ["id", "a"]
    assert list(both.frame("t")) == ["id", "b"]


def test_keys_of_duckdb_name_tables_and_columns_in_any_case(duckdb: Maker) -> None:
    db = ev.read_database(
        duckdb(
            """CREATE TABLE "Foo" (ID INT PRIMARY KEY, V INT UNIQUE);
CREATE TABLE r (x INT REFERENCES foo (id), y INT REFERENCES FOO (v));"""
        )
    )
    assert [str(key) for key in db.keys] == ["r(x) -> Foo(ID)", "r(y) -> Foo(V)"]


# -- what may be read ------------------------------------------------------------------------


def test_a_table_that_may_not_be_read_is_a_problem(postgresql: Maker) -> None:
    url = postgresql(
        """CREATE TABLE secret (id INT PRIMARY KEY);
CREATE TABLE t (id INT PRIMARY KEY, s INT REFERENCES secret);
INSERT INTO t VALUES (1, NULL);
DROP ROLE IF EXISTS reader;
CREATE ROLE reader LOGIN;
GRANT SELECT ON t TO reader;
"""
    )
    db = ev.read_database(sa.make_url(url).set(username="reader"))
    assert db.tables == ["t"]
    assert len(db.entities("t")) == 1
    assert db.problems["problem"].to_list() == [
        "left out: it may not be read: this login has no right to SELECT from it",
        "not followed: 'secret' cannot be read",
    ]


def test_columns_of_postgresql_that_may_not_be_read_are_a_problem(postgresql: Maker) -> None:
    url = postgresql(
        """CREATE TABLE staff (id INT PRIMARY KEY, name TEXT, wage INT, boss INT REFERENCES staff);
CREATE TABLE log (id INT, secret TEXT);
INSERT INTO staff VALUES (1, 'Ann', 9, NULL), (2, 'Bo', 8, 1);
INSERT INTO log VALUES (1, 'x');
DROP ROLE IF EXISTS reader;
CREATE ROLE reader LOGIN;
GRANT SELECT (id, name, boss) ON staff TO reader;
GRANT SELECT (id) ON log TO reader;
"""
    )
    db = ev.read_database(sa.make_url(url).set(username="reader"))
    assert db.tables == ["staff"]
    assert [(one.name, one.boss_staff is not None) for one in db.entities("staff")] == [
        ("Ann", False),
        ("Bo", True),
    ]
    assert db.problems[["table", "columns", "problem"]].values.tolist() == [
        ["log", "", "left out: of the columns that may be read, none tell its rows apart"],
        ["staff", "wage", "left out: this login has no right to SELECT these columns"],
    ]
    assert set(db.problems_frame()["kind"]) >= {"not read"}
    assert "wider class" not in set(db.problems_frame()["kind"])
    agree(db)
    db.close()


def test_a_table_of_mariadb_that_may_not_be_read_is_a_problem(mariadb: Maker) -> None:
    url = mariadb(
        """CREATE TABLE secret (id INT PRIMARY KEY);
CREATE TABLE t (id INT PRIMARY KEY);
INSERT INTO t VALUES (1);
CREATE OR REPLACE USER reader@localhost IDENTIFIED BY 'pw';
GRANT SELECT ON m1.t TO reader@localhost;
GRANT INSERT ON m1.secret TO reader@localhost;
"""
    )
    db = ev.read_database(sa.make_url(url).set(username="reader", password="pw"))
    assert db.tables == ["t"]
    assert len(db.frame("t")) == 1
    (told,) = db.problems["problem"]
    assert told == "left out: it may not be read: this login has no right to SELECT from it"
    db.close()
    with pytest.raises(errors.StorageAuthError, match="refused the login") as caught:
        ev.read_database(sa.make_url(url).set(username="reader", password="wrong-secret"))
    assert "wrong-secret" not in str(caught.value)


def test_a_table_of_postgresql_that_cannot_be_read_is_a_problem(postgresql: Maker) -> None:
    url = postgresql(
        """CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id INT) SERVER nowhere;
CREATE TABLE parts (id INT) PARTITION BY RANGE (id);
CREATE FOREIGN TABLE parts_far PARTITION OF parts FOR VALUES FROM (5) TO (9) SERVER nowhere;
CREATE TABLE parent (id INT, d DATE);
CREATE FOREIGN TABLE child () INHERITS (parent) SERVER nowhere;
INSERT INTO parent VALUES (4, '2024-02-29');
CREATE FUNCTION boom() RETURNS BOOL LANGUAGE plpgsql AS $$ BEGIN RAISE 'boom'; END $$;
CREATE TABLE ruled (id INT PRIMARY KEY);
ALTER TABLE ruled ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON ruled USING (boom());
INSERT INTO ruled VALUES (1);
CREATE TABLE t (id INT PRIMARY KEY, r INT REFERENCES ruled);
INSERT INTO t VALUES (1, 1);
CREATE MATERIALIZED VIEW empty AS SELECT 1 AS a WITH NO DATA;
DROP ROLE IF EXISTS reader;
CREATE ROLE reader LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
"""
    )
    db = ev.read_database(sa.make_url(url).set(username="reader"))
    assert db.tables == ["parent", "t"]
    told = db.problems.set_index("table")["problem"].to_dict()
    assert sorted(told) == ["child", "far", "parts", "ruled", "t"]
    assert "has no handler" in told["far"]
    assert "boom" in told["ruled"]
    assert len(db.entities("parent")) == len(db.entities("t")) == 1
    agree(db)
    db.close()


def test_partitions_that_can_be_read_are_read_where_the_whole_cannot(postgresql: Maker) -> None:
    url = postgresql(
        """CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE SCHEMA other;
CREATE TABLE k (id INT PRIMARY KEY);
INSERT INTO k VALUES (1);
CREATE TABLE p (id INT PRIMARY KEY, k INT REFERENCES k) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
CREATE TABLE other.p2 PARTITION OF p FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
CREATE TABLE p2a PARTITION OF other.p2 FOR VALUES FROM (10) TO (15);
CREATE TABLE no (id INT) PARTITION BY RANGE (id);
CREATE TABLE no1 PARTITION OF no FOR VALUES FROM (0) TO (10);
CREATE TABLE far (id INT) PARTITION BY RANGE (id);
CREATE TABLE near1 PARTITION OF far FOR VALUES FROM (0) TO (10);
INSERT INTO far VALUES (1);
CREATE FOREIGN TABLE far2 PARTITION OF far FOR VALUES FROM (20) TO (29) SERVER nowhere;
INSERT INTO p VALUES (1, 1), (11, 1);
DROP ROLE IF EXISTS reader;
CREATE ROLE reader LOGIN;
GRANT SELECT ON k, p1, p2a, far, near1, far2 TO reader;
"""
    )
    with ev.read_database(sa.make_url(url).set(username="reader")) as db:
        assert db.tables_frame().set_index("table")["rows"].to_dict() == {
            "k": 1,
            "near1": 1,
            "p1": 1,
            "p2a": 1,
        }
        assert {str(key) for key in db.keys} == {"p1(k) -> k(id)", "p2a(k) -> k(id)"}
        told = db.problems.set_index("table")["problem"].to_dict()
        assert sorted(told) == ["far", "far2", "no", "other.p2", "p"]
        assert told["far"].endswith("what can be read is read by itself: near1")
        assert told["other.p2"].endswith(": p2a")
        assert told["p"].endswith(": p1")
        assert "partition" not in told["no"]
        agree(db)
    with ev.read_database(url, schemas=["public"]) as db:  # by whom all is read
        assert {"far2", "p1", "p2a"}.isdisjoint(db.tables)
        assert len(db.frame("p")) == 2


def test_a_table_of_mariadb_that_cannot_be_read_is_a_problem(mariadb: Maker) -> None:
    url = mariadb(
        """CREATE TABLE t (id INT PRIMARY KEY);
INSERT INTO t VALUES (1);
CREATE TABLE gone (id INT PRIMARY KEY) ENGINE = MyISAM;
INSERT INTO gone VALUES (1);
CREATE TABLE far (id INT) ENGINE = MERGE UNION = (nowhere);
CREATE TABLE old (id INT);
CREATE VIEW v AS SELECT * FROM old;
DROP TABLE old;
"""
    )
    socket = sa.make_url(url).query["unix_socket"]
    (Path(str(socket)).parent / "data" / "m1" / "gone.MYD").unlink()
    run(url, "FLUSH TABLES")
    db = ev.read_database(url)
    assert (db.tables, db.views) == (["t"], ["v"])
    told = db.problems.set_index("table")["problem"]
    assert "gone.MYD" in told["gone"]
    assert "it cannot be read" in told["far"]
    agree(db)
    db.close()


def test_a_table_of_sqlite_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    path = execute(tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY);")
    with contextlib.closing(sqlite3.connect(path)) as made:
        made.create_collation("mine", lambda a, b: (a > b) - (a < b))
        made.create_function("own", 1, abs, deterministic=True)
        made.executescript(
            """CREATE TABLE computed (id INTEGER PRIMARY KEY, a INT AS (own(id)));
            CREATE TABLE sorted (a TEXT COLLATE mine PRIMARY KEY);
            CREATE TABLE by_key (a TEXT COLLATE mine PRIMARY KEY) WITHOUT ROWID;
            CREATE TABLE unsorted (id INTEGER PRIMARY KEY, a TEXT COLLATE mine UNIQUE);
            CREATE TABLE r (id INTEGER PRIMARY KEY, s REFERENCES sorted,
              u REFERENCES unsorted (a), i REFERENCES unsorted);
            CREATE TABLE checked (id INTEGER PRIMARY KEY CHECK (own(id) > 0));
            CREATE TABLE json (id INTEGER PRIMARY KEY, j TEXT CHECK (json_valid(j)),
              a AS (json_extract(j, '$.a')));
            CREATE VIEW v AS SELECT * FROM nowhere;
            INSERT INTO t VALUES (1);
            INSERT INTO unsorted VALUES (1, 'a');
            INSERT INTO r VALUES (1, 'a', 'a', 1);
            INSERT INTO checked VALUES (1);
            INSERT INTO json (j) VALUES ('{"a": 5}');"""
        )
    for trust in (False, True):
        with ev.read_database(path, trust=trust) as db:
            assert db.tables == ["checked", "json", "r", "t", "unsorted"]
            told = db.problems["table"].to_list()
            assert sorted(told) == ["by_key", "computed", "r", "r", "sorted"]
            assert db.frame("json")["a"].to_list() == [5]
            assert {len(db.entities(name)) for name in db.tables} == {1}
            assert db.entities("r")[0].i_unsorted.a == "a"
            assert sum(map(len, db.copy_to(ev.InMemoryEntityStorage()).values())) == 5


def test_inherited_rows_and_partitions_count_once(postgresql: Maker) -> None:
    db = ev.read_database(
        postgresql(
            """CREATE TABLE animal (id INT PRIMARY KEY);
CREATE TABLE dog (breed TEXT) INHERITS (animal);
CREATE TABLE fan (id INT PRIMARY KEY, of INT REFERENCES animal);
INSERT INTO animal VALUES (1);
INSERT INTO dog VALUES (1, 'lab'), (2, 'pug');
INSERT INTO fan VALUES (1, 1);
CREATE TABLE ev (id INT, d INT, PRIMARY KEY (id, d)) PARTITION BY RANGE (d);
CREATE TABLE ev1 PARTITION OF ev FOR VALUES FROM (0) TO (9);
CREATE TABLE r (id INT PRIMARY KEY, e INT, d INT, FOREIGN KEY (e, d) REFERENCES ev);
INSERT INTO ev VALUES (1, 1);
INSERT INTO r VALUES (1, 1, 1);
"""
        )
    )
    assert db.tables_frame().set_index("table")["rows"].to_dict() == {
        "animal": 1,
        "dog": 2,
        "ev": 1,
        "fan": 1,
        "r": 1,
    }
    assert db.problems.empty
    assert {str(key) for key in db.keys} == {"fan(of) -> animal(id)", "r(e, d) -> ev(id, d)"}
    assert len(db.row_graph().references) == 2
    agree(db)


# -- few rows --------------------------------------------------------------------------------


def test_a_read_of_few_rows_reads_few(any_maker: Maker) -> None:
    rows = ", ".join(f"({n}, {n % 5 + 1}, 'a', 1.5)" for n in range(1, 200))
    db = ev.read_database(
        any_maker(
            f"""CREATE TABLE one (id INT PRIMARY KEY, name VARCHAR(9));
INSERT INTO one VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');
CREATE TABLE many (id INT PRIMARY KEY, one_id INT NOT NULL, t VARCHAR(9), d DOUBLE PRECISION,
  FOREIGN KEY (one_id) REFERENCES one (id));
INSERT INTO many VALUES {rows};
"""
        )
    )

    def asked(call: Callable[[], Any]) -> list[str]:
        with counted() as statements:
            assert len(call()) == 1
        return [s for s in statements if s.startswith("SELECT") and "LIMIT 0" not in s]

    (query,) = asked(lambda: db.frame("many", limit=1))
    assert "LIMIT" in query
    (query,) = asked(lambda: db.frame("many", where={"id": 7}))
    assert "WHERE" in query
    _ = db.classes  # once, of some rows of each table
    for call in (
        lambda: db.entities("many", limit=1),
        lambda: db.entities("many", where={"id": 7}),
    ):
        queries = asked(call)
        assert len(queries) == 4  # which rows, where their key leads, and the values of both
        assert all("LIMIT" in query or "WHERE" in query for query in queries)
    (first,) = db.entities("many", limit=1)
    assert type(first) is db.classes["many"]
    assert type(first.one) is db.classes["one"]
    db.close()


def test_classes_are_the_same_whatever_was_read_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    read(
        tmp_path,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, d DATE, p NUMERIC, e DATE,"
        " r INTEGER NOT NULL REFERENCES t)",
        "INSERT INTO t VALUES (1, '2024-02-29', 7, NULL, 1), (2, 'soon', 0.5, NULL, 9),"
        " (3, NULL, NULL, '2024-02-29', 2)",
    ).close()
    calls: list[Callable[[Database], Any]] = [
        lambda db: db.classes,
        lambda db: db.entities("t", limit=1),
        lambda db: db.entities("t", where={"id": 3}),
        lambda db: db.entities("t"),
        lambda db: db.frame("t", limit=1),
        lambda db: list(db.frame("t", chunks=2)),
    ]
    modules = set()
    for order in permutations(calls, 2):
        with ev.read_database(path) as db:
            for call in order:
                call(db)
            cls = db.classes["t"]
            told = {field: str(f.annotation) for field, f in cls.model_fields.items()}
            one, two, three = db.entities("t")
            assert [type(each) for each in (one, two, three)] == [cls] * 3
            assert type(db.entities("t", where={"id": 1})[0]) is cls
            assert told["d"] == "str | None"
            assert told["p"] == "float | None"
            assert (one.d, one.p, one.r_t) == ("2024-02-29", 7.0, one)
            assert (two.d, two.p, two.e, two.r_t) == ("soon", 0.5, None, None)
            assert (three.d, three.p, three.e) == (None, None, dt.date(2024, 2, 29))
            modules.add(cls.__module__)
    (name,) = modules
    # Where the first rows do not tell: what is read fits its class, and problems tells.
    monkeypatch.setattr(kinds, "LOOKED_AT", 1)
    with ev.read_database(path) as db:
        narrow = db.classes["t"]
        (one,) = db.entities("t", where={"id": 1})
        assert type(one) is narrow
        assert (one.d, one.p) == (dt.date(2024, 2, 29), 7)
        assert "wider class" not in db.problems_frame()["kind"].tolist()
        (two,) = db.entities("t", where={"id": 2})
        assert (two.d, two.p, two.r_t) == ("soon", 0.5, None)
        assert type(two) is db.classes["t"] is not narrow
        assert db.classes["t"].__module__ == name
        told = db.problems_frame().set_index("kind").loc["wider class"]
        assert told["columns"].tolist() == ["d", "p"]
        assert told["problem"].str.contains("values are").all()
    for chunks in (None, 1):
        with ev.read_database(path) as db:
            _ = db.classes
            store = ev.InMemoryEntityStorage()
            db.copy_to(store, chunks=chunks)
            assert sorted(each.d or "" for each in store.list_by_type(db.classes["t"])) == [
                *("", "2024-02-29", "soon")
            ]
            assert db.classes["t"].__module__ == name


def test_classes_look_at_few_rows_however_many_there_are(any_maker: Maker) -> None:
    rows = ", ".join(f"({n}, 1, {n}.5, '2024-02-29', 'x')" for n in range(1, 40))
    columns = "id INT PRIMARY KEY, t_id INT NOT NULL, d DOUBLE PRECISION, day DATE, s VARCHAR(9)"
    db = ev.read_database(
        any_maker(
            f"CREATE TABLE t0 ({columns});\nINSERT INTO t0 VALUES {rows};\n"
            f"CREATE TABLE t1 ({columns}, FOREIGN KEY (t_id) REFERENCES t0 (id));\n"
            f"INSERT INTO t1 VALUES {rows};\n"
        )
    )
    with pytest.MonkeyPatch.context() as patch, counted() as statements:
        patch.setattr(kinds, "LOOKED_AT", 10)
        made = db.classes
        asked = [query for query in statements if query.lstrip("( ").startswith("SELECT")]
        (one,) = db.entities("t1", where={"id": 7})
    assert asked
    assert all("LIMIT" in query for query in asked)
    assert type(one) is made["t1"]
    assert type(one.t) is made["t0"]
    db.close()
