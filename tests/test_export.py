"""Every format is read back by a reader that is not ours."""

from __future__ import annotations

import html
import json
import re
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import networkx as nx
import pytest
from pydantic import Field

import ecsviz as ev
from ecsviz import export
from ecsviz.errors import GraphTooLargeError
from ecsviz.export import MAX_LABEL, plain
from ecsviz.samples import sample
from tests.hostile import HOSTILE

Ends = Counter[tuple[str, str]]


class Page(ev.Entity):
    title: str
    next: Page | None = None
    links: dict[str, Page] = Field(default_factory=dict)


def hostile_entities() -> ev.EntityDependencyGraph:
    """A ring of pages with hostile titles; the first links to all under hostile keys."""
    pages = [Page(title=text) for text in HOSTILE]
    for here, there in zip(pages, [*pages[1:], pages[0]], strict=True):
        here.next = there
    pages[0].links = dict(zip(HOSTILE, pages, strict=True))
    return ev.EntityDependencyGraph(pages[0])


def hostile_tables() -> ev.EntityDependencyGraph:
    """A ring of tables that have hostile names, types, fields and paths."""
    n = len(HOSTILE)
    return ev.EntityDependencyGraph.from_parts(
        HOSTILE, HOSTILE, HOSTILE, range(n), [*range(1, n), 0], HOSTILE, fields=HOSTILE
    )


GRAPHS: dict[str, Callable[[], ev.EntityDependencyGraph]] = {
    "entities": hostile_entities,
    "tables": hostile_tables,
    "empty": ev.EntityDependencyGraph,
    "self_loop": lambda: ev.EntityDependencyGraph(sample("self_loop")),
    "thread": lambda: ev.EntityDependencyGraph(sample("thread")),
}


@pytest.fixture(name="graph", params=GRAPHS)
def _graph(request: pytest.FixtureRequest) -> ev.EntityDependencyGraph:
    return GRAPHS[request.param]()


def names_of(graph: ev.EntityDependencyGraph) -> list[str]:
    return [f"n{number}" for number in range(len(graph))]


def ends_of(graph: ev.EntityDependencyGraph) -> Ends:
    name = {id(node): f"n{number}" for number, node in enumerate(graph.nodes)}
    if len(graph) and isinstance(graph.nodes[0], str):
        name = {id(node): f"n{number}" for number, node in enumerate(HOSTILE)}
    return Counter((name[id(r.source)], name[id(r.target)]) for r in graph.references)


def labels_of(graph: ev.EntityDependencyGraph) -> list[str]:
    return [data["label"] for _, data in export.to_networkx(graph).nodes(data=True)]


def paths_of(graph: ev.EntityDependencyGraph) -> list[str]:
    return [plain(reference.path) for reference in graph.references]


def check(graph: ev.EntityDependencyGraph, read: nx.MultiDiGraph[str]) -> None:
    """Compare what a reader found with the graph."""
    assert read.is_directed()
    assert list(read) == names_of(graph)
    assert Counter((u, v) for u, v in read.edges()) == ends_of(graph)
    assert [data["label"] for _, data in read.nodes(data=True)] == labels_of(graph)
    found = Counter(data["label"] for _, _, data in read.edges(data=True))
    assert found == Counter(paths_of(graph))
    deferred = sum(data["deferred"] for _, _, data in read.edges(data=True))
    assert deferred == len(graph.deferred)


# -- GraphML, Cytoscape and node-link JSON: networkx ------------------------------------------


def test_graphml(graph: ev.EntityDependencyGraph, tmp_path: Path) -> None:
    file = graph.to_graphml(str(tmp_path / "graph.graphml"))
    assert file == tmp_path / "graph.graphml"
    read = nx.read_graphml(file, force_multigraph=True)
    check(graph, read)
    for _, data in read.nodes(data=True):
        assert {"label", "type", "ecs_id", "order", "generation", "in_cycle"} <= set(data)
        assert type(data["order"]) is int
        assert type(data["in_cycle"]) is bool


