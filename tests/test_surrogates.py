"""Texts with half of a character, as JSON escapes and file names bring them, in what is shown."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner
from pydantic import Field, ValidationError

import ecsviz as ev
from ecsviz import cli
from ecsviz.errors import ValueNotStorableError
from ecsviz.isomorphic import find_difference

HALF = "a\ud800z"


class Half(ev.Entity):
    """Takes a text wherever one can stand."""

    name: str
    other: Half | None = None
    by: dict[str, Half] = Field(default_factory=dict)
    tags: dict[str, str] = Field(default_factory=dict)
    nested: dict[str, list[Half]] = Field(default_factory=dict)


def halves(key: str = HALF) -> Half:
    """Return a cycle of two; a store has no column for halves in the keys of references."""
    a = Half(name=HALF)
    a.other = Half(name=HALF, other=a, by={key: a}, tags={HALF: HALF}, nested={HALF: [a]})
    return a


def shown(thing: Any) -> None:
    """Ask for all that a notebook asks for."""
    repr(thing)
    if (html := getattr(thing, "_repr_html_", None)) is not None:
        html()


GRAPH: dict[str, Callable[[Any, Path], Any]] = {
    "nodes_frame": lambda g, _: g.nodes_frame(),
    "references_frame": lambda g, _: g.references_frame(),
    "to_mermaid": lambda g, _: g.to_mermaid().encode(),
    "to_dot": lambda g, _: g.to_dot().encode(),
    "to_graphml": lambda g, folder: g.to_graphml(folder / "g.graphml"),
    "to_cytoscape": lambda g, _: json.dumps(g.to_cytoscape(), ensure_ascii=False).encode(),
    "to_node_link": lambda g, _: json.dumps(g.to_node_link()),
    "to_networkx": lambda g, _: g.to_networkx(),
    "to_html": lambda g, folder: g.to_html(folder / "g.html"),
    "html": lambda g, _: g._repr_html_().encode(),
    "cycles": lambda g, _: g.get_cycles(),
    "draw": lambda g, _: g.draw().figure.canvas.draw(),
}


@pytest.mark.parametrize("way", GRAPH)
def test_graphs(way: str, tmp_path: Path) -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    live = store.register(halves("key"))
    for graph in (
        ev.EntityDependencyGraph(halves()),
        store.graph(),
        ev.EntityDependencyGraph(live),
    ):
        shown(GRAPH[way](graph, tmp_path))


def test_frames_and_files_give_the_same_graph_back(tmp_path: Path) -> None:
    graph = ev.EntityDependencyGraph(halves())
    nodes, references = graph.to_frames()
    assert find_difference(halves_of(graph), ev.from_frames(nodes, references)) is None
    assert references["key"].dropna().tolist() == [HALF]
    graph.to_json(tmp_path / "g.json")
    graph.to_parquet(tmp_path / "folder")


def halves_of(graph: ev.EntityDependencyGraph) -> list[Any]:
    return list(graph.nodes)


STORE: dict[str, Callable[[Any, Half], Any]] = {
    "revisions": lambda s, _: s.revisions(),
    "history": lambda s, a: s.history(a.ecs_id),
    "verify": lambda s, _: s.verify(),
    "diff": lambda s, _: s.diff(1, 2),
    "diff_frame": lambda s, _: s.diff(1, 2).to_frame(),
    "find": lambda s, _: s.find(Half, name=HALF),
    "ordered": lambda s, _: s.find(Half, order_by="name"),
    "lineage": lambda s, a: s.lineage_graph(a).nodes_frame(),
    "lists": lambda s, _: s.list_by_type(Half),
}
SQL: dict[str, Callable[[Any, Half], Any]] = {
    "frame": lambda s, _: s.frame(Half),
    "table": lambda s, _: s.frame("halfs"),
    "references_frame": lambda s, _: s.references_frame(),
    "plan": lambda s, a: s.explain(a.fork()).to_frame(),
    "migration": lambda s, _: s.migrate(dry_run=True).to_frame(),
}


@pytest.mark.parametrize("make", [ev.InMemoryEntityStorage, ev.SQLAlchemyEntityStorage])
def test_stores(make: Any) -> None:
    store = make() if make is ev.InMemoryEntityStorage else make(":memory:")
    a = store.register(halves("key"))
    a.name = HALF + "!"
    store.register(a)
    for ask in (STORE if make is ev.InMemoryEntityStorage else STORE | SQL).values():
        shown(ask(store, a))
    assert find_difference(store.get(a.ecs_id), a) is None
    edit = store.diff(1, 2).to_frame().iloc[0]
    assert (edit["before"], edit["after"]) == (HALF, HALF + "!")


def test_a_frame_of_a_store_holds_the_texts() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(halves("key"))
    frame = store.frame(Half)
    assert list(frame["name"]) == [HALF, HALF]


def messages(text: str) -> Any:
    call = {"id": text, "function": {"name": text, "arguments": text}}
    return [
        {"role": text, "content": text, text: 1, "id": text, "name": text, "tool_calls": [call]},
        {"role": "user", "content": [{"type": text, text: 2}]},
    ]


def conversation(text: str) -> Any:
    author = {"role": text, text: text}
    content = {"content_type": text, "parts": [text]}
    message = {"id": text, "author": author, "content": content, "metadata": {text: text}}
    node = {"id": text, "message": message, "parent": None, "children": [text], text: 1}
    return [{"title": text, "id": text, "mapping": {text: node}, text: 1}]


def claude(text: str) -> Any:
    message = {"uuid": text, "sender": text, "text": text, text: text}
    return [{"uuid": text, "name": text, "chat_messages": [message], text: 1}]


@pytest.mark.filterwarnings("ignore::ecsviz.importers.ChatImportWarning")
@pytest.mark.parametrize("make", [messages, conversation, claude])
@pytest.mark.parametrize("name", [b"plain.json", b"f\xff.json"])
def test_chats(make: Callable[[str], Any], name: bytes, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
    path.write_text(json.dumps(make(HALF)))
    found = ev.read_chat(path)
    for thing in (found, found.report(), found.problems, *found):
        shown(thing)
    for ask in GRAPH.values():
        ask(ev.EntityDependencyGraph(list(found)), tmp_path)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    again = store.get_many([t.ecs_id for t in store.register(list(found))])
    assert find_difference(list(found), again) is None


def test_a_report_says_the_key_as_it_is() -> None:
    report = ev.read_chat(json.dumps(messages(HALF)).encode()).report()
    assert f"message {HALF}" in set(report["what"])
    assert report["count"].dtype == "int64"


@pytest.mark.parametrize(
    "entity",
    [Half(name=HALF), Half(name="a", by={HALF: Half(name="b")}), Half(name="a", tags={"t": HALF})],
    ids=["value", "key", "inside"],
)
def test_what_json_does_not_take_is_said(entity: Half) -> None:
    with pytest.raises(ValueNotStorableError, match=r"dump of a Half holds .* half of a character"):
        entity.model_dump_json()
    assert find_difference(Half.model_validate(entity.model_dump()), entity) is None


def test_json_that_is_no_utf8_is_refused_as_by_pydantic() -> None:
    with pytest.raises(ValidationError):
        Half.model_validate_json('{"name": "' + HALF + '"}')


@pytest.mark.parametrize("ask", ["get", "has_entity", "history", "delete"])
def test_arguments(ask: str) -> None:
    with pytest.raises(ev.EcsvizError):
        getattr(ev.SQLAlchemyEntityStorage(":memory:"), ask)(HALF)
    with pytest.raises(ev.EcsvizError):
        ev.SQLAlchemyEntityStorage(f"/nowhere/{HALF}.db").register(Half(name=str(uuid4())))


def test_a_file_whose_name_is_no_utf8_is_imported(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(tmp_path) + b"/f\xff.json")
    Path(path).write_text(json.dumps(messages(HALF)))
    target = str(tmp_path / "store.db")
    done = CliRunner().invoke(cli.cli, ["import", path, "--store", target])
    assert done.exit_code == 0, done.output
    for command in ("info", "history", "tables", "verify", "graph"):
        assert CliRunner().invoke(cli.cli, [command, target]).exit_code == 0
    assert list(ev.SQLAlchemyEntityStorage(target).revisions()["note"]) == ["import f.json"]
