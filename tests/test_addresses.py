"""Paths and URLs in messages: no password, however the URL is mistyped, and a path's end."""

from __future__ import annotations

import os
import pickle
import shutil
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.engine import URL

import ecsviz as ev
from ecsviz import errors, export
from ecsviz.basics.addresses import as_url, redacted, short_path
from ecsviz.cli import cli
from tests.conftest import require_optional
from tests.databases import SHOP, execute

SECRET = "s3cretw0rd"

NOBODY_THERE = "127.0.0.1:1"
"""Where a connection is refused at once."""

MISTYPED = [
    f"postgresql+psycopg:/me:{SECRET}@host/db",
    f"postgresql+psycopg:me:{SECRET}@host/db",
    f"postgresql+psycopg//me:{SECRET}@host/db",
    f"postgresql+psycopg:////me:{SECRET}@host/db",
    f"postgresql+psycopg: //me:{SECRET}@host/db",
    f"postgresql +psycopg://me:{SECRET}@host/db",
    f" postgresql+psycopg://me:{SECRET}@host/db",
    f"://me:{SECRET}@host/db",
    f"//me:{SECRET}@host/db",
    f"me:{SECRET}@host/db",
    f"me:{SECRET}@host",
    f"me:/{SECRET}@host/db",
    f"m:{SECRET}@host/db",
    f"{SECRET}@host/db",
    f"me%3A{SECRET}%40host%2Fdb",
    f"postgresql%3A%2F%2Fme%3A{SECRET}%40host%2Fdb",
    f"postgresql+psycopg://me:{SECRET}",
    f"postgresql+psycopg://me:x@{SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me:{SECRET}@x@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me/{SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me@{SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me {SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me:x/{SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me:x?{SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me:x#{SECRET}@{NOBODY_THERE}/db",
    f"postgresql+psycopg://me@{NOBODY_THERE}/db?pwd={SECRET}",
    f"postgresql+psycopg://me@{NOBODY_THERE}/db?password={SECRET}",
    f"postgresql+psycopg://me@{NOBODY_THERE}/db?options={SECRET}",
    f"postgresql+psycopg://me@{NOBODY_THERE}/db?connect_timeout={SECRET}&password={SECRET}",
    f"postgresql+psycopg://me@{NOBODY_THERE}/db password={SECRET}",
    f"postgresql+psycopg://host=h password={SECRET} dbname=x",
    f"host=localhost user=me password={SECRET} dbname=x",
    f"host=localhost password='{SECRET}'",
    f"user=me;Pwd={SECRET};server=host",
    f"jdbc:postgresql://host/db?user=me&password={SECRET}",
    f"jdbc:oracle:thin:me/{SECRET}@host:1521/db",
    f"DATABASE_URL=postgresql://me:{SECRET}@host/db",
    f"export DATABASE_URL='postgresql://me:{SECRET}@host/db'",
    f"sqlite://me:{SECRET}@host/a.db",
    f"sqlite:///postgresql://me:{SECRET}@host/a.db",
    f"sqlite:///no folder/a.db?password={SECRET}",
    f"sqlite:///:memory:?key={SECRET}",
    f"mssql+pyodbc:///?odbc_connect=DRIVER%3DX%3BPWD%3D{SECRET}",
    f"postgresql+psycopg://{NOBODY_THERE}/me:{SECRET}",
    f"postgresql+psycopg:///me:{SECRET}",
    f"mysql+pymysql://host/me:{SECRET}",
    f"file:x.db?mode=ro&key={SECRET}",
    f"file:///x.db?key={SECRET}&mode=ro",
    f"file:x.db?{SECRET}",
    f"file://me:{SECRET}@host/x.db",
    f"nothing://me:{SECRET}@host/db",
    f"postgresql+nothing://me:{SECRET}@host/db",
    f"postgresql+asyncpg://me:{SECRET}@host/db",
]

OPENED: dict[str, Callable[[str], Any]] = {
    "store": lambda text: ev.SQLAlchemyEntityStorage(text).register(ev.ChatThread()),
    "read_database": lambda text: ev.read_database(text).tables_frame(),
    "read_chat": ev.read_chat,
}

COMMANDS = (
    ["info"],
    ["verify"],
    ["tables"],
    ["history"],
    ["graph"],
    ["graph", "--types"],
    ["export", "--to", "csv"],
    ["import"],
    ["import", "CHATS", "--store"],
)


