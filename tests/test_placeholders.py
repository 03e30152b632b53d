"""What shows, counts, compares or exports entities never loads what is not loaded, and says so."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import draw, errors, export
from ecsviz.domain.objects import is_lazy, is_placeholder
from tests.conformance import classes as c
from tests.databases import counted

Graph = ev.EntityDependencyGraph


def _select_all(graph: Any) -> None:
    """Select every node of a graph's widget, and what it shows of it."""
    widget = graph.explore()
    for node in graph.nodes:
        widget.selected = str(node.ecs_id)
        for view in ("around", "map"):
            with contextlib.suppress(errors.EcsvizError):
                widget.view = view
        widget._repr_mimebundle_()


GRAPH: dict[str, Callable[[Any], Any]] = {
    "build_graph": lambda g: g.build_graph(g.nodes),
    "cyclic_components": lambda g: g.cyclic_components(),
    "deferred": lambda g: list(g.deferred),
    "dependencies": lambda g: [g.dependencies(node) for node in g.nodes],
    "dependents": lambda g: [g.dependents(node) for node in g.nodes],
    "draw": lambda g: (g.draw(), g.draw(group_by="type"), g.draw(pairs=False)),
    "explore": _select_all,
    "find_entity_by_id": lambda g: [g.find_entity_by_id(node.ecs_id) for node in g.nodes],
    "find_number": lambda g: [g.find_number(node) for node in g.nodes],
    "from_parts": lambda g: g.from_parts(g.nodes, g.arrays.ids, g.arrays.types, [], [], []),
    "generations": lambda g: g.generations(),
    "get_cycles": lambda g: (g.get_cycles(), g.get_cycles(pairs=False)),
    "get_topological_sort": lambda g: g.get_topological_sort(),
    "is_acyclic": lambda g: g.is_acyclic,
    "left_out": lambda g: g.left_out,
    "nodes": lambda g: (g.nodes, repr(g.nodes)),
    "nodes_frame": lambda g: (g.nodes_frame(), repr(g.nodes_frame())),
    "number_of": lambda g: [g.number_of(node) for node in g.nodes],
    "ordering": lambda g: g.ordering,
    "references": lambda g: (list(g.references), repr(g.references)),
    "references_frame": lambda g: (g.references_frame(), repr(g.references_frame())),
    "status": lambda g: g.status,
    "to_cytoscape": lambda g: g.to_cytoscape(),
    "to_dot": lambda g: g.to_dot(),
    "to_frames": lambda g: _refused(g.to_frames),
    "to_graphml": lambda g: g.to_graphml(os.devnull),
    "to_html": lambda g: g.to_html(),
    "to_json": lambda g: g.to_json(),
    "to_mermaid": lambda g: g.to_mermaid(),
    "to_networkx": lambda g: g.to_networkx(),
    "to_node_link": lambda g: g.to_node_link(),
    "to_parquet": lambda g: _in_folder(lambda folder: _refused(lambda: g.to_parquet(folder))),
    "pairs": lambda g: (list(g.pairs), repr(g.pairs)),
    "walkthrough": lambda g: (
        [
            (walk.frame(), walk.draw(), walk.explore())
            for walk in map(g.walkthrough, ("order", "components", "cycles"))
        ]
        and _refused(lambda: g.walkthrough("save"))
    ),
    "without": lambda g: g.without(g.arrays.paired()[0]),
    "without_pairs": lambda g: g.without_pairs,
}
"""What is done with a graph: each public name once."""

DRAW: dict[str, Callable[[Any], Any]] = {
    "DrawingOptionError": str,
    "draw_diff": lambda g: draw.draw_diff(ev.diff(g.nodes[0], g.nodes[0])),
    "draw_graph": draw.draw_graph,
    "draw_lineage": lambda g: None,  # asks a store: below
    "draw_walkthrough": lambda g: draw.draw_walkthrough(g.walkthrough()),
    "draw_schema": lambda g: draw.draw_schema([type(node) for node in g.nodes]),
}

