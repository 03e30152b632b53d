"""``db.explore()``, driven through its traits and messages as a page does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from ecsviz import read_database
from ecsviz.errors import InvalidArgumentError, InvalidIdError, UnknownTypeError
from ecsviz.importers.database import Database
from ecsviz.importers.database import looking as room
from ecsviz.widgets import DatabaseExplorer, explore_database
from ecsviz.widgets.database import cards as cards_room
from tests.databases import execute
from tests.hostile import HOSTILE, assert_harmless


def ask(explorer: DatabaseExplorer, name: str, /, **facts: object) -> None:
    explorer._take(explorer, {"do": name, **facts}, [])


def nodes(explorer: DatabaseExplorer) -> list[str]:
    assert explorer.graph is not None
    return sorted(map(str, explorer.graph.graph.nodes))


def test_tables_come_first_as_a_graph(shop: Database) -> None:
    explorer = shop.explore()
    assert isinstance(explorer, DatabaseExplorer)
    assert repr(explorer) == "DatabaseExplorer(shop.db: 15 rows of 6 tables)"
    assert nodes(explorer) == shop.tables
    assert explorer.graph.selected == explorer.table == "order lines", "the largest"
    assert explorer._told.startswith("order lines: 4 columns. primary key: none. keys: ")
    listed = explorer._about["classes"]
    assert [(c["name"], c["count"]) for c in listed][:2] == [("order lines", 4), ("customers", 3)]
    explorer.graph.selected = "customers"
    assert explorer.table == "customers"
    assert "referred to by: customers(referred_by) -> customers(id)" in explorer._told
    assert explorer._page["ids"] == ["customers 1", "customers 2", "customers 3"]
    json.dumps([explorer._page, explorer._about])


def test_a_row_shows_what_is_around_it(shop: Database) -> None:
    explorer = shop.explore()
    explorer.table = "customers"
    ask(explorer, "pick", id=explorer._page["ids"][1])
    assert explorer.selected == "customers 2"
    assert nodes(explorer) == ["country jp", "customers 1", "customers 2", "orders 2025, 1"]
    assert explorer._told == "3 rows within 1 key of customers 2"
    explorer.hops = 2
    assert "orders 2024, 1" in nodes(explorer), "of customer 1"
    explorer.graph.selected = "orders 2025, 1"
    assert (explorer.selected, explorer.table) == ("orders 2025, 1", "orders")
    explorer.table = "customers"
    columns = [column["name"] for column in explorer._page["columns"]]
    ask(explorer, "follow", id=explorer._page["rows"][1][columns.index("country_code")])
    assert (explorer.selected, explorer.table) == ("country jp", "country")
    ask(explorer, "follow", id=explorer._page["rows"][0][1])
    assert explorer.selected == "country jp", "a name leads nowhere"
    ask(explorer, "table", n=0, name="order lines")
    assert (explorer.selected, explorer.table, nodes(explorer)) == (
        None, "order lines", shop.tables,
    )  # fmt: skip
    ask(explorer, "pick", id=explorer._page["ids"][0])
    assert explorer.graph is None
    assert "no primary key" in explorer._told


def ends_of(line: dict[str, Any]) -> list[list[float]]:
    return [line["points"][0], line["points"][-1]]


def test_tables_are_cards_with_lines_between_their_columns(
    shop: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer = shop.explore()
    cards = explorer._cards
    json.dumps(cards)
    boxes = {box["table"]: box for box in cards["boxes"]}
    assert sorted(boxes) == shop.tables
    assert cards["said"].startswith("6 tables, 6 keys, 2 cyclic components. ")
    cyclic = [name for name, box in boxes.items() if box["cyclic"]]
    assert cyclic == ["customers", "staff", "store"]
    orders = boxes["orders"]
    assert orders["rows"] == 3
    assert [(c["name"], c["mark"]) for c in orders["columns"]][:2] == [
        ("year", "PK"),
        ("number", "PK"),
    ]
    leads = {(n, c["name"]): c["leads"] for n, b in boxes.items() for c in b["columns"]}
    (target,) = {leads["orders", "customer_id"]}
    assert cards["boxes"][target]["table"] == "customers"
    assert {name for (table, name), at in leads.items() if table == "orders" and at is None} >= {
        "year", "number",
    }  # fmt: skip
    rows = {n: (b["y"], b["y"] + 30 + 20 * len(b["columns"])) for n, b in enumerate(cards["boxes"])}
    for line in cards["lines"]:
        for end, (x, y) in zip(("source", "target"), ends_of(line), strict=True):
            box = cards["boxes"][line[end]]
            assert rows[line[end]][0] < y < rows[line[end]][1], "beside a column"
            assert min(abs(x - box["x"]), abs(x - box["x"] - box["width"])) < 1, "at its border"
    for one in cards["boxes"]:
        assert 0 <= one["x"] <= one["x"] + one["width"] <= cards["width"] + 1
        for other in cards["boxes"]:
            beside = (
                one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            )
            high = 30 + 20 * len(one["columns"])
            apart = one["y"] + high <= other["y"] or other["y"] + 30 <= one["y"]
            assert beside or apart or one is other
    ask(explorer, "table", n=boxes["customers"]["n"], name=boxes["customers"]["listed"])
    assert explorer.table == "customers"
    ask(explorer, "pick", id=explorer._page["ids"][1])
    ask(explorer, "hops", hops=2)
    assert (explorer.hops, explorer._hops) == (2, 2)
    ask(explorer, "hops", hops=99)
    ask(explorer, "hops", hops="x")
    assert explorer.hops == 2
    ask(explorer, "tables")
    assert (explorer.selected, nodes(explorer)) == (None, shop.tables)
    monkeypatch.setattr(cards_room, "MOST", 2)
    monkeypatch.setattr(cards_room, "MOST_COLUMNS", 2)
    few = shop.explore()._cards
    assert len(few["boxes"]) == 2
    assert "Shown are the 2 with the most keys." in few["said"]
    assert all(len(box["columns"]) <= 2 and box["more"] >= 0 for box in few["boxes"])


def test_rows_are_searched_sorted_and_turned(tmp_path: Path) -> None:
    script = "create table a (id integer primary key, t text, n int);" + "".join(
        f"insert into a values ({n}, 'no {n:03}', {n * 37 % 60});" for n in range(60)
    )
    with read_database(execute(tmp_path / "a.db", script)) as db:
        explorer = explore_database(db)
        assert explorer.status == "showing 25 of 60 rows of a (1 to 25)"
        ask(explorer, "turn", table=explorer.table, first=50)
        assert explorer._page["ids"][0] == "a 50"
        ask(explorer, "sort", table=explorer.table, column=2)
        ask(explorer, "sort", table=explorer.table, column=2)
        assert explorer.order_by == "-n"
        assert [row[2] for row in explorer._page["rows"]][:3] == [59, 58, 57]
        ask(explorer, "search", text="no 05")
        assert explorer._page["total"] == 10
        explorer.search = "%"
        assert explorer._page["total"] == 0, "not a pattern"
        explorer.search = "7"
        assert "a 7" in explorer._page["ids"]
        explorer.first = 10_000
        assert explorer.status.startswith("showing")


def test_what_is_not_there_is_told(shop: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = shop.explore()
    explorer.selected = "orders 2024, 2"
    assert explorer.table == "orders"
    with pytest.raises(InvalidIdError, match="'orders 9' names no row"):
        explorer.selected = "orders 9"
    with pytest.raises(UnknownTypeError):
        explorer.table = "nobody"
    with pytest.raises(InvalidArgumentError):
        explorer.order_by = "nothing"
    for message in ({"id": "orders 9"}, {"id": "x"}, {"id": None}, {"id": 1}, {}):
        ask(explorer, "pick", **message)
        ask(explorer, "follow", **message)
    assert explorer.selected == "orders 2024, 2"
    monkeypatch.setattr(room, "NEAR", 2)
    explorer.selected = None
    explorer.selected = "customers 1"
    assert explorer._told.startswith("more than 2 rows are within 1 key of customers 1")
    assert nodes(explorer) == ["country fr", "customers 1"]


def test_an_empty_database_has_an_explorer(tmp_path: Path) -> None:
    with read_database(execute(tmp_path / "a.db", "create view v as select 1")) as db:
        explorer = db.explore()
        assert (explorer.table, explorer.graph, explorer.status) == (
            None,
            None,
            "nothing is stored",
        )
        explorer.refresh()


def test_texts_of_a_database_are_harmless_where_it_is_not_alive(tmp_path: Path) -> None:
    script = "create table t (id integer primary key, v text);"
    with read_database(execute(tmp_path / "a.db", script)) as db:
        assert "a.db" in str(db.explore().still())
    for name in [text for text in HOSTILE if text.isprintable()][:20]:
        quoted = name.replace('"', '""')
        path = execute(tmp_path / "b.db", f'create table "{quoted}" (id integer primary key)')
        with read_database(path) as db:
            if db.tables:
                assert_harmless(str(db.explore().still()))
        path.unlink()


@pytest.mark.parametrize("engine", ["postgres", "mariadb"])
def test_servers_are_explored_alike(engine: str, request: pytest.FixtureRequest) -> None:

    made = sa.create_engine(request.getfixturevalue(f"{engine}_url"), isolation_level="AUTOCOMMIT")
    with made.connect() as conn:
        conn.exec_driver_sql("create schema looked")
        conn.exec_driver_sql("create table looked.b (id integer primary key, name varchar(9))")
        conn.exec_driver_sql(
            "create table looked.a (id integer primary key, b_id integer,"
            " foreign key (b_id) references looked.b (id))"
        )
        conn.exec_driver_sql("insert into looked.b values (7, 'seven')")
        conn.exec_driver_sql("insert into looked.a values (1, 7), (2, null)")
    with read_database(made, schema="looked") as db:
        explorer = db.explore()
        assert explorer._page["rows"] == [[1, "b 7"], [2, None]]
        explorer.selected = "a 1"
        assert nodes(explorer) == ["a 1", "b 7"]
        explorer.table = "b"
        explorer.search = "eve"
        assert explorer._page["ids"] == ["b 7"]
    with made.connect() as conn:
        conn.exec_driver_sql("drop schema looked" + " cascade" * (engine == "postgres"))
    made.dispose()
