"""Files that are written: whole or not at all, and never over a database."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from ecsviz.basics.arguments import file_path
from ecsviz.basics.file_locks import open_to_read
from ecsviz.errors import EcsvizError, InvalidArgumentError, short_repr

SQLITE: Final = b"SQLite format 3\0"
"""How a SQLite database begins."""


class FileNotWrittenError(EcsvizError, OSError):
    """A file that was to be written cannot be: there is no such folder, or the system refuses."""

    path: Any = None
    """The file."""


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Hold while a file, or a folder, is written.

    Raises
    ------
    FileNotWrittenError
        If the system refuses it: with what is missing, and what to do.

    Examples
    --------
    >>> with writing(Path("no such folder/a.html")) as file:
    ...     file.write_text("")
    Traceback (most recent call last):
    ecsviz.basics.files.FileNotWrittenError: 'a.html' cannot be written: 'no such folder' ...
    """
    try:
        yield path
    except OSError as err:
        folder = path.parent
        why = f"{err.strerror or err}. Give another path"
        if not folder.is_dir():
            there = "is no folder" if folder.exists() else "does not exist"
            why = f"{short_repr(str(folder), 200)} {there}. Make it, or give the path of another"
        raise FileNotWrittenError(
            f"{short_repr(path.name)} cannot be written: {why}.", path=path
        ) from err


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Hold while a file is written beside the one that it replaces, which stays if that fails.

    Raises
    ------
    FileNotWrittenError
        If the system refuses it.
    InvalidArgumentError
        If there is a SQLite database: a store, perhaps the very one that is written out.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "a.txt")
    ...     with replacing(file) as part:
    ...         _ = part.write_text("one")
    ...     file.read_text(), len(list(file.parent.iterdir()))
    ('one', 1)
    """
    with writing(path):
        place = Path(os.path.realpath(path))  # a link stays one
        if place.exists():
            if not place.is_file():  # a device, a pipe; a folder is refused
                yield place
                return
            with open_to_read(place) as before:
                is_database = before.read(len(SQLITE)) == SQLITE
            if is_database:
                raise InvalidArgumentError(
                    f"{short_repr(path.name)} is a SQLite database, and would be replaced. Give"
                    " another path.",
                    value=path,
                )
            if not os.access(place, os.W_OK):  # to open it would end the locks of who has it open
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
        part = place.with_name(f".{uuid4().hex}{place.suffix}")
        try:
            yield part
            if place.exists():
                shutil.copymode(place, part)
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path, mark: str) -> Iterator[Path]:
    """Hold while a folder is written beside the one that it replaces, which stays if that fails.

    Parameters
    ----------
    path
        Where it stands when it is whole.
    mark
        A file by which folders of its kind are known: no other is replaced, unless it is empty.

    Raises
    ------
    FileNotWrittenError
        If the system refuses it.
    InvalidArgumentError
        If there is something else.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     place = Path(folder, "graph")
    ...     with replacing_folder(place, "graph.json") as part:
    ...         _ = (part / "graph.json").write_text("{}")
    ...     [file.name for file in place.iterdir()]
    ['graph.json']
    """
    with writing(path):
        place = Path(os.path.realpath(path))
        _check_replaced(place, mark, path)
        part, old = (place.with_name(f".{uuid4().hex}") for _ in range(2))
        try:
            part.mkdir()
            yield part
            # Somebody else may have written there meanwhile: who is whole last, stays.
            there = _check_replaced(place, mark, path)
            if there:
                place.rename(old)
            try:
                part.rename(place)
            except BaseException:
                if there:
                    old.rename(place)
                raise
        finally:
            for each in (part, old):
                shutil.rmtree(each, ignore_errors=True)


def _is_around(place: Path) -> bool:
    """Tell whether this process works in a folder, or below it."""
    try:
        return Path.cwd().is_relative_to(place)
    except OSError:  # that folder is gone
        return False


def _check_replaced(place: Path, mark: str, path: Path) -> bool:
    """Tell whether a folder is there, which may be replaced; raise if it must stay."""
    there = place.exists()
    if there and _is_around(place):
        raise InvalidArgumentError(
            f"{short_repr(str(path))} is where you are, and would be replaced. Give the path of a"
            " new folder.",
            value=path,
        )
    if there and not (place.is_dir() and (Path(place, mark).is_file() or _is_empty(place))):
        raise InvalidArgumentError(
            f"{short_repr(path.name)} exists, and is no folder with a {mark} that could be"
            " replaced. Give the path of a new folder.",
            value=path,
        )
    return there


def _is_empty(folder: Path) -> bool:
    return next(folder.iterdir(), None) is None


def local_folder(value: Any, name: str = "folder") -> Path:
    """Return the path of a folder of this machine.

    Raises
    ------
    InvalidArgumentError
        If it is no path, or an address such as ``s3://…``.

    Examples
    --------
    >>> local_folder("s3://chats/graph")
    Traceback (most recent call last):
    ecsviz.errors.InvalidArgumentError: folder is 's3://chats/graph', an address. Give the path ...
    """
    if isinstance(value, str) and _ADDRESS.match(value):
        raise InvalidArgumentError(
            f"{name} is {short_repr(value)}, an address. Give the path of a folder on this machine,"
            " and copy it from or to there.",
            value=value,
        )
    return file_path(value, name)


_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def returned_or_written(text: str, file: Path | None) -> str | Path:
    """Return a text, or write it to a file as UTF-8 and return that.

    Raises
    ------
    FileNotWrittenError
        If the system refuses the file.

    Examples
    --------
    >>> returned_or_written("one", None)
    'one'
    """
    if file is None:
        return text
    with replacing(file) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return file
