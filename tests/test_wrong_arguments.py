"""Every public method, each of its arguments wrong in every way: an answer, or an error of ours."""

from __future__ import annotations

import inspect
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import ecsviz as ev
from ecsviz.basics.views import View
from ecsviz.errors import EcsvizError


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
    "module": lambda: inspect,
    "store": ev.InMemoryEntityStorage,
    "graph": lambda: ev.EntityDependencyGraph(Leaf()),
    "strange": Strange,
    "coroutine": later,
}

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
    "what": lambda at: at.leaf,
    "value": lambda at: at.leaf,
}
"""What an argument without a default is, where another one is wrong."""

LEFT_OUT = {
    "ax": "matplotlib's own, which says itself what it is not",
    "progress": "whatever is true shows a bar",
    "session": "SQLAlchemy's own",
    "conn": "SQLAlchemy's own",
}


class Subject:
    """What methods are called on."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.folder = folder
        self.store: Any = (
            ev.InMemoryEntityStorage()
            if kind == "memory"
            else ev.SQLAlchemyEntityStorage(":memory:")
        )
        self.leaf = self.store.register(Leaf(name="a", next=Leaf(name="b")))
        self.of = self.store if kind != "graph" else ev.EntityDependencyGraph(self.leaf)


def public(kind: type) -> list[str]:
    """Return the names of a class's public methods."""
    return [
        name
        for name, member in inspect.getmembers(kind)
        if not name.startswith("_") and callable(member) and not isinstance(member, type)
    ]


def cases() -> Iterator[tuple[str, str, str]]:
    """Yield what is called, its method, and the argument that is wrong."""
    kinds: dict[str, type] = {
        "memory": ev.InMemoryEntityStorage,
        "sqlite": ev.SQLAlchemyEntityStorage,
        "graph": ev.EntityDependencyGraph,
    }
    for kind, cls in kinds.items():
        for name in public(cls):
            if isinstance(inspect.getattr_static(cls, name), View):
                continue  # the functions that answer have their own checks
            for parameter in inspect.signature(getattr(cls, name)).parameters.values():
                asked = parameter.name not in LEFT_OUT and parameter.name != "self"
                if asked and parameter.kind is not parameter.VAR_KEYWORD:
                    yield kind, name, parameter.name


SKIPPED = {("graph", "from_parts"), ("sqlite", "save_in"), ("sqlite", "load_rows")}
"""What is public for other rooms of ours."""


def call(method: Any, wrong: str, value: Any, at: Any) -> Any:
    arguments: dict[str, Any] = {}
    extra: tuple[Any, ...] = ()
    for parameter in inspect.signature(method).parameters.values():
        if parameter.name == wrong and parameter.kind is parameter.VAR_POSITIONAL:
            extra = (value,)
        elif parameter.name == wrong:
            arguments[wrong] = value
        elif parameter.default is parameter.empty and parameter.kind not in (
            parameter.VAR_KEYWORD,
            parameter.VAR_POSITIONAL,
        ):
            arguments[parameter.name] = RIGHT[parameter.name](at)
    return method(*extra, **arguments)


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
    for case, make in WRONG.items():
        value = make()
        try:
            call(getattr(at.of, name), wrong, value, at)
        except EcsvizError as err:
            if len(str(err)) > 600:
                foreign.append(f"{case}: a message of {len(str(err))} characters")
        except Exception as err:  # noqa: BLE001 - what is looked for
            foreign.append(f"{case}: {type(err).__name__}: {str(err)[:100]}")
        finally:
            if inspect.iscoroutine(value):
                value.close()
    at.store.close()
    assert not foreign, "\n".join(foreign)
