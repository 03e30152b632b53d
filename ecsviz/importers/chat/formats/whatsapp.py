"""WhatsApp's export of a chat: a text with a line, or several, a message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise

from ecsviz.domain.chat import MessagePart
from ecsviz.importers.chat.drafts import (
    DOUBTFUL,
    LIKELY,
    Claim,
    Claiming,
    DraftMessage,
    DraftThread,
    claim,
)
from ecsviz.importers.chat.media import LEFT_OUT, MARKS, NOUNS, attached
from ecsviz.importers.chat.parts import texts_of
from ecsviz.importers.chat.source import Source

_EARLY = "上午|凌晨|清晨|早上|午前|오전|ص"
_LATE = "下午|中午|晚上|午後|오후|م"
"""Words for the halves of a day: before the hour, or behind the time."""

_LINE = re.compile(
    rf"{MARKS}"
    r"(?P<open>\[)?"  # on iOS; Android writes " - " behind the time
    rf"{MARKS}(?P<stamp>(?P<a>\d{{1,4}}){MARKS}(?P<sep>[./-])\x20?{MARKS}(?P<b>\d{{1,2}}){MARKS}"
    rf"(?P=sep)\x20?{MARKS}(?P<c>\d{{2,4}}){MARKS}\.?,?\s(?:klo\s)?"
    rf"(?P<word>(?:{_EARLY}|{_LATE})\s?)?(?P<h>\d{{1,2}})[:.](?P<m>\d\d)(?:[:.](?P<s>\d\d))?"
    rf"(?:\s?(?P<half>[AaPp])\.?\s?[Mm]\.?|\s?(?P<behind>{_EARLY}|{_LATE}))?)"
    r"(?(open)\]\s|(?P<tail>\s-\s|:\s|,\s))"
    r"(?P<rest>.*)",
    re.DOTALL,
)

_BUDDHIST = 543
"""How many years Thailand's calendar is ahead."""

_AUTHOR = re.compile(r"(?P<name>[^:\n]{1,100}): (?P<text>.*)|(?P<bare>[^:\n]{1,100}):", re.DOTALL)

_NAMED = re.compile(rf"<[^<>:]{{3,20}}:\s(?P<name>[^<>]{{1,200}}\.\w{{1,5}})>{MARKS}")
"""A file that was exported, on iOS: ``<attached: 1.jpg>``, in any language."""

_ATTACHED = re.compile(
    rf"{MARKS}(?P<name>[^()]{{1,200}}\.\w{{1,5}})\s\("
    r"[^()]{0,20}?(?:attach|angeh|adjunt|joint|allegat|anexad|bijgev|bifog|vedh|dołącz|прикреп|ekl[ie]|"
    r"附件|添付|첨부|terlampir|مرفق)[^()]{0,20}\)",
    re.IGNORECASE,
)
"""The same on Android: ``1.jpg (file attached)``."""

_SHORT = 400
"""Characters that a line has at the most which stands for a file."""

_FEW = 6
"""Lines of which each may be another's; of more, somebody has written twice."""

Found = tuple[int, re.Match[str], list[str]]
"""A message's line number, its first line, and the lines that follow."""


_BEFORE = 3
"""Lines that may stand before the first message, such as a title."""

_LOGGED = re.compile(
    r"[^\w\n]*+(?:[^\s:]*[^\s\w:]|[^\s:]+\s[^\w\n]*|)"  # a module, a process, a bracket
    r"(?:TRACE|DEBUG|INFO|NOTICE|WARN(?:ING)?|ERR(?:OR)?|CRITICAL|FATAL|SEVERE|LOG|Info|Error)\b"
)
"""What programs write behind the time, and no phone does: how much it matters."""


_OWN = re.compile(
    r"[\u200e\u200f\u202f]|end-to-end|ende-zu-ende|extremo a extremo|bout en bout|da un'estremit|"
    r"ponta a ponta|сквозн|端到端|端對端|エンドツーエンド|종단간|uçtan uca|من طرف لطرف",
    re.IGNORECASE,
)
"""What phones write and logs do not: marks of direction, narrow spaces, that it is encrypted."""

_PROGRAM = re.compile(r"[a-z0-9_.#/-]+|.*[\[\]_/=#].*|[A-Z]?[a-z]+[A-Z]+[a-z]\w*|\w+-\d+|[A-Z]{3,}")
"""What a program, or a part of one, is called: ``db``, ``app.worker``, ``main-1``, ``HttpPool``."""


