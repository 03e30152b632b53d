"""Every public method, each of its arguments wrong in every way: an answer, or an error of ours."""

from __future__ import annotations

import contextlib
import copy
import inspect
import sqlite3
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import pytest
from ipywidgets import Widget

import ecsviz as ev
import ecsviz.draw
import ecsviz.export
import ecsviz.widgets
from ecsviz.draw import DrawingOptionError, draw_graph
from ecsviz.errors import EcsvizError
from ecsviz.graph.walkthrough import Walkthrough
from ecsviz.importers.database import Database
from ecsviz.storage.criteria import LOOKUPS


class Leaf(ev.Entity):
    name: str = ""
    next: Leaf | None = None


class Unknown(ev.Entity):
    number: int = 0


async def later() -> None:
    """Never awaited."""


class Strange:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no ==")

    __hash__ = None  # type: ignore[assignment]  # as of arrays


def of_another_store() -> Any:
    return ev.InMemoryEntityStorage().register(Leaf(name="elsewhere"))


WRONG: dict[str, Callable[[], Any]] = {
    "none": lambda: None,
    "true": lambda: True,
    "int": lambda: 7,
    "negative": lambda: -1,
    "huge": lambda: 10**30,
    "float": lambda: 0.5,
    "nan": lambda: float("nan"),
    "text": lambda: "no id",
    "surrogate": lambda: "\ud800",
    "nul": lambda: "a\0b",
    "bytes": lambda: b"bytes",
    "unknown id": uuid.uuid4,
    "class": lambda: Leaf,
    "unknown class": lambda: Unknown,
    "entity class": lambda: ev.Entity,
    "plain class": lambda: int,
    "entity": lambda: Leaf(name="unsaved"),
    "elsewhere": of_another_store,
    "list": list,
    "pair": lambda: (1, 2),
    "list of entities": lambda: [Leaf(), Leaf()],
    "list of classes": lambda: [Leaf, Unknown],
    "list of texts": lambda: ["a", "b"],
    "list of none": lambda: [None],
    "nested list": lambda: [[Leaf()]],
    "dict": dict,
    "dict of entities": lambda: {"a": Leaf()},
    "dict of texts": lambda: {"Leaf.name": "x"},
    "dict of numbers": lambda: {1: 2},
    "set": lambda: {1},
    "generator": lambda: (leaf for leaf in (Leaf(),)),
    "frame": lambda: pd.DataFrame({"ecs_id": [uuid.uuid4()]}),
    "series": lambda: pd.Series([1, 2]),
    "function": lambda: len,
    "own function": lambda: lambda node: node.missing,
    "module": lambda: inspect,
    "store": ev.InMemoryEntityStorage,
    "graph": lambda: ev.EntityDependencyGraph(Leaf()),
    "strange": Strange,
    "coroutine": later,
}


def stored(leaf: Any) -> Any:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    store.register(copy.deepcopy(leaf))
    return store


RIGHT: dict[str, Callable[[Any], Any]] = {
    "entity_or_entities": lambda at: at.leaf,
    "ecs_id": lambda at: at.leaf.ecs_id,
    "ecs_ids": lambda at: [at.leaf.ecs_id],
    "cls": lambda at: Leaf,
    "cls_or_table": lambda at: Leaf,
    "lineage_id": lambda at: at.leaf.lineage_id,
    "entities_or_ids": lambda at: at.leaf,
    "entity": lambda at: at.leaf,
    "to": lambda at: 1,
    "a": lambda at: at.leaf,
    "b": lambda at: None,
    "root": lambda at: at.leaf,
    "path": lambda at: at.folder / "file",
    "nodes": lambda at: ev.to_frames(at.leaf)[0],
    "G": lambda at: ev.EntityDependencyGraph(at.leaf).to_networkx(),
    "value": lambda at: at.leaf,
    "folder": lambda at: at.folder,
    "graph": lambda at: ev.EntityDependencyGraph(at.leaf),
    "lazy_graph": lambda at: ev.scan_graph(stored(at.leaf)),
    "found": lambda at: ev.diff(at.leaf, copy.deepcopy(at.leaf)),
    "lineage": lambda at: at.leaf,
    "thread": lambda at: at.thread,
    "threads": lambda at: [at.thread],
    "store": lambda at: at.store,
    "database": lambda at: at.database(),
    "what": lambda at: Leaf,
    "walk": lambda at: ev.EntityDependencyGraph(at.leaf).walkthrough(),
    "frame": lambda at: pd.DataFrame({"a": [1]}),
    "frames": lambda at: pd.DataFrame({"a": [1]}),
    "text": lambda at: "a",
    "table": lambda at: "staff",
}
"""What an argument without a default is, where another one is wrong."""

