"""JSON in a text, value by value: what the reader of Python leaves to be done.

That is: limits as errors of ours, nesting deeper than Python recurses, and names that stand twice
in one object.
"""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Callable, Container, Sequence
from typing import Any, Final

import jiter

from ecsviz.errors import ImportLimitError, short_repr
from ecsviz.importers.files import Limits, exceeded

_BLANK = re.compile(r"[ \t\r\n]*")

LEVELS: Final = 100
"""How deep metadata may nest unseen: half of what can be stored."""

_HOLDERS: Final = frozenset({dict, list})

_QUICK_DEPTH = 200
"""How deep `jiter` reads."""

Pairs = list[tuple[str, Any]]


class Decoder:
    """Decodes values at places of texts.

    Parameters
    ----------
    name
        What messages call the file.
    limits
        How deep it may nest, and how long an integer may be.
    tell
        Told about names that stand twice in one object: what, and why.

    Attributes
    ----------
    shallow
        Whether all that was given to `seen`, and all that `objects` has returned, nests less than
        200 levels deep.

    Examples
    --------
    >>> Decoder("a.json", Limits(), print).decode('[1, {"a": 2}] ', 4)
    ({'a': 2}, 12)
    """

    def __init__(self, name: str, limits: Limits, tell: Callable[[str, str], None]) -> None:
        self.name = name
        self.limits = limits
        self.shallow = True
        self._is_quick = limits.max_depth >= _QUICK_DEPTH
        self.made = _made(tell)
        decoder = json.JSONDecoder(object_pairs_hook=self.made)
        self._scan: Any = decoder.scan_once  # type: ignore[attr-defined]  # not in the stubs

    def decode(self, text: str, start: int, level: int = 0) -> tuple[Any, int]:
        """Return the value at a place, and where it ends.

        Parameters
        ----------
        text, start
            The place: no blank.
        level
            How deep it stands.

        Raises
        ------
        JSONDecodeError
            If it is no JSON, or not at its end.
        ImportLimitError
            If it nests too deep, or holds too long an integer.
        """
        limits, digits = self.limits, sys.get_int_max_str_digits()
        more = 0 < digits < limits.max_digits
        try:
            if more:
                sys.set_int_max_str_digits(limits.max_digits)
            if limits.max_depth < sys.getrecursionlimit():
                return self._deep(text, start, level)
            try:
                return self._scalar(text, start)
            except RecursionError:
                return self._deep(text, start, level)
        except (json.JSONDecodeError, ImportLimitError):
            raise
        except ValueError:
            # Not a JSONDecodeError: an integer of more digits than Python converts.
            most = sys.get_int_max_str_digits()
            what = f"holds an integer of more than {most:,} digits"
            raise exceeded(self.name, what, "max_digits", most) from None
        finally:
            if more:
                sys.set_int_max_str_digits(digits)

    def objects(self, text: str, level: int = 0) -> list[dict[str, Any]] | None:
        """Return the objects of a list that is all of a text; None if it is none, or broken.

        Parameters
        ----------
        text
            The list.
        level
            How deep it stands.

        Notes
        -----
        `jiter` takes half of the time. It gives up where Python's reader does, and also at names
        that stand twice, at halves of surrogate pairs, at much depth and at long integers, which
        Python's reader then decides about.

        Examples
        --------
        >>> decoder = Decoder("a.json", Limits(), print)
        >>> decoder.objects('[{"a": 2}]'), decoder.objects('[{"a": 2}, 3]')
        ([{'a': 2}], None)
        """
        found: Any = None
        if self._is_quick:
            with contextlib.suppress(ValueError):
                found = jiter.from_json(text.encode(), catch_duplicate_keys=True)
        if found is None:
            try:
                found, end = self.decode(text, 0, level)
            except (json.JSONDecodeError, ImportLimitError):
                return None
            if end != len(text):
                return None
            self.seen(found)
        return found if type(found) is list and set(map(type, found)) == {dict} else None

    def seen(self, value: Any) -> None:
        """Note how deep something nests that `decode` has returned."""
        if self.shallow and type(value) in _HOLDERS:
            self.shallow = is_shallow([value])

    def _deep(self, text: str, start: int, level: int) -> tuple[Any, int]:
        """Decode without recursion, some ten times slower."""
        limit = self.limits.max_depth - level
        open_lists: list[list[Any]] = []
        open_keys: list[list[str] | None] = []  # None: it is a list
        pos = start
        value: Any
        while True:
            pos = after(text, pos)
            opener = text[pos : pos + 1]
            if opener and opener in "[{":
                if len(open_lists) >= limit:
                    most = self.limits.max_depth
                    what = f"nests lists and objects deeper than {most:,} levels"
                    raise exceeded(self.name, what, "max_depth", most)
                pos = after(text, pos + 1)
                if text[pos : pos + 1] != ("]" if opener == "[" else "}"):
                    open_lists.append([])
                    open_keys.append([] if opener == "{" else None)
                    pos = self._key(text, pos, open_keys[-1])
                    continue
                value, pos = [] if opener == "[" else {}, pos + 1
            else:
                value, pos = self._scalar(text, pos)
            while open_lists:
                open_lists[-1].append(value)
                names, pos = open_keys[-1], after(text, pos)
                mark = text[pos : pos + 1]
                if mark == ",":
                    pos = self._key(text, after(text, pos + 1), names)
                    break
                if mark != ("]" if names is None else "}"):
                    raise json.JSONDecodeError("Expecting ',' delimiter", text, pos)
                value, pos = open_lists.pop(), pos + 1
                if open_keys.pop() is not None:
                    value = self.made(list(zip(names or (), value, strict=True)))
            else:
                return value, pos

    def _key(self, text: str, pos: int, names: list[str] | None) -> int:
        """Read the name of an object's member, and return where its value begins."""
        if names is None:
            return pos
        if text[pos : pos + 1] != '"':
            message = "Expecting property name enclosed in double quotes"
            raise json.JSONDecodeError(message, text, pos)
        name, pos = self._scalar(text, pos)
        names.append(name)
        pos = after(text, pos)
        if text[pos : pos + 1] != ":":
            raise json.JSONDecodeError("Expecting ':' delimiter", text, pos)
        return pos + 1

    def _scalar(self, text: str, pos: int) -> tuple[Any, int]:
        try:
            found: tuple[Any, int] = self._scan(text, pos)
            return found
        except StopIteration as err:
            raise json.JSONDecodeError("Expecting value", text, err.value) from None