class WhatsApp(Claiming):
    """Reads the lines of a chat; a line without a time belongs to the message before it.

    Notes
    -----
    The file does not say what answers what, so no message has a parent. Times are the phone's
    wall clock, read as UTC or in the ``timezone=`` of `read_chat`, in an order of day and month
    that depends on the phone: it is found by what makes dates, and then by what makes them come
    in order; the time as it stands is kept in the metadata. What nobody wrote has the role
    ``"system"``. A line that stands for a file, or names one, is its part.
    """

    name = "whatsapp"
    title = "WhatsApp chat (.txt)"

    def claims(self, source: Source) -> Claim:
        """Tell whether the first line that is not empty begins with a date and a time."""
        lines = list(filter(None, source.head.split("\n")))[: _BEFORE + 2]
        begun = [_LINE.match(line) is not None for line in lines]
        found = (begun[:1] == [True] or sum(begun) > 1) and _is_said(source.head)
        if found and not _is_of_people(source.head):
            return Claim(DOUBTFUL, "may be a log: nothing in it is of a phone alone")
        return claim(found, "lines that begin with a date, a time and a name", LIKELY)

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
            content = (said["text"] or "") if said else text
            parts = _parts(content) if author else [MessagePart(kind="text", text=content)]
            when = _time(match, order)
            metadata = {"time": match["stamp"]}
            if when is None:
                draft.tell(f"line {number}", "'time'", "not a time; the value is in the metadata")
            draft.add(
                DraftMessage(
                    role="user" if author else "system",
                    content=texts_of(parts),
                    parts=parts or [MessagePart(kind="other", text="empty message")],
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


def _parts(text: str) -> list[MessagePart]:
    """Return the parts of a message: a file that its first line names or stands for, and a text."""
    first, _, more = text.partition("\n")
    before, mark, tail = first.rpartition("<")
    if mark and (found := _NAMED.fullmatch(mark + tail)) is not None:
        lines = [before.rstrip(" \u200e\u200f"), more]
        part = attached(found["name"].strip())
    elif len(first) <= _SHORT and (found := _ATTACHED.fullmatch(first)) is not None:
        lines, part = [more], attached(found["name"])
    elif len(first) <= _SHORT and (found := LEFT_OUT.fullmatch(first)) is not None:
        kind = next((kind for kind in NOUNS if found[kind]), "other")
        name = (found["name"] or "").partition(" • ")[0] or (first if kind == "file" else None)
        lines, part = [more], MessagePart(kind=kind, text=first, name=name)
    else:
        return [MessagePart(kind="text", text=text)] if text else []
    said = "\n".join(filter(None, lines))
    return [part, *([MessagePart(kind="text", text=said)] if said else [])]


def _is_said(head: str) -> bool:
    """Tell whether people have written lines that begin with a time, and no program has."""
    begun = [found for line in head.split("\n") if (found := _LINE.match(line))]
    said = [found for each in begun if (found := _AUTHOR.match(each["rest"]))]
    logged = sum(_LOGGED.match(each["rest"]) is not None for each in begun)
    if not said or 2 * logged >= len(begun):
        return False
    # No phone writes seconds before a dash; before a colon, old ones did.
    plain = [each for each in begun if each["s"] and not (each["open"] or each["half"])]
    if 2 * sum(each["tail"].strip() != ":" for each in plain) > len(begun):
        return False
    names = {each["name"] or each["bare"] for each in said}
    return 2 * len(plain) < len(begun) or len(said) < _FEW or 2 * len(names) <= len(said)


def _is_of_people(head: str) -> bool:
    """Tell whether a text has what only phones write; or else names and times as people's are."""
    begun = [found for line in head.split("\n") if (found := _LINE.match(line))]
    said = [found for each in begun if (found := _AUTHOR.match(each["rest"]))]
    texts = [each["text"] or "" for each in said]
    if _OWN.search(head) or any(part.kind != "text" for text in texts for part in _parts(text)):
        return True
    first = begun[0]
    # Phones that write years first and dashes write marks, too; and before a colon, seconds.
    is_iso = first["sep"] == "-" and len(first["a"]) == 4
    if not first["half"] and (is_iso or (first["tail"] == ": " and not first["s"])):
        return False
    names = {each["name"] or each["bare"] for each in said}
    return 2 * sum(_PROGRAM.fullmatch(name) is not None for name in names) <= len(names)


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
