"""Paths that lead to what is no file: told at once, wherever a path is taken."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ecsviz as ev
from ecsviz import errors
from ecsviz.importers import iterate_chats
from ecsviz.importers.following import import_changed
from tests.conftest import require_optional

pytestmark = pytest.mark.skipif(os.name == "nt", reason="pipes have no paths")

TAKERS: dict[str, Callable[[Path], Any]] = {
    "read_chat": ev.read_chat,
    "iterate_chats": lambda path: list(iterate_chats(path)),
    "import_changed": lambda path: import_changed(ev.InMemoryEntityStorage(), path),
    "read_database": ev.read_database,
    "trusted": lambda path: ev.read_database(path, trust=True),
    "store": lambda path: len(ev.SQLAlchemyEntityStorage(path)),
    "read only": lambda path: len(ev.SQLAlchemyEntityStorage(path, read_only=True)),
    "from_edges": ev.LazyGraph.from_edges,
    "scan_graph": ev.scan_graph,
    "from_parquet": lambda path: ev.SQLAlchemyEntityStorage(":memory:").from_parquet(path),
}


def specials(folder: Path) -> list[Path]:
    """Make a pipe of every name by which files are known, a socket, and what leads to them."""
    made = [folder / name for name in ("f.json", "f.db", "f.csv", "f.parquet", "graph.json")]
    for path in made:
        os.mkfifo(path)
    (folder / "link.db").symlink_to(folder / "f.db")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
    return [*made, folder / "link.db", folder / "s", Path("/dev/null")]


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """End a test that waits for the other end of a pipe."""

    def ring(*_: object) -> None:
        raise AssertionError("it waits")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(30)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", TAKERS)
def test_what_is_no_file_is_refused_at_once(name: str, tmp_path: Path) -> None:
    if name in ("from_edges", "scan_graph", "from_parquet"):
        require_optional("duckdb")
        require_optional("pyarrow")
    for path in specials(tmp_path):
        with pytest.raises(errors.EcsvizError):
            TAKERS[name](path)
    with contextlib.suppress(errors.EcsvizError):  # in a folder they are passed over
        assert TAKERS[name](tmp_path) is None


def test_it_is_told_what_it_is(tmp_path: Path) -> None:
    pipe = specials(tmp_path)[0]
    with pytest.raises(errors.EcsvizError, match="a pipe, a socket or a device"):
        ev.read_chat(pipe)
    with pytest.raises(errors.EcsvizError, match="a pipe, a socket or a device"):
        ev.SQLAlchemyEntityStorage(pipe)
