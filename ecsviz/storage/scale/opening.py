"""Opening a graph: of a folder, or of a store, which is written into a folder first."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ecsviz.basics.arguments import flag
from ecsviz.basics.files import local_folder
from ecsviz.storage.scale.choosing import engine_of
from ecsviz.storage.scale.engines import DEFAULT_MEMORY
from ecsviz.storage.scale.lazy_graph import LazyGraph
from ecsviz.storage.scale.tables import Tables

if TYPE_CHECKING:
    from ecsviz.storage.relational.store_frames import StoreFrames


def scan_graph(
    folder_or_store: str | os.PathLike[str] | StoreFrames,
    engine: Any = None,
    *,
    memory: str | int = DEFAULT_MEMORY,
    check: bool = False,
) -> LazyGraph:
    """Return the graph of a folder that ``store.to_parquet`` wrote, without reading it.

    Parameters
    ----------
    folder_or_store
        The folder; or a store, which is written into a temporary one first.
    engine
        Who answers: None for DuckDB in this process; a ``SparkSession``, or the address of a
        server that speaks Spark Connect (``"sc://localhost:50051"``); or a `DuckDBEngine` or a
        `SparkEngine`, which say more.
    memory
        How much this process may take to answer: ``"2GB"`` by default, of libraries, DuckDB and
        arrays together. What is more is spilled to disk. Of Spark only what is held here, and by
        a worker for its part.
    check
        True reads every file first, and holds it against the digest that ``graph.json`` notes.
        Else only sizes and counts are compared.

    Returns
    -------
    LazyGraph
        Close it, or use it in a ``with`` statement.

    Raises
    ------
    NotInstalledError
        Without DuckDB and pyarrow (``pip install 'ecsviz[scale]'``), or without a client of Spark
        (``pip install 'ecsviz[spark]'``).
    ImportFormatError
        If it is no such folder, or files are missing or damaged; with `check` also if it was
        written before there were digests.

    Examples
    --------
    >>> import ecsviz as ev
    >>> store = ev.SQLAlchemyEntityStorage(":memory:")
    >>> _ = store.register(ev.sample("thread"))
    >>> with ev.scan_graph(store) as graph:
    ...     graph.counts()
              type  nodes  references
    0  ChatMessage     18          52
    1   ChatThread      1          18
    """
    check = flag(check, "check")
    used, close = engine_of(engine, memory)
    made: Path | None = None
    if hasattr(folder_or_store, "to_parquet"):
        made = Path(tempfile.mkdtemp(prefix="ecsviz-"))

    def end() -> None:
        close()
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)

    def tables() -> Tables:
        if made is None:
            folder = local_folder(folder_or_store, "folder_or_store")
        else:
            folder = folder_or_store.to_parquet(made / "graph")  # type: ignore[union-attr]  # it has
        found = Tables.of_folder(used, folder, check=check)
        if check:
            found.file.check_digested(folder)
        return found

    return LazyGraph.opened(tables, end)
