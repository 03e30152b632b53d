"""Spark as the engine: a session of PySpark, of Spark Connect, or of Sail, which speaks as that."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ecsviz.basics.optional import need
from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.storage.scale.engines import DEFAULT_MEMORY, EngineError, Solve, bytes_of, told_by

CHUNK: Final = 1_000_000
"""How many rows of this process go to the session at a time: less than a message may hold."""
ANSWER: Final = 10.0
"""How many seconds a server has to answer."""
_TYPES: Final = {
    "binary": "binary",
    "bool": "boolean",
    "int32": "int",
    "int64": "bigint",
    "string": "string",
}
"""What Spark calls the types of our columns."""


class SparkEngine:
    """A Spark session: one of yours, or one at an address.

    Parameters
    ----------
    session
        A ``SparkSession`` (classic or Spark Connect, 4.0 or later), or the address of a server
        that speaks Spark Connect, such as ``"sc://localhost:50051"``.
    memory
        How much may be held in arrays by this process, and by a worker for its part.
    folder
        Where what was found is written to and read again, as Parquet: a folder or an address that
        the session and its workers reach, which cuts what they must remember of where it came
        from. None for a temporary folder of this machine.

    Attributes
    ----------
    session
        The session; of one graph at a time.

    Raises
    ------
    NotInstalledError
        For an address without a client (``pip install 'ecsviz[spark]'``).
    EngineError
        If nobody answers there.

    Notes
    -----
    Folders of graphs must be where the session reads them. Workers that solve cycles and orders
    need ecsviz, too. Views of the names ``nodes``, ``edges``, of the classes and with ``ecs_``
    are made in the session, and taken away by `close`.

    Examples
    --------
    >>> SparkEngine("localhost")
    Traceback (most recent call last):
    ...
    ecsviz.errors.InvalidArgumentError: session is 'localhost'. Give a SparkSession, or an ...
    """

    def __init__(
        self,
        session: Any,
        *,
        memory: str | int = DEFAULT_MEMORY,
        folder: str | Path | None = None,
    ) -> None:
        self.memory = bytes_of(memory)
        if not is_session(session) and not is_address(session):
            raise InvalidArgumentError(
                f"session is {short_repr(session)}. Give a SparkSession, or an address such as"
                " 'sc://localhost:50051'.",
                argument="session",
                value=session,
            )
        self._arrow = need("pyarrow", extra="spark", what="SparkEngine")
        self._parquet = need("pyarrow.parquet", extra="spark", what="SparkEngine")
        self._address = _server(session) if isinstance(session, str) else "session"
        self._started = _session_at(session) if isinstance(session, str) else None
        self.session: Any = self._started or session
        self._made = None if folder is not None else tempfile.mkdtemp(prefix="ecsviz-")
        self._folder = str(folder) if self._made is None else self._made
        self._here: bool | None = None
        self._numbers = itertools.count()
        self._views: dict[str, str | None] = {}
        self._turn = threading.RLock()

    def __repr__(self) -> str:
        return f"SparkEngine({self._address}, {self.memory / 1e9:.3g} GB)"

    @property
    def streams(self) -> bool:
        """Whether files that the session writes are here, too: much quicker than answers are."""
        if self._here is None:
            place = self._place("probe")
            with self._turn, self._told():
                _written(self.session.createDataFrame([(1,)], "one INT"), place)
            self._here = any(Path(place).glob("*.parquet"))
            _remove(place)
        return self._here

    @property
    def room(self) -> int:
        """How many bytes arrays may take: all of the memory, since the session has its own."""
        return self.memory

    def lend(self, size: int) -> contextlib.AbstractContextManager[None]:  # noqa: ARG002
        """Do nothing: what the session holds is not of this memory."""
        return contextlib.nullcontext()

    def read(self, name: str, files: Sequence[str]) -> None:
        """Let a name stand for the rows of files of Parquet, or of CSV."""
        with self._turn, self._told():
            reader = self.session.read
            if files[0].lower().endswith((".csv", ".tsv")):
                tab = {"sep": "\t"} if files[0].lower().endswith(".tsv") else {}
                found = reader.options(header=True, inferSchema=False, **tab).csv(list(files))
            else:
                found = reader.parquet(*files)
            self._see(name, found)

    def put(self, name: str, sql: str) -> None:
        """Keep the rows of a query under a name: as Parquet, which is read again."""
        self._keep(name, lambda place: _written(self.session.sql(sql), place))

    def view(self, name: str, sql: str) -> None:
        """Let a name stand for a query."""
        with self._turn, self._told():
            self._see(name, self.session.sql(sql))

    def give(self, name: str, columns: Mapping[str, Any]) -> None:
        """Keep columns of this process, which are arrays, under a name."""
        table = self._arrow.table(dict(columns))

        def write(place: str) -> Any:
            columns = _columns(table.schema)
            if self.streams:
                Path(place).mkdir()
                with Path(place, "part-0.parquet").open("wb") as file:
                    self._parquet.write_table(table, file)
                return columns
            if not table.num_rows:
                return _written(self.session.createDataFrame([], columns), place)
            for start in range(0, table.num_rows, CHUNK):
                part = self.session.createDataFrame(table.slice(start, CHUNK))
                _written(part, place, "append")
            return columns

        self._keep(name, write)

    def rows(self, sql: str) -> Any:
        """Return the rows of a query as a ``pyarrow.Table``."""
        with self._turn, self._told():
            return self.session.sql(sql).toArrow()

    def batches(self, sql: str, rows: int) -> Iterator[Any]:
        """Yield the rows of a query as record batches: out of files, where they can be read."""
        if not self.streams:
            yield from self.rows(sql).combine_chunks().to_batches(rows)
            return
        place = self._place("batches")
        try:
            with self._turn, self._told():
                _written(self.session.sql(sql), place)
            for path in sorted(Path(place).glob("*.parquet")):
                with path.open("rb") as file:
                    yield from self._parquet.ParquetFile(file).iter_batches(rows)
        finally:
            _remove(place)

    def per_bucket(self, name: str, sql: str, solve: Solve, schema: Any) -> None:
        """Keep under a name what a function makes of the rows of each ``bucket``, on workers."""

        def write(place: str) -> Any:
            rows = self.session.sql(sql).groupBy("bucket")
            return _written(rows.applyInArrow(solve, _columns(schema)), place)

        self._keep(name, write)

    def relation(self, sql: str) -> Any:
        """Return a query as a ``DataFrame`` of Spark."""
        with self._turn, self._told():
            found = self.session.sql(sql)
            found.schema  # noqa: B018 - of Connect nothing is asked before
            return found

    def text(self, value: str) -> str:
        """Return a text as SQL has it."""
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def name(self, value: str) -> str:
        """Return the name of a table or a column as SQL has it, in quotes."""
        return "`" + value.replace("`", "``") + "`"

    def drop(self, name: str) -> None:
        """Forget a table, if it is there."""
        with self._turn, self._told():
            if name in self._views:
                self.session.catalog.dropTempView(name.strip("`").replace("``", "`"))
                _remove(self._views.pop(name))

    def close(self) -> None:
        """Take away the views and what was written; end the session, if it was begun here."""
        with self._turn:
            for name in list(self._views):
                with contextlib.suppress(EngineError):
                    self.drop(name)
            if self._made is not None:
                shutil.rmtree(self._made, ignore_errors=True)
            if self._started is not None:
                self._started.stop()

    def _see(self, name: str, frame: Any, place: str | None = None) -> None:
        frame.createOrReplaceTempView(name.strip("`").replace("``", "`"))
        _remove(self._views.get(name))
        self._views[name] = place

    def _keep(self, name: str, write: Any) -> None:
        with self._turn, self._told():
            place = self._place(name)
            schema = write(place)
            self._see(name, self.session.read.schema(schema).parquet(place), place)

    def _place(self, name: str) -> str:
        return f"{self._folder.rstrip('/')}/{name}-{next(self._numbers)}"

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        errors = need("pyspark.errors", extra="spark", what="SparkEngine")
        try:
            yield
        except errors.PySparkException as err:
            raise EngineError(told_by("Spark", err)) from err


def is_session(value: Any) -> bool:
    """Tell whether something is a session of Spark, without importing it."""
    return any(
        each.__name__ == "SparkSession" and each.__module__.startswith("pyspark.")
        for each in type(value).__mro__
    )


def is_address(value: Any) -> bool:
    """Tell whether something is the address of a server that speaks Spark Connect.

    Examples
    --------
    >>> is_address("sc://localhost:50051"), is_address("chats.db")
    (True, False)
    """
    return isinstance(value, str) and value.startswith("sc://")


def _server(address: str) -> str:
    """Return an address without what stands behind the port, which may be a token."""
    return "sc://" + address.removeprefix("sc://").partition("/")[0]


def _session_at(address: str) -> Any:
    """Return a session of a server."""
    for each in ("pyspark", "grpc", "grpc_status", "zstandard"):
        need(each, extra="spark", what="SparkEngine")
    host, _, port = _server(address).removeprefix("sc://").partition(":")
    try:
        # A client of Spark would try again for minutes.
        socket.create_connection((host, int(port or 15_002)), ANSWER).close()
    except (OSError, ValueError) as err:
        raise EngineError(f"Nobody answers at {_server(address)}: {err}.") from err
    try:
        connect = need("pyspark.sql.connect.session", extra="spark", what="SparkEngine")
        made = connect.SparkSession.builder.remote(address).create()
        made.version  # noqa: B018 - which asks the server
    except Exception as err:  # of grpc and of pyspark, which have no common class
        raise EngineError(told_by("Spark", err)) from err
    return made


def _columns(schema: Any) -> str:
    """Return a schema of Arrow as Spark writes it."""
    return ", ".join(f"{each.name} {_TYPES[str(each.type)]}" for each in schema)


def _written(frame: Any, place: str, mode: str = "error") -> Any:
    """Write rows as Parquet; return their schema, which files without rows may not tell."""
    frame.write.mode(mode).parquet(place, compression="lz4")  # half the time of Sail's own choice
    return frame.schema


def _remove(place: str | None) -> None:
    if place is not None and Path(place).is_dir():
        shutil.rmtree(place, ignore_errors=True)
