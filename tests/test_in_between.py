"""What another writer does between two reads of one call: before it or after it, never half."""

from __future__ import annotations

import contextlib
import copy
import itertools
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from ecsviz.domain.diff import GraphDiff
from ecsviz.draw import tables
from ecsviz.widgets.past import moments_of
from ecsviz.widgets.store.neighbours import near_of

Call = Callable[[Any, Any], Any]
"""What is called, with a store and a thread that was read from it."""


def _chat() -> list[Any]:
    thread = ev.ChatThread(title="a")
    fork = thread.fork()
    for text in ("one", "two", "three"):
        thread.say("user", text)
    return [thread, fork]


CHAT = _chat()
"""The same ids in every store, so that what comes out of two stores can be compared."""
FAMILY = CHAT[0].lineage_id


def fill(store: Any) -> None:
    """Store a thread with a past: it was renamed, it lost a message, another was edited."""
    thread, fork = copy.deepcopy(CHAT)
    store.register([thread, fork], note="first")
    thread.title = "b"
    thread.messages[0].content = "uno"
    store.register(thread, note="second")
    store.delete(thread.messages[2])


# -- what others do ----------------------------------------------------------------------------


def delete_it(store: Any) -> None:
    store.delete(CHAT[0].messages[1])


def delete_all(store: Any) -> None:
    store.delete([entity.ecs_id for entity in store.list_by_type(ev.Entity)])


def edit_it(store: Any) -> None:
    thread = store.get(CHAT[0].ecs_id)
    thread.title = "theirs"
    thread.messages[0].content = "theirs"
    store.register(thread, note="theirs")


def forget(store: Any) -> None:
    store.prune()


# -- what is called ----------------------------------------------------------------------------


def _edited(thread: Any) -> Any:
    thread.messages[1].content = "mine"
    return thread


def _explored(store: Any, thread: Any) -> Any:
    shown = store.explore()
    shown.selected = thread.messages[0].ecs_id
    shown.search = "o"
    shown.refresh()
    shown.selected = thread.ecs_id
    return None  # several looks, one after the other


def _moments(store: Any, thread: Any) -> Any:
    return [{**moment, "at": ""} for moment in moments_of(store, thread)[0]]


CALLS: dict[str, tuple[Call, tuple[Callable[[Any], None], ...]]] = {
    "get_lineage_entities": (lambda s, _: s.get_lineage_entities(FAMILY), (delete_all,)),
    "lineage_graph": (lambda s, _: s.lineage_graph(FAMILY), (delete_all,)),
    "draw_lineage": (lambda s, _: s.draw_lineage(FAMILY).get_title(loc="left"), (delete_all,)),
    "diff of the past": (lambda s, _: s.diff(1, 2), (forget,)),
    "diff with now": (lambda s, _: s.diff(2, None), (delete_it, edit_it)),
    "diff with what is live": (lambda s, t: s.diff(_edited(t)), (delete_it,)),
    "refresh": (lambda s, t: s.refresh(_edited(t)), (delete_it,)),
    "merge": (lambda s, t: s.merge(_edited(t)), (delete_it, edit_it, forget)),
    "history": (lambda s, t: s.history(t.messages[1]), (delete_it,)),
    "verify": (lambda s, t: len(s.verify(t)), (delete_it,)),
    "html": (lambda s, _: s._repr_html_(), (delete_it,)),
    "what is around": (lambda s, t: near_of(s, t.ecs_id).graph, (delete_it,)),
    "moments": (_moments, (edit_it, forget)),
    "explore": (_explored, (delete_all,)),
    "register": (lambda s, t: s.register(_edited(t)), (delete_it, edit_it)),
    "revert": (lambda s, t: s.revert(t, to=2), (delete_it, edit_it)),
    "revert and delete": (lambda s, t: s.revert(t, to=1, delete_added=True), (forget,)),
    "delete": (lambda s, t: s.delete([t, *t.messages]), (delete_it,)),
}
"""What is called, and what may happen in between."""
WRITES = ("register", "revert", "revert and delete", "delete")
PAIRS = [(name, other) for name, (_, others) in CALLS.items() for other in others]
SEVERAL = (
    *("get_lineage_entities", "diff with now", "merge", "moments"),
    *("what is around", "revert", "register"),
)
"""What consists of several transactions, or would if its reads were not held together."""


# -- seeing it ---------------------------------------------------------------------------------


