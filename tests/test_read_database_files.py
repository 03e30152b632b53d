"""``read_database``: files and folders of tables, keys that nobody declares, chunks, forms."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import re
import sqlite3
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers.database import Database, copying
from ecsviz.importers.files import ImportSourceError
from ecsviz.isomorphic import find_difference
from tests.databases import SHOP, counted, execute, read
from tests.test_read_database_engines import agree_in_chunks


@pytest.fixture
def folder(tmp_path: Path, require_optional: Any) -> Path:
    require_optional("duckdb")
    arrow, parquet = require_optional("pyarrow"), require_optional("pyarrow.parquet")
    made = tmp_path / "sales"
    (made / "visits").mkdir(parents=True)
    (made / "customers.csv").write_text("id,name,since\n1,Ann,2024-02-29\n2,Bo,\n")
    orders = {"id": [1, 2, 3], "customer_id": [1, 2, 2], "to": [{"zip": 1}, None, None]}
    parquet.write_table(arrow.table(orders), made / "orders.parquet")
    lines = ['{"order_id": 1, "what": "tea"}'] * 2 + ['{"order_id": 9, "what": "ink"}']
    (made / "lines.jsonl").write_text("\n".join(lines))
    (made / "visits" / "2024.csv").write_text("day\n2024-01-01\n")
    (made / "visits" / "2025.csv").write_text("day\n2025-01-01\n")
    (made / "bad.parquet").write_bytes(b"PAR1 and nothing")
    (made / "readme.txt").write_text("hello")
    return made


def test_a_folder_is_a_database(folder: Path) -> None:
    with ev.read_database(folder) as db:
        assert db.tables == ["customers", "lines", "orders", "visits"]
        assert [str(key) for key in db.keys] == ["orders(customer_id) -> customers(id) (guessed)"]
        assert db.keys_frame()[["linked", "guessed"]].values.tolist() == [[3, True]]
        (told,) = db.problems.values.tolist()
        assert told[0] == "bad"
        assert "DuckDB cannot read it" in told[3]
        one, two = db.frame("customers")["since"].to_list()
        assert (one, two) == (pd.Timestamp("2024-02-29"), pd.NaT)
        assert [order.customer.name for order in db.entities("orders")] == ["Ann", "Bo", "Bo"]
        assert db.entities("orders")[0].to == {"zip": 1}
        assert len(db.entities("visits")) == 2
        assert len({line.ecs_id for line in db.entities("lines")}) == 3
        nodes = db.row_graph("orders", where={"id": 1}, hops=1).nodes
        assert sorted(nodes) == ["customers 1", "orders 1"]
        copied = db.copy_to(ev.SQLAlchemyEntityStorage(":memory:"))
        assert sum(map(len, copied.values())) == 10
    assert len(list(folder.iterdir())) == 6
    named = {"lines.order_id": "orders.id", "orders.customer_id": "customers.id"}
    with ev.read_database(folder, keys=named) as db:
        assert db.keys_frame()[["linked", "dangling", "guessed"]].values.tolist() == [
            [2, 1, False],
            [3, 0, False],
        ]
        assert db.entities("lines")[0].order.customer.name == "Ann"
    with ev.read_database(folder, keys={}) as db:
        assert db.keys == []


def test_one_file_of_a_table(folder: Path) -> None:
    assert ev.read_database(folder / "orders.parquet").tables == ["orders"]
    assert ev.read_database(folder / "customers.csv").frame("customers", limit=1).shape == (1, 3)
    with pytest.raises(errors.ImportFormatError, match="a folder of such files"):
        ev.read_database(folder / "lines.jsonl")
    with pytest.raises(errors.ImportFormatError, match="no table can be read"):
        ev.read_database(folder / "bad.parquet")
    with pytest.raises(errors.ImportLimitError, match="max_bytes="):
        ev.read_database(folder, max_bytes=100)


# -- every row of files ----------------------------------------------------------------------


def table_of(folder: Path, name: str, content: str | bytes) -> Database:
    """Read a folder that holds one file."""
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    told = content if isinstance(content, bytes) else content.encode()
    (folder / name).write_bytes(told)
    return ev.read_database(folder)


ODD: dict[str, tuple[str | bytes, list[str], list[list[Any]], str]] = {
    "a row begins with #": ("a,b\n#1,2\n3,4\n", ["a", "b"], [["#1", 2], ["3", 4]], ""),
    "rows of other widths": (
        "id,name\n1,Ann\n2\n3,Bo,extra\n4,Di\n",
        ["id", "name", "column2"],
        [[1, "Ann", None], [2, None, None], [3, "Bo", "extra"], [4, "Di", None]],
        "2 rows with fewer or more values .* the first in line 3",
    ),
    "a title": (
        "Report 2020\n\na,b\n1,2\n",
        ["a", "b"],
        [[1, 2]],
        r"before the header was left out \('Report 2020'\)",
    ),
    "lines that are empty but for commas": (
        "Quarterly,\n,\na,b\n1,2\n",
        ["Quarterly", "column1"],
        [[None, None], ["a", "b"], ["1", "2"]],
        "",
    ),
    "a blank line, where it is a row": ("a\n1\n\n3\n", ["a"], [[1], [None], [3]], ""),
    "ends of lines of two kinds": ("a,b\n1,2\r\n3,4\n", ["a", "b"], [[1, 2], [3, 4]], ""),
    "a quote that is not closed": ('a\n"x\n1\n', ["a"], [['"x'], ["1"]], "quotes do not match"),
    "escaped quotes": ('a,b\n"x\\"y",2\n"q",3\n', ["a", "b"], [['x"y', 2], ["q", 3]], ""),
    "semicolons": ("a;b\n1,5;2\n2,5;\n", ["a", "b"], [["1,5", 2], ["2,5", None]], ""),
    "names twice": ("a,A,\n1,2,3\n", ["a", "A_1", "column2"], [[1, 2, 3]], ""),
    "no header": ("1,x\n2,y\n", ["column0", "column1"], [[1, "x"], [2, "y"]], ""),
    "integers and codes": (
        "n,c,d,f\n9223372036854775808,007,+1,9007199254740993\n1,8,1,0.5\n",
        ["n", "c", "d", "f"],
        [[2**63, "007", "+1", "9007199254740993"], [1, "8", "1", "0.5"]],
        "",
    ),
    "days that may be two": ("d\n01/02/2020\n", ["d"], [["01/02/2020"]], ""),
    "numbers no float holds": ("x\n1e400\n0.5\n", ["x"], [["1e400"], ["0.5"]], ""),
    "floats": ("x\n0.30000000000000004\n-0\n1e5\n", ["x"], [[0.1 + 0.2], [-0.0], [1e5]], ""),
    "UTF-16": ("a;b\né;1\n".encode("utf-16"), ["a", "b"], [["é", 1]], ""),
    "UTF-16 without a mark": (
        "a,b\nx,1\n".encode("utf-16-le"),
        ["a", "b"],
        [["x", 1]],
        "read as UTF-16",
    ),
    "Latin-1": ("a\ncafé\n".encode("latin-1"), ["a"], [["café"]], "read as Latin-1"),
    "late": ("v\n" + "1\n" * 30_000 + "x\n", ["v"], [["1"]] * 30_000 + [["x"]], ""),
}


@pytest.mark.parametrize("what", ODD)
def test_every_row_of_a_csv_file_counts_or_is_told(
    tmp_path: Path, what: str, require_optional: Any
) -> None:
    require_optional("duckdb")
    content, names, rows, told = ODD[what]
    with table_of(tmp_path / "f", "t.csv", content) as db:
        frame = db.frame("t").astype(object)
        assert list(frame) == names
        assert frame.where(frame.notna(), None).values.tolist() == rows
        problems = db.problems
        problems = problems[~problems["problem"].str.contains(_UNTOLD, regex=False)]
        assert len(problems) == bool(told)
        if told:
            assert re.search(told, problems["problem"][0])
            assert problems["table"].to_list() == ["t"]
            assert db.problems_frame()["kind"].to_list()[0] == "odd file"
        assert len(db.entities("t")) == len(rows)


_UNTOLD = "nothing tells whether its first row names the columns"


@pytest.mark.parametrize("header", [None, True, False])
def test_whether_the_first_row_of_texts_is_names_is_told_or_asked(
    tmp_path: Path, header: bool | None, require_optional: Any
) -> None:
    require_optional("duckdb")
    (tmp_path / "texts.csv").write_text("Ann,Berlin\nBo,Paris\n")
    (tmp_path / "one.csv").write_text("Ann,Berlin\n")
    (tmp_path / "numbers.csv").write_text("id,name\n1,Ann\n")
    with ev.read_database(tmp_path, header=header) as db:
        said = db.problems.set_index("table")["problem"]
        assert sorted(said.index) == (["one", "texts"] if header is None else [])
        assert all(_UNTOLD in each and "header=False" in each for each in said)
        rows = {name: db.frame(name).values.tolist() for name in db.tables}
    if header is False:
        assert rows["texts"] == [["Ann", "Berlin"], ["Bo", "Paris"]]
        assert rows["one"] == [["Ann", "Berlin"]]
        assert rows["numbers"] == [["id", "name"], ["1", "Ann"]]
    else:
        assert rows == {"texts": [["Bo", "Paris"]], "one": [], "numbers": [[1, "Ann"]]}


_CELLS = st.text(alphabet=" \"'#\\\n\r,-.01eéT:\0", max_size=6) | st.sampled_from(
    ["1", "-7", "2.5", "2024-02-29", "10:11:12", "true", "nan", "NULL", "2024-02-29T10:11:12Z"]
)


@given(
    rows=st.lists(st.lists(_CELLS, min_size=1, max_size=3), min_size=1, max_size=5),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
@settings(max_examples=12)
def test_each_value_of_a_csv_file_is_what_stands_there(
    rows: list[list[str]], encoding: str, end: str
) -> None:
    pytest.importorskip("duckdb")
    rows = [["k", "l"], ["x", "y"], ["x", "y"], ["z", "y", "x"], *rows, *[["x", "y"]] * len(rows)]
    text = io.StringIO(newline="")
    # All are quoted: the writer does not quote ends of lines of other kinds.
    csv.writer(text, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    odd = sum(len(row) != 2 for row in rows)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "t.csv").write_bytes(text.getvalue().encode(encoding))
        with ev.read_database(folder, header=True) as db:
            frame = db.frame("t")
            assert frame.shape == (len(rows) - 1, 3)
            for row, found in zip(rows[1:], frame.astype(object).values.tolist(), strict=True):
                padded = [*row, "", ""][: len(found)]
                assert [None if pd.isna(v) else v for v in found] == [v or None for v in padded]
            assert db.problems["rows"].to_list() == [odd]


def test_files_of_json_lose_no_record_and_no_digit(tmp_path: Path, require_optional: Any) -> None:
    require_optional("duckdb")
    cases: list[tuple[str | bytes, list[Any]]] = [
        ('{"a": 1}\n5\n{"a": 2}\n', [{"a": 1}, 5, {"a": 2}]),
        ('{"a": 1}\n' * 30_000 + '{"a": "x"}', [1] * 30_000 + ["x"]),
        ('{"a": 9007199254740993}\n{"a": 0.5}', [9_007_199_254_740_993, 0.5]),
        ('{"a": {"b": [1e400]}}', [{"b": ["1e400"]}]),
        ('[{"a": 12345678901234567890.5}, {"a": 1}]', ["12345678901234567890.5", 1]),
        ('{"a": "\\"1e999"}', ['"1e999']),
        ('{"a": "é"}'.encode("utf-16"), ["é"]),
    ]
    for content, values in cases:
        with table_of(tmp_path / "f", "t.json", content) as db:
            frame = db.frame("t")
            assert frame[frame.columns[0]].tolist() == values
            assert [len(db.entities("t"))] == [len(values)]
            digits = "400" in str(content) or "890.5" in str(content)
            assert ["digits" in told for told in db.problems["problem"]] == [True] * digits


def test_no_file_of_a_folder_goes_unheard(tmp_path: Path, require_optional: Any) -> None:
    require_optional("duckdb")
    arrow, parquet = require_optional("pyarrow"), require_optional("pyarrow.parquet")
    one = arrow.table({"n": [2**53 + 1]})
    parquet.write_table(one, tmp_path / "t.parquet")
    (tmp_path / "T.csv").write_text("n\n2\n")
    (tmp_path / "t.json").write_text('{"n": 3}')
    (tmp_path / "packed.csv.gz").write_bytes(gzip.compress(b"n\n4\n"))
    (tmp_path / "_old.csv").write_text("n\n5\n")
    (tmp_path / "sheet.xlsx").write_bytes(b"PK")
    (tmp_path / "broken.csv.gz").write_bytes(gzip.compress(b"n\n4\n" * 99)[:-9])
    for part in ("year=2024", "year=2025"):
        (tmp_path / "t" / part).mkdir(parents=True)
        (tmp_path / "t" / part / "a.csv").write_text(f"n\n{part[-1]}\n")
    parquet.write_table(one, tmp_path / "t" / "b.parquet")
    parquet.write_table(arrow.table({"n": [0.5], "m": [1]}), tmp_path / "t" / "c.parquet")
    with ev.read_database(tmp_path) as db:
        assert {name: db.frame(name)["n"].tolist() for name in db.tables} == {
            "T": [2],
            "packed": [4],
            "t.csv": [4, 5],
            "t.json": [3],
            "t.parquet": [float(2**53), 0.5],
            "t.parquet 2": [2**53 + 1],
        }
        assert db.frame("t.csv")["year"].tolist() == [2024, 2025]
        told = db.problems.set_index("table")["problem"]
        assert sorted(told.index) == ["_old.csv", "broken", "sheet.xlsx", "t.parquet"]
        assert "damaged" in told["broken"]
        assert "1 number of n" in told["t.parquet"]
    with ev.read_database(tmp_path / "packed.csv.gz") as db:
        assert db.frame("packed")["n"].tolist() == [4]
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"n\n" * 10**6))
    with pytest.raises(errors.ImportLimitError, match="max_bytes="):
        ev.read_database(tmp_path / "bomb.csv.gz", max_bytes=10**5)


def test_keys_that_a_database_does_not_declare(tmp_path: Path) -> None:
    tables = (
        "CREATE TABLE Customers (ID INTEGER PRIMARY KEY, boss_id INTEGER)",
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, customerId INTEGER, paid, visit_id INTEGER)",
        "CREATE TABLE visits (id INTEGER)",
        "INSERT INTO Customers VALUES (1, 1)",
        "INSERT INTO orders VALUES (1, 1, 1, 1), (2, 1, 1, 2)",
        "INSERT INTO visits VALUES (1), (1)",  # leads nowhere: not unique
    )
    path = execute(tmp_path / "a.db", *tables)
    assert ev.read_database(path).keys == []
    db = ev.read_database(path, keys="guess")
    assert [str(key) for key in db.keys] == ["orders(customerId) -> Customers(ID) (guessed)"]
    db = ev.read_database(path, keys={"Customers.boss_id": "Customers.ID"})
    (one,) = db.entities("Customers")
    assert one.boss is one
    wrong: list[Any] = ["all", {"orders.x": "Customers.ID"}, {"orders": "visits"}, {1: 2}, [1]]
    for keys in wrong:
        with pytest.raises(errors.InvalidArgumentError, match="keys"):
            ev.read_database(path, keys=keys)


def test_keys_that_can_be_read_in_two_ways_are_given_as_pairs(tmp_path: Path) -> None:
    tables = (
        'CREATE TABLE a (id INTEGER PRIMARY KEY, "b.c" INTEGER REFERENCES gone)',
        'CREATE TABLE "a.b" (c INTEGER PRIMARY KEY)',
        'INSERT INTO a VALUES (1, 1); INSERT INTO "a.b" VALUES (1)',
    )
    path = execute(tmp_path / "a.db", *map("{};".format, tables))
    with pytest.raises(
        errors.InvalidArgumentError, match=r"'b\.c' of 'a' or 'c' of 'a\.b'"
    ) as told:
        ev.read_database(path, keys={"a.b.c": "a.id"})
    assert "('a', 'b.c')" in str(told.value)
    pair: Any
    for pair, end in ((("a", "b.c"), "a.id"), (("a.b", "c"), ("a", "id"))):
        with ev.read_database(path, keys={pair: end}) as db:  # beside the one that leads nowhere
            assert [(key.table, key.columns[0]) for key in db.keys if key.fault is None] == [pair]
            assert len(db.row_graph().references) == 1
            assert len(db.keys) == 2


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;", r"sqlite3 new\.db < FILE"),
        (b"-- MySQL dump 10.13  Distrib 8.0.36", "Load it first"),
        (b"\n--\n-- PostgreSQL database dump\n--\n", "Load it first"),
        (b"PGDMP\x01\x0e", "pg_restore"),
        (b"\x00\x01\x00\x00Standard ACE DB\x00", "Microsoft Access"),
        (b"PK\x03\x04\x14\x00", "Unpack it"),
        (bytes(range(256)) * 16, "SQLCipher"),
        (b"a note", "is no SQLite database"),
        (b"", "is empty"),
        (b"        DUCK" + bytes(4_084), "does not open"),
    ],
)
def test_what_a_file_is_and_how_it_can_be_read(
    tmp_path: Path, content: bytes, told: str, require_optional: Any
) -> None:
    require_optional("duckdb")
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(errors.EcsvizError, match=told):
        ev.read_database(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(errors.StorageOpenError, match="folder without files of Parquet"):
        ev.read_database(tmp_path / "empty")
    with pytest.raises(ImportSourceError, match="Cannot read"):
        ev.read_database(tmp_path / "missing.duckdb")


# -- in place --------------------------------------------------------------------------------


def test_a_file_that_is_trusted_is_read_where_it_lies(tmp_path: Path) -> None:
    path = execute(tmp_path / "a.db", SHOP)
    with ev.read_database(path, trust=True, max_bytes=1) as db:
        assert len(db.frame("customers")) == 3
        with contextlib.closing(sqlite3.connect(path)) as other:
            other.execute("INSERT INTO country VALUES ('de', 'Germany')")
            other.commit()  # nobody holds a lock
        assert len(db.frame("country")) == 3
        with pytest.raises(errors.EcsvizError), db._source.reading() as conn:
            conn.exec_driver_sql("DELETE FROM country")
        assert len(db.entities("orders")) == 3
    with ev.read_database(path) as copied:
        assert len(copied.frame("country")) == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.db"]


# -- columns, chunks and forms ---------------------------------------------------------------


MIXED = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, n NUMERIC, d DATE, s TEXT, b BLOB, ok BOOLEAN, x);
    INSERT INTO t VALUES (1, 1, '2024-02-29', 'a', x'00ff', 1, 'y'), (2, 0.5, NULL, NULL, NULL, 0,
        2), (3, 7, '2024-01-01', 'ü', x'', NULL, NULL);
    CREATE TABLE none (id INTEGER PRIMARY KEY, d DATE);
"""


