"""Where in a file something stands, and what could not be placed there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError, short_repr

T = TypeVar("T")

Bear = Callable[[EcsvizError], None]
"""Told of an error that does not stop the rest."""


@dataclass(frozen=True, slots=True)
class ChatProblem:
    """One thing that could not be placed as the source has it.

    Attributes
    ----------
    thread
        The thread's id in the source, ``"#3"`` for the third thread if it has none, and None
        where the problem belongs to the whole file.
    node
        The message's id in the source, or None.
    what
        What could not be placed.
    why
        The reason, and what was done instead.
    file
        The file's name.
    said
        What the source says, where what the store has was kept instead.
    """

    thread: str | None
    node: str | None
    what: str
    why: str
    file: str | None = field(default=None, compare=False)
    said: Any = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        where = [short_repr(part) for part in (self.thread, self.node) if part is not None]
        return f"{' / '.join(where) or 'the file'}: {self.what}: {self.why}"


@dataclass(slots=True)
class Trying:
    """A ``with`` block that ends early where something cannot be read; see `Place.trying`."""

    bear: Bear | None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, err: BaseException | None, _: object) -> bool:
        if self.bear is None or not isinstance(err, ImportFormatError | ImportLimitError):
            return False
        self.bear(err)
        return True


@dataclass(slots=True, unsafe_hash=True)  # frozen, it takes three times as long to make
class Place:
    """Where in a file something stands, for messages; it also takes typed values out of there.

    Attributes
    ----------
    source
        The file's name.
    line
        The line where the JSON value begins, if the file has one value a line.
    words
        From the outside in: ``("conversation 3 ('abc')", "node 'x'")``.
    bear
        Told of what cannot be read here, which is left out then; None where nothing may be.
    """

    source: str
    line: int | None = None
    words: tuple[str, ...] = ()
    bear: Bear | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        line = [f"line {self.line}"] if self.line is not None else []
        return ", ".join([self.source, *line, *self.words])

    def at(self, word: str, ident: str | int | None = None) -> Place:
        """Return the place inside this one: a word, and a number or an id."""
        if ident is not None:
            is_short = type(ident) is int and 0 <= ident < _MANY
            word = f"{word} {ident if is_short else short_repr(ident)}"
        return Place(self.source, self.line, (*self.words, word), self.bear)

    def trying(self) -> Trying:
        """Leave out what is made in the ``with`` block if it cannot be read, and tell it.

        With ``strict=True``, and where nothing may be left out, it is an error.
        """
        return Trying(self.bear)

    def check(self, value: object, kind: type[T], what: str) -> T:
        """Return `value` if it is a `kind`, else raise."""
        if isinstance(value, kind):
            return value
        raise self.wrong(f"{what} must be {_NAMES[kind]}, not {_NAMES.get(type(value), 'null')}")

    def take(self, holder: dict[str, Any], key: str, kind: type[T]) -> T | None:
        """Return ``holder[key]`` if it is a `kind`, None if it is missing or null, else raise."""
        value = holder.get(key)
        if value is None or isinstance(value, kind):
            return value
        return self.check(value, kind, repr(key))

    def ident(self, holder: dict[str, Any], key: str) -> str | None:
        """Return an id as a text; None if it is missing, null or empty.

        Notes
        -----
        Some formats number their messages: an integer is written out.
        """
        value = holder.get(key)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(self.small(value, repr(key)))
        return self.take(holder, key, str) or None

    def small(self, value: int, what: str) -> int:
        """Return an integer that could be an id or a time, else raise."""
        if value.bit_length() > 64:
            raise self.wrong(f"{what} is an integer of {value.bit_length():,} bits")
        return value

    def wrong(self, what: str) -> ImportFormatError:
        """Return the error that says what is wrong here."""
        line = [f"line {self.line}"] if self.line is not None else []
        return ImportFormatError(
            f"{self}: {what}. Read the file as it was exported; where it was edited, mend this"
            " place; if it is of another kind, name that with format=.",
            source=self.source,
            place=", ".join([*line, *self.words]),
            reason=what,
            line=self.line,
            column=None,
        )


_MANY = 10**18
"""A number that is shorter is shown as it is."""

_NAMES: dict[type, str] = {
    bool: "true or false",
    bytes: "bytes",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}