@pytest.fixture(autouse=True)
def _somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def told(err: BaseException) -> str:
    """Return all that an error says, and those that led to it, as a notebook shows them."""
    facts = repr(vars(err))
    return f"{err} {err!r} {facts} {''.join(traceback.format_exception(err))}"


def without_source(text: str) -> str:
    # A traceback quotes the source: that of this file names its own examples.
    return "\n".join(line for line in text.splitlines() if "SECRET" not in line)


def check_refusal(call: Callable[[str], Any], text: str, secret: str = SECRET) -> None:
    try:
        call(text)
    except errors.EcsvizError as err:
        shown = without_source(told(err))
    else:  # taken for a file, or for a database in memory
        assert "sqlite" in str(text)
        return
    assert secret not in shown


@pytest.mark.parametrize("text", MISTYPED)
@pytest.mark.parametrize("how", OPENED)
def test_no_password_is_told(how: str, text: str) -> None:
    check_refusal(OPENED[how], text)
    assert not [path for path in Path().iterdir() if SECRET in path.name], (
        "and no file is named by it"
    )


@pytest.mark.parametrize("text", MISTYPED)
def test_no_password_is_told_on_the_command_line(text: str, tmp_path: Path) -> None:
    chats = tmp_path / "chats.jsonl"
    chats.write_text('{"messages": [{"role": "user", "content": "hello"}]}\n')
    for command in COMMANDS:
        words = [str(chats) if word == "CHATS" else word for word in command]
        done = CliRunner().invoke(cli, [*words, text])
        assert SECRET not in done.output
        assert done.exception is None or isinstance(done.exception, SystemExit)
        assert done.exit_code in (1, 2) or "sqlite" in text


@pytest.mark.parametrize(
    "url",
    [
        URL.create("postgresql+psycopg", "me", SECRET, "127.0.0.1", 1, "db"),
        URL.create("postgresql+psycopg", "me", SECRET + "/@?%", "127.0.0.1", 1, "db"),
        URL.create("postgresql+psycopg", "me", None, f"me:{SECRET}@host", 1, "db"),
        URL.create("postgresql+psycopg", "me", None, "127.0.0.1", 1, f"db password={SECRET}"),
        URL.create("postgresql+psycopg", "me", None, "127.0.0.1", 1, "db", {"sslpassword": SECRET}),
        URL.create("sqlite", "me", SECRET, None, None, "a.db"),
    ],
)
def test_no_password_of_a_url_object_is_told(url: URL) -> None:
    check_refusal(OPENED["store"], url)  # type: ignore[arg-type]  # a URL is one too
    check_refusal(OPENED["read_database"], url)  # type: ignore[arg-type]  # a URL is one too


def elsewhere() -> dict[str, Callable[[str], Any]]:
    """Return calls that take a path, an id or a name, for which an address may be mistaken."""
    store, thread = ev.InMemoryEntityStorage(), ev.sample("thread")
    store.register(thread)
    saved = ev.SQLAlchemyEntityStorage(":memory:")
    saved.register(thread)
    graph = ev.EntityDependencyGraph(thread)
    frame = store.revisions()
    return {
        "backup": saved.backup,
        "repair": lambda text: saved.repair(ev.SQLAlchemyEntityStorage(text)),
        "to_parquet": lambda text: ev.SQLAlchemyEntityStorage.to_parquet(saved, text),
        "scan_graph": ev.scan_graph,
        "to_html": graph.to_html,
        "to_markdown": lambda text: export.to_markdown(thread, text),
        "to_chatgpt": lambda text: export.to_chatgpt(thread, text),
        "to_json": lambda text: export.to_json(graph, text),
        "to_csv": lambda text: export.to_csv(frame, text),
        "get": store.get,
        "register": store.register,
        "search": lambda text: store.search(text, text),  # type: ignore[arg-type]
        "as_of": lambda text: store.get(thread.ecs_id, as_of=text),  # type: ignore[arg-type]
        "journal": lambda text: ev.SQLAlchemyEntityStorage("a.db", journal=text),  # type: ignore[arg-type]
        "explore": lambda text: ev.explore(thread, store=text),
        "draw": ev.draw,
        "graph_of": ev.graph_of,
        "sample": ev.sample,
        "entity_class": ev.entity_class,  # type: ignore[arg-type]
        "a value": lambda text: store.find(ev.ChatThread, order_by=text),
    }


