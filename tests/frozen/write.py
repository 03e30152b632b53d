"""How the files in this folder were written: once, by the release that they hold fast.

It is kept to say what they are, and is NOT run anew: files that a later release has written would
show nothing. What a new release adds gets files of its own beside these.

``python -m tests.frozen.write`` wrote everything but ``surface.json``, which is the work of
``python -m tests.frozen.surface``. Ids and times of entities are fixed; the times of revisions are
those of the clock.
"""

from __future__ import annotations

import datetime as dt
import gzip
import json
import math
import pickle
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pandas as pd

import ecsviz as ev
from ecsviz import export
from ecsviz.importers import ImportSourceError
from tests.frozen.classes import (
    FrozenColour,
    FrozenExhibit,
    FrozenKeeper,
    FrozenNote,
    FrozenPainting,
    FrozenSize,
    FrozenValues,
)

FOLDER = Path(__file__).parent
ELSEWHERE = Path("/tmp/ecsviz-frozen/store.db")
"""Where a pickled storage says its file is; a test puts its own path there."""


def number(n: int) -> UUID:
    return UUID(int=0x0190_0000_0000_7000_8000_0000_0000_0000 + n)


def chat() -> ev.ChatThread:
    """A thread with a fork: 10, its messages 11 to 14."""
    thread = ev.ChatThread(
        ecs_id=number(10), title="Cycles", metadata={"model": "none", "n": [1, 2.5, None]}
    )
    parents = {11: None, 12: 11, 13: 11, 14: 13}
    said = {11: "hello", 12: "one answer", 13: "another: ½ \U0001f600", 14: "thanks"}
    made: dict[int | None, Any] = {None: None}
    for n, parent in parents.items():
        made[n] = ev.ChatMessage(
            ecs_id=number(n),
            thread=thread,
            content=said[n],
            role="assistant" if n in {12, 13} else "user",
            parent=made[parent],
            created_at=dt.datetime(2024, 5, n, 12, tzinfo=dt.UTC),
            author="Ann" if n == 11 else None,
        )
        thread.add_message(made[n])
        if parent is not None:
            made[parent].replies.append(made[n])
    return thread


def values() -> FrozenValues:
    """Every kind of value: 20."""
    return FrozenValues(
        ecs_id=number(20),
        whole=2**70,
        maybe=-7,
        real=-math.inf,
        flag=True,
        text="a\nb \0 ½ \U0001f600",
        data=b"\0\xff",
        money=Decimal("12.340"),
        day=dt.date(2024, 2, 29),
        clock=dt.time(23, 59, 58, 7),
        at=dt.datetime(2024, 5, 6, 7, 8, 9, 10),  # noqa: DTZ001 - wall clocks are kept as such
        zoned=dt.datetime(2024, 5, 6, 7, tzinfo=dt.timezone(dt.timedelta(hours=5, minutes=30))),
        lasting=dt.timedelta(days=-1, microseconds=3),
        number=UUID(int=5),
        colour=FrozenColour.BLUE,
        side="right",
        row=(3, 1, 2),
        names={"x", "y"},
        several=[0.1, math.nan, 1e300],
        table={"b": [2, 1], "a": []},
        by_day={dt.date(2024, 1, 1): 1},
        anything={"t": (1, 2.0), "s": {"z"}, "n": None, "b": b"\1", "d": Decimal("1.0")},
        more=[dt.date(2024, 3, 1), UUID(int=6), True, 10**30],
    )


def museum() -> FrozenKeeper:
    """Every shape of reference: keeper 30, exhibits 31 to 34."""
    keeper = FrozenKeeper(ecs_id=number(30), name="Kay")
    vase = FrozenExhibit(ecs_id=number(31), label="vase", keeper=keeper)
    coin = FrozenExhibit(ecs_id=number(32), label="coin", keeper=keeper, either=values())
    bowl = FrozenExhibit(ecs_id=number(33), label="bowl")
    view = FrozenPainting(
        ecs_id=number(34), label="view", keeper=keeper, painter="Pat", size=FrozenSize(3, 4)
    )
    keeper.exhibits += [vase, view, coin]
    vase.beside, view.beside, coin.beside = view, vase, coin
    vase.like = [coin, vase, coin, bowl]
    vase.by_name = {"second": view, "first": coin}
    vase.bag = {coin, view}
    vase.gaps = [None, coin, None]
    vase.groups = {"all": [vase, view, coin], "none": []}
    vase.pair = (view, 5)
    view.either = keeper
    view.note = FrozenNote(text="new", about=coin, tags=("a", "b"))
    return keeper


def write_store(path: Path) -> None:
    """Six revisions: all, an edit, one taken out and deleted, a reverted one, a fork, alone."""
    store = ev.SQLAlchemyEntityStorage(path)
    thread, keeper = chat(), museum()
    store.register([thread, keeper], note="first")
    thread.title = "Cycles, again"
    thread.messages[0].content = "hello, world"
    store.register([thread, keeper], note="an edit")
    vase = keeper.exhibits[0]
    bowl = vase.like.pop()
    store.register(keeper, note="without the bowl")
    store.delete(bowl)
    store.revert(thread.messages[0], to=1, note="as it was")
    branch = store.get(keeper.ecs_id).exhibits[1].fork()
    branch = branch.model_copy(update={"ecs_id": number(40), "label": "copy of view"})
    branch.keeper = branch.beside = branch.either = branch.note = None
    store.register(branch, note="a fork")
    store.close()


