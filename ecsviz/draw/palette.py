"""The colours of names: one for the whole session, the same in every picture and widget."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Final
from zlib import crc32

PALETTE: Final = (
    "#0072B2",
    "#9C7436",
    "#054A22",
    "#C74A93",
    "#0196B0",
    "#945AF4",
    "#823D0C",
    "#1A6361",
    "#AB0955",
    "#7D8E5F",
)
ON_DARK: Final = (
    "#45AFFE",
    "#D49605",
    "#97FFC1",
    "#FD9DC0",
    "#1399B5",
    "#C3BBFB",
    "#FBC091",
    "#0BE1DC",
    "#C18B90",
    "#9B9E6B",
)
"""The colours on light and on dark ground, by number: blue, amber, green, pink, cyan, violet, rust,
teal, wine, olive. Found by search: each has a contrast of 3 : 1 with its ground, and any two, and
each and the colour of cycles, are told apart by eyes that lack one kind of cones."""
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
"""The last is for the rest: colour never stands alone."""
MOST: Final = 100_000
"""Of so many names the colours are remembered."""
_KNOWN: Final = {
    "ChatMessage": 0,
    "ChatThread": 1,
    "assistant": 0,
    "user": 1,
    "system": 2,
    "tool": 3,
}
_lock = Lock()
_slots: dict[str, int] = dict(_KNOWN)
GREEN: Final = "#04A24C"
RED: Final = "#C40253"
BROWN: Final = "#6B5509"
VIOLET: Final = "#AF4FE1"
BLUE: Final = "#0F5D91"
GREY: Final = "#80858E"
"""The colours of states, on light ground: what was added, removed, changed, moved, reordered or is
looked at, and the rest."""
_taken = [0] * len(PALETTE)
"""How many names have each colour."""


def slots_of(names: Sequence[str]) -> list[tuple[int, int]]:
    """Return for each name the number of its colour and of its mark.

    Parameters
    ----------
    names
        Different ones, of one picture.

    Returns
    -------
    list of tuple
        The colour is the same in every picture of the session: by the name the first time, or,
        where others of the session have that, the one that fewest have. Where two names of one
        picture have the same colour, or mark, the later one has the next that is free there.

    Examples
    --------
    >>> slots_of(["ChatMessage", "ChatThread"]), slots_of(["ChatThread"])
    ([(0, 0), (1, 1)], [(1, 1)])
    """
    found: list[tuple[int, int]] = []
    with _lock:
        for name in names:
            slot = _slot(name)
            colour = _free(slot, {pair[0] for pair in found}, len(PALETTE))
            mark = _free(slot % (len(MARKERS) - 1), {pair[1] for pair in found}, len(MARKERS) - 1)
            found.append((colour, mark))
    return found


def _slot(name: str) -> int:
    slot = _slots.get(name)
    if slot is None:
        first = crc32(name.encode("utf-8", "replace")) % len(PALETTE)
        slot = min(range(len(PALETTE)), key=lambda n: (_taken[n], (n - first) % len(PALETTE)))
        if len(_slots) < MOST:
            _slots[name] = slot
            _taken[slot] += 1
    return slot


def _free(wish: int, taken: set[int], count: int) -> int:
    """Return the first number from a wish on, around, that is not taken; the wish if all are."""
    return next(
        ((wish + step) % count for step in range(count) if (wish + step) % count not in taken),
        wish,
    )
