"""Measuring contenders in turns: A B C A B C …, so that a busy minute hits them all alike."""

from __future__ import annotations

import cProfile
import gc
import pstats
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa

T = TypeVar("T")
Contender = Callable[[ExitStack], Callable[[], object]]
"""Gets ready, which is not measured, and returns the work that is. What it opens, it hands to the
stack, which closes it after the work."""


class Seconds(float):
    """What a work measured itself, as where a new process has to start first."""


@dataclass
class Measured:
    """What the contenders of one race took: seconds per round, none for who is not there."""

    title: str
    limit: str
    """The contender that the others are compared with."""
    seconds: dict[str, list[float]]
    notes: list[str] = field(default_factory=list)
    cpu: dict[str, list[float]] = field(default_factory=dict)
    """Processor seconds of this process per round: steadier where the machine is shared, but
    blind to discs, servers and new processes. Goals are judged by the clock on the wall."""

    def median(self, name: str, clock: str = "seconds") -> float | None:
        taken = getattr(self, clock).get(name)
        return statistics.median(taken) if taken else None

    def ratio(self, name: str, other: str, clock: str = "seconds") -> float | None:
        """Return how many times as long `name` took: the median of the ratios of the rounds."""
        above, below = (getattr(self, clock).get(each) for each in (name, other))
        if not above or not below or not all(below):
            return None
        return statistics.median(a / b for a, b in zip(above, below, strict=True))

    def at_most(self, number: int, bound: float, name: str, to: str, text: str = "") -> Goal:
        """Return the goal that `name` takes at most so many times as long as another."""
        return Goal(number, text or f"{name}, to {to}", bound, self.ratio(name, to))

    def faster(self, number: int, bound: float, name: str, than: str, text: str = "") -> Goal:
        """Return the goal that `name` is at least so many times as fast as another."""
        text = text or f"{name} faster than {than}"
        return Goal(number, text, bound, self.ratio(than, name), at_least=True)


@dataclass
class Goal:
    """One sentence of what is asked, and what was found."""

    number: int
    text: str
    bound: float
    found: float | None
    unit: str = "×"
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it is met; None where it could not be measured, which is no pass."""
        if self.found is None:
            return None
        return self.found >= self.bound if self.at_least else self.found <= self.bound


@dataclass
class Section:
    """What one part of the suite found."""

    races: list[Measured] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass
class Table:
    """Figures that are no race: bytes, peaks, growth."""

    title: str
    columns: list[str]
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    """The same as data, for JSON."""


def given(ready: Callable[[ExitStack], T], work: Callable[[T], object]) -> Contender:
    """Return the contender whose work takes what is made ready."""
    return lambda stack: partial(work, ready(stack))


def rounds(
    title: str,
    contenders: Mapping[str, Contender | None],
    repeats: int,
    *,
    limit: str,
    notes: list[str] | None = None,
) -> Measured:
    """Let every contender work once a round, for so many rounds."""
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    cpu: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, contender in contenders.items():
            if contender is None:
                continue
            with ExitStack() as stack:
                wall, processor, result = timed(contender(stack))
            if isinstance(result, Seconds):
                seconds[name].append(float(result))
            else:
                seconds[name].append(wall)
                cpu[name].append(processor)
            del result
    return Measured(title, limit, seconds, notes or [], cpu)


def timed(work: Callable[[], Any]) -> tuple[float, float, Any]:
    """Return seconds on the wall, of this process' processor, and what the work returned."""
    gc.collect()
    cpu, start = time.process_time(), time.perf_counter()
    result = work()
    return time.perf_counter() - start, time.process_time() - cpu, result


def profiled(title: str, contender: Contender, *, apart: str = "", lines: int = 9) -> Table:
    """Let a contender work once more under cProfile; return where the time goes.

    What Python's own functions take counts for those that call them, but for the one whose name
    has `apart` in it.
    """
    profile = cProfile.Profile()
    with ExitStack() as stack:
        work = contender(stack)
        gc.collect()
        result = profile.runcall(work)
        del result
    taken: Counter[str] = Counter()
    stats: dict[Any, Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]  # untyped
    for (file, _, function), (_, _, own, _, callers) in stats.items():
        if apart and apart in function:
            taken[f"`{apart}`"] += own
        elif callers and (file == "~" or function.startswith("<")):
            for (caller, _, name), (_, _, share, _) in callers.items():
                taken[name_of(caller, name)] += share
        else:
            taken[name_of(file, function)] += own
    whole, shown = sum(taken.values()), taken.most_common(lines)
    records = [{"function": name, "share": seconds / whole} for name, seconds in shown]
    others = 1 - sum(record["share"] for record in records)
    records.append({"function": f"{len(taken) - len(shown):,} others", "share": others})
    rows = [[record["function"], f"{100 * record['share']:.0f}"] for record in records]
    note = (
        "By cProfile, which makes small functions look dearer than they are; what Python's own"
        " functions take counts for those that call them. `contextlib.__exit__` is where Python's"
        " collector, held off before, looks at all that was made."
    )
    return Table(title, ["function", "% of the time"], rows, [note], records)


@contextmanager
def counted() -> Iterator[list[str]]:
    """Collect the statements that SQLAlchemy sends, whatever the engine."""
    sent: list[str] = []

    def note(*given: Any) -> None:
        sent.append(given[2])

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def name_of(file: str, function: str) -> str:
    path = Path(file)
    module = path.parent.name if path.stem == "__init__" else path.stem
    return "Python" if file == "~" else f"`{module}.{function}`"
