"""What a sample of a chat format is: a small file, and what it holds."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chat_files import encode


@dataclass(frozen=True)
class Sample:
    """A file and what it holds."""

    format: str
    make: Callable[[bool], bytes]
    threads: int
    messages: int
    links: int
    roots: int
    branch_points: int
    leaves: int

    @property
    def data(self) -> bytes:
        return self.make(False)

    @property
    def longer(self) -> bytes:
        return self.make(True)

    @property
    def kind(self) -> str:
        """What the file is: "database", "zip", "JSON", "JSON lines" or "text"."""
        begins = {b"SQLi": "database", b"PK\x03\x04": "zip"}
        kind = begins.get(self.data[:4], "text")
        first, *more = self.data.strip().splitlines()
        try:
            json.loads(first)
        except ValueError:
            return kind
        return "JSON lines" if more else "JSON"


def lines(*values: Any) -> bytes:
    return b"\n".join(map(encode, values)) + b"\n"


def database(script: str, *rows: tuple[str, tuple[Any, ...]]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.db")
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(script)
            for table, values in rows:
                marks = ", ".join("?" * len(values))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
            connection.commit()
        return path.read_bytes()
