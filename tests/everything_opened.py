"""Everything that opens something, its errors too; run by test_closing with all warnings on.

Each function leaves what it opened to the end of its call; nothing may be said of it then.
"""

import contextlib
import gc
import sqlite3
import sys
import threading
import warnings
from pathlib import Path
from unittest import mock

import sqlalchemy as sa
from click.testing import CliRunner

import ecsviz as ev
from ecsviz.cli import cli

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # what others warn of while they are imported
    import ipywidgets  # noqa: F401
    import matplotlib.pyplot as plt

HERE = Path(sys.argv[1])
STORE = HERE / "threads.db"
LOGS = HERE / "logs.db"
CHATS = HERE / "chats.jsonl"


def a_store(target=":memory:", **options):
    store = ev.SQLAlchemyEntityStorage(target, **options)
    store.register(ev.sample("thread"))
    store.register(ev.ChatThread(title="one more"))
    return store


def refused(call):
    try:
        call()
    except ev.EcsvizError:
        return
    raise AssertionError("was not refused")


def test_stores_that_are_dropped():
    a_store()
    a_store(HERE / "dropped.db")
    a_store(HERE / "wal.db", journal="wal")
    a_store("sqlite:///file:shared?mode=memory&cache=shared&uri=true")
    ev.SQLAlchemyEntityStorage(HERE / "never made.db").revisions()


def test_stores_that_are_closed():
    with a_store() as store:
        store.verify()
    with contextlib.suppress(ZeroDivisionError), a_store():
        _ = 1 / 0
    store.close()
    refused(store.revisions)


def test_what_fails_to_open():
    (HERE / "text.db").write_text("no database at all, but long enough to be looked at")
    with contextlib.closing(sqlite3.connect(HERE / "other.db")) as other:
        other.execute("CREATE TABLE t (a)")
    with contextlib.closing(sqlite3.connect(HERE / "damaged.db")) as other:
        other.execute("CREATE TABLE t (a)")
    with (HERE / "damaged.db").open("r+b") as file:
        file.seek(100)
        file.write(b"\xff" * 500)
    for name in ("text.db", "other.db", "damaged.db", ".", "no folder/a.db"):
        refused(lambda name=name: a_store(HERE / name))
        refused(lambda name=name: ev.read_chat(HERE / name, strict=True))
    (HERE / "empty").mkdir()
    for name in ("text.db", "damaged.db", "empty", "no folder/a.db"):
        refused(lambda name=name: ev.read_database(HERE / name))
    refused(lambda: ev.read_database("sqlite://"))
    refused(lambda: a_store("nothing://x"))
    refused(lambda: a_store("postgresql+psycopg://me@127.0.0.1:1/x"))
    refused(lambda: ev.read_database("postgresql+psycopg://me@127.0.0.1:1/x"))


def test_what_fails_or_is_interrupted_half_way():
    for error in (KeyboardInterrupt, MemoryError, sqlite3.OperationalError("disk I/O error")):
        for place, call in (
            ("storage.relational.schema.catalog.Catalog.check", a_store),
            ("storage.relational.schema.catalog.Catalog.check", lambda: a_store(STORE)),
            ("storage.relational.save.save.Save.write", a_store),
            ("storage.relational.save.save.Save.write", lambda: a_store(STORE)),
            ("importers.database.opened.reflect", lambda: ev.read_database(STORE)),
            ("importers.chat.source.Source.rows", lambda: ev.read_chat(LOGS)),
        ):
            with (
                contextlib.suppress(KeyboardInterrupt, MemoryError, ev.EcsvizError),
                mock.patch(f"ecsviz.{place}", side_effect=error),
            ):
                call()
                raise AssertionError(f"{place} was not called")


def test_all_that_a_store_does():
    class Other(ev.Entity):
        number: int = 0

    for store in (a_store(), ev.SQLAlchemyEntityStorage(STORE)):
        thread = store.list_by_type(ev.ChatThread)[0]
        thread.title += "!"
        store.explain(thread)
        store.register(thread)
        store.frame(ev.ChatMessage)
        store.frame(Other)
        store.frame("ecs_types")
        store.references_frame()
        store.graph(thread, 2)
        store.history(thread)
        store.diff(1)
        store.refresh(thread)
        store.revert(thread, to=1)
        store.migrate(dry_run=True)
        store.migrate()
        store.to_python()
        store.verify(thread)
        store._repr_html_()
        store.draw_schema()
        plt.close("all")
        store.explore()
        thread.explore()
        refused(lambda store=store: store.get(Other().ecs_id))
        refused(lambda store=store: store.frame("no such table"))
        refused(lambda store=store, thread=thread: store.delete(thread.messages[0]))
        store.prune()


