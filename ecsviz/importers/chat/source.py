"""What a chat is read from: a file's text, JSON values or tables, and where in it things stand."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from ecsviz.errors import EcsvizError, ImportFormatError, short_repr
from ecsviz.importers.chat.json_text import JsonText
from ecsviz.importers.files import Limits
from ecsviz.importers.sqlite_file import connected, open_sqlite, private_copy
from ecsviz.storage.sql.sqlite_files import MAGIC, is_sqlite

T = TypeVar("T")

Bear = Callable[[ImportFormatError], None]
"""Told of an error that does not stop the rest."""

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

HEAD = 8_192
"""Bytes by which a file's kind is told, so that pictures and the like are not read whole."""


_OBJECTS = re.compile(r"\ufeff?\s*(\[\s*)*\{")


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


@dataclass(frozen=True, slots=True)
class Trying:
    """A ``with`` block that ends early where something cannot be read; see `Place.trying`."""

    bear: Bear | None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, err: BaseException | None, _: object) -> bool:
        if self.bear is None or not isinstance(err, ImportFormatError):
            return False
        self.bear(err)
        return True


@dataclass(frozen=True, slots=True)
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
        shown = "" if ident is None else f" {short_repr(ident)}"
        return Place(self.source, self.line, (*self.words, word + shown), self.bear)

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
        return None if value is None else self.check(value, kind, repr(key))

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


_NAMES: dict[type, str] = {
    bool: "true or false",
    bytes: "bytes",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}


