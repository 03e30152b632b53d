"""How much of a file is read at the most, and the error that says so."""

from __future__ import annotations

from dataclasses import dataclass

from ecsviz.errors import ImportLimitError

MAX_BYTES = 2**30
"""How many bytes are read at the most: 1 GiB, several times the exports of a heavy user, and
what a notebook's machine can still parse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What protects this process from a bad file; `read_chat` takes each as an argument.

    Attributes
    ----------
    max_bytes
        Bytes really read, after decompression, of all files together.
    max_members
        Files in a zip or folder: a large workspace has one a channel and day.
    max_ratio
        Bytes read of a zip for each byte that it has. Chats compress to a tenth or so; 200 is
        far from that, and a fifth of what a bomb reaches.
    max_depth
        Lists and objects inside each other. A reply inside its question takes two.
    max_digits
        Digits of an integer; Python's own default, since the time to convert is quadratic.
    timeout
        Seconds that a database may take to answer, all queries together.
    """

    max_bytes: int = MAX_BYTES
    max_members: int = 100_000
    max_ratio: int = 200
    max_depth: int = 10_000
    max_digits: int = 4_300
    timeout: float = 60.0


def exceeded(name: str, holds: str, argument: str, limit: int) -> ImportLimitError:
    """Return the error that names a limit and how to raise it.

    Examples
    --------
    >>> str(exceeded("a.json", "holds more than 9 bytes", "max_bytes", 9))
    'a.json holds more than 9 bytes. If it is what you expect, allow more with max_bytes=,
    such as max_bytes=36.'
    """
    return ImportLimitError(
        f"{name} {holds}. If it is what you expect, allow more with {argument}=, such as"
        f" {argument}={limit * 4}.",
        source=name,
        argument=argument,
        limit=limit,
    )
