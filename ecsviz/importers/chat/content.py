"""The bytes of a file, piece by piece: unpacked, counted, and as far as they can be read."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from ecsviz.errors import EcsvizError, ImportFormatError, short_repr
from ecsviz.importers.files import BLOCK, Limits, exceeded, not_opened

GZIP_MAGIC = b"\x1f\x8b"

_SMALL = 10 * BLOCK
"""Bytes below which no ratio is a bomb."""

_FEWER = 64
"""By how much fewer bytes are unpacked at a time where some are broken."""

LOCAL = b"PK\x03\x04"

_HEADER = struct.Struct("<4s5H3I2H")
"""What stands before a file in a zip, and before its name."""

_NEWEST = 63
"""The version of zips that all can be unpacked by."""

_LOCKED, _BEHIND, _UTF8 = 0x1, 0x8, 0x800
"""Flags of a file in a zip: it has a password, its size stands behind it, its name is UTF-8."""

ZIP_ERRORS = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
    *(ValueError, RuntimeError, NotImplementedError),  # passwords, unknown compression
)

Unpack = Callable[[BinaryIO], Iterator[bytes]]
"""Takes a file from where it stands, and yields what is packed there."""


class Budget:
    """How many bytes have been read of all files together.

    Parameters
    ----------
    limits
        How many it may be.
    """

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.count = 0

    def spend(self, count: int, name: str) -> None:
        """Count bytes that were read for the first time."""
        self.count += count
        most = self.limits.max_bytes
        if self.count > most:
            raise exceeded(name, f"holds more than {most:,} bytes", "max_bytes", most)


class Content:
    """What a file holds, read as often as it is asked for.

    Parameters
    ----------
    name
        What messages call it.
    begin
        Opens what it is read from.
    size
        How many bytes that has, as far as it is this file.
    budget
        What all files together have.
    unpack
        See `Unpack`; None where nothing is packed.
    whole
        Of a zip, how many bytes all of it has: they all together have a ratio, too.
    path
        Where it lies, for messages.

    Attributes
    ----------
    done
        How many bytes have been read of `size`.
    watch
        Told so: for a progress bar.
    """

    def __init__(
        self,
        name: str,
        begin: Callable[[], BinaryIO],
        size: int,
        budget: Budget,
        unpack: Unpack | None = None,
        whole: int | None = None,
        path: Path | None = None,
    ) -> None:
        self.name = name
        self.size = size
        self.done = 0
        self.watch: Callable[[int], object] | None = None
        self._begin = begin
        self._budget = budget
        self._unpack = unpack
        self._whole = whole
        self._path = path
        self._counted = 0

    def pieces(self) -> Iterator[bytes]:
        """Yield all bytes; an error comes when what can be read before it has been yielded.

        Raises
        ------
        ImportFormatError
            If it is packed, and broken.
        ImportLimitError
            If it exceeds a limit.
        """
        count = 0
        with self._translated(), self._begin() as handle:
            start = handle.tell()
            for piece in self._unpack(handle) if self._unpack else plain(handle):
                count += len(piece)
                if self._unpack is not None:
                    self._check_ratio(count)
                if count > self._counted:
                    self._budget.spend(count - self._counted, self.name)
                    self._counted = count
                self.done = min(handle.tell() - start, self.size)
                if self.watch is not None:
                    self.watch(self.done)
                yield piece

    def __call__(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.pieces())

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError) as err:
            if isinstance(err, EcsvizError) or self._path is None:
                raise
            raise not_opened(self._path, err) from err

    def _check_ratio(self, count: int) -> None:
        most = self._budget.limits.max_ratio
        total = self._budget.count + max(0, count - self._counted)
        packed = max(1, self.size if self._whole is None else min(self.size, self._whole))
        if count > max(_SMALL, most * packed) or (
            self._whole is not None and total > max(_SMALL, most * self._whole)
        ):
            what = f"unpacks to more than {most:,} times its size"
            raise exceeded(self.name, what, "max_ratio", most)


def plain(handle: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of a file that is not packed."""
    while piece := handle.read(BLOCK):
        yield piece


# ---------------------------------------------------------------------------------------------
# gzip
# ---------------------------------------------------------------------------------------------


def gunzip(name: str) -> Unpack:
    """Return what unpacks a gzip, of several members too.

    Parameters
    ----------
    name
        What messages call it.
    """

    def unpack(handle: BinaryIO) -> Iterator[bytes]:
        rest = b""
        while True:
            inflate = Inflate(31)
            yield from inflate.read(lambda: handle.read(BLOCK), rest)
            if inflate.fault:
                raise broken(name, "gzip", inflate.fault)
            rest = inflate.rest.lstrip(b"\0")  # which may fill up the last block of a tape
            rest = rest or handle.read(BLOCK).lstrip(b"\0")
            if not rest:
                return
            if not rest.startswith(GZIP_MAGIC):
                raise broken(name, "gzip", "something else stands behind it")

    return unpack