def test_columns_and_chunks(tmp_path: Path) -> None:
    db = read(tmp_path, MIXED)
    assert list(db.frame("t", columns=["s", "id"])) == ["s", "id"]
    whole = db.frame("t")
    chunks = list(db.frame("t", chunks=2))
    assert [len(chunk) for chunk in chunks] == [2, 1]
    assert all(chunk.dtypes.equals(whole.dtypes) for chunk in chunks)
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), whole)
    (only,) = db.frame("t", columns=["n"], where={"id": 1}, chunks=5)
    assert only["n"].to_list() == [1.0]
    (empty,) = db.frame("none", chunks=5)
    assert empty.dtypes.astype(str).to_list() == ["int64", "datetime64[s]"]
    assert [len(c) for c in db.frame("t", limit=2, chunks=1)] == [1, 1]
    wrong: list[dict[str, Any]] = [
        {"columns": ["nothing"]},
        {"columns": []},
        {"columns": ["id", "id"]},
        {"columns": "id"},
        {"columns": [1]},
        {"chunks": 0},
        {"chunks": "2"},
        {"as_": "excel"},
    ]
    for asked in wrong:
        with pytest.raises(errors.InvalidArgumentError, match=next(iter(asked))[:6]):
            db.frame("t", **asked)


def test_arrow_and_polars(tmp_path: Path, require_optional: Any) -> None:
    arrow, polars = require_optional("pyarrow"), require_optional("polars")
    db = read(tmp_path, MIXED)
    table = db.frame("t", as_="arrow")
    assert [str(field.type) for field in table.schema] == [
        "int64",
        "double",
        "date32[day]",
        "string",
        "binary",
        "bool",
        "string",
    ]
    assert table.column("x").to_pylist() == ["y", "2", None]
    parts = list(db.frame("t", as_="arrow", chunks=1))
    assert arrow.concat_tables(parts).equals(table)
    assert isinstance(db.frame("t", as_="polars"), polars.DataFrame)


