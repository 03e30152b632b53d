"""The main job on real chats: done, measured and proved."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import sysconfig
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

import ecsviz
from ecsviz import ChatMessage, ChatThread, EntityDependencyGraph, SQLAlchemyEntityStorage
from ecsviz.basics.text import counted
from ecsviz.domain.isomorphic import find_difference
from ecsviz.errors import EcsvizError
from ecsviz.importers import read_chat
from ecsviz.importers.samples import sample_file

STORE = "tour.db"


class DemoError(EcsvizError, RuntimeError):
    """The demo cannot be run, or what it shows is not as it should be."""


@dataclass(slots=True)
class Report:
    """What the demo found, all of it counted.

    Attributes
    ----------
    source
        The name of the file.
    threads, messages, branches, entities, references
        How many. A branch is a way from a first message to one that nothing answers.
    cyclic_components, largest_component
        Strongly connected components that hold a cycle; entities in the largest.
    cycles, all_cycles
        Elementary cycles that were listed, and whether these are all.
    generations
        Of the topological order.
    closing
        References that close cycles, by the graph.
    deferred
        References that the save plan writes after both ends exist.
    rows, statements
        What saving took: rows of entities, and SQL statements, those that make tables included.
    rows_again
        Rows written when the same graph was registered a second time.
    difference
        None if the graph that a new process read equals the one saved; else the first place
        where they differ.
    problems
        What the file has that could not be placed.
    seconds
        Per step.
    chats
        The threads themselves.
    """

    source: str
    threads: int = 0
    messages: int = 0
    branches: int = 0
    entities: int = 0
    references: int = 0
    cyclic_components: int = 0
    largest_component: int = 0
    cycles: int = 0
    all_cycles: bool = True
    generations: int = 0
    closing: int = 0
    deferred: int = 0
    rows: int = 0
    statements: int = 0
    rows_again: int = 0
    difference: str | None = None
    problems: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    chats: list[ChatThread] = field(default_factory=list, repr=False)

    @property
    def equal(self) -> bool:
        """Whether the reloaded graph is the one that was saved."""
        return self.difference is None

    def to_dict(self) -> dict[str, Any]:
        """Return all figures as plain data, for JSON."""
        return {
            "ecsviz": ecsviz.__version__,
            **{name: getattr(self, name) for name in self.__dataclass_fields__ if name != "chats"},
        }

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        many = "" if self.all_cycles else "; there are more"
        rows = [
            ("threads", self.threads, ""),
            ("messages", self.messages, f"in {counted(self.branches, 'branch')}"),
            ("entities", self.entities, "threads and messages"),
            ("references", self.references, "places where one holds another"),
            (
                "components with a cycle",
                self.cyclic_components,
                f"the largest of {counted(self.largest_component, 'entity')}",
            ),
            ("cycles", self.cycles, f"listed, shortest first{many}"),
            ("generations", self.generations, "of the topological order"),
            ("references closing cycles", self.closing, "among the entities"),
            ("deferred references", self.deferred, "in the save plan, which stores pairs once"),
            ("rows saved", self.rows, f"in {counted(self.statements, 'statement')}, 1 transaction"),
            ("rows saved again", self.rows_again, "registered a second time, unchanged"),
        ]
        told = "equal" if self.equal else f"NOT EQUAL at {self.place}"
        steps = ", ".join(f"{name} {seconds:.2f}" for name, seconds in self.seconds.items())
        return [
            f"ecsviz {ecsviz.__version__}: {self.source}",
            "",
            *(f"  {name:<26}{count:>9,}  {note}".rstrip() for name, count, note in rows),
            f"  reloaded in a new process: {told}",
            "",
            f"  seconds: {steps}",
            *_problem_lines(self.problems),
        ]

    @property
    def place(self) -> str:
        """Where the reloaded graph differs first, without the values that stand there."""
        return (self.difference or "").partition(": ")[0]


def _problem_lines(problems: list[str]) -> list[str]:
    if not problems:
        return []
    more = [f"    … {len(problems) - 5:,} more"] if len(problems) > 5 else []
    head = f"  could not be placed as the file has it ({len(problems):,}):"
    return ["", head, *(f"    {problem}" for problem in problems[:5]), *more]


class _Steps:
    """Measures the steps of a run, and shows which one is on where that takes long."""

    def __init__(self, seconds: dict[str, float], names: list[str], progress: bool) -> None:
        from tqdm import tqdm

        self.seconds = seconds
        self.bar = tqdm(total=len(names), leave=False, disable=not progress, unit="step")
        self.names = iter(names)

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        name = next(self.names)
        self.bar.set_description(name)
        start = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - start
        self.bar.update()


STEPS = ["read", "graph", "cycles", "plan", "save", "save again", "reload", "compare", "frames"]


def measure(source: str | os.PathLike[str] | None = None, *, progress: bool = False) -> Report:
    """Do the whole job with the chats of a file, in a temporary folder, and count.

    Parameters
    ----------
    source
        A file that `read_chat` reads; None for the chats that ship with the package.
    progress
        Whether to show a progress bar if it takes long.

    Returns
    -------
    Report
        All of its figures, and whether a new process read the same graph.

    Raises
    ------
    EcsvizError
        If the file cannot be read or stored.
    DemoError
        If it holds no chats.

    Examples
    --------
    >>> from ecsviz.cli.demo import measure
    >>> report = measure()
    >>> report.threads, report.messages, report.equal
    (6, 98, True)
    """
    path = sample_file("chats") if source is None else Path(source)
    report = Report(path.name)
    steps = _Steps(report.seconds, STEPS, progress)
    with contextlib.closing(steps.bar), TemporaryDirectory(prefix="ecsviz-") as folder:
        with steps.step():
            threads = _read(path, report, progress)
        _look(threads, report, steps)
        _save(threads, Path(folder) / STORE, report, steps)
    return report


def _read(path: Path, report: Report, progress: bool) -> list[ChatThread]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the problems stand in the report
        threads = read_chat(path, progress=None if progress else False)
    if not threads:
        raise DemoError(
            f"{path.name} holds no chat thread, so there is nothing to show. Give another file,"
            " or none for the chats that ship with ecsviz.",
            source=path.name,
        )
    report.chats = threads
    report.problems = [str(problem) for problem in threads.problems]
    report.threads = len(threads)
    report.messages = sum(len(thread.messages) for thread in threads)
    report.branches = sum(len(thread.leaves()) for thread in threads)
    return threads


def _look(threads: list[ChatThread], report: Report, steps: _Steps) -> None:
    with steps.step():
        graph = EntityDependencyGraph(threads)
        components = graph.cyclic_components()
        report.entities, report.references = len(graph), len(graph.references)
        report.cyclic_components = len(components)
        report.largest_component = max(map(len, components), default=0)
        report.generations = len(graph.generations())
        report.closing = len(graph.deferred)
    with steps.step():
        cycles = graph.get_cycles()
        report.cycles, report.all_cycles = len(cycles), cycles.complete


def _save(threads: list[ChatThread], path: Path, report: Report, steps: _Steps) -> None:
    # Closed, so that the file can be removed, on Windows too.
    with SQLAlchemyEntityStorage(path) as store:
        with steps.step():
            report.deferred = len(store.explain(threads).deferred)
        with steps.step(), statements_of(store) as statements:
            store.register(threads)
        report.statements = len(statements)
        with steps.step(), statements_of(store) as statements:
            store.register(threads)
        report.rows_again = sum(rows for _, rows in statements)
        ids = [str(thread.ecs_id) for thread in threads]
        with steps.step():
            again = reload_in_new_process(path, ids)
        with steps.step():
            report.difference = find_difference(threads, again)
        with steps.step():
            report.rows = len(store.frame(ChatThread)) + len(store.frame(ChatMessage))


@contextlib.contextmanager
def statements_of(store: SQLAlchemyEntityStorage) -> Iterator[list[tuple[str, int]]]:
    """Collect the SQL statements that run meanwhile, and how many rows each writes."""
    found: list[tuple[str, int]] = []

    def note(*event: Any) -> None:
        _, _, statement, parameters, _, many = event
        writes = statement.lstrip()[:6].upper() in {"INSERT", "UPDATE", "DELETE"}
        found.append((statement, (len(parameters) if many else 1) if writes else 0))

    sa.event.listen(store.engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        sa.event.remove(store.engine, "before_cursor_execute", note)


RELOAD = """
import json, pickle, sys
import ecsviz as ev

