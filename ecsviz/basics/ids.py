"""UUIDs made in bulk."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any, Final
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


def named_ids(namespace: UUID, names: Iterable[str]) -> list[UUID]:
    """Return the UUIDv5 of names in a namespace.

    Examples
    --------
    >>> from uuid import NAMESPACE_DNS, uuid5
    >>> named_ids(NAMESPACE_DNS, ["python.org"]) == [uuid5(NAMESPACE_DNS, "python.org")]
    True
    """
    begun = hashlib.sha1(namespace.bytes, usedforsecurity=False)
    numbers = []
    for name in names:
        told = begun.copy()
        told.update(name.encode())
        numbers.append(int.from_bytes(told.digest()[:16], "big") & _OWN | _KIND)
    return uuids(numbers)


_OWN: Final = ~(0xF << 76 | 0x3 << 62)
_KIND: Final = 0x5 << 76 | 0x2 << 62
"""Which bits a UUIDv5 has of its own, and those that say what it is (RFC 9562)."""
