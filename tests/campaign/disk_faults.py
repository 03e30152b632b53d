"""The n-th call to the disk fails: once or for good, for want of room or for a broken disk.

Or the n-th piece of memory for which SQLite asks cannot be had.

Every public method of `tests.damage`, for every n: it ends right, or with an error of ours; what is
stored then is what was there before or what was to be, and the error says which.
"""

from __future__ import annotations

import contextlib
import errno
import shutil
from collections.abc import Collection
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired
from typing import Any

from ecsviz.errors import EcsvizError
from tests import damage
from tests.campaign import disk
from tests.campaign.tally import Tally

ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}
NO_MEMORY = {"ENOMEM": errno.ENOMEM}
SHOWN = ("name", "title", "text", "pages", "version")
CALLS = {
    **damage.WRITES,
    **{
        name: call
        for name, call in damage.READS.items()
        if name not in damage.SLOW and not name.startswith(("cli", "told"))
    },
    "index_text": lambda s, _: s.index_text(damage.Book, "title"),
    "backup": lambda s, _: s.backup(Path(s.engine.url.database).with_name("backup.db")),
}


def state(path: Path) -> list[Any]:
    """Return what a store holds, without the ids of what the calls have made anew."""
    with damage.opened(path) as store:
        problems = store.verify()
        assert not len(problems), problems.to_dict("records")[:3]
        known = {str(n) for n in (damage.SHELF, damage.FIRST, damage.SECOND, damage.LABEL)}
        found: list[Any] = [len(store.revisions())]
        for cls in (damage.Shelf, damage.Book, damage.Label):
            frame = store.frame(cls)
            shown = [name for name in frame if name in SHOWN]
            found.append(sorted(map(repr, frame[shown].itertuples(index=False, name=None))))
            found.append(sorted(str(i) for i in frame["ecs_id"] if str(i) in known))
        found.append(len(store.references_frame()))
        return found


def versions(shelf: Any) -> list[int]:
    """Return the versions in memory of a shelf and what it held when it was read."""
    return [each.version for each in shelf]


def swallowing(call: Any) -> Any:
    """Return a call that hides what has failed, which is wrong: tests see that it is noticed."""

    def quiet(store: Any, shelf: Any) -> None:
        with contextlib.suppress(EcsvizError, MemoryError):
            call(store, shelf)

    return quiet


def work(
    folder: str, name: str, places: list[float], how: str, for_good: bool, broken: bool
) -> list[Any]:
    """Let calls at some places, from 0 to 1, of a method fail; return what was tried and found."""
    place, found = Path(folder), Tally()
    at = disk.Disk(folder)
    at.arm(0, 0, for_good=False)
    whole, path = place / "whole.db", place / "store.db"
    damage.make_store(whole).close()
    call = swallowing(CALLS[name]) if broken else CALLS[name]

    def once(nth: int) -> tuple[int, Exception | None, list[int], list[int]]:
        for left in place.iterdir():
            if left != whole:
                shutil.rmtree(left) if left.is_dir() else left.unlink()
        shutil.copy(whole, path)
        with damage.opened(path) as store:
            shelf = store.get(damage.SHELF)
            held = [shelf, *shelf.books, *shelf.labels]
            before, told = versions(held), None
            at.arm(nth, {**ERRORS, **NO_MEMORY}[how], for_good=for_good)
            try:
                call(store, shelf)
            except (EcsvizError, MemoryError) as error:  # the latter means what it says
                told = error
            finally:
                calls = at.calls
                at.arm(0, 0, for_good=False)
            after = versions(held)
        return calls, told, before, after

    calls, _, before, raised = once(10**9)
    was, to_be = state(whole), state(path)
    for nth in sorted({1 + int(p * calls) for p in places if calls}):
        what = f"{name}, call {nth} of {calls} {how}{' for good' if for_good else ''}"
        found.tried += 1
        try:
            _, error, _, after = once(nth)
            now = state(path)
        except Exception as wrong:  # noqa: BLE001  # what is looked for
            found.partial.append(f"{what}: {type(wrong).__name__}: {wrong}"[:400])
            continue
        saved = now == to_be
        # An error that does not speak of it comes before anything is written.
        said = True if error is None else getattr(error, "saved", False)
        if now not in (was, to_be):
            found.partial.append(f"{what}: {now}"[:400])
        elif was != to_be and said is not None and said != saved:
            found.silent.append(f"{what}: saved={said} was said, but {saved} is so: {error}"[:400])
        elif was != to_be and said is not None and after != (raised if saved else before):
            found.silent.append(f"{what}: versions in memory are {after}, saved={saved}"[:400])
    return [found.tried, found.lost, found.partial, found.silent, found.hung]


def run(
    seed: int,
    folder: Path,
    *,
    every: bool = False,
    broken: bool = False,
    errors: Collection[str] = tuple(ERRORS),
) -> Tally:
    """Let a method's calls to the disk fail, by chance or every one.

    Parameters
    ----------
    every
        Each n once, of the methods in turn by their seeds; else eight by chance.
    broken
        What has failed is hidden.
    errors
        Which of them it may be.
    """
    chance = Random(seed)
    name = "register changed" if broken else chance.choice(sorted(CALLS))
    name = sorted(CALLS)[seed % len(CALLS)] if every else name
    how, for_good = chance.choice(sorted(errors)), chance.random() < 0.5
    places = [n / 1000 for n in range(1000)] if every else [chance.random() for _ in range(8)]
    try:
        return Tally(*disk.run(__name__, str(folder), name, places, how, for_good, broken))
    except TimeoutExpired:
        return Tally(1, hung=[f"seed {seed}, {name}"])