def test_cytoscape(graph: ev.EntityDependencyGraph) -> None:
    data = json.loads(json.dumps(graph.to_cytoscape(), allow_nan=False))
    check(graph, nx.cytoscape_graph(data))
    ids = [item["data"]["id"] for kind in ("nodes", "edges") for item in data["elements"][kind]]
    assert len(set(ids)) == len(ids)


def test_ids_are_those_of_the_entities() -> None:
    graph = GRAPHS["thread"]()
    ids = [data["ecs_id"] for _, data in export.to_networkx(graph).nodes(data=True)]
    assert ids == [str(node.ecs_id) for node in graph.nodes]


def test_nothing_but_plain_values_leaves(graph: ev.EntityDependencyGraph) -> None:
    read = export.to_networkx(graph)
    for data in [*(d for _, d in read.nodes(data=True)), *(d for _, _, d in read.edges(data=True))]:
        assert {type(value) for value in data.values()} <= {str, int, bool}


# -- DOT: pydot -------------------------------------------------------------------------------


def undot(quoted: str) -> str:
    assert quoted.startswith('"')
    assert quoted.endswith('"')
    return html.unescape(quoted[1:-1].replace("\\\\", "\\"))


def test_dot(
    graph: ev.EntityDependencyGraph, require_optional: Callable[[str], ModuleType]
) -> None:
    pydot = require_optional("pydot")
    text = graph.to_dot()
    text.encode("utf-8")
    with warnings.catch_warnings():
        # It uses older names of pyparsing, some already while it imports its parser.
        warnings.simplefilter("ignore", DeprecationWarning)
        (read,) = pydot.graph_from_dot_data(text)
    assert read.get_type() == "digraph"
    assert read.get_subgraphs() == []
    nodes = [node for node in read.get_nodes() if node.get_name() != "node"]
    assert [node.get_name() for node in nodes] == names_of(graph)
    assert [undot(node.get("label")) for node in nodes] == labels_of(graph)
    assert all(set(node.get_attributes()) == {"label", "type", "ecs_id"} for node in nodes)
    edges = read.get_edges()
    assert Counter((e.get_source(), e.get_destination()) for e in edges) == ends_of(graph)
    assert Counter(undot(e.get("label")) for e in edges) == Counter(paths_of(graph))
    assert {name for e in edges for name in e.get_attributes()} <= {"label", "style"}
    assert sum(e.get("style") == "dashed" for e in edges) == len(graph.deferred)


def test_dot_holds_neither_html_labels_nor_addresses(graph: ev.EntityDependencyGraph) -> None:
    text = graph.to_dot()
    assert "<" not in text
    # What is left outside quotes is our own.
    outside = re.sub(r'"(?:[^"\\]|\\\\)*"', '""', text)
    assert not re.search(r"url|href|tooltip|target", outside, re.IGNORECASE)
    assert set(re.sub(r"\d", "", outside)) <= set(
        'digraph ecsviz {\n node [shape=box];}->label="",type_style=dashed'
    )
    for quoted in re.findall(r'"((?:[^"\\]|\\\\)*)"', text):
        # A backslash that is not doubled would be an escape sequence of Graphviz.
        assert re.fullmatch(r"(?:[^\\]|\\\\)*", quoted)


# -- Mermaid: the part of its grammar that we use, read strictly ------------------------------

TEXT = r'"((?:[^\W_]| |#\d+;)+)"'
NODE = re.compile(rf"    (n\d+)\[{TEXT}\]")
EDGE = re.compile(rf"    (n\d+) (-->|-\.->)\|{TEXT}\| (n\d+)")


def unmermaid(text: str) -> str:
    return visible(re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text).strip())


def visible(text: str) -> str:
    return text.replace("\u200b", "")


