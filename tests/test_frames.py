"""Graphs as DataFrames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import networkx as nx
import pandas as pd
import pytest
from pydantic import Field

import ecsviz as ev
from ecsviz import export
from ecsviz.graph.columns import NODE_COLUMNS
from ecsviz.samples import sample
from ecsviz.widgets.graph.details import Around

NODES = {
    "ecs_id": "object",
    "type": "category",
    "label": "str",
    "version": "Int64",
    "order": "int64",
    "generation": "int64",
    "component": "int64",
    "in_cycle": "bool",
    "dependencies": "int64",
    "dependents": "int64",
}
REFERENCES = {
    "source": "object",
    "target": "object",
    "source_type": "category",
    "target_type": "category",
    "field": "category",
    "path": "str",
    "in_cycle": "bool",
    "deferred": "bool",
}


class Folder(ev.Entity):
    name: str
    items: list[Folder | File] = Field(default_factory=list)
    by_name: dict[str, File] = Field(default_factory=dict)
    owner: Owner | None = None


class File(ev.Entity):
    name: str
    owner: Owner


class Owner(ev.Entity):
    name: str
    boss: Owner | None = None


@pytest.fixture(name="folder")
def _folder() -> Folder:
    owner = Owner(name="own")
    owner.boss = owner
    file = File(name="f", owner=owner)
    inner = Folder(name="inner", items=[file])
    return Folder(name="outer", items=[inner, file, file], by_name={"x": file}, owner=owner)


def dtypes(frame: pd.DataFrame) -> dict[str, str]:
    return {name: str(dtype) for name, dtype in frame.dtypes.items()}


@pytest.mark.parametrize(
    "make",
    [
        ev.EntityDependencyGraph,
        lambda: ev.EntityDependencyGraph(Owner(name="alone")),
        lambda: ev.EntityDependencyGraph(sample("thread")),
        lambda: ev.EntityDependencyGraph([Folder, File]),
        lambda: ev.EntityDependencyGraph.from_parts(["a"], ["a"], ["table"], [0], [0], ["up"]),
    ],
    ids=["empty", "alone", "chat", "classes", "table"],
)
def test_columns_and_dtypes_do_not_depend_on_the_graph(
    make: Callable[[], ev.EntityDependencyGraph],
) -> None:
    graph = make()
    nodes, references = graph.nodes_frame(), graph.references_frame()
    assert list(dtypes(nodes).items()) == list(NODES.items())
    assert list(dtypes(references).items()) == list(REFERENCES.items())
    assert nodes.shape == (len(graph), len(NODES))
    assert references.shape == (len(graph.references), 8)
    for frame in (nodes, references):
        assert isinstance(frame.index, pd.RangeIndex)
    for name in ("type", "source_type", "target_type", "field"):
        frame = nodes if name == "type" else references
        assert frame[name].cat.categories.dtype == "str"


def test_nodes_say_what_the_graph_says(folder: Folder) -> None:
    graph = ev.EntityDependencyGraph(folder)
    frame = graph.nodes_frame()
    assert frame["ecs_id"].tolist() == [node.ecs_id for node in graph.nodes]
    assert all(type(ecs_id) is UUID for ecs_id in frame["ecs_id"])
    assert frame["type"].tolist() == [type(node).__name__ for node in graph.nodes]
    assert set(frame["label"]) == {"outer", "inner", "f", "own"}
    by_order = frame.sort_values("order")["ecs_id"].tolist()
    assert by_order == [node.ecs_id for node in graph.get_topological_sort()]
    for number, generation in enumerate(graph.generations()):
        here = set(frame.loc[frame["generation"] == number, "ecs_id"])
        assert here == {node.ecs_id for node in generation}
    assert frame.loc[frame["in_cycle"], "label"].tolist() == ["own"]
    assert frame["component"].is_unique


def test_members_of_a_component_share_its_number() -> None:
    graph = ev.EntityDependencyGraph([*sample("interlocked"), *sample("chain", n=2)])
    frame = graph.nodes_frame()
    cyclic = frame[frame["in_cycle"]]
    assert len(cyclic) == 7
    assert cyclic["component"].nunique() == 1
    assert frame["component"].nunique() == 3


def test_every_reference_counts_at_both_ends(folder: Folder) -> None:
    graph = ev.EntityDependencyGraph(folder)
    frame, references = graph.nodes_frame(), graph.references_frame()
    counted = frame.set_index("label")[["dependencies", "dependents"]]
    assert counted.loc["outer"].tolist() == [5, 0]
    assert counted.loc["f"].tolist() == [1, 4]
    assert counted.loc["own"].tolist() == [1, 3]
    out = references.groupby("source").size().reindex(frame["ecs_id"], fill_value=0)
    back = references.groupby("target").size().reindex(frame["ecs_id"], fill_value=0)
    assert out.tolist() == frame["dependencies"].tolist()
    assert back.tolist() == frame["dependents"].tolist()


def test_references_say_what_the_graph_says(folder: Folder) -> None:
    graph = ev.EntityDependencyGraph(folder)
    frame = graph.references_frame()
    for row, reference in zip(frame.itertuples(), graph.references, strict=True):
        assert row.source == reference.source.ecs_id
        assert row.target == reference.target.ecs_id
        assert row.source_type == type(reference.source).__name__
        assert row.target_type == type(reference.target).__name__
        assert (row.field, row.path) == (reference.field, reference.path)
    assert "by_name['x']" in frame["path"].tolist()
    assert frame.loc[frame["in_cycle"], "path"].tolist() == ["boss"]


def test_deferred_references_are_marked() -> None:
    graph = ev.EntityDependencyGraph(sample("thread"))
    frame = graph.references_frame()
    told = [(r.source.ecs_id, r.path) for r in graph.deferred]
    marked = frame[frame["deferred"]]
    assert told
    assert list(zip(marked["source"], marked["path"], strict=True)) == told


def test_the_frames_join() -> None:
    graph = ev.EntityDependencyGraph(sample("thread"))
    nodes, references = graph.nodes_frame(), graph.references_frame()
    joined = references.merge(nodes, left_on="source", right_on="ecs_id", validate="many_to_one")
    assert len(joined) == len(references)
    assert (joined["source_type"] == joined["type"]).all()
    assert references["source_type"].dtype == references["target_type"].dtype
    assert references["source_type"].dtype == nodes["type"].dtype


def test_the_place_in_the_order_is_not_the_order_of_places() -> None:
    ids = ["c", "a", "b"]
    graph = ev.EntityDependencyGraph.from_parts(ids, ids, ["table"] * 3, [], [], [])
    assert graph.get_topological_sort() == ["a", "b", "c"]
    assert graph.nodes_frame()["order"].tolist() == [2, 0, 1]


def test_frames_of_the_same_types_keep_their_categories_when_put_together() -> None:
    parts = []
    for ids in ("xyz", "zyx"):
        graph = ev.EntityDependencyGraph.from_parts(ids, ids, ids, [0, 1], [1, 2], ids[:2])
        parts.append(graph.nodes_frame())
    assert dtypes(pd.concat(parts, ignore_index=True)) == NODES


def test_versions_are_missing_where_there_are_none() -> None:
    owner = Owner(name="x", version=3)
    assert ev.EntityDependencyGraph(owner).nodes_frame()["version"].tolist() == [3]
    classes = ev.EntityDependencyGraph(Owner).nodes_frame()
    assert classes["version"].isna().all()
    assert classes["ecs_id"].tolist() == ["Owner"]
    assert classes["type"].tolist() == ["class"]


def test_other_nodes_may_have_a_version() -> None:
    @dataclass
    class Row:
        type_name: str
        version: object

    rows = [Row("a", 2), Row("b", None), Row("c", "2"), "d", 7]
    graph = ev.EntityDependencyGraph.from_parts(rows, list("abcde"), ["row"] * 5, [], [], [])
    assert graph.nodes_frame()["version"].tolist() == [2, pd.NA, pd.NA, pd.NA, pd.NA]


def test_a_frame_is_a_copy(folder: Folder) -> None:
    graph = ev.EntityDependencyGraph(folder)
    before = graph.nodes_frame(), graph.references_frame()
    for frame in (graph.nodes_frame(), graph.references_frame()):
        for name in frame.columns[frame.dtypes == "bool"]:
            frame[name] = True
        for name in frame.columns[frame.dtypes == "int64"]:
            frame.loc[:, name] = -1
    pd.testing.assert_frame_equal(graph.nodes_frame(), before[0])
    pd.testing.assert_frame_equal(graph.references_frame(), before[1])


def test_every_column_is_documented_where_it_stands() -> None:
    def told(function: Any) -> str:
        return " ".join(str(function.__doc__).split())

    for column in NODE_COLUMNS:
        line = f"- ``{column.name}`` ({column.dtype}): {column.says}"
        assert line in told(ev.EntityDependencyGraph.nodes_frame)
        assert (line in told(export.to_networkx)) == column.exported
    assert all("{columns}" not in told(f) for f in (export.to_networkx, ev.to_frames))


def test_a_column_reaches_exports_and_explorer(folder: Folder, tmp_path: Path) -> None:
    graph = ev.EntityDependencyGraph(folder)
    frame, around = graph.nodes_frame(), Around(graph)
    assert list(frame) == [column.name for column in NODE_COLUMNS]
    nodes = export.to_node_link(graph)["nodes"]
    graphml = nx.read_graphml(export.to_graphml(graph, tmp_path / "a.graphml"))
    for column in NODE_COLUMNS:
        values = frame[column.name].tolist()
        if column.exported:
            assert [node[column.name] for node in nodes] == values
            assert [graphml.nodes[node["id"]][column.name] for node in nodes] == values
        elif column.name not in ("ecs_id", "type", "label"):
            assert column.name not in nodes[0]
        if column.fact is not None:
            facts = [around.about(number)["facts"] for number in range(len(frame))]
            said = map(column.fact.format, values)
            assert all(text in fact for text, fact in zip(said, facts, strict=True))
