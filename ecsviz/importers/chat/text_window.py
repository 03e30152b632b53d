"""The text of a file, piece by piece; and the window that moves over it."""

from __future__ import annotations

import codecs
import itertools
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ecsviz.errors import ImportFormatError

Keep = Callable[[ImportFormatError], None]
"""Told of bytes that are no text, where the rest is read; raises where nothing else may be."""

_KEPT = "\ufffd"
"""What stands where bytes are no text."""

_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)

_MOST = 16
"""How many places of a piece may be no text, or else it is in another encoding; besides..."""

_PART = 1_000
"""...one of so many bytes."""

WIDTH = 2**21
"""Characters that a window reaches over at least: of many conversations, few are begun twice."""

NARROW = 2**15
"""The same where much is broken: each error looks at what stands before it."""


def line_ends(text: str, start: int, end: int) -> int:
    r"""Return how many lines end between two places of a text.

    Notes
    -----
    Most large exports are one line. That there is none is told in a tenth of the time that
    counting takes.

    Examples
    --------
    >>> line_ends("a\nb\nc", 0, 3), line_ends("a\nb", 2, 3)
    (1, 0)
    """
    found = text.find("\n", start, end)
    return 0 if found < 0 else text.count("\n", found, end)


def texts(pieces: Iterable[bytes], name: str, keep: Keep) -> Iterator[str]:
    """Yield the text that bytes are, without a byte-order mark.

    Parameters
    ----------
    pieces
        The bytes.
    name
        What messages call the file.
    keep
        Told of the bytes of a piece that are no text; U+FFFD stands for them.

    Raises
    ------
    ImportFormatError
        If so many bytes are no text that it is in another encoding.

    Notes
    -----
    As Python's JSON reader does, it tells UTF-16 and UTF-32 by the first bytes; lone surrogates
    pass: storage decides about them.
    """
    decode: Any = None
    place = _Reached(name)
    rest, first = b"", True
    for piece in itertools.chain(pieces, (None,)):
        rest += piece or b""
        if decode is None:
            if piece is not None and len(rest) < 4:
                continue  # too few to tell
            place.encoding, decode = _decoder(rest)
        left, size, faults = memoryview(rest), len(rest), 0
        while True:
            fault: UnicodeDecodeError | None = None
            try:
                text, used = decode(left, "surrogatepass", piece is None)
            except UnicodeDecodeError as err:
                fault, used = err, err.end
                text = decode(left[: err.start], "surrogatepass", True)[0]
            if first and text:
                text, first = text.removeprefix("\ufeff"), False
            if text:
                place.move(text)
                yield text
            left = left[used:]
            if fault is None:
                break
            faults += 1
            wrong = place.wrong(cut=piece is None and not left)
            if faults > _MOST + size // _PART:
                raise wrong
            keep(wrong)
            place.move(_KEPT)
            yield _KEPT
        rest = bytes(left)


def _decoder(data: bytes) -> tuple[str, Any]:
    """Return the encoding of a text, and what decodes it."""
    encoding = encoding_of(data)
    if encoding in ("utf-16", "utf-32"):  # which a mark at its start has told
        big = data.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE))
        encoding += "-be" if big else "-le"
    return encoding, getattr(codecs, f"{encoding.replace('-', '_')}_decode")


def encoding_of(data: bytes) -> str:
    """Return the encoding of JSON, or another text, by its first bytes.

    Parameters
    ----------
    data
        The first bytes.
    """
    found = json.detect_encoding(data[:4]).removesuffix("-sig")
    if found != "utf-8" and not data.startswith(_MARKS) and 8 * data[:64].count(0) < len(data[:64]):
        return "utf-8"  # with a NUL in it
    return found


class _Reached:
    """Where in a text the end of what was read stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.encoding = ""
        self.line = self.column = 1

    def move(self, text: str) -> None:
        lines = line_ends(text, 0, len(text))
        self.line += lines
        self.column = len(text) - text.rfind("\n") if lines else self.column + len(text)

    def wrong(self, *, cut: bool) -> ImportFormatError:
        kind = self.encoding.removesuffix("-be").removesuffix("-le").upper()
        return ImportFormatError(
            f"{self.name}, line {self.line}, column {self.column}: not {kind}, in which chats are"
            " read. If it is a text in another encoding, pass"
            " Path(...).read_text(encoding=...).encode().",
            source=self.name,
            line=self.line,
            column=self.column,
            reason=f"not {kind}; U+FFFD stands for it",
            foreign=True,
            cut=cut,
        )


class Window:
    r"""A part of a text that moves over it.

    Parameters
    ----------
    pieces
        The text.

    Attributes
    ----------
    text
        What is in the window.
    ended
        Whether it reaches to the end.
    line, column, passed
        Where in the whole text it begins: lines and columns count from 1.
    narrow
        Whether it is to be narrow, since much is broken.

    Examples
    --------
    >>> window = Window(["a\nbc", "de"])
    >>> window.more(), window.text, window.ended
    (True, 'a\nbcde', True)
    >>> window.forget(3)
    >>> window.text, window.line, window.column
    ('cde', 2, 2)
    """

    def __init__(self, pieces: Iterable[str]) -> None:
        self.text = ""
        self.ended = False
        self.line = self.column = 1
        self.passed = 0
        self.narrow = False
        self._pieces = iter(pieces)
        self._ahead: deque[str] = deque()

    def more(self) -> bool:
        """Let the window reach as far again, and tell whether it does."""
        if self.ended:
            return False
        wanted = max(len(self.text), NARROW if self.narrow else WIDTH)
        found: list[str] = []
        while wanted > 0:
            piece = self._ahead.popleft() if self._ahead else next(self._pieces, None)
            if piece is None:
                self.ended = True
                break
            if len(piece) > wanted:
                self._ahead.appendleft(piece[wanted:])
                piece = piece[:wanted]
            found.append(piece)
            wanted -= len(piece)
        self.text = "".join((self.text, *found))
        return bool(found)

    def forget(self, end: int) -> None:
        """Move the start of the window to a place in it."""
        if end:
            self.line, self.column = self.at(end)
            self.passed += end
            self.text = self.text[end:]

    def shrink(self, size: int) -> None:
        """Let the window reach less far."""
        if len(self.text) > size:
            self._ahead.appendleft(self.text[size:])
            self.text, self.ended = self.text[:size], False

    def at(self, place: int) -> tuple[int, int]:
        """Return the line and column of a place in the window."""
        lines = line_ends(self.text, 0, place)
        if not lines:
            return self.line, self.column + place
        return self.line + lines, place - self.text.rfind("\n", 0, place)
