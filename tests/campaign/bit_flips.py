"""A bit of a store's file is another: `verify` tells of whatever changes an answer."""

from __future__ import annotations

from pathlib import Path
from random import Random

from tests.campaign.tally import Tally
from tests.test_verifying import answers, filled, noticed


def run(seed: int, folder: Path, *, flips: int = 60, broken: bool = False) -> Tally:
    """Flip bits of a store, one at a time.

    Parameters
    ----------
    flips
        How many.
    broken
        What `verify` says is not heard.
    """
    chance, found = Random(seed), Tally()
    path, damaged = folder / "store.db", folder / "damaged.db"
    filled(path)
    whole = path.read_bytes()
    right = answers(path)
    for _ in range(flips):
        place, bit = chance.randrange(len(whole)), chance.randrange(8)
        data = bytearray(whole)
        data[place] ^= 1 << bit
        damaged.write_bytes(data)
        found.tried += 1
        what = f"seed {seed}, bit {bit} of byte {place}"
        try:
            if (broken or not noticed(damaged)) and answers(damaged) not in (right, None):
                found.silent.append(what)
        except Exception as error:  # noqa: BLE001  # what is looked for
            found.partial.append(f"{what}: {type(error).__name__}: {error}"[:300])
    return found