def test_a_database_as_parquet_and_back(tmp_path: Path, require_optional: Any) -> None:
    require_optional("pyarrow")
    require_optional("duckdb")
    db = read(tmp_path, SHOP)
    place = db.to_parquet(tmp_path / "out")
    assert sorted(p.name for p in place.iterdir()) == sorted(f"{t}.parquet" for t in db.tables)
    again = ev.read_database(place, keys={"customers.country_code": "country.code"})
    assert again.tables == db.tables
    assert again.entities("customers")[0].country.name == "France"
    for name in db.tables:
        pd.testing.assert_frame_equal(again.frame(name), db.frame(name), check_dtype=False)


def test_large_tables_are_written_in_little_memory(tmp_path: Path, require_optional: Any) -> None:
    require_optional("pyarrow")
    rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {})"
    peaks = []
    for count in (20_000, 100_000):
        path = tmp_path / f"{count}.db"
        insert = f"INSERT INTO t {rows.format(count)} SELECT i, 'text ' || i FROM n"
        execute(path, "CREATE TABLE t (id INTEGER PRIMARY KEY, s TEXT)", insert)
        with ev.read_database(path) as db:
            sum(len(chunk) for chunk in db.frame("t", chunks=2_000, limit=4_000))
            tracemalloc.start()
            assert sum(len(chunk) for chunk in db.frame("t", chunks=2_000)) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_two_thousand_columns(tmp_path: Path) -> None:
    names = ", ".join(f"c{n} INTEGER" for n in range(1_999))
    table = f"CREATE TABLE wide (id INTEGER PRIMARY KEY, {names})"
    db: Database = read(tmp_path, table, "INSERT INTO wide (c7) VALUES (5)")
    assert db.frame("wide").shape == (1, 2_000)
    (one,) = db.entities("wide")
    assert (one.c7, one.c1998) == (5, None)