class Inflate:
    """Unpacks one stream as far as that is possible.

    Parameters
    ----------
    bits
        How it begins, as of `zlib.decompressobj`.

    Attributes
    ----------
    fault
        What is wrong; empty for nothing.
    rest
        Bytes behind its end that were read.
    """

    def __init__(self, bits: int) -> None:
        self.fault = ""
        self.rest = b""
        self._state = zlib.decompressobj(bits)

    def read(self, more: Callable[[], bytes], data: bytes = b"") -> Iterator[bytes]:
        """Yield what is packed, at most a block at a time.

        Parameters
        ----------
        more
            Returns the next bytes; none at the end.
        data
            The first bytes.
        """
        step = BLOCK
        while not self._state.eof:
            data = data or more()
            part, before = data[:step], self._state.copy()
            try:
                piece = self._state.decompress(part, BLOCK)
            except zlib.error as err:
                self._state = before
                if step == 1:
                    self.fault = str(err).rpartition(": ")[2]
                    return
                step = max(1, step // _FEWER)  # up to the last byte that is not broken
                continue
            if piece:
                yield piece
            elif not data:
                self.fault = "it ends early"
                return
            data = self._state.unconsumed_tail + data[len(part) :]
        self.rest = self._state.unused_data + data


# ---------------------------------------------------------------------------------------------
# zip
# ---------------------------------------------------------------------------------------------


def member(archive: zipfile.ZipFile | None, info: zipfile.ZipInfo, name: str) -> Unpack:
    """Return what unpacks a file of a zip.

    Parameters
    ----------
    archive
        The zip; None where it has lost its end.
    info
        The file.
    name
        What messages call it.
    """
    kind = info.compress_type
    if info.flag_bits & _LOCKED or kind not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        unpack = _by_python(archive, info)
    else:
        unpack = _by_hand(info, name)

    def translated(handle: BinaryIO) -> Iterator[bytes]:
        try:
            yield from unpack(handle)
        except ZIP_ERRORS as err:
            if isinstance(err, EcsvizError):
                raise
            raise broken(name, "zip", str(err)) from err

    return translated


def _by_python(archive: zipfile.ZipFile | None, info: zipfile.ZipInfo) -> Unpack:
    def unpack(_: BinaryIO) -> Iterator[bytes]:
        if archive is None:
            raise NotImplementedError("it has lost its end")
        with archive.open(info) as handle:
            yield from plain(handle)

    return unpack


def _by_hand(info: zipfile.ZipInfo, name: str) -> Unpack:
    """Return what unpacks a file of a zip as far as that is possible."""

    def unpack(handle: BinaryIO) -> Iterator[bytes]:
        handle.seek(info.header_offset)
        header = handle.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(LOCAL):
            raise broken(name, "zip", "it is not where the zip says")
        handle.seek(sum(_HEADER.unpack(header)[-2:]), 1)
        left = info.compress_size

        def more() -> bytes:
            nonlocal left
            piece = handle.read(min(BLOCK, left))
            left -= len(piece)
            return piece

        inflate = Inflate(-zlib.MAX_WBITS) if info.compress_type == zipfile.ZIP_DEFLATED else None
        check = size = 0
        for piece in inflate.read(more) if inflate else iter(more, b""):
            check, size = zlib.crc32(piece, check), size + len(piece)
            yield piece
        fault = inflate.fault if inflate else ""
        if left and inflate is None:
            fault = "it ends early"
        if fault or (check, size) != (info.CRC, info.file_size):
            raise broken(name, "zip", fault or "it is not what was packed")

    return unpack


def found_in(handle: BinaryIO) -> Iterator[zipfile.ZipInfo]:
    """Yield the files of a zip that has lost its end, where they are listed.

    Parameters
    ----------
    handle
        The zip.

    Notes
    -----
    Each begins where the one before ends; how large it is, and its checksum, may stand behind it.
    """
    at = 0
    while True:
        handle.seek(at)
        header = handle.read(_HEADER.size)
        if len(header) < _HEADER.size or not header.startswith(LOCAL):
            return
        _, version, flags, kind, _, _, check, packed, size, named, extra = _HEADER.unpack(header)
        raw = handle.read(named)
        if version > _NEWEST or not raw or kind not in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
            return
        info = zipfile.ZipInfo(raw.decode("utf-8" if flags & _UTF8 else "cp437", "replace"))
        info.header_offset, info.flag_bits, info.compress_type = at, flags, kind
        info.CRC, info.compress_size, info.file_size = check, packed, size
        begin = at + _HEADER.size + named + extra
        handle.seek(begin)
        if flags & _BEHIND:
            if kind == zipfile.ZIP_STORED:
                return  # where it ends, nothing tells
            inflate = Inflate(-zlib.MAX_WBITS)
            info.CRC = info.file_size = 0
            for piece in inflate.read(lambda: handle.read(BLOCK)):
                info.CRC, info.file_size = zlib.crc32(piece, info.CRC), info.file_size + len(piece)
            end = handle.tell() - len(inflate.rest)
            info.compress_size = end - begin
            handle.seek(end)
            mark = handle.read(4) == b"PK\x07\x08"
            end += 16 if mark else 12
        else:
            end = begin + packed
        yield info
        at = end


def broken(name: str, kind: str, why: str) -> ImportFormatError:
    """Return the error for what is packed and cannot be read.

    Parameters
    ----------
    name
        What messages call it.
    kind
        How it is packed.
    why
        What is wrong.
    """
    locked = " If it has a password, unpack it first and read the file inside."
    return ImportFormatError(
        f"{name} is a {kind} that cannot be read ({short_repr(why)}). Download it again."
        f"{locked if kind == 'zip' else ''}",
        source=name,
        line=None,
        column=None,
        reason=f"a {kind} that cannot be read further ({short_repr(why)})",
        place="its end",
    )
