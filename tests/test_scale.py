"""Graphs in folders: written whole, told rightly, asked by an engine what networkx is asked too."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import networkx as nx
import numpy as np
import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.labels import label_of
from ecsviz.export import FileNotWrittenError
from ecsviz.storage.scale import buckets, connected, engines, findings, solving
from ecsviz.storage.scale.engines import bytes_of
from tests import lazy_graphs
from tests.conformance import classes as c
from tests.conformance.conftest import OPENERS

DuckDBEngine, EngineError = ev.scale.DuckDBEngine, ev.scale.EngineError

# -- the folder -------------------------------------------------------------------------------


@pytest.fixture
def store() -> Iterator[Any]:
    made = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    made.register(thread)
    yield made
    made.close()


def test_columns_have_the_types_of_their_fields(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    with_nothing, with_all = (
        c.Values(at=None),
        c.Values(
            at=datetime(2026, 1, 2, tzinfo=UTC),
            integer=2**70,
            uid=UUID(int=5),
            floating=float("nan"),
        ),
    )
    schemas = []
    for number, entity in enumerate((with_nothing, with_all)):
        store = ev.SQLAlchemyEntityStorage(":memory:")
        store.register(entity)
        folder = store.to_parquet(tmp_path / f"graph {number}")
        (file,) = folder.glob("nodes/class=Values/*.parquet")
        schemas.append(pq.read_schema(file))
        row = pd.read_parquet(file).iloc[0]
        assert row["ecs_id"] == entity.ecs_id.bytes
        store.close()
    assert schemas[0] == schemas[1]
    kinds = {field.name: str(field.type) for field in schemas[0]}
    assert kinds["node"] == "int64"
    assert kinds["ecs_id"] == kinds["uid"] == "fixed_size_binary[16]"
    assert kinds["at"] == "timestamp[us, tz=UTC]"
    assert kinds["duration"] == "duration[us]"
    assert (kinds["boolean"], kinds["integer"], kinds["raw"]) == ("bool", "int64", "binary")
    assert json.loads(row["ecs_exact"]).keys() >= {"integer", "floating"}


def test_a_folder_appears_whole_or_not_at_all(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "chats: a graph"  # pyarrow takes a colon for an address
    assert store.to_parquet(folder) == folder
    before = sorted(p.read_bytes() for p in folder.rglob("*.*"))
    monkeypatch.setattr("ecsviz.storage.scale.writing.GraphFile.write", _full)
    for place in (folder, tmp_path / "new"):
        with pytest.raises(FileNotWrittenError, match="No space left"):
            store.to_parquet(place)
    assert sorted(p.read_bytes() for p in folder.rglob("*.*")) == before
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]
    monkeypatch.undo()
    store.register(ev.ChatThread(title="one more"))
    store.to_parquet(folder)  # takes its place
    assert json.loads((folder / "graph.json").read_text())["nodes"] == 3


def _full(*_: Any) -> None:
    raise OSError(28, "No space left on device")


def test_no_other_folder_is_replaced(store: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("all of it")
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "mine", tmp_path / "mine" / "thesis.txt"):
        with pytest.raises(errors.InvalidArgumentError, match=r"is no folder with a graph\.json"):
            store.to_parquet(place)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "all of it"
    assert (store.to_parquet(tmp_path / "empty") / "graph.json").is_file()
    for write in (store.to_parquet, ev.scan_graph, store.graph().to_parquet):
        with pytest.raises(errors.InvalidArgumentError, match="'s3://chats/graph', an address"):
            write("s3://chats/graph")


def test_folders_with_a_colon_in_their_names(tmp_path: Path) -> None:
    """pyarrow takes such a path for an address."""
    folder = tmp_path / "a:b"
    ev.export.to_parquet(ev.sample("thread"), folder)
    assert ev.from_frames(*ev.export.read_parquet(folder))[0].messages
    (tmp_path / "shop.csv").write_text("id,name\n1,Ann\n")
    with ev.read_database(tmp_path / "shop.csv") as database:
        database.to_parquet(tmp_path / "c:d")
    assert [p.name for p in (tmp_path / "c:d").iterdir()] == ["shop.parquet"]


def test_fields_that_are_called_like_our_columns(tmp_path: Path) -> None:
    class Order(ev.Entity):  # a word of SQL
        node: int = 1
        class_: str = "c"

    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(Order(node=7))
    with ev.scan_graph(store) as graph:
        frame = graph.relation("Order").df()
        assert (frame["node"].tolist(), frame["node_"].tolist()) == ([1], [7])
        assert graph.sql('SELECT node_ FROM "Order"').fetchall() == [(7,)]
        assert len(graph.subgraph(where='node IN (SELECT node FROM "Order")')) == 1
    store.close()


def test_large_values_come_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecsviz.storage.sql.streaming.MOST_BYTES", 1_000)
    monkeypatch.setattr("ecsviz.storage.scale.writing.PART_ROWS", 150)
    monkeypatch.setattr("ecsviz.storage.scale.writing.GROUP_ROWS", 100)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    threads = [ev.ChatThread(title=str(number)) for number in range(2)]
    for number in range(700):
        threads[number % 2].say("user", "x" * 100)
    store.register(threads)
    gone = threads[0].messages[5:9]  # leave gaps between row ids
    for message in gone:
        store.delete(message)
    folder = store.to_parquet(tmp_path / "graph")
    assert len(list(folder.glob("nodes/class=ChatMessage/*.parquet"))) > 3
    with ev.scan_graph(folder) as graph:
        found = graph.subgraph()
        stored = store.graph()
        assert found.nodes == stored.nodes
        assert {(r.source, r.path, r.target) for r in found.references} == {
            (r.source, r.path, r.target) for r in stored.references
        }
    store.close()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda said: "no json {", "is no JSON"),
        (lambda said: "[]", "does not say that it is a graph"),
        (lambda said: json.dumps(said | {"classes": [{"name": 3}]}), "is not what ecsviz writes"),
        (lambda said: json.dumps(said | {"classes": {}, "revision": -1}), "not what ecsviz writes"),
        (lambda said: json.dumps(said | {"version": 99}), "written by a newer ecsviz"),
    ],
)
def test_folders_that_are_no_graphs(store: Any, tmp_path: Path, change: Any, why: str) -> None:
    file = lazy_graphs.without_digests(store.to_parquet(tmp_path / "graph")) / "graph.json"
    file.write_text(change(json.loads(file.read_text())))
    with pytest.raises((errors.ImportFormatError, errors.SchemaTooNewError), match=why):
        ev.scan_graph(tmp_path / "graph")


def test_damaged_folders(store: Any, tmp_path: Path) -> None:
    with pytest.raises(errors.ImportFormatError, match=r"graph\.json' cannot be read"):
        ev.scan_graph(tmp_path / "nothing")
    folder = lazy_graphs.without_digests(store.to_parquet(tmp_path / "graph"))
    (part,) = folder.glob("references/*.parquet")
    part.write_bytes(b"PAR1 no")
    with pytest.raises(EngineError, match="DuckDB refuses it"):
        ev.scan_graph(folder)
    part.unlink()
    with pytest.raises(errors.ImportFormatError, match="holds no Parquet files"):
        ev.scan_graph(folder)


def test_what_a_folder_says_is_never_run(store: Any, tmp_path: Path) -> None:
    file = lazy_graphs.without_digests(store.to_parquet(tmp_path / "graph")) / "graph.json"
    said = json.loads(file.read_text())
    said["references_by_field"][0]["field"] = "x' THEN 1 END FROM nodes; DROP VIEW nodes; --"
    said["references_by_field"][1]["field"] = said["references_by_field"][0]["field"]
    file.write_text(json.dumps(said))
    with ev.scan_graph(tmp_path / "graph") as graph:
        assert len(graph.get_topological_sort()) == len(graph.subgraph()) == 2


def test_what_is_missing_is_told(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = store.to_parquet(tmp_path / "graph")
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(ImportError, match=r"needs duckdb.*pip install 'ecsviz\[scale\]'"):
        ev.scan_graph(folder)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"needs pyarrow.*pip install 'ecsviz\[scale\]'"):
        store.to_parquet(tmp_path / "again")


# -- asking -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def every_shape(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ev.EntityDependencyGraph]:
    return lazy_graphs.every_shape(tmp_path_factory.mktemp("edges"))


@pytest.mark.parametrize("memory", ["arrays", "buckets", "trimmed"])
def test_all_shapes_agree_with_networkx(
    memory: str, every_shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, live = every_shape
    engine = DuckDBEngine("200MB", threads=2)
    monkeypatch.setattr("ecsviz.storage.scale.buckets.WORTH", 1 if memory == "trimmed" else 0.1)
    if memory != "arrays":  # rounds to the end, and buckets that hold little more than a ladder
        monkeypatch.setattr("ecsviz.storage.scale.connected.FEW", 0)
        # The least prime above all numbers: what is not one to one gives two nodes one name.
        assert len(live) < 4_561
        monkeypatch.setattr("ecsviz.storage.scale.connected.PRIME", 4_561)
        monkeypatch.setattr("ecsviz.storage.scale.connected.NODE", 10**6)
        engine.memory = 4 * 300 * 2_500
    with ev.LazyGraph.from_edges(file, engine=engine) as graph:
        lazy_graphs.check_agrees(graph, live)
    engine.close()


def test_around_a_node(every_shape: Any) -> None:
    file, live = every_shape
    whole = nx.DiGraph(live.to_networkx())
    directions = {"out": whole, "in": whole.reverse(), "both": whole.to_undirected()}
    with ev.LazyGraph.from_edges(file) as graph:
        for start in ("ladder_0100", "star_0000"):
            for along, ways in directions.items():
                for hops in (2, 21):
                    found = graph.neighbourhood(start, hops, along=along)
                    far = nx.single_source_shortest_path_length(ways, start, cutoff=hops)
                    told = dict(zip(graph.ids(found["node"]), found["hops"], strict=True))
                    assert told == dict(far)
                    assert found["hops"].is_monotonic_increasing
            assert set(graph.dependencies(start, transitive=True)) == nx.descendants(whole, start)
            assert set(graph.dependents(start, transitive=True)) == nx.ancestors(whole, start)
        part = graph.subgraph(around="tree_0040", hops=2)
        near = nx.ego_graph(whole, "tree_0040", radius=2, undirected=True)
        assert set(part.nodes) == set(near)
        assert len(part.references) == near.number_of_edges()
        label = graph.components().set_index("node")["component"]
        component = int(label[graph.find_entity_by_id("chain_0007")])
        assert len(graph.subgraph(component=component)) == 301
        assert len(graph.subgraph(where="id LIKE 'ring%'").get_cycles()[0]) == 301


def test_edges_of_others_have_any_ids(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("who,whom\n3,1\n1,3\n,5\n")
    (tmp_path / "b.csv").write_text("who,whom\n7,3\n7,3\n")
    with ev.LazyGraph.from_edges(tmp_path, source="who", target="whom") as graph:
        assert len(graph) == 4  # of 5 it is said that it is there
        assert graph.dependents(3) == [1, 7]
        assert graph.dependents(7) == []
        assert len(graph.subgraph(ids=[3, 1]).get_cycles()) == 1
        assert graph.counts().to_dict("list") == {"type": ["node"], "nodes": [4], "references": [4]}
        for bad, error in ((8, errors.EntityNotFoundError), (1.5, errors.InvalidArgumentError)):
            with pytest.raises(error):
                graph.dependencies(bad)
    with pytest.raises(EngineError, match="wer"):
        ev.LazyGraph.from_edges(tmp_path, source="wer", target="whom")
    with pytest.raises(errors.ImportFormatError, match="no file of Parquet or CSV"):
        ev.LazyGraph.from_edges(tmp_path / "none")


@pytest.mark.parametrize(
    ("rows", "ids"),
    [
        ("true,1 false,2", ["1", "2", "false", "true"]),
        ("1e3,1000 7e1,70", ["1000", "1e3", "70", "7e1"]),
        ("1.10,1.1 1.1,2.0", ["1.1", "1.10", "2.0"]),
        ("2020-01-01,2020-01-01T00:00:00", ["2020-01-01", "2020-01-01T00:00:00"]),
        ("1,2 2,x", ["1", "2", "x"]),
        ("2020-01-01,report", ["2020-01-01", "report"]),
        ("007,7 -0,0 +1,1", ["+1", "-0", "0", "007", "1", "7"]),
        (f"{2**63},{2**63 + 1}", [str(2**63), str(2**63 + 1)]),
        (f"3,-1 {2**63 - 1},", [-1, 3]),
        ("#a,b c,d", ["#a", "b", "c", "d"]),
    ],
)
def test_ids_of_csv_stay_what_they_are(tmp_path: Path, rows: str, ids: list[Any]) -> None:
    file = tmp_path / "e.csv"
    file.write_text("\n".join(["source,target", *rows.split(" "), ""]))
    with ev.LazyGraph.from_edges(file) as graph:
        there = graph.ids(graph.degrees()["node"])
        assert there[: len(ids)] == ids
        assert len(graph.references.df()) == len([row for row in rows.split(" ") if row[-1] != ","])
        assert all(graph.find_entity_by_id(each) for each in there)
        for missing in ("no such", 2**70, "01"):
            assert graph.find_entity_by_id(missing) is None


def test_a_text_that_comes_late_is_an_id(tmp_path: Path) -> None:
    file = tmp_path / "e.csv"
    file.write_text("source,target\n" + "1,2\n" * 30_000 + "x,y\n")
    with ev.LazyGraph.from_edges(file) as graph:
        assert graph.dependencies("x") == ["y"]
        assert graph.dependencies(1) == ["2"]  # all are texts then


@pytest.mark.parametrize(
    ("source", "target", "ids"),
    [
        ([True, False], [1, 0], ["0", "1", "false", "true"]),
        ([1, 2], ["2", "x"], ["1", "2", "x"]),
        ([1, 2], [2, None], [1, 2]),
        ([1.0, 2.5], [2.0, 1.0], [1.0, 2.0, 2.5]),
        (["1", "a"], [1, None], ["1", "a"]),
        ([2**63, 2**63 + 1], [1, 2], [1, 2, 2**63, 2**63 + 1]),
    ],
)
def test_ids_of_parquet_stay_what_they_are(
    tmp_path: Path, source: list[Any], target: list[Any], ids: list[Any]
) -> None:
    file = tmp_path / "e.parquet"
    pd.DataFrame({"source": source, "target": target}).to_parquet(file)
    with ev.LazyGraph.from_edges(file) as graph:
        assert graph.ids(graph.degrees()["node"]) == ids


def test_floats_that_are_no_one_number_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "e.parquet"
    pd.DataFrame({"source": [2**53, 2**53 + 1], "target": [2**53 + 1, None]}).to_parquet(file)
    with pytest.raises(errors.InvalidArgumentError, match="as whole numbers, or as texts"):
        ev.LazyGraph.from_edges(file)


def test_what_is_no_table_is_told_with_the_way_to_one(tmp_path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(tmp_path / "s.db") as store:
        store.register(ev.ChatThread(title="a"))
    with pytest.raises(errors.ImportFormatError, match="ecsviz export STORE --to parquet-graph"):
        ev.LazyGraph.from_edges(tmp_path / "s.db")


def test_the_folder_that_one_is_in_is_not_replaced(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path / "a")
    for place in (".", "..", tmp_path):
        with pytest.raises(errors.InvalidArgumentError, match="is where you are"):
            store.to_parquet(place)
    assert list(tmp_path.rglob("*")) == [tmp_path / "a"]


def test_too_much_is_refused_with_numbers(every_shape: Any) -> None:
    file, live = every_shape
    engine = DuckDBEngine("200MB")
    engine.memory = 20_000
    with ev.LazyGraph.from_edges(file, engine=engine) as graph:
        with pytest.raises(errors.GraphTooLargeError, match=r"1,\d\d\d nodes and references hang"):
            graph.get_topological_sort()
        with pytest.raises(
            errors.GraphTooLargeError, match=f"{len(live):,} nodes, and 10 "
        ) as told:
            graph.subgraph(limit=10)
        assert (told.value.n, told.value.limit) == (len(live), 10)
        with pytest.raises(errors.GraphTooLargeError, match="More than 20 references must be"):
            graph.dependencies("chain_0000", transitive=True)
        assert len(graph.neighbourhood("chain_0000", 20)) == 21
    engine.close()
    for bad in ("2 apples", 5, None):
        with pytest.raises(errors.InvalidArgumentError, match=r"memory is .*Give a size"):
            DuckDBEngine(bad)


@pytest.mark.parametrize("memory", ["10MB", "700MB", "1GB", "2GB", "3.5 GiB", "64GB"])
def test_memory_is_that_of_the_whole(memory: str) -> None:
    """What DuckDB may hold, what arrays may take and what else there is: together no more."""
    engine = DuckDBEngine(memory)
    own = _limit(engine)
    if engine.memory >= 2 * engines.BASE:
        assert own <= 1.05 * (engine.memory - engines.BASE)
        assert engine.room + engines.LEAST + engines.BASE <= engine.memory
    assert 0 < engine.room < engine.memory
    for size in (engine.room // 2, engine.room, 10 * engine.room):
        with engine.lend(size):
            left = _limit(engine)
            assert left < own or own <= engines.LEAST
            if size <= engine.room and engine.memory >= 2 * engines.BASE:
                assert left + size + engines.BASE <= 1.05 * engine.memory
        with pytest.raises(KeyError), engine.lend(size):
            raise KeyError
        assert _limit(engine) == own
    engine.close()


def _limit(engine: Any) -> int:
    """Return how much DuckDB holds itself to, which tells it in a few digits."""
    (said,) = engine.rows("SELECT current_setting('memory_limit') AS n")["n"].to_pylist()
    return bytes_of(said)


def test_whatever_is_done_in_arrays_is_lent_memory(
    every_shape: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, _ = every_shape
    engine = DuckDBEngine("1GB")
    lent: list[int] = []

    def note(real: Any) -> Any:
        def noting(*args: Any, **more: Any) -> Any:
            lent.append(own - _limit(engine))
            return real(*args, **more)

        return noting

    own = _limit(engine)
    for name in ("weak_components", "in_cycles", "nearest"):
        for module in (connected, findings):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, note(getattr(module, name)))
    for solve in (solving.solve_cycles, solving.solve_order):
        noting = note(solve)
        monkeypatch.setattr(findings, solve.__name__, noting)
        monkeypatch.setitem(buckets.SOLVED, noting, 10**5)
    monkeypatch.setattr(connected, "NODE", 50_000)  # a tenth of the memory here
    monkeypatch.setattr(connected, "EDGE", 10)
    with ev.LazyGraph.from_edges(file, engine=engine) as graph:
        for ask in (
            graph.components,
            graph.in_cycle,
            graph.get_topological_sort,
            lambda: graph.neighbourhood("chain_0000", 30),
        ):
            lent.clear()
            ask()
            assert lent
            assert min(lent) > own // 20
        assert _limit(engine) == own
    engine.close()


def test_components_are_the_same_in_any_parts() -> None:
    chance = np.random.default_rng(7)
    for _ in range(100):
        n = int(chance.integers(1, 12))
        ends = chance.integers(0, n, (2, int(chance.integers(0, 16))))
        cuts = np.sort(chance.integers(0, ends.shape[1] + 1, 3))
        found = connected.weak_components(n, np.split(ends, cuts, axis=1))
        graph = nx.Graph(zip(*ends.tolist(), strict=True))
        graph.add_nodes_from(range(n))
        for part in nx.connected_components(graph):
            assert set(found[list(part)]) == {min(part)}


def test_relations_are_the_engines_own(store: Any) -> None:
    with ev.scan_graph(store, memory="300MB") as graph:
        assert repr(graph) == "LazyGraph(2 nodes, 2 references, DuckDBEngine(0.3 GB))"
        assert len(graph.nodes.df()) == len(graph.references.df()) == 2
        for ask in (graph.degrees, graph.components, graph.in_cycle, graph.get_topological_sort):
            relation = ask(as_="relation")
            assert relation.df()[["node"]].equals(ask()[["node"]])
            with pytest.raises(errors.InvalidArgumentError, match="as_ is 'polar'"):
                ask(as_="polar")
        assert graph.between_types()["references"].tolist() == [1, 1]
        with pytest.raises(errors.InvalidArgumentError, match="Did you mean 'ChatThread'"):
            graph.relation("ChatThreads")
        with pytest.raises(EngineError, match="DuckDB refuses it"):
            graph.subgraph(where="no such column")
        with pytest.raises(errors.EntityNotFoundError):
            graph.dependencies(UUID(int=3))
        for bad in (3, -1, "x"):
            with pytest.raises(errors.EntityNotFoundError, match="no number of a node"):
                graph.ids([1, bad])
        with pytest.raises(errors.InvalidIdError):
            graph.dependencies("x")
        with pytest.raises(errors.InvalidArgumentError, match="Give one of where="):
            graph.subgraph(where="1=1", component=1)
    with pytest.raises(EngineError):
        graph.degrees()


# -- and back ---------------------------------------------------------------------------------


def _every_kind() -> list[Any]:
    """Return entities with values of all kinds, and references of all kinds."""
    values = c.Values(
        at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), integer=2**70, uid=UUID(int=5),
        floating=float("nan"), text="a\0b", raw=b"\xff", duration=timedelta(days=1, microseconds=3),
        exact=Decimal("1.10"), day=date(1, 1, 1), clock=time(1, 2, 3), anything={"a": [1, (2,)]},
        keyed={3: "x"}, point=c.Point(x=1, y=2.0), either="5",
    )  # fmt: skip
    a, b, d = c.Node(name="a"), c.Node(name="b"), c.Node(name="d")
    a.links, a.row, a.group, a.pair = [b, d, b], (d,), {a, b}, (b, 3)
    a.by_name, a.by_number, a.by_colour = {"x'": b, "": d}, {-3: b}, {c.Colour.RED: d}
    a.by_pair, a.by_either, a.grid = {(1, "z"): b}, {1: b, "1": d}, [[b, None], [d]]
    b.next, b.me = a, b
    dog, puppy = c.Dog(name="dog"), c.Puppy(name="puppy")
    puppy.mother, dog.friend = dog, puppy
    shelf = c.Shelf(top=dog, things=[puppy, c.Stone(weight=1.5), dog], keeper=puppy)
    thread = c.thread(3)
    return [values, a, shelf, c.mutual(), thread, c.Report(thread=c.Archive(title="r"), pages=3)]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_store_is_filled_from_a_folder(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    entities = _every_kind()
    entities[-1].thread.messages.append(entities[-1])
    store = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    store.register(entities)
    entities[1].name = "changed"
    store.register(entities)
    folder = store.to_parquet(tmp_path / "graph")
    open_ = OPENERS[kind](tmp_path / "other", request)
    (tmp_path / "other").mkdir()
    other = open_()
    count = other.from_parquet(folder, note="from a folder")
    assert count == len(store.graph())
    assert other.verify().empty
    found = other.get_many([entity.ecs_id for entity in entities])
    assert ev.isomorphic.find_difference(entities, found) is None
    assert other.revisions()[["note", "added"]].to_numpy().tolist() == [["from a folder", count]]
    again = open_()
    assert again.get(entities[1].ecs_id).version == 2
    assert again.references_frame()["path"].sort_values().tolist() == (
        store.references_frame()["path"].sort_values().tolist()
    )
    again.register(entities)
    assert len(again.revisions()) == 1, "nothing has changed"
    entities[1].links.append(entities[1])
    again.register([entities[1], c.Node(name="new")])
    assert again.verify().empty
    with pytest.raises(errors.InvalidArgumentError, match=r"holds entities of .* already"):
        again.from_parquet(folder)
    for each in (store, other, again):
        each.close()


def test_what_a_folder_lacks_fills_nothing(tmp_path: Path) -> None:
    class Gone(ev.Entity):
        name: str = ""

    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(Gone(name="a"))
    folder = lazy_graphs.without_digests(store.to_parquet(tmp_path / "graph"))
    file, other = folder / "graph.json", ev.SQLAlchemyEntityStorage(tmp_path / "b.db")
    said = file.read_text()
    file.write_text(said.replace('"name": "TEXT"', '"name": "BIGINT"'))
    with pytest.raises(errors.SchemaOutdatedError, match="Define the class as it was written"):
        other.from_parquet(folder)
    file.write_text(said.replace('"Gone"', '"NeverSeen"'))
    with pytest.raises((errors.UnknownTypeError, errors.ImportFormatError)):
        other.from_parquet(folder)
    assert not (tmp_path / "b.db").exists(), "nothing was made"
    kept = ev.SQLAlchemyEntityStorage(tmp_path / "c.db")
    kept.register(ev.ChatThread(title="a"))
    kept.close()
    with (
        ev.SQLAlchemyEntityStorage(tmp_path / "c.db", read_only=True) as kept,
        pytest.raises(errors.StorageReadOnlyError),
    ):
        kept.from_parquet(folder)
    store.close()


# -- seen -------------------------------------------------------------------------------------


def test_the_explorer_shows_parts_and_opens_one(store: Any) -> None:
    store.register([ev.ChatThread(title="alone"), *ev.sample("chain", n=3)])
    with ev.scan_graph(store) as graph:
        explorer = ev.explore(graph)
        assert sorted(explorer.parts.graph.nodes) == [
            "ChatMessage: 1", "ChatThread: 2", "Node: 3",
        ]  # fmt: skip
        held = graph.between_types()
        assert len(explorer.parts.graph.references) == len(held)
        explorer.parts.selected = "ChatThread"  # as a click does
        assert {node.type_name for node in explorer.explorer.graph.nodes} == {"ChatThread"}
        assert explorer.told == "ChatThread: all of 2 nodes."
        explorer._choice.value = "component"
        assert explorer.explorer is explorer.opened is None
        assert explorer.told.startswith("3 of 3 components")
        first = next(iter(explorer._quotient.sizes))
        explorer.opened = first
        assert len(explorer.explorer.graph) == 3
        assert explorer.children[-1] is explorer.explorer
        small = graph.explore(by="component", limit=2)
        small.opened = first
        assert (len(small.explorer.graph), small.told) == (
            2,
            f"Component {first}: the first 2 of 3 nodes.",
        )
        for name, bad in (("opened", "Chat"), ("by", "size")):
            with pytest.raises(errors.InvalidArgumentError):
                setattr(small, name, bad)
        with pytest.raises(errors.UnknownOptionError, match="no option 'layout'"):
            graph.explore(layout="map")
        assert graph.quotient("component").total == 3


def test_a_part_with_too_many_references_is_told(
    store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ev.scan_graph(store) as graph:
        explorer = graph.explore(by="component")
        monkeypatch.setattr("ecsviz.storage.scale.picking.REFERENCES_A_NODE", 0)
        (explorer.opened,) = explorer._quotient.sizes
        assert explorer.explorer is None
        assert explorer.told.startswith("That are 2 references, and 0 are taken at the most")


def test_a_new_store_is_a_graph_without_nodes(tmp_path: Path) -> None:
    for target in (":memory:", tmp_path / "new.db"):
        with ev.SQLAlchemyEntityStorage(target) as store, ev.scan_graph(store) as graph:
            assert len(graph) == len(graph.nodes.df()) == len(graph.subgraph()) == 0
            assert graph.status is ev.CycleStatus.NO_CYCLE
            for ask in (graph.degrees, graph.components, graph.get_topological_sort):
                assert ask().empty
            assert graph.explore().told.startswith("0 of 0 types")
    assert not (tmp_path / "new.db").exists()


def test_files_that_are_missing_are_counted(store: Any, tmp_path: Path) -> None:
    store.register(ev.ChatThread(title="one more"))
    folder = lazy_graphs.without_digests(store.to_parquet(tmp_path / "graph"))
    other = ev.SQLAlchemyEntityStorage(tmp_path / "new.db")
    for part in sorted(folder.rglob("*.parquet")):
        kept = part.read_bytes()
        part.with_name("part-00001.parquet").write_bytes(kept)  # of another graph
        for read in (ev.scan_graph, other.from_parquet):
            with pytest.raises(errors.ImportFormatError, match=r"\d+ (nodes|references).*speaks"):
                read(folder)
        part.with_name("part-00001.parquet").unlink()
    assert len(ev.scan_graph(folder)) == 3
    other.close()


def test_an_engine_answers_for_one_graph_at_a_time(store: Any, tmp_path: Path) -> None:
    """Else the second graph's tables would be asked by the first."""
    folder = store.to_parquet(tmp_path / "one")
    (tmp_path / "edges.csv").write_text("source,target\n1,2\n")
    engine = DuckDBEngine("200MB")
    first = ev.scan_graph(folder, engine)
    with pytest.raises(errors.InvalidArgumentError, match=r"answers for LazyGraph\(2 nodes"):
        ev.LazyGraph.from_edges(tmp_path / "edges.csv", engine=engine)
    assert first.status is ev.CycleStatus.CYCLE_DETECTED
    first.close()
    second = ev.LazyGraph.from_edges(tmp_path / "edges.csv", engine=engine)
    assert second.status is ev.CycleStatus.NO_CYCLE
    del second  # also frees it
    ev.scan_graph(folder, engine).close()
    engine.close()


