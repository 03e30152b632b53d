"""JSON in a text, one value or one a line: what the reader of Python leaves to be done.

That is: places in messages, limits as errors of ours, nesting deeper than Python recurses, and
names that stand twice in one object.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Container, Iterator
from contextlib import suppress
from typing import Any

from ecsviz.errors import ImportFormatError, ImportLimitError, short_repr
from ecsviz.importers.files import Limits, exceeded

_BLANK = " \t\r\n"

_BETWEEN = re.compile(r"\}\s*,\s*(?=\{)")
"""What stands between two objects of a list."""

_LOOKS = 1_000
"""At how many places a list that is broken is looked at for where it goes on."""

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
    bear
        Told of what is no JSON, where something else is; None if all has to be.

    Examples
    --------
    >>> text = JsonText('{"a": 1}\n{"a": 2}', "two.jsonl", Limits(), print)
    >>> list(text.values())
    [(1, {'a': 1}), (2, {'a': 2})]
    """

    def __init__(
        self,
        text: str,
        name: str,
        limits: Limits,
        tell: Callable[[str, str], None],
        bear: Callable[[ImportFormatError], None] | None = None,
    ) -> None:
        self.text = text
        self.name = name
        self.limits = limits
        self._tell = tell
        self._bear = bear
        self._decoder = json.JSONDecoder(object_pairs_hook=self._object)
        self._scan: Any = self._decoder.scan_once  # type: ignore[attr-defined]  # not in the stubs
        self._known: tuple[int, Any, int] | None = None

    @property
    def first(self) -> Any:
        """The first value; it is read once."""
        if self._known is None:
            start = self._next(0)
            try:
                self._known = (start, *self._decode_at(start))
            except ImportFormatError as err:
                found = self._saved(start) or self._further(start)
                if found is None or self._bear is None:
                    raise
                self._bear(err if found[0] == start else self._of_line(err, start))
                self._known = found
        return self._known[1]

    def values(self) -> Iterator[tuple[int, Any]]:
        """Yield the line where each value begins, and the value."""
        _ = self.first
        found, before, line = self._known, 0, 1
        while found is not None:
            start, value, end = found
            line += self.text.count("\n", before, start)
            yield line, value
            before, start = start, self._next(end)
            if start == len(self.text):
                return
            try:
                found = (start, *self._decode_at(start))
            except ImportFormatError as err:
                if self._bear is None:
                    raise
                self._bear(self._of_line(err, start))
                found = self._further(start)

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

    # -- what is left of a broken text -----------------------------------------------------

    def _of_line(self, err: ImportFormatError, start: int) -> ImportFormatError:
        """Return an error with the line where its value begins: it may have run into the next."""
        line = 1 + self.text.count("\n", 0, start)
        if err.line != line:
            err.facts.update(line=line, column=None)
        return err

    def _further(self, start: int) -> tuple[int, Any, int] | None:
        """Return the next value that is a line of its own, behind what is none; None without."""
        while self._bear is not None and (found := self.text.find("\n", start) + 1):
            start = found
            if self.text[start : start + 1] not in ("{", "["):
                continue
            try:
                value, end = self._decode_at(start)
            except ImportFormatError:
                continue
            if self._next(end) == len(self.text) or "\n" in self.text[end : self._next(end)]:
                return start, value, end
        return None

    def _saved(self, start: int) -> tuple[int, Any, int] | None:
        """Return a list, or an object that holds lists, as far as it can be read; None without.

        Of a list, members behind one that is broken are read too where they look like the first.
        """
        if self._bear is None:
            return None
        if self.text[start : start + 1] == "[":
            items = self._members(start)
            return (start, items, len(self.text)) if items else None
        if (found := self._further(start)) is not None:
            return found
        value = self._rest(start)
        return None if value is None else (start, value, len(self.text))

    def _members(self, start: int) -> list[Any]:
        found: list[Any] = []
        pos = self._next(start + 1)
        while pos < len(self.text) and self.text[pos] != "]":
            try:
                value, pos = self._decode_at(pos)
                found.append(value)
                pos = self._next(pos)
            except ImportFormatError:
                value = self._rest(pos)
                if value is not None and (not found or _alike(value, found[0])):
                    found.append(value)
            if not found or not isinstance(found[0], dict):
                return []
            if self.text[pos : pos + 1] == ",":
                pos = self._next(pos + 1)
            elif self.text[pos : pos + 1] != "]":
                pos = self._like(found[0], pos)
        return found

    def _like(self, first: dict[str, Any], start: int) -> int:
        """Return where the next object begins that looks like the first of its list."""
        for _, match in zip(range(_LOOKS), _BETWEEN.finditer(self.text, start), strict=False):
            try:
                value, _ = self._decode_at(match.end())
            except ImportFormatError:
                continue
            if _alike(value, first):
                return match.end()
        return len(self.text)

    def _rest(self, start: int) -> dict[str, Any] | None:
        """Return an object that is cut, up to the last whole object in a list of such."""
        lists: list[list[Any]] = []
        names: list[list[str] | None] = []
        with suppress(ValueError, ImportLimitError):
            self._deep(start, lists, names)
        while lists and not (names[-1] is None and _are_objects(lists[-1])):
            lists.pop()
            names.pop()
        value: Any = None
        while lists:
            values, keys = lists.pop(), names.pop()
            values = values if value is None else [*values, value]
            value = values if keys is None else self._object(list(zip(keys, values, strict=False)))
        return value if isinstance(value, dict) else None

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
            reason="the file ends in the middle of a value" if cut else f"not JSON ({err.msg})",
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

    def _deep(
        self,
        start: int,
        open_lists: list[list[Any]] | None = None,
        open_keys: list[list[str] | None] | None = None,  # None: it is a list
    ) -> tuple[Any, int]:
        """Decode without recursion, some ten times slower; what is open is left in the lists."""
        text, limit = self.text, self.limits.max_depth
        open_lists = [] if open_lists is None else open_lists
        open_keys = [] if open_keys is None else open_keys
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


def _alike(value: Any, first: dict[str, Any]) -> bool:
    """Tell whether something is an object with most of the names of another."""
    return isinstance(value, dict) and 2 * len(value.keys() & first.keys()) > len(first)


def _are_objects(values: list[Any]) -> bool:
    """Tell whether a list holds objects of some size, and nothing else."""
    return bool(values) and all(isinstance(each, dict) and len(each) > 2 for each in values)


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
