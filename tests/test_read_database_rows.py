"""``read_database``: graphs of rows, and entities."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers.database import Database, Row
from ecsviz.isomorphic import find_difference
from tests.databases import SHOP, counted, execute, read


def references_of(graph: ev.EntityDependencyGraph) -> list[tuple[str, str, str]]:
    return sorted((str(r.source), r.path, str(r.target)) for r in graph.references)


# -- graphs of rows --------------------------------------------------------------------------


def test_the_graph_of_all_rows(shop: Database) -> None:
    graph = shop.row_graph()
    assert len(graph) == 2 + 3 + 4 + 3 + 2 + 1
    assert [row for row in graph.nodes if row.table == "order lines"] == [
        "order lines #1",
        "order lines #2",
        "order lines #3",
        "order lines #4",
    ]
    assert references_of(graph) == sorted(
        [
            ("customers 1", "country_code", "country fr"),
            ("customers 2", "country_code", "country jp"),
            ("customers 3", "country_code", "country jp"),
            ("customers 2", "referred_by", "customers 1"),
            ("customers 3", "referred_by", "customers 3"),
            ("order lines #1", "year, number", "orders 2024, 1"),
            ("order lines #2", "year, number", "orders 2024, 1"),
            ("order lines #3", "year, number", "orders 2024, 2"),
            ("orders 2024, 1", "customer_id", "customers 1"),
            ("orders 2024, 2", "customer_id", "customers 1"),
            ("orders 2025, 1", "customer_id", "customers 2"),
            ("staff 1", "store_id", "store 1"),
            ("staff 2", "store_id", "store 1"),
            ("store 1", "manager_id", "staff 2"),
        ]
    )
    assert sorted(map(sorted, graph.cyclic_components())) == [
        ["customers 3"],
        ["staff 2", "store 1"],
    ]
    order = graph.get_topological_sort()
    assert order.index("country fr") < order.index("customers 1") < order.index("customers 2")


def test_a_row_is_a_text_that_knows_its_key(shop: Database) -> None:
    graph = shop.row_graph("orders", where={"year": 2025}, hops=0)
    (row,) = graph.nodes
    assert isinstance(row, Row)
    assert (row, row.table, row.key) == ("orders 2025, 1", "orders", (2025, 1))
    assert graph.find_entity_by_id("orders 2025, 1") is row
    nodes = graph.nodes_frame()
    assert nodes[["ecs_id", "type", "label"]].values.tolist() == [[row, "orders", row]]
    assert graph.draw().get_title(loc="left") == "1 row, 0 references, no cycle"


@pytest.mark.parametrize(
    ("hops", "direction", "expected"),
    [
        (0, "both", ["customers 1"]),
        (1, "dependencies", ["country fr", "customers 1"]),
        (1, "dependents", ["customers 1", "customers 2", "orders 2024, 1", "orders 2024, 2"]),
        (
            1,
            "both",
            ["country fr", "customers 1", "customers 2", "orders 2024, 1", "orders 2024, 2"],
        ),
        (None, "dependencies", ["country fr", "customers 1"]),
        (
            2,
            "dependents",
            [
                "customers 1",
                "customers 2",
                "order lines #1",
                "order lines #2",
                "order lines #3",
                "orders 2024, 1",
                "orders 2024, 2",
                "orders 2025, 1",
            ],
        ),
    ],
)
def test_hops_and_direction(
    shop: Database, hops: int | None, direction: Any, expected: list[str]
) -> None:
    graph = shop.row_graph("customers", where={"id": 1}, hops=hops, direction=direction)
    assert sorted(graph.nodes) == expected


def test_all_references_between_the_rows_are_there(shop: Database) -> None:
    # The last rows reached refer to each other by keys that were not followed.
    graph = shop.row_graph("country", where={"code": "jp"}, hops=1)
    assert references_of(graph) == [
        ("customers 2", "country_code", "country jp"),
        ("customers 3", "country_code", "country jp"),
        ("customers 3", "referred_by", "customers 3"),
    ]


def test_an_unbounded_graph_is_the_whole_component(shop: Database) -> None:
    graph = shop.row_graph("staff", where={"id": 1}, hops=None)
    assert sorted(graph.nodes) == ["staff 1", "staff 2", "store 1"]
    assert graph.nodes[0] == "staff 1"


def test_a_graph_is_refused_where_it_grows_too_large(shop: Database) -> None:
    with pytest.raises(errors.GraphTooLargeError, match="More than 14 rows") as caught:
        shop.row_graph(limit=14)
    assert caught.value.limit == 14
    assert len(shop.row_graph(limit=15)) == 15
    with pytest.raises(errors.GraphTooLargeError, match="limit="):
        shop.row_graph("country", hops=1, limit=4)
    assert len(shop.row_graph("country", hops=1, limit=5)) == 5
    assert len(shop.row_graph("country", hops=None, limit=None)) == 11


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"hops": -1}, "hops=-1"),
        ({"hops": True}, "hops=True"),
        ({"hops": "2"}, "hops='2'"),
        ({"direction": "up"}, "direction='up'"),
    ],
)
def test_what_is_no_hops_or_direction(shop: Database, given: Any, told: str) -> None:
    with pytest.raises(errors.InvalidArgumentError, match=told):
        shop.row_graph("customers", **given)


def test_a_condition_without_a_table(shop: Database) -> None:
    with pytest.raises(errors.InvalidArgumentError, match="needs a table"):
        shop.row_graph(where={"id": 1})


def star(count: int) -> str:
    return (
        "CREATE TABLE hub (id INTEGER PRIMARY KEY, x INTEGER REFERENCES spoke);"
        "CREATE TABLE spoke (id INTEGER PRIMARY KEY, hub_id REFERENCES hub);"
        "CREATE TABLE leaf (a INTEGER, b INTEGER, spoke_id INTEGER REFERENCES spoke,"
        " PRIMARY KEY (a, b)) WITHOUT ROWID;"
        "INSERT INTO hub VALUES (1, 1);"
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
        " INSERT INTO spoke SELECT i, 1 FROM n;"
        "INSERT INTO leaf SELECT id, id, id FROM spoke;"
    )


def test_statements_grow_with_hops_and_not_with_rows(tmp_path: Path) -> None:
    sent: dict[int, list[int]] = {}
    for count in (3, 10_000):
        with ev.read_database(execute(tmp_path / f"{count}.db", star(count))) as db:
            db.row_graph(hops=0)
            for hops in (1, 2):
                with counted() as statements:
                    graph = db.row_graph("hub", hops=hops)
                assert len(graph) == 1 + count * hops
                sent.setdefault(count, []).append(len(statements))
            with counted() as statements:
                assert len(db.row_graph().references) == 2 * count + 1
            sent[count].append(len(statements))
    assert sent[3] == sent[10_000]
    assert max(sent[3]) <= 12


def test_names_of_rows_are_distinct(tmp_path: Path) -> None:
    long = "x" * 100
    db = read(
        tmp_path,
        "CREATE TABLE t (k PRIMARY KEY, d DATE)",
        f"INSERT INTO t (k) VALUES (1), ('1'), (x'31'), ('{long}1'), ('{long}2'), (NULL), (NULL)",
        "CREATE TABLE u (a TEXT, b TEXT, PRIMARY KEY (a, b))",
        "INSERT INTO u VALUES ('a, b', 'c'), ('a', 'b, c')",
    )
    nodes = db.row_graph().nodes
    assert len(set(nodes)) == len(nodes) == 9
    assert nodes[0] == "t 1"
    assert nodes[5:7] == ["t #6", "t #7"]
    assert db.row_graph().to_networkx().number_of_nodes() == 9


def test_values_are_compared_as_the_database_compares_them(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE UNIQUE)",
        "CREATE TABLE c (p_id TEXT REFERENCES p, p_code TEXT REFERENCES p (code))",
        "INSERT INTO p VALUES (5, 'Abc'); INSERT INTO c VALUES ('5', 'aBC'), ('05', 'x')",
    )
    # On a key of text against an integer the number counts; case does not for this column.
    assert [r.path for r in db.row_graph().references] == ["p_id", "p_code", "p_id"]
    first, second = db.entities("c")
    assert first.p is second.p is first.p_code_p
    assert second.p_code_p is None
    assert db.keys_frame()["dangling"].to_list() == [0, 1]
    assert (first.p_id, first.p_code) == ("5", "aBC")


def test_a_target_that_is_not_unique_gives_one_reference(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT)",
        "CREATE TABLE c (code TEXT REFERENCES p (code))",
        "INSERT INTO p VALUES (1, 'a'), (2, 'a'); INSERT INTO c VALUES ('a'), ('b')",
    )
    assert references_of(db.row_graph()) == [("c #1", "code", "p 1")]
    assert [e.code_p and e.code_p.id for e in db.entities("c")] == [1, None]
    assert db.keys_frame()[["linked", "dangling"]].values.tolist() == [[1, 1]]


@pytest.mark.parametrize("taken", [["rowid"], ["rowid", "_ROWID_"], ["rowid", "_rowid_", "oid"]])
def test_columns_that_are_called_as_the_row_id(tmp_path: Path, taken: list[str]) -> None:
    columns = ", ".join(f"{name} TEXT" for name in taken)
    db = read(
        tmp_path,
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, {columns}, next INTEGER REFERENCES t)",
        "INSERT INTO t (id, rowid, next) VALUES (1, 'a', 2), (2, 'a', 1)",
    )
    assert len(db.row_graph().references) == 2
    one, two = db.entities("t")
    assert one.next_t is two
    assert two.next_t is one


def test_a_table_whose_rows_nothing_tells_apart_is_a_problem(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE t (rowid TEXT, _ROWID_ TEXT, oid TEXT)",
        "INSERT INTO t VALUES ('a', 'b', 'c'), ('a', 'b', 'c'), (NULL, NULL, NULL)",
    )
    assert db.tables == []
    assert db.problems[["table", "problem"]].values.tolist() == [
        ["t", "left out: columns hide its row ids, and it has no primary key"]
    ]


@pytest.mark.parametrize("encoding", ["UTF-8", "UTF-16le"])
def test_keys_without_row_ids_may_be_of_any_type(tmp_path: Path, encoding: str) -> None:
    odd = "x'ff'" if encoding == "UTF-8" else "x'410000d8'"
    db = read(
        tmp_path,
        f"""PRAGMA encoding = '{encoding}';
        CREATE TABLE one (k PRIMARY KEY) WITHOUT ROWID;
        CREATE TABLE two (a INT, b BLOB, PRIMARY KEY (a, b)) WITHOUT ROWID;
        CREATE TABLE r (id INTEGER PRIMARY KEY, k REFERENCES one, a INT, b BLOB,
          FOREIGN KEY (a, b) REFERENCES two);
        INSERT INTO one VALUES (1), ('1'), (x'31'), (1.5), (9e999), ('é'), (''), (x''),
          (CAST({odd} AS TEXT));
        INSERT INTO two VALUES (1, 'x'), (1, x'78'), ('q', 7), (2, CAST({odd} AS TEXT));
        INSERT INTO r (k) SELECT k FROM one;
        INSERT INTO r (a, b) SELECT a, b FROM two;""",
    )
    assert [len(db.entities(name)) for name in db.tables] == [9, 13, 4]
    rows = db.entities("r")
    assert [row.k_one.k for row in rows[:9]] == [row.k for row in rows[:9]]
    assert [(row.two.a, row.two.b) for row in rows[9:]] == [(row.a, row.b) for row in rows[9:]]
    assert [len(db.row_graph(name, hops=1)) for name in db.tables] == [18, 26, 8]
    assert len(db.row_graph("one", where={"k": [1, b"1"]}, hops=0)) == 2
    db.close()


def test_columns_that_hide_row_ids_beside_keys_that_may_be_null(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        """CREATE TABLE t (rowid TEXT PRIMARY KEY, oid, _rowid_);
        CREATE TABLE u (rowid TEXT NOT NULL PRIMARY KEY, oid, _rowid_);
        INSERT INTO t VALUES (NULL, 1, 1), (NULL, 2, 2);
        INSERT INTO u VALUES ('a', 1, 1), (x'61', 2, 2);""",
    )
    assert db.tables == ["u"]
    assert len(db.entities("u")) == 2
    assert "its primary key may be NULL" in db.problems["problem"][0]
    db.close()


def test_graphs_of_rows_and_tables_go_wherever_graphs_go(shop: Database, tmp_path: Path) -> None:
    for graph in (shop.graph(), shop.row_graph()):
        assert len(graph.to_cytoscape()["elements"]["nodes"]) == len(graph)
        json.dumps(graph.to_cytoscape())
        assert graph.to_graphml(tmp_path / "a.graphml").stat().st_size > 1_000
        assert "order lines" in graph.to_dot()
        assert "order lines" in graph.to_mermaid()
        assert "cyclic" in graph._repr_html_()
        assert graph.explore() is not None
        assert graph.draw().get_title(loc="left").endswith("cyclic components")
    row = shop.row_graph().nodes[0]
    assert pickle.loads(pickle.dumps(row)).key == row.key
    assert copy.deepcopy(row).table == row.table


# -- entities --------------------------------------------------------------------------------


def test_entities_hold_each_other(shop: Database) -> None:
    ann, bo, cy = shop.entities("customers")
    assert type(ann).__name__ == "Customer"
    assert (ann.name, ann.active, ann.balance, ann.photo) == ("Ann", True, 12.5, b"\x00\xff")
    assert bo.referred_by_customer is ann
    assert cy.referred_by_customer is cy
    assert (bo.country_code, bo.country.name) == ("jp", "Japan")
    assert bo.country is cy.country
    mia, noa = shop.entities("staff")
    assert mia.store.manager is noa
    assert noa.store is mia.store
    assert noa.store.version_ == 7
    assert noa.store.version == 0
    lines = shop.entities("order lines")
    assert lines[0].order is lines[1].order
    assert lines[0].order.customer.name == "Ann"
    assert lines[3].order is None
    assert lines[3].Unit_Price == 1.0
    graph = ev.EntityDependencyGraph([*lines, mia])
    assert graph.status is ev.CycleStatus.CYCLE_DETECTED
    assert "Order" in repr(lines[0])


def test_entities_of_some_rows_lead_to_all_that_they_need(shop: Database) -> None:
    (line,) = shop.entities("order lines", limit=1)
    assert len(ev.EntityDependencyGraph(line)) == 4
    assert shop.entities("customers", limit=0) == []
    (cy,) = shop.entities("customers", where={"name": "Cy"})
    assert cy.referred_by_customer is cy
    assert [c.name for c in shop.entities("customers", where={"name": ["Cy", "Ann"]})] == [
        "Ann",
        "Cy",
    ]


def test_ids_are_the_same_in_every_reading_and_every_copy(tmp_path: Path) -> None:
    ids = []
    for name in ("a.db", "b.db"):
        with ev.read_database(execute(tmp_path / name, SHOP)) as db:
            every = [[e.ecs_id for e in db.entities(table)] for table in db.tables]
            some = [e.ecs_id for e in db.entities("order lines", where={"what": "tea"})]
            assert some == every[db.tables.index("order lines")][:2]
            ids.append(every)
    assert ids[0] == ids[1]
    flat = [ecs_id for every in ids[0] for ecs_id in every]
    assert len(set(flat)) == len(flat) == 15
    # Stored entities are found by them: they must not change from release to release.
    assert str(ids[0][0][0]) == "b4c3eb73-7b19-5b28-b7a3-bcbe9a4eb7e5"


def test_an_id_does_not_depend_on_other_rows(tmp_path: Path) -> None:
    table = "CREATE TABLE t (k DATE PRIMARY KEY, v BOOLEAN)"
    first = read(tmp_path, table, "INSERT INTO t VALUES ('2024-01-01', 1)").entities("t")[0]
    both = read(tmp_path, "INSERT INTO t VALUES ('some day', 'no')").entities("t")
    assert both[0].k == "2024-01-01"
    assert both[0].ecs_id == first.ecs_id


def test_entities_are_entities(shop: Database) -> None:
    mia, noa = shop.entities("staff")
    staff = shop.classes["staff"]
    again = staff.model_validate(mia.model_dump())
    assert find_difference(again, mia) is None
    assert find_difference(staff.model_validate_json(mia.model_dump_json()), mia) is None
    assert find_difference(copy.deepcopy(mia), mia) is None
    made = staff(id=3, name="Pia", store_id=1, store=mia.store)
    assert made.store is noa.store
    with pytest.raises(ValueError, match="Store"):
        staff(id=3, name="Pia", store_id=1, store=noa)
    with pytest.raises(ValueError, match="store"):
        staff(id=3, name="Pia", store_id=1)
    mia.name = "Mia K."
    assert ev.diff(again, mia).counts() == {"edited": 1}
    fork = mia.fork(deep=True)
    assert fork.store.manager.store is fork.store


def test_dangling_values_are_none_and_kept(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE p (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p_id INTEGER NOT NULL REFERENCES p)",
        "INSERT INTO p VALUES (1); INSERT INTO c VALUES (1, 1), (2, 7), (3, 8)",
    )
    entities = db.entities("c")
    assert [entity.p_id for entity in entities] == [1, 7, 8]
    assert [entity.p is None for entity in entities] == [False, True, True]
    assert db.problems[["table", "columns", "target", "rows"]].values.tolist() == [
        ["c", "p_id", "p", 2]
    ]
    store = ev.SQLAlchemyEntityStorage(":memory:")
    db.copy_to(store)
    again = store.list_by_type(db.classes["c"])
    assert sorted((entity.p_id, entity.p is None) for entity in again) == [
        (1, False),
        (7, True),
        (8, True),
    ]


def test_names_that_python_or_an_entity_keeps(tmp_path: Path) -> None:
    names = ["ecs_id", "version", "parent_id", "lineage_id", "copy", "json", "model_dump"]
    names += ["model_dump_x", "model_year", "class", "None", "a b", "a-b", "a_b", "2nd", "_x"]
    names += ["x", "", "é", "ﬁ", "fork", "model_config", "self", "cls", "__dict__", "schema"]
    columns = ", ".join(f'"{name}" INTEGER' for name in names)
    values = ", ".join(map(str, range(len(names))))
    db = read(tmp_path, f"CREATE TABLE t ({columns})", f"INSERT INTO t VALUES ({values})")
    frame = db.columns_frame().set_index("column")["field"]
    assert frame.index.to_list() == names
    assert frame.is_unique
    (entity,) = db.entities("t")
    assert [getattr(entity, field) for field in frame] == list(range(len(names)))
    assert all(field.isidentifier() for field in frame)
    assert frame["version"] == "version_"
    assert frame["model_year"] == "model_year"
    assert frame["a_b"] == "a_b"
    assert db.frame("t").columns.to_list() == names
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    db.copy_to(store)
    again = store.get(entity.ecs_id)
    assert find_difference(entity, again, versions=False) is None


def test_tables_whose_names_are_no_class_names(tmp_path: Path) -> None:
    names = ["order", "Order", "class", "2024 sales", "", "ecs_entities", "sqlite", "é-x", "None"]
    names = [name for name in names if name != "Order"]
    script = ";".join(
        f'CREATE TABLE "{name}" (a); INSERT INTO "{name}" VALUES (1)' for name in names
    )
    db = read(tmp_path, script)
    assert sorted(db.tables) == sorted(names)
    assert len({cls.__name__ for cls in db.classes.values()}) == len(names)
    assert all(cls.__name__.isidentifier() for cls in db.classes.values())
    store = ev.SQLAlchemyEntityStorage(tmp_path / "store.db")
    db.copy_to(store)
    assert sum(len(store.list_by_type(cls)) for cls in db.classes.values()) == len(names)


def test_a_long_chain_of_rows_costs_no_statement_for_each(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE n (id INTEGER PRIMARY KEY, next INTEGER REFERENCES n)",
        "WITH RECURSIVE i(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM i WHERE k < 20000)"
        " INSERT INTO n SELECT k, k + 1 FROM i",
        "UPDATE n SET next = NULL WHERE id = 20000",
    )
    assert len(db.classes) == 1
    with counted() as statements:
        (first,) = db.entities("n", limit=1)
    assert len(statements) < 40
    assert len(ev.EntityDependencyGraph(first)) == 20_000


def test_too_many_entities_are_refused(shop: Database) -> None:
    with pytest.raises(errors.GraphTooLargeError, match="max_entities="):
        shop.entities("order lines", max_entities=5)
    assert len(shop.entities("order lines", max_entities=10)) == 4
    with pytest.raises(errors.GraphTooLargeError, match="More than 14 rows"):
        shop.copy_to(ev.InMemoryEntityStorage(), max_entities=14)
    with pytest.raises(errors.GraphTooLargeError):
        shop.entities("country", max_entities=1)


def test_too_many_entities_of_a_chain_are_refused(tmp_path: Path) -> None:
    db = read(
        tmp_path,
        "CREATE TABLE n (id INTEGER PRIMARY KEY, next INTEGER REFERENCES n)",
        "WITH RECURSIVE i(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM i WHERE k < 100)"
        " INSERT INTO n SELECT k, k % 100 + 1 FROM i",
    )
    with pytest.raises(errors.GraphTooLargeError):
        db.entities("n", limit=1, max_entities=99)
    assert len(ev.EntityDependencyGraph(db.entities("n", limit=1, max_entities=100))) == 100


@pytest.mark.parametrize("engine", ["sqlite", "files"])
def test_the_names_of_columns_are_no_values(tmp_path: Path, engine: str) -> None:
    frame = pd.DataFrame({"name": ["name", "b"]})
    if engine == "files":
        path = tmp_path / "t.csv"
        frame.to_csv(path, index=False)
    else:
        path = tmp_path / "t.db"
        execute(path, "CREATE TABLE t(name)", "INSERT INTO t VALUES ('name'), ('b')")
    db = ev.read_database(path)
    assert len(db.frame("t", where={"name": frame["name"]})) == 2
    assert len(db.frame("t", where={"name": np.array("b")})) == 1
    for value in (frame, frame.to_dict(), frame.to_numpy()):
        with pytest.raises(errors.InvalidArgumentError, match="where="):
            db.frame("t", where={"name": value})
