"""JSON in a text, value by value; of a list each member; and what there is where it breaks."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple

from ecsviz.errors import EcsvizError, ImportLimitError
from ecsviz.importers.chat.json_cursor import CLOSES, FAULTS, NEARLY, OPENS, JsonCursor
from ecsviz.importers.chat.json_repair import (
    BETWEEN,
    NEAR,
    NOTHING,
    Repair,
    alike,
    balanced_end,
)
from ecsviz.importers.chat.text_window import NARROW, Window
from ecsviz.importers.files import Limits

JUNK = re.compile(r'.{1,4}?(?=\[\s*[\[{]|\{\s*")', re.DOTALL)
"""What may stand before the first value: a byte too much, or one that is broken."""

_NEXT = re.compile(r"[ \t\r\n]*,[ \t\r\n]*(?=\{)")
"""What stands between two objects of a list."""

_FAR = 2**24
"""Characters behind a broken member of a list among which the next is looked for."""

_LOOKS = 1_000
"""Places there that are looked at."""

_BATCH = 2**18
"""Characters of a list that are decoded at once, as far as members are shorter."""

_LONG = 2**20
"""Characters that a member may have for its end to be looked for before it is decoded."""

_PRICE = 4
"""How often it has to be right that members end there, for one time that it is not."""

_START = re.compile(r'\{\s*"[^"\\]{1,100}"')
"""How a member of a list begins."""

_SAMPLE = 100
"""Members of a list by which it is recognised..."""

_SAMPLE_LENGTH = 2**20
"""...as far as they stand in its first million characters."""

_NO_OBJECT = ("]", "[", '"', "t", "f", "n", "-", *"0123456789", "")
"""What stands first in a list of something else than objects."""

_BEHIND, _AT_NEXT, _LOST = "behind it", "at the next", "lost"
"""Where reading goes on after a member of a list."""

_MEMBERS: Any = object()
"""Stands for a value that is a broken list, of which the members come next."""


class Item(NamedTuple):
    """A value.

    Attributes
    ----------
    line
        Where it begins, if it stands for itself.
    number
        The how many-th member of its list it is; 0 if it stands for itself.
    value
        The value.
    """

    line: int | None
    number: int
    value: Any


class JsonValues(JsonCursor):
    r"""A text that holds JSON: one value, or one after the other (JSON lines).

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
    bear
        Told of what is no JSON, where something else is; None if all has to be.
    one
        Whether it is one value, and something else may stand behind it.

    Examples
    --------
    >>> text = JsonValues(['[{"a"', ': 2}, {"a": 3}]\n{"a": 1}'], "a.json", Limits(), print)
    >>> [(item.line, item.number, item.value) for item in text.items()]
    [(None, 1, {'a': 2}), (None, 2, {'a': 3}), (2, 0, {'a': 1})]
    """

    def __init__(
        self,
        pieces: Iterable[str],
        name: str,
        limits: Limits,
        tell: Callable[[str, str], None],
        bear: Callable[[EcsvizError], None] | None = None,
        *,
        one: bool = False,
    ) -> None:
        super().__init__(pieces, name, limits, tell)
        self._bear = bear
        self._one = one
        self._far = _FAR
        self._known: dict[str, Any] | None = None  # the first member of the list
        self._seam = ""  # up to where it stands, members are decoded at once...
        self._chances = 1  # ...unless it was wrong too often
        self._repair = Repair(self.decode, self.made)
        self._ahead: deque[Item] = deque()
        self._failed: EcsvizError | None = None
        self._items: Generator[Item] = self._read()

    def items(self) -> Iterator[Item]:
        """Yield each value, and each member of a list of objects; once.

        Raises
        ------
        ImportFormatError, ImportLimitError
            If not all of it is JSON within the limits, and all has to be.
        """
        while (item := self._ahead.popleft() if self._ahead else self._pull()) is not None:
            yield item
            if not self._ahead and self._failed is None:
                yield from self._rest()

    def _rest(self) -> Iterator[Item]:
        """Yield values as long as nobody looks ahead."""
        try:
            for item in self._items:
                yield item
                if self._ahead:
                    return
        except EcsvizError as err:
            self._failed = err
            raise

    def ahead(self, count: int = _SAMPLE) -> list[Item]:
        """Return the first values, as `items` will; none is used up.

        Parameters
        ----------
        count
            How many; fewer where they are long.

        Raises
        ------
        ImportFormatError, ImportLimitError
            As of `items`, if nothing comes before it.
        """
        while len(self._ahead) < count and self.window.passed + self.pos < _SAMPLE_LENGTH:
            try:
                item = self._pull()
            except EcsvizError:
                if not self._ahead:
                    raise
                break
            if item is None:
                break
            self._ahead.append(item)
        return list(self._ahead)[:count]

    def sample(self, skipped: int = 0) -> Any:
        """Return the first value, or None; of a list of objects, the first members.

        Parameters
        ----------
        skipped
            How many values, or members, stand before.
        """
        found = self.ahead(skipped + 1)[skipped:]
        if not found or not found[0].number:
            return found[0].value if found else None
        return [item.value for item in self.ahead()[skipped:] if item.number]

    def close(self) -> None:
        """Close what it is read from."""
        self._items.close()
        self.window = Window(())

    def _pull(self) -> Item | None:
        if self._failed is not None:
            raise self._failed
        try:
            return next(self._items, None)
        except EcsvizError as err:
            self._failed = err
            raise

    # -- values ------------------------------------------------------------------------------

    def _read(self) -> Generator[Item]:
        """Yield each value, and of the first list of objects each member."""
        while not (self._one and not self.first) and not self.at_end():
            begins = self._begins()
            if not begins and self._bear is not None:
                self._bear_junk()
            elif self.first and self._opens_objects():
                self.pos += 1
                yield from self._members()
                self.first = False
            else:
                line = self.here()
                value = self._value_or_less()
                self.decoder.seen(value)
                if value is _MEMBERS:
                    yield from self._members()
                elif self.first and self.broken and self._members_within(value):
                    yield from (Item(None, n, each) for n, each in enumerate(value[0], 1))
                elif value is not NOTHING:
                    yield Item(line, 0, value)
                if isinstance(value, dict) and self.mark_behind() == ",":
                    yield from self._members_without_start()
                self.first = False

    def _members(self, number: int = 0) -> Iterator[Item]:
        """Yield what is left of a list."""
        may_end = True
        while True:
            if self.at_end():
                if not self.broken:
                    self._refuse(self.not_json("Expecting ',' delimiter", len(self.text), number))
                return
            if may_end and self.mark() == "]":
                self.pos += 1
                return
            for value in self._objects():
                number += 1
                yield Item(None, number, value)
            number += 1
            value, at = self._member(number)
            self.decoder.seen(value)
            if self._bear is not None and self._are_members(value):
                self._refuse(self.not_json("a list in the list", self.pos, number))
                yield from (Item(None, n, each) for n, each in enumerate(value, number))
            elif value is not NOTHING:
                yield Item(None, number, value)
            if at is _LOST:
                return
            may_end = at is _BEHIND
            if at is _BEHIND and self.mark_behind() == ",":
                self.pos += 1
                may_end = False
            elif at is _BEHIND and self.mark_behind() not in ("]", ""):
                self._refuse(self.not_json("Expecting ',' delimiter", self.pos, number))
                plain = not isinstance(value, dict | list)
                found = self._next_member(self.start if plain else self.pos)
                if found is None:
                    return
                self.go_on(found)
                may_end = False

    def _objects(self) -> Iterator[Any]:
        """Yield members of a list that are objects, as long as another follows: most of it.

        What is left needs a closer look: the end of the list, or of the window, or a fault.
        """
        while True:
            text, pos = self.text, self.pos
            if len(text) - pos < self._size and not self.window.ended:
                return
            if self._seam and (batch := self._batch()):
                yield from batch
                continue
            try:
                value, end = self.decode(text, pos)
            except FAULTS:
                return
            found = _NEXT.match(text, end)
            if found is None or type(value) is not dict:
                self.ready = (value, end) if text[end - 1] in CLOSES else None
                return
            self.decoder.seen(value)
            if self._known is None:
                self._known = value
            self.start, self.pos, self._size, self.broken = pos, found.end(), 2 * (end - pos), 0
            if self._chances > 0:
                start = _START.match(text, self.pos)
                self._seam = text[end - 1 : self.pos] + start.group() if start else ""
            yield value

    def _batch(self) -> list[dict[str, Any]]:
        """Return objects that follow each other here, decoded at once as a list: many short ones.

        It ends where one more begins as the last did, which stands in no text, since it holds a
        quotation mark. Where that was within an object, it is no list.
        """
        text, pos, seam = self.text, self.pos, self._seam
        end = text.rfind(seam, pos, pos + _BATCH) + 1 or text.find(seam, pos, pos + _LONG) + 1
        behind = _NEXT.match(text, end)
        found = self.decoder.objects(f"[{text[pos:end]}]", -1) if end and behind else []
        if not found or behind is None:
            self._seam = ""
            self._chances -= _PRICE if found is None else 0
            return []
        self._chances = min(self._chances + 1, _PRICE)
        self.start, self.pos = pos, behind.end()
        return found

    def _members_without_start(self) -> Iterator[Item]:
        """Yield the members of a list that has lost what opens it, behind the first."""
        if self._bear is not None:
            self._refuse(self.not_json("Extra data", self.pos))
            self.pos += 1
            yield from self._members(1)

    def _member(self, number: int) -> tuple[Any, str]:
        """Return the next member of a list, or what can be read of it; and where that leads."""
        try:
            value = self.value()
        except FAULTS as err:
            fault, error = self.fault(err, number)
        else:
            if self._known is None and isinstance(value, dict):
                self._known = value
            self.broken = 0
            return value, _BEHIND
        self._refuse(error)
        start, at = self.pos, _BEHIND
        end = self._end_by_brackets(fault)
        if end is None:
            end = self._next_member(fault if self.mark() in OPENS else self.pos)
            at = _AT_NEXT
        if end is None:
            end, at = self._end_of_rest(), _LOST
        value = NOTHING if _is_too_deep(error) else self._mended(start, end, number)
        if at is _LOST and (found := self._next_line_of_values(start)) is not None:
            end = found
        self.go_on(end)
        return value, at

    def _opens_objects(self) -> bool:
        """Tell whether a list begins here whose first member is an object, or looks broken."""
        if self.mark() != "[":
            return False
        behind = self.behind(self.pos + 1)
        return self.text[behind : behind + 1] not in _NO_OBJECT

    def _objects_behind(self) -> int | None:
        """Return where the objects of a broken list begin, a few characters behind its start."""
        found = NEAR.match(self.text, self.pos + 1) if self.mark() == "[" else None
        if found is None:
            return None
        try:
            end = self.behind(self.decode_here(found.end())[1])
        except FAULTS:
            return None
        return found.end() if self.text[end : end + 1] in (",", "]") else None

    def _begins(self) -> bool:
        """Tell whether a list or an object may begin here."""
        if self.mark() != "{":
            return self.mark() == "["
        behind = self.behind(self.pos + 1)
        return self.text[behind : behind + 1] in ('"', "}", "")

    def _are_members(self, value: Any) -> bool:
        """Tell whether a member of a list is a list of its like: of a bracket too much."""
        return isinstance(value, list) and bool(value) and alike(value[0], self._known)

    def _members_within(self, value: Any) -> bool:
        """Tell whether a broken list holds one list of objects: a bracket too much."""
        if not isinstance(value, list) or len(value) != 1 or not isinstance(value[0], list):
            return False
        return bool(value[0]) and all(isinstance(each, dict) for each in value[0])

    def _value_or_less(self) -> Any:
        """Return the value here, or what can be read of it, or `NOTHING`."""
        try:
            value = self.value()
        except FAULTS as err:
            error = self.fault(err)[1]
        else:
            self.broken = 0
            return value
        if self._bear is None:
            raise error
        start, line = self.pos, self.here()
        end = self._next_line_of_values(start)
        if end is None and self.first and (found := self._objects_behind()) is not None:
            self._refuse(error)
            self.go_on(found)
            return _MEMBERS
        if (end is not None or line > 1) and error.facts.get("line") != line:
            error.facts.update(line=line, column=None, place=f"line {line}")  # it runs into others
        self._refuse(error)
        end = self._end_of_rest() if end is None else end
        value = NOTHING if _is_too_deep(error) else self._mended(start, end)
        self.go_on(end)
        return value

    # -- what is left of a broken text -------------------------------------------------------

    def _refuse(self, error: EcsvizError) -> None:
        """Tell what cannot be read, or raise it."""
        if self._bear is None:
            raise error
        self.broken += 1
        self._bear(error)

    def _bear_junk(self) -> None:
        if not self.broken:
            self._refuse(self.not_json("Expecting value", self.pos))
        found = JUNK.match(self.text, self.pos)
        if found:
            self.pos = found.end()
        else:
            self._to_next_line()

    def _to_next_line(self) -> None:
        while (found := self.text.find("\n", self.pos)) < 0:
            self.pos = len(self.text)
            if not self.more():
                return
        self.pos = found + 1

    def _mended(self, start: int, end: int, number: int = 0) -> Any:
        """Return what can be read of a part of the window, or `NOTHING`."""
        value = self._repair.mended(self.text[start:end])
        if not isinstance(value, dict | list) or not (
            self._known is None or alike(value, self._known) or self._are_members(value)
        ):
            return NOTHING
        for where, err in self._repair.faults[1:]:
            if start + where < end - 1:
                error = self.fault(err, number, start + where)[1]
                assert self._bear is not None
                self._bear(error)
        return value

    def _end_by_brackets(self, fault: int) -> int | None:
        """Return where the member here ends by what opens and closes; None where that is unsure."""
        if self.mark() not in OPENS:
            return None
        end = self._balanced()
        if end is None or end <= fault:
            return None
        behind = self.behind(end)
        return end if self.text[behind : behind + 1] in (",", "]", "") else None

    def _balanced(self) -> int | None:
        while True:
            try:
                return balanced_end(self.text, self.pos)
            except EOFError:
                size = len(self.text) - self.pos
                if size > self._far or not self.window.more():
                    self._far = max(NARROW, self._far - size)  # not again and again
                    return None

    def _end_of_rest(self) -> int:
        """Return the end of the text, or of as much as is looked at."""
        while len(self.text) - self.pos < _FAR and self.window.more():
            pass
        return len(self.text)

    def _next_member(self, fault: int) -> int | None:
        """Return where the next object of the list begins, behind what is broken."""
        near = NEAR.match(self.text, fault)
        pos = near.end() if near else self._between(fault)
        for _ in range(_LOOKS):
            if pos is None or pos > fault + _FAR:
                return None
            try:
                value, end = self.decode_here(pos)
            except FAULTS:
                pos = self._between(pos)
                continue
            if alike(value, self._known) if self._known else isinstance(value, dict):
                inner = None if self._known else self._end_of_inner_list(end)
                if inner is None:
                    return pos
                end = inner
            pos = self._between(end - 1)
        return None

    def _between(self, pos: int) -> int | None:
        """Return where the next object begins that follows another."""
        while (found := BETWEEN.search(self.text, pos)) is None:
            pos = max(pos, len(self.text) - NEARLY)
            if not self.window.more():
                return None
        return found.end()

    def _end_of_inner_list(self, pos: int) -> int | None:
        """Return where a list ends that stands in something else; None if it is the outermost."""
        most = pos + _FAR
        while pos < most:
            pos = self.behind(pos)
            mark = self.text[pos : pos + 1]
            if mark == "]":
                behind = self.behind(pos + 1)
                return None if behind == len(self.text) else behind
            if mark != ",":
                return None if not mark else pos
            try:
                _, pos = self.decode_here(self.behind(pos + 1))
            except FAULTS:
                return None
        return None

    def _next_line_of_values(self, start: int) -> int | None:
        """Return the beginning of the next line that is a value, or was one."""
        pos = start
        while True:
            found = self.text.find("\n", pos)
            if found < 0:
                pos = len(self.text)
                if not self.window.more():
                    return None
            else:
                pos = found + 1
                if pos == len(self.text) and not self.window.more():
                    return None
                if self.text[pos] in OPENS and self._is_line(pos):
                    return pos

    def _is_line(self, start: int) -> bool:
        """Tell whether a line is a value, or was one: it opens and closes."""
        while (end := self.text.find("\n", start)) < 0 and self.window.more():
            pass
        line = self.text[start : None if end < 0 else end].rstrip()
        try:
            return self.decode(line, 0)[1] == len(line) and self._stands_alone(start + len(line))
        except ImportLimitError:
            return True
        except json.JSONDecodeError as err:
            if err.pos + NEARLY < len(line):
                return line[-1] in CLOSES
        try:
            end = self.decode_here(start)[1]
        except FAULTS:
            return line[-1] in CLOSES and len(line) > NEARLY
        return self._stands_alone(end)

    def _stands_alone(self, end: int) -> bool:
        """Tell whether what ends at a place ends a line, and stands in no list or object."""
        behind = self.behind(end)
        if behind == len(self.text):
            return True
        return "\n" in self.text[end:behind] and self.text[behind] not in ("]", "}", ",")


def _is_too_deep(error: EcsvizError) -> bool:
    """Tell whether a value nests too deep: half of it would be no chat."""
    return isinstance(error, ImportLimitError) and error.argument == "max_depth"
