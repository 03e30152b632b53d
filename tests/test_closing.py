"""What is opened is closed: by `close`, by ``with``, and by a finalizer where it is dropped."""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import pickle
import shutil
import sqlite3
import subprocess
import sys
import weakref
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.pool import StaticPool

import ecsviz as ev
from ecsviz import errors
from tests.databases import SHOP, execute

STRICT = (sys.executable, "-X", "dev", "-W", "error")


def run_strictly(script: str, *arguments: object, **options: Any) -> str:
    """Run a script in which nothing may be left open; return what it printed.

    What a finalizer warns of is no error of the script, it is only printed.
    """
    root = str(Path(__file__).parents[1])
    done = subprocess.run(
        [*STRICT, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=options.pop("cwd", None),
        env={**os.environ, "PYTHONPATH": root, "MPLBACKEND": "Agg"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


SCRIPT = Path(__file__).with_name("everything_opened.py")


def test_nothing_is_left_open(tmp_path: Path) -> None:
    text = SCRIPT.read_text(encoding="utf-8")
    assert run_strictly(text, tmp_path).splitlines()[-1] == "done"


def test_nothing_is_left_open_on_a_server(tmp_path: Path, postgres_url: str) -> None:
    script = """
import gc, sys
import ecsviz as ev
import sqlalchemy as sa
url = sys.argv[1]
def use():
    store = ev.SQLAlchemyEntityStorage(url, schema="closing")
    store.register(ev.ChatThread(title="a"))
    return store
engine = sa.create_engine(url)
with engine.begin() as conn:
    conn.execute(sa.schema.CreateSchema("closing"))
engine.dispose()
store = use()           # dropped
del store
gc.collect()
use().close()
store = use()           # dropped while a session has a connection
session = store.session_factory()
session.connection()
del store
gc.collect()
session.connection()
del session
gc.collect()
store = use()           # closed while a session has a connection
session = store.session_factory()
session.connection()
store.close()
session.close()
del store, session
try:
    ev.SQLAlchemyEntityStorage(url, schema="none at all").register(ev.ChatThread())
except ev.EcsvizError:
    pass
gc.collect()
db = ev.read_database(url, schema="closing")
db.tables_frame()
del db
gc.collect()
use()                   # left to the end of the process
print("done")
"""
    assert run_strictly(script, postgres_url) == "done\n"


# -- a storage that is closed ----------------------------------------------------------------


def filled(target: Any, **options: Any) -> tuple[ev.SQLAlchemyEntityStorage, ev.ChatThread]:
    store = ev.SQLAlchemyEntityStorage(target, **options)
    thread = ev.ChatThread(title="Cycles")
    thread.say("user", "hello")
    return store, store.register(thread)


USES: dict[str, Callable[[Any, ev.ChatThread], Any]] = {
    "register": lambda store, thread: store.register(thread),
    "explain": lambda store, thread: store.explain(thread),
    "get": lambda store, thread: store.get(thread.ecs_id),
    "get_many": lambda store, thread: store.get_many([thread.ecs_id]),
    "list_by_type": lambda store, thread: store.list_by_type(ev.ChatThread),
    "find": lambda store, thread: store.find(ev.ChatThread),
    "has_entity": lambda store, thread: store.has_entity(thread.ecs_id),
    "get_lineage_entities": lambda store, thread: store.get_lineage_entities(thread.lineage_id),
    "delete": lambda store, thread: store.delete([thread, *thread.messages]),
    "revisions": lambda store, thread: store.revisions(),
    "history": lambda store, thread: store.history(thread),
    "revert": lambda store, thread: store.revert(thread, to=1),
    "transaction": lambda store, _: store.transaction().__enter__(),
    "count": lambda store, _: store.count(ev.ChatThread),
    "exists": lambda store, _: store.exists(ev.ChatThread),
    "first": lambda store, _: store.first(ev.ChatThread),
    "one": lambda store, _: store.one(ev.ChatThread),
    "iterate": lambda store, _: list(store.iterate(ev.ChatThread)),
    "search": lambda store, _: store.search("hello", ev.ChatMessage),
    "index_text": lambda store, _: store.index_text(ev.ChatMessage),
    "drop_text_index": lambda store, _: store.drop_text_index(ev.ChatMessage),
    "diff": lambda store, thread: store.diff(1, None),
    "refresh": lambda store, thread: store.refresh(thread),
    "merge": lambda store, thread: store.merge(thread),
    "conflicts": lambda store, thread: store.conflicts(thread),
    "resolve": lambda store, thread: store.resolve(thread),
    "lineage_graph": lambda store, thread: store.lineage_graph(thread),
    "draw_lineage": lambda store, thread: store.draw_lineage(thread),
    "verify": lambda store, thread: store.verify(),
    "repair": lambda store, _: store.repair(ev.InMemoryEntityStorage()),
    "backup": lambda store, _: store.backup("never made.db"),
    "prune": lambda store, thread: store.prune(),
    "explore": lambda store, thread: store.explore(),
    "side_by_side": lambda store, thread: store.side_by_side(thread),
    "migrate": lambda store, thread: store.migrate(),
    "adopt_changes": lambda store, thread: store.adopt_changes(),
    "frame": lambda store, thread: store.frame(ev.ChatThread),
    "references_frame": lambda store, thread: store.references_frame(),
    "graph": lambda store, thread: store.graph(),
    "threads": lambda store, thread: store.threads(),
    "from_parquet": lambda store, _: store.from_parquet(Path(__file__).parent),
    "to_parquet": lambda store, _: store.to_parquet("never made"),
    "draw_schema": lambda store, thread: store.draw_schema(),
    "to_python": lambda store, thread: store.to_python(),
    "session_factory": lambda store, thread: store.session_factory,
    "__enter__": lambda store, thread: store.__enter__(),
    "__reduce__": lambda store, thread: pickle.dumps(store),
}
"""What asks a storage for something that it holds."""

ALWAYS = {"close", "engine", "metadata", "models", "sql_model"}
"""What a closed store still answers: these ask the database nothing."""

INSIDE = {"load_rows", "save_in"}
"""For the declarative models, whose session has the connection."""


def test_every_public_method_is_tried() -> None:
    public = {name for name, _ in inspect.getmembers(ev.SQLAlchemyEntityStorage)}
    public = {name for name in public if not name.startswith("_")} | {"__enter__", "__reduce__"}
    assert public - ALWAYS - INSIDE == USES.keys()


@pytest.mark.parametrize("name", USES)
@pytest.mark.parametrize("where", ["file", "memory"])
def test_a_closed_store_says_so(where: str, name: str, tmp_path: Path) -> None:
    store, thread = filled(":memory:" if where == "memory" else tmp_path / "a.db")
    store.close()
    store.close()
    with pytest.raises(errors.StorageClosedError, match="was closed") as caught:
        USES[name](store, thread)
    assert "ev.SQLAlchemyEntityStorage(" in str(caught.value)
    assert ("is gone" in str(caught.value)) == (where == "memory")


@pytest.mark.parametrize("name", [name for name in USES if hasattr(ev.InMemoryEntityStorage, name)])
def test_a_closed_storage_in_memory_says_so(name: str) -> None:
    store = ev.InMemoryEntityStorage()
    thread = store.register(ev.ChatThread(title="a"))
    store.close()
    if name == "__reduce__":
        return
    with pytest.raises(errors.StorageClosedError, match="was closed"):
        USES[name](store, thread)


def test_how_a_closed_store_is_shown(tmp_path: Path) -> None:
    store, _ = filled(tmp_path / "a.db")
    store.close()
    assert repr(store).endswith("a.db', closed)")
    with ev.InMemoryEntityStorage() as memory:
        assert repr(memory) == "InMemoryEntityStorage(0 entities)"
    assert repr(memory) == "InMemoryEntityStorage(closed)"
    assert "was closed" in store._repr_html_()


def test_an_error_in_the_block_closes_too() -> None:
    store = ev.SQLAlchemyEntityStorage(":memory:")
    with pytest.raises(ZeroDivisionError), store:
        _ = 1 / 0
    with pytest.raises(errors.StorageClosedError):
        store.revisions()


def test_no_way_leads_to_a_new_empty_database() -> None:
    """The engine and its sessions outlive a store that was closed."""
    store, _ = filled(":memory:")
    engine, factory = store.engine, store.session_factory
    store.close()
    for use in (engine.connect, engine.raw_connection, lambda: factory().connection()):
        with pytest.raises(errors.StorageClosedError, match="is gone"):
            use()


def test_an_engine_stays_its_owners() -> None:
    engine = sa.create_engine("sqlite://", poolclass=StaticPool)
    store, thread = filled(engine)
    store.close()
    with pytest.raises(errors.StorageClosedError, match=r"Open it again"):
        store.revisions()
    with pytest.raises(errors.StorageClosedError):
        store.session_factory()
    again = ev.SQLAlchemyEntityStorage(engine)
    assert again.has_entity(thread.ecs_id)
    del store, again
    gc.collect()
    assert ev.SQLAlchemyEntityStorage(engine).has_entity(thread.ecs_id), "dropped, not disposed"
    engine.dispose()


def test_a_store_that_is_dropped_goes() -> None:
    store, _ = filled(":memory:")
    with contextlib.closing(store.engine.raw_connection()) as pooled:
        connection = pooled.dbapi_connection
    dropped = weakref.ref(store), weakref.ref(store.engine)
    assert isinstance(connection, sqlite3.Connection)
    connection.execute("SELECT 1")
    del store, pooled
    gc.collect()
    assert [ref() for ref in dropped] == [None, None]
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")


def test_an_engine_that_outlives_its_store_works_on() -> None:
    store, _ = filled(":memory:")
    engine, session = store.engine, store.session_factory()
    del store
    gc.collect()
    count = sa.text("SELECT count(*) FROM chat_threads")
    with engine.connect() as conn:
        assert conn.scalar(count) == 1
    del engine, conn
    gc.collect()
    assert session.scalar(count) == 1
    session.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_leaves_the_connections_of_its_parent(postgres_url: str) -> None:
    script = """
import gc, os, sys
import sqlalchemy as sa
import ecsviz as ev
store = ev.SQLAlchemyEntityStorage(sys.argv[1])
with store.engine.connect() as conn:
    first = conn.scalar(sa.text("SELECT pg_backend_pid()"))
child = os.fork()
if not child:
    with store.engine.connect() as conn:
        assert conn.scalar(sa.text("SELECT pg_backend_pid()")) != first
    store.close()
    del store, conn
    gc.collect()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
with store.engine.connect() as conn:
    assert conn.scalar(sa.text("SELECT pg_backend_pid()")) == first
print("done")
"""
    assert run_strictly(script, postgres_url) == "done\n"


# -- a storage in another process ------------------------------------------------------------


def titles(store: ev.SQLAlchemyEntityStorage) -> list[str]:
    with store:
        return [thread.title for thread in store.list_by_type(ev.ChatThread)]


def test_a_store_goes_to_other_processes(tmp_path: Path) -> None:
    store, _ = filled(tmp_path / "a.db")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(titles, store).result() == ["Cycles"]
    assert titles(store) == ["Cycles"]


def test_what_a_pickle_carries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for target in ("a.db", "sqlite:///a.db", "sqlite:///file:a.db?uri=true"):
        store = ev.SQLAlchemyEntityStorage(target, journal="wal", timeout=2.5)
        store.register(ev.ChatThread(title="a"))
        pickled = pickle.dumps(store)
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        monkeypatch.chdir(tmp_path / "elsewhere")
        again = pickle.loads(pickled)
        assert titles(again) == titles(store) != []
        assert (again.inside.database.journal, again.inside.database.timeout) == ("wal", 2.5)
        assert not list(Path().iterdir())
        monkeypatch.chdir(tmp_path)


def test_a_store_that_is_not_there_any_more(tmp_path: Path) -> None:
    store, _ = filled(tmp_path / "a.db")
    pickled = pickle.dumps(store)
    (tmp_path / "a.db").unlink()
    with pytest.raises(errors.StorageMovedError, match="was pickled"):
        pickle.loads(pickled)
    new = pickle.loads(pickle.dumps(ev.SQLAlchemyEntityStorage(tmp_path / "b.db")))
    assert not (tmp_path / "b.db").exists()
    new.register(ev.ChatThread())


def test_another_store_where_it_was_pickled(tmp_path: Path) -> None:
    """Other contents under the same path are no place for a worker to save into."""
    store, thread = filled(tmp_path / "a.db")
    opened = ev.SQLAlchemyEntityStorage(tmp_path / "a.db")
    later = ev.SQLAlchemyEntityStorage(tmp_path / "b.db")  # not there yet, until its first save
    later.register(ev.ChatThread(title="b"))
    pickles = [pickle.dumps(known) for known in (store, opened, later)]
    assert all(titles(pickle.loads(pickled)) for pickled in pickles)
    shutil.copyfile(tmp_path / "a.db", tmp_path / "backup.db")
    for name in ("a.db", "b.db"):
        (tmp_path / name).unlink()
        ev.SQLAlchemyEntityStorage(tmp_path / name).register(ev.ChatThread(title="another"))
    for pickled in pickles:
        with pytest.raises(errors.StorageMovedError, match="was pickled"):
            pickle.loads(pickled)
    shutil.copyfile(tmp_path / "backup.db", tmp_path / "a.db")
    assert pickle.loads(pickles[0]).get(thread.ecs_id).title == "Cycles", "a copy is the store"


@pytest.mark.parametrize(
    "target", [":memory:", "sqlite://", "sqlite:///file:x?mode=memory&uri=true"]
)
def test_memory_stays_in_its_process(target: str) -> None:
    with (
        ev.SQLAlchemyEntityStorage(target) as store,
        pytest.raises(errors.StoragePickleError, match=r"memory.*threads\.db"),
    ):
        pickle.dumps(store)


def test_what_else_cannot_be_pickled(tmp_path: Path) -> None:
    with pytest.raises(errors.StoragePickleError, match=r"memory.*threads\.db"):
        pickle.dumps(ev.InMemoryEntityStorage())
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'a.db'}")
    store, _ = filled(engine)
    with pytest.raises(errors.StoragePickleError, match="by its URL"):
        pickle.dumps(store)
    engine.dispose()
    with (
        ev.read_database(execute(tmp_path / "shop.db", SHOP)) as db,
        pytest.raises(errors.StoragePickleError, match=r"ev\.read_database"),
    ):
        pickle.dumps(db)
