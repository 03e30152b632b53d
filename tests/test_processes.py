"""Other processes: fresh ones that read, forked ones, and writers at the same time."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

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