def plain(found: Any) -> Any:
    """Return a result without what differs from run to run."""
    if isinstance(found, pd.DataFrame):
        found = found.drop(columns=["at", "created_at"], errors="ignore")
        return found.astype(str).to_dict("list")
    if isinstance(found, GraphDiff):
        return sorted((d.what, d.field, str(d.before), str(d.after)) for d in found)
    if isinstance(found, str):
        return re.sub(r"\d{4}-\d\d-\d\d|/[\w/.-]+", "", found)
    if isinstance(found, ev.Entity):
        found = [found]
    if isinstance(found, list) and found and isinstance(found[0], ev.Entity):
        found = ev.EntityDependencyGraph(found)
    if isinstance(found, ev.EntityDependencyGraph):
        nodes = [
            (str(n.ecs_id), *(getattr(n, name, None) for name in ("version", "title", "content")))
            for n in found.nodes
        ]
        return sorted(nodes, key=str), sorted(map(str, found.references))
    return found


class Memory:
    """A storage in memory, and what is to happen before one of its looks at what it keeps."""

    def __init__(self) -> None:
        self.store = ev.InMemoryEntityStorage()
        fill(self.store)

    def close(self) -> None:
        self.store.close()

    def others(self, other: Callable[[Any], None]) -> None:
        other(self.store)

    @contextlib.contextmanager
    def watched(self, begin: Callable[[], None]) -> Iterator[None]:
        lock = self.store.inside.kept.lock

        class Watched:
            depth = 0

            def __enter__(self) -> None:
                if not self.depth:
                    self.depth += 1
                    begin()
                    self.depth -= 1
                lock.__enter__()
                self.depth += 1

            def __exit__(self, *_: object) -> None:
                self.depth -= 1
                lock.__exit__(None, None, None)

        self.store.inside.kept.lock = Watched()  # type: ignore[assignment]
        yield
        self.store.inside.kept.lock = lock


class Sql:
    """A store in a database, and what another one does before one of its transactions."""

    def __init__(self, target: Any, **options: Any) -> None:
        self._open = lambda: ev.SQLAlchemyEntityStorage(target, timeout=0.2, **options)
        self.store = self._open()

    def close(self) -> None:
        self.store.close()

    def others(self, other: Callable[[Any], None]) -> None:
        with self._open() as store:
            other(store)

    @contextlib.contextmanager
    def watched(self, begin: Callable[[], None]) -> Iterator[None]:
        def connected(*_: Any) -> None:
            begin()

        sa.event.listen(self.store.engine, "engine_connect", connected)
        yield
        sa.event.remove(self.store.engine, "engine_connect", connected)


def everything(of: Any) -> Any:
    """Return the whole present of a store."""
    found: list[Any] = []
    of.others(lambda store: found.append(plain(store.list_by_type(ev.Entity))))
    of.others(lambda store: found.append(store.verify().empty))
    return found


def outcome(of: Any, call: Call, thread: Any) -> Any:
    """Return what a call gives: its result, or which error of ours it raises."""
    try:
        return plain(call(of.store, thread))
    except errors.EcsvizError as err:
        return type(err).__name__


def check(make: Callable[[], Any], name: str, other: Callable[[Any], None]) -> None:
    """Let another writer come before each part of a call, and compare with the two whole orders.

    Of a call that writes, an error is right as well, if it has changed nothing.
    """
    call = CALLS[name][0]
    orders, ends = [], []
    for first in (False, True):
        of = make()
        thread = of.store.get(CHAT[0].ecs_id)
        if first:
            of.others(other)
        orders.append(outcome(of, call, thread))
        ends.append(everything(of))
        if not first:
            with contextlib.suppress(errors.EntityNotFoundError):
                of.others(other)
            ends.append(everything(of))
        of.close()
    of = make()
    of.others(other)
    ends.append(everything(of))
    of.close()
    for number in itertools.count(1):
        of = make()
        thread = of.store.get(CHAT[0].ecs_id)
        begun: list[int] = []

        def begin(of: Any = of, begun: list[int] = begun, number: int = number) -> None:
            begun.append(1)
            if len(begun) == number:
                of.others(other)

        with of.watched(begin):
            found = outcome(of, call, thread)
        end = everything(of)
        of.close()
        if len(begun) < number:
            return
        told = name in WRITES and str(found).endswith("Error")
        assert told or found in orders, (number, found)
        assert end in ends, number


