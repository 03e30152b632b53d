"""A place in a text that holds JSON: what stands there, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError
from ecsviz.importers.chat.json_text import Decoder, after
from ecsviz.importers.chat.text_window import NARROW, Window, line_ends
from ecsviz.importers.files import Limits

NEARLY = 16
"""How near to the end of a window a fault may be one of its end: the longest word is shorter."""

OPENS, CLOSES = ("{", "["), ("}", "]", '"')

FAULTS = (json.JSONDecodeError, ImportLimitError)


class JsonCursor:
    """A place in a text, at which values are decoded.

    Parameters
    ----------
    pieces
        The text.
    name
        What messages call it.
    limits
        How deep it may nest, and how long an integer may be.
    tell
        Told about names that stand twice in one object: what, and why.

    Attributes
    ----------
    decoder
        What decodes the values.
    pos, start
        The place, in the window, and where the value before it began.
    first
        Whether nothing was read.
    broken
        How many faults were told since something was read.
    ready
        The value here and where it ends, if it is decoded already.
    """

    def __init__(
        self, pieces: Iterable[str], name: str, limits: Limits, tell: Callable[[str, str], None]
    ) -> None:
        self.decoder = Decoder(name, limits, tell)
        self.name = name
        self.decode = self.decoder.decode
        self.made = self.decoder.made
        self.window = Window(pieces)
        self.pos = self.start = 0
        self.first = True
        self.broken = 0
        self.line = 1
        self.counted = 0  # up to where in the window, in `line`
        self.ready: tuple[Any, int] | None = None
        self._size = 0  # twice that of the value before

    def value(self) -> Any:
        """Return the value here, and go behind it."""
        if self.ready is not None:
            (value, end), self.ready = self.ready, None
            self.start, self.pos = self.pos, end
            return value
        # If what is left is shorter than the value before, more is read first: an error looks at
        # all that stands before it.
        if len(self.text) - self.pos < self._size and not self.window.ended:
            self.more()
        while True:
            text = self.text
            try:
                value, end = self.decode(text, self.pos)
            except json.JSONDecodeError as err:
                if self.may_go_on(err) and self.more():
                    continue
                raise
            if end == len(text) and text[end - 1] not in CLOSES and self.more():
                continue  # a number may
            self.start, self.pos, self._size = self.pos, end, 2 * (end - self.pos)
            return value

    def may_go_on(self, err: json.JSONDecodeError) -> bool:
        """Tell whether a fault may be one of the window's end."""
        cut = err.msg.startswith("Unterminated") or err.pos + NEARLY >= len(self.text)
        return cut and not self.window.ended

    @property
    def text(self) -> str:
        """What is in the window."""
        return self.window.text

    def more(self) -> bool:
        """Let the window reach further, from here on."""
        self.here()
        self.window.forget(self.pos)
        self.pos = self.counted = 0
        self.window.narrow = self.broken > 0
        return self.window.more()

    def go_on(self, pos: int) -> None:
        """Go on behind what is broken."""
        self.pos = pos
        self.here()
        self.window.forget(self.pos)
        self.window.shrink(NARROW)
        self.pos = self.counted = 0

    def at_end(self) -> bool:
        """Go to what is not blank, and tell whether there is none."""
        while True:
            self.pos = after(self.text, self.pos)
            if self.pos < len(self.text):
                return False
            if not self.more():
                return True

    def mark(self) -> str:
        """Return the character here; empty at the end of the window."""
        return self.text[self.pos : self.pos + 1]

    def mark_behind(self) -> str:
        """Go to what is not blank, and return its character; empty at the end."""
        return "" if self.at_end() else self.mark()

    def here(self) -> int:
        """Return the line of this place."""
        self.line += line_ends(self.text, self.counted, self.pos)
        self.counted = self.pos
        return self.line

    def behind(self, pos: int) -> int:
        """Return the next place from one on that is not blank; the window stays where it begins."""
        while True:
            pos = after(self.text, pos)
            if pos < len(self.text) or not self.window.more():
                return pos

    def decode_here(self, pos: int) -> tuple[Any, int]:
        """Decode at a place of the window, which stays where it begins."""
        while True:
            try:
                return self.decode(self.text, pos)
            except json.JSONDecodeError as err:
                if not (self.may_go_on(err) and self.window.more()):
                    raise

    def fault(
        self, err: json.JSONDecodeError | ImportLimitError, number: int = 0, at: int | None = None
    ) -> tuple[int, EcsvizError]:
        """Return where a fault is, and the error that tells it."""
        if isinstance(err, json.JSONDecodeError):
            pos = err.pos if at is None else at
            return pos, self.not_json(err.msg, pos, number)
        pos = self.pos if at is None else at
        place, _, _ = self.place(pos, number)
        err.facts.update(
            place=place, reason=err.message.removeprefix(f"{self.name} ").partition(". ")[0]
        )
        return pos, err

    def place(self, pos: int, number: int = 0) -> tuple[str, int, int]:
        """Return what messages call a place of the window, and its line and column."""
        line, column = self.window.at(pos)
        member = f", member {number}" if number else ""
        return f"line {line}, column {column}{member}", line, column

    def not_json(self, what: str, pos: int, number: int = 0) -> ImportFormatError:
        """Return the error for a place of the window that is no JSON, or its end."""
        cut = what.startswith("Unterminated") or (
            self.window.ended and after(self.text, pos) == len(self.text)
        )
        place, line, column = self.place(pos, number)
        return ImportFormatError(
            f"{self.name}, line {line}, column {column}: "
            + (
                "the file ends in the middle of a value. It is truncated: export or download"
                " it again."
                if cut
                else f"not JSON ({what}). Export the file again, or mend this place."
            ),
            source=self.name,
            line=line,
            column=column,
            place=place,
            reason="the file ends in the middle of a value" if cut else f"not JSON ({what})",
            truncated=cut,
            foreign=not cut and self.first,
        )