store = ev.SQLAlchemyEntityStorage(sys.argv[1])
threads = store.get_many(json.load(sys.stdin))
pickle.dump(threads, sys.stdout.buffer)
"""


def reload_in_new_process(path: str | os.PathLike[str], ids: list[str]) -> list[Any]:
    """Return the entities that another Python, which knows nothing of this one, reads.

    Parameters
    ----------
    path
        The store.
    ids
        Which entities.

    Raises
    ------
    DemoError
        If that process fails.
    """
    done = subprocess.run(  # noqa: S603 - this Python, and our own code
        [sys.executable, "-c", RELOAD, os.fspath(path)],
        input=json.dumps(ids).encode(),
        capture_output=True,
        env=environment(),
        check=False,
    )
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise DemoError(
            f"The new process could not read the store: {last}", returncode=done.returncode
        )
    found: list[Any] = pickle.loads(done.stdout)  # noqa: S301 - written by our own code above
    return found


def environment(**more: str) -> dict[str, str]:
    """Return the environment for processes that must find this very ecsviz."""
    found = {**os.environ, **more}
    home = str(Path(ecsviz.__file__).parents[1])
    # Only where it is not installed: PYTHONPATH goes before the standard library.
    if home not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        paths = [home, *filter(None, [found.get("PYTHONPATH")])]
        found["PYTHONPATH"] = os.pathsep.join(paths)
    return found