def test_what_cannot_be_reached_and_what_can(postgres_url: str) -> None:
    nobody = sa.make_url(postgres_url).set(database="nowhere")
    with pytest.raises(errors.StorageOpenError) as caught:
        ev.read_database(nobody)
    assert "nowhere" in str(caught.value)


def test_a_copy_some_rows_at_a_time(tmp_path: Path, shop: Database) -> None:
    """With cycles of one table and of two, two columns, rows without a key, and dangling values."""
    agree_in_chunks(shop)
    dangling = (
        "CREATE TABLE b (id INTEGER PRIMARY KEY, code TEXT UNIQUE)",
        "CREATE TABLE c (b INTEGER REFERENCES b, code TEXT REFERENCES b (code))",
        "CREATE TABLE d (b TEXT NOT NULL REFERENCES b, x REAL)",
        "INSERT INTO b VALUES (1, 'x'), (2, 'y')",
        "INSERT INTO c VALUES (1, 'y'), (9, 'z'), (NULL, NULL), (NULL, NULL)",
        "INSERT INTO d VALUES ('1', 0.5), (' 1', 0.5), ('1', 0.5)",  # compared as numbers
    )
    agree_in_chunks(read(tmp_path, *dangling))
    (tmp_path / "cycles").mkdir()
    cycles = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INT REFERENCES b, a INT REFERENCES a)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES a, t TEXT UNIQUE)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, d INT NOT NULL REFERENCES d, t REFERENCES b(t))",
        "CREATE TABLE d (id INTEGER PRIMARY KEY, c INT NOT NULL REFERENCES c)",
        "CREATE TABLE e (k TEXT PRIMARY KEY, u TEXT UNIQUE, many INT)",  # k may be NULL
        "CREATE TABLE f (u TEXT REFERENCES e (u), many INT REFERENCES e (many), own INT UNIQUE)",
        "CREATE TABLE g (f INT REFERENCES f (own), e TEXT REFERENCES e)",
        "CREATE TABLE h (id INTEGER PRIMARY KEY, h INT NOT NULL REFERENCES h, o REFERENCES h)",
        "CREATE TABLE i (id INTEGER PRIMARY KEY, h INT NOT NULL REFERENCES h, j REFERENCES j)",
        "CREATE TABLE j (id INTEGER PRIMARY KEY, h REFERENCES h, i INT NOT NULL REFERENCES i)",
        "INSERT INTO h VALUES (1, 1, NULL), (2, 1, 3), (3, 4, 1), (4, 7, 7), (5, 3, 3), (6, 2, 5)",
        "INSERT INTO h VALUES (7, 5, 8), (8, 8, 4), (9, 10, NULL), (10, 8, 8)",
        "INSERT INTO i VALUES (1, 3, 2), (2, 8, 1), (3, 9, NULL)",
        "INSERT INTO j VALUES (1, 7, 3), (2, NULL, 1), (3, 1, 2)",
        "INSERT INTO a VALUES (1, 2, 3), (2, 1, 2), (3, NULL, 1), (4, NULL, NULL), (5, 9, 4)",
        "INSERT INTO b VALUES (1, 1, 'x'), (2, 1, 'y'), (3, 2, NULL)",
        "INSERT INTO c VALUES (1, 1, 'x'), (2, 3, 'z'), (3, 2, 'y')",
        "INSERT INTO d VALUES (1, 2), (2, 3), (3, 1)",
        "INSERT INTO e VALUES ('k', 'x', 7), (NULL, 'y', 7), (NULL, 'z', 8), (NULL, NULL, 7)",
        "INSERT INTO f VALUES ('y', 7, 1), ('z', 8, 2), ('x', 9, 3)",
        "INSERT INTO f VALUES ('z', 8, NULL), ('z', 8, NULL)",
        "INSERT INTO g VALUES (1, 'k'), (2, 'n'), (2, 'n'), (2, 'n'), (NULL, NULL)",
    )
    agree_in_chunks(read(tmp_path / "cycles", *cycles))
    with pytest.raises(errors.InvalidArgumentError, match="chunks=0"):
        shop.copy_to(ev.SQLAlchemyEntityStorage(":memory:"), chunks=0)
    with pytest.raises(errors.GraphTooLargeError, match=r"3 rows .*: 15\..*chunks=") as caught:
        shop.copy_to(ev.SQLAlchemyEntityStorage(":memory:"), max_entities=3)
    assert (caught.value.limit, caught.value.rows) == (3, 15)


