"""The file that a chat is read from: its bytes, its JSON values, and where in it things stand."""

from __future__ import annotations

import io
import json
import lzma
import os
import sys
import zipfile
import zlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, TypeVar

from ecsviz.errors import EcsvizError, ImportFormatError, ImportLimitError, did_you_mean, short_repr
from ecsviz.importers.files import ImportSourceError
from ecsviz.importers.limits import MAX_BYTES as MAX_BYTES

T = TypeVar("T")

_BLOCK = 2**20


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
    """

    thread: str | None
    node: str | None
    what: str
    why: str

    def __str__(self) -> str:
        where = [short_repr(part) for part in (self.thread, self.node) if part is not None]
        return f"{' / '.join(where) or 'the file'}: {self.what}: {self.why}"


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
    """

    source: str
    line: int | None = None
    words: tuple[str, ...] = ()

    def __str__(self) -> str:
        line = [f"line {self.line}"] if self.line is not None else []
        return ", ".join([self.source, *line, *self.words])

    def at(self, word: str, ident: str | int | None = None) -> Place:
        """Return the place inside this one: a word, and a number or an id."""
        shown = "" if ident is None else f" {short_repr(ident)}"
        return Place(self.source, self.line, (*self.words, word + shown))

    def check(self, value: object, kind: type[T], what: str) -> T:
        """Return `value` if it is a `kind`, else raise."""
        if isinstance(value, kind):
            return value
        raise self.wrong(f"{what} must be {_NAMES[kind]}, not {_NAMES.get(type(value), 'null')}")

    def take(self, holder: dict[str, Any], key: str, kind: type[T]) -> T | None:
        """Return ``holder[key]`` if it is a `kind`, None if it is missing or null, else raise."""
        value = holder.get(key)
        return None if value is None else self.check(value, kind, repr(key))

    def wrong(self, what: str) -> ImportFormatError:
        """Return the error that says what is wrong here."""
        return ImportFormatError(
            f"{self}: {what}. Read the file as it was exported; where it was edited, mend this"
            " place; if it is of another kind, name that with format=.",
            source=self.source,
            place=str(self),
            line=self.line,
            column=None,
        )


_NAMES: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    float: "a number",
    int: "a number",
    list: "a list",
    str: "a text",
}