def test_sessions_and_engines():
    store = a_store()
    session = store.session_factory()
    session.scalars(sa.select(store.sql_model(ev.ChatThread))).first()
    engine = a_store().engine
    gc.collect()
    conn = engine.connect()
    conn.execute(sa.text("SELECT count(*) FROM chat_threads")).scalar()
    del conn
    session = ev.SQLAlchemyEntityStorage(STORE).session_factory()
    session.connection()


def test_databases_that_are_read():
    for target in (STORE, f"sqlite:///{STORE}", LOGS):
        db = ev.read_database(target)
        table = db.tables[0]
        db.frame(table)
        db.problems  # noqa: B018
        db.row_graph(table)
        db.copy_to(ev.SQLAlchemyEntityStorage(":memory:"))
        db.draw_schema()
        plt.close("all")
    with ev.read_database(STORE) as db:
        db.explore() if hasattr(db, "explore") else None
    refused(db.tables_frame)
    engine = sa.create_engine(f"sqlite:///{STORE}", poolclass=sa.pool.NullPool)
    ev.read_database(engine).tables_frame()


def test_chats_that_are_read():
    ev.read_chat(LOGS)
    ev.read_chat(CHATS)
    ev.read_chat(LOGS.read_bytes())
    refused(lambda: ev.read_chat(STORE))
    refused(lambda: ev.read_chat(LOGS, max_bytes=10))


def test_several_threads():
    for store in (ev.SQLAlchemyEntityStorage(STORE), a_store()):
        made = []

        def work(store=store, made=made):
            store.revisions()
            session = store.session_factory()
            session.connection()
            made.append(ev.read_database(STORE))

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
            if store.engine.url.database is None:
                thread.join()  # memory has one connection, and so one session at a time
        for thread in threads:
            thread.join()
        assert len(made) == 4, "and these are dropped in another thread than their own"


def test_files():
    store = ev.SQLAlchemyEntityStorage(STORE)
    if hasattr(store, "to_parquet"):
        store.to_parquet(HERE / "parquet")
    graph = store.graph()
    graph.to_graphml(HERE / "a.graphml")
    graph.to_html(HERE / "a.html") if hasattr(graph, "to_html") else None


def test_the_command_line():
    commands = [
        ["import", CHATS, "--store", HERE / "new.db"],
        ["import", LOGS, "--store", HERE / "new.db"],
        ["import", STORE, "--store", HERE / "new.db"],
        ["info", STORE],
        ["info", HERE / "text.db"],
        ["info", HERE / "other.db"],
        ["info", HERE / "nothing.db"],
        ["tables", STORE],
        ["tables", STORE, "chat_threads"],
        ["tables", STORE, "none"],
        ["history", STORE],
        ["history", STORE, "0190a6b2-7c3d-7e4f-8a5b-6c7d8e9f0a1b"],
        ["verify", STORE],
        ["graph", STORE],
        ["graph", LOGS],
        ["graph", HERE / "other.db"],
        ["graph", HERE / "text.db"],
        ["export", STORE, HERE / "b.dot"],
    ]
    for command in commands:
        done = CliRunner().invoke(cli, list(map(str, command)))
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception


def prepare():
    with a_store(STORE):
        pass
    with contextlib.closing(sqlite3.connect(LOGS)) as made:
        made.executescript(
            "CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);"
            "CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT,"
            " prompt_json TEXT, options_json TEXT, response TEXT, response_json TEXT,"
            " conversation_id TEXT REFERENCES conversations (id), duration_ms INTEGER,"
            " datetime_utc TEXT);"
            "INSERT INTO conversations VALUES ('c', 'Cycles', 'm');"
            "INSERT INTO responses (id, prompt, response, conversation_id, datetime_utc)"
            " VALUES ('r', 'hello', 'hi', 'c', '2024-01-01T00:00:00')"
        )
    CHATS.write_text('{"messages": [{"role": "user", "content": "hello"}]}\n')


prepare()
for name, test in list(globals().items()):
    if name.startswith("test_"):
        test()
        gc.collect()
        sys.stdout.write(f"{name}\n")
sys.stdout.write("done\n")
