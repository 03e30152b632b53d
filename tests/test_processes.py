"""Other processes: fresh ones that read, forked ones, and writers that meet."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import subprocess
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz import errors
from tests.conformance import classes as c
from tests.databases import execute

CLASSES = """
import ecsviz as ev
from pydantic import Field

class ChatThread(ev.Entity):
    title: str
    messages: list["ChatMessage"] = Field(default_factory=list)
    def add_message(self, message: "ChatMessage") -> None:
        self.messages.append(message)

class ChatMessage(ev.Entity):
    thread: ChatThread
    content: str
    role: str
"""
WRITER = """
thread = ChatThread(title="Cycles")
thread.add_message(ChatMessage(thread=thread, content="hello", role="user"))
ev.SQLAlchemyEntityStorage("threads.db").register(thread)
print(thread.ecs_id)
"""
READER = """
import sys
again = ev.SQLAlchemyEntityStorage("threads.db").get(sys.argv[1])
assert type(again) is ChatThread and again.title == "Cycles" and again.version == 1
assert again.messages[0].thread is again
print(len(again.messages), again.messages[0].content)
"""


def run(folder: Path, code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(ev.__file__).parents[1])},
    )


def test_a_fresh_process_reads_what_another_wrote(tmp_path: Path) -> None:
    """The classes of the documentation, unchanged, in two processes."""
    written = run(tmp_path, CLASSES + WRITER)
    assert written.returncode == 0, written.stderr
    read = run(tmp_path, CLASSES + READER, written.stdout.strip())
    assert read.returncode == 0, read.stderr
    assert read.stdout.strip() == "1 hello"


def test_a_process_without_the_classes_says_which_to_define(tmp_path: Path) -> None:
    """Ready-made classes of the same names, but with other fields, do not pass for them."""
    ecs_id = run(tmp_path, CLASSES + WRITER).stdout.strip()
    code = """
    import sys
    import ecsviz as ev
    from ecsviz.errors import UnknownTypeError
    try:
        ev.SQLAlchemyEntityStorage("threads.db").get(sys.argv[1])
    except UnknownTypeError as error:
        print(error.type_name)
        print(error)
    """
    # A process of its own: other tests define classes of these names here, and those would do.
    read = run(tmp_path, code, ecs_id)
    assert read.stdout.startswith("ChatThread\n"), read.stderr
    assert "Define the class ChatThread" in read.stdout


def test_nothing_is_imported_by_name(tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')\n")
    written = run(tmp_path, CLASSES + WRITER)
    execute(
        tmp_path / "threads.db",
        "UPDATE ecs_types SET module = 'evil', name = 'evil.ChatThread' WHERE name = 'ChatThread'",
    )
    code = """
    import sys
    import ecsviz as ev
    try:
        ev.SQLAlchemyEntityStorage("threads.db").get(sys.argv[1])
    except ev.EcsvizError as error:
        print(type(error).__name__)
    """
    read = run(tmp_path, code, written.stdout.strip())
    assert read.returncode == 0, read.stderr
    # There is no such class; and what other types say of it does not fit either.
    assert read.stdout.strip() in {"UnknownTypeError", "StorageCorruptError"}


def _increment(path: str, ecs_id: str, times: int) -> None:
    store = ev.SQLAlchemyEntityStorage(path, timeout=60)
    for _ in range(times):
        while True:
            entity = store.get(ecs_id)
            entity.integer += 1
            try:
                store.register(entity)
                break
            except errors.StaleVersionError:
                continue


def test_no_update_is_lost_between_writers(tmp_path: Path) -> None:
    path = tmp_path / "counter.db"
    counter = ev.SQLAlchemyEntityStorage(path).register(c.Values())
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_increment, args=(str(path), str(counter.ecs_id), 25))
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0, 0]
    again = ev.SQLAlchemyEntityStorage(path).get(counter.ecs_id)
    assert (again.integer, again.version) == (100, 101)
    assert ev.SQLAlchemyEntityStorage(path).verify().empty


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
@pytest.mark.parametrize("work", ["store.register(ev.ChatThread())", "store.get(thread.ecs_id)"])
def test_a_child_may_save_whatever_threads_did_at_the_fork(tmp_path: Path, work: str) -> None:
    code = f"""
    import os, sys, threading, warnings
    import ecsviz as ev
    warnings.simplefilter("ignore")  # of forks with threads, from Python 3.12 on
    sys.setswitchinterval(1e-4)
    store = ev.SQLAlchemyEntityStorage({str(tmp_path / "fork.db")!r}, timeout=10)
    thread = store.register(ev.ChatThread(title="parent"))
    ends, begun = threading.Event(), threading.Event()
    def works():
        while not ends.is_set():
            {work}
            begun.set()
    threads = [threading.Thread(target=works) for _ in range(2)]
    for each in threads:
        each.start()
    begun.wait()
    children = []
    for n in range(6):
        goes, go = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(go)
            os.read(goes, 1)  # until the parent works no more
            store.register(ev.ChatThread(title=f"child {{n}}"))
            os._exit(0)
        children.append((child, go))
    ends.set()
    for each in threads:
        each.join()
    for _, go in children:
        os.write(go, b"x")
    for child, _ in children:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    titles = {{each.title for each in store.list_by_type(ev.ChatThread)}}
    assert titles >= {{f"child {{n}}" for n in range(6)}}, titles
    """
    done = run(tmp_path, textwrap.dedent(code))
    assert done.returncode == 0, done.stderr


# -- two that meet a class at the same moment, in one store ----------------------------------


ROUNDS = 3
NAMESPACE = UUID("6f1c43b8-3b5e-4f0e-8a53-0d5c6c1e7a11")

SOURCE = """
from __future__ import annotations
import ecsviz as ev