EXPORT: dict[str, Callable[[Any], Any]] = {
    **dict.fromkeys(("MAX_LABEL", "MERMAID_LIMIT", "plain", "read_parquet"), str),
    "graphml_text": export.graphml_text,
    "to_er_diagram": lambda g: export.to_er_diagram({type(node) for node in g.nodes}),
    "to_csv": lambda g: _in_folder(lambda at: export.to_csv(g.nodes_frame(), at / "a.csv")),
    "to_excel": lambda g: _in_folder(lambda at: export.to_excel(g.nodes_frame(), at / "a.xlsx")),
    **{
        name: GRAPH[name]
        for name in (
            *("to_cytoscape", "to_dot", "to_graphml", "to_json", "to_mermaid", "to_networkx"),
            *("to_node_link", "to_parquet"),
        )
    },
}

STORE: dict[str, Callable[[Any, Any, Any], Any]] = {
    "diff": lambda store, read, m: (store.diff(read), store.diff(1, read), store.diff(m)),
    "draw_lineage": lambda store, read, m: store.draw_lineage(m),
    "explain": lambda store, read, m: store.explain([read, m]),
    "get": lambda store, read, m: (store.get(m), store.get(m, lazy=True)),
    "get_many": lambda store, read, m: store.get_many([read, m]),
    "graph": lambda store, read, m: store.graph(m),
    "has_entity": lambda store, read, m: (store.has_entity(m), m in store),
    "history": lambda store, read, m: store.history(m),
    "lineage_graph": lambda store, read, m: store.lineage_graph(m),
    "references_frame": lambda store, read, m: store.references_frame(),
    "register": lambda store, read, m: (store.register(read), store.register(m, hops=0)),
    "find": lambda store, read, m: (store.find(c.Message, parent=m), store.find(c.Thread)),
    **{
        name: lambda store, read, m, name=name: getattr(store, name)(c.Message, parent=m)
        for name in ("first", "one", "count", "exists")
    },
    "iterate": lambda store, read, m: list(store.iterate(c.Message, parent__in=[m])),
    "revert": lambda store, read, m: store.revert(m, to=1),
    "verify": lambda store, read, m: (store.verify(), store.verify(m)),
    "explore": lambda store, read, m: setattr(store.explore(), "selected", str(m.ecs_id)),
    "conflicts": lambda store, read, m: store.conflicts(read),
    "resolve": lambda store, read, m: store.resolve(read).close(),
    "side_by_side": lambda store, read, m: store.side_by_side(m).close(),
    "delete": lambda store, read, m: _refused_by(errors.BrokenReferenceError, store, m),
}
"""What is asked of a store about a placeholder."""

NO_ENTITY = {
    *("adopt_changes", "backup", "close", "draw_schema", "drop_text_index", "engine", "frame"),
    *("get_lineage_entities", "index_text", "list_by_type", "metadata", "migrate", "models"),
    *("prune", "repair", "revisions", "search", "session_factory", "sql_model", "threads"),
    *("from_parquet", "to_python", "to_parquet", "transaction"),
}
"""What a store has that takes no entity."""

MAKES_WHOLE = {"refresh", "merge"}
"""What brings all of a graph up to date, and says so."""

OF_CHATS = {"draw_activity", "draw_lengths", "draw_models", "draw_timeline"}
CHATS_OUT = {"to_markdown", "to_chatgpt", "to_oasst"}
"""What shows the texts of chats reads these, as anybody does; see ``test_lazy_graphs``."""


def _refused(call: Callable[[], Any]) -> None:
    with pytest.raises(errors.NotLoadedError, match="not loaded yet"):
        call()


def _refused_by(error: type[Exception], store: Any, entity: Any) -> None:
    with pytest.raises(error):
        store.delete(entity)


def _in_folder(call: Callable[[Path], Any]) -> None:
    with TemporaryDirectory() as folder:
        call(Path(folder))


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest) -> Any:
    if request.param == "memory":
        return ev.InMemoryEntityStorage()
    return ev.SQLAlchemyEntityStorage(":memory:")