def test_what_has_to_be_held_is_told_before_a_row_is_read(tmp_path: Path) -> None:
    cycle = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INT NOT NULL REFERENCES b)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES a)",
        "INSERT INTO a VALUES (1, 1), (2, 2)",
        "INSERT INTO b VALUES (1, 2), (2, 1)",
    )
    db, store = read(tmp_path, *cycle), ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    _ = db.classes
    told = (
        r"3 rows of a and b .* \(4\): keys make a cycle, of which none may be NULL \([ab]\.[ab]\)"
    )
    with counted() as sent, pytest.raises(errors.GraphTooLargeError, match=told) as caught:
        db.copy_to(store, chunks=2, max_entities=3)
    assert len([one for one in sent if "FROM" in one and "count(*)" not in one]) <= 1, sent
    assert "max_entities=" in str(caught.value)
    assert "may be NULL" in str(caught.value)
    assert store.revisions().empty
    assert db.copy_to(store, chunks=2, max_entities=4) == {"a": 2, "b": 2}
    # Of one table, who waits is held, and no others.
    (tmp_path / "own").mkdir()
    own = (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, a INT NOT NULL REFERENCES a)",
        "INSERT INTO a VALUES (1, 1), (2, 1), (3, 2), (4, 8), (5, 4), (6, 3), (7, 6), (8, 7)",
    )
    db, store = read(tmp_path / "own", *own), ev.SQLAlchemyEntityStorage(tmp_path / "own.db")
    told = r"1 row of a .* \(2\): keys of a that may not be NULL lead to rows further on\. Allow"
    with pytest.raises(errors.GraphTooLargeError, match=told):
        db.copy_to(store, chunks=2, max_entities=1)
    assert store.revisions().empty
    assert db.copy_to(store, chunks=2, max_entities=2) == {"a": 8}


