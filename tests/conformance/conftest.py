"""Which storages the suite runs on: a further one has an entry in `OPENERS`, and one in `KINDS`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import ecsviz as ev

Open = Callable[[], ev.EntityStorage]
"""Opens the same storage: each call gives a new object on the same data, where there can be one."""

_schemas = itertools.count(1)


def _memory(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    store = ev.InMemoryEntityStorage()
    return lambda: store


def _sqlite(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    return lambda: ev.SQLAlchemyEntityStorage(tmp_path / "store.db")


def _wal(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    return lambda: ev.SQLAlchemyEntityStorage(tmp_path / "store.db", journal="wal")


def _engine(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    engine = sa.create_engine(
        "sqlite://", poolclass=sa.pool.StaticPool, connect_args={"check_same_thread": False}
    )
    request.addfinalizer(engine.dispose)
    return lambda: ev.SQLAlchemyEntityStorage(engine)


def _postgresql(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    url = request.getfixturevalue("postgres_url")
    schema = f"s{next(_schemas)}"
    engine = sa.create_engine(url)
    with engine.begin() as conn:
        conn.execute(sa.schema.CreateSchema(schema))
    request.addfinalizer(engine.dispose)
    return lambda: ev.SQLAlchemyEntityStorage(engine, schema=schema)


def _copied(tmp_path: Path, request: pytest.FixtureRequest) -> Open:
    """PostgreSQL, where every row goes by COPY, as rows in their hundreds do."""
    request.getfixturevalue("monkeypatch").setattr("ecsviz.storage.sql.statements.WORTH_COPYING", 1)
    return _postgresql(tmp_path, request)


OPENERS: dict[str, Callable[[Path, pytest.FixtureRequest], Open]] = {
    "memory": _memory,
    "sqlite": _sqlite,
    "sqlite-wal": _wal,
    "engine": _engine,
    "postgresql": _postgresql,
    "postgresql-copy": _copied,
}


KINDS = ("memory", "sqlite", "postgresql")
"""One storage of each kind: what takes long, or compares storages, runs on these."""


@pytest.fixture(params=list(OPENERS))
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the storage under test."""
    return OPENERS[request.param](tmp_path, request)


@pytest.fixture
def store(reopen: Open) -> Any:
    """The storage under test."""
    return reopen()
