"""Times as programs write them for people → wall clocks."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Final

_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)

_LATE: Final = ("p", "P", "下午", "오후")

_CLOCK: Final = (
    r"(?:(?P<word>上午|下午|오전|오후)\s?)?(?P<h>\d{1,2})[:.](?P<m>\d\d)(?:[:.](?P<s>\d\d))?"
    r"(?:\s?(?P<half>[AaPp])\.?\s?[Mm]\b\.?)?"
)

_DAY: Final = r"(?P<y>\d{4})[/.-](?P<mo>\d{1,2})[/.-](?P<d>\d{1,2})"

_FORMS: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_DAY}\s?@\s?(?P<h>\d{{1,2}})h\s?(?P<m>\d{{1,2}})m\s?(?P<s>\d{{1,2}})s(?:\s?(?P<ms>\d{{1,3}})ms)?",
        rf"(?P<name>[A-Za-z]{{3,9}})\s(?P<d>\d{{1,2}}),?\s(?P<y>\d{{4}}),?\s{_CLOCK}",
        rf"(?P<d>\d{{1,2}})\s(?P<name>[A-Za-z]{{3,9}})\s(?P<y>\d{{4}}),?\s{_CLOCK}",
        rf"{_DAY},?\s{_CLOCK}",
        rf"(?P<a>\d{{1,2}})(?P<sep>[/.-])(?P<b>\d{{1,2}})(?P=sep)(?P<y>\d{{4}}),?\s{_CLOCK}",
    )
)


def spoken_time(text: str) -> datetime | None:
    """Return the wall clock that a text shows, as programs write times for people; else None.

    Parameters
    ----------
    text
        Such as ``June 19, 2023 2:20pm``, ``2024-7-12@01h31m37s`` or what a browser shows.

    Notes
    -----
    Of day and month in numbers, the month comes first with a slash and AM or PM in capitals, as
    in the United States, and where the day could be no month; else the day.

    Examples
    --------
    >>> for text in ("June 19, 2023 2:20pm", "2024-7-12 @1h 31m 37s 5ms", "31.12.2024, 23:59:58"):
    ...     print(spoken_time(text))
    2023-06-19 14:20:00
    2024-07-12 01:31:37.005000
    2024-12-31 23:59:58
    >>> print(spoken_time("6/5/2024, 3:04:05 PM"), spoken_time("6/5/2024, 3:04:05 pm"))
    2024-06-05 15:04:05 2024-05-06 15:04:05
    >>> spoken_time("soon") is spoken_time("31/31/2024, 10:00") is None
    True
    """
    if len(text) > 60:
        return None
    for form in _FORMS:
        if found := form.fullmatch(text.strip()):
            return _time({name: value or "" for name, value in found.groupdict().items()})
    return None


def _time(found: dict[str, str]) -> datetime | None:
    half, hour = found.get("half") or found.get("word", ""), int(found["h"])
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half in _LATE else 0)
    if "name" in found:
        month = found["name"][:3].lower()
        found["mo"] = str(_MONTHS.index(month) + 1) if month in _MONTHS else "0"
    elif "a" in found:
        american = (found["sep"] == "/" and half in ("A", "P")) or int(found["b"]) > 12
        found["mo"], found["d"] = (found["a"], found["b"]) if american else (found["b"], found["a"])
    try:
        return datetime(  # noqa: DTZ001 - a wall clock
            *(int(found["y"]), int(found["mo"]), int(found["d"])),
            *(hour, int(found["m"]), int(found.get("s") or 0)),
            int(found.get("ms") or 0) * 1000,
        )
    except ValueError:
        return None
