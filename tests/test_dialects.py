"""Which database engines a store lies on, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

import ecsviz as ev


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
