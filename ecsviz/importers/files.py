"""Bytes of files: opened, counted while they are read, and what is said if that fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from ecsviz.basics.addresses import meant_as_url, scheme_of, short_path
from ecsviz.errors import EcsvizError, ImportLimitError, did_you_mean

BLOCK = 2**20


class ImportSourceError(EcsvizError, OSError):
    """A file cannot be opened or read."""


_OF_PROGRAMS: Final = frozenset((".git", "__pycache__", "node_modules"))
_BESIDE: Final = ("-journal", "-wal", "-shm")


def files_in(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder and of those in it, in the order of their names.

    Notes
    -----
    Links to folders are not followed. Passed over are pipes and the like, which would never end;
    folders of programs (a virtual environment, ``node_modules``, ``.git``), which hold no chats;
    and what a database has beside it, which is read with it.
    """
    for here, folders, names in os.walk(folder):
        inside = sorted(name for name in folders if name not in _OF_PROGRAMS)
        folders[:] = [name for name in inside if not Path(here, name, "pyvenv.cfg").is_file()]
        for name in sorted(names):
            path = Path(here, name)
            is_beside = name.endswith(_BESIDE) and name.rpartition("-")[0] in names
            if path.is_file() and not is_beside:
                yield path


def copy_counted(handle: Any, target: BinaryIO, name: str, max_bytes: int, already: int = 0) -> int:
    """Copy what is left of `handle`, and return how many bytes that were.

    Parameters
    ----------
    handle, target
        Binary files.
    name
        What the message calls the file.
    max_bytes
        How many bytes may be read. Counted here: the size that a zip says may be a lie.
    already
        How many of them have been read before.
    """
    count = 0
    while block := handle.read(BLOCK):
        count += len(block)
        if already + count > max_bytes:
            raise exceeded(name, f"holds more than {max_bytes:,} bytes", "max_bytes", max_bytes)
        target.write(block)
    return count


def check_path(path: str | os.PathLike[str]) -> None:
    """Raise if a text that is taken as a path is something else, of which nothing may be shown.

    Raises
    ------
    ImportSourceError
        If it is a chat itself, or the address of a database.
    """
    if not isinstance(path, str):
        return
    if path.lstrip().startswith(("{", "[")) and not _exists(path):
        raise ImportSourceError(
            "A text is taken as a path, and this one looks like JSON. Pass the bytes:"
            " read_chat(text.encode()).",
            source=None,
        )
    if meant_as_url(path):
        raise ImportSourceError(
            f"{scheme_of(path)!r} looks like the address of a database, and a path is needed here."
            " ev.read_database(url) opens a database; a file of such a name is given as"
            " pathlib.Path(…).",
            source=scheme_of(path),
        )


def not_opened(path: str | os.PathLike[str], err: OSError | ValueError) -> ImportSourceError:
    """Return the error for a path that cannot be read, with what lies there instead."""
    reason = getattr(err, "strerror", None) or str(err)
    message = f"Cannot read {short_path(path)}: {reason}." + _beside(Path(path))
    return ImportSourceError(message, source=path, errno=getattr(err, "errno", None))


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):
        return False


def _beside(path: Path) -> str:
    try:
        if path.exists() or not path.parent.is_dir():
            return " Check the path and who may read it."
        names = sorted(other.name for other in path.parent.iterdir())
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, names) or " Its folder is empty."


MAX_BYTES = 2**30
"""How many bytes are read at the most: 1 GiB, several times the exports of a heavy user, and
what a notebook's machine can still parse."""

MAX_VALUE = 50_000_000


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
    max_value
        Bytes of one value, and of one row, of a database: far above any message, far below the
        memory of a machine.
    timeout
        Seconds that a database may take to answer, all queries together.
    """

    max_bytes: int = MAX_BYTES
    max_members: int = 100_000
    max_ratio: int = 200
    max_depth: int = 10_000
    max_digits: int = 4_300
    max_value: int = MAX_VALUE
    timeout: float = 60.0


_PARTIAL = ("max_depth", "max_digits", "max_ratio")


def stops_all(err: EcsvizError) -> bool:
    """Tell whether nothing more may be read: it is no matter of one record, or one file.

    Parameters
    ----------
    err
        What went wrong.
    """
    return isinstance(err, ImportLimitError) and err.argument not in (*_PARTIAL, None)


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