@pytest.mark.parametrize("end", ["source", "target"])
def test_references_to_nowhere_are_told(store: Any, tmp_path: Path, end: str) -> None:
    folder = lazy_graphs.without_digests(store.to_parquet(tmp_path / "graph"))
    (file,) = folder.glob("references/*.parquet")
    frame = pd.read_parquet(file)
    for wrong in (99, -1, 2**40):
        frame.assign(**{end: [wrong, *frame[end][1:]]}).to_parquet(file)
        with ev.scan_graph(folder) as graph:
            for ask in (graph.components, graph.in_cycle, graph.degrees):
                with pytest.raises((errors.ImportFormatError, EngineError)):
                    ask()
        engine = DuckDBEngine("300MB")
        with ev.scan_graph(folder, engine) as graph:
            engine.memory = 2_000
            for ask in (graph.components, graph.in_cycle, graph.get_topological_sort):
                assert _nodes_of(ask) <= {1, 2}
        engine.close()


def _nodes_of(ask: Any) -> set[int]:
    """Return what a question finds; nothing, where it is refused."""
    try:
        return set(ask()["node"])
    except errors.EcsvizError:
        return set()


def test_nodes_of_a_part_are_called_as_entities_are(
    store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.register([*ev.sample("chats"), ev.ChatThread(title=""), ev.ChatThread(title="x" * 500)])
    loaded = [*store.find(ev.ChatThread), *store.find(ev.ChatMessage)]
    wanted = {entity.ecs_id: label_of(entity, 56) for entity in loaded}
    assert len(set(wanted.values())) > 100, "they have names of their own"
    folder = store.to_parquet(tmp_path / "graph")
    for part in (store.graph(), ev.scan_graph(folder).subgraph()):
        assert {node.ecs_id: label_of(node, 56) for node in part.nodes} == wanted
    thread = store.find(ev.ChatThread, title__startswith="xxx")[0]
    assert [label_of(node) for node in store.graph(thread, hops=1).nodes] == [label_of(thread)]
    monkeypatch.setattr("ecsviz.storage.relational.look.graph.MOST_NAMED", 2)
    monkeypatch.setattr("ecsviz.storage.scale.picking.MOST_NAMED", 2)
    for part in (store.graph(), ev.scan_graph(folder).subgraph()):
        assert {label_of(node) for node in part.nodes} == {"ChatMessage", "ChatThread"}