LEFT_OUT = {
    "ax": "matplotlib's own, which says itself what it is not",
    "session": "SQLAlchemy's own",
    "conn": "SQLAlchemy's own",
}


MODULES: dict[str, Any] = {
    "draw": ecsviz.draw,
    "export": ecsviz.export,
    "widgets": ecsviz.widgets,
}
"""Whose functions are asked as well."""

CLASSES: dict[str, type] = {
    "memory": ev.InMemoryEntityStorage,
    "sqlite": ev.SQLAlchemyEntityStorage,
    "graph": ev.EntityDependencyGraph,
    "thread": ev.ChatThread,
    "threads": ev.ChatThreads,
    "diff": ev.GraphDiff,
    "walk": Walkthrough,
    "database": Database,
}
"""Whose methods."""

VIEWS = {
    *("draw", "draw_lineage", "draw_schema", "draw_timeline", "explore", "to_html"),
    *("draw_activity", "draw_lengths", "draw_models", "to_markdown", "to_chatgpt", "to_oasst"),
}
"""The methods of classes that are asked for their pictures and widgets alone."""


class Subject:
    """What methods are called on."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        self.databases: list[Database] = []
        self.store: Any = (
            ev.SQLAlchemyEntityStorage(":memory:")
            if kind == "sqlite"
            else ev.InMemoryEntityStorage()
        )
        last = Leaf(name="b")
        self.leaf = Leaf(name="a", next=last)
        last.next = self.leaf
        self.leaf = self.store.register(self.leaf)
        self.thread = ev.ChatThread(title="asked")
        self.thread.say("user", "why?")
        self.of: Any = MODULES.get(kind) or self._of(kind)

    def close(self) -> None:
        self.store.close()
        for made in self.databases:
            made.close()

    def database(self) -> Database:
        path = self.folder / "foreign.db"
        with contextlib.closing(sqlite3.connect(path)) as made:
            made.execute("create table staff (id integer primary key, boss references staff)")
        self.databases.append(ev.read_database(path))
        return self.databases[-1]

    def _of(self, kind: str) -> Any:
        if kind == "database":
            return self.database()
        if kind == "diff":
            return ev.diff(self.thread, copy.deepcopy(self.thread))
        return {
            "graph": ev.EntityDependencyGraph(self.leaf),
            "thread": self.thread,
            "walk": ev.EntityDependencyGraph(self.leaf).walkthrough("order"),
            "threads": ev.ChatThreads([self.thread]),
        }.get(kind, self.store)


def asked_of(kind: str) -> list[tuple[str, inspect.Signature]]:
    """Return the public functions of a module or methods of a class; without ``self``."""
    if kind in MODULES:
        found = [getattr(MODULES[kind], name) for name in MODULES[kind].__all__]
        return [(f.__name__, inspect.signature(f)) for f in found if inspect.isfunction(f)]
    made = CLASSES[kind].__new__(CLASSES[kind])
    names = [
        name
        for name, member in inspect.getmembers(CLASSES[kind])
        if not name.startswith("_") and callable(member) and not isinstance(member, type)
    ]
    whole = kind in ("memory", "sqlite", "graph", "database")
    views = VIEWS | {"frame", "summary"} if kind == "threads" else VIEWS
    return [
        (name, inspect.signature(getattr(made, name))) for name in names if whole or name in views
    ]


def cases() -> Iterator[tuple[str, str, str]]:
    """Yield what is called, its method, and the argument that is wrong."""
    for kind in (*CLASSES, *MODULES):
        for name, signature in asked_of(kind):
            for parameter in signature.parameters.values():
                if parameter.name not in LEFT_OUT and parameter.kind is not parameter.VAR_KEYWORD:
                    yield kind, name, parameter.name


SKIPPED = {
    ("graph", "from_parts"),
    ("graph", "without"),
    ("sqlite", "save_in"),
    ("sqlite", "load_rows"),
    ("export", "plain"),
}
"""What is public for other rooms of ours."""


def call(method: Any, wrong: str, value: Any, at: Any) -> Any:
    arguments: dict[str, Any] = {}
    extra: tuple[Any, ...] = ()
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name == wrong and parameter.kind is parameter.VAR_POSITIONAL:
            extra, arguments = (*arguments.values(), value), {}
        elif parameter.name == wrong:
            arguments[wrong] = value
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            arguments[parameter.name] = RIGHT[parameter.name](at)
    return method(*extra, **arguments)


def told_of(
    case: str, value: Any, ask: Callable[[], object], refused: list[str] | None = None
) -> list[str]:
    """Return what is wrong with what comes of a wrong value: a foreign error, a long message."""
    try:
        ask()
    except EcsvizError as err:
        if refused is not None:
            refused.append(case)
        if len(str(err)) > 600:
            return [f"{case}: a message of {len(str(err))} characters"]
    except Exception as err:  # noqa: BLE001 - what is looked for
        return [f"{case}: {type(err).__name__}: {str(err)[:100]}"]
    finally:
        if inspect.iscoroutine(value):
            value.close()
    return []


def cases_of(kind: str) -> list[tuple[str, Any]]:
    """Return the wrong values that are tried: each of them in one of two stores."""
    parts = {"memory": slice(0, None, 2), "sqlite": slice(1, None, 2)}
    return list(WRONG.items())[parts.get(kind, slice(None))]


@pytest.mark.parametrize(("kind", "name", "wrong"), sorted(set(cases())))
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_wrong_argument_is_an_answer_or_an_error_of_ours(
    kind: str, name: str, wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where a text is taken for the name of a file
    if (kind, name) in SKIPPED:
        return
    foreign = []
    at = Subject(kind, tmp_path)
    shown = plt.get_fignums()
    for case, make in cases_of(kind):
        value = make()
        refused: list[str] = []
        foreign += told_of(
            case, value, lambda value=value: call(getattr(at.of, name), wrong, value, at), refused
        )
        if refused and plt.get_fignums() != shown:
            foreign.append(f"{case}: an empty figure is left behind")
        plt.close("all")
        Widget.close_all()
    at.close()
    assert not foreign, "\n".join(foreign)


@pytest.mark.parametrize("wrong", list(inspect.signature(ev.read_database).parameters))
def test_what_read_database_is_told_wrongly_is_an_answer_or_an_error_of_ours(
    wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    at = Subject("memory", tmp_path)
    at.database()
    foreign = []
    for case, make in WRONG.items():
        value = make()
        given = {"url_or_path": tmp_path / "foreign.db", wrong: value}
        foreign += told_of(case, value, lambda given=given: ev.read_database(**given).close())
    at.close()
    assert not foreign, "\n".join(foreign)


LAZY = [
    (name, parameter.name)
    for name, member in inspect.getmembers(ev.LazyGraph, callable)
    if not name.startswith("_") and name not in {"opened", "close", "explore"}
    for parameter in inspect.signature(member).parameters.values()
    if parameter.name not in {"self", "engine", "memory"}
]


@pytest.fixture(scope="module")
def lazy_graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    file = tmp_path_factory.mktemp("edges") / "e.csv"
    file.write_text("source,target\na,b\nb,a\n")
    leaf = Leaf(name="a")
    store = stored(leaf)
    with ev.scan_graph(store) as graph:
        yield graph, leaf.ecs_id, file
    store.close()


@pytest.mark.parametrize(("name", "wrong"), LAZY)
def test_what_a_stored_graph_is_asked_wrongly_is_an_answer_or_an_error_of_ours(
    name: str, wrong: str, lazy_graph: Any
) -> None:
    graph, ecs_id, file = lazy_graph
    right = {"entity": ecs_id, "path": file}
    foreign = []
    for case, make in [*WRONG.items(), ("63 bits", lambda: 2**63), ("of them", lambda: [2**63])]:
        value = make()
        asked = {wrong: value}
        if wrong == "hops" and name == "subgraph":
            asked["around"] = ecs_id
        for other in inspect.signature(getattr(graph, name)).parameters:
            if other in right and other != wrong:
                asked[other] = right[other]

        def ask(asked: dict[str, Any] = asked) -> None:
            found = getattr(graph, name)(**asked)
            if isinstance(found, ev.LazyGraph):
                found.close()

        foreign += told_of(case, value, ask)
    assert not foreign, "\n".join(foreign)


ASKED = ("name", "next", "next__name", "next__next", "ecs_id", "parent_id", "version")


@pytest.mark.parametrize("kind", ["memory", "sqlite"])
@pytest.mark.parametrize("field", ASKED)
def test_a_wrong_value_for_a_lookup_is_an_answer_or_an_error_of_ours(
    kind: str, field: str, tmp_path: Path
) -> None:
    foreign: list[str] = []
    answers: list[int] = []
    at = Subject(kind, tmp_path)
    for lookup in (*LOOKUPS, "like", "", "next", "__"):
        for case, make in cases_of(kind):
            asked = {f"{field}__{lookup}": (value := make())}
            found = told_of(
                f"{lookup} {case}",
                value,
                lambda asked=asked: answers.append(at.store.count(Leaf, **asked)),
            )
            foreign += found
    at.close()
    assert not foreign, "\n".join(foreign)
    assert answers, "some of them are right"


@pytest.mark.parametrize(("kind", "name"), [(k, n) for k in MODULES for n, _ in asked_of(k)])
def test_what_is_right_is_an_answer(kind: str, name: str, tmp_path: Path) -> None:
    """Otherwise the sweep would never come to the argument that is wrong."""
    at = Subject(kind, tmp_path)
    if name == "read_parquet":
        ecsviz.export.to_parquet(at.leaf, tmp_path)
    assert call(getattr(at.of, name), "", None, at) is not None
    at.close()


TOLD_ELSEWHERE = {"ax", "highlight", "lineage"}
"""Of a picture: matplotlib's own, and what names entities."""


