"""A path, bytes, a zip, a folder or a list of them → sources, within the limits."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ecsviz.basics.optional import NotInstalledError
from ecsviz.errors import EcsvizError, ImportFormatError, short_repr
from ecsviz.importers.chat.parquet_lines import MAGIC as PARQUET
from ecsviz.importers.chat.parquet_lines import may_hold_chats, parquet_lines
from ecsviz.importers.chat.source import HEAD, ZIP_MAGIC, Source
from ecsviz.importers.files import (
    BLOCK,
    ImportSourceError,
    Limits,
    check_path,
    copy_counted,
    exceeded,
    not_opened,
)

_ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, RuntimeError, NotImplementedError),  # passwords, unknown compression
)

_GZIP_MAGIC = b"\x1f\x8b"

_SMALL = 10 * BLOCK
"""Bytes below which no ratio is a bomb."""


@contextmanager
def opened(source: Any, limits: Limits, *, strict: bool = False) -> Iterator[list[Source]]:
    """Yield what there is to read.

    Parameters
    ----------
    source
        A path, bytes, or a list of them.
    limits
        They hold for all together.
    strict
        See `Source`.
    """
    opener = _Opener(limits, strict)
    with opener.stack:
        several = list(source) if isinstance(source, list | tuple) else [source]
        if not several:
            raise ImportSourceError("The list of files to read is empty. Name one.", source=source)
        yield [opener.open_or_tell(each, alone=len(several) == 1) for each in several]


class _Opener:
    """Opens files, and counts what is read of them."""

    def __init__(self, limits: Limits, strict: bool) -> None:
        self.limits = limits
        self.strict = strict
        self.stack = ExitStack()
        self.count = 0
        self._members = 0

    def open_or_tell(self, source: Any, *, alone: bool) -> Source:
        """Open one of several; what is no file that can be read stops the others only if strict."""
        try:
            return self.open(source)
        except (ImportFormatError, NotInstalledError) as err:
            if alone or self.strict:
                raise
            name = Path(source).name if isinstance(source, str | os.PathLike) else "<bytes>"
            refused = Source(name, b"", lambda: b"", self.limits)
            refused.refused = err
            return refused

    def open(self, source: Any) -> Source:
        if isinstance(source, bytes | bytearray | memoryview):
            return self._bytes(bytes(source))
        if not isinstance(source, str | os.PathLike) or isinstance(os.fspath(source), bytes):
            raise ImportSourceError(
                f"A chat is read from a path or from bytes, not from a {type(source).__name__}.",
                source=source,
            )
        check_path(source)
        path = Path(source)
        try:
            return self._folder(path) if path.is_dir() else self._file(path, path.name)
        except (OSError, ValueError) as err:
            if isinstance(err, EcsvizError):
                raise
            raise not_opened(path, err) from err

    def _bytes(self, data: bytes) -> Source:
        if _is_zip(data[:4]):
            return self._zip(io.BytesIO(data), "<bytes>", len(data))
        if data.startswith(PARQUET) and may_hold_chats(data):
            return self._parquet(data, "<bytes>")
        if data.startswith(_GZIP_MAGIC):
            return self._gzip(lambda: io.BytesIO(data), "<bytes>", len(data))
        return Source(
            *("<bytes>", data[:HEAD], lambda: self.read_all(io.BytesIO(data), "<bytes>")),
            self.limits,
            strict=self.strict,
        )

    def _file(self, path: Path, name: str, inside: bool = False) -> Source:
        handle = path.open("rb")
        peek = handle.read(HEAD)
        if _is_zip(peek[:4]) and not inside:
            self.stack.callback(handle.close)
            return self._zip(handle, name, path.stat().st_size)
        handle.close()
        if peek.startswith(_GZIP_MAGIC):
            return self._gzip(lambda: path.open("rb"), name, path.stat().st_size)

        def load() -> bytes:
            try:
                with path.open("rb") as again:
                    return self.read_all(again, name)
            except (OSError, ValueError) as err:
                if isinstance(err, EcsvizError):
                    raise
                raise not_opened(path, err) from err

        if peek.startswith(PARQUET) and may_hold_chats(path):
            return self._parquet(load(), name)
        return Source(name, peek, load, self.limits, path, stack=self.stack, strict=self.strict)

    def _folder(self, path: Path) -> Source:
        found: dict[str, Callable[[], Source]] = {}
        for folder, folders, names in os.walk(path):  # which does not follow links
            folders.sort()
            for name in sorted(names):
                here = Path(folder, name)
                if not here.is_file():
                    continue  # a pipe or the like, which would never end
                inside = here.relative_to(path).as_posix()
                shown = f"{path.name}/{inside}"
                self._one_more(path.name)
                found[inside] = partial(self._file, here, shown, inside=True)
        return Source(
            *(path.name, b"", lambda: b"", self.limits, path, _Members(found)),
            strict=self.strict,
        )

    def _zip(self, handle: Any, name: str, size: int) -> Source:
        with _zip_errors(name):
            archive = self.stack.enter_context(zipfile.ZipFile(handle))
            found: dict[str, Callable[[], Source]] = {}
            for info in archive.infolist():
                self._one_more(name)
                if not info.is_dir():
                    found[info.filename] = _Member(self, archive, info, name, size)
        return Source(
            *(name, b"", lambda: b"", self.limits, None, _Members(found)), strict=self.strict
        )

    def _gzip(self, begin: Callable[[], BinaryIO], name: str, size: int) -> Source:
        """Open one file that is packed by itself."""

        def load() -> bytes:
            with (
                _zip_errors(name, "gzip"),
                begin() as packed,
                gzip.GzipFile(fileobj=packed) as handle,
            ):
                return self.read_all(_Rated(handle, self, name, size), name)

        with _zip_errors(name, "gzip"), begin() as packed, gzip.GzipFile(fileobj=packed) as handle:
            peek = handle.read(HEAD)
        return Source(name, peek, load, self.limits, stack=self.stack, strict=self.strict)

    def _parquet(self, data: bytes, name: str) -> Source:
        """Open the rows of a data set, as JSON lines."""
        lines = parquet_lines(data, name, self.limits)
        return Source(name, lines[:HEAD], lambda: lines, self.limits, strict=self.strict)

    def _one_more(self, name: str) -> None:
        self._members += 1
        if self._members > self.limits.max_members:
            limit = self.limits.max_members
            raise exceeded(name, f"holds more than {limit:,} files", "max_members", limit)

    def read_all(self, handle: Any, name: str) -> bytes:
        """Return all that is left of a file; of all together there is a limit."""
        target = io.BytesIO()
        self.count += copy_counted(handle, target, name, self.limits.max_bytes, self.count)
        return target.getvalue()


class _Member:
    """One file in a zip, opened when it is asked for."""

    def __init__(
        self, opener: _Opener, archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str, size: int
    ) -> None:
        self.opener = opener
        self.archive = archive
        self.info = info
        self.zip_name = name
        self.size = size
        self.name = f"{name}/{info.filename}"

    def __call__(self) -> Source:
        with _zip_errors(self.zip_name), self.archive.open(self.info) as handle:
            peek = handle.read(HEAD)
        opener = self.opener
        options: Any = {"stack": opener.stack, "strict": opener.strict}
        return Source(self.name, peek, self.load, opener.limits, **options)

    def load(self) -> bytes:
        with _zip_errors(self.zip_name), self.archive.open(self.info) as handle:
            rated = _Rated(handle, self.opener, self.name, self.info.compress_size, self.size)
            return self.opener.read_all(rated, self.name)


class _Rated:
    """Reads what is packed, and watches how many bytes come out of how few."""

    def __init__(
        self, handle: Any, opener: _Opener, name: str, packed: int, size: int | None = None
    ) -> None:
        self.handle = handle
        self.opener = opener
        self.name = name
        self.packed = max(1, packed if size is None else min(packed, size))
        self.size = size  # of all that is packed together
        self.count = 0

    def read(self, size: int) -> bytes:
        block: bytes = self.handle.read(size)
        self.count += len(block)
        limits = self.opener.limits
        total = self.opener.count + self.count
        if self.count > max(_SMALL, limits.max_ratio * self.packed) or (
            self.size is not None and total > max(_SMALL, limits.max_ratio * self.size)
        ):
            what = f"unpacks to more than {limits.max_ratio:,} times its size"
            raise exceeded(self.name, what, "max_ratio", limits.max_ratio)
        return block


class _Members(Mapping[str, Source]):
    """The files inside, each opened when it is first asked for."""

    def __init__(self, found: dict[str, Callable[[], Source]]) -> None:
        self._found = found
        self._made: dict[str, Source] = {}

    def __getitem__(self, key: str) -> Source:
        if key not in self._made:
            self._made[key] = made = self._found[key]()
            made.beside, made.inside = self, key
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


def _is_zip(magic: bytes) -> bool:
    return magic in ZIP_MAGIC


@contextmanager
def _zip_errors(name: str, kind: str = "zip") -> Iterator[None]:
    try:
        yield
    except EcsvizError:
        raise
    except _ZIP_ERRORS as err:
        locked = " If it has a password, unpack it first and read the file inside."
        raise ImportFormatError(
            f"{name} is a {kind} that cannot be read ({short_repr(str(err))}). Download it again."
            f"{locked if kind == 'zip' else ''}",
            source=name,
            line=None,
            column=None,
        ) from err
