"""Two at a time, step by step, in every order: the end is that of one after the other.

As PostgreSQL's isolation tester does it: each has a thread and a store of its own and is told when
to take its next step. Who waits for the other is passed over, and goes on when it may.
"""

from __future__ import annotations

import itertools
import queue
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import ecsviz as ev
from ecsviz.errors import InvalidArgumentError, StaleVersionError, StorageBusyError
from tests.campaign import ledger
from tests.campaign.tally import Tally

WAITS = 0.1
"""Seconds after which somebody is taken to wait for the other."""
LONGEST = 60.0

Steps = Iterator[int]
"""Takes a step at each `next`; yields 1 when a step of the ledger is saved."""


def saves(store: Any) -> Steps:
    """Read, then save in the same transaction."""
    with store.transaction():
        yield 0
        found = store.get(ledger.LEDGER)
        yield 0
        ledger.go_on(found)
        store.register(found)
        yield 0
    yield 1


def saves_at_once(store: Any) -> Steps:
    """Read, then save by itself."""
    found = store.get(ledger.LEDGER)
    yield 0
    ledger.go_on(found)
    yield 0
    store.register(found)
    yield 1


def gives_up(store: Any) -> Steps:
    """Save in a transaction that is taken back."""
    found = store.get(ledger.LEDGER)
    try:
        with store.transaction():
            ledger.go_on(found)
            store.register(found)
            yield 0
            raise KeyError
    except KeyError:
        yield 0


def reads(store: Any) -> Steps:
    """Read twice in a transaction: the same."""
    with store.transaction():
        before = ledger.step_of(store.get(ledger.LEDGER))
        yield 0
        if ledger.step_of(store.get(ledger.LEDGER)) != before:
            raise ledger.NotWholeError(f"step {before} is another within one transaction")
        yield 0
    yield 0


def reads_lazily(store: Any) -> Steps:
    """Read a part, and the rest when others have saved."""
    found = store.get(ledger.LEDGER, lazy=True)
    yield 0
    before = found.step
    yield 0
    try:
        if ledger.step_of(found) != before:
            raise ledger.NotWholeError(f"step {before} is another when it is touched")
    except InvalidArgumentError:  # that past was pruned, and it says so
        pass
    yield 0


def prunes(store: Any) -> Steps:
    """Forget the past."""
    store.prune()
    yield 0


def migrates(store: Any) -> Steps:
    """Fit the tables to the classes, which they do."""
    store.migrate()
    yield 0
    store.index_text(ledger.Entry, "text")
    yield 0


SESSIONS: list[tuple[Callable[[Any], Steps], int]] = [
    (saves, 5),
    (saves_at_once, 4),
    (gives_up, 3),
    (reads, 4),
    (reads_lazily, 4),
    (prunes, 2),
    (migrates, 3),
]
"""What there is, and how many times it is told to go on until it has ended."""


class Session:
    """A thread with a store that takes its steps when it is told."""

    def __init__(self, steps: Callable[[Any], Steps], target: str, options: Any) -> None:
        self.saved, self.wrong = 0, ""
        self._told: queue.SimpleQueue[threading.Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=self._run, args=(steps, target, options), daemon=True
        )
        self._thread.start()

    def go_on(self) -> None:
        """Let it take a step, and wait for that as long as it does not wait itself."""
        done = threading.Event()
        self._told.put(done)
        done.wait(WAITS)

    def ended(self) -> bool:
        """Let it end; tell whether it does."""
        self._told.put(None)
        self._thread.join(LONGEST)
        return not self._thread.is_alive()

    def _run(self, steps: Callable[[Any], Steps], target: str, options: Any) -> None:
        try:
            with ev.SQLAlchemyEntityStorage(target, timeout=10, **options) as store:
                taken = steps(store)
                while (done := self._told.get()) is not None:
                    try:
                        self.saved += next(taken, 0)
                    finally:
                        done.set()
        except (StaleVersionError, StorageBusyError) as error:
            self.wrong = type(error).__name__
        except Exception as error:  # noqa: BLE001  # what is looked for
            self.wrong = f"{type(error).__name__}: {error}"


def run(
    seed: int, folder: Path, *, times: int = 12, broken: bool = False, url: str | None = None
) -> Tally:
    """Let two sessions meet, in orders by chance.

    Parameters
    ----------
    times
        How many pairs and orders.
    broken
        A save that was refused counts as done.
    url
        A database of PostgreSQL; else it is a file of SQLite.
    """
    chance, found = Random(seed), Tally()
    target, options = ledger.target_of(chance, folder / f"isolation_{seed}.db", url)
    with ev.SQLAlchemyEntityStorage(target, **options) as store:
        store.register(ledger.opened())
    now = 0
    for number in range(times):
        pair = [(saves_at_once, 4)] * 2 if broken else chance.choices(SESSIONS, k=2)
        order = chance.choice(orders(*(count for _, count in pair)))
        what = f"seed {seed}, number {number}, {[steps.__name__ for steps, _ in pair]} {order}"
        found.tried += 1
        sessions = [Session(steps, target, options) for steps, _ in pair]
        for which in order:
            sessions[int(which)].go_on()
        ended = [session.ended() for session in sessions]
        if not all(ended):
            found.hung.append(what)
            return found
        for session, (steps, _) in zip(sessions, pair, strict=True):
            if ":" in session.wrong:
                found.partial.append(f"{what}: {session.wrong}"[:400])
            now += session.saved or (1 if broken and steps is saves_at_once else 0)
        try:
            there = ledger.step_in(target, **options)
        except ledger.NotWholeError as error:
            found.partial.append(f"{what}: {error}"[:400])
            return found
        if there != now:
            found.lost.append(f"{what}: {now} steps were told, {there} are there")
            return found
    return found


def orders(one: int, other: int) -> list[str]:
    """Return every order of the steps of two.

    Examples
    --------
    >>> orders(2, 1)
    ['001', '010', '100']
    """
    every = range(one + other)
    places = itertools.combinations(every, one)
    return ["".join("0" if n in chosen else "1" for n in every) for chosen in map(set, places)]
