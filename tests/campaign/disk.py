"""Files whose writes are kept or fail: a process with ``disk.c`` before its C library."""

from __future__ import annotations

import atexit
import ctypes
import errno
import json
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
HEAD = struct.Struct("<cIIq")


def compiler() -> str | None:
    """Return the C compiler of this machine, None where there is none, or no LD_PRELOAD."""
    return shutil.which("cc") or shutil.which("gcc") if sys.platform == "linux" else None


@cache
def library() -> Path:
    """Compile ``disk.c``, once a process."""
    folder, by = Path(mkdtemp(prefix="ecsviz-disk-")), compiler()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    made = folder / "disk.so"
    assert by is not None
    source = Path(__file__).with_name("disk.c")
    command = [by, "-shared", "-fPIC", "-O1", "-o", str(made), str(source), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return made


def run(module: str, *given: Any, limit: float = 600.0) -> Any:
    """Call ``module.work(*given)`` in a process whose disk one has in hand; return what it returns.

    Raises
    ------
    subprocess.TimeoutExpired
        If that takes longer than `limit` seconds.
    """
    code = f"import json, sys, {module} as m; print(json.dumps(m.work(*json.loads(sys.argv[1]))))"
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(given)],
        env={**os.environ, "LD_PRELOAD": str(library()), "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


class Disk:
    """The disk of this process, where `run` has started it.

    Parameters
    ----------
    folder
        Whose files it is about.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._c: Any = ctypes.CDLL(os.environ["LD_PRELOAD"])
        self._c.disk_calls.restype = ctypes.c_long
        self._c.memory_pieces.restype = ctypes.c_long
        self._c.disk_folder(os.fsencode(folder))
        self._memory = False

    def arm(self, call: int, error: int, *, for_good: bool) -> None:
        """Let the given call from now on fail, counted from 1; 0 for none.

        With the error `errno.ENOMEM` it is the given piece of memory that SQLite asks for.
        """
        self._memory = error == errno.ENOMEM
        if self._memory and not self._c.memory_of(b"libsqlite3"):
            raise RuntimeError("SQLite is no library of its own here: its memory cannot be told")
        self._c.disk_arm(ctypes.c_long(0 if self._memory else call), error, int(for_good))
        self._c.memory_arm(ctypes.c_long(call if self._memory else 0), int(for_good))

    @property
    def calls(self) -> int:
        """How many calls, or pieces of memory, there were since it was armed."""
        return int(self._c.memory_pieces() if self._memory else self._c.disk_calls())

    def log(self, fd: int, *, blind: bool = False) -> None:
        """Note what changes files; with `blind`, no syncs."""
        self._c.disk_blind(int(blind))
        self._c.disk_log(fd)

    def mark(self, number: int) -> None:
        """Note a number among the changes."""
        self._c.disk_mark(ctypes.c_int64(number))


class Change(NamedTuple):
    """One change of a file: see ``disk.c`` for what the letters mean."""

    op: str
    path: str
    data: bytes
    offset: int


def changes(log: bytes) -> Iterator[Change]:
    """Yield what was noted, in order."""
    at = 0
    while at < len(log):
        op, path, size, offset = HEAD.unpack_from(log, at)
        at += HEAD.size
        name = os.fsdecode(log[at : at + path])
        yield Change(op.decode(), name, log[at + path : at + path + size], offset)
        at += path + size
