"""Engines: what asks a graph's tables by SQL, in four verbs. DuckDB is one, Spark another."""

from __future__ import annotations

import contextlib
import glob
import re
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from ecsviz.basics.optional import need
from ecsviz.basics.text import sql_text
from ecsviz.errors import EcsvizError, InvalidArgumentError, short_repr

Solve = Callable[[Any], Any]
"""Takes the rows of a bucket as a ``pyarrow.Table``, and returns others."""


class EngineError(EcsvizError, RuntimeError):
    """An engine has refused what it was asked: the SQL, a file, or for lack of memory."""


@runtime_checkable
class Engine(Protocol):
    """What answers for a `LazyGraph`.

    Attributes
    ----------
    memory
        How many bytes may be held at a time, here and by the engine.
    room
        How many of them arrays of this process, or of a worker, may take.
    streams
        Whether `batches` brings some rows at a time, and holds no others.

    Notes
    -----
    SQL keeps to what DuckDB and Spark have in common, and our tables have names without quotes.
    """

    memory: int

    @property
    def streams(self) -> bool:
        """Whether `batches` holds no other rows than those that it brings."""

    @property
    def room(self) -> int:
        """How many bytes arrays may take."""

    def lend(self, size: int) -> contextlib.AbstractContextManager[None]:
        """Hold so many bytes less meanwhile, which arrays here take."""

    def read(self, name: str, files: Sequence[str]) -> None:
        """Let a name stand for the rows of files of Parquet, or of CSV: texts, as written."""

    def put(self, name: str, sql: str) -> None:
        """Keep the rows of a query under a name, whatever they came from: a checkpoint."""

    def view(self, name: str, sql: str) -> None:
        """Let a name stand for a query."""

    def give(self, name: str, columns: Mapping[str, Any]) -> None:
        """Keep columns of this process, which are arrays, under a name."""

    def rows(self, sql: str) -> Any:
        """Return the rows of a query as a ``pyarrow.Table``."""

    def batches(self, sql: str, rows: int) -> Iterator[Any]:
        """Yield the rows of a query as record batches; nothing else is asked meanwhile."""

    def per_bucket(self, name: str, sql: str, solve: Solve, schema: Any) -> None:
        """Keep under a name what a function makes of the rows of each ``bucket``.

        Parameters
        ----------
        name, sql
            What it will be called; a query with an integer column ``bucket``.
        solve, schema
            The function, and the ``pyarrow.Schema`` of what it returns.
        """

    def relation(self, sql: str) -> Any:
        """Return a query as the engine's own relation, to go on from."""

    def text(self, value: str) -> str:
        """Return a text as SQL has it."""

    def name(self, value: str) -> str:
        """Return the name of a table or a column as SQL has it, in quotes."""

    def drop(self, name: str) -> None:
        """Forget a table, if it is there."""

    def close(self) -> None:
        """Give back what the engine holds."""


DEFAULT_MEMORY: Final = "2GB"
BASE: Final = 550_000_000
"""Bytes that are neither DuckDB's nor of arrays: 270 MB of Python and libraries, and by how much
DuckDB, which counts the most of what it holds but not all, has been seen to go beyond its limit."""
LEAST: Final = 200_000_000
"""Bytes that are left to DuckDB while arrays take theirs."""


