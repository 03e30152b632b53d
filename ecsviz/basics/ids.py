"""UUIDs made in bulk."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import repeat
from typing import Any
from uuid import UUID, SafeUUID

_run = deque[Any](maxlen=0).extend


def uuids(numbers: Sequence[int]) -> list[UUID]:
    """Return the UUIDs of integers of 128 bits.

    Parameters
    ----------
    numbers
        The integers.

    Notes
    -----
    ``UUID(int=…)`` takes several times as long: it looks at what it is given. UUID takes no
    assignments, so that its slots are filled by functions in C that call each other.

    Examples
    --------
    >>> uuids([1])
    [UUID('00000000-0000-0000-0000-000000000001')]
    """
    made = list(map(UUID.__new__, repeat(UUID, len(numbers))))
    _run(map(vars(UUID)["int"].__set__, made, numbers))
    _run(map(vars(UUID)["is_safe"].__set__, made, repeat(SafeUUID.unknown)))
    return made
