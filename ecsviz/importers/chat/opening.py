"""A path, bytes, a zip, a folder or a list of them → sources, within the limits."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from ecsviz.basics.file_locks import open_to_read
from ecsviz.basics.optional import NotInstalledError
from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError
from ecsviz.importers.chat.content import (
    GZIP_MAGIC,
    ZIP_ERRORS,
    Budget,
    Content,
    broken,
    found_in,
    gunzip,
    member,
)
from ecsviz.importers.chat.parquet_lines import MAGIC as PARQUET
from ecsviz.importers.chat.parquet_lines import may_hold_chats, parquet_lines
from ecsviz.importers.chat.source import HEAD, ZIP_MAGIC, Source, in_memory
from ecsviz.importers.files import (
    ImportSourceError,
    Limits,
    check_path,
    exceeded,
    files_in,
    not_opened,
    stops_all,
)
from ecsviz.storage.scale.layout import graph_folder_error, is_graph_folder


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
        self.budget = Budget(limits)
        self._members = 0

    def open_or_tell(self, source: Any, *, alone: bool) -> Source:
        """Open one of several; what is no file that can be read stops the others only if strict."""
        try:
            return self.open(source)
        except (ImportFormatError, NotInstalledError) as err:
            if alone or self.strict:
                raise
            name = Path(source).name if isinstance(source, str | os.PathLike) else "<bytes>"
            refused = Source(name, b"", bytes, self.limits)
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
        name = "<bytes>"
        if _is_zip(data[:4]):
            return self._zip(lambda: io.BytesIO(data), name, len(data))
        if data.startswith(PARQUET) and may_hold_chats(data):
            return self._parquet(data, name)
        if data.startswith(GZIP_MAGIC):
            return self._gzip(lambda: io.BytesIO(data), name, len(data))
        return self._source(name, in_memory(data, name, self.budget), data[:HEAD])

    def _source(self, name: str, content: Content, peek: bytes, path: Path | None = None) -> Source:
        return Source(
            *(name, peek, content, self.limits, path), stack=self.stack, strict=self.strict
        )

    def _file(self, path: Path, name: str, inside: bool = False) -> Source:
        with open_to_read(path) as handle:
            peek = handle.read(HEAD)
        size = path.stat().st_size
        if _is_zip(peek[:4]) and not inside:
            return self._zip(lambda: open_to_read(path), name, size)
        if peek.startswith(GZIP_MAGIC):
            return self._gzip(lambda: open_to_read(path), name, size)
        content = Content(name, lambda: open_to_read(path), size, self.budget, path=path)
        if peek.startswith(PARQUET) and may_hold_chats(path):
            return self._parquet(content(), name)
        return self._source(name, content, peek, path)

    def _folder(self, path: Path) -> Source:
        if is_graph_folder(path):
            raise graph_folder_error(path, "chat")
        found: dict[str, Callable[[], Source]] = {}
        for here in files_in(path):
            inside = here.relative_to(path).as_posix()
            self._one_more(path.name)
            found[inside] = partial(self._file, here, f"{path.name}/{inside}", inside=True)
        return self._several(path.name, found, path)

    def _several(
        self, name: str, found: dict[str, Callable[[], Source]], path: Path | None = None
    ) -> Source:
        return Source(name, b"", bytes, self.limits, path, InsideFiles(found), strict=self.strict)

    def _zip(self, begin: Callable[[], BinaryIO], name: str, size: int) -> Source:
        found: dict[str, Callable[[], Source]] = {}
        fault: ImportFormatError | None = None
        with _zip_errors(name):
            handle = self.stack.enter_context(begin())
            try:
                archive = self.stack.enter_context(zipfile.ZipFile(handle))
                listed = archive.infolist()
            except zipfile.BadZipFile as err:
                fault = broken(name, "zip", str(err))
                archive, listed = None, [] if self.strict else list(found_in(handle))
                if not listed:
                    raise fault from err
        for info in listed:
            self._one_more(name)
            called = info.filename or "a file without a name"
            if not called.endswith("/"):
                inside = f"{name}/{called}"
                unpack = member(archive, info, inside)
                content = Content(
                    *(inside, begin, max(1, info.compress_size), self.budget, unpack), whole=size
                )
                found[called] = partial(self._member, inside, content)
        whole = self._several(name, found)
        if fault is not None:
            whole.bear(fault)
        return whole

    def _member(self, name: str, content: Content) -> Source:
        return self._peeked(name, content)

    def _gzip(self, begin: Callable[[], BinaryIO], name: str, size: int) -> Source:
        """Open one file that is packed by itself."""
        content = Content(name, begin, size, self.budget, gunzip(name))
        return self._peeked(name, content)

    def _peeked(self, name: str, content: Content) -> Source:
        """Open what is packed: its first bytes tell its kind, even if it is broken behind them."""
        found, fault = b"", None
        try:
            for piece in content.pieces():
                found += piece
                if len(found) >= HEAD:
                    break
        except (ImportFormatError, ImportLimitError) as err:
            if self.strict or not found or stops_all(err):
                raise
            fault = err
        source = self._source(name, content, found[:HEAD])
        if fault is not None:
            source.bear(fault)
        return source

    def _parquet(self, data: bytes, name: str) -> Source:
        """Open the rows of a data set, as JSON lines."""
        lines = parquet_lines(data, name, self.limits)
        source = self._source(name, in_memory(lines, name, self.budget), lines[:HEAD])
        source.of_rows = True
        return source

    def _one_more(self, name: str) -> None:
        self._members += 1
        if self._members > self.limits.max_members:
            limit = self.limits.max_members
            raise exceeded(name, f"holds more than {limit:,} files", "max_members", limit)


class InsideFiles(Mapping[str, Source]):
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

    @property
    def opened(self) -> list[Source]:
        """Those that somebody has asked for."""
        return list(self._made.values())

    def forget(self, key: str) -> None:
        """Forget a file that was opened; it can be opened again."""
        self._made.pop(key, None)


def _is_zip(magic: bytes) -> bool:
    return magic in ZIP_MAGIC


@contextmanager
def _zip_errors(name: str) -> Iterator[None]:
    try:
        yield
    except EcsvizError:
        raise
    except ZIP_ERRORS as err:
        raise broken(name, "zip", str(err)) from err
