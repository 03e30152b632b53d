"""The colours of names: one for the whole session, the same in every picture and widget."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Final
from zlib import crc32

PALETTE: Final = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#6A51A3",
    "#8C6D31",
    "#44AA99",
    "#882255",
    "#F0E442",
)
"""Okabe and Ito (2008), without vermillion, which is the colour of cycles, and black; and four
more that are told from these."""
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
_taken = [0] * (len(PALETTE) - 1) + [1]
"""How many names have each colour; the last, which is pale, comes after the others."""


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