def test_no_password_is_told_where_an_address_is_taken_for_something_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(1)
    logins = [text for text in [*MISTYPED, SOUND, f"s3://me:{SECRET}@b/k"] if f":{SECRET}@" in text]
    assert len(logins) > 15
    for name, call in elsewhere().items():
        for text in logins:
            try:
                call(text)
            except errors.EcsvizError as err:
                shown = "".join(traceback.format_exception(err)) + f"{err} {err!r}"
                assert SECRET not in without_source(shown), (name, text)
    run = CliRunner()
    ev.SQLAlchemyEntityStorage("a.db").register(ev.ChatThread(title="a"))
    for command in (
        *(["backup", "a.db"], ["repair", "a.db"], ["tables", "a.db"], ["history", "a.db"]),
        *(["graph", "a.db", "--out"], ["export", "a.db", "--to", "csv", "--out"], ["show", "a.db"]),
    ):
        for text in logins:
            done = run.invoke(cli, [*command, text])
            assert SECRET not in done.output, (command, text)
            assert isinstance(done.exception, SystemExit), (command, text)
    assert SECRET not in caplog.text + "".join(capsys.readouterr())
    assert not [path for path in tmp_path.rglob("*") if SECRET in str(path)], "nothing is named so"


SOUND = f"postgresql+psycopg://me:{SECRET}@{NOBODY_THERE}/db"


@settings(max_examples=60)
@given(st.data())
def test_no_part_of_a_mutated_url_is_told(data: st.DataObject) -> None:
    """Characters are left out or put in, but for those of the password.

    Not the colon before it: then it is part of the user's name, and that is shown.
    """
    psycopg = require_optional("psycopg")
    text = SOUND
    for _ in range(data.draw(st.integers(1, 3))):
        start = text.index(SECRET)
        places = [n for n in range(len(text)) if not start < n < start + len(SECRET)]
        place = data.draw(st.sampled_from(places))
        if data.draw(st.booleans()) and place not in (start - 1, start):
            text = text[:place] + text[place + 1 :]
        else:
            text = text[:place] + data.draw(st.sampled_from(":/@?%# =&;'[")) + text[place:]
    refused = psycopg.OperationalError("connection refused")  # a mutated host is somebody's
    with mock.patch("psycopg.connect", side_effect=refused):
        for call in OPENED.values():
            check_refusal(call, text)


def test_a_store_shows_no_password(tmp_path: Path) -> None:
    for text in (f"sqlite:///file:{tmp_path}/a.db?mode=rwc&uri=true", str(tmp_path / "b.db")):
        store = ev.SQLAlchemyEntityStorage(text)
        assert "***" not in repr(store)
        assert "***" not in store._repr_html_()
    engine = sa.create_engine(SOUND)
    with pytest.raises(errors.StorageOpenError) as caught:
        ev.SQLAlchemyEntityStorage(engine)
    assert SECRET not in without_source(told(caught.value))
    assert "me:***@" in str(caught.value)
    engine.dispose()


def test_what_of_a_url_is_shown() -> None:
    url = sa.make_url("postgresql+psycopg://me:x@host:5/db?foo=bar&host=a&host=b&sslmode=require")
    assert redacted(url) == (
        "postgresql+psycopg://me:***@host:5/db?foo=***&host=a&host=b&sslmode=require"
    )


@pytest.mark.parametrize(
    "text", ["duckdb:///md:chats", "duckdb:///:memory:", "firebird+fdb://me@host/C:/chats.fdb"]
)
def test_a_colon_may_be_part_of_a_name(text: str) -> None:
    assert as_url(text).database == text.partition("://")[2].partition("/")[2]


@pytest.mark.parametrize("text", ["postgresql:/me:x@host/db", "me:x@host/db"])
def test_a_mistyped_url_is_told_how_it_looks(text: str) -> None:
    with pytest.raises(errors.StorageUrlError, match=r"postgresql\+psycopg://user@host/name"):
        ev.SQLAlchemyEntityStorage(text)
    with pytest.raises(errors.EcsvizError, match=r"ev\.read_database\(url\)"):
        ev.read_chat(text)