def test_what_is_too_much_to_be_held_is_read_when_it_is_asked_for(
    shop: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = shop.copy_to(ev.SQLAlchemyEntityStorage(tmp_path / "whole.db"))
    monkeypatch.setattr(copying, "AT_ONCE", 14)
    monkeypatch.setattr(copying, "AT_A_TIME", 3)
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    found = shop.copy_to(store)
    assert "read from the store" in repr(found["orders"])
    assert {name: len(rows) for name, rows in found.items()} == {
        name: len(rows) for name, rows in expected.items()
    }
    with counted() as statements:
        assert len(found["orders"]) > 0
    assert not statements
    for name, rows in found.items():
        assert [one.ecs_id for one in rows] == [one.ecs_id for one in expected[name]]
        for one, other in zip(rows, expected[name], strict=True):
            assert find_difference(one, other) is None
        assert list(rows[:2]) == list(expected[name][:2])


def test_a_copy_needs_no_more_memory_for_more_rows(tmp_path: Path) -> None:
    peaks = []
    for count in (300, 1_800):
        db = read(
            tmp_path,
            "DROP TABLE IF EXISTS a; DROP TABLE IF EXISTS b",
            "CREATE TABLE a (id INTEGER PRIMARY KEY, n INT NOT NULL REFERENCES a, a REFERENCES a);"
            " CREATE TABLE b (t TEXT, a INT NOT NULL REFERENCES a)",
            f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
            f" INSERT INTO a SELECT i, max(1, i - 150), {count} - i FROM n",
            "INSERT INTO b SELECT 'x' || n, id FROM a",
        )
        store = ev.SQLAlchemyEntityStorage(tmp_path / f"{count}.db")
        _ = db.classes
        tracemalloc.start()
        db.copy_to(store, chunks=100)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert store.revisions()[["added", "changed"]].values.tolist() == [[2 * count, 0]]
        assert set(store.frame(db.classes["a"])["version"]) == {1}
    assert peaks[1] < 1.2 * peaks[0]


def test_statements_of_a_copy_grow_with_tables_alone(tmp_path: Path) -> None:
    sent = []
    for count in (10, 200):
        (tmp_path / str(count)).mkdir()
        rows = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        db = read(
            tmp_path / str(count),
            "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER REFERENCES a)",
            f"INSERT INTO a {rows} SELECT i FROM n",
            "INSERT INTO b SELECT id FROM a",
        )
        _ = db.classes
        with counted() as statements:
            db.copy_to(ev.InMemoryEntityStorage(), chunks=50)
        sent.append(len(statements))
    assert sent[0] == sent[1]
