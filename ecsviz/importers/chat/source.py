"""What a chat is read from: a file's text, JSON values or tables, and where in it things stand."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any

from ecsviz.basics.files import SQLITE
from ecsviz.basics.text import sql_name
from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError
from ecsviz.importers.chat.content import Budget, Content
from ecsviz.importers.chat.json_values import JUNK, Item, JsonValues
from ecsviz.importers.chat.places import ChatProblem, Place
from ecsviz.importers.chat.text_window import encoding_of, texts
from ecsviz.importers.files import Limits, stops_all
from ecsviz.importers.sqlite_file import connected, open_sqlite, private_copy
from ecsviz.storage.sql.sqlite_files import is_sqlite

__all__ = [
    "HEAD",
    "ZIP_MAGIC",
    "ChatProblem",
    "Place",
    "Source",
    "in_memory",
    "of_bytes",
]

ZIP_MAGIC = (b"PK\x03\x04", b"PK\x05\x06")

MOST_TOLD = 1_000
"""How much of one file is told that cannot be read."""

HEAD = 8_192
"""Bytes by which a file's kind is told, so that pictures and the like are not read whole."""


class Source:
    r"""One file, or a zip or folder of several.

    Parameters
    ----------
    name
        What messages call it.
    peek
        Its first bytes.
    load
        Returns all of its bytes, within the limits: a `Content`, where there may be many.
    limits
        What protects this process.
    path
        Where it lies, if it lies on a disk by itself: a database is read with its journal. An
        attribute, too.
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
    of_rows
        Whether it was a table, each of whose rows is a line of JSON.
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
        self.of_rows = False
        self.refused: EcsvizError | None = None
        self.broken: EcsvizError | None = None
        self.borne = 0
        self.content = load if isinstance(load, Content) else None
        self._load = load
        self._told: set[tuple[str, str]] = set()
        self._peek = peek
        self._begun = 0
        self._skipped = 0
        self._early: list[EcsvizError] = []  # of JSON, before it is sure to be read as such
        self.path = path
        self._stack = stack
        self._copy: Path | None = None
        self._read_tables: set[str] = set()

    @property
    def trouble(self) -> EcsvizError | None:
        """The first of what could not be read, as far as somebody has looked."""
        return self.broken or next(iter(self._early), None)

    def tell(self, what: str, why: str) -> None:
        """Record a problem of the whole file."""
        self.problems.append(ChatProblem(None, None, what, why, self.name))

    def bear(self, err: EcsvizError) -> None:
        """Record what cannot be read, so that the rest is; raise it with ``strict=True``."""
        if self.strict or stops_all(err):
            raise err
        self.broken = self.broken or err
        self.borne += 1
        facts = err.facts
        at = [f"{n} {facts[n]}" for n in ("line", "column") if facts.get(n) is not None]
        what = facts.get("place") or ", ".join(at) or "a part of it"
        why = f"not read: {facts.get('reason') or err.message}"
        if len(self._told) < MOST_TOLD:
            self._tell_once(what, why)
        elif len(self._told) == MOST_TOLD:
            self._tell_once("more", "not read: there is more of the kind than is told")

    def _tell_once(self, what: str, why: str) -> None:
        if (what, why) not in self._told:  # those that recognise the file may have met it already
            self._told.add((what, why))
            self.tell(what, why)

    def take_over(self, part: Source) -> None:
        """Record what a member of this zip or folder has told."""
        for err in part._early:  # its own room
            part.bear(err)
        part._early = []
        self.problems += part.problems
        part.problems = []
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
        if self.path is None:
            return self._peek.startswith(SQLITE)
        return self.members is None and is_sqlite(self.path, self._peek)

    # -- text --------------------------------------------------------------------------------

    @cached_property
    def head(self) -> str:
        """The beginning of the text; empty if it is none."""
        if self.members is not None or self.is_database or not self._peek:
            return ""
        peek = self._peek[: len(self._peek) // 4 * 4] if len(self._peek) >= HEAD else self._peek
        text = peek.decode(encoding_of(peek), "replace").removeprefix("\ufeff")
        if len(self._peek) >= HEAD and not text.strip():
            pieces = (piece.lstrip() for piece in self._texts())
            return next(filter(None, pieces), "")[:HEAD]
        return "" if text.count("\0") > 1 + len(text) // 100 else text

    @cached_property
    def text(self) -> str:
        """The whole text, without a byte-order mark."""
        return "".join(self._texts())

    def _texts(self, *, as_json: bool = False) -> Iterator[str]:
        """Yield the text, piece by piece; of JSON that is cut, its reader tells."""

        def keep(err: ImportFormatError) -> None:
            if self.strict or not (as_json and err.facts.get("cut")):
                self.bear(err)

        return texts(self._pieces(), self.name, keep)

    def _pieces(self) -> Iterator[bytes]:
        """Yield the bytes as far as they can be read."""
        try:
            yield from (self._load(),) if self.content is None else self.content.pieces()
        except (ImportFormatError, ImportLimitError) as err:
            self.bear(err)

    @property
    def size(self) -> int:
        """How many bytes the file has where it lies; 0 if it is no text."""
        return self.content.size if self.head and self.content is not None else 0

    # -- JSON --------------------------------------------------------------------------------

    @cached_property
    def _json(self) -> JsonValues:
        return self._json_anew()

    @property
    def is_shallow(self) -> bool:
        """Whether all JSON so far was found not to nest deep: by what reads it first."""
        return self._begun == 1 and self._json.decoder.shallow

    def _json_anew(self) -> JsonValues:
        bear = None if self.strict else self._bear_json
        return JsonValues(self._texts(as_json=True), self.name, self.limits, self._tell_once, bear)

    def _bear_json(self, err: EcsvizError) -> None:
        """Record what is no JSON, as soon as it is sure that the file is to be read as such."""
        if self._begun:
            self.bear(err)
        else:
            self._early.append(err)

    @cached_property
    def looks_like_json(self) -> bool:
        """Whether it begins with a list or an object; or may have, and is broken there."""
        head = self.head.lstrip("\ufeff \t\r\n")
        if head[:1] in ("{", "["):
            return True
        if self.strict:
            return False
        more = [line for line in head.split("\n")[1:] if line.strip()]
        whole = more[: -1 if len(more) > 1 else None]
        return JUNK.match(head) is not None or (
            bool(whole) and all(line.startswith('{"') for line in whole)
        )

    @cached_property
    def first(self) -> Any:
        """The first JSON value, by which formats recognise their files; None if it is no JSON.

        Of a list of objects, the first members: a hundred at the most.
        """
        if not self.looks_like_json:
            return None
        try:
            return self._json.sample(self._skipped)
        except ImportFormatError:
            return None

    def look_behind(self, number: int) -> bool:
        """Let ``first`` begin behind so many values, and tell whether there is one.

        The first may be a record that is none: by the others the file may be recognised.
        """
        self.__dict__.pop("first", None)
        self._skipped = number
        return self.first is not None

    def first_items(self, count: int) -> list[Any]:
        """Return the first values of `items`, at most so many; by them formats recognise files.

        Parameters
        ----------
        count
            How many; fewer where they are long.
        """
        if not self.looks_like_json:
            return []
        try:
            return [item.value for item in self._json.ahead(count)]
        except ImportFormatError:
            return []

    @property
    def first_item(self) -> dict[str, Any]:
        """The first object: the first value, or the first object in its list; else empty."""
        first = self.first
        if isinstance(first, list):
            first = next((item for item in first if isinstance(item, dict)), None)
        return first if isinstance(first, dict) else {}

    @property
    def total(self) -> int:
        """How many items there are, as far as somebody has looked."""
        first = self.first
        return len(first) if isinstance(first, list) else 1

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield the line where each JSON value begins, and the value: a list as a whole.

        `items` takes less memory.
        """
        listed: list[Any] = []
        for item in self._all():
            if item.number:
                listed.append(item.value)
                continue
            if listed:
                yield 1, listed
                listed = []
            yield item.line or 1, item.value
        if listed:
            yield 1, listed

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
        if self._json.sample() is None and self.trouble is not None:
            raise self.trouble

    def items(self, word: str) -> Iterator[tuple[Place, Any]]:
        """Yield each value, and the members of a list each for itself, with its place.

        Parameters
        ----------
        word
            What an item is called; it is numbered from 1.
        """
        number, whole = 0, self.place()
        for line, at, value in self._all():
            if at:
                number = max(number + 1, at)
                yield whole.at(word, number), value
                continue
            listed = isinstance(value, list)
            for item in value if listed else (value,):
                number += 1
                yield (whole if listed else self.place(line)).at(word, number), item

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

    def _all(self) -> Iterator[Item]:
        self.check_json()
        values = self._json_anew() if self._begun else self._json
        self._begun += 1
        for err in self._early:
            self.bear(err)
        self._early = []
        return values.items()

    def take_over_all(self) -> None:
        """Record what the members of this zip or folder have told that somebody has opened."""
        for part in getattr(self.members, "opened", ()):
            self.take_over(part)

    def forget(self, name: str) -> None:
        """Forget a file inside that was opened; it can be opened again.

        Parameters
        ----------
        name
            Its path there.
        """
        forget = getattr(self.members, "forget", None)
        if forget is not None:
            forget(name)

    def close(self) -> None:
        """Forget what was read of it; it can be read again."""
        for name in ("_json", "text", "first"):
            if name in self.__dict__:
                if name == "_json":
                    self._json.close()
                del self.__dict__[name]
        self._begun = 0
        self._skipped = 0

    # -- databases ---------------------------------------------------------------------------

    def database(self) -> AbstractContextManager[sqlite3.Connection]:
        """Open the SQLite file, see `open_sqlite`."""
        limits = self.limits
        whole = self.path or self._load
        if self._stack is None:
            return open_sqlite(
                whole if isinstance(whole, Path) else whole(),
                name=self.name,
                timeout=limits.timeout,
                max_bytes=limits.max_bytes,
                max_value=limits.max_value,
            )
        if self._copy is None:
            content = whole if isinstance(whole, Path) else whole()
            copying = private_copy(content, self.name, limits.max_bytes, limits.timeout)
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
                    for row in connection.execute(f"PRAGMA main.table_xinfo({sql_name(name)})")
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
        names = ", ".join(map(sql_name, columns))
        by = f" ORDER BY {sql_name(order)}" if order in columns else ""
        query = f"SELECT {names} FROM main.{sql_name(table)}{by}"  # noqa: S608 - all quoted
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
            counts = {name: connection.execute(query + sql_name(name)).fetchone() for name in names}
        return {name: int(count) for name, (count,) in counts.items() if count}

    def has_table(self, name: str, *columns: str) -> bool:
        """Tell whether there is a table with these columns."""
        return set(columns) <= set(self.tables.get(name, ())) and name in self.tables


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def of_bytes(data: bytes, name: str = "<bytes>", limits: Limits | None = None) -> Source:
    """Return bytes as a source: for tests of a format."""
    limits = limits or Limits()
    return Source(name, data[:HEAD], in_memory(data, name, Budget(limits)), limits)


def in_memory(data: bytes, name: str, budget: Budget) -> Content:
    """Return bytes as the content of a file."""
    return Content(name, lambda: io.BytesIO(data), len(data), budget)
