"""Reading a file without ending the locks that SQLite holds on it in this very process.

Where POSIX locks are used, a process loses all that it holds on a file as soon as it closes *one*
of the descriptors that lead there. Who reads the first bytes of a database while a transaction is
open, and closes the file, lets other processes write in between. SQLite itself puts such a closing
off until no lock is left; so does this.
"""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import BinaryIO, Final

from ecsviz.basics.once import looking

Inode = tuple[int, int]

_waiting: dict[Inode, list[int]] = {}
"""Descriptors that are not closed yet: others of this process lead to the same file."""

NO_FILE: Final = "it is a pipe, a socket or a device, no file that can be read again"
"""What is said of these: what is read is opened more than once."""

_MOST: Final = 4096
"""Descriptors that are tried one by one where the system does not list them."""


def open_to_read(path: Path) -> BinaryIO:
    """Open a file to read its bytes; whoever has it open in this process keeps its locks.

    Raises
    ------
    OSError
        If it cannot be opened, or is a pipe, a socket or a device: these may have nobody at the
        other end, or no end.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.txt")
    ...     _ = file.write_text("one")
    ...     with open_to_read(file) as opened:
    ...         opened.read()
    b'one'
    """
    _check_kind(path.stat().st_mode, path)  # before it is opened, which a device may notice
    if os.name == "nt":  # where locks belong to what has opened the file
        return path.open("rb")
    descriptor = _descriptor(path)
    try:
        return io.BufferedReader(_FileToRead(descriptor, path))
    except BaseException:
        os.close(descriptor)  # of a folder
        raise


def end_waiting() -> None:
    """Close what nobody else has open any more."""
    with looking:
        for inode in list(_waiting):  # the collector may close others in between, in this thread
            if not _is_elsewhere(inode, {*_waiting.get(inode, ())}):
                for descriptor in _waiting.pop(inode, ()):
                    os.close(descriptor)


class _FileToRead(io.FileIO):
    """A file that is read; to close it takes no lock away."""

    def __init__(self, descriptor: int, path: Path) -> None:
        super().__init__(descriptor, "rb", closefd=False)
        self.name = str(path)

    def close(self) -> None:
        """Close it, now or when nobody else has it open."""
        if not self.closed:
            descriptor = self.fileno()
            super().close()
            _let_go(descriptor)


def _descriptor(path: Path) -> int:
    with looking:
        if _waiting:
            end_waiting()
            there = os.stat(path)  # noqa: PTH116  # as what it is compared with
            waiting = _waiting.get((there.st_dev, there.st_ino))
            if waiting:
                found = waiting.pop()
                os.lseek(found, 0, os.SEEK_SET)
                return found
    opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # if it is a pipe by now
    try:
        _check_kind(os.fstat(opened).st_mode, path)
    except BaseException:
        os.close(opened)
        raise
    return opened


def _check_kind(mode: int, path: Path) -> None:
    if not S_ISREG(mode) and not S_ISDIR(mode):
        raise OSError(errno.EINVAL, NO_FILE, str(path))


def _let_go(descriptor: int) -> None:
    with looking:
        there = os.fstat(descriptor)
        inode = there.st_dev, there.st_ino
        others = _waiting.get(inode, [])
        if _may_be_sqlite(descriptor, there.st_mode) and _is_elsewhere(
            inode, {descriptor, *others}
        ):
            _waiting[inode] = [*_waiting.get(inode, ()), descriptor]
            return
        for each in (descriptor, *_waiting.pop(inode, ())):
            os.close(each)


def _may_be_sqlite(descriptor: int, mode: int) -> bool:
    """Tell whether SQLite may hold locks: it is a database by its first byte, or not yet."""
    return S_ISREG(mode) and os.pread(descriptor, 1, 0) in {b"S", b"\0", b""}


def _is_elsewhere(inode: Inode, own: set[int]) -> bool:
    """Tell whether other descriptors of this process lead to a file."""
    for descriptor in _descriptors():
        if descriptor not in own:
            try:
                there = os.fstat(descriptor)
            except OSError:  # closed meanwhile
                continue
            if (there.st_dev, there.st_ino) == inode:
                return True
    return False


def _descriptors() -> list[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            return [int(name) for name in os.listdir(folder)]  # noqa: PTH208  # names alone
        except (OSError, ValueError):
            continue
    return list(range(_MOST))