@pytest.mark.parametrize(
    "name", ["backup@2024.db", "a=b.db", "50%.db", "ünï cödé.db", "pass.db", "C.db", "a b.db"]
)
def test_files_of_unusual_names(name: str) -> None:
    with ev.SQLAlchemyEntityStorage(name) as store:
        store.register(ev.ChatThread())
    assert Path(name).is_file()
    assert ev.read_database(name).tables


@pytest.mark.parametrize("name", ["me:x@host.db", "password=x.db", "sqlite:a.db", "file:a.db"])
def test_a_file_whose_name_looks_like_a_url(name: str) -> None:
    with pytest.raises(errors.StorageUrlError, match=r"pathlib\.Path"):
        ev.SQLAlchemyEntityStorage(name)
    ev.SQLAlchemyEntityStorage(Path(name)).register(ev.ChatThread())
    assert len(ev.SQLAlchemyEntityStorage(name).revisions()) == 1, "it is there now"


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("file:x.db?mode=ro", "sqlite:///file:x.db?mode=ro&uri=true"),
        ("file:x.db?mode=ro&uri=true", "sqlite:///file:x.db?mode=ro&uri=true"),
        ("file:x.db", "sqlite:///file:x.db?uri=true"),
        ("file:FOLDER/x.db?mode=ro", "sqlite:///file:FOLDER/x.db?mode=ro&uri=true"),
        ("file://FOLDER/x.db?mode=ro", "sqlite:///file:FOLDER/x.db?mode=ro&uri=true"),
        ("file://localhostFOLDER/x.db?mode=ro", "sqlite:///file:FOLDER/x.db?mode=ro&uri=true"),
        (" FILE:x.db?mode=ro", "sqlite:///file:x.db?mode=ro&uri=true"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="paths are others there")
def test_a_uri_of_sqlite(text: str, instead: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp(prefix="ecsviz-"))  # short: a long path is cut
    monkeypatch.chdir(folder)
    text, instead = (each.replace("FOLDER", str(folder)) for each in (text, instead))
    thread = ev.SQLAlchemyEntityStorage("x.db").register(ev.ChatThread(title="x"))
    for call in (ev.SQLAlchemyEntityStorage, ev.read_database):
        with pytest.raises(errors.StorageUrlError, match=r"pathlib\.Path") as caught:
            call(text)
        assert f"Give it as {instead}. " in str(caught.value)
    assert [path.name for path in folder.iterdir()] == ["x.db"]
    with ev.SQLAlchemyEntityStorage(instead) as store:
        assert store.get(thread.ecs_id).title == "x"
        if "mode=ro" in instead:
            with pytest.raises(errors.StorageReadOnlyError):
                store.register(ev.ChatThread())
    assert ev.read_database(instead).tables
    shutil.rmtree(folder)


@pytest.mark.parametrize("target", [7, None, ["a.db"], object()])
def test_what_is_no_address(target: Any) -> None:
    for call in (ev.SQLAlchemyEntityStorage, ev.read_database):
        with pytest.raises(errors.InvalidArgumentError, match="no database"):
            call(target)


@pytest.mark.parametrize("text", ["a\0b.db", "x" * 5_000, "folder/" * 1_000 + "a.db"])
def test_paths_that_cannot_be(text: str) -> None:
    for call in OPENED.values():
        with pytest.raises(errors.EcsvizError):
            call(text)


# -- asynchronous drivers --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("sqlite+aiosqlite:///a.db", "sqlite://"),
        ("sqlite+aiosqlite://", "sqlite://"),
        ("postgresql+asyncpg://me@host/db", "postgresql+psycopg://"),
        ("postgresql+psycopg_async://me@host/db", "postgresql+psycopg://"),
        ("mysql+aiomysql://me@host/db", "mysql+pymysql://"),
        ("mysql+asyncmy://me@host/db", "mysql+pymysql://"),
        ("oracle+oracledb_async://me@host/db", "oracle+oracledb://"),
        ("mssql+aioodbc://me@host/db", "mssql+pyodbc://"),
    ],
)
def test_asynchronous_urls(text: str, instead: str) -> None:
    for target in (text, sa.make_url(text)):
        for call in (ev.SQLAlchemyEntityStorage, ev.read_database):
            with pytest.raises(errors.StorageUrlError, match="asynchronous") as caught:
                call(target)
            rest = str(sa.make_url(text)).partition("://")[2]
            assert f"with {instead} instead: {instead}{rest}. In" in str(caught.value)
    assert not list(Path().iterdir())