class Source:
    r"""A text that holds JSON: one value, or one after the other (JSON lines).

    Parameters
    ----------
    data
        The bytes; UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.
    name
        The file's name, for messages.

    Attributes
    ----------
    problems
        What concerns the whole file; formats append through `tell`.

    Examples
    --------
    >>> source = Source(b'{"a": 1}\n{"a": 2}', "two.jsonl")
    >>> [(str(place), value) for place, value in source.items("row")]
    [('two.jsonl, line 1, row 1', {'a': 1}), ('two.jsonl, line 2, row 2', {'a': 2})]
    """

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.problems: list[ChatProblem] = []
        self._text = _decode(data, name)
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._known: tuple[Any, int] | None = None

    def tell(self, what: str, why: str) -> None:
        """Record a problem of the whole file."""
        self.problems.append(ChatProblem(None, None, what, why))

    @property
    def first(self) -> Any:
        """The first JSON value, by which formats recognise their files."""
        if self._known is None:
            start = self._next(0)
            if self._text[start : start + 1] not in ("{", "["):
                empty = start == len(self._text)
                raise ImportFormatError(
                    f"{self.name} is empty. Export or download it again."
                    if empty
                    else f"{self.name} holds neither JSON nor a zip of it.",
                    source=self.name,
                    line=1,
                    column=1,
                    foreign=not empty,
                )
            self._known = self._decode_at(start)
        return self._known[0]

    @property
    def size(self) -> int:
        """How many characters the file has."""
        return len(self._text)

    @property
    def total(self) -> int:
        """How many items there are, roughly: for a progress bar."""
        return len(self.first) if isinstance(self.first, list) else self._text.count("\n") + 1

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield the line where each JSON value begins, and the value."""
        value = self.first
        assert self._known is not None
        start, end = self._next(0), self._known[1]
        line = 1 + self._text.count("\n", 0, start)
        while True:
            yield line, value
            before, start = start, self._next(end)
            if start == len(self._text):
                return
            line += self._text.count("\n", before, start)
            value, end = self._decode_at(start)

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
                yield Place(self.name, None if listed else line).at(word, number), item

    # -- JSON --------------------------------------------------------------------------------

    def _next(self, start: int) -> int:
        end = len(self._text)
        while start < end and self._text[start] in " \t\r\n":
            start += 1
        return start

    def _decode_at(self, start: int) -> tuple[Any, int]:
        try:
            return self._decoder.raw_decode(self._text, start)
        except json.JSONDecodeError as err:
            raise self._not_json(err, start) from None
        except RecursionError:
            limit = sys.getrecursionlimit()
            raise ImportLimitError(
                f"{self.name} nests lists and objects deeper than Python's JSON reader goes"
                f" (recursion limit {limit:,}). If the file is what you expect, raise the limit"
                f" with sys.setrecursionlimit({limit * 10}) and read it again.",
                source=self.name,
                limit=limit,
            ) from None
        except ValueError:
            # Not a JSONDecodeError: an integer of more digits than Python converts.
            limit = sys.get_int_max_str_digits()
            raise ImportLimitError(
                f"{self.name} holds an integer of more than {limit:,} digits. If it is meant,"
                f" raise the limit with sys.set_int_max_str_digits({limit * 10}) and read the"
                " file again.",
                source=self.name,
                limit=limit,
            ) from None

    def _not_json(self, err: json.JSONDecodeError, start: int) -> ImportFormatError:
        cut = err.msg.startswith("Unterminated") or self._next(err.pos) == len(self._text)
        return ImportFormatError(
            f"{self.name}, line {err.lineno}, column {err.colno}: "
            + (
                "the file ends in the middle of a value. It is truncated: export or download"
                " it again."
                if cut
                else f"not JSON ({err.msg}). Export the file again, or mend this place."
            ),
            source=self.name,
            line=err.lineno,
            column=err.colno,
            truncated=cut,
            foreign=not cut and start == 0,
        )

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            # JSON allows a name twice and readers keep the last. Here the others stay as well.
            last = {name: number for number, (name, _) in enumerate(pairs)}
            used: dict[str, int] = {}
            for number, (name, value) in enumerate(pairs):
                if last[name] != number:
                    kept = free_name(found, name, used)
                    found[kept] = value
                    self.tell(
                        f"the name {short_repr(name)} twice in one JSON object",
                        f"the earlier value is kept as {short_repr(kept)}",
                    )
        return found


def free_name(taken: Container[str], name: str, used: dict[str, int] | None = None) -> str:
    """Return `name`, or with a number behind it, so that it is not taken.

    Parameters
    ----------
    taken
        The names that are.
    name
        The name that is wanted.
    used
        Remembers the last number of each name, so that many calls stay linear.

    Examples
    --------
    >>> free_name({"a": 1, "a (2)": 1}, "a"), free_name({}, "a")
    ('a (3)', 'a')
    """
    if name not in taken:
        return name
    number = 1 if used is None else used.get(name, 1)
    while (free := f"{name} ({number + 1})") in taken:
        number += 1
    if used is not None:
        used[name] = number + 1
    return free


def _decode(data: bytes, name: str) -> str:
    encoding = json.detect_encoding(data)
    try:
        # As Python's JSON reader does: lone surrogates pass, storage decides about them.
        return data.decode(encoding, "surrogatepass")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        column = err.start - data.rfind(b"\n", 0, err.start)
        raise ImportFormatError(
            f"{name}, line {line}, column {column}: not {encoding.removesuffix('-sig').upper()},"
            " as JSON must be. If it is a text in another encoding, pass"
            " Path(...).read_text(encoding=...).encode().",
            source=name,
            line=line,
            column=column,
            foreign=True,
        ) from None


# -- bytes -----------------------------------------------------------------------------------


def open_source(source: Any, members: Iterable[str], max_bytes: int) -> Source:
    """Return the content of a file, of bytes, or of the one member of a zip that is asked for.

    Parameters
    ----------
    source
        A path or bytes.
    members
        The file names, without folders, under which chats lie in a zip.
    max_bytes
        How many bytes may be read, counted after decompression.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        return _open(io.BytesIO(source), "<bytes>", members, max_bytes)
    if not isinstance(source, str | os.PathLike) or isinstance(os.fspath(source), bytes):
        raise ImportSourceError(
            f"A chat is read from a path or from bytes, not from a {type(source).__name__}.",
            source=source,
        )
    path = Path(source)
    try:
        with path.open("rb") as handle:
            return _open(handle, path.name, members, max_bytes)
    except (OSError, ValueError) as err:
        if isinstance(err, EcsvizError):
            raise
        raise _not_opened(path, err) from err