class DuckDBEngine:
    """DuckDB in this process, which spills to disk what its memory does not hold.

    Parameters
    ----------
    memory
        How much this process may take to answer, such as ``"2GB"`` (the default): libraries, what
        DuckDB holds and what is done in arrays, all together. Of 1 GB and less it may be more.
    threads
        How many; None for all processors.
    folder
        Where it spills to; None for a temporary folder of its own.

    Raises
    ------
    NotInstalledError
        Without DuckDB (``pip install 'ecsviz[scale]'``).

    Examples
    --------
    >>> engine = DuckDBEngine(memory="500MB")
    >>> engine.rows("SELECT 40 + 2 AS answer").to_pydict()
    {'answer': [42]}
    >>> engine.close()
    """

    streams = True

    def __init__(
        self,
        memory: str | int = DEFAULT_MEMORY,
        *,
        threads: int | None = None,
        folder: str | Path | None = None,
    ) -> None:
        self.memory = bytes_of(memory)
        self._own = max(self.memory // 2, self.memory - BASE)
        self._driver = need("duckdb", extra="scale", what="DuckDBEngine")
        self._arrow = need("pyarrow", extra="scale", what="DuckDBEngine")
        self._made = None if folder is not None else tempfile.mkdtemp(prefix="ecsviz-")
        place = folder if self._made is None else self._made
        settings = {
            "autoinstall_known_extensions": "false",
            "autoload_known_extensions": "false",
            "memory_limit": f"{self._own}B",
            "preserve_insertion_order": "false",
            "temp_directory": str(place),
        }
        if threads is not None:
            settings["threads"] = str(threads)
        with self._told():
            self._conn: Any = self._driver.connect(config=settings)
        self._turn = threading.RLock()
        self._kinds: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"DuckDBEngine({self.memory / 1e9:.3g} GB)"

    @property
    def room(self) -> int:
        """How many bytes arrays may take: DuckDB keeps some."""
        return max(self.memory // 4, self.memory - BASE - LEAST)

    @contextlib.contextmanager
    def lend(self, size: int) -> Iterator[None]:
        """Let DuckDB hold so many bytes less meanwhile, which arrays here take."""
        with self._turn:
            self._limit(max(self._own - size, min(self._own, LEAST)))
            try:
                yield
            finally:
                self._limit(self._own)

    def _limit(self, size: int) -> None:
        with contextlib.suppress(self._driver.OutOfMemoryException):  # it keeps what it needs
            self._conn.execute(f"SET memory_limit = '{size}B'")

    def read(self, name: str, files: Sequence[str]) -> None:
        """Let a name stand for the rows of files of Parquet, or of CSV."""
        listed = ", ".join(sql_text(glob.escape(file)) for file in files)
        reader, more = "read_parquet", ""
        if files[0].lower().endswith((".csv", ".tsv")):
            reader, more = "read_csv", ", all_varchar = true, header = true"
        self.view(name, f"SELECT * FROM {reader}([{listed}], hive_partitioning = false{more})")

    def put(self, name: str, sql: str) -> None:
        """Keep the rows of a query under a name."""
        self._make("TABLE", name, sql)

    def view(self, name: str, sql: str) -> None:
        """Let a name stand for a query."""
        self._make("VIEW", name, sql)

    def text(self, value: str) -> str:
        """Return a text as SQL has it."""
        return sql_text(value)

    def name(self, value: str) -> str:
        """Return the name of a table or a column as SQL has it, in quotes."""
        return '"' + value.replace('"', '""') + '"'

    def give(self, name: str, columns: Mapping[str, Any]) -> None:
        """Keep columns of this process, which are arrays, under a name."""
        with self._turn, self._told():
            self._conn.register("ecs_given", self._arrow.table(dict(columns)))
            self._make("TABLE", name, "SELECT * FROM ecs_given")
            self._conn.unregister("ecs_given")

    def rows(self, sql: str) -> Any:
        """Return the rows of a query as a ``pyarrow.Table``."""
        with self._turn, self._told():
            return self._conn.sql(sql).to_arrow_table()

    def batches(self, sql: str, rows: int) -> Iterator[Any]:
        """Yield the rows of a query as record batches; nothing else is asked meanwhile."""
        with self._told():
            relation = self._conn.sql(sql)
            read = getattr(relation, "to_arrow_reader", None)  # so it is called since DuckDB 1.4
            yield from (read or relation.fetch_record_batch)(rows)

    def per_bucket(self, name: str, sql: str, solve: Solve, schema: Any) -> None:
        """Keep under a name what a function makes of the rows of each ``bucket``."""
        with self._turn:
            self.give(name, {each.name: self._arrow.array([], each.type) for each in schema})
            numbers = self.rows(f"SELECT DISTINCT bucket FROM ({sql}) x")["bucket"].to_pylist()
            for number in sorted(numbers):
                found = solve(
                    self.rows(f"SELECT * EXCLUDE (bucket) FROM ({sql}) x WHERE bucket = {number}")
                )
                with self._told():
                    self._conn.register("ecs_given", found)
                    self._conn.execute(f"INSERT INTO {name} SELECT * FROM ecs_given")
                    self._conn.unregister("ecs_given")

    def relation(self, sql: str) -> Any:
        """Return a query as a ``DuckDBPyRelation``."""
        with self._turn, self._told():
            return self._conn.sql(sql)

    def drop(self, name: str) -> None:
        """Forget a table, if it is there."""
        self._run(f"DROP {self._kinds.pop(name, 'TABLE')} IF EXISTS {name}")

    def close(self) -> None:
        """Close the database, and delete what it has spilled."""
        with self._turn:
            self._conn.close()
            if self._made is not None:
                shutil.rmtree(self._made, ignore_errors=True)

    def _make(self, kind: str, name: str, sql: str) -> None:
        with self._turn:
            if self._kinds.get(name, kind) != kind:  # of a graph that was asked before
                self.drop(name)
            self._run(f"CREATE OR REPLACE {kind} {name} AS {sql}")
            self._kinds[name] = kind

    def _run(self, sql: str) -> None:
        with self._turn, self._told():
            self._conn.execute(sql)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as err:
            raise EngineError(told_by("DuckDB", err)) from err


def told_by(engine: str, err: Exception) -> str:
    """Return what an engine says of an error, in a line."""
    said = " ".join(str(err).partition("\n")[0].split()).rstrip(".")
    return f"{engine} refuses it: {said or type(err).__name__}."


_SIZE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B\s*", re.IGNORECASE)


def bytes_of(size: Any) -> int:
    """Return a size in bytes.

    Raises
    ------
    InvalidArgumentError
        If it is none.

    Examples
    --------
    >>> bytes_of("2GB"), bytes_of("500 MiB"), bytes_of(10**9)
    (2000000000, 524288000, 1000000000)
    """
    found = _SIZE.fullmatch(size) if isinstance(size, str) else None
    if found:
        number, unit, binary = found.groups()
        size = int(
            float(number) * (1_024 if binary else 1_000) ** " KMGT".index(unit.upper() or " ")
        )
    if type(size) is not int or size < 2**20:
        raise InvalidArgumentError(
            f"memory is {short_repr(size)}. Give a size from 1 MiB, such as '2GB'.",
            argument="memory",
            value=size,
        )
    return size
