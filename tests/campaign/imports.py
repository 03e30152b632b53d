"""Files of others are damaged: each is read, or refused with an error of ours, and soon."""

from __future__ import annotations

import time
from pathlib import Path
from random import Random

from ecsviz.errors import EcsvizError
from tests.campaign.tally import Tally
from tests.chat_files import is_sound, read
from tests.chat_formats import SAMPLES
from tests.test_importers_sweep import BYTES, MOST, WRONG


def mutated(data: bytes, chance: Random) -> bytes:
    """Return data with one to four things changed."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, other = sorted(chance.randrange(len(made) + 1) for _ in range(2))
        way = chance.randrange(6)
        if way == 0:
            del made[at:]
        elif way == 1:
            del made[at : at + chance.randint(1, 40)]
        elif way == 2:
            made[at:at] = chance.choice(WRONG)
        elif way == 3:
            made[at:at] = made[at : min(other, at + 5_000)]
        elif way == 4:
            made[at : at + 1] = bytes([chance.choice(BYTES)])
        elif at < len(made):
            made[at] ^= 1 << chance.randrange(8)
    return bytes(made)


def run(seed: int, folder: Path, *, files: int = 40, broken: bool = False) -> Tally:
    """Read damaged samples of one format.

    Parameters
    ----------
    files
        How many.
    broken
        What cannot be read is given as a foreign error.
    """
    chance, found = Random(seed), Tally()
    name = chance.choice(sorted(SAMPLES))
    for number in range(files):
        data, what = mutated(SAMPLES[name].data, chance), f"seed {seed}, {name}, file {number}"
        found.tried += 1
        begun = time.process_time()
        try:
            if broken:
                data.decode("ascii").encode("utf-16")[1:].decode("utf-16")
            threads = read(data)
            if not all(is_sound(thread) for thread in threads):
                found.partial.append(f"{what}: a thread that is not sound")
        except EcsvizError:
            pass
        except Exception as error:  # noqa: BLE001  # what is looked for
            found.partial.append(f"{what}: {type(error).__name__}: {error}"[:300])
        if time.process_time() - begun > MOST:
            found.hung.append(f"{what}: {time.process_time() - begun:.1f} s")
    return found
