"""A JSON value of which a part is broken or missing → what else there is in it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ecsviz.errors import ImportLimitError
from ecsviz.importers.chat.json_text import after

BETWEEN = re.compile(r"\}\s*,\s*(?=\{)")
"""What stands between two objects of a list."""

NEAR = re.compile(r'.{0,16}?(?=\{\s*")', re.DOTALL)
"""What stands there if that is broken."""

_ANOTHER = re.compile(r',\s*"(?:[^"\\]|\\.)*"\s*:\s*\{')
"""What stands behind an object under its name if there is another beside it."""

_NAMED = re.compile(r'\}\s*,\s*("(?:[^"\\]|\\.)*")\s*:\s*(?=\{)')
"""What stands between two objects under their names."""

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}"]', re.DOTALL)
"""A text, what opens or closes, or the beginning of a text that does not end."""

_CLOSES = {"{": "}", "[": "]"}

_LOOKS = 100
"""At how many places a list is looked at for where it goes on."""

_DROPS = 1_000
"""How many parts of one value may be broken."""

_LEVELS = 50
"""How deep a broken part may stand: whatever holds it is decoded as far as that, level by level."""

_FEW_LEVELS = 8
"""The same where it nests too deep, or is too long: that takes long to tell."""

_RECORD = 2
"""An object of more names is a record, where a value is cut."""

NOTHING: Any = object()
"""Stands for a value that is none."""

Fault = json.JSONDecodeError | ImportLimitError

Decode = Callable[[str, int, int], tuple[Any, int]]
"""Takes a text, a place and how deep it stands; returns the value there, and its end."""


@dataclass(slots=True)
class _Open:
    """A list or an object that is not at its end.

    Attributes
    ----------
    names
        Those of an object's members; None of a list.
    at
        Where the value of the member begins that is being read; None while its name is.
    """

    names: list[str] | None
    values: list[Any] = field(default_factory=list)
    at: int | None = None

    @property
    def close(self) -> str:
        return "]" if self.names is None else "}"


@dataclass(slots=True)
class Repair:
    """Reads values of which a part is broken.

    Parameters
    ----------
    decode
        See `Decode`. Its errors are JSONDecodeError, or of ours for a limit.
    made
        Makes an object of its members.

    Attributes
    ----------
    faults
        Where and why parts of the last value were left out.
    """

    decode: Decode
    made: Callable[[list[tuple[str, Any]]], dict[str, Any]]
    faults: list[tuple[int, Fault]] = field(default_factory=list)

    def mended(self, text: str) -> Any:
        """Return what can be read of a value, or `NOTHING`.

        Parameters
        ----------
        text
            It begins with the value.

        Notes
        -----
        What is broken is left out with the smallest record that it stands in: an object in a list
        of objects, or under a name beside others. Of a value that is cut, the last record that is
        whole is the last. O(length), for a part that does not stand deep.
        """
        self.faults = []
        stack: list[_Open] = []
        pos: int | None = 0
        while True:
            assert pos is not None
            try:
                value, pos = self._next(text, pos, stack)
            except (json.JSONDecodeError, ImportLimitError) as err:
                where = err.pos if isinstance(err, json.JSONDecodeError) else pos
                value, pos = NOTHING, self._further(text, where, stack, err)
            while stack and pos is not None:
                mark = text[pos : pos + 1]
                if mark == "{":
                    break  # of what is broken: the list goes on here
                if mark == '"':
                    self._drop(stack[-1])
                    break  # and here an object of objects
                top = stack[-1]
                if value is not NOTHING:
                    top.values.append(value)
                self._drop(top)
                pos = after(text, pos)
                mark = text[pos : pos + 1]
                if mark == ",":
                    pos += 1
                    break
                if mark != top.close:
                    fault = json.JSONDecodeError("Expecting ',' delimiter", text, pos)
                    value, pos = NOTHING, self._further(text, pos, stack, fault)
                    continue
                stack.pop()
                value, pos = self._whole(top), pos + 1
            if pos is None:
                return self._cut(stack)
            if not stack:
                return value

    def _further(
        self,
        text: str,
        where: int,
        stack: list[_Open],
        fault: Fault,
    ) -> int | None:
        """Note a fault, and return where it goes on behind it; None for nowhere."""
        self.faults.append((where, fault))
        if len(self.faults) > _DROPS:
            return None
        return _without(text, where, stack, self.decode)

    def _next(self, text: str, pos: int, stack: list[_Open]) -> tuple[Any, int]:
        """Return the value that comes next, and its end; open what cannot be decoded as a whole."""
        while True:
            pos = after(text, pos)
            if stack:
                top = stack[-1]
                if top.at is None and top.names is not None:
                    name, end = self.decode(text, pos, 0)
                    end = after(text, end)
                    if not isinstance(name, str) or text[end : end + 1] != ":":
                        raise json.JSONDecodeError("Expecting ':' delimiter", text, end)
                    top.names.append(name)
                    pos = after(text, end + 1)
                top.at = pos
            try:
                return self.decode(text, pos, len(stack))
            except (json.JSONDecodeError, ImportLimitError) as err:
                opener = text[pos : pos + 1]
                levels = _LEVELS if isinstance(err, json.JSONDecodeError) else _FEW_LEVELS
                if opener not in _CLOSES or len(stack) >= levels:
                    raise
                stack.append(_Open([] if opener == "{" else None))
                pos += 1

    def _drop(self, top: _Open) -> None:
        """Drop a name that has no value."""
        if top.names is not None:
            del top.names[len(top.values) :]
        top.at = None

    def _whole(self, top: _Open) -> Any:
        if top.names is None:
            return top.values
        return self.made(list(zip(top.names, top.values, strict=False)))

    def _cut(self, stack: list[_Open]) -> Any:
        """Return a value that is cut, up to the last whole record in a list of such."""
        while stack and not (stack[-1].names is None and _are_records(stack[-1].values)):
            stack.pop()
        value = NOTHING
        while stack:
            top = stack.pop()
            if value is not NOTHING:
                top.values.append(value)
            value = self._whole(top)
        return value


def balanced_end(text: str, start: int) -> int | None:
    """Return where a list or an object ends, by what opens and closes; None if that does not fit.

    Parameters
    ----------
    text, start
        Where it begins.

    Raises
    ------
    EOFError
        If the text ends before.

    Examples
    --------
    >>> balanced_end('{"a": [1, nul]} ', 0), balanced_end('{"a": [1, 2}', 0)
    (15, None)
    """
    opened: list[str] = []
    for found in _TOKEN.finditer(text, start):
        mark = text[found.start()]
        if mark in _CLOSES:
            opened.append(_CLOSES[mark])
        elif mark != '"':
            if not opened or opened.pop() != mark:
                return None
            if not opened:
                return found.end()
        elif found.end() - found.start() == 1:
            break  # a text that does not end
    raise EOFError


def alike(value: Any, other: Any) -> bool:
    """Tell whether something is an object with most of the names of another."""
    if not isinstance(value, dict) or not isinstance(other, dict):
        return False
    return 2 * len(value.keys() & other.keys()) > len(other)


def _without(text: str, where: int, stack: list[_Open], decode: Decode) -> int | None:
    """Return where it goes on behind the record in which something is broken; None for nowhere.

    The stack is taken back to the list or object that holds the record, if there is one.
    """
    fits = True  # whether what opens behind a place closes again, for all that is known
    for depth in range(len(stack), 0, -1):
        top = stack[depth - 1]
        end = None
        if fits and top.at is not None and text[top.at : top.at + 1] == "{":
            end = _balanced(text, top.at)
            fits = end is not None
            end = _end_of_record(text, top, where, end)
        if end is None:
            end = _goes_on(text, where, top, decode, depth)
        if end is not None:
            del stack[depth:]
            return end
    return None


def _balanced(text: str, start: int) -> int | None:
    try:
        return balanced_end(text, start)
    except EOFError:
        return None


def _end_of_record(text: str, top: _Open, where: int, end: int | None) -> int | None:
    """Return where it goes on behind a record that ends there; None if it is none."""
    if end is None or end <= where or (top.values and not isinstance(top.values[-1], dict)):
        return None
    end = after(text, end)
    if text[end : end + 1] not in (",", top.close):
        return None
    if top.names is None or (top.values and all(isinstance(each, dict) for each in top.values)):
        return end
    if top.values:
        return None
    # The first under its name: whether it is one of several tells the next.
    return end if _ANOTHER.match(text, end) else None


def _goes_on(text: str, where: int, top: _Open, decode: Decode, depth: int) -> int | None:
    """Return where the next object of a list begins that looks like the one before."""
    near = NEAR.match(text, where)
    if top.names is not None:
        if near and near.end() > where == top.at:  # a byte too much before the value of a name
            return near.end()
        return _next_name(text, where, top, decode, depth)
    known = next((each for each in reversed(top.values) if isinstance(each, dict)), None)
    further = (found.end() for found in islice(BETWEEN.finditer(text, where), _LOOKS))
    place: int
    for place in (*([near.end()] if near else []), *further):
        try:
            value, end = decode(text, place, depth)
        except (json.JSONDecodeError, ImportLimitError):
            continue
        behind = after(text, end)
        in_list = text[behind : behind + 1] in (",", "]")
        least = 0 if near and place == near.end() else _RECORD
        if alike(value, known) or (not known and len(value) > least and in_list):
            return place
    return None


def _next_name(text: str, where: int, top: _Open, decode: Decode, depth: int) -> int | None:
    """Return where the next name stands of an object of objects."""
    if not top.values or not all(isinstance(each, dict) for each in top.values):
        return None
    for found in islice(_NAMED.finditer(text, where), _LOOKS):
        try:
            value, _ = decode(text, found.end(), depth)
        except (json.JSONDecodeError, ImportLimitError):
            continue
        if alike(value, top.values[-1]):
            return found.start(1)
    return None


def _are_records(values: list[Any]) -> bool:
    return bool(values) and all(isinstance(each, dict) and len(each) > _RECORD for each in values)
