"""``read_database``: what a database consists of, its frames, and the graph of its tables."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers.database import Database
from tests.databases import SHOP, counted, execute, read

# -- what there is ---------------------------------------------------------------------------


def test_tables_keys_and_views(shop: Database) -> None:
    assert repr(shop) == "<Database shop.db: 6 tables, 6 keys, 1 view>"
    assert shop.tables == ["country", "customers", "order lines", "orders", "staff", "store"]
    assert shop.views == ["big"]
    assert list(map(str, shop.keys)) == [
        "customers(country_code) -> country(code)",
        "customers(referred_by) -> customers(id)",
        "order lines(year, number) -> orders(year, number)",
        "orders(customer_id) -> customers(id)",
        "staff(store_id) -> store(id)",
        "store(manager_id) -> staff(id)",
    ]
    assert shop.problems.empty


def test_the_frames_of_a_schema(shop: Database) -> None:
    tables = shop.tables_frame().set_index("table")
    assert tables.loc["orders"].to_list() == [3, 3, "year, number", 1, 1]
    assert tables.loc["customers", ["rows", "keys", "referred_by"]].to_list() == [3, 2, 2]
    columns = shop.columns_frame()
    assert len(columns) == sum(tables["columns"])
    there = columns[columns["table"] == "store"]
    assert there["field"].to_list() == ["id", "manager_id", "version_"]
    assert there["nullable"].to_list() == [False, False, True]
    assert there["primary_key"].to_list() == [1, pd.NA, pd.NA]
    keys = shop.keys_frame()
    told = keys[["table", "field", "linked", "dangling", "null"]].values.tolist()
    assert told == [
        ["customers", "country", 3, 0, 0],
        ["customers", "referred_by_customer", 2, 0, 1],
        ["order lines", "order", 3, 0, 1],
        ["orders", "customer", 3, 0, 0],
        ["staff", "store", 2, 0, 0],
        ["store", "manager", 1, 0, 0],
    ]


def test_a_notebook_shows_the_tables(shop: Database, tmp_path: Path) -> None:
    shown = shop._repr_html_()
    assert "shop.db" in shown
    assert "order lines" in shown
    with read(tmp_path, 'CREATE TABLE "<b>x</b>" (a)') as db:
        assert "<b>" not in db._repr_html_()


def test_keys_are_found_whatever_the_case_and_without_columns(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE Parent (Id INTEGER PRIMARY KEY, Code TEXT UNIQUE)",
        "CREATE TABLE child (p REFERENCES PARENT, c REFERENCES parent (CODE))",
    )
    assert list(map(str, db.keys)) == ["child(p) -> Parent(Id)", "child(c) -> Parent(Code)"]


def test_keys_that_lead_nowhere_are_told(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, x REFERENCES gone (id), y REFERENCES v (id))",
        "CREATE TABLE b (x REFERENCES a (nix), y REFERENCES c, z, w REFERENCES a,"
        " FOREIGN KEY (y, z) REFERENCES a)",
        "CREATE TABLE c (k)",
        "CREATE VIEW v AS SELECT 1 AS id",
        "INSERT INTO a VALUES (1, 1, 1)",
        "INSERT INTO b VALUES (1, 1, 1, 2)",
    )
    told = db.problems[["table", "columns", "target", "problem", "rows"]].values.tolist()
    assert told == [
        ["a", "x", "gone", "not followed: there is no table 'gone'", pd.NA],
        ["a", "y", "v", "not followed: 'v' is a view", pd.NA],
        ["b", "x", "a", "not followed: 'a' has no column 'nix'", pd.NA],
        ["b", "y", "c", "not followed: 'c' has no primary key of 1 columns", pd.NA],
        ["b", "w", "a", "dangling values: there is no such row", 1],
        ["b", "y, z", "a", "not followed: 'a' has no primary key of 2 columns", pd.NA],
    ]
    assert len(db.graph().references) == 1
    assert db.keys_frame()["field"].isna().sum() == 5
    assert db.entities("b")[0].w_a is None


def test_a_table_of_a_module_that_is_not_here_is_left_out(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY, f REFERENCES found)",
        "PRAGMA writable_schema=ON;"
        "INSERT INTO sqlite_master VALUES"
        " ('table', 'found', 'found', 0, 'CREATE VIRTUAL TABLE found USING no_such(a)')",
    )
    assert db.tables == ["a"]
    told = db.problems["problem"].to_list()
    assert told == ["left out: no such module: no_such", "not followed: 'found' cannot be read"]


def test_a_virtual_table_is_left_out_of_a_file_and_read_through_an_engine(tmp_path: Path) -> None:
    path = execute(
        tmp_path / "a.db",
        "CREATE VIRTUAL TABLE found USING fts5(said)",
        "INSERT INTO found VALUES ('hello')",
    )
    with ev.read_database(path) as db:
        assert db.tables == ["found_content"]  # nowhere else are the texts
        (told,) = db.problems["problem"]
        assert "virtual table" in told
    engine = sa.create_engine(f"sqlite:///{path}")
    db = ev.read_database(engine)
    assert db.tables == ["found"]
    assert db.frame("found")["said"].to_list() == ["hello"]
    assert db.problems.empty
    engine.dispose()


def test_an_empty_database(tmp_path: Path) -> None:
    path = execute(tmp_path / "a.db", "CREATE TABLE a (b)", "DROP TABLE a")
    db = ev.read_database(path)
    assert repr(db) == "<Database a.db: 0 tables, 0 keys>"
    assert len(db.graph()) == len(db.row_graph()) == 0
    assert db.tables_frame().empty
    assert db.columns_frame().empty
    assert db.keys_frame().empty
    assert dict(db.classes) == {}


# -- tables as a graph -----------------------------------------------------------------------


def test_the_graph_of_the_tables(shop: Database) -> None:
    graph = shop.graph()
    assert graph.status is ev.CycleStatus.CYCLE_DETECTED
    assert [str(cycle) for cycle in graph.get_cycles()] == [
        "Cycle(customers.referred_by)",
        "Cycle(staff.store_id -> store.manager_id)",
    ]
    assert sorted(graph.cyclic_components()) == [["customers"], ["staff", "store"]]
    order = graph.get_topological_sort()
    assert order.index("country") < order.index("customers") < order.index("orders")
    assert order.index("orders") < order.index("order lines")
    assert graph.dependencies("order lines", transitive=True) == ["orders", "customers", "country"]
    nodes = graph.nodes_frame()
    assert nodes["label"].to_list() == shop.tables
    assert set(nodes["type"]) == {"table"}
    assert graph.references_frame()["path"].to_list() == [
        "country_code",
        "referred_by",
        "year, number",
        "customer_id",
        "store_id",
        "manager_id",
    ]
    assert graph.draw().get_title(loc="left") == "6 tables, 6 references, 2 cyclic components"
    assert "order lines" in graph.to_mermaid()


def test_two_keys_from_the_same_columns_are_two_references(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (x REFERENCES a REFERENCES b, FOREIGN KEY (x) REFERENCES a)",
        "INSERT INTO a VALUES (1); INSERT INTO b VALUES (1); INSERT INTO c VALUES (1)",
    )
    paths = [reference.path for reference in db.graph().references]
    assert paths == ["x (a)", "x (b)", "x (a) [2]"]
    assert db.graph().to_networkx().number_of_edges() == 3
    assert db.row_graph().to_networkx().number_of_edges() == 3
    (entity,) = db.entities("c")
    assert type(entity.x_a).__name__ == "A"
    assert type(entity.x_b).__name__ == "B"


# -- rows as frames --------------------------------------------------------------------------


def test_frames_have_the_dtypes_of_their_columns(shop: Database) -> None:
    frame = shop.frame("customers")
    assert frame.dtypes.astype(str).to_dict() == {
        "id": "int64",
        "name": "str",
        "balance": "float64",
        "active": "bool",
        "since": "datetime64[s]",
        "seen": "datetime64[us]",
        "photo": "object",
        "country_code": "str",
        "referred_by": "Int64",
    }
    assert frame["balance"].to_list()[:2] == [12.5, 7.0]
    assert frame["seen"][2] == pd.Timestamp("2024-02-01 10:11:12.5")
    assert frame["photo"][0] == b"\x00\xff"
    # What is part of a primary key is not NULL, though SQLite does not say so.
    assert shop.frame("orders").dtypes.astype(str).to_list() == ["int64"] * 3
    assert shop.frame("order lines").columns.to_list() == ["year", "number", "what", "Unit Price"]
    assert len(shop.frame("customers", limit=2)) == 2
    assert shop.frame("customers", where={"id": [1, 3]})["name"].to_list() == ["Ann", "Cy"]
    assert shop.frame("customers", where={"referred_by": None})["id"].to_list() == [1]
    at = shop.sql_table("customers")
    assert shop.frame("customers", where=at.c.balance > 10)["name"].to_list() == ["Ann"]
    assert shop.frame("customers", where=sa.text("id > 1"))["id"].to_list() == [2, 3]
    when = dt.datetime.fromisoformat("2024-02-01T10:11:12")
    for condition, found in (
        ({"seen": when}, [1]),
        ({"seen": [when, when.replace(microsecond=500_000)]}, [1, 3]),
        ({"since": dt.date(2024, 3, 1)}, [3]),
        ({"balance": Decimal("12.5"), "active": True}, [1]),
        ({"id": []}, []),
    ):
        assert shop.frame("customers", where=condition)["id"].to_list() == found
    assert shop.frame("customers", where={"id": 9}).dtypes.astype(str)["name"] == "str"


@pytest.mark.parametrize(
    ("declared", "values", "expected", "dtype"),
    [
        ("INTEGER", [1, None], [1, None], "Int64"),
        ("INTEGER", [1, "many", 2.5, b"\x01"], [1, "many", 2.5, b"\x01"], "object"),
        ("", [1, 2], [1, 2], "Int64"),
        ("", ["a", None], ["a", None], "str"),
        ("", [None], [None], "str"),
        ("NUMERIC", [5.0, 2.5], [5.0, 2.5], "float64"),
        ("NUMERIC", [5], [5], "Int64"),
        ("DECIMAL(6, 2)", [5], [5.0], "float64"),
        ("REAL", [2**60, 0.5], [float(2**60), 0.5], "float64"),
        ("NUMERIC", [2**60 + 1, 0.5], [2**60 + 1, 0.5], "object"),
        ("BOOLEAN", [1, 0], [True, False], "boolean"),
        ("BOOLEAN", [1, 2], [1, 2], "Int64"),
        ("BOOLEAN", ["yes"], ["yes"], "str"),
        ("DATE", ["2024-02-29"], [dt.date(2024, 2, 29)], "datetime64[s]"),
        ("DATE", ["2024-02-29", "2023-02-29"], ["2024-02-29", "2023-02-29"], "str"),
        ("DATETIME", ["2024-02-29"], [dt.date(2024, 2, 29)], "datetime64[s]"),
        ("DATETIME", [1700000000], [1700000000], "Int64"),
        (
            "TIMESTAMP",
            ["2024-02-29T01:02:03.000004"],
            [dt.datetime.fromisoformat("2024-02-29T01:02:03.000004")],
            "",
        ),
        ("TIMESTAMP", ["2024-02-29 01:02:03+01:00"], ["2024-02-29 01:02:03+01:00"], "str"),
        ("TIMESTAMP", ["2024-02-29 01:02:03.0000001"], ["2024-02-29 01:02:03.0000001"], "str"),
        ("TIME", ["01:02:03"], [dt.time(1, 2, 3)], "object"),
        ("VARCHAR(3)", ["far longer"], ["far longer"], "str"),
        ("TEXT", ["", "\x00", "é\U0001f600"], ["", "\x00", "é\U0001f600"], "str"),
        ("JSON", ['{"a": 1}'], ['{"a": 1}'], "str"),
        ("REAL", [float("inf"), None], [float("inf"), None], "float64"),
    ],
)
def test_values_are_given_as_declared_or_as_they_are(
    tmp_path: Path, declared: str, values: list[Any], expected: list[Any], dtype: str
) -> None:
    path = execute(tmp_path / "a.db", f"CREATE TABLE t (k INTEGER PRIMARY KEY, v {declared})")
    engine = sa.create_engine(f"sqlite:///{path}")
    with engine.begin() as conn:
        for value in values:
            conn.exec_driver_sql("INSERT INTO t (v) VALUES (?)", (value,))
    engine.dispose()
    db = ev.read_database(path)
    given = [entity.v for entity in db.entities("t")]
    assert given == expected
    assert list(map(type, given)) == list(map(type, expected))
    if dtype:
        assert str(db.frame("t")["v"].dtype) == dtype
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    db.copy_to(store)
    again = [entity.v for entity in store.list_by_type(db.classes["t"])]
    assert again == expected
    assert list(map(type, again)) == list(map(type, expected))


def test_a_text_that_is_no_utf8_is_kept(tmp_path: Path) -> None:
    db = read(
        tmp_path, "CREATE TABLE t (v TEXT)", "INSERT INTO t VALUES (CAST(x'636166e9' AS TEXT))"
    )
    (entity,) = db.entities("t")
    assert entity.v.encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert db.frame("t")["v"][0] == entity.v
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    db.copy_to(store)
    assert store.get(entity.ecs_id).v == entity.v


# -- opening ---------------------------------------------------------------------------------


def test_a_path_a_url_and_an_engine_are_the_same_database(tmp_path: Path) -> None:
    path = execute(tmp_path / "shop.db", SHOP)
    engine = sa.create_engine(f"sqlite:///{path}")
    ways = [str(path), path, f"sqlite:///{path}", sa.make_url(f"sqlite:///{path}"), engine]
    ways.append(f"sqlite:///file:{path}?mode=ro&uri=true")
    frames = [ev.read_database(way).frame("customers") for way in ways]
    for frame in frames[1:]:
        pd.testing.assert_frame_equal(frame, frames[0])
    engine.dispose()


def test_an_engine_is_left_as_it_was_and_not_written(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.pool.StaticPool)
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE a (b)")
    db = ev.read_database(engine)
    assert db.tables == ["a"]
    with pytest.raises(errors.EcsvizError):
        db.frame("a", where=sa.text("1); DELETE FROM a; --"))
    with db._source.reading() as conn, pytest.raises(sa.exc.OperationalError, match="readonly"):
        conn.exec_driver_sql("INSERT INTO a VALUES (1)")
    with engine.begin() as conn:
        conn.exec_driver_sql("INSERT INTO a VALUES (1)")
    assert db.tables_frame()["rows"].to_list() == [1]
    engine.dispose()


def test_the_file_is_read_as_it_was_when_it_was_opened(tmp_path: Path) -> None:
    path = execute(tmp_path / "shop.db", SHOP)
    before = path.read_bytes()
    with ev.read_database(path) as db:
        execute(path, "DELETE FROM customers")
        path.unlink()
        assert len(db.frame("customers")) == 3
    assert not list(tmp_path.iterdir())
    path.write_bytes(before)
    with ev.read_database(path) as db:
        db.copy_to(ev.InMemoryEntityStorage())
    assert path.read_bytes() == before


def test_a_closed_database_says_so(shop: Database) -> None:
    shop.close()
    shop.close()
    with pytest.raises(errors.StorageClosedError, match="was closed"):
        shop.frame("customers")


def test_any_thread_reads_and_waits_for_others(shop: Database) -> None:
    alone = shop.frame("customers")
    calls = [lambda: shop.frame("customers"), lambda: shop.row_graph().nodes, shop.problems_frame]
    with ThreadPoolExecutor(4) as pool:
        found = [call.result() for call in [pool.submit(c) for c in calls * 8]]
    assert all(frame.equals(alone) for frame in found[::3])
    assert len({tuple(nodes) for nodes in found[1::3]}) == 1
    shop._source.timeout = 0.05
    with shop._source.reading(), ThreadPoolExecutor(1) as pool:
        with pytest.raises(errors.StorageBusyError, match="read by another thread"):
            pool.submit(shop.frame, "customers").result()
        assert len(shop.frame("customers")) == 3, "the same thread goes on"


@pytest.mark.parametrize(
    ("target", "kind", "told"),
    [
        ("{folder}/gone.db", errors.EcsvizError, "gone.db"),
        ("{folder}", errors.StorageOpenError, "is a folder"),
        ("{folder}/note.txt", errors.ImportFormatError, "is no SQLite database"),
        ("{folder}/empty.db", errors.ImportFormatError, "is empty"),
        ("", errors.StorageUrlError, "path is empty"),
        (":memory:", errors.StorageUrlError, "in memory"),
        ("sqlite://", errors.StorageUrlError, "in memory"),
        ("nonsense://me:secret@host/db", errors.StorageUrlError, "driver"),
        ("postgresql+nodriver://me:secret@host/db", errors.StorageUrlError, "driver"),
        ("://me:secret@", errors.StorageUrlError, "URL"),
        (
            "postgresql+psycopg://me:secret@127.0.0.1:1/db?connect_timeout=2",
            errors.StorageOpenError,
            "could not be reached",
        ),
        (7, errors.InvalidArgumentError, "is no database"),
        (b"SQLite format 3", errors.InvalidArgumentError, "is no database"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, target: Any, kind: type, told: str) -> None:
    (tmp_path / "note.txt").write_text("a note, and no database at all")
    (tmp_path / "empty.db").touch()
    if isinstance(target, str):
        target = target.format(folder=tmp_path)
    with pytest.raises(kind, match=told) as caught:
        ev.read_database(target)
    assert "secret" not in str(caught.value)
    assert pickle.loads(pickle.dumps(caught.value)).message == caught.value.message


def test_an_unknown_table_or_column_is_told(shop: Database) -> None:
    with pytest.raises(errors.UnknownTypeError, match="Did you mean 'customers'") as caught:
        shop.frame("custmers")
    assert caught.value.tables == shop.tables
    with pytest.raises(errors.UnknownTypeError, match="'big' is a view"):
        shop.entities("big")
    for call in (shop.frame, shop.entities, shop.row_graph):
        with pytest.raises(errors.InvalidArgumentError, match="Did you mean 'name'"):
            call("customers", where={"nam": 1})
        with pytest.raises(errors.InvalidArgumentError, match=r"sa\.text"):
            call("customers", where="id = 1")
        with pytest.raises(errors.InvalidArgumentError, match="no such column: nix"):
            call("customers", where=sa.text("nix = 1"))
        with pytest.raises(errors.InvalidArgumentError, match="cannot be applied"):
            call("customers", where={"id": 2**70})
        with pytest.raises(errors.InvalidArgumentError, match="customers"):
            call("customers", where={"id": object()})
    with pytest.raises(errors.InvalidArgumentError, match="limit=-1"):
        shop.entities("customers", limit=-1)
    with pytest.raises(errors.UnknownTypeError):
        shop.sql_table("x")


# -- size ------------------------------------------------------------------------------------


def many_tables(count: int, keys: int) -> str:
    lines: list[list[str]] = [[] for _ in range(count)]
    for number in range(keys):
        table, target = number % count, (number * 7 + 3) % count
        lines[table].append(f"r{number} INTEGER REFERENCES t{target} (id)")
    return ";\n".join(
        f"CREATE TABLE t{n} ({', '.join(['id INTEGER PRIMARY KEY', *parts])})"
        for n, parts in enumerate(lines)
    )


def test_reflection_takes_as_many_statements_for_371_tables_as_for_7(tmp_path: Path) -> None:
    sent = []
    for count, keys in ((7, 14), (371, 762)):
        path = execute(tmp_path / f"{count}.db", many_tables(count, keys))
        with counted() as statements, ev.read_database(path) as db:
            graph = db.graph()
        assert (len(db.tables), len(db.keys)) == (count, keys)
        assert len(graph.references) == keys
        sent.append(len(statements))
    assert sent[0] == sent[1] <= 5


def test_371_tables_become_classes_that_can_be_stored(tmp_path: Path) -> None:
    with ev.read_database(execute(tmp_path / "a.db", many_tables(371, 762))) as db:
        classes = db.classes
        assert len(classes) == 371
        assert len(ev.EntityDependencyGraph(list(classes.values())).references) == 762


def test_wide_tables_are_read(tmp_path: Path) -> None:
    names = ", ".join(f"c{n} INT" for n in range(1_900))
    db = read(tmp_path, f"CREATE TABLE t ({names})", "INSERT INTO t (c0, c1899) VALUES (1, 2)")
    frame = db.frame("t")
    assert frame.shape == (1, 1_900)
    assert (frame["c0"][0], frame["c1899"][0]) == (1, 2)


# -- real databases --------------------------------------------------------------------------


def expected_databases(shared: Path) -> dict[str, Any]:
    told = json.loads((shared / "data/expected.json").read_text())
    found = {each["path"]: each["expected"] for each in told["datasets"]}
    found = {path: each for path, each in found.items() if path.startswith("sql/")}
    for name, each in told["ctu_schemas"].items():
        found[f"sql/ctu_schemas/{name}.sqlite"] = each
    return found


def check_figures(db: Database, told: dict[str, Any]) -> None:
    """Compare everything that is known about a database with what we say of it."""
    assert len(db.tables) == told["tables"]
    assert len(db.keys) == told["fk_constraints"]
    composite = sum(len(key.columns) > 1 for key in db.keys)
    assert composite == told["fk_constraints_composite"]
    graph = db.graph()
    pairs = {(reference.source, reference.target) for reference in graph.references}
    assert len(pairs) == told["distinct_table_edges_incl_self"]
    assert sorted(a for a, b in pairs if a == b) == sorted(told["self_referencing_tables"])
    several = [sorted(part) for part in graph.cyclic_components() if len(part) > 1]
    assert sorted(several) == sorted(map(sorted, told["scc_gt1"]))
    place = {table: n for n, level in enumerate(graph.generations()) for table in level}
    generations = told["parents_first_generations_of_condensation"]
    assert place == {
        table: n for n, level in enumerate(generations) for part in level for table in part
    }
    faulty = [key.target for key in db.keys if key.fault is not None]
    assert len(faulty) == len(told["fk_to_missing_table"])
    if "rows_per_table" not in told:
        return
    rows = db.tables_frame().set_index("table")["rows"].to_dict()
    assert rows == told["rows_per_table"]
    if "links_per_fk" not in told:
        assert told["rows_total"] == 0
        return
    keys = db.keys_frame()
    links = {
        f"{key.table}({key.columns.replace(', ', ',')})->{key.target}": (
            {"links": key.linked, "dangling": key.dangling, "null": key.null}
        )
        for key in keys.itertuples()
    }
    given = {name.replace(", ", ","): each for name, each in told["links_per_fk"].items()}
    assert links == given
    check_row_figures(db, told)


def check_row_figures(db: Database, told: dict[str, Any]) -> None:
    graph = db.row_graph(limit=None)
    assert len(graph) == told["rows_total"]
    references = graph.references_frame()
    assert len(references) == told["row_links_all_fk"]
    pairs = references[["source", "target"]].drop_duplicates()
    assert len(pairs) == told["row_edges_distinct"]
    assert (pairs["source"] == pairs["target"]).sum() == told["row_self_loops"]
    sizes = [len(part) for part in graph.cyclic_components() if len(part) > 1]
    assert len(sizes) == told["row_scc_gt1"]
    histogram = {int(size): count for size, count in told["row_scc_size_histogram"].items()}
    assert pd.Series(sizes, dtype="int64").value_counts().to_dict() == histogram
    nodes = graph.nodes_frame()
    assert nodes["component"].nunique() == told["row_scc_total"]
    assert len(graph.generations()) == told["row_generations_of_condensation"]
    alone = (nodes["dependencies"] + nodes["dependents"] == 0).sum()
    assert alone == told["rows_in_no_edge"]
    assert db.problems["rows"].sum() == told["row_dangling_fk_values"]


def test_real_databases_have_the_figures_that_others_have_counted(shared: Path) -> None:
    databases = expected_databases(shared)
    for path, told in databases.items():
        with ev.read_database(shared / "data" / path) as db:
            check_figures(db, told)
    assert len(databases) == 40


def test_chat_exports_are_no_databases(shared: Path) -> None:
    files = [
        path
        for path in sorted((shared / "data/chats").rglob("*"))
        if path.is_file() and path.suffix not in (".db", ".sqlite3")
    ]
    for path in files:
        with pytest.raises(errors.ImportFormatError, match="no SQLite database"):
            ev.read_database(path)
    assert len(files) >= 15


def test_chat_databases_are_databases(shared: Path, tmp_path: Path) -> None:
    files = [
        path for path in (shared / "data/chats").rglob("*") if path.suffix in (".db", ".sqlite3")
    ]
    for path in files:
        with ev.read_database(path) as db:
            copied = db.copy_to(ev.InMemoryEntityStorage())
            counts = db.tables_frame().set_index("table")["rows"].to_dict()
            assert {name: len(rows) for name, rows in copied.items()} == counts
    assert len(files) >= 5