@pytest.mark.parametrize(("name", "other"), PAIRS)
def test_in_memory(name: str, other: Callable[[Any], None]) -> None:
    check(Memory, name, other)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a store, to be copied."""
    path = tmp_path_factory.mktemp("filled") / "store.db"
    with ev.SQLAlchemyEntityStorage(path) as store:
        fill(store)
    return path


@pytest.mark.parametrize(("name", "other"), [pair for pair in PAIRS if pair[0] in SEVERAL])
def test_in_sqlite(name: str, other: Callable[[Any], None], tmp_path: Path, filled: Path) -> None:
    numbers = itertools.count()
    check(lambda: Sql(shutil.copy(filled, tmp_path / f"{next(numbers)}.db")), name, other)


@pytest.mark.parametrize("name", ["diff with now", "merge"])
def test_in_postgresql(name: str, postgres_url: str) -> None:
    engine = sa.create_engine(postgres_url)
    schema = "in_between"

    def make() -> Sql:
        with engine.begin() as conn:
            conn.execute(sa.schema.DropSchema(schema, cascade=True, if_exists=True))
            conn.execute(sa.schema.CreateSchema(schema))
        made = Sql(postgres_url, schema=schema)
        fill(made.store)
        return made

    check(make, name, CALLS[name][1][0])
    engine.dispose()


@pytest.mark.parametrize("kind", ["wal", "postgresql"])
def test_every_statement_of_a_call_sees_one_state(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if kind == "wal":  # where one may write while another reads
        of = Sql(tmp_path / "a.db", journal="wal")
    else:
        url, schema = request.getfixturevalue("postgres_url"), "each_statement"
        engine = sa.create_engine(url)
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema(schema))
        engine.dispose()
        of = Sql(url, schema=schema)
    fill(of.store)

    def edit(store: Any) -> None:
        thread = store.get(CHAT[0].ecs_id)
        thread.title = thread.messages[0].content = f"{thread.version}"
        thread.say("user", thread.title)
        store.register(thread)

    for number in itertools.count(1):
        seen: list[int] = []

        def run(*_: Any, seen: list[int] = seen, number: int = number) -> None:
            seen.append(1)
            if len(seen) == number:
                of.others(edit)

        before = plain(of.store.get(CHAT[0].ecs_id))
        sa.event.listen(of.store.engine, "before_cursor_execute", run)
        found = plain(of.store.get(CHAT[0].ecs_id))
        sa.event.remove(of.store.engine, "before_cursor_execute", run)
        if len(seen) < number:
            break
        assert found in (before, plain(of.store.get(CHAT[0].ecs_id))), number
    assert number > 5
    of.close()


def test_what_a_delete_did_is_known_when_the_next_thread_saves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        thread = store.register(copy.deepcopy(CHAT[0]))
        gone = thread.messages.pop()
        thread.title = "b"
        turns = store.inside.database._turns
        give_back, saved = turns.give_back, []

        def next_in_turn(hold: Any) -> None:
            give_back(hold)
            monkeypatch.undo()
            saved.append(store.register(thread).version)

        monkeypatch.setattr(turns, "give_back", next_in_turn)
        store.delete(gone)  # the thread has another version from then on
        assert saved == [store.get(thread.ecs_id).version]


def test_no_table_is_made_while_a_picture_looks_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    class Late(ev.Entity):
        name: str = ""

    with ev.SQLAlchemyEntityStorage(":memory:") as store:
        store.register(copy.deepcopy(CHAT[0]))
        look, threads = tables._of_tables, []

        def meanwhile(listed: Any) -> Any:
            first = next(listed)
            threads.append(threading.Thread(target=store.sql_model, args=(Late,)))
            threads[0].start()
            threads[0].join(0.2)  # it waits, or it has made its table
            return look(itertools.chain([first], listed))

        monkeypatch.setattr(tables, "_of_tables", meanwhile)
        assert store.draw_schema().get_title(loc="left").startswith("2 tables")
        threads[0].join()
        assert "lates" in store.metadata.tables


def test_what_an_interrupt_leaves_is_not_read_in(tmp_path: Path) -> None:
    with ev.SQLAlchemyEntityStorage(tmp_path / "a.db") as store:
        fill(store)
        with store.inside.reading():
            left = store.inside._begun.state
        store.inside._begun.state = left  # as when the interrupt comes at the very end
        delete_it(store)
        assert len(store.get(CHAT[0].ecs_id).messages) == 1
