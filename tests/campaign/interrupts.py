"""Ctrl-C at any moment of a call: nothing is locked, and versions in memory say what is stored."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import ecsviz as ev
from ecsviz.errors import EcsvizError
from tests.campaign import ledger
from tests.campaign.tally import Tally


def interrupted(call: Callable[[], Any], after: float) -> bool:
    """Call something with SIGINT after some seconds, if it takes as long; tell whether it ended so.

    The main thread alone gets signals: call it there.
    """
    inside = True

    def alarm(*_: Any) -> None:
        if inside:
            signal.raise_signal(signal.SIGINT)

    was = signal.signal(signal.SIGALRM, alarm)
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        call()
        inside = False
    except KeyboardInterrupt:
        return True
    finally:
        inside = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGALRM, was)
    return False


def run(
    seed: int, folder: Path, *, steps: int = 12, broken: bool = False, url: str | None = None
) -> Tally:
    """Interrupt saves, each at a moment by chance, and look at the store after each.

    Parameters
    ----------
    steps
        How many.
    broken
        Versions in memory are raised although nothing is saved.
    url
        A database of PostgreSQL; else it is a file of SQLite.
    """
    chance, found = Random(seed), Tally()
    target, options = ledger.target_of(chance, folder / f"interrupts_{seed}.db", url)
    what = f"seed {seed}, {options}"
    made = ledger.opened()
    with ev.SQLAlchemyEntityStorage(target, timeout=5, **options) as store:
        store.register(made)
        for number in range(1, steps + 1):
            ledger.go_on(made)
            how = f"{what}, step {number}"
            found.tried += 1
            ended = interrupted(lambda: store.register(made), chance.random() ** 2 * 0.05)
            try:
                stored = ledger.step_in(target, **options)
                if broken and ended and stored < number:
                    made.__dict__["version"] += 1
                if stored not in (number - 1, number):
                    found.partial.append(f"{how}: step {stored} is stored")
                elif not ended and stored != number:
                    found.lost.append(f"{how}: it has ended, and step {stored} is stored")
                store.register(made)  # nothing is locked, and no version is stale
                if ledger.step_in(target, **options) != number:
                    found.silent.append(f"{how}: saved again, it is not there")
            except (ledger.NotWholeError, EcsvizError) as error:
                found.partial.append(f"{how}: {type(error).__name__}: {error}"[:300])
                with contextlib.suppress(EcsvizError):
                    store.refresh(made)
                break
    return found