def test_mermaid(graph: ev.EntityDependencyGraph) -> None:
    text = graph.to_mermaid()
    text.encode("utf-8")
    first, *lines = text.removesuffix("\n").split("\n")
    assert first == "flowchart TD"
    n = len(graph)
    nodes = [NODE.fullmatch(line) for line in lines[:n]]
    edges = [EDGE.fullmatch(line) for line in lines[n:]]
    assert all(nodes), [line for line, found in zip(lines, nodes, strict=False) if not found]
    assert all(edges), [line for line, found in zip(lines[n:], edges, strict=True) if not found]
    assert [found[1] for found in nodes if found] == names_of(graph)
    assert [unmermaid(found[2]) for found in nodes if found] == list(map(visible, labels_of(graph)))
    assert Counter((found[1], found[4]) for found in edges if found) == ends_of(graph)
    assert [unmermaid(found[3]) for found in edges if found] == list(map(visible, paths_of(graph)))
    assert sum(found[2] == "-.->" for found in edges if found) == len(graph.deferred)


def test_mermaid_text_is_not_what_mermaid_looks_for_inside_quotes() -> None:
    text = hostile_entities().to_mermaid() + hostile_tables().to_mermaid()
    for sign in ("`", "$", "%%", "ﬂ", "¶", "ß", "°", "<", "fa:", "::", "&"):
        assert sign not in text
    # Mermaid drops the last semicolon of what looks like a style: then a code would stay open.
    assert not re.search(r"(?:style|classDef).*:\S*#.*;", text)


def test_mermaid_of_a_large_graph_is_its_quotient() -> None:
    graph = ev.EntityDependencyGraph(sample("chain", n=501))
    lines = graph.to_mermaid().splitlines()
    assert lines[1:] == [
        "    %% 501 nodes and 500 references, one box a type. With limit=None each is written.",
        '    n0["Node #215; 501"]',
        '    n0 -->|"links #215; 500"| n0',
    ]
    assert export.to_mermaid(graph, limit=None).count("-->") == 500
    assert export.to_mermaid(graph, limit=501).count("-->") == 500
    chats = ev.EntityDependencyGraph(sample("chats"))
    text = export.to_mermaid(chats, limit=379)
    drawn = dict(re.findall(r'(\w+) #215; ([\d,#;]+)"', text))
    references = chats.references_frame()
    assert drawn.pop("ChatThread") == "6"
    assert drawn.pop("ChatMessage") == "98"
    assert drawn == references.groupby("field", observed=True).size().astype(str).to_dict()


def test_mermaid_of_one_type_is_drawn_by_component() -> None:
    n = 300
    graph = ev.EntityDependencyGraph.from_parts(
        [f"t{i}" for i in range(n)],
        [f"t{i}" for i in range(n)],
        ["table"] * n,
        [*range(n), *range(n)],
        [*range(1, n), 0, *range(1, n), 0],
        ["key"] * 2 * n,
    )
    lines = graph.to_mermaid().splitlines()
    assert lines[1].endswith("one box a component. With limit=None each is written.")
    assert [unmermaid(line) for line in lines[2:]] == [
        'n0["t0 and 299 more"]',
        'n0 -->|"key × 600"| n0',
    ]


def test_mermaid_refuses_a_quotient_that_it_could_not_draw() -> None:
    n = 600
    graph = ev.EntityDependencyGraph.from_parts(
        [f"t{i}" for i in range(n)],
        [f"t{i}" for i in range(n)],
        [f"type {i}" for i in range(n)],
        [0],
        [1],
        ["key"],
    )
    with pytest.raises(GraphTooLargeError, match=r"600 nodes and 1 references.*to_dot") as told:
        graph.to_mermaid()
    assert (told.value.n, told.value.limit) == (600, 500)


def test_json(graph: ev.EntityDependencyGraph, tmp_path: Path) -> None:
    text = graph.to_json(tmp_path / "graph.json", indent=1)
    assert (tmp_path / "graph.json").read_text(encoding="utf-8") == text + "\n"
    check(graph, nx.node_link_graph(json.loads(text)))
    assert graph.to_node_link() == json.loads(text)