class Part{n}(ev.Entity):
    name: str = ""
    links: list[Part{n}] = []
    other: Whole{n} | None = None
    {more}

class Whole{n}(ev.Entity):
    name: str = ""
    many: dict[str, Part{n} | Whole{n}] = {{}}
"""
WIDER = 'colour: str = "red"'
MAY_BE_RAISED = (
    errors.StaleVersionError,  # the other was first with the entity that both save
    errors.StorageBusyError,
)


def classes(number: int, more: str = "") -> Any:
    """Return a module with classes that no store has met; the same in every process."""
    module = types.ModuleType(f"met_by_processes_{number}")
    sys.modules[module.__name__] = module
    exec(SOURCE.format(n=number, more=more), module.__dict__)
    return types.SimpleNamespace(
        Part=getattr(module, f"Part{number}"), Whole=getattr(module, f"Whole{number}")
    )


def named(*words: Any) -> UUID:
    return uuid5(NAMESPACE, " ".join(map(str, words)))


def work(who: int, conn: Any, barrier: Any) -> None:
    """Do rounds as they are sent: open a store, wait for the other, and save at the same time."""
    while (task := conn.recv()) is not None:
        number, target, options, more = task
        m = classes(number, more)
        own = m.Part(ecs_id=named(number, who), name=f"own {who}")
        own.links.append(own)
        shared = m.Whole(ecs_id=named(number, "shared"), name=f"by {who}", many={f"{who}": own})
        told = []
        with ev.SQLAlchemyEntityStorage(target, timeout=60, **options) as store:
            barrier.wait(60)
            for given in ([own], [shared]) if who else ([shared], [own]):
                try:
                    store.register(given)
                    told.append((given[0].ecs_id, given[0].version))
                except Exception as err:  # noqa: BLE001 - the parent looks at it
                    told.append((type(err).__name__, str(err)))
        conn.send(told)


@pytest.fixture(scope="module")
def pair() -> Iterator[Any]:
    """Two processes; a call gives both the same task, or each its own."""
    context = multiprocessing.get_context("spawn")
    barrier, pipes, started = context.Barrier(2), [], []
    for who in range(2):
        mine, theirs = context.Pipe()
        process = context.Process(target=work, args=(who, theirs, barrier), daemon=True)
        process.start()
        pipes.append(mine)
        started.append(process)

    def run(*tasks: Any) -> list[Any]:
        for pipe, task in zip(pipes, tasks, strict=True):
            pipe.send(task)
        for pipe in pipes:
            assert pipe.poll(120)
        return [pipe.recv() for pipe in pipes]

    yield run
    for pipe, process in zip(pipes, started, strict=True):
        with contextlib.suppress(OSError):
            pipe.send(None)
        process.join(30)


numbers = iter(range(10_000))


def meet(pair: Any, target: Any, options: dict[str, Any], more: str = "") -> None:
    """Let both save at once, the second perhaps with a wider class; look at what is there then."""
    number = next(numbers)
    told = pair((number, target, options, ""), (number, target, options, more))
    m = classes(number)
    saved: dict[UUID, list[tuple[int, int]]] = {}
    for who, said in enumerate(told):
        for what, version in said:
            if isinstance(what, UUID):
                saved.setdefault(what, []).append((who, version))
            elif more:
                assert what == "SchemaOutdatedError", version
                assert "colour" in version
            else:
                assert what in {err.__name__ for err in MAY_BE_RAISED}, (what, version)
    wider = more and named(number, 1) in saved
    if wider:
        m = classes(number, more)
    assert saved
    with ev.SQLAlchemyEntityStorage(target, **options) as store:
        assert store.verify().empty
        for ecs_id, by in saved.items():
            entity = store.get(ecs_id)
            assert entity.version == max(version for _, version in by) == len(by)
            if isinstance(entity, m.Part):
                ((who, _),) = by
                assert entity.name == f"own {who}"
                assert entity.links == [entity]
                assert entity.links[0] is entity
            else:
                who = max(by, key=lambda said: said[1])[0]
                assert entity.name == f"by {who}"
                assert [part.name for part in entity.many.values()] == [f"own {who}"]
                assert next(iter(entity.many.values())).links
        # Whatever came second and was refused has left nothing.
        assert {e.ecs_id for e in store.list_by_type(ev.Entity)} >= set(saved)
        types_there = store.frame("ecs_types")
        assert sorted(types_there["name"]) == [f"Part{number}", f"Whole{number}"]
        assert list(store.revisions()["revision"]) == list(range(1, len(store.revisions()) + 1))


@pytest.mark.parametrize("more", ["", WIDER], ids=["same", "wider"])
@pytest.mark.parametrize("journal", ["delete", "wal"])
def test_in_sqlite(pair: Any, tmp_path: Path, journal: str, more: str) -> None:
    for number in range(ROUNDS):
        meet(pair, str(tmp_path / f"{number}.db"), {"journal": journal}, more)


@pytest.mark.parametrize("more", ["", WIDER], ids=["same", "wider"])
def test_in_postgresql(pair: Any, postgres_url: str, more: str) -> None:
    engine = sa.create_engine(postgres_url)
    for number in range(2):
        schema = f"processes_{bool(more):d}_{number}"
        with engine.begin() as conn:
            conn.execute(sa.schema.CreateSchema(schema))
        meet(pair, postgres_url, {"schema": schema}, more)
    engine.dispose()