@pytest.fixture
def read(store: Any) -> Any:
    return store.get(store.register(c.thread(3)).ecs_id, lazy=True)


def _nothing_loaded(read: Any) -> None:
    assert all(map(is_lazy, read.messages))
    assert [m.text for m in read.messages] == ["0", "1", "2"], "and each can be loaded yet"


@pytest.mark.parametrize(
    ("calls", "name"),
    [
        pytest.param(calls, name, id=f"{where}-{name}")
        for where, calls in (("graph", GRAPH), ("draw", DRAW), ("export", EXPORT))
        for name in calls
    ],
)
def test_views_load_nothing(calls: dict[str, Any], name: str, read: Any) -> None:
    with counted() as statements:
        calls[name](Graph(read))
        calls[name](Graph([*read.messages, read]))
    assert statements == []
    _nothing_loaded(read)


@pytest.mark.parametrize("name", list(STORE))
def test_what_a_store_is_asked_about_a_placeholder_does_not_load_it(
    name: str, store: Any, read: Any
) -> None:
    if not hasattr(store, name):
        assert isinstance(store, ev.InMemoryEntityStorage)
        return
    STORE[name](store, read, read.messages[1])
    assert is_lazy(read.messages[1])
    _nothing_loaded(read)


def test_every_view_is_tried() -> None:
    """A new one has an entry above."""
    public = {
        kind: {name for name in dir(kind) if not name.startswith("_")}
        for kind in (Graph, ev.SQLAlchemyEntityStorage, ev.InMemoryEntityStorage)
    }
    assert public[Graph] == GRAPH.keys()
    stores = public[ev.SQLAlchemyEntityStorage] | public[ev.InMemoryEntityStorage]
    assert stores == STORE.keys() | NO_ENTITY | MAKES_WHOLE
    assert set(draw.__all__) == DRAW.keys() | OF_CHATS
    assert set(export.__all__) - CHATS_OUT - {"FileNotWrittenError"} == EXPORT.keys()


def test_what_is_not_loaded_is_said(store: Any, read: Any) -> None:
    whole, graph = store.get(read.ecs_id), Graph(read)
    assert graph.left_out == 3
    assert "4 nodes, 3 of them not loaded, 3 references" in repr(graph)
    assert "4 entities, 3 of them not loaded" in graph.draw().get_title(loc="left")
    assert "3 of them not loaded" in graph.to_html()
    assert graph.nodes_frame()["version"].isna().tolist() == [False, True, True, True]
    widget = graph.explore()
    widget.selected = str(read.messages[0].ecs_id)
    assert "not loaded" in str(widget._repr_mimebundle_())
    for found in (ev.diff(read, whole), ev.diff(whole, read), store.diff(read)):
        assert found.left_out == 3
        assert repr(found) == "GraphDiff: nothing differs (3 not loaded)"
    read.title = "edited"
    assert repr(ev.diff(whole, read)).startswith("GraphDiff: 1 edited (3 not loaded)")
    assert Graph(whole).left_out == ev.diff(whole, whole).left_out == 0
    assert "loaded" not in repr(Graph(whole)) + repr(ev.diff(whole, whole))
    assert Graph([c.Thread, c.Message]).left_out == Graph().left_out == 0


def test_the_family_of_a_placeholder(store: Any, read: Any) -> None:
    made = store.register(store.get(read.ecs_id).fork(deep=True))
    part = store.get(read.ecs_id, hops=0)
    for message in (read.messages[0], part.messages[0]):
        assert is_placeholder(message)
        assert [e.ecs_id for e in store.lineage_graph(message).nodes] == sorted(
            e.ecs_id for e in (read.messages[0], made.messages[0])
        )
        assert "2 entities" in store.draw_lineage(message).get_title(loc="left")
        assert is_placeholder(message)
    assert len(store.lineage_graph(made)) == 2
