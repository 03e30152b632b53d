"""Which engine answers: what ``engine=`` may be."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Final

from ecsviz.errors import InvalidArgumentError, short_repr
from ecsviz.storage.scale.engines import DEFAULT_MEMORY, DuckDBEngine, Engine
from ecsviz.storage.scale.spark_engine import SparkEngine, is_address, is_session

_asking: Final[weakref.WeakKeyDictionary[Any, Callable[[], Any]]] = weakref.WeakKeyDictionary()
"""Who asks an engine, or a session of Spark: a second graph's tables would be of the same names."""


def engine_of(engine: Any, memory: str | int = DEFAULT_MEMORY) -> tuple[Engine, Callable[[], None]]:
    """Return an engine, and what closes it if it was made here.

    Parameters
    ----------
    engine
        None for DuckDB; a session of Spark, or the address of a server of Spark Connect; or an
        engine.
    memory
        Of an engine that is made here.
    """
    made: Engine
    asking = None
    if is_session(engine) or isinstance(engine, Engine):
        asking = _asking.get(getattr(engine, "session", engine))
    if asking is not None and (graph := asking()) is not None:
        raise InvalidArgumentError(
            f"{short_repr(engine)} answers for {graph!r}. Close that graph first, or give each"
            " graph an engine of its own.",
            argument="engine",
            value=engine,
        )
    if engine is None:
        made = DuckDBEngine(memory)
    elif is_session(engine) or is_address(engine):
        made = SparkEngine(engine, memory=memory)
    elif isinstance(engine, Engine):
        return engine, lambda: None
    else:
        raise InvalidArgumentError(
            f"engine is {short_repr(engine)}. Leave it out for DuckDB, or give a SparkSession, the"
            " address of a server (sc://localhost:50051), a DuckDBEngine or a SparkEngine.",
            argument="engine",
            value=engine,
        )
    return made, made.close


def ask(engine: Any, graph: Any) -> None:
    """Note that a graph asks an engine from now on, until `leave`."""
    _asking[getattr(engine, "session", engine)] = weakref.ref(graph)


def leave(engine: Any) -> None:
    """Note that nobody asks an engine any more."""
    _asking.pop(getattr(engine, "session", engine), None)
