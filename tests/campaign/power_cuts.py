"""The power is cut: of what was not synced, any part may be missing. Before or after, not between.

Two models of what a disk does with writes that no sync has followed. *Dropped*: each is there or
not, by chance, as whole. *Torn*: the same, sector by sector of 512 bytes. In both, files that were
made, removed or cut shorter are so up to some moment since their folder was last synced, since
journaling file systems keep these changes in order.
"""

from __future__ import annotations

import os
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired
from typing import Any

import ecsviz as ev
from ecsviz.errors import EcsvizError
from tests.campaign import disk, ledger
from tests.campaign.tally import Tally

SECTOR = 512
STEPS = 8


def work(folder: str, log: str, options: dict[str, Any], blind: bool) -> None:
    """Take steps from before the first save on; each that is saved is marked."""
    with Path(log).open("wb", buffering=0) as file:
        at = disk.Disk(folder)
        at.log(file.fileno(), blind=blind)
        with ev.SQLAlchemyEntityStorage(f"{folder}/store.db", **options) as store:
            made = ledger.opened()
            for number in range(STEPS):
                made.step == number or ledger.go_on(made)
                store.register(made)
                at.mark(made.step)
            store.prune()
            at.mark(made.step)
        at.log(-1)


class Files:
    """The files that are there after a cut, from the changes before it."""

    def __init__(self, chance: Random, *, torn: bool) -> None:
        self.chance, self.torn = chance, torn
        self.sure: dict[str, bytearray] = {}
        self.since: list[disk.Change] = []
        self.acknowledged = -1

    def go_on(self, change: disk.Change) -> None:
        """Take notice of one more change before the cut."""
        if change.op == "M":
            self.acknowledged = change.offset
        elif change.op in "SD":
            self._sync(change)
        else:
            self.since.append(change)

    def _sync(self, change: disk.Change) -> None:
        """Make sure a file's data and that it is there, or a folder's names."""
        left = []
        for one in self.since:
            if change.op == "D" and one.op in "CUR":
                _apply(self.sure, one)
            elif change.op == "S" and one.path == change.path:
                # With what became of an earlier file of that name: else it would come later.
                _apply(self.sure, one)
            else:
                left.append(one)
        self.since = left

    def after(self) -> dict[str, bytes]:
        """Return what is there, by chance."""
        there = {name: bytearray(data) for name, data in self.sure.items()}
        names = [n for n, one in enumerate(self.since) if one.op in "CURT"]
        upto = self.chance.choice([*names, len(self.since)]) if names else len(self.since)
        kept = self.chance.choice([0.0, 0.2, 0.5, 0.8, 1.0])
        for number, one in enumerate(self.since):
            if one.op in "CURT":
                if number < upto:
                    _apply(there, one)
            elif one.path in there:
                for part in _sectors(one) if self.torn else [one]:
                    if self.chance.random() < kept:
                        _apply(there, part)
        return {name: bytes(data) for name, data in there.items()}


def _sectors(write: disk.Change) -> list[disk.Change]:
    return [
        write._replace(data=write.data[n : n + SECTOR], offset=write.offset + n)
        for n in range(0, len(write.data), SECTOR)
    ]


def _apply(files: dict[str, bytearray], change: disk.Change) -> None:
    path, data = change.path, change.data
    if change.op == "C":
        files.setdefault(path, bytearray())
    elif change.op == "U":
        files.pop(path, None)
    elif change.op == "R" and path in files:
        files[os.fsdecode(data)] = files.pop(path)
    elif change.op == "T":
        file = files.setdefault(path, bytearray())
        del file[change.offset :]
        file.extend(bytes(change.offset - len(file)))
    elif change.op == "W":
        file = files.setdefault(path, bytearray())
        file.extend(bytes(max(0, change.offset - len(file))))
        file[change.offset : change.offset + len(data)] = data


def run(seed: int, folder: Path, *, states: int = 40, broken: bool = False) -> Tally:
    """Save a ledger, and look at what is there after cuts at moments by chance.

    Parameters
    ----------
    states
        How many cuts.
    broken
        No sync is taken notice of, as if the store had forgotten them.
    """
    chance, found = Random(seed), Tally()
    options = {"journal": chance.choice(["delete", "wal"])}
    made, log = folder / "made", folder / "changes"
    made.mkdir()
    try:
        disk.run(__name__, str(made), str(log), options, broken)
    except TimeoutExpired:
        found.hung.append(f"seed {seed}, {options}")
        return found
    noted = list(disk.changes(log.read_bytes()))
    for number in range(states):
        cut, torn = chance.randrange(len(noted) + 1), chance.random() < 0.5
        what = f"seed {seed}, {options}, {'torn' if torn else 'dropped'}, change {cut}"
        files = Files(chance, torn=torn)
        for change in noted[:cut]:
            files.go_on(change)
        place = folder / f"cut{number}"
        place.mkdir()
        for name, data in files.after().items():
            if not name.endswith("-shm"):
                (place / Path(name).name).write_bytes(data)
        found.tried += 1
        if not (place / "store.db").exists():
            if files.acknowledged >= 0:
                found.lost.append(f"{what}: there is no file")
            continue
        try:
            now = ledger.step_in(place / "store.db")
        except (ledger.NotWholeError, EcsvizError) as error:
            found.partial.append(f"{what}: {type(error).__name__}: {error}"[:300])
            continue
        if not files.acknowledged <= now <= files.acknowledged + 1:
            found.lost.append(f"{what}: step {files.acknowledged} was told, {now} is there")
    return found
