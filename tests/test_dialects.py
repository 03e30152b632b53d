"""Which database engines a store lies on, and what is said of the others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlalchemy as sa

import ecsviz as ev
from ecsviz.storage.sql.dialects import ROWS, Dialect, row_of


def test_the_tests_have_a_mariadb(mariadb_url: str) -> None:
    engine = sa.create_engine(mariadb_url)
    with engine.connect() as conn:
        assert getattr(conn.dialect, "is_mariadb", False)
        assert conn.scalar(sa.text("SELECT DATABASE()")) == "ecsviz"
        assert sa.inspect(conn).get_table_names() == []
    engine.dispose()


REFUSED = {
    "duckdb": "it has no savepoints",
    "mysql+pymysql": "making a table ends the transaction",
    "mariadb": "its foreign keys are checked row by row",
    "cockroachdb": "nothing lets its writers wait",
    "oracle": "nobody has tried it",
    "mssql+pyodbc": "nobody has tried it",
}


@pytest.mark.parametrize("scheme", REFUSED)
def test_an_engine_that_lacks_something_is_refused(scheme: str, tmp_path: Path) -> None:
    there = tmp_path / "a.db"
    with pytest.raises(ev.errors.StorageOpenError, match=REFUSED[scheme]) as caught:
        ev.SQLAlchemyEntityStorage(f"{scheme}://me:secret@host/{there}")  # needs no driver for it
    assert "unsupported=True" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert not there.exists()


KIN = {
    "PostgreSQL 11.2-YB-2.18.0.0-b0 on x86_64-pc-linux-gnu": "YugabyteDB",
    "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu)": "CockroachDB",
}


@pytest.mark.parametrize("version", KIN)
def test_kin_behind_a_url_of_postgresql_are_refused(
    version: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)

    @sa.event.listens_for(engine, "before_cursor_execute", retval=True)
    def answer(_c: object, _u: object, sql: str, given: object, *_: object) -> tuple[str, object]:
        return (f"SELECT '{version}'" if sql == "SELECT version()" else sql), given

    before = set(sa.inspect(engine).get_table_names())  # other tests' stores, if any
    with pytest.raises(ev.errors.StorageOpenError, match=f"on {KIN[version]} ") as caught:
        ev.SQLAlchemyEntityStorage(engine)
    assert "unsupported=True" in str(caught.value)
    assert set(sa.inspect(engine).get_table_names()) == before
    ev.SQLAlchemyEntityStorage(engine, unsupported=True).close()

    def unread(*_: object) -> None:  # as SQLAlchemy does where it cannot read a version
        raise AssertionError(f"Could not determine version from string '{version}'")

    monkeypatch.setattr(sa.dialects.postgresql.base.PGDialect, "_get_server_version_info", unread)
    with pytest.raises(ev.errors.StorageOpenError, match=f"on {KIN[version]} "):
        ev.SQLAlchemyEntityStorage(postgres_url)
    with pytest.raises(ev.errors.StorageOpenError, match=r"is no PostgreSQL that.* own dialect"):
        ev.read_database(postgres_url)
    version = "Somebody 1"
    with pytest.raises(ev.errors.StorageOpenError, match=r"Somebody 1.* own dialect"):
        ev.SQLAlchemyEntityStorage(postgres_url, unsupported=True)


def test_a_slip_of_the_pen_is_told_as_one() -> None:
    with pytest.raises(ev.errors.StorageUrlError, match="check the part before"):
        ev.SQLAlchemyEntityStorage("postgress://me@host/db")


def test_nothing_is_left_on_mariadb(mariadb_url: str) -> None:
    engine = sa.create_engine(mariadb_url)
    for target in (mariadb_url, engine, mariadb_url.replace("mysql", "mariadb", 1)):
        with pytest.raises(ev.errors.StorageOpenError, match="No store can lie on M"):
            ev.SQLAlchemyEntityStorage(target)
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()
    with ev.SQLAlchemyEntityStorage(mariadb_url, unsupported=True) as store:
        assert store.find(ev.ChatThread) == []


ASKS_FOR_NAMES = {
    "basics/addresses.py": "knows files and URLs, before there is a database",
    "storage/sql/dialects.py": "has the rows",
    "storage/relational/class_tables.py": "shows the SQL of a dialect that one names",
    "cli/scale_command.py": "lets one choose what asks files of a graph",
    "storage/scale/engines.py": "needs the package of its engine, which asks files of a graph",
    "importers/database/": "reads what others have made: their catalogs, their types",
}
"""Which files may ask what an engine is called, and why."""


def test_no_other_file_asks_for_the_name_of_an_engine() -> None:
    asks = re.compile(
        r"dialect\.(name|driver)\b|get_backend_name|drivername"
        r"|[\"'](sqlite|postgresql|mysql|mariadb|duckdb|psycopg)[\"']"
    )
    package = Path(ev.__file__).parent
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if asks.search(path.read_text(encoding="utf-8"))
    }
    leaves = {name for name in found if name.startswith(tuple(ASKS_FOR_NAMES))}
    assert found == leaves, "let it ask `row_of`, or give it a reason"
    assert all(any(name.startswith(leaf) for name in found) for leaf in ASKS_FOR_NAMES)


def test_every_row_says_what_it_must(root: Path) -> None:
    text = (root / "docs/engines.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(\w+)`", text, re.MULTILINE)
    assert sorted(named) == sorted(Dialect._fields)
    for name, row in ROWS.items():
        assert row.name == name
        assert row_of(name) is row
        assert row.title in text


def test_what_a_supported_engine_does() -> None:
    supported = [row for row in ROWS.values() if row.supported]
    assert [row.title for row in supported] == ["SQLite", "PostgreSQL"]
    for row in supported:
        assert row.begin_to_write
        assert row.ddl_is_undone
        assert row.savepoints
        assert row.keys_wait
        assert row.keys_as
        assert row.words
        assert row.objects
    assert row_of("nobody's") == Dialect("nobody's", "nobody's")
