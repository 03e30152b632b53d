"""Graphs in folders, asked by Spark: one Sail server, where that is installed.

It is not required in CI: its wheel is of 63 MB. ``pip install 'ecsviz[spark]' pysail`` brings it.
"""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

import ecsviz as ev
from ecsviz import errors
from tests import lazy_graphs

SparkEngine, EngineError = ev.scale.SparkEngine, ev.scale.EngineError


@pytest.fixture(scope="module")
def sail() -> Iterator[str]:
    """Return the address of a server of this process."""
    for name in ("pysail", "pyspark", "grpc", "grpc_status", "zstandard"):
        if importlib.util.find_spec(name) is None:
            pytest.skip(f"without {name}, which is not required")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    host, port = server.listening_address
    yield f"sc://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("memory", ["arrays", "buckets"])
def test_spark_agrees_with_networkx(
    memory: str, sail: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, live = lazy_graphs.every_shape(tmp_path)
    engine = SparkEngine(sail, memory="200MB")
    if memory == "buckets":
        monkeypatch.setattr("ecsviz.storage.scale.connected.FEW", 1_000)
        monkeypatch.setattr("ecsviz.storage.scale.connected.NODE", 10**6)
        engine.memory = 300 * 2_500
        monkeypatch.setattr(SparkEngine, "streams", False)  # as where files are written elsewhere
    with ev.LazyGraph.from_edges(file, engine=engine) as graph:
        lazy_graphs.check_agrees(graph, live)
    engine.close()


def test_files_are_looked_for_here_where_the_session_writes_them_here(
    sail: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    near, far = SparkEngine(sail), SparkEngine(sail)
    assert near.streams
    monkeypatch.setattr("ecsviz.storage.scale.spark_engine._written", lambda *_: None)
    assert not far.streams, "another machine has a folder of the same name"
    near.close()
    far.close()


def test_folders_are_asked_by_spark(sail: str, tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = ev.ChatThread(title="it's \\ a `name`")
    thread.say("user", "hello")
    store.register(thread)
    folder = store.to_parquet(tmp_path / "graph: one")
    with ev.scan_graph(folder, sail) as graph, ev.scan_graph(folder) as other:
        assert repr(graph) == f"LazyGraph(2 nodes, 2 references, SparkEngine({sail}, 2 GB))"
        for ask in ("degrees", "components", "in_cycle", "get_topological_sort"):
            frame = getattr(other, ask)()
            pd.testing.assert_frame_equal(getattr(graph, ask)(), frame)
            pd.testing.assert_frame_equal(
                getattr(graph, ask)(as_="relation").toArrow().to_pandas()[list(frame)], frame
            )
        assert graph.status is ev.CycleStatus.CYCLE_DETECTED
        assert graph.subgraph().nodes == store.graph().nodes
        near = graph.neighbourhood(thread.ecs_id, 1)
        assert near["hops"].tolist() == [0, 1]
        assert graph.find_entity_by_id(thread.ecs_id) == near["node"][0]
        title = graph._engine.text(thread.title)
        assert (
            len(
                graph.subgraph(where=f"node IN (SELECT node FROM ChatThread WHERE title = {title})")
            )
            == 1
        )
        assert graph.relation("ChatMessage").count() == graph.nodes.count() - 1
        with pytest.raises(EngineError, match="Spark refuses it"):
            graph.subgraph(where="no such column")
    store.close()


def test_a_session_of_ours_is_left_as_it_was(sail: str, tmp_path: Path) -> None:
    from pyspark.sql.connect.session import SparkSession

    (tmp_path / "edges.csv").write_text("source,target\n1,2\n2,1\n")
    session = SparkSession.builder.remote(sail).create()
    (tmp_path / "found").mkdir()
    engine = SparkEngine(session, folder=tmp_path / "found")
    with ev.LazyGraph.from_edges(tmp_path / "edges.csv", engine=engine) as graph:
        assert len(graph.in_cycle()) == 2
    engine.close()
    assert list((tmp_path / "found").iterdir()) == []
    assert session.sql("SHOW TABLES").count() == 0
    assert session.sql("SELECT 1 AS one").toArrow().to_pylist() == [{"one": 1}]
    session.stop()


def test_who_is_not_there_is_told(tmp_path: Path) -> None:
    for bad in ("spark", 3, ":50051"):
        with pytest.raises(errors.InvalidArgumentError, match="the address of a server"):
            ev.scan_graph(tmp_path, bad)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    if all(map(importlib.util.find_spec, ("pyspark", "grpc", "grpc_status", "zstandard"))):
        with pytest.raises(EngineError, match=f"Nobody answers at sc://127.0.0.1:{port}: ") as told:
            ev.scan_graph(tmp_path, f"sc://127.0.0.1:{port}/;token=geheim")
        assert "geheim" not in str(told.value)
    else:
        with pytest.raises(ImportError, match=r"pip install 'ecsviz\[spark\]' brings it"):
            ev.scan_graph(tmp_path, f"sc://127.0.0.1:{port}")
