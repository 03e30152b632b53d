"""A process that saves is killed at any moment: what it has acknowledged is there, and whole."""

from __future__ import annotations

import contextlib
import itertools
import json
import multiprocessing
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import ecsviz as ev
from ecsviz.errors import EcsvizError, InvalidArgumentError
from ecsviz.importers import iterate_chats
from tests.campaign import ledger
from tests.campaign.tally import Tally
from tests.chat_files import TREE, conversation

LONGEST = 60.0
"""Seconds after which a process hangs."""

MANY = 30
CHATS = 40
DISH = UUID(int=2)
EXPORTED = "exported"


def save(store: Any, tell: Callable[[int], None]) -> None:
    """Take steps for ever."""
    found = store.get(ledger.LEDGER) if store.has_entity(ledger.LEDGER) else ledger.opened()
    while True:
        store.register(found)
        tell(found.step)
        ledger.go_on(found)


def early(store: Any, tell: Callable[[int], None]) -> None:
    """Acknowledge each step before it is saved, which is wrong: tests see that it is noticed."""
    found = ledger.opened()
    while True:
        tell(found.step)
        store.register(found)
        ledger.go_on(found)


def prune(store: Any, tell: Callable[[int], None]) -> None:
    for number in itertools.cycle(range(1, MANY, 3)):
        with contextlib.suppress(InvalidArgumentError):  # it is pruned already
            store.prune(before=number)
        tell(MANY)


def index(store: Any, tell: Callable[[int], None]) -> None:
    store.index_text(ledger.Entry, "text")
    save(store, tell)


def back_up(store: Any, tell: Callable[[int], None]) -> None:
    folder, number = Path(store.engine.url.database).parent, 0
    while True:
        store.backup(folder / f"copy{number}.db")
        tell(MANY)
        number += 1


def export(store: Any, tell: Callable[[int], None]) -> None:
    """Write the store's graph into a folder, which takes the place of the one before."""
    while True:
        store.to_parquet(Path(store.engine.url.database).parent / EXPORTED)
        tell(MANY)


def bring_in(store: Any, tell: Callable[[int], None]) -> None:
    """Store chats as they are read from a file, all of it or nothing, again and again."""
    file = Path(store.engine.url.database).with_suffix(".json")
    for number in itertools.count(store.count(ev.ChatThread)):
        chats = [conversation(*TREE, id=f"{number} {n}") for n in range(CHATS)]
        file.write_text(json.dumps(chats), encoding="utf-8")
        store.register(iterate_chats(file))
        tell(MANY)


def dish_class(store: Any, *, other: bool = False) -> tuple[Any, str]:
    """Define a class as a store has it, or with the field's other name; return it and the name."""
    made: dict[str, Any] = {"ev": ev, "__name__": __name__}
    names = ["hours", "minutes"]
    known = len(store) and "Dish" in list(store.frame("ecs_types")["name"])
    if known and "minutes" in store.frame("dishes"):
        names.reverse()
    exec(f"class Dish(ev.Entity):\n    {names[other]}: int = 0", made)
    return made["Dish"], names[other]


def migrate(store: Any, tell: Callable[[int], None]) -> None:
    """Rename a field forth and back."""
    cls, now = dish_class(store)
    if not store.has_entity(DISH):
        store.register(cls(ecs_id=DISH))
    while True:
        cls, then = dish_class(store, other=True)
        store.migrate(rename={f"Dish.{now}": then})
        now = then
        tell(MANY)


JOBS = {
    job.__name__: job for job in (save, early, prune, index, back_up, export, bring_in, migrate)
}


def work(target: str, options: dict[str, Any], job: str, conn: Any) -> None:
    """Open a store and do a job in it until killed; send each step that is saved."""
    conn.send(None)
    with ev.SQLAlchemyEntityStorage(target, timeout=20, **options) as store:
        JOBS[job](store, conn.send)