def test_asynchronous_engines() -> None:
    asyncio = pytest.importorskip("sqlalchemy.ext.asyncio")

    class Dialect:
        is_async = True

    made = object.__new__(asyncio.AsyncEngine)
    made.sync_engine = object.__new__(sa.Engine)
    made.sync_engine.url = sa.make_url("postgresql+asyncpg://me:x@host/db")
    made.sync_engine.dialect = Dialect()
    for target in (made, made.sync_engine):
        for call in (ev.SQLAlchemyEntityStorage, ev.read_database):
            with pytest.raises(errors.StorageUrlError, match=r"postgresql\+psycopg://") as caught:
                call(target)
            assert "me:***@host" in str(caught.value)


# -- paths -----------------------------------------------------------------------------------


def test_the_end_of_a_path_is_shown() -> None:
    path = "/" + "folder/" * 40 + "conversations.json"
    assert len(short_path(path)) == 82
    assert short_path(path).startswith("'/folder/folder/")
    assert short_path(path).endswith("folder/conversations.json'")
    assert short_path(Path("a.db")) == "'a.db'"
    assert "\n" not in short_path("a\nb.db")


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """A folder whose path is long, as that of a temporary folder may be."""
    folder = tmp_path / ("a long name of a folder " * 5) / ("and another one " * 6)
    folder.mkdir(parents=True)
    assert len(str(folder)) > 200
    return folder


def test_messages_name_the_file_wherever_it_lies(deep: Path) -> None:
    execute(deep / "shop.db", SHOP)
    (deep / "text.db").write_text("no database, and no chat")
    for name in ("shap.db", "text.db", "no folder/a.db"):
        for call in OPENED.values():
            if name == "shap.db" and call is OPENED["store"]:
                continue
            with pytest.raises(errors.EcsvizError, match=Path(name).name):
                call(str(deep / name))
    with pytest.raises(errors.EcsvizError, match=r"Did you mean 'shop\.db'"):
        ev.read_database(deep / "shap.db")
    with pytest.raises(errors.StorageOpenError, match="is a folder"):
        ev.SQLAlchemyEntityStorage(deep)


# -- who may read ----------------------------------------------------------------------------


@pytest.mark.skipif(os.name == "nt", reason="permissions are others there")
def test_a_file_that_may_not_be_read(unprivileged: Path) -> None:
    path = unprivileged / "a.db"
    ev.SQLAlchemyEntityStorage(path).register(ev.ChatThread())
    opened = ev.SQLAlchemyEntityStorage(path)
    for closed, mode in ((path, 0o600), (unprivileged, 0o700)):
        closed.chmod(0)
        for call in OPENED.values():
            with pytest.raises(errors.EcsvizError, match=r"cannot be read|Cannot read"):
                call(path)  # type: ignore[arg-type]  # a path is one too
        with pytest.raises(errors.StorageOpenError, match="cannot be read: Permission denied"):
            opened.revisions()
        closed.chmod(mode)
    assert len(opened.revisions()) == 1


def test_an_error_with_a_url_is_pickled_without_its_password() -> None:
    with pytest.raises(errors.StorageOpenError) as caught:
        ev.SQLAlchemyEntityStorage(SOUND)
    assert SECRET.encode() not in pickle.dumps(caught.value)


@pytest.mark.parametrize("name", ["x.db", "FOLDER/x.db", ":memory:", ""])
def test_options_are_no_part_of_a_name(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite would make a file ``x.db?nolock=1``, and the next connection another one."""
    monkeypatch.chdir(tmp_path)
    name = name.replace("FOLDER", str(tmp_path))
    for how in ("store", "read_database"):
        with pytest.raises(errors.StorageUrlError) as caught:
            OPENED[how](f"sqlite:///{name}?nolock=1&uri=true")
        assert f"sqlite:///file:{name or ':memory:'}?nolock=1&uri=true" in str(caught.value)
    assert not list(tmp_path.iterdir())
    with ev.SQLAlchemyEntityStorage("sqlite:///x.db?timeout=3&uri=true") as store:
        store.register(ev.ChatThread(title="a"))
    assert [path.name for path in tmp_path.iterdir()] == ["x.db"]


def test_a_long_text_without_an_address_in_it_is_no_address() -> None:
    with pytest.raises(errors.EcsvizError):  # and takes no time that grows with its square
        ev.read_database("x" * 200_000)
