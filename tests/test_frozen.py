"""What was promised is kept: names, options, errors, examples, and the files of earlier releases.

``tests/frozen/`` holds what one release wrote, and its public surface. What it holds is not
written anew: a name that is given up on purpose is taken out of ``surface.json`` by hand.
"""

from __future__ import annotations

import doctest
import gzip
import importlib
import json
import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import networkx as nx
import pandas as pd
import pytest
from click.testing import CliRunner

import ecsviz as ev
from ecsviz import export
from ecsviz.cli import cli
from ecsviz.errors import NotLoadedError
from tests.conftest import require_optional
from tests.frozen import classes, graphs
from tests.frozen.content import CHAT, MUSEUM, E, in_order, plain, versions
from tests.frozen.graphs import number
from tests.frozen.surface import MODULES, lost, surface

FOLDER = Path(__file__).parent / "frozen"
EXPORTS = FOLDER / "exports"
SURFACE = json.loads((FOLDER / "surface.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    plt.close("all")


# -- names, signatures, options --------------------------------------------------------------


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is written where no other test has defined classes of the same names."""
    code = """
import json
from tests import test_frozen as t
texts = {name: write() for name, write in t.written().items()}
print(json.dumps({"from_csv": t.from_csv(), **texts}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path_factory.mktemp("alone"),
        env={**os.environ, "PYTHONPATH": str(FOLDER.parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_nothing_public_is_lost() -> None:
    assert len(SURFACE) > 600
    told = lost(SURFACE, surface())
    told.append("Give it back; if it is meant to go, take it out of surface.json by hand.")
    assert len(told) == 1, "\n".join(told)


FRESH = """
import sys, ecsviz
there = set(vars(ecsviz))
for name in sys.argv[1:]:
    name in there or ecsviz.__getattr__(name)  # else another import may have set it
"""


def test_a_fresh_process_has_every_name() -> None:
    names = [name.split(".")[1] for name in SURFACE if re.fullmatch(r"ecsviz\.\w+", name)]
    code = [sys.executable, "-c", FRESH, *names]
    done = subprocess.run(code, cwd=FOLDER.parents[1], capture_output=True, text=True, check=False)
    assert len(names) > 25
    assert done.stderr == ""


# Every option with its default, as somebody may write it who copies a signature.
CALLS: dict[str, Callable[..., Any]] = {
    "ecsviz.ChatThread.draw_timeline": lambda **o: graphs.chat().draw_timeline(**o),
    "ecsviz.EntityDependencyGraph.draw": lambda **o: graph().draw(**o),
    "ecsviz.EntityDependencyGraph.explore": lambda **o: graph().explore(**o),
    "ecsviz.EntityDependencyGraph.to_html": lambda **o: graph().to_html(**o),
    "ecsviz.EntityDependencyGraph.to_json": lambda **o: graph().to_json(**o),
    "ecsviz.EntityDependencyGraph.to_mermaid": lambda **o: graph().to_mermaid(**o),
    "ecsviz.GraphDiff.draw": lambda **o: an_edit().draw(**o),
    "ecsviz.GraphDiff.to_html": lambda **o: an_edit().to_html(**o),
    "ecsviz.InMemoryEntityStorage.draw_lineage": lambda **o: in_memory().draw_lineage(
        number(10), **o
    ),
    "ecsviz.InMemoryEntityStorage.draw_schema": lambda **o: in_memory().draw_schema(**o),
    "ecsviz.SQLAlchemyEntityStorage.draw_lineage": lambda **o: in_sql().draw_lineage(
        number(10), **o
    ),
    "ecsviz.SQLAlchemyEntityStorage.draw_schema": lambda **o: in_sql().draw_schema(**o),
    "ecsviz.importers.database.Database.draw_schema": lambda **o: a_database().draw_schema(**o),
}

# The same options with another value each.
OTHERWISE: dict[str, Any] = {
    "by": "position",
    "color_by": "role",
    "edge_labels": True,
    "group_by": "type",
    "highlight": None,
    "indent": 1,
    "label": lambda node: "x",
    "legend": False,
    "limit": 5,
    "max_branches": 1,
    "max_nodes": None,
    "max_whole": 1,
    "selected": number(11),
    "title": "A title",
    "view": None,
}


def graph() -> ev.EntityDependencyGraph:
    return ev.EntityDependencyGraph(graphs.chat())


def an_edit() -> ev.GraphDiff:
    edited = graphs.chat()
    edited.title = "edited"
    return ev.diff(graphs.chat(), edited)


def in_memory() -> Any:
    store = ev.InMemoryEntityStorage()
    store.register(graphs.chat())
    return store


def in_sql() -> Any:
    store = ev.SQLAlchemyEntityStorage("options.db")
    store.register(graphs.chat())
    return store


def a_database() -> Any:
    in_sql().close()
    return ev.read_database("options.db")


@pytest.mark.parametrize("name", CALLS)
def test_options_are_taken(name: str) -> None:
    options = SURFACE[f"{name} options"]["options"]
    CALLS[name](**{option: eval(default) for option, default in options.items()})
    CALLS[name](**{option: OTHERWISE[option] for option in options})


def test_every_method_with_options_is_called() -> None:
    assert {f"{name} options" for name in CALLS} == {n for n in SURFACE if n.endswith(" options")}


# -- examples --------------------------------------------------------------------------------

EXAMPLES: dict[str, str] = {}
for _part in re.split(r"(?m)^== ", (FOLDER / "examples.txt").read_text(encoding="utf-8")):
    if _part:
        EXAMPLES.setdefault(*_part.split("\n", 1))


def public_names(place: str) -> dict[str, Any]:
    """Return what a docstring sees of the module that it stands in: the public names."""
    name = max((each for each in MODULES if place.startswith(f"{each}.")), key=len)
    module = importlib.import_module(name)
    return {each: getattr(module, each) for each in getattr(module, "__all__", ())}


@pytest.mark.parametrize("place", EXAMPLES)
def test_examples_say_what_they_said(place: str) -> None:
    if "parquet" in place:
        require_optional("pyarrow")
    if "excel" in place:
        require_optional("openpyxl")
    names = {"ev": ev, **public_names(place), "__name__": "an_example"}
    test = doctest.DocTestParser().get_doctest(EXAMPLES[place], names, place, None, 0)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    told: list[str] = []
    runner = doctest.DocTestRunner(verbose=False, optionflags=flags)
    runner.run(test, out=told.append)
    assert test.examples
    assert told == []


# -- a store ---------------------------------------------------------------------------------

# Revision by revision: what of the content above was different then.
TAKEN_OUT = {31: {"like": [E(32), E(31), E(32)]}}
EDITED = {10: {"title": "Cycles, again"}, 11: {"content": "hello, world"}}


def unpacked(folder: Path) -> Path:
    path = folder / "store.db"
    path.write_bytes(gzip.decompress((FOLDER / "store.db.gz").read_bytes()))
    return path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ev.SQLAlchemyEntityStorage]:
    with ev.SQLAlchemyEntityStorage(unpacked(tmp_path)) as found:
        yield found


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ev.SQLAlchemyEntityStorage]:
    """One that is only read."""
    with ev.SQLAlchemyEntityStorage(unpacked(tmp_path_factory.mktemp("frozen"))) as found:
        yield found


def changed(
    content: dict[int, dict[str, Any]], changes: dict[int, dict[str, Any]]
) -> dict[int, dict[str, Any]]:
    return {n: each | changes.get(n, {}) for n, each in content.items()}


WITHOUT = {n: each for n, each in MUSEUM.items() if n != 33}
PAST = {
    1: (versions(CHAT), versions(MUSEUM)),
    2: (versions(changed(CHAT, EDITED), v10=2, v11=2), versions(MUSEUM)),
    3: (
        versions(changed(CHAT, EDITED), v10=2, v11=2),
        versions(changed(WITHOUT, TAKEN_OUT), v31=2),
    ),
    6: (versions(CHAT, v10=3, v11=3), versions(changed(WITHOUT, TAKEN_OUT), v31=2)),
    None: (versions(CHAT, v10=3, v11=3), versions(changed(WITHOUT, TAKEN_OUT), v31=2)),
}


@pytest.mark.parametrize("revision", PAST)
def test_a_store_opens(opened: ev.SQLAlchemyEntityStorage, revision: int | None) -> None:
    chat, museum = PAST[revision]
    wanted = {**chat, **museum}
    assert same(opened.get_many([number(10), number(30)], as_of=revision), wanted)


def same(found: Any, wanted: dict[int, dict[str, Any]]) -> bool:
    have = plain(found)
    assert have == wanted
    ordered = {n: {name: in_order(v) for name, v in each.items()} for n, each in wanted.items()}
    assert {
        n: {name: in_order(each[name]) for name in ordered[n]} for n, each in have.items()
    } == ordered
    for n, each in have.items():
        for name, value in each.items():
            assert type(value) is type(wanted[n][name]), (n, name)
    return True


def test_the_history_of_a_store(opened: ev.SQLAlchemyEntityStorage) -> None:
    revisions = opened.revisions()
    counts = revisions[["revision", "added", "changed", "deleted"]].values.tolist()
    assert counts == [
        [1, 11, 0, 0],
        [2, 0, 2, 0],
        [3, 0, 1, 0],
        [4, 0, 0, 1],
        [5, 0, 2, 0],
        [6, 1, 0, 0],
    ]
    notes = ["first", "an edit", "without the bowl", None, "as it was", "a fork"]
    assert [None if pd.isna(note) else note for note in revisions["note"]] == notes
    at = list(revisions["at"])
    assert at == sorted(at)
    assert at[0].strftime("%Y-%m-%d %z") == "2026-11-29 +0000"
    found = opened.history(number(11))[["version", "revision", "what"]].values.tolist()
    assert found == [[1, 1, "added"], [2, 2, "changed"], [3, 5, "changed"]]
    gone = opened.history(number(33))["what"].tolist()
    assert gone == ["added", "deleted"]


def test_a_store_is_whole_and_goes_on(store: ev.SQLAlchemyEntityStorage) -> None:
    assert store.verify().empty
    assert not store.migrate(dry_run=True)
    assert not store.has_entity(number(33))
    assert [e.label for e in store.find(classes.FrozenExhibit, order_by="label")] == [
        "coin",
        "copy of view",
        "vase",
        "view",
    ]
    family = store.get_lineage_entities(number(34))
    assert [each.ecs_id for each in family] == [number(34), number(40)]
    assert family[1].parent_id == number(34)
    kinds = {type(each).__name__ for each in store.list_by_type(classes.FrozenExhibit)}
    assert kinds == {"FrozenExhibit", "FrozenPainting"}
    vase = store.get(number(31))
    vase.like.append(vase)
    store.register(vase, note="goes on")
    store.revert(vase, to=1)
    assert plain(store.get(number(31)))[31]["like"] == [E(32), E(31), E(32), E(33)]
    assert store.verify().empty


def test_frames_of_a_store(store: ev.SQLAlchemyEntityStorage) -> None:
    frame = store.frame(ev.ChatMessage, as_of=2)
    assert frame[["role", "content", "version"]].values.tolist() == [
        ["user", "hello, world", 2],
        ["assistant", "one answer", 1],
        ["assistant", "another: ½ \U0001f600", 1],
        ["user", "thanks", 1],
    ]
    assert len(store.graph(number(10)).references) == 14
    assert set(ev.read_database("store.db").tables_frame()["table"]) >= {
        "chat_messages",
        "chat_threads",
        "frozen_exhibits",
        "frozen_keepers",
        "frozen_paintings",
        "frozen_valueses",
    }


def test_a_store_is_read_without_its_classes(tmp_path: Path) -> None:
    path = unpacked(tmp_path)
    told = CliRunner().invoke(cli, ["info", str(path)], catch_exceptions=False)
    assert told.exit_code == 0
    assert {"ChatThread", "FrozenPainting", "chat_messages"} <= set(re.findall(r"\w+", told.output))
    told = CliRunner().invoke(cli, ["verify", str(path)], catch_exceptions=False)
    assert told.exit_code == 0


# -- pickles ---------------------------------------------------------------------------------


def unpickled(name: str) -> Any:
    return pickle.loads((FOLDER / "pickles" / f"{name}.pickle").read_bytes())


def test_pickled_entities() -> None:
    thread = unpickled("chat")
    assert type(thread) is ev.ChatThread
    assert same(thread, CHAT)
    assert thread.messages[0].thread is thread
    assert same(unpickled("own"), MUSEUM)


def test_a_pickled_neighbourhood() -> None:
    part = unpickled("part")
    assert (part.title, part.version, part.messages[3].ecs_id) == ("edited", 1, number(14))
    with pytest.raises(NotLoadedError):
        _ = part.messages[3].content


def test_pickled_answers_of_a_graph() -> None:
    assert unpickled("status") is ev.CycleStatus.CYCLE_DETECTED
    reference = unpickled("reference")
    assert type(reference) is ev.Reference
    assert str(reference) == "Reference(ChatThread.messages[0] -> ChatMessage)"
    cycles = unpickled("cycles")
    assert cycles.complete
    assert {type(cycle) for cycle in cycles} == {ev.Cycle}
    assert str(cycles[0]) == "Cycle(ChatThread.messages[0] -> ChatMessage.thread)"


def test_a_pickled_plan() -> None:
    plan = unpickled("plan")
    assert type(plan) is ev.SavePlan
    assert (plan.added, plan.changed, plan.order) == (2, 0, ["ChatThread", "ChatMessage"])
    assert plan.to_frame()[["step", "what", "table", "rows"]].values.tolist() == [
        [1, "insert", "chat_threads", 1],
        [2, "insert", "chat_messages", 1],
    ]


def test_a_pickled_diff() -> None:
    found = unpickled("diff")
    assert type(found) is ev.GraphDiff
    assert [each.row() for each in found] == [
        ("edited", "ChatThread", number(10), "title", "'Cycles'", "'edited'")
    ]


def test_a_pickled_import_and_migration() -> None:
    imported = unpickled("imported")
    assert repr(imported) == "<ChatImport of 1 thread, 2 messages, 0 problems>"
    assert [message.content for message in imported[0].messages] == ["Hi", "Hello"]
    assert imported.report()["count"].sum() > 0
    assert not unpickled("migration")


ERRORS: list[tuple[str, dict[str, Any]]] = [
    ("ImportSourceError", {"source": "a.json", "errno": 2}),
    ("EntityNotFoundError", {"ecs_id": number(99)}),
    ("InvalidIdError", {"value": "no id"}),
    ("UnknownTypeError", {"ecs_id": number(10), "type_name": "ChatThread"}),
    ("NotAnEntityError", {"value": 3}),
    ("SampleError", {"name": "chian"}),
    ("ImportFormatError", {"source": "<bytes>", "line": 1, "column": 1}),
    ("DrawingOptionError", {"option": "color_by", "value": "colur"}),
    ("StaleVersionError", {"ecs_id": number(10), "version": 1, "stored_version": 2}),
]


def test_pickled_errors() -> None:
    for error, (name, facts) in zip(unpickled("errors"), ERRORS, strict=True):
        assert type(error).__name__ == name
        assert isinstance(error, ev.EcsvizError)
        assert {fact: getattr(error, fact) for fact in facts} == facts
        assert {name: error.facts[name] for name in facts} == facts
        assert str(error) == error.message


def test_a_pickled_storage(store: ev.SQLAlchemyEntityStorage, tmp_path: Path) -> None:
    text = (FOLDER / "pickles" / "storage.pickle").read_bytes()
    there = str(tmp_path / "store.db").encode("raw_unicode_escape")
    again = pickle.loads(text.replace(str(graphs.ELSEWHERE).encode(), there))
    with again:
        assert type(again) is ev.SQLAlchemyEntityStorage
        assert same(again.get(number(10)), PAST[None][0])


# -- dumps and exports -----------------------------------------------------------------------


def test_dumps_are_read() -> None:
    chat = (EXPORTS / "dump_chat.json").read_text(encoding="utf-8")
    assert same(ev.ChatThread.model_validate_json(chat), CHAT)
    own = (EXPORTS / "dump_own.json").read_text(encoding="utf-8")
    loaded = plain(classes.FrozenKeeper.model_validate_json(own))
    assert same_but(loaded, MUSEUM, {"anything", "more"})  # JSON does not say what they were
    assert same(ev.ChatThread.model_validate(json.loads(chat)), CHAT)


def same_but(have: Any, wanted: Any, names: set[str]) -> bool:
    def left(content: dict[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
        return {
            n: {name: value for name, value in each.items() if name not in names}
            for n, each in content.items()
        }

    assert left(have) == left(wanted)
    return True


def test_parquet_is_read() -> None:
    require_optional("pyarrow")
    nodes, references = export.read_parquet(EXPORTS / "parquet")
    assert same(ev.from_frames(nodes, references), MUSEUM)


def test_parquet_has_its_columns() -> None:
    parquet = require_optional("pyarrow.parquet")
    now = export.to_parquet(ev.EntityDependencyGraph(graphs.museum()), "parquet")
    for name in ("vertices.parquet", "edges.parquet"):
        was, there = (parquet.read_schema(each / name) for each in (EXPORTS / "parquet", now))
        kinds = {field.name: str(field.type) for field in was}
        assert {field.name: str(field.type) for field in there if field.name in kinds} == kinds


def from_csv(**options: Any) -> bool:
    nodes, references = (pd.read_csv(EXPORTS / f"{name}.csv") for name in ("nodes", "references"))
    return same(ev.from_frames(nodes, references, **options), CHAT)


def test_csv_is_read(alone: dict[str, Any]) -> None:
    assert alone["from_csv"]
    assert from_csv(classes=[ev.ChatThread, ev.ChatMessage])


def test_graphml_is_read() -> None:
    found = nx.read_graphml(EXPORTS / "graph.graphml", force_multigraph=True)
    names = {
        "n0": "FrozenKeeper Kay",
        "n1": "FrozenExhibit vase",
        "n2": "FrozenPainting view",
        "n3": "FrozenExhibit coin",
        "n4": "FrozenExhibit bowl",
        "n5": "FrozenValues a b ½ \U0001f600",
    }
    assert dict(found.nodes(data="label")) == names
    fields = [field for *_, field in found.edges(data="field")]
    assert (len(fields), fields.count("keeper"), fields.count("groups")) == (25, 3, 3)


def written() -> dict[str, Callable[[], str]]:
    """Return how each text is written today; the same graphs as in ``graphs.py``."""
    museum = ev.EntityDependencyGraph(graphs.museum())
    return {
        "dump_chat.json": lambda: graphs.chat().model_dump_json(indent=1),
        "dump_own.json": lambda: graphs.museum().model_dump_json(indent=1),
        "node_link.json": lambda: museum.to_json(indent=1),
        "cytoscape.json": lambda: json.dumps(museum.to_cytoscape(), indent=1, default=str),
        "graph.mermaid": museum.to_mermaid,
        "graph.dot": museum.to_dot,
        "graph.graphml": lambda: museum.to_graphml("a.graphml").read_text(encoding="utf-8"),
        "nodes.csv": lambda: export.to_csv(ev.to_frames(graphs.chat())[0], safe=False, index=False),
        "references.csv": lambda: export.to_csv(
            ev.to_frames(graphs.chat())[1], safe=False, index=False
        ),
        "schema.py.txt": lambda: ev.SQLAlchemyEntityStorage(":memory:").to_python(
            ev.ChatThread, ev.ChatMessage
        ),
    }


def parsed(text: str) -> Any:
    """Return JSON as data; ``names`` is a set, which comes in any order."""
    return json.loads(
        text, object_hook=lambda d: d | ({"names": sorted(d["names"])} if "names" in d else {})
    )


def as_then(now: Any, was: Any) -> Any:
    """Return what is written now without the keys that were not there then."""
    if isinstance(now, dict) and isinstance(was, dict):
        return {key: as_then(value, was[key]) for key, value in now.items() if key in was}
    if isinstance(now, list) and isinstance(was, list) and len(now) == len(was):
        return [as_then(*pair) for pair in zip(now, was, strict=True)]
    return now


def graphml_as_then(now: str, was: str) -> str:
    """Return GraphML without the attributes of nodes that were not there then."""
    named = re.compile(r'<key id="(node_\w+)"')
    for key in set(named.findall(now)) - set(named.findall(was)):
        now = re.sub(rf' *<key id="{key}".*\n|<data key="{key}">[^<]*</data>', "", now)
    return now.replace("\r\n", "\n")


@pytest.mark.parametrize("name", written())
def test_what_is_written_is_as_it_was(name: str, alone: dict[str, Any]) -> None:
    was, now = (EXPORTS / name).read_text(encoding="utf-8"), alone[name]
    if name in ("node_link.json", "cytoscape.json"):  # where nodes may be told more of
        assert as_then(parsed(now), parsed(was)) == parsed(was)
    elif name.endswith(".json"):
        assert parsed(now) == parsed(was)
    elif name.endswith(".graphml"):
        assert graphml_as_then(now, was) == was
    else:
        assert now.replace("\r\n", "\n") == was


def test_frames_have_their_columns() -> None:
    then = json.loads((EXPORTS / "frames.json").read_text(encoding="utf-8"))
    museum = ev.EntityDependencyGraph(graphs.museum())
    nodes, references = ev.to_frames(museum)
    frames = {
        "to_frames nodes": nodes,
        "to_frames references": references,
        "nodes_frame": museum.nodes_frame(),
        "references_frame": museum.references_frame(),
        **dict(graphs.stores_frames()),
    }
    assert set(frames) == set(then)
    for name, columns in then.items():
        kinds = {column: str(kind) for column, kind in frames[name].dtypes.items()}
        have = {column: kind for column, kind in kinds.items() if column in columns}
        if name.startswith("store.frame"):  # whose own fields have come before the ids since
            assert have == columns, name
            continue
        assert list(have.items()) == list(columns.items()), name