def killed(
    target: str, options: dict[str, Any], job: str, after: float, *, begun: bool
) -> int | None:
    """Let a process do a job, kill it after a time, and return the last step that it has told.

    Parameters
    ----------
    after
        Seconds since the process is there, or with `begun` since it has told something.

    Returns
    -------
    int | None
        -1 where nothing was told; None where the process had to be waited for too long.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.campaign.kills", "ecsviz.storage.relational.store"])
    mine, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(target, options, job, theirs), daemon=True)
    process.start()
    theirs.close()
    try:
        if not mine.poll(LONGEST):
            return None
        mine.recv()
        last = -1
        if begun:
            if not mine.poll(LONGEST):
                return None
            last = mine.recv()
        time.sleep(after)
        process.kill()
        try:
            while True:
                last = mine.recv()
        except (EOFError, OSError):
            pass
        process.join(LONGEST)
        if process.exitcode != -signal.SIGKILL:
            raise ledger.NotWholeError(f"the process has ended by itself: {process.exitcode}")
        return last
    finally:
        process.kill()
        process.join()
        mine.close()


def look_at_copies(folder: Path, held: int, what: str, found: Tally) -> None:
    """See that a backup, or a graph's folder, is whole where there is one."""
    if (folder / EXPORTED).exists():
        try:
            with ev.scan_graph(folder / EXPORTED, check=True) as graph:
                if (seen := len(graph.subgraph())) != held:
                    found.partial.append(f"{what}: {seen} of {held} are in {EXPORTED}")
        except EcsvizError as error:
            found.partial.append(f"{what}: {EXPORTED}: {error}"[:300])
    for copy in folder.glob("copy*.db"):
        try:
            if ledger.step_in(copy) != MANY:
                found.partial.append(f"{what}: {copy.name} is not whole")
        except (ledger.NotWholeError, EcsvizError) as error:
            found.partial.append(f"{what}: {copy.name}: {error}"[:300])
        copy.unlink()


def run(seed: int, folder: Path, *, broken: bool = False, url: str | None = None) -> Tally:
    """Kill a process at a job and look at the store, some times in the same file.

    Parameters
    ----------
    broken
        Steps are acknowledged before they are saved.
    url
        A database of PostgreSQL, in which a schema is made; else it is a file of SQLite.
    """
    chance, found = Random(seed), Tally()
    job = "early" if broken else chance.choice(["save"] * 4 + sorted(JOBS.keys() - {"early"}))
    target, options = ledger.target_of(chance, folder / f"kills_{seed}.db", url)
    if url is not None and job in ("back_up", "bring_in", "export"):
        job = "save"
    at = -1
    if job not in ("save", "early"):
        with ev.SQLAlchemyEntityStorage(target, **options) as store:
            made = ledger.opened()
            for at in range(MANY + 1):
                made.step == at or ledger.go_on(made)
                store.register(made)
    for again in range(3):
        what = f"seed {seed}, {job} {options}, time {again + 1}"
        found.tried += 1
        try:
            told = killed(target, options, job, chance.random() ** 2 * 0.4, begun=again > 0)
            if told is None:
                found.hung.append(what)
                break
            with ev.SQLAlchemyEntityStorage(target, **options) as store:
                defined = dish_class(store)  # noqa: F841  # verify() needs it
            now = ledger.step_in(target, **options)
            with ev.SQLAlchemyEntityStorage(target, **options) as store:
                held = len(store)
                if (left := store.count(ev.ChatThread) % CHATS) != 0:
                    found.partial.append(f"{what}: {left} chats of {CHATS} are stored")
        except (ledger.NotWholeError, EcsvizError) as error:
            found.partial.append(f"{what}: {type(error).__name__}: {error}"[:300])
            break
        if now < max(told, at):
            found.lost.append(f"{what}: step {max(told, at)} was told, step {now} is there")
        at = now
        look_at_copies(folder, held, what, found)
    return found