# -- labels -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_plain_text_is_one_short_line(text: str) -> None:
    shown = plain(text)
    shown.encode("utf-8")
    assert len(shown) <= MAX_LABEL
    assert "\n" not in shown
    kinds = {unicodedata.category(char) for char in shown}
    assert not kinds & {"Cc", "Cs", "Zl", "Zp"}
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2069\u200e\u200f\ufeff")


def test_plain_keeps_what_is_readable() -> None:
    assert plain("Ünï — 漢字 שלום 👩‍👩‍👧") == "Ünï — 漢字 שלום 👩‍👩‍👧"
    assert plain(" a \n\n b\t") == "a b"
    assert plain("x" * 80) == "x" * 80
    assert plain("x" * 81) == "x" * 79 + "…"
    assert plain("\x00" * 1000 + "x") == "…"


def test_labels_differ_where_entities_differ() -> None:
    nodes: list[dict[str, Any]] = [
        item["data"] for item in GRAPHS["thread"]().to_cytoscape()["elements"]["nodes"]
    ]
    assert nodes[0]["label"].startswith("ChatThread ")
    assert nodes[0]["type"] == "ChatThread"
    assert len({node["label"] for node in nodes}) > len(nodes) // 2


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    graph = ev.EntityDependencyGraph(ev.sample("chain", n=2))
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    missing = tmp_path / "no such folder"
    table = tmp_path / "shop.csv"
    table.write_text("id,name\n1,Ann\n")
    with ev.read_database(table) as db:
        writers: list[Callable[[Path], object]] = [
            graph.to_html,
            lambda path: graph.to_html(path, interactive=True),
            graph.to_graphml,
            lambda path: export.to_json(graph, path),
            ev.ChatThread().to_html,
            ev.ChatThread().to_markdown,
            ev.ChatThreads().to_chatgpt,
            ev.ChatThreads().to_oasst,
            lambda path: export.to_er_diagram(ev.ChatThread, path),
            lambda path: export.to_csv(graph.nodes_frame(), path),
            lambda path: export.to_excel(graph.nodes_frame(), path.with_suffix(".xlsx")),
        ]
        for write in writers:
            with pytest.raises(export.FileNotWrittenError, match=r"not exist\. Make it") as told:
                write(missing / "out")
            assert told.value.path.parent == missing
            with pytest.raises(export.FileNotWrittenError, match="is no folder"):
                write(in_the_way / "out")
        for write in (graph.to_parquet, db.to_parquet):
            with pytest.raises(export.FileNotWrittenError):
                write(in_the_way)
    assert not missing.exists()


@pytest.mark.parametrize("write", ["to_graphml", "to_csv", "to_html", "to_chatgpt", "to_markdown"])
def test_what_fails_leaves_the_file_as_it_was(
    write: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = ev.ChatThread(title="a")
    thread.say("user", "b")
    graph = ev.EntityDependencyGraph(thread)
    file = tmp_path / "file.txt"
    calls: dict[str, Callable[[], Any]] = {
        "to_graphml": lambda: graph.to_graphml(file),
        "to_csv": lambda: export.to_csv(graph.nodes_frame(), file),
        "to_html": lambda: thread.to_html(file),
        "to_chatgpt": lambda: export.to_chatgpt(thread, file),
        "to_markdown": lambda: thread.to_markdown(file),
    }
    calls[write]()
    before = file.read_bytes()
    assert before

    def full(self: Path, *_: Any, **__: Any) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ev.EcsvizError, match="No space left"):
            calls[write]()
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
    assert file.read_bytes() == before
    file.write_bytes(b"SQLite format 3\0 and so on")
    with pytest.raises(ev.EcsvizError, match="is a SQLite database, and would be replaced"):
        calls[write]()
    assert file.read_bytes()[:6] == b"SQLite"