@pytest.mark.parametrize(
    ("name", "option"),
    [
        (n, o)
        for n, signature in asked_of("draw")
        for o in signature.parameters
        if o not in TOLD_ELSEWHERE
    ],
)
def test_a_picture_tells_which_of_its_options_is_wrong(
    name: str, option: str, tmp_path: Path
) -> None:
    at, wrong = Subject("draw", tmp_path), WRONG["frame"]()
    with pytest.raises(DrawingOptionError, match=r"\bGive ") as caught:
        call(getattr(at.of, name), option, wrong, at)
    assert caught.value.option == option
    assert caught.value.value is wrong


@pytest.mark.parametrize("option", ["color_by", "label"])
def test_a_function_that_raises_is_told_with_its_node(option: str) -> None:
    def broken(node: Any) -> Any:
        return 1 / (node.name != "b")

    graph = ev.EntityDependencyGraph([Leaf(name="a"), Leaf(name="b")])
    told = rf"{option}= failed at Leaf b: ZeroDivisionError\('division by zero'\)\. Give"
    with pytest.raises(DrawingOptionError, match=told) as caught:
        graph.draw(**{option: broken})
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert (caught.value.option, caught.value.value) == (option, broken)


@pytest.mark.parametrize("option", ["color_by", "label"])
@pytest.mark.parametrize("group_by", [None, "type"])
def test_whatever_a_function_returns_can_be_drawn(option: str, group_by: str | None) -> None:
    values = [10**400, 10**5000, float("nan"), float("inf"), 1e308, Strange(), {}, b"", "\ud800"]
    graph = ev.EntityDependencyGraph([Leaf(name=f"{n}") for n in range(9)])
    for value in values:
        draw_graph(graph, group_by=group_by, **{option: lambda node, value=value: value})
    number = {leaf.ecs_id: 10**400 + n for n, leaf in enumerate(graph.nodes)}
    draw_graph(graph, group_by=group_by, **{option: lambda node: number[node.ecs_id]})
    plt.close("all")