def _not_opened(path: Path, err: OSError | ValueError) -> ImportSourceError:
    shown = str(path)
    if shown.lstrip().startswith(("{", "[")):
        message = (
            "A text is taken as a path, and this one looks like JSON. Pass the bytes:"
            " read_chat(text.encode())."
        )
    else:
        reason = getattr(err, "strerror", None) or str(err)
        message = f"Cannot read {short_repr(shown)}: {reason}." + _beside(path)
    return ImportSourceError(message, source=path, errno=getattr(err, "errno", None))


def _beside(path: Path) -> str:
    try:
        if path.is_dir():
            names = sorted(other.name for other in path.iterdir() if other.is_file())
            return " It is a folder: name a file in it." + did_you_mean("conversations.json", names)
        if path.exists() or not path.parent.is_dir():
            return " Check the path and who may read it."
        names = sorted(other.name for other in path.parent.iterdir())
    except (OSError, ValueError):
        return ""
    return did_you_mean(path.name, names) or " Its folder is empty."


def _open(handle: BinaryIO, name: str, members: Iterable[str], max_bytes: int) -> Source:
    magic = handle.read(4)
    handle.seek(0)
    if magic not in (b"PK\x03\x04", b"PK\x05\x06"):
        return Source(_read(handle, name, max_bytes), name)
    try:
        with zipfile.ZipFile(handle) as archive:
            member = _member(archive, name, members)
            with archive.open(member) as inner:
                return Source(_read(inner, member, max_bytes), f"{name}/{member}")
    except EcsvizError:
        raise
    except (
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError),
        *(ValueError, RuntimeError, NotImplementedError),  # passwords, unknown compression
    ) as err:
        raise ImportFormatError(
            f"{name} is a zip that cannot be read ({short_repr(str(err))}). Download it again; if"
            " it has a password, unpack it first and read the file inside.",
            source=name,
            line=None,
            column=None,
        ) from err


def _member(archive: zipfile.ZipFile, name: str, members: Iterable[str]) -> str:
    wanted = list(members)
    listed = [member for member in archive.namelist() if not member.endswith("/")]
    found = [member for member in listed if PurePosixPath(member).name in wanted]
    depth = min((member.count("/") for member in found), default=0)
    found = [member for member in found if member.count("/") == depth]
    if len(found) == 1:
        return found[0]
    what = " or ".join(map(repr, wanted)) or "file that a chat could be read from"
    raise ImportFormatError(
        (f"{name} is a zip with several {what}:" if found else f"{name} is a zip without {what}:")
        + f" {', '.join(short_repr(member) for member in (found or listed)[:5]) or 'it is empty'}."
        " Unpack the file that you mean and read that.",
        source=name,
        members=found or listed,
        line=None,
        column=None,
    )


def _read(handle: Any, name: str, max_bytes: int) -> bytes:
    # Counted while reading: the size that a zip says may be a lie.
    blocks: list[bytes] = []
    count = 0
    while block := handle.read(_BLOCK):
        blocks.append(block)
        count += len(block)
        if count > max_bytes:
            raise ImportLimitError(
                f"{name} holds more than {max_bytes:,} bytes. If it is what you expect, allow"
                f" more with max_bytes=, such as max_bytes={max_bytes * 4}.",
                source=name,
                limit=max_bytes,
            )
    return b"".join(blocks)
