"""Several processes save the same, others read: no step is lost, and each that is read is whole."""

from __future__ import annotations

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import ecsviz as ev
from ecsviz.errors import StaleVersionError, StorageBusyError
from tests.campaign import ledger
from tests.campaign.tally import Tally

WRITERS, READERS = 4, 2
LONGEST = 480.0


@contextlib.contextmanager
def _opened_anew(target: str) -> Iterator[None]:
    """Let another thread open the store again and again: that must not end the locks of a save."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(0.02):
            ev.SQLAlchemyEntityStorage(target).close()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def write(target: str, options: dict[str, Any], steps: int, broken: bool, conn: Any) -> None:
    """Take steps, each anew until it is saved; send how many are."""
    done = 0
    with (
        ev.SQLAlchemyEntityStorage(target, timeout=60, **options) as store,
        _opened_anew(target),
    ):
        while done < steps:
            found = store.get(ledger.LEDGER)
            ledger.go_on(found)
            try:
                store.register(found)
            except (StaleVersionError, StorageBusyError):
                if not broken:
                    continue
            done += 1
    conn.send(("saved", done))


def read(target: str, options: dict[str, Any], lazy: bool, conn: Any) -> None:
    """Read until told to end; send what is not whole, or goes back."""
    wrong, last, seen = [], 0, 0
    with ev.SQLAlchemyEntityStorage(target, timeout=60, **options) as store:
        while not conn.poll() and not wrong:
            try:
                found = store.get(ledger.LEDGER, lazy=lazy)
                now = ledger.step_of(found)
            except ledger.NotWholeError as error:
                wrong.append(str(error)[:300])
                break
            if now < last:
                wrong.append(f"step {now} after {last}")
            last, seen = now, seen + 1
    conn.send(("read", seen, wrong))


def _meet(
    target: str, options: dict[str, Any], steps: int, broken: bool, what: str, found: Tally
) -> int | None:
    """Let processes write and read; return how many steps they say are saved."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaign.writers", "ecsviz.storage.relational.store"])
    started = []
    for number in range(WRITERS + READERS):
        mine, theirs = context.Pipe()
        if number < WRITERS:
            given: tuple[Any, ...] = (write, (target, options, steps, broken, theirs))
        else:
            given = (read, (target, options, number % 2 == 0, theirs))
        process = context.Process(target=given[0], args=given[1], daemon=True)
        process.start()
        theirs.close()
        started.append((process, mine))
    end, saved = time.monotonic() + LONGEST, 0
    try:
        for number, (_, conn) in enumerate(started):
            if number >= WRITERS:
                with contextlib.suppress(OSError):  # it has found something, and ended
                    conn.send("end")
            if not conn.poll(max(0.0, end - time.monotonic())):
                found.hung.append(what)
                return None
            told = conn.recv()
            if told[0] == "saved":
                saved += told[1]
            else:
                found.tried += told[1]
                found.partial += [f"{what}: {line}" for line in told[2]]
    except (EOFError, OSError):
        found.partial.append(f"{what}: a process has ended with an error")
    finally:
        for process, conn in started:
            process.kill()
            process.join()
            conn.close()
    return saved


def run(
    seed: int, folder: Path, *, steps: int = 100, broken: bool = False, url: str | None = None
) -> Tally:
    """Let writers and readers meet in one store.

    Parameters
    ----------
    steps
        How many each writer takes.
    broken
        A save that was refused counts as done.
    url
        A database of PostgreSQL; else it is a file of SQLite.
    """
    chance, found = Random(seed), Tally(tried=WRITERS * steps)
    target, options = ledger.target_of(chance, folder / f"writers_{seed}.db", url)
    what = f"seed {seed}, {options}"
    with ev.SQLAlchemyEntityStorage(target, **options) as store:
        store.register(ledger.opened())
    saved = _meet(target, options, steps, broken, what, found)
    if saved is None:
        return found
    try:
        now = ledger.step_in(target, **options)
    except ledger.NotWholeError as error:
        found.partial.append(f"{what}: {error}"[:300])
    else:
        if now != saved:
            found.lost.append(f"{what}: {saved} steps were told, {now} are there")
    return found
