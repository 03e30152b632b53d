"""JSON in a text, one value or one a line: what the reader of Python leaves to be done.

That is: places in messages, limits as errors of ours, nesting deeper than Python recurses, and
names that stand twice in one object.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Container, Iterator
from typing import Any

from ecsviz.errors import ImportFormatError, ImportLimitError, short_repr
from ecsviz.importers.files import Limits, exceeded

_BLANK = " \t\r\n"

Pairs = list[tuple[str, Any]]


class JsonText:
    r"""A text that holds JSON: one value, or one after the other (JSON lines).

    Parameters
    ----------
    text
        The text.
    name
        What messages call it.
    limits
        How deep it may nest, and how long an integer may be.
    tell
        Told about names that stand twice in one object: what, and why.

    Examples
    --------
    >>> text = JsonText('{"a": 1}\n{"a": 2}', "two.jsonl", Limits(), print)
    >>> list(text.values())
    [(1, {'a': 1}), (2, {'a': 2})]
    """

    def __init__(
        self, text: str, name: str, limits: Limits, tell: Callable[[str, str], None]
    ) -> None:
        self.text = text
        self.name = name
        self.limits = limits
        self._tell = tell
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._scan: Any = self._decoder.scan_once  # type: ignore[attr-defined]  # not in the stubs
        self._known: tuple[Any, int] | None = None

    @property
    def first(self) -> Any:
        """The first value; it is read once."""
        if self._known is None:
            self._known = self._decode_at(self._next(0))
        return self._known[0]

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield the line where each value begins, and the value."""
        value = self.first
        assert self._known is not None
        start, end = self._next(0), self._known[1]
        line = 1 + self.text.count("\n", 0, start)
        while True:
            yield line, value
            before, start = start, self._next(end)
            if start == len(self.text):
                return
            line += self.text.count("\n", before, start)
            value, end = self._decode_at(start)

    def _next(self, start: int) -> int:
        end = len(self.text)
        while start < end and self.text[start] in _BLANK:
            start += 1
        return start

    def _decode_at(self, start: int) -> tuple[Any, int]:
        digits = sys.get_int_max_str_digits()
        try:
            if 0 < digits < self.limits.max_digits:
                sys.set_int_max_str_digits(self.limits.max_digits)
            if self.limits.max_depth < sys.getrecursionlimit():
                return self._deep(start)
            try:
                return self._decoder.raw_decode(self.text, start)
            except RecursionError:
                return self._deep(start)
        except json.JSONDecodeError as err:
            raise self._not_json(err, start) from None
        except ImportLimitError:
            raise
        except ValueError:
            # Not a JSONDecodeError: an integer of more digits than Python converts.
            limit = sys.get_int_max_str_digits()
            what = f"holds an integer of more than {limit:,} digits"
            raise exceeded(self.name, what, "max_digits", limit) from None
        finally:
            sys.set_int_max_str_digits(digits)

    def _not_json(self, err: json.JSONDecodeError, start: int) -> ImportFormatError:
        cut = err.msg.startswith("Unterminated") or self._next(err.pos) == len(self.text)
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
            foreign=not cut and self._next(0) == start,
        )

    def _object(self, pairs: Pairs) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            # JSON allows a name twice and readers keep the last. Here the others stay as well.
            last = {name: number for number, (name, _) in enumerate(pairs)}
            used: dict[str, int] = {}
            for number, (name, value) in enumerate(pairs):
                if last[name] != number:
                    kept = free_name(found, name, used)
                    found[kept] = value
                    self._tell(
                        f"the name {short_repr(name)} twice in one JSON object",
                        f"the earlier value is kept as {short_repr(kept)}",
                    )
        return found

    def _deep(self, start: int) -> tuple[Any, int]:
        """Decode without recursion, some ten times slower."""
        text, limit = self.text, self.limits.max_depth
        open_lists: list[list[Any]] = []
        open_keys: list[list[str] | None] = []  # None: it is a list
        pos = start
        value: Any
        while True:
            pos = self._next(pos)
            opener = text[pos : pos + 1]
            if opener and opener in "[{":
                if len(open_lists) >= limit:
                    what = f"nests lists and objects deeper than {limit:,} levels"
                    raise exceeded(self.name, what, "max_depth", limit)
                pos = self._next(pos + 1)
                if text[pos : pos + 1] != ("]" if opener == "[" else "}"):
                    open_lists.append([])
                    open_keys.append([] if opener == "{" else None)
                    pos = self._key(pos, open_keys[-1])
                    continue
                value, pos = [] if opener == "[" else {}, pos + 1
            else:
                value, pos = self._scalar(pos)
            while open_lists:
                open_lists[-1].append(value)
                names, pos = open_keys[-1], self._next(pos)
                mark = text[pos : pos + 1]
                if mark == ",":
                    pos = self._key(self._next(pos + 1), names)
                    break
                if mark != ("]" if names is None else "}"):
                    raise json.JSONDecodeError("Expecting ',' delimiter", text, pos)
                value, pos = open_lists.pop(), pos + 1
                if open_keys.pop() is not None:
                    value = self._object(list(zip(names or (), value, strict=True)))
            else:
                return value, pos

    def _key(self, pos: int, names: list[str] | None) -> int:
        """Read the name of an object's member, and return where its value begins."""
        if names is None:
            return pos
        if self.text[pos : pos + 1] != '"':
            message = "Expecting property name enclosed in double quotes"
            raise json.JSONDecodeError(message, self.text, pos)
        name, pos = self._scalar(pos)
        names.append(name)
        pos = self._next(pos)
        if self.text[pos : pos + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", self.text, pos)
        return pos + 1

    def _scalar(self, pos: int) -> tuple[Any, int]:
        try:
            found: tuple[Any, int] = self._scan(self.text, pos)
            return found
        except StopIteration as err:
            raise json.JSONDecodeError("Expecting value", self.text, err.value) from None


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