class Source:
    r"""One file, or a zip or folder of several.

    Parameters
    ----------
    name
        What messages call it.
    peek
        Its first bytes.
    load
        Returns all of its bytes, within the limits.
    limits
        What protects this process.
    path
        Where it lies, if it lies on a disk by itself: a database is read with its journal.
    members
        The files inside, by their path there; None for a file.
    stack
        Keeps the copy of a database until all is read; without it, each look makes one.
    strict
        Whether what cannot be read is an error; else it is told, and the rest is read.

    Attributes
    ----------
    beside, inside
        All files of the zip or folder that it lies in, by their path there, and its own path;
        empty for a file by itself.
    problems
        What concerns the whole file; formats append through `tell`.
    left
        What was not read, since it is no chat; formats append through `leave`.
    refused
        Why it cannot be opened; None if it can.
    broken, borne
        The first of what could not be read; and how much there was.

    Examples
    --------
    >>> source = of_bytes(b'{"a": 1}\n{"a": 2}', "two.jsonl")
    >>> [(str(place), value) for place, value in source.items("row")]
    [('two.jsonl, line 1, row 1', {'a': 1}), ('two.jsonl, line 2, row 2', {'a': 2})]
    """

    def __init__(
        self,
        name: str,
        peek: bytes,
        load: Callable[[], bytes],
        limits: Limits,
        path: Path | None = None,
        members: Mapping[str, Source] | None = None,
        stack: ExitStack | None = None,
        *,
        strict: bool = False,
    ) -> None:
        self.name = name
        self.limits = limits
        self.strict = strict
        self.members = members
        self.beside: Mapping[str, Source] = {}
        self.inside = ""
        self.problems: list[ChatProblem] = []
        self.left: list[tuple[str, str]] = []
        self.refused: EcsvizError | None = None
        self.broken: EcsvizError | None = None
        self.borne = 0
        self._borne: set[tuple[str, str]] = set()
        self._peek = peek
        self._load = load
        self._path = path
        self._stack = stack
        self._copy: Path | None = None
        self._read_tables: set[str] = set()

    def tell(self, what: str, why: str) -> None:
        """Record a problem of the whole file."""
        self.problems.append(ChatProblem(None, None, what, why, self.name))

    def bear(self, err: EcsvizError) -> None:
        """Record what cannot be read, so that the rest is; raise it with ``strict=True``."""
        if self.strict:
            raise err
        self.broken = self.broken or err
        self.borne += 1
        facts = err.facts
        at = [f"{n} {facts[n]}" for n in ("line", "column") if facts.get(n) is not None]
        what = facts.get("place") or ", ".join(at) or "a part of it"
        problem = what, f"not read: {facts.get('reason') or err.message}"
        if problem not in self._borne:  # those that recognise the file may have met it already
            self._borne.add(problem)
            self.tell(*problem)

    def take_over(self, part: Source) -> None:
        """Record what a member of this zip or folder has told."""
        self.problems += part.problems
        self.broken = self.broken or part.broken

    def place(self, line: int | None = None) -> Place:
        """Return the place of something in this file."""
        return Place(self.name, line, bear=None if self.strict else self.bear)

    def leave(self, what: str, why: str) -> None:
        """Record what is not read, for the report: no problem, since it is no chat."""
        self.left.append((what, why))

    @property
    def is_zip(self) -> bool:
        """Whether it is a zip that was not opened, since it lies in another."""
        return self.members is None and self._peek[:4] in ZIP_MAGIC

    @cached_property
    def is_database(self) -> bool:
        """Whether it is a SQLite file."""
        if self._path is None:
            return self._peek.startswith(MAGIC)
        return self.members is None and is_sqlite(self._path, self._peek)

    # -- text --------------------------------------------------------------------------------

    @cached_property
    def head(self) -> str:
        """The beginning of the text; empty if it is none."""
        if self.members is not None or self.is_database or not self._peek:
            return ""
        peek = self._peek[: len(self._peek) // 4 * 4] if len(self._peek) >= HEAD else self._peek
        text = peek.decode(json.detect_encoding(peek), "replace")
        return "" if "\0" in text else text

    @cached_property
    def text(self) -> str:
        """The whole text, without a byte-order mark."""
        data = self._load()
        try:
            return _decode(data, self.name)
        except ImportFormatError as err:
            if self.strict or not json.detect_encoding(data).startswith("utf-8"):
                raise
            return self._readable_lines(data, err)

    def _readable_lines(self, data: bytes, err: ImportFormatError) -> str:
        """Return JSON lines without those that are no UTF-8, and any text without a cut end."""
        lines = data.split(b"\n")
        bad: dict[int, ImportFormatError] = {}
        texts = [""] * len(lines)
        for number, line in enumerate(lines):
            try:
                texts[number] = _decode(line, self.name, "utf-8")
            except ImportFormatError as failed:
                bad[number] = failed
        whole = [text for number, text in enumerate(texts) if number not in bad and text.strip()]
        last = len(lines) - 1
        cut = list(bad) == [last] and len(lines[last]) - bad[last].column < 4
        if cut:
            texts[last] = lines[last].decode("utf-8", "ignore")
            closed = texts[last].rstrip()[-1:] in ("", "}", "]")
            if _OBJECTS.match(self.head) and not closed:  # which is told where it is parsed
                del bad[last]
        elif not whole or not all(text.startswith("{") for text in whole):
            raise err
        for number, found in bad.items():
            found.facts["line"] = number + 1
            self.bear(found)
        return "\n".join(texts)

    @property
    def size(self) -> int:
        """How many characters the file has; 0 if it is no text."""
        return len(self.text) if self.head else 0

    # -- JSON --------------------------------------------------------------------------------

    @cached_property
    def _json(self) -> JsonText:
        bear = None if self.strict else self.bear
        return JsonText(self.text, self.name, self.limits, self.tell, bear)

    @property
    def looks_like_json(self) -> bool:
        """Whether it begins with a list or an object."""
        return self.head.lstrip("\ufeff \t\r\n")[:1] in ("{", "[")

    @cached_property
    def first(self) -> Any:
        """The first JSON value, by which formats recognise their files; None if it is no JSON."""
        if not self.looks_like_json:
            return None
        try:
            return self._json.first
        except ImportFormatError:
            return None

    @property
    def first_item(self) -> dict[str, Any]:
        """The first object: the first value, or the first object in its list; else empty."""
        first = self.first
        if isinstance(first, list):
            first = next((item for item in first if isinstance(item, dict)), None)
        return first if isinstance(first, dict) else {}

    @property
    def total(self) -> int:
        """How many items there are, roughly: for a progress bar."""
        first = self.first
        return len(first) if isinstance(first, list) else self.text.count("\n") + 1

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield the line where each JSON value begins, and the value."""
        self.check_json()
        return self._json.values()

    def check_json(self) -> None:
        """Raise if the file does not begin with a JSON value."""
        if not self.looks_like_json:
            empty = not self._peek or not self.text.strip(" \t\r\n")
            raise ImportFormatError(
                f"{self.name} is empty. Export or download it again."
                if empty
                else f"{self.name} holds no JSON.",
                source=self.name,
                line=1,
                column=1,
                foreign=not empty,
            )
        _ = self._json.first

    def items(self, word: str) -> Iterator[tuple[Place, Any]]:
        """Yield each value, and the members of a list each for itself, with its place.

        Parameters
        ----------
        word
            What an item is called; it is numbered from 1.
        """
        number = 0
        for line, value in self.values():
            listed = isinstance(value, list)
            for item in value if listed else (value,):
                number += 1
                yield self.place(None if listed else line).at(word, number), item

    def talks(self, word: str) -> Iterator[list[tuple[Place, Any]]]:
        """Yield what belongs together, with places: the members of each list; else all values.

        Parameters
        ----------
        word
            What a member is called; it is numbered from 1.
        """
        alone: list[tuple[Place, Any]] = []
        for line, value in self.values():
            if isinstance(value, list):
                here = self.place(line if line > 1 else None)
                yield [(here.at(word, number), item) for number, item in enumerate(value, 1)]
            else:
                alone.append((self.place(line).at(word, len(alone) + 1), value))
        if alone:
            yield alone

    # -- databases ---------------------------------------------------------------------------

    def database(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open the SQLite file, see `open_sqlite`."""
        limits = self.limits
        whole = self._path or self._load
        if self._stack is None:
            content = whole if isinstance(whole, Path) else whole()
            return open_sqlite(
                content,
                name=self.name,
                timeout=limits.timeout,
                max_bytes=limits.max_bytes,
                max_value=limits.max_value,
            )
        if self._copy is None:
            content = whole if isinstance(whole, Path) else whole()
            copying = private_copy(content, self.name, limits.max_bytes)
            self._copy = self._stack.enter_context(copying)
        return connected(self._copy, self.name, timeout=limits.timeout, max_value=limits.max_value)

    @cached_property
    def tables(self) -> dict[str, list[str]]:
        """The names of a SQLite file's ordinary tables, each with its stored columns.

        Notes
        -----
        Views, virtual tables and computed columns are not among them: those run what the file
        says.
        """
        if not self.is_database:
            return {}
        with self.database() as connection:
            listed = connection.execute("PRAGMA main.table_list").fetchall()
            names = [
                str(row[1])
                for row in listed
                if row[2] == "table" and not str(row[1]).startswith("sqlite_")
            ]
            return {
                name: [
                    str(row[1])
                    for row in connection.execute(f"PRAGMA main.table_xinfo({quoted(name)})")
                    if row[6] == 0
                ]
                for name in names
            }

    def rows(
        self, connection: sqlite3.Connection, table: str, order: str = "rowid"
    ) -> Iterator[tuple[Place, dict[str, Any]]]:
        """Yield the rows of a table, each with its place; none if there is no such table.

        Parameters
        ----------
        connection
            What ``database()`` gave.
        table
            The table's name.
        order
            A column; where there is none of this name, the rows come as they are stored.

        Notes
        -----
        Texts that are not UTF-8 keep their bytes as lone surrogates.
        """
        columns = self.tables.get(table, [])
        if not columns:
            return
        self._read_tables.add(table)
        connection.text_factory = _text
        names = ", ".join(map(quoted, columns))
        by = f" ORDER BY {quoted(order)}" if order in columns else ""
        query = f"SELECT {names} FROM main.{quoted(table)}{by}"  # noqa: S608 - all quoted
        for number, row in enumerate(connection.execute(query), 1):
            place = self.place().at(f"table {table}, row", number)
            yield place, dict(zip(columns, row, strict=True))

    def unread_tables(self) -> dict[str, int]:
        """Return the tables that no format has asked for, and how many rows they have."""
        names = [name for name in self.tables if name not in self._read_tables]
        if not names:
            return {}
        with self.database() as connection:
            query = "SELECT count(*) FROM main."
            counts = {name: connection.execute(query + quoted(name)).fetchone() for name in names}
        return {name: int(count) for name, (count,) in counts.items() if count}

    def has_table(self, name: str, *columns: str) -> bool:
        """Tell whether there is a table with these columns."""
        return set(columns) <= set(self.tables.get(name, ())) and name in self.tables


def quoted(name: str) -> str:
    """Return a name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def of_bytes(data: bytes, name: str = "<bytes>", limits: Limits | None = None) -> Source:
    """Return bytes as a source: for tests of a format."""
    return Source(name, data[:HEAD], lambda: data, limits or Limits())


def _decode(data: bytes, name: str, encoding: str | None = None) -> str:
    encoding = encoding or json.detect_encoding(data)
    try:
        # As Python's JSON reader does: lone surrogates pass, storage decides about them.
        return data.decode(encoding, "surrogatepass").removeprefix("\ufeff")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        column = err.start - data.rfind(b"\n", 0, err.start)
        raise ImportFormatError(
            f"{name}, line {line}, column {column}: not {encoding.removesuffix('-sig').upper()},"
            " in which chats are read. If it is a text in another encoding, pass"
            " Path(...).read_text(encoding=...).encode().",
            source=name,
            line=line,
            column=column,
            reason=f"not {encoding.removesuffix('-sig').upper()}",
            foreign=True,
        ) from None