def _made(tell: Callable[[str, str], None]) -> Callable[[Pairs], dict[str, Any]]:
    """Return what makes an object of its members; names that stand twice are told."""

    def made(pairs: Pairs) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            # JSON allows a name twice and readers keep the last. Here the others stay as well.
            last = {name: number for number, (name, _) in enumerate(pairs)}
            used: dict[str, int] = {}
            for number, (name, value) in enumerate(pairs):
                if last[name] != number:
                    kept = free_name(found, name, used)
                    found[kept] = value
                    tell(
                        f"the name {short_repr(name)} twice in one JSON object",
                        f"the earlier value is kept as {short_repr(kept)}",
                    )
        return found

    return made


def is_shallow(values: Sequence[Any], levels: int = LEVELS) -> bool:
    """Tell whether JSON as it was decoded does not nest too deep.

    Parameters
    ----------
    values
        Objects, of which the members are looked at.
    levels
        How deep they may.

    Notes
    -----
    O(what they hold), a level at a time; in a third of the time of `making.is_json`.

    Examples
    --------
    >>> deep = []
    >>> for _ in range(200):
    ...     deep = [deep]
    >>> is_shallow([{"a": [1, {"b": None}]}, {}]), is_shallow([{"a": deep}])
    (True, False)
    """
    level, kinds = list(values), _HOLDERS
    for _ in range(levels):
        parts = [each.values() if type(each) is dict else each for each in level]
        level = [value for part in parts for value in part if type(value) in kinds]
        if not level:
            return True
    return False


def after(text: str, pos: int) -> int:
    """Return the next place, from one on, that is not blank.

    Parameters
    ----------
    text, pos
        The place.
    """
    found = _BLANK.match(text, pos)
    assert found is not None  # it may be empty
    return found.end()


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