def write_pickles(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread, keeper = chat(), museum()
    graph = ev.EntityDependencyGraph(thread)
    before = chat()
    thread.title = "edited"
    store.register(thread)
    imported = ev.read_chat(
        b"""{"message_tree_id": "t", "prompt": {"message_id": "a", "role": "prompter",
        "text": "Hi", "replies": [{"message_id": "b", "role": "assistant", "text": "Hello"}]}}"""
    )
    things: dict[str, Any] = {
        "chat": chat(),
        "own": keeper,
        "part": store.get(thread.ecs_id, hops=0),
        "reference": graph.references[0],
        "cycles": graph.get_cycles(),
        "status": graph.status,
        "plan": store.explain(chat_of_two()),
        "diff": ev.diff(before, thread),
        "imported": imported,
        "migration": store.migrate(dry_run=True),
        "errors": errors(store),
    }
    for name, thing in things.items():
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(thing, protocol=4))
    # Its file need not be there. Protocol 0 is text, in which a path can be replaced.
    ELSEWHERE.parent.mkdir(exist_ok=True)
    elsewhere = ev.SQLAlchemyEntityStorage(ELSEWHERE, timeout=7)
    (folder / "storage.pickle").write_bytes(pickle.dumps(elsewhere, protocol=0))
    ELSEWHERE.parent.rmdir()


def chat_of_two() -> ev.ChatThread:
    thread = ev.ChatThread(ecs_id=number(50), title="Plan")
    message = ev.ChatMessage(ecs_id=number(51), thread=thread, content="x", role="user")
    thread.add_message(message)
    return thread


def errors(store: ev.SQLAlchemyEntityStorage) -> list[ev.EcsvizError]:
    """One of each family, as users meet them."""
    calls: list[Any] = [
        lambda: store.get(number(99)),
        lambda: store.get("no id"),
        lambda: store.get(number(10), FrozenKeeper),
        lambda: ev.EntityDependencyGraph(3),
        lambda: ev.sample("chian"),
        lambda: ev.read_chat(b"no chat"),
        lambda: ev.EntityDependencyGraph(chat()).draw(color_by="colur"),
        lambda: [store.register(edited) for edited in states_of_one(store)],
    ]
    # As read_chat() raises it, without the path of a file, which differs between systems.
    found: list[ev.EcsvizError] = [ImportSourceError("Cannot read it.", source="a.json", errno=2)]
    for call in calls:
        try:
            call()
        except ev.EcsvizError as error:
            error.__traceback__ = error.__cause__ = error.__context__ = None
            found.append(error)
    assert len(found) == len(calls) + 1
    return found


def states_of_one(store: ev.SQLAlchemyEntityStorage) -> list[ev.ChatThread]:
    """Two edits of one thread; the second knows nothing of the first."""
    edits = [store.get(number(10)), store.get(number(10))]
    for n, edit in enumerate(edits):
        edit.title = f"edit {n}"
    return edits


def write_exports(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    keeper = museum()
    graph = ev.EntityDependencyGraph(keeper)
    texts = {
        "dump_chat.json": chat().model_dump_json(indent=1),
        "dump_own.json": keeper.model_dump_json(indent=1),
        "node_link.json": graph.to_json(indent=1),
        "cytoscape.json": json.dumps(graph.to_cytoscape(), indent=1, default=str),
        "graph.mermaid": graph.to_mermaid(),
        "graph.dot": graph.to_dot(),
        "schema.py.txt": ev.SQLAlchemyEntityStorage(":memory:").to_python(
            ev.ChatThread, ev.ChatMessage
        ),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    graph.to_graphml(folder / "graph.graphml")
    graph.to_parquet(folder / "parquet")
    for name, frame in zip(("nodes", "references"), ev.to_frames(chat()), strict=True):
        export.to_csv(frame, folder / f"{name}.csv", safe=False, index=False)
    nodes, references = ev.to_frames(graph)
    kinds = {
        name: {str(column): str(kind) for column, kind in frame.dtypes.items()}
        for name, frame in (
            ("to_frames nodes", nodes),
            ("to_frames references", references),
            ("nodes_frame", graph.nodes_frame()),
            ("references_frame", graph.references_frame()),
            *stores_frames(),
        )
    }
    (folder / "frames.json").write_text(json.dumps(kinds, indent=1), encoding="utf-8")


def stores_frames() -> list[tuple[str, pd.DataFrame]]:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    thread = chat()
    store.register([thread, museum()])
    plan = store.explain(chat_of_two())
    return [
        ("store.frame ChatMessage", store.frame(ev.ChatMessage)),
        ("store.frame FrozenPainting", store.frame(FrozenPainting)),
        ("store.frame FrozenValues", store.frame(FrozenValues)),
        ("store.references_frame", store.references_frame()),
        ("store.revisions", store.revisions()),
        ("store.history", store.history(thread)),
        ("store.verify", store.verify()),
        ("store.migrate", store.migrate(dry_run=True).to_frame()),
        ("plan.to_frame", plan.to_frame()),
        ("diff.to_frame", ev.diff(thread, chat()).to_frame()),
        ("import.report", ev.read_chat(ev.samples.sample_file("chats")).report()),
    ]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        write_store(Path(made) / "store.db")
        packed = gzip.compress((Path(made) / "store.db").read_bytes(), mtime=0)
    (FOLDER / "store.db.gz").write_bytes(packed)
    write_pickles(FOLDER / "pickles")
    write_exports(FOLDER / "exports")
