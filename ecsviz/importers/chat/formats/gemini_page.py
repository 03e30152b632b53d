"""The page ``MyActivity.html`` of Google's Takeout → records as ``MyActivity.json`` has them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from ecsviz.importers.chat.clock import spoken_time
from ecsviz.importers.chat.html_text import html_text
from ecsviz.importers.chat.source import Place, Source

_RECORD, _CELL = '<div class="outer-cell', '<div class="content-cell'
"""How a record begins, and a cell of it."""

_HEADER = re.compile(r"<p [^<>]{0,300}?typography--title[^<>]{0,300}>([^<]*)")

_END = 1_000
"""Characters at the end of a page among which it closes."""

_LINE = re.compile(r"<br ?/?>")

_ZONE = re.compile(r" (?!AM$|PM$)(?:(GMT|UTC)([+-]\d{1,2}(?::\d\d)?)?|[A-Z]{2,5})$")
"""What stands behind a time: how far it is from UTC, or a name that may mean several zones."""

_LINK = re.compile(r'<a [^<>]*href="([^"<>]*)"')


def is_page(source: Source) -> bool:
    """Tell whether a file is such a page, and names Gemini.

    Parameters
    ----------
    source
        The file; it is read as a whole if it may be one.
    """
    head = source.head[:2_000]
    if "<html" not in head[:500] or not re.search("mdl-|material-design|My Activity", head):
        return False
    return _RECORD in source.text and bool(re.search("Gemini Apps|Bard", source.text))


def records_of(source: Source) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield the records of a page, each with its place.

    Parameters
    ----------
    source
        The page.

    Notes
    -----
    What stands above the time is the prompt, what stands below it the answer. What a record lacks
    is told, and the rest of it read.
    """
    for number, piece in enumerate(source.text.split(_RECORD)[1:], 1):
        place = source.place().at("record", number)
        header = _HEADER.search(piece)
        cell = piece.split(_CELL)[1:2]
        body = cell[0].partition(">")[2].removesuffix("</div>") if cell else ""
        pieces = _LINE.split(body)
        times = [None if "<" in each else _moment(each) for each in pieces]
        at = next((n for n, when in enumerate(times) if n and when), len(pieces))
        asked = "<br>".join(pieces[:at])
        record: dict[str, Any] = {
            "header": html_text(header[1]) if header else None,
            "title": html_text(asked).replace("\xa0", " "),
            "time": times[at] if at < len(pieces) else None,
        }
        answer = "<br>".join(pieces[at + 1 :])
        if html_text(answer).strip():
            record["safeHtmlItem"] = [{"html": answer}]
        if link := next((url for url in _LINK.findall(asked) if "/app/" in url), None):
            record["titleUrl"] = link
        lacks = [
            what
            for what, is_there in (
                ("product", header),
                ("text", record["title"]),
                ("time", at < len(pieces)),
            )
            if not is_there
        ]
        if lacks and (header is None or is_geminis(header[1])):
            with place.trying():
                raise place.wrong(f"a record without {', '.join(lacks)}")
            record["header"] = record["header"] or "Gemini Apps"  # which the page names
        yield place, record
    if "</html" not in source.text[-_END:]:
        with source.place().trying():
            raise source.place().at("its end").wrong("the page ends before </html>: it is cut")


def is_geminis(name: str) -> bool:
    """Tell whether a product is called as Gemini is, or was."""
    return re.search("Gemini|Bard", name) is not None


def _moment(line: str) -> str | None:
    """Return the time that a line shows as ISO 8601 has it, with an offset if it tells one."""
    text = re.sub(r"[\u202f\xa0]", " ", html_text(line)).strip()
    zone = _ZONE.search(text)
    when = spoken_time(text[: zone.start()] if zone else text)
    if when is None or zone is None or zone[1] is None:
        return when.isoformat() if when else None
    hours, _, minutes = (zone[2] or "+0").partition(":")
    return f"{when.isoformat()}{hours[0]}{int(hours[1:]):02}:{minutes or '00'}"
