"""WhatsApp's export of a chat: a text with a line, or several, a message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from ecsviz.importers.chat.drafts import LIKELY, Claim, Claiming, DraftMessage, DraftThread, claim
from ecsviz.importers.chat.source import Source

_MARKS = "[\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]*"
"""Marks of direction, which phones put between the numbers."""

_EARLY = "上午|凌晨|清晨|早上|午前|오전|ص"
_LATE = "下午|中午|晚上|午後|오후|م"
"""Words for the halves of a day: before the hour, or behind the time."""

_LINE = re.compile(
    rf"{_MARKS}"
    r"(?P<open>\[)?"  # on iOS; Android writes " - " behind the time
    rf"{_MARKS}(?P<stamp>(?P<a>\d{{1,4}}){_MARKS}(?P<sep>[./-])\x20?{_MARKS}(?P<b>\d{{1,2}}){_MARKS}"
    rf"(?P=sep)\x20?{_MARKS}(?P<c>\d{{2,4}}){_MARKS}\.?,?\s(?:klo\s)?"
    rf"(?P<word>(?:{_EARLY}|{_LATE})\s?)?(?P<h>\d{{1,2}})[:.](?P<m>\d\d)(?:[:.](?P<s>\d\d))?"
    rf"(?:\s?(?P<half>[AaPp])\.?\s?[Mm]\.?|\s?(?P<behind>{_EARLY}|{_LATE}))?)"
    r"(?(open)\]\s|(?P<tail>\s-\s|:\s|,\s))"
    r"(?P<rest>.*)",
    re.DOTALL,
)

_BUDDHIST = 543
"""How many years Thailand's calendar is ahead."""

_AUTHOR = re.compile(r"(?P<name>[^:\n]{1,100}): (?P<text>.*)|(?P<bare>[^:\n]{1,100}):", re.DOTALL)

Found = tuple[int, re.Match[str], list[str]]
"""A message's line number, its first line, and the lines that follow."""


_BEFORE = 3
"""Lines that may stand before the first message, such as a title."""


class WhatsApp(Claiming):
    """Reads the lines of a chat; a line without a time belongs to the message before it.

    Notes
    -----
    The file does not say what answers what, so no message has a parent. Times are the phone's
    wall clock, read as UTC or in the ``timezone=`` of `read_chat`, in an order of day and month
    that depends on the phone: it is found by what makes dates, and then by what makes them come
    in order; the time as it stands is kept in the metadata. What nobody wrote has the role
    ``"system"``.
    """

    name = "whatsapp"
    title = "WhatsApp chat (.txt)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first line that is not empty begins with a date and a time."""
        lines = list(filter(None, source.head.split("\n")))[: _BEFORE + 2]
        begun = [_LINE.match(line) is not None for line in lines]
        found = begun[:1] == [True] or sum(begun) > 1
        return claim(found, "lines that begin with a date and a time", LIKELY)

    def read(self, source: Source) -> Iterator[DraftThread]:
        """Yield the one thread."""
        found, before = _lines(source)
        draft = DraftThread()
        if before:
            draft.metadata["before"] = list(before)
        order = _order(draft, [match for _, match, _ in found])
        authors: dict[str, None] = {}
        for number, match, more in found:
            text = "\n".join([match["rest"], *more])
            said = _AUTHOR.fullmatch(text)
            author = (said["name"] or said["bare"]).rstrip() if said else None
            if author:
                authors[author] = None
            when = _time(match, order)
            metadata = {"time": match["stamp"]}
            if when is None:
                draft.tell(f"line {number}", "'time'", "not a time; the value is in the metadata")
            draft.add(
                DraftMessage(
                    role="user" if author else "system",
                    content=(said["text"] or "") if said else text,
                    author=author,
                    created_at=when,
                    # Not by the time: a longer file may tell day and month better.
                    key=f"{match['stamp']} {text}",
                    metadata=metadata,
                )
            )
        draft.title = ", ".join(list(authors)[:4]) + (", …" if len(authors) > 4 else "")
        draft.settle()
        yield draft


def _lines(source: Source) -> tuple[list[Found], list[str]]:
    """Return the messages, and the lines before the first."""
    found: list[Found] = []
    before: list[str] = []
    for number, raw in enumerate(source.text.split("\n"), 1):
        line = raw.removesuffix("\r")
        match = _LINE.fullmatch(line)
        if match is not None and (not found or _is_alike(found[0][1], match)):
            found.append((number, match, []))
        elif found:
            found[-1][2].append(line)
        elif line.strip():
            before.append(line)
            if len(before) > _BEFORE:
                what = "no line of a chat: no date and time before it"
                raise source.place(number).wrong(what)
    if found and found[-1][2] and not found[-1][2][-1]:
        found[-1][2].pop()  # the end of the last line
    if not found:
        raise source.place().wrong("no line begins with a date and a time")
    return found, before


def _is_alike(first: re.Match[str], match: re.Match[str]) -> bool:
    """Tell whether a line begins as the first message does: others may begin with a date too."""
    return all(first[name] == match[name] for name in ("open", "sep", "tail"))


def _order(draft: DraftThread, lines: list[re.Match[str]]) -> str:
    """Return in which order day, month and year stand: the one that makes the most sense."""
    if not lines:
        return "dmy"
    if len(lines[0]["a"]) == 4:
        return "ymd"
    clock = any(match["half"] or match["behind"] for match in lines)
    orders = ("mdy", "dmy") if clock and lines[0]["sep"] == "/" else ("dmy", "mdy")

    def faults(order: str) -> tuple[int, int]:
        times = [_time(match, order) for match in lines]
        known = [each for each in times if each is not None]
        return len(times) - len(known), sum(late < early for early, late in pairwise(known))

    first, second = map(faults, orders)
    if first == second and any(match["a"] != match["b"] for match in lines):
        shown = {"mdy": "month, day", "dmy": "day, month"}[orders[0]]
        draft.tell(None, "the order of day and month", f"cannot be told; read as {shown}")
    return orders[0] if first <= second else orders[1]


def _time(match: re.Match[str], order: str) -> datetime | None:
    parts = dict(zip(order, map(int, match.group("a", "b", "c")), strict=True))
    year = parts["y"] + (2000 if parts["y"] < 100 else 0)
    year -= _BUDDHIST if year > 2400 else 0
    hour = int(match["h"])
    half = (match["half"] or match["word"] or match["behind"] or "").strip()
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in "pP" or re.fullmatch(_LATE, half) else 0)
    try:
        return datetime(  # noqa: DTZ001 - a wall clock
            *(year, parts["m"], parts["d"]), *(hour, int(match["m"]), int(match["s"] or 0))
        )
    except ValueError:
        return None
